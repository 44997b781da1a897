"""Waiting for an escalation to change, in this process or another, until nobody may wait any more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from proxy.escalation.lifecycle import State

if TYPE_CHECKING:
    from proxy.clock import Clock
    from proxy.escalation.lifecycle import Escalation
    from proxy.escalation.store import EscalationStore

POLL_SECONDS: Final = 0.5


class Waits:
    """Those who wait. ``ended`` is true once the node is about to stop."""

    def __init__(self, store: EscalationStore, changed: asyncio.Condition, clock: Clock) -> None:
        """Take where escalations stand, and what tells of a move in this process."""
        self._store = store
        self._clock = clock
        self._changed = changed
        self.ended = False

    async def decided(self, escalation: Escalation, seconds: float) -> Escalation:
        """Return the escalation once it is no longer pending, or as it is after ``seconds`` or when nobody may wait."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            generation = self.generation()
            current = await self._store.get(escalation.id) or escalation
            left = deadline - loop.time()
            if current.at(self._clock()) is not State.PENDING or left <= 0 or self.ended:
                return current
            await self.turn(generation, left)

    def generation(self) -> int:
        """Return the number to hand to ``turn``: read it before what is looked at, so that no change is missed."""
        return self._store.generation()

    async def turn(self, generation: int, seconds: float) -> None:
        """Return once something may have changed since ``generation``; after ``seconds`` or half of one in any case."""
        async with self._changed:
            # A decision made in another process moves the generation, but wakes nobody here: hence the short nap.
            if self._store.generation() != generation or self.ended:
                return
            try:
                async with asyncio.timeout(max(0, min(seconds, POLL_SECONDS))):
                    await self._changed.wait()
            except TimeoutError:
                return

    async def end(self) -> None:
        """Let nobody wait any more."""
        self.ended = True
        async with self._changed:
            self._changed.notify_all()
