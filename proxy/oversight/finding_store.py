"""Findings in the store; like the duties, all of it can be made anew from the log."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Boolean, Column, Index, String, Table, select, update
from sqlalchemy.dialects.sqlite import insert

from proxy.clock import in_order
from proxy.database import METADATA
from proxy.oversight.finding import Disposition, Finding, finding_id
from proxy.oversight.store import SUBJECT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row, Select
    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.database import Database
    from proxy.oversight.duty import Task
    from proxy.oversight.store import TaskStore

_findings: Final = Table(
    "oversight_findings",
    METADATA,
    Column("id", String, primary_key=True),
    Column("task", String, nullable=False),
    Column("agency", String, nullable=False),
    Column("officer", String, nullable=False),
    Column("why", String, nullable=False),
    Column("opened_at", String, nullable=False),
    Column("told", Boolean, nullable=False, default=False),
    Column("disposition", String),
    Column("closed_at", String),
    Column("closed_by", String),
    Column("sealed_words", String),
    Index("oversight_findings_by_agency", "agency", "opened_at"),
    Index("oversight_findings_by_officer", "officer"),
)


class FindingStore:
    """Reads and writes; the service owns the rules."""

    def __init__(self, database: Database, tasks: TaskStore) -> None:
        """Take the store, and that of the reviews that open findings."""
        self._database = database
        self._tasks = tasks

    async def open(self, connection: AsyncConnection, task: Task, at: datetime) -> None:
        """Add the finding that a review opened; harmless when repeated."""
        values = {
            "id": finding_id(task.id),
            "task": task.id,
            "agency": task.agency,
            "officer": self._tasks.token(task.matter.person),
            "why": task.why,
            "opened_at": in_order(at),
        }
        await connection.execute(insert(_findings).values(**values, told=False).on_conflict_do_nothing())
        await self._database.bump(connection, SUBJECT)

    async def told(self, connection: AsyncConnection, finding: str) -> None:
        """Remember that a finding has its entry."""
        await connection.execute(update(_findings).where(_findings.c.id == finding).values(told=True))
        await self._database.bump(connection, SUBJECT)

    async def close(
        self, connection: AsyncConnection, finding: str, *, disposition: Disposition, at: datetime, by: str, words: str
    ) -> None:
        """Close a finding that is open."""
        values: dict[str, Any] = {"disposition": str(disposition), "closed_at": in_order(at), "closed_by": by}
        values["sealed_words"] = self._tasks.sealed.seal(words.encode(), finding, "words").hex()
        wanted = (_findings.c.id == finding, _findings.c.disposition.is_(None))
        await connection.execute(update(_findings).where(*wanted).values(values))
        await self._database.bump(connection, SUBJECT)

    async def untold(self) -> Sequence[Task]:
        """Return the reviews whose finding has no entry yet."""
        return [finding.task for finding in await self._select(select(_findings).where(_findings.c.told.is_(False)))]

    async def count_open(self) -> int:
        """Return how many are open."""
        async with self._database.begin() as connection:
            found = await connection.execute(select(_findings.c.id).where(_findings.c.disposition.is_(None)))
            return len(found.all())

    async def of(self, connection: AsyncConnection, person: str, why: str) -> Sequence[str]:
        """Return the reviews of somebody that opened a finding which is open."""
        wanted = (_findings.c.officer == self._tasks.token(person), _findings.c.why == why)
        rows = await connection.execute(select(_findings.c.id, _findings.c.task, _findings.c.sealed_words).where(*wanted))
        return [task for finding, task, words in rows if not self._closed(finding, words)]

    def _closed(self, finding: str, words: str | None) -> bool:
        """Tell whether somebody closed a finding: by their words, which were sealed here, and not by what a column says."""
        if words is None:
            return False
        self._tasks.sealed.open(bytes.fromhex(words), finding, "words")
        return True

    async def get(self, finding: str) -> Finding | None:
        """Return one, or None."""
        found = await self._select(select(_findings).where(_findings.c.id == finding))
        return found[0] if found else None

    async def listed(self, agency: str, most: int) -> Sequence[Finding]:
        """Return the newest of an agency, oldest first."""
        statement = select(_findings).where(_findings.c.agency == agency)
        return (await self._select(statement.order_by(_findings.c.opened_at.desc(), _findings.c.id).limit(most)))[::-1]

    async def _select(self, statement: Select[Any]) -> list[Finding]:
        async with self._database.begin() as connection:
            rows = (await connection.execute(statement)).all()
        return [finding for row in rows if (finding := await self._finding(row)) is not None]

    async def _finding(self, row: Row[Any]) -> Finding | None:
        task = await self._tasks.get(row.task)
        if task is None:
            return None
        finding = Finding(id=row.id, task=task)
        if row.disposition is None:
            return finding
        return replace(
            finding,
            disposition=Disposition(row.disposition),
            closed_at=datetime.fromisoformat(row.closed_at),
            closed_by=row.closed_by,
            words=self._tasks.sealed.open(bytes.fromhex(row.sealed_words), row.id, "words").decode(),
        )
