"""People and homes by a seeded chance: the same seed gives the same town, on any machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from proxy.demo.cast import CAST, MAYOR_STREET, MAYOR_STREET_NEIGHBORS, Place
from proxy.demo.names import EMPLOYERS, GIVEN_F, GIVEN_M, STREETS, SURNAMES
from proxy.demo.town import POLICE, Home, Household, Person

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from proxy.demo.cast import Address, Part

TODAY: Final = date(2026, 1, 1)
"""The day as of which the town stands; the generator reads no clock."""

FIRST_ID: Final = 100_001
OTHER_SURNAME: Final = 0.15
"""The share of spouses who bear another surname: kinship cannot be read off names."""

_ADULT: Final = 18
_DRIVES: Final = 16
_RACES: Final = "WWWWWWBBBAIU"
_SUFFIXES: Final = ("Jr", "Sr", "II", "III")


@dataclass(slots=True)
class Population:
    """A town in the making: counters, and numbers that nobody has yet."""

    random: Random
    size: int
    cast: dict[str, Person] = field(default_factory=dict)
    households: list[Household] = field(default_factory=list)
    officers: list[Household] = field(default_factory=list)
    _count: int = 0
    _homes: Iterator[Home] = field(init=False)
    _ssns: Iterator[int] = field(init=False)
    _phones: Iterator[int] = field(init=False)
    _licenses: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        """Deal the numbers."""
        self._homes = iter(_homes(self.random))
        self._ssns = iter(self.random.sample(range(99 * 9999), self.size))
        self._phones = iter(self.random.sample(range(2_000_000, 10_000_000), 2 * self.size))
        self._licenses = iter(self.random.sample(range(10_000_000, 100_000_000), self.size))

    def settle(self, officers: int) -> None:
        """Fill the town: the cast, the rest of the police with their families, and everybody else up to ``size``."""
        for address in CAST:
            self._settle_cast(address)
        for number in MAYOR_STREET_NEIGHBORS:
            self._add(self._household(Home(number=number, street=MAYOR_STREET, postal_code="42903"), room=4))
        while len(self.officers) < officers:
            self._add(self._household(next(self._homes), room=5, employer=POLICE))
        while self._count < self.size:
            self._add(self._household(next(self._homes), room=self.size - self._count))

    def _add(self, household: Household) -> None:
        self.households.append(household)
        if household.head.employer == POLICE:
            self.officers.append(household)

    def _settle_cast(self, address: Address) -> None:
        home = Home(number=address.number, street=address.street, unit=address.unit, postal_code="42903")
        landline = self._phone()
        people = {part: self._play(part, home, landline) for part in address.parts}
        self.cast |= {part.key: person for part, person in people.items()}
        of = {place: tuple(person for part, person in people.items() if part.place is place) for place in Place}
        spouse = of[Place.SPOUSE][0] if of[Place.SPOUSE] else None
        self._add(Household(head=of[Place.HEAD][0], spouse=spouse, children=of[Place.CHILD]))

    def _play(self, part: Part, home: Home, landline: str) -> Person:
        return self._person(
            given=part.given,
            middle=part.middle,
            surname=part.surname,
            dob=part.dob,
            sex=part.sex,
            home=home,
            landline=landline,
            employer=part.employer,
            alias=part.alias,
        )

    def _household(self, home: Home, *, room: int, employer: str = "") -> Household:
        """Return a family, or people who share a home; never more than ``room`` of them."""
        chance = self.random
        surname = chance.choice(SURNAMES)
        landline = self._phone() if chance.random() < 0.4 else ""
        age = chance.randint(24, 62) if employer else chance.randint(20, 88)
        head = self._someone(surname, age, home, landline, employer=employer)
        room -= 1
        spouse = None
        if room and chance.random() < 0.6:
            theirs = chance.choice(SURNAMES) if chance.random() < OTHER_SURNAME else surname
            other = "M" if head.sex == "F" else "F"
            spouse = self._someone(theirs, max(20, age + chance.randint(-6, 6)), home, landline, sex=other)
            room -= 1
        children = []
        if 22 <= age <= 58:
            wanted = min(room, chance.choice((0, 1, 1, 2, 2, 3) if spouse else (0, 0, 0, 1, 2)))
            children = [self._someone(surname, chance.randint(0, min(20, age - 20)), home, landline) for _ in range(wanted)]
            room -= wanted
        lodgers = []
        if spouse is None and not children and not employer and chance.random() < 0.25:
            wanted = min(room, chance.choice((1, 1, 2)))
            lodgers = [self._someone(chance.choice(SURNAMES), chance.randint(19, 70), home, landline) for _ in range(wanted)]
        return Household(head=head, spouse=spouse, children=tuple(children), lodgers=tuple(lodgers))

    def _someone(self, surname: str, age: int, home: Home, landline: str, *, sex: str = "", employer: str = "") -> Person:
        chance = self.random
        sex = sex or chance.choice("FM")
        names = GIVEN_F if sex == "F" else GIVEN_M
        return self._person(
            given=chance.choice(names),
            middle=chance.choice(names) if chance.random() < 0.8 else "",
            surname=surname,
            dob=TODAY - timedelta(days=round(age * 365.25) + chance.randrange(365)),
            sex=sex,
            home=home,
            landline=landline,
            employer=employer,
        )

    def _person(
        self,
        *,
        given: str,
        middle: str,
        surname: str,
        dob: date,
        sex: str,
        home: Home,
        landline: str,
        employer: str = "",
        alias: str = "",
    ) -> Person:
        chance = self.random
        number = FIRST_ID + self._count
        self._count += 1
        age = (TODAY - dob).days // 365
        group, serial = divmod(next(self._ssns), 9999)
        if not employer and _ADULT <= age < 68 and chance.random() < 0.7:
            employer = chance.choice(EMPLOYERS)
        if not alias and chance.random() < 0.04:
            alias = f"{given[:3]} {surname}"
        return Person(
            person_id=str(number),
            given_name=given,
            middle_name=middle,
            surname=surname,
            suffix=chance.choice(_SUFFIXES) if sex == "M" and not alias and chance.random() < 0.03 else "",
            alias=alias,
            dob=dob,
            sex=sex,
            race=chance.choice(_RACES),
            ssn=f"666-{group + 1:02d}-{serial + 1:04d}",
            phone=landline,
            mobile=self._phone() if age >= 12 else "",
            email=f"{given}.{surname}.{number % 1000}@example.net".lower() if age >= _DRIVES else "",
            license=f"K{next(self._licenses)}" if age >= _DRIVES else "",
            employer=employer,
            home=home,
        )

    def _phone(self) -> str:
        return f"+1555{next(self._phones)}"


def _homes(chance: Random) -> list[Home]:
    """Return every home for ordinary households, shuffled: houses, and on some corners buildings with apartments."""
    found = []
    for place, street in enumerate(STREETS):
        postal_code = f"4290{1 + place % 8}"
        for number in range(2, 2 + 2 * 70):
            if chance.random() < 0.05:
                found += [
                    Home(number=number, street=street, unit=f"{floor}{letter}", postal_code=postal_code)
                    for floor in (1, 2, 3)
                    for letter in "AB"
                ]
            else:
                found.append(Home(number=number, street=street, postal_code=postal_code))
    chance.shuffle(found)
    return found
