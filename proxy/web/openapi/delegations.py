"""What the doors serve of standing in for one another."""

from __future__ import annotations

from typing import Any, Final

from proxy.web.openapi.parts import JSON, OF_A_BODY, OF_IDENTITY, OF_THE_CONNECTION, operation

_OF_ALL: Final = (
    OF_THE_CONNECTION
    | OF_IDENTITY
    | {"method-not-allowed", "audit-unavailable", "request-not-canonical", "parameter-unknown", "locked", "locks-stale"}
)
_MOMENT: Final = {"type": "string", "format": "date-time"}
_TEXT: Final = {"type": "string"}
_ONE: Final = {
    "type": "object",
    "required": ["id", "state", "delegator", "delegate", "role", "starts_at", "ends_at"],
    "properties": {
        **dict.fromkeys(("id", "delegator", "delegate", "role"), _TEXT),
        "state": {"enum": ["active", "to come", "over"]},
        "starts_at": _MOMENT,
        "ends_at": _MOMENT,
        "ended_by": {"type": ["string", "null"]},
    },
}
_SENT: Final = {
    "type": "object",
    "required": ["delegate", "ends_at"],
    "additionalProperties": False,
    "properties": {"delegate": _TEXT, "starts_at": _MOMENT, "ends_at": _MOMENT},
}


def delegations() -> dict[str, dict[str, Any]]:
    """Return the paths of delegations."""
    shown = {JSON: {"schema": _ONE}}
    rows = {"type": "object", "required": ["delegations"], "properties": {"delegations": {"type": "array", "items": _ONE}}}
    list_ = operation("delegations", "delegations", "Yours, and those to you", {JSON: {"schema": rows}}, _OF_ALL)
    add = operation(
        "delegation-add", "delegations", "Have a colleague decide for you", shown, _OF_ALL | OF_A_BODY | {"delegation-invalid"}
    )
    add["requestBody"] = {"required": True, "content": {JSON: {"schema": _SENT}}}
    end = operation("delegation-end", "delegations", "End one", shown, _OF_ALL | {"delegation-unknown"})
    one = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}}
    return {"/delegations": {"get": list_, "post": add}, "/delegations/{id}/end": {"parameters": [one], "post": end}}
