"""Carrying out a move: recorded first, then compare-and-swap.

One lock per process keeps two moves apart; between processes the store's compare-and-swap does. The new state is written
inside a transaction that is committed only once the entry is durable: if the entry fails, nothing has moved.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from proxy.escalation.confirming import approval_of
from proxy.escalation.eligibility import Authority
from proxy.escalation.events import EscalationMove
from proxy.escalation.lifecycle import (
    MOVES,
    PARTICIPLES,
    Approval,
    ApproverIneligible,
    EscalationMoved,
    Move,
    Said,
    State,
)
from proxy.escalation.store import Stale
from proxy.escalation.words import must_have_seen, must_have_turn

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from proxy.audit.event import AuditLog
    from proxy.clock import Clock
    from proxy.escalation.confirming import Confirmed
    from proxy.escalation.lifecycle import Escalation
    from proxy.escalation.store import EscalationStore
    from proxy.telemetry import Metrics

ATTEMPTS: Final = 5
DECISIONS: Final = frozenset({Move.APPROVE, Move.REFUSE, Move.REVOKE})
"""Moves that are somebody's decision, with a reason."""
SPOKEN: Final = frozenset({Move.ASK, Move.AMEND})
"""Moves that leave it as it is, but for what has been said."""


class Moves:
    """Whoever moves escalations in this process, and wakes those who wait for it."""

    def __init__(self, *, store: EscalationStore, audit: AuditLog, clock: Clock, metrics: Metrics, grant: timedelta) -> None:
        """Wire it; an approval is good for ``grant``."""
        self._store = store
        self._audit = audit
        self._clock = clock
        self._metrics = metrics
        self._grant = grant
        self._ended: dict[str, datetime] = {}
        self.lock = asyncio.Lock()
        self.changed = asyncio.Condition()

    def require(self, escalation: Escalation, move: Move, *, by: Authority, amendments: int = 0) -> None:
        """Return when the move could be made now.

        Raises:
            EscalationMoved, ApproverIneligible, EscalationAmended: as ``make`` would.
        """
        self._after(escalation, move, actor=by.person, by=by, reason="", amendments=amendments)

    async def make(
        self,
        escalation: Escalation,
        move: Move,
        *,
        actor: str,
        by: Authority | None = None,
        reason: str = "",
        about: str = "",
        confirmed: Confirmed | None = None,
        amendments: int = 0,
    ) -> Escalation:
        """Move an escalation; ``by`` says in which role somebody decides, and for whom they stand in.

        What was confirmed must still be what the move does.

        ``amendments`` is how many additions to the statement whoever approves has seen.

        Raises:
            AskedEnough, NothingAsked, EscalationAmended: it is not the turn of this move, or of other words.
            EscalationMoved: it is in no state that allows this move, or others were faster again and again.
            ApproverIneligible: they have agreed already.
            AuditUnavailable: it could not be recorded, and has not moved.
        """
        by = by or Authority(person=actor, agency="", role="")
        async with self.lock:
            before, moved = await self._make(
                escalation,
                move,
                actor=actor,
                by=by,
                reason=reason,
                about=about,
                confirmed=confirmed,
                amendments=amendments,
            )
        if move not in {Move.REDEEM, Move.REVOKE} and moved.state is not State.PENDING:
            seconds = (self._clock() - before.created_at).total_seconds()
            self._metrics.escalation_decision_seconds.labels(str(moved.state)).observe(seconds)
        await self.tell()
        return moved

    async def _make(
        self,
        escalation: Escalation,
        move: Move,
        *,
        actor: str,
        by: Authority,
        reason: str,
        about: str,
        confirmed: Confirmed | None,
        amendments: int,
    ) -> tuple[Escalation, Escalation]:
        for _ in range(ATTEMPTS):
            current = await self._store.get(escalation.id) or escalation
            if current.state is State.APPROVED and current.id in self._ended:
                # Somebody has put the row back as it was: an approval has one end.
                raise EscalationMoved("This approval has ended already, whatever the store says. Tell the operator.")
            if confirmed is not None and approval_of(current, reason, by) != confirmed.thing:
                raise EscalationMoved("It was changed while you confirmed it. Look at it again, and confirm anew.")
            moved, approval = self._after(current, move, actor=actor, by=by, reason=reason, amendments=amendments)
            event = EscalationMove(
                about=about,
                escalation=current,
                move=move,
                to=moved.state,
                actor=actor,
                reason=reason,
                role=by.role,
                rank=by.rank,
                on_behalf_of=by.on_behalf_of,
                approvals=len(moved.approvals),
                assurance=confirmed.assurance if confirmed is not None else None,
            )
            with suppress(Stale):
                async with self._store.moving(current, moved, approval):
                    await self._audit.record(event)
                self._remember(current, moved)
                return current, moved
        raise EscalationMoved("Somebody else was faster; look at it again.")

    def _remember(self, before: Escalation, after: Escalation) -> None:
        """Remember which approvals have ended, for as long as they would have been good."""
        now = self._clock()
        for ended in [id_ for id_, until in self._ended.items() if until <= now]:
            del self._ended[ended]
        if before.state is State.APPROVED and after.state is not State.APPROVED and before.grant_expires_at is not None:
            self._ended[before.id] = before.grant_expires_at

    def _after(
        self, current: Escalation, move: Move, *, actor: str, by: Authority, reason: str, amendments: int
    ) -> tuple[Escalation, Approval | None]:
        """Return what a move makes of an escalation, and the agreement that it adds."""
        now = self._clock()
        state = current.state if move is Move.EXPIRE else current.at(now)
        to = MOVES.get((state, move))
        if to is None:
            raise EscalationMoved(f"This escalation is {state}; it cannot be {PARTICIPLES[move]} any more.")
        must_have_turn(current.words, move)
        said = (Said(move=move, person=actor, role=by.role, at=now, words=reason),) if move in SPOKEN else ()
        if move is Move.APPROVE:
            must_have_seen(current.words, amendments)
        approval = _agreed(current, by, now, reason) if move is Move.APPROVE else None
        given = () if move is Move.AMEND else current.approvals if approval is None else (*current.approvals, approval)
        if approval is not None and not current.met(given):
            to = state
        decided = move in DECISIONS and to is not State.PENDING
        moved = replace(
            current,
            state=to,
            approvals=given,
            words=(*current.words, *said),
            decided_at=now if decided else current.decided_at,
            decided_by=actor if decided else current.decided_by,
            reason=reason if decided else current.reason,
            grant_expires_at=now + self._grant if to is State.APPROVED else current.grant_expires_at,
        )
        return moved, approval

    async def tell(self) -> None:
        """Wake whoever waits for a move."""
        async with self.changed:
            self.changed.notify_all()


def _agreed(current: Escalation, by: Authority, now: datetime, reason: str) -> Approval:
    """Return one more agreement: of a person, and by an authority, that has not agreed yet."""
    if any(not {each.person, each.on_behalf_of}.isdisjoint(by.people) for each in current.approvals):
        raise ApproverIneligible("You, or who stands in with you, have agreed already; another person has to as well.")
    return Approval(
        person=by.person,
        role=by.role,
        agency=by.agency,
        rank=by.rank,
        on_behalf_of=by.on_behalf_of,
        at=now,
        reason=reason,
    )
