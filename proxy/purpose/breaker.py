"""When to stop asking a case system that does not answer, so that nobody waits for what will not come (circuit breaker).

Closed, every look-up is asked. After so many failures in a row it opens: nothing is asked for a while. Then one look-up is
tried, half open, and its outcome closes the breaker or opens it anew.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

OTHERS: Final = 1000


class Circuit(StrEnum):
    """The breaker's states."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Times are seconds of one monotonic clock."""

    def __init__(self, *, failures: int, open_seconds: float) -> None:
        """Take how many failures in a row open it, and for how long."""
        self._most = failures
        self._open_seconds = open_seconds
        self._failed: set[str] = set()
        self._failures = 0
        self._opened_at: float | None = None
        self._trying = False

    @property
    def circuit(self) -> Circuit:
        """Return the state; it stays open until somebody asks again."""
        if self._opened_at is None:
            return Circuit.CLOSED
        return Circuit.HALF_OPEN if self._trying else Circuit.OPEN

    def admits(self, now: float) -> bool:
        """Tell whether a look-up may be asked; of those that come after a while of silence, the first is the trial."""
        if self._opened_at is None:
            return True
        if self._trying or now - self._opened_at < self._open_seconds:
            return False
        self._trying = True
        return True

    def remaining(self, now: float) -> float:
        """Return for how long nothing is asked."""
        return 0.0 if self._opened_at is None else max(0.0, self._opened_at + self._open_seconds - now)

    def succeeded(self) -> None:
        """Note that the case system answered."""
        self._failed.clear()
        self._failures = 0
        self._opened_at = None
        self._trying = False

    def failed(self, now: float, number: str | None = None) -> None:
        """Note a failure; ``number`` when it may lie in that case alone.

        Whoever knows one number on which the case system stumbles must not be able to take it away from everybody, so the same
        number counts once.
        """
        if number is None or number not in self._failed:
            self._failures += 1
        if number is not None and len(self._failed) < OTHERS:
            self._failed.add(number)
        if self._trying or self._failures >= self._most:
            self._opened_at = now
            self._trying = False

    def abandoned(self) -> None:
        """Note that a trial ended without an outcome, so that the next look-up is one."""
        self._trying = False
