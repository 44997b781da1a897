"""What the log says of the registry's own look-ups at the records server, and of what a steward made of them; never a name.

A look-up releases nothing to a terminal, so its end is of a kind of its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from proxy.audit.event import Event, Party

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proxy.audit.event import Json
    from proxy.inquiry.inquiry import Inquiry


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupsDecided(Event):
    """Look-ups about enrolled persons are about to be sent; ``about`` is the query id of each of them.

    ``action`` is ``registry.resolve`` or ``registry.sweep``.
    """

    kind: ClassVar[str] = "decided"
    action: str
    inquiries: Sequence[Inquiry]
    entries: tuple[str, ...]
    destination: str
    by: str

    def facts(self) -> Mapping[str, Json]:
        """Return how many go where, by which routes, and the kinds of their criteria."""
        return {
            "outcome": "permit",
            "action": self.action,
            "lookups": len(self.inquiries),
            "count": len(self.entries),
            "routes": dict(sorted(Counter(inquiry.route.id for inquiry in self.inquiries).items())),
            "criteria": tuple(sorted({kind for inquiry in self.inquiries for kind in inquiry.criteria})),
            "destination": self.destination,
        }

    def parties(self) -> Iterable[Party]:
        """Return the steward, and about whom."""
        yield Party("steward", self.by)
        for entry in self.entries:
            yield Party("subject", entry)

    def sealed(self) -> Mapping[str, Json]:
        """Return the steward in clear, and what is sent."""
        return {"by": self.by, "objects": tuple(inquiry.outbound.target for inquiry in self.inquiries)}


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedUp(Event):
    """The look-ups of one decision have ended. ``broad`` counts those that too many records answer."""

    kind: ClassVar[str] = "looked-up"
    action: str
    lookups: int
    records: int
    broad: int
    failed: int

    def facts(self) -> Mapping[str, Json]:
        """Return what came."""
        return {
            "action": self.action,
            "lookups": self.lookups,
            "records": self.records,
            "broad": self.broad,
            "failed": self.failed,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepBegan(Event):
    """A sweep through the registry begins, or goes on with one that was not ended; ``about`` is its id."""

    kind: ClassVar[str] = "sweep-began"
    entries: int
    left: int
    per_second: float
    by: str

    def facts(self) -> Mapping[str, Json]:
        """Return how many entries there are, how many are left to ask about, and how fast."""
        return {"entries": self.entries, "left": self.left, "per_second": self.per_second}

    def parties(self) -> Iterable[Party]:
        """Return who started it."""
        yield Party("steward", self.by)

    def sealed(self) -> Mapping[str, Json]:
        """Return who started it in clear."""
        return {"by": self.by}


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepEnded(Event):
    """A sweep ends: ``done``, ``out-of-time``, ``stopped``, or ``failed`` with the problem."""

    kind: ClassVar[str] = "sweep-ended"
    outcome: str
    problem: str
    entries: int
    lookups: int
    records: int
    failed: int
    proposed: Mapping[str, int]
    duration_s: float

    def facts(self) -> Mapping[str, Json]:
        """Return how it ended, and how much it did and found."""
        return {
            "outcome": self.outcome,
            "problem": self.problem,
            "entries": self.entries,
            "lookups": self.lookups,
            "records": self.records,
            "failed": self.failed,
            "proposed": dict(sorted(self.proposed.items())),
            "duration_s": self.duration_s,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalsSettled(Event):
    """A steward confirmed or declined proposals about one entry."""

    kind: ClassVar[str] = "proposals-settled"
    entry: str
    accepted: Mapping[str, int]
    declined: Mapping[str, int]
    by: str

    def facts(self) -> Mapping[str, Json]:
        """Return how many of which kind."""
        return {
            "entry": self.entry,
            "accepted": dict(sorted(self.accepted.items())),
            "declined": dict(sorted(self.declined.items())),
        }

    def parties(self) -> Iterable[Party]:
        """Return the entry and the steward."""
        yield Party("subject", self.entry)
        yield Party("steward", self.by)

    def sealed(self) -> Mapping[str, Json]:
        """Return the steward in clear."""
        return {"by": self.by}
