"""Where a person works or goes to school: evidence beside a name or a date of birth, and no road by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from proxy.registry.sites import level, site_of
from tests.registry.conftest import MAYOR, person

if TYPE_CHECKING:
    from pathlib import Path

    from tests.registry.conftest import Office

EMMA: Final = {
    "given_name": "Emma",
    "surname": "Okonkwo-Reyes",
    "dob": "2016-05-02",
    "school": "Lincoln Elementary School, 500 Oak Street, Springfield",
    "street": "77 Harbor Way",
    "city": "Springfield",
    "category": "victim",
    "basis": "order",
}
CLERK: Final = {
    "given_name": "Thaddeus",
    "surname": "Villanueva",
    "dob": "1980-07-19",
    "work": ["City Hall, 1 Main Street, Springfield", "St. Mary's Hospital"],
    "category": "judicial",
    "basis": "law",
}


@pytest.fixture
async def town(office: Office) -> Office:
    """Return an office that protects a pupil and somebody with two places of work."""
    report = await office.enroll(EMMA, CLERK)
    assert report.notes == []
    return office


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Lincoln Elementary School", "LINCOLN ELEM. SCH.", "same"),
        ("P.S. 118", "Public School 118", "same"),
        ("Saint Mary's Academy, Inc.", "St Marys Academy", "same"),
        ("The Smith Company LLC", "Smith Co.", "same"),
        ("Lincoln Elementary, 500 Oak St, Springfield", "500 Oak Street", "same"),
        ("Lincoln Elementary", "Lincoln", "part"),
        ("Lincoln Elementary", "Abraham Lincoln Elementary School", "part"),
        ("Washington High", "Washingtn High School", "slip"),
        ("Lincoln Elementary", "Lincoln High", "other"),
        ("PS 118", "PS 119", "other"),
        ("Lincoln Elementary, Springfield", "Lincoln Elementary, Utica", "other"),
        ("Lincoln Elementary", "Jefferson Elementary", "other"),
        ("Lincoln Elementary", "500 Oak Street", "other"),
    ],
)
def test_a_place_is_the_same_in_any_spelling(one: str, other: str, expected: str) -> None:
    """Abbreviations, punctuation and the words that every company has make no other place; a number or a grade does."""
    mine, theirs = site_of("school", one), site_of("school", other)

    assert mine is not None
    assert theirs is not None
    assert level(mine, theirs) == level(theirs, mine) == expected


@pytest.mark.parametrize("text", ["", ",", "The School", "Inc., LLC", "500", "5" * 300])
def test_what_names_no_place_is_none(text: str) -> None:
    """Words that every school or company has say nothing."""
    assert site_of("work", text) is None or site_of("work", text) == site_of("work", "500")


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"school": "Lincoln Elementary", "given_name": "Emma"}, "school"),
        ({"school": "lincoln elem sch", "given_name": "EMMA"}, "school"),
        ({"school": "Lincoln Elementary", "surname": "Okonkwo Reyes"}, "school"),
        ({"school": "Lincoln Elementry", "given_name": "Emma"}, "school"),
        ({"school": "Lincoln Elementary", "given_name": "Ema", "dob": "2016"}, "school"),
        ({"school": "Lincoln Elementary", "dob": "2016-05-02"}, "school"),
        ({"school": "500 Oak St", "given_name": "Emma"}, "school"),
        ({"street": "500 Oak St", "city": "Springfield", "given_name": "Emma"}, "school"),
        ({"street": "500 OAK STREET", "name": "Emma Okonkwo"}, "school"),
        ({"street": "500 Oak St", "city": "Springfield", "given_name": "Emma", "case": "26-1"}, "school"),
        ({"work": "City Hall", "given_name": "Thaddeus"}, "work"),
        ({"work": "Saint Marys Hospital", "surname": "Villanueva"}, "work"),
        ({"street": "1 Main St", "city": "Springfield", "surname": "Villanueva"}, "work"),
    ],
)
async def test_a_place_and_a_name_are_enough(town: Office, fields: dict[str, Any], kind: str) -> None:
    """The name of the place or its address, with a given name, a surname or an age: the person is met, and by what is told."""
    (found,) = town.protections(**fields)

    assert found.matched in {("likeness",), ("name", "likeness"), ("name",)}
    assert kind in {each.kind for each in found.features if each.bits > 0}


@pytest.mark.parametrize(
    "fields",
    [
        {"school": "Lincoln Elementary"},
        {"school": "Lincoln Elementary School, 500 Oak Street, Springfield"},
        {"street": "500 Oak Street", "city": "Springfield"},
        {"address": "500 Oak Street, Springfield"},
        {"work": "City Hall"},
        {"street": "1 Main Street", "city": "Springfield"},
        {"school": "Lincoln Elementary", "given_name": "Noah"},
        {"school": "Lincoln High School", "given_name": "Emma"},
        {"school": "Lincoln Elementary", "given_name": "Emma", "surname": "Tanaka"},
        {"school": "Lincoln Elementary", "given_name": "Emma", "dob": "2012-11-30"},
        {"school": "Lincoln Elementary", "dob": "2012-11-30"},
        {"school": "Lincoln Elementary", "dob": "2016"},
        {"work": "Lincoln Elementary", "given_name": "Emma"},
        {"school": "City Hall", "given_name": "Thaddeus"},
        {"street": "502 Oak Street", "city": "Springfield", "given_name": "Emma"},
        {"street": "500 Oak Street", "city": "Utica", "given_name": "Emma"},
        {"given_name": "Emma"},
    ],
)
async def test_whoever_else_is_there_passes(town: Office, fields: dict[str, Any]) -> None:
    """Hundreds share a place: it alone is nobody's, nor is another pupil, another school, or the teacher of that name."""
    assert town.protections(**fields) == ()


async def test_a_school_is_no_road_to_each_of_its_pupils(office: Office) -> None:
    """Sixty enrolled pupils: the school alone meets none, a given name the one who bears it, whatever the registry's size."""
    names = [f"{first}{second}" for first in ("An", "Be", "Chi", "Do", "Ek", "Fu") for second in "abcdefghij"]
    pupils = [{**EMMA, "given_name": name, "surname": f"Q{name}", "dob": "2016-01-01"} for name in names]
    await office.enroll(*pupils)

    assert office.protections(school="Lincoln Elementary") == ()
    assert office.protections(street="500 Oak Street", city="Springfield") == ()
    met = office.protections(school="Lincoln Elementary", given_name="Chid")
    assert met
    assert "given_name same" in {f"{each.kind} {each.level}" for each in met[0].features}


async def test_what_places_say_does_not_outweigh_another_date_of_birth(town: Office) -> None:
    """A namesake at the same school is another pupil."""
    assert town.protections(given_name="Emma", surname="Okonkwo-Reyes", dob="2011-11-30", school="Lincoln Elementary") == ()


async def test_a_place_that_says_nothing_is_told(office: Office) -> None:
    """The line is taken, and what of it recognizes nobody is said."""
    report = await office.enroll({**MAYOR, "work": ["The Company", "City Hall"]})

    assert [note for _, note in report.notes] == ["1 of work neither names a place nor is an address with its number"]


async def test_places_are_sealed_and_kept(town: Office, tmp_path: Path) -> None:
    """They come back in full at the next start, a later line adds to them, and the store holds none in clear."""
    await town.enroll({**CLERK, "work": "Harbor Authority"})
    another = town.another()
    await another.refresh()

    entries = {entry.identifiers.surname: entry.identifiers for entry in await another.entries()}
    assert entries["Villanueva"].works == (*CLERK["work"], "Harbor Authority")
    assert town.protections(work="Harbor Authority", given_name="Thaddeus")
    written = [path.read_bytes() for path in tmp_path.iterdir()]  # noqa: ASYNC240 -- a few small files
    assert any(written)
    assert not any(b"City Hall" in content for content in written)
    assert another.recognizer.recognize({"work": ("City Hall",), "given_name": ("Thaddeus",)}, person("x")).protections
