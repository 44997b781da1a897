"""What the question whether anything is locked costs a query.

    python -m tests.bench.locks            # a table, in some seconds
    python -m tests.bench.locks --json

``Locks.check`` is asked again and again, as each query asks it: with nothing locked, with 1,000 locks that do not stop it, and
from within an event loop that another process's commits reach. Times are CPU of this process; the least of five rounds is
told, since noise only adds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proxy.clock import utc_now
from proxy.database import Database
from proxy.escalation.lock_store import LockStore
from proxy.escalation.locks import Kind, Lock, Locks
from proxy.identity.principal import Principal

if TYPE_CHECKING:
    from collections.abc import Callable

ASKED: Final = 50_000
ROUNDS: Final = 5
KEY: Final = bytes(32)


def least(work: Callable[[], object], times: int) -> float:
    """Return microseconds of CPU for one of many, in the best of the rounds."""
    found = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(times):
            work()
        found.append((time.process_time() - begun) / times * 1e6)
    return min(found)


async def measure(folder: Path) -> dict[str, float]:
    """Return microseconds by what is locked."""
    database = Database(folder / "store.sqlite3")
    await database.open()
    store = LockStore(database, KEY)
    who = Principal(
        person="badge-1", agency="MO0950000", role="patrol", unit="3A12", terminal="car-12", credential="key-1",
        methods=("key",), authenticated_at=utc_now(),
    )  # fmt: skip
    subjects = ("record/100123", "entry/4711")

    def ask() -> None:
        locks.check(who, case="26-004217", subjects=subjects, grant=None)

    locks = Locks(store)
    found = {"nothing locked": least(ask, ASKED)}
    async with database.begin() as connection:
        for number in range(1000):
            lock = Lock(
                id=secrets.token_hex(16), kind=list(Kind)[number % len(Kind)], target=f"other-{number}", named="",
                agency="MO0950000", by="sergeant-9", role="supervisor", reason="for the measurement", created_at=utc_now(),
                until=None,
            )  # fmt: skip
            await store.insert(connection, lock)
    begun = time.process_time()
    ask()
    found["the first question after 1,000 locks were set"] = (time.process_time() - begun) * 1e6
    found["1,000 things locked, this not"] = least(ask, ASKED)
    await database.close()
    return found


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder)))
    if parser.parse_args().json:
        sys.stdout.write(json.dumps(found) + "\n")
        return
    for name, value in found.items():
        sys.stdout.write(f"{name:45}  {value:8.2f} µs\n")


if __name__ == "__main__":
    main()
