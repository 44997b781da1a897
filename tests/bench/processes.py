"""Processes under test: started on a processor of their own, counted with all their children, stopped by their id."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TICK: Final = os.sysconf("SC_CLK_TCK")
CPUS: Final = tuple(sorted(os.sched_getaffinity(0)))
UNDER_TEST: Final = frozenset(CPUS[:1])
AROUND: Final = frozenset(CPUS[1:2] or CPUS[:1])
START_SECONDS: Final = 60


class StartFailed(Exception):  # noqa: N818 -- it names what happened
    """A process did not come up; the message holds the end of what it printed."""


@contextlib.contextmanager
def bound_to(cpus: frozenset[int]) -> Iterator[None]:
    """Start processes on these processors: children inherit it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """Return a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """A server in a process group of its own."""

    def __init__(self, command: Sequence[str], output: Path, *, cpus: frozenset[int], cwd: Path | None = None) -> None:
        """Start it; what it prints goes to ``output``."""
        self._output = output
        with output.open("wb") as sink, bound_to(cpus):
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, cwd=cwd, start_new_session=True
            )

    def wait_for(self, port: int, target: str, headers: Mapping[str, str]) -> bytes:
        """Return the first answer to ``target`` with status 200.

        Raises:
            StartFailed: it ended, or there is no such answer in time.
        """
        last: object = "no answer"
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                connection.request("GET", target, headers=dict(headers))
                answer = connection.getresponse()
                body = answer.read()
                if answer.status == 200:
                    return body
                last = f"{answer.status} {body[:600].decode(errors='replace')}"
                if answer.status < 500:
                    break
            except (OSError, http.client.HTTPException) as error:
                last = error
            finally:
                connection.close()
            time.sleep(0.1)
        tail = self._output.read_bytes()[-2000:].decode(errors="replace")
        raise StartFailed(f"{self._process.args!r}: {last}\n{tail}")

    def cpu_seconds(self) -> float:
        """Return user and system time so far, of it and everything it started."""
        return _cpu_seconds(self._process.pid)

    def stop(self) -> None:
        """End it and its group: politely, then not."""
        for signum in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signum)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=10)
                return


def _cpu_seconds(group: int) -> float:
    """Add up everybody in a process group: whatever a process under test starts stays in its own."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it may end while we look
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[2]) == group:
                ticks += int(fields[11]) + int(fields[12])
    return ticks / TICK
