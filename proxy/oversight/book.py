"""What the log's moves do to the store: duties and findings are opened, done and closed, each stretch in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.oversight.duty import Task
from proxy.oversight.finding import OPENS
from proxy.oversight.finding_store import FindingStore
from proxy.oversight.reading import Closed, Done, Late, Told
from proxy.oversight.store import TaskStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.database import Database
    from proxy.oversight.reading import Move


class Book:
    """The store of duties and that of findings. Every move may be repeated."""

    def __init__(self, database: Database, key: bytes) -> None:
        """Take the store and a 32-byte key."""
        self._database = database
        self.tasks = TaskStore(database, key)
        self.findings = FindingStore(database, self.tasks)

    async def take(self, moves: Sequence[Move], *, passed: tuple[str, int] | None = None) -> None:
        """Make the moves; ``passed`` is the log that was read, and how far."""
        async with self._database.begin() as connection:
            for move in moves:
                await self._take(connection, move)
            if passed is not None:
                await self.tasks.passed(connection, *passed)

    async def standing(self, person: str, why: str) -> tuple[Sequence[Task], Sequence[str]]:
        """Return the reviews of the glass that somebody broke, and which of their reviews opened a finding that is open."""
        async with self._database.begin() as connection:
            return await self.tasks.broken(connection, person), await self.findings.of(connection, person, why)

    async def _take(self, connection: AsyncConnection, move: Move) -> None:
        match move:
            case Task():
                await self.tasks.open(connection, move)
            case Done():
                await self._done(connection, move)
            case Late(task=task):
                await self.tasks.late(connection, task)
            case Told(finding=finding):
                await self.findings.told(connection, finding)
            case Closed(finding=finding, disposition=how, at=at, by=by, words=words):
                await self.findings.close(connection, finding, disposition=how, at=at, by=by, words=words)

    async def _done(self, connection: AsyncConnection, move: Done) -> None:
        await self.tasks.done(connection, move.task, outcome=move.outcome, at=move.at, by=move.by, words=move.words)
        task = await self.tasks.one(connection, move.task) if move.outcome in OPENS else None
        if task is not None and task.done_by == move.by:
            await self.findings.open(connection, task, move.at)
