"""How often somebody may fail to sign in. A key cannot be guessed; this bounds what trying costs us, and what it writes."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from proxy.escalation.lifecycle import BudgetSpent

if TYPE_CHECKING:
    from datetime import datetime

MOST_SOURCES: Final = 4096
BURST: Final = 20
"""Failures at once."""
SECONDS_EACH: Final = 5
"""After so long one is forgiven."""


class Attempts:
    """A leaky bucket for each address; the longest quiet is forgotten when there are too many."""

    def __init__(self) -> None:
        """Start with nobody."""
        self._failed: OrderedDict[str, tuple[float, datetime]] = OrderedDict()

    def require_left(self, source: str, now: datetime) -> None:
        """Return when an address may try.

        Raises:
            BudgetSpent: it failed too often.
        """
        if self._level(source, now) >= BURST:
            raise BudgetSpent(
                "Too many sign-ins from this address failed. Wait a minute, and copy the key anew.",
                retry_after=SECONDS_EACH + 1,
            )

    def failed(self, source: str, now: datetime) -> None:
        """Count a failure."""
        self._failed[source] = self._level(source, now) + 1, now
        self._failed.move_to_end(source)
        if len(self._failed) > MOST_SOURCES:
            self._failed.popitem(last=False)

    def _level(self, source: str, now: datetime) -> float:
        level, at = self._failed.get(source, (0.0, now))
        return max(level - abs((now - at).total_seconds()) / SECONDS_EACH, 0.0)
