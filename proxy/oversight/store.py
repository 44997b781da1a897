"""Duties in the store, who broke the glass, and how far each log was read: all of it can be made anew from the log.

Who asked lies open, what about is sealed (AES-256-GCM, the id as associated data).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import asdict, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, String, Table, and_, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from proxy.audit.owed import BREAK_GLASS, Duty
from proxy.clock import in_order
from proxy.database import METADATA
from proxy.oversight.duty import Matter, Outcome, Task, told_apart
from proxy.sealed_columns import RowMacs, SealedColumns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.database import Database

SUBJECT: Final = "oversight"
MOST_TOLD: Final = 50

_tasks: Final = Table(
    "oversight",
    METADATA,
    Column("id", String, primary_key=True),
    Column("duty", String, nullable=False),
    Column("why", String, nullable=False),
    Column("role", String, nullable=False),
    Column("agency", String, nullable=False),
    Column("reference", String, nullable=False),
    Column("opened_at", String, nullable=False),
    Column("due_at", String),
    Column("done", Boolean, nullable=False, default=False),
    Column("outcome", String),
    Column("done_at", String),
    Column("done_by", String),
    Column("sealed", LargeBinary, nullable=False),
    Column("sealed_words", LargeBinary),
    Column("alike", String),
    Column("mac", LargeBinary, nullable=False),
    Index("oversight_by_role", "done", "role", "agency", "opened_at"),
)

_broken: Final = Table(
    "oversight_broken",
    METADATA,
    Column("task", String, primary_key=True),
    Column("officer", String, nullable=False),
    Column("at", String, nullable=False),
    Index("oversight_broken_by_officer", "officer", "at"),
)
"""Reviews of broken glass by officer, who stands here as a keyed token."""

_late: Final = Table("oversight_late", METADATA, Column("task", String, primary_key=True))
"""Reviews of which the log says that they are overdue."""

_read: Final = Table(
    "oversight_read",
    METADATA,
    Column("origin", String, primary_key=True),
    Column("next", Integer, nullable=False),
)


class Undone(NamedTuple):
    """A duty that nobody has done, as far as it lies open."""

    id: str
    duty: Duty
    role: str
    agency: str
    opened_at: datetime
    due_at: datetime | None
    alike: str | None = None
    """The same for all that one officer asked about the same people, and not who they are."""


class TaskStore:
    """Reads and writes; the service owns the rules."""

    def __init__(self, database: Database, key: bytes) -> None:
        """Take the store and a 32-byte key."""
        self._database = database
        self._key = key
        self.sealed = SealedColumns(key, "duty")
        self._macs = RowMacs(key, "duty")

    def token(self, person: str) -> str:
        """Return by what a person is found here."""
        return hmac.digest(self._key, f"person\0{person}".encode(), hashlib.sha256).hex()

    def _alike(self, matter: Matter) -> str:
        subjects = sorted(matter.entries) or told_apart(matter.criteria)
        return self.token("\0".join((matter.person, *subjects)))

    def generation(self) -> int:
        """Return the number of commits that changed a duty, of any process."""
        return self._database.generation(SUBJECT)

    async def next(self, origin: str) -> int:
        """Return the index of the first entry of a log that was not read yet."""
        async with self._database.begin() as connection:
            found = (await connection.execute(select(_read.c.next).where(_read.c.origin == origin))).scalar()
        return found or 0

    async def passed(self, connection: AsyncConnection, origin: str, next_: int) -> None:
        """Remember, in the caller's transaction, how far a log was read."""
        statement = insert(_read).values(origin=origin, next=next_)
        await connection.execute(statement.on_conflict_do_update(index_elements=["origin"], set_={"next": next_}))

    async def open(self, connection: AsyncConnection, task: Task) -> None:
        """Add a duty, or make a known one that is not done the stricter of both; harmless when repeated."""
        known = await self.one(connection, task.id)
        if known is not None and known.done:
            return
        due = min((each for each in (task.due_at, known.due_at if known else None) if each is not None), default=None)
        stands = replace(task, opened_at=known.opened_at if known else task.opened_at, due_at=due)
        values = {
            "id": task.id,
            "duty": str(task.duty),
            "why": task.why,
            "role": task.role,
            "agency": task.agency,
            "reference": task.reference,
            "opened_at": in_order(stands.opened_at),
            "due_at": in_order(due) if due is not None else None,
            "alike": self._alike(task.matter),
            "sealed": self.sealed.seal(orjson.dumps(asdict(task.matter)), task.id, "matter"),
            "mac": self._macs.of(*_facts(stands)),
        }
        statement = insert(_tasks).values(**values, done=False)
        await connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))
        if task.duty is Duty.REVIEW and task.why == BREAK_GLASS:
            broken = {"task": task.id, "officer": self.token(task.matter.person), "at": values["opened_at"]}
            await connection.execute(insert(_broken).values(**broken).on_conflict_do_nothing())
        await self._database.bump(connection, SUBJECT)

    async def done(
        self, connection: AsyncConnection, task_id: str, *, outcome: Outcome, at: datetime, by: str, words: str
    ) -> bool:
        """Mark a duty done; False when it was already, or is not there."""
        known = await self.one(connection, task_id)
        if known is None:
            return False
        stands = replace(known, done=True, outcome=outcome, done_at=at, done_by=by, words=words)
        statement = update(_tasks).where(_tasks.c.id == task_id, _tasks.c.done.is_(False))
        values: dict[str, Any] = {"done": True, "outcome": str(outcome), "done_at": in_order(at), "done_by": by}
        values |= {"sealed_words": self.sealed.seal(words.encode(), task_id, "words"), "mac": self._macs.of(*_facts(stands))}
        changed = (await connection.execute(statement.values(values))).rowcount == 1
        if changed:
            await self._database.bump(connection, SUBJECT)
        return changed

    async def late(self, connection: AsyncConnection, task_id: str) -> None:
        """Remember that the log says that a review is overdue."""
        await connection.execute(insert(_late).values(task=task_id).on_conflict_do_nothing())
        await self._database.bump(connection, SUBJECT)

    async def lapsed(self, origin: str, now: datetime) -> Sequence[Task]:
        """Return the reviews of one log's queries that are overdue, and of which the log does not say so yet."""
        wanted = (
            _tasks.c.duty == str(Duty.REVIEW),
            _tasks.c.done.is_(False),
            _tasks.c.due_at <= in_order(now),
            _tasks.c.reference.startswith(f"{origin}/", autoescape=True),
            _tasks.c.id.not_in(select(_late.c.task)),
        )
        return await self._select(select(_tasks).where(*wanted).order_by(_tasks.c.due_at).limit(MOST_TOLD))

    async def broken(self, connection: AsyncConnection, person: str) -> Sequence[Task]:
        """Return the reviews of the glass that somebody broke, oldest first."""
        joined = _tasks.join(_broken, _broken.c.task == _tasks.c.id)
        statement = select(_tasks).select_from(joined).where(_broken.c.officer == self.token(person)).order_by(_broken.c.at)
        return [await self._task(connection, row) for row in (await connection.execute(statement)).all()]

    async def get(self, task_id: str) -> Task | None:
        """Return one duty, or None."""
        async with self._database.begin() as connection:
            return await self.one(connection, task_id)

    async def listed(
        self, duty: Duty, *, role: str, agency: str, done: bool | None, most: int, instead: bool = False
    ) -> Sequence[Task]:
        """Return the duties of a role: the oldest that are to be done, or else the newest, oldest first.

        ``instead`` adds the reviews of broken glass that are overdue, whose ever they are.
        """
        theirs = _tasks.c.role == role
        if instead:
            theirs = or_(theirs, and_(_tasks.c.why == BREAK_GLASS, _tasks.c.id.in_(select(_late.c.task))))
        statement = select(_tasks).where(_tasks.c.duty == str(duty), theirs, _tasks.c.agency == agency)
        if done is not None:
            statement = statement.where(_tasks.c.done.is_(done))
        if done is False:
            return await self._select(statement.order_by(_tasks.c.opened_at, _tasks.c.id).limit(most))
        return (await self._select(statement.order_by(_tasks.c.opened_at.desc(), _tasks.c.id).limit(most)))[::-1]

    async def undone(self) -> Sequence[Undone]:
        """Return what is to be done at all, by whom, and by when."""
        columns = (_tasks.c[name] for name in Undone._fields)
        async with self._database.begin() as connection:
            rows = await connection.execute(select(*columns).where(_tasks.c.done.is_(False)))
            return [
                Undone(
                    row.id,
                    Duty(row.duty),
                    row.role,
                    row.agency,
                    datetime.fromisoformat(row.opened_at),
                    datetime.fromisoformat(row.due_at) if row.due_at else None,
                    row.alike,
                )
                for row in rows
            ]

    async def one(self, connection: AsyncConnection, task_id: str) -> Task | None:
        """Return one duty, or None, in the caller's transaction."""
        row = (await connection.execute(select(_tasks).where(_tasks.c.id == task_id))).one_or_none()
        return await self._task(connection, row) if row is not None else None

    async def _select(self, statement: Select[Any]) -> list[Task]:
        async with self._database.begin() as connection:
            return [await self._task(connection, row) for row in (await connection.execute(statement)).all()]

    async def _task(self, connection: AsyncConnection, row: Row[Any]) -> Task:
        late = (await connection.execute(select(_late.c.task).where(_late.c.task == row.id))).scalar()
        task = Task(
            id=row.id,
            duty=Duty(row.duty),
            why=row.why,
            role=row.role,
            agency=row.agency,
            reference=row.reference,
            opened_at=datetime.fromisoformat(row.opened_at),
            due_at=datetime.fromisoformat(row.due_at) if row.due_at else None,
            matter=Matter(**orjson.loads(self.sealed.open(row.sealed, row.id, "matter"))),
            done=row.done,
            outcome=Outcome(row.outcome) if row.outcome else None,
            done_at=datetime.fromisoformat(row.done_at) if row.done_at else None,
            done_by=row.done_by,
            words=self.sealed.open(row.sealed_words, row.id, "words").decode() if row.sealed_words else None,
            overdue=late is not None,
        )
        if not self._macs.holds(row.mac, *_facts(task)):
            # A review that nobody did must not count as done, nor one that is due as due later.
            msg = f"duty {row.id} was altered in the store, or the key is another"
            raise ValueError(msg)
        return task


def _facts(task: Task) -> tuple[object, ...]:
    times = [in_order(each) if each is not None else None for each in (task.opened_at, task.due_at, task.done_at)]
    what = (task.id, task.duty, task.why, task.role, task.agency, task.reference)
    return (*what, times, task.done, task.outcome, task.done_by, task.words)
