"""A bound on the entries that senders without an identity can make us write."""

from __future__ import annotations


class Strangers:
    """A leaky bucket over all of them together; what it holds back is counted into the next entry. Times are in seconds."""

    def __init__(self, per_second: float = 10, burst: float = 100) -> None:
        """Take how many entries a second, and how many at once."""
        self._per_second = per_second
        self._burst = burst
        self._left = burst
        self._at = 0.0
        self._suppressed = 0

    def admit(self, now: float) -> int | None:
        """Return how many were suppressed since the last entry, or None when this one is suppressed too."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            self._suppressed += 1
            return None
        self._left -= 1
        suppressed, self._suppressed = self._suppressed, 0
        return suppressed
