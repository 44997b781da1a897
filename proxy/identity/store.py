"""Credentials in the store: keys as digests, certificates as URIs. The server reads them all and keeps them in memory.

Each row is under a MAC: who can write the store but has no key would else enroll themselves, as anybody. A row that was altered
is passed over, as if it were gone.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from sqlalchemy import Column, Index, LargeBinary, String, Table, select, update

from proxy.clock import in_order
from proxy.database import METADATA, DatabaseUnusable
from proxy.identity.credential import Credential, Holder, Kind
from proxy.sealed_columns import RowMacs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.database import Database

SUBJECT: Final = "identities"

_credentials: Final = Table(
    "credentials",
    METADATA,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("mark", String, nullable=False),
    Column("person", String, nullable=False),
    Column("agency", String, nullable=False),
    Column("role", String, nullable=False),
    Column("unit", String),
    Column("terminal", String, nullable=False),
    Column("created_at", String, nullable=False),
    Column("expires_at", String),
    Column("revoked_at", String),
    Column("mac", LargeBinary, nullable=False),
    Index("credentials_by_mark", "mark"),
    Index("credentials_by_person", "person"),
)
_SELECT_ALL: Final = (
    "SELECT id, kind, mark, person, agency, role, unit, terminal, created_at, expires_at, revoked_at, mac"
    " FROM credentials ORDER BY created_at, id"
)


class CredentialStore:
    """Reads without waiting for the server's memory; writes inside the command line's transaction."""

    def __init__(self, database: Database, key: bytes) -> None:
        """Take the store and its 32-byte key."""
        self._database = database
        self._macs = RowMacs(key, "credential")
        self.altered: frozenset[str] = frozenset()
        """The ids of the rows that the last load passed over."""

    def generation(self) -> int:
        """Return the number of commits that changed a credential, of any process."""
        return self._database.generation(SUBJECT)

    def load(self) -> list[Credential]:
        """Return every credential, oldest first. It blocks, for about a millisecond per hundred, and only after a change.

        Raises:
            DatabaseUnusable: the file cannot be read.
        """
        uri = f"file:{quote(str(self._database.path.absolute()))}?mode=ro"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
                connection.row_factory = sqlite3.Row
                rows = connection.execute(_SELECT_ALL).fetchall()
        except sqlite3.Error as error:
            msg = f"{self._database.path} cannot be read: {error}"
            raise DatabaseUnusable(msg) from error
        believed = self._believed(rows)
        self.altered = frozenset(row["id"] for row in rows) - {each.id for each in believed}
        return believed

    async def insert(self, connection: AsyncConnection, credential: Credential) -> None:
        """Add a credential."""
        holder = credential.holder
        await connection.execute(
            _credentials.insert().values(
                id=credential.id,
                kind=str(credential.kind),
                mark=credential.mark,
                person=holder.person,
                agency=holder.agency,
                role=holder.role,
                unit=holder.unit,
                terminal=holder.terminal,
                created_at=_text(credential.created_at),
                expires_at=_text(credential.expires_at),
                mac=self._macs.of(*_facts(credential)),
            ),
        )
        await self._database.bump(connection, SUBJECT)

    async def revoke(self, connection: AsyncConnection, credential_id: str, now: datetime) -> bool:
        """Revoke a credential; False when it is unknown or was revoked before."""
        for credential in await self.listed(connection, credential_id=credential_id):
            mac = self._macs.of(*_facts(replace(credential, revoked_at=now)))
            statement = update(_credentials).where(_credentials.c.id == credential_id, _credentials.c.revoked_at.is_(None))
            if (await connection.execute(statement.values(revoked_at=_text(now), mac=mac))).rowcount == 1:
                await self._database.bump(connection, SUBJECT)
                return True
        return False

    async def listed(
        self,
        connection: AsyncConnection,
        *,
        person: str | None = None,
        mark: str | None = None,
        credential_id: str | None = None,
    ) -> Sequence[Credential]:
        """Return credentials, oldest first."""
        statement = select(_credentials).order_by(_credentials.c.created_at, _credentials.c.id)
        for column, wanted in (
            (_credentials.c.person, person),
            (_credentials.c.mark, mark),
            (_credentials.c.id, credential_id),
        ):
            if wanted is not None:
                statement = statement.where(column == wanted)
        return self._believed((await connection.execute(statement)).mappings().all())

    def _believed(self, rows: Iterable[sqlite3.Row | RowMapping]) -> list[Credential]:
        found = []
        for row in rows:
            with suppress(ValueError):  # a holder of no form was not written here either
                credential = _read(row)
                if self._macs.holds(row["mac"], *_facts(credential)):
                    found.append(credential)
        return found


def _facts(credential: Credential) -> tuple[object, ...]:
    holder, times = credential.holder, (credential.created_at, credential.expires_at, credential.revoked_at)
    who = (holder.person, holder.agency, holder.role, holder.unit, holder.terminal)
    return (credential.id, credential.kind, credential.mark, *who, *map(_text, times))


def _read(row: sqlite3.Row | RowMapping) -> Credential:
    return Credential(
        id=row["id"],
        kind=Kind(row["kind"]),
        mark=row["mark"],
        holder=Holder(person=row["person"], agency=row["agency"], role=row["role"], unit=row["unit"], terminal=row["terminal"]),
        created_at=datetime.fromisoformat(row["created_at"]),
        expires_at=_moment(row["expires_at"]),
        revoked_at=_moment(row["revoked_at"]),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else in_order(moment)
