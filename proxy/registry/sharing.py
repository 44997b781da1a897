"""Who stands under a number: sorted arrays for those who were there at the start, and dictionaries for whoever came later.

Of a million persons with sixty numbers each, the arrays are a tenth of what dictionaries would be, and made in seconds. Whoever
is taken out of them leaves a gap.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import numpy as np

from proxy.registry.sieve import Sieve

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from proxy.registry.profile import Profile

_PARTS: Final = 1024
"""A dictionary of millions that grows copies itself, and everybody waits for seconds; each of these does so in a moment."""

FEW: Final = 8
"""So many numbers are looked up together, and fewer one by one: an array costs as much as these."""

USUAL_NUMBERS: Final = 1 << 22
"""So many that come later are told apart by the sieve."""


class Base:
    """The persons who were there at the start, their numbers, and how many of them have each value and each home."""

    def __init__(self, persons: Sequence[Profile]) -> None:
        """Take everybody, none of whom changes meanwhile: this may be done aside."""
        self.persons: list[Profile | None] = list(persons)
        packed = [each.numbers for each in persons]
        numbers = np.frombuffer(b"".join(packed), np.int64)
        owners = np.repeat(np.arange(len(packed), dtype=np.int32), np.fromiter(map(len, packed), np.int64, len(packed)) // 8)
        self.numbers: NDArray[np.int64]
        self.owners: NDArray[np.int32]
        self.numbers, self.owners = _sorted(numbers, owners)
        self._view = self.numbers.data  # one number of it is looked at in half the time
        self.sieve = Sieve(2 * len(numbers) + USUAL_NUMBERS)
        self.sieve.put_all(self.numbers)
        self.values = _counted([each.values for each in persons])
        self.residents = _counted([each.homes for each in persons])

    def at(self, number: int) -> list[Profile]:
        """Return who stands under a number."""
        first = bisect_left(self._view, number)
        if first == len(self._view) or self._view[first] != number:
            return []
        end = first + 1
        if end < len(self._view) and self._view[end] == number:
            end = int(self.numbers.searchsorted(number, "right"))
        return self._persons(self.owners[first:end].tolist())

    def at_any(self, numbers: Sequence[int]) -> list[Profile]:
        """Return who stands under any of some numbers, each as often as they do."""
        if len(numbers) < FEW:
            return [each for number in numbers for each in self.at(number)]
        asked = np.fromiter(numbers, np.int64, len(numbers))
        first, end = self.numbers.searchsorted(asked), self.numbers.searchsorted(asked, "right")
        found: list[int] = []
        for begin, stop in zip(first.tolist(), end.tolist(), strict=True):
            if stop > begin:
                found += self.owners[begin:stop].tolist()
        return self._persons(found)

    def _persons(self, owners: Iterable[int]) -> list[Profile]:
        return [found for owner in owners if (found := self.persons[owner]) is not None]


def _sorted(numbers: NDArray[np.int64], owners: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return both in the order of the numbers.

    By their first bytes first, which counting does, and then each of the parts, which the processor's cache holds: half the
    time of sorting all of them at once. Sorting holds no lock of the interpreter, so every processor does some of the parts.
    """
    parts = (numbers >> np.int64(56)).astype(np.int8)
    order = np.argsort(parts, kind="stable")
    ends = np.cumsum(np.bincount(parts.astype(np.int16) + 128, minlength=256)).tolist()
    by_number, by_owner = np.empty_like(numbers), np.empty_like(owners)

    def sort(begin: int, end: int) -> None:
        part = order[begin:end]
        mine = numbers[part]
        within = np.argsort(mine)
        by_number[begin:end], by_owner[begin:end] = mine[within], owners[part[within]]

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        deque(threads.map(sort, (0, *ends), ends), maxlen=0)
    return by_number, by_owner


def _counted(packed: Sequence[bytes]) -> dict[int, int]:
    """Return how often each number comes in all of them."""
    numbers, counts = np.unique(np.frombuffer(b"".join(packed), np.int64), return_counts=True)
    return dict(zip(numbers.tolist(), counts.tolist(), strict=True))


class Shared:
    """Numbers, spread evenly over all there are (hashes), and the persons under each."""

    __slots__ = ("_base", "_parts")

    def __init__(self) -> None:
        """Start with nobody."""
        self._base = Base(())
        self._parts: tuple[dict[int, Profile | list[Profile]], ...] = tuple({} for _ in range(_PARTS))

    def __bool__(self) -> bool:
        """Tell whether anybody is here."""
        return any(self._parts) or any(self._base.persons)

    def begin(self, base: Base) -> None:
        """Have these persons, and nobody else; their numbers are no longer held by themselves."""
        self._base = base
        for at, each in enumerate(base.persons):
            if each is not None:
                each.numbers, each.at = b"", at

    def put(self, profile: Profile) -> None:
        """Put a person under their numbers."""
        numbers = array("q", profile.numbers)
        self._base.sieve.put(numbers)
        parts = self._parts
        for number in numbers:
            part = parts[number % _PARTS]
            others = part.setdefault(number, profile)
            if others is profile:
                continue
            if isinstance(others, list):
                others.append(profile)
            else:
                part[number] = [others, profile]

    def drop(self, profile: Profile) -> None:
        """Undo ``put``, or take a person out of the base."""
        if profile.at >= 0:
            self._base.persons[profile.at] = None
            return
        for number in array("q", profile.numbers):
            part = self._parts[number % _PARTS]
            others = part[number]
            if not isinstance(others, list):
                del part[number]
                continue
            others.remove(profile)
            if len(others) == 1:
                part[number] = others[0]

    def at(self, number: int) -> Sequence[Profile]:
        """Return who stands under a number."""
        base = self._base.at(number)
        return [*base, *later] if (later := self._later(number)) else base

    def at_any(self, numbers: Sequence[int]) -> list[Profile]:
        """Return who stands under any of some numbers, each as often as they do."""
        found = self._base.at_any(numbers)
        for number in numbers:
            found += self._later(number)
        return found

    def _later(self, number: int) -> Sequence[Profile]:
        found = self._parts[number % _PARTS].get(number, ())
        return found if isinstance(found, (list, tuple)) else (found,)

    def passing(self, numbers: Sequence[int]) -> list[int]:
        """Return the places of the numbers under which somebody may stand."""
        return self._base.sieve.passing(numbers)
