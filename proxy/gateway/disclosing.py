"""What may leave of a reply: each record ruled on as a query of its own, a last look at the locks, the entry, and the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.disclosure.service import disclose
from proxy.escalation.locks import Locked
from proxy.gateway.stopping import must_not_be_locked, stopping
from proxy.policy.decision import Outcome
from proxy.policy.shadow import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from proxy.audit.gate import ReleaseGate
    from proxy.disclosure.disclosure import Disclosure
    from proxy.disclosure.judgement import Judgement
    from proxy.disclosure.marks import Marker
    from proxy.escalation.locks import Locks
    from proxy.gateway.asking import Asking
    from proxy.gateway.cover import Cover
    from proxy.gateway.entries import Entries
    from proxy.gateway.query import Query
    from proxy.policy.decision import Ruling
    from proxy.registry.protection import Recognizer
    from proxy.upstream.reply import Reply

TELLABLE: Final = frozenset({Outcome.ESCALATE, Outcome.DENY})
"""Outcomes that keep a record here and may say so; to conceal is to say nothing."""


class Disclosing:
    """Lets out of each reply what may leave, once it is written down."""

    def __init__(
        self,
        *,
        recognizer: Recognizer,
        locks: Locks,
        entries: Entries,
        gate: ReleaseGate,
        marking: Callable[[], Marker],
        monotonic: Callable[[], float],
    ) -> None:
        """Take who is asked; ``marking`` makes what makes the log's marks of one reply."""
        self._recognizer = recognizer
        self._locks = locks
        self._entries = entries
        self._gate = gate
        self._marking = marking
        self._monotonic = monotonic

    async def inspect(self, query: Query, reply: Reply, asking: Asking, ruling: Ruling, cover: Cover) -> Disclosure:
        """Return what may leave of a reply; nothing has left, and nothing is written down.

        Raises:
            ReplyUnreadable: it is not as its route declares, or may not leave uninspected.
            TooBroad: it holds more records than its route lets out at once.
            LocksStale: who is locked cannot be told.
        """

        def judge(fields: Mapping[str, Sequence[str]]) -> Judgement:
            return asking.judged(fields, self._recognizer, ruling, cover=cover, tally=tally, stops=stops)

        while True:
            tally = query.tally = Tally(query.shadow)
            stops = self._locks.now()
            disclosure = await disclose(reply, asking.inquiry, judge, asking.policies.fields, self._marking())
            if self._locks.now() is stops:  # others had their turn, and may have locked somebody it concerns
                return disclosure

    async def release(self, query: Query, asking: Asking, ruling: Ruling, disclosure: Disclosure, cover: Cover) -> None:
        """Return when it may leave: no lock stops it, and its entry is as durable as its route demands.

        Raises:
            Locked, LocksStale: a lock came since the decision.
            AuditUnavailable: the entry is not known to be as durable as that.
        """
        await self._must_not_be_stopped(query, asking, ruling, disclosure, cover)
        query.leave("disclosure", self._monotonic())
        receipt = await self._entries.disclosed(query, asking, disclosure, cover)
        await self._gate.pass_(receipt, asking.inquiry.route.gate)

    async def _must_not_be_stopped(
        self, query: Query, asking: Asking, ruling: Ruling, disclosure: Disclosure, cover: Cover
    ) -> None:
        """Return when no lock stops what is about to leave; time has passed since the decision.

        A broad search is silent about whom a lock keeps out of it, as it is about everybody.
        """
        must_not_be_locked(self._locks, asking, ruling, cover.grant)
        if disclosure.records or disclosure.unjudged or asking.inquiry.broad:
            return
        if (lock := stopping(self._locks, asking, disclosure)) is not None:
            await self._entries.disclosed(query, asking, disclosure, cover)
            raise Locked(lock)


def waiting(disclosure: Disclosure) -> tuple[Judgement, ...]:
    """Return the judgements of a reply of which every record waits for a supervisor; nothing when any does not.

    Concealed records are passed over: with them or without them the answer has to be the same.
    """
    if disclosure.records or disclosure.unjudged:
        return ()
    shown = tuple(judgement for judgement in disclosure.judgements if judgement.ruling.outcome is not Outcome.CONCEAL)
    return shown if all(judgement.ruling.outcome is Outcome.ESCALATE for judgement in shown) else ()


def told(disclosure: Disclosure) -> int | None:
    """Return how many records were withheld by rows that let it be told; silence is the default."""
    count = sum(1 for judgement in disclosure.judgements if judgement.ruling.tell and judgement.ruling.outcome in TELLABLE)
    return count or None
