"""The leak trace at work: recorded, then looked for, then recorded again with whom it shows, then shown."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from proxy.audit.errors import OwnLookups
from proxy.oversight.leak.answer import Answer, EntryTold, LeadTold, PairTold, items_told
from proxy.oversight.leak.events import LeadsShown
from proxy.oversight.leak.ranking import trace
from proxy.oversight.leak.sights import collect, published_of
from proxy.oversight.leak.wording import LIMITS, entries_of, gone, lead_words, unmarked, verdict_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proxy.audit.entry import Entry
    from proxy.audit.event import Event, Json, Receipt
    from proxy.audit.sealing import Sealer
    from proxy.oversight.leak.events import LeakTraced
    from proxy.oversight.leak.published import Published, Sight
    from proxy.oversight.leak.ranking import Lead, Trace
    from proxy.oversight.leak.sights import Archive, Seen

PAGE: Final = 10
TURNS: Final = 30
TURN_SECONDS: Final = 0.1
BEHIND: Final = "The newest {} entries of the log are not indexed yet, so they were not looked at. Ask again."
CUT: Final = "There are more entries than one trace reads, so the newest were left out. Ask about one person, or fewer things."
NOT_ASKED: Final = "This log goes on from {}; what was shown there was not looked at."


class Recorder(Protocol):
    """Where it is recorded that somebody asked, and what they were shown."""

    async def record(self, event: Event) -> Receipt:
        """Return only once the event is sure to be in the log; the receipt's index is no less than that of what was before."""
        ...


@dataclass(frozen=True, slots=True)
class _Traced:
    trace: Trace
    items: Sequence[Published]
    seen: Seen
    words: Mapping[int, Mapping[str, Json]]
    unseen: Sequence[str]


class LeakTrace:
    """The use case. ``origin`` is the name of the log; ``older`` too, where it is an older one than the recorder's."""

    def __init__(
        self, archive: Archive, sealer: Sealer, recorder: Recorder, origin: str, *, older: str = "", turns: int = TURNS
    ) -> None:
        """Read what ``archive`` finds, and record with ``recorder``; an index that is behind is waited for so many turns."""
        self._older = older
        self._turns = turns
        self._archive = archive
        self._sealer = sealer
        self._recorder = recorder
        self._origin = origin

    async def trace(self, asked: LeakTraced) -> Answer:
        """Record the question, look, record whom it shows, and return one page of it.

        Raises:
            OwnLookups: whoever asks was shown something of it.
            AuditUnavailable: it could not be recorded, so nothing is shown.
            IndexUnusable, LogDamaged, EntryUnreadable, SealBroken: the log or its index cannot be read.
        """
        receipt = await self._recorder.record(replace(asked, log=self._older))
        size = await asyncio.to_thread(self._archive.in_log) if self._older else receipt.index
        behind = await self._caught_up(size)
        traced = await asyncio.to_thread(self._look, asked)
        if any(traced.seen.names.get(lead.officer) == asked.operator for lead in traced.trace.leads):
            raise OwnLookups("You were shown something of it yourself. Somebody else of the oversight desk has to trace it.")
        answer = self._told(traced, asked.page, behind)
        shown = LeadsShown(
            about=asked.about,
            operator=asked.operator,
            case=asked.case,
            verdict=answer.verdict,
            leads=answer.count,
            officers=tuple(dict.fromkeys((*(lead.officer for lead in answer.leads), *_paired(answer)))),
            entries=tuple(dict.fromkeys(entry.entry for lead in answer.leads for entry in lead.entries)),
            log=self._older,
        )
        await self._recorder.record(shown)
        return answer

    async def _caught_up(self, size: int) -> int:
        """Have so many entries of the log indexed; return how many still are not after a while."""
        missing = size
        for _ in range(self._turns):
            await asyncio.to_thread(self._archive.catch_up)
            missing = size - await asyncio.to_thread(self._archive.indexed)
            if missing <= 0:
                return 0
            await asyncio.sleep(TURN_SECONDS)
        return missing

    def _look(self, asked: LeakTraced) -> _Traced:
        items = published_of(asked.claims, self._sealer)
        seen = collect(self._archive, self._sealer, asked.claims, items)
        found = trace(items, seen.sights)
        page = found.leads[(asked.page - 1) * PAGE : asked.page * PAGE]
        entries = {sight.entry for lead in page for sight in entries_of(lead)}
        words = {entry: self._words(seen.entries[entry]) for entry in entries}
        before = self._archive.goes_on_from()
        unseen = (*((NOT_ASKED.format(before),) if before else ()), *gone(self._archive.gaps()), *unmarked(asked.claims))
        return _Traced(found, items, seen, words, unseen)

    def _words(self, shown: Entry) -> Mapping[str, Json]:
        """Return a query's own words, its purpose and the index of its decision."""
        for entry in self._archive.together([shown]).get(shown.about, ()):
            sealed = entry.unseal(self._sealer)
            if "operator" in sealed:
                return {**sealed, "purpose": entry.facts.get("purpose"), "query": entry.index}
        return {}

    def _told(self, traced: _Traced, page: int, behind: int) -> Answer:
        found, first = traced.trace, (page - 1) * PAGE
        unseen = (*((BEHIND.format(behind),) if behind else ()), *((CUT,) if traced.seen.cut else ()), *traced.unseen)
        shown = found.leads[first : first + PAGE]
        return Answer(
            verdict=str(found.verdict),
            says=verdict_words(found, unseen),
            origin=self._origin,
            items=items_told(found, traced.items),
            leads=tuple(self._lead(traced, lead, place) for place, lead in enumerate(shown, start=first + 1)),
            count=len(found.leads),
            together=tuple(
                PairTold(
                    officers=(_name(traced.seen, pair.officers[0]), _name(traced.seen, pair.officers[1])),
                    share=pair.share,
                    items=tuple(sorted(pair.items)),
                )
                for pair in found.pairs
            ),
            outside=found.outside,
            saw_all=found.saw_all,
            limits=(*unseen, *LIMITS),
            page=page,
            next_page=page + 1 if first + PAGE < len(found.leads) else None,
        )

    def _lead(self, traced: _Traced, lead: Lead, place: int) -> LeadTold:
        return LeadTold(
            place=place,
            officer=_name(traced.seen, lead.officer),
            share=lead.share,
            items=tuple(sorted(lead.items)),
            alike=lead.alike,
            says=tuple(lead_words(lead, traced.trace, traced.items)),
            entries=tuple(_entry(traced, sight) for sight in entries_of(lead)),
        )


def _entry(traced: _Traced, sight: Sight) -> EntryTold:
    words = traced.words[sight.entry]
    return EntryTold(
        entry=sight.entry,
        query=query if isinstance(query := words.get("query"), int) else None,
        at=sight.at,
        items=tuple(item.number for item in traced.items if sight.at < item.at and sight.field_of(item)),
        terminal=str(words.get("terminal") or ""),
        case=str(words.get("case") or ""),
        purpose=str(words.get("purpose") or ""),
        statement=str(words.get("statement") or ""),
    )


def _name(seen: Seen, token: str) -> str:
    """Return an officer in clear, or the token where no decision says who it was."""
    return seen.names.get(token) or f"token {token}"


def _paired(answer: Answer) -> Sequence[str]:
    return [officer for pair in answer.together for officer in pair.officers]
