"""The duty roster in the store: replaced whole, since a roster of which half is yesterday's would send nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, Index, String, Table, delete, select

from proxy.clock import in_order
from proxy.database import METADATA

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.database import Database
    from proxy.escalation.roster import Shift

SUBJECT: Final = "roster"

_shifts: Final = Table(
    "shifts",
    METADATA,
    Column("person", String, primary_key=True),
    Column("starts_at", String, primary_key=True),
    Column("ends_at", String, nullable=False),
    Index("shifts_by_time", "starts_at", "ends_at"),
)


class RosterStore:
    """Reads, and the one write inside the command line's transaction."""

    def __init__(self, database: Database) -> None:
        """Take the store."""
        self._database = database

    async def replace(self, connection: AsyncConnection, shifts: Sequence[Shift]) -> None:
        """Put a roster in the place of whatever was there; of two turns that begin at one time, the longer."""
        longest = {(shift.person, shift.starts_at): shift for shift in sorted(shifts)}
        rows = [
            {"person": shift.person, "starts_at": in_order(shift.starts_at), "ends_at": in_order(shift.ends_at)}
            for shift in longest.values()
        ]
        await connection.execute(delete(_shifts))
        if rows:
            await connection.execute(_shifts.insert(), rows)
        await self._database.bump(connection, SUBJECT)

    async def on_duty(self, now: datetime) -> frozenset[str] | None:
        """Return who is on duty; None where no roster was ever imported, so that nobody can tell."""
        moment = in_order(now)
        async with self._database.begin() as connection:
            if (await connection.execute(select(_shifts.c.person).limit(1))).first() is None:
                return None
            there = select(_shifts.c.person).where(_shifts.c.starts_at <= moment, _shifts.c.ends_at > moment)
            return frozenset((await connection.execute(there)).scalars())
