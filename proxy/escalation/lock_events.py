"""What the log says of locks: each before it takes effect, and whole, so that a lost store is made anew from it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

from proxy.audit.event import Event, Party
from proxy.escalation.locks import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.event import Json
    from proxy.escalation.locks import Ending, Lock

_PARTY: Final[Mapping[Kind, str]] = {
    Kind.PRINCIPAL: "officer",
    Kind.TERMINAL: "terminal",
    Kind.CASE: "case",
    Kind.GRANT: "escalation",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LockAdded(Event):
    """Somebody is about to lock something."""

    kind: ClassVar[str] = "lock-added"
    lock: Lock

    def facts(self) -> Mapping[str, Json]:
        """Return what kind of lock, by what role, and until when."""
        lock = self.lock
        return {
            "lock": lock.id,
            "lock_kind": lock.kind,
            "agency": lock.agency,
            "role": lock.role,
            "until": lock.until.isoformat() if lock.until else None,
        }

    def parties(self) -> Iterable[Party]:
        """Return who locks, and whom or what."""
        yield Party("actor", self.lock.by)
        yield _locked(self.lock)

    def sealed(self) -> Mapping[str, Json]:
        """Return the whole lock."""
        lock = self.lock
        until = lock.until.isoformat() if lock.until else None
        return {**asdict(lock), "kind": str(lock.kind), "created_at": lock.created_at.isoformat(), "until": until}


@dataclass(frozen=True, slots=True, kw_only=True)
class LockEnded(Event):
    """A lock is about to end: it is lifted by a person, or ``clock`` ends it at its time. ``confirmed`` is how surely."""

    kind: ClassVar[str] = "lock-ended"
    lock: Lock
    ending: Ending
    confirmed: Mapping[str, Json] = field(default_factory=dict)
    evidence: Mapping[str, Json] = field(default_factory=dict)

    def facts(self) -> Mapping[str, Json]:
        """Return which lock, and by what role."""
        step_up: dict[str, Json] = {"step_up": dict(self.confirmed)} if self.confirmed else {}
        return {"lock": self.lock.id, "lock_kind": self.lock.kind, "role": self.ending.role, **step_up}

    def parties(self) -> Iterable[Party]:
        """Return who lifts, who locked, and whom or what."""
        yield Party("actor", self.ending.by)
        yield Party("locker", self.lock.by)
        yield _locked(self.lock)

    def sealed(self) -> Mapping[str, Json]:
        """Return the whole end, the lock's id with it, and what was signed."""
        ending = {**asdict(self.ending), "at": self.ending.at.isoformat()}
        return {"lock": self.lock.id, "ending": ending, **({"step_up": dict(self.evidence)} if self.evidence else {})}


def _locked(lock: Lock) -> Party:
    """Return whom or what a lock stops, as the entries of queries have them."""
    if lock.kind is not Kind.SUBJECT:
        return Party(_PARTY[lock.kind], lock.target if lock.kind is Kind.PRINCIPAL else lock.named)
    where, _, name = lock.target.partition("/")
    return Party("subject" if where == "entry" else "person_id", name)
