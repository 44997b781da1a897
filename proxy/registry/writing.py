"""One transaction of a sealed table, in which its manifest follows every row that is written or removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.sqlite import insert

from proxy.registry import cache
from proxy.registry.sealing import TAG
from proxy.registry.tables import AT_ONCE, CHANGES, tag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Table
    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.registry.sealing import Manifest, Sealing


class Change:
    """One transaction of a table; the manifest follows every row, under the key that it was sealed with."""

    def __init__(
        self,
        rows: Table,
        seal: Callable[[str, bytes, Sealing], bytes],
        connection: AsyncConnection,
        *,
        generation: int | None,
        manifest: Manifest,
        sealing: Sealing,
    ) -> None:
        """Used by ``SealedTable.within`` only; without a ``generation`` nobody has to read anew what is written."""
        self.connection = connection
        self._generation = generation
        self.manifest = manifest
        self.sealing = sealing
        self._rows = rows
        self._seal = seal

    async def put(self, rows: Mapping[str, bytes]) -> None:
        """Write rows by id, new or in the place of older ones."""
        if not rows:
            return
        sealed = {row: self._seal(row, content, self.sealing) for row, content in rows.items()}
        await self._forget(list(rows))
        for row, payload in sealed.items():
            self.manifest = self.manifest.changed(added=self.sealing.row_hash(row, payload[-TAG:]), by=1)
        statement = insert(self._rows)
        statement = statement.on_conflict_do_update(index_elements=["id"], set_={"sealed": statement.excluded.sealed})
        await self.connection.execute(statement, [{"id": row, "sealed": payload} for row, payload in sealed.items()])
        await self._tell(rows)

    async def remove(self, row: str) -> bool:
        """Remove a row; False when there is none."""
        if not await self._forget([row]):
            return False
        await self.connection.execute(self._rows.delete().where(self._rows.c.id == bindparam("row")), {"row": row})
        await self._tell([row])
        return True

    async def _tell(self, rows: Iterable[str]) -> None:
        """Write down that rows are of this generation."""
        if self._generation is None:
            return
        statement = insert(CHANGES)
        statement = statement.on_conflict_do_update(
            index_elements=["subject", "id"], set_={"generation": statement.excluded.generation}
        )
        facts = {"subject": self._rows.name, "generation": self._generation}
        await self.connection.execute(statement, [{**facts, "id": row} for row in rows])

    async def _forget(self, rows: Sequence[str]) -> int:
        """Take the rows there are out of the manifest; return how many."""
        columns = self._rows.c
        found = 0
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            statement = select(columns.id, tag_of(columns.sealed)).where(columns.id.in_(some))
            for row, tag in (await self.connection.execute(statement)).all():
                self.manifest = self.manifest.changed(removed=self.sealing.row_hash(row, bytes(tag or b"")), by=-1)
                found += 1
            await cache.drop(self.connection, self._rows.name, some)
        return found
