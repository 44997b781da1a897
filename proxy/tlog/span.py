"""Proof that some neighboring entries are all the entries of their stretch of the log.

An inclusion proof says that an entry is there; it says nothing of others. Here the verifier gets *every* entry from ``first``
up to ``end``, and of the rest only the roots of the perfect subtrees that cover it: of ``[0, first)`` the peaks, of
``[end, size)`` the largest that fit, from the left. Which subtrees those are follows from the three numbers, so the proof is
a bare row of hashes, and pushing all of it into a tree must give the checkpoint's root. A leaf that is left out, put in or
moved gives another root.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from proxy.tlog.merkle import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from proxy.tlog.merkle import Nodes


class Subtree(NamedTuple):
    """The perfect subtree over leaves ``number << height`` up to ``(number + 1) << height``."""

    height: int
    number: int


def subtrees(low: int, high: int) -> Iterator[Subtree]:
    """Yield the fewest perfect subtrees that cover leaves ``low`` up to ``high``, from the left."""
    while low < high:
        height = (high - low).bit_length() - 1
        if low:
            height = min(height, (low & -low).bit_length() - 1)
        yield Subtree(height, low >> height)
        low += 1 << height


def span_proof(nodes: Nodes, first: int, end: int, size: int) -> tuple[bytes, ...]:
    """Return the roots that cover what is outside ``[first, end)`` in a tree of ``size`` leaves.

    Raises:
        ValueError: there is no such stretch.
    """
    if not 0 <= first <= end <= size:
        msg = f"entries {first} to {end} are not a stretch of the first {size}"
        raise ValueError(msg)
    around = (*subtrees(0, first), *subtrees(end, size))
    return tuple(nodes.node(*subtree) for subtree in around)


class Span:
    """The verifier's side: fed with the leaf hashes of the stretch one after the other, it ends with the root."""

    def __init__(self, first: int, end: int, size: int, proof: Sequence[bytes]) -> None:
        """Take the numbers and the proof.

        Raises:
            ValueError: they do not fit together.
        """
        left, right = list(subtrees(0, first)), list(subtrees(end, size))
        if not 0 <= first <= end <= size or len(proof) != len(left) + len(right):
            msg = f"{len(proof)} hashes cannot surround entries {first} to {end} of {size}"
            raise ValueError(msg)
        self._tree = Tree()
        self._end = end
        for subtree, root in zip(left, proof, strict=False):
            self._tree.push(root, subtree.height)
        self._rest = list(zip(right, proof[len(left) :], strict=True))

    def push(self, leaf: bytes) -> None:
        """Take the next leaf hash."""
        self._tree.push(leaf)

    def root(self) -> bytes | None:
        """Return the root that all of it leads to, or None when the leaves were too few or too many."""
        if self._tree.size != self._end:
            return None
        tree = self._tree.copy()
        for subtree, root in self._rest:
            tree.push(root, subtree.height)
        return tree.root()
