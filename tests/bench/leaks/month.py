"""A month of ordinary work in a department: 1,000 officers on beats and shifts, their cases, and what every look-up showed.

Made from a seed. Who is looked up follows Zipf's law, within a beat and in the city; roads are a person's record, a search by
name with its list, a plate, an address with everybody in the building. The addresses, telephones and pictures of protected
people are masked but for those who work a case of theirs. One person in twelve moves or changes the telephone in that month.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from proxy.oversight.leak.published import Sight

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

BEGIN: Final = datetime(2026, 10, 1, tzinfo=UTC)
DAYS: Final = 30
OFFICERS: Final = 1_000
PEOPLE: Final = 400_000
"""As many as 1,000 officers serve: 2.4 a thousand inhabitants (FBI, Crime in the United States 2019)."""
BEATS: Final = 40
SHIFT: Final = 1 / 3
DETECTIVES: Final = 0.15
DESK: Final = 0.10
LOOKUPS: Final = (8.0, 12.0, 25.0)
"""Look-ups a shift: patrol, detectives, the records desk."""
PROTECTED: Final = 0.02
CHANGED: Final = 1 / 12
ZIPF: Final = 0.9
NAMESAKES: Final = 4


class Road(IntEnum):
    """How somebody came to be shown."""

    READ = 0
    SEARCH = 1
    PLATE = 2
    ADDRESS = 3


SHOWS: Final = {
    Road.READ: (
        "person_id", "given_name", "surname", "dob", "ssn", "phone", "mobile", "email", "street", "city", "license", "photo",
    ),
    Road.SEARCH: (
        "person_id", "given_name", "surname", "dob", "ssn", "phone", "mobile", "email", "street", "city", "license", "photo",
    ),
    Road.PLATE: ("plate", "owner_id", "owner_name", "dob", "street", "city"),
    Road.ADDRESS: ("person_id", "resident_name", "dob", "street", "city"),
}  # fmt: skip
HIDDEN: Final = frozenset({"street", "city", "phone", "mobile", "email", "photo"})
CHANGING: Final = ("street", "phone")


@dataclass(frozen=True, slots=True)
class Row:
    """One record shown to an officer. ``day`` counts from the begin of the month."""

    entry: int
    day: float
    officer: int
    case: int
    terminal: int
    person: int
    road: Road
    full: bool


class Month:
    """The month of one seed. Rows lie in columns; sights are made when asked for."""

    def __init__(self, seed: int, *, officers: int = OFFICERS, people: int = PEOPLE) -> None:
        """Make people, officers, cases and a month of look-ups."""
        self.random = np.random.default_rng(seed)
        self.officers, self.people = officers, people
        self._populate()
        self._staff()
        self._work()

    def _populate(self) -> None:
        random, people = self.random, self.people
        self.beat = random.integers(BEATS, size=people)
        self.popular = random.permutation(people)
        self._weight = np.cumsum(1.0 / (1.0 + np.arange(people)) ** ZIPF)
        rank = np.empty(people, dtype=np.int64)
        rank[self.popular] = np.arange(people)
        self.building = random.integers(int(people / 2.2), size=people)
        self.surname = random.integers(people // NAMESAKES, size=people)
        self.protected = random.random(people) < np.where(rank < people // 1000, 0.3, PROTECTED)
        self.change = np.where(random.random(people) < CHANGED, random.integers(1, 3, size=people), 0)
        self.changed_at = random.uniform(2.0, DAYS - 4.0, size=people)
        self._neighbors = _grouped(self.building)
        self._namesakes = _grouped(self.surname)

    def _staff(self) -> None:
        random, officers = self.random, self.officers
        draw = random.random(officers)
        self.duty = np.where(draw < DETECTIVES, 1, np.where(draw < DETECTIVES + DESK, 2, 0))
        self.patrols = random.integers(BEATS, size=officers)
        self.shift = random.integers(3, size=officers)
        self.rest = random.integers(7, size=officers)
        self.terminal = np.where(self.duty == 0, officers + random.integers(officers // 3, size=officers), np.arange(officers))
        detectives = np.flatnonzero(self.duty == 1)
        cases = len(detectives) * 4
        self.team = [
            random.choice(detectives, size=min(int(random.integers(1, 5)), len(detectives)), replace=False)
            for _ in range(cases)
        ]
        self.concerned = [self._anybody(int(random.integers(1, 7))) for _ in range(cases)]
        self.working: dict[int, list[int]] = {int(each): [] for each in detectives}
        for case, team in enumerate(self.team):
            for each in team:
                self.working[int(each)].append(case)

    def _anybody(self, count: int) -> NDArray[np.int64]:
        """Return people by their popularity in the city."""
        chosen = np.searchsorted(self._weight, self.random.random(count) * self._weight[-1])
        people: NDArray[np.int64] = self.popular[np.minimum(chosen, self.people - 1)]
        return people

    def _work(self) -> None:
        random = self.random
        officer, start = [], []
        for each in range(self.officers):
            days = np.arange(DAYS)
            on = days[(days + self.rest[each]) % 7 < 5]
            begins = on + self.shift[each] * SHIFT
            counts = random.poisson(LOOKUPS[self.duty[each]], size=len(on))
            officer.append(np.full(counts.sum(), each))
            start.append(np.repeat(begins, counts))
        who = np.concatenate(officer)
        when = np.concatenate(start) + random.random(len(who)) * SHIFT
        order = np.argsort(when, kind="stable")
        who, when = who[order], when[order]
        road = random.choice(4, size=len(who), p=(0.40, 0.22, 0.26, 0.12))
        person, case = self._targets(who)
        self._record(who, when, road, person, case)

    def _targets(self, who: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return whom each look-up is about and under which case: detectives' own, else a call of its own."""
        random = self.random
        person = self._anybody(len(who))
        local = random.random(len(who)) < np.where(self.duty[who] == 0, 0.75, 0.1)
        by_beat = _grouped(self.beat[self.popular])
        for beat, places in by_beat.items():
            here = np.flatnonzero(local & (self.patrols[who] == beat))
            weight = np.cumsum(1.0 / (1.0 + np.arange(len(places))) ** ZIPF)
            chosen = np.searchsorted(weight, random.random(len(here)) * weight[-1])
            person[here] = self.popular[places[chosen]]
        case = 1_000_000 + np.arange(len(who))
        for place in np.flatnonzero((self.duty[who] == 1) & (random.random(len(who)) < 0.7)):
            cases = self.working[int(who[place])]
            if cases:
                own = cases[int(random.integers(len(cases)))]
                case[place], person[place] = own, random.choice(self.concerned[own])
        return person, case

    def _record(
        self,
        who: NDArray[np.int64],
        when: NDArray[np.float64],
        road: NDArray[np.int64],
        person: NDArray[np.int64],
        case: NDArray[np.int64],
    ) -> None:
        rows: list[tuple[int, int]] = []
        for entry in range(len(who)):
            rows += [(entry, each) for each in self._shown(Road(road[entry]), int(person[entry]))]
        listed = np.array(rows, dtype=np.int64)
        self.entry, self.person = listed[:, 0], listed[:, 1]
        self.day, self.who, self.case, self.road = when[self.entry], who[self.entry], case[self.entry], road[self.entry]
        self.meant = person[self.entry] == self.person
        self.own = self.case < 1_000_000
        self.full = ~self.protected[self.person] | (self.own & self.meant)
        self.rows_of = _grouped(self.person)
        self.rows_by = _grouped(self.who)

    def _shown(self, road: Road, person: int) -> Iterable[int]:
        match road:
            case Road.SEARCH:
                same = self._namesakes[int(self.surname[person])]
                more = same[self.random.random(len(same)) < 0.35]
                return {person, *more.tolist()}
            case Road.ADDRESS:
                return {person, *self._neighbors[int(self.building[person])].tolist()}
            case _:
                return (person,)

    def row(self, place: int) -> Row:
        """Return one row."""
        officer = int(self.who[place])
        return Row(
            entry=int(self.entry[place]),
            day=float(self.day[place]),
            officer=officer,
            case=int(self.case[place]),
            terminal=int(self.terminal[officer]),
            person=int(self.person[place]),
            road=Road(self.road[place]),
            full=bool(self.full[place]),
        )

    def value(self, person: int, field: str, day: float) -> str:
        """Return the mark of a person's value on a day."""
        moved = bool(self.change[person]) and field == CHANGING[int(self.change[person]) - 1] and day >= self.changed_at[person]
        if field == "street":
            return f"street:new:{person}" if moved else f"street:{self.building[person]}"
        if field == "city":
            return "city"
        if field in {"person_id", "owner_id"}:
            return f"person_id:{person}"
        return f"{field}:{person}:{int(moved)}"

    def sight(self, row: Row) -> Sight:
        """Return what a row showed."""
        hidden = frozenset() if row.full else HIDDEN
        shows = SHOWS[row.road]
        return Sight(
            entry=row.entry,
            at=moment(row.day),
            officer=f"officer-{row.officer}",
            case=f"case-{row.case}",
            terminal=f"terminal-{row.terminal}",
            seen={name: self.value(row.person, name, row.day) for name in shows if name not in hidden},
            masked=hidden & frozenset(shows),
            persons=frozenset({f"person_id:{row.person}"}),
        )

    def about(self, people: Iterable[int], until: float) -> Iterator[Sight]:
        """Yield every sight of people, and of everybody in their buildings, before a day."""
        wanted = set(people)
        for person in people:
            wanted.update(self._neighbors[int(self.building[person])].tolist())
        for person in wanted:
            for place in self.rows_of.get(person, ()):
                if self.day[place] < until:
                    yield self.sight(self.row(int(place)))


def moment(day: float) -> datetime:
    """Return the moment of a day of the month."""
    return BEGIN + timedelta(days=day)


def _grouped(keys: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """Return for each key the places where it stands."""
    order = np.argsort(keys, kind="stable")
    found, starts = np.unique(keys[order], return_index=True)
    ends: Sequence[int] = [*starts[1:].tolist(), len(order)]
    return {int(key): order[start:end] for key, start, end in zip(found, starts, ends, strict=True)}
