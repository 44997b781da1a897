"""The Merkle tree of RFC 6962 section 2.1, as arithmetic on hashes.

A tree of *n* leaves is a row of perfect subtrees, one for each bit of *n*; ``Tree`` keeps only those (its peaks), so that an
append costs one hash in the mean and a root at most log2(n).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HASH_SIZE: Final = 32
EMPTY_ROOT: Final = sha256(b"").digest()
TILE_HEIGHT: Final = 8
"""A hash tile of C2SP tlog-tiles has the roots of subtrees that are 8 levels higher than those of the level below."""


def leaf_hash(entry: bytes) -> bytes:
    """Return SHA-256(0x00 || entry)."""
    return sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """Return the leaf hash of each entry."""
    return [sha256(b"\x00" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right); the prefix keeps a node from passing as a leaf."""
    return sha256(b"\x01" + left + right).digest()


class Tree:
    """A growing tree that remembers its peaks and nothing else."""

    __slots__ = ("_peaks", "size")

    def __init__(self) -> None:
        """Start with no leaves."""
        self.size = 0
        self._peaks: list[bytes | None] = []  # by height: bit ``height`` of the size tells whether there is one

    def push(self, subtree: bytes, height: int = 0) -> None:
        """Append the root of a perfect subtree of ``2**height`` leaves; ``size`` must be a multiple of that."""
        self.extend((subtree,), height)

    def extend(self, subtrees: Sequence[bytes], height: int = 0) -> list[Sequence[bytes]]:
        """Append many subtrees of one height, and return what became perfect by it at each eighth height from there on.

        Appending leaves, that is what each level of hash tiles grows by (C2SP tlog-tiles): no hash is computed twice.
        """
        self.size += len(subtrees) << height
        peaks = self._peaks
        peaks += [None] * (height - len(peaks))
        grown: list[Sequence[bytes]] = []
        row = subtrees
        while row:
            if height % TILE_HEIGHT == 0:
                grown.append(row)
            if height == len(peaks):
                peaks.append(None)
            peak = peaks[height]
            if peak is not None:
                row = (peak, *row)
            peaks[height] = row[-1] if len(row) % 2 else None
            left = iter(row)
            # node_hash, written out: this is the log's innermost loop
            row = [sha256(b"\x01" + one + other).digest() for one, other in zip(left, left, strict=False)]
            height += 1
        return grown

    def root(self) -> bytes:
        """Return the tree head of all leaves so far."""
        root = EMPTY_ROOT
        found = False
        for peak in self._peaks:
            if peak is not None:
                root = node_hash(peak, root) if found else peak
                found = True
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


def consistency_proof(nodes: Nodes, old: int, new: int) -> tuple[bytes, ...]:
    """Return the proof that the tree of ``new`` leaves begins with that of ``old`` (RFC 6962 section 2.1.2).

    Raises:
        ValueError: ``new`` is smaller than ``old``.
    """
    if not 0 <= old <= new:
        msg = f"a tree of {new} entries cannot begin with one of {old}"
        raise ValueError(msg)
    if old in {0, new}:
        return ()
    low, high, whole = 0, new, True
    path: list[bytes] = []
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_range_root(nodes, middle, high))
            high = middle
        else:
            path.append(_range_root(nodes, low, middle))
            low, whole = middle, False
    if not whole:
        path.append(_range_root(nodes, low, high))
    return tuple(reversed(path))


def is_consistent(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Tell whether a proof leads from one root to the other (RFC 9162 section 2.1.4.2).

    From nothing (``old`` is 0) anything can grow, and from a tree to itself no proof is needed: both take an empty one.
    """
    if not 0 <= old <= new:
        return False
    if old in {0, new}:
        return not proof and old_root == (EMPTY_ROOT if old == 0 else new_root) and (new > 0 or new_root == EMPTY_ROOT)
    if not proof:
        return False
    number, last = old - 1, new - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    rest = iter(proof)
    left = right = old_root if old & (old - 1) == 0 else next(rest)
    for sibling in rest:
        if last == 0:
            return False
        if number & 1 or number == last:
            left, right = node_hash(sibling, left), node_hash(sibling, right)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            right = node_hash(right, sibling)
        number, last = number >> 1, last >> 1
    return last == 0 and left == old_root and right == new_root


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
