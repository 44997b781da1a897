"""The processes that help to load a whole registry, as real ones."""

from __future__ import annotations

import asyncio
import fcntl
import signal
import sys
from pathlib import Path

import pytest

from proxy.registry.person import unpack_entry
from proxy.registry.store import RegistryUnreadable
from proxy.registry.tokens import Tokens
from proxy.registry.workers import working

ROOT = Path(__file__).parents[2]

_HELPED = """
import asyncio, fcntl, os, sys
from proxy.registry.person import unpack_entry
from proxy.registry.tokens import Tokens
from proxy.registry.workers import working

async def main():
    lock = open(sys.argv[1], "w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.sched_getaffinity = lambda _: {0, 1, 2}
    async with working(unpack_entry, Tokens(bytes(32))) as workers:
        print("working", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_helpers_end_with_a_server_that_is_killed(tmp_path: Path) -> None:
    """No helper outlives the server, however that ended, nor holds its locks or its output open."""
    lock = tmp_path / "lock"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _HELPED, str(lock), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"working\n"

    process.kill()

    assert await process.wait() == -signal.SIGKILL
    assert await asyncio.wait_for(process.stdout.read(), timeout=30) == b""
    with lock.open("w") as mine:
        fcntl.flock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)


async def test_a_helper_that_fails_is_not_waited_for() -> None:
    """A helper that ends before it has answered makes the load fail, which is then tried anew."""
    async with working(unpack_entry, Tokens(bytes(32))) as workers:
        if workers is None:
            pytest.skip("there is one processor only")
        await workers.give([("row", b"tag", b"this is no row")])

        with pytest.raises(RegistryUnreadable, match="loaded anew"):
            await workers.take()
