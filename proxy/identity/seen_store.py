"""The provider's people in the store: a row each, in which a newer token's word replaces an older one's."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, String, Table, delete
from sqlalchemy.dialects.sqlite import insert

from proxy.clock import in_order
from proxy.database import METADATA
from proxy.identity.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.database import Database

SUBJECT: Final = "seen"

_seen: Final = Table(
    "seen_people",
    METADATA,
    Column("person", String, primary_key=True),
    Column("agency", String, nullable=False),
    Column("roles", String, nullable=False),
    Column("issued_at", String, nullable=False),
    Column("seen_at", String, nullable=False),
)


class SeenStore:
    """Reads without waiting, for memory; writes."""

    def __init__(self, database: Database) -> None:
        """Take the store."""
        self._database = database

    def generation(self) -> int:
        """Return the number of commits that changed anybody, of any process."""
        return self._database.generation(SUBJECT)

    def load(self) -> dict[str, Seen]:
        """Return everybody by personnel id.

        Raises:
            DatabaseUnusable: the file cannot be read.
        """
        rows = self._database.rows("SELECT person, agency, roles, issued_at, seen_at FROM seen_people")
        return {
            person: Seen(
                person=person,
                agency=agency,
                roles=frozenset(roles.split()),
                issued_at=datetime.fromisoformat(issued_at),
                seen_at=datetime.fromisoformat(seen_at),
            )
            for person, agency, roles, issued_at, seen_at in rows
        }

    async def keep(self, people: Iterable[Seen]) -> None:
        """Write down who was seen; what another process has from a newer token stays."""
        async with self._database.begin() as connection:
            for each in people:
                statement = insert(_seen).values(
                    person=each.person,
                    agency=each.agency,
                    roles=" ".join(sorted(each.roles)),
                    issued_at=in_order(each.issued_at),
                    seen_at=in_order(each.seen_at),
                )
                new = statement.excluded
                await connection.execute(
                    statement.on_conflict_do_update(
                        index_elements=["person"],
                        set_={"agency": new.agency, "roles": new.roles, "issued_at": new.issued_at, "seen_at": new.seen_at},
                        where=new.issued_at >= _seen.c.issued_at,
                    )
                )
            await self._database.bump(connection, SUBJECT)

    async def forget(self, connection: AsyncConnection, people: Iterable[str]) -> None:
        """Remove these, until they are seen again."""
        await connection.execute(delete(_seen).where(_seen.c.person.in_(list(people))))
        await self._database.bump(connection, SUBJECT)
