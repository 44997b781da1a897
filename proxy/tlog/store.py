"""What a log's directory holds, read without holding its lock.

======================  ==========================================================================================
``segments/<first>.seg``  the log itself: entries with bodies and, after each batch, the checkpoint that seals it (``frames``)
``acknowledged``          two slots with the newest checkpoints that somebody was told of (``acknowledged``)
``checkpoint``, ``tile/`` the C2SP tlog-tiles layout, derived from the segments after the fact (``publisher``)
``pruned``                from which entry on the log is kept, where that is not the first (``pruned``)
``lock``                  held by the one process that writes
======================  ==========================================================================================
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.tlog.errors import LogDamaged, LogPruned, NoteInvalid
from proxy.tlog.frames import SEGMENT_NAME, Kind, frames
from proxy.tlog.note import parse_unverified

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEGMENTS: Final = "segments"
CHECKPOINT: Final = "checkpoint"
COSIGNED: Final = "cosigned"
HISTORY: Final = "cosigned.history"
ACKNOWLEDGED: Final = "acknowledged"
LOCK: Final = "lock"
PRUNED: Final = "pruned"
_FIRST: Final = re.compile(rb"([1-9][0-9]{0,18}) ")
_ORIGIN: Final = re.compile(rb"(?:\A|\A\x00\x00..)([!-*,-~]{1,200})\n(?:0|[1-9][0-9]*)\n", re.DOTALL)


def origin_of(directory: Path) -> str | None:
    """Return whose log a directory says it holds, unverified, or None when it does not say."""
    for name in (CHECKPOINT, *(f"{SEGMENTS}/{each.path.name}" for each in segments_of(directory)[:1])):
        with suppress(OSError):
            with (directory / name).open("rb") as file:
                head = file.read(512)
            match = _ORIGIN.search(head)
            if match is not None:
                return match[1].decode()
    return None


class Segment(NamedTuple):
    """One segment file and the index of its first entry."""

    first: int
    path: Path


def first_kept(directory: Path) -> int:
    """Return the first entry that was not pruned, unverified; 0 for a log that is whole.

    Raises:
        LogDamaged: the file that says so cannot be read.
    """
    try:
        with (directory / PRUNED).open("rb") as file:
            match = _FIRST.match(file.read(32))
    except FileNotFoundError:
        return 0
    if match is None:
        msg = f"{directory / PRUNED} does not say from which entry on the log is kept"
        raise LogDamaged(msg, 0)
    return int(match[1])


def absent(directory: Path, index: int) -> LogDamaged:
    """Return what to raise where the segment that should hold an entry is not there."""
    first = first_kept(directory)
    if index < first:
        return LogPruned(f"entry {index} was pruned: the log is kept from entry {first} on", index)
    return LogDamaged(f"the segment that holds entry {index} is missing", index)


class Stored(NamedTuple):
    """An entry and its body: empty when it has none, None when that was shredded."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody asks of an entry
    entry: bytes
    body: bytes | None


def segments_of(directory: Path) -> list[Segment]:
    """Return the segments that are kept, in order; none when the log does not exist yet."""
    found = []
    kept = first_kept(directory)
    try:
        with os.scandir(directory / SEGMENTS) as names:
            for name in names:
                match = SEGMENT_NAME.match(name.name)
                if match is not None and int(match[1]) >= kept:
                    found.append(Segment(int(match[1]), directory / SEGMENTS / name.name))
    except FileNotFoundError:
        return []
    return sorted(found)


class SegmentReader:
    """Reads sealed entries: those that a checkpoint of the segments follows. A batch in the making is not seen."""

    def __init__(self, directory: Path) -> None:
        """Name the log's directory; nothing is opened yet."""
        self.directory = directory

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield (index, entry) from ``start`` (0: the first that is kept) up to ``end`` (exclusive) or the newest seal.

        Signatures and hashes are not checked here; ``verify`` does that.

        Raises:
            LogDamaged: entries are missing before the end.
        """
        return ((index, entry) for index, entry, _ in self.stored(start, end))

    def stored(self, start: int = 0, end: int | None = None) -> Iterator[Stored]:
        """Yield entries with their bodies, as ``entries`` does.

        Raises:
            LogDamaged: entries are missing before the end.
        """
        index = start or first_kept(self.directory)
        while end is None or index < end:
            cursor = Cursor(self.directory, index)
            batch = cursor.stored()
            if not batch:
                return
            for item in batch:
                if end is not None and item.index >= end:
                    return
                yield item
            index = cursor.next

    def read(self, index: int) -> bytes:
        """Return one entry.

        Raises:
            IndexError: the log has no such sealed entry.
            LogDamaged: entries are missing before it.
        """
        if 0 <= index < first_kept(self.directory):
            raise absent(self.directory, index)
        if index >= 0:
            for _, entry in self.entries(index, index + 1):
                return entry
        msg = f"the log has no entry {index}"
        raise IndexError(msg)


class Cursor:
    """A place in the log from which one can go on as the log grows, without reading anything twice."""

    def __init__(self, directory: Path, start: int = 0) -> None:
        """Stand before entry ``start``; 0 is where what is kept begins."""
        self.next = start or first_kept(directory)
        self._directory = directory
        self._segment: Segment | None = None
        self._at = 0  # the index of the entry at `_offset`
        self._offset = 0

    def sealed(self) -> list[tuple[int, bytes]]:
        """Return (index, entry) of the sealed entries that follow in this segment and pass them; empty when there are none yet.

        Raises:
            LogDamaged: the segment that should hold the next entry is missing.
        """
        return [(index, entry) for index, entry, _ in self.stored()]

    def stored(self, durable: int | None = None) -> list[Stored]:
        """Return the sealed entries that follow, with their bodies, and pass them.

        Whoever remembers elsewhere how far they came says how many entries are ``durable``: a batch is in the file before it
        is synced, and a power cut can take it away again.

        Raises:
            LogDamaged: the segment that should hold the next entry is missing.
        """
        found = self._advance(durable)
        if not found and self._segment is not None:
            newest = segments_of(self._directory)[-1:]
            if newest and newest[0].first > self._segment.first and self._at == self.next:
                behind, self._segment = self._segment, None
                found = self._advance(durable)
                if self._segment == behind:
                    raise absent(self._directory, self.next)
        return found

    def _advance(self, durable: int | None) -> list[Stored]:
        if self._segment is None:
            self._segment = self._locate()
            if self._segment is None:
                return []
            self._at, self._offset = self._segment.first, 0
        with self._segment.path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        found: list[Stored] = []
        pending: list[Stored] = []
        passed = 0
        for frame in frames(data):
            match frame.kind:
                case Kind.ENTRY:
                    pending.append(Stored(self._at + len(pending), frame.content, b""))
                case Kind.BODY:
                    pending[-1] = pending[-1]._replace(body=None if frame.shredded else frame.content)
                case Kind.SEAL if durable is not None and self._at + len(pending) > durable:
                    break
                case Kind.SEAL:
                    found += pending[max(self.next - self._at, 0) :]
                    self._at += len(pending)
                    pending, passed = [], frame.end
        self._offset += passed
        if found:
            self.next = found[-1].index + 1
        return found

    def _locate(self) -> Segment | None:
        segments = segments_of(self._directory)
        place = bisect_right([segment.first for segment in segments], self.next) - 1
        if place < 0:
            if segments:
                raise absent(self._directory, self.next)
            return None
        return segments[place]


def newest_seal(directory: Path) -> int:
    """Return the size that the newest seal of the segments names, unverified: where ``tail`` starts counting from."""
    size = 0
    for segment in reversed(segments_of(directory)):
        for frame in frames(segment.path.read_bytes()):
            if frame.sealed:
                try:
                    size = parse_unverified(frame.content.decode()).size
                except (NoteInvalid, UnicodeDecodeError):
                    break
        if size:
            break
    return size
