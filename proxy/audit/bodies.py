"""Whether the bodies are those that the entries speak of: each has its hash, or is shredded and an entry cites the order.

No root covers a body, so this is the part of verification that reads the entries. It also holds the epochs: an index key that
was followed by another is not used again, or somebody has set the key folder back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.audit.shredding import shredded_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.audit.entry import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyFault:
    """An entry whose body is not what it should be, and how."""

    index: int
    message: str


class Bodies:
    """Walks the log in order; ``shredded`` counts the bodies that a tombstone names and that are gone."""

    def __init__(self) -> None:
        """Start anywhere: a tombstone stands after what it names."""
        self.shredded = 0
        self._broken: list[BodyFault] = []
        self._gone: set[int] = set()
        self._first: int | None = None
        self._ordered: dict[int, int] = {}
        self._epochs: dict[str, int] = {}
        self._epoch = ""

    def see(self, entry: Entry) -> None:
        """Take the next entry."""
        if self._first is None:
            self._first = entry.index
        if entry.body is None:
            self._gone.add(entry.index)
        elif not entry.is_whole:
            what = "is missing" if not entry.body else "is not the one whose hash it holds"
            self._fault(entry.index, f"the body of entry {entry.index} {what}")
        for index in shredded_by(entry):
            self._ordered.setdefault(index, entry.index)
        self._see_epoch(entry)

    def _see_epoch(self, entry: Entry) -> None:
        if entry.epoch == self._epoch:
            return
        if entry.epoch in self._epochs:
            ended = self._epochs[entry.epoch]
            self._fault(
                entry.index, f"entry {entry.index} uses index key {entry.epoch} again, which was replaced before entry {ended}"
            )
        if self._epoch:
            self._epochs[self._epoch] = entry.index
        self._epoch = entry.epoch

    def _fault(self, index: int, message: str) -> None:
        self._broken.append(BodyFault(index=index, message=message))

    def faults(self) -> Sequence[BodyFault]:
        """Return what is wrong, in the log's order."""
        found = list(self._broken)
        found += [
            BodyFault(index=index, message=f"the body of entry {index} is shredded, and no entry cites an order for it")
            for index in self._gone - self._ordered.keys()
        ]
        seen = self._gone | {fault.index for fault in self._broken}
        for index, order in self._ordered.items():
            if index in seen or self._first is None or index < self._first:
                continue
            message = (
                f"the body of entry {index} is still there, although entry {order} orders that it go: `audit shred --finish`"
            )
            found.append(BodyFault(index=index, message=message))
        self.shredded = len(self._gone & self._ordered.keys())
        return sorted(found, key=lambda fault: fault.index)
