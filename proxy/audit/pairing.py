"""Each forwarded decision has exactly one end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.audit.entry import Entry

DECIDED: Final = "decided"
TERMINAL: Final = frozenset({"disclosed", "withheld", "failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mispaired:
    """An entry that breaks the rule, and how."""

    index: int
    message: str


class Pairing:
    """Walks the log in order. ``orphans`` maps the query id of each decision that has no end yet to its index."""

    def __init__(self) -> None:
        """Start where no decision is open: at entry 0 or behind a ``started``."""
        self.orphans: dict[str, int] = {}
        self.faults: list[Mispaired] = []
        self._queued: set[str] = set()

    def see(self, entry: Entry) -> None:
        """Take the next entry."""
        if entry.kind == DECIDED and entry.facts.get("forward") is True:
            if entry.about in self.orphans:
                self._fault(entry, f"decides again what entry {self.orphans[entry.about]} had forwarded")
            self.orphans[entry.about] = entry.index
        elif entry.kind in TERMINAL and self.orphans.pop(entry.about, None) is None:
            self._fault(entry, f"is {entry.kind}, but no forwarded decision is open for it")
        outbox = entry.facts.get("outbox")
        if isinstance(outbox, str):
            if outbox in self._queued:
                self._fault(entry, "records an outbox row that was recorded before")
            self._queued.add(outbox)

    def _fault(self, entry: Entry, message: str) -> None:
        self.faults.append(Mispaired(index=entry.index, message=f"entry {entry.index} {message}"))

    def unended(self) -> Sequence[Mispaired]:
        """Return the decisions that were forwarded and have no end, in the log's order."""
        return [
            Mispaired(index=index, message=f"entry {index} was forwarded and has no end")
            for index in sorted(self.orphans.values())
        ]
