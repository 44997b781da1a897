"""A request's body, within a door's bounds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from aiohttp import HttpVersion11, web

from proxy.inquiry.inquiry import BodyTooLarge
from proxy.web import problems

if TYPE_CHECKING:
    from proxy.web.limits import Limits


async def read_body(request: web.BaseRequest, limits: Limits) -> bytes:
    """Return the body; nothing where there is none.

    Raises:
        BodyTooLarge, BadRequest, RequestTimeout.
    """
    if not request.body_exists:
        return b""
    parts: list[bytes] = []
    left = limits.body_bytes
    if (request.content_length or 0) > left:
        raise BodyTooLarge(f"The body is larger than {limits.body_bytes} bytes.")
    try:
        async with asyncio.timeout(limits.body_seconds):
            await _continue(request)
            while part := await request.content.readany():
                left -= len(part)
                if left < 0:
                    raise BodyTooLarge(f"The body is larger than {limits.body_bytes} bytes.")
                parts.append(part)
    except TimeoutError:
        raise problems.RequestTimeout("The body did not arrive in time.") from None
    except OSError:
        raise problems.BadRequest("The body did not arrive.") from None
    return b"".join(parts)


async def _continue(request: web.BaseRequest) -> None:
    """Ask for a body that its sender holds back until then (RFC 9110 section 10.1.1)."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version == HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun
