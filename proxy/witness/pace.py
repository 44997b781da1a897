"""How many submissions an address may make: a bucket for each, and never more buckets than there is room for."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

ADDRESSES: Final = 4096


class Pace:
    """Leaky buckets by address. Times are in seconds."""

    def __init__(self, per_second: float) -> None:
        """Take how many requests a second; twice as many may come at once."""
        self._per_second = per_second
        self._burst = 2 * per_second
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admit(self, address: str, now: float) -> bool:
        """Tell whether a request may be looked at."""
        left, at = self._buckets.pop(address, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_second)
        admitted = left >= 1
        self._buckets[address] = (left - admitted, now)
        if len(self._buckets) > ADDRESSES:
            self._buckets.popitem(last=False)
        return admitted
