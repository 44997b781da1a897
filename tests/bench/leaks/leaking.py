"""Leaks put into a month, one class after the other: who leaked what, when it came out, and what else they did.

How long a leaker waits is drawn from a log-normal distribution (median a day and a half, one in twenty longer than twelve
days), which is not the mixture that the ranking assumes. When a thing came out is known only within hours or days.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from math import erf, log, sqrt
from typing import TYPE_CHECKING, Final

import numpy as np

from proxy.oversight.leak.delay import Delay
from proxy.oversight.leak.published import Published
from tests.bench.leaks.month import CHANGING, DAYS, Road, Row, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from proxy.oversight.leak.published import Sight
    from tests.bench.leaks.month import Month

WINDOWS: Final = (0.0, 0.25, 1.0, 3.0)
"""Days before it was noticed within which a thing may have come out."""
MEDIAN_DELAY: Final = 1.5
SPREAD: Final = 1.3
CALLS: Final = 5_000_000
"""Numbers of entries and calls that leakers add begin here."""
LEAKED: Final = ("street", "phone", "mobile", "email", "photo", "ssn")


@dataclass(frozen=True, slots=True)
class Knowing(Delay):
    """How the simulation draws delays: what the trace would go by if it knew."""

    def density(self, days: float, within: float = 0.0) -> float:
        """Return the density a day, as a mean over the window."""
        within = max(within, 0.02)
        return (_came_out(days) - _came_out(days - within)) / within if days > 0 else 0.0


def _came_out(days: float) -> float:
    return 0.5 * (1 + erf((log(days) - log(MEDIAN_DELAY)) / (SPREAD * sqrt(2)))) if days > 0 else 0.0


class Unlucky(Exception):  # noqa: N818 -- the next draw may do
    """This draw makes no leak of its class: nobody fits, or it would come out after the month."""


@dataclass(slots=True)
class Scene:
    """One leak: what was published, who did it and by which entries, and what they added to the month."""

    kind: str
    items: list[Published] = field(default_factory=list)
    leakers: tuple[int, ...] = ()
    entries: set[int] = field(default_factory=set)
    added: list[Row] = field(default_factory=list)
    people: set[int] = field(default_factory=set)

    def sights(self, month: Month) -> list[Sight]:
        """Return what an index would: every sight of the people concerned before the last item came out."""
        until = max(item.at for item in self.items)
        found = [sight for sight in month.about(sorted(self.people), float(DAYS + 60)) if sight.at < until]
        return [*found, *(sight for row in self.added if (sight := month.sight(row)).at < until)]


class Leaking:
    """Makes leaks in one month, from a seed of their own."""

    def __init__(self, month: Month, seed: int) -> None:
        """Take the month."""
        self._month = month
        self._random = np.random.default_rng(seed)
        self._fresh = count(CALLS + seed * 1000)
        self._classes: Mapping[str, Callable[[Scene], None]] = {
            "one field, ordinary look-up": self._ordinary,
            "one field, look-up on a pretext": self._pretext,
            "several fields": self._several,
            "one person, several times": self._again,
            "several people": self._people,
            "old value": self._old,
            "late publication": self._late,
            "partly public": self._public,
            "two officers together": self._two,
            "diluted": self._diluted,
            "seen in a list only": self._listed,
            "decoy": self._decoy,
            "everybody was briefed": self._briefed,
            "colleague's session": self._session,
            "source outside": self._outside,
        }

    def make(self, kind: str) -> Scene:
        """Return a leak of a class."""
        for _ in range(1000):
            scene = Scene(kind)
            try:
                self._classes[kind](scene)
            except Unlucky:
                continue
            return scene
        raise RuntimeError(f"no leak of this class in this month: {kind}")

    # ---- who looks at whom

    def _delay(self) -> float:
        return float(self._random.lognormal(np.log(MEDIAN_DELAY), SPREAD))

    def _one_row(self, *, meant: bool = True, most: float = DAYS - 5.0) -> Row:
        """Return an ordinary row of the middle of the month: of any officer, any person whom they saw, any of those sights."""
        month = self._month
        own = month.rows_by.get(self._officer(), np.empty(0, dtype=np.int64))
        own = own[(month.meant[own] == meant) & month.full[own] & (month.day[own] > 2.0) & (month.day[own] < most)]
        if not len(own):
            raise Unlucky
        person = self._random.choice(np.unique(month.person[own]))
        return month.row(int(self._random.choice(own[month.person[own] == person])))

    def _look(self, officer: int, person: int, day: float, road: Road = Road.READ) -> Row:
        """Add a look-up under a call of its own."""
        month, number = self._month, next(self._fresh)
        return Row(
            entry=number,
            day=day,
            officer=officer,
            case=number,
            terminal=int(month.terminal[officer]),
            person=person,
            road=road,
            full=not month.protected[person],
        )

    def _victim(self) -> int:
        """Return whom somebody has a private interest in: anybody, or in half of the cases somebody whom officers look up."""
        month = self._month
        for _ in range(100):
            person = int(self._random.integers(month.people)) if self._random.random() < 0.5 else self._one_row().person
            if not month.protected[person]:
                return person
        raise Unlucky

    def _officer(self) -> int:
        return int(self._random.integers(self._month.officers))

    # ---- what comes out

    def _publish(
        self,
        scene: Scene,
        row: Row,
        fields: Sequence[str],
        delay: float,
        *,
        elsewhere: Mapping[str, float] | None = None,
        known: bool = True,
    ) -> float:
        """Publish fields of a row after a delay; return the day on which it was noticed."""
        month = self._month
        out = row.day + delay
        within = float(self._random.choice(WINDOWS))
        noticed = out + float(self._random.random()) * within + 1e-4
        if noticed > DAYS + 25:
            raise Unlucky
        scene.people.add(row.person)
        about = frozenset({f"person_id:{row.person}"}) if known else frozenset()
        for name in fields:
            item = Published(
                number=len(scene.items) + 1,
                kind=name,
                marks=frozenset({month.value(row.person, name, row.day)}),
                at=moment(noticed),
                within=timedelta(days=within),
                about=about,
            )
            if elsewhere and name in elsewhere:
                item = replace(item, elsewhere=elsewhere[name])
            scene.items.append(item)
        return noticed

    def _fields(self, row: Row, least: int, most: int) -> list[str]:
        """Return some of the sensitive fields that a row showed."""
        shown = [name for name in LEAKED if name in self._month.sight(row).seen]
        if len(shown) < least:
            raise Unlucky
        size = int(self._random.integers(least, min(most, len(shown)) + 1))
        return sorted(self._random.choice(shown, size=size, replace=False).tolist())

    def _leaked(self, scene: Scene, *rows: Row) -> None:
        scene.leakers = tuple(dict.fromkeys((*scene.leakers, *(row.officer for row in rows))))
        scene.entries.update(row.entry for row in rows)

    # ---- the classes

    def _ordinary(self, scene: Scene) -> None:
        row = self._one_row()
        self._publish(scene, row, self._fields(row, 1, 1), self._delay())
        self._leaked(scene, row)

    def _pretext(self, scene: Scene) -> None:
        row = self._pretext_row(scene)
        self._publish(scene, row, self._fields(row, 1, 1), self._delay())
        self._leaked(scene, row)

    def _pretext_row(self, scene: Scene) -> Row:
        road = Road(self._random.choice([Road.READ, Road.PLATE, Road.ADDRESS], p=[0.7, 0.15, 0.15]))
        row = self._look(self._officer(), self._victim(), float(self._random.uniform(3.0, DAYS - 5.0)), road)
        scene.added.append(row)
        return row

    def _several(self, scene: Scene) -> None:
        row = self._one_row() if self._random.random() < 0.5 else self._pretext_row(scene)
        self._publish(scene, row, self._fields(row, 2, 5), self._delay())
        self._leaked(scene, row)

    def _again(self, scene: Scene) -> None:
        """Follow one person: look two to four times, and publish something each time."""
        row = self._pretext_row(scene)
        for _ in range(int(self._random.integers(1, 4))):
            self._publish(scene, row, self._fields(row, 1, 2), self._delay())
            self._leaked(scene, row)
            row = self._look(row.officer, row.person, row.day + float(self._random.uniform(2.0, 8.0)))
            scene.added.append(row)
        self._publish(scene, row, self._fields(row, 1, 2), self._delay())
        self._leaked(scene, row)

    def _people(self, scene: Scene) -> None:
        """Let out two to four people over time, of ordinary look-ups and others."""
        officer = self._officer()
        own = [int(each) for each in self._month.rows_by.get(officer, ()) if self._month.full[each] and self._month.meant[each]]
        for _ in range(int(self._random.integers(2, 5))):
            if own and self._random.random() < 0.6:
                row = self._month.row(int(self._random.choice(own)))
            else:
                row = self._look(officer, self._victim(), float(self._random.uniform(3.0, DAYS - 5.0)))
                scene.added.append(row)
            if row.day > DAYS - 2.0:
                raise Unlucky
            self._publish(scene, row, self._fields(row, 1, 2), self._delay())
            self._leaked(scene, row)

    def _old(self, scene: Scene) -> None:
        """Publish a value that has changed meanwhile."""
        month = self._month
        row = self._one_row()
        if not month.change[row.person] or row.day >= month.changed_at[row.person]:
            raise Unlucky
        name = CHANGING[int(month.change[row.person]) - 1]
        if name not in month.sight(row).seen:
            raise Unlucky
        delay = float(month.changed_at[row.person]) - row.day + self._delay()
        self._publish(scene, row, [name], delay)
        self._leaked(scene, row)

    def _late(self, scene: Scene) -> None:
        row = self._one_row(most=DAYS - 10.0) if self._random.random() < 0.5 else self._pretext_row(scene)
        self._publish(scene, row, self._fields(row, 1, 3), float(self._random.uniform(8.0, 25.0)))
        self._leaked(scene, row)

    def _public(self, scene: Scene) -> None:
        """Publish what was seen together with an address or a telephone from elsewhere, which the trace is told may be so."""
        row = self._one_row() if self._random.random() < 0.5 else self._pretext_row(scene)
        seen = self._fields(row, 1, 2)
        self._publish(scene, row, seen, self._delay())
        other = [name for name in ("street", "phone", "email") if name not in seen]
        last = scene.items[-1]
        mark = self._month.value(row.person, other[0], row.day)
        scene.items.append(replace(last, number=last.number + 1, kind=other[0], marks=frozenset({mark}), elsewhere=0.6))
        self._leaked(scene, row)

    def _two(self, scene: Scene) -> None:
        """Let two officers put together what neither has seen whole: one the plate, one the address or the telephone."""
        person = self._victim()
        first = self._look(self._officer(), person, float(self._random.uniform(3.0, DAYS - 6.0)), Road.PLATE)
        second = self._look(self._officer(), person, first.day + float(self._random.uniform(0.0, 1.0)))
        if first.officer == second.officer:
            raise Unlucky
        scene.added += [first, second]
        later = replace(second, day=max(first.day, second.day))
        noticed = self._publish(scene, later, self._fields(second, 1, 2), self._delay())
        last = scene.items[-1]
        mark = self._month.value(person, "plate", first.day)
        scene.items.append(replace(last, number=last.number + 1, kind="plate", marks=frozenset({mark})))
        assert noticed > second.day
        self._leaked(scene, first, second)

    def _diluted(self, scene: Scene) -> None:
        """Look up many others beside the one, the day before and after."""
        row = self._pretext_row(scene)
        for _ in range(60):
            scene.added.append(self._look(row.officer, self._victim(), row.day + float(self._random.uniform(-1.0, 1.0))))
        self._publish(scene, row, self._fields(row, 1, 2), self._delay())
        self._leaked(scene, row)

    def _listed(self, scene: Scene) -> None:
        """Leak somebody who was in the list of a search for another."""
        row = self._one_row(meant=False)
        self._publish(scene, row, self._fields(row, 1, 2), self._delay())
        self._leaked(scene, row)

    def _decoy(self, scene: Scene) -> None:
        """Publish beside what was seen a thing that only others were shown, or nobody."""
        row = self._pretext_row(scene)
        hidden = [name for name in (*LEAKED, "plate") if name not in self._month.sight(row).seen]
        self._publish(scene, row, self._fields(row, 1, 3), self._delay())
        last = scene.items[-1]
        name = str(self._random.choice(hidden))
        mark = self._month.value(row.person, name, row.day)
        scene.items.append(replace(last, number=last.number + 1, kind=name, marks=frozenset({mark})))
        self._leaked(scene, row)

    def _briefed(self, scene: Scene) -> None:
        """Leak somebody whom 150 officers looked up within two days, as after a briefing."""
        person = self._victim()
        day = float(self._random.uniform(4.0, DAYS - 8.0))
        crowd = self._random.choice(self._month.officers, size=150, replace=False)
        for officer in crowd:
            scene.added.append(self._look(int(officer), person, day + float(self._random.uniform(0.0, 2.0))))
        row = scene.added[int(self._random.integers(150))]
        self._publish(scene, row, self._fields(row, 1, 3), self._delay())
        self._leaked(scene, row)

    def _session(self, scene: Scene) -> None:
        """Ask on a colleague's session: the log has the colleague's name, and nothing of the leaker."""
        self._pretext(scene)
        scene.leakers = (self._officer(),)

    def _outside(self, scene: Scene) -> None:
        """Publish what some officers were shown, from a source that never asked the proxy."""
        row = self._one_row()
        self._publish(scene, row, self._fields(row, 1, 2), float(self._random.uniform(0.5, 15.0)))


def classes_in(counts: Mapping[str, int]) -> Iterator[str]:
    """Yield each class as often as it is wanted, in turns."""
    left = dict(counts)
    while left:
        for kind in list(left):
            yield kind
            left[kind] -= 1
            if not left[kind]:
                del left[kind]
