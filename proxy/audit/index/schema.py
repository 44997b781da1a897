"""The index's tables.

Postings lie in *spans* of 2**17 entries: what is added, in order of the log, touches one span's part of the tree, so that an
index of ten million entries is built as fast as one of one million, and a question reads one place in each span.
"""

from __future__ import annotations

from typing import Final

FORMAT: Final = 3
SPAN_BITS: Final = 17
DAY: Final = 86_400_000
HOUR: Final = 3_600_000

TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE words (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE entries (
    idx INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind INTEGER NOT NULL, segment INTEGER NOT NULL, offset INTEGER NOT NULL
);
CREATE TABLE postings (
    span INTEGER NOT NULL, key INTEGER NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (span, key, idx)
) WITHOUT ROWID;
CREATE TABLE marks (
    span INTEGER NOT NULL, key INTEGER NOT NULL, idx INTEGER NOT NULL, record INTEGER NOT NULL, field INTEGER NOT NULL,
    PRIMARY KEY (span, key, idx, record, field)
) WITHOUT ROWID;
CREATE TABLE epochs (epoch TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE body_keys (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE hours (hour INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL);
CREATE TABLE counts (
    day INTEGER NOT NULL, officer INTEGER NOT NULL, purpose INTEGER NOT NULL, outcome INTEGER NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (day, officer, purpose, outcome)
) WITHOUT ROWID;
"""
PRAGMAS: Final = (
    "journal_mode = WAL", "synchronous = NORMAL", "busy_timeout = 10000", "cache_size = -65536", "temp_store = MEMORY",
    "secure_delete = ON",
)  # fmt: skip
READING: Final = ("busy_timeout = 10000", "cache_size = -16384", "mmap_size = 268435456")


def span_of(index: int) -> int:
    """Return the span that an entry lies in."""
    return index >> SPAN_BITS
