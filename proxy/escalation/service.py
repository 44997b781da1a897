"""Opening, deciding, waiting for and redeeming escalations.

Each move is recorded before it takes effect, under one lock per process; the store's compare-and-swap holds the line
between processes. Whoever decides is somebody else: not the requester, not the subject, nobody of their household.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NoReturn, assert_never

from proxy.escalation.events import Escalated, EscalationMove
from proxy.escalation.lifecycle import (
    MOVES,
    Approval,
    ApproverIneligible,
    Asked,
    BudgetSpent,
    Escalation,
    EscalationMoved,
    EscalationRefused,
    EscalationRequired,
    EscalationUnknown,
    GrantMismatch,
    GrantSpent,
    Move,
    ReasonMissing,
    State,
)
from proxy.escalation.store import EscalationStore
from proxy.registry.protection import OWN_CAUSE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from proxy.audit.event import AuditLog
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.escalation.locks import Locks
    from proxy.identity.principal import Principal
    from proxy.registry.protection import Recognizer
    from proxy.telemetry import Metrics

RETRY_AFTER_SECONDS: Final = 5
MIN_REASON: Final = 8
MAX_REASON: Final = 1000
POLL_SECONDS: Final = 0.5


class Escalations:
    """The room's use cases. Who may decide, and how many have to, stands in each escalation's demands."""

    def __init__(
        self,
        *,
        database: Database,
        key: bytes,
        audit: AuditLog,
        recognizer: Recognizer,
        locks: Locks,
        clock: Clock,
        metrics: Metrics,
        expires: timedelta = timedelta(minutes=15),
        grant: timedelta = timedelta(minutes=10),
        most_pending: int = 20,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Wire the room; ``key`` is 32 secret bytes from which its own two keys are derived."""
        self._store = EscalationStore(database, hmac.digest(key, b"showcause escalation seal", hashlib.sha256))
        self._fingerprint_key = hmac.digest(key, b"showcause escalation fingerprint", hashlib.sha256)
        self._audit = audit
        self._recognizer = recognizer
        self._locks = locks
        self._clock = clock
        self._metrics = metrics
        self._expires = expires
        self._grant = grant
        self._most_pending = most_pending
        self._randomness = randomness
        self._lock = asyncio.Lock()
        self._changed = asyncio.Condition()
        self._closing = False
        self._open: Sequence[Escalation] = ()
        self._listed = -1

    async def current(self, asked: Asked, about: str) -> Escalation | None:
        """Return this very query's escalation if it waits or is approved, or None when a new one has to be opened.

        Raises:
            EscalationRefused: it was refused a short time ago.
            GrantSpent: it was approved and has answered.
            GrantMismatch: it was approved, but not for what is asked now.
        """
        now = self._clock()
        found = await self._store.latest(asked.fingerprint(self._fingerprint_key))
        if found is None:
            return None
        match found.at(now):
            case State.PENDING:
                return found
            case State.APPROVED if found.fits(asked):
                return found
            case State.APPROVED:
                await self._move(found, Move.EXPIRE, actor="clock", about=about)
                raise GrantMismatch("What was approved is not what this query would do now. Send it again to ask anew.")
            case State.REFUSED if found.decided_at is not None and now < found.decided_at + self._expires:
                raise refused(found, now)
            case State.REDEEMED if found.grant_expires_at is not None and now < found.grant_expires_at:
                raise GrantSpent(
                    "This approval has answered once already. To see the record again, ask again after the time given.",
                    escalation=view(found, now),
                    retry_after=max(1, int((found.grant_expires_at - now).total_seconds())),
                )
            case State.EXPIRED | State.CANCELED | State.REFUSED | State.REDEEMED:
                return None
            case unreachable:
                assert_never(unreachable)

    async def open(self, asked: Asked, about: str) -> Escalation:
        """Open an escalation, recorded first.

        Raises:
            BudgetSpent: the principal has too many that wait.
        """
        now = self._clock()
        async with self._lock:
            # Two equal queries at once ask one supervisor once.
            twin = await self._store.latest(asked.fingerprint(self._fingerprint_key))
            if twin is not None and twin.at(now) is State.PENDING:
                return twin
            if await self._store.count_pending(asked.person, now) >= self._most_pending:
                raise BudgetSpent(
                    f"{self._most_pending} of your queries wait for a supervisor already. Cancel some, or wait.",
                    retry_after=60,
                )
            escalation = Escalation(
                id=self._randomness(16).hex(),  # a word of any command line: base64 may begin with a hyphen, as an option does
                asked=asked,
                fingerprint=asked.fingerprint(self._fingerprint_key),
                state=State.PENDING,
                created_at=now,
                expires_at=now + self._expires,
            )
            await self._audit.record(Escalated(about=about, escalation=escalation))
            await self._store.insert(escalation)
        await self._tell()
        return escalation

    async def void(self, escalation: Escalation, about: str) -> NoReturn:
        """End an approval that was given under a policy which rules no more.

        Raises:
            GrantMismatch: always; the query has to be sent again.
        """
        with suppress(EscalationMoved):
            await self._move(escalation, Move.EXPIRE, actor="clock", about=about)
        raise GrantMismatch("The policy has changed since this was asked. Send it again to ask anew.")

    async def redeem(self, escalation: Escalation, actor: str, about: str) -> None:
        """Use the grant up.

        Raises:
            GrantSpent: another query was faster.
            Locked, LocksStale: a lock stops it.
        """
        self._locks.check_asked(escalation.asked, escalation.id)
        try:
            await self._move(escalation, Move.REDEEM, actor=actor, about=about)
        except EscalationMoved:
            raise GrantSpent("This approval has answered once already.") from None

    async def decide(self, escalation_id: str, principal: Principal, move: Move, reason: str) -> Escalation:
        """Approve or refuse, as one who may. Where policy wants several, it is approved once the last of them agrees.

        Raises:
            EscalationUnknown, ApproverIneligible, ReasonMissing, EscalationMoved, Locked, LocksStale.
        """
        escalation = await self._seen(escalation_id, principal)
        self._must_be_eligible(escalation, principal)
        words = reason.strip()
        if not MIN_REASON <= len(words) <= MAX_REASON:
            raise ReasonMissing(f"State the reason for your decision in {MIN_REASON} to {MAX_REASON} characters.")
        if move is Move.APPROVE:
            self._locks.check_asked(escalation.asked, escalation.id)
        return await self._move(escalation, move, actor=principal.person, role=principal.role, reason=words)

    async def cancel(self, escalation_id: str, principal: Principal) -> Escalation:
        """Take an escalation back, as the one who asked.

        Raises:
            EscalationUnknown, ApproverIneligible, EscalationMoved.
        """
        escalation = await self._seen(escalation_id, principal)
        if escalation.asked.person != principal.person:
            raise ApproverIneligible("Only the person who asked can cancel; a supervisor can refuse.")
        return await self._move(escalation, Move.CANCEL, actor=principal.person)

    async def seen(self, escalation_id: str, principal: Principal) -> Escalation:
        """Return an escalation to the one who asked or to who may decide in the same agency.

        Raises:
            EscalationUnknown: there is none, or it is none of theirs.
        """
        return await self._seen(escalation_id, principal)

    async def listed(self, principal: Principal, state: State | None) -> Sequence[Escalation]:
        """Return a person's own escalations, and those of the agency that are theirs to decide."""
        own = await self._store.listed(state=state, agency=principal.agency, person=principal.person)
        all_ = await self._store.listed(state=state, agency=principal.agency)
        seen = {each.id: each for each in (*own, *(each for each in all_ if self._may_see(each, principal)))}
        return sorted(seen.values(), key=lambda each: (each.created_at, each.id))

    async def wait(self, escalation: Escalation, seconds: float) -> Escalation:
        """Return the escalation once it is no longer pending, or as it is after ``seconds`` or when nobody may wait."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while True:
            generation = self._store.generation()
            current = await self._store.get(escalation.id) or escalation
            left = deadline - loop.time()
            if current.at(self._clock()) is not State.PENDING or left <= 0 or self._closing:
                return current
            async with self._changed:
                # A decision made in another process moves the generation, but wakes nobody here: hence the short nap.
                if self._store.generation() == generation and not self._closing:
                    try:
                        async with asyncio.timeout(min(left, POLL_SECONDS)):
                            await self._changed.wait()
                    except TimeoutError:
                        continue

    async def end_waits(self) -> None:
        """Let nobody wait any more: the node is about to stop, and its supervisors may decide elsewhere."""
        self._closing = True
        async with self._changed:
            self._changed.notify_all()

    async def sweep(self) -> None:
        """Write down what has expired, and measure what waits."""
        generation = self._store.generation()
        if generation != self._listed:
            pending = await self._store.listed(state=State.PENDING, most=1000)
            self._open = (*pending, *await self._store.listed(state=State.APPROVED, most=1000))
            self._listed = generation
        now = self._clock()
        for escalation in self._open:
            if escalation.at(now) is State.EXPIRED:
                try:
                    await self._move(escalation, Move.EXPIRE, actor="clock")
                except EscalationMoved:
                    continue
        waiting = [escalation for escalation in self._open if escalation.at(now) is State.PENDING]
        self._metrics.escalations_pending.set(len(waiting))
        self._metrics.escalation_oldest_seconds.set((now - waiting[0].created_at).total_seconds() if waiting else 0)

    async def _seen(self, escalation_id: str, principal: Principal) -> Escalation:
        escalation = await self._store.get(escalation_id)
        if escalation is None or not self._may_see(escalation, principal):
            raise EscalationUnknown("There is no such escalation among yours.")
        return escalation

    def _may_see(self, escalation: Escalation, principal: Principal) -> bool:
        """Tell whether it is theirs, or theirs to decide. That they are asked about, nobody learns, nor their own people."""
        asked = escalation.asked
        if asked.person == principal.person:
            return True
        if principal.role not in self._approvers_of(escalation) or asked.agency != principal.agency:
            return False
        return not any(
            self._recognizer.recognize(fields, principal).relations & OWN_CAUSE for fields in (asked.criteria, *asked.records)
        )

    def _approvers_of(self, escalation: Escalation) -> frozenset[str]:
        return frozenset().union(*(demand.roles for demand in escalation.asked.demands))

    def _must_be_eligible(self, escalation: Escalation, principal: Principal) -> None:
        if principal.role not in (roles := self._approvers_of(escalation)):
            raise ApproverIneligible(f"Only {', '.join(sorted(roles))} may decide this escalation.")
        if principal.person == escalation.asked.person:
            raise ApproverIneligible("Nobody decides on their own query; another supervisor has to.")

    async def _move(
        self, escalation: Escalation, move: Move, *, actor: str, role: str = "", reason: str = "", about: str = ""
    ) -> Escalation:
        async with self._lock:
            now = self._clock()
            current = await self._store.get(escalation.id) or escalation
            state = current.state if move is Move.EXPIRE else current.at(now)
            to = MOVES.get((state, move))
            if to is None:
                raise EscalationMoved(f"This escalation is {state}; it cannot be {_participle(move)} any more.")
            approval = Approval(person=actor, role=role, at=now, reason=reason) if move is Move.APPROVE else None
            given = current.approvals
            if approval is not None:
                if any(each.person == actor for each in given):
                    raise ApproverIneligible("You have agreed already; another person has to as well.")
                given = (*given, approval)
                to = to if current.met(given) else state
            event = EscalationMove(
                about=about, escalation=current, move=move, to=to, actor=actor, reason=reason, role=role, approvals=len(given)
            )
            await self._audit.record(event)
            decided = to in {State.APPROVED, State.REFUSED}
            changes = {
                "decided_by": actor if decided else None,
                "reason": reason if decided else None,
                "grant_expires_at": now + self._grant if to is State.APPROVED else None,
            }
            if not await self._store.move(current, to, now=now, approval=approval, **changes):  # type: ignore[arg-type]
                raise EscalationMoved("Somebody else was faster; look at it again.")
            moved = replace(current, state=to, decided_at=now if decided else current.decided_at, approvals=given)
            moved = replace(moved, **{name: value for name, value in changes.items() if value is not None})  # type: ignore[arg-type]
        if move is not Move.REDEEM and to is not State.PENDING:
            self._metrics.escalation_decision_seconds.labels(str(to)).observe((now - current.created_at).total_seconds())
        await self._tell()
        return moved

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def required(escalation: Escalation, now: datetime) -> EscalationRequired:
    """Return the refusal that tells where to wait."""
    return EscalationRequired(
        "A supervisor has to agree first. Poll the escalation's href, or send the query again once it is approved.",
        escalation=view(escalation, now),
        retry_after=RETRY_AFTER_SECONDS,
    )


def refused(escalation: Escalation, now: datetime) -> EscalationRefused:
    """Return the refusal that holds the supervisor's reason."""
    return EscalationRefused(f"A supervisor refused this query: {escalation.reason}", escalation=view(escalation, now))


def view(escalation: Escalation, now: datetime) -> dict[str, object]:
    """Return what the requester may see: never why the subject is protected."""
    seen: dict[str, object] = {
        "id": escalation.id,
        "href": f"/escalations/{escalation.id}",
        "state": str(escalation.at(now)),
        "created_at": escalation.created_at.isoformat(),
        "expires_at": escalation.expires_at.isoformat(),
    }
    if escalation.reason is not None:
        seen["reason"] = escalation.reason
    if escalation.grant_expires_at is not None:
        seen["approved_until"] = escalation.grant_expires_at.isoformat()
    return seen


def supervisor_view(escalation: Escalation, now: datetime) -> dict[str, object]:
    """Return what who decides may see: who asks, why, and why it escalated; the subject stays a category."""
    asked = escalation.asked
    return view(escalation, now) | {
        "requested_by": asked.person,
        "terminal": asked.terminal,
        "case": asked.case,
        "purpose": asked.purpose,
        "statement": asked.statement,
        "action": asked.action,
        "criteria": sorted(asked.criteria),
        "categories": list(asked.categories),
        "relations": list(asked.relations),
        "recognized": [{word: why[word] for word in _WHY if word in why} for why in asked.recognized if isinstance(why, dict)],
        "rule": asked.rule,
        "because": asked.because,
        "decided_by": escalation.decided_by,
        "demands": tuple(demand.fact() for demand in asked.demands),
        "approvals": [{"person": each.person, "role": each.role, "reason": each.reason} for each in escalation.approvals],
    }


_WHY: Final = ("category", "matched", "score", "threshold", "features")


def _participle(move: Move) -> str:
    return {Move.APPROVE: "approved", Move.REFUSE: "refused", Move.EXPIRE: "expired", Move.CANCEL: "canceled"}.get(
        move, "redeemed"
    )
