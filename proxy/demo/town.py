"""What the demo's records server knows, as facts: people in their homes, and what happened to them.

Everything is fiction, and made so that it cannot be mistaken for anybody: social security numbers begin with 666, which is
never issued; telephone numbers have the area code 555, which is not assigned; postal codes begin with 429, which is not in
use; e-mail addresses end in ``example.net`` (RFC 2606); there is no Fairmont City in Kentucky.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

CITY: Final = "Fairmont City"
STATE: Final = "KY"
POLICE: Final = "Fairmont City Police Department"
AGENCY: Final = "KY0429900"
"""The department's nine-character ORI."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """One address, unique in the town."""

    number: int
    street: str
    unit: str = ""
    postal_code: str

    @property
    def line(self) -> str:
        """Return house number and street: ``12 Elm Street``."""
        return f"{self.number} {self.street}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person of the records; an empty text is something the records do not know."""

    person_id: str
    given_name: str
    middle_name: str
    surname: str
    suffix: str = ""
    alias: str = ""
    dob: date
    sex: str
    race: str
    ssn: str
    phone: str = ""
    mobile: str = ""
    email: str = ""
    license: str = ""
    employer: str = ""
    home: Home

    @property
    def name(self) -> str:
        """Return given name and surname."""
        return f"{self.given_name} {self.surname}"

    @property
    def file_name(self) -> str:
        """Return the name as registers of vehicles keep it: ``SURNAME, GIVEN MIDDLE``."""
        return f"{self.surname}, {self.given_name} {self.middle_name}".rstrip().upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Household:
    """Who lives together. ``lodgers`` are no family of the head."""

    head: Person
    spouse: Person | None = None
    children: tuple[Person, ...] = ()
    lodgers: tuple[Person, ...] = ()

    @property
    def family(self) -> tuple[Person, ...]:
        """Return the head's spouse and children."""
        return (*((self.spouse,) if self.spouse else ()), *self.children)

    def __iter__(self) -> Iterator[Person]:
        """Yield everybody who lives here."""
        yield self.head
        yield from self.family
        yield from self.lodgers


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """One registered vehicle."""

    vehicle_id: str
    plate: str
    vin: str
    make: str
    model: str
    year: int
    color: str
    status: str
    owner: Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Warrant:
    """One warrant. ``bail`` is in dollars."""

    warrant_id: str
    person: Person
    offense: str
    issued: date
    status: str
    bail: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One person's part in an incident; the rows of one incident share its case number."""

    incident_id: str
    case_number: str
    kind: str
    occurred_at: str
    place: Home
    person: Person
    party: str
    narrative: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """The whole town. ``cast`` names the people of the story; ``officers`` are the households of the police."""

    households: tuple[Household, ...]
    officers: tuple[Household, ...]
    vehicles: tuple[Vehicle, ...]
    warrants: tuple[Warrant, ...]
    incidents: tuple[Incident, ...]
    cast: Mapping[str, Person] = field(default_factory=dict)

    @property
    def persons(self) -> Iterator[Person]:
        """Yield everybody, in the order of their ids."""
        for household in self.households:
            yield from household

    def household_of(self, person: Person) -> Household:
        """Return the household that a person lives in.

        Raises:
            KeyError: the person is not of this town.
        """
        for household in self.households:
            if household.head.home == person.home:
                return household
        raise KeyError(person.person_id)

    def vehicle_of(self, person: Person) -> Vehicle:
        """Return a person's first vehicle.

        Raises:
            KeyError: there is none.
        """
        for vehicle in self.vehicles:
            if vehicle.owner.person_id == person.person_id:
                return vehicle
        raise KeyError(person.person_id)
