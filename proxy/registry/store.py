"""Sealed tables: rows of AES-256-GCM payloads, padded to a few sizes, and nothing else that says anything about anybody.

The row's id is associated data, so that payloads cannot be exchanged between rows. A sealed manifest counts the rows and
sums a keyed hash of each (an additive multiset hash, modulo 2**256), so that a row removed, added or put back to an older
state behind our back is noticed: taking somebody's protection away needs the key. Somebody who can replace the whole file
by an older copy of itself is not noticed here, but by the log, which has the later changes.

What was derived of the rows is kept beside them (``cache.py``), and goes when they change.

Beside the rows stands which of them were changed in which generation, so that who follows the table reads those only. It is
no more than a hint: what was read has to add up to the sealed manifest, and where it does not, everything is read.

A thief of the store learns how many persons it holds and, to the next power of two, how much is known of each; and which
rows were written together, or removed.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import LargeBinary, cast, func, literal, null, select, union_all
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import SQLAlchemyError

from proxy.database import DatabaseUnusable
from proxy.registry import cache
from proxy.registry.keyring import Keyring, Keys
from proxy.registry.reading import Reading
from proxy.registry.sealing import MODULUS, NONCE, TAG, Manifest, Sealing
from proxy.registry.tables import AT_ONCE, CHANGES, MANIFESTS, TABLES, tag_of
from proxy.registry.turns import Turns
from proxy.registry.writing import Change

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Executable, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.database import Database

_LOCK_SECONDS: Final = 0.02
_MANIFEST: Final = "manifest"


class RegistryUnreadable(DatabaseUnusable):
    """The registry or the personnel directory cannot be believed; the message says why and what to do."""


class SealedTable:
    """One of the tables, under one key, or two while one takes the other's place."""

    def __init__(self, database: Database, name: str, key: bytes | Keyring, randomness: Callable[[int], bytes]) -> None:
        """Take an open store, one of ``SEALED``, and the 32-byte key of the registry's key file, or its keyring."""
        self.rows = TABLES[name]
        self._database = database
        self._name = name
        self._randomness = randomness
        self._ring = key if isinstance(key, Keyring) else Keyring(Keys(key))
        self._made_of: Keys | None = None
        self._made: tuple[Sealing, ...] = ()

    def cache(self, mark: bytes) -> cache.Cache:
        """Return what was derived of the rows under the secret that has this mark."""
        return cache.Cache(self._database, self.rows, self._ring, self._randomness, mark)

    async def secret(self) -> bytes:
        """Return the secret that everything derived depends on.

        Raises:
            RegistryUnreadable: the store cannot be read.
        """
        try:
            return await cache.secret(self._database, self._ring, self._randomness)
        except (DatabaseUnusable, SQLAlchemyError) as error:
            raise RegistryUnreadable(f"The {self._name} table cannot be read. `doctor` tries the store.") from error

    def generation(self) -> int:
        """Return the number of commits that changed the table, of any process."""
        return self._database.generation(self._name)

    async def tags(self) -> Mapping[str, bytes]:
        """Return every row's id with the tag of its payload, which changes with it.

        Raises:
            RegistryUnreadable: the key is another one, or the table was altered behind our back.
        """
        return {row: tag async for row, tag in self._believed()}

    async def verify(self) -> None:
        """See that the rows add up to the manifest. Raises as ``tags``."""
        async for _ in self._believed():
            pass

    async def _believed(self) -> AsyncIterator[tuple[str, bytes]]:
        """Yield every row's id and tag, and raise after the last when they do not add up."""
        count = total = 0
        turns = Turns()
        async with self.reading() as reading:
            async for row, tag in reading.tags():
                await turns.give()
                count, total = count + 1, total + reading.sealing.row_hash(row, tag)
                yield row, tag
            if reading.manifest != Manifest(count=count, total=total % MODULUS):
                raise self.altered()

    @asynccontextmanager
    async def reading(self, since: int | None = None) -> AsyncIterator[Reading]:
        """Yield what was changed after a generation, or, without one, all there is.

        Raises:
            RegistryUnreadable: the key is another one, or the store cannot be read.
        """
        if self._ring.keys.previous is not None:
            self._ring.reread()  # so that a key that has been replaced is not held for longer than it has to be
        try:
            async with self._database.moment(self._name) as (connection, generation):
                sealed = (await connection.execute(self._sealed_manifest())).scalar_one_or_none()
                some = (await connection.execute(select(self.rows.c.id).limit(1))).scalars().all()
                newest = select(func.max(CHANGES.c.generation)).where(CHANGES.c.subject == self._name)
                # A generation without changes: somebody else's doing, and nobody knows what was done.
                known = since is not None and (await connection.execute(newest)).scalar() == generation
                manifest, sealing = await self._manifest(sealed, some)
                yield Reading(
                    connection=connection,
                    rows=self.rows,
                    since=since if known else None,
                    generation=generation,
                    manifest=manifest,
                    sealing=sealing,
                )
        except RegistryUnreadable:
            raise
        except (DatabaseUnusable, SQLAlchemyError) as error:
            raise RegistryUnreadable(f"The {self._name} table cannot be read. `doctor` tries the store.") from error

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
                yield row, bytes(sealed[-TAG:]), self.open(row, bytes(sealed))

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
                raise self.altered()
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
    async def changing(self, *, told: bool = True) -> AsyncIterator[Change]:
        """Yield a transaction; at its end the manifest is sealed anew and every process ``told``.

        Raises:
            RegistryUnreadable: the key is another one than the table was sealed with.
        """
        async with self._database.begin() as connection, self.within(connection, told=told) as change:
            yield change

    @asynccontextmanager
    async def within(self, connection: AsyncConnection, *, told: bool = True) -> AsyncIterator[Change]:
        """Yield this table's part of a transaction; every process is ``told`` of what is new. Raises as ``changing``."""
        # The first statement writes, so that the transaction holds the write lock before it reads the manifest.
        generation = await self._database.bump(connection, self._name if told else f"{self._name}-sealing")
        sealed = (await connection.execute(self._sealed_manifest())).scalar_one_or_none()
        some = (await connection.execute(select(self.rows.c.id).limit(1))).scalars().all()
        manifest, sealing = await self._manifest(sealed, some)
        known = generation if told else None
        change = Change(self.rows, self.sealed, connection, generation=known, manifest=manifest, sealing=sealing)
        yield change
        await self._write_manifest(connection, change.manifest, change.sealing)

    def sealed(self, row: str, content: bytes, sealing: Sealing | None = None) -> bytes:
        """Return a payload that only its row can hold, under the current key or the one given.

        Raises:
            ValueError: there is more content than one row may have.
        """
        return (sealing or self._sealings()[0]).seal(f"{self._name}/{row}", content, self._randomness(NONCE))

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

    def _sealings(self) -> tuple[Sealing, ...]:
        if self._made_of is not self._ring.keys:
            self._made_of = self._ring.keys
            self._made = tuple(Sealing(self._name, key) for key in self._ring.keys.both)
        return self._made

    def _opened(self, bound: str, sealed: bytes) -> tuple[bytes, Sealing] | None:
        """Return what was sealed there, and the key it was sealed with; the key file is read anew before giving up."""
        while True:
            for sealing in self._sealings():
                content = sealing.open(bound, sealed)
                if content is not None:
                    return content, sealing
            if not self._ring.reread():
                return None

    def _sealed_manifest(self) -> Executable:
        return select(cast(MANIFESTS.c.sealed, LargeBinary)).where(MANIFESTS.c.id == self._name)

    def _everything(self) -> Executable:
        """Return every row's id and tag, and the manifest: one statement is one snapshot, so they are of one moment."""
        columns = self.rows.c
        return union_all(
            select(columns.id, tag_of(columns.sealed), null()),
            select(literal(""), literal(b""), cast(MANIFESTS.c.sealed, LargeBinary)).where(MANIFESTS.c.id == self._name),
        )

    def altered(self) -> RegistryUnreadable:
        """Return what is to be said when rows do not add up."""
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

    async def _write_manifest(self, connection: AsyncConnection, manifest: Manifest, sealing: Sealing) -> None:
        payload = sealing.seal(f"{_MANIFEST}/{self._name}", _write(manifest), self._randomness(NONCE))
        upsert = insert(MANIFESTS).values(id=self._name, sealed=payload)
        await connection.execute(upsert.on_conflict_do_update(index_elements=["id"], set_={"sealed": payload}))

    async def _manifest(self, sealed: bytes | None, rows: Iterable[str]) -> tuple[Manifest, Sealing]:
        """Return the manifest, and the key it was sealed with: the rows' hashes in it are of that key."""
        if sealed is None:
            if any(True for _ in rows):
                raise RegistryUnreadable(
                    f"The {self._name} table has rows and no manifest: the store was altered. Restore it from a backup."
                )
            return Manifest(count=0, total=0), self._sealings()[0]
        opened = self._opened(f"{_MANIFEST}/{self._name}", sealed)
        if opened is None:
            raise RegistryUnreadable(await self._diagnosis())
        content, sealing = opened
        values = orjson.loads(content)
        return Manifest(count=values["count"], total=int(values["total"], 16)), sealing

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


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(manifest: Manifest) -> bytes:
    return orjson.dumps({"count": manifest.count, "total": f"{manifest.total:064x}"})
