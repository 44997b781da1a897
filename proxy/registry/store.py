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
from proxy.registry.keyring import Keyring, Keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Executable, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.database import Database

REGISTRY: Final = "registry"
PERSONNEL: Final = "personnel"
PROPOSALS: Final = "proposals"
LEDGERS: Final = "ledgers"
SEALED: Final = (REGISTRY, PERSONNEL, PROPOSALS, LEDGERS)

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


_TABLES: Final[Mapping[str, Table]] = {name: _sealed_table(name) for name in SEALED}
_manifests: Final = _sealed_table("manifests")


class RegistryUnreadable(DatabaseUnusable):
    """The registry or the personnel directory cannot be believed; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manifest:
    count: int
    total: int

    def changed(self, *, added: int = 0, removed: int = 0, by: int = 0) -> _Manifest:
        return _Manifest(count=self.count + by, total=(self.total + added - removed) % _MODULUS)


class _Sealing:
    """What is done with one key for one table."""

    def __init__(self, name: str, key: bytes) -> None:
        self._name = name
        self._cipher = AESGCM(blake2b(key=key, digest_size=32, person=b"registry-seal").digest())
        self._row_hash = blake2b(key=key, digest_size=32, person=b"registry-rows")

    def seal(self, bound: str, content: bytes, nonce: bytes) -> bytes:
        """Return a payload of one of a few sizes, bound to where it belongs."""
        if len(content) > LARGEST:
            msg = f"a row of the {self._name} table holds at most {LARGEST} bytes"
            raise ValueError(msg)
        size = max(SMALLEST, 1 << (len(content) - 1).bit_length())
        return nonce + self._cipher.encrypt(nonce, content.ljust(size), bound.encode())

    def open(self, bound: str, sealed: bytes) -> bytes | None:
        """Return what was sealed there with this key; None when it was not."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound.encode()).rstrip(b" ")
        except (InvalidTag, ValueError):
            return None

    def row_hash(self, row: str, tag: bytes) -> int:
        """Return a row's part of the manifest's sum."""
        keyed = self._row_hash.copy()
        keyed.update(f"{self._name}/{row}\0".encode() + tag)
        return int.from_bytes(keyed.digest(), "big")

    def sum(self, tags: Mapping[str, bytes]) -> _Manifest:
        """Return the manifest of rows by their tags."""
        return _Manifest(count=len(tags), total=sum(self.row_hash(row, tag) for row, tag in tags.items()) % _MODULUS)


class Change:
    """One transaction of a table; the manifest follows every row, under the key that it was sealed with."""

    def __init__(self, table: SealedTable, connection: AsyncConnection, manifest: _Manifest, sealing: _Sealing) -> None:
        """Used by ``SealedTable.within`` only."""
        self.connection = connection
        self.manifest = manifest
        self.sealing = sealing
        self._table = table

    async def put(self, rows: Mapping[str, bytes]) -> None:
        """Write rows by id, new or in the place of older ones."""
        if not rows:
            return
        sealed = {row: self._table.sealed(row, content, self.sealing) for row, content in rows.items()}
        await self._forget(list(rows))
        for row, payload in sealed.items():
            self.manifest = self.manifest.changed(added=self.sealing.row_hash(row, payload[-_TAG:]), by=1)
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
                self.manifest = self.manifest.changed(removed=self.sealing.row_hash(row, bytes(tag or b"")), by=-1)
                found += 1
        return found


class SealedTable:
    """One of the tables, under one key, or two while one takes the other's place."""

    def __init__(self, database: Database, name: str, key: bytes | Keyring, randomness: Callable[[int], bytes]) -> None:
        """Take an open store, one of ``SEALED``, and the 32-byte key of the registry's key file, or its keyring."""
        self.rows = _TABLES[name]
        self._database = database
        self._name = name
        self._randomness = randomness
        self._ring = key if isinstance(key, Keyring) else Keyring(Keys(key))
        self._made_of: Keys | None = None
        self._made: tuple[_Sealing, ...] = ()

    def generation(self) -> int:
        """Return the number of commits that changed the table, of any process."""
        return self._database.generation(self._name)

    async def tags(self) -> Mapping[str, bytes]:
        """Return every row's id with the tag of its payload, which changes with it.

        Raises:
            RegistryUnreadable: the key is another one, or the table was altered behind our back.
        """
        if self._ring.keys.previous is not None:
            self._ring.reread()  # so that a key that has been replaced is not held for longer than it has to be
        found = await self._all(self._everything())
        tags: dict[str, bytes] = {}
        sealed: bytes | None = None
        for row, tag, manifest in found:
            if manifest is None:
                tags[row] = bytes(tag or b"")
            else:
                sealed = bytes(manifest)
        manifest, sealing = await self._manifest(sealed, tags)
        total = 0
        for position, (row, tag) in enumerate(tags.items()):
            if position % AT_ONCE == 0:
                await asyncio.sleep(0)  # queries of other tasks come between
            total += sealing.row_hash(row, tag)
        if manifest != _Manifest(count=len(tags), total=total % _MODULUS):
            raise self._altered()
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

    async def adopt(self) -> bool:
        """Seal the manifest with the current key, over all rows as they are; False when it is so already.

        Raises:
            RegistryUnreadable: the table was altered, or neither key is its own.
        """
        async with self._database.begin() as connection:
            await self._database.bump(connection, f"{self._name}-sealing")  # writes first, as in ``within``
            found = (await connection.execute(self._everything())).all()
            tags = {row: bytes(tag or b"") for row, tag, manifest in found if manifest is None}
            sealed = next((bytes(manifest) for _, _, manifest in found if manifest is not None), None)
            manifest, sealing = await self._manifest(sealed, tags)
            current = self._sealings()[0]
            if sealed is None or sealing is current:
                return False
            if manifest != sealing.sum(tags):
                raise self._altered()
            await self._write_manifest(connection, current.sum(tags), current)
        return True

    async def reseal(self, rows: Sequence[str]) -> int:
        """Seal those of some rows anew that the current key does not open; return how many. The table is held ``alone``.

        What they say does not change, so no process is told to read them anew.

        Raises:
            RegistryUnreadable: one opens with neither key.
        """
        current = self._sealings()[0]
        statement = select(self.rows.c.id, cast(self.rows.c.sealed, LargeBinary)).where(self.rows.c.id.in_(rows))
        found = {row: bytes(sealed) for row, sealed in await self._all(statement)}
        older = {
            row: self.open(row, sealed) for row, sealed in found.items() if current.open(f"{self._name}/{row}", sealed) is None
        }
        if older:
            async with self._database.begin() as connection, self.within(connection, told=False) as change:
                await change.put(older)
        return len(older)

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Change]:
        """Yield a transaction; at its end the manifest is sealed anew and every process told.

        Raises:
            RegistryUnreadable: the key is another one than the table was sealed with.
        """
        async with self._database.begin() as connection, self.within(connection) as change:
            yield change

    @asynccontextmanager
    async def within(self, connection: AsyncConnection, *, told: bool = True) -> AsyncIterator[Change]:
        """Yield this table's part of a transaction; every process is ``told`` of what is new. Raises as ``changing``."""
        # The first statement writes, so that the transaction holds the write lock before it reads the manifest.
        await self._database.bump(connection, self._name if told else f"{self._name}-sealing")
        statement = select(cast(_manifests.c.sealed, LargeBinary)).where(_manifests.c.id == self._name)
        sealed = (await connection.execute(statement)).scalar()
        some = (await connection.execute(select(self.rows.c.id).limit(1))).scalars().all()
        change = Change(self, connection, *await self._manifest(sealed, some))
        yield change
        await self._write_manifest(connection, change.manifest, change.sealing)

    def sealed(self, row: str, content: bytes, sealing: _Sealing | None = None) -> bytes:
        """Return a payload that only its row can hold, under the current key or the one given.

        Raises:
            ValueError: there is more content than one row may have.
        """
        return (sealing or self._sealings()[0]).seal(f"{self._name}/{row}", content, self._randomness(_NONCE))

    def open(self, row: str, sealed: bytes) -> bytes:
        """Return what was sealed into a row.

        Raises:
            RegistryUnreadable: it was altered, or comes from another row or key.
        """
        opened = self._opened(f"{self._name}/{row}", sealed)
        if opened is None:
            raise RegistryUnreadable(
                f"Row {row} of the {self._name} table does not open: it was altered, or moved from another row. "
                "Restore the store from a backup; compare with the log."
            )
        return opened[0]

    def _sealings(self) -> tuple[_Sealing, ...]:
        if self._made_of is not self._ring.keys:
            self._made_of = self._ring.keys
            self._made = tuple(_Sealing(self._name, key) for key in self._ring.keys.both)
        return self._made

    def _opened(self, bound: str, sealed: bytes) -> tuple[bytes, _Sealing] | None:
        """Return what was sealed there, and the key it was sealed with; the key file is read anew before giving up."""
        while True:
            for sealing in self._sealings():
                content = sealing.open(bound, sealed)
                if content is not None:
                    return content, sealing
            if not self._ring.reread():
                return None

    def _everything(self) -> Executable:
        """Return every row's id and tag, and the manifest: one statement is one snapshot, so they are of one moment."""
        columns = self.rows.c
        return union_all(
            select(columns.id, _tag(columns.sealed), null()),
            select(literal(""), literal(b""), cast(_manifests.c.sealed, LargeBinary)).where(_manifests.c.id == self._name),
        )

    def _altered(self) -> RegistryUnreadable:
        return RegistryUnreadable(
            f"Rows of the {self._name} table were added, removed or exchanged without its key. "
            "Restore the store from a backup; compare with the log."
        )

    async def _all(self, statement: Executable) -> Sequence[Row[Any, *tuple[Any, ...]]]:
        try:
            async with self._database.begin() as connection:
                return (await connection.execute(statement)).all()
        except (DatabaseUnusable, SQLAlchemyError) as error:
            raise RegistryUnreadable(f"The {self._name} table cannot be read. `doctor` tries the store.") from error

    async def _write_manifest(self, connection: AsyncConnection, manifest: _Manifest, sealing: _Sealing) -> None:
        payload = sealing.seal(f"{_MANIFEST}/{self._name}", _write(manifest), self._randomness(_NONCE))
        upsert = insert(_manifests).values(id=self._name, sealed=payload)
        await connection.execute(upsert.on_conflict_do_update(index_elements=["id"], set_={"sealed": payload}))

    async def _manifest(self, sealed: bytes | None, rows: Iterable[str]) -> tuple[_Manifest, _Sealing]:
        """Return the manifest, and the key it was sealed with: the rows' hashes in it are of that key."""
        if sealed is None:
            if any(True for _ in rows):
                raise RegistryUnreadable(
                    f"The {self._name} table has rows and no manifest: the store was altered. Restore it from a backup."
                )
            return _Manifest(count=0, total=0), self._sealings()[0]
        opened = self._opened(f"{_MANIFEST}/{self._name}", sealed)
        if opened is None:
            raise RegistryUnreadable(await self._diagnosis())
        content, sealing = opened
        values = orjson.loads(content)
        return _Manifest(count=values["count"], total=int(values["total"], 16)), sealing

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
