"""What every door has in common: an aiohttp server that errs in our words, and never logs what it was asked."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from proxy import __version__
from proxy.web import problems

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping

    from proxy.refusal import Refusal

    Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

SERVER: Final = f"showcause/{__version__.partition('.')[0]}"
COMMON_HEADERS: Final[Mapping[str, str]] = {
    "Server": SERVER,
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on what a client may send, and how long it may take. Bytes and seconds."""

    body_bytes: int = 65536
    header_bytes: int = 16384
    connections: int = 1024
    keepalive_seconds: float = 15
    body_seconds: float = 10
    drain_seconds: float = 20


class Door:
    """One listening address. ``port`` is the real one once it is open."""

    def __init__(
        self, name: str, handler: Handler, *, host: str, port: int, tls: ssl.SSLContext | None, limits: Limits
    ) -> None:
        """Name the address; nothing listens yet."""
        self.name = name
        self.host = host
        self.port = port
        self._handler = handler
        self._tls = tls
        self._limits = limits
        self._runner: web.ServerRunner | None = None

    @property
    def url(self) -> str:
        """Return the door's base URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self._tls else ''}://{host}:{self.port}"

    async def open(self) -> None:
        """Listen.

        Raises:
            OSError: the address is taken or not ours.
        """
        silent = logging.Logger("showcause.silent")  # noqa: LOG001 -- outside the tree, so no configuration can make it speak: aiohttp's own lines hold request targets
        silent.addHandler(logging.NullHandler())
        server = _Server(
            self._handler,
            limits=self._limits,
            access_log=None,
            logger=silent,
            keepalive_timeout=self._limits.keepalive_seconds,
            lingering_time=0,
            max_line_size=min(8190, self._limits.header_bytes),
            max_field_size=min(8190, self._limits.header_bytes),
            auto_decompress=False,
        )
        runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=self._limits.drain_seconds)
        await runner.setup()
        site = web.TCPSite(runner, self.host, self.port, ssl_context=self._tls, backlog=self._limits.connections)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self.port = runner.addresses[0][1]
        self._runner = runner

    async def close(self) -> None:
        """Stop listening, finish what is under way within the drain time, close."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


class _Server(web.Server):
    """``web.Server`` whose protocol says its errors as problems, and which bounds connections."""

    def __init__(self, handler: Handler, *, limits: Limits, **kwargs: Any) -> None:
        super().__init__(handler, **kwargs)
        self._limits = limits

    def __call__(self) -> web.RequestHandler:
        return _Protocol(self, loop=asyncio.get_running_loop(), limits=self._limits, **self._kwargs)


class _Protocol(web.RequestHandler):
    __slots__ = ("_limits",)

    def __init__(self, manager: web.Server, *, limits: Limits, **kwargs: Any) -> None:
        super().__init__(manager, **kwargs)
        self._limits = limits

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._manager is not None and len(self._manager.connections) >= self._limits.connections:
            transport.close()  # beyond the bound a new connection is closed at once, before it costs anything
            return
        super().connection_made(transport)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what aiohttp could not parse; never repeat what was sent, since it may hold a name."""
        del request, message
        refusal: Refusal = problems.BadRequest("The request is not HTTP as we read it; nothing was done.")
        if status >= 500 or exc is None:
            refusal = problems.BadRequest("The request failed before it was read; nothing was released.")
        response = refuse(refusal, instance=None)
        response.force_close()
        return response


def refuse(refusal: Refusal, *, instance: str | None, status: int | None = None) -> web.Response:
    """Return a refusal as problem+json."""
    code, headers, body = problems.render(refusal, instance=instance, status=status)
    return web.Response(status=code, body=body, headers={**COMMON_HEADERS, **headers})


def respond(status: int, body: bytes, media_type: str, **headers: str) -> web.Response:
    """Return a body with the headers that every answer carries; underscores in names stand for hyphens."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(status=status, body=body, headers={**COMMON_HEADERS, "Content-Type": media_type, **more})
