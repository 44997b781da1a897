"""What was told to whom, and what is still to be: rows that any process on this store may take up after a crash.

Nothing here is secret: an id, a role, a channel's name. Times are text whose order is the order in time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, delete, or_, select, update
from sqlalchemy.dialects.sqlite import insert

from proxy.clock import in_order
from proxy.database import METADATA
from proxy.oversight.notification import Delivery, Kind, Told

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.database import Database

SETTLED: Final = timedelta(seconds=10)
_CHUNK: Final = 500

_deliveries: Final = Table(
    "notifications",
    METADATA,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("matter", String, nullable=False),
    Column("role", String, nullable=False),
    Column("step", Integer, nullable=False),
    Column("channel", String, nullable=False),
    Column("state", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created_at", String, nullable=False),
    Column("next_at", String, nullable=False),
    Column("claimed_until", String),
    Column("ended_at", String),
    Column("reported", Boolean, nullable=False),
    Column("heap", String),
    Index("notifications_by_state", "state", "channel", "next_at"),
    Index("notifications_by_report", "reported", "state"),
)


class State(StrEnum):
    """Where a notification stands; what nobody needs to be told any more is dropped."""

    DUE = "due"
    SENT = "sent"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A delivery as it stands in the store."""

    delivery: Delivery
    attempts: int
    created_at: datetime
    ended_at: datetime | None = None


class NotificationStore:
    """Reads and writes; the service owns the rules."""

    def __init__(self, database: Database, claim: timedelta) -> None:
        """Take the store, and how long a process keeps to itself what it has taken up."""
        self._database = database
        self._claim = claim

    async def add(self, deliveries: Iterable[Delivery], now: datetime, *, told: bool = False) -> None:
        """Keep what has to be told, or was within a message about another of its heap; what is known already stays."""
        rows = [
            {
                "id": each.id,
                "kind": str(each.kind),
                "matter": each.matter,
                "role": each.role,
                "step": each.step,
                "channel": each.channel,
                "state": str(State.SENT if told else State.DUE),
                "attempts": 0,
                "created_at": in_order(now),
                "next_at": in_order(now),
                "ended_at": in_order(now) if told else None,
                "reported": False,
                "heap": each.heap,
            }
            for each in deliveries
        ]
        async with self._database.begin() as connection:
            for start in range(0, len(rows), _CHUNK):
                await connection.execute(insert(_deliveries).on_conflict_do_nothing(), rows[start : start + _CHUNK])

    async def known(self) -> dict[str, Told]:
        """Return what became of every notification, by its id."""
        columns = [_deliveries.c[name] for name in ("id", "heap", "role", "step", "channel", "ended_at")]
        async with self._database.begin() as connection:
            return {
                row.id: Told(place=(row.heap or "", row.role, row.step, row.channel), at=_moment(row.ended_at))
                for row in await connection.execute(select(*columns))
            }

    async def drop(self, ids: Collection[str], now: datetime) -> None:
        """Forget notifications whose matter has ended, unless they were sent and the log does not know it yet.

        One that is new or being sent stays: another process may know of a matter that this one has not seen.
        """
        old = _deliveries.c.created_at <= in_order(now - SETTLED)
        unclaimed = _deliveries.c.claimed_until.is_(None) | (_deliveries.c.claimed_until <= in_order(now))
        gone = sorted(ids)
        async with self._database.begin() as connection:
            for start in range(0, len(gone), _CHUNK):
                chunk = _deliveries.c.id.in_(gone[start : start + _CHUNK])
                ended = or_(_deliveries.c.state == str(State.DUE), _deliveries.c.reported)
                await connection.execute(delete(_deliveries).where(chunk, ended, old, unclaimed))

    async def claim(self, channel: str, now: datetime, *, latest: datetime, most: int) -> Sequence[Attempt]:
        """Take what is due on a channel, oldest first; no other process takes it meanwhile.

        What would be due later than ``latest`` is due now: the clock was set back.
        """
        at = in_order(now)
        due = or_(_deliveries.c.next_at <= at, _deliveries.c.next_at > in_order(latest))
        free = or_(
            _deliveries.c.claimed_until.is_(None),
            _deliveries.c.claimed_until <= at,
            _deliveries.c.claimed_until > in_order(now + self._claim),
        )
        statement = select(_deliveries).where(
            _deliveries.c.channel == channel, _deliveries.c.state == str(State.DUE), due, free
        )
        async with self._database.begin() as connection:
            await connection.exec_driver_sql("BEGIN IMMEDIATE")  # else two processes could read the same rows as free
            rows = (await connection.execute(statement.order_by(_deliveries.c.created_at, _deliveries.c.id).limit(most))).all()
            taken = _deliveries.c.id.in_([row.id for row in rows])
            if rows:
                await connection.execute(update(_deliveries).where(taken).values(claimed_until=in_order(now + self._claim)))
        return [_read(row) for row in rows]

    async def ended(self, ids: Sequence[str], state: State, now: datetime) -> None:
        """Mark notifications sent, or given up."""
        async with self._database.begin() as connection:
            await self._write(connection, ids, state=str(state), ended_at=in_order(now), claimed_until=None)

    async def failed(self, ids: Sequence[str], attempts: int, next_at: datetime) -> None:
        """Have them tried again at ``next_at``."""
        async with self._database.begin() as connection:
            await self._write(connection, ids, attempts=attempts, next_at=in_order(next_at), claimed_until=None)

    async def _write(self, connection: AsyncConnection, ids: Sequence[str], **values: object) -> None:
        due = _deliveries.c.state == str(State.DUE)
        await connection.execute(update(_deliveries).where(_deliveries.c.id.in_(ids), due).values(values))

    async def unreported(self, state: State, most: int) -> Sequence[Attempt]:
        """Return what has ended in a state and does not stand in the log, oldest first."""
        statement = select(_deliveries).where(_deliveries.c.state == str(state), _deliveries.c.reported.is_(False))
        async with self._database.begin() as connection:
            rows = (await connection.execute(statement.order_by(_deliveries.c.ended_at, _deliveries.c.id).limit(most))).all()
        return [_read(row) for row in rows]

    async def report(self, ids: Sequence[str]) -> None:
        """Mark what stands in the log now."""
        async with self._database.begin() as connection:
            await connection.execute(update(_deliveries).where(_deliveries.c.id.in_(ids)).values(reported=True))

    async def due(self) -> Sequence[tuple[str, datetime]]:
        """Return the channel and time of each that is still to be sent."""
        statement = select(_deliveries.c.channel, _deliveries.c.created_at).where(_deliveries.c.state == str(State.DUE))
        async with self._database.begin() as connection:
            return [(row.channel, datetime.fromisoformat(row.created_at)) for row in await connection.execute(statement)]


def _read(row: Row[tuple[object, ...]]) -> Attempt:
    kind, heap = Kind(row.kind), row.heap or ""
    delivery = Delivery(kind=kind, matter=row.matter, role=row.role, step=row.step, channel=row.channel, heap=heap)
    created = datetime.fromisoformat(row.created_at)
    return Attempt(delivery=delivery, attempts=row.attempts, created_at=created, ended_at=_moment(row.ended_at))


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
