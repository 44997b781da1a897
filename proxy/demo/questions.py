"""The questions that the story asks, and why, as the terminals of the cast send them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.demo.docket import DISPATCH, PORCH, STOP
from proxy.demo.terminal import Query, searching

if TYPE_CHECKING:
    from proxy.demo.town import Person, Town

PERSONS: Final = "/records/persons"
VEHICLES: Final = "/records/vehicles"
INCIDENTS: Final = "/records/incidents"
ADDRESSES: Final = "/records/addresses"
STOP_WORDS: Final = "stopped for no plates, driver has no licence on him"
PORCH_WORDS: Final = "paint thrown at front porch, calling on the residents"
CALL_WORDS: Final = "caller names the neighbor who runs a leaf blower at dawn"


def purpose(case: str, statement: str, code: str = "C") -> str:
    """Return a ``Query-Purpose``."""
    return f'code={code}, case="{case}", statement="{statement}"'


AT_STOP: Final = purpose(STOP, STOP_WORDS)
AT_PORCH: Final = purpose(PORCH, PORCH_WORDS)
AT_DESK: Final = purpose(DISPATCH, CALL_WORDS)


def plate_check(town: Town) -> Query:
    """Return the ordinary query: whose car is this?"""
    return by_plate(town, town.cast["driver"], AT_STOP)


def by_plate(town: Town, person: Person, header: str) -> Query:
    """Return the officer's check of a person's plate."""
    return Query(who="officer", target=searching(VEHICLES, plate=town.vehicle_of(person).plate), purpose=header)


def by_id(person: Person, header: str = AT_PORCH, who: str = "officer") -> Query:
    """Return the reading of a person's record."""
    return Query(who=who, target=f"{PERSONS}/{person.person_id}", purpose=header)


def name_and_dob(person: Person) -> str:
    """Return the target of a search by given name, surname and date of birth."""
    return searching(PERSONS, given_name=person.given_name, surname=person.surname, dob=person.dob.isoformat())
