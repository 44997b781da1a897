"""How a running server has a policy judged: by a process of its own (``aside``), which ends when the server does."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proxy.document import Mistake
from proxy.policy.aside import Judged, answered, asked

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS: Final = 600
PROGRAM: Final = "proxy.policy.aside"
_HERE: Final = str(Path(__file__).resolve().parents[2])


async def judge_aside(folder: Path, files: Mapping[str, bytes]) -> Judged:
    """Return the judgement on a folder's policy; that there is none is one mistake more."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", PROGRAM),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": _HERE},
    )
    try:
        async with asyncio.timeout(SECONDS):
            answer, _ = await process.communicate(asked(folder, files))
        return answered(answer)
    except (TimeoutError, ValueError, KeyError, TypeError):
        message, help_ = "the process that judged it ended without an answer", "`policy check` says more; SIGHUP tries again"
        return Judged("", mistakes=(Mistake(file=folder, line=1, column=1, message=message, help=help_),))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
