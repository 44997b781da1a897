"""The demo's town behind real Datasette, and the whole product before it: real HTTP, real files, a real log."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import aiohttp
import pytest_asyncio
from yarl import URL

from proxy import main
from proxy.audit.keys import load_key
from proxy.audit.reader import AuditReader
from proxy.clock import utc_now
from proxy.database import Database
from proxy.demo import docket
from proxy.demo.directories import personnel
from proxy.demo.home import Home, Ports, shipped_policies
from proxy.demo.records_server import serving
from proxy.identity.credential import KEY_BYTES, Credential, Holder, Kind, digest, make_key
from proxy.identity.store import CredentialStore
from proxy.registry.lines import HOME, entry_line, staff_line
from proxy.registry.service import Registry
from proxy.settings import load_settings
from tests.homes import settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping
    from pathlib import Path

    import pytest

    from proxy.audit.entry import Entry
    from proxy.clock import Clock
    from proxy.demo.town import Person, Town
    from proxy.doors import Servers

UNBOUNDED = "per_hour: {queries: 1000000, fruitless: 1000000, records: 1000000, neighborhood: 1000000}\nbroad_counts: 1\n"
"""All of the specifications ask as the same few people, within seconds."""
STATEMENT = "stopped for no plates, driver has no licence on him"
CASES = {
    "stop": docket.STOP,
    "porch": docket.PORCH,
    "closed": docket.CLOSED,
    "foreign": docket.THEIRS,
    "dispatched": docket.CALL,
    "noise": docket.DISPATCH,
    "sources": docket.SOURCES,
}
OWN_CASE = {"officer": "stop", "dispatcher": "noise", "detective": "foreign", "handler": "sources"}


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """The slug of a refusal, or nothing."""
        if self.headers.get("Content-Type") != "application/problem+json":
            return ""
        return str(self.json["type"]).removeprefix("/problems/")


@dataclass
class Street:
    """The running product, seen from outside, and its log."""

    town: Town
    home: Home
    servers: Servers
    upstream: str
    client: aiohttp.ClientSession
    keys: Mapping[str, str]

    @property
    def origin(self) -> str:
        return self.servers.audit.log.origin

    @property
    def agency(self) -> str:
        return "KY0429900"

    @property
    def cast_ids(self) -> frozenset[str]:
        return frozenset(person.person_id for person in self.town.cast.values())

    @cached_property
    def _ordinary(self) -> Iterator[Person]:
        taken = {each.owner.person_id for each in self.town.vehicles} | self.cast_ids
        taken |= {person.person_id for household in self.town.officers for person in household}
        return iter([each for each in self.town.persons if each.phone and each.person_id not in taken][::-1])

    def unasked(self) -> Person:
        """Return somebody with a telephone and no car, close to none of the personnel, whom no specification had before."""
        return next(self._ordinary)

    def case(self, name: str) -> str:
        return CASES[name]

    def person(self, key: str) -> str:
        return next(sign_in.person for sign_in in docket.SIGN_INS if sign_in.key == key)

    def path(self, path: str, **query: str) -> str:
        return f"{path}?{urlencode(query, quote_via=quote)}"

    async def ask(
        self, role: str | None, target: str, *, purpose: str | None = "", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a query; the purpose defaults to a good one on the asker's own case."""
        sent = dict(headers or {})
        if role is not None:
            sent["Authorization"] = f"Bearer {self.keys[role]}"
        if purpose == "":
            case = self.case(OWN_CASE.get(role or "officer", "stop"))
            purpose = f'code=C, case="{case}", statement="{STATEMENT}"'
        if purpose is not None:
            sent["Query-Purpose"] = purpose
        url = URL(self.servers.terminals.url + target, encoded=True)
        async with self.client.get(url, headers=sent, allow_redirects=False) as response:
            return Answer(response.status, dict(response.headers), await response.read())

    async def post(self, role: str, target: str, body: Mapping[str, object]) -> Answer:
        headers = {"Authorization": f"Bearer {self.keys[role]}"}
        async with self.client.post(self.servers.terminals.url + target, headers=headers, json=body) as response:
            return Answer(response.status, dict(response.headers), await response.read())

    async def ops(self, target: str) -> Answer:
        async with self.client.get(self.servers.ops.url + target) as response:
            return Answer(response.status, dict(response.headers), await response.read())

    async def direct(self, target: str) -> bytes:
        """Ask the records server itself."""
        async with self.client.get(URL(self.upstream + target, encoded=True)) as response:
            return await response.read()

    async def raw(self, role: str, method: str, target: str, *more: str) -> Answer:
        """Send a request line as it stands, which no client library would."""
        reader, writer = await asyncio.open_connection(self.servers.terminals.host, self.servers.terminals.port)
        purpose = f'code=C, case="{self.case("stop")}", statement="{STATEMENT}"'
        lines = [
            f"{method} {target} HTTP/1.1",
            "Host: records",
            f"Authorization: Bearer {self.keys[role]}",
            f"Query-Purpose: {purpose}",
            *more,
            "Connection: close",
        ]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        async with asyncio.timeout(30):
            received = await reader.read()
        writer.close()
        head, _, body = received.partition(b"\r\n\r\n")
        status, *fields = head.decode().split("\r\n")
        headers = dict(field.split(": ", 1) for field in fields)
        return Answer(int(status.split(" ")[1]), headers, body)

    async def entries(self) -> list[Entry]:
        """Read the whole log."""
        size = self.servers.audit.log.head.size
        return await asyncio.to_thread(lambda: list(AuditReader(self.servers.audit.log.directory).entries(0, size)))

    async def entry(self, answer: Answer) -> Entry:
        """Return the entry that an answer names."""
        index = int(answer.headers["Audit-Entry"].rpartition("/")[2])
        return (await self.entries())[index]

    async def terminal_entry(self, answer: Answer) -> Entry:
        """Return the entry that closes what an answer's decision opened."""
        decided = await self.entry(answer)
        closing = ("disclosed", "withheld", "failed")
        return next(entry for entry in await self.entries() if entry.about == decided.about and entry.kind in closing)

    def log_bytes(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.servers.audit.log.directory.rglob("*") if path.is_file())

    async def pending_href(self, role: str, key: str) -> str:
        """Return the newest escalation of somebody that waits, as soon as there is one."""
        headers = {"Authorization": f"Bearer {self.keys[role]}"}
        async with asyncio.timeout(30):
            while True:
                url = self.servers.terminals.url + "/escalations?state=pending"
                async with self.client.get(url, headers=headers) as response:
                    waiting = [
                        row
                        for row in (await response.json())["escalations"]
                        if row["requested_by"] == self.person(key) and row["action"] == "vehicle.read"
                    ]
                if waiting:
                    return str(waiting[-1]["href"])

    def pending_id(self, asked: Answer) -> str:
        return str(asked.json["escalation"]["id"])

    async def new_key(self, key: str) -> tuple[str, str]:
        """Enroll another key of somebody, as another process would; return key and credential id."""
        secret, credential_id = make_key(os.urandom(KEY_BYTES)), f"spec-{secrets.token_hex(4)}"
        holder = Holder(person=self.person(key), agency=self.agency, role="patrol", unit="3A12", terminal="car-12")
        credential = Credential(id=credential_id, kind=Kind.KEY, mark=digest(secret), holder=holder, created_at=utc_now())
        database = Database(self.home.data / "store.sqlite3")
        await database.open()
        async with database.begin() as connection:
            await CredentialStore(database, load_key(self.home.keys / "body.key")).insert(connection, credential)
        await database.close()
        return secret, credential_id

    async def protect(self, **line: str | list[str]) -> None:
        """Enroll somebody, as a steward's command beside the server does, and wait until the server knows of it."""
        before = await self._enrolled()
        database = Database(self.home.data / "store.sqlite3")
        await database.open()
        registry = Registry(database, load_key(self.home.keys / "registry.key"), utc_now)
        await registry.refresh()
        words: dict[str, Any] = {"categories": ["witness"], "classes": ["home_address", "phone"], "now": utc_now()}
        entry, _ = await registry.add(entry_line(1, line, **words), by="steward")
        await database.close()
        assert entry is not None
        async with asyncio.timeout(60):
            while await self._enrolled() == before:  # noqa: ASYNC110 -- the server looks at the registry by turns
                await asyncio.sleep(0.05)

    async def _enrolled(self) -> float:
        """Return how many the server knows to be protected, as operators are told."""
        said = (await self.ops("/metrics")).body.decode().splitlines()
        return sum(float(each.rpartition(" ")[2]) for each in said if each.startswith("showcause_registry_size{"))

    async def employ(self, key: str, **more: str) -> None:
        """Bring the personnel directory's line of somebody up to date: another home beside the one it has."""
        badge = self.person(key)
        line = next(each for each in personnel(self.town) if each["personnel"] == badge and each["relation"] == "self")
        raw = {name: [line[name], more.get(name, "")] if name in HOME else line[name] for name in line if line[name]}
        raw |= {name: ["", value] for name, value in more.items() if not line[name]}
        raw["phone"] = line["phone"].split(";")
        database = Database(self.home.data / "store.sqlite3")
        await database.open()
        registry = Registry(database, load_key(self.home.keys / "registry.key"), utc_now)
        report = await registry.import_personnel([staff_line(1, raw)], by="steward")
        await database.close()
        assert report.updated == 1

    async def revoke(self, credential_id: str) -> None:
        database = Database(self.home.data / "store.sqlite3")
        await database.open()
        async with database.begin() as connection:
            await CredentialStore(database, load_key(self.home.keys / "body.key")).revoke(connection, credential_id, utc_now())
        await database.close()


def policies_with(path: Path, budgets: str) -> Path:
    """Copy the shipped policies, with other budgets."""
    shutil.copytree(shipped_policies(), path)
    (path / "budgets.yaml").write_text(budgets)
    return path


@asynccontextmanager
async def open_street(
    path: Path,
    policies: Path,
    records: Callable[[Home, Town], None] = lambda _home, _town: None,
    *,
    more: str = "",
    clock: Clock = utc_now,
) -> AsyncIterator[Street]:
    """Open a street over a town of its own; ``records`` may alter what is served, ``more`` is added to the configuration."""
    home = Home(path / "home", policies)
    with home.held():
        town = await settle(home)
        records(home, town)
        async with AsyncExitStack() as stack:
            upstream = await stack.enter_async_context(serving(home.records, 0))
            home.write_config(Ports(terminals=0, console=0, ops=0, records=int(upstream.rpartition(":")[2])), level="error")
            with home.config.open("a", encoding="utf-8") as config:
                config.write(more)
            servers = await stack.enter_async_context(main.running(load_settings(home.config, {}), clock=clock))
            client = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
            yield Street(town, home, servers, upstream, client, home.read_keys())


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def street(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Street]:
    """The town of most specifications. Its server stands still while tests without a loop run, and promises no heartbeat."""
    path: Path = tmp_path_factory.mktemp("town")
    beat = "audit: {heartbeat_seconds: 86400}\n"
    async with open_street(path, policies_with(path / "policies", UNBOUNDED), more=beat) as street:
        yield street
