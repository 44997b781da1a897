"""Each check of the writer catches the writer that is wrong in its way; a check that cannot fail would prove nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.clock import utc_now
from proxy.tlog.errors import LogDamaged
from proxy.tlog.verify import verify
from tests.faults.conftest import ORIGIN, Writer, signer
from tests.faults.mutants import WRITERS
from tests.faults.trace import Order

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.faults


@pytest.mark.parametrize("wrong", ["unsynced", "early", "nameless"])
def test_the_order_of_system_calls_tells(writer: Writer, strace: str, wrong: str) -> None:
    """No fsync, acknowledging before it, a new segment whose directory was not synced."""
    told, order = writer.traced(strace, "--tasks", "2", "--entries", "150", "--writer", wrong)
    assert (told.code, order.told) == (0, 300)
    assert order.faults


def test_a_write_that_strace_shows_in_two_halves_is_a_whole_one() -> None:
    """A thread that comes between the ends of a write makes no fault of it."""
    segment = "5</log/segments/000000000000.seg>"
    seen = Order()
    for line in (
        f'7 write({segment}, "task-0-entry-1-", 15 <unfinished ...>',
        '8 write(3<pipe:[4]>, "\\0", 1) = 1',
        "7 <... write resumed>) = 15",
        f"7 fdatasync({segment} <unfinished ...>",
        "7 <... fdatasync resumed>) = 0",
        '8 write(1<pipe:[9]>, "0 task-0-entry-1-\\n", 18) = 18',
    ):
        seen.see(line)
    assert (seen.told, seen.failed, seen.faults) == (1, 0, [])


def test_a_failed_sync_tells(writer: Writer, strace: str) -> None:
    """Trying a failed fsync again acknowledges what may be nowhere but in the page cache."""
    told, order = writer.traced(
        strace, "--tasks", "4", "--entries", "20", "--writer", "stubborn", inject="fdatasync:error=EIO:when=7"
    )
    assert (told.code, order.failed) == (0, 1)
    assert len(order.faults) == 4


async def test_a_short_write_tells(writer: Writer) -> None:
    """Ignoring it acknowledges entries that recovery does not find."""
    told = writer.run("--tasks", "8", "--limit", "200001", "--writer", "careless")
    assert told.acknowledged
    with pytest.raises(LogDamaged):
        await writer.recovered()


@pytest.mark.parametrize(("name", "holds"), [("right", True), ("untidy", False)])
async def test_a_torn_tail_tells(tmp_path: Path, name: str, holds: bool) -> None:
    """Writing behind a torn batch loses what is acknowledged afterwards."""
    writer = Writer(tmp_path / "log")
    async with WRITERS["right"](writer.directory, signer=signer(), clock=utc_now) as log:
        await log.append(b"before")
    with (writer.directory / "segments" / "000000000000.seg").open("ab") as segment:
        segment.write(b"\x00\x20half an ent")
    async with WRITERS[name](writer.directory, signer=signer(), clock=utc_now) as log:
        assert await log.append(b"after the crash") == 1
    report = verify(writer.directory, signer().verifier)
    assert (report.origin, report.ok, report.size == 2) == (ORIGIN, holds, holds)
