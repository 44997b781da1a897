"""A writer in a process of its own, to be killed, starved and lied to; and what it said was durable."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.clock import utc_now
from proxy.demo.home import Home, Ports, shipped_policies
from proxy.demo.records_server import serving
from proxy.demo.world import make_world
from proxy.tlog.log import Log
from proxy.tlog.note import Signer
from proxy.tlog.verify import verify
from tests.faults.served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

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

    async def recovered(self) -> list[bytes]:
        """Return the entries after recovery, having verified the log as it was left."""
        async with Log(self.directory, signer=signer(), clock=utc_now, segment_entries=256) as log:
            entries = [entry for _, entry in log.entries()]
        report = verify(self.directory, signer().verifier)
        assert report.findings == ()
        return entries


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


@pytest.fixture
def strace() -> str:
    """Return the strace program; without it the test is skipped on a user's machine, and fails in CI."""
    program = shutil.which("strace")
    if program is None:
        hint = "strace is missing: apt-get install strace"
        if os.environ.get("CI") == "true":
            pytest.fail(hint)
        pytest.skip(hint)
    return program


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of 512 KiB; skipped where this user may not mount one."""
    mount = shutil.which("mount")
    place = tmp_path / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    if mount is None or subprocess.run([mount, *options], check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a tmpfs; the test with RLIMIT_FSIZE stands in for it")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """Return the whole server on a demo home of its own, not started yet."""
    home = Home(tmp_path / "home", shipped_policies())
    with home.held():
        town = await make_world(home, utc_now)
        async with serving(home.records, 0) as upstream:
            home.write_config(Ports(terminals=0, console=0, ops=0, records=int(upstream.rpartition(":")[2])))
            made = Served(town, home, upstream)
            yield made
            if made.process is not None and made.process.returncode is None:
                await made.end(signal.SIGKILL)
