"""Our own reading of the rows, without Casbin: which rows match which facts, over the whole closed lattice.

Every column knows, for each of its words, the set of rows that word satisfies, as the bits of one integer; the rows that
match a question are the AND of seven integers. Rows stand in deciding order, so the lowest bit decides. That is fast
enough for exhaustive tools, and it is the second opinion that every ruling of the engine is held against.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

from proxy.audit.owed import joined
from proxy.policy.decision import Facts, Outcome, Ruling, demanded
from proxy.policy.vocabulary import ANY, COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from proxy.policy.rows import Row, Sheet
    from proxy.policy.vocabulary import Words

DEFAULT_RULE: Final = "default"
DEFAULT: Final = Ruling(outcome=Outcome.DENY, rule=DEFAULT_RULE, because="no row of the policy allows it")


class Lattice:
    """The rows of one sheet over the words of one vocabulary; immutable."""

    def __init__(self, sheet: Sheet, words: Words) -> None:
        """Index the rows by word."""
        self.rows = sheet.rows
        members = sheet.members()
        self._bits: tuple[dict[str, int], ...] = tuple(
            {
                word: sum(
                    1 << position
                    for position, row in enumerate(sheet.rows)
                    if row.conditions[index] in (ANY, word) or word in members.get((column, row.conditions[index]), ())
                )
                for word in sorted(words.words[column])
            }
            for index, column in enumerate(COLUMNS)
        )

    def matching(self, facts: Facts) -> tuple[Row, ...]:
        """Return every row that matches, the deciding one first; none for words that are not in the vocabulary."""
        bits = -1
        for column, fact in zip(self._bits, facts, strict=True):
            bits &= column.get(fact, 0)
        found = []
        while bits:
            lowest = bits & -bits
            found.append(self.rows[lowest.bit_length() - 1])
            bits ^= lowest
        return tuple(found)

    def classes(self) -> tuple[tuple[str, ...], ...]:
        """Return, column by column, one word of each kind that no row can tell apart."""
        return tuple(tuple({bits: word for word, bits in reversed(column.items())}.values()) for column in self._bits)

    def cells(self, **fixed: str) -> Iterator[Facts]:
        """Yield one question of each kind that no row can tell apart, ``fixed`` columns held at one word.

        Every question of the full product is decided like exactly one of these.
        """
        columns = [(fixed[name],) if name in fixed else words for name, words in zip(COLUMNS, self.classes(), strict=True)]
        return (Facts(*words) for words in product(*columns))


def ruling_of(matching: Sequence[Row]) -> Ruling:
    """Return what the matching rows (the deciding one first) come to.

    Rows of the deciding outcome join their obligations: what one of two mask rows hides is hidden, whichever is named,
    and one that is silent silences the others.
    """
    if not matching:
        return DEFAULT
    first = matching[0]
    equals = [row for row in matching if row.outcome is first.outcome]
    return Ruling(
        outcome=first.outcome,
        rule=first.rule,
        because=first.because,
        masked=frozenset().union(*(row.masked for row in equals)),
        owed=joined(owed for row in equals for owed in row.owed),
        demands=demanded(demand for row in equals for demand in row.demands),
        tell=all(row.tell for row in equals),
    )
