"""The registry's use cases: load and recognize, enroll, import. ``stewards.py`` has those that lessen protection.

The server holds one ``Registry`` and calls ``refresh`` about once a second; nothing is read while nothing has changed, and
else what has. Changed persons are read and checked aside, in small steps that let queries pass, and then taken in one by
one, each at once. ``verify``, called now and then, reads everything to see that nobody changed it behind our back.

``ready`` is false until the first load has ended, after a refresh that failed (a table that was altered, another key, an
unreadable store), and when no refresh has succeeded for ``STALE_SECONDS``: then every query is refused, since nobody can say
who is protected.
"""

from __future__ import annotations

import asyncio
import gc
import secrets
import time
from collections import Counter
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final, TypeVar

from proxy.registry.enrollment import Report, plan_entries, plan_staff
from proxy.registry.events import PersonnelImported, RegistryAdded, RegistryImported, RegistryRevealed
from proxy.registry.keyring import Keyring, Keys
from proxy.registry.loading import Loaded, Owner
from proxy.registry.person import NOBODY, Entry, EntryUnknown, pack, unpack_entry, unpack_staff
from proxy.registry.profile import forget
from proxy.registry.recognition import Snapshot
from proxy.registry.recognizer import RegistryRecognizer
from proxy.registry.sharing import Base
from proxy.registry.store import RegistryUnreadable, SealedTable
from proxy.registry.tables import PERSONNEL, REGISTRY
from proxy.registry.thresholds import USUALLY
from proxy.registry.tokens import Tokens
from proxy.registry.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.audit.outbox import Outbox
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.registry.lines import EntryLine, StaffLine
    from proxy.registry.loading import Row
    from proxy.registry.person import Identifiers, Staff
    from proxy.registry.profile import Profile
    from proxy.registry.thresholds import Thresholds
    from proxy.telemetry import Metrics

STALE_SECONDS: Final = 60
FROZEN_FROM: Final = 1_000
"""So many persons are set aside from the search for garbage, which would stop everything for seconds to find none."""

ROWS_A_COMMIT: Final = 250
BASES_AN_EVENT: Final = 16
"""An entry of the log has at most 65,535 bytes: an event that did not fit would hold up every later one."""


class Registry:
    """Protected persons and personnel: what the street recognizes by, and what stewards change."""

    def __init__(
        self,
        database: Database,
        key: bytes | Keyring,
        clock: Clock,
        *,
        metrics: Metrics | None = None,
        category_group: Callable[[str], str] | None = None,
        outbox: Outbox | None = None,
        thresholds: Thresholds = USUALLY,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
        monotonic: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Use an open store and the 32-byte key of the registry's key file, or its keyring.

        ``category_group`` names a category in metrics (``registry_size``); without it only the total is told, as
        ``protected``. Changes made without an ``outbox`` are not in the log.
        """
        self.recognizer = RegistryRecognizer(clock, metrics, monotonic)
        self._clock = clock
        self._metrics = metrics
        self._category_group = category_group or (lambda _category: "protected")
        self._outbox = outbox
        self._randomness = randomness
        ring = key if isinstance(key, Keyring) else Keyring(Keys(key))
        self._entries = Loaded(SealedTable(database, REGISTRY, ring, randomness), unpack_entry)
        self._staff = Loaded(SealedTable(database, PERSONNEL, ring, randomness), unpack_staff)
        self._refreshing = asyncio.Lock()
        self._thresholds = thresholds
        self._snapshot: Snapshot | None = None
        self._first: dict[Profile, None] | None = None
        self._ends: list[tuple[datetime, str]] = []
        self._ended: set[Profile] = set()
        self._sizes: Counter[str] = Counter()
        self._told: frozenset[str] = frozenset()

    def follow(self, thresholds: Thresholds, category_group: Callable[[str], str]) -> None:
        """Obey another policy from now on: at once, and in one step for whoever recognizes on the same event loop."""
        self._thresholds = thresholds
        if self._snapshot is not None:
            self._snapshot.thresholds = thresholds
        self._category_group = category_group
        self._count()

    async def refresh(self) -> None:
        """Load what has changed, of any process; some microseconds when nothing has.

        Raises:
            RegistryUnreadable: a table was altered, or was sealed with another key; nothing is ready any more.
            DatabaseUnusable: the store cannot be read; nothing is ready until it can.
        """
        async with self._refreshing:
            try:
                await self._refresh()
            except BaseException:
                self.recognizer.trust(None)
                raise
            self.recognizer.trust(self._clock() + timedelta(seconds=STALE_SECONDS))

    async def verify(self) -> None:
        """See that the tables are what was sealed, all of them; some seconds for a million rows, in which queries pass.

        Raises:
            RegistryUnreadable: a table was altered; nothing is ready any more, nor at the next ``refresh`` if it still is.
        """
        for loaded in (self._entries, self._staff):
            try:
                await loaded.table.verify()
            except RegistryUnreadable:
                loaded.doubt()
                self.recognizer.trust(None)
                raise

    @property
    def enrolled(self) -> int:
        """Return how many are protected, as far as it is loaded."""
        return sum(self._sizes.values())

    async def entries(self) -> list[Entry]:
        """Return every entry in clear, in the order of their ids, expired ones too. Raises as ``refresh``."""
        return await _everything(self._entries)

    async def named(self, ids: Sequence[str]) -> list[Entry]:
        """Return these entries in clear, as far as they are there: for whoever has recorded why. Raises as ``refresh``."""
        return [self._entries.unpack(content) async for _, _, content in self._entries.table.read(sorted(ids))]

    async def reveal(self, *, by: str) -> list[Entry]:
        """Return every entry in clear to a steward; the log will say so. Raises as ``refresh``."""
        async with self._entries.table.alone(), self._entries.table.changing(told=False) as change:
            found = await self.entries()
            if self._outbox is not None:
                await self._outbox.put(change.connection, RegistryRevealed(count=len(found), by=by))
        return found

    async def extend(self, entry_id: str, additions: Identifiers = NOBODY, *, household: str = "", by: str) -> Entry:
        """Add to an entry what a steward has confirmed: more protection, at once.

        Raises:
            EntryUnknown: there is none of this id.
            RegistryUnreadable: as ``refresh``.
        """
        async with self._entries.table.alone():
            entry = next((entry for entry in await self.entries() if entry.id == entry_id), None)
            if entry is None:
                raise EntryUnknown(f"There is no entry {entry_id}; `registry list` shows them.")
            extended = entry.merged(replace(entry, identifiers=additions, household=household))
            if extended != entry:
                async with self._entries.table.changing() as change:
                    await change.put({entry.id: pack(extended)})
                    if self._outbox is not None:
                        await self._outbox.put(change.connection, _added(extended, by))
        return extended

    async def personnel(self) -> list[Staff]:
        """Return every line of the personnel directory in clear. Raises as ``refresh``."""
        return await _everything(self._staff)

    async def enroll(
        self,
        lines: Iterable[EntryLine],
        *,
        by: str,
        concealed: Collection[str] = (),
        advance: Callable[[int], None] = lambda _count: None,
    ) -> Report:
        """Write lines of an import; ``advance`` hears how many entries each commit wrote. Raises as ``refresh``.

        ``concealed`` are the categories that policy conceals from somebody.
        """
        report = Report()
        async with self._entries.table.alone():
            existing = await self.entries()
            changed = plan_entries(existing, lines, report, by=by, now=self._clock(), new_id=self._new_id, concealed=concealed)
            for some in _batches(list(changed.values())):
                async with self._entries.table.changing() as change:
                    await change.put({entry.id: pack(entry) for entry in some})
                    if self._outbox is not None:
                        await self._outbox.put(change.connection, _imported(some, by))
                advance(len(some))
        return report

    async def add(self, line: EntryLine, *, by: str, concealed: Collection[str] = ()) -> tuple[Entry | None, Report]:
        """Enroll one person, or add to their entry; the entry is None when nothing changed. Raises as ``refresh``."""
        report = Report()
        async with self._entries.table.alone():
            existing = await self.entries()
            changed = plan_entries(existing, [line], report, by=by, now=self._clock(), new_id=self._new_id, concealed=concealed)
            for entry in changed.values():
                async with self._entries.table.changing() as change:
                    await change.put({entry.id: pack(entry)})
                    if self._outbox is not None:
                        await self._outbox.put(change.connection, _added(entry, by))
                return entry, report
        return None, report

    async def import_personnel(
        self,
        lines: Iterable[StaffLine],
        *,
        by: str,
        whole: bool = False,
        advance: Callable[[int], None] = lambda _count: None,
    ) -> Report:
        """Write lines into the personnel directory; with ``whole`` what the file does not have is removed."""
        report = Report()
        async with self._staff.table.alone():
            existing = await self.personnel()
            changed, gone = plan_staff(existing, lines, report, whole=whole, new_id=self._new_id)
            for some in _batches(list(changed.values())):
                async with self._staff.table.changing() as change:
                    await change.put({staff.id: pack(staff) for staff in some})
                    await self._note(change.connection, [staff.personnel for staff in some], by, written=len(some))
                advance(len(some))
            people = {staff.id: staff.personnel for staff in existing}
            for rows in _batches(gone):
                async with self._staff.table.changing() as change:
                    for row in rows:
                        await change.remove(row)
                    await self._note(change.connection, [people[row] for row in rows], by, removed=len(rows))
        return report

    async def _note(
        self, connection: AsyncConnection, people: Iterable[str], by: str, *, written: int = 0, removed: int = 0
    ) -> None:
        if self._outbox is not None:
            personnel = tuple(sorted(set(people)))
            event = PersonnelImported(written=written, removed=removed, personnel=personnel, by=by)
            await self._outbox.put(connection, event)

    async def _refresh(self) -> None:
        if self._snapshot is None:
            await self._begin()
        moved = [await self._load(self._entries), await self._load(self._staff), self._end()]
        if self._first is not None:
            with _undisturbed():
                base = await asyncio.to_thread(Base, list(self._first))
            self._known.begin(base)
            self._first = None
            if len(base.persons) >= FROZEN_FROM:
                gc.freeze()
        if any(moved):
            self._count()
            self.recognizer.swap(self._known)

    async def _begin(self) -> None:
        """Start with nobody, under the secret that what is kept was derived with."""
        tokens = Tokens(await self._entries.table.secret(), self._randomness(32))
        for loaded in (self._entries, self._staff):
            loaded.begin(tokens)
        self._snapshot, self._first = Snapshot(tokens, self._thresholds), {}

    @property
    def _known(self) -> Snapshot:
        assert self._snapshot is not None
        return self._snapshot

    async def _load(self, loaded: Loaded[Owner]) -> bool:
        """Take in what has changed in a table; tell whether there was anything to do."""
        with _undisturbed() if loaded.generation < 0 else nullcontext():
            news = await loaded.news()
            if news is None:
                return False
            turns = Turns()
            for row, now in news.rows.items():
                before = loaded.rows.pop(row, None)
                if now is not None:
                    loaded.rows[row] = now
                # No other task gets its turn between the two: nobody is ever missing.
                if before is None or now is None or before.profile is not now.profile:
                    self._forget(before)
                    self._know(now)
                await turns.give()
            loaded.settle(news)
            await loaded.keep()
            if news.rows:
                forget()
            if len(news.rows) >= FROZEN_FROM:
                gc.freeze()  # before the search goes on, which would begin with all of them
        return True

    def _know(self, row: Row | None) -> None:
        if row is None:
            return
        profile = row.profile
        if profile.expires and isinstance(owner := profile.owner, Entry) and owner.expires:
            if owner.expired(self._clock()):
                self._ended.add(profile)
                return
            heappush(self._ends, (owner.expires, owner.id))
        if profile.enrolled:
            self._sizes[profile.category] += 1
        if self._first is not None:
            self._first[profile] = None
        else:
            self._known.add(profile)

    def _forget(self, row: Row | None) -> None:
        if row is None:
            return
        if row.profile in self._ended:
            self._ended.remove(row.profile)
            return
        if row.profile.enrolled:
            self._sizes[row.profile.category] -= 1
        if self._first is not None:
            del self._first[row.profile]
        else:
            self._known.remove(row.profile)

    def _end(self) -> bool:
        """Take out whose protection has ended; tell whether there was anybody."""
        now, found = self._clock(), False
        while self._ends and self._ends[0][0] <= now:
            row = self._entries.rows.get(heappop(self._ends)[1])
            owner = row.profile.owner if row is not None else None
            if row is None or row.profile in self._ended or not (isinstance(owner, Entry) and owner.expired(now)):
                continue
            self._forget(row)
            self._ended.add(row.profile)
            found = True
        return found

    def _count(self) -> None:
        if self._metrics is None:
            return
        groups = dict.fromkeys(self._told, 0)
        for category, size in self._sizes.items():
            group = self._category_group(category) if category else "protected"
            groups[group] = groups.get(group, 0) + size
        for group, size in groups.items():
            self._metrics.registry_size.labels(group).set(size)
        self._told = frozenset(groups)

    def _new_id(self) -> str:
        return f"p{self._randomness(8).hex()}"


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Look for no garbage meanwhile: millions of objects would be gone through again and again, and none is any."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


async def _everything(loaded: Loaded[Owner]) -> list[Owner]:
    rows = sorted(await loaded.table.tags())
    found = [loaded.unpack(content) async for _, _, content in loaded.table.read(rows)]
    return sorted(found, key=lambda owner: owner.id)


Item = TypeVar("Item")


def _batches(items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    return (items[start : start + ROWS_A_COMMIT] for start in range(0, len(items), ROWS_A_COMMIT))


def _added(entry: Entry, by: str) -> RegistryAdded:
    expires = entry.expires.isoformat() if entry.expires else None
    return RegistryAdded(entry=entry.id, category=entry.category, basis=entry.basis, by=by, expires=expires)


def _imported(entries: Sequence[Entry], by: str) -> RegistryImported:
    categories: dict[str, int] = {}
    for entry in entries:
        category = entry.category or "household"
        categories[category] = categories.get(category, 0) + 1
    return RegistryImported(
        categories=categories,
        bases=tuple(sorted({entry.basis for entry in entries if entry.basis}))[:BASES_AN_EVENT],
        entries=tuple(entry.id for entry in entries),
        by=by,
    )
