"""What the doors serve of one's own passkeys."""

from __future__ import annotations

from typing import Any, Final

from proxy.web.openapi.parts import JSON, MOMENT, OF_A_BODY, OF_IDENTITY, OF_STEP_UP, OF_THE_CONNECTION, operation

_OF_ALL: Final = (
    OF_THE_CONNECTION
    | OF_IDENTITY
    | {"method-not-allowed", "audit-unavailable", "request-not-canonical", "parameter-unknown", "locked", "locks-stale"}
)
_ONE: Final = {
    "type": "object",
    "required": ["id", "state", "backed_up", "created_at", "last_used_at"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string"},
        "state": {"enum": ["good", "revoked"]},
        "backed_up": {"type": "boolean"},
        "created_at": MOMENT,
        "last_used_at": {"anyOf": [MOMENT, {"type": "null"}]},
    },
}
_ROWS: Final = {"type": "object", "required": ["passkeys"], "properties": {"passkeys": {"type": "array", "items": _ONE}}}
_OPTIONS: Final = {
    "type": "object",
    "description": "For `navigator.credentials.create`; binary values are base64url.",
    "required": ["publicKey"],
    "properties": {
        "publicKey": {"type": "object", "required": ["rp", "user", "challenge", "pubKeyCredParams", "excludeCredentials"]}
    },
}


def passkeys(step_up: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the paths of passkeys; ``step_up`` is the header by which one of them confirms."""
    moves = _OF_ALL | OF_A_BODY | OF_STEP_UP
    list_ = operation("passkeys", "passkeys", "Yours", {JSON: {"schema": _ROWS}}, _OF_ALL)
    begin = operation(
        "passkey-begin", "passkeys", "Begin a registration: the first by a code, a further one confirmed by a passkey",
        {JSON: {"schema": _OPTIONS}}, moves,
    )  # fmt: skip
    begin["requestBody"] = _body({"code": {"type": "string", "maxLength": 200}}, [])
    begin["parameters"] = [step_up]
    finish = operation("passkey-finish", "passkeys", "Finish it with the authenticator's answer", _shown(), moves)
    finish["requestBody"] = _body(
        {"answer": {"type": "string", "description": "base64url of the credential's JSON"}}, ["answer"]
    )
    revoke = operation("passkey-revoke", "passkeys", "Revoke one, confirmed by any", _shown(), moves | {"reason-missing"})
    revoke["requestBody"] = _body({"reason": {"type": "string", "minLength": 8, "maxLength": 200}}, ["reason"])
    revoke["parameters"] = [step_up]
    one = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}}
    return {
        "/passkeys": {"get": list_},
        "/passkeys/begin": {"post": begin},
        "/passkeys/finish": {"post": finish},
        "/passkeys/{id}/revoke": {"parameters": [one], "post": revoke},
    }


def _shown() -> dict[str, Any]:
    return {JSON: {"schema": _ONE}}


def _body(members: dict[str, Any], required: list[str]) -> dict[str, Any]:
    schema = {"type": "object", "properties": members, "required": required, "additionalProperties": False}
    return {"required": True, "content": {JSON: {"schema": schema}}}
