"""Appending, closing, opening again; the lock; and what a failed write does."""

from __future__ import annotations

import asyncio
import fcntl
import os
from typing import TYPE_CHECKING

import pytest

from proxy.tlog.errors import EntryTooLarge, LogBusy, LogClosed, LogPoisoned
from proxy.tlog.frames import frames
from proxy.tlog.store import Cursor, SegmentReader

if TYPE_CHECKING:
    from tests.tlog.conftest import Bench, Naive


async def test_indexes_are_those_of_the_order_of_appending(bench: Bench) -> None:
    """Tasks that append at once get consecutive indexes in the order they asked, and read back what they wrote."""
    async with bench.open() as log:
        indexes = await asyncio.gather(*(log.append(b"entry %d" % number) for number in range(100)))
        assert indexes == list(range(100))
        assert list(log.entries()) == [(number, b"entry %d" % number) for number in range(100)]
        assert log.read(42) == b"entry 42"
        with pytest.raises(IndexError):
            log.read(100)


async def test_who_append_together_share_one_checkpoint(bench: Bench) -> None:
    """A batch is whatever the event loop has to write before it comes to rest."""
    async with bench.open() as log:
        await asyncio.gather(*(log.append(b"%d" % number) for number in range(200)))
    assert [frame.sealed for frame in frames(bench.segment().read_bytes())] == [True, *[False] * 200, True]


async def test_the_head_is_signed_and_is_the_trees(bench: Bench, naive: type[Naive]) -> None:
    """After each append the head names the size, the root and a checkpoint that verifies."""
    entries: list[bytes] = []
    async with bench.open() as log:
        for number in range(20):
            entries.append(b"%d" % number)
            await log.append(entries[-1])
            assert log.head.size == len(entries)
            assert log.head.root == naive(entries).root()
            assert bench.signer.verifier.checkpoint(log.head.checkpoint).root == log.head.root


async def test_an_opened_log_goes_on_where_it_was_closed(bench: Bench, naive: type[Naive]) -> None:
    """Across openings, segments and tiles, it is one log."""
    entries = [b"entry %d" % number for number in range(1500)]
    for at in range(0, 1500, 300):
        await bench.fill(entries[at : at + 300], batch=37)
    async with bench.open() as log:
        assert log.torn_bytes == 0
        assert log.head.size == 1500
        assert log.head.root == naive(entries).root()
        assert [entry for _, entry in log.entries()] == entries
        assert [index for index, _ in log.entries(510, 515)] == [510, 511, 512, 513, 514]
    assert sorted(path.name for path in (bench.directory / "segments").iterdir()) == [
        "000000000000.seg",
        "000000000512.seg",
        "000000001024.seg",
    ]


@pytest.mark.parametrize("size", [0, 65_536])
async def test_an_entry_has_a_length_that_a_bundle_can_hold(bench: Bench, size: int) -> None:
    """Nothing and more than 65,535 bytes are refused, and do no harm."""
    async with bench.open() as log:
        with pytest.raises(EntryTooLarge):
            await log.append(bytes(size))
        assert await log.append(bytes(65_535)) == 0
        assert log.read(0) == bytes(65_535)


async def test_a_second_writer_is_refused(bench: Bench) -> None:
    """While one has the log open nobody else opens it; afterwards they may."""
    async with bench.open():
        with pytest.raises(LogBusy, match="open in another process"):
            bench.open()
    async with bench.open() as log:
        assert await log.append(b"mine") == 0


async def test_a_closed_log_takes_nothing_and_closes_twice(bench: Bench) -> None:
    """What was waiting is written, what comes later is refused."""
    log = bench.open()
    waiting = asyncio.ensure_future(log.append(b"waiting"))
    await asyncio.sleep(0)
    await log.close()
    await log.close()
    assert await waiting == 0
    with pytest.raises(LogClosed):
        await log.append(b"late")


async def test_a_cancelled_caller_has_still_appended(bench: Bench) -> None:
    """Cancellation takes back the waiting, not the entry."""
    log = bench.open()
    task = asyncio.ensure_future(log.append(b"abandoned"))
    await asyncio.sleep(0)
    task.cancel()
    assert await log.append(b"next") == 1
    assert log.read(0) == b"abandoned"
    await log.close()
    assert task.cancelled()


async def test_after_a_failed_write_nothing_is_accepted_until_it_is_opened_again(bench: Bench) -> None:
    """The caller of the failed batch and every later one are refused; recovery keeps what was acknowledged."""
    log = bench.open()
    await log.append(b"kept")
    blocked = os.open(os.devnull, os.O_RDONLY)
    os.dup2(blocked, log._segment._descriptor)
    os.close(blocked)
    with pytest.raises(LogPoisoned, match="restart this node"):
        await log.append(b"lost")
    assert log.poisoned
    for _ in range(3):
        with pytest.raises(LogPoisoned):
            await log.append(b"refused")
    assert log.head.size == 1
    await log.close()
    async with bench.open() as log:
        assert not log.poisoned
        assert [entry for _, entry in log.entries()] == [b"kept"]


async def test_a_poisoned_log_refuses_everybody_who_waits(bench: Bench) -> None:
    """Nobody is left waiting when the disk fails under a queue."""
    log = bench.open()
    blocked = os.open(os.devnull, os.O_RDONLY)
    os.dup2(blocked, log._segment._descriptor)
    os.close(blocked)
    results = await asyncio.gather(*(log.append(b"%d" % number) for number in range(3000)), return_exceptions=True)
    assert all(isinstance(result, LogPoisoned) for result in results)
    await log.close()


async def test_nothing_is_written_after_a_failure_whatever_still_waits(bench: Bench) -> None:
    """The batch whose sync failed is the last that reached the file; those queued behind it never do."""
    log = bench.open()
    reading, writing = os.pipe()
    junk = fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ)
    os.write(writing, bytes(junk))
    os.dup2(writing, log._segment._descriptor)  # a full pipe holds the writer; and a pipe cannot be synced
    os.close(writing)
    waiting = [asyncio.ensure_future(log.append(b"entry %d" % number)) for number in range(2000)]
    await asyncio.sleep(0)
    assert os.read(reading, junk) == bytes(junk)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(result, LogPoisoned) for result in results)
    await log.close()
    with os.fdopen(reading, "rb") as pipe:
        assert sum(frame.sealed for frame in frames(pipe.read())) == 1


async def test_a_reader_beside_the_writer_sees_whole_batches_and_crosses_segments(bench: Bench) -> None:
    """A cursor follows the growing log without reading twice, and never shows a batch in the making."""
    cursor = Cursor(bench.directory)
    assert cursor.sealed() == []
    found: list[int] = []
    async with bench.open(256) as log:
        for number in range(600):
            await log.append(b"%d" % number)
            found += [index for index, _ in cursor.sealed()]
    assert found == list(range(600))
    with bench.segment(512).open("ab") as file:
        file.write(b"\x00\x05hello")
    assert cursor.sealed() == []
    assert len(list(SegmentReader(bench.directory).entries(590))) == 10
