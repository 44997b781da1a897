"""``registry rotate-key`` beside the whole server, killed once and run again: nobody waits, and nobody is let through."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from proxy.registry.keyring import load_keys
from tests.faults.served import ROOT, Served

if TYPE_CHECKING:
    from asyncio.subprocess import Process

pytestmark = pytest.mark.faults


async def rotating(served: Served) -> Process:
    """Start the command."""
    command = (sys.executable, "-m", "proxy", "registry", "rotate-key", "--config", str(served.home.config))
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL)


async def test_the_key_is_exchanged_under_a_running_server(served: Served) -> None:
    """From before the first run until after the second every query is answered as ever, and the log says it was done."""
    key = served.home.keys / "registry.key"
    old = load_keys(key).current
    await served.start()
    async with served.client() as officer:

        async def as_ever() -> None:
            assert (await served.ask(officer, served.ordinary()[0])).status == 200
            assert (await served.ask(officer, served.protected()[0])).problem == "escalation-required"
            assert (await served.ops("/readyz"))[0] == 200

        killed = await rotating(served)
        while killed.returncode is None and load_keys(key).previous is None:
            await as_ever()
        if killed.returncode is None:
            killed.kill()
        assert await killed.wait() == -signal.SIGKILL
        assert load_keys(key).previous == old
        await as_ever()

        ended = asyncio.create_task((await rotating(served)).wait())
        while not ended.done():
            await as_ever()
        assert await ended == 0
        assert load_keys(key).previous is None
        assert load_keys(key).current != old
        for _ in range(20):
            await as_ever()
        async with asyncio.timeout(10):
            while "registry-key-rotated" not in {entry.kind for entry in served.entries()}:
                await as_ever()

    assert await served.end(signal.SIGTERM) == 0
    assert served.missing() == []
    await served.start()
    async with served.client() as officer:
        assert (await served.ask(officer, served.protected()[0])).problem == "escalation-required"
    assert await served.end(signal.SIGTERM) == 0
