"""What the doors serve of one's own passkeys."""

from __future__ import annotations

from typing import Any, Final

from proxy.web.openapi.parts import ID, JSON, MAYBE_MOMENT, MOMENT, OF_A_BODY, OF_STEP_UP, OF_THE_KNOWN, operation, sent

_OF_ALL: Final = OF_THE_KNOWN | {"parameter-unknown"}
_ONE: Final = {
    "type": "object",
    "required": ["id", "state", "backed_up", "created_at", "last_used_at"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string"},
        "state": {"enum": ["good", "revoked"]},
        "backed_up": {"type": "boolean"},
        "created_at": MOMENT,
        "last_used_at": MAYBE_MOMENT,
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
    begin["requestBody"] = sent({"code": {"type": "string", "maxLength": 200}}, [])
    begin["parameters"] = [step_up]
    finish = operation("passkey-finish", "passkeys", "Finish it with the authenticator's answer", _shown(), moves)
    finish["requestBody"] = sent(
        {"answer": {"type": "string", "description": "base64url of the credential's JSON"}}, ["answer"]
    )
    revoke = operation("passkey-revoke", "passkeys", "Revoke one, confirmed by any", _shown(), moves | {"reason-missing"})
    revoke["requestBody"] = sent({"reason": {"type": "string", "minLength": 8, "maxLength": 200}}, ["reason"])
    revoke["parameters"] = [step_up]
    return {
        "/passkeys": {"get": list_},
        "/passkeys/begin": {"post": begin},
        "/passkeys/finish": {"post": finish},
        "/passkeys/{id}/revoke": {"parameters": [ID], "post": revoke},
    }


def _shown() -> dict[str, Any]:
    return {JSON: {"schema": _ONE}}
