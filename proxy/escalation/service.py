"""Opening, deciding, waiting for and redeeming escalations.

Each move is recorded before it takes effect, under one lock per process; the store's compare-and-swap holds the line
between processes. Whoever decides is somebody else: not the requester, not the subject, nobody of their household.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NoReturn, assert_never, cast

from proxy.escalation.confirming import Confirmed, approval_of
from proxy.escalation.delegations import Delegations
from proxy.escalation.eligibility import Authority
from proxy.escalation.events import Escalated, SubjectRevealed
from proxy.escalation.lifecycle import (
    ApproverIneligible,
    Asked,
    BudgetSpent,
    Escalation,
    EscalationMoved,
    EscalationUnknown,
    GrantMismatch,
    GrantSpent,
    Move,
    ReasonMissing,
    State,
)
from proxy.escalation.moves import Moves
from proxy.escalation.panel import Panel
from proxy.escalation.pattern import pattern_of
from proxy.escalation.store import EscalationStore
from proxy.escalation.sweep import Sweep
from proxy.escalation.views import refused, view
from proxy.escalation.waits import Waits
from proxy.identity.stepup import StepUpRequired
from proxy.policy.approvals import USUAL
from proxy.policy.obligations import REVIEWER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from proxy.audit.event import AuditLog, Json
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.escalation.eligibility import Colleagues, Decider, Holders
    from proxy.escalation.locks import Locks
    from proxy.escalation.pattern import Pattern
    from proxy.identity.principal import Principal
    from proxy.identity.stepup import StepUp
    from proxy.policy.approvals import Approvals
    from proxy.registry.protection import Recognizer
    from proxy.telemetry import Metrics

    Informative = Callable[[str, str, str], str]

MOST_PENDING: Final = 20
"""Queries of one person that wait for a supervisor at once."""
MIN_REASON: Final = 8
MAX_REASON: Final = 1000
PATTERN: Final = 200
"""So many escalations are looked through for what somebody asks for."""


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
        step_up: StepUp,
        clock: Clock,
        metrics: Metrics,
        expires: timedelta = timedelta(minutes=15),
        grant: timedelta = timedelta(minutes=10),
        informative: Informative,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
        holders: Holders | None = None,
        colleagues: Colleagues | None = None,
        approvals: Callable[[], Approvals] = lambda: USUAL,
        approvers: Callable[[], frozenset[str]] = lambda: frozenset({REVIEWER}),
    ) -> None:
        """Wire the room; ``key`` is 32 secret bytes from which its own two keys are derived.

        ``holders`` knows who there is, ``colleagues`` the personnel directory, ``approvals`` what policy says of who decides,
        and ``approvers`` which roles do. ``informative`` returns what is added to a statement, given the words, the code and
        the case, or refuses it.
        """
        self._store = EscalationStore(database, hmac.digest(key, b"showcause escalation seal", hashlib.sha256))
        self._fingerprint_key = hmac.digest(key, b"showcause escalation fingerprint", hashlib.sha256)
        self._audit = audit
        self._locks = locks
        self._step_up = step_up
        self._clock = clock
        self._expires = expires
        self._informative = informative
        self._randomness = randomness
        self.delegations = Delegations(
            database=database, key=key, audit=audit, holders=holders, approvers=approvers, clock=clock
        )
        self._panel = Panel(
            store=self._store,
            database=database,
            delegations=self.delegations,
            recognizer=recognizer,
            colleagues=colleagues,
            holders=holders,
            approvals=approvals,
            clock=clock,
        )
        self._moves = Moves(store=self._store, audit=audit, clock=clock, metrics=metrics, grant=grant)
        self.waits = Waits(self._store, self._moves.changed, clock)
        self._sweep = Sweep(store=self._store, moves=self._moves, clock=clock, metrics=metrics)

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
                await self._moves.make(found, Move.EXPIRE, actor="clock", about=about)
                raise GrantMismatch("What was approved is not what this query would do now. Send it again to ask anew.")
            case State.REFUSED | State.REVOKED if found.decided_at is not None and now < found.decided_at + self._expires:
                raise refused(found, now)
            case State.REDEEMED if found.grant_expires_at is not None and now < found.grant_expires_at:
                raise GrantSpent(
                    "This approval has answered once already. To see the record again, ask again after the time given.",
                    escalation=view(found, now),
                    retry_after=max(1, int((found.grant_expires_at - now).total_seconds())),
                )
            case State.EXPIRED | State.CANCELED | State.REFUSED | State.REDEEMED | State.REVOKED:
                return None
            case unreachable:
                assert_never(unreachable)

    async def open(self, asked: Asked, about: str) -> Escalation:
        """Open an escalation, recorded first.

        Raises:
            BudgetSpent: the principal has too many that wait.
        """
        now = self._clock()
        async with self._moves.lock:
            # Two equal queries at once ask one supervisor once.
            twin = await self._store.latest(asked.fingerprint(self._fingerprint_key))
            if twin is not None and twin.at(now) is State.PENDING:
                return twin
            if await self._store.count_pending(asked.person, now) >= MOST_PENDING:
                raise BudgetSpent(
                    f"{MOST_PENDING} of your queries wait for a supervisor already. Cancel some, or wait.",
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
            owed = await self._panel.owed(escalation)
            await self._audit.record(Escalated(about=about, escalation=escalation, owed=owed))
            await self._store.insert(escalation)
        await self._moves.tell()
        return escalation

    async def void(self, escalation: Escalation, about: str) -> NoReturn:
        """End an approval that was given under a policy which rules no more.

        Raises:
            GrantMismatch: always; the query has to be sent again.
        """
        with suppress(EscalationMoved):
            await self._moves.make(escalation, Move.EXPIRE, actor="clock", about=about)
        raise GrantMismatch("The policy has changed since this was asked. Send it again to ask anew.")

    async def redeem(self, escalation: Escalation, actor: str, about: str) -> None:
        """Use the grant up.

        Raises:
            GrantSpent: another query was faster.
            EscalationRefused: it was taken back meanwhile.
            Locked, LocksStale: a lock stops it.
        """
        self._locks.check_asked(escalation.asked, escalation.id)
        try:
            await self._moves.make(escalation, Move.REDEEM, actor=actor, about=about)
        except EscalationMoved:
            now = await self._store.get(escalation.id)
            if now is not None and now.state is State.REVOKED:
                raise refused(now, self._clock()) from None
            raise GrantSpent("This approval has answered once already.") from None

    async def decide(
        self,
        escalation_id: str,
        principal: Principal,
        move: Move,
        reason: str,
        assertion: str | None = None,
        *,
        amendments: int = 0,
    ) -> Escalation:
        """Approve, refuse, or ask for more, as one who may. Where policy wants several, it is approved once the last agrees.

        An approval has to be confirmed: ``assertion`` is the passkey's answer, for this very approval.

        Raises:
            EscalationUnknown, ApproverIneligible, ReasonMissing, EscalationMoved, AskedEnough, Locked, LocksStale.
            EscalationAmended: ``amendments``, the additions to the statement that whoever approves has seen, are not all.
            StepUpRequired, StepUpFailed, StepUpTooMany, PasskeyMissing: it is not confirmed.
        """
        escalation = await self._seen(escalation_id, principal)
        authority = await self._panel.authority(escalation, principal)
        words = _worded(reason)
        confirmed = None
        if move is Move.APPROVE:
            self._locks.check_asked(escalation.asked, escalation.id)
            # Else a touch would be asked for in vain.
            self._moves.require(escalation, move, by=authority, amendments=amendments)
            thing = approval_of(escalation, words, authority)
            confirmed = Confirmed(thing, await self._step_up.demand(principal, thing, assertion))
        return await self._moves.make(
            escalation,
            move,
            actor=principal.person,
            by=authority,
            reason=words,
            confirmed=confirmed,
            amendments=amendments,
        )

    async def amend(self, escalation_id: str, principal: Principal, words: str) -> Escalation:
        """Add to the statement, as the one who asked, when a supervisor asks for more. Approvals given before are void.

        Raises:
            EscalationUnknown, ApproverIneligible, EscalationMoved, NothingAsked.
            PurposeMalformed, PurposeUnknown, StatementUninformative: the words cannot be shown, or say nothing.
        """
        escalation = await self._seen(escalation_id, principal)
        asked = escalation.asked
        if asked.person != principal.person:
            raise ApproverIneligible("Only the person who asked can add to the statement; a supervisor can ask for more.")
        added = self._informative(words, asked.purpose, asked.case)
        return await self._moves.make(escalation, Move.AMEND, actor=principal.person, by=_asker(principal), reason=added)

    async def confirmation(self, escalation: Escalation, principal: Principal, reason: str) -> Mapping[str, object] | None:
        """Return the options for the passkey that has to confirm this approval, or None where their key alone suffices.

        Raises:
            ApproverIneligible, ReasonMissing, PasskeyMissing, StepUpTooMany.
        """
        authority = await self._panel.authority(escalation, principal)
        try:
            await self._step_up.demand(principal, approval_of(escalation, _worded(reason), authority), None)
        except StepUpRequired as required:
            return cast("Mapping[str, object]", required.extras["challenge"])
        return None

    async def revoke(self, escalation_id: str, principal: Principal, reason: str) -> Escalation:
        """Take an approval back before it has answered, as one who may decide, or as the oversight desk.

        Raises:
            EscalationUnknown, ApproverIneligible, ReasonMissing, EscalationMoved.
        """
        escalation = await self._seen(escalation_id, principal)
        if await self._panel.revokes(escalation, principal):
            authority = Authority(person=principal.person, agency=principal.agency, role=principal.role)
        else:
            authority = await self._panel.authority(escalation, principal)
        words = _worded(reason)
        return await self._moves.make(escalation, Move.REVOKE, actor=principal.person, by=authority, reason=words)

    async def may_decide(self, escalation: Escalation, principal: Principal) -> None:
        """Return when a person may decide this escalation.

        Raises:
            ApproverIneligible: they may not; the detail says why.
        """
        await self._panel.authority(escalation, principal)

    async def deciders(self, escalation: Escalation) -> Sequence[Decider]:
        """Return who may decide, those on duty first."""
        return await self._panel.deciders(escalation)

    async def told(self, escalation: Escalation) -> Mapping[str, Json]:
        """Return what the requester is told of who may decide: ``deciders``, or nothing where policy has nothing told."""
        return await self._panel.told(escalation)

    async def reveal(self, escalation_id: str, principal: Principal, reason: str) -> Escalation:
        """Return an escalation to who may decide it and has to know whom it is about, recorded first.

        Raises:
            EscalationUnknown, ApproverIneligible, ReasonMissing.
        """
        escalation = await self._seen(escalation_id, principal)
        await self._panel.authority(escalation, principal)
        words = _worded(reason)
        await self._audit.record(SubjectRevealed(escalation=escalation, actor=principal.person, reason=words))
        return escalation

    async def pattern(self, escalation: Escalation) -> Pattern:
        """Return what the one who asked has asked for lately, and who else asked about the same."""
        asked = escalation.asked
        own = await self._store.listed(agency=asked.agency, person=asked.person, most=PATTERN)
        all_ = await self._store.listed(agency=asked.agency, most=PATTERN)
        return pattern_of(escalation, {each.id: each for each in (*own, *all_)}.values(), self._clock())

    async def cancel(self, escalation_id: str, principal: Principal) -> Escalation:
        """Take an escalation back, as the one who asked.

        Raises:
            EscalationUnknown, ApproverIneligible, EscalationMoved.
        """
        escalation = await self._seen(escalation_id, principal)
        if escalation.asked.person != principal.person:
            raise ApproverIneligible("Only the person who asked can cancel; a supervisor can refuse.")
        return await self._moves.make(escalation, Move.CANCEL, actor=principal.person)

    async def asked(self, escalation_id: str) -> Asked | None:
        """Return what an escalation was opened for, or None: for whoever locks its grant, who is shown none of it."""
        found = await self._store.get(escalation_id)
        return found.asked if found is not None else None

    async def seen(self, escalation_id: str, principal: Principal) -> Escalation:
        """Return an escalation to the one who asked or to who may decide in the same agency.

        Raises:
            EscalationUnknown: there is none, or it is none of theirs.
        """
        return await self._seen(escalation_id, principal)

    async def listed(self, principal: Principal, state: State | None) -> Sequence[Escalation]:
        """Return a person's own escalations, and those of the agency that are theirs to decide."""
        found = [
            *await self._store.listed(state=state, agency=principal.agency, person=principal.person),
            *await self._store.listed(state=state, agency=principal.agency),
            *await self._store.listed(state=state),  # of other agencies, where a stage asks for people of any
        ]
        seen = {each.id: each for each in await self._panel.visible(found, principal)}
        return sorted(seen.values(), key=lambda each: (each.created_at, each.id))

    def generation(self) -> int:
        """Return a number that another one follows whenever an escalation has moved, in any process."""
        return self._store.generation()

    async def wait(self, escalation: Escalation, seconds: float) -> Escalation:
        """Return the escalation once it is no longer pending, or as it is after ``seconds`` or when nobody may wait."""
        return await self.waits.decided(escalation, seconds)

    async def end_waits(self) -> None:
        """Let nobody wait any more: the node is about to stop, and its supervisors may decide elsewhere."""
        await self.waits.end()

    async def sweep(self) -> None:
        """Write down what has expired, and measure what waits."""
        await self._sweep.turn()

    def pending(self) -> Sequence[Escalation]:
        """Return what waits for a decision, as of the last sweep."""
        return self._sweep.pending()

    async def _seen(self, escalation_id: str, principal: Principal) -> Escalation:
        escalation = await self._store.get(escalation_id)
        if escalation is None or not await self._panel.visible([escalation], principal):
            raise EscalationUnknown("There is no such escalation among yours.")
        return escalation


def _asker(principal: Principal) -> Authority:
    return Authority(person=principal.person, agency=principal.agency, role=principal.role)


def _worded(reason: str) -> str:
    words = reason.strip()
    if not MIN_REASON <= len(words) <= MAX_REASON:
        raise ReasonMissing(f"State your reason, or your question, in {MIN_REASON} to {MAX_REASON} characters.")
    return words
