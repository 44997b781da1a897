"""Time is an argument: rooms are handed a clock and never read one."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

Clock = Callable[[], datetime]
_STAMP: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{2}Z\Z")


def utc_now() -> datetime:
    """Return the system's time, in UTC."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """Return RFC 3339 in UTC with hundredths of a second (CJIS AU-8)."""
    return in_order(moment)[:22] + "Z"


def in_order(moment: datetime) -> str:
    """Return a time in UTC as the store has it: its order as text is the order in time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def is_stamp(text: str) -> bool:
    """Tell whether a text is a time as ``stamp`` writes it, so that it compares with others as text."""
    try:
        return _STAMP.match(text) is not None and datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


class Steady:
    """A clock that never goes back: set back, it goes on from where it was, by the monotonic one.

    A deadline that has passed would otherwise lie ahead again.
    """

    def __init__(self, clock: Clock, monotonic: Callable[[], float]) -> None:
        """Take the clock, and seconds that only grow."""
        self._clock = clock
        self._monotonic = monotonic
        self._latest = clock()
        self._at = monotonic()

    def __call__(self) -> datetime:
        """Return the time: the clock's, or what has gone by since the latest that was seen, whichever is later."""
        at = self._monotonic()
        self._latest = max(self._clock(), self._latest + timedelta(seconds=max(0.0, at - self._at)))
        self._at = at
        return self._latest

    def reach(self, moment: datetime | None) -> None:
        """Never be earlier than ``moment``, which is known to have been."""
        if moment is not None and moment > self():
            self._latest = moment


def steady(clock: Clock, monotonic: Callable[[], float]) -> Steady:
    """Return a clock that never goes back."""
    return Steady(clock, monotonic)
