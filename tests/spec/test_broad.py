"""Broad searches at a records server that we did not write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from proxy.demo.town import Person
    from tests.spec.conftest import Answer, Street

pytestmark = pytest.mark.asyncio(loop_scope="session")


def matching(street: Street, prefix: str, given: str) -> set[str]:
    """Return who of the town matches, by our own reading."""
    return {
        person.person_id for person in street.town.persons if person.surname.startswith(prefix) and person.given_name == given
    }


def ids(answer: Answer) -> set[str]:
    """Return the persons of an answer's records."""
    return {row["person_id"] for row in answer.json}


def ordinary(street: Street) -> list[Person]:
    """Return those whom nobody protects and who are close to nobody of the personnel."""
    taken = {person.person_id for household in street.town.officers for person in household} | street.cast_ids
    return [person for person in street.town.persons if person.person_id not in taken]


async def test_a_prefix_finds_what_begins_so(street: Street) -> None:
    """A detective finds everybody whose surname begins so, and the log says what was asked under which action."""
    person = ordinary(street)[10]
    path = street.path("/records/persons", surname_prefix=person.surname[:4], given_name=person.given_name)

    answer = await street.ask("detective", path)

    assert person.person_id in ids(answer) <= matching(street, person.surname[:4], person.given_name)
    assert (await street.entry(answer)).facts["action"] == "person.browse"


async def test_a_range_finds_whom_it_holds(street: Street) -> None:
    """Both ends belong to it."""
    person = ordinary(street)[11]
    born = person.dob.isoformat()

    answer = await street.ask("detective", street.path("/records/persons", surname=person.surname, dob_from=born, dob_to=born))

    assert person.person_id in ids(answer)
    assert {row["dob"] for row in answer.json} == {born}


@pytest.mark.parametrize(
    ("role", "problem"), [("officer", "policy-denied"), ("dispatcher", "policy-denied"), ("detective", "")]
)
async def test_policy_says_who_may_search_broadly_for_persons(street: Street, role: str, problem: str) -> None:
    """The patrol looks for persons by name and date of birth."""
    path = street.path("/records/persons", surname_prefix="Zzz", given_name="Nobody")

    assert (await street.ask(role, path)).problem == problem


@pytest.mark.parametrize("role", ["officer", "dispatcher", "detective"])
async def test_a_partial_plate_is_for_everybody_who_asks(street: Street, role: str) -> None:
    """Half a plate is what a witness remembers."""
    vehicle = next(each for each in street.town.vehicles if each.owner in ordinary(street)[:3000])

    answer = await street.ask(role, street.path("/records/vehicles", plate_prefix=vehicle.plate[:5], color=vehicle.color))

    assert vehicle.plate in {row["plate"] for row in answer.json}


async def test_more_than_a_broad_search_may_find_is_too_broad(street: Street) -> None:
    """What a narrow search might answer, a broad one does not."""
    path = street.path("/records/persons", surname_prefix="Her", dob_from="1900-01-01", dob_to="2030-01-01")

    assert (await street.ask("detective", path)).problem == "too-broad"


async def test_protected_persons_are_left_out_without_a_word(street: Street) -> None:
    """A search that only a judge matches is answered like one that nobody does."""
    judge = street.town.cast["judge"]
    born = judge.dob.isoformat()
    found = await street.ask("detective", street.path("/records/persons", surname=judge.surname, dob_from=born, dob_to=born))
    nobody = await street.ask("detective", street.path("/records/persons", surname="Zzz", dob_from=born, dob_to=born))

    assert judge.person_id in (await street.direct(f"/records/persons.json?surname={judge.surname}&dob={born}")).decode()
    assert (found.status, found.body) == (nobody.status, nobody.body) == (200, b"[]")
    assert "Disclosure" not in found.headers
    assert (await street.terminal_entry(found)).facts["withheld"] == 1


@pytest.mark.parametrize("email", ["__.%s", "_%s"])
async def test_what_stands_for_others_elsewhere_is_literal_in_a_whole_value(street: Street, email: str) -> None:
    """An underscore belongs into an e-mail address, and finds itself alone: Datasette compares whole values by equality."""
    person = next(each for each in ordinary(street) if each.email)

    answer = await street.ask("officer", street.path("/records/persons", email=email % person.email[len(email) - 2 :]))

    assert (answer.status, answer.body) == (200, b"[]")
