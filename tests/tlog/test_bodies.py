"""Bodies beside entries: what is written is read, a torn batch leaves none, and shredding leaves every proof."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.tlog.errors import EntryTooLarge, LogDamaged
from proxy.tlog.frames import MAX_BODY, Kind, encode_entries, encode_seal, encode_stored, frames
from proxy.tlog.recovery import recover
from proxy.tlog.shredding import shred
from proxy.tlog.store import SegmentReader, Stored
from proxy.tlog.verify import verify

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.tlog.conftest import Bench

PAIRS = st.lists(st.tuples(st.binary(min_size=1, max_size=40), st.binary(max_size=60)), max_size=8)


async def fill(bench: Bench, pairs: Sequence[tuple[bytes, bytes]], *, batch: int = 3) -> None:
    """Append entries with bodies and close in good order."""
    async with bench.open() as log:
        for at in range(0, len(pairs), batch):
            await asyncio.gather(*(log.append(entry, body) for entry, body in pairs[at : at + batch]))


def stored(bench: Bench) -> list[Stored]:
    """Return everything that the segments hold."""
    return list(SegmentReader(bench.directory).stored())


@settings(max_examples=150, deadline=None)
@given(PAIRS)
def test_frames_give_back_what_was_put_in(pairs: list[tuple[bytes, bytes]]) -> None:
    """Each entry, then its body if it has one, then the seal; a body of zeros that was written is no shredded one."""
    data = encode_stored([entry for entry, _ in pairs], [body for _, body in pairs]) + encode_seal("seal")
    found = list(frames(data))
    expected = [part for entry, body in pairs for part in ((Kind.ENTRY, entry), (Kind.BODY, body)) if part[1]]
    assert [(frame.kind, frame.content) for frame in found] == [*expected, (Kind.SEAL, b"seal")]
    assert not any(frame.damaged or frame.shredded for frame in found)


@settings(max_examples=150, deadline=None)
@given(PAIRS, st.data())
def test_frames_torn_anywhere_are_a_prefix(pairs: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    """No cut makes a frame that was not written."""
    whole = encode_stored([entry for entry, _ in pairs], [body for _, body in pairs]) + encode_seal("seal")
    torn = whole[: data.draw(st.integers(0, len(whole)))]
    found = list(frames(torn))
    assert found == list(frames(whole))[: len(found)]


def test_a_body_that_follows_no_entry_is_no_frame() -> None:
    """After a seal, or after another body, nobody could say whose it is."""
    one = encode_stored([b"a"], [b"body"])
    alone = one[len(encode_entries([b"a"])) :]
    assert list(frames(alone)) == []
    assert len(list(frames(one + alone))) == 2


async def test_a_body_lies_beside_its_entry_and_in_no_tile(bench: Bench, tmp_path: Path) -> None:
    """The tree and the tiles are those of a log without bodies; the segment gives both back."""
    pairs = [(b"entry %d" % number, b"secret %d" % number * (number % 3)) for number in range(300)]
    await fill(bench, pairs)
    bare = type(bench)(tmp_path / "bare", bench.signer)
    await bare.fill([entry for entry, _ in pairs], batch=3)
    assert stored(bench) == [(number, *pair) for number, pair in enumerate(pairs)]
    assert (bench.directory / "checkpoint").read_text() == (bare.directory / "checkpoint").read_text()
    for path in (bench.directory / "tile").rglob("*"):
        assert not path.is_file() or b"secret" not in path.read_bytes()
    assert verify(bench.directory, bench.signer.verifier).ok


async def test_a_body_has_a_length_that_is_bounded(bench: Bench) -> None:
    """Over 4 MiB is refused, and does no harm."""
    async with bench.open() as log:
        with pytest.raises(EntryTooLarge, match="body"):
            await log.append(b"entry", bytes(MAX_BODY + 1))
        assert await log.append(b"entry", b"body") == 0


async def test_a_batch_with_bodies_cut_anywhere_is_dropped_whole(bench: Bench, tmp_path: Path) -> None:
    """Nobody was told of it: entries and bodies of a torn batch go together."""
    await fill(bench, [(b"first", b"body")])
    before = bench.segment().stat().st_size
    await fill(bench, [(b"second", b"another body"), (b"third", b"")])
    bench.forget_promises()
    content = bench.segment().read_bytes()
    for cut in range(before, len(content)):
        torn = bench.copy(tmp_path / "torn")
        torn.segment().write_bytes(content[:cut])
        recover(torn.directory, torn.signer.verifier)
        assert torn.segment().read_bytes() == content[:before]


async def test_a_page_of_a_body_that_a_power_cut_lost_is_a_torn_batch(bench: Bench, tmp_path: Path) -> None:
    """The seal can be on disk and a body's page not: cut off when nobody was told, refused when somebody was."""
    await fill(bench, [(b"first", b"body")])
    before = bench.segment().stat().st_size
    await fill(bench, [(b"second", b"x" * 100)])
    content = bench.segment().read_bytes()
    bench.segment().write_bytes(content.replace(b"x" * 100, bytes(100)))
    untold = bench.copy(tmp_path / "untold")
    untold.forget_promises()
    recover(untold.directory, untold.signer.verifier)
    assert untold.segment().stat().st_size == before
    with pytest.raises(LogDamaged):
        bench.open()


async def test_shredding_takes_the_body_and_leaves_every_proof(bench: Bench) -> None:
    """The file keeps its length, the log verifies, goes on and opens again; only the named bodies are gone."""
    pairs = [(b"entry %d" % number, b"secret %d" % number) for number in range(20)]
    await fill(bench, pairs)
    length = bench.segment().stat().st_size
    assert shred(bench.directory, [3, 7]) == 2
    assert shred(bench.directory, [3, 7]) == 0
    assert bench.segment().stat().st_size == length
    assert b"secret 7" not in bench.segment().read_bytes()
    assert stored(bench) == [(n, entry, None if n in {3, 7} else body) for n, (entry, body) in enumerate(pairs)]
    assert verify(bench.directory, bench.signer.verifier).ok
    await fill(bench, [(b"more", b"")])
    assert verify(bench.directory, bench.signer.verifier).ok
    with pytest.raises(IndexError):
        shred(bench.directory, [400])


async def test_an_altered_body_is_found_and_its_entry_named(bench: Bench) -> None:
    """Whatever bit of a body is flipped, the finding says whose it is, and everything else still holds."""
    await fill(bench, [(b"entry %d" % number, b"secret-%d" % number) for number in range(6)])
    content = bytearray(bench.segment().read_bytes())
    content[content.index(b"secret-4") + 5] ^= 1
    bench.segment().write_bytes(content)
    report = verify(bench.directory, bench.signer.verifier)
    assert [(finding.kind, finding.index) for finding in report.findings] == [("body", 4)]
    assert report.size == 6
