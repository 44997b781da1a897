"""A start makes the store anew from the log: no crash and no old backup takes a lock away."""

from __future__ import annotations

import secrets
import shutil
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.audit.sealing import Sealer
from proxy.audit.service import AuditTrail
from proxy.clock import utc_now
from proxy.database import Database
from proxy.escalation.lock_service import LockDesk
from proxy.escalation.lock_store import LockStore
from proxy.escalation.locks import Kind, Locked, Locks, LocksStale
from proxy.identity.assertion import RelyingParty
from proxy.identity.stepup import StepUp
from proxy.telemetry import Metrics
from proxy.tlog.log import Log
from proxy.tlog.note import Signer
from tests.escalation.conftest import LOCK_KEY, LOCK_TABLE, Relations, person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

OFFICER = person("officer-1")
SERGEANT = person("sergeant-9", "supervisor")
LIEUTENANT = person("lieutenant-2", "supervisor")
SEALER = Sealer(index_key=b"i" * 32, body_key=b"b" * 32)
SIGNER = Signer("log.example", Ed25519PrivateKey.from_private_bytes(bytes(32)))


@dataclass
class Node:
    """One start: its locks, its desk, and where they lie."""

    locks: Locks
    desk: LockDesk
    database: Database

    def check(self) -> None:
        """Ask as the officer."""
        self.locks.check(OFFICER, case=None, subjects=(), grant=None)

    async def lock(self) -> str:
        """Lock the officer."""
        return (await self.desk.add(SERGEANT, Kind.PRINCIPAL, "officer-1", reason="the key was found in a bar")).id

    async def lift(self, lock_id: str) -> None:
        """Lift it."""
        await self.desk.lift(lock_id, LIEUTENANT, reason="the key was never lost")


@asynccontextmanager
async def node(folder: Path, sealer: Sealer = SEALER) -> AsyncIterator[Node]:
    """Start as a server does: store, log, and the locks brought up to the log."""
    database = Database(folder / "store.sqlite3")
    await database.open()
    async with Log(folder / "log", signer=SIGNER, clock=utc_now) as log:
        trail = AuditTrail(log, sealer, utc_now)
        locks = Locks(LockStore(database, LOCK_KEY))

        async def asked(_escalation: str) -> None: ...

        step_up = StepUp(
            database=database,
            key=b"p" * 32,
            audit=trail,
            clock=utc_now,
            randomness=secrets.token_bytes,
            mode="key",
            party=RelyingParty(id="localhost", origins=("http://localhost",)),
        )
        desk = LockDesk(
            locks=locks,
            store=LockStore(database, LOCK_KEY),
            database=database,
            audit=trail,
            table=lambda: LOCK_TABLE,
            asked=asked,
            recognizer=Relations(),
            step_up=step_up,
            clock=utc_now,
            monotonic=lambda: 0.0,
            metrics=Metrics(),
        )
        await desk.recover(log.directory, log.origin, sealer)
        yield Node(locks, desk, database)
    await database.close()


def backup(folder: Path) -> None:
    """Copy the store, which nobody has open."""
    shutil.copy(folder / "store.sqlite3", folder / "backup")


def put_back(folder: Path) -> None:
    """Put the copy back in the place of the store."""
    for name in ("store.sqlite3-wal", "store.sqlite3-shm"):
        (folder / name).unlink(missing_ok=True)
    shutil.copy(folder / "backup", folder / "store.sqlite3")


async def test_a_lock_outlives_a_restart(tmp_path: Path) -> None:
    """It holds, and is lifted, in another life than it was set in; what was lifted stays so."""
    async with node(tmp_path) as first:
        lock_id = await first.lock()
    async with node(tmp_path) as second:
        with pytest.raises(Locked):
            second.check()
        await second.lift(lock_id)
    async with node(tmp_path) as third:
        third.check()


@pytest.mark.parametrize("lost", ["an older copy", "everything"])
async def test_a_store_put_back_to_before_a_lock_is_made_anew_from_the_log(tmp_path: Path, lost: str) -> None:
    """What was locked since the backup is locked after the start, and what was lifted since is not."""
    async with node(tmp_path) as first:
        first.check()
    backup(tmp_path)
    async with node(tmp_path) as second:
        lifted = await second.lock()
        await second.lift(lifted)
        await second.lock()

    if lost == "everything":
        (tmp_path / "store.sqlite3").unlink()
    else:
        put_back(tmp_path)

    async with node(tmp_path) as third:
        with pytest.raises(Locked) as told:
            third.check()
        assert told.value.lock.id != lifted
        assert len(third.locks.active()) == 1


async def test_a_crash_between_the_entry_and_the_row_loses_no_lock(tmp_path: Path) -> None:
    """The store cannot be written when the process dies: the next start has the lock from the log."""
    async with node(tmp_path) as first:
        first.check()
        async with first.database.begin() as connection:
            await connection.exec_driver_sql("ALTER TABLE locks RENAME TO away")
        await first.lock()
        async with first.database.begin() as connection:
            await connection.exec_driver_sql("DROP INDEX locks_by_time")
            await connection.exec_driver_sql("ALTER TABLE away RENAME TO locks")

    async with node(tmp_path) as second:
        with pytest.raises(Locked):
            second.check()


async def test_a_crash_between_the_entry_and_the_lift_lifts_it_at_the_start(tmp_path: Path) -> None:
    """The log has the end with its actor: it was lifted, and no second person need be found."""
    async with node(tmp_path) as first:
        lock_id = await first.lock()
    backup(tmp_path)
    async with node(tmp_path) as second:
        await second.lift(lock_id)
    put_back(tmp_path)

    async with node(tmp_path) as third:
        third.check()


async def test_locks_of_a_log_that_cannot_be_opened_stop_everybody(tmp_path: Path) -> None:
    """Another key than the entries were sealed with: whom they stop nobody can tell, and the check says what to do."""
    async with node(tmp_path) as first:
        await first.lock()
    (tmp_path / "store.sqlite3").unlink()

    async with node(tmp_path, Sealer(index_key=b"i" * 32, body_key=b"x" * 32)) as second:
        with pytest.raises(LocksStale):
            second.check()
        assert "audit verify" in second.locks.trouble


async def test_a_store_put_back_under_a_running_server_stops_it(tmp_path: Path) -> None:
    """Written over in place, with the same inode: the generation goes back, and nothing more is answered until a restart."""
    async with node(tmp_path) as first:
        first.check()
    backup(tmp_path)
    async with node(tmp_path) as second:
        await second.lock()
        with pytest.raises(Locked):
            second.check()
        async with second.database.begin() as connection:
            await connection.exec_driver_sql("DELETE FROM locks")
            await connection.exec_driver_sql("DELETE FROM generations WHERE subject = 'locks'")

        with pytest.raises(LocksStale):  # noqa: PT012 -- until the store is looked at anew, the lock holds on
            while True:
                with pytest.raises(Locked):
                    second.check()
