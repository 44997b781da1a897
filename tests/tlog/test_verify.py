"""Verification names what is wrong."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.tlog.frames import next_frame
from proxy.tlog.note import Signer, Verifier
from proxy.tlog.verify import verify
from tests.tlog.conftest import ORIGIN, Bench

if TYPE_CHECKING:
    from pathlib import Path


def entry_offsets(bench: Bench, first: int = 0) -> list[tuple[int, int]]:
    """Return (start, end) of each entry's frame in a segment."""
    data = bench.segment(first).read_bytes()
    found, offset = [], 0
    while (frame := next_frame(data, offset)) is not None:
        if not frame.sealed:
            found.append((offset, frame.end))
        offset = frame.end
    return found


def flip(path: Path, offset: int) -> None:
    """Flip one bit."""
    content = bytearray(path.read_bytes())
    content[offset] ^= 4
    path.write_bytes(content)


async def test_a_good_log_has_no_findings_in_any_size(bench: Bench) -> None:
    """Empty, one entry, a full tile, full segments, partial everything."""
    size = 0
    for more in (0, 1, 255, 256, 1, 300):
        await bench.fill([b"entry %d" % number for number in range(size, size + more)], segment_entries=256)
        size += more
        report = verify(bench.directory, bench.signer.verifier)
        assert report.findings == ()
        assert report.size == report.published == size


async def test_a_server_at_work_is_verified_without_its_lock(bench: Bench) -> None:
    """What is durable verifies while more is being written."""
    async with bench.open() as log:
        for _ in range(5):
            await asyncio.gather(*(log.append(b"entry") for _ in range(90)))
            report = await asyncio.to_thread(verify, bench.directory, bench.signer.verifier)
            assert report.findings == ()
            assert report.size == log.head.size


async def test_a_flipped_byte_is_reported_as_its_entry(bench: Bench, tmp_path: Path) -> None:
    """Each byte of each entry, its length included: the finding names that entry and no other."""
    await bench.fill([b"entry %d" % number for number in range(24)], batch=5)
    for index, (start, end) in enumerate(entry_offsets(bench)):
        for offset in range(start, end):
            damaged = bench.copy(tmp_path / "damaged")
            flip(damaged.segment(), offset)
            report = verify(damaged.directory, bench.signer.verifier)
            assert (report.findings[0].kind, report.findings[0].index) == ("entry", index)


async def test_an_entry_is_named_across_segments(bench: Bench) -> None:
    """Entry 700 of a log of several segments."""
    await bench.fill([b"entry %d" % number for number in range(900)], segment_entries=256)
    start, _ = entry_offsets(bench, 512)[700 - 512]
    flip(bench.segment(512), start + 4)
    assert [finding.index for finding in verify(bench.directory, bench.signer.verifier).findings] == [700]


async def test_no_byte_of_a_segment_can_be_flipped_unnoticed(bench: Bench, tmp_path: Path) -> None:
    """Entries, lengths, seals, signatures: every byte of the file is covered."""
    await bench.fill([b"entry %d" % number for number in range(6)], batch=2)
    for offset in range(bench.segment().stat().st_size):
        damaged = bench.copy(tmp_path / "damaged")
        flip(damaged.segment(), offset)
        assert verify(damaged.directory, bench.signer.verifier).findings, f"byte {offset}"


async def test_no_byte_of_a_tile_or_of_the_checkpoint_can_be_flipped_unnoticed(bench: Bench, tmp_path: Path) -> None:
    """Derived files are covered as well, and it is they that are blamed."""
    await bench.fill([b"e%d" % number for number in range(260)], batch=100)
    for path in sorted(path for path in (bench.directory / "tile").rglob("*") if path.is_file()):
        for offset in range(0, path.stat().st_size, max(path.stat().st_size // 8, 1)):
            damaged = bench.copy(tmp_path / "damaged")
            name = path.relative_to(bench.directory)
            flip(damaged.directory / name, offset)
            findings = verify(damaged.directory, bench.signer.verifier).findings
            assert [(finding.kind, finding.path) for finding in findings] == [("tile", str(name))]
    for offset in range((bench.directory / "checkpoint").stat().st_size):
        damaged = bench.copy(tmp_path / "damaged")
        flip(damaged.directory / "checkpoint", offset)
        assert verify(damaged.directory, bench.signer.verifier).findings[0].kind == "checkpoint"


async def test_a_missing_tail_is_reported_with_its_first_entry(bench: Bench) -> None:
    """Cutting the last batch off leaves a checkpoint that covers more than there is."""
    await bench.fill([b"first"])
    length = bench.segment().stat().st_size
    await bench.fill([b"second", b"third"])
    bench.segment().write_bytes(bench.segment().read_bytes()[:length])
    findings = verify(bench.directory, bench.signer.verifier).findings
    assert {(finding.kind, finding.index) for finding in findings} == {("missing", 1)}


async def test_a_missing_segment_or_tile_is_reported(bench: Bench, tmp_path: Path) -> None:
    """The finding names the entry or the path."""
    await bench.fill([b"entry %d" % number for number in range(600)], segment_entries=256)
    gap = bench.copy(tmp_path / "gap")
    gap.segment(256).unlink()
    assert [(f.kind, f.index) for f in verify(gap.directory, bench.signer.verifier).findings] == [("missing", 256)]
    (bench.directory / "tile/0/001").unlink()
    assert [f.path for f in verify(bench.directory, bench.signer.verifier).findings] == ["tile/0/001"]


async def test_a_log_that_was_set_back_is_shown_by_a_checkpoint_from_elsewhere(bench: Bench, tmp_path: Path) -> None:
    """A whole earlier state is consistent in itself; who remembers a newer checkpoint sees that entries are gone."""
    await bench.fill([b"one"])
    earlier = bench.copy(tmp_path / "earlier")
    await bench.fill([b"two"])
    seen = (bench.directory / "checkpoint").read_text()
    assert verify(earlier.directory, bench.signer.verifier).ok
    findings = verify(earlier.directory, bench.signer.verifier, seen=[seen]).findings
    assert [(finding.kind, finding.index) for finding in findings] == [("missing", 1)]


async def test_a_history_rewritten_with_the_real_key_is_shown_by_a_checkpoint_from_elsewhere(bench: Bench) -> None:
    """An insider with the log's key can sign another history, not unsign what others have seen."""
    await bench.fill([b"true", b"more"], batch=2)
    seen = (bench.directory / "checkpoint").read_text()
    shutil.rmtree(bench.directory)
    await bench.fill([b"false", b"more", b"even more"], batch=1)
    assert verify(bench.directory, bench.signer.verifier).ok
    findings = verify(bench.directory, bench.signer.verifier, seen=[seen]).findings
    assert [finding.kind for finding in findings] == ["checkpoint"]


async def test_an_entry_rewritten_together_with_its_tiles_is_found(bench: Bench) -> None:
    """Without the key, making tiles agree with a forged entry only moves the finding to the signed seal."""
    await bench.fill([b"entry %d" % number for number in range(4)], batch=1)
    start, _ = entry_offsets(bench)[2]
    flip(bench.segment(), start + 3)
    shutil.rmtree(bench.directory / "tile")
    finding = verify(bench.directory, bench.signer.verifier).findings[0]
    assert (finding.kind, finding.index) == ("entry", 2)


async def test_another_key_verifies_nothing(bench: Bench) -> None:
    """The verifier key decides, not the directory."""
    await bench.fill([b"entry"])
    stranger = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"s" * 32)).verifier
    assert not verify(bench.directory, Verifier.parse(stranger.vkey)).ok


@pytest.mark.parametrize("cut", [1, 7, 200])
async def test_a_batch_in_the_making_is_no_finding(bench: Bench, cut: int) -> None:
    """Bytes behind the newest acknowledged batch belong to a writer at work, or to a crash."""
    await bench.fill([b"one"])
    with bench.segment().open("ab") as file:
        file.write((b"\x00\x09unwritten" * 40)[:cut])
    report = verify(bench.directory, bench.signer.verifier)
    assert report.ok
    assert report.unfinished == cut
