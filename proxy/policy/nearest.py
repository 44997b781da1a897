"""What would have to be otherwise for the outcome to be another: the nearest facts, looser and stricter."""

from __future__ import annotations

from itertools import combinations, product
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.policy.lattice import ruling_of
from proxy.policy.vocabulary import COLUMNS, NONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.policy.decision import Facts, Ruling
    from proxy.policy.lattice import Lattice

FARTHEST: Final = 2


class Neighbor(NamedTuple):
    """Facts that differ in ``changed`` columns, and the ruling on them."""

    changed: tuple[str, ...]
    facts: Facts
    ruling: Ruling


class Nearest(NamedTuple):
    """The neighbors with another outcome, each as few changes away as any: one for each set of columns, the mildest step."""

    looser: tuple[Neighbor, ...]
    stricter: tuple[Neighbor, ...]


def nearest(lattice: Lattice, facts: Facts) -> Nearest:
    """Return the nearest facts with a looser and with a stricter outcome, one change away or else two; none beyond."""
    own = ruling_of(lattice.matching(facts)).outcome.severity
    looser: tuple[Neighbor, ...] = ()
    stricter: tuple[Neighbor, ...] = ()
    for distance in range(1, FARTHEST + 1):
        mildest: dict[tuple[bool, tuple[str, ...]], Neighbor] = {}
        for each in _around(lattice, facts, distance):
            severity = each.ruling.outcome.severity
            key = severity > own, each.changed
            if severity != own and (key not in mildest or _far(each, own) < _far(mildest[key], own)):
                mildest[key] = each
        looser = looser or tuple(each for (looser_, _), each in mildest.items() if looser_)
        stricter = stricter or tuple(each for (looser_, _), each in mildest.items() if not looser_)
    return Nearest(looser=looser, stricter=stricter)


def _far(neighbor: Neighbor, own: int) -> tuple[int, bool, Facts]:
    changed = [getattr(neighbor.facts, column) for column in neighbor.changed]
    return abs(neighbor.ruling.outcome.severity - own), NONE not in changed, neighbor.facts


def _around(lattice: Lattice, facts: Facts, distance: int) -> Iterator[Neighbor]:
    for columns in combinations(COLUMNS, distance):
        for words in product(*(sorted(lattice.words(column) - {getattr(facts, column)}) for column in columns)):
            other = facts._replace(**dict(zip(columns, words, strict=True)))
            yield Neighbor(columns, other, ruling_of(lattice.matching(other)))
