"""The backup as the runbook has it, made beside a server under load: it verifies, and a server starts on it."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.faults.served import ROOT, Served, under_load

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.faults


def runbook() -> str:
    """Return the commands of the runbook."""
    text = (ROOT / "deploy/runbook.md").read_text("utf-8")
    [block] = re.findall(r"<!-- backup -->\n```sh\n(.*?)```", text, re.DOTALL)
    return str(block)


async def test_a_backup_made_under_load_is_one_that_starts(served: Served, tmp_path: Path) -> None:
    """Every answer that was there before it began is in it, and nobody's protection is missing."""
    commands = runbook().replace("/var/lib/showcause", str(served.home.data)).replace("/backup/showcause", str(tmp_path / "to"))
    commands = f"set -e; {commands}".replace(".venv/bin/python", sys.executable)
    await served.start()
    before: list[int] = []
    copied = asyncio.Event()

    async def back_up() -> None:
        while len(served.answers) < 30:  # noqa: ASYNC110 -- another process's state
            await asyncio.sleep(0.01)
        before.append(len(served.entries()))
        shell = await asyncio.create_subprocess_shell(commands)
        assert await shell.wait() == 0
        copied.set()

    copying = asyncio.create_task(back_up())
    await under_load(served, 6, lambda: copied.is_set() or copying.done(), seed=3)
    await copying
    assert await served.end(signal.SIGTERM) == 0

    shutil.rmtree(served.home.data)
    shutil.copytree(tmp_path / "to", served.home.data)
    served.home.data.chmod(0o700)
    await served.start()
    assert len(served.entries()) >= before[0]
    async with served.client() as session:
        assert (await served.ask(session, served.ordinary()[0])).status == 200
        assert (await served.ask(session, served.protected()[0])).problem == "escalation-required"
    assert await served.end(signal.SIGTERM) == 0
    code, said = await served.verified()
    assert code == 0, said
