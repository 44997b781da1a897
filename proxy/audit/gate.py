"""When an answer may leave: at once when its entry is durable here, or only when witnesses have signed for it too.

``local`` is what every entry has: it is on this disk. ``local+witness`` waits until a quorum of witnesses has signed a
checkpoint that covers the entry, so that nobody, with whatever key, can make it not have been. If that does not come in
time, the answer does not leave (``refuse``), or leaves and is recorded as unwitnessed (``release``): a choice of the settings.
"""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING

from proxy.audit.continuity import Unwitnessed, WindowClosed, WindowOpened
from proxy.audit.errors import AuditUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.audit.event import Receipt
    from proxy.audit.service import AuditTrail
    from proxy.telemetry import Metrics
    from proxy.tlog.witnesses import Witnesses


class Gate(StrEnum):
    """What has to be so before an answer leaves."""

    LOCAL = "local"
    WITNESS = "local+witness"


class ReleaseGate:
    """Holds answers back until their entries are as safe as their route wants."""

    def __init__(
        self,
        audit: AuditTrail,
        witnesses: Witnesses | None = None,
        *,
        default: Gate = Gate.LOCAL,
        wait_seconds: float = 2.0,
        release: bool = False,
        awaited: Callable[[], bool] = lambda: False,
        metrics: Metrics | None = None,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        """Watch over the answers of a log.

        Args:
            audit: where windows are recorded.
            witnesses: who signs; without any, ``local+witness`` cannot be had.
            default: the gate of a route that names none.
            wait_seconds: an answer waits so long for a quorum.
            release: then leaves, recorded as unwitnessed; otherwise it does not leave.
            awaited: tells whether the policy has a route that names ``local+witness`` itself.
            metrics: shows how many entries are unwitnessed, and for how long.
            monotonic: seconds; needed with ``witnesses``.
        """
        self._audit = audit
        self._witnesses = witnesses
        self._default = default
        self._wait = wait_seconds
        self._release = release
        self._awaited = awaited
        self._monotonic = monotonic
        self._window: tuple[int, int, float] | None = None
        if metrics is not None and witnesses is not None:
            metrics.audit_unwitnessed_entries.set_function(lambda: float(witnesses.unwitnessed))
            metrics.audit_unwitnessed_seconds.set_function(lambda: witnesses.behind_seconds)
            metrics.audit_contradicted.set_function(lambda: float(bool(witnesses.contradiction)))

    @property
    def trouble(self) -> str:
        """Return in words what keeps answers back, or nothing."""
        witnesses = self._witnesses
        if witnesses is None:
            return ""
        if witnesses.contradiction:
            return witnesses.contradiction
        if self._window is not None and self._holds_back:
            return f"no quorum of witnesses: {witnesses.trouble}; answers of routes with gate local+witness are refused"
        return ""

    @property
    def notice(self) -> str:
        """Return in words what an operator should know of witnesses that keeps nothing back, or nothing."""
        if self._witnesses is None:
            return ""
        if self._window is not None and not self._holds_back:
            how = "recorded as unwitnessed" if self._release and self._is_awaited else "since no route waits for witnesses"
            return f"no quorum of witnesses: {self._witnesses.trouble}; answers leave, {how}"
        return self._witnesses.trouble

    @property
    def _is_awaited(self) -> bool:
        return self._default is Gate.WITNESS or self._awaited()

    @property
    def _holds_back(self) -> bool:
        """Tell whether an answer would be kept back for want of witnesses."""
        return self._is_awaited and not self._release

    async def pass_(self, receipt: Receipt, gate: Gate | None) -> None:
        """Return once the answer whose entry this is may leave.

        Raises:
            AuditUnavailable: it may not.
        """
        if await self._safe(receipt.index, gate or self._default):
            return
        if self._contradicted:
            # The entry says that an answer left. This node may hardly be believed, but its log shall not accuse anybody.
            with suppress(AuditUnavailable):
                await self._audit.record(Unwitnessed(about=receipt.about, entry=receipt.index, released=False))
            raise AuditUnavailable("The record of this node is not the one that was witnessed; tell the operator at once.")
        await self._audit.record(Unwitnessed(about=receipt.about, entry=receipt.index, released=self._release))
        if not self._release:
            raise AuditUnavailable("No witness has confirmed the record of this query in time, so nothing was released.")

    @property
    def _contradicted(self) -> bool:
        return self._witnesses is not None and bool(self._witnesses.contradiction)

    async def _safe(self, index: int, gate: Gate) -> bool:
        """Wait until an entry is as safe as a gate wants; tell whether it is."""
        witnesses = self._witnesses
        if self._contradicted or gate is Gate.LOCAL:
            return not self._contradicted
        return witnesses is not None and await witnesses.covers(index, 0 if self._window is not None else self._wait)

    async def tend(self) -> None:
        """Record where an unwitnessed window opens and where it closes; to be called every second or so.

        Raises:
            AuditUnavailable: it could not be recorded; the next turn tries again.
        """
        witnesses = self._witnesses
        if witnesses is None or self._monotonic is None:
            return
        now = self._monotonic()
        if self._window is None:
            if witnesses.overdue(self._wait):
                size, entries = witnesses.size, self._audit.log.head.size
                await self._audit.record(WindowOpened(cosigned=size, released=not self._holds_back, trouble=witnesses.trouble))
                self._window = size, entries, now
            return
        since, entries, opened = self._window
        if witnesses.size > entries:
            self._window = None
            await self._audit.record(WindowClosed(since=since, cosigned=witnesses.size, seconds=round(now - opened, 1)))
