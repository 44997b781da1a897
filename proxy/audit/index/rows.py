"""What the index keeps of an entry: numbers only, made of what lies open in it and of the marks in its body."""

from __future__ import annotations

import re
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.audit.continuity import unreleased_by
from proxy.audit.entry import EntryUnreadable, decode
from proxy.audit.sealing import SealBroken, body_key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from proxy.audit.entry import Entry
    from proxy.audit.event import Json
    from proxy.audit.sealing import Sealer
    from proxy.tlog.places import Placed

QUERIES: Final = frozenset({"decided", "refused"})
"""Kinds that count as a query: each has one of them."""
SHREDDED: Final = "shredded"
_TOKEN: Final = re.compile(r"[0-9a-f]{16,}\Z")
_SIGN: Final = 1 << 63


class Row(NamedTuple):
    """``at`` is milliseconds since 1970; ``keys`` stand for tokens and the query id, ``marks`` are (key, record, field).

    ``gone`` are the entries that are not found by their marks any more: an order took their bodies away, or what they
    tell of never left. ``body_key`` is the id of the key that the body was sealed with.
    """

    number: int
    at: int
    kind: str
    segment: int
    offset: int
    officer: int
    purpose: str
    outcome: str
    epoch: str
    keys: frozenset[int]
    marks: tuple[tuple[int, int, str], ...] = ()
    gone: tuple[int, ...] = ()
    body_key: str = ""

    @property
    def counts(self) -> bool:
        """Tell whether it is counted among the queries."""
        return self.kind in QUERIES


def _is_token(word: str) -> bool:
    """Tell whether a word is a token or mark: nothing else can be sought, and it must not keep the rest from being found."""
    return _TOKEN.match(word) is not None


def key_of(token: str) -> int:
    """Return the first eight bytes of a token or mark, as SQLite's integer.

    Two tokens may share them; whoever reads the entry compares the whole.
    """
    number = int(token[:16], 16)
    return number - (number & _SIGN) * 2


def about_key(about: str) -> int:
    """Return the key under which the entries of one query are found together."""
    return key_of(sha256(b"about/" + about.encode(errors="surrogatepass")).hexdigest())


def moment(at: datetime) -> int:
    """Return milliseconds since 1970."""
    return round(at.timestamp() * 1000)


def row_of(entry: Entry, body: Mapping[str, Json], segment: int, offset: int) -> Row:
    """Return an entry's row; ``body`` is its sealed part in clear, empty where that is gone."""
    officers = [token for token in entry.parties.get("officer") or entry.parties.get("actor") or () if _is_token(token)]
    keys = {key_of(token) for tokens in entry.parties.values() for token in tokens if _is_token(token)}
    if entry.about:
        keys.add(about_key(entry.about))
    return Row(
        number=entry.index,
        at=moment(datetime.fromisoformat(entry.at)),
        kind=entry.kind,
        segment=segment,
        offset=offset,
        officer=key_of(officers[0]) if officers else 0,
        purpose=str(entry.facts.get("purpose") or ""),
        outcome=str(entry.facts.get("outcome") or entry.facts.get("problem") or ""),
        epoch=entry.epoch,
        keys=frozenset(keys),
        marks=tuple(_marks(body.get("left"))),
        gone=_numbers(entry.facts.get("entries")) if entry.kind == SHREDDED else unreleased_by(entry),
        body_key=_sealed_with(entry.body),
    )


def row_at(placed: Placed, sealer: Sealer) -> Row | None:
    """Return the row of what lies at a place of the log, or None where that is no entry: `audit verify` tells of it."""
    try:
        entry = decode(*placed.stored)
        return row_of(entry, in_clear(entry, sealer), placed.segment, placed.offset)
    except EntryUnreadable:
        return None


def in_clear(entry: Entry, sealer: Sealer) -> Mapping[str, Json]:
    """Return an entry's sealed part in clear, empty where that is gone."""
    try:
        return entry.unseal(sealer)
    except SealBroken:
        return {}


def left_in(body: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    """Yield what a body says of each record that was judged."""
    left = body.get("left")
    for record in left if isinstance(left, list) else ():
        if isinstance(record, dict):
            yield record


def _sealed_with(body: bytes | None) -> str:
    try:
        return body_key_of(body) if body else ""
    except SealBroken:
        return ""  # `audit verify` tells of it


def _numbers(value: Json) -> tuple[int, ...]:
    return tuple(number for number in value if type(number) is int) if isinstance(value, list) else ()


def _marks(left: Json) -> Iterable[tuple[int, int, str]]:
    for number, record in enumerate(left) if isinstance(left, list) else ():
        seen = record.get("seen") if isinstance(record, dict) else None
        if isinstance(seen, dict):
            for field, mark in seen.items():
                if isinstance(mark, str) and _is_token(mark):
                    yield key_of(mark), number, field
