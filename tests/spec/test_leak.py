"""The leak trace over the whole product: a query, a publication in another spelling, the Audit-Entry that is found."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from proxy.__main__ import run
from tests.spec.conftest import Answer
from tests.spec.test_questions import question

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.spec.conftest import Street

pytestmark = pytest.mark.asyncio(loop_scope="session")

WORDS = "complaint 26-118: the driver's home and telephone stood on a public page"


async def leaks(street: Street, who: str = "auditor", **changes: Any) -> Answer:
    """Ask as a program of the oversight desk does."""
    body = {"case": street.case("stop"), "statement": WORDS, "at": now().isoformat(), **changes}
    headers = {"Authorization": f"Bearer {street.keys[who]}"}
    async with street.client.post(street.servers.console.url + "/leaks", headers=headers, json=body) as response:
        return Answer(response.status, dict(response.headers), await response.read())


def now() -> datetime:
    """Return this moment, by which everything here has been shown."""
    return datetime.now(UTC)


async def shown(street: Street) -> tuple[Answer, Mapping[str, str]]:
    """Have an officer ask for somebody whom nobody has asked for; return the answer and the record."""
    answer = await street.ask("officer", f"/records/persons/{street.unasked().person_id}")
    assert answer.status == 200
    return answer, answer.json[0]


def respelled(record: Mapping[str, str]) -> list[dict[str, str]]:
    """Return a record's address and telephone as somebody publishes them."""
    digits = "".join(filter(str.isdigit, record["phone"]))[-10:]
    return [
        {"kind": "home_address", "value": record["street"].lower() + f", {record['city']}"},
        {"kind": "phone", "value": f"({digits[:3]}) {digits[3:6]} {digits[6:]}"},
    ]


async def test_a_published_address_leads_to_the_audit_entry_that_the_terminal_was_given(street: Street) -> None:
    """In another spelling, by two things at once; the query's own words stand beside it, and the log has both."""
    answer, record = await shown(street)

    told = await leaks(street, published=respelled(record))

    assert told.status == 200, told.body
    lead = next(each for each in told.json["leads"] if each["officer"] == street.person("officer"))
    assert answer.headers["Audit-Entry"] in [entry["audit_entry"] for entry in lead["entries"]]
    assert lead["items"] == [1, 2]
    kinds = [entry.kind for entry in await street.entries()]
    assert kinds[kinds.index("leak-traced") :].count("leads-shown") >= 1
    log = street.log_bytes()
    assert record["phone"].encode() not in log
    assert record["street"].encode() not in log


async def test_for_whom_was_a_lead_somebody_else_finds_it_out(street: Street) -> None:
    """The officer cannot ask the log; who of the oversight desk does finds the trace among what concerns the officer."""
    _, record = await shown(street)
    await leaks(street, published=respelled(record))

    found = await question(street, "officer", street.person("officer"))
    own = await question(street, "officer", street.person("officer"), who="officer")

    told = next(line for line in found.json["queries"] if line["kind"] == "leads-shown")
    assert told["officer"] == street.person("auditor")
    assert own.problem == "route-unknown"


async def test_only_what_was_shown_before_counts(street: Street) -> None:
    """A thing that was out before anybody looked has no lead."""
    _, record = await shown(street)

    told = await leaks(street, published=respelled(record), at="2020-01-01T00:00Z")

    assert told.json["verdict"] == "nobody"
    assert told.json["leads"] == []


async def test_what_was_masked_is_no_lead(street: Street) -> None:
    """The telephone was masked in a record that an officer was shown: the entry is one for the name, and none for that."""
    someone = street.unasked()
    path = f"/records/persons/{someone.person_id}"
    await street.protect(person_id=someone.person_id, category="witness", fields=["home_address", "phone"])
    async with asyncio.timeout(30):
        while (asked := await street.ask("officer", path)).status == 200:  # noqa: ASYNC110 -- the server looks at the registry by turns
            await asyncio.sleep(0.05)
    await street.post("supervisor", f"{asked.json['escalation']['href']}/approve", {"reason": "agreed, statement is needed"})
    answer = await street.ask("officer", path)
    assert "phone" in answer.headers["Disclosure"]
    record = orjson.loads(await street.direct(f"{path}.json?_shape=array"))[0]

    name = {"kind": "name", "value": f"{record['surname']}, {record['given_name']}"}
    told = await leaks(street, published=[*respelled(record), name], about=someone.person_id)

    lead = next(each for each in told.json["leads"] if answer.headers["Audit-Entry"] in str(each["entries"]))
    entry = next(each for each in lead["entries"] if each["audit_entry"] == answer.headers["Audit-Entry"])
    assert 3 in entry["items"]
    assert 2 not in entry["items"]


@pytest.mark.parametrize("who", ["officer", "supervisor", "steward"])
async def test_only_the_oversight_desk_traces(street: Street, who: str) -> None:
    """For others there is no such thing, and their attempt is an entry."""
    told = await leaks(street, who, published=[{"kind": "phone", "value": "555-010-0100"}])

    assert told.problem == "route-unknown"
    assert (await street.entry(told)).kind == "refused"


async def test_the_terminals_door_traces_nothing(street: Street) -> None:
    """A route of the records server is all there is."""
    assert (await street.ask("auditor", "/leaks")).problem == "route-unknown"


@pytest.mark.parametrize(
    ("changes", "slug"),
    [
        ({"case": ""}, "case-unknown"),
        ({"case": "26-999999"}, "case-unknown"),
        ({"statement": "investigation"}, "statement-uninformative"),
        ({"published": []}, "body-unreadable"),
        ({"published": "phone"}, "body-unreadable"),
        ({"published": [{"kind": "phone"}]}, "leak-unclear"),
        ({"published": [{"kind": "phone", "value": "555-010-0100"}] * 61}, "leak-unclear"),
        ({"published": [{"kind": "phone", "value": "12"}]}, "leak-unclear"),
        ({"published": [{"kind": "foo", "value": "555-010-0100"}]}, "leak-unclear"),
        ({"published": [{"kind": "financial", "value": "1234"}]}, "leak-unclear"),
        ({"at": f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%MZ}"}, "leak-unclear"),
        ({"at": "2026-11-20T09:00"}, "leak-unclear"),
        ({"page": 0}, "leak-unclear"),
        ({"page": "2"}, "body-unreadable"),
        ({"within_hours": True}, "leak-unclear"),
        ({"within_hours": 1e9}, "leak-unclear"),
        ({"more": 1}, "body-unreadable"),
    ],
)
async def test_whoever_traces_shows_cause_and_is_clear(street: Street, changes: Mapping[str, Any], slug: str) -> None:
    """Nothing is looked for, and the log has no trace."""
    before = len(await street.entries())

    told = await leaks(street, **{"published": [{"kind": "phone", "value": "555-010-0100"}], **changes})

    assert told.problem == slug
    assert "leak-traced" not in [entry.kind for entry in (await street.entries())[before:]]


async def test_the_command_line_says_the_same_beside_the_server(street: Street, capsys: pytest.CaptureFixture[str]) -> None:
    """The operator's command reads the server's log and index, and the server records for it."""
    answer, record = await shown(street)
    options = ["--at", now().isoformat(), "--case", street.case("stop"), "--statement", WORDS, "--json"]
    things = [f"{each['kind']}={each['value']}" for each in respelled(record)]
    published = [text for thing in things for text in ("--published", thing)]

    code = await _command(street, *published, *options)

    told = orjson.loads(capsys.readouterr().out)
    assert code == 1
    entries = [entry["audit_entry"] for lead in told["leads"] for entry in lead["entries"]]
    assert answer.headers["Audit-Entry"] in entries


async def test_many_things_come_as_lines_and_are_told_in_words(
    street: Street, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file of JSON lines, a picture, and an answer for people; a line that is not clear is wrong use, with its number."""
    _, record = await shown(street)
    lines, picture = tmp_path / "items.jsonl", tmp_path / "porch.jpg"
    lines.write_bytes(b"\n".join(orjson.dumps({**each, "at": now().isoformat()}) for each in respelled(record)))
    picture.write_bytes(b"\xff\xd8\xff picture of a porch")
    options = ["--at", now().isoformat(), "--case", street.case("stop"), "--statement", WORDS]

    code = await _command(street, "--file", str(lines), "--photo", str(picture), *options)

    out = capsys.readouterr().out
    assert code == 1
    assert f". {street.person('officer')} (" in out
    assert "item 1, photo" in out
    assert "Was never shown item 1, so cannot be the only source." in out
    assert "note: Who photographed a screen" in out
    lines.write_text('{"kind": "phone", "value": "5550100199"}\n{"kind": "phone"}\n')
    assert await _command(street, "--file", str(lines), *options) == 2
    assert "Item 2" in capsys.readouterr().err
    assert await _command(street, "--published", "foo=12 Elm Street", *options) == 2
    assert "no field of any record is of the kind foo" in capsys.readouterr().err


async def _command(street: Street, *arguments: str) -> int:
    return await asyncio.to_thread(run, ["audit", "leak", *arguments, "--config", str(street.home.config)])
