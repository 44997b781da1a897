"""Proofs for one entry (C2SP tlog-proof) and for all entries of a stretch, made from the tiles on disk."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.tlog.errors import LogDamaged, NoteInvalid
from proxy.tlog.merkle import inclusion_proof, leaf_hash, root_of_inclusion
from proxy.tlog.note import parse_unverified
from proxy.tlog.proof import Proof
from proxy.tlog.published import PublishedNodes
from proxy.tlog.span import Span, span_proof, subtrees
from tests.tlog.conftest import Naive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.tlog.conftest import Bench

ENTRIES = [b"entry %d" % number for number in range(700)]


class InMemory:
    """The roots of perfect subtrees, from the naive tree."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        """Take the leaves."""
        self._tree = Naive(entries)

    def node(self, height: int, number: int) -> bytes:
        """Return one root."""
        return self._tree.root(number << height, (number + 1) << height)


def root_of(entries: Sequence[bytes], first: int, end: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """Return what a verifier comes to."""
    span = Span(first, end, size, proof)
    for entry in entries:
        span.push(leaf_hash(entry))
    return span.root()


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_a_stretch_and_what_surrounds_it_give_the_root(first: int, length: int, rest: int) -> None:
    """For every stretch of every small tree, the empty stretch included."""
    size = first + length + rest
    entries = ENTRIES[:size]
    proof = span_proof(InMemory(entries), first, first + length, size)
    assert root_of(entries[first : first + length], first, first + length, size, proof) == Naive(entries).root()


@given(st.integers(0, 40), st.integers(1, 20), st.integers(0, 40), st.data())
def test_a_stretch_with_an_entry_left_out_put_in_or_moved_gives_another_root(
    first: int, length: int, rest: int, data: st.DataObject
) -> None:
    """Whatever numbers the forger states beside it."""
    size = first + length + rest
    entries = ENTRIES[:size]
    proof = span_proof(InMemory(entries), first, first + length, size)
    stretch = list(entries[first : first + length])
    at = data.draw(st.integers(0, length - 1))
    match data.draw(st.sampled_from(["drop", "insert", "swap", "alter"])):
        case "drop":
            del stretch[at]
        case "insert":
            stretch.insert(at, b"new")
        case "swap":
            other = data.draw(st.integers(0, length - 1).filter(lambda number: number != at)) if length > 1 else at
            stretch[at], stretch[other] = stretch[other], stretch[at] + (b"!" if length == 1 else b"")
        case _:
            stretch[at] += b"!"
    assert root_of(stretch, first, first + length, size, proof) is None or (
        root_of(stretch, first, first + length, size, proof) != Naive(entries).root()
    )
    try:
        moved = root_of(stretch, first, first + len(stretch), size, proof)
    except ValueError:
        return
    assert moved != Naive(entries).root()


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_subtrees_cover_a_stretch_once(low: int, more: int) -> None:
    """Aligned, without gap or overlap."""
    at = low
    for height, number in subtrees(low, low + more):
        assert number << height == at
        at += 1 << height
    assert at == low + more


async def test_proofs_are_made_from_tiles_while_the_log_is_being_written(bench: Bench) -> None:
    """Of the published tree, at any size it had, without the lock."""
    await bench.fill(ENTRIES[:600], batch=100)
    older = parse_unverified((bench.directory / "checkpoint").read_text())
    async with bench.open() as log:
        await asyncio.gather(*(log.append(entry) for entry in ENTRIES[600:]))
        nodes = PublishedNodes(bench.directory, older.size)
        for index in (0, 255, 256, 599):
            path = inclusion_proof(nodes, index, older.size)
            assert root_of_inclusion(leaf_hash(ENTRIES[index]), index, older.size, path) == older.root
    nodes = PublishedNodes(bench.directory, older.size)
    proof = span_proof(nodes, 100, 520, older.size)
    assert root_of(ENTRIES[100:520], 100, 520, older.size, proof) == older.root


async def test_a_missing_tile_is_said(bench: Bench) -> None:
    """With its path, and what to do."""
    await bench.fill(ENTRIES[:300], batch=100)
    (bench.directory / "tile/0/000").unlink()
    with pytest.raises(LogDamaged, match="tile/0/000 is missing"):
        inclusion_proof(PublishedNodes(bench.directory, 300), 3, 300)


async def test_a_proof_reads_as_it_was_written(bench: Bench) -> None:
    """The form of c2sp.org/tlog-proof, the checkpoint verbatim behind it."""
    await bench.fill(ENTRIES[:9])
    checkpoint = (bench.directory / "checkpoint").read_text()
    proof = Proof(index=4, path=inclusion_proof(PublishedNodes(bench.directory, 9), 4, 9), checkpoint=checkpoint)
    lines = proof.text.split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 4"]
    assert lines[2 + len(proof.path)] == ""
    assert proof.text.endswith("\n\n" + checkpoint)
    assert Proof.parse(proof.text) == proof


@pytest.mark.parametrize(
    "altered",
    [
        lambda text: text.replace("@v1", "@v2"),
        lambda text: text.replace("index 4", "index 04"),
        lambda text: text.replace("index 4\n", "extra AAAA\nindex 4\n"),
        lambda text: text.replace("index 4\n", "index 4\nAAAA\n"),
        lambda text: text.replace("\n", " "),
        lambda text: text.replace("index 4\n", "index 4\n" + 70 * f"{43 * 'A'}=\n"),
    ],
)
async def test_a_malformed_proof_is_refused(bench: Bench, altered: Callable[[str], str]) -> None:
    """Another version, another spelling, unauthenticated extras, endless paths."""
    await bench.fill(ENTRIES[:9])
    checkpoint = (bench.directory / "checkpoint").read_text()
    proof = Proof(index=4, path=inclusion_proof(PublishedNodes(bench.directory, 9), 4, 9), checkpoint=checkpoint)
    with pytest.raises(NoteInvalid):
        Proof.parse(altered(proof.text))


def test_no_stretch_outside_the_tree_is_proved(tmp_path: Path) -> None:
    """Nor one that ends before it begins."""
    with pytest.raises(ValueError, match="not a stretch"):
        span_proof(PublishedNodes(tmp_path, 5), 2, 6, 5)
    with pytest.raises(ValueError, match="surround"):
        Span(3, 2, 5, ())
