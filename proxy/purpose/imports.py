"""``showcause cases import``: a file into the store, in batches, as often as one likes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from proxy.audit.event import Event
from proxy.purpose.casefile import Rejected, read_cases_file
from proxy.purpose.store import SUBJECT, case_macs, read_cases, write_cases

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from proxy.audit.event import Json
    from proxy.audit.outbox import Outbox
    from proxy.database import Database
    from proxy.purpose.purpose import Case

BATCH: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CasesImported(Event):
    """A batch of cases changed the case directory."""

    kind: ClassVar[str] = "cases-imported"
    added: int
    changed: int
    actor: str

    def facts(self) -> Mapping[str, Json]:
        """Return how many."""
        return {"added": self.added, "changed": self.changed}

    def sealed(self) -> Mapping[str, Json]:
        """Return who did it."""
        return {"actor": self.actor}


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of a file: cases added, changed, found as they were, and lines rejected, in the file's order."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: tuple[Rejected, ...] = ()


async def import_cases(
    database: Database,
    key: bytes,
    path: Path,
    *,
    actor: str,
    outbox: Outbox,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Imported:
    """Import a file of cases, under the store's key, and return what became of each line.

    A line is imported whole or rejected; a batch of lines commits with its event. Importing a file again changes nothing.
    ``progress`` is called with bytes read and bytes in all.

    Raises:
        CaseFileUnusable: the file as a whole cannot be read.
        DatabaseUnusable: the store is not open.
    """
    run = _Run(database, key, actor, outbox)
    for line, found in read_cases_file(path, progress):
        await run.take(line, found)
    return await run.finish()


class _Run:
    """One import under way."""

    def __init__(self, database: Database, key: bytes, actor: str, outbox: Outbox) -> None:
        self._database = database
        self._macs = case_macs(key)
        self._actor = actor
        self._outbox = outbox
        self._batch: dict[str, tuple[int, Case]] = {}
        self._seen: dict[str, tuple[int, int]] = {}
        self.added = self.changed = self.unchanged = 0
        self.rejected: list[Rejected] = []

    async def take(self, line: int, found: Case | Rejected) -> None:
        if isinstance(found, Rejected):
            self.rejected.append(found)
            return
        before = self._seen.get(found.number)
        if before is None:
            self._seen[found.number] = (line, hash(found))
            self._batch[found.number] = (line, found)
        elif before[1] == hash(found):
            self.unchanged += 1
        else:
            # Two lines that disagree: taking the later would make the outcome of a second import differ from the first.
            reason = f"line {before[0]} says something else about this number; that one was taken"
            self.rejected.append(Rejected(line=line, reason=reason))
        if len(self._batch) >= BATCH:
            await self.commit()

    async def finish(self) -> Imported:
        await self.commit()
        return Imported(
            added=self.added,
            changed=self.changed,
            unchanged=self.unchanged,
            rejected=tuple(sorted(self.rejected, key=lambda rejected: rejected.line)),
        )

    async def commit(self) -> None:
        if not self._batch:
            return
        async with self._database.begin() as connection:
            # Take the write lock before reading: two imports at once must not both believe that a number is free.
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            stored = await read_cases(connection, self._macs, self._batch)
            foreign = [number for number, (_, case) in self._batch.items() if _is_foreign(case, stored.get(number))]
            fresh = [case for number, (_, case) in self._batch.items() if number not in foreign and stored.get(number) != case]
            if fresh:
                added = sum(1 for case in fresh if case.number not in stored)
                await write_cases(connection, self._macs, fresh)
                event = CasesImported(added=added, changed=len(fresh) - added, actor=self._actor)
                await self._outbox.put(connection, event)
                await self._database.bump(connection, SUBJECT)
        for number in foreign:
            self.rejected.append(Rejected(line=self._batch[number][0], reason="this number belongs to another agency's case"))
        if fresh:
            self.added += added
            self.changed += len(fresh) - added
        self.unchanged += len(self._batch) - len(fresh) - len(foreign)
        self._batch = {}


def _is_foreign(case: Case, stored: Case | None) -> bool:
    """Tell whether one agency's file would overwrite another agency's case, and with it who has standing in it."""
    return stored is not None and stored.agency != case.agency
