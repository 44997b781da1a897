"""The nightly sweep: every entry is asked about, slowly, and what is new since the last time is proposed to a steward.

It ends when everybody was asked about or its time is over, and goes on the next time where it stopped. What it has found is
written entry by entry, so a crash loses one chunk's questions and no proposal.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from proxy.audit.errors import AuditUnavailable
from proxy.clock import stamp
from proxy.refusal import Refusal
from proxy.registry.ledgers import SweepState
from proxy.registry.lookup_events import SweepBegan, SweepEnded
from proxy.registry.resolution import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proxy.clock import Clock
    from proxy.registry.ledgers import Ledgers
    from proxy.registry.person import Entry
    from proxy.registry.resolution import Resolution
    from proxy.registry.service import Registry

ACTION: Final = "registry.sweep"
ENTRIES_A_CHUNK: Final = 10
STALE: Final = timedelta(days=7)
"""A sweep that stopped longer ago is begun anew: who was asked about then has to be asked about again."""


class Sweep:
    """One turn through the registry."""

    def __init__(
        self, registry: Registry, ledgers: Ledgers, resolution: Resolution, clock: Clock, *, new_id: Callable[[], str]
    ) -> None:
        """Wire it."""
        self._registry = registry
        self._ledgers = ledgers
        self._resolution = resolution
        self._clock = clock
        self._new_id = new_id

    async def run(
        self,
        *,
        by: str,
        per_second: float,
        until: datetime,
        stopping: Callable[[], bool],
        begin: Callable[[int], None] = lambda _total: None,
        advance: Callable[[int], None] = lambda _count: None,
    ) -> SweepEnded:
        """Sweep until the end, ``until``, or ``stopping`` says so; ``advance`` hears how many entries each step asked about.

        Raises:
            AuditUnavailable: the log does not take entries; nothing more was sent.
            RegistryUnreadable: as ``Registry.refresh``.
        """
        begun = self._clock()
        everybody = await self._registry.entries()
        state = await self._state(begun)
        left = await self._left(everybody, state, begun)
        began = SweepBegan(about=state.run, entries=len(everybody), left=len(left), per_second=per_second, by=by)
        await self._ledgers.remember(state, began)
        begin(len(left))
        tally, outcome, problem = Tally(), "done", ""
        for start in range(0, len(left), ENTRIES_A_CHUNK):
            if stopping() or self._clock() >= until:
                outcome = "stopped" if stopping() else "out-of-time"
                break
            chunk = left[start : start + ENTRIES_A_CHUNK]
            try:
                await self._resolution.look(chunk, everybody, tally, by=by, action=ACTION, run=state.run)
            except AuditUnavailable:
                raise
            except Refusal as refusal:
                outcome, problem = "failed", refusal.slug()
                break
            advance(len(chunk))
        ended = SweepEnded(
            about=state.run,
            outcome=outcome,
            problem=problem,
            entries=tally.entries,
            lookups=tally.lookups,
            records=tally.records,
            failed=tally.failed,
            proposed=tally.proposed,
            duration_s=round((self._clock() - begun).total_seconds(), 1),
        )
        state = SweepState(run=state.run, began_at=state.began_at, ended=outcome == "done")
        await self._ledgers.remember(state, ended)
        return ended

    async def _state(self, now: datetime) -> SweepState:
        """Return the sweep to go on with, or a new one."""
        state = await self._ledgers.state()
        if state is not None and not state.ended and now - datetime.fromisoformat(state.began_at) < STALE:
            return state
        return SweepState(run=self._new_id(), began_at=stamp(now), ended=False)

    async def _left(self, everybody: Sequence[Entry], state: SweepState, now: datetime) -> list[Entry]:
        """Return whom to ask about, those of a household together; the ledgers of entries that are gone go too."""
        ledgers = await self._ledgers.all()
        await self._ledgers.forget(ledgers.keys() - {entry.id for entry in everybody})
        done = {entry for entry, ledger in ledgers.items() if ledger.run == state.run}
        left = [entry for entry in everybody if entry.id not in done and not entry.expired(now)]
        return sorted(left, key=lambda entry: (entry.household, entry.id))
