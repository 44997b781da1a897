"""How well one officer's sights explain what was published, against a source outside the log: a likelihood ratio.

Things about one person that came out together are one *leak*: whoever published them waited once. An officer explains a leak by
the occasions on which they had seen all that they can have told: the sooner after one it came out, the better (``delay``). What
they never saw, somebody else must have known; what they saw beside and did not publish counts a little against them; so does
an old value of which they knew that it had changed. Several leaks multiply: ordinary work shares one person with a leaker,
not four.

The figures of ``Model`` are assumptions that are written down, not measurements of leakers; ``tests.bench.leaks`` tells what
comes of them, and on which seeds they were chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.oversight.leak.delay import Delay

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import timedelta

    from proxy.oversight.leak.history import Histories
    from proxy.oversight.leak.published import Published, Sight

TOGETHER: Final = 1 / 24
"""Days between two publications that are one leak."""
DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What is assumed of leaks.

    ``viewer`` weighs one viewer against every source outside the log; ``horizon`` are the days over which such a source is
    equally likely. ``told`` is how surely a source tells what it has seen, ``another`` how likely one of several leaks has
    another source. ``exposure`` says how much more often an officer who looked n times leaks: n to this power. ``unpublished``
    is the factor for every field seen and not published, ``outdated`` for a value known to have changed, ``unnamed`` for a
    record that is about somebody else than whom the item is about. ``together`` is how likely a source is two officers.
    """

    delay: Delay = field(default_factory=Delay)
    viewer: float = 3.0
    horizon: float = 60.0
    told: float = 0.9
    another: float = 0.1
    exposure: float = 0.3
    unpublished: float = 0.98
    outdated: float = 0.3
    unnamed: float = 0.2
    together: float = 0.5


@dataclass(frozen=True, slots=True)
class Leak:
    """Things that came out together, about one person as far as is known."""

    items: tuple[Published, ...]


def leaks_of(items: Iterable[Published]) -> Sequence[Leak]:
    """Return the items by leak: the same person, and no more than an hour apart."""
    gathered: list[list[Published]] = []
    last: dict[frozenset[str], list[Published]] = {}
    for item in sorted(items, key=lambda each: (each.at, each.number)):
        known = last.get(item.about)
        if known is not None and _days(item.at - known[-1].at) <= TOGETHER:
            known.append(item)
        else:
            last[item.about] = [item]
            gathered.append(last[item.about])
    return [Leak(tuple(each)) for each in gathered]


@dataclass(frozen=True, slots=True)
class Explained:
    """How one officer explains one leak: the ratio's logarithm, what they had seen of it, and the occasions, best first."""

    ratio: float
    items: tuple[Published, ...]
    occasions: tuple[tuple[Sight, float], ...]


class Showing(NamedTuple):
    """A sight, and the numbers of the items that it shows."""

    sight: Sight
    items: frozenset[int]


class Weighing:
    """Weighs officers' sights against leaks."""

    def __init__(self, leaks: Sequence[Leak], histories: Histories, model: Model) -> None:
        """Take the leaks, what became of the values, and the assumptions."""
        self._leaks = leaks
        self._histories = histories
        self._model = model
        self._numbers: dict[str, frozenset[int]] = {}
        for leak in leaks:
            for item in leak.items:
                for mark in item.marks:
                    self._numbers[mark] = self._numbers.get(mark, frozenset()) | {item.number}

    def shown(self, sight: Sight) -> frozenset[int]:
        """Return the numbers of the items that a sight shows."""
        found = [self._numbers[mark] for mark in sight.seen.values() if mark in self._numbers]
        return frozenset().union(*found)

    def explain(self, sights: Sequence[Showing]) -> Sequence[Explained]:
        """Return how sights, in the order of time, explain each leak."""
        return [self._explained(leak, sights) for leak in self._leaks]

    def _explained(self, leak: Leak, sights: Sequence[Showing]) -> Explained:
        """Try what they had seen first, then more and more of it: the best explanation counts.

        So a thing that was seen only after the rest was out takes nothing from whoever saw the rest before.
        """
        shown = {
            item.number: [each for each in sights if item.number in each.items and each.sight.at < item.at]
            for item in leak.items
        }
        known = sorted((item for item in leak.items if shown[item.number]), key=lambda item: shown[item.number][0].sight.at)
        best = Explained(log(self._model.another), (), ())
        for count in range(1, len(known) + 1):
            if count < len(known) and shown[known[count].number][0].sight.at == shown[known[count - 1].number][0].sight.at:
                continue  # seen at once, so told at once
            tried = self._with(leak, known[:count], shown)
            if not best.items or tried.ratio >= best.ratio:
                best = tried
        return best

    def _with(self, leak: Leak, items: Sequence[Published], shown: Mapping[int, Sequence[Showing]]) -> Explained:
        """Return how they explain it if these are the items that they told, each seen at least once."""
        model = self._model
        since = max(shown[item.number][0].sight.at for item in items)
        weights: dict[int, tuple[Sight, float]] = {}
        numbers = frozenset(item.number for item in items)
        for item in items:
            for showing in reversed(shown[item.number]):
                if showing.sight.at < since:
                    break
                if id(showing) not in weights:
                    weights[id(showing)] = (showing.sight, self._weight(leak, item, showing, numbers))
        occasions = sorted(weights.values(), key=lambda each: -each[1])
        density = sum(weight for _, weight in occasions) * len(occasions) ** (model.exposure - 1)
        for item in leak.items:
            density *= item.elsewhere + (1 - item.elsewhere) * model.told if item.number in numbers else item.elsewhere
        ratio = (1 - model.another) * density * model.horizon + model.another
        return Explained(log(ratio), tuple(items), tuple(occasions))

    def _weight(self, leak: Leak, item: Published, showing: Showing, told: frozenset[int]) -> float:
        model, sight = self._model, showing.sight
        weight = model.delay.density(_days(item.at - sight.at), _days(item.within))
        published = sum(each.number in showing.items for each in leak.items)
        weight *= model.unpublished ** (len(sight.seen) - published)
        if item.about and not item.about & sight.persons:
            weight *= model.unnamed
        if any(self._histories.outdated(each, sight) for each in leak.items if each.number in told):
            weight *= model.outdated
        return weight


def _days(span: timedelta) -> float:
    return span.total_seconds() / DAY
