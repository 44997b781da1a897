"""One connection: what aiohttp's server leaves open, closed.

aiohttp reads HTTP, strictly; its C parser refuses conflicting lengths, bare line ends, folds and the like with 400. Here is
what it does not bound or say: connections beyond the limit, a client that does not read its answer, one that is still sending
when it is refused, one that closes its half after asking, and errors in our words.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from aiohttp import HttpVersion10, HttpVersion11, web
from aiohttp.http_exceptions import LineTooLong

from proxy.gateway.answer import InternalError
from proxy.web.problems import BadRequest
from proxy.web.respond import refuse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from proxy.web.limits import Limits

    Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

LINGER_SECONDS: Final = 2.0
VERSIONS: Final = frozenset({HttpVersion10, HttpVersion11})


class Server(web.Server):
    """``web.Server`` whose connections are ours."""

    def __init__(self, handler: Handler, *, limits: Limits, **kwargs: Any) -> None:
        """Serve ``handler`` within ``limits``; ``kwargs`` are those of aiohttp's protocol."""
        super().__init__(handler, **kwargs)
        self._limits = limits

    def __call__(self) -> web.RequestHandler:
        """Return the protocol of a new connection."""
        return Connection(self, loop=asyncio.get_running_loop(), limits=self._limits, **self._kwargs)

    @property
    def busy(self) -> bool:
        """Tell whether any connection has a request under way."""
        return any(isinstance(connection, Connection) and connection.busy for connection in self.connections)

    def close_idle(self) -> None:
        """Close the connections that wait for a next request."""
        for connection in self.connections:
            if isinstance(connection, Connection) and not connection.busy:
                connection.force_close()


class Connection(web.RequestHandler):
    """The protocol of one connection."""

    __slots__ = ("_cut", "_ended", "_gone", "_limits", "_refused", "_wire")

    def __init__(self, manager: web.Server, *, limits: Limits, **kwargs: Any) -> None:
        """Wire one connection of ``manager``."""
        super().__init__(manager, **kwargs)
        self._limits = limits
        self._wire: asyncio.Transport | None = None
        self._cut: asyncio.TimerHandle | None = None
        self._gone: asyncio.Future[None] | None = None
        self._ended = False
        self._refused = False

    @property
    def busy(self) -> bool:
        """Tell whether a request is under way; one whose head has not arrived yet is not."""
        return self._waiter is None or self._waiter.done()

    @property
    def ended(self) -> bool:
        """Tell whether the client has closed its half: it asks nothing more, and a stream's reader most likely has gone."""
        return self._ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the connection, or close it when there are too many."""
        assert isinstance(transport, asyncio.Transport)
        if self._manager is not None and len(self._manager.connections) >= self._limits.connections:
            transport.abort()  # beyond the bound a new connection is closed at once, before it costs anything
            return
        self._wire = transport
        # Told at the first byte that the client does not take, not after 64 KiB. TLS counts from one byte on.
        transport.set_write_buffer_limits(high=1 if transport.get_extra_info("sslcontext") else 0, low=0)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget everything that waits for this connection."""
        self._wire = None
        if self._cut is not None:
            self._cut.cancel()
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; tell a handler that waits for its body when that is no body any more."""
        super().data_received(data)
        request = self._current_request
        if request is not None and self._messages and not request.content.is_eof():
            # Only a fault can follow an unfinished body. aiohttp answers it after this request, which would wait till then.
            request.content.set_exception(web.RequestPayloadError("the body is not framed as HTTP has it"))

    def pause_writing(self) -> None:
        """Give the client its time to take what it asked for. aiohttp, and the kernel, would wait for ever."""
        super().pause_writing()
        self._cut = self._loop.call_later(self._limits.send_seconds, self._abort)

    def resume_writing(self) -> None:
        """Everything has been taken."""
        super().resume_writing()
        if self._cut is not None:
            self._cut.cancel()

    def _abort(self) -> None:
        if self._wire is not None:
            self._wire.abort()

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks for a truth value, aiohttp always answers no
        """Keep the connection for a client that closed its half after a whole request; else close."""
        transport, request = self._wire, self._current_request
        if transport is None or transport.get_extra_info("sslcontext") or not self._request_count or not self.busy:
            return False
        if self._gone is not None or (request is not None and not request.content.is_eof()):
            return False
        self._ended = True
        return True

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what aiohttp could not parse; never repeat what was sent, since it may hold a name."""
        del request, message
        if status >= 500:
            return refuse(InternalError("Something went wrong here; nothing was released."), instance=None)
        self._refused = True
        said = "is not HTTP as we read it"
        if isinstance(exc, LineTooLong):
            said = "has an address or a header that is too long; send less of it"
        return refuse(BadRequest(f"The request {said}; nothing was done."), instance=None)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send the answer; end the connection where what follows on it could not be told from the request."""
        unread = self._refused or not request.content.is_eof()
        last = self._ended and not self._messages
        if unread or last or request.method == "CONNECT" or "Upgrade" in request.headers:
            # What follows a CONNECT or an Upgrade may be another protocol. aiohttp drops what came in the same packet, so the
            # next request would begin in the middle of one.
            resp.force_close()
        if self._refused or request.version not in VERSIONS:
            # RFC 9110 section 2.5: never answer in a version that is not ours. aiohttp answers in the request's.
            request._cache["version"] = HttpVersion11  # noqa: SLF001 -- it has no other way
        done = await super().finish_response(request, resp, start_time)
        if unread:
            await self._linger()
        return done

    async def _linger(self) -> None:
        """Read on for a moment, keeping nothing: closing with bytes unread makes TCP take back the answer (RFC 9112, 9.6)."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        self.close()  # what comes is dropped from now on
        transport.resume_reading()
        if transport.can_write_eof():
            transport.write_eof()
        self._gone = self._loop.create_future()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                await self._gone
