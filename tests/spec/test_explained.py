"""A match explains itself: to the log's sealed part and the supervisor, never to the terminal."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from proxy.audit.reader import AuditReader
from proxy.cli.recording import sealer_of
from proxy.demo.town import CITY
from proxy.settings import load_settings

if TYPE_CHECKING:
    from proxy.audit.entry import Entry
    from tests.spec.conftest import Answer, Street

pytestmark = pytest.mark.asyncio(loop_scope="session")

WORDS = ("threshold", "score", "features", "recognized", "likeness", "slip", "matched")


def opened(street: Street, entry: Entry) -> dict[str, Any]:
    """Return an entry's sealed part, read with the keys."""
    settings = load_settings(street.home.config, {})
    return AuditReader(settings.log, sealer_of(settings)).unseal(entry)


async def seen(street: Street, role: str, href: str) -> Any:
    """Return an escalation as somebody sees it."""
    headers = {"Authorization": f"Bearer {street.keys[role]}"}
    async with street.client.get(street.servers.terminals.url + href, headers=headers) as response:
        return await response.json()


@pytest_asyncio.fixture(loop_scope="session")
async def asked(street: Street) -> Answer:
    """Return the answer to a query for the mayor, whose name is misspelt."""
    mayor = street.town.cast["mayor"]
    misspelt = mayor.surname[:-2] + mayor.surname[-1] + mayor.surname[-2]
    path = street.path("/records/persons", given_name=mayor.given_name, surname=misspelt, dob=mayor.dob.isoformat())
    answer = await street.ask("officer", path)
    assert answer.problem == "escalation-required"
    return answer


async def test_the_decision_says_why_to_whoever_has_the_keys(street: Street, asked: Answer) -> None:
    """The sealed part has category, roads, features, score and threshold; their sum is the score, over the threshold."""
    why = opened(street, await street.entry(asked))["recognized"]

    mayor = next(each for each in why if each["matched"] == ["likeness"])
    assert mayor["category"] == "official"
    levels = {kind: level for kind, level, _ in mayor["features"]}
    assert levels == {"given_name": "same", "surname": "unheard", "dob": "same"}
    assert mayor["score"] == pytest.approx(sum(bits for _, _, bits in mayor["features"]), abs=0.2)
    assert mayor["score"] > mayor["threshold"]


async def test_what_was_withheld_says_why(street: Street) -> None:
    """The closing entry of a reply from which records were withheld explains each of them, sealed."""
    mayor = street.town.cast["mayor"]
    answer = await street.ask("officer", street.path("/records/addresses", street_name=mayor.home.street, city=CITY))
    entry = await street.terminal_entry(answer)

    why = opened(street, entry)["recognized"]

    assert entry.facts["withheld"]
    assert {"official"} <= {each["category"] for each in why}
    assert all({"entry", "matched", "score", "threshold", "features"} <= set(each) for each in why)


async def test_the_open_part_of_the_log_says_nothing_of_it(street: Street, asked: Answer) -> None:
    """Without the keys no entry tells how surely, or by how much of what, anybody was recognized, nor which entry it was."""
    [why, *_] = opened(street, await street.entry(asked))["recognized"]

    log = street.log_bytes()
    assert not [word for word in (why["entry"], "recognized", "features", "threshold") if word.encode() in log]


async def test_the_supervisor_sees_features_and_no_values(street: Street, asked: Answer) -> None:
    """Who decides sees by what and how surely the person was recognized; not who it is, nor which entry."""
    view = await seen(street, "supervisor", asked.json["escalation"]["href"])

    mayor = next(each for each in view["recognized"] if each["matched"] == ["likeness"])
    assert set(mayor) == {"category", "matched", "score", "threshold", "features"}
    assert ["surname", "unheard"] in [feature[:2] for feature in mayor["features"]]
    assert mayor["score"] > mayor["threshold"]
    person, told = street.town.cast["mayor"], json.dumps(view)
    sealed = opened(street, await street.entry(asked))["recognized"]
    values = (person.given_name, person.surname, person.dob.isoformat(), person.ssn, *(each["entry"] for each in sealed))
    assert not [value for value in values if value and value in told]


async def test_the_terminal_sees_none_of_it(street: Street, asked: Answer) -> None:
    """Neither the refusal, nor its headers, nor the officer's view of the escalation tells that, or how, anybody was met."""
    view = await seen(street, "officer", asked.json["escalation"]["href"])
    listed = await seen(street, "officer", "/escalations")

    for told in (asked.body.decode(), json.dumps(dict(asked.headers)), json.dumps(view), json.dumps(listed)):
        assert not [word for word in (*WORDS, "official", "categor") if word in told.lower()], told


async def test_audit_show_prints_it_to_an_auditor_with_a_case(street: Street, asked: Answer) -> None:
    """``audit show --decrypt`` has one line for each person met; without ``--decrypt`` there is none."""
    index = asked.headers["Audit-Entry"].rpartition("/")[2]
    reason = ("--decrypt", "--case", street.case("stop"), "--statement", "complaint of the mayor about look-ups of her home")

    closed, shown = await show(street, index), await show(street, index, *reason)

    assert "by likeness" not in closed
    [line] = [line for line in shown.splitlines() if "by likeness" in line]
    assert "official by likeness" in line
    assert "surname unheard" in line
    [why] = [each for each in opened(street, await street.entry(asked))["recognized"] if each["matched"] == ["likeness"]]
    assert f"{why['score']} of {why['threshold']} bits" in line


async def show(street: Street, *arguments: str) -> str:
    """Run ``audit show`` as an auditor would, beside the running server."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "proxy", "audit", "show", *arguments, "--config", str(street.home.config),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    return out.decode()
