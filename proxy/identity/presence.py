"""The same person at two terminals at once: a shared terminal is lawful (CJIS AC-11 exempts cars), a shared person is not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final

from proxy.audit.event import Event, Party

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from proxy.audit.event import Json

WINDOW: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class SimultaneousUse(Event):
    """One person was active at two terminals within the window. ``terminals`` are in alphabetic order."""

    kind: ClassVar[str] = "simultaneous-use"
    person: str
    terminals: tuple[str, str]
    at: datetime
    apart: timedelta

    def facts(self) -> Mapping[str, Json]:
        """Return how far apart the two uses were."""
        return {"apart_seconds": round(self.apart.total_seconds(), 2)}

    def parties(self) -> Iterable[Party]:
        """Return the person and both terminals."""
        yield Party("officer", self.person)
        for terminal in self.terminals:
            yield Party("terminal", terminal)


class Presence:
    """When each person was last active at each terminal. Memory is bounded by the enrolled credentials: only they get here."""

    def __init__(self, window: timedelta = WINDOW) -> None:
        """Take how close in time two uses are one too many."""
        self._window = window
        self._seen: dict[str, dict[str, datetime]] = {}
        self._noticed: dict[tuple[str, str, str], datetime] = {}

    def seen(self, person: str, terminal: str, now: datetime) -> list[SimultaneousUse]:
        """Remember an activity; return a notice for each other terminal, once per window and pair."""
        terminals = self._seen.setdefault(person, {})
        found = []
        if len(terminals) > 1 or terminal not in terminals:
            for other, at in list(terminals.items()):
                apart = abs(now - at)
                if apart >= self._window:
                    del terminals[other]
                elif other != terminal and self._first(person, terminal, other, now):
                    pair = (min(terminal, other), max(terminal, other))
                    found.append(SimultaneousUse(person=person, terminals=pair, at=now, apart=apart))
        terminals[terminal] = now
        return found

    def _first(self, person: str, terminal: str, other: str, now: datetime) -> bool:
        pair = (person, min(terminal, other), max(terminal, other))
        before = self._noticed.get(pair)
        if before is not None and abs(now - before) < self._window:
            return False
        self._noticed[pair] = now
        return True
