"""``python -m proxy serve`` in a process of its own before real Datasette, and a client that remembers every answer."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from proxy.audit.pairing import TERMINAL, Pairing
from proxy.audit.reader import AuditReader
from proxy.demo import docket

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping

    from proxy.audit.entry import Entry
    from proxy.demo.home import Home
    from proxy.demo.town import Town

ROOT = Path(__file__).resolve().parents[2]
PURPOSE = f'code=C, case="{docket.STOP}", statement="stopped for no plates, driver has no licence on him"'
WAIT = 120.0
GONE = (aiohttp.ClientError, ConnectionError, asyncio.IncompleteReadError)


@dataclass(frozen=True)
class Answer:
    """An answer whose every byte has arrived."""

    status: int
    entry: str
    body: bytes

    @property
    def json(self) -> Any:
        """Return the body."""
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """Return the slug of a refusal, or nothing."""
        return str(self.json["type"]).removeprefix("/problems/") if self.status >= 400 and b'"/problems/' in self.body else ""


@dataclass
class Served:
    """The server's lives, one after the other."""

    town: Town
    home: Home
    upstream: str
    answers: list[Answer] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None
    reading: asyncio.Task[None] | None = None
    pipe: asyncio.ReadTransport | None = None
    other: Path | None = None

    @property
    def config(self) -> Path:
        """Return the configuration: the home's, or another node's over the same store."""
        return self.other or self.home.config

    async def start(self, *before: str) -> None:
        """Start a life; return when it is ready."""
        self.ports.clear()
        command = [*before, sys.executable, "-m", "proxy", "serve", "--config", str(self.config)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SHOWCAUSE_")}
        environment["SHOWCAUSE_LOGGING__LEVEL"] = "info"
        ours, theirs = os.pipe()
        self.process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, env=environment, stdin=asyncio.subprocess.DEVNULL, stderr=theirs
        )
        os.close(theirs)
        said, doors = asyncio.StreamReader(), asyncio.Event()
        self.pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(said), os.fdopen(ours, "rb", buffering=0)
        )
        self.reading = asyncio.create_task(self._read(said, doors))
        async with asyncio.timeout(WAIT):
            await doors.wait()
            while (await self.ops("/readyz"))[0] != 200:  # noqa: ASYNC110 -- another process's state
                await asyncio.sleep(0.02)

    async def _read(self, lines: asyncio.StreamReader, doors: asyncio.Event) -> None:
        while line := await lines.readline():
            with suppress(ValueError):
                said = json.loads(line)
                if said["event"] == "door open":
                    self.ports[said["door"]] = said["port"]
            if len(self.ports) == 3:
                doors.set()

    def stop_reading(self) -> None:
        """Leave what the server says where it is."""
        assert self.pipe is not None
        self.pipe.pause_reading()

    async def end(self, signum: signal.Signals | None = None) -> int:
        """End this life, or see it end; return its exit code."""
        assert self.process is not None
        assert self.pipe is not None
        assert self.reading is not None
        if signum is not None:
            self.process.send_signal(signum)
        async with asyncio.timeout(WAIT):
            code = await self.process.wait()
            self.pipe.resume_reading()
            await self.reading
        self.pipe.close()
        return code

    def path(self, path: str, **query: str) -> str:
        """Return a target with its query encoded."""
        return f"{path}?{urlencode(query, quote_via=quote)}"

    def ordinary(self) -> list[str]:
        """Return what an officer asks all day: answered, answered without somebody, concealed, refused."""
        driver, mayor = self.town.cast["driver"], self.town.cast["mayor"]
        return [
            f"/records/persons/{driver.person_id}",
            self.path("/records/vehicles", plate=self.town.vehicle_of(driver).plate),
            self.path("/records/addresses", street_name=mayor.home.street, city="Fairmont City"),
            f"/records/persons/{self.town.cast['informant'].person_id}",
            "/records/persons/999999",
            f"/records/persons/{self.town.cast['officer_wife'].person_id}",
        ]

    def protected(self) -> list[str]:
        """Return roads to the mayor; each is an escalation of its own."""
        mayor = self.town.cast["mayor"]
        return [
            f"/records/persons/{mayor.person_id}",
            self.path("/records/vehicles", plate=self.town.vehicle_of(mayor).plate),
            self.path("/records/persons", ssn=mayor.ssn),
            self.path("/records/persons", phone=mayor.phone or mayor.mobile),
            self.path("/records/persons", given_name=mayor.given_name, surname=mayor.surname, dob=mayor.dob.isoformat()),
        ]

    def client(self) -> aiohttp.ClientSession:
        """Return a session for one connection."""
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1), cookie_jar=aiohttp.DummyCookieJar())

    async def ask(
        self,
        session: aiohttp.ClientSession,
        target: str,
        *,
        role: str = "officer",
        body: Mapping[str, str] | None = None,
        purpose: str = PURPOSE,
    ) -> Answer:
        """Send a query, or a decision when there is a body; remember the answer once all of it is here."""
        url = URL(f"http://127.0.0.1:{self.ports['terminals']}{target}", encoded=True)
        headers = {"Authorization": f"Bearer {self.home.read_keys()[role]}", "Query-Purpose": purpose}
        method = "GET" if body is None else "POST"
        async with session.request(method, url, headers=headers, json=body, allow_redirects=False) as response:
            answer = Answer(response.status, response.headers.get("Audit-Entry", ""), await response.read())
        if body is None:
            self.answers.append(answer)
        return answer

    async def ops(self, path: str) -> tuple[int, bytes]:
        """Ask the operators' door."""
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.ports['ops']}{path}") as response:
            return response.status, await response.read()

    async def verified(self) -> tuple[int, str]:
        """Run ``audit verify``; return its exit code and what it said."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "proxy", "audit", "verify", "--config", str(self.home.config)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    def entries(self) -> list[Entry]:
        """Read the whole log."""
        return list(AuditReader(self.home.data / "log").entries())

    def missing(self) -> list[str]:
        """Hold the client's list against the log; return every answer that lacks an entry, and everything mispaired."""
        entries, pairing = self.entries(), Pairing()
        ends = Counter(entry.about for entry in entries if entry.kind in TERMINAL)
        released = {entry.about for entry in entries if entry.kind in {"disclosed", "withheld"}}
        for entry in entries:
            pairing.see(entry)
        faults = [fault.message for fault in (*pairing.faults, *pairing.unended())]
        for answer in self.answers:
            index = int(answer.entry.rpartition("/")[2]) if answer.entry else -1
            if not answer.entry:
                faults += [f"{answer.status} without an entry"] if answer.status == 200 else []
            elif index >= len(entries) or entries[index].kind not in {"decided", "refused"}:
                faults.append(f"entry {index} of an answer {answer.status} is not there")
            elif answer.status == 200 and (ends[entries[index].about] != 1 or entries[index].about not in released):
                faults.append(f"entry {index} was answered, and has no end that says so")
        return faults


async def under_load(served: Served, clients: int, stop: Callable[[], bool], *, seed: int) -> None:
    """Ask with several connections at once until ``stop``, or until there is nobody to ask."""
    targets = served.ordinary()

    async def client(number: int) -> None:
        async with served.client() as session:
            turn = number + seed
            while not stop():
                try:
                    await served.ask(session, targets[turn % len(targets)])
                except GONE:
                    return
                turn += 1

    async with asyncio.timeout(WAIT):
        await asyncio.gather(*(client(number) for number in range(clients)))
