"""The case directory that lies in another house: a records management or dispatch system, asked over HTTP.

One GET answers one number. No redirect is followed, no cookie kept, nothing inflated; every wait has an end and every answer a
bound. What was answered is kept for some seconds, so that an officer's next query does not ask again; many queries about one
number wait for one answer. A system that does not answer is left alone for a while (``breaker.py``). An answer that is older
than it should be is only given when nobody answers and the caller says how old it may be.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections import OrderedDict
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NoReturn

import aiohttp
from yarl import URL

from proxy.purpose.answer import AnswerWrong, parse, read_case
from proxy.purpose.breaker import Breaker, Circuit
from proxy.purpose.directory import StoredCases
from proxy.purpose.header import normal_case
from proxy.purpose.mapping import load_case_system
from proxy.purpose.purpose import Case, CaseDirectoryUnavailable
from proxy.tlog.errors import LogError
from proxy.tlog.keys import load_secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from proxy.database import Database
    from proxy.purpose.mapping import CaseSystemOptions
    from proxy.telemetry import Metrics

IDLE_SECONDS: Final = 3.0
AGENT: Final = "showcause"
NOBODYS: Final = "SHOWCAUSE"
"""A number that no case has, to ask whether anybody answers."""
JSON_TYPE: Final = "application/json"
_CHUNK: Final = 65_536
_REASONS: Final[Mapping[type[Exception], str]] = {
    aiohttp.ClientConnectorCertificateError: "its certificate is not one that we believe for this name",
    aiohttp.ClientSSLError: "no TLS with it: check 'ca', 'certificate' and 'key'",
    aiohttp.ClientConnectorError: "it cannot be reached",
    aiohttp.ClientConnectionError: "it hung up",
}


class CaseSystemUnusable(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """A file that the case system's client needs cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class _Kept:
    case: Case
    at: float


class _Failed(Exception):  # noqa: N818 -- never leaves this file
    """A look-up without answer: ``outcome`` for metrics, ``reason`` for the operator; ``lonely``: this case may be why."""

    def __init__(self, outcome: str, reason: str, *, lonely: bool = True) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason
        self.lonely = lonely


class CaseSystem:
    """One case system. Open before use, close after; any number of look-ups at a time."""

    def __init__(self, options: CaseSystemOptions, *, metrics: Metrics, monotonic: Callable[[], float]) -> None:
        """Take where it is and how it is read; nothing is opened yet."""
        self._options = options
        self._monotonic = monotonic
        self._breaker = Breaker(failures=options.failures, open_seconds=options.open_seconds)
        self._circuit = {circuit: metrics.case_directory_circuit.labels(circuit) for circuit in Circuit}
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(options.connections)
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._asking: dict[str, asyncio.Task[Case | None]] = {}
        self._trouble = "not asked yet"
        self._show()

    @property
    def trouble(self) -> str:
        """Return why the last look-up brought nothing, in words that name no case; empty when it did."""
        return self._trouble

    @property
    def circuit(self) -> Circuit:
        """Return the breaker's state."""
        return self._breaker.circuit

    async def open(self) -> None:
        """Read certificates and secret headers, and make the pool; connections are made when they are needed.

        Raises:
            CaseSystemUnusable: a file cannot be used.
        """
        options = self._options
        connector = aiohttp.TCPConnector(
            limit=options.connections,
            ssl=await asyncio.to_thread(_tls, options) if options.url.startswith("https:") else False,
            keepalive_timeout=IDLE_SECONDS,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={
                "User-Agent": AGENT,
                "Accept": JSON_TYPE,
                "Accept-Encoding": "identity",
                **await asyncio.to_thread(_secret_headers, options.secret_headers),
            },
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=options.connect_seconds),
        )

    async def close(self) -> None:
        """End every look-up and close every connection; closing twice is harmless."""
        session, self._session = self._session, None
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        if session is not None:
            await session.close()

    async def look_up(self, number: str, *, stale: timedelta = timedelta()) -> Case | None:
        """Return the case of a number, or None when there is none; ``stale`` is how old it may be where nobody answers.

        Raises:
            CaseDirectoryUnavailable: it cannot be told.
        """
        number = normal_case(number)
        if self._options.target(number) is None:
            return None
        now = self._monotonic()
        kept = self._kept.get(number)
        if kept is not None and now - kept.at < self._options.fresh_seconds:
            return replace(kept.case, age=now - kept.at)
        try:
            return await self._ask_once(number)
        except _Failed as failed:
            age = math.inf if kept is None else self._monotonic() - kept.at
            # What answers wrongly about this case alone may have been made to, by somebody whom the old answer favors.
            if kept is not None and failed.outcome != "wrong" and age <= stale.total_seconds():
                return replace(kept.case, age=age, stale=True)
            raise self._unavailable(failed) from failed

    async def try_out(self, number: str) -> Case | None:
        """Ask once, whatever is kept and however often it failed; for ``doctor``.

        Raises:
            CaseSystemUnusable: with what is wrong, in words for the operator.
        """
        try:
            return await self._fetch(normal_case(number))
        except _Failed as failed:
            raise CaseSystemUnusable(failed.reason) from failed

    async def tend(self) -> None:
        """Try again when the breaker lets us, so that no officer has to be the trial; called again and again."""
        if self._breaker.circuit is Circuit.OPEN and not self._breaker.remaining(self._monotonic()):
            with suppress(_Failed):
                await self._ask_once(self._options.probe or NOBODYS)

    def _unavailable(self, failed: _Failed) -> CaseDirectoryUnavailable:
        after = max(1, math.ceil(self._breaker.remaining(self._monotonic())))
        detail = "The case directory does not answer. Nothing was released. Try again."
        down = failed.outcome != "wrong"
        if not down:
            detail = "What the case directory says of this case cannot be relied on. Nothing was released. Tell the operator."
        return CaseDirectoryUnavailable(detail, outcome=failed.outcome, down=down, retry_after=after)

    async def _ask_once(self, number: str) -> Case | None:
        """Wait for the answer about a number, the same one for everybody who asks meanwhile."""
        task = self._asking.get(number)
        if task is None:
            self._require_room()
            task = self._asking[number] = asyncio.create_task(self._ask(number))
            task.add_done_callback(lambda _task: self._asking.pop(number, None))
            task.add_done_callback(_retrieve)
        # One of those who wait may give up; the others still wait.
        return await asyncio.shield(task)

    def _require_room(self) -> None:
        if len(self._asking) >= self._options.connections + self._options.queue:
            raise _Failed("busy", "more look-ups at once than connections and queue")
        if not self._breaker.admits(self._monotonic()):
            raise _Failed("open", self._trouble)
        self._show()

    async def _ask(self, number: str) -> Case | None:
        """Ask, keep the answer, and tell the breaker what came of it."""
        asked = self._monotonic()  # what changes while the answer is under way is not in it
        try:
            case = await self._fetch(number)
        except _Failed as failed:
            self._note(number, failed)
            raise
        except BaseException:
            self._breaker.abandoned()
            raise
        finally:
            self._show()
        self._breaker.succeeded()
        self._trouble = ""
        self._show()
        self._keep(number, case, asked)
        return case

    def _note(self, number: str, failed: _Failed) -> None:
        self._trouble = failed.reason
        if failed.outcome == "wrong":
            self._breaker.succeeded()  # it answers; that is all the breaker is about
        else:
            self._breaker.failed(self._monotonic(), number if failed.lonely else None)

    def _keep(self, number: str, case: Case | None, asked: float) -> None:
        self._kept.pop(number, None)
        if case is not None:
            self._kept[number] = _Kept(case, asked)
            if len(self._kept) > self._options.kept:
                self._kept.popitem(last=False)

    async def _fetch(self, number: str) -> Case | None:
        target = self._options.target(number)
        if target is None:
            return None
        try:
            async with asyncio.timeout(self._options.total_seconds), self._slots:
                document = await self._get(target)
        except (TimeoutError, aiohttp.ClientError) as error:
            raise _failure(error, self._options) from None  # an error of the network tells more of it than a log needs
        if document is None:
            return None
        try:
            return read_case(self._options.shape, parse(document), number)
        except AnswerWrong as wrong:
            raise _Failed("wrong", f"its answer does not fit the mapping: {wrong}") from wrong

    async def _get(self, target: str) -> bytes | None:
        """Return the body of an answer that is one, or None for a status that says there is no such case."""
        if self._session is None:
            raise _Failed("unavailable", "the client is not open")
        url = URL(self._options.url + target, encoded=True)
        async with self._session.get(url, allow_redirects=False) as response:
            if response.status in self._options.absent_statuses:
                if response.content_type == "text/html":
                    # A web server's own page, where the case system behind it is not there.
                    _fail(f"it answers {response.status} with a page, which is no answer about a case")
                return None
            if response.status != 200:
                # A redirect leads where nobody looked, and 401 means that our own credential is not good.
                _fail(f"it answers with status {response.status}")
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                _fail("it encodes its answer although it was asked not to")
            if response.content_type != JSON_TYPE and not response.content_type.endswith("+json"):
                _fail("its answer is not JSON by its Content-Type")
            return await self._body(response)

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        parts: list[bytes] = []
        left = self._options.max_bytes
        async for part in response.content.iter_chunked(_CHUNK):
            left -= len(part)
            if left < 0:
                response.close()
                _fail(f"its answer is larger than {self._options.max_bytes} bytes")
            parts.append(part)
        return b"".join(parts)

    def _show(self) -> None:
        for circuit, gauge in self._circuit.items():
            gauge.set(circuit is self._breaker.circuit)


def _failure(error: Exception, options: CaseSystemOptions) -> _Failed:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return _Failed("timeout", f"no connection within {options.connect_seconds:g} s", lonely=False)
    if isinstance(error, TimeoutError):
        return _Failed("timeout", f"no whole answer within {options.total_seconds:g} s")
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return _Failed("unavailable", reason, lonely=kind is aiohttp.ClientConnectionError)
    return _Failed("failed", "its answer is broken off, or not HTTP")


@asynccontextmanager
async def case_directory(
    mapping: Path | None, database: Database, key: bytes, *, metrics: Metrics, monotonic: Callable[[], float]
) -> AsyncIterator[StoredCases | CaseSystem]:
    """Yield the case system that a mapping file describes, open; without such a file the cases in the store.

    ``key`` is the store's.

    Raises:
        DocumentInvalid: the mapping file is wrong.
        CaseSystemUnusable: a file that it names cannot be used.
    """
    if mapping is None:
        yield StoredCases(database, key)
        return
    system = CaseSystem(load_case_system(mapping), metrics=metrics, monotonic=monotonic)
    await system.open()
    try:
        yield system
    finally:
        await system.close()


def _fail(reason: str) -> NoReturn:
    raise _Failed("failed", reason)


def _retrieve(task: asyncio.Task[Case | None]) -> None:
    """Look at a task's error, so that one whom nobody waits for any more is not reported as forgotten."""
    if not task.cancelled():
        task.exception()


def _tls(options: CaseSystemOptions) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if options.certificate is not None:
            context.load_cert_chain(options.certificate, options.key)
    except OSError as error:
        msg = f"the case system's ca, certificate or key cannot be used: {error.strerror or error}"
        raise CaseSystemUnusable(msg) from error
    return context


def _secret_headers(path: Path | None) -> Mapping[str, str]:
    """Read a file of header lines, as ``Authorization: Bearer …``.

    Raises:
        CaseSystemUnusable: it cannot be read, or a line is none.
    """
    if path is None:
        return {}
    headers = {}
    try:
        text = load_secret(path).decode("utf-8", "replace")
    except LogError as error:
        raise CaseSystemUnusable(str(error)) from error
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if not colon or not value.strip() or not line.isascii() or not line.isprintable() or " " in name:
            msg = f"{path} is not made of header lines in visible ASCII, as `Authorization: Bearer …`"
            raise CaseSystemUnusable(msg)
        headers[name] = value.strip()
    return headers
