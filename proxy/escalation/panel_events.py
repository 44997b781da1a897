"""What the log says of who stands in for whom, and of the duty roster: before it takes effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from proxy.audit.event import Event, Party
from proxy.clock import stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.event import Json
    from proxy.escalation.delegation import Delegation


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegated(Event):
    """Somebody is about to have another person stand in for them."""

    kind: ClassVar[str] = "delegated"
    delegation: Delegation

    def facts(self) -> Mapping[str, Json]:
        """Return which delegation, of which role, for how long."""
        delegation = self.delegation
        return {
            "delegation": delegation.id,
            "agency": delegation.agency,
            "role": delegation.role,
            "starts_at": stamp(delegation.starts_at),
            "ends_at": stamp(delegation.ends_at),
        }

    def parties(self) -> Iterable[Party]:
        """Return both."""
        yield Party("actor", self.delegation.delegator)
        yield Party("officer", self.delegation.delegate)

    def sealed(self) -> Mapping[str, Json]:
        """Return both names."""
        return {"actor": self.delegation.delegator, "delegate": self.delegation.delegate}


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationEnded(Event):
    """One of the two is about to end it before its time."""

    kind: ClassVar[str] = "delegation-ended"
    delegation: Delegation
    actor: str

    def facts(self) -> Mapping[str, Json]:
        """Return which delegation."""
        return {"delegation": self.delegation.id, "agency": self.delegation.agency, "role": self.delegation.role}

    def parties(self) -> Iterable[Party]:
        """Return who ended it, and both."""
        yield Party("actor", self.actor)
        yield Party("officer", self.delegation.delegate)
        yield Party("officer", self.delegation.delegator)

    def sealed(self) -> Mapping[str, Json]:
        """Return the names."""
        return {"actor": self.actor, "delegator": self.delegation.delegator, "delegate": self.delegation.delegate}


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterImported(Event):
    """The duty roster was replaced."""

    kind: ClassVar[str] = "roster-imported"
    shifts: int
    persons: int
    by: str

    def facts(self) -> Mapping[str, Json]:
        """Return how many turns of duty, of how many people."""
        return {"shifts": self.shifts, "persons": self.persons}

    def parties(self) -> Iterable[Party]:
        """Return who did it."""
        yield Party("actor", self.by)

    def sealed(self) -> Mapping[str, Json]:
        """Return who did it, in clear."""
        return {"actor": self.by}
