"""The routes of the route map as operations: what each takes, and what it answers. Patterns are ECMA 262 with ``u``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from proxy.inquiry.parameter import Match
from proxy.purpose.header import MAX_BYTES, MEMBERS
from proxy.web import problems
from proxy.web.openapi.parts import JSON, refusals
from proxy.web.openapi.rooms import OF_THE_ROOMS

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Mapping

    from proxy.inquiry.parameter import Parameter
    from proxy.inquiry.route import Field, Route, Shape
    from proxy.policy.service import PolicySet

_LETTERS: Final = r"[^\W\d_]"
_EXAMPLE: Final = 'code=C, case="26-004217", statement="stopped for no plates, driver has no licence"'


_OF_BREAKING: Final = frozenset({"step-up-required", "step-up-failed", "step-up-too-many", "passkey-missing"})
"""Whoever states an emergency may have to confirm it."""


def slugs_of_queries() -> frozenset[str]:
    """Return the problem types that a query can be refused with."""
    return (frozenset(problems.PROBLEMS) - OF_THE_ROOMS) | _OF_BREAKING


def queries(policies: PolicySet) -> dict[str, dict[str, Any]]:
    """Return the paths of a policy's routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in policies.routes.routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _query(route, policies)
    return paths


def _query(route: Route, policies: PolicySet) -> dict[str, Any]:
    parameters = [*(_parameter(each, "path") for each in route.path_parameters)]
    parameters += [_parameter(each, "query") for each in route.query.values()]
    parameters += [{"$ref": f"#/components/parameters/{name}"} for name in ("Query-Purpose", "Prefer", "Step-Up")]
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
    answers = refusals(slugs_of_queries())
    headers = {"Audit-Entry": {"$ref": "#/components/headers/Audit-Entry"}}
    if route.opaque:
        content: dict[str, Any] = {media_type: {} for media_type in sorted(route.media_types)}
    else:
        content = {JSON: {"schema": _reply(route)}}
    found = {
        "description": "The records that may leave, masked where policy says so.",
        "headers": {
            **headers,
            **{
                name: {"$ref": f"#/components/headers/{name}"}
                for name in ("Disclosure", "Watermark", "Standing", "Break-Glass")
            },
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
            "Location": {"required": True, "schema": {"type": "string"}},
            "Retry-After": {"$ref": "#/components/headers/Retry-After"},
            "Preference-Applied": {"required": True, "schema": {"type": "string", "pattern": "^respond-async"}},
        },
        "content": {JSON: {"schema": {"$ref": "#/components/schemas/Accepted"}}},
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


def purpose(policies: PolicySet) -> dict[str, Any]:
    """Return the header without which no query is answered."""
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


def prefer() -> dict[str, Any]:
    """Return the header of what is wished for."""
    return {
        "name": "Prefer",
        "in": "header",
        "required": False,
        "description": "`wait=20` holds the answer while a supervisor decides; `respond-async` asks for 202 (RFC 7240).",
        "schema": {"type": "string", "pattern": "^(?:wait=[0-9]{1,4}|respond-async)(?:, ?(?:wait=[0-9]{1,4}|respond-async))*$"},
    }
