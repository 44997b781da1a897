"""The identity provider, over HTTP: its discovery document, its keys, and its token endpoint.

No redirect is followed, no cookie kept, no proxy of the environment used, nothing inflated; every wait has an end and every
answer a bound. What went wrong is said in words for the operator, which hold nothing that was sent or received.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Final, NoReturn

import aiohttp
from yarl import URL

from proxy.identity.claims import Unfit
from proxy.identity.discovery import WELL_KNOWN, Metadata, ProviderTrouble, metadata_of
from proxy.identity.token import strict_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from proxy.identity.options import ProviderOptions

MAX_BYTES: Final = 256 << 10
METADATA_SECONDS: Final = 3600.0
AGENT: Final = "showcause"
_CHUNK: Final = 65_536
_REASONS: Final[Mapping[type[Exception], str]] = {
    aiohttp.ClientConnectorCertificateError: "its certificate is not one that we believe for this name",
    aiohttp.ClientSSLError: "no TLS with it: check oidc.ca",
    aiohttp.ClientConnectorError: "it cannot be reached",
    aiohttp.ClientConnectionError: "it hung up",
}


class Provider:
    """One identity provider. Open before use, close after."""

    def __init__(self, options: ProviderOptions, *, monotonic: Callable[[], float]) -> None:
        """Take where it is; nothing is opened yet."""
        self._options = options
        self._monotonic = monotonic
        self._session: aiohttp.ClientSession | None = None
        self._metadata: Metadata | None = None
        self._read_at = 0.0
        self._reading: asyncio.Task[Metadata] | None = None

    async def open(self) -> None:
        """Read the authorities and make the pool; connections are made when they are needed.

        Raises:
            ProviderTrouble: the file of authorities cannot be used.
        """
        secure = self._options.issuer.startswith("https:")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=8, ssl=await asyncio.to_thread(_tls, self._options.ca) if secure else False, keepalive_timeout=3
            ),
            headers={"User-Agent": AGENT, "Accept": "application/json", "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._options.connect_seconds),
        )

    async def close(self) -> None:
        """Close every connection; closing twice is harmless."""
        session, self._session = self._session, None
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        if session is not None:
            await session.close()

    async def metadata(self) -> Metadata:
        """Return what the provider says of itself, at most an hour old, or older while it does not answer.

        Raises:
            ProviderTrouble: it never answered, or its document cannot be used.
        """
        if self._metadata is not None and self._monotonic() - self._read_at < METADATA_SECONDS:
            return self._metadata
        if self._reading is None:
            self._reading = asyncio.create_task(self._discover())
            self._reading.add_done_callback(self._discovered)
        try:
            return await asyncio.shield(self._reading)
        except ProviderTrouble:
            if self._metadata is None:
                raise
            return self._metadata

    async def keys(self) -> bytes:
        """Return the provider's JWKS.

        Raises:
            ProviderTrouble: it does not answer, or not as it should.
        """
        return await self._exchange("GET", (await self.metadata()).jwks, "JWKS")

    async def tokens(self, form: Mapping[str, str], headers: Mapping[str, str]) -> Mapping[str, object]:
        """Return what the token endpoint gives for a form.

        Raises:
            ProviderTrouble: it refuses, does not answer, or not as it should.
        """
        body = await self._exchange("POST", (await self.metadata()).token, "token endpoint", form=form, headers=headers)
        try:
            return strict_object(body)
        except Unfit:
            raise ProviderTrouble("what its token endpoint answers is no JSON object") from None

    async def _discover(self) -> Metadata:
        options = self._options
        document = await self._exchange("GET", options.issuer.rstrip("/") + WELL_KNOWN, "discovery document")
        found = metadata_of(document, options.issuer, private_key=options.private_key)
        self._metadata, self._read_at = found, self._monotonic()
        return found

    def _discovered(self, task: asyncio.Task[Metadata]) -> None:
        self._reading = None
        if not task.cancelled():
            task.exception()  # those who wait are told; with nobody waiting it is not to be reported as forgotten

    async def _exchange(
        self,
        method: str,
        url: str,
        what: str,
        *,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        if self._session is None:
            raise ProviderTrouble("its client is not open")
        try:
            async with (
                asyncio.timeout(self._options.total_seconds),
                self._session.request(
                    method, URL(url, encoded=True), data=form, headers=headers, allow_redirects=False
                ) as response,
            ):
                return await _body(response, what)
        except TimeoutError:
            raise ProviderTrouble(f"its {what} does not arrive within {self._options.total_seconds:g} s") from None
        except aiohttp.ClientError as error:
            reason = next((said for kind, said in _REASONS.items() if isinstance(error, kind)), "its answer is broken off")
            raise ProviderTrouble(f"its {what}: {reason}") from None


async def _body(response: aiohttp.ClientResponse, what: str) -> bytes:
    if response.status != 200:
        _fail(response, f"its {what} answers with status {response.status}")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        _fail(response, f"its {what} is encoded although it was asked not to")
    kind = response.content_type
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        _fail(response, f"its {what} is not JSON by its Content-Type")
    parts: list[bytes] = []
    left = MAX_BYTES
    async for part in response.content.iter_chunked(_CHUNK):
        left -= len(part)
        if left < 0:
            _fail(response, f"its {what} is larger than {MAX_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


def _fail(response: aiohttp.ClientResponse, reason: str) -> NoReturn:
    response.close()
    raise ProviderTrouble(reason)


def _tls(authorities: Path | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=authorities)
    except OSError as error:
        msg = f"oidc.ca: {authorities} cannot be used: {error.strerror or error}"
        raise ProviderTrouble(msg) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
