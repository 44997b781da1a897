"""What is not wrong, but what an author should know: exhaustive, since the lattice of facts is small and closed.

* a row that never decides and obliges to nothing that others do not is dead;
* a line whose loss would open access is one careless deletion away from a leak (a broad permit behind a deny);
* an action that no row answers makes its route useless; a group that no row names is noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from proxy.policy.decision import OPEN, Facts, Outcome, Ruling
from proxy.policy.lattice import Lattice, ruling_of
from proxy.policy.rows import Grouping, Row, Sheet
from proxy.policy.strictness import opens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from proxy.policy.vocabulary import Words


class Loss(NamedTuple):
    """A line whose loss opens access, with one question that shows it."""

    line: Row | Grouping
    facts: Facts
    before: Ruling
    after: Ruling


def dead_rows(lattice: Lattice) -> tuple[Row, ...]:
    """Return the rows that decide nothing and oblige to nothing that others of their outcome do not, anywhere."""
    alive: set[str] = set()
    for bits in {lattice.matched(facts) for facts in lattice.cells()}:
        matching = lattice.at(bits)
        if matching:
            alive.add(matching[0].rule)
            equals = [row for row in matching if row.outcome is matching[0].outcome]
            joined = _obliged(equals)
            alive.update(
                row.rule
                for row in equals
                if row.rule not in alive and _obliged([other for other in equals if other is not row]) != joined
            )
    return tuple(row for row in lattice.rows if row.rule not in alive)


def _obliged(rows: Sequence[Row]) -> tuple[object, ...]:
    ruling = ruling_of(rows)
    return ruling.masked, ruling.owed, ruling.demands


def losses(sheet: Sheet, words: Words) -> tuple[Loss, ...]:
    """Return every row and grouping whose loss alone opens access, each with one example."""
    lattice = Lattice(sheet, words)
    return (*_row_losses(lattice), *_grouping_losses(sheet, words, lattice))


def _row_losses(lattice: Lattice) -> Iterator[Loss]:
    found: set[str] = set()
    for bits, facts in _examples(lattice).items():
        matching = lattice.at(bits)
        before = ruling_of(matching)
        for row in matching:
            if row.rule in found or row.outcome is not before.outcome:
                continue
            after = ruling_of([other for other in matching if other is not row])
            if opens(before, after):
                found.add(row.rule)
                yield Loss(row, facts, before, after)


def _examples(lattice: Lattice) -> dict[int, Facts]:
    """Return each set of rows that some question matches, with the first such question."""
    found: dict[int, Facts] = {}
    for facts in lattice.cells():
        found.setdefault(lattice.matched(facts), facts)
    return found


def _grouping_losses(sheet: Sheet, words: Words, lattice: Lattice) -> Iterator[Loss]:
    for grouping in sheet.groupings:
        rest = tuple(other for other in sheet.groupings if other is not grouping)
        without = Lattice(Sheet(rows=sheet.rows, groupings=rest), words)
        seen: set[tuple[int, int]] = set()
        for facts in lattice.cells(**{grouping.column: grouping.member}):
            pair = lattice.matched(facts), without.matched(facts)
            if pair in seen:
                continue
            seen.add(pair)
            before, after = (ruling_of(lattice.at(bits)) for bits in pair)
            if opens(before, after):
                yield Loss(grouping, facts, before, after)
                break


def unanswered(lattice: Lattice, actions: frozenset[str], **fixed: str) -> tuple[str, ...]:
    """Return the actions that no row ever answers or escalates, ``fixed`` facts held at one word."""
    useful = OPEN | {Outcome.ESCALATE}
    return tuple(
        action
        for action in sorted(actions)
        if not any(
            ruling_of(lattice.at(bits)).outcome in useful
            for bits in {lattice.matched(facts) for facts in lattice.cells(action=action, **fixed)}
        )
    )


def idle_groupings(sheet: Sheet) -> tuple[Grouping, ...]:
    """Return the groupings whose group no row names."""
    named = {(column, said) for row in sheet.rows for column, said in zip(Facts._fields, row.conditions, strict=True)}
    return tuple(grouping for grouping in sheet.groupings if (grouping.column, grouping.group) not in named)
