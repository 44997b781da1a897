"""Has a supervisor agreed, or does an emergency stand in their place: how a query whose rows say *escalate* comes by its cover.

What a supervisor has decided goes first. An emergency shows less than an approval, so it is none where there is one; and what
somebody has just refused stays refused, whatever is stated.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from proxy.escalation.lifecycle import EscalationRefused, GrantMismatch, GrantSpent, State
from proxy.escalation.views import refused, required
from proxy.gateway.cover import Cover
from proxy.gateway.stopping import must_not_be_locked
from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from proxy.clock import Clock
    from proxy.escalation.glass import Register
    from proxy.escalation.lifecycle import Escalation
    from proxy.escalation.locks import Locks
    from proxy.escalation.service import Escalations
    from proxy.gateway.asking import Asking
    from proxy.gateway.query import Query
    from proxy.identity.stepup import StepUp
    from proxy.policy.decision import Ruling
    from proxy.policy.service import PolicySet
    from proxy.telemetry import Metrics


class Covering:
    """Finds the grant that covers a query, asks for one, or has the officer break the glass."""

    def __init__(
        self,
        *,
        policies: Callable[[], PolicySet],
        escalations: Escalations,
        register: Register,
        step_up: StepUp,
        locks: Locks,
        metrics: Metrics,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        """Take who is asked; ``policies`` returns the set in force."""
        self._policies = policies
        self._escalations = escalations
        self._register = register
        self._step_up = step_up
        self._locks = locks
        self._metrics = metrics
        self._clock = clock
        self._monotonic = monotonic

    async def in_emergency(self, query: Query, asking: Asking, ruling: Ruling) -> bool:
        """Tell whether the glass is to be broken: an emergency was stated, the row answers it, and nobody has decided already.

        What a supervisor agreed to is answered by that, with more than an emergency shows; what one has just refused stays so.
        """
        if not asking.emergency(ruling):
            return False
        try:
            escalation = await self._escalations.current(asking.asked(ruling), query.inbound.query_id)
        except EscalationRefused:
            return False
        except (GrantSpent, GrantMismatch):
            return True
        return escalation is None or escalation.state is not State.APPROVED

    @asynccontextmanager
    async def breaking(self, query: Query, asking: Asking, ruling: Ruling) -> AsyncIterator[tuple[Ruling, Cover]]:
        """Yield the ruling in an emergency, and what was broken for it; the entry is written inside, one officer at a time.

        Raises:
            BreakGlassBlocked, BudgetSpent, ReviewsUnreadable: this officer breaks none now.
            Refusal: the officer has not confirmed it.
        """
        principal, allowance = asking.principal, asking.policies.budgets.glass
        async with self._register.breaking(principal.person, allowance):
            assured = await self._step_up.demand(principal, asking.confirmed(), query.inbound.header("Step-Up"))
            opened, glass = asking.broken(ruling, assured, self._clock())
            yield opened, Cover(glass=glass)
        self._metrics.break_glass_total.inc()

    async def agreed(
        self, query: Query, asking: Asking, ruling: Ruling, wait: float, record: Callable[[], Awaitable[object]]
    ) -> Escalation | None:
        """Return the grant that covers this query; None when it was approved while the query was held for ``wait`` seconds.

        ``record`` writes down what has come of the query so far, before anybody is asked or told.

        Raises:
            EscalationRequired: somebody has been asked, and has not decided.
            EscalationRefused: somebody decided against it a short time ago, or while the query was held.
            GrantSpent, GrantMismatch: it was approved, and has answered, or was for something else.
            Locked, LocksStale: a lock came while the query was held.
        """
        asked = asking.asked(ruling)
        try:
            escalation = await self._escalations.current(asked, query.inbound.query_id)
        except Refusal:
            await record()
            raise
        if escalation is not None and escalation.state is State.APPROVED:
            return escalation
        await record()
        if escalation is None:
            escalation = await self._escalations.open(asked, query.inbound.query_id)
        if wait > 0:
            escalation = await self._escalations.wait(escalation, wait)
            query.left = self._monotonic()
            must_not_be_locked(self._locks, asking, ruling, escalation)
            if escalation.at(self._clock()) is State.APPROVED:
                if self._policies().digest != asking.policies.digest:
                    await self._escalations.void(escalation, query.inbound.query_id)
                return None
            if escalation.state in {State.REFUSED, State.REVOKED}:
                raise refused(escalation, self._clock())
        raise required(escalation, self._clock(), await self._escalations.told(escalation))

    async def redeem(self, grant: Escalation, query: Query, asking: Asking) -> None:
        """Use the grant up for this query.

        Raises:
            GrantSpent: another query was faster.
            EscalationRefused: it was taken back meanwhile.
            Locked, LocksStale: a lock stops it.
        """
        await self._escalations.redeem(grant, asking.principal.person, query.inbound.query_id)
