"""Reading the record back: decoded always, in clear only with the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.audit.entry import decode, prefix
from proxy.audit.events import Started
from proxy.tlog.store import SegmentReader, absent, first_kept, segments_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from proxy.audit.entry import Entry
    from proxy.audit.event import Json
    from proxy.audit.sealing import Sealer


class AuditReader:
    """Decodes entries of a log's directory, whether or not a server writes it."""

    def __init__(self, directory: Path, sealer: Sealer | None = None) -> None:
        """Read the log in ``directory``; without ``sealer`` the sealed parts stay closed."""
        self._directory = directory
        self._segments = SegmentReader(directory)
        self._sealer = sealer

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[Entry]:
        """Yield entries from ``start`` up to ``end``, exclusive.

        Raises:
            EntryUnreadable: one is not of this form.
            LogDamaged: entries are missing.
        """
        for stored in self._segments.stored(start, end):
            yield decode(*stored)

    def read(self, index: int) -> Entry:
        """Return one entry.

        Raises:
            IndexError: there is none.
            LogPruned: it was pruned.
            EntryUnreadable: it is not of this form.
        """
        if 0 <= index < first_kept(self._directory):
            raise absent(self._directory, index)
        for stored in self._segments.stored(index, index + 1) if index >= 0 else ():
            return decode(*stored)
        msg = f"the log has no entry {index}"
        raise IndexError(msg)

    def unseal(self, entry: Entry) -> dict[str, Json]:
        """Return an entry's body in clear.

        Raises:
            Shredded: it was shredded on an order.
            SealBroken: it was altered, or its key is not here.
            ValueError: this reader has no key.
        """
        if self._sealer is None:
            msg = "this reader has no key"
            raise ValueError(msg)
        return entry.unseal(self._sealer)

    def after_last_start(self) -> int:
        """Return the index behind the newest ``started``, or 0: no decision before it lacks its end."""
        wanted = prefix(Started.kind)
        end: int | None = None
        for segment in reversed(segments_of(self._directory)):
            found = [index for index, content in self._segments.entries(segment.first, end) if content.startswith(wanted)]
            if found:
                return found[-1] + 1
            end = segment.first
        return 0
