"""Paths and contents of C2SP tiles, as files and as the log hands them out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.tlog.frames import decode_bundle, encode_entries
from proxy.tlog.merkle import leaf_hash
from proxy.tlog.tiles import Tile, parse_path

if TYPE_CHECKING:
    from tests.tlog.conftest import Bench


def test_paths_are_those_of_the_specification() -> None:
    """Numbers are cut into groups of three with an x before all but the last; partial tiles lie in a .p directory."""
    assert Tile(0, 1234067).path == "tile/0/x001/x234/067"
    assert Tile(1, 0, 5).path == "tile/1/000.p/5"
    assert Tile(-1, 999, 1).path == "tile/entries/999.p/1"


@settings(max_examples=200)
@given(st.integers(-1, 63), st.integers(0, 10**12), st.integers(1, 256))
def test_a_path_names_its_tile(level: int, number: int, width: int) -> None:
    """Parsing undoes naming."""
    tile = Tile(level, number, width)
    assert parse_path(tile.path) == tile


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/x000/001",
        "tile/0/1",
        "tile/00/000",
        "tile/64/000",
        "tile/0/../000",
        "tile/0/000\n",
        "checkpoint",
    ],
)
def test_only_the_canonical_path_names_a_tile(path: str) -> None:
    """No second spelling, no traversal, no width that is none."""
    assert parse_path(path) is None


@settings(max_examples=100)
@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20), st.integers(0, 400))
def test_bundles_round_trip_and_cut_ones_are_refused(entries: list[bytes], cut: int) -> None:
    """A bundle gives its entries back; one that ends within an entry is none."""
    bundle = encode_entries(entries)
    assert decode_bundle(bundle) == entries
    ends = {len(encode_entries(entries[:count])) for count in range(len(entries) + 1)}
    if cut < len(bundle) and cut not in ends:
        with pytest.raises(ValueError, match="not an entry bundle"):
            decode_bundle(bundle[:cut])


async def test_published_files_hold_the_entries_and_their_hashes(bench: Bench) -> None:
    """After closing, tiles, bundles and checkpoint are on disk, and of partial tiles only the widest."""
    entries = [b"entry %d" % number for number in range(600)]
    await bench.fill(entries)
    hashes = [leaf_hash(entry) for entry in entries]
    tile = bench.directory / "tile"
    assert (tile / "0/000").read_bytes() == b"".join(hashes[:256])
    assert (tile / "0/002.p/88").read_bytes() == b"".join(hashes[512:])
    assert decode_bundle((tile / "entries/001").read_bytes()) == entries[256:512]
    assert decode_bundle((tile / "entries/002.p/88").read_bytes()) == entries[512:]
    assert sorted(path.name for path in (tile / "0").iterdir()) == ["000", "001", "002.p"]
    checkpoint = bench.signer.verifier.checkpoint((bench.directory / "checkpoint").read_text())
    assert checkpoint.size == 600


async def test_the_log_hands_out_every_width_that_it_covers_and_no_other(bench: Bench) -> None:
    """A narrower tile is the prefix of a wider one; a tile beyond the head is none."""
    entries = [b"entry %d" % number for number in range(300)]
    hashes = [leaf_hash(entry) for entry in entries]
    await bench.fill(entries[:200])
    async with bench.open() as log:
        for entry in entries[200:]:
            await log.append(entry)
        assert log.tile("tile/0/000") == b"".join(hashes[:256])
        assert log.tile("tile/0/000.p/3") == b"".join(hashes[:3])
        assert log.tile("tile/0/001.p/44") == b"".join(hashes[256:])
        assert log.tile("tile/entries/001.p/2") == encode_entries(entries[256:258])
        assert log.tile("tile/1/000.p/1") is not None
        for beyond in (
            "tile/0/001.p/45",
            "tile/0/001",
            "tile/1/000.p/2",
            "tile/2/000.p/1",
            "tile/entries/002.p/1",
            "../checkpoint",
        ):
            assert log.tile(beyond) is None


async def test_every_entry_is_proven_at_every_head(bench: Bench, naive: Any) -> None:
    """Proofs hold across tile and segment borders, from memory and from disk, for earlier sizes too."""
    entries = [b"entry %d" % number for number in range(1300)]
    await bench.fill(entries, batch=100)
    async with bench.open() as log:
        for index, size in [(0, 1300), (255, 1300), (256, 1300), (1299, 1300), (5, 6), (511, 512), (512, 1025), (700, 1299)]:
            assert list(log.prove(index, size)) == naive(entries).path(index, 0, size)
        with pytest.raises(ValueError, match="not 1301"):
            log.prove(0, 1301)
