"""Legal holds: what must neither be pruned nor shredded, on whose order, until another person lifts it.

A hold is an entry of the log and nothing else, so nobody takes one away but by another entry. It covers a case, a person or
thing by one of its identifiers, or a stretch of entries; of a query all entries, and itself. Whether it covers an entry is
told by the entry's tokens, in every epoch whose index key is still here; what cannot be told is covered. Where a log goes on
under another name, that one states again what is in force.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Final

from proxy.audit.entry import EntryUnreadable, decode, prefix
from proxy.audit.event import Event, Party
from proxy.audit.sealing import SealBroken
from proxy.tlog.errors import LogDamaged
from proxy.tlog.store import SegmentReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from proxy.audit.entry import Entry
    from proxy.audit.event import Json
    from proxy.audit.sealing import Sealer

MIN_ORDER: Final = 8


class HoldRefused(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """The hold cannot be set or lifted like this; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What is held: everything of ``kind`` and ``value``, or the entries from ``first`` to ``last``.

    ``of`` is the entry, as ORIGIN/INDEX, by which it was set in an earlier log that this one goes on from; its stretch of
    entries is one of that log.
    """

    id: str
    order: str
    by: str
    kind: str = ""
    value: str = ""
    first: int = -1
    last: int = -1
    of: str = ""
    index: int = -1
    at: str = ""

    def __post_init__(self) -> None:
        """Refuse one that says nothing.

        Raises:
            HoldRefused: it names nothing, or no order.
        """
        if len(self.order.strip()) < MIN_ORDER:
            raise HoldRefused("The hold names no order: say by which letter, motion or order of a court it is set.")
        if bool(self.kind and self.value) is (0 <= self.first <= self.last):
            raise HoldRefused("A hold covers either a case, a person or a thing, or a stretch of entries.")

    def spans(self, index: int) -> bool:
        """Tell whether an entry of this log is in its stretch."""
        return not self.of and self.first <= index <= self.last

    @property
    def covers(self) -> str:
        """Return in words what it covers; never whom."""
        stretch = f"entries {self.first} to {self.last}"
        return self.kind or (f"{stretch} of {self.of.rpartition('/')[0]}" if self.of else stretch)


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldSet(Event):
    """Somebody sets a legal hold; from here on nothing that it covers is pruned or shredded."""

    kind: ClassVar[str] = "hold-set"
    hold: Hold

    def facts(self) -> Mapping[str, Json]:
        """Return which hold, and what kind of thing it covers; never whom."""
        hold = self.hold
        said: dict[str, Json] = {"hold": hold.id, "covers": hold.kind or "entries", "first": hold.first, "last": hold.last}
        return said | ({"of": hold.of} if hold.of else {})

    def parties(self) -> Iterable[Party]:
        """Return who set it, and what it covers."""
        yield Party("actor", self.hold.by)
        if self.hold.kind:
            yield Party(self.hold.kind, self.hold.value)

    def sealed(self) -> Mapping[str, Json]:
        """Return the whole hold."""
        return {"operator": self.hold.by, "order": self.hold.order, "value": self.hold.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldLifted(Event):
    """Another person lifts a hold."""

    kind: ClassVar[str] = "hold-lifted"
    hold: str
    operator: str
    order: str

    def facts(self) -> Mapping[str, Json]:
        """Return which hold."""
        return {"hold": self.hold}

    def parties(self) -> Iterable[Party]:
        """Return who lifted it."""
        yield Party("actor", self.operator)

    def sealed(self) -> Mapping[str, Json]:
        """Return who, and by which order."""
        return {"operator": self.operator, "order": self.order}


@dataclass(slots=True)
class Holds:
    """The holds that are in force, and what they cover."""

    active: Sequence[Hold]
    _epochs: frozenset[str] = frozenset()
    _tokens: dict[bytes, list[tuple[Hold, str]]] = field(default_factory=dict)
    _queries: dict[str, Hold] = field(default_factory=dict)

    @classmethod
    def of(cls, directory: Path, sealer: Sealer) -> Holds:
        """Read them from the log, and find what they cover; some microseconds for each entry.

        Raises:
            LogDamaged, EntryUnreadable, SealBroken: a hold cannot be read, so nobody can tell what it covers.
        """
        holds = cls(active=list(_in_force(directory, sealer)), _epochs=sealer.epochs)
        for hold in holds.active:
            if hold.kind:
                for token in sealer.searches(hold.kind, hold.value).values():
                    holds._tokens.setdefault(token.encode(), []).append((hold, token))
        if holds.active:
            holds._gather(directory)
        return holds

    def _gather(self, directory: Path) -> None:
        """Remember the queries of which any entry is covered: then all of its entries are."""
        for index, content in SegmentReader(directory).entries():
            if any(token in content for token in self._tokens) or any(hold.spans(index) for hold in self.active):
                entry = decode(index, content)
                hold = self._own(entry)
                if hold is not None and entry.about:
                    self._queries.setdefault(entry.about, hold)

    def covering(self, entry: Entry) -> Hold | None:
        """Return a hold that covers an entry, or None."""
        return self._own(entry) or self._queries.get(entry.about or "-")

    def named(self, entry: Entry) -> str | None:
        """Return the id of a hold that covers an entry, or None."""
        hold = self.covering(entry)
        return hold.id if hold is not None else None

    def _own(self, entry: Entry) -> Hold | None:
        for hold in self.active:
            if hold.spans(entry.index) or entry.index == hold.index:
                return hold
            if hold.kind and entry.parties and entry.epoch not in self._epochs:
                return hold  # nobody can tell any more whom it is about
        for known in self._tokens.values():
            for hold, token in known:
                if token in entry.parties.get(hold.kind, ()):
                    return hold
        return None

    def find(self, hold_id: str, operator: str) -> Hold:
        """Return the hold that somebody wants to lift.

        Raises:
            HoldRefused: it is not in force, or it was they who set it.
        """
        hold = next((each for each in self.active if each.id == hold_id), None)
        if hold is None:
            raise HoldRefused("There is no such hold in force.")
        if hold.by == operator:
            raise HoldRefused("Another person than who set a hold lifts it.")
        return hold


def carried(directory: Path, sealer: Sealer, origin: str) -> tuple[Sequence[Hold], Sequence[str]]:
    """Return the holds in force of a log that is at its end, as the next log states them; and what cannot be read, in words.

    The log may be damaged: that is why another one goes on. What can be read of it counts.
    """
    found: dict[str, Hold] = {}
    unread: list[str] = []
    try:
        for entry in _told(directory):
            try:
                _follow(found, entry, sealer)
            except SealBroken as error:
                unread.append(f"the hold of {origin}/{entry.index}: {error}")
    except (LogDamaged, EntryUnreadable) as error:
        unread.append(f"whether there are more: {error}")
    return [replace(hold, of=hold.of or f"{origin}/{hold.index}", index=-1, at="") for hold in found.values()], unread


def _in_force(directory: Path, sealer: Sealer) -> Iterable[Hold]:
    found: dict[str, Hold] = {}
    for entry in _told(directory):
        _follow(found, entry, sealer)
    return found.values()


def _told(directory: Path) -> Iterator[Entry]:
    wanted = (prefix(HoldSet.kind), prefix(HoldLifted.kind))
    return (decode(*stored) for stored in SegmentReader(directory).stored() if stored.entry.startswith(wanted))


def _follow(found: dict[str, Hold], entry: Entry, sealer: Sealer) -> None:
    if entry.kind == HoldLifted.kind:
        found.pop(str(entry.facts["hold"]), None)
    else:
        hold = _read(entry, entry.unseal(sealer))
        found[hold.id] = hold


def _read(entry: Entry, sealed: Mapping[str, Json]) -> Hold:
    covers, first, last = entry.facts["covers"], entry.facts["first"], entry.facts["last"]
    return Hold(
        id=str(entry.facts["hold"]),
        order=str(sealed["order"]),
        by=str(sealed["operator"]),
        kind="" if covers == "entries" else str(covers),
        value=str(sealed["value"]),
        first=first if isinstance(first, int) else -1,
        last=last if isinstance(last, int) else -1,
        of=str(entry.facts.get("of", "")),
        index=entry.index,
        at=entry.at,
    )
