"""What goes on beside the queries, again and again until the end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from proxy.purpose.case_system import CaseSystem
from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AsyncExitStack

    from proxy.rooms import Rooms
    from proxy.telemetry import Metrics

HOUSEKEEPING_SECONDS: Final = 0.5
OVERSIGHT_SECONDS: Final = 2.0
INDEX_SECONDS: Final = 1.0
NOTIFY_SECONDS: Final = 1.0
REPORT_SECONDS: Final = 5.0
PROBE_SECONDS: Final = 10.0
VERIFY_SECONDS: Final = 600.0
"""Between two times that every row of the registry is read, to see that none was changed behind our back."""
EXPIRY_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 1.0
WATCH_SECONDS: Final = 2.5


class Housekeeping:
    """The turns of one start. ``upstream_trouble`` is what the last look at the records server found, or nothing."""

    def __init__(
        self,
        rooms: Rooms,
        stack: AsyncExitStack,
        *,
        metrics: Metrics,
        flush: Callable[[], None],
        report: Callable[[BaseException], None],
    ) -> None:
        """Take the rooms, and the stack that ends every turn; ``report`` is told of what fails."""
        self._rooms = rooms
        self._stack = stack
        self._metrics = metrics
        self._flush_lines = flush
        self._report = report
        self.upstream_trouble = "not asked yet"

    async def begin(self, watch: Callable[[], Awaitable[None]]) -> None:
        """Begin all of it; ``watch`` looks at the parts once, and tells of them."""
        rooms = self._rooms
        await self._keep(self._drain)
        await self._keep(self._notice)
        await self._keep(self._flush)
        await self._keep(rooms.gate.tend)
        await self._keep(rooms.pulse.turn)
        await self._keep(rooms.registry.refresh)
        await self._keep(rooms.registry.verify, seconds=VERIFY_SECONDS)
        await self._keep(rooms.stewards.expire, seconds=EXPIRY_SECONDS)
        await self._keep(rooms.live.turn, seconds=LOOK_SECONDS)
        await self._keep(rooms.escalations.sweep)
        await self._keep(rooms.lock_desk.sweep)
        await self._keep(rooms.sessions.sweep, seconds=EXPIRY_SECONDS)
        await self._keep(rooms.oversight.follow, seconds=OVERSIGHT_SECONDS)
        await self._keep(rooms.index.tend, seconds=INDEX_SECONDS)
        if rooms.notifier is not None:
            await self._keep(rooms.notifier.plan, seconds=NOTIFY_SECONDS)
            for channel in rooms.notifier.channels:  # each by itself: a slow one holds up no other
                await self._keep(rooms.notifier.send, channel, seconds=NOTIFY_SECONDS)
            await self._keep(rooms.notifier.report, seconds=REPORT_SECONDS)
        if isinstance(rooms.cases, CaseSystem):
            await self._keep(rooms.cases.tend)
        if rooms.sign_in is not None:
            await self._keep(rooms.sign_in.keys.tend)
            await self._keep(rooms.sign_in.people.write)
            await self._keep(rooms.sign_in.people.forget_aged, seconds=EXPIRY_SECONDS)
        await self._keep(self._probe, seconds=PROBE_SECONDS)
        await self._keep(watch, seconds=WATCH_SECONDS)

    async def _keep(self, work: Callable[..., Awaitable[object]], *args: object, seconds: float = HOUSEKEEPING_SECONDS) -> None:
        """Do a piece of housekeeping again and again until the end; a failure is reported and the next turn tries anew."""

        async def turn() -> None:
            while True:
                try:
                    await work(*args)
                except Exception as error:  # noqa: BLE001 -- housekeeping never ends the service; readiness tells what is wrong
                    self._report(error)
                await asyncio.sleep(seconds)

        task = asyncio.create_task(turn())

        async def end() -> None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        self._stack.push_async_callback(end)

    async def _drain(self) -> None:
        if self._rooms.outbox.waiting():
            await self._rooms.outbox.drain(self._rooms.audit)

    async def _notice(self) -> None:
        for event in self._rooms.identities.take_notices():
            self._metrics.simultaneous_use_total.inc()
            await self._rooms.audit.record(event)

    async def _flush(self) -> None:
        self._flush_lines()

    async def _probe(self) -> None:
        try:
            await self._rooms.upstream.check()
        except Refusal as refusal:
            self.upstream_trouble = f"{refusal.detail} Check upstream.url and the network."
        else:
            self.upstream_trouble = ""
