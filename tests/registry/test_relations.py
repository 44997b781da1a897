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
FORMER = {
    "personnel": "badge-1", "relation": "former_partner", "given_name": "Eva", "surname": "Lund", "dob": "1987-05-05",
    "person_id": "300007",
}  # fmt: skip
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
        (Relation.FORMER_PARTNER, {"person_id": "300007"}),
        (Relation.FORMER_PARTNER, {"name": "LUND, EVA"}),
        (Relation.FORMER_PARTNER, {"name": "Eva Lund", "dob": "1987-05-05"}),
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
    await office.employ(ME, WIFE, BROTHER, FORMER, NEIGHBOR, PARTNER, SERGEANT, CHIEF, STRANGER)

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
        {"name": "James Smith", "dob": "1971-02-02", "street": "12 Elm Street", "city": "Springfield"},
        {"person_id": "400004", "name": "James Smith", "street": "12 Elm Street", "city": "Springfield"},
        {"name": "Kim Ito", "dob": "1990-05-05"},
        {"name": "Eva Lund", "dob": "1960-05-05"},
        {"name": "Ana Sol", "dob": "1960-02-03"},
        {"name": "Dana Reyes", "dob": "1960-02-03"},
    ],
)
async def test_namesakes_and_neighbors_are_nobody(office: Office, fields: dict[str, Any]) -> None:
    """A colleague's namesake, somebody at a colleague's address or at the next unit, another agency's officer: no relation."""
    await office.employ(ME, WIFE, BROTHER, FORMER, NEIGHBOR, PARTNER, SERGEANT, CHIEF, STRANGER)

    assert office.relations(person(), **fields) == set()


async def test_another_address_alone_makes_nobody_a_namesake(office: Office) -> None:
    """People move: a colleague's bare name counts anywhere, until a birth date, an SSN or another record's id clears it."""
    await office.employ(ME, PARTNER)

    elsewhere = {"name": "James Smith", "street": "12 Elm Street", "city": "Springfield"}
    assert office.relations(person(), **elsewhere) == {Relation.COLLEAGUE}
    assert office.relations(person(), **elsewhere, dob="1971-02-02") == set()
    assert office.relations(person(), **elsewhere, ssn="331-40-7702") == set()
    assert office.relations(person(), **elsewhere, person_id="400004") == set()


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


ORDER = {"personnel": "badge-1", "relation": "dispute"}


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [
        ({"person_id": "300011"}, {"person_id": "300011"}),
        ({"given_name": "Ida", "surname": "Moss"}, {"name": "MOSS, IDA"}),
        ({"given_name": "Ida", "surname": "Moss", "dob": "1979-04-04"}, {"name": "Ida Moss", "dob": "1979-04-04"}),
        ({"surname": "Moss", "dob": "1979-04-04"}, {"surname": "Moss", "dob": "1979-04-04"}),
    ],
)
async def test_the_other_party_to_a_case_or_a_protection_order_is_in_dispute(
    office: Office, recorded: dict[str, Any], asked: dict[str, Any]
) -> None:
    """What an order says of the other party, an id or a name with or without a date of birth, is enough."""
    await office.employ(ME, PARTNER, ORDER | recorded)

    assert office.relations(person(), **asked) == {Relation.DISPUTE}
    assert office.relations(person("badge-2"), **asked) == set()


ENROLLED_ME: dict[str, Any] = {
    "category": "official", "basis": "ordinance", "household": "H9", "given_name": "Dana", "surname": "Reyes",
    "dob": "1988-07-01", "street": "4 Oak Lane", "unit": "2", "city": "Springfield",
}  # fmt: skip
NIECE: dict[str, Any] = {"household": "H9", "basis": "ordinance", "given_name": "Una", "surname": "Berg", "dob": "2009-09-09"}


@pytest.mark.parametrize("known_by", [{}, {"dob": "", "person_id": "200001"}, {"given_name": "D", "ssn": "219-22-2222"}])
async def test_the_registry_s_household_of_an_officer_is_the_officer_s(office: Office, known_by: dict[str, str]) -> None:
    """Who is enrolled under the household of a principal's own entry is household, for that principal alone."""
    await office.employ(ME | {"ssn": "219-22-2222"}, PARTNER)
    await office.enroll(ENROLLED_ME | known_by, NIECE)

    assert office.relations(person(), name="Una Berg", dob="2009-09-09") == {Relation.HOUSEHOLD}
    assert office.relations(person(), name="Una Berg", dob="1950-09-09") == set()
    assert office.relations(person("badge-2"), name="Una Berg", dob="2009-09-09") == set()


async def test_the_household_of_a_namesake_in_the_registry_is_not_the_officer_s(office: Office) -> None:
    """A name that an officer shares with an enrolled person makes nobody the officer's household."""
    await office.employ(ME)
    await office.enroll(ENROLLED_ME | {"dob": "1950-01-01", "street": "90 Far Rd", "unit": ""}, NIECE)

    assert office.relations(person(), name="Una Berg") == set()


@pytest.mark.parametrize(
    ("shown", "relation"),
    [
        ({"street": "4 OAK LN", "unit": "APT 2", "city": "SPRINGFIELD"}, {Relation.HOUSEHOLD}),
        ({"street": "4 Oak Lane", "unit": "3", "city": "Springfield"}, set()),
        ({"street": "4 Oak Lane", "unit": "2", "city": "Shelbyville"}, set()),
    ],
)
async def test_a_record_that_shows_one_s_own_home_is_about_one_s_household(
    office: Office, shown: dict[str, str], relation: set[Relation]
) -> None:
    """It is the record that tells, whoever it names and by whichever id it was found; the next unit is the neighbor's."""
    await office.employ(ME, PARTNER)

    record = {"person_id": "500005", "given_name": "Olga", "surname": "Adler", "dob": "1999-01-01"} | shown
    assert office.relations(person(), **record) == relation
