"""Questions to the log: who looked at whom, what somebody did, what happened under a case. Whoever asks is in the log first.

The index says which entries it is; they are read from the log, compared with what was sought, and told query by query. What an
answer rests on is told with it: how far the index goes. Nobody is told of their own look-ups: who investigates them is another.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, ClassVar, Final

from proxy.audit.continuity import unreleased_by
from proxy.audit.errors import OwnLookups
from proxy.audit.event import Event, Party
from proxy.audit.events import INVESTIGATING
from proxy.audit.index.rows import QUERIES, left_in
from proxy.audit.pairing import DECIDED, TERMINAL
from proxy.audit.sealing import SealBroken, Shredded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proxy.audit.entry import Entry
    from proxy.audit.event import AuditLog, Json
    from proxy.audit.index.service import Index
    from proxy.audit.sealing import Sealer

FOUND: Final = 100
PATIENCE: Final = 2.0
"""Seconds that a question waits for an index that is behind; then it is answered as far as that goes, and says so."""
SUBJECT: Final = "subject"
_EPOCH: Final = date(1970, 1, 1).toordinal()
_BEGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_END: Final = datetime(9999, 1, 1, tzinfo=UTC)
_TOLD: Final = frozenset({"finding", "overdue", "personnel-imported"})
"""Kinds that name an officer and no actor, and are nothing that the officer did."""
_WHOLE: Final = frozenset({"officer", "case", "terminal"})
"""What is sought by what every entry of a query says of itself; all else says whom it was about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What is sought: parties by kind and form, and marks of what left. ``by`` says by what it was named, ``value`` how."""

    by: str
    value: str
    parties: tuple[Party, ...]
    marks: tuple[str, ...] = ()

    @property
    def about_somebody(self) -> bool:
        """Tell whether it names whom the queries were about."""
        return self.by not in _WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSearched(Event):
    """Somebody asks the log; recorded before they see anything. ``denied`` says why they did not.

    ``log`` is the origin of the older log that is asked, where it is not this one.
    """

    kind: ClassVar[str] = "log-searched"
    operator: str
    role: str
    case: str
    statement: str
    sought: Sought
    since: datetime
    until: datetime
    before: int | None = None
    denied: str = ""
    counts: str = ""
    log: str = ""

    def facts(self) -> Mapping[str, Json]:
        """Return by what was searched, and in which stretch; never for whom."""
        return {
            "by": self.sought.by,
            "role": self.role,
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "before": self.before,
            **({"denied": self.denied} if self.denied else {}),
            **({"counts": self.counts} if self.counts else {}),
            **({"log": self.log} if self.log else {}),
        }

    def parties(self) -> Iterable[Party]:
        """Return who searched, under which case, and what was searched for."""
        yield Party("actor", self.operator)
        yield Party("case", self.case)
        # Not as an actor: whoever is sought did nothing here.
        yield from (party for party in self.sought.parties if party.kind != "actor")

    def sealed(self) -> Mapping[str, Json]:
        """Return all of it in words."""
        return {"operator": self.operator, "case": self.case, "statement": self.statement, "searched": self.sought.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One query as an answer shows it: who asked, why, what was decided, and what of those who were sought was seen.

    ``index`` is the entry that the terminal was told (``Audit-Entry``). ``roads`` are the kinds of what named them, ``seen``
    and ``masked`` the names of fields, ``shown`` and ``withheld`` count records; ``unread`` says why a body tells nothing.
    ``about``: this is what another did, or the program found, about the officer who is sought. ``released`` is false where
    the answer never left, as no witness had signed for it: then all of it is withheld. Whom else it was about stays sealed.
    """

    index: int
    at: datetime
    kind: str
    officer: str = ""
    terminal: str = ""
    case: str = ""
    purpose: str = ""
    statement: str = ""
    action: str = ""
    outcome: str = ""
    rule: str = ""
    roads: Sequence[str] = ()
    seen: Sequence[str] = ()
    masked: Sequence[str] = ()
    shown: int = 0
    withheld: int = 0
    released: bool = True
    unread: str = ""
    about: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found, newest first. ``before`` is where the next page goes on, or None: there is nothing more.

    ``entries`` are all that answer the question on this page; ``indexed`` is the size of the log that was asked, and ``behind``
    counts entries that were there by then and not indexed yet. ``dead`` names epochs whose index key is not here: nobody can
    search their entries. ``goes_on_from`` is the origin of an older log that this one goes on from: that one was not asked.
    """

    lines: Sequence[Line]
    entries: Sequence[Entry]
    indexed: int
    before: int | None
    behind: int = 0
    dead: Sequence[str] = ()
    goes_on_from: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How many queries there were, by what was counted by. ``dead`` is as in ``Found``; without an officer nobody is sought.

    So is ``goes_on_from``.
    """

    rows: Sequence[tuple[str, int]]
    dead: Sequence[str] = ()
    goes_on_from: str = ""


class LogSearch:
    """The use case."""

    def __init__(self, index: Index, sealer: Sealer, audit: AuditLog, older: str = "") -> None:
        """Ask an index. Where it is one of an older log, ``older`` is that one's origin; ``audit`` is always the log in use."""
        self._index = index
        self._sealer = sealer
        self._audit = audit
        self._older = older

    async def search(self, searched: LogSearched, most: int = FOUND) -> Found:
        """Record the search, then return the queries it finds.

        Raises:
            AuditUnavailable: it could not be recorded, so nothing is shown.
            OwnLookups: queries of whoever asks are among them.
            IndexUnusable, LogDamaged, EntryUnreadable, SealBroken: something cannot be read.
        """
        await self._index.follow(seconds=PATIENCE)
        receipt = await self._audit.record(replace(searched, log=self._older))
        found = await asyncio.to_thread(self._find, searched, most)
        if self._concerns(found.entries, searched.operator):
            await self.deny(searched)
        size = await asyncio.to_thread(self._index.in_log) if self._older else receipt.index
        return replace(found, behind=max(size - found.indexed, 0))

    async def names(self, parties: Iterable[Party]) -> bool:
        """Tell whether any entry names one of them, but for those of whoever looked into the log; who cannot tell says yes.

        Raises:
            IndexUnusable, LogDamaged, EntryUnreadable: as ``search``.
        """
        return await asyncio.to_thread(self._names, tuple(parties))

    def _names(self, parties: Sequence[Party]) -> bool:
        tokens = {token for party in parties for token in self._sealer.searches(*party).values()}
        before: int | None = None
        while True:
            hits = self._index.find(tokens, since=_BEGIN, until=_END, before=before, most=FOUND)
            if hits.dead or any(entry.kind not in INVESTIGATING or not _about(entry, tokens) for entry in hits.entries):
                return True
            if not hits.more:
                return False
            before = hits.entries[-1].index

    async def deny(self, searched: LogSearched) -> None:
        """Record that somebody was not told, and do not tell.

        Raises:
            OwnLookups: always.
        """
        await self._audit.record(replace(searched, log=self._older, denied="own"))
        raise OwnLookups("You, or somebody close to you, are among those whom this is about. Somebody else has to ask.")

    async def count(self, searched: LogSearched) -> Counted:
        """Record the question, then return how many queries there were, by what ``counts`` says.

        No body is opened, but one of each officer who is named: their names lie nowhere else.

        Raises:
            AuditUnavailable, IndexUnusable, LogDamaged, EntryUnreadable: as ``search``.
        """
        await self._index.follow(seconds=PATIENCE)
        await self._audit.record(replace(searched, log=self._older))
        return await asyncio.to_thread(self._count, searched)

    def _count(self, searched: LogSearched) -> Counted:
        officers = [token for party in searched.sought.parties for token in self._sealer.searches(*party).values()]
        with self._index.reading() as index:
            found = index.counts(searched.counts, searched.since, searched.until, officers)
            epochs = index.epochs(*index.between(searched.since, searched.until)) if officers else []
        told = [(self._named(searched.counts, what), count) for what, count in found]
        joined: dict[str, int] = {}
        for what, count in told:  # an officer has another token in each epoch
            joined[what] = joined.get(what, 0) + count
        dead = [epoch for epoch in epochs if epoch not in self._sealer.epochs]
        return Counted(rows=list(joined.items()), dead=dead, goes_on_from=self._index.goes_on_from())

    def _named(self, counted: str, what: int | str) -> str:
        if counted == "officer":
            return self._index.officer(int(what))
        return str(date.fromordinal(_EPOCH + int(what))) if counted == "day" else str(what)

    def _concerns(self, entries: Iterable[Entry], operator: str) -> bool:
        own = set(self._sealer.searches("officer", operator).values())
        return any(entry.kind in QUERIES and not own.isdisjoint(entry.parties.get("officer", ())) for entry in entries)

    def _find(self, searched: LogSearched, most: int) -> Found:
        tokens = {token for party in searched.sought.parties for token in self._sealer.searches(*party).values()}
        marks = frozenset(searched.sought.marks)
        hits = self._index.find(
            tokens, marks=marks, since=searched.since, until=searched.until, before=searched.before, most=most
        )
        lines, told, queries = [], set(), self._index.together(hits.entries)
        for entry in hits.entries:
            if searched.sought.about_somebody and entry.kind == LogSearched.kind:
                continue  # to ask the log about somebody is not to look at them
            if not entry.about:
                lines.append(self._line([entry], tokens, searched))
            elif entry.about not in told:
                told.add(entry.about)
                together = queries[entry.about] or [entry]
                inside = [each for each in together if searched.since <= datetime.fromisoformat(each.at) < searched.until]
                newest = max((each.index for each in inside if not _tokens(each).isdisjoint(tokens)), default=entry.index)
                if newest <= entry.index:  # else an earlier page told of it
                    lines.append(self._line(together, tokens, searched))
        before = hits.entries[-1].index if hits.more else None
        return Found(
            lines=lines,
            entries=hits.entries,
            indexed=hits.indexed,
            before=before,
            dead=hits.dead,
            goes_on_from=self._index.goes_on_from(),
        )

    def _line(self, together: Sequence[Entry], tokens: set[str], searched: LogSearched) -> Line:
        asked = next((entry for entry in together if entry.kind in QUERIES), together[0])
        ended = next((entry for entry in reversed(together) if entry.kind in TERMINAL), None)
        sealed, unread = self._opened(asked)
        left = self._left(ended, searched)
        released = ended is None or ended.index not in {number for entry in together for number in unreleased_by(entry)}
        seen = left if released else ()
        roads = {kind for entry in together for kind, held in entry.parties.items() if not tokens.isdisjoint(held)}
        outcome = asked.facts.get("outcome") or asked.facts.get("problem") or ""
        return Line(
            index=asked.index,
            at=datetime.fromisoformat(asked.at),
            kind=ended.kind if ended is not None and asked.kind == DECIDED else asked.kind,
            officer=str(sealed.get("operator") or sealed.get("actor") or sealed.get("by") or ""),
            terminal=str(sealed.get("terminal") or ""),
            case=str(sealed.get("case") or ""),
            purpose=str(asked.facts.get("purpose") or ""),
            statement=str(sealed.get("statement") or ""),
            action=str(asked.facts.get("action") or ""),
            outcome=str(outcome),
            rule=str(asked.facts.get("rule") or ""),
            roads=sorted(roads) if searched.sought.about_somebody else (),
            seen=sorted({name for record in seen for name in _names(record.get("seen")) if not name.startswith("+")}),
            masked=sorted({name for record in seen for name in _names(record.get("masked"))}),
            shown=sum(record.get("withheld") is False for record in seen),
            withheld=sum(record.get("withheld") is True for record in seen) if released else len(left),
            released=released,
            unread=unread,
            about=searched.sought.by == "officer" and all(_about(each, tokens) for each in together if _tokens(each) & tokens),
        )

    def _left(self, ended: Entry | None, searched: LogSearched) -> Sequence[Mapping[str, Json]]:
        """Return what an end says of the records that concern whom was sought; of all of them where nobody was."""
        if ended is None:
            return ()
        records = list(left_in(self._opened(ended)[0]))
        if not searched.sought.about_somebody:
            return records
        named = {party.value for party in searched.sought.parties if party.kind in {SUBJECT, "person_id"}}
        return [record for record in records if _concerns(record, named, set(searched.sought.marks))]

    def _opened(self, entry: Entry) -> tuple[Mapping[str, Json], str]:
        try:
            return entry.unseal(self._sealer), ""
        except Shredded:
            return {}, "shredded"
        except SealBroken:
            return {}, "sealed"


def _about(entry: Entry, tokens: set[str]) -> bool:
    """Tell whether an entry says something about whom it names, and not what they did: another acted, or the program."""
    actors = entry.parties.get("actor", ())
    return tokens.isdisjoint(actors) and (bool(actors) or entry.kind in _TOLD)


def _tokens(entry: Entry) -> set[str]:
    return {token for held in entry.parties.values() for token in held}


def _names(value: Json) -> Iterable[str]:
    return map(str, value) if isinstance(value, (list, dict)) else ()


def _concerns(record: Mapping[str, Json], named: set[str], marks: set[str]) -> bool:
    """Tell whether a record is about whom was sought: by its numbers where both have some, else by what it showed.

    A neighbor's record shows the same house.
    """
    whose = {*_names(record.get("subject")), *_names(record.get("person"))}
    if named and whose:
        return not named.isdisjoint(whose)
    seen = record.get("seen")
    return isinstance(seen, dict) and not marks.isdisjoint(map(str, seen.values()))
