"""What a step of the story is: something is asked, and something has to come of it.

Nothing here speaks HTTP or reads the log; a ``Stage`` does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from proxy.demo.terminal import Answer, Query
    from proxy.demo.town import Household, Person, Town


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a step showed. ``wrong`` lists what was not as it has to be; empty is success."""

    status: int = 0
    problem: str = ""
    decision: str = ""
    note: str = ""
    wrong: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What has to come of a query.

    ``holds`` and ``lacks`` map what a text is to the text, which the answer has to hold or must not hold in any byte, whatever
    its case. ``withheld`` is the number of records that the log counts as withheld. None is not looked at.
    """

    status: int
    problem: str = ""
    decision: str | None = ""
    records: int | None = None
    withheld: int | None = None
    masked: frozenset[str] = frozenset()
    holds: Mapping[str, str] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)


class Stage(Protocol):
    """Where the story plays: doors to knock at, and the log to look things up in."""

    @property
    def town(self) -> Town:
        """Return who lives there."""
        ...

    async def ask(self, query: Query) -> Answer:
        """Send a query with the key of who asks."""
        ...

    def look(self, answer: Answer, expected: Expected, note: str = "") -> Seen:
        """Hold an answer, and what the log says of it, against what has to come of it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: its name, what it shows in words, and how it is played."""

    name: str
    note: str
    play: Callable[[Stage], Awaitable[Seen]]


def asking(name: str, note: str, query: Query, expected: Expected) -> Step:
    """Return a step that is one query."""

    async def play(stage: Stage) -> Seen:
        return stage.look(await stage.ask(query), expected, note)

    return Step(name=name, note=note, play=play)


def identifiers(town: Town, household: Household) -> dict[str, str]:
    """Return everything by which the records know the people of a household, by what it is."""
    found = {"the home address": household.head.home.line}
    if household.head.home.unit:
        found["the unit"] = f'"{household.head.home.unit}"'
    for person in household:
        found |= {f"the {what} of {person.name}": text for what, text in _of_person(person).items() if text}
    for vehicle in town.vehicles:
        if vehicle.owner.home == household.head.home:
            found |= {f"the plate of {vehicle.owner.name}": vehicle.plate, f"the VIN of {vehicle.owner.name}": vehicle.vin}
    return found


def secret_among_neighbors(secret: Mapping[str, str]) -> dict[str, str]:
    """Return what ``identifiers`` says, without the house that a household shares with others."""
    return {what: text for what, text in secret.items() if what != "the home address"}


def _of_person(person: Person) -> dict[str, str]:
    return {
        "person id": f'"{person.person_id}"',
        "given name": person.given_name,
        "surname": person.surname,
        "date of birth": person.dob.isoformat(),
        "SSN": person.ssn,
        "telephone": person.phone,
        "mobile": person.mobile,
        "e-mail": person.email,
        "licence": person.license,
        "alias": person.alias,
    }
