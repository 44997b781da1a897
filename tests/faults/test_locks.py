"""A lock set in one process stops another within a second; measured by the one clock that both have."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from proxy.database import Database
from proxy.escalation.lock_store import LockStore
from proxy.escalation.locks import Kind
from tests.escalation.conftest import LOCK_KEY
from tests.escalation.test_locks import lock

ROOT = Path(__file__).resolve().parents[2]
OTHER = """
import asyncio, sys, time
from pathlib import Path
from proxy.database import Database
from proxy.escalation.lock_store import LockStore
from proxy.escalation.locks import Locked, Locks
from tests.escalation.conftest import LOCK_KEY, person

async def main():
    database = Database(Path(sys.argv[1]))
    await database.open()
    locks = Locks(LockStore(database, LOCK_KEY))
    print("asking", flush=True)
    while True:
        try:
            locks.check(person("officer-1"), case=None, subjects=(), grant=None)
        except Locked:
            print(time.monotonic(), flush=True)
            return
        await asyncio.sleep(0)

asyncio.run(main())
"""


@pytest.mark.faults
async def test_another_process_refuses_within_a_second(tmp_path: Path) -> None:
    """It has asked again and again and was never refused; the commit here, and its next question is."""
    database = Database(tmp_path / "store.sqlite3")
    await database.open()
    command = [sys.executable, "-c", OTHER, str(database.path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as other:  # noqa: ASYNC220 -- nobody else waits
        assert other.stdout is not None
        assert other.stdout.readline() == "asking\n"
        async with database.begin() as connection:
            await LockStore(database, LOCK_KEY).insert(connection, lock(Kind.PRINCIPAL, "officer-1"))
        committed = time.monotonic()
        refused = float(other.stdout.readline())
    await database.close()

    assert other.returncode == 0
    assert refused - committed < 1
