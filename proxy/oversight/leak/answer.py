"""What whoever asked is shown of a trace, and its form as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from proxy.oversight.leak.published import Published
    from proxy.oversight.leak.ranking import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemTold:
    """One published thing: to how many officers it was shown before, when first and last, and whether it changed since."""

    number: int
    kind: str
    at: datetime
    officers: int
    first: datetime | None
    last: datetime | None
    changed: datetime | None
    masked_for: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryTold:
    """One entry that showed something of it, with the query's own words.

    ``query`` is the index of the query's decision, which the terminal was told as Audit-Entry; None where it is not kept.
    """

    entry: int
    query: int | None
    at: datetime
    items: tuple[int, ...]
    terminal: str
    case: str
    purpose: str
    statement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadTold:
    """One lead: whose credential, which share, why, and by which entries."""

    place: int
    officer: str
    share: float
    items: tuple[int, ...]
    alike: int
    says: tuple[str, ...]
    entries: tuple[EntryTold, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTold:
    """Two officers who together were shown more than any one."""

    officers: tuple[str, str]
    share: float
    items: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One page of a trace. ``leads`` counts them all; ``next_page`` is None on the last."""

    verdict: str
    says: str
    origin: str
    items: tuple[ItemTold, ...]
    leads: tuple[LeadTold, ...]
    count: int
    together: tuple[PairTold, ...]
    outside: float
    saw_all: int
    limits: tuple[str, ...]
    page: int
    next_page: int | None


def items_told(trace: Trace, items: Sequence[Published]) -> tuple[ItemTold, ...]:
    """Return what the log knows of each item."""
    return tuple(
        ItemTold(
            number=item.number,
            kind=item.kind,
            at=item.at,
            officers=len(history.officers),
            first=history.first,
            last=history.last,
            changed=history.changed,
            masked_for=len(history.hidden.keys() - history.officers),
        )
        for item in items
        for history in (trace.histories[item.number],)
    )


def view(answer: Answer) -> dict[str, object]:
    """Return an answer as JSON."""
    return {
        "verdict": answer.verdict,
        "says": answer.says,
        "items": [_item(each) for each in answer.items],
        "leads": [_lead(each, answer.origin) for each in answer.leads],
        "leads_in_all": answer.count,
        "together": [
            {"officers": list(pair.officers), "share": round(pair.share, 3), "items": list(pair.items)}
            for pair in answer.together
        ],
        "outside": round(answer.outside, 3),
        "shown_all": answer.saw_all,
        "limits": list(answer.limits),
        "page": answer.page,
        "next_page": answer.next_page,
    }


def _item(item: ItemTold) -> dict[str, object]:
    return {
        "item": item.number,
        "kind": item.kind,
        "published_at": _iso(item.at),
        "shown_to_officers": item.officers,
        "first_shown": _iso(item.first),
        "last_shown": _iso(item.last),
        "changed": _iso(item.changed),
        "masked_for_officers": item.masked_for,
    }


def _lead(lead: LeadTold, origin: str) -> dict[str, object]:
    return {
        "place": lead.place,
        "officer": lead.officer,
        "share": round(lead.share, 3),
        "items": list(lead.items),
        "shown_the_same": lead.alike,
        "says": list(lead.says),
        "entries": [
            {
                "entry": f"{origin}/{each.entry}",
                "audit_entry": f"{origin}/{each.query}" if each.query is not None else None,
                "at": _iso(each.at),
                "items": list(each.items),
                "terminal": each.terminal,
                "case": each.case,
                "purpose": each.purpose,
                "statement": each.statement,
            }
            for each in lead.entries
        ],
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
