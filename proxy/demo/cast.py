"""The people of the story, with fixed names; chance adds their numbers. Each tuple of people is one household, head first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from proxy.demo.town import POLICE


class Place(StrEnum):
    """A person's place in a household."""

    HEAD = "head"
    SPOUSE = "spouse"
    CHILD = "child"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One person of the cast. ``car`` tells whether they own a vehicle; ``plate`` is one that chance deals to nobody."""

    key: str
    given: str
    middle: str
    surname: str
    dob: date
    sex: str
    place: Place = Place.HEAD
    alias: str = ""
    employer: str = ""
    car: bool = False
    plate: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a household of the cast lives."""

    number: int
    street: str
    unit: str = ""
    parts: tuple[Part, ...]


MAYOR_STREET: Final = "Magnolia Court"
MAYOR_STREET_NEIGHBORS: Final = (3, 5, 9, 12, 21, 24)
"""House numbers of ordinary households on the mayor's street."""

FEUD_CASE: Final = "26-003390"
STOP_CASE: Final = "26-004217"

_FEUDING = "Juniper Lane"


def _person(key: str, name: str, dob: str, sex: str, **more: object) -> Part:
    given, middle, surname = name.split(" ")
    return Part(key=key, given=given, middle=middle, surname=surname, dob=date.fromisoformat(dob), sex=sex, **more)  # type: ignore[arg-type]


def _alone(number: int, street: str, part: Part, *, unit: str = "") -> Address:
    return Address(number=number, street=street, unit=unit, parts=(part,))


def _staff(key: str, name: str, dob: str, sex: str) -> Part:
    return _person(key, name, dob, sex, employer=POLICE, car=True)


CAST: Final[tuple[Address, ...]] = (
    Address(
        number=17,
        street=MAYOR_STREET,
        unit="4B",
        parts=(
            _person(
                "mayor",
                "Eleanor Grace Whitcombe",
                "1971-03-08",
                "F",
                alias="Ellie Whitcombe",
                employer="City Hall",
                car=True,
                plate="KOB108",
            ),
            _person("mayor_spouse", "Desmond Arthur Whitcombe", "1969-09-30", "M", place=Place.SPOUSE, car=True),
            _person("mayor_child", "Rosalind Jane Whitcombe", "2012-06-08", "F", place=Place.CHILD),
        ),
    ),
    Address(
        number=208,
        street="Sycamore Street",
        parts=(
            _staff("officer", "Marcus Allen Reyes", "1988-07-22", "M"),
            _person("officer_wife", "Dana Marie Lindqvist", "1989-12-03", "F", place=Place.SPOUSE, car=True),
            _person("officer_child", "Theo Samuel Reyes", "2017-04-11", "M", place=Place.CHILD),
        ),
    ),
    Address(
        number=61,
        street="Poplar Street",
        parts=(
            _staff("colleague", "Jonah Robert Carter", "1985-11-02", "M"),
            _person("colleague_wife", "Helena Ines Carter", "1986-02-17", "F", place=Place.SPOUSE),
        ),
    ),
    _alone(930, "Walnut Street", _person("namesake", "Jonah Robert Carter", "1962-05-19", "M", car=True)),
    _alone(41, _FEUDING, _staff("dispatcher", "Nadia Sophie Brandt", "1991-01-26", "F")),
    _alone(43, _FEUDING, _person("neighbor", "Harold Edwin Pruitt", "1958-08-05", "M", car=True)),
    _alone(15, "Tamarack Road", _staff("supervisor", "Angela Ruth Okafor", "1976-10-09", "F")),
    _alone(77, "Tamarack Road", _staff("lieutenant", "Soren Paul Vestergaard", "1973-02-20", "M")),
    _alone(330, "Spruce Street", _staff("detective", "Miriam Esther Kaplan", "1982-05-31", "F")),
    _alone(118, "Spruce Street", _staff("handler", "Victor Luis Salazar", "1979-03-03", "M")),
    _alone(26, "Mulberry Lane", _staff("clerk", "Grace Ellen Huang", "1990-07-15", "F")),
    _alone(58, "Mulberry Lane", _staff("auditor", "Joan Alice Whitaker", "1968-11-28", "F")),
    _alone(90, "Mulberry Lane", _staff("steward", "Piet Owen Lindgren", "1984-04-04", "M")),
    _alone(7, "Orchard Hill", _person("judge", "Cornelius Hugh Abernathy", "1960-01-12", "M", car=True)),
    _alone(11, "Orchard Hill", _person("prosecutor", "Yvette Simone Delacroix", "1977-06-24", "F")),
    Address(
        number=402,
        street="Catalpa Drive",
        parts=(
            _person("victim", "Tabitha June Winslow", "1993-03-29", "F", car=True),
            _person("victim_child", "Jasper Lee Winslow", "2019-09-01", "M", place=Place.CHILD),
        ),
    ),
    _alone(19, "Sumac Drive", _person("witness", "Orlando Rey Bustamante", "1987-08-18", "M")),
    _alone(250, "Sumac Drive", _person("sheltered", "Philippa Anne Hargrove", "1980-12-12", "F")),
    _alone(33, "Sumac Drive", _person("informant", "Dexter Cole Marchetti", "1983-10-21", "M", car=True), unit="2A"),
    Address(
        number=514,
        street="Catalpa Drive",
        unit="1C",
        parts=(_person("undercover", "Roman Blaise Kowalczyk", "1986-06-06", "M", car=True),),
    ),
    _alone(640, "Hemlock Road", _person("driver", "Wallace Thomas Quimby", "1974-02-08", "M", car=True)),
    _alone(17, MAYOR_STREET, _person("next_unit", "Bertrand Otto Falkenrath", "1966-11-05", "M"), unit="4A"),
    _alone(712, "Hemlock Road", _person("mayor_namesake", "Eleanor Faye Whitcombe", "1994-10-27", "F")),
)
"""``driver`` is nobody in particular: the ordinary person of an ordinary stop. So are ``next_unit``, the mayor's neighbor in
the same building, and ``mayor_namesake``, who is no kin."""
