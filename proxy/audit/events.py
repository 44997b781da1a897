"""What the log says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from proxy.audit.event import Event, Party

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.event import Json

INVESTIGATING: Final = frozenset({"log-read", "log-searched", "leak-traced", "leads-shown", "export-begun", "exported"})
"""Kinds that say who looks into the log, and about whom: to be asked about is nothing that somebody did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Event):
    """A node began to answer. Every orphan before this entry has been closed."""

    kind: ClassVar[str] = "started"
    version: str
    policy: str
    orphans: int = 0
    torn_bytes: int = 0
    sample: str = ""
    heartbeat: float = 0

    def facts(self) -> Mapping[str, Json]:
        """Return which program and policy, orphans closed, what recovery cut off, the lot's commitment, the heart's beat."""
        return {
            "version": self.version,
            "policy": self.policy,
            "orphans": self.orphans,
            "torn_bytes": self.torn_bytes,
            **({"sample": self.sample} if self.sample else {}),
            **({"heartbeat": self.heartbeat} if self.heartbeat else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(Event):
    """A node stopped in good order. A ``started`` that follows no ``stopped`` follows a crash."""

    kind: ClassVar[str] = "stopped"
    reason: str

    def facts(self) -> Mapping[str, Json]:
        """Return why: ``signal``, ``end`` …."""
        return {"reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRead(Event):
    """Somebody reads sealed parts of the log, or of an older one (``log``); recorded before they see them."""

    kind: ClassVar[str] = "log-read"
    operator: str
    case: str
    statement: str
    first: int
    count: int = 1
    log: str = ""

    def facts(self) -> Mapping[str, Json]:
        """Return which entries, and of which log where it is not this one."""
        return {"first": self.first, "count": self.count, **({"log": self.log} if self.log else {})}

    def parties(self) -> Iterable[Party]:
        """Return who read, and under which case."""
        yield Party("officer", self.operator)
        yield Party("case", self.case)

    def sealed(self) -> Mapping[str, Json]:
        """Return who, and the reason in words."""
        return {"operator": self.operator, "case": self.case, "statement": self.statement}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRejected(Event):
    """A queued event was altered in the store, or put there by somebody without the body key. It was not recorded."""

    kind: ClassVar[str] = "outbox-rejected"
    outbox: str
    claimed: str

    def facts(self) -> Mapping[str, Json]:
        """Return which row, and a fingerprint of what it claimed to be."""
        return {"rejected": self.outbox, "claimed": self.claimed}
