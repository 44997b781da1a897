"""What the doors serve of locks, and of findings."""

from __future__ import annotations

from typing import Any, Final

from proxy.escalation.locks import Kind
from proxy.oversight.finding import Disposition, Standing
from proxy.web.openapi.parts import ID, JSON, MAYBE_MOMENT, MOMENT, OF_A_BODY, OF_STEP_UP, OF_THE_KNOWN, listed, operation, sent

OF_LOCKS: Final = frozenset({"lock-ineligible", "lock-unknown", "lock-over", "lock-target-invalid", "lock-target-unknown"})
_OF_ALL: Final = OF_THE_KNOWN | {"parameter-duplicate"}
_TEXT: Final = {"type": "string"}
_MAYBE: Final = {"type": ["string", "null"]}
_REASON: Final = {"type": "string", "minLength": 8, "maxLength": 1000}
_LOCK: Final = {
    "type": "object",
    "description": "What is stopped. `stops` is the agency whose queries it stops, or everybody.",
    "required": ["id", "kind", "target", "state", "stops", "locked_by", "role", "reason", "created_at", "until"],
    "additionalProperties": False,
    "properties": {
        **dict.fromkeys(("id", "target", "stops", "locked_by", "role", "reason", "ended_by", "ended_for"), _TEXT),
        "kind": {"enum": [str(kind) for kind in Kind]},
        "state": {"enum": ["active", "ended"]},
        "created_at": MOMENT,
        "ended_at": MOMENT,
        "until": MAYBE_MOMENT,
        "only_here": {"const": True, "description": "The store cannot be written: it holds at this node alone so far."},
    },
}
_FINDING: Final = {
    "type": "object",
    "description": "What a review found unjustified, until somebody else has looked into it.",
    "required": ["id", "state", "review", "why", "entry", "opened_at", "opened_by", "found", "requested_by", "closed_at"],
    "properties": {
        **dict.fromkeys(("id", "review", "why", "entry", "found", "requested_by", "case", "purpose", "statement"), _TEXT),
        **dict.fromkeys(("opened_by", "reason", "closed_by", "words"), _MAYBE),
        "state": {"enum": [str(state) for state in Standing]},
        "outcome": {"enum": [*(str(each) for each in Disposition), None]},
        "opened_at": MAYBE_MOMENT,
        "closed_at": MAYBE_MOMENT,
    },
}


def locks(step_up: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the paths of locks; ``step_up`` is the header by which a passkey confirms."""
    shown = {JSON: {"schema": _LOCK}}
    add = operation(
        "lock-add", "locks", "Stop a person, terminal, case, subject or grant at once, at every node", shown,
        {*_OF_ALL, *OF_A_BODY, *OF_LOCKS, "reason-missing", "parameter-unknown"},
    )  # fmt: skip
    named = {"kind": _LOCK["properties"]["kind"], "target": _TEXT, "reason": _REASON, "until": MOMENT}  # type: ignore[index]
    add["requestBody"] = sent(named | {"anyway": {"type": "boolean"}}, ["kind", "target", "reason"])
    lift = operation(
        "lock-lift", "locks", "Lift a lock, as another person than who locked and than who is locked", shown,
        {*_OF_ALL, *OF_A_BODY, *OF_LOCKS, *OF_STEP_UP, "reason-missing"},
    )  # fmt: skip
    lift["requestBody"] = sent({"reason": _REASON}, ["reason"])
    lift["parameters"] = [step_up]
    list_ = listed("locks", "The locks that are yours to see", _LOCK, ["active", "ended"], {*_OF_ALL, *OF_LOCKS})
    one = operation("lock", "locks", "One lock", shown, {*_OF_ALL, *OF_LOCKS})
    return {
        "/locks": {"get": list_, "post": add},
        "/locks/{id}": {"parameters": [ID], "get": one},
        "/locks/{id}/lift": {"parameters": [ID], "post": lift},
    }


def findings() -> dict[str, dict[str, Any]]:
    """Return the paths of findings."""
    shown, unknown = {JSON: {"schema": _FINDING}}, {"finding-unknown"}
    close = operation(
        "finding-close", "findings", "Close one, as another person of the oversight desk than the reviewer", shown,
        {*_OF_ALL, *OF_A_BODY, *unknown, "finding-closed", "outcome-unknown", "reason-missing"},
    )  # fmt: skip
    outcome = {"enum": [str(each) for each in Disposition]}
    close["requestBody"] = sent({"outcome": outcome, "reason": {"type": "string", "maxLength": 1000}}, ["outcome", "reason"])
    list_ = listed("findings", "The findings that are yours to look at", _FINDING, Standing, {*_OF_ALL, *unknown})
    one = operation("finding", "findings", "One finding", shown, {*_OF_ALL, *unknown})
    return {
        "/findings": {"get": list_},
        "/findings/{id}": {"parameters": [ID], "get": one},
        "/findings/{id}/close": {"parameters": [ID], "post": close},
    }
