from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from proxy.registry.index import TooManyNames
from tests.registry.conftest import MAYOR, person

if TYPE_CHECKING:
    from tests.registry.conftest import Office

ALONE = {key: value for key, value in MAYOR.items() if key != "household"}
NAME = {"given_name": "Eleanor", "surname": "Whitcombe", "category": "official", "basis": "law"}
BORN = {**NAME, "dob": "1961-03-09"}


@pytest.mark.parametrize(
    ("road", "fields"),
    [
        ("person_id", {"person_id": "100123"}),
        ("person_id", {"person_id": "00100123"}),
        ("name", {"given_name": "ELEANOR", "surname": "whitcombe"}),
        ("name", {"name": "WHITCOMBE, Eleanor R"}),
        ("name", {"name": "Eleanor Whitcombe"}),
        ("name", {"alias": "Eleanor Whitcombe"}),
        ("name_dob", {"name": "Eleanor Whitcombe", "dob": "1961-03-09"}),
        ("name_dob", {"given_name": "Eleanor", "middle_name": "X", "surname": "Whitcombe", "dob": "03/09/1961"}),
        ("surname_dob", {"surname": "Whitcombe", "dob": "1961-03-09"}),
        ("surname_dob", {"given_name": "E", "surname": "Whitcombe", "dob": "1961-03-09"}),
        ("surname_dob", {"given_name": "E.", "surname": "Whitcombe", "dob": "1961-03-09"}),
        ("name", {"surname": "Eleanor Whitcombe"}),
        ("name", {"given_name": "Whitcombe, Eleanor R"}),
        ("name_dob", {"surname": "WHITCOMBE ELEANOR", "dob": "1961-03-09"}),
        ("ssn", {"ssn": "518224471"}),
        ("phone", {"phone": "+12125550101"}),
        ("phone", {"phone": "646.555.0102"}),
        ("email", {"email": "mayor@town.example"}),
        ("plate", {"plate": "ew 0001"}),
        ("vin", {"vin": "1hgcm82633a004352"}),
        ("license", {"license": "D12345678"}),
        ("address", {"street": "12 elm st", "unit": "3b"}),
        ("address", {"street": "12 Elm St Apt 3B", "city": "Springfield"}),
        ("address", {"address": "12 ELM STREET #3B, SPRINGFIELD, NY 12345"}),
        ("address", {"street": "12 Elm Street"}),
    ],
)
async def test_every_road_leads_to_the_person(office: Office, road: str, fields: dict[str, Any]) -> None:
    """Each identifier alone, in another spelling, recognizes the person, and says by which road."""
    await office.enroll(ALONE)

    (protection,) = office.protections(**fields)

    assert (protection.category, protection.basis, protection.matched) == ("official", "Daniel's Law", (road,))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"person_id": "100124"},
        {"surname": "Whitcombe"},
        {"given_name": "Eleanor"},
        {"given_name": "Edith", "surname": "Whitcombe", "dob": "1984-01-31"},
        {"dob": "1961-03-09"},
        {"street": "Elm Street", "city": "Springfield"},
        {"street": "14 Elm Street"},
        {"street": "12 Elm Street", "city": "Shelbyville"},
        {"street": "12 Elm Street", "postal_code": "99999"},
        {"street": "12 Elm Street", "city": "Springfield", "state": "MO"},
        {"city": "Springfield", "state": "NY"},
        {"phone": "555-0101"},
        {"ssn": "000000000"},
        {"case": "100123"},
    ],
)
async def test_others_pass(office: Office, fields: dict[str, Any]) -> None:
    """A relative of the same surname, a street, a town, another house: nobody protected is concerned."""
    await office.enroll(ALONE)

    assert office.protections(**fields) == ()


async def test_the_neighbors_unit_is_not_the_mayors(office: Office) -> None:
    """Who is enrolled with a unit is met by that unit and by the whole building, never by the unit beside it."""
    await office.enroll(ALONE)

    for neighbor in (
        {"street": "12 Elm Street", "unit": "3C"},
        {"street": "12 Elm St Apt 3"},
        {"street": "12 Elm St", "unit": "4"},
    ):
        assert office.protections(**neighbor, city="Springfield") == ()
    assert office.roads(street="12 Elm Street", city="Springfield") == {"address"}


async def test_two_units_at_once_are_the_building(office: Office) -> None:
    """Contradicting units cannot be used to search the building without being recognized."""
    await office.enroll(ALONE)

    assert office.roads(street="12 Elm St Apt 4", unit="9") == {"address"}
    assert office.roads(street=["12 Elm St", "7 Oak St"], unit="9") == {"address"}
    assert office.roads(street="12 Elm St", unit=["8", "9"]) == {"address"}


async def test_an_entry_without_a_unit_protects_the_whole_building(office: Office) -> None:
    """A home enrolled without a unit is met by every unit of that number."""
    await office.enroll({**NAME, "street": "12 Elm Street"})

    assert office.roads(street="12 Elm St", unit="9") == {"address"}


async def test_a_second_home_protects_too(office: Office) -> None:
    """Addresses belong together by position, and one city for two streets is the city of both."""
    await office.enroll({**NAME, "street": ["12 Elm St", "7 Oak Ave"], "unit": ["", "2"], "city": "Springfield"})

    assert office.roads(street="7 Oak Avenue", unit="#2", city="Springfield") == {"address"}
    assert office.protections(street="7 Oak Avenue", unit="3", city="Springfield") == ()


async def test_a_namesake_passes(office: Office) -> None:
    """Another date of birth, or another SSN, contradicts a name; nothing at all does not."""
    await office.enroll({**BORN, "ssn": "518-22-4471"})

    assert office.protections(name="Eleanor Whitcombe", dob="1984-01-31") == ()
    assert office.protections(given_name="Eleanor", surname="Whitcombe", ssn="331-40-7702") == ()
    assert office.roads(name="Eleanor Whitcombe") == {"name"}
    assert office.roads(name="Eleanor Whitcombe", city="Springfield") == {"name"}


@pytest.mark.parametrize("dob", ["1961", "1961-03", "unknown", "1900-01-01", "0000-00-00", "1961-13-09", "61-03-09"])
async def test_a_date_that_is_none_contradicts_nobody(office: Office, dob: str) -> None:
    """Partial and placeholder dates of birth, and one with a slip that makes it impossible, make no namesake of the person."""
    await office.enroll(BORN)

    assert office.roads(name="Eleanor Whitcombe", dob=dob) == {"name"}


@pytest.mark.parametrize("dob", ["1950-58-06", "1955-80-06", "1955-08-60", "1955-08-46"])
async def test_a_day_that_there_is_not_is_met_as_what_one_slip_makes_of_it(office: Office, dob: str) -> None:
    """Two digits exchanged, or one mistyped, may leave neither the year nor the day as they were; a misspelt name is met so."""
    await office.enroll({**NAME, "given_name": "Carlin", "surname": "Dabinet", "dob": "1955-08-06"})

    assert office.roads(given_name="Carlin", surname="Dabihet", dob=dob) == {"likeness"}
    assert office.protections(given_name="Corinna", surname="Dalloway", dob=dob) == ()


async def test_a_house_is_met_by_each_number_that_it_spans(office: Office) -> None:
    """Who lives at 15-17 is met by 15 and by 17, in words too, and not by the house beside it."""
    await office.enroll({**NAME, "street": "15-17 Elm Street", "city": "Springfield", "state": "NY", "postal_code": "12345"})
    town = {"city": "Springfield", "state": "NY", "postal_code": "12345"}

    assert office.roads(street="17 Elm St", **town) == {"likeness"}
    assert office.roads(street="Fifteen Elm St", **town) == {"likeness"}
    assert office.protections(street="19 Elm St", **town) == ()
    assert office.protections(street="15 1/2 Elm St", **town) == ()


async def test_the_victims_birthday_does_not_clear_the_witness(office: Office) -> None:
    """With more persons named than dates given, no date contradicts."""
    await office.enroll(BORN)

    assert office.roads(name=["Jo Doe", "Eleanor Whitcombe"], dob="1984-01-31") == {"name"}
    assert office.protections(name=["Eleanor Whitcombe", "WHITCOMBE, Eleanor"], dob="1984-01-31") == ()
    assert office.protections(name=["Jo Doe", "Eleanor Whitcombe"], dob=["1984-01-31", "1990-05-05"]) == ()


async def test_a_person_without_a_known_birthday_is_met_by_name(office: Office) -> None:
    """What is not known of the enrolled person cannot clear anybody."""
    await office.enroll({**NAME, "dob": "1961"})

    assert office.roads(name="Eleanor Whitcombe", dob="1984-01-31") == {"name"}


async def test_aliases(office: Office) -> None:
    """A former name is a name; a nickname stands with a date of birth, with the surname, or alone."""
    await office.enroll({**BORN, "alias": ["Eleanor Marsh", "Blaze"]})

    assert office.roads(name="MARSH, Eleanor") == {"name"}
    assert office.roads(alias="blaze", dob="1961-03-09") == {"alias_dob"}
    assert office.roads(alias="Blaze") == {"alias"}
    assert office.roads(given_name="Blaze", surname="Whitcombe") == {"name"}
    assert office.protections(alias="Blaze", dob="1984-01-31") == ()
    assert office.protections(name="Tom Miller", alias="Blaze") == ()


async def test_household_members_are_protected_with_the_enrolled_person(office: Office) -> None:
    """Any member, by any road, concerns everybody enrolled in the household; the road says so."""
    spouse = {"given_name": "Ruben", "surname": "Marsh", "dob": "1960-01-02", "household": "H1"}
    await office.enroll(MAYOR, spouse)

    (mayor,) = office.protections(name="Ruben Marsh", dob="1960-01-02")

    assert (mayor.category, mayor.matched) == ("official", ("household",))
    assert office.protections(person_id="100123") == office.protections(person_id="100123", case="1")
    assert len(office.protections(person_id="100123")) == 1


async def test_co_residents_with_entries_of_their_own_concern_one_another(office: Office) -> None:
    """Two enrolled at one home are met together, by every road, so that an approval covers what the records show."""
    roommate = {
        **NAME,
        "given_name": "Jo",
        "surname": "Doe",
        "category": "victim",
        "street": "12 elm st #3b",
        "city": "Springfield",
    }
    await office.enroll(ALONE, roommate)

    by_id = office.protections(person_id="100123")
    by_home = office.protections(street="12 Elm Street", unit="3B")

    assert {protection.category for protection in by_id} == {"official", "victim"}
    assert [protection.entry for protection in by_id] == [protection.entry for protection in by_home]


async def test_a_shelter_is_not_a_household(office: Office) -> None:
    """Where many are enrolled at one address each is met alone, except by the address."""
    residents = [{**NAME, "given_name": f"P{chr(97 + n)}", "person_id": str(n), "street": "1 Hope Rd"} for n in range(20)]
    await office.enroll(*residents)

    assert len(office.protections(person_id="3")) == 1
    assert len(office.protections(street="1 Hope Road")) == 20


async def test_several_protections_of_one_person(office: Office) -> None:
    """A person enrolled under two categories has both."""
    await office.enroll(BORN, {**BORN, "category": "undercover"})

    assert {protection.category for protection in office.protections(name="Eleanor Whitcombe")} == {"official", "undercover"}


async def test_expired_entries_do_not_match(office: Office) -> None:
    """Protection ends at its moment, without a refresh; the day named is the last day of it."""
    await office.enroll({**MAYOR, "expires": "2026-11-23"}, {"given_name": "Ruben", "surname": "Marsh", "household": "H1"})
    assert office.protections(person_id="100123")

    office.pass_time(hours=12)
    assert office.protections(person_id="100123") == ()
    assert office.protections(name="Ruben Marsh") == ()

    await office.registry.refresh()
    assert office.protections(person_id="100123") == ()


async def test_more_names_than_can_be_tried_are_refused(office: Office) -> None:
    """A record made to be slow is not read."""
    await office.enroll(ALONE)
    fields = {"given_name": tuple("abcdefghijklmnopqrstuvwxyz"), "surname": tuple("abcdefghijklmnopqrstuvwxyz")}

    with pytest.raises(TooManyNames):
        office.registry.recognizer.recognize(fields, person())


async def test_whole_records_are_recognized(office: Office) -> None:
    """A vehicle that names its owner, a warrant, an incident at the home: all concern the person."""
    await office.enroll(ALONE)

    vehicle = {"plate": "XYZ1", "name": "WHITCOMBE, ELEANOR", "dob": "1961-03-09", "street": "99 Far Rd", "city": "Utica"}
    incident = {"street": "12 Elm Street", "city": "Springfield", "state": "NY", "name": "Jo Doe", "dob": "1990-01-01"}
    assert office.roads(**vehicle) == {"name_dob"}
    assert office.roads(**incident) == {"address"}
