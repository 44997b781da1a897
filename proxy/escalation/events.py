"""What the log says of an escalation: every move with its actor, before it takes effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from proxy.audit.event import Event, Party
from proxy.audit.owed import Owed, owing
from proxy.clock import stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.event import Json
    from proxy.escalation.delegation import Delegation
    from proxy.escalation.lifecycle import Escalation


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalated(Event):
    """An escalation was opened; ``owed`` says who has to hear of it, where nobody who may decide is on duty."""

    kind: ClassVar[str] = "escalated"
    escalation: Escalation
    owed: tuple[Owed, ...] = ()

    def facts(self) -> Mapping[str, Json]:
        """Return which row escalated, for what."""
        asked = self.escalation.asked
        return {
            "escalation": self.escalation.id,
            "agency": asked.agency,
            "action": asked.action,
            "purpose": asked.purpose,
            "rule": asked.rule,
            "categories": asked.categories,
            "relations": asked.relations,
            "policy": asked.policy_version,
            "demands": tuple(demand.fact() for demand in asked.demands),
            **owing(self.owed),
        }

    def parties(self) -> Iterable[Party]:
        """Return who asked, under which case, about which registry entries."""
        asked = self.escalation.asked
        yield Party("officer", asked.person)
        yield Party("case", asked.case)
        for subject in asked.subjects:
            yield Party("subject", subject)

    def sealed(self) -> Mapping[str, Json]:
        """Return what whoever has to take note of it is shown, by the names that a decision's entry has."""
        if not self.owed:
            return {}
        asked = self.escalation.asked
        return {
            "operator": asked.person,
            "terminal": asked.terminal,
            "case": asked.case,
            "statement": asked.statement,
            "criteria": {kind: list(values) for kind, values in asked.criteria.items()},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationMove(Event):
    """An escalation is about to move; ``actor`` is a person, or ``clock`` for an expiry.

    Where more people have to agree, an approval leaves it pending; ``approvals`` counts them, this one included. Who stands in
    for somebody decides ``on_behalf_of`` them, with their ``role`` and ``rank``; the entry has both names.
    """

    kind: ClassVar[str] = "escalation-move"
    escalation: Escalation
    move: str
    to: str
    actor: str
    reason: str = ""
    role: str = ""
    rank: str = ""
    on_behalf_of: str = ""
    approvals: int = 0

    def facts(self) -> Mapping[str, Json]:
        """Return the move."""
        return {
            "escalation": self.escalation.id,
            "move": self.move,
            "from": str(self.escalation.state),
            "to": self.to,
            "role": self.role,
            **({"rank": self.rank} if self.rank else {}),
            **({"delegated": True} if self.on_behalf_of else {}),
            "approvals": self.approvals,
        }

    def parties(self) -> Iterable[Party]:
        """Return who moved it, whose it is, and under which case."""
        yield Party("actor", self.actor)
        if self.on_behalf_of:
            yield Party("actor", self.on_behalf_of)
        yield Party("officer", self.escalation.asked.person)
        yield Party("case", self.escalation.asked.case)

    def sealed(self) -> Mapping[str, Json]:
        """Return the actor in clear and the reason in words."""
        behalf = {"on_behalf_of": self.on_behalf_of} if self.on_behalf_of else {}
        return {"actor": self.actor, "reason": self.reason, **behalf}


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
