"""A door: an aiohttp server that errs in our words, and never logs what it was asked."""

from __future__ import annotations

import asyncio
import logging
import re
from itertools import chain
from typing import TYPE_CHECKING, Final

from aiohttp import HttpVersion10, web
from aiohttp.http_parser import HttpRequestParser, HttpRequestParserPy

from proxy.gateway.answer import InternalError
from proxy.refusal import Refusal
from proxy.web.problems import BadRequest, TransferCodingUnsupported, VersionUnsupported
from proxy.web.protocol import VERSIONS, Server
from proxy.web.respond import refuse

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from proxy.web.limits import Limits
    from proxy.web.protocol import Handler

_HOST: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?\Z")
_POLL_SECONDS: Final = 0.01
_CANCEL_SECONDS: Final = 1.0


class Door:
    """One listening address. ``port`` is the real one once it is open."""

    def __init__(
        self,
        name: str,
        handler: Handler,
        *,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        limits: Limits,
        on_error: Callable[[BaseException], None],
    ) -> None:
        """Name the address; nothing listens yet. ``on_error`` is told of errors that nobody foresaw."""
        self.name = name
        self.host = host
        self.port = port
        self._handler = handler
        self._tls = tls
        self._limits = limits
        self._on_error = on_error
        self._server: Server | None = None
        self._listening: asyncio.Server | None = None
        self._closing = False
        self._under_way: set[asyncio.Task[object]] = set()

    @property
    def url(self) -> str:
        """Return the door's base URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self._tls else ''}://{host}:{self.port}"

    @property
    def connections(self) -> int:
        """Return how many connections there are."""
        return len(self._server.connections) if self._server is not None else 0

    async def open(self) -> None:
        """Listen.

        Raises:
            OSError: the address is taken or not ours, or aiohttp came without its C parser.
        """
        if HttpRequestParser is HttpRequestParserPy:
            # The other one reads things that this one refuses (CVE-2025-53643, CVE-2024-52304).
            raise OSError("aiohttp's C parser is missing: install aiohttp's wheel, and set no AIOHTTP_NO_EXTENSIONS")
        silent = logging.Logger("showcause.silent")  # noqa: LOG001 -- outside the tree, so no configuration can make it speak: aiohttp's own lines hold request targets
        silent.addHandler(logging.NullHandler())
        limits = self._limits
        self._server = Server(
            self._handle,
            limits=limits,
            access_log=None,
            logger=silent,
            keepalive_timeout=limits.keepalive_seconds,
            lingering_time=0,
            max_line_size=min(8190, limits.header_bytes),
            max_field_size=min(8190, limits.header_bytes),
            auto_decompress=False,
        )
        self._listening = await asyncio.get_running_loop().create_server(
            self._server,
            self.host,
            self.port,
            ssl=self._tls,
            backlog=limits.connections,
            ssl_handshake_timeout=limits.keepalive_seconds if self._tls else None,
            ssl_shutdown_timeout=limits.keepalive_seconds if self._tls else None,
        )
        self.port = self._listening.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, finish what is under way within the drain time, cancel the rest, close."""
        if self._server is None or self._listening is None:
            return
        self._closing = True
        self._listening.close()
        await asyncio.sleep(0)  # what was accepted in this turn of the loop gets its connection
        self._server.close_idle()
        deadline = asyncio.get_running_loop().time() + self._limits.drain_seconds
        while self._server.busy and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_POLL_SECONDS)
            self._server.close_idle()
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(set(self._under_way), timeout=_CANCEL_SECONDS)
        await self._server.shutdown(_CANCEL_SECONDS)
        self._server = self._listening = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        try:
            _check(request, self._limits.header_bytes)
            response = await self._handler(request)
        except Refusal as refusal:
            response = refuse(refusal, instance=None)
        except web.RequestPayloadError:
            response = refuse(BadRequest("The body is not framed as HTTP has it."), instance=None)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the client gets our words and nothing else
            self._on_error(error)
            response = refuse(InternalError("Something went wrong here; nothing was released."), instance=None)
        finally:
            self._under_way.discard(task)
        if self._closing:
            response.force_close()
        return response


def _check(request: web.BaseRequest, header_bytes: int) -> None:
    """Refuse what aiohttp lets pass and RFC 9112 does not.

    Raises:
        VersionUnsupported, TransferCodingUnsupported, BadRequest.
    """
    version = request.version
    if version not in VERSIONS:
        raise VersionUnsupported("Use HTTP/1.1.")
    raw, headers = request.raw_headers, request.headers
    if sum(map(len, chain.from_iterable(raw))) + 4 * len(raw) > header_bytes:
        raise BadRequest(f"The headers are larger than {header_bytes} bytes.")
    if not _HOST.match(headers.get("Host", "")):  # there is only one: aiohttp has refused a second
        raise BadRequest("The header Host does not name a host.")
    codings = headers.getall("Transfer-Encoding", None)
    if codings is not None and ([coding.strip().lower() for coding in codings] != ["chunked"] or version == HttpVersion10):
        # RFC 9112 section 6.1: a coding we do not undo would leave us inspecting other bytes than the upstream.
        raise TransferCodingUnsupported("Send the body plain or chunked.")
