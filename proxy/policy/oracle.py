"""A second reading of ``policy.csv``, which shares no code with the parser, the lattice or Casbin.

It reads the text line by line and paints: each row covers a box of the whole product of words, and where boxes overlap the
stricter outcome stays on top. Every question of the product is so answered, and the tools hold the others against it.
"""

from __future__ import annotations

from array import array
from math import prod
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_STRICTEST_FIRST: Final = ("conceal", "deny", "escalate", "mask", "permit")
_GROUPED_BY: Final = {"role": "g", "category": "g2", "purpose": "g3", "action": "g4", "standing": "g5", "relation": "g6"}


class Answer(NamedTuple):
    """What the oracle says: outcome, deciding row, what is masked, whether a refusal tells, what an emergency shows."""

    outcome: str
    rule: str
    masked: frozenset[str]
    tell: bool
    exigent: frozenset[str] = frozenset()


NOTHING: Final = Answer("deny", "default", frozenset(), tell=False)


class Oracle:
    """The answers of one policy text to every question that can be put together from ``words``, by column in their order."""

    def __init__(self, text: str, words: Mapping[str, Sequence[str]]) -> None:
        """Read the text, which a strict parser has found to be without mistakes, and paint."""
        self.questions = prod(len(each) for each in words.values())
        self._words = words
        self._strides: dict[str, int] = {}
        stride = self.questions
        for column, each in words.items():
            stride //= len(each)
            self._strides[column] = stride
        lines = [[cell.strip() for cell in line.split(",")] for line in text.splitlines() if not line.lstrip().startswith("#")]
        self._groups = {(line[0], line[2], line[1]) for line in lines if len(line) == 3}
        self._answers: list[tuple[tuple[str, ...], ...]] = [()]
        self._painted = array("I", [0]) * self.questions
        for line in lines:
            if len(line) > 3:
                self._paint(tuple(line))

    def answer(self, facts: Sequence[str]) -> Answer:
        """Answer one question."""
        place = sum(
            stride * self._words[column].index(fact)
            for (column, stride), fact in zip(self._strides.items(), facts, strict=True)
        )
        return self.said(self.at(place))

    def at(self, place: int) -> int:
        """Return which of the answers stands at a place of the product; equal numbers are equal answers."""
        return self._painted[place]

    def said(self, number: int) -> Answer:
        """Return an answer by its number."""
        rows = self._answers[number]
        if not rows:
            return NOTHING
        clauses = [[clause.strip() for clause in row[9].split(";")] for row in rows]
        masked = {word.strip() for each in clauses for clause in each if clause[:4] == "mask" for word in clause[5:].split("+")}
        return Answer(
            rows[0][0],
            min(row[1] for row in rows),
            frozenset(masked),
            all("tell=withheld" in each for each in clauses),
            frozenset.intersection(*map(_shown, clauses)),
        )

    def _paint(self, row: tuple[str, ...]) -> None:
        places = [0]
        for said, (column, stride) in zip(row[2:9], self._strides.items(), strict=True):
            steps = [stride * at for at, word in enumerate(self._words[column]) if self._holds(column, said, word)]
            places = [place + step for place in places for step in steps]
        over: dict[int, int] = {}
        painted = self._painted
        for place in places:
            below = painted[place]
            if below not in over:
                over[below] = self._over(below, row)
            painted[place] = over[below]

    def _over(self, below: int, row: tuple[str, ...]) -> int:
        rows = self._answers[below]
        stricter = _STRICTEST_FIRST.index(row[0]) - (_STRICTEST_FIRST.index(rows[0][0]) if rows else len(_STRICTEST_FIRST))
        if stricter > 0:
            return below
        self._answers.append((row,) if stricter < 0 else (*rows, row))
        return len(self._answers) - 1

    def _holds(self, column: str, said: str, word: str) -> bool:
        return said in {"any", word} or (_GROUPED_BY.get(column), said, word) in self._groups


def _shown(clauses: Sequence[str]) -> frozenset[str]:
    """Return what one row shows in an emergency: nothing, unless it says so."""
    if not any(clause.startswith("exigent=allowed") for clause in clauses):
        return frozenset()
    return frozenset(word.strip() for clause in clauses if clause[:5] == "shows" for word in clause[6:].split("+"))
