"""Handing one's decisions on for a time, and taking them back: each in the log, with both names, before it takes effect."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from proxy.escalation.delegation import (
    Delegation,
    DelegationInvalid,
    DelegationUnknown,
    require_dates,
    require_other,
)
from proxy.escalation.delegation_store import DelegationStore
from proxy.escalation.panel_events import Delegated, DelegationEnded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from proxy.audit.event import AuditLog
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.escalation.eligibility import Holders
    from proxy.identity.principal import Principal


class Delegations:
    """The use cases. Whoever hands on does it themselves, with their own credential; nobody does it for them."""

    def __init__(
        self,
        *,
        database: Database,
        key: bytes,
        audit: AuditLog,
        holders: Holders | None,
        approvers: Callable[[], frozenset[str]],
        clock: Clock,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Take the store with a 32-byte key, the log, whoever knows who there is, and the roles that decide on anything."""
        self._store = DelegationStore(database, key)
        self._audit = audit
        self._holders = holders
        self._approvers = approvers
        self._clock = clock
        self._randomness = randomness

    def hands_on(self, role: str) -> bool:
        """Tell whether a role decides on anything, and so can hand it on."""
        return role in self._approvers()

    async def add(self, principal: Principal, delegate: str, starts: datetime, ends: datetime) -> Delegation:
        """Have another person stand in for the principal, in the role of the principal's credential.

        Raises:
            DelegationInvalid: they cannot; the detail says why.
        """
        now = self._clock()
        if not self.hands_on(principal.role):
            # Whom somebody hands on to decides on their queries no more: else an officer could so choose who may.
            raise DelegationInvalid("Your role decides on nothing, so there is nothing to hand on.")
        starts = max(starts, now)
        require_other(principal.person, delegate)
        require_dates(starts, ends, now)
        known = self._holders.holders(now) if self._holders is not None else ()
        if not any(holder.person == delegate and holder.agency == principal.agency for holder in known):
            raise DelegationInvalid("Nobody of this personnel id has a credential of your agency. Name a colleague.")
        delegation = Delegation(
            id=self._randomness(16).hex(),
            delegator=principal.person,
            delegate=delegate,
            agency=principal.agency,
            role=principal.role,
            starts_at=starts,
            ends_at=ends,
            created_at=now,
        )
        async with self._store.inserting(delegation) as others:
            _require_no_chain(delegation, others)
            await self._audit.record(Delegated(delegation=delegation))
        return delegation

    async def end(self, delegation_id: str, principal: Principal) -> Delegation:
        """End one, as either of the two: who stands in may lay it down.

        Raises:
            DelegationUnknown: there is none of theirs that still holds.
        """
        found = await self._store.get(delegation_id)
        if found is None or principal.person not in {found.delegator, found.delegate}:
            raise DelegationUnknown("There is no such delegation of yours, or to you.")
        async with self._store.ending(found, by=principal.person, now=self._clock()) as ended:
            if not ended:
                raise DelegationUnknown("This delegation is over already.")
            await self._audit.record(DelegationEnded(delegation=found, actor=principal.person))
        return await self._store.get(delegation_id) or found

    async def listed(self, principal: Principal) -> Sequence[Delegation]:
        """Return the principal's own and those to them that are not over."""
        return await self._store.of({principal.person}, self._clock())

    async def standing(self, since: datetime) -> Sequence[Delegation]:
        """Return every one that held at ``since`` or later: for whoever has to know who stands in for whom."""
        return await self._store.all(since)


def _require_no_chain(new: Delegation, others: Sequence[Delegation]) -> None:
    """Return when the new one makes no chain, and says nothing twice.

    Raises:
        DelegationInvalid: it does.
    """
    for other in others:
        if not other.meets(new.starts_at, new.ends_at):
            continue
        if other.delegate == new.delegator:
            raise DelegationInvalid("You stand in for somebody in that time, and what was handed on is not handed on again.")
        if other.delegator == new.delegate:
            raise DelegationInvalid("They have handed on their own decisions in that time, so yours would go to nobody.")
        if (other.delegator, other.delegate) == (new.delegator, new.delegate):
            raise DelegationInvalid("They stand in for you in that time already. End that one first.")
