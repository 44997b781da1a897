"""The log under kill -9, failing fsync, full disks; and the order of its system calls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.faults.conftest import Said, SmallDisk, Writer, said

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.faults


def assert_nothing_lost(told: Said, recovered: list[bytes]) -> None:
    """Every acknowledged entry is in the recovered log, at its index."""
    for index, payload in told.acknowledged.items():
        assert recovered[index] == payload


@pytest.mark.parametrize("acknowledged", [1, 60, 400, 1500, 4000])
async def test_nothing_acknowledged_is_lost_by_kill_9(writer: Writer, acknowledged: int) -> None:
    """Killed under load at some point, the log opens, verifies, and holds every entry that was acknowledged."""
    process = writer.start()
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(acknowledged)]
    process.kill()
    out = b"".join(lines) + process.stdout.read()
    process.stdout.close()
    told = said(out, process.wait())
    assert told.code == -9
    assert len(told.acknowledged) >= acknowledged
    assert_nothing_lost(told, await writer.recovered())


async def test_kill_9_again_and_again_is_still_one_log(writer: Writer) -> None:
    """Each life continues where the one before was cut, and nothing of any life is lost."""
    told: dict[int, bytes] = {}
    for life in range(4):
        process = writer.start()
        assert process.stdout is not None
        out = b"".join(process.stdout.readline() for _ in range(150 + 90 * life))
        process.kill()
        out += process.stdout.read()
        process.stdout.close()
        fresh = said(out, process.wait()).acknowledged
        assert not told.keys() & fresh.keys()
        told |= fresh
    assert_nothing_lost(Said(told, 0, 0), await writer.recovered())


class Fault(NamedTuple):
    """The ``when``-th call of its name on a file below the log's directory fails with EIO; all later ones would succeed."""

    call: str
    path: str
    when: int

    def around(self, writer: Writer, strace: str) -> list[str]:
        """Return what to put before the writer's command."""
        inject = f"inject={self.call}:error=EIO:when={self.when}"
        calls = f"trace={self.call}"
        return [strace, "-f", "-qq", "-o", "/dev/null", "-P", str(writer.directory / self.path), "-e", calls, "-e", inject]


@pytest.mark.parametrize("failing", [1, 2, 7, 40])
async def test_one_failed_fsync_ends_all_acknowledgement(writer: Writer, strace: str, failing: int) -> None:
    """After a single EIO, though every later fsync would succeed, nobody is told that anything is durable."""
    told, order = writer.traced(strace, "--tasks", "4", inject=f"fdatasync:error=EIO:when={failing}")
    assert (told.code, told.refused, order.failed) == (3, 16, 1)
    assert order.faults == []
    assert order.told == len(told.acknowledged) <= 4 * (failing - 1)
    assert_nothing_lost(told, await writer.recovered())


@pytest.mark.parametrize("failing", [1, 2, 30])
async def test_one_failed_write_ends_all_acknowledgement(writer: Writer, strace: str, failing: int) -> None:
    """The same when the write itself fails."""
    fault = Fault("write", "segments/000000000000.seg", failing)
    told = writer.run("--tasks", "4", before=fault.around(writer, strace))
    assert (told.code, told.refused) == (3, 16)
    assert len(told.acknowledged) <= 4 * (failing - 1)
    assert_nothing_lost(told, await writer.recovered())


BIRTH = [
    Fault("write", "segments/000000000512.seg.tmp", 1),
    Fault("fsync", "segments/000000000512.seg.tmp", 1),
    Fault("rename", "segments/000000000512.seg.tmp", 1),
    Fault("fsync", "segments", 2),  # of the writing thread: the opening one has synced the first
]


@pytest.mark.parametrize("fault", BIRTH, ids=["write", "fsync", "rename", "directory"])
async def test_a_segment_that_cannot_be_begun_ends_all_acknowledgement(writer: Writer, strace: str, fault: Fault) -> None:
    """Written, synced, named, its directory synced: where one of these fails the full segment is the last."""
    told = writer.run("--tasks", "4", "--entries", "150", before=fault.around(writer, strace))
    assert (told.code, told.refused) == (3, 16)
    assert sorted(told.acknowledged) == list(range(512))
    assert_nothing_lost(told, await writer.recovered())


@pytest.mark.parametrize("call", ["pwrite64", "fsync"])
async def test_recovery_that_fails_opens_nothing_and_loses_nothing(writer: Writer, strace: str, call: str) -> None:
    """What recovery writes again may fail, too; then nobody is told anything, and the next start is as good as the first."""
    told = writer.run("--tasks", "4", "--entries", "20")
    fault = Fault(call, "segments/000000000000.seg", 1)
    failed = writer.run("--entries", "1", before=fault.around(writer, strace))
    assert (failed.code, failed.acknowledged) == (4, {})
    assert_nothing_lost(told, await writer.recovered())


async def test_a_full_disk_poisons_and_loses_nothing_acknowledged(small_disk: SmallDisk) -> None:
    """A write that takes less than it was given is a failure, not a success."""
    told = Writer(small_disk.place / "log").run("--tasks", "8", before=small_disk.around)
    assert told.code == 3
    assert told.acknowledged
    assert told.refused >= 8
    assert_nothing_lost(told, await Writer(small_disk.kept / "log").recovered())


async def test_a_file_size_limit_poisons_and_loses_nothing_acknowledged(writer: Writer) -> None:
    """The same by a limit that cuts the segment short in the middle of a batch."""
    told = writer.run("--tasks", "8", "--limit", "200001")
    assert told.code == 3
    assert told.acknowledged
    assert (writer.directory / "segments" / "000000000000.seg").stat().st_size == 200_001
    assert_nothing_lost(told, await writer.recovered())


def test_nobody_is_told_before_the_disk_was(writer: Writer, strace: str, tmp_path: Path) -> None:
    """Write, sync, tell, for every entry; a new segment is written, synced, named, and its directory synced before that."""
    trace = tmp_path / "trace"
    before = [strace, "-f", "-y", "-qq", "-s", "0", "-o", str(trace), "-e", "trace=write,fdatasync,fsync,/^rename"]
    told = writer.run("--tasks", "1", "--entries", "300", before=before)
    assert told.code == 0
    steps = "".join(_step(line) for line in trace.read_text().splitlines())
    assert steps == "tfrd" + "WST" * 256 + "tfrd" + "WST" * 44


def test_nobody_is_told_before_the_disk_was_when_many_ask(writer: Writer, strace: str) -> None:
    """The same for batches of many, over the end of a segment."""
    told, order = writer.traced(strace, "--tasks", "8", "--entries", "50")
    assert (told.code, order.told, order.failed) == (0, 400, 0)
    assert order.faults == []


def test_the_last_batch_is_made_durable_again_before_anything_follows_it(writer: Writer, strace: str, tmp_path: Path) -> None:
    """What recovery reads may be in the page cache alone, so it writes the batch once more and syncs it."""
    assert writer.run("--tasks", "1", "--entries", "5").code == 0
    trace = tmp_path / "trace"
    before = [strace, "-f", "-y", "-qq", "-s", "0", "-o", str(trace), "-e", "trace=write,fdatasync,fsync,pwrite64"]
    assert writer.run("--tasks", "1", "--entries", "1", before=before).code == 0
    assert "".join(_step(line) for line in trace.read_text().splitlines()) == "PFdWST"


def _step(line: str) -> str:
    """Translate one line of strace: lower case for a segment's birth, upper case for a batch (P and F in recovery).

    What the writing thread does counts from its beginning; that a batch is synced counts from its end, since another
    thread tells of it. strace shows the end of an interrupted call as "resumed".
    """
    patterns = {
        "t": r"write\(\d+<[^>]*/segments/\d+\.seg\.tmp>",
        "f": r"fsync\(\d+<[^>]*/segments/\d+\.seg\.tmp>",
        "r": r"rename\w*\(.*/segments/",
        "d": r"fsync\(\d+<[^>]*/segments>",
        "W": r"write\(\d+<[^>]*/segments/\d+\.seg>",
        "P": r"pwrite64\(\d+<[^>]*/segments/\d+\.seg>",
        "F": r"fsync\(\d+<[^>]*/segments/\d+\.seg>",
        "S": r"(fdatasync\(\d+<[^>]*/segments/\d+\.seg>|fdatasync resumed>).*= 0$",
        "T": r"write\(1<",
    }
    return next((step for step, pattern in patterns.items() if re.search(pattern, line)), "")
