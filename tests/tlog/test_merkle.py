"""The tree and its proofs against the words of RFC 6962."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.tlog.merkle import (
    EMPTY_ROOT,
    Tree,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    leaf_hash,
    perfect_root,
    root_of_inclusion,
)
from proxy.tlog.tiles import Edge, Tile

if TYPE_CHECKING:
    from collections.abc import Sequence

# The test vectors of Certificate Transparency's reference implementation.
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


class Listed:
    """``merkle.Nodes`` over a plain list of leaf hashes."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        """Keep the leaf hashes."""
        self.leaves = leaves

    def node(self, height: int, number: int) -> bytes:
        """Return the root of a perfect subtree."""
        return perfect_root(self.leaves[number << height : (number + 1) << height])


def tree_of(entries: Sequence[bytes]) -> Tree:
    """Return the tree of some entries."""
    tree = Tree()
    for entry in entries:
        tree.push(leaf_hash(entry))
    return tree


def test_roots_are_those_of_the_known_vectors() -> None:
    """Certificate Transparency's eight leaves give its eight roots, and nothing gives the empty hash."""
    assert Tree().root() == EMPTY_ROOT
    for size, root in enumerate(ROOTS, 1):
        assert tree_of(LEAVES[:size]).root().hex() == root


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=3), max_size=70))
def test_root_is_that_of_the_definition(naive: Any, entries: list[bytes]) -> None:
    """Growing leaf by leaf gives the root that the recursive definition gives."""
    assert tree_of(entries).root() == naive(entries).root()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 600), st.data())
def test_proofs_are_those_of_the_definition_and_lead_to_the_root(naive: Any, size: int, data: st.DataObject) -> None:
    """Every proof is PATH of the RFC and proves its leaf."""
    entries = [number.to_bytes(2) for number in range(size)]
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(Listed([leaf_hash(entry) for entry in entries]), index, size)
    assert list(proof) == naive(entries).path(index, 0, size)
    assert root_of_inclusion(leaf_hash(entries[index]), index, size, proof) == naive(entries).root()


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 300), st.data())
def test_a_proof_proves_nothing_else(size: int, data: st.DataObject) -> None:
    """Another leaf, a cut or lengthened path or one altered hash does not lead to the root."""
    leaves = [leaf_hash(number.to_bytes(2)) for number in range(size)]
    tree = Tree()
    for leaf in leaves:
        tree.push(leaf)
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(Listed(leaves), index, size)
    position = data.draw(st.integers(0, len(proof) - 1))
    altered = [bytes(32) if at == position else item for at, item in enumerate(proof)]
    for leaf, path in [
        (leaves[index - 1], proof),
        (leaves[index], proof[:-1]),
        (leaves[index], (*proof, bytes(32))),
        (leaves[index], altered),
    ]:
        assert root_of_inclusion(leaf, index, size, path) != tree.root()


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 3), (3, 3)])
def test_there_is_no_proof_for_what_is_not_there(index: int, size: int) -> None:
    """An index outside the tree is refused when proving and when checking."""
    with pytest.raises(ValueError, match="not among"):
        inclusion_proof(Listed([]), index, size)
    assert root_of_inclusion(bytes(32), index, size, ()) is None


def test_the_edge_of_the_tiles_is_the_tree() -> None:
    """After 70,000 leaves the edge's three levels hold the same tree, and full tiles were emitted once, in order."""
    emitted: list[Tile] = []
    edge = Edge(lambda tile, _content: emitted.append(tile))
    tree = Tree()
    for number in range(70_000):
        leaf = leaf_hash(number.to_bytes(3))
        edge.push(leaf)
        tree.push(leaf)
    assert edge.tree().root() == tree.root()
    assert [tile.number for tile in emitted if tile.level == 0] == list(range(273))
    assert [tile for tile in emitted if tile.level == 1] == [Tile(1, 0)]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_consistency_proof_leads_from_one_root_to_the_other_and_to_no_other(data: st.DataObject) -> None:
    """Any earlier tree is proven to be the beginning of a later one; any change to roots, sizes or proof is refused."""
    new = data.draw(st.integers(1, 70))
    old = data.draw(st.integers(1, new))
    entries = [bytes([number]) for number in range(new)]
    nodes = Listed([leaf_hash(entry) for entry in entries])
    roots = tree_of(entries[:old]).root(), tree_of(entries).root()
    proof = consistency_proof(nodes, old, new)

    assert is_consistent(old, new, *roots, proof)
    assert not is_consistent(old, new, bytes(32), roots[1], proof) or old == new
    assert not is_consistent(old, new, roots[0], bytes(32), proof)
    assert not is_consistent(old, new, *roots, (*proof, bytes(32)))
    for cut in range(len(proof)):
        assert not is_consistent(old, new, *roots, proof[:cut] + proof[cut + 1 :])
        assert not is_consistent(old, new, *roots, (*proof[:cut], bytes(32), *proof[cut + 1 :]))
    for other in (old - 1, old + 1):
        if 0 < other < new and old not in {other, new}:
            assert not is_consistent(other, new, *roots, proof)


def test_from_nothing_anything_grows_without_a_proof() -> None:
    """A tree of no entries is the beginning of every tree; a proof of that is too much."""
    root = tree_of(LEAVES).root()

    assert is_consistent(0, 8, EMPTY_ROOT, root, ())
    assert is_consistent(0, 0, EMPTY_ROOT, EMPTY_ROOT, ())
    assert not is_consistent(0, 0, EMPTY_ROOT, root, ())
    assert not is_consistent(0, 8, root, root, ())
    assert not is_consistent(0, 8, EMPTY_ROOT, root, (root,))
    assert not is_consistent(9, 8, root, root, ())
