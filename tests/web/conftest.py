"""The whole product on loopback before a records server that can be held, and a client that sends any bytes."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from proxy import main
from proxy.audit.entry import decode
from proxy.audit.keys import load_key
from proxy.audit.pairing import Pairing
from proxy.clock import utc_now
from proxy.database import Database
from proxy.demo import docket
from proxy.demo.home import Home, Ports, shipped_policies
from proxy.demo.town import AGENCY
from proxy.identity.credential import Credential, Holder, Kind
from proxy.identity.store import CredentialStore
from proxy.settings import load_settings
from proxy.web.limits import Limits
from proxy.web.respond import respond
from proxy.web.server import Door
from tests.homes import settle

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from aiohttp import web

    from proxy.audit.entry import Entry
    from proxy.demo.town import Town
    from proxy.doors import Servers

PURPOSE = f'code=C, case="{docket.STOP}", statement="stopped for no plates, driver has no licence on him"'
PERSON = "100027"
RECORD = [{"person_id": PERSON, "given_name": "Wallace", "surname": "Quimby", "dob": "1974-02-08", "ssn": "666-61-8355"}]
POST_ROUTE = """
  person-post:
    method: POST
    path: /search/persons
    action: person.search
    body:
      given_name: {kind: given_name}
      surname: {kind: surname}
    require:
      - [given_name, surname]
    forward:
      path: /search/persons
    records: $[*]
    shape: person
    most: 100
    absent: {status: 200, body: []}
"""
WAIT = 10.0


@dataclass(frozen=True)
class Reply:
    """One HTTP answer, as it came."""

    line: str
    headers: Sequence[tuple[str, str]]
    body: bytes

    @property
    def status(self) -> int:
        return int(self.line.split(" ")[1])

    @property
    def problem(self) -> str:
        return str(json.loads(self.body)["type"]).removeprefix("/problems/") if self.header("Content-Type") else ""

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key.lower() == name.lower())

    def __bytes__(self) -> bytes:
        return repr(self.headers).encode() + self.body


class Wire:
    """A connection of which we see every byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, *parts: bytes) -> None:
        """Send, as long as the other side takes it."""
        with suppress(OSError):
            for part in parts:
                self._writer.write(part)
                await self._writer.drain()

    async def reply(self) -> Reply:
        """Read one answer."""
        async with asyncio.timeout(WAIT):
            head = await self._reader.readuntil(b"\r\n\r\n")
            line, *fields = head.decode("latin-1")[:-4].split("\r\n")
            headers = [(name, value.strip()) for name, _, value in (each.partition(":") for each in fields)]
            length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
            return Reply(line, headers, await self._reader.readexactly(length))

    async def rest(self) -> bytes:
        """Read until the other side has closed."""
        async with asyncio.timeout(WAIT):
            with suppress(ConnectionError):
                return await self._reader.read()
        return b""

    async def rest_within(self, seconds: float) -> bytes:
        """Read until the other side has closed, or raise TimeoutError."""
        async with asyncio.timeout(seconds):
            with suppress(ConnectionError):
                return await self._reader.read()
        return b""

    def end(self) -> None:
        """Close our half."""
        self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        self._writer.transport.abort()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that nobody announces."""
    async with asyncio.timeout(WAIT):
        while not condition():  # noqa: ASYNC110 -- what is awaited is state of the kernel or of another process
            await asyncio.sleep(0.005)


@asynccontextmanager
async def wired(door: Door, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    name = "localhost" if tls is not None else None
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port, ssl=tls, server_hostname=name)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


@dataclass
class Records:
    """A records server that knows one person. It replies when ``ready`` is set, and keeps what it was sent."""

    port: int = 0
    journal: list[bytes] = field(default_factory=list)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Condition = field(default_factory=asyncio.Condition)
    body: bytes = json.dumps(RECORD).encode()
    connections: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                body = await reader.readexactly(int(length[0].split(b":")[1])) if length else b""
                async with self.asked:
                    self.journal.append(head + body)
                    self.asked.notify_all()
                await self.ready.wait()
                head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(self.body)
                writer.write(head + self.body)
                await writer.drain()
        writer.close()

    async def end(self) -> None:
        """Close every connection."""
        self.ready.set()
        for writer in self.connections:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def was_asked(self, times: int = 1) -> None:
        async with asyncio.timeout(WAIT), self.asked:
            await self.asked.wait_for(lambda: len(self.journal) >= times)


@dataclass
class House:
    """The running product and what stands behind it."""

    servers: Servers
    records: Records
    store: Path
    key: str
    supervisor: str
    mayor: str
    keys: Mapping[str, str]
    secret: bytes

    @property
    def door(self) -> Door:
        return self.servers.terminals

    def request(
        self,
        *fields: str,
        method: str = "GET",
        target: str = f"/records/persons/{PERSON}",
        version: str = "HTTP/1.1",
        host: str | None = "records",
        body: bytes = b"",
        key: str | None = "",
    ) -> bytes:
        """Return the bytes of a request that would be answered, but for what is given."""
        lines = [f"{method} {target} {version}"]
        if host is not None:
            lines.append(f"Host: {host}")
        if key is not None:
            lines.append(f"Authorization: Bearer {key or self.key}")
        lines += [f"Query-Purpose: {PURPOSE}", *fields]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body

    def post(self, *fields: str, body: bytes = b"") -> bytes:
        """Return a POST search; the fields have to frame its body."""
        return self.request("Content-Type: application/json", *fields, method="POST", target="/search/persons", body=body)

    async def ask(self, request: bytes, *more: bytes) -> tuple[Reply, bytes]:
        """Send bytes on a connection of their own; return the answer and whatever follows until the end."""
        async with wired(self.door) as wire:
            await wire.send(request, *more)
            reply = await wire.reply()
            wire.end()
            return reply, await wire.rest()

    def entries(self) -> list[Entry]:
        log = self.servers.audit.log
        return [decode(index, content) for index, content in log.entries()]

    def unpaired(self) -> list[str]:
        """Return what breaks the rule that each forwarded decision has exactly one end."""
        pairing = Pairing()
        for entry in self.entries():
            pairing.see(entry)
        return [fault.message for fault in (*pairing.faults, *pairing.unended())]

    async def closing(self, size: int) -> list[Entry]:
        """Wait until something forwarded after entry ``size`` has its end; return these ends."""

        def ends() -> list[Entry]:
            return [each for each in self.entries()[size:] if each.kind in {"disclosed", "withheld", "failed"}]

        await until(lambda: bool(ends()))
        return ends()

    async def enroll(self, uri: str) -> None:
        """Enroll a certificate's URI, as another process would."""
        holder = Holder(person="badge-1001", agency=AGENCY, role="patrol", unit="3A12", terminal="car-12")
        credential = Credential(id="laptop-12", kind=Kind.CERTIFICATE, mark=uri, holder=holder, created_at=utc_now())
        database = Database(self.store)
        await database.open()
        async with database.begin() as connection:
            await CredentialStore(database, self.secret).insert(connection, credential)
        await database.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Town]:
    """A demo home whose policies have a POST search as well; nothing runs in it."""
    path: Path = tmp_path_factory.mktemp("web")
    policies = path / "policies"
    shutil.copytree(shipped_policies(), policies)
    with (policies / "routes.yaml").open("a", encoding="utf-8") as routes:
        routes.write(POST_ROUTE)
    home = Home(path / "home", policies)
    with home.held():
        return home, await settle(home)


@pytest.fixture(scope="session")
def opened(
    world: tuple[Home, Town], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., AbstractAsyncContextManager[House]]:
    """Return how to run the product on a store and a log of its own; names are settings, ``__`` between section and name.

    ``more`` is put at the end of the configuration file.
    """
    home, town = world

    @asynccontextmanager
    async def run(more: str = "", **settings: Any) -> AsyncIterator[House]:
        data = tmp_path_factory.mktemp("data")
        for path in home.data.glob("store.sqlite3*"):
            shutil.copy(path, data)
        async with AsyncExitStack() as stack:
            records = Records()
            server = await asyncio.start_server(records.serve, "127.0.0.1", 0)
            stack.callback(server.close)
            stack.push_async_callback(records.end)
            records.port = server.sockets[0].getsockname()[1]
            home.write_config(Ports(terminals=0, console=0, ops=0, records=records.port), level="error")
            with home.config.open("a", encoding="utf-8") as config:
                config.write(more)
            chosen = {"data": data, **settings}
            environ = {f"SHOWCAUSE_{name.upper()}": str(value) for name, value in chosen.items()}
            servers = await stack.enter_async_context(main.running(load_settings(home.config, environ)))
            keys = home.read_keys()
            records.ready.set()
            mayor = town.cast["mayor"].person_id
            secret = load_key(home.keys / "body.key")
            yield House(servers, records, data / "store.sqlite3", keys["officer"], keys["supervisor"], mayor, keys, secret)

    return run


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(opened: Callable[..., AbstractAsyncContextManager[House]]) -> AsyncIterator[House]:
    """The product with little patience."""
    limits = {"limits__body_seconds": 0.3, "limits__keepalive_seconds": 0.6, "limits__send_seconds": 0.5}
    async with opened(**limits) as running:
        yield running


@dataclass
class Trivial:
    """A handler that answers as told, and notes what it was asked."""

    hold: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    seen: list[str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    body: bytes = b"answer"

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.seen.append(request.raw_path)
        self.entered.set()
        if request.raw_path == "/fails":
            raise ValueError("surname=Quimby")
        if request.raw_path == "/hold":
            await self.hold.wait()
        if request.raw_path == "/body":
            await request.content.read()
        return respond(200, self.body, "text/plain")

    def door(self, tls: ssl.SSLContext | None = None, **limits: Any) -> Door:
        return Door(
            "test", self.handle, host="127.0.0.1", port=0, tls=tls, limits=Limits(**limits), on_error=self.errors.append
        )


@pytest.fixture
def trivial() -> Trivial:
    return Trivial()


@pytest.fixture
def garbage() -> bytes:
    return os.urandom(512)
