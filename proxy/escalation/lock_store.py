"""Locks in the store: what kind and since when lies open, whom they stop and why is sealed (AES-256-GCM, bound to the id).

A row is never deleted, and its lock has ended only where the sealed end opens: to take a lock away, one needs the key.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, select, update
from sqlalchemy.dialects.sqlite import insert

from proxy.database import METADATA
from proxy.escalation.locks import Ending, Kind, Lock, LocksUnreadable
from proxy.sealed_columns import SealedColumns

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.database import Database

SUBJECT: Final = "locks"

_locks: Final = Table(
    "locks",
    METADATA,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("created_at", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("sealed_end", LargeBinary),
    Index("locks_by_time", "created_at"),
)
_read: Final = Table(
    "locks_read",
    METADATA,
    Column("origin", String, primary_key=True),
    Column("next", Integer, nullable=False),
)
_ACTIVE: Final = "SELECT id, sealed FROM locks WHERE sealed_end IS NULL"
_ONE: Final = "SELECT id, sealed, sealed_end FROM locks WHERE id = ?"


class LockStore:
    """Reads for memory without waiting; writes inside the caller's transaction."""

    def __init__(self, database: Database, key: bytes) -> None:
        """Take the store and a 32-byte key."""
        self._database = database
        self._sealed = SealedColumns(key, "lock")

    def generation(self) -> int:
        """Return the number of commits that changed a lock, of any process."""
        return self._database.generation(SUBJECT)

    def active(self, known: Collection[str]) -> Sequence[Lock]:
        """Return every lock that has not ended: some microseconds each, and only after a change.

        Raises:
            DatabaseUnusable: the store cannot be read.
            LocksUnreadable: a row does not open, or a known lock is neither there nor ended.
        """
        found = {lock_id: self._lock(lock_id, sealed) for lock_id, sealed in self._database.rows(_ACTIVE)}
        for lock_id in set(known) - found.keys():
            rows = self._database.rows(_ONE, lock_id)
            if not rows:
                msg = f"lock {lock_id} is gone from the store: it was altered, or put back to an older state"
                raise LocksUnreadable(msg)
            if rows[0][2] is not None:
                self._ending(lock_id, rows[0][2])
        return tuple(found.values())

    async def insert(self, connection: AsyncConnection, lock: Lock) -> None:
        """Add a lock; harmless when it is there."""
        sealed = self._seal(asdict(lock), lock.id, "lock")
        values = {"id": lock.id, "kind": str(lock.kind), "created_at": lock.created_at.isoformat(), "sealed": sealed}
        await connection.execute(insert(_locks).values(values).on_conflict_do_nothing())
        await self._database.bump(connection, SUBJECT)

    async def end(self, connection: AsyncConnection, lock_id: str, ending: Ending) -> bool:
        """End a lock; False when it is not there, or has ended."""
        statement = update(_locks).where(_locks.c.id == lock_id, _locks.c.sealed_end.is_(None))
        sealed = self._seal(asdict(ending), lock_id, "end")
        ended = (await connection.execute(statement.values(sealed_end=sealed))).rowcount == 1
        if ended:
            await self._database.bump(connection, SUBJECT)
        return ended

    async def get(self, connection: AsyncConnection, lock_id: str) -> tuple[Lock, Ending | None] | None:
        """Return one lock and how it ended, or None.

        Raises:
            LocksUnreadable: its row does not open.
        """
        row = (await connection.execute(select(_locks).where(_locks.c.id == lock_id))).one_or_none()
        return self._whole(row) if row is not None else None

    async def newest(
        self, connection: AsyncConnection, most: int, *, active: bool | None = None
    ) -> Sequence[tuple[Lock, Ending | None]]:
        """Return locks and how they ended, the newest first: those that hold, that ended, or all; raises as ``get``."""
        statement = select(_locks).order_by(_locks.c.created_at.desc(), _locks.c.id).limit(most)
        if active is not None:
            statement = statement.where(_locks.c.sealed_end.is_(None) if active else _locks.c.sealed_end.is_not(None))
        return [self._whole(row) for row in await connection.execute(statement)]

    async def next(self, origin: str) -> int:
        """Return the index of the first entry of a log that was not read yet."""
        async with self._database.begin() as connection:
            return (await connection.execute(select(_read.c.next).where(_read.c.origin == origin))).scalar() or 0

    async def passed(self, connection: AsyncConnection, origin: str, next_: int) -> None:
        """Remember, in the caller's transaction, how far a log was read."""
        statement = insert(_read).values(origin=origin, next=next_)
        await connection.execute(statement.on_conflict_do_update(index_elements=["origin"], set_={"next": next_}))

    def _whole(self, row: Any) -> tuple[Lock, Ending | None]:
        return self._lock(row.id, row.sealed), self._ending(row.id, row.sealed_end) if row.sealed_end is not None else None

    def _lock(self, lock_id: str, sealed: bytes) -> Lock:
        return lock_of(self._open(sealed, lock_id, "lock"))

    def _ending(self, lock_id: str, sealed: bytes) -> Ending:
        return ending_of(self._open(sealed, lock_id, "end"))

    def _seal(self, plain: Mapping[str, object], row: str, column: str) -> bytes:
        return self._sealed.seal(orjson.dumps(plain), row, column)

    def _open(self, sealed: bytes, row: str, column: str) -> Mapping[str, Any]:
        try:
            found: Mapping[str, Any] = orjson.loads(self._sealed.open(sealed, row, column))
        except (ValueError, TypeError) as error:
            # Whom it stops nobody can say, so it stops everybody.
            msg = f"lock {row} cannot be opened: it was altered, or the key is another"
            raise LocksUnreadable(msg) from error
        return found


def lock_of(members: Mapping[str, Any]) -> Lock:
    """Return the lock of its members as JSON has them."""
    until = members["until"]
    return Lock(
        **{
            **members,
            "kind": Kind(members["kind"]),
            "created_at": datetime.fromisoformat(members["created_at"]),
            "until": datetime.fromisoformat(until) if until else None,
        }
    )


def ending_of(members: Mapping[str, Any]) -> Ending:
    """Return the end of a lock of its members as JSON has them."""
    return Ending(**{**members, "at": datetime.fromisoformat(members["at"])})
