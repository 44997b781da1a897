"""What was derived of each row, sealed beside it, so that a start need not derive it anew.

Deriving costs a hundred times what opening does. What is kept names the person and holds their tokens, so it is sealed as the
row is, under the registry's key, and is bound to the row, to the payload that it was derived of, to the code that derived it
and to the secret of the tokens. Whatever does not open is derived anew: nothing here is needed, and nothing here is believed
for being here. A row that changes or goes takes what was derived of it along; so does a key that is replaced, for all rows.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from hashlib import blake2b
from importlib import metadata, resources
from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, LargeBinary, String, Table, cast, delete, select, text
from sqlalchemy.dialects.sqlite import insert

from proxy.database import METADATA, DatabaseUnusable
from proxy.registry.sealing import NONCE, TAG, Sealing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.database import Database
    from proxy.registry.keyring import Keyring, Keys

DERIVED: Final = "derived"
SECRET_BYTES: Final = 32
SOURCES: Final = (
    "address", "blocking", "bonds", "likeness", "meant", "name_keys", "nearness", "normalize", "person", "profile", "rarity",
    "roads", "sites", "tokens", "traits", "usps",
)  # fmt: skip
"""The modules that derive: when any of them changes, everything is derived anew. Nobody has to remember to say so."""
LIBRARIES: Final = ("anyascii", "jellyfish", "nicknames", "xxhash")
_SECRET: Final = "secret"  # noqa: S105 -- where it is, not what it is

_derived: Final = Table(
    DERIVED,
    METADATA,
    Column("subject", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)


def made_by() -> bytes:
    """Return a digest of all that what is derived depends on, beside the person and the secret."""
    digest = blake2b(digest_size=16)
    digest.update(sys.version.encode())
    for name in LIBRARIES:
        digest.update(f"{name} {metadata.version(name)}\n".encode())
    folder = resources.files("proxy.registry")
    for module in SOURCES:
        digest.update(folder.joinpath(f"{module}.py").read_bytes())
    return digest.digest()


async def drop(connection: AsyncConnection, subject: str, rows: Sequence[str]) -> None:
    """Remove what was derived of rows."""
    columns = _derived.c
    await connection.execute(delete(_derived).where(columns.subject == subject, columns.id.in_(rows)))


async def drop_all(connection: AsyncConnection) -> None:
    """Remove all that was derived of any row, and the secret: the next start makes another."""
    await connection.execute(delete(_derived))


async def secret(database: Database, ring: Keyring, randomness: Callable[[int], bytes]) -> bytes:
    """Return the secret of the tokens, which is made by whoever asks first; a new one where the store cannot be written.

    Raises:
        DatabaseUnusable: the store cannot be read.
    """
    bound = f"{DERIVED}/{_SECRET}"
    mine = randomness(SECRET_BYTES)
    kept = select(cast(_derived.c.sealed, LargeBinary)).where(_derived.c.subject == "", _derived.c.id == _SECRET)
    async with database.begin() as connection:
        found = (await connection.execute(kept)).scalar_one_or_none()
    if found is not None and (opened := _opened(ring.keys, bound, bytes(found))) is not None:
        return opened
    with suppress(DatabaseUnusable):
        async with database.begin() as connection:
            await database.bump(connection, DERIVED)  # writes first: whoever comes second reads what the first has written
            found = (await connection.execute(kept)).scalar_one_or_none()
            if found is not None and (opened := _opened(ring.keys, bound, bytes(found))) is not None:
                return opened
            sealed = Sealing(DERIVED, ring.keys.current).seal(bound, mine.hex().encode(), randomness(NONCE))
            await drop_all(connection)
            await connection.execute(insert(_derived).values(subject="", id=_SECRET, sealed=sealed))
    return mine


def _opened(keys: Keys, bound: str, sealed: bytes) -> bytes | None:
    for key in keys.both:
        if (content := Sealing(DERIVED, key).open(bound, sealed)) is not None:
            return bytes.fromhex(content.decode())
    return None


class Cache:
    """What was derived of one table's rows, under one secret."""

    def __init__(self, database: Database, rows: Table, ring: Keyring, randomness: Callable[[int], bytes], mark: bytes) -> None:
        """``mark`` tells the secret from others, and is none itself."""
        self._database = database
        self._name = rows.name
        statement = (
            f"INSERT INTO {DERIVED} (subject, id, sealed) SELECT '{rows.name}', :row, :payload"  # noqa: S608 -- our own tables'
            f" WHERE EXISTS (SELECT 1 FROM {rows.name} WHERE id = :row AND substr(sealed, -{TAG}) = :tag)"
            " ON CONFLICT (subject, id) DO UPDATE SET sealed = excluded.sealed"
        )
        self._keeping = text(statement)
        self._ring = ring
        self._randomness = randomness
        self._made_by = blake2b(made_by() + mark, digest_size=16).hexdigest()
        self._made_of: Keys | None = None
        self._made: tuple[Sealing, ...] = ()

    async def find(self, connection: AsyncConnection, rows: Iterable[str]) -> Mapping[str, bytes]:
        """Return what there is of rows, sealed."""
        columns = _derived.c
        statement = select(columns.id, cast(columns.sealed, LargeBinary))
        statement = statement.where(columns.subject == self._name, columns.id.in_(list(rows)))
        return {row: bytes(sealed) for row, sealed in (await connection.execute(statement)).all()}

    def open(self, row: str, tag: bytes, sealed: bytes) -> bytes | None:
        """Return what was derived of a row whose payload has this tag; None where it was not, or not so."""
        bound = self._bound(row, tag)
        return next((content for each in self._sealings() if (content := each.open(bound, sealed)) is not None), None)

    async def keep(self, derived: Mapping[str, tuple[bytes, bytes]]) -> None:
        """Keep what was derived of rows, each with its payload's tag, unless they have changed; a busy store keeps nothing."""
        sealing = self._sealings()[0]
        sealed = []
        for row, (tag, content) in derived.items():
            with suppress(ValueError):  # more than a row may have
                payload = sealing.seal(self._bound(row, tag), content, self._randomness(NONCE))
                sealed.append({"row": row, "tag": tag, "payload": payload})
        if not sealed:
            return
        with suppress(DatabaseUnusable):
            async with self._database.begin() as connection:
                await connection.execute(self._keeping, sealed)

    def _bound(self, row: str, tag: bytes) -> str:
        return f"{DERIVED}/{self._name}/{row}/{tag.hex()}/{self._made_by}"

    def _sealings(self) -> tuple[Sealing, ...]:
        if self._made_of is not self._ring.keys:
            self._made_of = self._ring.keys
            self._made = tuple(Sealing(DERIVED, key) for key in self._ring.keys.both)
        return self._made
