"""Server-sent events: an escalation as it changes, to who may see it (HTML Living Standard, section 9.2).

Each event is the whole of what the one who asked may see, so nothing of the subject is in it and whoever missed some has missed
nothing; its id is a digest of what the reader may see, so a reader who comes back with ``Last-Event-ID`` is told what is new.
Whether the reader's credential is still good is looked at as often as the escalation is.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson
from aiohttp import web

from proxy.database import DatabaseUnusable
from proxy.escalation.lifecycle import BudgetSpent, State
from proxy.escalation.views import supervisor_view, view
from proxy.gateway.answer import store_unusable
from proxy.refusal import Refusal
from proxy.upstream.reply import Overloaded
from proxy.web.problems import PROBLEMS
from proxy.web.protocol import Connection
from proxy.web.respond import COMMON_HEADERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from proxy.clock import Clock
    from proxy.escalation.lifecycle import Escalation
    from proxy.escalation.service import Escalations
    from proxy.identity.principal import Principal

MEDIA_TYPE: Final = "text/event-stream"
HEARTBEAT_SECONDS: Final = 10.0
RETRY_MILLISECONDS: Final = 2000
MOST_OF_ONE: Final = 8
RUNNING: Final = frozenset({State.PENDING, State.APPROVED})
"""States that something can follow."""
_HEARTBEAT: Final = b":\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Whoever reads a stream. ``still`` raises once they are no longer good; what ends a stream so is told to ``remember``."""

    request: web.BaseRequest
    principal: Principal
    last: str
    still: Callable[[], Awaitable[None]]
    remember: Callable[[Refusal], Awaitable[object]]


class Streams:
    """The streams of one door, bounded: of all readers together, and of each person."""

    def __init__(self, escalations: Escalations, clock: Clock, *, most: int, heartbeat: float = HEARTBEAT_SECONDS) -> None:
        """Take the room, and how many streams there can be at a time."""
        self._escalations = escalations
        self._clock = clock
        self._most = most
        self._heartbeat = heartbeat
        self._open: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """Return how many streams there are."""
        return self._open.total()

    async def serve(self, id_: str, reader: Reader) -> web.StreamResponse:
        """Stream an escalation until it has ended, its reader is gone or no longer good, or the node is about to stop.

        Raises:
            EscalationUnknown, BudgetSpent, Overloaded: there is no stream.
        """
        with self._held(reader.principal.person):
            generation = self._escalations.waits.generation()  # before it is read: what changes meanwhile is looked at again
            escalation = await self._escalations.seen(id_, reader.principal)
            if self._event(escalation, reader.principal)[0] == reader.last and escalation.at(self._clock()) not in RUNNING:
                return web.Response(status=204, headers=COMMON_HEADERS)  # by which a reader knows not to come back
            return await self._stream(escalation, generation, reader)

    async def _stream(self, escalation: Escalation, generation: int, reader: Reader) -> web.StreamResponse:
        response = web.StreamResponse(headers={**COMMON_HEADERS, "Content-Type": MEDIA_TYPE, "X-Accel-Buffering": "no"})
        wire = _Wire(reader.request, response)
        try:
            await response.prepare(reader.request)
            await wire.send(b"retry: %d\n\n" % RETRY_MILLISECONDS)
            await self._follow(wire, escalation, generation, reader)
        except ConnectionError:
            pass  # the reader has gone, which a stream ends by more often than by anything else
        except (Refusal, DatabaseUnusable) as error:
            refusal = error if isinstance(error, Refusal) else store_unusable()
            await reader.remember(refusal)
            await wire.farewell(refusal)
        return response

    async def _follow(self, wire: _Wire, escalation: Escalation, generation: int, reader: Reader) -> None:
        waits, loop, last = self._escalations.waits, asyncio.get_running_loop(), reader.last
        beat = loop.time() + self._heartbeat
        while not wire.gone:
            await reader.still()
            event, text = self._event(escalation, reader.principal)
            if event != last:
                last, beat = event, loop.time() + self._heartbeat
                await wire.send(text)
            if waits.ended or escalation.at(self._clock()) not in RUNNING:
                return
            await waits.turn(generation, self._heartbeat)
            overdue = loop.time() >= beat
            if overdue:
                beat = loop.time() + self._heartbeat
                await wire.send(_HEARTBEAT)
            if overdue or waits.generation() != generation:
                generation = waits.generation()
                escalation = await self._escalations.seen(escalation.id, reader.principal)

    def _event(self, escalation: Escalation, principal: Principal) -> tuple[str, bytes]:
        """Return the id and the bytes of an escalation as it is."""
        now = self._clock()
        own = view(escalation, now)
        shown = own if escalation.asked.person == principal.person else supervisor_view(escalation, now)
        event = hashlib.sha256(orjson.dumps(shown)).hexdigest()[:32]
        return event, b"id: %s\nevent: escalation\ndata: %s\n\n" % (event.encode(), orjson.dumps(own))

    @contextmanager
    def _held(self, person: str) -> Iterator[None]:
        if self.open >= self._most:
            raise Overloaded("Too many streams at once. Poll the escalation instead.", retry_after=5)
        if self._open[person] >= MOST_OF_ONE:
            raise BudgetSpent(f"You have {MOST_OF_ONE} streams open already. Close one, or poll.", retry_after=5)
        self._open[person] += 1
        try:
            yield
        finally:
            self._open[person] -= 1
            self._open += Counter()  # forgets whoever has none


class _Wire:
    """The way to one reader."""

    def __init__(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        self._request = request
        self._response = response

    @property
    def gone(self) -> bool:
        """Tell whether the reader has closed the connection, or its half of it: a write would tell only after a while."""
        transport, protocol = self._request.transport, self._request.protocol
        return transport is None or transport.is_closing() or (isinstance(protocol, Connection) and protocol.ended)

    async def send(self, text: bytes) -> None:
        """Return once the reader has taken it. One who does not is cut off by the door; meanwhile nothing piles up here."""
        await self._response.write(text)
        await self._request.writer.drain()

    async def farewell(self, refusal: Refusal) -> None:
        """Say why a stream ends: the problem's type and no more, since whoever reads on may not be whom it was opened for."""
        slug = refusal.slug()
        data = orjson.dumps({"type": f"/problems/{slug}", "title": PROBLEMS[slug].title})
        with suppress(ConnectionError):
            await self.send(b"event: problem\ndata: %s\n\n" % data)
