"""Time is an argument: rooms are handed a clock and never read one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the system's time, in UTC."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """Return RFC 3339 in UTC with hundredths of a second (CJIS AU-8)."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:22] + "Z"
