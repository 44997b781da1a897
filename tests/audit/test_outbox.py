"""Events of a command beside a running server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from proxy.audit.errors import AuditUnavailable
from proxy.audit.outbox import OUTBOX, Outbox
from proxy.database import Database
from tests.audit.conftest import Asked, Disclosed, noon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.audit.conftest import World


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Return an open store."""
    store = Database(tmp_path / "store.sqlite3")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def outbox(database: Database, world: World) -> Outbox:
    """Return the outbox of that store."""
    return Outbox(database, world.sealer, noon, os.urandom)


async def put(database: Database, outbox: Outbox, *abouts: str) -> None:
    """Queue one event for each word."""
    async with database.begin() as connection:
        for about in abouts:
            await outbox.put(connection, Asked(about=about))


async def rows_left(database: Database) -> int:
    """Return how many rows wait."""
    async with database.begin() as connection:
        return len((await connection.execute(select(OUTBOX.c.id))).all())


async def test_queued_events_reach_the_log_in_order_and_whole(database: Database, outbox: Outbox, world: World) -> None:
    """Facts, tokens and sealed part are those that a direct recording would have written."""
    await put(database, outbox, "a", "b")
    await put(database, outbox, "c")
    async with world.log() as log:
        assert await outbox.drain(world.trail(log)) == 3
        entries = list(world.reader().entries())
        assert [entry.about for entry in entries] == ["a", "b", "c"]
        assert entries[0].facts["action"] == "person.read"
        assert entries[0].facts["queued_at"] == "2026-11-23T12:00:00.12Z"
        assert entries[0].parties["officer"] == (world.sealer.token("officer", "badge-1234"),)
        assert world.reader().unseal(entries[0])["words"] == "JORDAN PEMBERTON"
    assert await rows_left(database) == 0


async def test_more_than_one_round_is_drained(database: Database, outbox: Outbox, world: World) -> None:
    """An import that queues many events leaves none behind."""
    await put(database, outbox, *map(str, range(300)))
    async with world.log() as log:
        assert await outbox.drain(world.trail(log)) == 300
        assert [entry.about for entry in world.reader().entries()] == [str(number) for number in range(300)]


async def test_nothing_is_queued_by_a_transaction_that_fails(database: Database, outbox: Outbox) -> None:
    """The event stands or falls with the change it tells of."""

    async def change_and_fail() -> None:
        async with database.begin() as connection:
            await outbox.put(connection, Asked())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await change_and_fail()
    assert await rows_left(database) == 0


async def test_the_store_names_nobody(database: Database, outbox: Outbox) -> None:
    """While an event waits, its parties and its sealed part are encrypted."""
    await put(database, outbox, "a")
    await database.close()
    for path in database.path.parent.glob("store.sqlite3*"):
        content = path.read_bytes().lower()
        assert b"pemberton" not in content
        assert b"badge-1234" not in content


@pytest.mark.parametrize("crash_after", [0, 1, 2, 3])
async def test_a_crash_between_log_and_store_records_nothing_twice(
    database: Database, outbox: Outbox, world: World, crash_after: int
) -> None:
    """After how many rows of a drain the process ever dies, each event is in the log once, in order."""
    async with world.log() as log:
        await world.trail(log).record(Asked(about="before"))
        await put(database, outbox, "a", "b", "c")
        for row in (await outbox._claim(log.head.size))[:crash_after]:
            await outbox._record(world.trail(log), row)
    async with world.log() as log:
        again = Outbox(database, world.sealer, noon, os.urandom)
        assert again.waiting()
        assert await again.drain(world.trail(log)) == 3 - crash_after
        assert [entry.about for entry in world.reader().entries()] == ["before", "a", "b", "c"]
    assert await rows_left(database) == 0


async def test_a_log_that_is_down_keeps_events_waiting(database: Database, outbox: Outbox, world: World) -> None:
    """What the log does not take stays queued, and is taken later."""
    await put(database, outbox, "a")
    log = world.log()
    await log.close()
    with pytest.raises(AuditUnavailable):
        await outbox.drain(world.trail(log))
    assert await rows_left(database) == 1
    assert outbox.waiting()
    async with world.log() as log:
        assert await outbox.drain(world.trail(log)) == 1
    assert not outbox.waiting()


@pytest.mark.parametrize("column", ["kind", "about", "facts", "queued_at", "id"])
async def test_a_row_altered_in_the_store_is_not_recorded_as_true(
    database: Database, outbox: Outbox, world: World, column: str
) -> None:
    """Who can write to the store cannot write to the log: the row is dropped, and that is recorded."""
    await put(database, outbox, "a")
    forged = '{"forged":true}' if column == "facts" else Disclosed.kind
    async with database.begin() as connection:
        await connection.execute(update(OUTBOX).values({column: forged}))
    async with world.log() as log:
        await outbox.drain(world.trail(log))
        assert [entry.kind for entry in world.reader().entries()] == ["outbox-rejected"]
    assert await rows_left(database) == 0


async def test_waiting_is_told_across_connections(database: Database, outbox: Outbox, world: World) -> None:
    """A server's outbox notices what another process has queued."""
    async with world.log() as log:
        await outbox.drain(world.trail(log))
        assert not outbox.waiting()
        other = Database(database.path)
        await other.open()
        await put(other, Outbox(other, world.sealer, noon, os.urandom), "from elsewhere")
        await other.close()
        assert outbox.waiting()
        assert await outbox.drain(world.trail(log)) == 1
