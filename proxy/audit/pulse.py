"""The log's heartbeat: an entry when nothing else was written for so long, so that silence can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.audit.continuity import Heartbeat

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.audit.service import AuditTrail


class Pulse:
    """Looks whether the log has grown; by the monotonic clock, which nobody sets."""

    def __init__(self, audit: AuditTrail, *, every: float, monotonic: Callable[[], float]) -> None:
        """Beat every so many seconds."""
        self._audit = audit
        self._every = every
        self._monotonic = monotonic
        self._size = audit.log.head.size
        self._at = monotonic()

    async def turn(self) -> None:
        """Record a heartbeat if nothing was recorded for long enough; to be called every second or so.

        Raises:
            AuditUnavailable: it could not be recorded.
        """
        size, now = self._audit.log.head.size, self._monotonic()
        if size == self._size and now - self._at >= self._every:
            await self._audit.record(Heartbeat(every=self._every))
            size = self._audit.log.head.size
        if size != self._size:
            self._size, self._at = size, now
