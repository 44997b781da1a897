"""The bare pass-through that the others are measured by: aiohttp in, ``ClientSession`` out, nothing in between."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SESSION = web.AppKey("session", ClientSession)
ORIGIN = web.AppKey("origin", str)
HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "te", "upgrade", "server", "date"}
)


async def forward(request: web.Request) -> web.Response:
    """Pass a request on and its answer back."""
    url = URL(request.app[ORIGIN] + request.raw_path, encoded=True)
    headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
    async with request.app[SESSION].request(request.method, url, headers=headers, allow_redirects=False) as reply:
        body = await reply.read()
        back = {name: value for name, value in reply.headers.items() if name.lower() not in HOP_BY_HOP}
        return web.Response(status=reply.status, body=body, headers=back)


async def session(app: web.Application) -> AsyncIterator[None]:
    """Hold one session for all."""
    async with ClientSession(connector=TCPConnector(limit=0), cookie_jar=DummyCookieJar()) as held:
        app[SESSION] = held
        yield


def main(port: int, origin: str) -> None:
    """Serve until told to stop."""
    app = web.Application()
    app[ORIGIN] = origin
    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{path:.*}", forward)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
