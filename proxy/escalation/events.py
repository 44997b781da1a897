"""What the log says of an escalation: every move with its actor, before it takes effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from proxy.audit.event import Event, Party
from proxy.audit.owed import Owed, owing
from proxy.escalation.lifecycle import Move

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.event import Json
    from proxy.escalation.lifecycle import Escalation
    from proxy.identity.stepup import Assurance


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
class SubjectRevealed(Event):
    """Somebody who may decide is about to see whom an escalation is about, because they said why they have to."""

    kind: ClassVar[str] = "subject-revealed"
    escalation: Escalation
    actor: str
    reason: str

    def facts(self) -> Mapping[str, Json]:
        """Return which escalation, and of how many people."""
        return {"escalation": self.escalation.id, "count": len(self.escalation.asked.subjects)}

    def parties(self) -> Iterable[Party]:
        """Return who looks, whose query it is, under which case, and at whom."""
        yield Party("actor", self.actor)
        yield Party("officer", self.escalation.asked.person)
        yield Party("case", self.escalation.asked.case)
        for subject in self.escalation.asked.subjects:
            yield Party("subject", subject)

    def sealed(self) -> Mapping[str, Json]:
        """Return who looks, in clear, and the reason in words."""
        return {"actor": self.actor, "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationMove(Event):
    """An escalation is about to move; ``actor`` is a person, or ``clock`` for an expiry.

    Where more people have to agree, an approval leaves it pending; ``approvals`` counts them, this one included. Who stands in
    for somebody decides ``on_behalf_of`` them, with their ``role`` and ``rank``; the entry has both names. An addition to the
    statement makes approvals given before it void; ``reason`` holds it, or the question that it answers.
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
    assurance: Assurance | None = None

    def facts(self) -> Mapping[str, Json]:
        """Return the move, and how surely it was its actor's."""
        assurance: dict[str, Json] = {} if self.assurance is None else {"assurance": self.assurance.facts()}
        return assurance | {
            "escalation": self.escalation.id,
            "move": self.move,
            "from": str(self.escalation.state),
            "to": self.to,
            "role": self.role,
            **({"rank": self.rank} if self.rank else {}),
            **({"delegated": True} if self.on_behalf_of else {}),
            "approvals": self.approvals,
            **({"void": len(self.escalation.approvals)} if self.move == Move.AMEND else {}),
        }

    def parties(self) -> Iterable[Party]:
        """Return who moved it, whose it is, and under which case."""
        yield Party("actor", self.actor)
        if self.on_behalf_of:
            yield Party("actor", self.on_behalf_of)
        yield Party("officer", self.escalation.asked.person)
        yield Party("case", self.escalation.asked.case)

    def sealed(self) -> Mapping[str, Json]:
        """Return the actor in clear, the reason in words, and what proves a confirmation."""
        evidence: dict[str, Json] = self.assurance.sealed() if self.assurance is not None else {}
        behalf: dict[str, Json] = {"on_behalf_of": self.on_behalf_of} if self.on_behalf_of else {}
        return {"actor": self.actor, "reason": self.reason, **behalf, **({"step_up": evidence} if evidence else {})}
