from __future__ import annotations

import asyncio
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import CollectorRegistry

from proxy.audit.event import Receipt
from proxy.inquiry.inquiry import Inbound, Inquiry, Outbound
from proxy.inquiry.route import Absent, Forward, Route
from proxy.inquiry.routes import load_routes
from proxy.inquiry.service import inquire
from proxy.telemetry import Metrics
from proxy.upstream.client import Upstream
from proxy.upstream.options import UpstreamOptions

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from proxy.inquiry.route import RouteMap
    from proxy.upstream.reply import Reply

ROOT = Path(__file__).parents[2]


def reply(body: bytes = b"[]", *fields: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """Return a well-formed reply; ``length`` lies about it, ``fields`` add to it."""
    lines = [
        f"HTTP/1.1 {status}",
        "Content-Type: application/json",
        f"Content-Length: {len(body) if length is None else length}",
    ]
    return "\r\n".join([*lines, *fields, "", ""]).encode() + body


@dataclass
class RawServer:
    """A records server that says byte for byte what it is told, and keeps a journal of what it was asked."""

    script: list[bytes | None]
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    closed: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    piecewise: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer each request with the next piece of the script: ``None`` hangs up, a piece that ends in ``<close>`` too."""
        self.connections += 1
        self.writers.append(writer)
        try:
            while True:
                self.requests.append(await _request(reader))
                await self._told()
                answer = self.script.pop(0) if self.script else None
                if answer is None:
                    break
                if answer != b"<silence>":
                    await self._write(writer, answer.removesuffix(b"<close>"))
                if answer.endswith(b"<close>"):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.closed += 1
            writer.close()
            await self._told()

    async def say(self, unasked: bytes) -> None:
        """Send bytes on the newest connection that nobody asked for."""
        self.writers[-1].write(unasked)
        await self.writers[-1].drain()

    async def _write(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        for at in range(0, len(answer), 1 if self.piecewise else len(answer) or 1):
            writer.write(answer[at : at + 1] if self.piecewise else answer)
            await writer.drain()
            await asyncio.sleep(0)

    async def _told(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, happened: Callable[[], bool]) -> None:
        """Wait until something was journaled."""
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(happened)


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    return head + await reader.readexactly(length)


@dataclass(frozen=True)
class World:
    """Makes servers, clients and inquiries, and ends them all."""

    stack: AsyncExitStack
    metrics: Metrics

    async def server(self, *script: bytes | None, tls: ssl.SSLContext | None = None, piecewise: bool = False) -> RawServer:
        """Start a server that follows the script, perhaps byte by byte."""
        raw = RawServer(script=list(script), piecewise=piecewise)
        server = await asyncio.start_server(raw.handle, "127.0.0.1", 0, ssl=tls)
        raw.port = server.sockets[0].getsockname()[1]
        self.stack.callback(server.close)
        return raw

    async def upstream(self, server: RawServer | str, **options: Any) -> Upstream:
        """Open a client of the server."""
        url = server if isinstance(server, str) else server.url
        upstream = Upstream(UpstreamOptions(**({"url": url} | options)), metrics=self.metrics)
        await upstream.open()
        self.stack.push_async_callback(upstream.close)
        return upstream

    def inquiry(self, target: str = "/records/persons.json?surname=Doe", **changes: Any) -> Inquiry:
        """Make an inquiry that would be forwarded to ``target``."""
        outbound = Outbound(method=changes.pop("method", "GET"), target=target, body=changes.pop("body", None))
        if outbound.body is not None:
            outbound = Outbound(method="POST", target=target, body=outbound.body, content_type="application/json")
        route = Route(
            id="persons",
            method=outbound.method,
            path="/persons",
            template=("persons",),
            action="person.search",
            forward=Forward(path=("/records/persons.json",)),
            absent=Absent(status=200, body=b"[]"),
            **changes,
        )
        return Inquiry(query_id="q1", route=route, action=route.action, outbound=outbound)

    async def ask(self, upstream: Upstream, inquiry: Inquiry | None = None) -> Reply:
        """Forward an inquiry with the receipt of its decision."""
        inquiry = inquiry or self.inquiry()
        return await upstream.forward(inquiry, receipt(inquiry.query_id))

    def count(self, outcome: str) -> float:
        """Return how many exchanges ended so."""
        name = "showcause_upstream_seconds_count"
        return self.metrics.registry.get_sample_value(name, {"outcome": outcome}) or 0.0


def receipt(about: str, kind: str = "decided") -> Receipt:
    """Make a receipt."""
    return Receipt(origin="log.test", index=1, kind=kind, about=about)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Provide a world of raw servers and strict clients."""
    async with AsyncExitStack() as stack:
        yield World(stack=stack, metrics=Metrics(CollectorRegistry()))


@pytest.fixture
def well_formed() -> Callable[..., bytes]:
    """Provide the maker of well-formed replies."""
    return reply


@pytest.fixture
def proof() -> Callable[..., Receipt]:
    """Provide the maker of receipts."""
    return receipt


@pytest.fixture(scope="session")
def datasette(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a real Datasette over a small records database and provide its URL."""
    path = tmp_path_factory.mktemp("records") / "records.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE persons (person_id TEXT PRIMARY KEY, given_name TEXT, surname TEXT, dob TEXT)")
        rows = [("100123", "John", "O'Brien", "1980-01-02"), ("100124", "Zoë", "Müller & Söhne", "1990-12-31")]
        database.executemany("INSERT INTO persons VALUES (?, ?, ?, ?)", rows)
    database.close()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "datasette", "serve", str(path), "-h", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            _await_http(f"{url}/-/versions.json")
            yield url
        finally:
            process.terminate()


def _await_http(url: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(url, timeout=1):
            return
        time.sleep(0.05)  # another process's start can only be polled
    raise TimeoutError(url)


@pytest.fixture(scope="session")
def shipped_routes() -> RouteMap:
    """Provide the route map as shipped."""
    return load_routes(ROOT / "policies" / "routes.yaml")


@pytest.fixture
def query(world: World, shipped_routes: RouteMap) -> Callable[[Upstream, str], Awaitable[Reply]]:
    """Provide the way from a terminal's target to the records server's reply."""

    async def ask(upstream: Upstream, target: str) -> Reply:
        inbound = Inbound(query_id="q1", source="127.0.0.1", method="GET", target=target, headers=())
        return await world.ask(upstream, inquire(shipped_routes, inbound))

    return ask
