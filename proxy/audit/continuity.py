"""What the log says of its own going on: that it still writes, who has not witnessed it, where it began, and with whose key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from proxy.audit.event import Event, Party

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proxy.audit.entry import Entry
    from proxy.audit.event import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(Event):
    """Nothing else was written for ``every`` seconds. Where neither this nor another entry follows, somebody was silent."""

    kind: ClassVar[str] = "heartbeat"
    every: float

    def facts(self) -> Mapping[str, Json]:
        """Return the interval."""
        return {"every": self.every}


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowOpened(Event):
    """Witnesses have been silent for too long: entries from ``cosigned`` on are in nobody's memory but this log's own."""

    kind: ClassVar[str] = "unwitnessed-since"
    cosigned: int
    released: bool
    trouble: str = ""

    def facts(self) -> Mapping[str, Json]:
        """Return from which entry on, and whether answers are released all the same."""
        return {"cosigned": self.cosigned, "released": self.released}

    def sealed(self) -> Mapping[str, Json]:
        """Return what the witnesses said, in words."""
        return {"trouble": self.trouble}


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowClosed(Event):
    """A quorum has signed again, for all entries of the window."""

    kind: ClassVar[str] = "witnessed-again"
    since: int
    cosigned: int
    seconds: float

    def facts(self) -> Mapping[str, Json]:
        """Return from which entry to which, and how long it took."""
        return {"since": self.since, "cosigned": self.cosigned, "seconds": self.seconds}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwitnessed(Event):
    """No quorum had signed for entry ``entry`` in time: what it says was ``released`` all the same, or never left.

    It follows the entry that it corrects: whoever reads an end of a query looks for this one too (``unreleased_by``).
    """

    kind: ClassVar[str] = "unwitnessed"
    entry: int
    released: bool

    def facts(self) -> Mapping[str, Json]:
        """Return which entry, and what became of the answer."""
        return {"entry": self.entry, "released": self.released}


def unreleased_by(entry: Entry) -> tuple[int, ...]:
    """Return the earlier entry of which this one says that what it tells of never left; none, if it says no such thing."""
    facts = entry.facts
    number = facts.get("entry") if entry.kind == Unwitnessed.kind and facts.get("released") is False else None
    return (number,) if type(number) is int and number < entry.index else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginOpened(Event):
    """The first entry of a log that goes on where another could not; the other one's last checkpoint is bound into it.

    ``holds`` counts the legal holds of the other one that are stated again behind this entry, ``unread`` says what of them
    could not be read.
    """

    kind: ClassVar[str] = "origin-opened"
    origin: str
    size: int
    checkpoint: str
    operator: str
    reason: str
    holds: int = 0
    unread: Sequence[str] = ()

    def facts(self) -> Mapping[str, Json]:
        """Return the old log's name, the last it has signed, and how many of its holds go on."""
        said: dict[str, Json] = {"origin": self.origin, "size": self.size, "checkpoint": self.checkpoint}
        return said | {"holds": self.holds, "holds_unread": list(self.unread)}

    def parties(self) -> Iterable[Party]:
        """Return who did it."""
        yield Party("officer", self.operator)

    def sealed(self) -> Mapping[str, Json]:
        """Return who, and why in words."""
        return {"operator": self.operator, "reason": self.reason}


def older_of(first: Entry) -> str:
    """Return the origin of the log that a log goes on from by its first entry, or nothing."""
    return str(first.facts.get("origin", "")) if first.kind == OriginOpened.kind else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotated(Event):
    """The log's key changes with this entry; ``statement`` is signed by the old key and by the new one."""

    kind: ClassVar[str] = "checkpoint-key"
    statement: str
    operator: str

    def facts(self) -> Mapping[str, Json]:
        """Return the statement."""
        return {"statement": self.statement}

    def parties(self) -> Iterable[Party]:
        """Return who did it."""
        yield Party("officer", self.operator)

    def sealed(self) -> Mapping[str, Json]:
        """Return who."""
        return {"operator": self.operator}
