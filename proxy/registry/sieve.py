"""Which of many numbers may be there, all at once: of a record's keys, nearly always none is.

A blocked Bloom filter (Putze, Sanders and Singler 2007): each number sets two bits of one word. What was put in passes; of what
was not, about one in a hundred does, so whatever passes is looked up. Nothing is ever taken out, since to pass does no harm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

LEAST_WORDS: Final = 1 << 14
_PATTERNS: Final = 4096
_AT_ONCE: Final = 1 << 16


class Sieve:
    """Numbers, spread evenly over all there are (hashes)."""

    def __init__(self, expected: int = 0) -> None:
        """Start with none, and room for so many."""
        size = LEAST_WORDS
        while size * 4 < expected:  # sixteen bits each, at least
            size *= 2
        self._words: NDArray[np.uint64] = np.zeros(size, np.uint64)
        # Arrays of no dimension, since with numbers of Python's own each step would take twice as long.
        self._mask = np.array(size - 1)
        self._shift, self._least = np.array(48), np.array(_PATTERNS - 1)
        one, pattern = np.uint64(1), np.arange(_PATTERNS, dtype=np.uint64)
        self._patterns: NDArray[np.uint64] = (one << (pattern & np.uint64(63))) | (one << (pattern >> np.uint64(6)))

    def put(self, numbers: Iterable[int]) -> None:
        """Let numbers pass from now on."""
        self.put_all(np.fromiter(numbers, np.int64))

    def put_all(self, numbers: NDArray[np.int64]) -> None:
        """Let many numbers pass."""
        for begin in range(0, len(numbers), _AT_ONCE):
            left = numbers[begin : begin + _AT_ONCE]
            while len(left):  # of those that share a word only the last is taken: a third of the time of ``bitwise_or.at``
                places, patterns = left & self._mask, self._patterns[(left >> self._shift) & self._least]
                self._words[places] |= patterns
                left = left[(self._words[places] & patterns) != patterns]

    def passing(self, asked: NDArray[np.int64]) -> list[int]:
        """Return the places of the numbers that may have been put in."""
        pattern = self._patterns[(asked >> self._shift) & self._least]
        found: list[int] = ((self._words[asked & self._mask] & pattern) == pattern).nonzero()[0].tolist()
        return found
