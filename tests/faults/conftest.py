"""A writer in a process of its own, to be killed, starved and lied to; and what it said was durable."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.clock import utc_now
from proxy.demo.home import Home, Ports, shipped_policies
from proxy.demo.records_server import serving
from proxy.tlog.log import Log
from proxy.tlog.note import Signer
from proxy.tlog.verify import verify
from tests.faults.served import Served
from tests.faults.trace import ARGUMENTS, order
from tests.homes import settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.faults.trace import Order

ROOT = Path(__file__).resolve().parents[2]
WRITER = Path(__file__).with_name("writer.py")
ORIGIN = "log.example"
SEED = bytes(range(32))


@dataclass(frozen=True, slots=True)
class Said:
    """What a writer said: acknowledged entries by index, how often it was refused, and its exit code."""

    acknowledged: dict[int, bytes]
    refused: int
    code: int


@dataclass(frozen=True, slots=True)
class Writer:
    """Runs ``writer.py`` on a log's directory."""

    directory: Path

    def start(self, *options: str, before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Start writing; each acknowledged entry is a line ``index payload`` on standard output."""
        command = [*before, sys.executable, str(WRITER), str(self.directory), *options]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)

    def run(self, *options: str, before: Sequence[str] = ()) -> Said:
        """Write until the writer ends by itself."""
        with self.start(*options, before=before) as process:
            out, _ = process.communicate(timeout=90)
        return said(out, process.returncode)

    def traced(self, strace: str, *options: str, inject: str = "") -> tuple[Said, Order]:
        """Write until the writer ends, and hold the order of its system calls against what it said."""
        trace = self.directory.with_name("trace")
        arguments = [*ARGUMENTS, *(("-e", f"inject={inject}") if inject else ()), "-o", str(trace)]
        told = self.run(*options, before=[strace, *arguments])
        return told, order(trace)

    async def recovered(self) -> list[bytes]:
        """Return the entries after recovery, having verified the log as it was left."""
        async with Log(self.directory, signer=signer(), clock=utc_now, segment_entries=256) as log:
            entries = [entry for _, entry in log.entries()]
        report = verify(self.directory, signer().verifier)
        assert report.findings == ()
        return entries


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A tmpfs that lives as long as a command that is started ``around`` it; what was on it is then in ``kept``."""

    place: Path
    kept: Path

    @property
    def around(self) -> Sequence[str]:
        """Return what to put before a command."""
        script = (
            'mount -t tmpfs -o size=512k tmpfs "$0" || exit 99; kept="$1"; shift;'
            ' "$@"; code=$?; cp -a "$0/." "$kept"; exit $code'
        )
        return ("unshare", "-rm", "sh", "-c", script, str(self.place), str(self.kept))


def signer() -> Signer:
    """Return the signer that the writer uses."""
    return Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(SEED))


def said(out: bytes, code: int) -> Said:
    """Read a writer's output; a last line that was cut by a kill counts only if it is whole."""
    lines = out.split(b"\n")[:-1]
    acknowledged = {}
    for line in lines:
        if line != b"refused":
            index, _, payload = line.partition(b" ")
            acknowledged[int(index)] = payload
    return Said(acknowledged, lines.count(b"refused"), code)


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    """Return a writer on a fresh directory."""
    return Writer(tmp_path / "log")


def missing(hint: str) -> NoReturn:
    """Say in one line what this machine lacks: a failure in CI, a skipped test on a user's machine."""
    if os.environ.get("CI") == "true":
        pytest.fail(hint)
    pytest.skip(hint)


@pytest.fixture
def strace() -> str:
    """Return the strace program."""
    return shutil.which("strace") or missing("strace is missing: apt-get install strace")


@pytest.fixture
def small_disk(tmp_path: Path) -> SmallDisk:
    """Return a file system of 512 KiB; who is not root mounts it in a user namespace of their own."""
    disk = SmallDisk(tmp_path / "disk", tmp_path / "kept")
    disk.place.mkdir()
    if subprocess.run([*disk.around, "true"], check=False, capture_output=True).returncode:
        missing("this user may not mount a tmpfs, not even in a user namespace (unshare -rm)")
    return disk


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """Return the whole server on a demo home of its own, not started yet."""
    home = Home(tmp_path / "home", shipped_policies())
    with home.held():
        town = await settle(home)
        async with serving(home.records, 0) as upstream:
            home.write_config(Ports(terminals=0, console=0, ops=0, records=int(upstream.rpartition(":")[2])))
            made = Served(town, home, upstream)
            yield made
            if made.process is not None and made.process.returncode is None:
                await made.end(signal.SIGKILL)
