"""Locking and lifting: each is in the log before it takes effect, and a lost store is made anew from there.

A lock's row is written inside a transaction that is committed once its entry is durable. From the entry on it holds in this
process, whatever becomes of the store; what could not be written is tried again. A start reads the log from where the store
last stood: a crash between the two, or a store that was put back to an older copy, loses no lock.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from proxy.audit.entry import EntryUnreadable, decode, prefix
from proxy.audit.reader import AuditReader
from proxy.audit.sealing import SealBroken
from proxy.database import DatabaseUnusable
from proxy.escalation.lifecycle import ReasonMissing
from proxy.escalation.lock_events import LockAdded, LockEnded
from proxy.escalation.lock_rules import (
    AUDITOR,
    CLOCK,
    LockIneligible,
    LockOver,
    LockRules,
    LockTargetInvalid,
    LockTargetUnknown,
    LockUnknown,
    target_of,
)
from proxy.escalation.lock_store import ending_of, lock_of
from proxy.escalation.locks import EVERYWHERE, Ending, Kind, Lock, LocksStale, LocksUnreadable
from proxy.identity.passkeys import Thing
from proxy.tlog.errors import LogDamaged
from proxy.tlog.store import Cursor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.audit.event import AuditLog
    from proxy.audit.sealing import Sealer
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.escalation.lifecycle import Asked
    from proxy.escalation.lock_store import LockStore
    from proxy.escalation.locks import Locks
    from proxy.identity.principal import Principal
    from proxy.identity.stepup import StepUp
    from proxy.policy.vocabulary import Reach
    from proxy.registry.protection import Recognizer
    from proxy.telemetry import Metrics

MIN_REASON: Final = 8
MAX_REASON: Final = 1000
MOST_LISTED: Final = 500
UNLOCK: Final = "unlock"
_ADDED: Final = prefix(LockAdded.kind)
_ENDED: Final = prefix(LockEnded.kind)

Seen = tuple[Lock, Ending | None]
_T = TypeVar("_T")


class LockDesk:
    """The room's use cases of locks. ``table`` is the policy's: which roles may, and how far they reach."""

    def __init__(
        self,
        *,
        locks: Locks,
        store: LockStore,
        database: Database,
        audit: AuditLog,
        table: Callable[[], Mapping[str, Reach]],
        asked: Callable[[str], Awaitable[Asked | None]],
        recognizer: Recognizer,
        step_up: StepUp,
        clock: Clock,
        monotonic: Callable[[], float],
        metrics: Metrics,
        knows: Callable[[Kind, str], Awaitable[bool]] | None = None,
    ) -> None:
        """Wire the room; ``knows`` tells whether anybody has ever heard of a target.

        ``asked`` tells what an escalation is for; ``monotonic`` counts seconds, whatever the clock is set to.
        """
        self._locks = locks
        self._store = store
        self._asked = asked
        self._database = database
        self._audit = audit
        self._table = table
        self._rules = LockRules(recognizer)
        self._step_up = step_up
        self._clock = clock
        self._monotonic = monotonic
        self._began = (clock(), monotonic())
        self._metrics = metrics
        self.knows = knows or _anything
        self._moving = asyncio.Lock()

    async def add(
        self,
        principal: Principal,
        kind: Kind,
        said: str,
        *,
        reason: str,
        until: datetime | None = None,
        anyway: bool = False,
    ) -> Lock:
        """Lock something, from this moment here and from the next query on elsewhere; ``anyway`` also what nobody knows.

        Raises:
            LockIneligible, LockTargetInvalid, LockTargetUnknown, ReasonMissing.
            Locked, LocksStale, AuditUnavailable: nothing was locked.
        """
        agency = self._reach(principal)
        words, now = _worded(reason), self._clock()
        target = target_of(kind, said)
        if until is not None and until <= now:
            raise LockTargetInvalid("The lock would have ended already: `until` lies in the past.")
        if self._rules.own_cause(kind, target, principal):
            raise LockIneligible("Nobody locks what concerns themselves or theirs; another person has to.")
        if kind is Kind.GRANT:
            await self._require_grant(target, agency)
        if not anyway and not await self.knows(kind, said.strip() if kind is Kind.CASE else target):
            raise LockTargetUnknown(
                f"No {kind} of this name is known: nothing is stopped yet. Look at the spelling, or say that it is meant."
            )
        lock = Lock(
            id=secrets.token_hex(16),
            kind=kind,
            target=target,
            named=said.strip(),
            agency=agency,
            by=principal.person,
            role=principal.role,
            reason=words,
            created_at=now,
            until=until,
        )
        try:
            async with self._writing() as connection:
                await self._audit.record(LockAdded(lock=lock))
                self._locks.hold(lock)
                await self._store.insert(connection, lock)
        except DatabaseUnusable:
            if self.spread(lock):
                raise
            return lock  # it is in the log and holds here; the others learn of it once the store can be written
        self._locks.let_go(lock.id)
        return lock

    async def lift(self, lock_id: str, principal: Principal, *, reason: str, assertion: str | None = None) -> Seen:
        """End a lock, as another person than who locked and than who is locked, confirmed with a passkey.

        Raises:
            LockIneligible, LockUnknown, LockOver, ReasonMissing.
            StepUpRequired, StepUpFailed, StepUpTooMany, PasskeyMissing: it is not confirmed.
            Locked, LocksStale, AuditUnavailable, DatabaseUnusable: the lock holds on.
        """
        words = _worded(reason)
        lock, ending = await self.seen(lock_id, principal)
        await self._require_lifter(lock, principal)
        if ending is not None:
            raise LockOver("This lock has ended already.")
        thing = Thing.of(UNLOCK, lock.id, {"lock": lock.id, "kind": lock.kind, "target": lock.target, "reason": words})
        confirmed = await self._step_up.demand(principal, thing, assertion)
        self._reach(principal)  # whoever was locked, or lost their role, while they looked for the passkey
        end = Ending(by=principal.person, role=principal.role, reason=words, at=self._clock())
        event = LockEnded(lock=lock, ending=end, confirmed=confirmed.facts(), evidence=confirmed.sealed())
        await self._end(event)
        return lock, end

    async def hindrance(self, lock: Lock, principal: Principal) -> str:
        """Return in words why somebody may not lift a lock that they see, or nothing where they may."""
        try:
            await self._require_lifter(lock, principal)
        except LockIneligible as ineligible:
            return ineligible.detail
        return ""

    def may_lock(self, role: str) -> bool:
        """Tell whether a role may lock anything."""
        return role in self._table()

    def may_read(self, role: str) -> bool:
        """Tell whether a role may see any lock."""
        return role == AUDITOR or self.may_lock(role)

    async def seen(self, lock_id: str, principal: Principal) -> Seen:
        """Return a lock and how it ended, to who may see it.

        Raises:
            LockIneligible, LockUnknown.
        """
        reach = self._view(principal)
        async with self._database.begin() as connection:
            found = await self._readable(self._store.get(connection, lock_id))
        if found is None or not self._rules.sees(reach, found[0], principal):
            raise LockUnknown("There is no such lock among yours.")
        return found

    async def listed(self, principal: Principal, *, active: bool | None = None) -> Sequence[Seen]:
        """Return the newest locks that are somebody's to see, newest first; those that hold, those that ended, or all.

        Raises:
            LockIneligible: none are.
        """
        reach = self._view(principal)
        async with self._database.begin() as connection:
            found = await self._readable(self._store.newest(connection, MOST_LISTED, active=active))
        return [each for each in found if self._rules.sees(reach, each[0], principal)]

    def spread(self, lock: Lock) -> bool:
        """Tell whether every process knows of a lock by now, and not this one alone."""
        return all(held.id != lock.id for held in self._locks.held)

    async def sweep(self) -> None:
        """Write what could not be written, end what has an end, and measure what holds; called again and again.

        Raises:
            LocksStale: nobody can tell what is locked.
            AuditUnavailable, DatabaseUnusable: it is tried again.
        """
        for lock in self._locks.held:
            async with self._writing() as connection:
                await self._store.insert(connection, lock)
            self._locks.let_go(lock.id)
        active = self._locks.active()
        for kind in Kind:
            self._metrics.locks_active.labels(kind).set(sum(1 for lock in active if lock.kind is kind))
        now = self._credible_now()
        for lock in active:
            if lock.until is not None and now >= lock.until:
                words = "the time that it was set for has passed"
                with suppress(LockOver):
                    await self._end(LockEnded(lock=lock, ending=Ending(by=CLOCK, role="", reason=words, at=now)))

    async def recover(self, log: Path, origin: str, sealer: Sealer) -> None:
        """Bring the store up to this node's log, before the first query; where that cannot be done, everything is stopped."""
        try:
            cursor = Cursor(log, await self._store.next(origin))
            moves = await asyncio.to_thread(_moves, cursor, AuditReader(log, sealer))
            async with self._writing() as connection:
                for move in moves:
                    match move:
                        case Lock():
                            await self._store.insert(connection, move)
                        case (lock_id, ending):
                            await self._store.end(connection, lock_id, ending)
                await self._store.passed(connection, origin, cursor.next)
        except (LogDamaged, EntryUnreadable, SealBroken, ValueError, KeyError, TypeError, OSError):
            self._locks.trouble = "an entry of the log about a lock cannot be read; run `audit verify`"

    def _credible_now(self) -> datetime:
        """Return the earlier of the clock and what this process counted: a clock that leaps ahead ends no lock."""
        at, counted = self._began
        return min(self._clock(), at + timedelta(seconds=self._monotonic() - counted))

    def _reach(self, principal: Principal) -> str:
        self._locks.check(principal, case=None, subjects=(), grant=None)
        return self._rules.reach(self._table(), principal)

    def _view(self, principal: Principal) -> str:
        self._locks.check(principal, case=None, subjects=(), grant=None)
        return self._rules.view(self._table(), principal)

    async def _require_lifter(self, lock: Lock, principal: Principal) -> None:
        self._reach(principal)
        asked = await self._asked(lock.target) if lock.kind is Kind.GRANT else None
        self._rules.may_lift(lock, principal, asked.person if asked is not None else None)

    async def _require_grant(self, grant: str, agency: str) -> None:
        asked = await self._asked(grant)
        if asked is None or agency not in {EVERYWHERE, asked.agency}:
            raise LockTargetInvalid("There is no such escalation.")

    async def _readable(self, reading: Awaitable[_T]) -> _T:
        try:
            return await reading
        except LocksUnreadable as unreadable:
            self._locks.trouble = str(unreadable)
            raise LocksStale from None

    async def _end(self, event: LockEnded) -> None:
        async with self._writing() as connection:
            found = await self._readable(self._store.get(connection, event.lock.id))
            if found is None or found[1] is not None:
                raise LockOver("This lock has ended already.")
            await self._audit.record(event)
            await self._store.end(connection, event.lock.id, event.ending)

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncConnection]:
        """Yield a transaction in which nobody else moves a lock, in this process or another."""
        async with self._moving, self._database.begin() as connection:
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection


async def _anything(_kind: Kind, _target: str) -> bool:
    return True


def _worded(reason: str) -> str:
    words = reason.strip()
    if not MIN_REASON <= len(words) <= MAX_REASON:
        raise ReasonMissing(f"State the reason in {MIN_REASON} to {MAX_REASON} characters.")
    return words


def _moves(cursor: Cursor, reader: AuditReader) -> list[Lock | tuple[str, Ending]]:
    """Return what a stretch of the log says of locks, in its order. Looked for as bytes: nearly every entry says nothing."""
    found: list[Lock | tuple[str, Ending]] = []
    while passed := cursor.stored():
        for stored in passed:
            if stored.entry.startswith(_ADDED):
                found.append(lock_of(reader.unseal(decode(*stored))))
            elif stored.entry.startswith(_ENDED):
                members = reader.unseal(decode(*stored))
                ending = members["ending"]
                assert isinstance(ending, dict)
                found.append((str(members["lock"]), ending_of(ending)))
    return found
