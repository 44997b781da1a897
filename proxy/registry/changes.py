"""What one steward may do alone, and what needs a second one: a change is divided into what adds and what lessens.

More protection takes effect at once. Less (removing, an earlier end, another or no category or household, an identifier or a
field class that goes) is only proposed. So is what narrows: a date of birth, suffix or SSN tells namesakes apart, so a wrong
one, given to somebody who had none, would turn the right one of a query into a namesake's. A new name narrows nothing, since
the former stays as an alias.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from dataclasses import fields as fields_of
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from proxy.registry.person import NAMES, NOBODY, Entry, Identifiers, identifiers_of

PROPOSAL_LASTS: Final = timedelta(days=14)
NARROWING: Final = frozenset({"dob", "suffix", "ssns"})
REMOVAL: Final = "removal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Less:
    """What would be taken from an entry. What is None or empty stays; ``put`` takes the place of what is dropped."""

    remove: bool = False
    expires: datetime | None = None
    category: str | None = None
    household: str | None = None
    fields: frozenset[str] = frozenset()
    drop: Identifiers = NOBODY
    put: Identifiers = NOBODY

    def what(self) -> tuple[str, ...]:
        """Return what it is about in words that hold no value."""
        named = {
            REMOVAL: self.remove,
            "expires": self.expires is not None,
            "category": self.category is not None,
            "household": self.household is not None,
            "fields": bool(self.fields),
        }
        kinds = dict.fromkeys((*self.drop.kinds(), *self.put.kinds()))
        return (*(word for word, so in named.items() if so), *kinds)

    def applied(self, entry: Entry) -> Entry | None:
        """Return what is left of an entry, which may have changed since this was proposed; None when nothing is."""
        if self.remove:
            return None
        ends = [end for end in (entry.expires, self.expires) if end is not None]
        return replace(
            entry,
            expires=min(ends, default=None),
            category=entry.category if self.category is None else self.category,
            household=entry.household if self.household is None else self.household,
            fields=entry.fields - self.fields,
            identifiers=_joined(entry.identifiers.without(self.drop), self.put),
        )


NOTHING: Final = Less()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What one steward wants and a second one has to agree to. ``by`` is the first."""

    id: str
    entry: str
    category: str
    less: Less
    by: str
    reason: str
    at: datetime
    expires: datetime

    def expired(self, now: datetime) -> bool:
        """Tell whether it is too late to agree."""
        return self.expires <= now


def divided(entry: Entry, wanted: Entry) -> tuple[Entry, Less]:
    """Return the entry with what one steward may change alone, and the rest of the way to the wanted one."""
    ends = None if entry.expires is None or wanted.expires is None else max(entry.expires, wanted.expires)
    at_once = replace(
        entry,
        basis=wanted.basis,
        review=wanted.review,
        expires=ends,
        category=entry.category or wanted.category,
        household=entry.household or wanted.household,
        fields=entry.fields | wanted.fields,
        identifiers=_added(entry.identifiers, wanted.identifiers),
    )
    less = Less(
        expires=wanted.expires if wanted.expires != at_once.expires else None,
        category=wanted.category if wanted.category != at_once.category else None,
        household=wanted.household if wanted.household != at_once.household else None,
        fields=at_once.fields - wanted.fields,
        drop=at_once.identifiers.without(wanted.identifiers),
        put=wanted.identifiers.without(at_once.identifiers),
    )
    return at_once, less


def gained(before: Entry, after: Entry) -> tuple[str, ...]:
    """Return what changed, in words that hold no value."""
    words = tuple(
        name for name in ("basis", "review", "expires", "category", "household", "fields")
        if getattr(before, name) != getattr(after, name)
    )  # fmt: skip
    return (*words, *after.identifiers.without(before.identifiers).kinds())


def pack_proposal(proposal: Proposal) -> bytes:
    """Return the bytes that are sealed."""
    return orjson.dumps(asdict(proposal), default=sorted)


def unpack_proposal(content: bytes) -> Proposal:
    """Return the proposal that ``pack_proposal`` made bytes of."""
    values = orjson.loads(content)
    less = values["less"]
    return Proposal(
        **values
        | {
            "at": _moment(values["at"]),
            "expires": _moment(values["expires"]),
            "less": Less(
                **less
                | {
                    "expires": _moment(less["expires"]) if less["expires"] else None,
                    "fields": frozenset(less["fields"]),
                    "drop": identifiers_of(less["drop"]),
                    "put": identifiers_of(less["put"]),
                }
            ),
        }
    )


def _added(mine: Identifiers, wanted: Identifiers) -> Identifiers:
    """Return what one steward may make of the identifiers: everything known stays, and nothing that narrows is new."""
    values: dict[str, Any] = {}
    for each in fields_of(mine):
        known, theirs = getattr(mine, each.name), getattr(wanted, each.name)
        if each.name in NARROWING and not known:
            values[each.name] = known
        elif isinstance(known, tuple):
            values[each.name] = tuple(dict.fromkeys((*known, *theirs)))
        else:
            values[each.name] = (theirs or known) if each.name in NAMES else (known or theirs)
    return mine.merged(Identifiers(**values))


def _joined(mine: Identifiers, put: Identifiers) -> Identifiers:
    values: dict[str, Any] = {}
    for each in fields_of(mine):
        known, theirs = getattr(mine, each.name), getattr(put, each.name)
        values[each.name] = tuple(dict.fromkeys((*known, *theirs))) if isinstance(known, tuple) else theirs or known
    return Identifiers(**values)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
