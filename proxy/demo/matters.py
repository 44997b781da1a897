"""What the town's people own and what happened to them: vehicles, warrants, incidents."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.demo.cast import CAST, FEUD_CASE, STOP_CASE
from proxy.demo.names import CARS, COLORS, INCIDENTS, OFFENSES
from proxy.demo.population import TODAY
from proxy.demo.town import Incident, Vehicle, Warrant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from random import Random

    from proxy.demo.town import Person

DRIVING_AGE: Final = 17
_PLATE_LETTERS: Final = "ABCDEFGHJKLMNPRSTUVWXYZ"
_VIN_LETTERS: Final = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"
_MIDNIGHT: Final = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC)


def vehicles(chance: Random, persons: Sequence[Person], cast: Mapping[str, Person]) -> Iterator[Vehicle]:
    """Yield a vehicle for those of the cast who have one, and for two adults in three."""
    parts = [part for address in CAST for part in address.parts if part.car]
    owners = [cast[part.key] for part in parts]
    played = {person.person_id for person in cast.values()}
    owners += [
        person
        for person in persons
        if _age(person) >= DRIVING_AGE and person.person_id not in played and chance.random() < 0.66
    ]
    plates = _plates(chance, len(owners))
    plates[: len(parts)] = [part.plate or plate for part, plate in zip(parts, plates, strict=False)]
    for number, (owner, plate) in enumerate(zip(owners, plates, strict=True)):
        make, model = chance.choice(CARS)
        yield Vehicle(
            vehicle_id=f"V{500_001 + number}",
            plate=plate,
            vin="9ZZ" + "".join(chance.choices(_VIN_LETTERS, k=8)) + f"{number:06d}",
            make=make,
            model=model,
            year=chance.randint(1998, 2026),
            color=chance.choice(COLORS),
            status="active" if owner.person_id in played else chance.choice(("active",) * 20 + ("expired", "stolen")),
            owner=owner,
        )


def warrants(chance: Random, persons: Sequence[Person], cast: Mapping[str, Person]) -> Iterator[Warrant]:
    """Yield a warrant for one adult in twenty; nobody of the cast is wanted."""
    played = {person.person_id for person in cast.values()}
    number = 0
    for person in persons:
        if _age(person) < DRIVING_AGE or person.person_id in played or chance.random() >= 0.05:
            continue
        number += 1
        yield Warrant(
            warrant_id=f"W{700_000 + number}",
            person=person,
            offense=chance.choice(OFFENSES),
            issued=TODAY - timedelta(days=chance.randrange(1, 1500)),
            status=chance.choice(("active", "active", "active", "recalled", "served")),
            bail=chance.choice((0, 250, 500, 1000, 2500, 5000, 10000)),
        )


def incidents(chance: Random, persons: Sequence[Person], cast: Mapping[str, Person], count: int) -> Iterator[Incident]:
    """Yield the two incidents of the story, then ``count`` others of one to three people each."""
    happenings = chain(_of_the_story(cast), _of_every_day(chance, persons, cast, count))
    number = 900_000
    for happening in happenings:
        for party, person in happening.parties:
            number += 1
            yield Incident(
                incident_id=f"I{number}",
                case_number=happening.case_number,
                kind=happening.kind,
                occurred_at=f"{happening.when:%Y-%m-%dT%H:%M:%SZ}",
                place=happening.parties[0][1].home,
                person=person,
                party=party,
                narrative=happening.narrative,
            )


class _Happening(NamedTuple):
    """One incident and everybody's part in it; it happened where the first of them lives."""

    case_number: str
    kind: str
    narrative: str
    when: datetime
    parties: tuple[tuple[str, Person], ...]


def _of_the_story(cast: Mapping[str, Person]) -> Iterator[_Happening]:
    feud = ("noise complaint", "Leaf blower at dawn again; the parties have been at odds for years.")
    parties = (("caller", cast["dispatcher"]), ("suspect", cast["neighbor"]))
    yield _Happening(FEUD_CASE, *feud, _MIDNIGHT - timedelta(days=20, hours=18), parties)
    yield _Happening(STOP_CASE, *INCIDENTS[0], _MIDNIGHT - timedelta(hours=3), (("suspect", cast["driver"]),))


def _of_every_day(chance: Random, persons: Sequence[Person], cast: Mapping[str, Person], count: int) -> Iterator[_Happening]:
    played = {person.person_id for person in cast.values()}
    ordinary = [person for person in persons if person.person_id not in played]
    for serial in range(count):
        kind, narrative = chance.choice(INCIDENTS)
        when = _MIDNIGHT - timedelta(minutes=chance.randrange(1_000_000))
        first, *others = chance.sample(ordinary, chance.choice((1, 1, 1, 2, 2, 3)))
        parties = [(chance.choice(("caller", "victim")), first)]
        parties += [(chance.choice(("witness", "suspect")), other) for other in others]
        yield _Happening(f"{when:%y}-{100_000 + serial}", kind, narrative, when, tuple(parties))


def _age(person: Person) -> int:
    return (TODAY - person.dob).days // 365


def _plates(chance: Random, count: int) -> list[str]:
    letters = len(_PLATE_LETTERS)
    return [
        f"{_PLATE_LETTERS[number // 1000 // letters**2 % letters]}{_PLATE_LETTERS[number // 1000 // letters % letters]}"
        f"{_PLATE_LETTERS[number // 1000 % letters]}{number % 1000:03d}"
        for number in chance.sample(range(letters**3 * 1000), count)
    ]
