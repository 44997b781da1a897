"""The Merkle tree of RFC 6962 section 2.1, as arithmetic on hashes.

A tree of *n* leaves is a row of perfect subtrees, one for each bit of *n*; ``Tree`` keeps only those (its peaks), so that an
append costs one hash in the mean and a root at most log2(n).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

HASH_SIZE: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00 || entry)."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right); the prefix keeps a node from passing as a leaf."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A growing tree that remembers its peaks and nothing else."""

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        """Start with no leaves."""
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def push(self, subtree: bytes, height: int = 0) -> None:
        """Append the root of a perfect subtree of ``2**height`` leaves; ``size`` must be a multiple of that."""
        self.size += 1 << height
        peaks = self._peaks
        while peaks and peaks[-1][0] == height:
            subtree = node_hash(peaks.pop()[1], subtree)
            height += 1
        peaks.append((height, subtree))

    def root(self) -> bytes:
        """Return the tree head of all leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1][1]
        for _, peak in self._peaks[-2::-1]:
            root = node_hash(peak, root)
        return root

    def copy(self) -> Tree:
        """Return an independent copy."""
        tree = Tree()
        tree.size, tree._peaks = self.size, self._peaks.copy()
        return tree


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over ``2**k`` subtrees of equal height."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


class Nodes(Protocol):
    """Where the roots of perfect subtrees are found."""

    def node(self, height: int, number: int) -> bytes:
        """Return the root over leaves ``number << height`` up to ``(number + 1) << height``."""
        ...


def inclusion_proof(nodes: Nodes, index: int, size: int) -> tuple[bytes, ...]:
    """Return the audit path of leaf ``index`` in the tree of ``size`` leaves, lowest first (RFC 6962 section 2.1.1).

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        msg = f"entry {index} is not among the first {size}"
        raise ValueError(msg)
    low, high = 0, size
    path: list[bytes] = []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range_root(nodes, middle, high))
            high = middle
        else:
            path.append(_range_root(nodes, low, middle))
            low = middle
    return tuple(reversed(path))


def root_of_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root that this path leads to, or None when the path does not fit (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        return None
    number, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if number & 1 or number == last:
            root = node_hash(sibling, root)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        number, last = number >> 1, last >> 1
    return root if last == 0 else None


def _split(count: int) -> int:
    """Return the largest power of two below ``count``."""
    return 1 << (count - 1).bit_length() - 1


def _range_root(nodes: Nodes, low: int, high: int) -> bytes:
    count = high - low
    if count & (count - 1) == 0:
        height = count.bit_length() - 1
        return nodes.node(height, low >> height)
    middle = low + _split(count)
    return node_hash(_range_root(nodes, low, middle), _range_root(nodes, middle, high))
