"""Another key takes the registry key's place while servers go on answering.

The key file first holds both, the new one first; then each table's manifest, and its rows in batches, are sealed with the new
one; then every row is read with the new key alone, and what was derived
of the rows is dropped, with its secret; then the store's journal is emptied of what the old one opens; and only
then is that forgotten. Killed at any moment, nothing is
lost: the file holds every key that something is sealed with, and the next run goes on where this one was. Changes to the
registry wait meanwhile; recognition does not, since what the rows say stays the same and nobody has to read them anew.

Backups made before are sealed with the old key. Keep it with them, apart from the store, for as long as they may be restored;
if it was stolen, destroy them.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from proxy.audit.keys import KEY_BYTES
from proxy.registry.cache import drop_all
from proxy.registry.events import RegistryKeyRotated
from proxy.registry.keyring import Keyring, Keys, load_keys, write_keys
from proxy.registry.store import SealedTable
from proxy.registry.tables import AT_ONCE, SEALED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proxy.audit.outbox import Outbox
    from proxy.database import Database

PAUSE_SECONDS: Final = 0.02
"""At least, between two batches: whoever starts meanwhile has to get ahead of us, and the store's other writers to the lock."""


def _nobody_listens(_count: int) -> None: ...


async def rotate_key(
    database: Database,
    path: Path,
    *,
    by: str,
    outbox: Outbox | None = None,
    randomness: Callable[[int], bytes] = secrets.token_bytes,
    sealed: Callable[[int], None] = _nobody_listens,
) -> int:
    """Give the registry a new key, or finish giving it one; return how many rows this run sealed anew.

    ``sealed`` hears of rows as they are done.

    Raises:
        KeyUnusable: the key file cannot be read or replaced; nothing has changed.
        RegistryUnreadable: a table was altered, or sealed with another key; both keys stay in the file.
        DatabaseUnusable: the store cannot be written; both keys stay in the file.
    """
    async with AsyncExitStack() as stack:
        for table in _tables(database, Keyring(load_keys(path)), randomness):
            await stack.enter_async_context(table.alone())
        keys = load_keys(path)  # whoever rotated while we waited has changed it
        if keys.previous is None:
            for table in _tables(database, Keyring(keys), randomness):
                await table.tags()  # refuses before anything is written, if this is not the store's key
            keys = Keys(randomness(KEY_BYTES), keys.current)
            write_keys(path, keys)
        tables = _tables(database, Keyring(keys), randomness)
        rows = [sorted(await table.tags()) for table in tables]
        count = 0
        for table, ids in zip(tables, rows, strict=True):
            count += await _reseal(table, ids, sealed)
        await _require_sealed(_tables(database, Keyring(Keys(keys.current)), randomness))
        async with database.begin() as connection:
            await drop_all(connection)
            for name in SEALED:
                await database.bump(connection, name)
            if outbox is not None:
                await outbox.put(connection, RegistryKeyRotated(count=count, by=by))
        await database.wipe_journal()
        write_keys(path, Keys(keys.current))
    return count


def _tables(database: Database, keyring: Keyring, randomness: Callable[[int], bytes]) -> list[SealedTable]:
    return [SealedTable(database, name, keyring, randomness) for name in SEALED]


async def _reseal(table: SealedTable, rows: list[str], sealed: Callable[[int], None]) -> int:
    now = asyncio.get_running_loop().time
    await table.adopt()
    count = 0
    for start in range(0, len(rows), AT_ONCE):
        began = now()
        some = rows[start : start + AT_ONCE]
        count += await table.reseal(some)
        sealed(len(some))
        await asyncio.sleep(max(PAUSE_SECONDS, now() - began))
    return count


async def _require_sealed(tables: list[SealedTable]) -> None:
    """Open everything with the new key alone, before the old one is forgotten."""
    for table in tables:
        async for _ in table.read(sorted(await table.tags())):
            pass
