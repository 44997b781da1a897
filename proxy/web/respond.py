"""Answers with the headers that every one of ours carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from proxy import __version__
from proxy.web import problems

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.refusal import Refusal

SERVER: Final = f"showcause/{__version__.partition('.')[0]}"
COMMON_HEADERS: Final[Mapping[str, str]] = {
    "Server": SERVER,
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}


def refuse(refusal: Refusal, *, instance: str | None, status: int | None = None) -> web.Response:
    """Return a refusal as problem+json."""
    code, headers, body = problems.render(refusal, instance=instance, status=status)
    return web.Response(status=code, body=body, headers={**COMMON_HEADERS, **headers})


def respond(status: int, body: bytes, media_type: str, **headers: str) -> web.Response:
    """Return a body with the headers that every answer carries; underscores in names stand for hyphens."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(status=status, body=body, headers={**COMMON_HEADERS, "Content-Type": media_type, **more})


def unchanged(etag: str, if_none_match: str | None) -> bool:
    """Tell whether a client has it already; the comparison is the weak one, as RFC 9110 section 13.1.2 has it."""
    held = {each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")}
    return bool(held & {etag, "*"})


def not_modified(headers: Mapping[str, str]) -> web.Response:
    """Return 304 with the headers that 200 would have had."""
    return web.Response(status=304, headers={**COMMON_HEADERS, **headers})
