"""A sealed table as it was at one moment, read in batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, LargeBinary, cast, literal, literal_column, select, tuple_

from proxy.registry.tables import AT_ONCE, CHANGES, tag_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy import ColumnElement, Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.registry.sealing import Manifest, Sealing


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A table at one moment: the rows changed since some generation, or, where it is not known which, the ``whole`` of them."""

    connection: AsyncConnection
    rows: Table
    since: int | None
    generation: int
    manifest: Manifest
    sealing: Sealing

    @property
    def whole(self) -> bool:
        """Tell whether these are all the rows there are."""
        return self.since is None

    async def batches(self) -> AsyncIterator[Sequence[tuple[str, bytes | None]]]:
        """Yield rows with their payloads, or None for one that is no longer there."""
        column = cast(self.rows.c.sealed, LargeBinary)
        async for found in self._walk(column) if self.since is None else self._changed(self.since, column):
            yield [(row, None if sealed is None else bytes(sealed)) for row, sealed in found]

    async def tags(self) -> AsyncIterator[tuple[str, bytes]]:
        """Yield every row with the tag of its payload."""
        async for found in self._walk(tag_of(self.rows.c.sealed)):
            for row, tag in found:
                yield row, bytes(tag or b"")

    async def _walk(self, column: ColumnElement[bytes]) -> AsyncIterator[Sequence[tuple[str, Any]]]:
        place: ColumnElement[int] = literal_column("rowid", Integer)
        statement = select(place, self.rows.c.id, column).select_from(self.rows).order_by(place).limit(AT_ONCE)
        found = (await self.connection.execute(statement)).all()
        while found:
            yield [(row, sealed) for _, row, sealed in found]
            found = (await self.connection.execute(statement.where(place > found[-1][0]))).all()

    async def _changed(self, since: int, column: ColumnElement[bytes]) -> AsyncIterator[Sequence[tuple[str, Any]]]:
        changes = CHANGES.c
        statement = (
            select(changes.id, changes.generation, column)
            .select_from(CHANGES.outerjoin(self.rows, self.rows.c.id == changes.id))
            .where(changes.subject == self.rows.name)
            .order_by(changes.generation, changes.id)
            .limit(AT_ONCE)
        )
        found = (await self.connection.execute(statement.where(changes.generation > since))).all()
        while found:
            yield [(row, sealed) for row, _, sealed in found]
            row, generation, _ = found[-1]
            later = tuple_(changes.generation, changes.id) > tuple_(literal(generation), literal(row))
            found = (await self.connection.execute(statement.where(later))).all()
