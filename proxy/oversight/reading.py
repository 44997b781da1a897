"""The log as oversight reads it: what opens a duty or a finding, and what ends one."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from proxy.audit.entry import decode, prefix
from proxy.audit.owed import OWED, owed_by
from proxy.audit.sealing import Shredded
from proxy.oversight.duty import Outcome, Task, make_task, matter_of
from proxy.oversight.events import Overseen
from proxy.oversight.finding import Disposition, FindingEnded, FindingOpened
from proxy.oversight.overdue import Lapsed

if TYPE_CHECKING:
    from proxy.audit.entry import Entry
    from proxy.audit.event import Json
    from proxy.audit.reader import AuditReader
    from proxy.tlog.store import Cursor, Stored

_OWES: Final = b'"%s":[{' % OWED.encode()
RECENT: Final = 1024
"""Entries that are kept at hand."""
_OURS: Final = tuple(prefix(event.kind) for event in (Overseen, Lapsed, FindingOpened, FindingEnded))


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Somebody did a duty."""

    task: str
    outcome: Outcome
    at: datetime
    by: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """A review is overdue, and whoever is next was told."""

    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A finding has its entry."""

    finding: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Somebody closed a finding."""

    finding: str
    disposition: Disposition
    at: datetime
    by: str
    words: str


Move: TypeAlias = Task | Done | Late | Told | Closed


@dataclass(slots=True)
class Found:
    """What a stretch of the log holds, in its order; ``latest`` is the time of its last entry."""

    next: int
    moves: list[Move] = field(default_factory=list)
    latest: datetime | None = None


class Reading:
    """Reads on from a place in one log."""

    def __init__(self, reader: AuditReader, origin: str) -> None:
        """Take a reader with the keys, and the log's name."""
        self._reader = reader
        self._origin = origin
        self._recent: OrderedDict[int, Stored] = OrderedDict()

    def time_before(self, index: int) -> datetime | None:
        """Return the time of the entry before ``index``, or None where there is none."""
        return datetime.fromisoformat(self._reader.read(index - 1).at) if index > 0 else None

    def look(self, cursor: Cursor, durable: int | None = None) -> Found:
        """Return what follows of the ``durable`` entries (default: of all), and pass it.

        Raises:
            LogDamaged, EntryUnreadable, SealBroken, ValueError: an entry cannot be read.
        """
        found = Found(next=cursor.next)
        last: Stored | None = None
        for last in cursor.stored(durable):
            content = last.entry
            self._remember(last)
            # Looked for as bytes: nearly every entry obliges nobody, and reading them all would cost more than writing them.
            if content.startswith(_OURS):
                entry = decode(*last)
                found.moves.append(self._move(entry))
                found.moves += self._tasks(entry)
            elif _OWES in content:
                found.moves += self._tasks(decode(*last))
        if last is not None:
            found.latest = datetime.fromisoformat(decode(*last).at)
        found.next = cursor.next
        return found

    def _tasks(self, entry: Entry) -> list[Task]:
        owed = owed_by(entry.facts)
        if not owed:
            return []
        place = entry.facts.get("decided", entry.index)
        if type(place) is not int:
            raise ValueError(OWED)
        decided = entry if place == entry.index else self._read(place)
        own = decided is entry
        matter = matter_of(
            decided.facts,
            self._clear(decided),
            {} if own else entry.facts,
            {} if own else self._clear(entry),
        )
        reference, agency = f"{self._origin}/{decided.index}", str(decided.facts.get("agency", ""))
        at = datetime.fromisoformat(entry.at)
        return [make_task(each, reference=reference, agency=agency, at=at, matter=matter) for each in owed]

    def _remember(self, stored: Stored) -> None:
        self._recent[stored.index] = stored
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)

    def _read(self, index: int) -> Entry:
        """Return an entry: a decision is a few entries before its end, and to look for it walks through its segment."""
        recent = self._recent.get(index)
        return self._reader.read(index) if recent is None else decode(*recent)

    def _clear(self, entry: Entry) -> dict[str, Json]:
        """Return a query's body in clear; empty where a court had it shredded: the duty stays, and says of nobody."""
        try:
            return self._reader.unseal(entry)
        except Shredded:
            return {}

    def _move(self, entry: Entry) -> Move:
        facts, at = entry.facts, datetime.fromisoformat(entry.at)
        if entry.kind == Lapsed.kind:
            return Late(task=str(facts["task"]))
        if entry.kind == FindingOpened.kind:
            return Told(finding=str(facts["finding"]))
        sealed = self._reader.unseal(entry)
        by, words = str(sealed["actor"]), str(sealed["words"])
        if entry.kind == FindingEnded.kind:
            how = Disposition(str(facts["outcome"]))
            return Closed(finding=str(facts["finding"]), disposition=how, at=at, by=by, words=words)
        return Done(task=str(facts["task"]), outcome=Outcome(str(facts["outcome"])), at=at, by=by, words=words)
