"""Escalations at the doors: the list, one of them to poll, and the moves of those who ask and those who decide."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

import orjson

from proxy.escalation.lifecycle import EscalationUnknown, Move, State
from proxy.escalation.views import deciders_view, supervisor_view, view
from proxy.inquiry.body import check_headers, parse_object, whole
from proxy.inquiry.canonical import read_target
from proxy.inquiry.inquiry import BodyUnreadable, MethodNotAllowed, ParameterUnknown
from proxy.web.respond import not_modified, respond, unchanged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

    from proxy.clock import Clock
    from proxy.escalation.lifecycle import Escalation
    from proxy.escalation.service import Escalations
    from proxy.identity.principal import Principal
    from proxy.inquiry.inquiry import Inbound

ROOM: Final = "escalations"
STEP_UP: Final = "Step-Up"
"""What a passkey answered, base64url of its JSON."""
POLL_SECONDS: Final = "2"
STREAM: Final = re.compile(r"/escalations/([A-Za-z0-9_-]{1,64})/events\Z")
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_DECISIONS: Final[Mapping[str, Move]] = {"approve": Move.APPROVE, "refuse": Move.REFUSE, "ask": Move.ASK}
_VERBS: Final = frozenset({*_DECISIONS, "amend", "cancel", "revoke"})


class EscalationsRoom:
    """What the doors serve of escalations."""

    def __init__(self, escalations: Escalations, clock: Clock) -> None:
        """Take the room."""
        self._escalations = escalations
        self._clock = clock

    async def answer(self, inbound: Inbound, principal: Principal) -> web.StreamResponse:
        """Answer one request of somebody known.

        Raises:
            Refusal: the door answers with it.
        """
        target = read_target(inbound.target)
        match target.segments:
            case (_,):
                return await self._listed(inbound, principal, target.query)
            case (_, id_) if not target.query and _ID.match(id_):
                require(inbound, "GET")
                return await self._shown(inbound, await self._escalations.seen(id_, principal), principal)
            case (_, id_, verb) if not target.query and _ID.match(id_) and verb in _VERBS:
                require(inbound, "POST")
                return await self._shown(inbound, await self._moved(inbound, principal, id_, verb), principal)
            case _:
                raise EscalationUnknown("There is no such escalation among yours.")

    async def _moved(self, inbound: Inbound, principal: Principal, id_: str, verb: str) -> Escalation:
        match verb:
            case "cancel":
                return await self._escalations.cancel(id_, principal)
            case "amend":
                return await self._escalations.amend(id_, principal, _said(inbound, "words")[0])
            case "revoke":
                return await self._escalations.revoke(id_, principal, _said(inbound, "reason")[0])
            case _:
                words, amendments = _said(inbound, "words" if verb == "ask" else "reason", counted=verb == "approve")
                return await self._escalations.decide(
                    id_, principal, _DECISIONS[verb], words, inbound.header(STEP_UP), amendments=amendments
                )

    async def _listed(self, inbound: Inbound, principal: Principal, query: Mapping[str, str]) -> web.StreamResponse:
        require(inbound, "GET")
        state = None
        if query:
            if set(query) != {"state"} or query["state"] not in set(State):
                raise ParameterUnknown(f"The only parameter here is state, one of {', '.join(State)}.")
            state = State(query["state"])
        found = await self._escalations.listed(principal, state)
        now = self._clock()
        rows = [self._view(escalation, principal) for escalation in found if state is None or escalation.at(now) is state]
        return respond(200, orjson.dumps({"escalations": rows}), "application/json")

    async def _shown(self, inbound: Inbound, escalation: Escalation, principal: Principal) -> web.StreamResponse:
        seen, room = self._view(escalation, principal), self._escalations
        if escalation.at(self._clock()) is State.PENDING:
            own = escalation.asked.person == principal.person
            seen |= await room.told(escalation) if own else deciders_view(await room.deciders(escalation))
        body = orjson.dumps(seen)
        headers = {"ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"'}
        if escalation.at(self._clock()) is State.PENDING:
            headers["Retry-After"] = POLL_SECONDS
        if inbound.method == "GET" and unchanged(headers["ETag"], inbound.header("If-None-Match")):
            return not_modified(headers)
        return respond(200, body, "application/json", **headers)

    def _view(self, escalation: Escalation, principal: Principal) -> dict[str, object]:
        own = escalation.asked.person == principal.person
        return (view if own else supervisor_view)(escalation, self._clock())


def require(inbound: Inbound, method: str) -> None:
    """Return when the request has this method.

    Raises:
        MethodNotAllowed.
    """
    if inbound.method != method:
        raise MethodNotAllowed(f"Use {method} here.", allow=[method])


def _said(inbound: Inbound, name: str, *, counted: bool = False) -> tuple[str, int]:
    """Return the words of the body, and how many additions to the statement their speaker has seen."""
    check_headers(inbound)
    body = parse_object(inbound.body)
    words = body.pop(name, None)
    amendments = whole(body.pop("amendments")) if counted and "amendments" in body else 0
    if body or type(words) is not str or amendments is None:
        more = ', and "amendments" as the escalation says once it was added to' if counted else ""
        raise BodyUnreadable(f'Send {{"{name}": "…"}} as JSON{more}.')
    return words, amendments
