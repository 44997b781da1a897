"""The queue of notices and reviews: opened from the log, done by a person, each move in the log before it takes effect.

The log is the queue. A duty stands in the entry that gives rise to it (``audit.owed``), and the entry ``overseen`` ends it;
``follow`` reads the log as it grows and keeps rows that can be listed. So a crash between the entry and its row loses nothing,
and a store that was lost or put back from a backup is brought up to date at the next start.

A query with a duty takes no longer than one without, and shows nowhere in the log's numbers. Each turn of ``follow`` makes one
commit whenever the log has grown, whether or not anything was owed: else the disk would tell who tries a concealed name.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from proxy.audit.entry import EntryUnreadable
from proxy.audit.owed import BREAK_GLASS, Duty
from proxy.audit.reader import AuditReader
from proxy.audit.sealing import SealBroken
from proxy.clock import steady
from proxy.database import DatabaseUnusable
from proxy.escalation.glass import ReviewsUnreadable
from proxy.escalation.lifecycle import ApproverIneligible, ReasonMissing
from proxy.oversight.book import Book
from proxy.oversight.breaking import must_be_free
from proxy.oversight.duty import DutyDone, DutyUnknown, Outcome, OutcomeUnknown, State
from proxy.oversight.events import Overseen
from proxy.oversight.finding import OVERSEER, FindingOpened
from proxy.oversight.overdue import Lapsed
from proxy.oversight.reading import Done, Reading
from proxy.registry.protection import OWN_CAUSE
from proxy.tlog.errors import LogDamaged
from proxy.tlog.store import Cursor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from proxy.audit.sealing import Sealer
    from proxy.audit.service import AuditTrail
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.identity.principal import Principal
    from proxy.oversight.duty import Task
    from proxy.oversight.store import Undone
    from proxy.policy.budgets import Glass
    from proxy.registry.protection import Recognizer
    from proxy.telemetry import Metrics

MIN_WORDS: Final = 8
MAX_WORDS: Final = 1000
MOST_LISTED: Final = 200
RECIPROCAL: Final = timedelta(days=90)
"""For so long nobody reviews the emergencies of whoever reviewed theirs."""
_TROUBLE: Final = "an entry of the log cannot be read, so no notice or review after it is known; run `audit verify`"
_UNREADABLE: Final = (LogDamaged, EntryUnreadable, SealBroken, ValueError, KeyError, OSError)


class Oversight:
    """The room's use cases. ``trouble`` says why duties are not being opened, or nothing."""

    def __init__(
        self,
        *,
        database: Database,
        key: bytes,
        log: Path,
        origin: str,
        sealer: Sealer,
        audit: AuditTrail,
        recognizer: Recognizer,
        clock: Clock,
        metrics: Metrics,
        monotonic: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Wire the room; ``log`` is the directory of the log ``origin``, ``key`` 32 secret bytes."""
        self.book = Book(database, hmac.digest(key, b"showcause oversight seal", hashlib.sha256))
        self._store = self.book.tasks
        self._reading = Reading(AuditReader(log, sealer), origin)
        self._log = log
        self._origin = origin
        self.audit = audit
        self._recognizer = recognizer
        self.clock = steady(clock, monotonic)
        self._metrics = metrics
        self._cursor: Cursor | None = None
        self.lock = asyncio.Lock()
        self._following = asyncio.Lock()
        self._breaking = asyncio.Lock()
        self._listed = -1
        self._waiting: Sequence[Undone] = ()
        self.trouble = ""

    async def begin(self) -> None:
        """See that the log is no shorter than what was read of it, before anything is written.

        Raises:
            LogDamaged: it is: an older copy of its folder was put back beside a newer store, or its end was cut off.
            DatabaseUnusable: the store cannot be used.
        """
        size, read = self.audit.log.head.size, await self._store.next(self._origin)
        if size < read:
            msg = (
                f"the log in {self._log} has {size} entries, and {read} of it had been read: an older copy of its folder was "
                "put back, or its end was cut off. Put the newer folder back. Where there is none, set a new `origin` and run "
                "`showcause audit new-origin --reason …`; what the lost entries held stays lost"
            )
            raise LogDamaged(msg, size)

    async def follow(self) -> None:
        """Take what the log has grown by, tell what is overdue, and measure what waits; called again and again, by one task.

        Raises:
            LogDamaged, EntryUnreadable, SealBroken, ValueError: an entry cannot be read; it is tried again from there.
            DatabaseUnusable: the store cannot be used.
            AuditUnavailable: what is overdue could not be recorded.
        """
        await self.catch_up()
        await self._measure()
        await self._tell()

    async def catch_up(self) -> None:
        """Take what the log has grown by: then the store knows every entry that was durable before. Raises as ``follow``."""
        async with self._following:
            # What the log grows by meanwhile is for the next turn: on a busy node, this one would not end.
            size = self.audit.log.head.size
            try:
                while await self._step(size):
                    pass
            except DatabaseUnusable:
                self._cursor = None  # what was read is not in the store: it is read again
                raise
            except _UNREADABLE:
                self._cursor = None
                self.trouble = _TROUBLE
                raise
            self.trouble = ""

    async def _step(self, size: int) -> bool:
        """Take a stretch of the first ``size`` entries; false when that was the last."""
        if self._cursor is None:
            start = await self._store.next(self._origin)
            self._cursor = Cursor(self._log, start)
            # A clock that was set back while we were away does not go back behind what is written.
            self.clock.reach(await asyncio.to_thread(self._reading.time_before, start))
        start = self._cursor.next
        found = await asyncio.to_thread(self._reading.look, self._cursor, size)
        if found.next == start:
            return False
        self.clock.reach(found.latest)
        await self.book.take(found.moves, passed=(self._origin, found.next))
        return found.next < size

    async def _measure(self) -> None:
        generation = self._store.generation()
        if generation != self._listed:
            self._waiting = await self._store.undone()
            self._metrics.findings_open.set(await self.book.findings.count_open())
            self._listed = generation
        now = self.clock()
        for duty, waiting, overdue in (
            (Duty.NOTICE, self._metrics.notices_unacknowledged, self._metrics.notices_overdue),
            (Duty.REVIEW, self._metrics.reviews_due, self._metrics.reviews_overdue),
        ):
            times = [each.due_at for each in self._waiting if each.duty is duty]
            waiting.set(len(times))
            overdue.set(sum(1 for due in times if due is not None and now >= due))

    def undone(self) -> Sequence[Undone]:
        """Return what nobody has done, as of the last look."""
        return self._waiting

    async def _tell(self) -> None:
        """Write down which reviews are overdue, and which findings were opened: the entries oblige whoever is next.

        A crash behind the entry tells nobody twice: the log is read before anything is told.
        """
        now = self.clock()
        if any(each.duty is Duty.REVIEW and each.due_at is not None and now >= each.due_at for each in self._waiting):
            for task in await self._store.lapsed(self._origin, now):
                await self.audit.record(Lapsed(task=task, decided=_index(task)))
        for task in await self.book.findings.untold():
            await self._open_finding(task)
        await self.catch_up()

    async def _open_finding(self, task: Task) -> None:
        if task.reference.rpartition("/")[0] == self._origin:
            await self.audit.record(FindingOpened(task=task, decided=_index(task)))

    @asynccontextmanager
    async def breaking(self, person: str, allowance: Glass) -> AsyncIterator[None]:
        """Hold the register while somebody breaks the glass; implements ``escalation.glass.Register``.

        The log is read to its end before: a review that was found unjustified a moment ago counts, and so does the glass that
        the same officer broke a moment ago. One at a time, so that two queries at once do not both pass as the last allowed.

        Raises:
            BreakGlassBlocked: a review of theirs is overdue, or found one unjustified.
            BudgetSpent: they have broken as many as they may.
            ReviewsUnreadable: it cannot be told; nothing is opened.
        """
        async with self._breaking:
            try:
                await self.catch_up()
                broken, found = await self.book.standing(person, BREAK_GLASS)
            except (DatabaseUnusable, *_UNREADABLE) as error:
                raise ReviewsUnreadable(
                    "Earlier emergencies cannot be looked at, so none is answered now. Send it without exigent: a supervisor"
                    " can agree.",
                    retry_after=5,
                ) from error
            must_be_free(broken, found, allowance, self.clock())
            yield

    async def listed(self, duty: Duty, principal: Principal, state: State | None) -> Sequence[Task]:
        """Return the duties of a person's role and agency that are theirs to see."""
        done = None if state is None else state is State.DONE
        role, agency = principal.role, principal.agency
        found = await self._store.listed(
            duty, role=role, agency=agency, done=done, most=MOST_LISTED, instead=role == OVERSEER and duty is Duty.REVIEW
        )
        now = self.clock()
        return [
            task
            for task in found
            if self._theirs(task, principal) and (state is not State.OVERDUE or task.at(now) is State.OVERDUE)
        ]

    async def seen(self, duty: Duty, task_id: str, principal: Principal) -> Task:
        """Return one duty.

        Raises:
            DutyUnknown: there is none, or it is none of theirs.
        """
        task = await self._store.get(task_id)
        if task is None or task.duty is not duty or not self._theirs(task, principal):
            raise DutyUnknown("There is nothing of that number for you to look at.")
        return task

    async def finish(self, duty: Duty, task_id: str, principal: Principal, *, outcome: str, words: str) -> Task:
        """Acknowledge a notice, or close a review with its outcome, recorded first.

        Raises:
            DutyUnknown, OutcomeUnknown, ReasonMissing, DutyDone, ApproverIneligible.
        """
        said = must_say_why(words, least=MIN_WORDS if duty is Duty.REVIEW else 0)
        async with self.lock:
            task = await self.seen(duty, task_id, principal)
            if outcome not in task.outcomes:
                raise OutcomeUnknown(f"This {duty} ends as {' or '.join(sorted(task.outcomes))}.")
            if task.done:
                raise DutyDone(f"This {duty} was done already: {task.outcome}.")
            await self._require_no_exchange(task, principal)
            now = self.clock()
            done = Done(task=task.id, outcome=Outcome(outcome), at=now, by=principal.person, words=said)
            late = task.at(now) is State.OVERDUE
            await self.audit.record(Overseen(task=task, outcome=done.outcome, actor=done.by, words=said, late=late))
            await self.book.take([done])
        return await self._store.get(task_id) or task

    async def _require_no_exchange(self, task: Task, principal: Principal) -> None:
        """Return when the two do not review each other's emergencies, each returning what the other found."""
        if task.duty is not Duty.REVIEW or task.why != BREAK_GLASS:
            return
        own, _ = await self.book.standing(principal.person, BREAK_GLASS)
        since = self.clock() - RECIPROCAL
        if any(each.done_by == task.matter.person and each.done_at is not None and each.done_at > since for each in own):
            raise ApproverIneligible("They reviewed an emergency of yours, so somebody else has to review theirs.")

    def _theirs(self, task: Task, principal: Principal) -> bool:
        """Tell whether it is this person's to do: their role's, not their own query, and about nobody of theirs.

        The oversight desk stands in where nobody has reviewed broken glass in time. Nobody reviews what they agreed to, or what
        was asked for them. Where an entry does not hold who asked, nobody can be told apart from them.
        """
        matter = task.matter
        instead = principal.role == OVERSEER and task.overdue and task.duty is Duty.REVIEW and task.why == BREAK_GLASS
        if (principal.role != task.role and not instead) or principal.agency != task.agency or not matter.person:
            return False
        involved = (*matter.approved_by, *matter.asked_for)
        if principal.person == matter.person or (task.duty is Duty.REVIEW and principal.person in involved):
            return False
        return not self.own_cause(task, principal)

    def own_cause(self, task: Task, principal: Principal) -> bool:
        """Tell whether a query concerns this person, or somebody close."""
        matter = task.matter
        return any(
            self._recognizer.recognize(fields, principal).relations & OWN_CAUSE
            for fields in (matter.criteria, *matter.records)
            if fields
        )


def must_say_why(words: str, *, least: int) -> str:
    """Return the words, trimmed.

    Raises:
        ReasonMissing: they are too few or too many.
    """
    said = words.strip()
    if not least <= len(said) <= MAX_WORDS:
        raise ReasonMissing(f"Say what you found in {max(least, 1)} to {MAX_WORDS} characters.")
    return said


def _index(task: Task) -> int:
    return int(task.reference.rpartition("/")[2])
