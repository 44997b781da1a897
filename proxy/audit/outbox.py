"""Events of a process that changes the store beside a running server.

Only one process writes the log. A command that changes the store puts its event into the same transaction, so that there is no
change without its event; whoever holds the log drains the table in order: the server, or the command itself when no
server runs.

Exactly once, across crashes: a row is *claimed* with the log's size before it is appended, and deleted after. A row that is
found claimed was interrupted in between; the log is searched from that size on for the row's id, and only if it is not
there the row is appended. Rows are authenticated with the body key in all their parts, so who can write to the store cannot
write to the log through it: a row that does not hold is dropped, and that is recorded.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, cast
from uuid import UUID

import orjson
from sqlalchemy import Column, Integer, LargeBinary, String, Table, Text, delete, insert, select, update

from proxy.audit.entry import EntryUnreadable
from proxy.audit.errors import AuditUnavailable
from proxy.audit.event import Party
from proxy.audit.events import OutboxRejected
from proxy.audit.reader import AuditReader
from proxy.audit.sealing import SealBroken
from proxy.audit.shredding import shredded_by
from proxy.clock import stamp
from proxy.database import METADATA
from proxy.tlog.errors import LogDamaged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.audit.event import Event, Json
    from proxy.audit.sealing import Sealer
    from proxy.audit.service import AuditTrail
    from proxy.clock import Clock
    from proxy.database import Database

SUBJECT: Final = "outbox"
DRAIN_ROWS: Final = 256
_USE: Final = "outbox"

OUTBOX: Final = Table(
    "outbox",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("kind", String, nullable=False),
    Column("about", String, nullable=False),
    Column("queued_at", String, nullable=False),
    Column("facts", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("claimed", Integer),
    sqlite_autoincrement=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    id: str
    kind: str
    about: str
    queued_at: str
    facts: str
    payload: bytes
    claimed: int | None

    @property
    def bound(self) -> tuple[str, ...]:
        return (self.id, self.kind, self.about, self.queued_at, self.facts)


class Outbox:
    """The table, from both ends."""

    def __init__(self, database: Database, sealer: Sealer, clock: Clock, randomness: Callable[[int], bytes]) -> None:
        """Use an open store; ``randomness`` gives row ids."""
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._randomness = randomness
        self._seen = -1

    async def put(self, connection: AsyncConnection, event: Event) -> str:
        """Queue an event in the caller's transaction, and return its row: it is recorded if, and only if, that commits."""
        row = {
            "id": str(UUID(bytes=self._randomness(16), version=4)),
            "kind": event.kind,
            "about": event.about,
            "queued_at": stamp(self._clock()),
            "facts": orjson.dumps(dict(event.facts())).decode(),
        }
        content: dict[str, Json] = {"parties": [list(party) for party in event.parties()], "sealed": dict(event.sealed())}
        payload = self._sealer.seal(content, use=_USE, bound=tuple(row.values()))
        await connection.execute(insert(OUTBOX).values(**row, payload=payload))
        await self._database.bump(connection, SUBJECT)
        return row["id"]

    def waiting(self) -> bool:
        """Tell whether anything was queued since the last complete drain; some microseconds.

        Raises:
            DatabaseUnusable: the store cannot be read.
        """
        return self._database.generation(SUBJECT) != self._seen

    async def drain(self, trail: AuditTrail) -> int:
        """Move everything that waits into the log, in order; return how many entries were written. One drain at a time.

        Raises:
            AuditUnavailable: the log did not take it; what is left waits.
            DatabaseUnusable: the store cannot be read.
        """
        generation = self._database.generation(SUBJECT)
        written = 0
        while rows := await self._claim(trail.log.head.size):
            recorded, ordered = await asyncio.to_thread(_recorded, trail, rows)
            await trail.shred(ordered)
            for row in rows:
                if row.id not in recorded:
                    await self._record(trail, row)
                    written += 1
            async with self._database.begin() as connection:
                await connection.execute(delete(OUTBOX).where(OUTBOX.c.id.in_([row.id for row in rows])))
        self._seen = generation
        return written

    async def _claim(self, size: int) -> Sequence[_Row]:
        """Return the oldest rows, as they were before this call marked them."""
        columns = [column for column in OUTBOX.c if column.name != "seq"]
        async with self._database.begin() as connection:
            found = (await connection.execute(select(*columns).order_by(OUTBOX.c.seq).limit(DRAIN_ROWS))).mappings().all()
            rows = [_Row(**row) for row in found]
            fresh = [row.id for row in rows if row.claimed is None]
            if fresh:
                await connection.execute(update(OUTBOX).where(OUTBOX.c.id.in_(fresh)).values(claimed=size))
        return rows

    async def _record(self, trail: AuditTrail, row: _Row) -> None:
        try:
            content = self._sealer.unseal(row.payload, use=_USE, bound=row.bound)
        except SealBroken:
            claimed = sha256(orjson.dumps(row.bound) + row.payload).hexdigest()
            await trail.record(OutboxRejected(outbox=row.id, claimed=claimed))
            return
        parties = cast("list[list[str]]", content["parties"])
        await trail.record_parts(
            kind=row.kind,
            about=row.about,
            facts={**orjson.loads(row.facts), "outbox": row.id, "queued_at": row.queued_at},
            parties=[Party(kind, value) for kind, value in parties],
            sealed=cast("Mapping[str, Json]", content["sealed"]),
        )


def _recorded(trail: AuditTrail, rows: Sequence[_Row]) -> tuple[set[str], list[int]]:
    """Return the ids, among rows claimed by an earlier drain, that are in the log already, and what they order to be shredded.

    A tombstone's row stays until the bodies are gone. What it orders is read from the log, never from the row.
    """
    interrupted = {row.id: row.claimed for row in rows if row.claimed is not None}
    if not interrupted:
        return set(), []
    start = min(interrupted.values())
    found: set[str] = set()
    ordered: list[int] = []
    try:
        for entry in AuditReader(trail.log.directory).entries(start, trail.log.head.size):
            for key in ("outbox", "rejected"):
                value = entry.facts.get(key)
                if isinstance(value, str) and value in interrupted:
                    found.add(value)
                    ordered += shredded_by(entry)
    except (LogDamaged, EntryUnreadable, OSError) as error:
        raise AuditUnavailable("The log cannot be read; run `showcause audit verify`.") from error
    return found, ordered
