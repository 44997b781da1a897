"""The records server, asked once for each permitted and recorded inquiry.

Nothing of the terminal's request reaches it but what the inquiry was built from: our own fixed headers, no cookie kept
between two officers, no redirect followed, nothing sent twice. Every wait has an end, every reply a bound, and whatever is
not a plain 200 or 404 in one piece is a failure of the records server, of which nothing is released.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import TYPE_CHECKING, Final, NoReturn

from yarl import URL

from proxy.inquiry.route import JSON
from proxy.tlog.keys import load_line
from proxy.upstream.reply import Overloaded, ReplyUnreadable, UpstreamFailed, UpstreamTimeout, UpstreamUnavailable
from proxy.upstream.wire import Connection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.audit.event import Receipt
    from proxy.inquiry.inquiry import Inquiry, Outbound
    from proxy.inquiry.route import Route
    from proxy.refusal import Refusal
    from proxy.telemetry import Metrics
    from proxy.upstream.head import Frame
    from proxy.upstream.options import UpstreamOptions
    from proxy.upstream.reply import Reply
    from proxy.upstream.wire import Accept

VIA: Final = "1.1 showcause"
AGENT: Final = "showcause"
# A space, a line's end or a fragment in a target would be the beginning of something else than one request.
_TARGET: Final = re.compile(r"/[!\"$-~]*")
_ANSWERS: Final = frozenset({200, 404})
_OUTCOMES: Final[dict[type[Refusal], str]] = {
    UpstreamFailed: "failed",
    ReplyUnreadable: "failed",
    UpstreamUnavailable: "unavailable",
    UpstreamTimeout: "timeout",
    Overloaded: "overloaded",
}


class ReceiptMismatch(Exception):  # noqa: N818 -- it says what the receipt is
    """Somebody would forward an inquiry without the receipt of its own decision; nothing was sent."""


class Upstream:
    """One records server. Open before use, close after; any number of inquiries at a time."""

    def __init__(self, options: UpstreamOptions, *, metrics: Metrics) -> None:
        """Check the origin; nothing is opened yet.

        Raises:
            ValueError: the URL is not an http or https origin.
        """
        url = URL(options.url)
        if url.scheme not in {"http", "https"} or not url.host or url.path not in {"", "/"} or url.query_string or url.user:
            raise ValueError("the records server's URL is a scheme, a host and a port, and nothing else")
        self._options = options
        self._origin = str(url.origin())
        self._host, self._port = url.host, url.port or 0
        self._authority = url.host_port_subcomponent
        self._metrics = metrics
        self._seconds = {outcome: metrics.upstream_seconds.labels(outcome) for outcome in ("ok", *set(_OUTCOMES.values()))}
        self._slots = asyncio.Semaphore(options.connections)
        self._queued = 0
        self._open = False
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._tls: ssl.SSLContext | None = None
        self._credential = ""
        self._written: dict[frozenset[str], str] = {}

    @property
    def origin(self) -> str:
        """Return scheme, host and port: the destination in the log."""
        return self._origin

    async def open(self) -> None:
        """Read the certificates and the credential, and make the pool; connections are made when they are needed.

        Raises:
            OSError: a certificate cannot be used; the message says which.
            KeyUnusable: the credential is not one line of visible ASCII in a file that only its owner reads.
        """
        options = self._options
        if self._origin.startswith("https:"):
            self._tls = await asyncio.to_thread(_tls, options)
        if options.credential is not None:
            self._credential = f"Authorization: {await asyncio.to_thread(load_line, options.credential)}\r\n"
        self._written.clear()  # what was written before had no credential
        self._open = True

    async def close(self) -> None:
        """Close every connection; closing twice is harmless."""
        self._open = False
        for connection in (*self._idle, *self._busy):
            connection.close()
        self._idle.clear()
        await asyncio.sleep(0)  # the connections' turn to be gone

    async def forward(self, inquiry: Inquiry, receipt: Receipt) -> Reply:
        """Send the inquiry, once, and return the reply whole.

        Raises:
            ReceiptMismatch: the receipt is not that of this inquiry's decision; nothing was sent.
            Overloaded: every connection is busy and the queue is full, or did not move in time; nothing was sent.
            UpstreamUnavailable: no connection; nothing was sent.
            UpstreamTimeout: no first byte, or no end, in time.
            UpstreamFailed: the reply is no answer.
            ReplyUnreadable: the reply is larger than allowed, or no media type of its route.
        """
        if receipt.kind != "decided" or not receipt.about or receipt.about != inquiry.query_id:
            raise ReceiptMismatch("the receipt does not name this inquiry's decision")
        clock = asyncio.get_running_loop().time
        started = clock()
        try:
            await self._take_slot()
            try:
                reply = await self._exchange(inquiry.outbound, inquiry.route)
            finally:
                self._slots.release()
        except tuple(_OUTCOMES) as refusal:
            outcome = _OUTCOMES[type(refusal)]
            self._seconds[outcome].observe(clock() - started)
            if outcome != "overloaded":
                self._metrics.upstream_up.set(outcome == "failed")
            raise
        self._seconds["ok"].observe(clock() - started)
        self._metrics.upstream_up.set(1)
        return reply

    async def check(self) -> None:
        """See whether the records server takes a connection.

        Raises:
            UpstreamUnavailable: it does not.
        """
        try:
            (await self._connect()).close()
        except UpstreamUnavailable:
            self._metrics.upstream_up.set(0)
            raise
        self._metrics.upstream_up.set(1)

    async def _take_slot(self) -> None:
        """Take one of the connections, waiting in the bounded queue for a bounded time."""
        if not self._slots.locked():
            await self._slots.acquire()
            return
        if self._queued >= self._options.queue:
            raise Overloaded("Too many queries are waiting for the records server. Try again.", retry_after=1)
        self._queued += 1
        try:
            async with asyncio.timeout(self._options.queue_seconds):
                await self._slots.acquire()
        except TimeoutError:
            raise Overloaded("Every connection to the records server is busy. Try again.", retry_after=2) from None
        finally:
            self._queued -= 1

    async def _exchange(self, outbound: Outbound, route: Route) -> Reply:
        if not _TARGET.fullmatch(outbound.target):
            raise UpstreamUnavailable("The target is none of the records server's; nothing was asked.")
        head, body = f"{outbound.method} {outbound.target} HTTP/1.1\r\n{self._fields(route.media_types)}", outbound.body or b""
        if outbound.content_type is not None:
            head += f"Content-Type: {outbound.content_type}\r\nContent-Length: {len(body)}\r\n"
        return await self._ask(f"{head}\r\n".encode("ascii") + body, lambda frame: _check(frame, route))

    async def _ask(self, request: bytes, accept: Accept) -> Reply:
        """Send a request over a kept connection or a new one, which is kept when its reply ended as it should."""
        if not self._open:
            raise UpstreamUnavailable("The records server's client is not open; nothing was asked. Try again.")
        clock = asyncio.get_running_loop().time
        now = clock()
        connection = self._kept(now) or await self._connect()
        self._busy.add(connection)
        try:
            return await connection.ask(request, accept, now, self._options)
        finally:
            self._busy.discard(connection)
            if connection.usable and self._open:
                connection.idle_since = clock()
                self._idle.append(connection)
            else:
                connection.close()

    def _kept(self, now: float) -> Connection | None:
        """Return the connection that was used last, unless the records server may be about to close it."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable and now - connection.idle_since < self._options.keepalive_seconds:
                return connection
            connection.close()
        return None

    async def _connect(self) -> Connection:
        try:
            async with asyncio.timeout(self._options.connect_seconds):
                loop = asyncio.get_running_loop()
                _, connection = await loop.create_connection(Connection, self._host, self._port, ssl=self._tls)
        # `from None`: an error of the network tells more of it than a terminal has to know.
        except (OSError, TimeoutError):
            raise UpstreamUnavailable("The records server cannot be reached; nothing was asked of it. Try again.") from None
        return connection

    def _fields(self, media_types: frozenset[str]) -> str:
        """Return the header fields of every request for these media types, written once for each set that a route names."""
        written = self._written.get(media_types)
        if written is None:
            accept = ", ".join(sorted(media_types))
            written = self._written[media_types] = (
                f"Host: {self._authority}\r\nAccept: {accept}\r\nAccept-Encoding: identity\r\n"
                f"User-Agent: {AGENT}\r\nVia: {VIA}\r\n{self._credential}"
            )
        return written


def _check(frame: Frame, route: Route) -> str:
    """Return the media type of a reply that is an answer, in one piece, as it is.

    A redirect leads where no policy looked, 206 and Content-Range are fragments that redaction cannot read (RFC 9110 §14), a
    content coding is a bomb until it is inflated, and a status other than 200 and 404 answers nothing.
    """
    fields = frame.fields
    if frame.status not in _ANSWERS:
        _fail(f"The records server answered with status {frame.status}; nothing was released.")
    if any(coding.lower() != "identity" for coding in fields.get("content-encoding", ())):
        _fail("The records server encoded its reply although it was asked not to; nothing was released.")
    if "content-range" in fields:
        _fail("The records server sent a fragment that nobody asked for; nothing was released.")
    if route.opaque and frame.length is None and not frame.chunked:
        _fail("The records server did not say where its reply ends; nothing was released.")  # it could have been cut off
    media_type, parameters = _media_type(fields.get("content-type", ()))
    if frame.status == 404:
        return media_type
    if media_type not in route.media_types or (media_type == JSON and parameters not in {"", "charset=utf-8"}):
        raise ReplyUnreadable("The records server's reply is not of the kind that its route describes.")
    return media_type


def _media_type(values: Sequence[str]) -> tuple[str, str]:
    if len(values) != 1:
        return "", ""
    media_type, _, parameters = values[0].partition(";")
    return media_type.strip().lower(), parameters.replace(" ", "").replace('"', "").lower()


def _tls(options: UpstreamOptions) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        if options.certificate is not None:
            context.load_cert_chain(options.certificate, options.key)
    except OSError as error:  # which file it was, Python does not say
        named = ", ".join(str(path) for path in (options.ca, options.certificate, options.key) if path is not None)
        msg = f"upstream: {named} cannot be used: {error.strerror or error}"
        raise OSError(msg) from error
    return context


def _fail(detail: str) -> NoReturn:
    raise UpstreamFailed(detail)
