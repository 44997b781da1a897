"""Shredding the bodies of entries on a court's order: one person proposes it, another agrees.

Both steps are entries of the log and nothing else, so there is no table that somebody could write a consent into. The second,
``shredded``, is the tombstone: it names the entries and cites the order. Only once it is durable the bodies are
overwritten, data keys and all (``tlog.shredding``); whoever drains the outbox does that, and keeps the tombstone's row
until it is done, so a crash in between is made good at the next start. ``audit verify`` holds the tombstones against
what is there, in both directions.

What is left of a shredded entry: its time, kind and facts, its tokens until the index key of their epoch is destroyed too, and
the hash of a ciphertext that exists no more, from which nothing follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Final

from proxy.audit.entry import decode, prefix
from proxy.audit.event import Event, Party
from proxy.tlog.store import SegmentReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from proxy.audit.entry import Entry
    from proxy.audit.event import Json
    from proxy.audit.sealing import Sealer

MIN_ORDER: Final = 8
MOST_ENTRIES: Final = 1000
PROPOSAL_LASTS: Final = timedelta(days=14)
KEPT: Final = ("shredded", "shred-", "hold-", "lock-", "passkey-", "key-", "overseen", "overdue", "finding")
"""How the kinds begin whose bodies are read again later, as orders, holds, keys and decisions about people; never shredded."""


class ShredRefused(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """These bodies may not be shredded, or not by this person; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Which bodies are to go, on which court's order, under which case, and who says so."""

    entries: tuple[int, ...]
    order: str
    case: str
    by: str

    def __post_init__(self) -> None:
        """Refuse what says too little.

        Raises:
            ShredRefused: no order, no case, no entries or too many.
        """
        if len(self.order.strip()) < MIN_ORDER or not self.case.strip():
            raise ShredRefused("Shredding needs the order of a court, cited so that it can be found, and the case.")
        if not 0 < len(self.entries) <= MOST_ENTRIES or min(self.entries) < 0:
            msg = f"An order names 1 to {MOST_ENTRIES} entries."
            raise ShredRefused(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShredProposed(Event):
    """Somebody was served with an order; a second person has to agree before anything is shredded."""

    kind: ClassVar[str] = "shred-proposed"
    proposal: str
    wanted: Order

    def facts(self) -> Mapping[str, Json]:
        """Return which entries."""
        return {"proposal": self.proposal, "entries": list(self.wanted.entries)}

    def parties(self) -> Iterable[Party]:
        """Return who, and under which case."""
        yield Party("actor", self.wanted.by)
        yield Party("case", self.wanted.case)

    def sealed(self) -> Mapping[str, Json]:
        """Return the order in clear."""
        return {"by": self.wanted.by, "order": self.wanted.order, "case": self.wanted.case}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShredEnded(Event):
    """A proposal was refused, or withdrawn by who made it."""

    kind: ClassVar[str] = "shred-refused"
    proposal: str
    by: str

    def facts(self) -> Mapping[str, Json]:
        """Return which."""
        return {"proposal": self.proposal}

    def parties(self) -> Iterable[Party]:
        """Return who."""
        yield Party("actor", self.by)

    def sealed(self) -> Mapping[str, Json]:
        """Return who, in clear."""
        return {"by": self.by}


@dataclass(frozen=True, slots=True, kw_only=True)
class BodiesShredded(ShredProposed):
    """The tombstone: another person agreed, and these bodies are gone from here on."""

    kind: ClassVar[str] = "shredded"
    agreed: str

    def parties(self) -> Iterable[Party]:
        """Return both persons, and the case."""
        yield from ShredProposed.parties(self)
        yield Party("actor", self.agreed)

    def sealed(self) -> Mapping[str, Json]:
        """Return the order and both persons in clear."""
        return {**ShredProposed.sealed(self), "agreed": self.agreed}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A proposal that waits."""

    id: str
    at: datetime
    wanted: Order

    @property
    def expires(self) -> datetime:
        """Return until when it can be agreed to."""
        return self.at + PROPOSAL_LASTS


def shredded_by(entry: Entry) -> tuple[int, ...]:
    """Return the entries that a tombstone names; none for any other entry."""
    return named_in(entry.facts, before=entry.index) if entry.kind == BodiesShredded.kind else ()


def named_in(facts: Mapping[str, Json], *, before: int) -> tuple[int, ...]:
    """Return the entries that a tombstone's facts name; it stands at ``before``, and reaches back only."""
    named = facts.get("entries")
    return tuple(each for each in named if type(each) is int and 0 <= each < before) if isinstance(named, list) else ()


def waiting(directory: Path, sealer: Sealer, now: datetime) -> Sequence[Proposal]:
    """Return the proposals that wait, oldest first; some microseconds for each entry of the log.

    Raises:
        LogDamaged, EntryUnreadable, SealBroken: one cannot be read.
    """
    kinds = tuple(map(prefix, (ShredProposed.kind, ShredEnded.kind, BodiesShredded.kind)))
    found: dict[str, Proposal] = {}
    for stored in SegmentReader(directory).stored():
        if not stored.entry.startswith(kinds):
            continue
        entry = decode(*stored)
        name = str(entry.facts["proposal"])
        if entry.kind == ShredProposed.kind:
            found[name] = _proposal(name, entry, entry.unseal(sealer))
        else:
            found.pop(name, None)
    return [each for each in found.values() if each.expires > now]


def _proposal(name: str, entry: Entry, sealed: Mapping[str, Json]) -> Proposal:
    wanted = Order(
        entries=named_in(entry.facts, before=entry.index),
        order=str(sealed["order"]),
        case=str(sealed["case"]),
        by=str(sealed["by"]),
    )
    return Proposal(id=name, at=datetime.fromisoformat(entry.at), wanted=wanted)


def agree(proposal: Proposal, by: str) -> BodiesShredded:
    """Return the tombstone.

    Raises:
        ShredRefused: it was they who proposed it.
    """
    if by == proposal.wanted.by:
        raise ShredRefused("Whoever proposed it is not the second person: another one has to agree.")
    return BodiesShredded(proposal=proposal.id, wanted=proposal.wanted, agreed=by)


def require_shreddable(entries: Iterable[Entry], held: Callable[[Entry], str | None]) -> None:
    """Make sure that the bodies of entries may go. ``held`` names the legal hold that covers an entry, if any.

    Raises:
        ShredRefused: one has no body, was shredded before, is of a kind that is kept, or is held.
    """
    for entry in entries:
        if entry.kind.startswith(KEPT):
            msg = f"Entry {entry.index} is `{entry.kind}`: orders, holds, locks, keys and reviews are read again, and are kept."
            raise ShredRefused(msg)
        if not entry.body_hash or entry.body is None:
            msg = f"Entry {entry.index} has no body" + (": it was shredded before." if entry.body_hash else ".")
            raise ShredRefused(msg)
        if (hold := held(entry)) is not None:
            msg = f"Entry {entry.index} is under legal hold {hold}: tell the court, and have the hold lifted first."
            raise ShredRefused(msg)
