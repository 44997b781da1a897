"""Sealed tables: rows of AES-256-GCM payloads, padded to a few sizes, and nothing else that says anything about anybody.

The row's id is associated data, so that payloads cannot be exchanged between rows. A sealed manifest counts the rows and
sums a keyed hash of each (an additive multiset hash, modulo 2**256), so that a row removed, added or put back to an older
state behind our back is noticed: taking somebody's protection away needs the key. Somebody who can replace the whole file
by an older copy of itself is not noticed here, but by the log, which has the later changes.

A thief of the store learns how many persons it holds and, to the next power of two, how much is known of each.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Column, LargeBinary, String, Table, bindparam, cast, func, literal, null, select, union_all
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import SQLAlchemyError

from proxy.database import METADATA, DatabaseUnusable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Executable, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.database import Database

REGISTRY: Final = "registry"
PERSONNEL: Final = "personnel"
PROPOSALS: Final = "proposals"

SMALLEST: Final = 512
LARGEST: Final = 1 << 18
AT_ONCE: Final = 256
_LOCK_SECONDS: Final = 0.02
_NONCE: Final = 12
_TAG: Final = 16
_MANIFEST: Final = "manifest"
_MODULUS: Final = 1 << 256


def _sealed_table(name: str) -> Table:
    return Table(name, METADATA, Column("id", String, primary_key=True), Column("sealed", LargeBinary, nullable=False))


_TABLES: Final[Mapping[str, Table]] = {name: _sealed_table(name) for name in (REGISTRY, PERSONNEL, PROPOSALS)}
_manifests: Final = _sealed_table("manifests")


class RegistryUnreadable(DatabaseUnusable):
    """The registry or the personnel directory cannot be believed; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manifest:
    count: int
    total: int

    def changed(self, *, added: int = 0, removed: int = 0, by: int = 0) -> _Manifest:
        return _Manifest(count=self.count + by, total=(self.total + added - removed) % _MODULUS)


class Change:
    """One transaction of a table; the manifest follows every row."""

    def __init__(self, table: SealedTable, connection: AsyncConnection, manifest: _Manifest) -> None:
        """Used by ``SealedTable.changing`` only."""
        self.connection = connection
        self.manifest = manifest
        self._table = table

    async def put(self, rows: Mapping[str, bytes]) -> None:
        """Write rows by id, new or in the place of older ones."""
        if not rows:
            return
        sealed = {row: self._table.seal(row, content) for row, content in rows.items()}
        await self._forget(list(rows))
        for row, payload in sealed.items():
            self.manifest = self.manifest.changed(added=self._table.row_hash(row, payload[-_TAG:]), by=1)
        statement = insert(self._table.rows)
        statement = statement.on_conflict_do_update(index_elements=["id"], set_={"sealed": statement.excluded.sealed})
        await self.connection.execute(statement, [{"id": row, "sealed": payload} for row, payload in sealed.items()])

    async def remove(self, row: str) -> bool:
        """Remove a row; False when there is none."""
        if not await self._forget([row]):
            return False
        await self.connection.execute(self._table.rows.delete().where(self._table.rows.c.id == bindparam("row")), {"row": row})
        return True

    async def _forget(self, rows: Sequence[str]) -> int:
        """Take the rows there are out of the manifest; return how many."""
        columns = self._table.rows.c
        found = 0
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            statement = select(columns.id, _tag(columns.sealed)).where(columns.id.in_(some))
            for row, tag in (await self.connection.execute(statement)).all():
                self.manifest = self.manifest.changed(removed=self._table.row_hash(row, bytes(tag or b"")), by=-1)
                found += 1
        return found


class SealedTable:
    """One of the tables, under one key."""

    def __init__(self, database: Database, name: str, key: bytes, randomness: Callable[[int], bytes]) -> None:
        """Take an open store, one of the tables' names, and the 32-byte key of the registry's key file."""
        self.rows = _TABLES[name]
        self._database = database
        self._name = name
        self._randomness = randomness
        self._cipher = AESGCM(blake2b(key=key, digest_size=32, person=b"registry-seal").digest())
        self._row_hash = blake2b(key=key, digest_size=32, person=b"registry-rows")

    def generation(self) -> int:
        """Return the number of commits that changed the table, of any process."""
        return self._database.generation(self._name)

    async def tags(self) -> Mapping[str, bytes]:
        """Return every row's id with the tag of its payload, which changes with it.

        Raises:
            RegistryUnreadable: the key is another one, or the table was altered behind our back.
        """
        columns = self.rows.c
        # One statement is one snapshot: a row and the manifest cannot be of different moments.
        statement = union_all(
            select(columns.id, _tag(columns.sealed), null()),
            select(literal(""), literal(b""), cast(_manifests.c.sealed, LargeBinary)).where(_manifests.c.id == self._name),
        )
        tags: dict[str, bytes] = {}
        sealed: bytes | None = None
        total = 0
        found = await self._all(statement)
        for position, (row, tag, manifest) in enumerate(found):
            if position % AT_ONCE == 0:
                await asyncio.sleep(0)  # queries of other tasks come between
            if manifest is None:
                tags[row] = bytes(tag or b"")
                total = (total + self.row_hash(row, tags[row])) % _MODULUS
            else:
                sealed = bytes(manifest)
        if await self._manifest(sealed, tags) != _Manifest(count=len(tags), total=total):
            raise RegistryUnreadable(
                f"Rows of the {self._name} table were added, removed or exchanged without its key. "
                "Restore the store from a backup; compare with the log."
            )
        return tags

    async def read(self, rows: Sequence[str]) -> AsyncIterator[tuple[str, bytes, bytes]]:
        """Yield id, tag and content of rows; one that is no longer there is left out.

        Raises:
            RegistryUnreadable: a payload is not what was sealed into its row.
        """
        columns = self.rows.c
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            statement = select(columns.id, cast(columns.sealed, LargeBinary)).where(columns.id.in_(some))
            for row, sealed in await self._all(statement):
                yield row, bytes(sealed[-_TAG:]), self.open(row, bytes(sealed))

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Let nobody else change the table between reading and writing it: two stewards would undo each other's additions.

        Only those who change the table wait; queries are recognized meanwhile.
        """
        path = self._database.path.with_name(f"{self._database.path.name}.{self._name}-lock")
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            while not _locked(descriptor):  # noqa: ASYNC110 -- another process holds it, and none of its events reach us
                await asyncio.sleep(_LOCK_SECONDS)
            yield
        finally:
            os.close(descriptor)

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Change]:
        """Yield a transaction; at its end the manifest is sealed anew and every process told.

        Raises:
            RegistryUnreadable: the key is another one than the table was sealed with.
        """
        async with self._database.begin() as connection:
            # The first statement writes, so that the transaction holds the write lock before it reads the manifest.
            await self._database.bump(connection, self._name)
            statement = select(cast(_manifests.c.sealed, LargeBinary)).where(_manifests.c.id == self._name)
            sealed = (await connection.execute(statement)).scalar()
            some = (await connection.execute(select(self.rows.c.id).limit(1))).scalars().all()
            change = Change(self, connection, await self._manifest(sealed, some))
            yield change
            payload = self._seal_as(f"{_MANIFEST}/{self._name}", _write(change.manifest))
            upsert = insert(_manifests).values(id=self._name, sealed=payload)
            await connection.execute(upsert.on_conflict_do_update(index_elements=["id"], set_={"sealed": payload}))

    def seal(self, row: str, content: bytes) -> bytes:
        """Return a payload that only its row can hold.

        Raises:
            ValueError: there is more content than one row may have.
        """
        return self._seal_as(f"{self._name}/{row}", content)

    def open(self, row: str, sealed: bytes) -> bytes:
        """Return what was sealed into a row.

        Raises:
            RegistryUnreadable: it was altered, or comes from another row or key.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], f"{self._name}/{row}".encode()).rstrip(b" ")
        except (InvalidTag, ValueError) as error:
            raise RegistryUnreadable(
                f"Row {row} of the {self._name} table does not open: it was altered, or moved from another row. "
                "Restore the store from a backup; compare with the log."
            ) from error

    def row_hash(self, row: str, tag: bytes) -> int:
        """Return a row's part of the manifest's sum."""
        keyed = self._row_hash.copy()
        keyed.update(f"{self._name}/{row}\0".encode() + tag)
        return int.from_bytes(keyed.digest(), "big")

    async def _all(self, statement: Executable) -> Sequence[Row[Any, *tuple[Any, ...]]]:
        try:
            async with self._database.begin() as connection:
                return (await connection.execute(statement)).all()
        except (DatabaseUnusable, SQLAlchemyError) as error:
            raise RegistryUnreadable(f"The {self._name} table cannot be read. `doctor` tries the store.") from error

    def _seal_as(self, bound: str, content: bytes) -> bytes:
        if len(content) > LARGEST:
            msg = f"a row of the {self._name} table holds at most {LARGEST} bytes"
            raise ValueError(msg)
        size = max(SMALLEST, 1 << (len(content) - 1).bit_length())
        nonce = self._randomness(_NONCE)
        return nonce + self._cipher.encrypt(nonce, content.ljust(size), bound.encode())

    async def _manifest(self, sealed: bytes | None, rows: Iterable[str]) -> _Manifest:
        if sealed is None:
            if any(True for _ in rows):
                raise RegistryUnreadable(
                    f"The {self._name} table has rows and no manifest: the store was altered. Restore it from a backup."
                )
            return _Manifest(count=0, total=0)
        try:
            content = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], f"{_MANIFEST}/{self._name}".encode())
        except (InvalidTag, ValueError) as error:
            raise RegistryUnreadable(await self._diagnosis()) from error
        values = orjson.loads(content)
        return _Manifest(count=values["count"], total=int(values["total"], 16))

    async def _diagnosis(self) -> str:
        """Tell a wrong key from an altered manifest: with the right key, a row opens."""
        for row, sealed in await self._all(select(self.rows.c.id, cast(self.rows.c.sealed, LargeBinary)).limit(1)):
            try:
                self.open(row, bytes(sealed))
            except RegistryUnreadable:
                pass
            else:
                return f"The manifest of the {self._name} table was altered. Restore the store from a backup."
        return (
            f"The {self._name} table was sealed with another key than the registry key file holds. "
            "Put back the key file that belongs to this store."
        )


def _tag(sealed: ColumnElement[bytes]) -> ColumnElement[bytes]:
    # Somebody may have put text in the place of bytes: it is to be found out by its tag, not by failing to be text.
    return func.substr(cast(sealed, LargeBinary), -_TAG)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(manifest: _Manifest) -> bytes:
    return orjson.dumps({"count": manifest.count, "total": f"{manifest.total:064x}"})
