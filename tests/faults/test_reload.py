"""The policy is exchanged under load, and the server is killed while it is: a real server, real folders, real terminals."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson
import pytest

from proxy.audit.outbox import Outbox
from proxy.audit.sealing import Sealer
from proxy.clock import utc_now
from proxy.database import Database
from proxy.demo.home import Home, Ports, shipped_policies
from proxy.policy.activating import Activations
from proxy.policy.decision import Facts, Outcome
from proxy.policy.edits import edits, loosening
from proxy.policy.service import load_policies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from proxy.audit.entry import Entry
    from proxy.policy.service import PolicySet
    from tests.faults.served import Answer, Served

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]

CLIENTS = 4
SHOWN, MASKED, DENIED = (
    "permit,    P01,  reader,     query,      operational,    none,                 present,  none,      none,     none,    ",
    "mask,      P01,  reader,     query,      operational,    none,                 present,  none,      none,     mask=ssn,",
    "deny,      P01,  reader,     query,      operational,    none,                 present,  none,      none,     none,    ",
)
"""The row about ordinary persons, ever stricter: whoever asks can see which one ruled."""
UNBOUNDED = "per_hour: {queries: 1000000, fruitless: 1000000, records: 1000000, neighborhood: 1000000}\nbroad_counts: 1\n"


@dataclass
class Desk:
    """The folder that a records officer edits beside a running server."""

    served: Served
    folder: Path
    known: dict[str, PolicySet] = field(default_factory=dict)

    def save(self, old: str, new: str) -> str:
        """Save another row, and return the version that the folder then holds."""
        path = self.folder / "policy.csv"
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")
        return self.learn()

    def learn(self) -> str:
        """Load what the folder holds, as the oracle of what it rules, and return its version."""
        loaded = load_policies(self.folder)
        self.known[loaded.version] = loaded
        return loaded.version

    async def reason(self) -> str:
        """Return what readiness says of the policy; the server has to be ready whatever the folder holds."""
        status, body = await self.served.ops("/readyz")
        assert status == 200
        return str(orjson.loads(body)["checks"]["policy"]["reason"])

    async def until(self, holds: Callable[[str], bool]) -> None:
        """Wait until readiness says so."""
        async with asyncio.timeout(180):
            while not holds(await self.reason()):  # noqa: ASYNC110 -- another process's state
                await asyncio.sleep(0.1)

    @asynccontextmanager
    async def activations(self) -> AsyncIterator[Activations]:
        """Yield what the command line uses, beside the server."""
        keys = self.served.home.keys
        sealer = Sealer.load(index=keys / "index.key", body=keys / "body.key")
        database = Database(self.served.home.data / "store.sqlite3")
        await database.open()
        try:
            yield Activations(database, sealer, Outbox(database, sealer, utc_now, os.urandom), utc_now)
        finally:
            await database.close()

    async def agree(self, old: str, new: str) -> None:
        """Have two persons activate what loosens."""
        before, after = self.known[old], self.known[new]
        found = edits(before, after)
        async with self.activations() as activations:
            proposal = await activations.propose(
                after, len(loosening(found)), instead_of=before.digest, by="login:ann", reason="it was a mistake"
            )
            await activations.approve(proposal.id, after, found, by="login:ben")

    def active(self) -> str:
        """Return the version that is activated in the store."""
        with closing(sqlite3.connect(self.served.home.data / "store.sqlite3")) as connection:
            return str(connection.execute("SELECT digest FROM policy_active").fetchone()[0])[:12]

    def activated(self) -> list[str]:
        """Return the versions that the log says were activated, in order."""
        entries = self.served.entries()
        return [str(entry.facts["after"])[:12] for entry in entries if entry.kind in {"policy-adopted", "policy-activated"}]


@pytest.fixture
def desk(served: Served, tmp_path: Path) -> Desk:
    """Return a desk over a folder of its own, without the cases and invariants that hold for the shipped rows alone."""
    folder = tmp_path / "policies"
    shutil.copytree(shipped_policies(), folder, ignore=shutil.ignore_patterns("cases", "invariants.yaml"))
    (folder / "budgets.yaml").write_text(UNBOUNDED)
    served.home = Home(served.home.path, folder)
    served.home.write_config(Ports(terminals=0, console=0, ops=0, records=int(served.upstream.rpartition(":")[2])))
    return Desk(served, folder)


async def test_a_reload_under_load_loses_no_query_and_makes_no_wrong_decision(desk: Desk) -> None:
    """Twice something stricter is saved, with a mistake in between; then two persons take it all back.

    Every query is answered, and each answer is right for the policy that its entry names: the same outcome by the same row as
    that version's own reading, shown to the terminal as that row has it.
    """
    served, stop, asked = desk.served, asyncio.Event(), 0
    target = f"/records/persons/{served.town.cast['driver'].person_id}"
    versions = [desk.learn()]
    await served.start()

    async def officer() -> None:
        nonlocal asked
        async with served.client() as session:
            while not stop.is_set():
                asked += 1
                await served.ask(session, target)

    async def records_officer() -> None:
        versions.append(desk.save(SHOWN, MASKED))
        await desk.until(lambda reason: reason == f"version {versions[-1]}")
        good = (desk.folder / "policy.csv").read_bytes()
        (desk.folder / "policy.csv").write_bytes(good.replace(b"mask,      P01", b"mosk,      P01"))
        await desk.until(lambda reason: "policy.csv:" in reason and reason.startswith(f"version {versions[-1]}"))
        (desk.folder / "policy.csv").write_bytes(good)
        versions.append(desk.save(MASKED, DENIED))
        await desk.until(lambda reason: reason == f"version {versions[-1]}")
        versions.append(desk.save(DENIED, SHOWN))
        await desk.agree(versions[-2], versions[-1])
        await desk.until(lambda reason: reason == f"version {versions[-1]}")
        stop.set()

    try:
        await asyncio.gather(*(officer() for _ in range(CLIENTS)), records_officer())
    finally:
        stop.set()
    assert await served.end(signal.SIGTERM) == 0

    assert len(served.answers) == asked > 50
    assert served.missing() == []
    assert desk.activated() == versions
    assert versions[0] == versions[-1]
    entries = served.entries()
    assert {judged(desk, answer, entries) for answer in served.answers} == set(versions)


def judged(desk: Desk, answer: Answer, entries: Sequence[Entry]) -> str:
    """Return the version that ruled on an answer; it has to be the right answer for that version."""
    entry = entries[int(answer.entry.rpartition("/")[2])]
    version = str(entry.facts["policy"])
    ruling = desk.known[version].policy.rule(Facts(*(str(entry.facts[column]) for column in Facts._fields)))
    assert (str(ruling.outcome), ruling.rule) == (entry.facts["outcome"], entry.facts["rule"])
    match ruling.outcome:
        case Outcome.PERMIT:
            assert (answer.status, answer.json[0]["ssn"]) == (200, desk.served.town.cast["driver"].ssn)
        case Outcome.MASK:
            assert (answer.status, answer.json[0]["ssn"]) == (200, "***-**-****")
        case _:
            assert answer.problem == "policy-denied"
    return version


async def test_a_server_that_is_killed_while_it_activates_rules_by_what_was_activated(desk: Desk) -> None:
    """Killed while it judges, nothing was activated, and it is judged again; killed once it is in the store, it rules then.

    Either way the log says once what was activated, and readiness agrees.
    """
    served = desk.served
    first = desk.learn()
    await served.start()
    second = desk.save(SHOWN, MASKED)
    await desk.until(lambda reason: reason == f"version {first}; version {second} in the folder is being judged")
    assert await served.end(signal.SIGKILL) == -signal.SIGKILL
    assert desk.active() == first

    await served.start()
    assert (await desk.reason()).startswith(f"version {first}; the folder holds another policy")
    async with asyncio.timeout(180):
        while desk.active() == first:  # noqa: ASYNC110 -- another process's state
            await asyncio.sleep(0.005)
    assert await served.end(signal.SIGKILL) == -signal.SIGKILL
    assert desk.active() == second

    await served.start()
    assert await desk.reason() == f"version {second}"
    async with served.client() as session:
        answer = await served.ask(session, served.ordinary()[0])
    assert answer.json[0]["ssn"] == "***-**-****"
    assert await served.end(signal.SIGTERM) == 0
    assert desk.activated() == [first, second]
    code, said = await served.verified()
    assert code == 0, said
