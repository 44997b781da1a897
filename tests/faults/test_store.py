"""A store that is damaged or taken away under the running server: queries are refused, and readiness says why."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.faults.served import ROOT, Served

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.faults


def overwrite(store: Path) -> None:
    """Lose the first pages, as a failing disk does."""
    with store.open("r+b") as file:
        file.write(os.urandom(1 << 16))


def remove(store: Path) -> None:
    """Somebody moves the file away."""
    store.rename(store.with_suffix(".gone"))


def replace(store: Path) -> None:
    """Somebody puts back a backup without a stop."""
    copy = store.with_suffix(".copy")
    copy.write_bytes(store.read_bytes())
    copy.replace(store)


@pytest.mark.parametrize("happens", [overwrite, remove, replace])
async def test_a_store_that_is_not_what_was_opened_is_not_ready(served: Served, happens: Callable[[Path], None]) -> None:
    """Readiness names the store; no query ends in a fault of the program."""
    await served.start()
    happens(served.home.data / "store.sqlite3")

    status, ready = await served.ops("/readyz")

    assert status == 503
    assert b'"store":{"ok":false' in ready
    assert b'"log":{"ok":true' in ready
    async with served.client() as session:
        for target in served.ordinary():
            assert (await served.ask(session, target)).problem != "internal-error"
    assert await served.end(signal.SIGTERM) == 0
    assert served.missing() == []


async def test_a_query_without_a_store_is_told_so(served: Served) -> None:
    """The first query after the loss finds no credentials: 503 not-ready, with its entry, and so does an escalation."""
    await served.start()
    remove(served.home.data / "store.sqlite3")

    async with served.client() as session:
        answer = await served.ask(session, served.ordinary()[0])
        moved = await served.ask(session, "/escalations")

    assert (answer.status, answer.problem) == (503, "not-ready")
    assert (moved.status, moved.problem) == (503, "not-ready")
    assert answer.entry
    assert await served.end(signal.SIGTERM) == 0


async def test_the_command_line_says_that_the_store_is_damaged(served: Served) -> None:
    """One sentence and the next step, no traceback."""
    overwrite(served.home.data / "store.sqlite3")

    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy", "identity", "list", "--config", str(served.home.config)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await process.communicate()

    assert process.returncode == 3
    assert b"store.sqlite3 cannot be" in told
    assert b"File " not in told
    assert b"doctor" in told
