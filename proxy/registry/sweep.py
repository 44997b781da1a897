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
ENTRIES_A_CHUNK: Final = 4
STALE: Final = timedelta(days=7)
"""A sweep that stopped longer ago is begun anew: who was asked about then has to be asked about again."""


class Sweep:
    """One turn through the registry."""

    def __init__(
        self, registry: Registry, ledgers: Ledgers, resolution: Resolution, clock: Clock, *, new_id: Callable[[], str]
    ) -> None:
        """Wire it; nothing is asked yet."""
        self._registry = registry
        self._ledgers = ledgers
        self._resolution = resolution
        self._clock = clock
        self._new_id = new_id
        self._by = ""
        self._begun = clock()
        self._state = SweepState(run="", began_at="", ended=True)
        self._everybody: Sequence[Entry] = ()
        self._left: Sequence[Entry] = ()

    async def begin(self, *, by: str, per_second: float) -> int:
        """Begin, or go on with a sweep that has not ended; return how many entries there are to ask about.

        Raises:
            RegistryUnreadable: as ``Registry.refresh``.
        """
        self._begun, self._by = self._clock(), by
        self._everybody = await self._registry.entries()
        self._state = await self._newest(self._begun)
        self._left = await self._not_asked_about()
        began = SweepBegan(
            about=self._state.run, entries=len(self._everybody), left=len(self._left), per_second=per_second, by=by
        )
        await self._ledgers.remember(self._state, began)
        return len(self._left)

    async def go_on(
        self, *, until: datetime, stopping: Callable[[], bool], advance: Callable[[int], None] = lambda _count: None
    ) -> SweepEnded:
        """Ask until the end, ``until``, or ``stopping`` says so; ``advance`` hears how many entries each step was about.

        Raises:
            AuditUnavailable: the log does not take entries; nothing more was sent.
            RegistryUnreadable: as ``Registry.refresh``.
        """
        tally, outcome, problem = Tally(), "done", ""
        for start in range(0, len(self._left), ENTRIES_A_CHUNK):
            if stopping() or self._clock() >= until:
                outcome = "stopped" if stopping() else "out-of-time"
                break
            chunk = self._left[start : start + ENTRIES_A_CHUNK]
            try:
                await self._resolution.look(chunk, self._everybody, tally, by=self._by, action=ACTION, run=self._state.run)
            except AuditUnavailable:
                raise
            except Refusal as refusal:
                outcome, problem = "failed", refusal.slug()
                break
            advance(len(chunk))
        ended = SweepEnded(
            about=self._state.run,
            outcome=outcome,
            problem=problem,
            entries=tally.entries,
            lookups=tally.lookups,
            records=tally.records,
            failed=tally.failed,
            proposed=tally.proposed,
            duration_s=round((self._clock() - self._begun).total_seconds(), 1),
        )
        self._state = SweepState(run=self._state.run, began_at=self._state.began_at, ended=outcome == "done")
        await self._ledgers.remember(self._state, ended)
        return ended

    async def _newest(self, now: datetime) -> SweepState:
        """Return the sweep to go on with, or a new one."""
        state = await self._ledgers.state()
        if state is not None and not state.ended and now - datetime.fromisoformat(state.began_at) < STALE:
            return state
        return SweepState(run=self._new_id(), began_at=stamp(now), ended=False)

    async def _not_asked_about(self) -> list[Entry]:
        """Return whom to ask about, those of a household together; the ledgers of entries that are gone go too."""
        ledgers = await self._ledgers.all()
        await self._ledgers.forget(ledgers.keys() - {entry.id for entry in self._everybody})
        done = {entry for entry, ledger in ledgers.items() if ledger.run == self._state.run}
        left = [entry for entry in self._everybody if entry.id not in done and not entry.expired(self._begun)]
        return sorted(left, key=lambda entry: (entry.household, entry.id))
