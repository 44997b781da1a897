"""The store's engine: one SQLite file in WAL mode, shared by the server and the command line.

Rooms declare their tables on ``METADATA`` and keep their SQL in their own ``store.py``. Hot reads are served from memory;
``generation`` tells in microseconds whether another process (``showcause cases import`` beside a running server) has
committed a change to a subject, so that a cached answer is never older than the last commit.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import time
from contextlib import asynccontextmanager, closing, suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, event, inspect, select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

METADATA: Final = MetaData()
SCHEMA_VERSION: Final = 1
FRESH_SECONDS: Final = 0.001
# What was deleted or sealed anew is overwritten: else it would lie in free pages for whoever has the key of its time.
_PRAGMAS: Final = (
    "journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 10000", "secure_delete = ON",
)  # fmt: skip
_REPLACED: Final = "another file than the one that was opened: restart"

_generations: Final = Table(
    "generations",
    METADATA,
    Column("subject", String, primary_key=True),
    Column("number", Integer, nullable=False),
)


class DatabaseUnusable(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """The store cannot be opened, read or written; the message says why."""


class Database:
    """One store. Open before use, close after; safe for any number of tasks of one event loop."""

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is opened yet."""
        self.path = path
        self._engine: AsyncEngine | None = None
        self._watch: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._data_version = -1
        self._looked = -1.0
        self._generations: dict[str, int] = {}

    async def open(self) -> None:
        """Open or create the file (mode 0600) and its tables.

        Raises:
            DatabaseUnusable: the file cannot be opened or was made by a newer version.
        """
        engine = create_async_engine(f"sqlite+aiosqlite:///{self.path}", pool_size=4, connect_args={"timeout": 10})
        event.listen(engine.sync_engine, "do_connect", self._require_same_file)
        event.listen(engine.sync_engine, "connect", _prepare)
        try:
            self._make_file()
            async with engine.begin() as connection:
                version = (await connection.exec_driver_sql("PRAGMA user_version")).scalar_one()
                self._require_known(version)
                await connection.run_sync(METADATA.create_all)
                await connection.run_sync(self._upgrade)
                await connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self._watch = sqlite3.connect(self.path, isolation_level=None, timeout=5)
            self._file = _identity(self.path)
        except (OSError, sqlite3.Error, SQLAlchemyError) as error:
            await engine.dispose()
            # SQLAlchemy's own text goes on with a statement and an address, which help nobody here.
            reason = error.orig if isinstance(error, DBAPIError) else getattr(error, "strerror", None) or error
            msg = f"{self.path} cannot be opened as the store: {reason}"
            raise DatabaseUnusable(msg) from error
        except DatabaseUnusable:
            await engine.dispose()
            raise
        self._engine = engine

    def _make_file(self) -> None:
        """Make the file, for nobody but this user, where there is none.

        A file that is there is not opened beside SQLite: closing it would drop every lock that this process holds on it
        (POSIX), and another process's last connection would then take the write-ahead log away from under ours.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        if not self.path.is_file():
            raise OSError(errno.EISDIR, "this is no file", str(self.path))

    def _require_same_file(self, *_arguments: object) -> None:
        """Open nothing beside the file that was opened first.

        SQLite finds the write-ahead log's index by the file's name. A connection to another file in its place takes that
        index for its own and cuts it to begin it anew, under the feet of those that have it mapped: the process dies (SIGBUS).
        """
        if self._file is not None and not self._is_same_file():
            raise sqlite3.OperationalError(_REPLACED)

    def _is_same_file(self) -> bool:
        try:
            return _identity(self.path) == self._file
        except OSError:
            return False

    def _require_known(self, version: int) -> None:
        if version > SCHEMA_VERSION:
            msg = f"{self.path} has schema {version}, this program knows {SCHEMA_VERSION}: run the newer version"
            raise DatabaseUnusable(msg)

    def _upgrade(self, connection: Connection) -> None:
        """Bring the tables of an earlier version up to this one.

        A column that may be empty is added, empty: what waits in the store goes on waiting. Anything else is refused before a
        byte is written, with what differs: a row that this program would misread is worse than a start that fails.

        Raises:
            DatabaseUnusable: a table differs by more.
        """
        if differ := sorted(_differences(connection)):
            msg = (
                f"{self.path} was made by another version of this program, and cannot be brought up to this one:"
                f" {'; '.join(differ)}. Nothing was changed. Start the version that made it, have everything that waits"
                " decided, and begin a new store with this one (`identity`, `cases`, `personnel` and `registry` fill it again)"
            )
            raise DatabaseUnusable(msg)
        if any(True for _ in _missing(connection)):
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # of two processes that start at once, one adds it
            for name, column in list(_missing(connection)):
                kind = column.type.compile(connection.dialect)
                connection.exec_driver_sql(f'ALTER TABLE "{name}" ADD COLUMN "{column.name}" {kind}')
        for table in METADATA.sorted_tables:
            for index in table.indexes:
                index.create(connection, checkfirst=True)

    async def close(self) -> None:
        """Close every connection; closing twice is harmless."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        if self._engine is not None:
            await self._engine.dispose()
            self._engine = None

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection in a transaction that commits at the end, or rolls back on an error.

        Raises:
            DatabaseUnusable: the file is damaged, gone, full or locked for too long.
        """
        if self._engine is None:
            msg = "the store is not open"
            raise DatabaseUnusable(msg)
        try:
            async with self._engine.begin() as connection:
                yield connection
        except DatabaseError as error:
            # A broken constraint or a wrong statement is the caller's; what is left is the file. Its text names no value.
            if type(error) not in {DatabaseError, OperationalError}:
                raise
            msg = f"{self.path} cannot be used: {error.orig}"
            raise DatabaseUnusable(msg) from error

    async def trouble(self) -> str:
        """Return why the store's file can no longer be relied on, or nothing; the beginning of each table is read anew."""
        return await asyncio.to_thread(self._trouble)

    def _trouble(self) -> str:
        # What is open goes on answering from memory long after its file was damaged, removed or put back from a backup.
        try:
            if _identity(self.path) != self._file:
                return f"{self.path} is {_REPLACED}"
            uri = f"file:{quote(str(self.path.absolute()))}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
                for table in METADATA.sorted_tables:
                    connection.execute(f'SELECT * FROM "{table.name}" LIMIT 1').fetchone()  # noqa: S608 -- our own tables' names
        except (OSError, sqlite3.Error) as error:
            reason = (error.strerror or "") if isinstance(error, OSError) else str(error)
            return f"{self.path} cannot be read: {reason}. Stop, restore it, and start again; `doctor` looks at it"
        return ""

    async def wipe_journal(self) -> None:
        """Write everything into the file and empty the journal, where older states of it lie; nothing where it is too busy.

        Raises:
            DatabaseUnusable: the file cannot be written.
        """
        try:
            await asyncio.to_thread(self._wipe_journal)
        except sqlite3.Error as error:
            msg = f"{self.path} cannot be used: {error}"
            raise DatabaseUnusable(msg) from error

    def _wipe_journal(self) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None, timeout=10)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    async def bump(self, connection: AsyncConnection, subject: str) -> int:
        """Tell every process, at this transaction's commit, that ``subject`` (``cases``, ``registry`` …) has changed.

        Returns the number of commits that have, this one included.
        """
        number = _generations.c.number
        statement = insert(_generations).values(subject=subject, number=1)
        statement = statement.on_conflict_do_update(index_elements=["subject"], set_={"number": number + 1})
        return int((await connection.execute(statement.returning(number))).scalar_one())

    @asynccontextmanager
    async def moment(self, subject: str) -> AsyncIterator[tuple[AsyncConnection, int]]:
        """Yield a connection on which everything read is of one moment, and the generation of ``subject`` at that moment.

        Nothing that is committed meanwhile leaves the journal, so it is not to be held for long. Raises as ``begin``.
        """
        async with self.begin() as connection:
            await connection.exec_driver_sql("BEGIN")  # else each statement would be of a moment of its own
            number = (await connection.execute(select(_generations.c.number).where(_generations.c.subject == subject))).scalar()
            yield connection, number or 0

    def generation(self, subject: str) -> int:
        """Return the number of commits that changed ``subject``, of any process, as of at most a millisecond ago.

        Costs some microseconds, and less when it was asked within that millisecond; never waits.

        Raises:
            DatabaseUnusable: the file can no longer be read.
        """
        if self._watch is None:
            msg = "the store is not open"
            raise DatabaseUnusable(msg)
        now = time.monotonic()
        if now - self._looked < FRESH_SECONDS:
            return self._generations.get(subject, 0)
        if not self._is_same_file():
            # What others commit goes into the new file, and this one would never hear of it: no revocation, and no lock.
            msg = f"{self.path} is {_REPLACED}"
            raise DatabaseUnusable(msg)
        try:
            # data_version moves when another connection commits; this one never writes, so it sees every commit.
            version = self._watch.execute("PRAGMA data_version").fetchone()[0]
            if version != self._data_version:
                self._generations = dict(self._watch.execute("SELECT subject, number FROM generations"))
                self._data_version = version
            self._looked = now
        except sqlite3.Error as error:
            msg = f"{self.path} cannot be read: {error}"
            raise DatabaseUnusable(msg) from error
        return self._generations.get(subject, 0)

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Return the rows of a SELECT, without waiting for other tasks: for the little that memory is loaded from.

        Raises:
            DatabaseUnusable: the file cannot be read.
        """
        if self._watch is None:
            msg = "the store is not open"
            raise DatabaseUnusable(msg)
        try:
            return self._watch.execute(statement, parameters).fetchall()
        except sqlite3.Error as error:
            msg = f"{self.path} cannot be read: {error}"
            raise DatabaseUnusable(msg) from error


def _missing(connection: Connection) -> Iterator[tuple[str, Column[Any]]]:
    """Yield each column that the file does not have, with its table's name."""
    there = inspect(connection)
    for table in METADATA.sorted_tables:
        if not there.has_table(table.name):
            continue
        found = {column["name"] for column in there.get_columns(table.name)}
        yield from ((table.name, column) for column in table.c if column.name not in found)


def differences(path: Path) -> list[str]:
    """Return why a store could not be opened by this version; it is read and never written. Only tables known here count.

    Raises:
        SQLAlchemyError: it cannot be read.
    """
    engine = create_engine(f"sqlite:///file:{quote(str(path.absolute()))}?mode=ro&uri=true")
    try:
        with engine.connect() as connection:
            return sorted(_differences(connection))
    finally:
        engine.dispose()


def _differences(connection: Connection) -> Iterator[str]:
    """Yield what of the file's tables cannot be brought up to ours by adding an empty column; one that is not there is made."""
    there = inspect(connection)
    for table in METADATA.sorted_tables:
        if not there.has_table(table.name):
            continue
        if set(there.get_pk_constraint(table.name)["constrained_columns"]) != {each.name for each in table.primary_key}:
            yield f"{table.name} has another primary key"
        for found in there.get_columns(table.name):
            if found["name"] not in table.c and not found["nullable"] and found["default"] is None:
                yield f"{table.name}.{found['name']} is not known here"
    for name, column in _missing(connection):
        if not column.nullable:
            yield f"{name}.{column.name} is missing"


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
