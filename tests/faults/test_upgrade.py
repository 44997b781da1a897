"""A store that an earlier version made: brought up to this one with everything that waits in it, or refused in words."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

import proxy.main  # noqa: F401 -- every room's tables
from proxy.database import Database, DatabaseUnusable

if TYPE_CHECKING:
    from pathlib import Path


MADE_BEFORE = {
    "notifications": ("heap",),
    "oversight": ("alike",),
}


@pytest.mark.parametrize("table", MADE_BEFORE)
async def test_what_waits_in_an_earlier_version_s_store_still_waits_in_this_one(tmp_path: Path, table: str) -> None:
    """A column that came later is added to the table as it is: its rows stay, and what is new of them is empty."""
    path = tmp_path / "store.sqlite3"
    await emptied(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for column in MADE_BEFORE[table]:
            connection.execute(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
        fill(connection, table)
        before = connection.execute(f'SELECT * FROM "{table}"').fetchall()
    await emptied(path)

    with closing(sqlite3.connect(path)) as connection:
        after = connection.execute(f'SELECT * FROM "{table}"').fetchall()
    assert after == [(*row, *(None for _ in MADE_BEFORE[table])) for row in before]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("ALTER TABLE agreements RENAME COLUMN person TO who", "agreements.person is missing"),
        ("ALTER TABLE locks ADD COLUMN why VARCHAR NOT NULL DEFAULT 'x'", ""),
        ("CREATE TABLE other (id VARCHAR)", ""),
    ],
)
async def test_a_store_that_cannot_be_brought_up_to_this_version_is_refused_in_words(
    tmp_path: Path, change: str, told: str
) -> None:
    """Which column of which table, what to do, and not a byte changed; what does no harm is let be."""
    path = tmp_path / "store.sqlite3"
    await emptied(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(change)
        before = connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
    if not told:
        await emptied(path)
        return

    with pytest.raises(DatabaseUnusable, match=told) as refused:
        await emptied(path)
    assert "Nothing was changed." in str(refused.value)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall() == before


async def emptied(path: Path) -> None:
    """Open the store as a start does, and close it."""
    database = Database(path)
    await database.open()
    await database.close()


def fill(connection: sqlite3.Connection, table: str) -> None:
    """Put a row into a table, whatever its columns are."""
    columns = connection.execute(f'PRAGMA table_info("{table}")').fetchall()
    values = [f"'{name}'" if kind.startswith(("VARCHAR", "BLOB")) else "1" for _, name, kind, *_ in columns]
    connection.execute(f'INSERT INTO "{table}" VALUES ({", ".join(values)})')


async def test_a_file_that_is_no_store_is_told_of_in_one_sentence(tmp_path: Path) -> None:
    """What is wrong with which file; no statement, and no address of anybody's manual."""
    store = tmp_path / "store.sqlite3"
    store.write_bytes(b"not a database at all" * 100)

    with pytest.raises(DatabaseUnusable) as refused:
        await Database(store).open()

    assert str(refused.value) == f"{store} cannot be opened as the store: file is not a database"
