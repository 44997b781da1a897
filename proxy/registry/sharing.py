"""Who stands under a number: sorted arrays for those who were there at the start, and dictionaries for whoever came later.

Of a million persons with sixty numbers each, the arrays are a tenth of what dictionaries would be, and made in seconds. Whoever
is taken out of them leaves a gap.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left, bisect_right
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

_PART_BITS: Final = 64 - 18
_HALF_THE_PARTS: Final = 1 << 17
"""Of so many parts of all numbers the beginnings are known: a search within one is short, and touches little memory."""

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
        borders = np.arange(-_HALF_THE_PARTS, _HALF_THE_PARTS, dtype=np.int64) << np.int64(_PART_BITS)
        starts = np.append(self.numbers.searchsorted(borders), len(self.numbers))
        # One number of these is looked at in half the time.
        self._view, self._starts = self.numbers.data, starts.data
        self.sieve = Sieve(2 * len(numbers) + USUAL_NUMBERS)
        self.sieve.put_all(self.numbers)
        self.values = _counted([each.values for each in persons])
        self.residents = _counted([each.homes for each in persons])

    def at(self, number: int) -> list[Profile]:
        """Return who stands under a number."""
        part = (number >> _PART_BITS) + _HALF_THE_PARTS
        view, stop = self._view, self._starts[part + 1]
        first = bisect_left(view, number, self._starts[part], stop)
        if first == stop or view[first] != number:
            return []
        end = first + 1
        if end < stop and view[end] == number:
            end = bisect_right(view, number, end, stop)
        return self._persons(self.owners[first:end].tolist())

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

    def who(self, numbers: NDArray[np.int64]) -> dict[int, Sequence[Profile]]:
        """Return the places of the numbers under which somebody stands, and who does; of equal numbers only the first."""
        places = self._base.sieve.passing(numbers)
        found: dict[int, Sequence[Profile]] = {}
        seen: set[int] = set()
        for place, number in zip(places, numbers[places].tolist() if places else (), strict=True):
            if number not in seen and (who := self.at(number)):
                seen.add(number)
                found[place] = who
        return found

    def _later(self, number: int) -> Sequence[Profile]:
        found = self._parts[number % _PARTS].get(number, ())
        return found if isinstance(found, (list, tuple)) else (found,)
