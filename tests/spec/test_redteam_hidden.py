"""What is concealed must not show anywhere else: not in what becomes of others, not in the log's numbers."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from proxy.audit.keys import load_key
from proxy.clock import utc_now
from proxy.database import Database
from proxy.registry.lines import entry_line
from proxy.registry.service import Registry

if TYPE_CHECKING:
    from proxy.demo.town import Person
    from tests.spec.conftest import Answer, Street

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOBODY = "/records/persons/999999"


async def hide(street: Street, person: Person, category: str = "informant", /, **more: str) -> None:
    """Enroll somebody as hidden, and wait until the server knows."""
    line = {
        "category": category,
        "basis": "source file",
        "given_name": person.given_name,
        "surname": person.surname,
        "dob": person.dob.isoformat(),
        "person_id": person.person_id,
        **more,
    }
    database = Database(street.home.data / "store.sqlite3")
    await database.open()
    registry = Registry(database, load_key(street.home.keys / "registry.key"), utc_now)
    await registry.refresh()
    entry, _ = await registry.add(entry_line(1, line, categories=["informant", "undercover"], now=utc_now()), by="steward")
    await database.close()
    assert entry is not None
    async with asyncio.timeout(30):
        while (await street.ask("officer", f"/records/persons/{person.person_id}")).status != 404:  # noqa: ASYNC110 -- the server looks at the registry by turns, and an hour's queries are bounded
            await asyncio.sleep(0.05)


def ordinary(street: Street) -> list[Person]:
    """Return those whom nobody protects and who are close to nobody of the personnel."""
    taken = {person.person_id for household in street.town.officers for person in household} | street.cast_ids
    return [person for person in street.town.persons if person.person_id not in taken]


def ids(answer: Answer) -> set[str]:
    """Return the persons of an answer's records."""
    return {row["person_id"] for row in answer.json}


def number(answer: Answer) -> int:
    """Return the number of an answer's entry."""
    return int(answer.headers["Audit-Entry"].rpartition("/")[2])


def shown(answer: Answer) -> tuple[int, bytes, dict[str, str]]:
    """Return what a terminal sees, but for the time and the entry."""
    headers = {name: value for name, value in answer.headers.items() if name not in {"Date", "Audit-Entry"}}
    return answer.status, answer.body, headers


async def test_the_namesakes_of_a_hidden_person_are_found_as_ever(street: Street) -> None:
    """A search by a name that an informant bears answers with everybody else of that name, not with nobody."""
    named: defaultdict[str, list[Person]] = defaultdict(list)
    for person in ordinary(street):
        named[person.name].append(person)
    informant, *others = next(group for group in named.values() if len(group) > 2)
    path = street.path("/records/persons", given_name=informant.given_name, surname=informant.surname)
    others_ids = {person.person_id for person in others}
    assert ids(await street.ask("officer", path)) == others_ids | {informant.person_id}

    await hide(street, informant)
    answer = await street.ask("officer", path)

    assert ids(answer) == others_ids
    assert "Disclosure" not in answer.headers
    entry = await street.entry(answer)
    assert (entry.facts["outcome"], entry.facts["shown"], entry.facts["notify"]) == ("conceal", "permit", ["supervisor"])
    assert (await street.terminal_entry(answer)).facts["withheld"] == 1


async def test_the_neighbors_of_a_hidden_person_are_found_as_ever(street: Street) -> None:
    """A search by the address of a whole building answers with everybody but the informant's own apartment."""
    building: defaultdict[str, list[Person]] = defaultdict(list)
    for person in ordinary(street):
        if person.home.unit:
            building[person.home.line].append(person)
    residents = next(group for group in building.values() if len({person.home.unit for person in group}) > 2)
    informant = residents[0]
    path = street.path("/records/addresses", street=informant.home.line)
    home = {"street": informant.home.line, "unit": informant.home.unit, "postal_code": informant.home.postal_code}

    await hide(street, informant, **home)
    answer = await street.ask("officer", path)

    assert ids(answer) == {person.person_id for person in residents if person.home.unit != informant.home.unit}


async def test_a_protected_namesake_of_a_hidden_person_is_escalated_as_ever(street: Street) -> None:
    """A search by a name that a judge and an informant bear asks a supervisor about the judge and nobody else."""
    judge = street.town.cast["judge"]
    informant = replace(ordinary(street)[40], given_name=judge.given_name, surname=judge.surname)
    await hide(street, informant)
    path = street.path("/records/persons", given_name=judge.given_name, surname=judge.surname)

    asked = await street.ask("officer", path)

    assert asked.problem == "escalation-required"
    href = asked.json["escalation"]["href"]
    approved = await street.post("supervisor", f"{href}/approve", {"reason": "threats were made against the court"})
    assert approved.json["categories"] == ["judicial"]
    answer = await street.ask("officer", path)
    assert ids(answer) == {judge.person_id}
    entry = await street.entry(answer)
    assert (entry.facts["outcome"], entry.facts["shown"]) == ("conceal", "permit")


async def test_an_undercover_colleague_is_not_there_whatever_the_road(street: Street) -> None:
    """That the personnel directory knows an undercover officer shows neither in the answer nor in a supervisor's queue."""
    undercover = street.town.officers[-1].head
    by_id, by_name = (
        f"/records/persons/{undercover.person_id}",
        street.path(
            "/records/persons", given_name=undercover.given_name, surname=undercover.surname, dob=undercover.dob.isoformat()
        ),
    )
    assert (await street.ask("officer", by_id)).problem == "escalation-required"

    await hide(street, undercover, "undercover")

    assert shown(await street.ask("officer", by_id)) == shown(await street.ask("officer", NOBODY))
    nobody = street.path("/records/persons", given_name="Nemo", surname="Nullius", dob="1980-01-01")
    assert shown(await street.ask("officer", by_name)) == shown(await street.ask("officer", nobody))


async def test_a_concealed_answer_takes_as_many_entries_as_one_that_is_not_there(street: Street) -> None:
    """The numbers of an officer's entries tell nothing: that somebody has to be told is written into the same entries."""
    informant = f"/records/persons/{street.town.cast['informant'].person_id}"
    list_of_street = street.path("/records/addresses", street=street.town.cast["informant"].home.line)
    steps = {}

    for path in (informant, list_of_street, NOBODY):
        first = await street.ask("officer", path)
        second = await street.ask("officer", NOBODY)
        steps[path] = number(second) - number(first)

    assert len(set(steps.values())) == 1
    assert (await street.entry(await street.ask("officer", informant))).facts["notify"] == ["supervisor"]
    assert b'showcause_notices_total{role="supervisor"}' in (await street.ops("/metrics")).body
