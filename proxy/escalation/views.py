"""What of an escalation is shown: little to the one who asked, and what it takes to decide to who may decide.

Whoever asked learns nothing of the subject: neither how many have to agree and who they are, where that is other than one
supervisor, nor by whom a question was put, since roles and numbers follow from what the subject is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.escalation.lifecycle import EscalationRefused, EscalationRequired, State
from proxy.escalation.words import amended, waiting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from proxy.audit.event import Json
    from proxy.escalation.eligibility import Decider
    from proxy.escalation.lifecycle import Approval, Escalation

RETRY_AFTER_SECONDS: Final = 5
_WHY: Final = ("category", "matched", "score", "threshold", "features")
_STATUS: Final[Mapping[State, str]] = {
    State.REFUSED: "denied",
    State.CANCELED: "cancelled",
    State.REDEEMED: "expired",
    State.REVOKED: "cancelled",
}
"""The words of AuthZEN's profile where they are not ours; an approval that was used is one that can be used no more."""


def required(escalation: Escalation, now: datetime, told: Mapping[str, Json] | None = None) -> EscalationRequired:
    """Return the refusal that tells where to wait; ``told`` is what policy has the requester told of who may decide."""
    words = "A supervisor has to agree first. Poll the escalation's href, or send the query again once it is approved."
    if nobody_there(told or {}):
        words += " Nobody who may decide is on duty now."
    return EscalationRequired(
        words,
        escalation=view(escalation, now) | dict(told or {}),
        retry_after=RETRY_AFTER_SECONDS,
    )


def refused(escalation: Escalation, now: datetime) -> EscalationRefused:
    """Return the refusal that holds the supervisor's reason."""
    said = "took the approval back" if escalation.state is State.REVOKED else "refused this query"
    return EscalationRefused(f"A supervisor {said}: {escalation.reason}", escalation=view(escalation, now))


def view(escalation: Escalation, now: datetime) -> dict[str, object]:
    """Return what the requester may see: never why the subject is protected."""
    state = escalation.at(now)
    seen: dict[str, object] = {
        "id": escalation.id,
        "href": f"/escalations/{escalation.id}",
        "state": str(state),
        "created_at": escalation.created_at.isoformat(),
        "expires_at": escalation.expires_at.isoformat(),
    }
    if escalation.reason is not None:
        seen["reason"] = escalation.reason
    if escalation.grant_expires_at is not None:
        seen["approved_until"] = escalation.grant_expires_at.isoformat()
    if escalation.words:
        seen["amendments"] = amended(escalation.words)
        seen["exchange"] = [said.told() for said in escalation.words]
    if state is State.PENDING and (questions := waiting(escalation.words)):
        seen["asked"] = " / ".join(said.words for said in questions)
    return seen


def supervisor_view(escalation: Escalation, now: datetime) -> dict[str, object]:
    """Return what who decides may see: who asks, why, and why it escalated; the subject stays a category."""
    asked = escalation.asked
    return view(escalation, now) | {
        "requested_by": asked.person,
        "requestor": asked.requestor,
        "recipient": asked.recipient,
        "terminal": asked.terminal,
        "case": asked.case,
        "purpose": asked.purpose,
        "statement": asked.statement,
        "action": asked.action,
        "criteria": sorted(asked.criteria),
        "categories": list(asked.categories),
        "relations": list(asked.relations),
        "recognized": [{word: why[word] for word in _WHY if word in why} for why in asked.recognized if isinstance(why, dict)],
        "rule": asked.rule,
        "because": asked.because,
        "decided_by": escalation.decided_by,
        "demands": tuple(demand.fact() for demand in asked.demands),
        "fields": list(asked.fields),
        "approvals": [_approval(each) for each in escalation.approvals],
        "amendments": amended(escalation.words),
        "exchange": [said.fact() for said in escalation.words],
    }


def deciders_view(deciders: Sequence[Decider]) -> dict[str, object]:
    """Return who may decide, for those who may: with names, since they have to find one another."""
    return {
        "deciders": [
            {
                "person": each.person,
                "role": each.role,
                "rank": each.rank,
                "on_duty": each.on_duty,
                **({"on_behalf_of": each.on_behalf_of} if each.on_behalf_of else {}),
            }
            for each in deciders
        ]
    }


def nobody_there(told: Mapping[str, Json]) -> bool:
    """Tell whether the requester is told that nobody who may decide is on duty."""
    deciders = told.get("deciders")
    return isinstance(deciders, dict) and deciders.get("on_duty") == 0


def _approval(approval: Approval) -> dict[str, object]:
    said: dict[str, object] = {"person": approval.person, "role": approval.role, "reason": approval.reason}
    return said | ({"on_behalf_of": approval.on_behalf_of} if approval.on_behalf_of else {})


def task(seen: Mapping[str, object]) -> dict[str, object]:
    """Return what a requester sees in the words of AuthZEN's Access Request and Approval Profile, draft 1.

    A status of ``approved`` comes with ``result``: it permits a new evaluation, and is no grant for whoever bears it.
    """
    state, href = State(str(seen["state"])), str(seen["href"])
    handle: dict[str, object] = {
        "id": seen["id"],
        "status": _STATUS.get(state, str(state)),
        "status_endpoint": href,
        "expires_at": seen["expires_at"],
    }
    if state is State.PENDING:
        handle["links"] = {"cancel": f"{href}/cancel", "events": f"{href}/events"}
    found: dict[str, object] = {"task": handle}
    if state is State.APPROVED:
        found["result"] = {"mode": "reevaluate", "approval": {"id": seen["id"], "approved_until": seen["approved_until"]}}
    return found
