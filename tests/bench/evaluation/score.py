"""What an answer is worth: found, missed, or a needless recognition; and what of the missed nobody could have found."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.bench.evaluation.questions import Fold, Query


class Outcome(StrEnum):
    """What became of one query."""

    FOUND = "found"
    MISSED = "missed"
    MISTAKEN = "mistaken"
    """Somebody was meant, and only others were recognized: missed, and needless as well."""
    NEEDLESS = "needless"
    PASSED = "passed"


LOST: Final = frozenset({Outcome.MISSED, Outcome.MISTAKEN})
WRONG: Final = frozenset({Outcome.MISTAKEN, Outcome.NEEDLESS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Whom a system recognized for each query of a road, and the microseconds of each (or of their mean)."""

    recognized: Sequence[frozenset[str]]
    microseconds: Sequence[float]


def outcome(query: Query, recognized: frozenset[str]) -> Outcome:
    """Judge one answer."""
    if query.truth in recognized:
        return Outcome.FOUND
    if query.truth:
        return Outcome.MISTAKEN if recognized else Outcome.MISSED
    return Outcome.NEEDLESS if recognized else Outcome.PASSED


def hopeless(query: Query, enrolled: Mapping[str, str]) -> bool:
    """Tell whether no field that is given is as it was enrolled, or nothing is given: most of these nobody can find."""
    return not any(value.casefold() == enrolled.get(name, "").casefold() for name, value in query.fields.items())


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts over the folds of a road. ``beside``: found, and somebody else recognized too."""

    meant: int = 0
    found: int = 0
    hopeless: int = 0
    ordinary: int = 0
    needless: int = 0
    beside: int = 0
    microseconds: list[float] = field(default_factory=list)

    def add(self, fold: Fold, road: str, answer: Answer) -> None:
        """Count one fold's answers."""
        for query, recognized in zip(fold.queries[road], answer.recognized, strict=True):
            result = outcome(query, recognized)
            self.meant += bool(query.truth)
            self.ordinary += not query.truth
            self.found += result is Outcome.FOUND
            self.needless += result in WRONG
            self.beside += result is Outcome.FOUND and len(recognized) > 1
            self.hopeless += result in LOST and hopeless(query, fold.enrolled[query.truth])
        self.microseconds += answer.microseconds

    @property
    def recall(self) -> float | None:
        """Return the percentage found of those who were meant."""
        return 100 * self.found / self.meant if self.meant else None

    @property
    def per_thousand(self) -> float | None:
        """Return needless recognitions, wrong persons among them, per 1,000 ordinary queries."""
        return 1000 * self.needless / self.ordinary if self.ordinary else None

    def quantile(self, part: float) -> float | None:
        """Return a quantile of the microseconds a query takes."""
        ordered = sorted(self.microseconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else None


def mistakes(fold: Fold, road: str, answer: Answer) -> Iterable[dict[str, object]]:
    """Yield what went wrong on a road, with everything needed to see why."""
    for query, recognized in zip(fold.queries[road], answer.recognized, strict=True):
        result = outcome(query, recognized)
        if result in LOST | WRONG or (result is Outcome.FOUND and len(recognized) > 1):
            yield {
                "road": road,
                "outcome": result if result in LOST | WRONG else "beside",
                "query": dict(query.fields),
                "meant": dict(fold.enrolled.get(query.truth, {})),
                "recognized": {key: dict(fold.enrolled[key]) for key in sorted(recognized - {query.truth})},
            }
