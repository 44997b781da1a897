"""The demo's records server: Datasette, which we did not write, over the generated database, as a process of its own."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections import deque
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HOST: Final = "127.0.0.1"
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 5.0
MAX_ROWS: Final = 1000
ATTEMPTS: Final = 3
_RUNNING: Final = "Uvicorn running on"


class RecordsServerFailed(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """The records server did not start; the message holds what it said."""


def free_port(preferred: int = 0) -> int:
    """Return ``preferred`` when it can be listened on, else a port that can. Another process may still be faster.

    Raises:
        RecordsServerFailed: there is none.
    """
    for port in (preferred, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            return int(probe.getsockname()[1])
    msg = f"no port is free on {HOST}"
    raise RecordsServerFailed(msg)


@asynccontextmanager
async def serving(database: Path, port: int) -> AsyncIterator[str]:
    """Yield the base URL of a records server over ``database``, on ``port`` or, if that is taken, another; end it afterwards.

    Raises:
        RecordsServerFailed: it did not start.
    """
    said: deque[str] = deque(maxlen=8)
    for _ in range(ATTEMPTS):
        port = free_port(port)
        process = await _start(database, port)
        reading = asyncio.create_task(_read(process, said))
        try:
            if await _started(process, reading, said):
                yield f"http://{HOST}:{port}"
                return
        finally:
            await _stop(process)
            await reading
        port = 0  # somebody took it since we looked
    msg = "the records server (Datasette) did not start:\n" + "\n".join(f"    {line}" for line in said)
    raise RecordsServerFailed(msg)


async def _start(database: Path, port: int) -> asyncio.subprocess.Process:
    command = ["serve", "--immutable", str(database), "--host", HOST, "--port", str(port)]
    command += ["--setting", "default_cache_ttl", "0", "--setting", "max_returned_rows", str(MAX_ROWS)]
    # Its access log, which it writes to standard output, would hold every query in clear. A session of its own: a Ctrl-C at
    # the terminal is for us, and we end it when the last query has been answered.
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # neither the folder we stand in nor that of the script can put a module in the way
        str(Path(__file__).with_name("leash.py")),
        *command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


async def _read(process: asyncio.subprocess.Process, said: deque[str]) -> None:
    """Read what it says until it ends; a pipe that nobody empties would stop it."""
    stream = process.stderr
    assert stream is not None
    while line := await stream.readline():
        said.append(line.decode(errors="replace").rstrip())


async def _started(process: asyncio.subprocess.Process, reading: asyncio.Task[None], said: deque[str]) -> bool:
    """Return true once it listens, false when it has ended or takes too long.

    It says so itself. Asking the port instead could reach whoever was faster to take it.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + START_SECONDS
    while loop.time() < deadline:
        if any(_RUNNING in line for line in said):
            return process.returncode is None
        if reading.done():
            return False
        await asyncio.sleep(0.02)
    said.append(f"no word for {START_SECONDS:.0f} seconds")
    return False


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
