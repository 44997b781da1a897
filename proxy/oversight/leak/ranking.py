"""Who explains a leak, ranked: each officer's share, beside that of a source outside the log and of two officers together.

The shares add up to one. A trace names nobody where the shares do not: with ``Verdict.CANNOT_TELL`` officers are listed because
they were shown what was published, not because one of them stands out.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from math import exp, log
from typing import TYPE_CHECKING, Final

from proxy.oversight.leak.history import Histories
from proxy.oversight.leak.weighing import Model, Showing, Weighing, leaks_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from proxy.oversight.leak.history import History
    from proxy.oversight.leak.published import Published, Sight
    from proxy.oversight.leak.weighing import Explained, Leak

ENOUGH: Final = 0.8
"""The share from which one officer, or the first three, are said to explain it."""
HALF: Final = 0.5
FEW: Final = 3
MOST_PAIRED: Final = 40
"""Officers of whom every two are tried together, where no single one explains all."""
MOST_PAIRS: Final = 3
Hypothesis = str | tuple[str, str]
Together = tuple[float, frozenset[int]]


class Verdict(StrEnum):
    """What a trace says in one word."""

    ONE = "one"
    TWO_TOGETHER = "two-together"
    FEW = "few"
    CANNOT_TELL = "cannot-tell"
    OUTSIDE = "outside"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """One officer, by token, whose sights explain something of it; ``share`` lies between 0 and 1.

    ``alike`` counts the other officers who had been shown everything that this one had of it; ``sights`` are those that
    explain it, the best first.
    """

    officer: str
    share: float
    explained: tuple[Explained, ...]
    items: frozenset[int]
    sights: tuple[Sight, ...]
    alike: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two officers who together had seen more than any one; ``share`` is theirs as a pair."""

    officers: tuple[str, str]
    share: float
    items: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What came of it. ``outside`` is the share of every source that the log does not hold; ``saw_all`` counts officers.

    ``terminals`` says of each terminal which officers were shown something of it there.
    """

    verdict: Verdict
    leads: tuple[Lead, ...]
    pairs: tuple[Pair, ...]
    outside: float
    saw_all: int
    leaks: tuple[Leak, ...]
    histories: Mapping[int, History]
    terminals: Mapping[str, Collection[str]]


def trace(items: Sequence[Published], sights: Iterable[Sight], model: Model | None = None) -> Trace:
    """Rank the officers of ``sights``: every sight of an item, and of the persons concerned, before the last item came out."""
    model = model or Model()
    numbers = frozenset(item.number for item in items)
    ordered = sorted(sights, key=lambda sight: (sight.at, sight.entry))
    leaks = leaks_of(items)
    histories = Histories(items, ordered)
    weighing = Weighing(leaks, histories, model)
    theirs = _by_officer(items, ordered, weighing)
    single = {officer: weighing.explain(seen) for officer, seen in theirs.items()}
    ratios = {officer: log(model.viewer) + _ratio(explained) for officer, explained in single.items()}
    paired: Mapping[tuple[str, str], Together] = {}
    if not any(_seen(explained) == numbers for explained in single.values()):
        best = sorted(ratios, key=lambda officer: (-ratios[officer], officer))[:MOST_PAIRED]
        prior = log(model.viewer * model.together / max(len(best) - 1, 1))
        paired = _together({officer: theirs[officer] for officer in sorted(best)}, single, weighing, prior)
    hypotheses: dict[Hypothesis, float] = dict(ratios.items())
    hypotheses.update((pair, ratio) for pair, (ratio, _) in paired.items())
    shares, outside = _shares(hypotheses)
    leads = _leads(single, shares)
    pairs = [Pair(officers=pair, share=shares[pair], items=seen) for pair, (_, seen) in paired.items()]
    pairs.sort(key=lambda each: (-each.share, each.officers))
    terminals: dict[str, set[str]] = defaultdict(set)
    for officer, seen in theirs.items():
        for showing in seen:
            terminals[showing.sight.terminal].add(officer)
    return Trace(
        verdict=_verdict(leads, pairs, outside),
        leads=tuple(leads),
        pairs=tuple(pairs[:MOST_PAIRS]),
        outside=outside,
        saw_all=sum(len(lead.items) == len(numbers) for lead in leads),
        leaks=tuple(leaks),
        histories=histories.of,
        terminals=terminals,
    )


def _by_officer(items: Sequence[Published], ordered: Iterable[Sight], weighing: Weighing) -> Mapping[str, Sequence[Showing]]:
    """Return each officer's sights that show an item before it was published."""
    published = {item.number: item.at for item in items}
    theirs: dict[str, list[Showing]] = defaultdict(list)
    for sight in ordered:
        shown = weighing.shown(sight)
        if any(sight.at < published[number] for number in shown):
            theirs[sight.officer].append(Showing(sight, shown))
    return theirs


def _ratio(explained: Iterable[Explained]) -> float:
    return sum(each.ratio for each in explained)


def _seen(explained: Iterable[Explained]) -> frozenset[int]:
    return frozenset(item.number for each in explained for item in each.items)


def _together(
    theirs: Mapping[str, Sequence[Showing]], single: Mapping[str, Sequence[Explained]], weighing: Weighing, prior: float
) -> Mapping[tuple[str, str], Together]:
    """Return every two officers who together had seen more than either, as if they were one."""
    found: dict[tuple[str, str], Together] = {}
    for one, other in combinations(theirs, 2):
        both = _seen(single[one]) | _seen(single[other])
        if len(both) > max(len(_seen(single[one])), len(_seen(single[other]))):
            sights = sorted([*theirs[one], *theirs[other]], key=lambda each: (each.sight.at, each.sight.entry))
            found[one, other] = (prior + _ratio(weighing.explain(sights)), both)
    return found


def _shares(ratios: Mapping[Hypothesis, float]) -> tuple[dict[Hypothesis, float], float]:
    """Return each hypothesis's share, an officer's with their pairs in it, and that of a source outside, whose ratio is 1."""
    highest = max([0.0, *ratios.values()])
    outside = exp(-highest)
    weights = {each: exp(ratio - highest) for each, ratio in ratios.items()}
    total = outside + sum(weights.values())
    shares = {each: weight / total for each, weight in weights.items()}
    for pair, weight in weights.items():
        if isinstance(pair, tuple):
            for officer in pair:
                shares[officer] += weight / total
    return shares, outside / total


def _leads(single: Mapping[str, Sequence[Explained]], shares: Mapping[Hypothesis, float]) -> list[Lead]:
    seen = {officer: _seen(explained) for officer, explained in single.items()}
    alike: dict[frozenset[int], int] = {}
    for mine in set(seen.values()):
        alike[mine] = sum(mine <= theirs for theirs in seen.values()) - 1
    leads = [
        Lead(
            officer=officer,
            share=shares[officer],
            explained=tuple(explained),
            items=seen[officer],
            sights=_best_first(explained),
            alike=alike[seen[officer]],
        )
        for officer, explained in single.items()
    ]
    return sorted(leads, key=lambda lead: (-lead.share, lead.officer))


def _best_first(explained: Iterable[Explained]) -> tuple[Sight, ...]:
    occasions = [occasion for each in explained for occasion in each.occasions]
    occasions.sort(key=lambda each: (-each[1], each[0].entry))
    return tuple(sight for sight, _ in occasions)


def _verdict(leads: Sequence[Lead], pairs: Sequence[Pair], outside: float) -> Verdict:
    """Return what may be said. A source outside accuses nobody, so more likely than not is enough for it."""
    if not leads:
        return Verdict.NOBODY
    if outside >= HALF:
        return Verdict.OUTSIDE
    if pairs and pairs[0].share >= HALF:
        return Verdict.TWO_TOGETHER
    if leads[0].share >= ENOUGH:
        return Verdict.ONE
    first = {lead.officer for lead in leads[:FEW]}
    # A pair's share stands in both of its officers' shares.
    counted_twice = sum(pair.share for pair in pairs if first.issuperset(pair.officers))
    if sum(lead.share for lead in leads[:FEW]) - counted_twice >= ENOUGH:
        return Verdict.FEW
    return Verdict.CANNOT_TELL
