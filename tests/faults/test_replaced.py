"""The store's file is exchanged while it is open: what is open goes on or is refused, and nothing is opened beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from proxy.database import Database, DatabaseUnusable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def put_back(store: Path) -> None:
    """Somebody puts back a backup without a stop."""
    copy = store.with_suffix(".copy")
    copy.write_bytes(store.read_bytes())
    copy.replace(store)


def move_away(store: Path) -> None:
    """Somebody moves the file away."""
    store.rename(store.with_suffix(".gone"))


@pytest.mark.parametrize("happens", [put_back, move_away])
async def test_no_connection_is_opened_to_another_file(tmp_path: Path, happens: Callable[[Path], None]) -> None:
    """A second connection would cut the index that the first has mapped, and kill the process; it is refused instead."""
    database = Database(tmp_path / "store.sqlite3")
    await database.open()
    async with database.begin() as connection:
        happens(database.path)

        with pytest.raises(DatabaseUnusable, match="another file"):
            async with database.begin() as second:
                await second.execute(text("SELECT 1"))

        assert (await connection.execute(text("SELECT 1"))).scalar_one() == 1
    await database.close()
    assert happens is put_back or not database.path.exists()
