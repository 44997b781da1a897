"""The audit trail: what every room's ``AuditLog`` is in a running server."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from proxy.audit.entry import EntryUnreadable, encode
from proxy.audit.errors import AuditUnavailable
from proxy.audit.event import Receipt
from proxy.audit.events import Started, Stopped
from proxy.audit.failed import Failed
from proxy.audit.pairing import Pairing
from proxy.audit.reader import AuditReader
from proxy.audit.retention import settle
from proxy.audit.rotation import require_newest
from proxy.audit.shredding import BodiesShredded, named_in, shredded_by
from proxy.clock import stamp
from proxy.tlog.errors import LogDamaged, LogError
from proxy.tlog.merkle import leaf_hash
from proxy.tlog.shredding import shred

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from proxy.audit.event import Event, Json, Party
    from proxy.audit.sealing import Sealer
    from proxy.clock import Clock
    from proxy.telemetry import Metrics
    from proxy.tlog.log import Log

_DETAIL: Final = "The record of this query could not be confirmed, so nothing was done. Try again, or tell the operator."


class AuditTrail:
    """Encodes events, appends them, and hands on a copy of what lies open."""

    def __init__(
        self,
        log: Log,
        sealer: Sealer,
        clock: Clock,
        *,
        metrics: Metrics | None = None,
        copy: Callable[[Mapping[str, Json]], None] | None = None,
    ) -> None:
        """Record into ``log``.

        Args:
            log: open; whoever opened it closes it.
            sealer: the keys.
            clock: the time of entries.
            metrics: counts entries by kind, times commits, shows the head's age and whether the log is poisoned.
            copy: is handed ``{origin, index, leaf_hash, kind, at, facts}`` after the commit; the copy is never the record,
                so its failures are nobody's.
        """
        self.log = log
        self._sealer = sealer
        self._clock = clock
        self._copy = copy
        self._metrics = metrics
        if metrics is not None:
            metrics.audit_head_age_seconds.set_function(self._head_age)
            metrics.audit_poisoned.set_function(lambda: float(log.poisoned))

    def _head_age(self) -> float:
        return max((self._clock() - self.log.head.time).total_seconds(), 0.0)

    async def record(self, event: Event) -> Receipt:
        """Return only once the event is durable in the local log.

        Raises:
            AuditUnavailable: the entry is not confirmed; nothing that depends on it may happen.
        """
        try:
            facts, parties, sealed = event.facts(), tuple(event.parties()), event.sealed()
        except Exception as error:  # an event that cannot say what it is must not pass unrecorded
            raise AuditUnavailable(_DETAIL) from error
        return await self.record_parts(kind=event.kind, about=event.about, facts=facts, parties=parties, sealed=sealed)

    async def record_parts(
        self,
        *,
        kind: str,
        about: str,
        facts: Mapping[str, Json],
        parties: Iterable[Party],
        sealed: Mapping[str, Json],
    ) -> Receipt:
        """Record an event that comes in parts (from the outbox).

        Raises:
            AuditUnavailable: the entry is not confirmed.
        """
        began = time.perf_counter()
        at = stamp(self._clock())
        try:
            entry, body = encode(self._sealer, kind=kind, at=at, about=about, facts=facts, parties=parties, sealed=sealed)
            index = await self.log.append(entry, body)
        except (LogError, TypeError, ValueError) as error:
            raise AuditUnavailable(_DETAIL) from error
        if kind == BodiesShredded.kind:
            await self.shred(named_in(facts, before=index))
        if self._metrics is not None:
            self._metrics.audit_commit_seconds.observe(time.perf_counter() - began)
            self._metrics.audit_entries_total.labels(kind).inc()
        if self._copy is not None:
            with suppress(Exception):
                self._copy(
                    {
                        "origin": self.log.origin,
                        "index": index,
                        "leaf_hash": leaf_hash(entry).hex(),
                        "kind": kind,
                        "at": at,
                        "facts": dict(facts),
                    },
                )
        return Receipt(origin=self.log.origin, index=index, kind=kind, about=about)

    def require_newest_keys(self) -> None:
        """Make sure that the rings are not older than what the log was last written with.

        Raises:
            KeyUnusable: one is: an earlier state of the key folder was put in place.
        """
        size = self.log.head.size
        if size:
            require_newest(AuditReader(self.log.directory).read(size - 1), self._sealer)

    async def shred(self, entries: Sequence[int]) -> None:
        """Overwrite the bodies that durable tombstones name; doing it again is harmless.

        Raises:
            AuditUnavailable: one is still there. The tombstone stays, and so does its row in the outbox, if it has one.
        """
        try:
            await asyncio.to_thread(shred, self.log.directory, entries)
        except (OSError, IndexError) as error:
            raise AuditUnavailable("A body that was ordered to be shredded is still there; see `audit verify`.") from error

    async def close_orphans(self) -> int:
        """End every forwarded decision that a crash left open as ``Failed(outcome="unknown")``; return how many.

        To be called before the first query. What became of them nobody knows: the reply may have been on its way, but it
        was not released, since no terminal entry is there.

        Raises:
            AuditUnavailable: the log cannot be read or written.
        """
        try:
            orphans, ordered = await asyncio.to_thread(self._orphans)
        except (LogDamaged, EntryUnreadable, OSError) as error:
            raise AuditUnavailable("The log cannot be read; run `showcause audit verify`.") from error
        # A crash may have come between a tombstone and the bodies that it names.
        await self.shred(ordered)
        for about in orphans:
            await self.record(Failed(about=about, outcome="unknown"))
        return len(orphans)

    def _orphans(self) -> tuple[list[str], list[int]]:
        reader = AuditReader(self.log.directory)
        pairing = Pairing()
        ordered: list[int] = []
        for entry in reader.entries(reader.after_last_start(), self.log.head.size):
            pairing.see(entry)
            ordered += shredded_by(entry)
        return sorted(pairing.orphans, key=pairing.orphans.__getitem__), ordered

    async def start(self, *, version: str, policy: str, sample: str = "", heartbeat: float = 0) -> Receipt:
        """Close orphans, then record that this node begins to answer; in this order, for the next start relies on it.

        A prune that was interrupted is finished first.

        Raises:
            AuditUnavailable: the log cannot be read or written.
        """
        try:
            await asyncio.to_thread(settle, self.log.directory, self.log.verifier)
        except (LogDamaged, EntryUnreadable, OSError) as error:
            raise AuditUnavailable("The log cannot be read; run `showcause audit verify`.") from error
        orphans = await self.close_orphans()
        return await self.record(
            Started(
                version=version,
                policy=policy,
                orphans=orphans,
                torn_bytes=self.log.torn_bytes,
                sample=sample,
                heartbeat=heartbeat,
            ),
        )

    async def stop(self, reason: str) -> Receipt:
        """Record that this node stops in good order.

        Raises:
            AuditUnavailable: it could not be recorded; stopping goes on.
        """
        return await self.record(Stopped(reason=reason))
