"""One's own passkeys at the doors, for a client that is no browser on the console: ``/passkeys``, registering, revoking.

What goes over is that of ``navigator.credentials.create``; the page that asks lies on the relying party's domain.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import orjson

from proxy.clock import stamp
from proxy.escalation.lifecycle import ReasonMissing
from proxy.identity.passkeys import PasskeyRefused
from proxy.inquiry.body import check_headers, parse_object
from proxy.inquiry.canonical import read_target
from proxy.inquiry.inquiry import BodyUnreadable, ParameterUnknown
from proxy.web.escalations import require
from proxy.web.respond import respond

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from proxy.identity.passkeys import Passkey
    from proxy.identity.principal import Principal
    from proxy.identity.registration import Registration
    from proxy.inquiry.inquiry import Inbound

PASSKEYS: Final = "passkeys"
MIN_REASON: Final = 8
MAX_REASON: Final = 200
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")


class PasskeyDoor:
    """What the doors serve of passkeys: everybody's own, and nobody else's."""

    def __init__(self, registration: Registration) -> None:
        """Take the room that registers."""
        self._registration = registration

    async def answer(self, inbound: Inbound, principal: Principal) -> web.StreamResponse:
        """Answer one request of somebody known.

        Raises:
            Refusal: the door answers with it.
        """
        target = read_target(inbound.target)
        if target.query:
            raise ParameterUnknown("Nothing here takes a parameter.")
        confirmed = inbound.header("Step-Up")
        match target.segments:
            case (_,):
                require(inbound, "GET")
                return _told({PASSKEYS: [_view(each) for each in await self._registration.mine(principal)]})
            case (_, "begin"):
                require(inbound, "POST")
                code = _said(inbound, maybe="code").get("code")
                return _told({"publicKey": await self._registration.begin(principal, code=code, assertion=confirmed)})
            case (_, "finish"):
                require(inbound, "POST")
                return _told(_view(await self._registration.finish(principal, _said(inbound, "answer")["answer"])))
            case (_, id_, "revoke") if _ID.match(id_):
                require(inbound, "POST")
                reason = _said(inbound, "reason")["reason"].strip()
                if not MIN_REASON <= len(reason) <= MAX_REASON:
                    raise ReasonMissing(f"Say why, in {MIN_REASON} to {MAX_REASON} characters.")
                return _told(_view(await self._registration.revoke(principal, id_, reason=reason, assertion=confirmed)))
            case _:
                raise PasskeyRefused("You have no such passkey.")


def _view(passkey: Passkey) -> dict[str, object]:
    return {
        "id": passkey.id,
        "state": "good" if passkey.revoked_at is None else "revoked",
        "backed_up": passkey.backed_up,
        "created_at": stamp(passkey.created_at),
        "last_used_at": stamp(passkey.last_used_at) if passkey.last_used_at is not None else None,
    }


def _said(inbound: Inbound, *names: str, maybe: str = "") -> Mapping[str, str]:
    check_headers(inbound)
    body = parse_object(inbound.body)
    texts = {name: value for name, value in body.items() if type(value) is str}
    if texts.keys() != body.keys() or texts.keys() - {maybe} != set(names):
        raise BodyUnreadable(f"Send {' and '.join(names) or maybe} as text, in JSON.")
    return texts


def _told(value: object) -> web.StreamResponse:
    return respond(200, orjson.dumps(value), "application/json")
