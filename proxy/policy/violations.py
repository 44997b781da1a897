"""Every question held against the invariants, and the smallest one that goes against a statement."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from proxy.policy.decision import OPEN, Facts
from proxy.policy.exigent import opened
from proxy.policy.invariants import Monotone, Never
from proxy.policy.lattice import ruling_of, smallest
from proxy.policy.strictness import loosens, opens
from proxy.policy.vocabulary import ANY, COLUMNS, GRANTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from proxy.policy.decision import Ruling
    from proxy.policy.invariants import Invariant
    from proxy.policy.lattice import Kinds, Lattice
    from proxy.policy.rows import Row


class Found(NamedTuple):
    """One question that violates an invariant; ``earlier`` is the one it is compared with, in a monotone one."""

    facts: Facts
    ruling: Ruling
    questions: int
    earlier: Facts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A violated invariant: how many questions, one of them, and the fewest words that say which."""

    invariant: Invariant
    questions: int
    example: Found
    smallest: Facts
    earlier: Ruling | None
    deciding: Row | None


def violations(invariants: Sequence[Invariant], lattice: Lattice) -> tuple[Violation, ...]:
    """Ask every question that an invariant is about, and return those that are violated."""
    return tuple(violation for invariant in invariants for violation in [_violation(invariant, lattice)] if violation)


def _violation(invariant: Invariant, lattice: Lattice) -> Violation | None:
    match invariant.form:
        case Never() as never:
            columns = lattice.kinds(never.when, never.unless)
            found = list(_never_violated(never, lattice, columns))
        case Monotone() as monotone:
            steps = [{monotone.along: step} for step in monotone.order]
            columns = lattice.kinds(monotone.when, *steps)
            found = list(_monotone_violated(monotone, lattice, columns))
    if not found:
        return None
    fewest, example = _smallest(found, columns)
    matching = lattice.matching(example.facts)
    return Violation(
        invariant=invariant,
        questions=sum({each.facts: each.questions for each in found}.values()),
        example=example,
        smallest=fewest,
        earlier=None if example.earlier is None else ruling_of(lattice.matching(example.earlier)),
        deciding=matching[0] if matching else None,
    )


def _never_violated(never: Never, lattice: Lattice, columns: Sequence[Kinds]) -> Iterator[Found]:
    for facts, questions in _questions(columns, never.when):
        if never.unless and _within(facts, never.unless):
            continue
        ruling = ruling_of(lattice.matching(facts))
        approved = ruling if ruling.exigent is None else ruling_of(lattice.matching(facts._replace(approval=GRANTED)))
        if ruling.outcome in never.outcomes or _shows(never, ruling, approved) or _breaks(never, ruling, approved):
            yield Found(facts, ruling, questions)


def _shows(never: Never, ruling: Ruling, approved: Ruling) -> bool:
    in_emergency = not never.shows.isdisjoint(opened(ruling, approved))
    return in_emergency or (ruling.outcome in OPEN and not never.shows <= ruling.masked)


def _breaks(never: Never, ruling: Ruling, approved: Ruling) -> bool:
    """Tell whether an emergency opens what it must not."""
    if not never.exigent or ruling.exigent is None:
        return False
    return never.exigent == "allowed" or approved.outcome not in OPEN


def _monotone_violated(monotone: Monotone, lattice: Lattice, columns: Sequence[Kinds]) -> Iterator[Found]:
    looser = loosens if monotone.whole else opens
    stands = columns[COLUMNS.index(monotone.along)]
    pairs = [
        (early, late)
        for earlier, later in combinations(monotone.order, 2)
        for early, late in product(sorted(earlier & stands.keys()), sorted(later & stands.keys()))
    ]
    for early, late in pairs:
        for facts, questions in _questions(columns, {**monotone.when, monotone.along: frozenset({late})}):
            before = facts._replace(**{monotone.along: early})
            one, other = ruling_of(lattice.matching(before)), ruling_of(lattice.matching(facts))
            if one.outcome in monotone.of and (looser(other, one) if monotone.stricter else looser(one, other)):
                yield Found(facts, other, questions, before)


def _questions(columns: Sequence[Kinds], when: Mapping[str, frozenset[str]]) -> Iterator[tuple[Facts, int]]:
    chosen = [
        {word: alike for word, alike in kinds.items() if column not in when or word in when[column]}
        for column, kinds in zip(COLUMNS, columns, strict=True)
    ]
    for words in product(*chosen):
        yield Facts(*words), prod(len(kinds[word]) for kinds, word in zip(chosen, words, strict=True))


def _within(facts: Facts, where: Mapping[str, frozenset[str]]) -> bool:
    said = facts._asdict()
    return all(said[column] in words for column, words in where.items())


def _smallest(found: Sequence[Found], columns: Sequence[Kinds]) -> tuple[Facts, Found]:
    """Return the fewest words that say which questions violate, and the first of those that they cover.

    What a question is compared with is part of it: only those that are compared with the same step are put together.
    """
    by_step: dict[tuple[tuple[str, str], ...], list[Found]] = {}
    for each in found:
        pairs = zip(each.earlier or each.facts, each.facts, strict=True)
        by_step.setdefault(tuple(pair for pair in pairs if pair[0] != pair[1]), []).append(each)
    patterns = [
        (smallest([each.facts for each in alike], [tuple(kinds) for kinds in columns]), alike) for alike in by_step.values()
    ]
    fewest, alike = min(patterns, key=lambda pattern: (-pattern[0].count(ANY), pattern[0]))
    covered = (each for each in alike if all(said in {ANY, fact} for said, fact in zip(fewest, each.facts, strict=True)))
    return fewest, min(covered, key=lambda each: each.facts)
