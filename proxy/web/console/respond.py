"""The headers of every answer of the console: nothing is kept, framed, sniffed, told to others, or loaded from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.web.respond import SERVER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "img-src 'self' data:; "  # the style sheet's own marks
    "frame-ancestors 'none'"
)
SECURE_HEADERS: Final[Mapping[str, str]] = {
    "Server": SERVER,
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": (
        "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), display-capture=(), "
        "publickey-credentials-get=(self), publickey-credentials-create=(self)"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
}


def secured(response: web.StreamResponse, **headers: str) -> web.StreamResponse:
    """Return an answer with the headers of the console; ``headers`` take the place of some, ``_`` standing for ``-``."""
    for name, value in SECURE_HEADERS.items():
        response.headers[name] = value
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = value
    return response
