"""What is the same in every part of the document: headers, schemas, and the refusals by status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from proxy.escalation.lifecycle import State
from proxy.oversight.duty import State as Duty
from proxy.web import problems

if TYPE_CHECKING:
    from collections.abc import Iterable

JSON: Final = "application/json"
OF_THE_CONNECTION: Final = frozenset(
    {"bad-request", "request-timeout", "transfer-coding-unsupported", "version-unsupported", "internal-error", "not-ready"}
)
OF_IDENTITY: Final = frozenset({"credential-missing", "credential-invalid"})
OF_STEP_UP: Final = frozenset({"step-up-required", "step-up-failed", "step-up-too-many", "passkey-missing", "passkey-refused"})
OF_A_BODY: Final = frozenset({"body-unreadable", "body-too-large", "media-type-unsupported", "parameter-duplicate"})
OF_THE_KNOWN: Final = (
    OF_THE_CONNECTION
    | OF_IDENTITY
    | {"method-not-allowed", "audit-unavailable", "request-not-canonical", "locked", "locks-stale"}
)
"""What anybody who is known can be refused with, whatever they ask for."""
OF_A_QUESTION: Final = (
    OF_THE_KNOWN
    | OF_A_BODY
    | {"route-unknown", "case-unknown", "case-directory-unavailable", "statement-uninformative", "own-lookups"}
)
"""What a question to the log can be refused with, whatever it is about."""
ID: Final = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}}
CONSOLE: Final = [{"url": "/", "description": "The console's door."}]


def headers() -> dict[str, Any]:
    """Return the headers that answers carry."""
    return {
        "Audit-Entry": {
            "description": "The entry of the log, <origin>/<index>; a query that this one causes names it as its root.",
            "schema": {"type": "string"},
        },
        "Disclosure": {
            "description": "Which classes of field were masked, and how many records withheld where policy tells.",
            "schema": {"type": "string"},
        },
        "Watermark": {
            "description": "To be shown across the records, on screen and in print: the entry, who was answered, and when.",
            "schema": {"type": "string", "pattern": '^"[^"]*"$'},
        },
        "Standing": {
            "description": "The case directory is down; this went on for officer safety, and is reviewed.",
            "schema": {"const": "unverified"},
        },
        "Break-Glass": {
            "description": "Answered in a stated emergency: by when another person reviews it (an RFC 9651 date).",
            "schema": {"type": "string", "pattern": "^review-due=@[0-9]+$"},
        },
        "Retry-After": {"description": "Seconds.", "schema": {"type": "string", "pattern": "^[0-9]+$"}},
        "WWW-Authenticate": {"schema": {"type": "string"}},
        "Allow": {"description": "The methods of this path.", "schema": {"type": "string"}},
        "ETag": {"schema": {"type": "string"}},
    }


def schemas() -> dict[str, Any]:
    """Return the schemas that several operations answer with."""
    problem = {
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "description": "/problems/<slug>: a page of this door says what to do."},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What is wrong here and what to do next, for whoever asked."},
            "instance": {"type": "string", "description": "The entry of the log."},
            "position": {"type": "integer", "description": "The byte at which reading Query-Purpose stopped."},
            "parameter": {"type": "string"},
            "known": {"type": "array", "items": {"type": "string"}},
            "escalation": {"$ref": "#/components/schemas/Escalation"},
        },
    }
    return {"Problem": problem, **_escalation_schemas(), "Duty": _duty()}


MOMENT: Final = {"type": "string", "format": "date-time"}
MAYBE_MOMENT: Final = {"anyOf": [MOMENT, {"type": "null"}]}
_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "array", "items": _TEXT}


def _escalation_schemas() -> dict[str, Any]:
    said = {
        "type": "object",
        "required": ["move", "at", "words"],
        "properties": {"move": {"enum": ["ask", "amend"]}, "at": MOMENT, "words": _TEXT, "person": _TEXT, "role": _TEXT},
    }
    escalation = {
        "type": "object",
        "required": ["id", "href", "state", "expires_at"],
        "properties": {
            "id": _TEXT,
            "href": _TEXT,
            "state": {"type": "string", "enum": [str(state) for state in State]},
            "created_at": MOMENT,
            "expires_at": MOMENT,
            "reason": {**_TEXT, "description": "The supervisor's, once it is decided."},
            "approved_until": MOMENT,
            "asked": {**_TEXT, "description": "What a supervisor asks for; `amend` answers."},
            "amendments": {"type": "integer", "description": "How often the statement was added to: to approve, say so."},
            "exchange": {"type": "array", "items": said},
            "deciders": {"description": "Who may decide, while it waits: as far as policy has it told to the one who asked."},
        },
    }
    task = {
        "type": "object",
        "required": ["id", "status", "status_endpoint", "expires_at"],
        "properties": {
            "id": _TEXT,
            "status": {"enum": ["pending", "approved", "denied", "expired", "cancelled", "failed"]},
            "status_endpoint": _TEXT,
            "expires_at": MOMENT,
            "links": {"type": "object", "properties": {"cancel": _TEXT, "events": _TEXT}},
        },
    }
    return {
        "Escalation": escalation,
        "Accepted": {
            "type": "object",
            "description": "In the words of AuthZEN's Access Request and Approval Profile, draft 1.",
            "required": ["task", "escalation"],
            "properties": {
                "task": task,
                "escalation": {"$ref": "#/components/schemas/Escalation"},
                "detail": _TEXT,
                "instance": {**_TEXT, "description": "The entry of the log."},
            },
        },
        "EscalationRequired": {
            "allOf": [{"$ref": "#/components/schemas/Problem"}],
            "properties": {"type": {"const": "/problems/escalation-required"}},
            "required": ["escalation"],
        },
    }


def _duty() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "A query that somebody has to take note of, or to review.",
        "required": ["id", "state", "why", "role", "opened_at", "due_at", "entry", "requested_by"],
        "properties": {
            **dict.fromkeys(("id", "why", "role", "entry", "requested_by", "terminal", "unit", "case", "purpose"), _TEXT),
            **dict.fromkeys(("statement", "action", "outcome", "found", "done_by", "reason"), _TEXT),
            **dict.fromkeys(("approved_by", "criteria", "categories", "rules"), _TEXTS),
            "state": {"enum": [str(state) for state in Duty]},
            "opened_at": MOMENT,
            "due_at": MAYBE_MOMENT,
            "done_at": MOMENT,
        },
    }


def refusals(slugs: Iterable[str]) -> dict[str, Any]:
    """Return the responses of these problem types, by status."""
    by_status: dict[int, list[str]] = {}
    for slug in sorted(slugs):
        by_status.setdefault(problems.PROBLEMS[slug].status, []).append(slug)
    return {str(status): _refusal(status, slugs) for status, slugs in by_status.items()}


def _refusal(status: int, slugs: list[str]) -> dict[str, Any]:
    names = {401: ("WWW-Authenticate",), 405: ("Allow",), 429: ("Retry-After",), 503: ("Retry-After",)}.get(status, ())
    return {
        "description": " ".join(f"{problems.PROBLEMS[slug].title} ({slug})." for slug in slugs),
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in ("Audit-Entry", *names)},
        "content": {
            problems.MEDIA_TYPE: {
                "schema": {
                    "allOf": [{"$ref": "#/components/schemas/Problem"}],
                    "properties": {"type": {"enum": [f"/problems/{slug}" for slug in slugs]}, "status": {"const": status}},
                }
            }
        },
    }


def operation(name: str, tag: str, summary: str, answer: dict[str, Any], slugs: Iterable[str]) -> dict[str, Any]:
    """Return an operation that answers 200 with ``answer`` as its content, or refuses with these problem types."""
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "responses": {"200": {"description": summary + ".", "content": answer}, **refusals({*slugs, "body-too-large"})},
    }


def sent(members: dict[str, Any], required: Iterable[str]) -> dict[str, Any]:
    """Return the body of a request: a JSON object of these members and no other."""
    schema = {"type": "object", "properties": members, "required": list(required), "additionalProperties": False}
    return {"required": True, "content": {JSON: {"schema": schema}}}


def listed(room: str, summary: str, row: object, states: Iterable[str], slugs: Iterable[str]) -> dict[str, Any]:
    """Return the operation that lists what is in a room, in one state or all."""
    rows = {"type": "object", "required": [room], "properties": {room: {"type": "array", "items": row}}}
    found = operation(room, room, summary, {JSON: {"schema": rows}}, {*slugs, "parameter-unknown"})
    found["parameters"] = [
        {"name": "state", "in": "query", "schema": {"type": "string", "enum": [str(each) for each in states]}}
    ]
    return found
