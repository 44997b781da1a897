"""The registry's use cases: load and recognize, enroll, import. ``stewards.py`` has those that lessen protection.

The server holds one ``Registry`` and calls ``refresh`` about once a second; nothing is read while nothing has changed. A
new state is built aside, in small steps that let queries pass, and put in place at once. ``ready`` is false until the
first load has ended, after a refresh that failed (a table that was altered, another key, an unreadable store), and when no
refresh has succeeded for ``STALE_SECONDS``: then every query is refused, since nobody can say who is protected.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from proxy.registry.enrollment import Report, plan_entries, plan_staff
from proxy.registry.events import PersonnelImported, RegistryAdded, RegistryImported, RegistryRevealed
from proxy.registry.person import NOBODY, Entry, EntryUnknown, Staff, pack, unpack_entry, unpack_staff
from proxy.registry.profile import Profile, forget, profile_of
from proxy.registry.recognition import Snapshot
from proxy.registry.store import PERSONNEL, REGISTRY, RegistryUnreadable, SealedTable
from proxy.registry.thresholds import USUALLY
from proxy.registry.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.audit.outbox import Outbox
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.identity.principal import Principal
    from proxy.registry.keyring import Keyring
    from proxy.registry.lines import EntryLine, StaffLine
    from proxy.registry.person import Identifiers
    from proxy.registry.protection import Protection, Recognition
    from proxy.registry.thresholds import Thresholds
    from proxy.telemetry import Metrics

STALE_SECONDS: Final = 60
PROFILES_A_STEP: Final = 16
ADDITIONS_A_STEP: Final = 128
ROWS_A_COMMIT: Final = 250
BASES_AN_EVENT: Final = 16
"""An entry of the log has at most 65,535 bytes: an event that did not fit would hold up every later one."""
_ATTEMPTS: Final = 5

Owner = TypeVar("Owner", Entry, Staff)


@dataclass(slots=True)
class _Loaded(Generic[Owner]):
    """One table's rows as profiles, each with the tag of the payload it was made of."""

    table: SealedTable
    unpack: Callable[[bytes], Owner]
    rows: dict[str, tuple[bytes, Profile]]
    generation: int = -1


class RegistryRecognizer:
    """Implements ``protection.Recognizer`` on whichever state is in place."""

    def __init__(self, clock: Clock, metrics: Metrics | None, monotonic: Callable[[], float]) -> None:
        """Start without a state: not ready."""
        self._clock = clock
        self._observe = metrics.recognition_seconds.observe if metrics else None
        self._monotonic = monotonic
        self._snapshot: Snapshot | None = None
        self._good_until: datetime | None = None

    @property
    def ready(self) -> bool:
        """Tell whether the registry is loaded, believed and fresh."""
        return self._good_until is not None and self._clock() < self._good_until

    def asks_for_more(self, criteria: Mapping[str, Sequence[str]]) -> bool:
        """Tell whether criteria are too little for so large a registry, whomever they mean.

        Raises:
            RegistryUnreadable: nothing is loaded.
        """
        return self._loaded().asks_for_more(criteria)

    def recognize(self, fields: Mapping[str, Sequence[str]], principal: Principal) -> Recognition:
        """Recognize criteria or one record.

        Raises:
            RegistryUnreadable: nothing is loaded.
            TooManyNames: there are more names than are worth trying; it must be treated as unreadable.
        """
        begun = self._monotonic()
        recognition = self._loaded().recognize(fields, principal, self._clock)
        if self._observe is not None:
            self._observe(self._monotonic() - begun)
        return recognition

    def protections(self, fields: Mapping[str, Sequence[str]]) -> tuple[Protection, ...]:
        """Return everybody protected who is concerned, whoever asks. Raises as ``recognize`` does."""
        return self._loaded().protections(fields, self._clock)

    def swap(self, snapshot: Snapshot) -> None:
        """Put a newly built state in place."""
        self._snapshot = snapshot

    def trust(self, until: datetime | None) -> None:
        """Be ready until then, or, with None, not at all."""
        self._good_until = until

    def _loaded(self) -> Snapshot:
        if self._snapshot is None:
            raise RegistryUnreadable("The registry of protected persons is not loaded.")
        return self._snapshot


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
        self._thresholds = thresholds
        self._randomness = randomness
        self._tokens = Tokens(randomness(32))
        self._entries = _Loaded(SealedTable(database, REGISTRY, key, randomness), unpack_entry, {})
        self._staff = _Loaded(SealedTable(database, PERSONNEL, key, randomness), unpack_staff, {})
        self._refreshing = asyncio.Lock()
        self._next_expiry: datetime | None = None
        self._groups: set[str] = set()

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

    async def entries(self) -> list[Entry]:
        """Return every entry in clear, in the order of their ids, expired ones too. Raises as ``refresh``."""
        return await _everything(self._entries)

    async def reveal(self, *, by: str) -> list[Entry]:
        """Return every entry in clear to a steward; the log will say so. Raises as ``refresh``."""
        async with self._entries.table.alone(), self._entries.table.changing() as change:
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
        moved = [await self._load(self._entries), await self._load(self._staff)]
        expired = self._next_expiry is not None and self._next_expiry <= self._clock()
        if any(moved) or expired:
            await self._rebuild()

    async def _load(self, loaded: _Loaded[Owner]) -> bool:
        """Bring the profiles of a table up to date; tell whether there was anything to do."""
        if loaded.generation == loaded.table.generation() and loaded.generation >= 0:
            return False
        for _ in range(_ATTEMPTS):
            generation = loaded.table.generation()
            tags = await loaded.table.tags()
            rows = {row: kept for row, kept in loaded.rows.items() if tags.get(row) == kept[0]}
            read = 0
            async for row, tag, content in loaded.table.read([row for row in tags if row not in rows]):
                rows[row] = (tag, profile_of(loaded.unpack(content), self._tokens))
                read += 1
                if read % PROFILES_A_STEP == 0:
                    await asyncio.sleep(0)
            loaded.rows = rows
            if read:
                forget()
            if {row: tag for row, (tag, _) in rows.items()} == tags:
                loaded.generation = generation
                return True
        raise RegistryUnreadable("The registry changes faster than it can be read. Wait for the import to end.")

    async def _rebuild(self) -> None:
        now = self._clock()
        profiles = [profile for _, profile in (*self._entries.rows.values(), *self._staff.rows.values())]
        current = [each for each in profiles if not isinstance(each.owner, Entry) or not each.owner.expired(now)]
        snapshot = Snapshot(self._tokens, current, self._thresholds)
        for step, _ in enumerate(snapshot.build(), start=1):
            if step % ADDITIONS_A_STEP == 0:
                await asyncio.sleep(0)
        entries = [each.owner for each in current if isinstance(each.owner, Entry)]
        self._next_expiry = min((entry.expires for entry in entries if entry.expires), default=None)
        self.recognizer.swap(snapshot)
        self._count(entries)

    def _count(self, entries: Iterable[Entry]) -> None:
        if self._metrics is None:
            return
        sizes = dict.fromkeys(self._groups, 0)
        for entry in entries:
            group = self._category_group(entry.category) if entry.category else "protected"
            sizes[group] = sizes.get(group, 0) + 1
        self._groups = set(sizes)
        for group, size in sizes.items():
            self._metrics.registry_size.labels(group).set(size)

    def _new_id(self) -> str:
        return f"p{self._randomness(8).hex()}"


async def _everything(loaded: _Loaded[Owner]) -> list[Owner]:
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
