"""What opening a log keeps, cuts off, and refuses."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.tlog.errors import LogDamaged
from proxy.tlog.note import Signer
from proxy.tlog.recovery import recover
from proxy.tlog.verify import verify
from tests.tlog.conftest import Bench

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def recovered_size(bench: Bench) -> int:
    """Recover without writing on, and return how many entries there are."""
    found = recover(bench.directory, bench.signer.verifier)
    assert found is not None
    return found.checkpoint.size


async def two_batches(bench: Bench) -> tuple[int, int]:
    """Make a log of 5 and then 3 entries; return the lengths of its segment after each."""
    await bench.fill([b"first %d" % number for number in range(5)], batch=5)
    before = bench.segment().stat().st_size
    async with bench.open() as log:
        for number in range(3):
            await log.append(b"second %d" % number)
    return before, bench.segment().stat().st_size


async def test_a_batch_cut_anywhere_is_dropped_and_the_ones_before_it_stay(bench: Bench, tmp_path: Path) -> None:
    """For every cut of the last batch that nobody was told of, recovery keeps exactly what was sealed before."""
    await bench.fill([b"first %d" % number for number in range(5)], batch=5)
    before = bench.segment().stat().st_size
    await bench.fill([b"second %d" % number for number in range(3)], batch=3)
    bench.forget_promises()
    content = bench.segment().read_bytes()
    for cut in range(before, len(content) + 1):
        torn = bench.copy(tmp_path / "torn")
        torn.segment().write_bytes(content[:cut])
        assert recovered_size(torn) == (8 if cut == len(content) else 5)
        assert torn.segment().read_bytes() == (content if cut == len(content) else content[:before])


async def test_a_batch_that_was_told_of_is_never_dropped(bench: Bench, tmp_path: Path) -> None:
    """The same cuts are refused, and nothing is changed, when a published or an acknowledged checkpoint covers the batch."""
    before, end = await two_batches(bench)
    for kept in ("acknowledged", "checkpoint"):
        for cut in range(before, end, 5):
            torn = bench.copy(tmp_path / f"{kept}-{cut}")
            shutil.rmtree(torn.directory / "tile")
            (torn.directory / ({"acknowledged", "checkpoint"} - {kept}).pop()).unlink()
            torn.segment().write_bytes(torn.segment().read_bytes()[:cut])
            with pytest.raises(LogDamaged):
                recover(torn.directory, torn.signer.verifier)
            assert torn.segment().stat().st_size == cut


async def test_a_torn_log_is_continued_and_verifies(bench: Bench) -> None:
    """After recovery the log takes entries again, and verification finds nothing."""
    await bench.fill([b"first %d" % number for number in range(300)])
    bench.forget_promises()
    with bench.segment().open("ab") as file:
        file.write(b"\x00\x20half an ent")
    async with bench.open() as log:
        assert log.torn_bytes == 13
        assert await log.append(b"next") == 300
    report = verify(bench.directory, bench.signer.verifier)
    assert report.ok
    assert report.size == 301


@pytest.mark.parametrize("garbage", [bytes(4096), b"\xff" * 4096, b"\x00\x00\x00\x05hello", b"\x00\x01"])
async def test_garbage_behind_the_last_seal_is_an_unfinished_batch(bench: Bench, garbage: bytes) -> None:
    """Zero pages and noise, as a power cut leaves them, are cut off."""
    await bench.fill([b"one", b"two"])
    with bench.segment().open("ab") as file:
        file.write(garbage)
    assert recovered_size(bench) == 2


async def test_damage_before_the_last_batch_is_refused_even_when_nothing_was_told(bench: Bench) -> None:
    """At most one batch can be unfinished: a signed seal that something follows proves that its entries were durable."""
    _, end = await two_batches(bench)
    bench.forget_promises()
    content = bytearray(bench.segment().read_bytes())
    content[content.index(b"first 2")] ^= 1
    bench.segment().write_bytes(content)
    with pytest.raises(LogDamaged, match="entry 0 or one of its batch"):
        recover(bench.directory, bench.signer.verifier)
    assert bench.segment().stat().st_size == end


async def test_a_last_seal_whose_signature_does_not_hold_seals_nothing(bench: Bench, tmp_path: Path) -> None:
    """If somebody was told of its batch it was altered, and is refused; if nobody was, it was torn, and is cut off."""
    before, end = await two_batches(bench)
    content = bytearray(bench.segment().read_bytes())
    content[-10] = ord("A") if content[-10] != ord("A") else ord("B")
    bench.segment().write_bytes(content)
    untold = bench.copy(tmp_path / "untold")
    untold.forget_promises()
    assert recovered_size(untold) == 7
    assert before < untold.segment().stat().st_size < end
    with pytest.raises(LogDamaged):
        recover(bench.directory, bench.signer.verifier)
    assert bench.segment().read_bytes() == content


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_no_flipped_bit_of_a_closed_log_goes_unnoticed_in_its_entries(
    signer: Signer, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever bit of an entry's frame is flipped, opening refuses; the file is left as it is."""
    bench = Bench(tmp_path_factory.mktemp("flip") / "log", signer)
    await bench.fill([b"entry %d" % number for number in range(20)], batch=4)
    content = bytearray(bench.segment().read_bytes())
    number = data.draw(st.integers(0, 19))
    start = content.index(b"\x00" + bytes([len(b"entry %d" % number)]) + b"entry %d" % number)
    content[start + data.draw(st.integers(0, 8))] ^= 1 << data.draw(st.integers(0, 7))
    bench.segment().write_bytes(content)
    with pytest.raises(LogDamaged):
        recover(bench.directory, signer.verifier)
    assert bench.segment().read_bytes() == content


def _drop_segment(bench: Bench) -> None:
    bench.segment(256).unlink()


def _drop_all_segments(bench: Bench) -> None:
    shutil.rmtree(bench.directory / "segments")


def _drop_first_segment_and_tiles(bench: Bench) -> None:
    bench.segment(0).unlink()
    shutil.rmtree(bench.directory / "tile")


def _set_back_last_segment(bench: Bench) -> None:
    bench.segment(512).unlink()


def _alter_published_checkpoint(bench: Bench) -> None:
    path = bench.directory / "checkpoint"
    path.write_text(path.read_text().replace("\n600\n", "\n601\n"))


def _shorten_an_earlier_segment(bench: Bench) -> None:
    shutil.rmtree(bench.directory / "tile")
    path = bench.segment(256)
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    "damage",
    [
        _drop_all_segments,
        _drop_first_segment_and_tiles,
        _set_back_last_segment,
        _alter_published_checkpoint,
        _shorten_an_earlier_segment,
    ],
)
async def test_a_log_that_lacks_what_was_signed_is_not_opened(bench: Bench, damage: Callable[[Bench], None]) -> None:
    """Missing segments, an altered checkpoint, a shortened segment: refused, each with what to do next."""
    await bench.fill([b"entry %d" % number for number in range(600)], segment_entries=256)
    damage(bench)
    with pytest.raises(LogDamaged, match="audit verify"):
        bench.open(256)


async def test_another_key_does_not_open_the_log(bench: Bench) -> None:
    """A log is continued with its own key and name or not at all."""
    await bench.fill([b"entry"])
    for name, seed in (("log.example/node-1", b"x" * 32), ("other.example", bytes(range(32)))):
        stranger = Bench(bench.directory, Signer(name, Ed25519PrivateKey.from_private_bytes(seed)))
        with pytest.raises(LogDamaged, match=r"key of this log|audit new-origin"):
            stranger.open()


async def test_tiles_and_checkpoint_are_derived_again_when_they_are_lost(bench: Bench, tmp_path: Path) -> None:
    """Deleting everything that is derived loses nothing."""
    await bench.fill([b"entry %d" % number for number in range(700)], segment_entries=256)
    whole = bench.copy(tmp_path / "whole")
    bench.forget_promises()
    async with bench.open(256) as log:
        assert log.head.size == 700
    for path in sorted((whole.directory / "tile").rglob("*")):
        if path.is_file():
            assert (bench.directory / path.relative_to(whole.directory)).read_bytes() == path.read_bytes()
    assert verify(bench.directory, bench.signer.verifier).ok


async def test_lying_tiles_are_not_believed(bench: Bench) -> None:
    """Tiles that do not lead to the signed root are not used to start from; everything is read instead."""
    await bench.fill([b"entry %d" % number for number in range(700)], segment_entries=256)
    for path in (bench.directory / "tile" / "1").rglob("*"):
        if path.is_file():
            path.write_bytes(bytes(path.stat().st_size))
    async with bench.open(256) as log:
        assert log.head.size == 700
        assert await log.append(b"more") == 700
    report = verify(bench.directory, bench.signer.verifier)
    assert [finding.kind for finding in report.findings] == []


async def test_a_complete_batch_that_nobody_was_told_of_is_kept(bench: Bench) -> None:
    """The log may know more than its callers: over-recording, never under."""
    await two_batches(bench)
    bench.forget_promises()
    assert recovered_size(bench) == 8
