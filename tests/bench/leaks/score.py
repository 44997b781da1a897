"""What a ranking is worth: the leaker's place, beside what anybody would try first, and whether "cannot tell" was right."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from proxy.oversight.leak.ranking import FEW, Verdict, trace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from proxy.oversight.leak.published import Published, Sight
    from proxy.oversight.leak.weighing import Model
    from tests.bench.leaks.leaking import Scene

Ranking = list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one leak. ``places`` count from 1, 0 is nowhere; ``entry``: a leaking entry is among those shown first."""

    kind: str
    verdict: Verdict
    places: Mapping[str, int]
    entry: bool
    candidates: int
    shown_all: int
    share: float
    top: float


def judged(scene: Scene, sights: Sequence[Sight], models: Mapping[str, Model], seed: int) -> Outcome:
    """Rank the officers of one leak by every way; ``models`` are those of traces, the first of which is told about."""
    traces = {name: trace(scene.items, sights, model) for name, model in models.items()}
    found = next(iter(traces.values()))
    leakers = {f"officer-{each}" for each in scene.leakers}
    rankings = {
        **{name: [lead.officer for lead in each.leads] for name, each in traces.items()},
        **{name: rank(scene.items, sights, seed) for name, rank in BASELINES.items()},
    }
    first = next((lead for lead in found.leads if lead.officer in leakers), None)
    return Outcome(
        kind=scene.kind,
        verdict=found.verdict,
        places={name: _place(ranking, leakers) for name, ranking in rankings.items()},
        entry=any(sight.entry in scene.entries for lead in found.leads[:FEW] for sight in lead.sights[:FEW]),
        candidates=len(found.leads),
        shown_all=found.saw_all,
        share=first.share if first else 0.0,
        top=found.leads[0].share if found.leads else 0.0,
    )


def _place(ranking: Ranking, leakers: set[str]) -> int:
    return next((place for place, officer in enumerate(ranking, start=1) if officer in leakers), 0)


def _shown(items: Sequence[Published], sights: Sequence[Sight]) -> Sequence[tuple[Published, Sight]]:
    return [(item, sight) for sight in sights for item in items if sight.at < item.at and sight.field_of(item)]


def last_viewer(items: Sequence[Published], sights: Sequence[Sight], _seed: int) -> Ranking:
    """Rank by who was shown any of it last."""
    last: dict[str, float] = {}
    for _, sight in _shown(items, sights):
        last[sight.officer] = max(last.get(sight.officer, 0.0), sight.at.timestamp())
    return sorted(last, key=lambda officer: (-last[officer], officer))


def most_views(items: Sequence[Published], sights: Sequence[Sight], _seed: int) -> Ranking:
    """Rank by how often they were shown any of it."""
    counts = Counter(sight.officer for _, sight in _shown(items, sights))
    return sorted(counts, key=lambda officer: (-counts[officer], officer))


def saw_all(items: Sequence[Published], sights: Sequence[Sight], seed: int) -> Ranking:
    """Rank by how many of the items they were shown, by lot where it is the same number."""
    seen: dict[str, set[int]] = {}
    for item, sight in _shown(items, sights):
        seen.setdefault(sight.officer, set()).add(item.number)
    lot = dict(zip(sorted(seen), np.random.default_rng(seed).random(len(seen)), strict=True))
    return sorted(seen, key=lambda officer: (-len(seen[officer]), lot[officer]))


BASELINES: Mapping[str, Callable[[Sequence[Published], Sequence[Sight], int], Ranking]] = {
    "last viewer": last_viewer,
    "most views": most_views,
    "saw all": saw_all,
}
