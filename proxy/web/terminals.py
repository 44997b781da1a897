"""The terminals' door: queries, escalations, notices, reviews, and what a terminal is built by.

It turns HTTP into an ``Inbound`` and an answer into HTTP.

Nothing of a client's request is forwarded but what the route map matched; so a header such as ``Range`` or
``X-HTTP-Method-Override`` has no effect here, and there is none by which a client could say who it is.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from proxy.database import DatabaseUnusable
from proxy.escalation.lifecycle import EscalationRequired, EscalationUnknown, Move, State
from proxy.escalation.views import deciders_view, supervisor_view, view
from proxy.gateway.answer import Answer, Declined, store_unusable
from proxy.identity.tls import certificate_uris
from proxy.inquiry.body import check_headers, parse_object
from proxy.inquiry.inquiry import BodyUnreadable, Inbound, MethodNotAllowed, ParameterUnknown, RouteUnknown
from proxy.purpose.purpose import Standing
from proxy.refusal import Refusal
from proxy.web import delegations, problems
from proxy.web.body import read_body
from proxy.web.duties import DUTIES, Duties
from proxy.web.locks import LOCKS, LockDoor
from proxy.web.respond import COMMON_HEADERS, refuse, respond

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from proxy.clock import Clock
    from proxy.escalation.lifecycle import Escalation
    from proxy.escalation.lock_service import LockDesk
    from proxy.escalation.locks import Locks
    from proxy.escalation.service import Escalations
    from proxy.gateway.service import Gateway
    from proxy.identity.principal import Principal
    from proxy.identity.service import Identities
    from proxy.oversight.service import Oversight
    from proxy.web.documents import Documents
    from proxy.web.limits import Limits

VIA: Final = "1.1 showcause"
STEP_UP: Final = "Step-Up"
"""What a passkey answered, base64url of its JSON."""
PURPOSES: Final = "/purposes"
_DOCUMENTS: Final = frozenset({PURPOSES, "/openapi.json"})
_ESCALATION: Final = re.compile(r"/escalations/([A-Za-z0-9_-]{1,64})(?:/(approve|refuse|cancel|revoke))?\Z")
_WAIT: Final = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,4})\"?(?:$|[,;\s])")
_ASYNC: Final = re.compile(r"(?:^|[,;\s])respond-async(?:$|[,;\s])")
_PREFER: Final = len("prefer")
_DECISIONS: Final = {"approve": Move.APPROVE, "refuse": Move.REFUSE}


class Terminals:
    """Handler of the terminals' door; the console's door serves the same but queries until it has pages of its own."""

    def __init__(
        self,
        *,
        gateway: Gateway,
        identities: Identities,
        escalations: Escalations,
        oversight: Oversight,
        locks: Locks,
        lock_desk: LockDesk,
        documents: Documents,
        clock: Clock,
        limits: Limits,
        wait_seconds_max: float,
        queries: bool = True,
    ) -> None:
        """Wire the door; ``queries`` is false where only escalations, notices and reviews are served."""
        self._gateway = gateway
        self._identities = identities
        self._escalations = escalations
        self._locks = locks
        self._rooms: Mapping[str, Callable[[Inbound, str, Principal], Awaitable[web.StreamResponse]]] = {
            "escalations": self._moved,
            LOCKS: LockDoor(lock_desk).answer,
            delegations.ROOM: delegations.Delegations(escalations.delegations, clock).answer,
            **dict.fromkeys(DUTIES, Duties(oversight, clock).answer),
        }
        self._documents = documents
        self._clock = clock
        self._limits = limits
        self._wait_seconds_max = wait_seconds_max
        self._queries = queries
        # Unique, not secret: the entries of one query share it, and a system call for each would buy nothing.
        self._query_ids = (f"{run}{number:016x}" for run in [secrets.token_hex(8)] for number in count())

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request.

        Raises:
            Refusal: the door answers with it.
        """
        peer = _peer(request)  # before the body: a client that is gone by then has none
        inbound = await self._read(request)
        path = inbound.target.partition("?")[0]
        if path.startswith("/problems/"):
            return _problem_page(inbound)
        room = path.split("/", 2)[1] if path.startswith("/") else ""  # "*" and "host:port" are targets of other kinds
        if room in self._rooms:
            return await self._known(inbound, peer, partial(self._rooms[room], inbound, path))
        if path in _DOCUMENTS and self._queries:
            return await self._known(inbound, peer, partial(self._document, inbound, path))
        if not self._queries:
            raise RouteUnknown("Queries are answered at the terminals' door.")
        return await self._query(inbound, peer)

    async def _query(self, inbound: Inbound, peer: Mapping[str, Any]) -> web.StreamResponse:
        # A list, so it may come in several lines (RFC 7240 section 2).
        prefer = ", ".join([value for name, value in inbound.headers if len(name) == _PREFER and name.lower() == "prefer"])
        asked = _WAIT.search(prefer)
        wait = min(float(asked[1]), self._wait_seconds_max) if asked else 0
        answer = await self._gateway.answer(inbound, peer, wait=wait)
        match answer:
            case Answer():
                return _answered(answer)
            case Declined(refusal=refusal, entry=entry):
                status = 202 if isinstance(refusal, EscalationRequired) and _ASYNC.search(prefer) else None
                response = _declined(refusal, entry, status)
                if status == 202:
                    response.headers["Preference-Applied"] = "respond-async"
                    response.headers["Location"] = str(_member(refusal.extras.get("escalation"), "href"))
                return response

    async def _known(
        self, inbound: Inbound, peer: Mapping[str, Any], act: Callable[[Principal], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Answer somebody whom we know; what is refused is remembered."""
        principal: Principal | None = None
        try:
            authorization = inbound.header("Authorization")
            principal = self._identities.authenticate(authorization, certificate_uris(peer), self._clock())
            self._locks.check(principal, case=None, subjects=(), grant=None)
            return await act(principal)
        except (Refusal, DatabaseUnusable) as error:
            # Who tries to approve their own query, or somebody else's, is somebody to know of.
            refusal = error if isinstance(error, Refusal) else store_unusable()
            declined = await self._gateway.refused(inbound, principal, refusal)
            return _declined(declined.refusal, declined.entry)

    async def _document(self, inbound: Inbound, path: str, principal: Principal) -> web.StreamResponse:
        """Return a document about this door. Everybody who may ask at all may read it; a stranger learns no field's name."""
        if inbound.method != "GET":
            raise MethodNotAllowed("Use GET here.", allow=["GET"])
        if "?" in inbound.target:
            raise ParameterUnknown("This document takes no parameters.")
        documents = self._documents
        found = await asyncio.to_thread(documents.purposes, principal.role) if path == PURPOSES else documents.openapi()
        # Kept, and asked about again each time: the next to use the terminal may have another role, or a revoked key.
        kept = {"ETag": found.etag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
        if found.unchanged(inbound.header("If-None-Match")):
            return web.Response(status=304, headers={**COMMON_HEADERS, **kept})
        return respond(200, found.body, found.media_type, **kept)

    async def _moved(self, inbound: Inbound, path: str, principal: Principal) -> web.StreamResponse:
        if path == "/escalations":
            return await self._listed(inbound, principal)
        named = _ESCALATION.match(path)
        if named is None or "?" in inbound.target:
            raise EscalationUnknown("There is no such escalation among yours.")
        escalation_id, verb = named.groups()
        wanted = "POST" if verb else "GET"
        if inbound.method != wanted:
            raise MethodNotAllowed(f"Use {wanted} here.", allow=[wanted])
        if verb is None:
            escalation = await self._escalations.seen(escalation_id, principal)
        elif verb == "cancel":
            escalation = await self._escalations.cancel(escalation_id, principal)
        elif verb == "revoke":
            escalation = await self._escalations.revoke(escalation_id, principal, _reason(inbound))
        else:
            escalation = await self._escalations.decide(
                escalation_id, principal, _DECISIONS[verb], _reason(inbound), inbound.header(STEP_UP)
            )
        return await self._shown(escalation, principal)

    async def _listed(self, inbound: Inbound, principal: Principal) -> web.StreamResponse:
        if inbound.method != "GET":
            raise MethodNotAllowed("Use GET here.", allow=["GET"])
        query = inbound.target.partition("?")[2]
        state = None
        if query:
            name, _, value = query.partition("=")
            if name != "state" or value not in set(State):
                raise ParameterUnknown(f"The only parameter here is state, one of {', '.join(State)}.")
            state = State(value)
        found = await self._escalations.listed(principal, state)
        now = self._clock()
        rows = [self._view(escalation, principal) for escalation in found if state is None or escalation.at(now) is state]
        return respond(200, orjson.dumps({"escalations": rows}), "application/json")

    async def _shown(self, escalation: Escalation, principal: Principal) -> web.StreamResponse:
        seen = self._view(escalation, principal)
        if escalation.at(self._clock()) is State.PENDING:
            own = escalation.asked.person == principal.person
            room = self._escalations
            seen |= await room.told(escalation) if own else deciders_view(await room.deciders(escalation))
        response = respond(200, orjson.dumps(seen), "application/json")
        if escalation.at(self._clock()) is State.PENDING:
            response.headers["Retry-After"] = "2"
        return response

    def _view(self, escalation: Escalation, principal: Principal) -> dict[str, object]:
        own = escalation.asked.person == principal.person
        return (view if own else supervisor_view)(escalation, self._clock())

    async def _read(self, request: web.BaseRequest) -> Inbound:
        """Read one request within the door's bounds.

        Raises:
            BodyTooLarge, BadRequest, RequestTimeout.
        """
        return Inbound(
            query_id=next(self._query_ids),
            received_at=self._clock(),
            source=request.remote or "",
            method=request.method,
            target=request.raw_path,
            headers=tuple([(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers]),
            body=await read_body(request, self._limits),
        )


def _peer(request: web.BaseRequest) -> Mapping[str, Any]:
    transport = request.transport
    return (transport.get_extra_info("peercert") if transport is not None else None) or {}


def _declined(refusal: Refusal, entry: str | None, status: int | None = None) -> web.Response:
    response = refuse(refusal, instance=entry, status=status)
    if entry is not None:
        response.headers["Audit-Entry"] = entry
    return response


def _answered(answer: Answer) -> web.Response:
    headers = {**COMMON_HEADERS, "Content-Type": answer.media_type, "Audit-Entry": answer.entry, "Via": VIA}
    told = []
    if answer.masked:
        told.append(f"masked=({' '.join(sorted(answer.masked))})")
    if answer.withheld:
        told.append(f"withheld={answer.withheld}")
    if told:
        headers["Disclosure"] = ", ".join(told)
    if answer.watermark:
        headers["Watermark"] = f'"{answer.watermark}"'
    if answer.unverified:
        headers["Standing"] = str(Standing.UNVERIFIED)
    return web.Response(status=answer.status, body=answer.body, headers=headers)


def _problem_page(inbound: Inbound) -> web.Response:
    body = problems.page(inbound.target.removeprefix("/problems/"))
    if body is None or inbound.method != "GET":
        raise RouteUnknown("There is no such problem type.")
    return respond(200, body, "text/html; charset=utf-8")


def _reason(inbound: Inbound) -> str:
    check_headers(inbound)
    body = parse_object(inbound.body)
    reason = body.get("reason")
    if set(body) != {"reason"} or type(reason) is not str:
        raise BodyUnreadable('Send {"reason": "…"} as JSON.')
    return reason


def _member(value: object, name: str) -> object:
    return value.get(name, "") if isinstance(value, dict) else ""
