"""Who may decide, asked with everything that has to be known of it: the store's delegations, agreements and roster."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Final

from proxy.escalation.eligibility import Circumstances, Eligibility, enough
from proxy.escalation.roster_store import RosterStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proxy.audit.event import Json
    from proxy.audit.owed import Owed
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.escalation.delegations import Delegations
    from proxy.escalation.eligibility import Authority, Colleagues, Decider, Holders
    from proxy.escalation.lifecycle import Escalation
    from proxy.escalation.store import EscalationStore
    from proxy.identity.credential import Holder
    from proxy.identity.principal import Principal
    from proxy.policy.approvals import Approvals
    from proxy.registry.protection import Recognizer

MOST_SHOWN: Final = 50


class Panel:
    """Asked by the service; everything it says is as of the moment of the question."""

    def __init__(
        self,
        *,
        store: EscalationStore,
        database: Database,
        delegations: Delegations,
        recognizer: Recognizer,
        colleagues: Colleagues | None,
        holders: Holders | None,
        approvals: Callable[[], Approvals],
        clock: Clock,
    ) -> None:
        """Take whoever knows; ``approvals`` are those of the policy in force."""
        self._store = store
        self._roster = RosterStore(database)
        self._delegations = delegations
        self._rules = Eligibility(recognizer=recognizer, colleagues=colleagues)
        self._holders = holders
        self._approvals = approvals
        self._clock = clock

    async def visible(self, escalations: Sequence[Escalation], principal: Principal) -> list[Escalation]:
        """Return those of some escalations that are somebody's own, or theirs to decide or to take back."""
        if all(each.asked.person == principal.person for each in escalations):
            return list(escalations)
        now = self._clock()
        around = Circumstances(
            now=now,
            approvals=self._approvals(),
            delegations=await self._delegations.standing(now),
            holders=self._known(),
        )
        return [each for each in escalations if self._rules.may_see(each, principal, around)]

    async def authority(self, escalation: Escalation, principal: Principal) -> Authority:
        """Return by what a person may decide.

        Raises:
            ApproverIneligible: they may not; the detail says why.
        """
        return self._rules.authority(escalation, principal, await self._around(escalation))

    async def revokes(self, escalation: Escalation, principal: Principal) -> bool:
        """Tell whether they may take an approval back, as the oversight desk."""
        return self._rules.revokes(escalation, principal, Circumstances(now=self._clock(), approvals=self._approvals()))

    async def deciders(self, escalation: Escalation) -> Sequence[Decider]:
        """Return who may decide, those on duty first, so many as are worth showing."""
        return tuple(islice(self._rules.deciders(escalation, await self._around(escalation)), MOST_SHOWN))

    async def owed(self, escalation: Escalation) -> tuple[Owed, ...]:
        """Return who has to be told that nobody on duty can approve this; nothing where nobody keeps a roster."""
        around = await self._around(escalation)
        if around.on_duty is None:
            return ()
        there = list(takewhile(lambda each: each.on_duty, self._rules.deciders(escalation, around)))  # who is there comes first
        return () if enough(escalation, there) else (around.approvals.nobody,)

    async def told(self, escalation: Escalation) -> dict[str, Json]:
        """Return what the requester is told of who may decide, as far as policy has it told."""
        around = await self._around(escalation)
        if around.approvals.told == "nothing":
            return {}
        found = tuple(islice(self._rules.deciders(escalation, around, told=True), MOST_SHOWN))
        said: dict[str, Json] = {
            "roles": tuple(sorted({each.role for each in found})),
            "persons": len(found),
            "on_duty": None if around.on_duty is None else sum(1 for each in found if each.on_duty),
        }
        if around.approvals.told == "names":
            said["names"] = tuple({"person": each.person, "role": each.role, "on_duty": each.on_duty} for each in found)
        return {"deciders": said}

    async def _around(self, escalation: Escalation) -> Circumstances:
        now, approvals = self._clock(), self._approvals()
        since = now - timedelta(seconds=approvals.within)
        return Circumstances(
            now=now,
            approvals=approvals,
            delegations=await self._delegations.standing(min(escalation.created_at, now)),
            reciprocal=await self._store.reciprocal(escalation.asked.person, since, approvals.each, approvals.ring),
            on_duty=await self._roster.on_duty(now),
            holders=self._known(),
        )

    def _known(self) -> tuple[Holder, ...]:
        return tuple(self._holders.holders(self._clock())) if self._holders is not None else ()
