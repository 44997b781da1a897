"""Who looked at whom: by any road, seen or withheld, asked by any name of theirs, over real HTTP and a real registry."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from proxy.audit.search import LogSearched
from proxy.demo.town import CITY
from tests.spec.conftest import Answer

if TYPE_CHECKING:
    from tests.spec.conftest import Street

pytestmark = pytest.mark.asyncio(loop_scope="session")

WHY = "complaint 26-118 about look-ups of the mayor's home"


async def question(street: Street, by: str, value: str, *, who: str = "auditor", path: str = "search", **more: str) -> Answer:
    """Ask the log, as a program of the auditor's does."""
    today = str(datetime.now(UTC).date())
    said = {"case": street.case("stop"), "statement": WHY, "by": by, "value": value, "first": today, "last": today, **more}
    headers = {"Authorization": f"Bearer {street.keys[who]}"}
    async with street.client.post(f"{street.servers.console.url}/log/{path}", headers=headers, json=said) as response:
        return Answer(response.status, dict(response.headers), await response.read())


async def entries_of(street: Street, by: str, value: str, **more: str) -> dict[str, dict[str, Any]]:
    """Return what was found on all pages, by reference."""
    found: dict[str, dict[str, Any]] = {}
    before = ""
    while True:
        answer = await question(street, by, value, before=before, **more)
        assert answer.status == 200, answer.body
        assert answer.json["behind"] == 0
        found |= {line["entry"]: line for line in answer.json["queries"]}
        if answer.json["before"] is None:
            return found
        before = str(answer.json["before"])


async def test_whoever_looked_at_somebody_is_found_by_whatever_road_they_came(street: Street) -> None:
    """Name, number, plate, phone, address, SSN, and the neighbors' list; answered, waiting, refused; by each of their names."""
    mayor = street.town.cast["mayor"]
    plate, phone = street.town.vehicle_of(mayor).plate, mayor.phone or mayor.mobile
    roads = {
        "name": street.path("/records/persons", given_name="ELEANOR", surname=mayor.surname, dob=mayor.dob.isoformat()),
        "id": f"/records/persons/{mayor.person_id}",
        "plate": street.path("/records/vehicles", plate=plate.lower()),
        "phone": street.path("/records/persons", phone=phone),
        "address": street.path("/records/addresses", street=mayor.home.line, city=CITY),
        "ssn": street.path("/records/persons", ssn=mayor.ssn),
    }
    asked = {road: (await street.ask("officer", target)).headers["Audit-Entry"] for road, target in roads.items()}
    refused = await street.ask("officer", roads["plate"], purpose='code=C, case="26-999999", statement="a case that is not"')
    asked["refused"] = refused.headers["Audit-Entry"]
    entry = (await street.entry(await street.ask("officer", roads["id"]))).parties["subject"]
    assert entry

    for by, value, more in (
        ("person_id", f"0{mayor.person_id}", {}),
        ("plate", f" {plate[:3]}-{plate[3:]}", {}),
        ("phone", f"({phone[:3]}) {phone[3:6]}-{phone[6:]}" if len(phone) == 10 else phone, {}),
        ("ssn", mayor.ssn, {}),
        ("address", f"{mayor.home.line}, {CITY}".upper(), {}),
        ("name", f"{mayor.surname}, {mayor.given_name}", {"dob": mayor.dob.strftime("%m/%d/%Y")}),
    ):
        found = await entries_of(street, by, value, **more)
        assert {road: reference in found for road, reference in asked.items()} == dict.fromkeys(asked, True), by


async def test_an_answer_tells_what_was_seen_and_what_was_not(street: Street) -> None:
    """Of an ordinary driver the fields; of a protected person that the record was withheld; never a value."""
    driver, informant = street.unasked(), street.town.cast["informant"]
    seen = await street.ask("officer", f"/records/persons/{driver.person_id}")
    hidden = await street.ask("officer", f"/records/persons/{informant.person_id}")

    shown = (await entries_of(street, "person_id", driver.person_id))[seen.headers["Audit-Entry"]]
    withheld = (await entries_of(street, "person_id", informant.person_id))[hidden.headers["Audit-Entry"]]

    assert (shown["officer"], shown["case"]) == (street.person("officer"), street.case("stop"))
    assert {"person_id", "surname", "dob", "street"} <= set(shown["seen"])
    assert (shown["shown"], shown["withheld"], shown["kind"]) == (1, 0, "disclosed")
    assert "person_id" in shown["roads"]
    assert (withheld["seen"], withheld["shown"]) == ([], 0)
    assert driver.ssn not in str(shown)


async def test_what_was_seen_of_a_neighbor_was_not_seen_of_them(street: Street) -> None:
    """A search for the next unit is found, since it was about the house; but none of its records is the mayor's."""
    mayor = street.town.cast["mayor"]
    asked = await street.ask("officer", street.path("/records/addresses", street=mayor.home.line, unit="4A"))
    assert (asked.status, len(asked.json)) == (200, 1)

    found = (await entries_of(street, "person_id", mayor.person_id))[asked.headers["Audit-Entry"]]

    assert (found["seen"], found["shown"], found["withheld"]) == ([], 0, 0)


async def test_what_an_officer_did_and_what_was_done_from_a_terminal_or_under_a_case(street: Street) -> None:
    """Each finds the same query, and other people's none of it."""
    driver = street.unasked()
    reference = (await street.ask("officer", f"/records/persons/{driver.person_id}")).headers["Audit-Entry"]
    officer = street.person("officer")
    line = (await entries_of(street, "officer", officer.upper()))[reference]

    assert reference in await entries_of(street, "case", street.case("stop").lower())
    assert reference in await entries_of(street, "terminal", line["terminal"])
    assert reference not in await entries_of(street, "officer", street.person("detective"))
    assert line["statement"]


async def test_a_timeline_tells_the_same_oldest_first(street: Street) -> None:
    """All of it in one answer, and it is not turned page by page."""
    person = street.unasked().person_id
    asked = [(await street.ask("officer", f"/records/persons/{person}")).headers["Audit-Entry"] for _ in range(3)]

    told = await question(street, "person_id", person, order="oldest")

    assert [line["entry"] for line in told.json["queries"]] == asked
    assert told.json["before"] is None
    assert told.json["entries"] == sorted(told.json["entries"])
    assert {line["entry"] for line in told.json["queries"]} == (await entries_of(street, "person_id", person)).keys()


async def test_queries_are_counted(street: Street) -> None:
    """By day, officer, purpose and outcome, of all officers or of one."""
    await street.ask("officer", f"/records/persons/{street.town.cast['driver'].person_id}")
    officer = street.person("officer")

    by_officer = (await question(street, "officer", "", path="count", counts="officer")).json["counts"]
    of_one = (await question(street, "officer", officer, path="count", counts="outcome")).json["counts"]
    by_day = (await question(street, "officer", "", path="count", counts="day")).json["counts"]

    queries = {row["officer"]: row["queries"] for row in by_officer}
    assert queries[officer] == sum(row["queries"] for row in of_one)
    assert [row["day"] for row in by_day] == [str(datetime.now(UTC).date())]


@pytest.mark.parametrize("who", ["officer", "supervisor", "steward"])
async def test_the_log_is_asked_by_those_who_read_it(street: Street, who: str) -> None:
    """To everybody else there is no such thing, and no entry says that they asked."""
    before = len(await street.entries())

    answer = await question(street, "officer", "badge-1001", who=who)

    assert (answer.status, answer.problem) == (404, "route-unknown")
    assert LogSearched.kind not in [entry.kind for entry in (await street.entries())[before:]]


async def test_whoever_asks_with_empty_words_is_told_in_an_auditor_s_words_what_is_missing(street: Street) -> None:
    """Not in those of a patrol officer, and what the refusal shows as an example is itself enough."""
    refused = await question(street, "officer", "badge-1001", statement="complaint of the mayor")
    assert refused.problem == "statement-uninformative"
    assert "Say who wants to know, and what for: 2 more telling words" in refused.json["detail"]

    example = refused.json["detail"].split('"')[1]
    assert (await question(street, "officer", "badge-1001", statement=example)).status == 200


async def test_a_question_is_in_the_log_before_it_is_answered(street: Street) -> None:
    """With whom it was about as tokens, its words sealed, and the reference of nothing that it found."""
    before = len(await street.entries())

    await question(street, "plate", "ABC 1234")

    asked = [entry for entry in (await street.entries())[before:] if entry.kind == LogSearched.kind]
    assert [entry.facts["by"] for entry in asked] == ["plate"]
    assert "ABC" not in str(asked[0].facts)
    assert asked[0].parties["plate"]


async def test_nobody_asks_about_their_own_look_ups(street: Street) -> None:
    """Neither by their own name nor by what they looked at; that they tried is in the log."""
    auditor = street.person("auditor")
    before = len(await street.entries())

    answer = await question(street, "officer", auditor)

    assert (answer.status, answer.problem) == (403, "own-lookups")
    kinds = [(entry.kind, entry.facts.get("denied")) for entry in (await street.entries())[before:]]
    assert (LogSearched.kind, "own") in kinds


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"case": "26-999999"}, "case-unknown"),
        ({"statement": "investigation"}, "statement-uninformative"),
        ({"by": "subject"}, "body-unreadable"),
        ({"value": " "}, "body-unreadable"),
        ({"first": "2020-01-01"}, "body-unreadable"),
        ({"before": "-1"}, "body-unreadable"),
        ({"counts": "day"}, "body-unreadable"),
        ({"order": "newest"}, "body-unreadable"),
        ({"order": "oldest", "before": "7"}, "body-unreadable"),
        ({"extra": "1"}, "body-unreadable"),
    ],
)
async def test_whoever_asks_shows_cause(street: Street, more: dict[str, str], problem: str) -> None:
    """Without a case, words, bounds or somebody sought, nothing is answered."""
    said = {"by": "officer", "value": "badge-1001"} | more

    assert (await question(street, said.pop("by"), said.pop("value"), **said)).problem == problem
