"""What the log says before anything is forwarded: the facts of CJIS AU-3(1), the purpose, and the row that ruled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from proxy.audit.event import Event, Party
from proxy.audit.lot import SAMPLE
from proxy.audit.owed import owing
from proxy.policy.shadow import kind_of
from proxy.registry.forms import all_of
from proxy.registry.protection import explained

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proxy.audit.event import Json
    from proxy.audit.owed import Owed
    from proxy.identity.principal import Principal
    from proxy.inquiry.inquiry import Inbound, Inquiry
    from proxy.policy.decision import Facts, Ruling
    from proxy.purpose.purpose import VerifiedPurpose
    from proxy.registry.protection import Recognition


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided(Event):
    """A query was ruled on. ``forward`` tells whether it goes upstream: exactly one terminal entry then follows.

    ``shown`` is the outcome that the terminal is shown: another than the ruling's where somebody is concealed. ``met`` is how
    often the principal has met somebody protected of these lately, by whatever road. ``owed`` is what somebody has to do
    afterwards, and ``approved_by`` are those who agreed: none of them reviews it. ``shadow`` is what a candidate policy would
    have ruled otherwise. ``glass`` says how surely it was the officer who broke the glass, None where nobody did; ``evidence``
    is what proves it. ``sample`` is of how many answers one is drawn for review, 0 where none is.
    """

    kind: ClassVar[str] = "decided"
    inbound: Inbound
    principal: Principal
    verified: VerifiedPurpose
    inquiry: Inquiry
    recognition: Recognition
    asked: Facts
    ruling: Ruling
    policy_version: str
    destination: str
    forward: bool
    shown: str
    escalation: str = ""
    met: int = 0
    owed: tuple[Owed, ...] = ()
    approved_by: tuple[str, ...] = ()
    shadow: Mapping[str, Json] | None = None
    glass: Mapping[str, Json] | None = None
    evidence: Mapping[str, Json] | None = None
    sample: int = 0

    def facts(self) -> Mapping[str, Json]:
        """Return what may lie open: closed words, the policy's row and version, sizes, and where it went."""
        purpose = self.verified.purpose
        facts: dict[str, Json] = {
            "forward": self.forward,
            "outcome": self.ruling.outcome,
            "shown": self.shown,
            "rule": self.ruling.rule,
            "policy": self.policy_version,
            "action": self.inquiry.action,
            "route": self.inquiry.route.id,
            "purpose": purpose.code,
            "permissible_use": self.verified.permissible_use,
            "derived": purpose.derived,
            "standing": self.verified.standing,
            **self._of_case(),
            "category": self.asked.category,
            "relation": self.asked.relation,
            "approval": self.asked.approval,
            "role": self.principal.role,
            "agency": self.principal.agency,
            "recipient": purpose.recipient is not None,
            "location": purpose.location is not None,
            "root": purpose.root,
            "reuse": self.verified.reuse,
            "destination": self.destination,
            "criteria": tuple(sorted(self.inquiry.criteria)),
            "roads": tuple(sorted({road for protection in self.recognition.protections for road in protection.matched})),
            "met": self.met,
            "notify": self.ruling.notify,
            "bytes_in": self.inquiry.bytes_in,
            "methods": self.principal.methods,
            "escalation": self.escalation,
            **owing(self.owed),
        }
        # What a later policy would make of it can only be told from everybody concerned, and from what was masked.
        kind = kind_of(self.asked, self.recognition, self.ruling)
        if len(kind.categories) > 1 or len(kind.relations) > 1:
            facts |= {"categories": kind.categories, "relations": kind.relations}
        if kind.masked:
            facts["masked"] = kind.masked
        if self.shadow is not None:
            facts["shadow"] = dict(self.shadow)
        if self.verified.purpose.exigent is not None:
            facts["exigent"] = True
        if self.glass is not None:
            facts |= {"break_glass": True, "assurance": dict(self.glass)}
        if self.sample:
            facts[SAMPLE] = self.sample
        return facts

    def _of_case(self) -> dict[str, Json]:
        """Return how old what was known of the case is, when it was not asked for just now, and whom it lets be asked about."""
        case = self.verified.case
        found: dict[str, Json] = {"subject_on_case": True} if self.verified.subject_on_case else {}
        if case is not None and case.age:
            found |= {"case_age_s": round(case.age, 1), "case_stale": case.stale}
        return found

    def parties(self) -> Iterable[Party]:
        """Return who asked, from where, under which case, on whose behalf, and about whom."""
        yield Party("officer", self.principal.person)
        yield Party("terminal", self.principal.terminal)
        yield Party("source", self.inbound.source)
        yield Party("case", self.verified.purpose.case)
        if self.verified.purpose.requestor:
            yield Party("requestor", self.verified.purpose.requestor)
        if self.verified.purpose.recipient:
            yield Party("recipient", self.verified.purpose.recipient)
        for approver in self.approved_by:
            yield Party("approver", approver)
        for protection in self.recognition.protections:
            yield Party("subject", protection.entry)
        for kind, known in all_of(self.inquiry.criteria):
            yield Party(kind, known)

    def sealed(self) -> Mapping[str, Json]:
        """Return the people and the words of the query."""
        purpose = self.verified.purpose
        return {
            "operator": self.principal.person,
            "unit": self.principal.unit,
            "terminal": self.principal.terminal,
            "source": self.inbound.source,
            "case": purpose.case,
            "statement": purpose.statement,
            "requestor": purpose.requestor,
            "recipient": purpose.recipient,
            "location": purpose.location,
            "method": self.inquiry.outbound.method,
            "object": self.inquiry.outbound.target,
            "criteria": {kind: list(values) for kind, values in self.inquiry.criteria.items()},
            "recognized": explained(self.recognition.protections),
            "partial": dict(self.inquiry.partial),
            "approved_by": list(self.approved_by),
            **({"exigent": purpose.exigent} if purpose.exigent is not None else {}),
            **({"assurance": dict(self.evidence)} if self.evidence else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained(Event):
    """Somebody asked what would be decided about a query; the answer can tell who is protected, so it is remembered."""

    kind: ClassVar[str] = "explained"
    actor: str
    principal: Principal
    action: str
    target: str
    case: str
    recognition: Recognition
    ruling: Ruling

    def facts(self) -> Mapping[str, Json]:
        """Return what would have been decided."""
        return {"action": self.action, "outcome": self.ruling.outcome, "rule": self.ruling.rule, "role": self.principal.role}

    def parties(self) -> Iterable[Party]:
        """Return who asked the command, about whose query, under which case and about whom."""
        yield Party("actor", self.actor)
        yield Party("officer", self.principal.person)
        yield Party("case", self.case)
        for protection in self.recognition.protections:
            yield Party("subject", protection.entry)

    def sealed(self) -> Mapping[str, Json]:
        """Return the words of the question."""
        return {"actor": self.actor, "person": self.principal.person, "case": self.case, "object": self.target}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused(Event):
    """A query ended before it was ruled on, or was refused by the ruling's consequences; ``lock`` is what stopped it.

    ``case``, ``criteria`` and ``recognition`` are what was understood of it by then: an attempt to look at somebody is one.
    """

    kind: ClassVar[str] = "refused"
    problem: str
    inbound: Inbound
    principal: Principal | None
    action: str
    policy_version: str
    duration_ms: float
    suppressed: int = 0
    lock: str = ""
    case: str = ""
    criteria: Mapping[str, Sequence[str]] = field(default_factory=dict)
    recognition: Recognition | None = None

    def facts(self) -> Mapping[str, Json]:
        """Return why; ``suppressed`` counts the refusals before this one that were not written one by one."""
        return {
            "problem": self.problem,
            "action": self.action,
            "policy": self.policy_version,
            "role": self.principal.role if self.principal else None,
            "agency": self.principal.agency if self.principal else None,
            "bytes_in": len(self.inbound.body),
            "duration_ms": self.duration_ms,
            "suppressed": self.suppressed,
            **({"lock": self.lock} if self.lock else {}),
        }

    def parties(self) -> Iterable[Party]:
        """Return who asked, under which case and about whom, as far as that is known."""
        yield Party("source", self.inbound.source)
        if self.principal is not None:
            yield Party("officer", self.principal.person)
            yield Party("terminal", self.principal.terminal)
        if self.case:
            yield Party("case", self.case)
        for protection in self.recognition.protections if self.recognition is not None else ():
            yield Party("subject", protection.entry)
        for kind, known in all_of(self.criteria):
            yield Party(kind, known)

    def sealed(self) -> Mapping[str, Json]:
        """Return the request as it came, bounded: a refused query is evidence too."""
        purposes = [value for name, value in self.inbound.headers if name.lower() == "query-purpose"]
        return {
            "operator": self.principal.person if self.principal else None,
            "source": self.inbound.source,
            "method": self.inbound.method[:16],
            "target": self.inbound.target[:2048],
            "purpose": [value[:2048] for value in purposes[:2]],
        }
