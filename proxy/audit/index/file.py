"""The index's file: written by one connection, which also checkpoints, and read by others that cannot write.

SQLite before 3.51.3 may reset the write-ahead log under a second connection that writes or checkpoints, and lose its content.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from proxy.audit.index.rows import key_of, moment
from proxy.audit.index.schema import DAY, FORMAT, HOUR, PRAGMAS, READING, SPAN_BITS, TABLES, span_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from proxy.audit.index.rows import Row

DIMENSIONS: Final = {
    "day": "day",
    "officer": "officer",
    "purpose": "(SELECT text FROM words WHERE id = purpose)",
    "outcome": "(SELECT text FROM words WHERE id = outcome)",
}


class IndexUnusable(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """The index cannot be opened, read or written; it can be made anew from the log."""


class Writing:
    """The one connection that writes."""

    def __init__(self, path: Path) -> None:
        """Open the file, and make it (mode 0600) with its tables where there is none.

        Raises:
            IndexUnusable: it cannot be opened, or is of another form.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
            for pragma in PRAGMAS:
                self._connection.execute(f"PRAGMA {pragma}")
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                self._connection.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {FORMAT}; COMMIT;")
            elif version != FORMAT:
                msg = f"{path} is an index of form {version}, this program knows {FORMAT}"
                raise IndexUnusable(msg)
            self._words: dict[str, int] = {
                text: number for number, text in self._connection.execute("SELECT id, text FROM words")
            }
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from error

    def close(self) -> None:
        """Write everything into the file and close it."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def meta(self) -> dict[str, str]:
        """Return what is known of the log that is indexed.

        Raises:
            IndexUnusable: it cannot be read.
        """
        try:
            return dict(self._connection.execute("SELECT name, value FROM meta"))
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error

    def add(self, rows: Sequence[Row], meta: dict[str, str]) -> None:
        """Add rows, and say in the same transaction how far it goes.

        Raises:
            IndexUnusable: nothing was added.
        """
        run = self._connection
        words = dict(self._words)
        try:
            run.execute("BEGIN IMMEDIATE")
            try:
                self._add(rows)
                run.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", meta.items())
                run.execute("COMMIT")
            except BaseException:
                self._words = words
                run.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error

    def _add(self, rows: Sequence[Row]) -> None:
        run, word = self._connection, self._word
        run.executemany(
            "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?)",
            [(row.number, row.at, word(row.kind), row.segment, row.offset) for row in rows],
        )
        postings = sorted((row.number >> SPAN_BITS, key, row.number) for row in rows for key in row.keys)
        run.executemany("INSERT OR IGNORE INTO postings VALUES (?, ?, ?)", postings)
        marks = sorted(
            (row.number >> SPAN_BITS, key, row.number, record, word(field)) for row in rows for key, record, field in row.marks
        )
        run.executemany("INSERT OR IGNORE INTO marks VALUES (?, ?, ?, ?, ?)", marks)
        hours: dict[int, tuple[int, int]] = {}
        for row in rows:
            first, last = hours.get(row.at // HOUR, (row.number, row.number))
            hours[row.at // HOUR] = (min(first, row.number), max(last, row.number))
        run.executemany(
            "INSERT INTO hours VALUES (?, ?, ?) ON CONFLICT (hour) DO UPDATE"
            " SET first = min(first, excluded.first), last = max(last, excluded.last)",
            [(hour, first, last) for hour, (first, last) in hours.items()],
        )
        epochs: dict[str, tuple[int, int]] = {}
        for row in rows:
            epochs[row.epoch] = (min(epochs.get(row.epoch, (row.number, 0))[0], row.number), row.number)
        run.executemany(
            "INSERT INTO epochs VALUES (?, ?, ?) ON CONFLICT (epoch) DO UPDATE SET last = max(last, excluded.last)",
            [(epoch, first, last) for epoch, (first, last) in epochs.items()],
        )
        run.executemany("INSERT OR IGNORE INTO body_keys VALUES (?)", [(key,) for key in {row.body_key for row in rows} - {""}])
        # What a court had shredded is not to be found by what it held, nor an answer that never left by what it would have
        # shown. The entry that says so comes later, maybe in a later turn: never before what it takes back.
        gone = [(number >> SPAN_BITS, number) for row in rows for number in row.gone]
        run.executemany("DELETE FROM marks WHERE span = ? AND idx = ?", gone)
        counted = Counter((row.at // DAY, row.officer, word(row.purpose), word(row.outcome)) for row in rows if row.counts)
        run.executemany(
            "INSERT INTO counts VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET number = number + excluded.number",
            [(*what, number) for what, number in sorted(counted.items())],
        )

    def _word(self, text: str) -> int:
        number = self._words.get(text)
        if number is None:
            number = self._words[text] = len(self._words) + 1
            self._connection.execute("INSERT INTO words VALUES (?, ?)", (number, text))
        return number


class Reading:
    """A connection that reads; many at a time, each for one question."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Read through an open connection."""
        self._connection = connection

    def size(self) -> int:
        """Return how many entries of the log are indexed."""
        found = self._connection.execute("SELECT value FROM meta WHERE name = 'size'").fetchone()
        return int(found[0]) if found else 0

    def epochs(self, first: int, end: int) -> list[str]:
        """Return the epochs of the entries in [first, end)."""
        question = "SELECT epoch FROM epochs WHERE first < ? AND last >= ? ORDER BY first"
        return [epoch for (epoch,) in self._connection.execute(question, (end, first))]

    def body_keys(self) -> set[str]:
        """Return the ids of the keys that bodies were sealed with."""
        return {key for (key,) in self._connection.execute("SELECT id FROM body_keys")}

    def has_kind(self, kind: str) -> bool:
        """Tell whether there may be an entry of a kind, or one that has the word elsewhere."""
        return self._connection.execute("SELECT 1 FROM words WHERE text = ?", (kind,)).fetchone() is not None

    def between(self, since: datetime, until: datetime) -> tuple[int, int]:
        """Return first and end of the entries among which are all of a stretch of time, and maybe some beside it."""
        first, last = self._connection.execute(
            "SELECT min(first), max(last) FROM hours WHERE hour BETWEEN ? AND ?",
            (moment(since) // HOUR, (moment(until) - 1) // HOUR),
        ).fetchone()
        return (0, 0) if first is None else (first, last + 1)

    def holding(self, tokens: Iterable[str], first: int, end: int, most: int) -> list[int]:
        """Return the newest entries in [first, end) that hold any of the tokens, newest first."""
        return self._newest("postings", {key_of(token) for token in tokens}, first, end, most)

    def marked(self, marks: Iterable[str], first: int, end: int, most: int) -> list[int]:
        """Return the newest entries that disclosed a value of any of the marks, newest first."""
        return self._newest("marks", {key_of(mark) for mark in marks}, first, end, most)

    def of_key(self, key: int, first: int, end: int, most: int) -> list[int]:
        """Return the newest entries under a key of ours (``about_key``), newest first."""
        return self._newest("postings", {key}, first, end, most)

    def _newest(self, table: str, keys: set[int], first: int, end: int, most: int) -> list[int]:
        found: list[int] = []
        question = f"SELECT DISTINCT idx FROM {table} WHERE span = ? AND key = ? AND idx >= ? AND idx < ?"  # noqa: S608 -- ours
        for span in range(span_of(max(end - 1, 0)), span_of(first) - 1, -1):
            here: set[int] = set()
            for key in keys:
                asked = (span, key, first, end, most)
                here.update(number for (number,) in self._connection.execute(f"{question} ORDER BY idx DESC LIMIT ?", asked))
            found += sorted(here, reverse=True)
            if len(found) >= most:
                break
        return found[:most]

    def places(self, indices: Iterable[int]) -> dict[int, tuple[int, int]]:
        """Return of entries segment and offset, in the order asked."""
        question = "SELECT segment, offset FROM entries WHERE idx = ?"
        found = ((index, self._connection.execute(question, (index,)).fetchone()) for index in indices)
        return {index: row for index, row in found if row is not None}

    def counts(self, by: str, since: datetime, until: datetime, officer: Iterable[str] = ()) -> list[tuple[int | str, int]]:
        """Return how many queries there were, by ``day`` (days since 1970), ``officer`` (key), ``purpose`` or ``outcome``."""
        keys = [key_of(token) for token in officer]
        among = f" AND officer IN ({','.join('?' * len(keys))})" if keys else ""
        told = DIMENSIONS[by]
        question = (
            f"SELECT {told}, sum(number) FROM counts WHERE day >= ? AND day < ?{among}"  # noqa: S608 -- a closed list's word
            f" GROUP BY {by} ORDER BY {'1' if by == 'day' else '2 DESC, 1'}"
        )
        days = (moment(since) // DAY, -(-moment(until) // DAY))
        return list(self._connection.execute(question, (*days, *keys)))


@contextmanager
def reading(path: Path) -> Iterator[Reading]:
    """Yield a look into the index, of one moment.

    Raises:
        IndexUnusable: there is none, or it cannot be read.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=10)) as connection:
            connection.isolation_level = None
            for pragma in READING:
                connection.execute(f"PRAGMA {pragma}")
            if connection.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
                msg = f"{path} is an index of another form"
                raise IndexUnusable(msg)
            connection.execute("BEGIN")
            yield Reading(connection)
    except sqlite3.Error as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: Exception) -> IndexUnusable:
    msg = f"{path} cannot be used as the index of the log: {error}. `audit rebuild-index` makes it anew"
    return IndexUnusable(msg)
