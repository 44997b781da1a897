"""The life of an escalation: a table of states and moves, and what a grant is bound to.

An approval is not a bearer grant. It is bound to principal, case, purpose, statement, action, criteria, recognized subjects,
the fields that it releases and the policy's version; it is redeemed once, and only by a fresh evaluation of policy (AuthZEN
Access Request and Approval Profile, draft 1: "approval only permits a new evaluation").
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import orjson

from proxy.identity.principal import persons_said
from proxy.policy.decision import seats, suffice
from proxy.policy.seats import filled
from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from proxy.audit.event import Json
    from proxy.policy.decision import Demand


class EscalationRequired(Refusal):
    """A supervisor has to agree; the extras hold the escalation and when to ask again."""


class EscalationRefused(Refusal):
    """A supervisor said no; the detail holds the reason."""


class GrantSpent(Refusal):
    """The grant was redeemed already: it answers once."""


class GrantMismatch(Refusal):
    """The grant was given under another policy version, or for other subjects."""


class EscalationUnknown(Refusal):
    """There is no such escalation, or it is none of theirs: the two are not told apart."""


class EscalationMoved(Refusal):
    """The escalation is not in a state that allows this move."""


class ApproverIneligible(Refusal):
    """This person may not decide this escalation."""


class ReasonMissing(Refusal):
    """A decision needs its reason in words."""


class BudgetSpent(Refusal):
    """Too many of something are open already."""


class State(StrEnum):
    """Where an escalation stands."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"
    CANCELED = "canceled"
    REDEEMED = "redeemed"
    REVOKED = "revoked"


class Move(StrEnum):
    """What can be done to one."""

    APPROVE = "approve"
    REFUSE = "refuse"
    EXPIRE = "expire"
    CANCEL = "cancel"
    REDEEM = "redeem"
    REVOKE = "revoke"
    ASK = "ask"
    AMEND = "amend"


MOVES: Final[Mapping[tuple[State, Move], State]] = {
    (State.PENDING, Move.APPROVE): State.APPROVED,
    (State.PENDING, Move.REFUSE): State.REFUSED,
    (State.PENDING, Move.EXPIRE): State.EXPIRED,
    (State.PENDING, Move.CANCEL): State.CANCELED,
    (State.PENDING, Move.ASK): State.PENDING,
    (State.PENDING, Move.AMEND): State.PENDING,
    (State.APPROVED, Move.REDEEM): State.REDEEMED,
    (State.APPROVED, Move.EXPIRE): State.EXPIRED,
    (State.APPROVED, Move.CANCEL): State.CANCELED,
    (State.APPROVED, Move.REVOKE): State.REVOKED,
}
"""What is absent is illegal."""

PARTICIPLES: Final[Mapping[Move, str]] = {
    Move.APPROVE: "approved",
    Move.REFUSE: "refused",
    Move.EXPIRE: "expired",
    Move.CANCEL: "canceled",
    Move.REDEEM: "redeemed",
    Move.REVOKE: "taken back",
    Move.ASK: "asked about",
    Move.AMEND: "added to",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The query that escalated, as far as a supervisor and a later redemption need it.

    ``records`` are the identifiers of the reply's records that wait, by kind, where only the reply told whom it is about;
    ``recognized`` says why each subject is taken to be meant (``protection.explained``).
    ``requestor`` is on whose behalf it is asked, and ``recipient`` who will be given the answer, as the officer said.
    ``route`` is the id of what it asks of the records server: two routes may serve one action.
    ``partial`` what narrowed the query and is no criterion, by parameter. All of ``demands`` have to be met. ``fields`` are the
    names of what would be released, and nothing else is.
    """

    person: str
    agency: str
    role: str
    terminal: str
    case: str
    purpose: str
    statement: str
    action: str
    criteria: Mapping[str, Sequence[str]]
    categories: tuple[str, ...]
    subjects: tuple[str, ...]
    relations: tuple[str, ...]
    rule: str
    because: str
    policy_version: str
    route: str
    records: Sequence[Mapping[str, Sequence[str]]] = ()
    recognized: Sequence[Json] = ()
    partial: Mapping[str, str] = field(default_factory=dict)
    demands: tuple[Demand, ...] = ()
    fields: tuple[str, ...] = ()
    requestor: str = ""
    recipient: str = ""

    @property
    def askers(self) -> tuple[str, ...]:
        """Return who asks, and whom they name as the ones for whom."""
        return tuple(dict.fromkeys((self.person, *persons_said(self.requestor, self.recipient))))

    def fingerprint(self, key: bytes) -> str:
        """Return the keyed digest by which the same query is known again (criteria are guessable, so never a plain hash)."""
        criteria = {kind: sorted(values) for kind, values in self.criteria.items()}
        material = orjson.dumps(
            [self.person, self.agency, self.role, self.case, self.purpose, self.route, self.action, criteria, self.partial],
            option=orjson.OPT_SORT_KEYS,
        )
        return hmac.digest(key, material, hashlib.sha256).hex()


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One person's agreement, who had this role, agency and rank then: their own, or those of whom they stood in for."""

    person: str
    role: str
    at: datetime
    reason: str
    agency: str = ""
    rank: str = ""
    on_behalf_of: str = ""

    def counts(self, demand: Demand, own: str) -> bool:
        """Tell whether it counts for a demand; ``own`` is the requester's agency."""
        return demand.admits(role=self.role, agency=self.agency, rank=self.rank, own=own)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One turn of what is asked of the requester and added to the statement (``words.py``).

    ``move`` is ``ask`` or ``amend``, ``role`` the one that its speaker had then.
    """

    move: Move
    person: str
    role: str
    at: datetime
    words: str

    def fact(self) -> dict[str, Json]:
        """Return its form for who decides."""
        return {"person": self.person, "role": self.role, **self.told()}

    def told(self) -> dict[str, Json]:
        """Return its form for the one who asked. A name or a role could tell what the subject is."""
        return {"move": self.move, "at": self.at.isoformat(), "words": self.words}


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """One escalation as it stands. ``decided_by`` and ``reason`` are the last decider's; times are aware, in UTC.

    ``approvals`` are those given so far, one for each person; it is approved once they meet every demand. ``words`` are what
    was asked of the requester and added to the statement, in their order.
    """

    id: str
    asked: Asked
    fingerprint: str
    state: State
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None = None
    decided_by: str | None = None
    reason: str | None = None
    grant_expires_at: datetime | None = None
    approvals: tuple[Approval, ...] = ()
    words: tuple[Said, ...] = ()

    @property
    def agreed(self) -> tuple[str, ...]:
        """Return everybody whose word it was: who agreed, and for whom they stood in."""
        return tuple(name for each in self.approvals for name in (each.person, each.on_behalf_of) if name)

    def met(self, approvals: Iterable[Approval]) -> bool:
        """Tell whether these are enough: every person is counted once over all demands. Without a demand nothing is."""
        places, people = seats(self.asked.demands), list({each.person: each for each in approvals}.values())
        own = self.asked.agency
        return bool(places) and filled(places, people, lambda one, place: one.counts(place, own)) == len(places)

    def at(self, now: datetime) -> State:
        """Return the state at ``now``: a deadline that has passed counts although nobody has written it down yet."""
        if self.state is State.PENDING and now >= self.expires_at:
            return State.EXPIRED
        if self.state is State.APPROVED and (self.grant_expires_at is None or now >= self.grant_expires_at):
            return State.EXPIRED
        return self.state

    def fits(self, asked: Asked) -> bool:
        """Tell whether a grant still covers the query: same policy, words and recipients, nobody and nothing more."""
        return (
            self.asked.policy_version == asked.policy_version
            and self.asked.statement == asked.statement
            and (self.asked.requestor, self.asked.recipient) == (asked.requestor, asked.recipient)
            and set(asked.fields) <= set(self.asked.fields)
            and set(asked.subjects) <= set(self.asked.subjects)
            and set(asked.relations) <= set(self.asked.relations)
            and suffice(self.asked.demands, asked.demands)
        )
