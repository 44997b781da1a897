"""The index at work: it follows the log, says how far it has come, and hands out entries read from the log itself.

It lies in a folder beside the store, as one file of the highest number. Making it anew writes a file of the next number; nobody
has to stop for it, and what is interrupted goes on where it was. Whoever adds to it holds the folder's lock
for as long as the file is open.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from proxy.audit.continuity import older_of
from proxy.audit.entry import decode
from proxy.audit.index.file import IndexUnusable, reading
from proxy.audit.index.folder import Folder, place_of, remove
from proxy.audit.index.rows import QUERIES, SHREDDED, about_key, in_clear, left_in, row_at
from proxy.tlog.places import CHUNK, Place, following, read_at
from proxy.tlog.store import first_kept, newest_seal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from proxy.audit.entry import Entry
    from proxy.audit.event import Json
    from proxy.audit.index.file import Reading, Writing
    from proxy.audit.sealing import Sealer

MOST_TOGETHER: Final = 64
"""Entries of one query that are looked at; it has two, or a few more where it was escalated."""
WHOLE: Final = 1 << 40
SECONDS: Final = 30.0
"""Seconds after which a turn ends, so that a server that stops need not wait for a whole log."""
TURN_SECONDS: Final = 0.05
RESTS: Final = 9
TURN_CHUNK: Final = 1 << 19
"""Beside a server: how long a turn takes, how many times as long it rests, and how many bytes of the log it reads at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """Entries that hold what was sought, newest first. ``indexed`` is how far the index goes, ``more`` tells of others."""

    entries: Sequence[Entry]
    indexed: int
    more: bool
    dead: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaps:
    """What nothing can be found in any more: entries before ``pruned``, shredded bodies, what keys that are not here made."""

    pruned: int = 0
    shredded: bool = False
    keys: Sequence[str] = ()


class Index:
    """One log's index. Safe to use from any thread; one of them adds at a time."""

    def __init__(self, log: Path, folder: Path, sealer: Sealer, origin: str, chunk: int = CHUNK) -> None:
        """Name the log and the index's folder; nothing is opened yet. It is read ``chunk`` bytes at a time."""
        self._log = log
        self._folder = Folder(folder, log, sealer, origin)
        self._sealer = sealer
        self._chunk = chunk
        self._adding = threading.Lock()
        self._writing: Writing | None = None
        self._lock: int | None = None
        self._place = Place()
        self._older: str | None = None

    def goes_on_from(self) -> str:
        """Return the origin of the log that this one goes on from; nothing where none is, or that entry was pruned."""
        if self._older is None:
            found, _ = following(self._log, Place(), self._chunk)
            self._older = older_of(decode(found[0].stored.index, found[0].stored.entry)) if found else None
        return self._older or ""

    def in_log(self) -> int:
        """Return how many entries the log has, whether they are indexed or not."""
        return newest_seal(self._log)

    async def follow(self, seconds: float = SECONDS) -> int:
        """Take in what the log has more, for so long at most; return how many entries those were.

        Raises:
            IndexUnusable, LogDamaged: it cannot go on.
        """
        return await asyncio.to_thread(self.catch_up, None, seconds)

    async def tend(self) -> None:
        """Follow the log beside a server, called again and again: a tenth of a core at most, whatever comes in.

        Nobody waits for the index until somebody asks the log, and then it catches up; queries wait for the interpreter that
        it works in.

        Raises:
            IndexUnusable, LogDamaged: it cannot go on.
        """
        await asyncio.sleep(RESTS * await asyncio.to_thread(self._turn))

    def _turn(self) -> float:
        """Follow the log for a turn; return for how many seconds it worked: while it waits it takes nothing from anybody."""
        begun = time.thread_time()
        self.catch_up(None, TURN_SECONDS)
        return time.thread_time() - begun

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        with self._adding:
            self._shut()

    def _shut(self) -> None:
        if self._writing is not None:
            self._writing.close()
            self._writing = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def catch_up(self, progress: Callable[[int], None] | None = None, seconds: float = WHOLE) -> int:
        """Take in what the log has more, or nothing while another does; what does not belong to it begins anew.

        Raises:
            IndexUnusable: the file cannot be written.
            LogDamaged: entries are missing.
        """
        if not self._adding.acquire(timeout=min(seconds, SECONDS)):
            return 0
        try:
            return self._caught_up(progress, seconds)
        finally:
            self._adding.release()

    def _caught_up(self, progress: Callable[[int], None] | None, seconds: float) -> int:
        if self._lock is None:
            self._lock = self._folder.locked("lock")
        if self._lock is None:
            return 0
        current = self._folder.current()
        if self._writing is None or self._writing.path != current:
            if self._writing is not None:
                self._writing.close()
            self._writing = self._folder.opened(current)
            self._place = place_of(self._writing.meta())
        return self._take(self._writing, progress, seconds=seconds)

    def rebuild(self, progress: Callable[[int], None] | None = None) -> int:
        """Make the index anew beside the one in use, or go on where that was interrupted, and put it in its place.

        Raises:
            IndexUnusable, LogDamaged: as ``catch_up``; what was made is kept.
        """
        alone = self._folder.locked("rebuilding")
        if alone is None:
            msg = "another process is making the index anew"
            raise IndexUnusable(msg)
        try:
            current = self._folder.current()
            new = self._folder.after(current).with_suffix(".new")
            writing = self._folder.begun_or_fresh(new)
            try:
                done = int(writing.meta().get("size", 0))
                if progress is not None:
                    progress(done)
                taken = self._take(writing, progress, place_of(writing.meta()))
            finally:
                writing.close()
            with self._adding:
                self._shut()
                new.rename(new.with_suffix(".db"))
            remove(current)
            return done + taken
        finally:
            os.close(alone)

    def _take(
        self,
        writing: Writing,
        progress: Callable[[int], None] | None,
        place: Place | None = None,
        seconds: float = WHOLE,
    ) -> int:
        mine = place is None
        place = self._place if place is None else place
        taken, begun = 0, time.monotonic()
        while time.monotonic() - begun < seconds:
            found, behind = following(self._log, place, self._chunk)
            if behind == place:
                return taken
            rows = [row for each in found if (row := row_at(each, self._sealer)) is not None]
            last = found[-1].stored.entry if found else None
            writing.add(rows, self._folder.meta(behind, last))
            taken += len(found)
            place = behind
            if mine:
                self._place = place
            if progress is not None:
                progress(len(found))
        return taken

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Yield a look into the index as it is now.

        Raises:
            IndexUnusable: there is none.
        """
        with reading(self._folder.current()) as index:
            yield index

    def find(
        self,
        tokens: Iterable[str],
        *,
        since: datetime,
        until: datetime,
        marks: Iterable[str] = (),
        before: int | None = None,
        most: int,
    ) -> Hits:
        """Return the newest entries of a stretch of time that hold any of the tokens, or disclosed a value of any of the marks.

        Raises:
            IndexUnusable: there is no index.
            LogDamaged, EntryUnreadable: an entry cannot be read.
        """
        tokens, marks = set(tokens), set(marks)
        with self.reading() as index:
            first, end = index.between(since, until)
            end = end if before is None else min(end, before)
            found: list[Entry] = []
            while first < end and len(found) <= most:
                numbers = {*index.holding(tokens, first, end, most + 1), *index.marked(marks, first, end, most + 1)}
                newest = sorted(numbers, reverse=True)[: most + 1]
                for entry in self._read(index, newest):
                    inside = since <= datetime.fromisoformat(entry.at) < until
                    if inside and (tokens & _tokens(entry) or marks & self._marks(entry, marks)):
                        found.append(entry)
                if len(newest) <= most:
                    break
                end = newest[-1]
            dead = [epoch for epoch in index.epochs(*index.between(since, until)) if epoch not in self._sealer.epochs]
            return Hits(entries=found[:most], indexed=index.size(), more=len(found) > most, dead=dead)

    def together(self, entries: Iterable[Entry]) -> dict[str, list[Entry]]:
        """Return by query id all entries of the queries that these are of, in order.

        Raises:
            IndexUnusable, LogDamaged, EntryUnreadable: as ``find``.
        """
        known = {entry.index: entry for entry in entries}
        found: dict[str, list[Entry]] = {entry.about: [] for entry in known.values() if entry.about}
        with self.reading() as index:
            for about, whole in found.items():
                numbers = sorted(index.of_key(about_key(about), 0, index.size(), MOST_TOGETHER))
                more = {entry.index: entry for entry in self._read(index, [each for each in numbers if each not in known])}
                both = (known.get(number) or more.get(number) for number in numbers)
                whole += [entry for entry in both if entry is not None and entry.about == about]
        return found

    def officer(self, key: int) -> str:
        """Return who an officer's key in the counts stands for, from one of their queries; nothing where none can be read.

        Raises:
            IndexUnusable, LogDamaged, EntryUnreadable: as ``find``.
        """
        with self.reading() as index:
            for entry in self._read(index, index.of_key(key, 0, index.size(), MOST_TOGETHER)):
                if entry.kind in QUERIES and (name := in_clear(entry, self._sealer).get("operator")):
                    return str(name)
        return ""

    def gaps(self) -> Gaps:
        """Return what of the log nobody can search or read any more, so that nothing found there means nothing.

        Raises:
            IndexUnusable: there is no index.
            LogDamaged: what was pruned cannot be told.
        """
        with self.reading() as index:
            epochs, bodies = set(index.epochs(0, index.size())), index.body_keys()
            dead = (epochs - self._sealer.epochs) | (bodies - self._sealer.body_keys)
            return Gaps(pruned=first_kept(self._log), shredded=index.has_kind(SHREDDED), keys=sorted(dead))

    def indexed(self) -> int:
        """Return how many entries of the log are indexed.

        Raises:
            IndexUnusable: there is no index.
        """
        with self.reading() as index:
            return index.size()

    def opened(self, marks: Sequence[str], before: datetime) -> Iterator[tuple[Entry, Mapping[str, Json]]]:
        """Yield, oldest first, entries before a moment that disclosed a value of any of the marks, sealed parts in clear.

        Raises:
            IndexUnusable, LogDamaged, EntryUnreadable: as ``find``.
        """
        wanted = set(marks)
        with self.reading() as index:
            numbers = index.marked(wanted, 0, index.size(), WHOLE)
            for entry in self._read(index, reversed(numbers)):
                body = in_clear(entry, self._sealer)
                if datetime.fromisoformat(entry.at) < before and _seen(body, wanted):
                    yield entry, body

    def _read(self, index: Reading, numbers: Iterable[int]) -> Iterator[Entry]:
        for number, (segment, offset) in index.places(numbers).items():
            with suppress(FileNotFoundError):  # that segment is not kept any more
                yield decode(*read_at(self._log, number, segment, offset))

    def _marks(self, entry: Entry, wanted: set[str]) -> set[str]:
        return set(_seen(in_clear(entry, self._sealer), wanted).values()) if wanted else set()


def _seen(body: Mapping[str, Json], wanted: set[str]) -> dict[str, str]:
    """Return what was seen of the records of which a value has one of the marks."""
    seen: dict[str, str] = {}
    for record in left_in(body):
        fields = record.get("seen")
        if isinstance(fields, dict) and not wanted.isdisjoint(map(str, fields.values())):
            for name, mark in fields.items():
                if str(mark) in wanted or name not in seen:
                    seen[name] = str(mark)
    return seen


def _tokens(entry: Entry) -> set[str]:
    return {token for tokens in entry.parties.values() for token in tokens}
