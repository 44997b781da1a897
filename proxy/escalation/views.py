"""What is told of an escalation: to the one who asked, to who decides, and in the refusals that say where to wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.escalation.lifecycle import EscalationRefused, EscalationRequired, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from proxy.audit.event import Json
    from proxy.escalation.eligibility import Decider
    from proxy.escalation.lifecycle import Approval, Escalation

RETRY_AFTER_SECONDS: Final = 5
_WHY: Final = ("category", "matched", "score", "threshold", "features")


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
    seen: dict[str, object] = {
        "id": escalation.id,
        "href": f"/escalations/{escalation.id}",
        "state": str(escalation.at(now)),
        "created_at": escalation.created_at.isoformat(),
        "expires_at": escalation.expires_at.isoformat(),
    }
    if escalation.reason is not None:
        seen["reason"] = escalation.reason
    if escalation.grant_expires_at is not None:
        seen["approved_until"] = escalation.grant_expires_at.isoformat()
    return seen


def supervisor_view(escalation: Escalation, now: datetime) -> dict[str, object]:
    """Return what who decides may see: who asks, why, and why it escalated; the subject stays a category."""
    asked = escalation.asked
    return view(escalation, now) | {
        "requested_by": asked.person,
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
