"""Console sessions in the store: a digest of the cookie, and who signed in. Each row is under a MAC; an altered one is none."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import Boolean, Column, Index, LargeBinary, String, Table, delete, select, update

from proxy.clock import in_order
from proxy.database import METADATA
from proxy.identity.principal import Principal
from proxy.identity.session import Session
from proxy.sealed_columns import RowMacs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.database import Database

SUBJECT: Final = "sessions"

_sessions: Final = Table(
    "console_sessions",
    METADATA,
    Column("mark", String, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("person", String, nullable=False),
    Column("sid", String),
    Column("principal", String, nullable=False),
    Column("enrolled", Boolean, nullable=False),
    Column("begun_at", String, nullable=False),
    Column("seen_at", String, nullable=False),
    Column("mac", LargeBinary, nullable=False),
    Index("console_sessions_by_person", "person"),
    Index("console_sessions_by_sid", "sid"),
)


class SessionStore:
    """Reads and writes; the service owns the rules."""

    def __init__(self, database: Database, key: bytes) -> None:
        """Take the store and its 32-byte key."""
        self._database = database
        self._macs = RowMacs(key, "session")

    def generation(self) -> int:
        """Return the number of commits that began or ended a session, of any process."""
        return self._database.generation(SUBJECT)

    async def insert(self, mark: str, session: Session) -> None:
        """Keep a new session."""
        values = {
            "mark": mark,
            "id": session.id,
            "person": session.principal.person,
            "sid": session.sid,
            "principal": orjson.dumps(asdict(session.principal)).decode(),
            "enrolled": session.enrolled,
            "begun_at": in_order(session.begun_at),
            "seen_at": in_order(session.seen_at),
            "mac": self._macs.of(mark, *_facts(session)),
        }
        async with self._database.begin() as connection:
            await connection.execute(_sessions.insert().values(values))
            await self._database.bump(connection, SUBJECT)

    async def find(self, mark: str) -> Session | None:
        """Return the session of a cookie's digest, or None."""
        async with self._database.begin() as connection:
            found = (await connection.execute(select(_sessions).where(_sessions.c.mark == mark))).one_or_none()
        return self._believed(found) if found is not None else None

    async def listed(self, *, person: str | None = None, sid: str | None = None) -> Sequence[Session]:
        """Return sessions, oldest first."""
        statement = select(_sessions).order_by(_sessions.c.begun_at, _sessions.c.id)
        for column, wanted in ((_sessions.c.person, person), (_sessions.c.sid, sid)):
            if wanted is not None:
                statement = statement.where(column == wanted)
        async with self._database.begin() as connection:
            found = map(self._believed, await connection.execute(statement))
            return [each for each in found if each is not None]

    async def touch(self, mark: str, session: Session) -> None:
        """Write down when somebody was there last."""
        statement = update(_sessions).where(_sessions.c.mark == mark)
        mac = self._macs.of(mark, *_facts(session))
        async with self._database.begin() as connection:
            await connection.execute(statement.values(seen_at=in_order(session.seen_at), mac=mac))

    async def delete(self, connection: AsyncConnection, session: Session) -> bool:
        """Remove a session; False when somebody was faster."""
        gone = (await connection.execute(delete(_sessions).where(_sessions.c.id == session.id))).rowcount == 1
        if gone:
            await self._database.bump(connection, SUBJECT)
        return gone

    def _believed(self, row: Row[Any]) -> Session | None:
        with suppress(ValueError, TypeError, KeyError):  # what is of no form was not written here either
            session = _read(row)
            if self._macs.holds(row.mac, row.mark, *_facts(session)):
                return session
        return None


def _facts(session: Session) -> tuple[object, ...]:
    principal = orjson.dumps(asdict(session.principal)).decode()
    return session.id, principal, session.enrolled, session.sid, in_order(session.begun_at), in_order(session.seen_at)


def _read(row: Row[Any]) -> Session:
    said = orjson.loads(row.principal)
    said |= {"methods": tuple(said["methods"]), "authenticated_at": datetime.fromisoformat(said["authenticated_at"])}
    return Session(
        id=row.id,
        principal=Principal(**said),
        begun_at=datetime.fromisoformat(row.begun_at),
        seen_at=datetime.fromisoformat(row.seen_at),
        enrolled=row.enrolled,
        sid=row.sid,
    )
