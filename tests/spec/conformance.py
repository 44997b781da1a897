"""Answers held against an OpenAPI document: generated requests by schemathesis, and single answers by JSON Schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import schemathesis
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator, FormatChecker
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.result import Ok

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemathesis import Case

    from tests.spec.conftest import Answer

WANTED: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


def exercise(document: dict[str, Any], url: str, headers: Mapping[str, str], *, examples: int) -> dict[str, set[int]]:
    """Send generated requests of every operation, the same ones each time; return the statuses that came.

    Raises:
        FailureGroup: an answer is not as the document says.
    """
    load_all_checks()
    checks: list[Any] = [CHECKS.get_one(name) for name in WANTED]
    seen: dict[str, set[int]] = {}
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()

        @settings(
            max_examples=examples, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy())
        def one(case: Case[Any]) -> None:
            response = case.call(base_url=url, headers=dict(headers), timeout=30)
            seen.setdefault(case.operation.label, set()).add(response.status_code)
            case.validate_response(response, checks=checks)

        one()
    return seen


def objections(document: dict[str, Any], method: str, path: str, answer: Answer) -> list[str]:
    """Return what of one answer is not as the document says of this operation."""
    described = document["paths"][path][method]["responses"].get(str(answer.status))
    if described is None:
        return [f"{answer.status} is not there"]
    if "content" not in described:
        return [f"{answer.status} has a body"] if answer.body else []
    media_type = answer.headers["Content-Type"].partition(";")[0]
    content = described["content"].get(media_type)
    if content is None:
        return [f"{answer.status} is never {media_type}"]
    missing = [f"no {name}" for name in described.get("headers", {}) if name == "Audit-Entry" and name not in answer.headers]
    if "json" not in media_type:
        return missing
    schema = {**content["schema"], "components": document["components"]}
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    return [*missing, *(error.message for error in validator.iter_errors(json.loads(answer.body)))]
