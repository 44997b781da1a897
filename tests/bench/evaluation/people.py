"""People with every identifier that a records system holds, made from public names; nothing about them is real."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from tests.bench.evaluation.transliteration import PASSPORT, romanized

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

    from tests.bench.evaluation.names import Census

SUFFIXES: Final = ("Street", "Avenue", "Road", "Drive", "Lane", "Court", "Boulevard", "Place", "Circle", "Terrace")
DIRECTIONS: Final = ("", "", "", "", "North ", "South ", "East ", "West ")
STATES: Final = ("NJ", "NY", "PA", "MD", "OH")
_PLATES: Final = "ABCDEFGHJKLMNPRSTUVWXYZ"
_VIN: Final = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
_VIN_VALUES: Final = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", map(int, "12345678123457923456789"), strict=True))
_VIN_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


@dataclass(slots=True, kw_only=True)
class Bureau:
    """Makes people, one after the other, from one source of chance."""

    chance: random.Random
    census: Census
    foreign: Mapping[str, tuple[Sequence[str], Sequence[str]]]
    latin: Sequence[str]
    cyrillic: str
    doubles: float = 0.2
    towns: Sequence[tuple[str, str, str]] = ()

    def __post_init__(self) -> None:
        """Found some towns."""
        self.towns = [self._town() for _ in range(30)]

    def person(self) -> dict[str, str]:
        """Return somebody: half with names of the census, three of ten with another country's, two from Cyrillic."""
        kind = self.chance.random()
        if kind < 0.5 or not self.foreign:
            names = self._american()
        else:
            names = self._foreign(self.chance.choice(self.latin) if kind < 0.8 else self.cyrillic)
        return {**names, **self._numbers(), **self.home()}

    def home(self) -> dict[str, str]:
        """Return an address; half have a unit."""
        chance = self.chance
        city, state, postal_code = chance.choice(self.towns)
        name = self.census.surnames.draw(chance)
        home = {
            "street": f"{chance.randrange(1, 2000)} {chance.choice(DIRECTIONS)}{name} {chance.choice(SUFFIXES)}",
            "city": city,
            "state": state,
            "postal_code": postal_code,
        }
        if chance.random() < 0.5:
            home["unit"] = f"Apt {chance.randrange(1, 40)}{chance.choice('ABCD')}"
        return home

    def _town(self) -> tuple[str, str, str]:
        name = self.census.surnames.draw(self.chance) + self.chance.choice(("ville", "ton", " Falls", " Heights", "burg"))
        return name, self.chance.choice(STATES), f"{self.chance.randrange(10000, 20000)}"

    def _american(self) -> dict[str, str]:
        chance, sex = self.chance, self.chance.choice(self.census.given)
        surname = self.census.surnames.draw(chance)
        if chance.random() < self.doubles:
            surname = f"{surname}-{self.census.surnames.draw(chance)}"
        return {"given_name": sex.draw(chance), "middle_name": sex.draw(chance), "surname": surname}

    def _foreign(self, place: str) -> dict[str, str]:
        given, surnames = self.foreign[place]
        names = {"given_name": self.chance.choice(given), "surname": self.chance.choice(surnames)}
        if place != self.cyrillic:
            return names
        return {kind: romanized(name, PASSPORT) for kind, name in names.items()} | {
            f"{kind} in Cyrillic": name for kind, name in names.items()
        }

    def _numbers(self) -> dict[str, str]:
        chance = self.chance
        born = date(1935, 1, 1) + timedelta(days=chance.randrange(70 * 365))
        letters = "".join(chance.choices(_PLATES, k=3))
        return {
            "dob": born.isoformat(),
            "ssn": f"{chance.randrange(101, 660)}-{chance.randrange(1, 100):02}-{chance.randrange(1, 10000):04}",
            "phone": f"({chance.randrange(201, 990)}) {chance.randrange(200, 999)}-{chance.randrange(10000):04}",
            "email": f"{self.census.surnames.draw(chance)}{chance.randrange(10**6)}@example.org".lower(),
            "plate": f"{letters}{chance.randrange(1000, 10000)}",
            "vin": vin(chance),
            "license": f"{chance.choice(_PLATES)}{chance.randrange(10**13, 10**14)}",
        }


def vin(chance: random.Random) -> str:
    """Return a vehicle identification number with its check digit (49 CFR 565.15)."""
    marks = chance.choices(_VIN, k=17)
    total = sum(int(_VIN_VALUES.get(mark, mark)) * weight for mark, weight in zip(marks, _VIN_WEIGHTS, strict=True))
    marks[8] = "X" if total % 11 == 10 else str(total % 11)
    return "".join(marks)
