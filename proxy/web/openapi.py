"""The terminals' door as an OpenAPI 3.1 document, made of the route map, the purposes and the table of problems.

So it says what this server does and cannot fall behind: a route that is added to ``routes.yaml`` is in it, and a problem type
that a room invents. Patterns are ECMA 262 with ``u``, as JSON Schema has them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from proxy import __version__
from proxy.escalation.lifecycle import State
from proxy.inquiry.parameter import Match
from proxy.purpose.header import MAX_BYTES, MEMBERS
from proxy.web import forms, problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.inquiry.parameter import Parameter
    from proxy.inquiry.route import Field, Route, Shape
    from proxy.policy.service import PolicySet

JSON: Final = "application/json"
OF_THE_CONNECTION: Final = frozenset(
    {"bad-request", "request-timeout", "transfer-coding-unsupported", "version-unsupported", "internal-error", "not-ready"}
)
OF_IDENTITY: Final = frozenset({"credential-missing", "credential-invalid"})
OF_ESCALATIONS: Final = frozenset({"escalation-unknown", "escalation-moved", "approver-ineligible", "reason-missing"})
OF_STEP_UP: Final = frozenset({"step-up-required", "step-up-failed", "step-up-too-many", "passkey-missing", "passkey-refused"})
OF_A_BODY: Final = frozenset({"body-unreadable", "body-too-large", "media-type-unsupported", "parameter-duplicate"})

_LETTERS: Final = r"[^\W\d_]"
_EXAMPLE: Final = 'code=C, case="26-004217", statement="stopped for no plates, driver has no licence"'
_CODE: Final = re.compile("`([^`]*)`")


def document(policies: PolicySet) -> dict[str, Any]:
    """Return the document of a policy's routes."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Showcause, the terminals' door",
            "version": __version__,
            "description": "Queries of the records server, each with its purpose. Every refusal is RFC 9457 problem+json.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}, {"certificate": []}],
        "tags": [
            {"name": "queries", "description": "What routes.yaml has; nothing else is answered."},
            {"name": "escalations", "description": "What waits for a supervisor, or did."},
            {"name": "documents", "description": "What a terminal is built by."},
        ],
        "paths": {**_queries(policies), **_escalations(), **_documents()},
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "A key of `showcause identity add`."},
                "certificate": {"type": "mutualTLS", "description": "A client certificate whose URI is enrolled."},
            },
            "parameters": {"Query-Purpose": _purpose(policies), "Prefer": _prefer()},
            "headers": _headers(),
            "schemas": _schemas(),
        },
    }


def slugs_of_queries() -> frozenset[str]:
    """Return the problem types that a query can be refused with."""
    return frozenset(problems.PROBLEMS) - OF_ESCALATIONS - OF_STEP_UP


# --- Queries ---


def _queries(policies: PolicySet) -> dict[str, dict[str, Any]]:
    paths: dict[str, dict[str, Any]] = {}
    for route in policies.routes.routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _query(route, policies)
    return paths


def _query(route: Route, policies: PolicySet) -> dict[str, Any]:
    parameters = [*(_parameter(each, "path") for each in route.path_parameters)]
    parameters += [_parameter(each, "query") for each in route.query.values()]
    parameters += [{"$ref": "#/components/parameters/Query-Purpose"}, {"$ref": "#/components/parameters/Prefer"}]
    operation: dict[str, Any] = {
        "operationId": route.id,
        "tags": ["queries"],
        "summary": f"{route.action}: {policies_codes(policies, route.action)}",
        "description": _enough(route),
        "parameters": parameters,
        "responses": _answers(route),
        "x-action": route.action,
    }
    if route.broad is not None:
        operation["x-broad-action"] = route.broad.action
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": _body(route.body)}}}
    return operation


def policies_codes(policies: PolicySet, action: str) -> str:
    """Return the codes that serve an action, in words."""
    return f"codes {', '.join(policies.catalogue.serving(action)) or '(none)'}"


def _enough(route: Route) -> str:
    said = [f"At most {route.most} records."]
    if route.require:
        said.append(f"Enough is {_ways(route.require)}.")
    if route.broad is not None:
        said.append(
            f"With {_ways(route.broad.require)}, or with a part or a description beside what is enough, it is the broad"
            f" {route.broad.action}, of at most {route.broad.most} records."
        )
    return " ".join(said)


def _ways(require: Iterable[frozenset[str]]) -> str:
    return "; or ".join(" with ".join(sorted(names)) for names in require)


def _parameter(declared: Parameter, place: str) -> dict[str, Any]:
    said: dict[str, Any] = {
        "name": declared.name,
        "in": place,
        "required": place == "path" or declared.required,
        "description": f"{declared.hint[:1].upper()}{declared.hint[1:]}.",
        "schema": _value(declared),
    }
    if declared.kind is not None:
        said["x-kind"] = declared.kind
    if declared.match is not Match.EXACT:
        said["x-match"] = str(declared.match)
    return said


def _value(declared: Parameter) -> dict[str, Any]:
    """Return what a value of a parameter looks like. Its pattern is the door's own, so nothing else is let in."""
    if declared.integer:
        return {"type": "integer"}
    if declared.choices:
        return {"type": "string", "enum": sorted(declared.choices)}
    patterns = [{"pattern": _ecma(pattern)} for pattern in declared.patterns]
    shape = {"type": "string", "minLength": max(1, declared.least), "maxLength": declared.max_length}
    return {**shape, **patterns[0]} if len(patterns) == 1 else {**shape, "allOf": patterns}


def _ecma(pattern: re.Pattern[str]) -> str:
    return f"^(?:{pattern.pattern.replace(_LETTERS, chr(92) + 'p{L}')})$"


def _body(declared: Mapping[str, Parameter]) -> dict[str, Any]:
    root: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
    for name, each in declared.items():
        node = root
        *outer, last = name.split(".")
        for step in outer:
            node = node["properties"].setdefault(step, {"type": "object", "properties": {}, "additionalProperties": False})
        node["properties"][last] = {**_value(each), "description": each.hint}
        if each.required and not outer:
            root.setdefault("required", []).append(last)
    return root


def _answers(route: Route) -> dict[str, Any]:
    answers = _refusals(slugs_of_queries())
    headers = {"Audit-Entry": {"$ref": "#/components/headers/Audit-Entry"}}
    if route.opaque:
        content: dict[str, Any] = {media_type: {} for media_type in sorted(route.media_types)}
    else:
        content = {JSON: {"schema": _reply(route)}}
    found = {
        "description": "The records that may leave, masked where policy says so.",
        "headers": {
            **headers,
            **{name: {"$ref": f"#/components/headers/{name}"} for name in ("Disclosure", "Watermark", "Standing")},
        },
        "content": content,
    }
    answers["200"] = found
    absent = {"schema": {"const": orjson.loads(route.absent.body)}} if route.absent.media_type == JSON else {}
    status = str(route.absent.status)
    if status == "200":
        known = content.get(route.absent.media_type)
        content[route.absent.media_type] = (
            {"schema": {"anyOf": [known["schema"], absent["schema"]]}} if known and absent else absent
        )
    else:
        there = answers.setdefault(status, {"description": "No such record.", "content": {}})
        there["description"] = f"No such record. {there['description']}" if there["content"] else "No such record."
        there["content"] = {**there["content"], route.absent.media_type: absent}
        there["headers"] = {**there.get("headers", {}), **headers}
    answers["202"] = {
        "description": "A supervisor has to agree; sent instead of 403 under `Prefer: respond-async`.",
        "headers": {
            **headers,
            "Location": {"schema": {"type": "string"}},
            "Preference-Applied": {"schema": {"const": "respond-async"}},
        },
        "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/EscalationRequired"}}},
    }
    return dict(sorted(answers.items()))


def _reply(route: Route) -> dict[str, Any]:
    """Return the schema of a reply: the records where the route says they lie, and what it keeps beside them."""
    assert route.records is not None
    schema = _record(route.shape)
    for step in reversed(route.records.after):
        schema = {"type": "object", "properties": {step: schema}}
    if route.records.many:
        schema = {"type": "array", "items": schema}
    for step in reversed(route.records.before):
        schema = {"type": "object", "properties": {step: schema}}
    return schema


def _record(shape: Shape) -> dict[str, Any]:
    properties = {name: _record(each) if isinstance(each, dict) else _field(each) for name, each in shape.items()}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _field(declared: Field) -> dict[str, Any]:
    """Return what a field can hold: the records server's business, but never an object that the route does not declare."""
    said: dict[str, Any] = {"type": ["string", "number", "boolean", "null", "array"], "x-class": declared.field_class}
    if declared.kind is not None:
        said["x-kind"] = declared.kind
    return said


# --- What is the same in every document ---


def _purpose(policies: PolicySet) -> dict[str, Any]:
    codes = ", ".join(code.name for code in policies.catalogue.codes.values() if code.refused is None)
    return {
        "name": "Query-Purpose",
        "in": "header",
        "required": True,
        "description": (
            f"Why: an RFC 9651 dictionary of {', '.join(MEMBERS)}. Codes: {codes}. What each needs is under /purposes."
        ),
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_BYTES},
        "example": _EXAMPLE,
    }


def _prefer() -> dict[str, Any]:
    return {
        "name": "Prefer",
        "in": "header",
        "required": False,
        "description": "`wait=20` holds the answer while a supervisor decides; `respond-async` asks for 202 (RFC 7240).",
        "schema": {"type": "string", "pattern": "^(?:wait=[0-9]{1,4}|respond-async)(?:, ?(?:wait=[0-9]{1,4}|respond-async))*$"},
    }


def _headers() -> dict[str, Any]:
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
        "Retry-After": {"description": "Seconds.", "schema": {"type": "string", "pattern": "^[0-9]+$"}},
        "WWW-Authenticate": {"schema": {"type": "string"}},
        "Allow": {"description": "The methods of this path.", "schema": {"type": "string"}},
        "ETag": {"schema": {"type": "string"}},
    }


def _schemas() -> dict[str, Any]:
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
    moment = {"type": "string", "format": "date-time"}
    escalation = {
        "type": "object",
        "required": ["id", "href", "state", "expires_at"],
        "properties": {
            "id": {"type": "string"},
            "href": {"type": "string"},
            "state": {"type": "string", "enum": [str(state) for state in State]},
            "created_at": moment,
            "expires_at": moment,
            "reason": {"type": "string"},
            "approved_until": moment,
        },
    }
    return {
        "Problem": problem,
        "Escalation": escalation,
        "EscalationRequired": {
            "allOf": [{"$ref": "#/components/schemas/Problem"}],
            "properties": {"type": {"const": "/problems/escalation-required"}},
            "required": ["escalation"],
        },
    }


def _refusals(slugs: Iterable[str]) -> dict[str, Any]:
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


# --- Escalations and documents ---


def _escalations() -> dict[str, dict[str, Any]]:
    slugs = OF_THE_CONNECTION | OF_IDENTITY | {"method-not-allowed", "audit-unavailable", "request-not-canonical"}
    one = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}}]
    state = {"name": "state", "in": "query", "schema": {"type": "string", "enum": [str(state) for state in State]}}
    reason = {"type": "object", "properties": {"reason": {"type": "string", "minLength": 8}}, "required": ["reason"]}
    shown = {"$ref": "#/components/schemas/Escalation"}
    listed = {"type": "object", "properties": {"escalations": {"type": "array", "items": shown}}, "required": ["escalations"]}
    paths: dict[str, dict[str, Any]] = {
        "/escalations": {
            "get": _plain(
                "escalations", "Those of yours, and for a supervisor those to decide", listed, slugs | {"parameter-unknown"}
            )
        },
        "/escalations/{id}": {
            "parameters": one,
            "get": _plain("escalation", "One escalation, to poll", shown, slugs | {"escalation-unknown"}),
        },
    }
    paths["/escalations"]["get"]["parameters"] = [state]
    for verb, summary in (
        ("approve", "Agree, as a supervisor"),
        ("refuse", "Refuse, as a supervisor"),
        ("revoke", "Take an approval back that has not answered yet"),
        ("cancel", "Take it back"),
    ):
        more = (OF_A_BODY if verb != "cancel" else set()) | (OF_STEP_UP if verb == "approve" else set())
        operation = _plain(f"escalation-{verb}", summary, shown, slugs | OF_ESCALATIONS | more)
        if verb == "approve":
            said = "What a passkey answered to `challenge` of step-up-required: base64url of its JSON."
            operation["parameters"] = [
                {"name": "Step-Up", "in": "header", "description": said, "schema": {"type": "string", "maxLength": 8192}}
            ]
        if verb != "cancel":
            body = {"schema": {**reason, "additionalProperties": False}}
            operation["requestBody"] = {"required": True, "content": {JSON: body}}
        paths[f"/escalations/{{id}}/{verb}"] = {"parameters": one, "post": operation}
    return paths


def _documents() -> dict[str, dict[str, Any]]:
    slugs = (
        OF_THE_CONNECTION
        | OF_IDENTITY
        | {"method-not-allowed", "audit-unavailable", "parameter-unknown", "request-not-canonical"}
    )
    purposes = _plain("purposes", "The form of Query-Purpose for your role", {"type": "object"}, slugs, forms.MEDIA_TYPE)
    openapi = _plain("openapi", "This document", {"type": "object", "required": ["openapi"]}, slugs)
    for operation in (purposes, openapi):
        operation["tags"] = ["documents"]
        operation["responses"]["200"]["headers"] = {"ETag": {"$ref": "#/components/headers/ETag"}}
        operation["responses"]["304"] = {"description": "As you have it (If-None-Match)."}
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
            **_refusals(OF_THE_CONNECTION | {"route-unknown", "body-too-large"}),
        },
    }
    return {"/purposes": {"get": purposes}, "/openapi.json": {"get": openapi}, "/problems/{slug}": {"get": page}}


def _plain(name: str, summary: str, schema: dict[str, Any], slugs: Iterable[str], media_type: str = JSON) -> dict[str, Any]:
    return {
        "operationId": name,
        "tags": ["escalations"],
        "summary": summary,
        "responses": {
            "200": {"description": summary + ".", "content": {media_type: {"schema": schema}}},
            **_refusals({*slugs, "body-too-large"}),
        },
    }
