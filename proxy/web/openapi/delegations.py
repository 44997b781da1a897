"""What the doors serve of standing in for one another."""

from __future__ import annotations

from typing import Any, Final

from proxy.web.openapi.parts import ID, JSON, MOMENT, OF_A_BODY, OF_THE_KNOWN, operation, sent

_OF_ALL: Final = OF_THE_KNOWN | {"parameter-unknown"}
_TEXT: Final = {"type": "string"}
_ONE: Final = {
    "type": "object",
    "required": ["id", "state", "delegator", "delegate", "role", "starts_at", "ends_at"],
    "properties": {
        **dict.fromkeys(("id", "delegator", "delegate", "role"), _TEXT),
        "state": {"enum": ["active", "to come", "over"]},
        "starts_at": MOMENT,
        "ends_at": MOMENT,
        "ended_by": {"type": ["string", "null"]},
    },
}
_SENT: Final = {"delegate": _TEXT, "starts_at": MOMENT, "ends_at": MOMENT}


def delegations() -> dict[str, dict[str, Any]]:
    """Return the paths of delegations."""
    shown = {JSON: {"schema": _ONE}}
    rows = {"type": "object", "required": ["delegations"], "properties": {"delegations": {"type": "array", "items": _ONE}}}
    list_ = operation("delegations", "delegations", "Yours, and those to you", {JSON: {"schema": rows}}, _OF_ALL)
    add = operation(
        "delegation-add", "delegations", "Have a colleague decide for you", shown, _OF_ALL | OF_A_BODY | {"delegation-invalid"}
    )
    add["requestBody"] = sent(_SENT, ["delegate", "ends_at"])
    end = operation("delegation-end", "delegations", "End one", shown, _OF_ALL | {"delegation-unknown"})
    return {"/delegations": {"get": list_, "post": add}, "/delegations/{id}/end": {"parameters": [ID], "post": end}}
