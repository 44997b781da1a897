"""A trace in plain words, such as may be read out in court: what the log shows, never who did it.

A lead is somebody of whom the log says that they were shown the thing. That they told it is nowhere in the log, so no sentence
says so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from proxy.inquiry.inquiry import RECORD_KINDS
from proxy.oversight.leak.claim import PHOTO
from proxy.oversight.leak.ranking import ENOUGH, FEW, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import timedelta

    from proxy.audit.index.service import Gaps
    from proxy.oversight.leak.claim import Claim
    from proxy.oversight.leak.history import History
    from proxy.oversight.leak.published import Published, Sight
    from proxy.oversight.leak.ranking import Lead, Trace

NOWHERE: Final = "Nobody was shown any of it here before it was published. Its source is not in this log."
CLEARS_NOBODY: Final = (
    "Nothing that is kept shows that anybody was shown any of it here before it was published."
    " Not all could be looked at, so this clears nobody."
)
MOST_SHOWN: Final = 5
"""Entries of one lead that are shown."""
_NUMBER: Final = re.compile(r"[-+]?[0-9][0-9.eE+-]*\Z")
LEAD_ONLY: Final = "This is a lead, not a finding: the log holds what was shown to whom, and not who told it."
LIMITS: Final = (
    "Who photographed a screen, overheard, or was told by a colleague is in no log.",
    "The log names the credential and the terminal that asked. Whether its owner sat there is for other evidence.",
    "Whoever has the thing from the records server itself, from paper, or from outside was never asked here.",
    "How soon people publish what they have seen is assumed, not known; the shares compare officers, they prove nothing.",
    "What was shown before this log begins, or in a part that is not kept any more, is not counted.",
)


def gone(gaps: Gaps) -> Iterator[str]:
    """Yield what could not be looked at, one sentence each."""
    if gaps.pruned:
        yield f"Entries before {gaps.pruned} were pruned. What they showed is not known any more."
    if gaps.shredded:
        yield "Bodies of entries were shredded on a court's order. What those showed is not known any more."
    if gaps.keys:
        yield f"Keys are gone ({', '.join(gaps.keys)}). What was marked or sealed with them cannot be looked at."


def unmarked(claims: Iterable[Claim]) -> Iterator[str]:
    """Yield which claims the log may have shown without a mark: a number that has no kind (``disclosure.marks``)."""
    for number, claim in enumerate(claims, start=1):
        if claim.kind not in RECORD_KINDS and claim.kind != PHOTO and _NUMBER.match(claim.value):
            yield f"Item {number} is a number. Records that hold it as a number, and not as a text, were not looked at."


def verdict_words(trace: Trace, unseen: Sequence[str]) -> str:
    """Return what a trace comes to, in one or two sentences; ``unseen`` is what could not be looked at."""
    match trace.verdict:
        case Verdict.NOBODY:
            return CLEARS_NOBODY if unseen else NOWHERE
        case Verdict.OUTSIDE:
            return "The look-ups explain it no better than a source that is not in this log. Those who were shown it follow."
        case Verdict.ONE:
            return f"One officer's look-ups explain it far better than anybody else's. {LEAD_ONLY}"
        case Verdict.TWO_TOGETHER:
            return f"No officer alone was shown all that they together were: two explain it best. {LEAD_ONLY}"
        case Verdict.FEW:
            count = min(len(trace.leads), FEW)
            return f"{count} officers' look-ups explain it best, and the log does not say whose it was. {LEAD_ONLY}"
        case Verdict.CANNOT_TELL:
            return f"It cannot be told: {_crowd(trace)} {_too_alike(trace)}"


def _crowd(trace: Trace) -> str:
    count = len(trace.leads)
    if trace.saw_all:
        others = f", and {officers(count - trace.saw_all, 'other')} shown a part" if count > trace.saw_all else ""
        return f"{officers(trace.saw_all)} shown all of it before{others}."
    return f"nobody was shown all of it, and {officers(count)} shown a part."


def _too_alike(trace: Trace) -> str:
    if sum(lead.share for lead in trace.leads[:FEW]) >= ENOUGH * (1 - trace.outside):  # told apart, but for the source outside
        return f"But a source that is not in this log is too likely ({trace.outside:.0%}) to name anybody."
    return "Nothing in the log tells them apart enough to name anybody."


def lead_words(lead: Lead, trace: Trace, items: Sequence[Published]) -> Iterator[str]:
    """Yield what speaks for a lead and what against it, one sentence each."""
    yield _explains(lead, items)
    yield from _missing(lead, trace, items)
    yield _alike(lead)
    if len(trace.leaks) > 1:
        count = sum(bool(each.items) for each in lead.explained)
        yield f"Was shown something of {count} of the {len(trace.leaks)} leaks."
    yield from _set(lead, items)
    yield from _changes(lead, trace, items)
    yield from _late(lead)
    yield from _terminals(lead, trace)


def _explains(lead: Lead, items: Sequence[Published]) -> str:
    best = lead.sights[0]
    shown = [item for item in items if item.number in lead.items and best.field_of(item) and best.at < item.at]
    more = len({sight.entry for sight in lead.sights} - {best.entry})
    again = f", and in {more} more {'entry' if more == 1 else 'entries'}" if more else ""
    return f"Was shown {numbers(shown)} in entry {best.entry}, {_before(best, shown)}{again}."


def _before(best: Sight, shown: Sequence[Published]) -> str:
    """Return how long before they came out somebody was shown things: one by one, where they did not come out at once."""
    times = sorted({item.at for item in shown})
    first, last = lasted(times[0] - best.at), lasted(times[-1] - best.at)
    if len(times) == 1:
        return f"{first} before {'it was' if len(shown) == 1 else 'they were'} noticed in public"
    soonest, latest = (numbers([item for item in shown if item.at == moment]) for moment in (times[0], times[-1]))
    between = ", the others in between" if len(times) > 2 else ""
    return f"{first} before {soonest} came out and {last} before {latest} did{between}"


def _missing(lead: Lead, trace: Trace, items: Sequence[Published]) -> Iterator[str]:
    never: list[Published] = []
    for item in items:
        history = trace.histories[item.number]
        if lead.officer in history.officers:
            continue
        hidden = history.hidden.get(lead.officer)
        if hidden is None:
            never.append(item)
        else:
            yield f"Item {item.number} was masked for them in entry {hidden.entry}, so they did not have it from there."
    if never:
        yield f"Was never shown {numbers(never)}, so cannot be the only source."


def _alike(lead: Lead) -> str:
    if not lead.alike:
        return "Nobody else was shown all that they were shown of it."
    return f"{officers(lead.alike, 'other officer')} shown the same of it."


def _set(lead: Lead, items: Sequence[Published]) -> Iterator[str]:
    best = lead.sights[0]
    beside = sorted(name for name in best.seen if not name.startswith("+") and best.seen[name] not in _marks(items))
    if beside:
        yield f"Entry {best.entry} showed beside it, and it was not published: {', '.join(beside)}."
    else:
        yield f"Entry {best.entry} showed exactly what was published, and nothing else."


def _changes(lead: Lead, trace: Trace, items: Sequence[Published]) -> Iterator[str]:
    for item in items:
        history = trace.histories[item.number]
        if history.changed is None or history.last is None or item.number not in lead.items:
            continue
        yield f"Item {item.number} was shown to nobody after {day(history)}; another value stood in its place later."
        newer = history.updated.get(lead.officer)
        if newer is not None and newer.at < item.at:
            yield f"They were shown that other value in entry {newer.entry}, before the old one was published."


def _late(lead: Lead) -> Iterator[str]:
    best = lead.sights[0]
    late = [item for each in lead.explained for item in each.items if item.within and best.at > item.at - item.within]
    if late:
        yield f"{numbers(late).capitalize()} may have been out before entry {best.entry}; the time is not known so exactly."


def _terminals(lead: Lead, trace: Trace) -> Iterator[str]:
    here = {sight.terminal for sight in lead.sights} - {""}
    others = {officer for terminal in here for officer in trace.terminals[terminal]} - {lead.officer}
    if others:
        yield f"At the same terminal {officers(len(others), 'other officer')} shown something of it."


def _marks(items: Iterable[Published]) -> frozenset[str]:
    return frozenset(mark for item in items for mark in item.marks)


def numbers(items: Sequence[Published]) -> str:
    """Return the numbers of items as a sentence has them."""
    told = [str(item.number) for item in items]
    if len(told) == 1:
        return f"item {told[0]}"
    return f"items {', '.join(told[:-1])} and {told[-1]}"


def officers(count: int, what: str = "officer") -> str:
    """Return how many there were, up to the verb."""
    return f"1 {what} was" if count == 1 else f"{count} {what}s were"


def day(history: History) -> str:
    """Return the day on which a value was last shown."""
    return f"{history.last:%Y-%m-%d}" if history.last is not None else ""


def lasted(span: timedelta) -> str:
    """Return a span of time in its two largest units: ``3 d 4 h``, ``12 min``."""
    minutes = max(int(span.total_seconds() // 60), 0)
    parts = ((minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min"))
    told = [f"{count} {unit}" for count, unit in parts if count]
    return " ".join(told[:2]) or "less than a minute"


def entries_of(lead: Lead) -> Sequence[Sight]:
    """Return the entries of a lead that are shown, best first, each once."""
    found: dict[int, Sight] = {}
    for sight in lead.sights:
        found.setdefault(sight.entry, sight)
    return list(found.values())[:MOST_SHOWN]
