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
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

from proxy.audit.entry import EntryUnreadable, decode, prefix
from proxy.audit.owed import OWED, Duty, owed_by
from proxy.audit.reader import AuditReader
from proxy.audit.sealing import SealBroken
from proxy.database import DatabaseUnusable
from proxy.escalation.lifecycle import ReasonMissing
from proxy.oversight.duty import OUTCOMES, DutyDone, DutyUnknown, Outcome, OutcomeUnknown, State, Task, make_task, matter_of
from proxy.oversight.events import Overseen
from proxy.oversight.store import TaskStore
from proxy.registry.protection import OWN_CAUSE
from proxy.tlog.errors import LogDamaged
from proxy.tlog.store import Cursor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from proxy.audit.entry import Entry
    from proxy.audit.event import AuditLog
    from proxy.audit.sealing import Sealer
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.identity.principal import Principal
    from proxy.oversight.store import Undone
    from proxy.registry.protection import Recognizer
    from proxy.telemetry import Metrics

MIN_WORDS: Final = 8
MAX_WORDS: Final = 1000
MOST_LISTED: Final = 200
_OWES: Final = b'"%s":[{' % OWED.encode()
_ENDS: Final = prefix(Overseen.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    task: str
    outcome: Outcome
    at: datetime
    by: str
    words: str


@dataclass(slots=True)
class _Found:
    """What a stretch of the log holds, in its order."""

    next: int
    moves: list[Task | _End] = field(default_factory=list)


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
        audit: AuditLog,
        recognizer: Recognizer,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        """Wire the room; ``log`` is the directory of the log ``origin``, ``key`` 32 secret bytes."""
        self._database = database
        self._store = TaskStore(database, hmac.digest(key, b"showcause oversight seal", hashlib.sha256))
        self._reader = AuditReader(log, sealer)
        self._log = log
        self._origin = origin
        self._audit = audit
        self._recognizer = recognizer
        self._clock = clock
        self._metrics = metrics
        self._cursor: Cursor | None = None
        self._lock = asyncio.Lock()
        self._listed = -1
        self._waiting: Sequence[Undone] = ()
        self.trouble = ""

    async def follow(self) -> None:
        """Take what the log has grown by, and measure what waits; called again and again, by one task.

        Raises:
            LogDamaged, EntryUnreadable, SealBroken, ValueError: an entry cannot be read; it is tried again from there.
            DatabaseUnusable: the store cannot be used.
        """
        try:
            while await self._step():
                pass
        except DatabaseUnusable:
            self._cursor = None  # what was read is not in the store: it is read again
            raise
        except (LogDamaged, EntryUnreadable, SealBroken, ValueError, OSError):
            self._cursor = None
            self.trouble = "an entry of the log cannot be read, so no notice or review after it is known; run `audit verify`"
            raise
        self.trouble = ""
        await self._measure()

    async def _step(self) -> bool:
        if self._cursor is None:
            self._cursor = Cursor(self._log, await self._store.next(self._origin))
        start = self._cursor.next
        found = await asyncio.to_thread(self._look, self._cursor)
        if found.next == start:
            return False
        async with self._database.begin() as connection:
            for move in found.moves:
                match move:
                    case Task():
                        await self._store.open(connection, move)
                    case _End():
                        await self._store.done(
                            connection, move.task, outcome=move.outcome, at=move.at, by=move.by, words=move.words
                        )
            await self._store.passed(connection, self._origin, found.next)
        return True

    def _look(self, cursor: Cursor) -> _Found:
        found = _Found(next=cursor.next)
        for index, content in cursor.sealed():
            # Looked for as bytes: nearly every entry obliges nobody, and reading them all would cost more than writing them.
            if content.startswith(_ENDS):
                found.moves.append(self._end(decode(index, content)))
            elif _OWES in content:
                found.moves += self._tasks(decode(index, content))
        found.next = cursor.next
        return found

    def _tasks(self, entry: Entry) -> list[Task]:
        place = entry.facts.get("decided", entry.index)
        if type(place) is not int:
            raise ValueError(OWED)
        decided = entry if place == entry.index else self._reader.read(place)
        own = decided is entry
        matter = matter_of(
            decided.facts,
            self._reader.unseal(decided),
            {} if own else entry.facts,
            {} if own else self._reader.unseal(entry),
        )
        reference, agency = f"{self._origin}/{decided.index}", str(decided.facts.get("agency", ""))
        at = datetime.fromisoformat(entry.at)
        return [make_task(owed, reference=reference, agency=agency, at=at, matter=matter) for owed in owed_by(entry.facts)]

    def _end(self, entry: Entry) -> _End:
        sealed = self._reader.unseal(entry)
        return _End(
            task=str(entry.facts["task"]),
            outcome=Outcome(str(entry.facts["outcome"])),
            at=datetime.fromisoformat(entry.at),
            by=str(sealed["actor"]),
            words=str(sealed["words"]),
        )

    async def _measure(self) -> None:
        generation = self._store.generation()
        if generation != self._listed:
            self._waiting = await self._store.undone()
            self._listed = generation
        now = self._clock()
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

    async def listed(self, duty: Duty, principal: Principal, state: State | None) -> Sequence[Task]:
        """Return the duties of a person's role and agency that are theirs to see."""
        done = None if state is None else state is State.DONE
        found = await self._store.listed(duty, role=principal.role, agency=principal.agency, done=done, most=MOST_LISTED)
        now = self._clock()
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
            DutyUnknown, OutcomeUnknown, ReasonMissing, DutyDone.
        """
        if outcome not in OUTCOMES[duty]:
            raise OutcomeUnknown(f"A {duty} ends as {' or '.join(sorted(OUTCOMES[duty]))}.")
        said = words.strip()
        if len(said) > MAX_WORDS or (duty is Duty.REVIEW and len(said) < MIN_WORDS):
            raise ReasonMissing(f"Say what you found in {MIN_WORDS} to {MAX_WORDS} characters.")
        async with self._lock:
            task = await self.seen(duty, task_id, principal)
            if task.done:
                raise DutyDone(f"This {duty} was done already: {task.outcome}.")
            now = self._clock()
            found = Outcome(outcome)
            late = task.at(now) is State.OVERDUE
            await self._audit.record(Overseen(task=task, outcome=found, actor=principal.person, words=said, late=late))
            async with self._database.begin() as connection:
                await self._store.done(connection, task.id, outcome=found, at=now, by=principal.person, words=said)
        return await self._store.get(task_id) or task

    def _theirs(self, task: Task, principal: Principal) -> bool:
        """Tell whether it is this person's to do: their role's, not their own query, and about nobody of theirs.

        Nobody reviews what they agreed to. Where an entry does not hold who asked, nobody can be told apart from them.
        """
        matter = task.matter
        if principal.role != task.role or principal.agency != task.agency or not matter.person:
            return False
        if principal.person == matter.person or (task.duty is Duty.REVIEW and principal.person in matter.approved_by):
            return False
        return not any(
            self._recognizer.recognize(fields, principal).relations & OWN_CAUSE
            for fields in (matter.criteria, *matter.records)
            if fields
        )
