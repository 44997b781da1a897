"""The records server, asked once for each permitted and recorded inquiry.

Nothing of the terminal's request reaches it but what the inquiry was built from: our own fixed headers, no cookie kept
between two officers, no redirect followed, nothing sent twice. Every wait has an end, every reply a bound, and whatever is
not a plain 200 or 404 in one piece is a failure of the records server, of which nothing is released.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
)
from multidict import CIMultiDict
from yarl import URL

from proxy.inquiry.route import JSON
from proxy.upstream.reply import (
    Overloaded,
    Reply,
    ReplyUnreadable,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from proxy.upstream.wire import StrictConnector

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.audit.event import Receipt
    from proxy.inquiry.inquiry import Inquiry, Outbound
    from proxy.inquiry.route import Route
    from proxy.refusal import Refusal
    from proxy.telemetry import Metrics

VIA: Final = "1.1 showcause"
AGENT: Final = "showcause"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamOptions:
    """Where the records server is and how long to bear with it. Seconds and bytes.

    ``url`` is an origin (``http://127.0.0.1:8001``), without path. ``ca``, ``certificate`` and ``key`` are PEM files for https.
    ``credential`` is a file whose one line is sent as the header ``credential_header``. At most ``connections`` exchanges are
    under way and ``queue`` inquiries wait for one. ``keepalive_seconds`` must be shorter than the records server's own, so that
    it does not close a connection just when we use it. ``probe`` is a path that ``check`` asks for, or empty to connect only.
    """

    url: str
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    credential: Path | None = None
    credential_header: str = "Authorization"
    connections: int = 64
    queue: int = 256
    queue_seconds: float = 2
    connect_seconds: float = 2
    first_byte_seconds: float = 10
    total_seconds: float = 20
    keepalive_seconds: float = 3
    reply_bytes: int = 8 << 20
    probe: str = ""


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
        self._host, self._port = url.host, url.port
        self._metrics = metrics
        self._seconds = {outcome: metrics.upstream_seconds.labels(outcome) for outcome in ("ok", *set(_OUTCOMES.values()))}
        self._slots = asyncio.Semaphore(options.connections)
        self._queued = 0
        self._session: ClientSession | None = None
        self._tls: ssl.SSLContext | None = None
        self._headers: dict[frozenset[str], CIMultiDict[str]] = {}
        self._credential: tuple[str, str] | None = None

    @property
    def origin(self) -> str:
        """Return scheme, host and port: the destination in the log."""
        return self._origin

    async def open(self) -> None:
        """Read the certificates and the credential, and make the pool; connections are made when they are needed.

        Raises:
            OSError: a file cannot be read (``ssl.SSLError`` when it is not what it should be).
            ValueError: the credential is not one line of visible ASCII.
        """
        options = self._options
        if self._origin.startswith("https:"):
            self._tls = await asyncio.to_thread(_tls, options)
        if options.credential is not None:
            text = (await asyncio.to_thread(options.credential.read_text, "utf-8")).strip()
            if not text or not text.isascii() or not text.isprintable():
                raise ValueError("the records server's credential is not one line of visible ASCII")
            self._credential = (options.credential_header, text)
        connector = StrictConnector(
            loop=asyncio.get_running_loop(),
            ssl=self._tls if self._tls is not None else False,
            limit=0,  # the semaphore bounds; aiohttp's own queue has no end
            keepalive_timeout=options.keepalive_seconds,
        )
        session = ClientSession(
            connector=connector,
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            timeout=ClientTimeout(total=None, connect=None, sock_read=None, sock_connect=options.connect_seconds),
            max_line_size=8190,
            max_field_size=8190,
        )
        # aiohttp sends a GET again when a kept connection breaks: then the log would know of one query and the server of two.
        session._retry_connection = False  # noqa: SLF001 -- there is no public switch
        self._session = session

    async def close(self) -> None:
        """Close every connection; closing twice is harmless."""
        if self._session is not None:
            await self._session.close()
            self._session = None

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
        """Try to reach the records server: connect, and ask for the probe when there is one.

        Raises:
            UpstreamUnavailable, UpstreamTimeout, UpstreamFailed: as it is.
        """
        try:
            if self._options.probe:
                await self._probe()
            else:
                await self._connect()
        except (UpstreamUnavailable, UpstreamTimeout, UpstreamFailed):
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
        response: ClientResponse | None = None
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._options.total_seconds
        try:
            async with asyncio.timeout_at(min(ends, loop.time() + self._options.first_byte_seconds)) as limit:
                response = await self._send(outbound, route)
                if not response.content.is_eof():
                    limit.reschedule(ends)
                media_type = _check(response, route)
                body = await self._body(response)
        # `from None`: aiohttp's errors hold the URL, which is somebody's name and date of birth.
        except (ConnectionTimeoutError, ClientConnectorError):
            raise UpstreamUnavailable("The records server cannot be reached; nothing was asked of it. Try again.") from None
        except TimeoutError:
            raise UpstreamTimeout("The records server did not answer in time; nothing was released. Try again.") from None
        except (ClientError, OSError):
            raise UpstreamFailed("The records server broke off or sent what is not HTTP; nothing was released.") from None
        finally:
            # What is not read to its very end, whatever the reason, is never used again.
            if response is not None and not response.closed:
                response.close()
        return Reply(status=response.status, media_type=media_type, body=body)

    async def _send(self, outbound: Outbound, route: Route) -> ClientResponse:
        if self._session is None or not outbound.target.startswith("/"):
            raise UpstreamUnavailable("The records server's client is not open; nothing was asked. Try again.")
        headers = self._headers.get(route.media_types)
        if headers is None:
            headers = self._headers[route.media_types] = self._fixed(route.media_types)
        if outbound.content_type is not None:
            headers = headers.copy()
            headers["Content-Type"] = outbound.content_type
        return await self._session.request(
            outbound.method,
            URL(self._origin + outbound.target, encoded=True),
            headers=headers,
            data=outbound.body,
            allow_redirects=False,
        )

    def _fixed(self, media_types: frozenset[str]) -> CIMultiDict[str]:
        accept = ", ".join(sorted(media_types))
        headers = CIMultiDict({"Accept": accept, "Accept-Encoding": "identity", "User-Agent": AGENT, "Via": VIA})
        if self._credential is not None:
            headers[self._credential[0]] = self._credential[1]
        return headers

    async def _body(self, response: ClientResponse) -> bytes:
        most = self._options.reply_bytes
        if (response.content_length or 0) > most:
            raise ReplyUnreadable("The records server's reply is larger than allowed; narrow the query.")
        pieces: list[bytes] = []
        size = 0
        while piece := await response.content.readany():
            size += len(piece)
            if size > most:
                raise ReplyUnreadable("The records server's reply is larger than allowed; narrow the query.")
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(self._options.connect_seconds):
                _, writer = await asyncio.open_connection(
                    self._host, self._port, ssl=self._tls, server_hostname=self._host if self._tls else None
                )
        except (OSError, TimeoutError):
            raise UpstreamUnavailable("The records server cannot be reached.") from None
        writer.close()

    async def _probe(self) -> None:
        if self._session is None:
            raise UpstreamUnavailable("The records server's client is not open.")
        try:
            async with asyncio.timeout(self._options.first_byte_seconds):
                url = URL(self._origin + self._options.probe, encoded=True)
                response = await self._session.get(url, headers=self._fixed(frozenset({JSON})), allow_redirects=False)
                response.close()
        except (ConnectionTimeoutError, ClientConnectorError):
            raise UpstreamUnavailable("The records server cannot be reached.") from None
        except TimeoutError:
            raise UpstreamTimeout("The records server does not answer its probe in time.") from None
        except (ClientError, OSError):
            raise UpstreamFailed("The records server broke off its probe.") from None
        if response.status >= 400:
            _fail(f"The records server answers its probe with {response.status}.")


def _check(response: ClientResponse, route: Route) -> str:
    """Return the media type of a reply that is an answer, in one piece, as it is.

    A redirect leads where no policy looked, 206 and Content-Range are fragments that redaction cannot read (RFC 9110 §14), a
    content coding is a bomb until it is inflated, and a status other than 200 and 404 answers nothing.
    """
    headers = response.headers
    if response.status not in _ANSWERS:
        _fail(f"The records server answered with status {response.status}; nothing was released.")
    if any(coding.strip().lower() != "identity" for coding in headers.getall("Content-Encoding", ())):
        _fail("The records server encoded its reply although it was asked not to; nothing was released.")
    if "Content-Range" in headers:
        _fail("The records server sent a fragment that nobody asked for; nothing was released.")
    if route.opaque and response.content_length is None and "Transfer-Encoding" not in headers:
        _fail("The records server did not say where its reply ends; nothing was released.")  # it could have been cut off
    media_type, parameters = _media_type(headers.getall("Content-Type", []))
    if response.status == 404:
        return media_type
    if media_type not in route.media_types or (media_type == JSON and parameters not in {"", "charset=utf-8"}):
        raise ReplyUnreadable("The records server's reply is not of the kind that its route describes.")
    return media_type


def _media_type(values: list[str]) -> tuple[str, str]:
    if len(values) != 1:
        return "", ""
    media_type, _, parameters = values[0].partition(";")
    return media_type.strip().lower(), parameters.replace(" ", "").replace('"', "").lower()


def _tls(options: UpstreamOptions) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if options.certificate is not None:
        context.load_cert_chain(options.certificate, options.key)
    return context


def _fail(detail: str) -> NoReturn:
    raise UpstreamFailed(detail)
