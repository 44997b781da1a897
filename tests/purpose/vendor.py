"""A vendor's dispatch system: a real HTTP server over a table of cases, which can be told to fail in every way."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

MAPPING = """\
url: {url}
path: /cad/incidents/{{number}}
{more}
case:
  number: $.incident.no
  kind: {{path: $.incident.type, words: {{INC: incident, CFS: cad}}}}
  agency: {{value: {agency}}}
  opened_at: {{path: $.incident.received, zone: America/Chicago, format: "%m/%d/%Y %H:%M:%S"}}
  status: {{path: $.incident.disp, open: [ACTIVE], closed: [CLEARED]}}
  summary: $.incident.nature
  assigned: $.incident.officers[*].badge
  dispatched: $.units[*].crew[*]
  dispatched_units: $.units[*].sign
  parties:
    path: $.people[*]
    fields: {{given_name: $.first, surname: $.last, dob: $.born}}
"""


def incident(number: str, **changes: object) -> dict[str, Any]:
    """Return a case in the vendor's words."""
    told: dict[str, Any] = {
        "no": number,
        "type": "INC",
        "received": "11/22/2026 19:00:00",
        "disp": "ACTIVE",
        "nature": "Sedan without plates on Hemlock Road",
        "officers": [{"badge": "BADGE-1"}, {"badge": 4217}],
    }
    return {
        "incident": told | changes,
        "units": [{"sign": "3a12", "crew": ["badge-7"]}],
        "people": [{"first": "Dana", "last": "Hale", "born": "1984-03-02"}, {"first": None, "last": "Okafor", "born": ""}],
    }


@dataclass
class Vendor:
    """The server's table, its manners, and what it was asked."""

    cases: dict[str, Any] = field(default_factory=dict)
    manner: str = ""
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    counts: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    told: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, asked: int = 1) -> None:
        """Wait until it was asked so often."""
        async with asyncio.timeout(10):
            while len(self.asked) < asked:
                self.told.clear()
                await self.told.wait()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request in the manner of the moment."""
        self.told.set()
        self.asked.append(request.raw_path)
        self.headers.append(dict(request.headers))
        body = json.dumps(self.cases.get(request.path.rpartition("/")[2])).encode()
        answer = getattr(self, f"_{self.manner}", None)
        if answer is not None:
            response: web.StreamResponse = await answer(request, body)
            return response
        if body == b"null":
            return web.json_response({"error": "no such incident"}, status=404)
        return web.Response(body=body, content_type="application/json")

    async def _held(self, _request: web.BaseRequest, body: bytes) -> web.Response:
        await self.gate.wait()
        return web.Response(body=body, content_type="application/json")

    async def _slow_headers(self, _request: web.BaseRequest, body: bytes) -> web.Response:
        await asyncio.Event().wait()
        return web.Response(body=body)

    async def _slow_body(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
        await response.prepare(request)
        await response.write(body[:10])
        await asyncio.Event().wait()
        return response

    async def _half_a_body(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        assert request.transport is not None
        request.transport.close()
        return response

    async def _hangs_up(self, request: web.BaseRequest, body: bytes) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response(body=body)

    async def _error_500(self, _request: web.BaseRequest, body: bytes) -> web.Response:
        return web.Response(status=500, body=body, content_type="application/json")

    async def _page_404(self, _request: web.BaseRequest, _body: bytes) -> web.Response:
        return web.Response(status=404, text="<h1>Not Found</h1>", content_type="text/html")

    async def _unauthorized(self, _request: web.BaseRequest, body: bytes) -> web.Response:
        return web.Response(status=401, body=body, content_type="application/json")

    async def _null(self, _request: web.BaseRequest, _body: bytes) -> web.Response:
        return web.Response(body=b"null", content_type="application/json")

    async def _html(self, _request: web.BaseRequest, body: bytes) -> web.Response:
        return web.Response(body=body, content_type="text/html")

    async def _not_json(self, _request: web.BaseRequest, body: bytes) -> web.Response:
        return web.Response(body=body[:-1], content_type="application/json")

    async def _twice(self, _request: web.BaseRequest, body: bytes) -> web.Response:
        return web.Response(body=body.replace(b'"units"', b'"incident": {}, "units"'), content_type="application/json")

    async def _gzip(self, _request: web.BaseRequest, body: bytes) -> web.Response:
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        return web.Response(body=body, headers=headers)

    async def _redirect(self, _request: web.BaseRequest, _body: bytes) -> web.Response:
        return web.Response(status=302, headers={"Location": f"{self.url}/elsewhere/26-1"})

    async def _huge(self, _request: web.BaseRequest, body: bytes) -> web.Response:
        return web.Response(body=body + b" " * (1 << 20), content_type="application/json")

    async def _endless(self, request: web.BaseRequest, _body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        while request.transport is not None and not request.transport.is_closing():
            await response.write(b" " * 65536)
        return response


@asynccontextmanager
async def serving(vendor: Vendor, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Vendor]:
    """Serve on a free port of this machine."""
    server = web.Server(vendor.handle)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    vendor.url = f"http://127.0.0.1:{port}" if tls is None else f"https://localhost:{port}"
    try:
        yield vendor
    finally:
        await runner.cleanup()
