"""A log whose oldest entries were removed on purpose is whole from there on, and says what is gone."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.tlog.errors import LogDamaged, LogPruned
from proxy.tlog.merkle import leaf_hash, root_of_inclusion
from proxy.tlog.note import Signer
from proxy.tlog.pruned import INTENDED, Pruned, intend, prune, sweep
from proxy.tlog.pruning import prunable
from proxy.tlog.store import PRUNED, Cursor, SegmentReader, first_kept
from proxy.tlog.tiles import Tile
from proxy.tlog.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tlog.conftest import Bench

ENTRIES = [b"entry %d" % number for number in range(1100)]
FIRST = 512


async def intended(bench: Bench) -> Pruned:
    """Fill five segments, and say that the first two are to go."""
    await bench.fill(ENTRIES, batch=50, segment_entries=256)
    async with bench.open(256) as log:
        planned = prunable(log, FIRST)
    intend(bench.directory, planned)
    return planned


async def pruned(bench: Bench) -> Pruned:
    """Do it."""
    planned = await intended(bench)
    prune(bench.directory)
    return planned


def left(bench: Bench) -> set[str]:
    """Return the segments and the whole bundles that are there."""
    found = (path for part in ("segments", "tile/entries") for path in (bench.directory / part).iterdir() if path.is_file())
    return {path.name for path in found}


async def test_what_is_kept_is_read_proven_and_continued(bench: Bench) -> None:
    """Entries from the first kept one on are there; proofs lead to the newest root; the log goes on."""
    await pruned(bench)
    async with bench.open(256) as log:
        assert [entry for _, entry in log.entries()] == ENTRIES[FIRST:]
        assert await log.append(b"more") == len(ENTRIES)
        for index in (FIRST, 700, len(ENTRIES)):
            leaf = leaf_hash(log.read(index))
            assert root_of_inclusion(leaf, index, log.head.size, log.prove(index)) == log.head.root
        assert log.tile("tile/entries/001") is None
        assert log.tile("tile/entries/002") is not None
        assert log.tile("tile/0/001") is not None
    report = verify(bench.directory, bench.signer.verifier)
    assert (report.findings, report.size, report.pruned) == ((), 1101, FIRST)
    assert left(bench) == {"000000000512.seg", "000000000768.seg", "000000001024.seg", "002", "003"}


async def test_what_is_gone_was_pruned_and_is_not_damaged(bench: Bench) -> None:
    """Whoever asks for it is told so; whoever reads from the beginning begins with what is kept."""
    await pruned(bench)
    reader = SegmentReader(bench.directory)
    for index in (0, 1, FIRST - 1):
        with pytest.raises(LogPruned, match=f"entry {index} was pruned: the log is kept from entry {FIRST} on"):
            reader.read(index)
    with pytest.raises(LogPruned):
        list(reader.entries(5))
    assert next(reader.entries()) == (FIRST, ENTRIES[FIRST])
    assert Cursor(bench.directory).sealed()[0] == (FIRST, ENTRIES[FIRST])


async def test_an_intent_prunes_nothing(bench: Bench) -> None:
    """Until the entry that says so is durable, everything is there."""
    await intended(bench)
    async with bench.open(256) as log:
        assert [entry for _, entry in log.entries()] == ENTRIES
    assert first_kept(bench.directory) == 0


async def test_a_prune_that_was_interrupted_is_finished_at_the_next_start(bench: Bench, tmp_path: Path) -> None:
    """Wherever it was cut off, the log opens, and what was to go is gone."""
    await intended(bench)
    (bench.directory / INTENDED).rename(bench.directory / PRUNED)
    removed = [f"tile/entries/00{number}" for number in range(2)] + ["segments/000000000000.seg"]
    for cut in range(len(removed) + 1):
        torn = bench.copy(tmp_path / f"cut-{cut}")
        for name in removed[:cut]:
            (torn.directory / name).unlink()
        assert next(SegmentReader(torn.directory).entries())[0] == FIRST
        async with torn.open(256) as log:
            assert log.head.size == len(ENTRIES)
        assert left(torn) == {"000000000512.seg", "000000000768.seg", "000000001024.seg", "002", "003"}
        assert sweep(torn.directory) == 0
        assert verify(torn.directory, torn.signer.verifier).ok


async def test_the_log_opens_without_the_tiles_that_lead_to_what_is_kept(bench: Bench) -> None:
    """A power cut may take partial tiles, which are not synced; the way on does not depend on them."""
    await pruned(bench)
    bench.forget_promises()
    async with bench.open(256) as log:
        assert await log.append(b"more") == len(ENTRIES)
        root = log.head.root
    shutil.rmtree(bench.directory)
    await bench.fill([*ENTRIES, b"more"])
    async with bench.open(512) as whole:
        assert whole.head.root == root


async def test_segments_that_are_gone_without_a_word_are_damage(bench: Bench) -> None:
    """Who removes more than the file says, or writes that file without the log's key, is found out."""
    await pruned(bench)
    bench.segment(512).unlink()
    with pytest.raises(LogDamaged):
        bench.open(256)
    assert [found.kind for found in verify(bench.directory, bench.signer.verifier).findings] == ["missing"]


@pytest.mark.parametrize("how", ["key", "rows", "size", "noise"])
async def test_a_forged_word_for_it_is_damage(bench: Bench, how: str) -> None:
    """The checkpoint must be signed by the log's key, and the hashes must lead to its root."""
    planned = await pruned(bench)
    stranger = Signer(bench.signer.verifier.name, Ed25519PrivateKey.generate())
    forged = {
        "key": Pruned(checkpoint=stranger.checkpoint(FIRST, planned.checkpoint.root), rows=planned.rows, size=1),
        "rows": Pruned(checkpoint=planned.checkpoint, rows=[[], [b"x" * 32, b"y" * 32]], size=1),
        "size": Pruned(checkpoint=bench.signer.checkpoint(768, planned.checkpoint.root), rows=planned.rows, size=1),
    }
    content = forged[how].content if how in forged else b"512 1100\n\xff\xfe"
    (bench.directory / PRUNED).write_bytes(content)
    with pytest.raises(LogDamaged):
        bench.open(256)
    assert not verify(bench.directory, bench.signer.verifier).ok


async def test_a_hash_of_what_is_gone_cannot_be_altered(bench: Bench) -> None:
    """The tiles are all that is left of pruned entries; one that lies or is missing is named, and what is kept still holds."""
    await pruned(bench)
    tile = bench.directory / Tile(0, 1).path
    content = tile.read_bytes()
    for damaged in (bytes([content[0] ^ 1]) + content[1:], content[:32]):
        tile.write_bytes(damaged)
        report = verify(bench.directory, bench.signer.verifier)
        assert {found.kind for found in report.findings} == {"tile"}
        assert report.size == len(ENTRIES)


async def test_a_checkpoint_of_before_is_still_held_against_the_log(bench: Bench) -> None:
    """What somebody kept from before the prune is verified from the hashes; another history is found."""
    async with bench.open(256) as log:
        await asyncio.gather(*(log.append(entry) for entry in ENTRIES[:300]))
        kept = log.head
    await bench.fill(ENTRIES[300:], batch=50, segment_entries=256)
    async with bench.open(256) as log:
        intend(bench.directory, prunable(log, FIRST))
    prune(bench.directory)
    assert verify(bench.directory, bench.signer.verifier, seen=[kept.checkpoint]).ok
    other = bench.signer.checkpoint(300, bytes(32)).text
    report = verify(bench.directory, bench.signer.verifier, seen=[other])
    assert [found.kind for found in report.findings] == ["checkpoint"]


async def test_only_whole_segments_that_are_closed_can_go(bench: Bench) -> None:
    """Not the one that is written, and nowhere in between."""
    await bench.fill(ENTRIES, batch=50, segment_entries=256)
    async with bench.open(256) as log:
        for first in (0, 100, 300, 1280):
            with pytest.raises(ValueError, match="no segment"):
                prunable(log, first)
