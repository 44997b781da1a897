from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from proxy.registry.protection import Relation
from tests.registry.conftest import AGENCY, person

if TYPE_CHECKING:
    from tests.registry.conftest import Office

ME: dict[str, Any] = {
    "personnel": "badge-1",
    "agency": AGENCY,
    "squad": "3A12",
    "supervisor": "badge-7",
    "given_name": "Dana",
    "surname": "Reyes",
    "dob": "1988-07-01",
    "person_id": "200001",
    "phone": "+12125550199",
    "street": "4 Oak Lane",
    "unit": "2",
    "city": "Springfield",
    "household": "R1",
}
WIFE = {"personnel": "badge-1", "relation": "household", "given_name": "Ana", "surname": "Sol", "dob": "1989-02-03"}
BROTHER = {"personnel": "badge-1", "relation": "family", "given_name": "Leo", "surname": "Reyes", "dob": "1991-01-01"}
NEIGHBOR = {"personnel": "badge-1", "relation": "dispute", "person_id": "300003", "street": "5 Oak Lane", "city": "Springfield"}
PARTNER = {
    "personnel": "badge-2", "agency": AGENCY, "given_name": "James", "surname": "Smith", "dob": "1990-09-09",
    "person_id": "200002", "ssn": "219-11-1111", "street": "8 Pine St", "city": "Springfield",
}  # fmt: skip
SERGEANT = {
    "personnel": "badge-7",
    "agency": AGENCY,
    "supervisor": "badge-9",
    "given_name": "Kim",
    "surname": "Ito",
    "dob": "1970-01-01",
}
CHIEF = {
    "personnel": "badge-9",
    "agency": AGENCY,
    "supervisor": "badge-1",
    "given_name": "Max",
    "surname": "Orr",
    "dob": "1965-01-01",
}
STRANGER = {"personnel": "badge-5", "agency": "NY0303999", "given_name": "Pat", "surname": "Moe", "dob": "1980-01-01"}


@pytest.mark.parametrize(
    ("relation", "fields"),
    [
        (Relation.SELF, {"person_id": "200001"}),
        (Relation.SELF, {"name": "REYES, Dana"}),
        (Relation.SELF, {"phone": "212-555-0199"}),
        (Relation.HOUSEHOLD, {"name": "Ana Sol", "dob": "1989-02-03"}),
        (Relation.HOUSEHOLD, {"name": "Ana Sol"}),
        (Relation.HOUSEHOLD, {"street": "4 Oak Ln", "unit": "2"}),
        (Relation.HOUSEHOLD, {"street": "4 Oak Ln", "city": "Springfield"}),
        (Relation.FAMILY, {"given_name": "Leo", "surname": "Reyes"}),
        (Relation.DISPUTE, {"person_id": "300003"}),
        (Relation.DISPUTE, {"address": "5 Oak Lane, Springfield"}),
        (Relation.COLLEAGUE, {"person_id": "200002"}),
        (Relation.COLLEAGUE, {"name": "James Smith", "dob": "1990-09-09"}),
        (Relation.COLLEAGUE, {"name": "James Smith"}),
        (Relation.COMMAND, {"name": "Kim Ito", "dob": "1970-01-01"}),
        (Relation.COMMAND, {"name": "Max Orr", "dob": "1965-01-01"}),
    ],
)
async def test_relations_to_the_principal(office: Office, relation: Relation, fields: dict[str, Any]) -> None:
    """Oneself, one's home and people, adversaries, superiors and colleagues are known by their identifiers."""
    await office.employ(ME, WIFE, BROTHER, NEIGHBOR, PARTNER, SERGEANT, CHIEF, STRANGER)

    assert office.relations(person(), **fields) == {relation}


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "James Smith", "dob": "1971-02-02"},
        {"person_id": "400004"},
        {"person_id": "400004", "name": "James Smith", "dob": "1971-02-02"},
        {"person_id": "400004", "name": "James Smith"},
        {"name": "James Smith", "ssn": "331-40-7702"},
        {"street": "8 Pine St", "city": "Springfield"},
        {"name": "Pat Moe", "dob": "1980-01-01"},
        {"street": "4 Oak Ln", "unit": "3", "city": "Springfield"},
        {"name": "Ana Sol", "dob": "1960-05-17"},
        {"name": "Dana Reyes", "dob": "1960-02-03"},
    ],
)
async def test_namesakes_and_neighbors_are_nobody(office: Office, fields: dict[str, Any]) -> None:
    """A colleague's namesake, somebody at a colleague's address or at the next unit, another agency's officer: no relation."""
    await office.employ(ME, WIFE, BROTHER, NEIGHBOR, PARTNER, SERGEANT, CHIEF, STRANGER)

    assert office.relations(person(), **fields) == set()


async def test_a_relation_is_to_one_principal_only(office: Office) -> None:
    """My household is my colleague's business like any other: there it is no relation."""
    await office.employ(ME, WIFE, PARTNER)

    assert office.relations(person("badge-2"), name="Ana Sol") == set()
    assert office.relations(person("badge-2"), person_id="200001") == {Relation.COLLEAGUE}
    assert office.relations(person("badge-unknown", "NY0303999"), person_id="200001") == set()


async def test_spouses_on_one_force_are_household_and_colleagues(office: Office) -> None:
    """Two of the personnel with one household are both things to each other."""
    await office.employ(ME, {**PARTNER, "household": "R1"})

    assert office.relations(person(), person_id="200002") == {Relation.HOUSEHOLD, Relation.COLLEAGUE}


async def test_the_chain_of_command_ends_where_it_closes_a_circle(office: Office) -> None:
    """Command looks upwards; below, and beyond a circle, are colleagues."""
    await office.employ(ME, SERGEANT, CHIEF)

    assert office.relations(person("badge-7"), person_id="200001") == {Relation.COMMAND}
    await office.employ({**CHIEF, "supervisor": ""})
    assert office.relations(person("badge-7"), person_id="200001") == {Relation.COLLEAGUE}


async def test_a_barracks_is_nobodys_household(office: Office) -> None:
    """Where many of the personnel live, the address alone says nothing."""
    others = [
        {
            "personnel": f"badge-1{n:02}",
            "agency": AGENCY,
            "given_name": f"P{chr(97 + n)}",
            "surname": "Poe",
            "street": "1 Camp Rd",
        }
        for n in range(20)
    ]
    await office.employ({**ME, "street": "1 Camp Rd", "unit": "", "city": ""}, *others)

    assert office.relations(person(), street="1 Camp Road") == set()
    assert office.relations(person(), street="1 Camp Road", person_id="200001") == {Relation.SELF}


async def test_the_directory_follows_its_newest_file(office: Office) -> None:
    """A later line replaces an earlier one: a supervisor who moved on is in command no longer."""
    await office.employ(ME, SERGEANT)
    await office.employ({**ME, "supervisor": ""})

    assert office.relations(person(), name="Kim Ito", dob="1970-01-01") == {Relation.COLLEAGUE}
