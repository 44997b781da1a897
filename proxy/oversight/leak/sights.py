"""From entries to sights: what the log says of each record that was left to read, whoever asked and under whichever key.

An officer has another token under every epoch of the index key. Whoever is the same in the decisions' sealed parts is one
officer here, under the token of the active key.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

from proxy.disclosure.marks import marks_of
from proxy.oversight.leak.published import Published, Sight
from proxy.registry.forms import form

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from proxy.audit.entry import Entry
    from proxy.audit.event import Json
    from proxy.audit.index.service import Gaps
    from proxy.audit.sealing import Sealer
    from proxy.oversight.leak.claim import Claim

MOST_PERSONS: Final = 24
"""Persons whose other entries are read too where nobody was said to be meant: those whose records show most of it."""
MOST_ENTRIES: Final = 50_000
PERSON: Final = "person_id"


class Archive(Protocol):
    """The log by what it disclosed (``audit.index.service``)."""

    def catch_up(self) -> int:
        """Take in what the log has more, so that a look-up of a moment ago is found; nothing while another process does."""
        ...

    def indexed(self) -> int:
        """Return how many entries of the log can be found."""
        ...

    def in_log(self) -> int:
        """Return how many entries the log has."""
        ...

    def goes_on_from(self) -> str:
        """Return the origin of the older log that this one goes on from, or nothing."""
        ...

    def gaps(self) -> Gaps:
        """Return what nothing can be found in any more."""
        ...

    def opened(self, marks: Sequence[str], before: datetime) -> Iterator[tuple[Entry, Mapping[str, Json]]]:
        """Yield, oldest first, entries that disclosed a value of any of the marks, with their sealed parts in clear."""
        ...

    def together(self, entries: Iterable[Entry]) -> Mapping[str, Sequence[Entry]]:
        """Return by query id all entries of the queries that these are of, in order."""
        ...


@dataclass(slots=True)
class Seen:
    """What was collected: sights, their entries by index, officers by token. ``cut`` tells that there was more than is read."""

    sights: list[Sight] = field(default_factory=list)
    entries: dict[int, Entry] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    cut: bool = False


def published_of(claims: Sequence[Claim], sealer: Sealer) -> Sequence[Published]:
    """Return the items with their marks, under every key that is still there."""
    return [
        Published(
            number=number,
            kind=claim.kind,
            marks=frozenset(mark for spelling in claim.spellings for mark in marks_of(sealer, claim.kind, spelling)),
            at=claim.at,
            within=claim.within,
            about=frozenset({_person(sealer, claim.about)} if claim.about else ()),
            elsewhere=claim.elsewhere,
        )
        for number, claim in enumerate(claims, start=1)
    ]


def collect(archive: Archive, sealer: Sealer, claims: Sequence[Claim], items: Sequence[Published]) -> Seen:
    """Return every sight of the items, and of the persons concerned, before the last of them came out.

    Raises:
        IndexUnusable, LogDamaged, EntryUnreadable, SealBroken: the log or its index cannot be read.
    """
    collecting = _Collecting(archive, sealer)
    before = max(item.at for item in items)
    wanted = {mark for item in items for mark in item.marks}
    collecting.read(sorted(wanted), before)
    said = {claim.about for claim in claims if claim.about}
    persons = said or collecting.persons(wanted)
    marks = [mark for person in sorted(persons) for mark in marks_of(sealer, PERSON, person)]
    if marks:
        collecting.read(marks, before)
    return collecting.seen


class _Collecting:
    """Reads entries, each record once."""

    def __init__(self, archive: Archive, sealer: Sealer) -> None:
        self._archive = archive
        self._sealer = sealer
        self._tokens: dict[str, str] = {}
        self._ids: dict[str, set[str]] = {}
        self.seen = Seen()

    def read(self, marks: Sequence[str], before: datetime) -> None:
        """Take every record of the entries that disclosed a value of any of the marks."""
        for entry, body in self._archive.opened(marks, before):
            if entry.index in self.seen.entries:
                continue
            if len(self.seen.entries) >= MOST_ENTRIES:
                self.seen.cut = True
                return
            self.seen.entries[entry.index] = entry
            officer = self._officer(entry)
            self.seen.sights += [self._sight(entry, officer, record) for record in _shown(body)]

    def persons(self, wanted: set[str]) -> set[str]:
        """Return the ids of those whose records showed most of what is wanted."""
        counts: Counter[str] = Counter()
        for sight in self.seen.sights:
            if not wanted.isdisjoint(sight.seen.values()):
                counts.update(sight.persons)
        return {each for token, _ in counts.most_common(MOST_PERSONS) for each in self._ids[token]}

    def _sight(self, entry: Entry, officer: str, record: Mapping[str, Json]) -> Sight:
        seen, masked, persons = record.get("seen"), record.get("masked"), record.get("person")
        ids = [str(each) for each in persons] if isinstance(persons, list) else []
        tokens = [_person(self._sealer, each) for each in ids]
        for token, each in zip(tokens, ids, strict=True):
            self._ids.setdefault(token, set()).add(each)
        return Sight(
            entry=entry.index,
            at=datetime.fromisoformat(entry.at),
            officer=officer,
            case=_first(entry, "case"),
            terminal=_first(entry, "terminal"),
            seen={name: str(mark) for name, mark in seen.items()} if isinstance(seen, dict) else {},
            masked=frozenset(map(str, masked)) if isinstance(masked, list) else frozenset(),
            persons=frozenset(tokens),
        )

    def _officer(self, entry: Entry) -> str:
        token = _first(entry, "officer")
        known = self._tokens.get(token)
        if known is None:
            name = self._name(entry)
            known = self._tokens[token] = self._sealer.token("officer", name) if name else token
            self.seen.names[known] = name
        return known

    def _name(self, entry: Entry) -> str:
        for each in self._archive.together([entry]).get(entry.about, ()):
            operator = each.unseal(self._sealer).get("operator")
            if isinstance(operator, str) and operator:
                return operator
        return ""


def _shown(body: Mapping[str, Json]) -> Iterable[Mapping[str, Json]]:
    left = body.get("left")
    for record in left if isinstance(left, list) else ():
        if isinstance(record, dict) and not record.get("withheld"):
            yield record


def _person(sealer: Sealer, person_id: str) -> str:
    return sealer.token(PERSON, form(PERSON, person_id))


def _first(entry: Entry, kind: str) -> str:
    return next(iter(entry.parties.get(kind, ())), "")
