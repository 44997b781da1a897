"""What the doors serve beside queries: escalations, notices and reviews, and the documents that a terminal is built by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from proxy.escalation.lifecycle import State
from proxy.oversight.duty import State as DutyState
from proxy.web import forms, problems
from proxy.web.openapi.locks import OF_LOCKS
from proxy.web.openapi.parts import (
    ID,
    JSON,
    OF_A_BODY,
    OF_STEP_UP,
    OF_THE_CONNECTION,
    OF_THE_KNOWN,
    listed,
    operation,
    refusals,
    sent,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

OF_ESCALATIONS: Final = frozenset(
    {
        "approver-ineligible", "asked-enough", "escalation-amended", "escalation-moved", "escalation-unknown", "nothing-asked",
        "reason-missing",
    }
)  # fmt: skip
OF_DUTIES: Final = frozenset({"duty-unknown", "duty-done", "outcome-unknown", "finding-unknown", "finding-closed"})
OF_DELEGATIONS: Final = frozenset({"delegation-invalid", "delegation-unknown"})
OF_THE_ROOMS: Final = OF_ESCALATIONS | OF_DUTIES | OF_STEP_UP | OF_DELEGATIONS | OF_LOCKS
_OF_A_STATEMENT: Final = frozenset({"purpose-malformed", "purpose-unknown", "statement-uninformative"})
_OF_ALL: Final = OF_THE_KNOWN | {"parameter-duplicate"}
_ETAG: Final = {"ETag": {"$ref": "#/components/headers/ETag"}}
_MATCH: Final = {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}}
_REASON: Final = {"type": "string", "minLength": 8, "maxLength": 1000}
_WORDS: Final = {"type": "string", "minLength": 1, "maxLength": 1000}
_BODIES: Final = {
    "approve": {"reason": _REASON, "amendments": {"type": "integer", "minimum": 0, "maximum": 999_999_999}},
    "refuse": {"reason": _REASON},
    "revoke": {"reason": _REASON},
    "ask": {"words": _REASON},
    "amend": {"words": _WORDS},
}
_MORE: Final = {"approve": OF_STEP_UP, "amend": _OF_A_STATEMENT}
STEP_UP: Final = {
    "name": "Step-Up",
    "in": "header",
    "description": "What a passkey answered to `challenge` of step-up-required: base64url of its JSON.",
    "schema": {"type": "string", "maxLength": 8192},
}
_MOVES: Final = {
    "approve": "Agree, as one who may decide, to the statement with this many amendments",
    "refuse": "Refuse, as one who may decide",
    "revoke": "Take an approval back that has not answered yet, as one who may decide",
    "ask": "Ask for more, as one who may decide",
    "amend": "Add to the statement, as the one who asked, when asked for more",
    "cancel": "Take it back, as the one who asked",
}


def rooms() -> dict[str, dict[str, Any]]:
    """Return the paths that every policy's door has."""
    return {**_escalations(), **_duties("notice", "acknowledge"), **_duties("review", "close"), **_documents()}


def _escalations() -> dict[str, dict[str, Any]]:
    one = _one("escalation", "escalations", "One escalation, to poll", "Escalation", {"escalation-unknown"})
    one["parameters"] = [_MATCH]
    one["responses"]["200"]["headers"] = {**_ETAG, "Retry-After": {"$ref": "#/components/headers/Retry-After"}}
    one["responses"]["304"] = {"description": "As you have it (If-None-Match)."}
    summary = "Those of yours, and for who may decide those to decide"
    list_ = listed("escalations", summary, _of("Escalation"), State, _OF_ALL)
    paths: dict[str, dict[str, Any]] = {
        "/escalations": {"get": list_},
        "/escalations/{id}": {"parameters": [ID], "get": one},
    }
    events = operation(
        "escalation-events",
        "escalations",
        "One escalation as it changes, until it has ended: server-sent events, each the whole of it",
        {"text/event-stream": {"schema": {"type": "string"}}},
        {*_OF_ALL, "escalation-unknown", "budget-spent", "overloaded"},
    )
    events["parameters"] = [
        {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string", "pattern": "^[0-9a-f]{0,32}$"}}
    ]
    events["responses"]["204"] = {"description": "It has ended, and you have seen the end."}
    paths["/escalations/{id}/events"] = {"parameters": [ID], "get": events}
    for verb, summary in _MOVES.items():
        slugs = OF_ESCALATIONS | (OF_A_BODY if verb in _BODIES else frozenset()) | _MORE.get(verb, frozenset())
        move = _one(f"escalation-{verb}", "escalations", summary, "Escalation", slugs)
        move["responses"]["200"]["headers"] = _ETAG
        if verb == "approve":
            move["parameters"] = [STEP_UP]
        if verb in _BODIES:
            first = next(iter(_BODIES[verb]))
            move["requestBody"] = sent(_BODIES[verb], [first])
        paths[f"/escalations/{{id}}/{verb}"] = {"parameters": [ID], "post": move}
    return paths


def _duties(name: str, verb: str) -> dict[str, dict[str, Any]]:
    room = f"{name}s"
    move = _one(f"{name}-{verb}", room, f"Done: {verb}, once", "Duty", OF_DUTIES | OF_A_BODY | {"reason-missing"})
    reason = {"type": "string", "maxLength": 1000}
    if name == "review":
        outcome = {"enum": ["attested", "justified", "questioned", "unjustified"]}
        move["requestBody"] = sent({"outcome": outcome, "reason": reason}, ["outcome", "reason"])
    else:
        move["requestBody"] = sent({"outcome": {"const": "acknowledged"}, "reason": reason}, [])
    return {
        f"/{room}": {"get": listed(room, "Those that are yours to do", _of("Duty"), DutyState, _OF_ALL)},
        f"/{room}/{{id}}": {"parameters": [ID], "get": _one(name, room, f"One {name}", "Duty", {"duty-unknown"})},
        f"/{room}/{{id}}/{verb}": {"parameters": [ID], "post": move},
    }


def _documents() -> dict[str, dict[str, Any]]:
    slugs = _OF_ALL - {"parameter-duplicate"} | {"parameter-unknown"}
    form = {forms.MEDIA_TYPE: {"schema": {"type": "object"}}}
    purposes = operation("purposes", "documents", "The form of Query-Purpose for your role", form, slugs)
    itself = {JSON: {"schema": {"type": "object", "required": ["openapi"]}}}
    openapi = operation("openapi", "documents", "This document", itself, slugs)
    for each in (purposes, openapi):
        each["responses"]["200"]["headers"] = _ETAG
        each["responses"]["304"] = {"description": "As you have it (If-None-Match)."}
    page = {
        "operationId": "problem",
        "tags": ["documents"],
        "summary": "What a problem type means, and what to do",
        "security": [],
        "parameters": [
            {"name": "slug", "in": "path", "required": True, "schema": {"type": "string", "enum": list(problems.PROBLEMS)}}
        ],
        "responses": {
            "200": {"description": "The page.", "content": {"text/html": {"schema": {"type": "string"}}}},
            **refusals(OF_THE_CONNECTION | {"route-unknown", "body-too-large"}),
        },
    }
    return {"/purposes": {"get": purposes}, "/openapi.json": {"get": openapi}, "/problems/{slug}": {"get": page}}


def _one(name: str, tag: str, summary: str, schema: str, slugs: Iterable[str]) -> dict[str, Any]:
    return operation(name, tag, summary, {JSON: {"schema": _of(schema)}}, {*_OF_ALL, *slugs})


def _of(schema: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{schema}"}
