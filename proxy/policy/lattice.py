"""Our own reading of the rows, without Casbin: which rows match which facts, over the whole closed lattice.

Every column knows, for each of its words, the set of rows that word satisfies, as the bits of one integer; the rows that
match a question are the AND of seven integers. Rows stand in deciding order, so the lowest bit decides. That is fast
enough for exhaustive tools, and it is the second opinion that every ruling of the engine is held against.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product
from math import prod
from typing import TYPE_CHECKING, Final, TypeAlias

from proxy.audit.owed import joined
from proxy.policy.decision import Facts, Outcome, Ruling, demanded, exigent_in_all
from proxy.policy.vocabulary import ANY, COLUMNS, NONE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence

    from proxy.policy.rows import Row, Sheet
    from proxy.policy.vocabulary import Words

DEFAULT_RULE: Final = "default"
DEFAULT: Final = Ruling(outcome=Outcome.DENY, rule=DEFAULT_RULE, because="no row of the policy allows it")


Kinds: TypeAlias = "Mapping[str, tuple[str, ...]]"
"""Words that nothing tells apart, by the one that stands for them."""


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

    @property
    def size(self) -> int:
        """Return how many questions there are."""
        return prod(len(column) for column in self._bits)

    def matching(self, facts: Facts) -> tuple[Row, ...]:
        """Return every row that matches, the deciding one first; none for words that are not in the vocabulary."""
        return self.at(self.matched(facts))

    def matched(self, facts: Facts) -> int:
        """Return the rows that match, as bits: the same bits are the same ruling."""
        bits = -1
        for column, fact in zip(self._bits, facts, strict=True):
            bits &= column.get(fact, 0)
        return bits

    def at(self, bits: int) -> tuple[Row, ...]:
        """Return the rows of a set of bits, the deciding one first."""
        found = []
        while bits:
            lowest = bits & -bits
            found.append(self.rows[lowest.bit_length() - 1])
            bits ^= lowest
        return tuple(found)

    def words(self, column: str) -> frozenset[str]:
        """Return the words of a column."""
        return frozenset(self._bits[COLUMNS.index(column)])

    def rows_of(self, column: str, word: str) -> int:
        """Return the rows that a word satisfies, as bits; none for one that is not in the vocabulary."""
        return self._bits[COLUMNS.index(column)].get(word, 0)

    def everything(self) -> Iterator[tuple[tuple[str, ...], int]]:
        """Yield every question of the whole product, the words of each column in order, with the rows it matches as bits."""
        columns = [sorted(column.items()) for column in self._bits]
        before, behind = _joined(columns[:4]), _joined(columns[4:])
        for words, bits in before:
            for more, satisfied in behind:
                yield words + more, bits & satisfied

    def classes(self) -> tuple[tuple[str, ...], ...]:
        """Return, column by column, one word of each kind that no row can tell apart."""
        return tuple(tuple({bits: word for word, bits in reversed(column.items())}.values()) for column in self._bits)

    def kinds(self, *sets: Mapping[str, frozenset[str]]) -> tuple[Kinds, ...]:
        """Return, column by column, the kinds of words that neither rows nor sets tell apart."""
        found = []
        for column in COLUMNS:
            said = [words.get(column, frozenset()) for words in sets]
            told_by = {word: (self.rows_of(column, word), *(word in each for each in said)) for word in self.words(column)}
            found.append(kinds(told_by, told_by.__getitem__))
        return tuple(found)

    def cells(self, **fixed: str) -> Iterator[Facts]:
        """Yield one question of each kind that no row can tell apart, ``fixed`` columns held at one word.

        Every question of the full product is decided like exactly one of these.
        """
        columns = [(fixed[name],) if name in fixed else words for name, words in zip(COLUMNS, self.classes(), strict=True)]
        return (Facts(*words) for words in product(*columns))


def kinds(words: Iterable[str], told_by: Callable[[str], Hashable]) -> Kinds:
    """Return one word of each kind that ``told_by`` does not tell apart, the most ordinary, with all that it stands for."""
    found: dict[Hashable, list[str]] = {}
    for word in sorted(words, key=lambda word: (word != NONE, word)):
        found.setdefault(told_by(word), []).append(word)
    return {alike[0]: tuple(alike) for alike in found.values()}


def smallest(cells: Collection[Facts], columns: Sequence[Sequence[str]]) -> Facts:
    """Return what one or more of the cells say with the fewest words, ``any`` standing in each column that does not matter.

    ``columns`` are the words that the cells were taken from. All that the pattern covers is among the cells; of several
    patterns with as few words, the most ordinary one is chosen.
    """
    indexes = range(len(columns))
    for kept in (kept for size in range(len(columns) + 1) for kept in combinations(indexes, size)):
        whole = prod(len(columns[index]) for index in indexes if index not in kept)
        covered = Counter(tuple(cell[index] for index in kept) for cell in cells)
        found = [words for words, count in covered.items() if count == whole]
        if found:
            chosen = min(found, key=_ordinary)
            words = dict(zip(kept, chosen, strict=True))
            return Facts(*(words.get(index, ANY) for index in indexes))
    raise ValueError("no cells")


def _joined(columns: Sequence[Sequence[tuple[str, int]]]) -> list[tuple[tuple[str, ...], int]]:
    """Return the product of some columns: words, and the rows that all of them satisfy."""
    found: list[tuple[tuple[str, ...], int]] = [((), -1)]
    for column in columns:
        found = [((*words, word), bits & satisfied) for words, bits in found for word, satisfied in column]
    return found


def _ordinary(words: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    return -words.count(NONE), words


class Read:
    """Implements ``decision.Policy`` by our own reading alone: for tools, on rows that are not what rules."""

    version = ""

    def __init__(self, sheet: Sheet, words: Words) -> None:
        """Index the rows."""
        self.lattice = Lattice(sheet, words)

    def rule(self, facts: Facts) -> Ruling:
        """Rule on the facts."""
        return ruling_of(self.lattice.matching(facts))


def ruling_of(matching: Sequence[Row]) -> Ruling:
    """Return what the matching rows (the deciding one first) come to.

    Rows of the deciding outcome join their obligations: what one of two mask rows hides is hidden, whichever is named,
    and one that is silent silences the others.
    """
    if not matching:
        return DEFAULT
    return together([row for row in matching if row.outcome is matching[0].outcome])


def together(equals: Sequence[Row] | Sequence[Ruling]) -> Ruling:
    """Return what one or more of the same outcome come to, the deciding one first: nothing that any obliges to is lost."""
    first = equals[0]
    return Ruling(
        outcome=first.outcome,
        rule=first.rule,
        because=first.because,
        masked=frozenset().union(*(each.masked for each in equals)),
        owed=joined(owed for each in equals for owed in each.owed),
        demands=demanded(demand for each in equals for demand in each.demands),
        tell=all(each.tell for each in equals),
        marked=any(each.marked for each in equals),
        exigent=exigent_in_all(each.exigent for each in equals),
    )
