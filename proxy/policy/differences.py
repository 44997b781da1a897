"""What a change of policy changes: every question whose ruling would be another, over the words of both policies.

Exhaustive, since the lattice of facts is small and closed. Words that no row of either policy tells apart are asked about
once and counted in full. A word that one of the policies does not have is denied by it, as in a query.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from proxy.policy.decision import Facts, Outcome, Ruling
from proxy.policy.lattice import kinds, ruling_of, smallest
from proxy.policy.strictness import loosenings
from proxy.policy.vocabulary import ANY, COLUMNS, NONE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proxy.policy.lattice import Kinds, Lattice


class Change(NamedTuple):
    """One question that two policies rule on differently; it stands for ``questions`` that neither tells apart."""

    facts: Facts
    before: Ruling
    after: Ruling
    loosens: bool
    questions: int = 1


class Kind(NamedTuple):
    """What changes of one kind have in common. ``loosenings`` are the aspects that become looser (``strictness.ASPECTS``)."""

    before: Outcome
    after: Outcome
    rule_before: str
    rule_after: str
    loosenings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """All changes of one kind: how many questions, one of them, and the fewest words that say which.

    ``smallest`` says ``any`` in each column whose word does not matter to it; ``concerns`` are all the words, column by column,
    that some of the questions hold.
    """

    kind: Kind
    count: int
    example: Change
    smallest: Facts
    concerns: tuple[frozenset[str], ...]

    @property
    def loosens(self) -> bool:
        """Tell whether these changes make the policy looser."""
        return bool(self.kind.loosenings)


def compare(facts: Facts, before: Ruling, after: Ruling) -> Change | None:
    """Return the change from one ruling to another, or None where they differ in nothing but the words of the reason."""
    if replace(before, because=after.because) == after:
        return None
    return Change(facts, before, after, bool(loosenings(before, after)))


def joint_kinds(before: Lattice, after: Lattice) -> tuple[Kinds, ...]:
    """Return, column by column, the kinds of words that neither policy tells apart."""
    found = []
    for column in COLUMNS:
        words = before.words(column) | after.words(column)
        told_by = {word: (before.rows_of(column, word), after.rows_of(column, word)) for word in words}
        found.append(kinds(told_by, told_by.__getitem__))
    return tuple(found)


def joint_size(before: Lattice, after: Lattice) -> int:
    """Return how many questions the words of both policies make."""
    return prod(len(before.words(column) | after.words(column)) for column in COLUMNS)


def changes(before: Lattice, after: Lattice) -> Iterator[Change]:
    """Yield every question of the joint lattice whose ruling changes, one for all that neither policy tells apart."""
    columns = joint_kinds(before, after)
    for words in product(*columns):
        facts = Facts(*words)
        change = compare(facts, ruling_of(before.matching(facts)), ruling_of(after.matching(facts)))
        if change is not None:
            yield change._replace(questions=prod(len(alike[word]) for alike, word in zip(columns, words, strict=True)))


def differences(before: Lattice, after: Lattice) -> tuple[Difference, ...]:
    """Return the changes by kind: what loosens comes first, then by outcome and row."""
    columns = joint_kinds(before, after)
    by_kind: dict[Kind, list[Change]] = {}
    for change in changes(before, after):
        by_kind.setdefault(kind_of(change), []).append(change)
    found = (_difference(kind, of_kind, columns) for kind, of_kind in by_kind.items())
    return tuple(sorted(found, key=lambda each: (not each.loosens, -each.kind.after.severity, *each.kind)))


def kind_of(change: Change) -> Kind:
    """Return what kind of change it is."""
    before, after = change.before, change.after
    return Kind(before.outcome, after.outcome, before.rule, after.rule, loosenings(before, after))


def _difference(kind: Kind, of_kind: list[Change], columns: tuple[Kinds, ...]) -> Difference:
    fewest = smallest([change.facts for change in of_kind], [tuple(alike) for alike in columns])
    met = [{change.facts[index] for change in of_kind} for index in range(len(COLUMNS))]
    concerns = tuple(
        frozenset(word for said in words for word in alike[said]) for alike, words in zip(columns, met, strict=True)
    )
    return Difference(
        kind=kind,
        count=sum(change.questions for change in of_kind),
        example=_within(of_kind, fewest),
        smallest=fewest,
        concerns=concerns,
    )


def _within(of_kind: Iterable[Change], fewest: Facts) -> Change:
    """Return the most ordinary of the changes that the pattern covers."""
    covered = (
        change for change in of_kind if all(said in {ANY, fact} for said, fact in zip(fewest, change.facts, strict=True))
    )
    return min(covered, key=lambda change: (-change.facts.count(NONE), change.facts))
