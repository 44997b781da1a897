"""Asks a time-stamping authority over HTTP (RFC 3161 section 3.4). It gets the hash of a manifest, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp

from proxy.audit.bundle.stamps import MAX_STAMP, StampInvalid, request_for

SECONDS: Final = 30
_QUERY: Final = "application/timestamp-query"


class Asker:
    """Asks one authority; blocks for up to half a minute."""

    def __init__(self, url: str) -> None:
        """Take the authority's address."""
        self._url = url

    def __call__(self, manifest: bytes) -> bytes:
        """Return the authority's answer, not yet verified.

        Raises:
            StampInvalid: there is none.
        """
        return asyncio.run(self._ask(request_for(manifest).as_bytes()))

    async def _ask(self, request: bytes) -> bytes:
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        headers = {"Content-Type": _QUERY}
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
                session.post(self._url, data=request, headers=headers, allow_redirects=False) as reply,
            ):
                if reply.status != 200:
                    msg = f"the time-stamping authority answers with status {reply.status}"
                    raise StampInvalid(msg)
                content = b""
                async for part in reply.content.iter_chunked(MAX_STAMP):
                    content += part
                    if len(content) > MAX_STAMP:
                        raise StampInvalid("the time-stamping authority answers without end")
                return content
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            msg = f"the time-stamping authority cannot be reached: {str(error) or type(error).__name__}"
            raise StampInvalid(msg) from None
