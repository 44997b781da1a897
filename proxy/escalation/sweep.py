"""What waits, looked through again and again: what has expired is written down, and the rest is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.escalation.lifecycle import EscalationMoved, Move, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.clock import Clock
    from proxy.escalation.lifecycle import Escalation
    from proxy.escalation.moves import Moves
    from proxy.escalation.store import EscalationStore
    from proxy.telemetry import Metrics

MOST: Final = 1000


class Sweep:
    """Reads the store anew only where it has changed."""

    def __init__(self, *, store: EscalationStore, moves: Moves, clock: Clock, metrics: Metrics) -> None:
        """Start with nothing known."""
        self._store = store
        self._moves = moves
        self._clock = clock
        self._metrics = metrics
        self._open: Sequence[Escalation] = ()
        self._listed = -1

    async def turn(self) -> None:
        """Write down what has expired, and measure what waits."""
        generation = self._store.generation()
        if generation != self._listed:
            pending = await self._store.listed(state=State.PENDING, most=MOST)
            self._open = (*pending, *await self._store.listed(state=State.APPROVED, most=MOST))
            self._listed = generation
        now = self._clock()
        for escalation in self._open:
            if escalation.at(now) is State.EXPIRED:
                try:
                    await self._moves.make(escalation, Move.EXPIRE, actor="clock")
                except EscalationMoved:
                    continue
        waiting = self.pending()
        self._metrics.escalations_pending.set(len(waiting))
        self._metrics.escalation_oldest_seconds.set((now - waiting[0].created_at).total_seconds() if waiting else 0)

    def pending(self) -> Sequence[Escalation]:
        """Return what waits for a decision, as of the last turn."""
        now = self._clock()
        return [escalation for escalation in self._open if escalation.at(now) is State.PENDING]
