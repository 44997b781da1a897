"""What is told of an escalation: to the one who asked, to who decides, and in the refusals that say where to wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.escalation.lifecycle import EscalationRefused, EscalationRequired, State

if TYPE_CHECKING:
    from datetime import datetime

    from proxy.escalation.lifecycle import Escalation

RETRY_AFTER_SECONDS: Final = 5
_WHY: Final = ("category", "matched", "score", "threshold", "features")


def required(escalation: Escalation, now: datetime) -> EscalationRequired:
    """Return the refusal that tells where to wait."""
    return EscalationRequired(
        "A supervisor has to agree first. Poll the escalation's href, or send the query again once it is approved.",
        escalation=view(escalation, now),
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
        "approvals": [{"person": each.person, "role": each.role, "reason": each.reason} for each in escalation.approvals],
    }
