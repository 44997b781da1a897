"""The terminals' door: queries, escalations, notices, reviews, and what a terminal is built by.

It turns HTTP into an ``Inbound`` and an answer into HTTP.

Nothing of a client's request is forwarded but what the route map matched; so a header such as ``Range`` or
``X-HTTP-Method-Override`` has no effect here, and there is none by which a client could say who it is.
"""

from __future__ import annotations

import asyncio
import secrets
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from proxy.database import DatabaseUnusable
from proxy.escalation.lifecycle import EscalationRequired
from proxy.escalation.views import task
from proxy.gateway.answer import Answer, Declined, store_unusable
from proxy.identity.tls import with_thumbprint
from proxy.inquiry.inquiry import Inbound, MethodNotAllowed, ParameterUnknown, RouteUnknown
from proxy.oversight.findings import Findings
from proxy.purpose.purpose import Standing
from proxy.refusal import Refusal
from proxy.web import delegations, problems
from proxy.web.back_channel import LOGOUT, sign_out
from proxy.web.body import read_body
from proxy.web.duties import DUTIES, Duties
from proxy.web.escalations import ROOM, STREAM, EscalationsRoom, require
from proxy.web.findings import FINDINGS, FindingsDoor
from proxy.web.leaks import LEAKS
from proxy.web.locks import LOCKS, LockDoor
from proxy.web.log import LOG, LogDoor
from proxy.web.passkeys import PASSKEYS, PasskeyDoor
from proxy.web.prefer import read_preferences
from proxy.web.respond import COMMON_HEADERS, not_modified, refuse, respond
from proxy.web.streams import Reader, Streams

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from proxy.clock import Clock
    from proxy.escalation.lock_service import LockDesk
    from proxy.escalation.locks import Locks
    from proxy.escalation.service import Escalations
    from proxy.gateway.service import Gateway
    from proxy.identity.logout import BackChannel
    from proxy.identity.principal import Principal
    from proxy.identity.registration import Registration
    from proxy.identity.service import Authenticator
    from proxy.oversight.questions import Questions
    from proxy.oversight.service import Oversight
    from proxy.web.documents import Documents
    from proxy.web.leaks import LeakDoor
    from proxy.web.limits import Limits

    _Act = Callable[[Principal], Awaitable[web.StreamResponse]]

VIA: Final = "1.1 showcause"
PURPOSES: Final = "/purposes"
STREAMS_SHARE: Final = 4
"""One connection of so many can be a stream, so that streams keep no query out."""
_DOCUMENTS: Final = frozenset({PURPOSES, "/openapi.json"})


class Terminals:
    """Handler of the terminals' door; the console's door serves the same but queries until it has pages of its own."""

    def __init__(
        self,
        *,
        gateway: Gateway,
        identities: Authenticator,
        escalations: Escalations,
        oversight: Oversight,
        locks: Locks,
        lock_desk: LockDesk,
        documents: Documents,
        clock: Clock,
        limits: Limits,
        wait_seconds_max: float,
        queries: bool = True,
        questions: Questions | None = None,
        origin: str = "",
        registration: Registration | None = None,
        back_channel: BackChannel | None = None,
        leaks: LeakDoor | None = None,
    ) -> None:
        """Wire the door; ``queries`` is false where only escalations, notices and reviews are served.

        ``registration`` has people's passkeys; ``back_channel`` is where an identity provider signs people out; ``questions``
        answers those to the log of ``origin``, and ``leaks`` traces leaks by it.
        """
        self._back_channel = back_channel
        self._gateway = gateway
        self._identities = identities
        self._streams = Streams(escalations, clock, most=max(1, limits.connections // STREAMS_SHARE))
        self._rooms: Mapping[str, Callable[[Inbound, Principal], Awaitable[web.StreamResponse]]] = {
            ROOM: EscalationsRoom(escalations, clock).answer,
            LOCKS: LockDoor(lock_desk).answer,
            delegations.ROOM: delegations.Delegations(escalations.delegations, clock).answer,
            **dict.fromkeys(DUTIES, Duties(oversight).answer),
            FINDINGS: FindingsDoor(Findings(oversight)).answer,
            **({LEAKS: leaks.answer} if leaks is not None else {}),
            **({LOG: LogDoor(questions, origin).answer} if questions is not None else {}),
        }
        if registration is not None:
            self._rooms = {**self._rooms, PASSKEYS: PasskeyDoor(registration).answer}
        self._locks = locks
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
        if (act := self._room(room, request, inbound)) is not None:
            return await self._known(inbound, peer, act)
        if path in _DOCUMENTS and self._queries:
            return await self._known(inbound, peer, partial(self._document, inbound, path))
        return await (self._query(inbound, peer) if self._queries else self._signed_out(inbound, path))

    def _room(self, room: str, request: web.BaseRequest, inbound: Inbound) -> _Act | None:
        """Return what answers in a room, or None where there is none of that name."""
        if room == ROOM and (streamed := STREAM.match(inbound.target)) is not None:
            return partial(self._stream, request, inbound, streamed[1])
        answer = self._rooms.get(room)
        return partial(answer, inbound) if answer is not None else None

    async def _query(self, inbound: Inbound, peer: Mapping[str, Any]) -> web.StreamResponse:
        preferred = read_preferences(inbound.headers, self._wait_seconds_max)
        answer = await self._gateway.answer(inbound, peer, wait=preferred.wait)
        match answer:
            case Answer():
                response, accepted = _answered(answer), False
            case Declined(refusal=refusal, entry=entry):
                accepted = preferred.respond_async and isinstance(refusal, EscalationRequired)
                response = _accepted(refusal, entry) if accepted else _declined(refusal, entry)
        if applied := preferred.applied(accepted=accepted):
            response.headers["Preference-Applied"] = applied
        return response

    async def _known(self, inbound: Inbound, peer: Mapping[str, Any], act: _Act) -> web.StreamResponse:
        """Answer somebody whom we know; what is refused is remembered."""
        principal: Principal | None = None
        try:
            authorization = inbound.header("Authorization")
            principal = await self._identities.identify(authorization, peer, self._clock())
            self._locks.check(principal, case=None, subjects=(), grant=None)
            return await act(principal)
        except (Refusal, DatabaseUnusable) as error:
            # Who tries to approve their own query, or somebody else's, is somebody to know of.
            refusal = error if isinstance(error, Refusal) else store_unusable()
            declined = await self._gateway.refused(inbound, principal, refusal)
            return _declined(declined.refusal, declined.entry)

    async def _stream(self, request: web.BaseRequest, inbound: Inbound, id_: str, principal: Principal) -> web.StreamResponse:
        """Send an escalation's events to somebody known, for as long as they are."""
        require(inbound, "GET")
        peer = _peer(request)  # by now: once the client has gone there is none

        async def still() -> None:
            # Asked anew as at the first time: a key that was revoked, a token that has expired, a person signed out.
            same = await self._identities.identify(inbound.header("Authorization"), peer, self._clock())
            self._locks.check(same, case=None, subjects=(), grant=None)

        last = inbound.header("Last-Event-ID") or ""
        remember = partial(self._gateway.refused, inbound, principal)
        return await self._streams.serve(
            id_, Reader(request=request, principal=principal, last=last, still=still, remember=remember)
        )

    async def _signed_out(self, inbound: Inbound, path: str) -> web.StreamResponse:
        """Have the identity provider sign somebody out, where no queries are answered; nothing else is left there."""
        back_channel = self._back_channel
        if back_channel is None or path != LOGOUT:
            raise RouteUnknown("Queries are answered at the terminals' door.")
        try:
            return await sign_out(inbound, back_channel)
        except (Refusal, DatabaseUnusable) as error:
            refusal = error if isinstance(error, Refusal) else store_unusable()
            declined = await self._gateway.refused(inbound, None, refusal)
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
            return not_modified(kept)
        return respond(200, found.body, found.media_type, **kept)

    async def _read(self, request: web.BaseRequest) -> Inbound:
        """Read one request within the door's bounds.

        Raises:
            BodyTooLarge, BadRequest, RequestTimeout.
        """
        return Inbound(
            query_id=next(self._query_ids),
            source=request.remote or "",
            method=request.method,
            target=request.raw_path,
            headers=tuple([(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.raw_headers]),
            body=await read_body(request, self._limits),
        )


def _peer(request: web.BaseRequest) -> Mapping[str, Any]:
    transport = request.transport
    peer = transport.get_extra_info("peercert") if transport is not None else None
    if transport is None or not peer:
        return {}
    return with_thumbprint(peer, transport.get_extra_info("ssl_object").getpeercert(binary_form=True))


def _accepted(refusal: Refusal, entry: str | None) -> web.Response:
    """Return the task that stands for a query which waits for a supervisor (RFC 7240 section 4.1)."""
    escalation = refusal.extras["escalation"]
    assert isinstance(escalation, dict)
    body = task(escalation) | {"escalation": escalation, "detail": refusal.detail, "instance": entry}
    headers = {"Location": str(escalation["href"]), "Retry-After": str(refusal.extras["retry_after"])}
    response = respond(202, orjson.dumps(body), "application/json", **headers)
    if entry is not None:
        response.headers["Audit-Entry"] = entry
    return response


def _declined(refusal: Refusal, entry: str | None) -> web.Response:
    response = refuse(refusal, instance=entry)
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
    if answer.review_due is not None:
        headers["Break-Glass"] = f"review-due=@{int(answer.review_due.timestamp())}"  # an RFC 9651 date
    return web.Response(status=answer.status, body=answer.body, headers=headers)


def _problem_page(inbound: Inbound) -> web.Response:
    body = problems.page(inbound.target.removeprefix("/problems/"))
    if body is None or inbound.method != "GET":
        raise RouteUnknown("There is no such problem type.")
    return respond(200, body, "text/html; charset=utf-8")
