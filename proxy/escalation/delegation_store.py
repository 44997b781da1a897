"""Delegations in the store: who stands in for whom, and when, is no secret among colleagues, and nobody's to write but ours.

Each row is under a MAC. One that was altered is not passed over: who may decide cannot be told then.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, Index, LargeBinary, String, Table, or_, select, update

from proxy.clock import in_order
from proxy.database import METADATA
from proxy.escalation.delegation import Delegation
from proxy.sealed_columns import RowMacs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.database import Database

SUBJECT: Final = "delegations"

_delegations: Final = Table(
    "delegations",
    METADATA,
    Column("id", String, primary_key=True),
    Column("delegator", String, nullable=False),
    Column("delegate", String, nullable=False),
    Column("agency", String, nullable=False),
    Column("role", String, nullable=False),
    Column("starts_at", String, nullable=False),
    Column("ends_at", String, nullable=False),
    Column("created_at", String, nullable=False),
    Column("ended_at", String),
    Column("ended_by", String),
    Column("mac", LargeBinary, nullable=False),
    Index("delegations_by_delegator", "delegator", "ends_at"),
    Index("delegations_by_delegate", "delegate", "ends_at"),
)


class DelegationStore:
    """Reads, and writes that are committed once their entry is durable."""

    def __init__(self, database: Database, key: bytes) -> None:
        """Take the store and a 32-byte key."""
        self._database = database
        self._macs = RowMacs(key, "delegation")

    @asynccontextmanager
    async def inserting(self, delegation: Delegation) -> AsyncIterator[Sequence[Delegation]]:
        """Add one, committed at the end of the block unless that raises; yield every other that touches either of the two."""
        values = {
            "id": delegation.id,
            "delegator": delegation.delegator,
            "delegate": delegation.delegate,
            "agency": delegation.agency,
            "role": delegation.role,
            "starts_at": in_order(delegation.starts_at),
            "ends_at": in_order(delegation.ends_at),
            "created_at": in_order(delegation.created_at),
            "mac": self._macs.of(*_facts(delegation)),
        }
        async with self._database.begin() as connection:
            # The row first: it takes the write lock, so that of two who make a chain together the later sees the earlier.
            await connection.execute(_delegations.insert().values(values))
            await self._database.bump(connection, SUBJECT)
            found = await self._of(connection, {delegation.delegator, delegation.delegate}, delegation.starts_at)
            yield [each for each in found if each.id != delegation.id]

    @asynccontextmanager
    async def ending(self, delegation: Delegation, *, by: str, now: datetime) -> AsyncIterator[bool]:
        """End one, committed at the end of the block unless that raises; yield False where there was nothing to end."""
        statement = update(_delegations).where(
            _delegations.c.id == delegation.id, _delegations.c.ended_at.is_(None), _delegations.c.ends_at > in_order(now)
        )
        async with self._database.begin() as connection:
            mac = self._macs.of(*_facts(replace(delegation, ended_at=now, ended_by=by)))
            ended = (await connection.execute(statement.values(ended_at=in_order(now), ended_by=by, mac=mac))).rowcount == 1
            if ended:
                await self._database.bump(connection, SUBJECT)
            yield ended

    async def get(self, delegation_id: str) -> Delegation | None:
        """Return one, or None."""
        async with self._database.begin() as connection:
            row = (await connection.execute(select(_delegations).where(_delegations.c.id == delegation_id))).first()
        return self._read(row) if row is not None else None

    async def of(self, persons: set[str], since: datetime) -> Sequence[Delegation]:
        """Return those that touch any of some persons and were not over at ``since``, oldest first."""
        async with self._database.begin() as connection:
            return await self._of(connection, persons, since)

    async def all(self, since: datetime) -> Sequence[Delegation]:
        """Return those that were not over at ``since``, oldest first."""
        async with self._database.begin() as connection:
            return await self._of(connection, None, since)

    async def _of(self, connection: AsyncConnection, persons: set[str] | None, since: datetime) -> Sequence[Delegation]:
        statement = select(_delegations).where(_delegations.c.ends_at > in_order(since))
        if persons is not None:
            either = or_(_delegations.c.delegator.in_(sorted(persons)), _delegations.c.delegate.in_(sorted(persons)))
            statement = statement.where(either)
        rows = (await connection.execute(statement.order_by(_delegations.c.starts_at, _delegations.c.id))).all()
        return [each for each in map(self._read, rows) if since < each.over_at]

    def _read(self, row: Row[Any]) -> Delegation:
        found = Delegation(
            id=row.id,
            delegator=row.delegator,
            delegate=row.delegate,
            agency=row.agency,
            role=row.role,
            starts_at=datetime.fromisoformat(row.starts_at),
            ends_at=datetime.fromisoformat(row.ends_at),
            created_at=datetime.fromisoformat(row.created_at),
            ended_at=datetime.fromisoformat(row.ended_at) if row.ended_at else None,
            ended_by=row.ended_by,
        )
        if not self._macs.holds(row.mac, *_facts(found)):
            msg = f"delegation {row.id} was altered in the store, or the key is another"
            raise ValueError(msg)
        return found


def _facts(delegation: Delegation) -> tuple[object, ...]:
    times = (delegation.starts_at, delegation.ends_at, delegation.created_at, delegation.ended_at)
    who = (delegation.delegator, delegation.delegate, delegation.agency, delegation.role, delegation.ended_by)
    return (delegation.id, *who, *(in_order(each) if each is not None else None for each in times))
