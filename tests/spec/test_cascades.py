"""A purpose goes along with a cascade, and no further: not to another case, another person, or somebody not named."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from proxy.demo.cast import MAYOR_STREET
from proxy.demo.town import CITY
from proxy.disclosure.disclosure import MOST_NAMED
from proxy.purpose.memory import FOLLOWED
from tests.spec.test_redteam_hidden import ordinary

if TYPE_CHECKING:
    from tests.spec.conftest import Answer, Street

pytestmark = pytest.mark.asyncio(loop_scope="session")


def rooted(answer: Answer) -> str:
    """Return the purpose of a query that this answer caused."""
    return f'root="{answer.headers["Audit-Entry"]}"'


async def plate_check(street: Street, key: str = "driver") -> Answer:
    """Ask for the car of one of the cast."""
    return await street.ask(
        "officer", street.path("/records/vehicles", plate=street.town.vehicle_of(street.town.cast[key]).plate)
    )


async def test_a_plate_check_goes_on_to_the_owner_and_from_there_to_warrants(street: Street) -> None:
    """Each query of the cascade is about somebody the one before it named, and needs no words of its own."""
    root = await plate_check(street)
    [car] = root.json

    owner = await street.ask("officer", f"/records/persons/{car['owner_id']}", purpose=rooted(root))
    by_name = street.path("/records/warrants", name=car["owner_name"], dob=car["owner_dob"])
    warrants = await street.ask("officer", by_name, purpose=rooted(root))
    by_number = street.path("/records/incidents", person_id=owner.json[0]["person_id"])
    incidents = await street.ask("officer", by_number, purpose=rooted(owner))

    assert [answer.status for answer in (owner, warrants, incidents)] == [200, 200, 200]
    assert (await street.entry(incidents)).facts["root"] == owner.headers["Audit-Entry"]


@pytest.mark.parametrize(
    "target",
    ["/records/persons/{neighbor}", "/records/warrants?person_id={neighbor}", "/records/addresses?street=43+Juniper+Lane"],
)
async def test_somebody_whom_the_answer_did_not_name_needs_a_purpose_of_their_own(street: Street, target: str) -> None:
    """Neither another person nor an address is opened by a plate check; the refusal says what to do."""
    root = await plate_check(street)

    answer = await street.ask("officer", target.format(neighbor=street.town.cast["neighbor"].person_id), purpose=rooted(root))

    assert (answer.status, answer.problem) == (400, "purpose-missing")
    assert answer.json["detail"].startswith("State a purpose of its own: code, case and statement.")


async def test_a_root_serves_nobody_else_and_no_other_case(street: Street) -> None:
    """Another officer of the same case gets what an unknown root gets; another case is a contradiction."""
    root = await plate_check(street)
    target = f"/records/persons/{street.town.cast['driver'].person_id}"

    stolen = await street.ask("colleague", target, purpose=rooted(root))
    unknown = await street.ask("colleague", target, purpose=f'root="{street.origin}/999999999"')
    elsewhere = await street.ask("officer", target, purpose=f'{rooted(root)}, case="{street.case("porch")}"')

    assert (stolen.problem, stolen.json["detail"]) == (unknown.problem, unknown.json["detail"])
    assert elsewhere.problem == "purpose-malformed"


@pytest.mark.parametrize("key", ["informant", "mayor"])
async def test_a_root_does_not_tell_who_was_left_out_of_its_answer(street: Street, key: str) -> None:
    """Somebody hidden or withheld at the address is refused as somebody who does not live there is, byte for byte."""
    hidden = street.town.cast[key]
    home = f"{hidden.home.number} {hidden.home.street}"
    root = await street.ask("officer", street.path("/records/addresses", street=home))

    asked = [
        await street.ask("officer", f"/records/persons/{person_id}", purpose=rooted(root))
        for person_id in (hidden.person_id, street.town.cast["neighbor"].person_id, "999999")
    ]

    assert {(answer.status, answer.problem, answer.json["detail"]) for answer in asked} == {
        (400, "purpose-missing", asked[0].json["detail"])
    }


@pytest.mark.parametrize(("person_ids", "status"), [("hidden", 404), ("named", 200)])
async def test_an_empty_answer_is_a_root_like_any_other_and_names_nobody(street: Street, person_ids: str, status: int) -> None:
    """Whether a query may be a root does not depend on whether anybody was found or hidden."""
    person = street.town.cast["informant" if person_ids == "hidden" else "driver"]
    root = await street.ask("officer", f"/records/persons/{person.person_id}")

    child = await street.ask("officer", f"/records/persons/{person.person_id}", purpose=rooted(root))

    assert root.status == status
    assert child.problem == ("purpose-missing" if status == 404 else "")


async def test_a_broad_search_opens_nobody(street: Street) -> None:
    """Whoever lists a street says for each neighbor why."""
    root = await street.ask("officer", street.path("/records/addresses", street_name=MAYOR_STREET, city=CITY))
    neighbor = root.json[0]["person_id"]

    child = await street.ask("officer", f"/records/persons/{neighbor}", purpose=rooted(root))

    assert root.status == 200
    assert child.problem == "purpose-missing"


async def test_one_stated_purpose_walks_no_list(street: Street) -> None:
    """Of a search that names many, few can be followed up; those that were stay open."""
    homes = Counter((each.home.number, each.home.street) for each in ordinary(street))
    number, name = next(home for home, count in homes.items() if FOLLOWED < count <= MOST_NAMED)
    root = await street.ask("officer", street.path("/records/persons", street=f"{number} {name}"))
    persons = [row["person_id"] for row in root.json]
    assert FOLLOWED < len(persons) <= MOST_NAMED

    asked = [await street.ask("officer", f"/records/persons/{person}", purpose=rooted(root)) for person in persons]
    again = await street.ask("officer", f"/records/incidents?person_id={persons[0]}", purpose=rooted(root))

    assert [answer.status for answer in asked] == [200] * FOLLOWED + [400] * (len(persons) - FOLLOWED)
    assert again.status == 200
