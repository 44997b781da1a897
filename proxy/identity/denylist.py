"""Who was signed out: a list in the store, so that it holds in every process, from the next query on.

What is kept are digests and times. A row lives as long as anything could still be presented that it is about.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from sqlalchemy import Column, String, Table, delete
from sqlalchemy.dialects.sqlite import insert

from proxy.clock import in_order
from proxy.database import METADATA, DatabaseUnusable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.database import Database

SUBJECT: Final = "tokens"

_revocations: Final = Table(
    "token_revocations",
    METADATA,
    Column("mark", String, primary_key=True),
    Column("before", String, nullable=False),
    Column("until", String, nullable=False),
)
_logouts: Final = Table(
    "logout_tokens",
    METADATA,
    Column("mark", String, primary_key=True),
    Column("until", String, nullable=False),
)


class Of(StrEnum):
    """What was revoked: all of an account's, all of a session's, one token, or all of a person's."""

    ACCOUNT = "sub"
    SESSION = "sid"
    TOKEN = "jti"  # noqa: S105 -- the claim's name
    PERSON = "person"


class Denylist:
    """The list as it is in memory, loaded anew after each commit that changed it."""

    def __init__(self, database: Database) -> None:
        """Take the store."""
        self._database = database
        self._generation = -1
        self._before: dict[str, datetime] = {}

    def refuses(
        self,
        *,
        account: str,
        person: str,
        issued_at: datetime,
        signed_in_at: datetime,
        session: str | None = None,
        token_id: str | None = None,
    ) -> bool:
        """Tell whether a token, or a session of the console, was ended; no waiting, some microseconds.

        A person who was signed out here has to sign in anew: a token that was refreshed since does not do.

        Raises:
            DatabaseUnusable: the store cannot be read, so nobody can tell.
        """
        self._refresh()
        if not self._before:
            return False
        looked_up = [(Of.ACCOUNT, account, issued_at), (Of.PERSON, person, signed_in_at)]
        if session is not None:
            looked_up.append((Of.SESSION, session, issued_at))
        if token_id is not None:
            looked_up.append((Of.TOKEN, token_id, issued_at))
        return any((before := self._before.get(mark(of, value))) is not None and at <= before for of, value, at in looked_up)

    async def add(self, connection: AsyncConnection, of: Of, value: str, *, before: datetime, until: datetime) -> None:
        """Revoke what was issued up to ``before``; the row is kept until nothing of it could be presented any more."""
        row = {"mark": mark(of, value), "before": in_order(before), "until": in_order(until)}
        statement = insert(_revocations).values(row)
        newer = statement.excluded
        later = {"before": newer.before, "until": newer.until}
        statement = statement.on_conflict_do_update(
            index_elements=["mark"], set_=later, where=newer.before > _revocations.c.before
        )
        await connection.execute(statement)
        await self._database.bump(connection, SUBJECT)

    async def first(self, connection: AsyncConnection, token_id: str, *, until: datetime, now: datetime) -> bool:
        """Remember a logout token; False when it was used before. What is over is forgotten on the way."""
        for table in (_logouts, _revocations):
            await connection.execute(delete(table).where(table.c.until < in_order(now)))
        statement = insert(_logouts).values(mark=mark(Of.TOKEN, token_id), until=in_order(until)).on_conflict_do_nothing()
        return (await connection.execute(statement)).rowcount == 1

    def _refresh(self) -> None:
        generation = self._database.generation(SUBJECT)
        if generation != self._generation:
            # The number is read before the rows: a commit in between costs one more load, never a missed revocation.
            self._before = dict(self._load())
            self._generation = generation

    def _load(self) -> Iterator[tuple[str, datetime]]:
        uri = f"file:{quote(str(self._database.path.absolute()))}?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
                for name, before in connection.execute("SELECT mark, before FROM token_revocations"):
                    yield name, datetime.fromisoformat(before)
        except sqlite3.Error as error:
            msg = f"{self._database.path} cannot be read: {error}"
            raise DatabaseUnusable(msg) from error


def mark(of: Of, value: str) -> str:
    """Return what is stored of something revoked."""
    return hashlib.sha256(f"{of}\0{value}".encode()).hexdigest()
