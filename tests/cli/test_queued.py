from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

import pytest

from proxy.audit.errors import AuditUnavailable
from proxy.audit.outbox import Outbox
from proxy.audit.reader import AuditReader
from proxy.audit.service import AuditTrail
from proxy.cli.queued import QueuedLog
from proxy.cli.recording import recording, sealer_of
from proxy.clock import utc_now
from proxy.database import Database
from proxy.registry.events import RegistryRevealed
from proxy.settings import load_settings
from proxy.tlog.keys import load_signer
from proxy.tlog.log import Log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from proxy.audit.entry import Entry
    from proxy.cli.recording import Recording
    from proxy.settings import Settings
    from tests.cli.conftest import Office

EVENT = RegistryRevealed(about="q1", count=3, by="steward")


@pytest.fixture
def settings(office: Office) -> Settings:
    """Provide the settings of a place in order."""
    return load_settings(office.config, {})


@asynccontextmanager
async def opened(settings: Settings, *, wait_seconds: float = 10) -> AsyncIterator[tuple[QueuedLog, Recording]]:
    """Yield the log as a command has it."""
    async with recording(settings) as recorder:
        log = QueuedLog(settings, recorder, wait_seconds=wait_seconds)
        yield log, recorder


@asynccontextmanager
async def server(settings: Settings) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Hold the log, as a server does; yield its drain."""
    log = Log(settings.log, signer=load_signer(settings.keys.checkpoint, settings.origin), clock=utc_now)
    database = Database(settings.store)
    await database.open()
    async with log:
        outbox = Outbox(database, sealer_of(settings), utc_now, os.urandom)
        yield lambda: outbox.drain(AuditTrail(log, sealer_of(settings), utc_now))
    await database.close()


async def altered(settings: Settings) -> int:
    """Alter what waits in the store; return how many rows did."""

    def alter() -> int:
        with closing(sqlite3.connect(settings.store)) as store, store:
            return store.execute("UPDATE outbox SET about = 'q2'").rowcount

    return await asyncio.to_thread(alter)


def entries(settings: Settings) -> list[Entry]:
    """Return what is in the log."""
    return list(AuditReader(settings.log).entries())


async def test_a_receipt_names_the_entry_that_is_in_the_log(settings: Settings) -> None:
    """Without a server the command writes it itself, and lets the log go."""
    async with opened(settings) as (log, _):
        first, second = await log.record(EVENT), await log.record(EVENT)
        with_lock = Log(settings.log, signer=load_signer(settings.keys.checkpoint, settings.origin), clock=utc_now)
        await with_lock.close()

    assert [(entry.index, entry.kind, entry.about) for entry in entries(settings)] == [
        (receipt.index, receipt.kind, receipt.about) for receipt in (first, second)
    ]
    assert (first.origin, first.kind, first.about) == (settings.origin, "registry-revealed", "q1")


async def test_a_running_server_s_log_is_waited_for(settings: Settings) -> None:
    """The receipt is not there before the holder of the log has made the entry durable."""
    async with server(settings) as drain, opened(settings) as (log, _), asyncio.timeout(20):
        waits = asyncio.create_task(log.record(EVENT))
        early = waits.done()
        while not await drain():
            early |= waits.done()
        receipt = await waits

    assert not early
    assert entries(settings)[receipt.index].kind == "registry-revealed"


async def test_a_log_that_takes_nothing_gives_no_receipt(settings: Settings) -> None:
    """A server that hangs with the log in its hands stops the command, and the event stays queued."""
    async with server(settings), opened(settings, wait_seconds=0.2) as (log, _):
        with pytest.raises(AuditUnavailable):
            await log.record(EVENT)

    assert entries(settings) == []
    async with opened(settings) as (log, _):
        receipt = await log.record(EVENT)
    assert (len(entries(settings)), receipt.index) == (2, 1)


async def test_an_event_that_was_altered_in_the_store_gives_no_receipt(settings: Settings) -> None:
    """Who can write to the store cannot have a look-up sent under another entry."""
    async with server(settings) as drain, opened(settings) as (log, _), asyncio.timeout(20):
        waits = asyncio.create_task(log.record(EVENT))
        while not await altered(settings):
            assert not waits.done()
        await drain()
        with pytest.raises(AuditUnavailable, match="altered"):
            await waits


CAUSE = ("--case", "26-004217", "--statement", "complaint 26-118 about look-ups of the mayor's home")
SHOWING = {
    "log-read": ("show", "0", "--decrypt", *CAUSE),
    "log-searched": ("who-saw", "100123", *CAUSE),
    "leak-traced": ("leak", "--published", "phone=555-010-0100", "--at", "2026-11-20T09:00Z", *CAUSE),
}


async def test_nothing_is_shown_before_a_server_has_the_reading_in_its_log(office: Office, settings: Settings) -> None:
    """A row in the store can be taken out again by who can write there: a question waits for its entry."""
    cases = office.folder / "cases.csv"
    cases.write_text("number,kind,agency,opened_at\n26-004217,case,KY0429900,2026-11-01T00:00:00Z\n", "utf-8")
    done = await asyncio.to_thread(office.call, "cases", "import", str(cases), "--config", str(office.config))
    assert done[0] == 0, done

    async with server(settings) as drain, asyncio.timeout(120):
        command = (sys.executable, "-m", "proxy", "audit")
        processes = {
            kind: await asyncio.create_subprocess_exec(
                *command, *arguments, "--config", str(office.config), stdout=asyncio.subprocess.PIPE
            )
            for kind, arguments in SHOWING.items()
        }
        while await asyncio.to_thread(waiting, settings) < len(processes):
            pass
        told = {kind: asyncio.create_task(process.communicate()) for kind, process in processes.items()}
        early, _ = await asyncio.wait(told.values(), timeout=2)
        while not all(task.done() for task in told.values()):
            await drain()
        kinds = [entry.kind for entry in entries(settings)]

    assert not early
    assert {kind: process.returncode for kind, process in processes.items()} == dict.fromkeys(SHOWING, 0)
    assert all(kinds.count(kind) == 1 for kind in SHOWING)
    assert b"actor" in told["log-read"].result()[0]


def waiting(settings: Settings) -> int:
    """Return how many rows wait in the store."""
    with closing(sqlite3.connect(settings.store)) as store:
        return int(store.execute("SELECT count(*) FROM outbox").fetchone()[0])
