"""Do stock Casbin, our own reading and an independent one say the same? Of every question, not of a sample.

Our reading and the oracle are compared on the whole product of the vocabulary. Casbin takes a third of a millisecond for
each question, so it is asked one of each kind that no row can tell apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.policy.decision import Facts
from proxy.policy.lattice import ruling_of
from proxy.policy.oracle import Answer, Oracle
from proxy.policy.vocabulary import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proxy.policy.decision import Policy, Ruling
    from proxy.policy.lattice import Lattice

SHOWN: Final = 10  # disagreements that are worth reading


class Disagreement(NamedTuple):
    """One question on which a reading (``lattice`` or ``casbin``) and the oracle differ."""

    reading: str
    facts: Facts
    said: Answer
    oracle: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How many questions there are, all compared with the oracle; how many kinds of them Casbin was asked; what differs.

    Of many disagreements the first ones of each reading are kept.
    """

    questions: int
    casbin: int
    disagreements: tuple[Disagreement, ...]


def agreement(text: str, lattice: Lattice, policy: Policy, *, advance: Callable[[int], None] = lambda _: None) -> Agreement:
    """Compare the three readings of a policy's text. ``advance`` is told of questions as they are done."""
    oracle = Oracle(text, {column: sorted(lattice.words(column)) for column in COLUMNS})
    found: list[Disagreement] = []
    for disagreement in _ours(oracle, lattice):
        if len(found) < SHOWN:
            found.append(disagreement)
    advance(oracle.questions)
    casbin = 0
    for facts in lattice.cells():
        said, expected = _answer(policy.rule(facts)), oracle.answer(facts)
        if said != expected and len(found) < 2 * SHOWN:
            found.append(Disagreement("casbin", facts, said, expected))
        casbin += 1
        advance(1)
    return Agreement(questions=oracle.questions, casbin=casbin, disagreements=tuple(found))


def _answer(ruling: Ruling) -> Answer:
    shown = ruling.exigent.shown if ruling.exigent is not None else frozenset()
    return Answer(str(ruling.outcome), ruling.rule, ruling.masked, ruling.tell, shown)


def _ours(oracle: Oracle, lattice: Lattice) -> Iterator[Disagreement]:
    """Walk the whole product; a pair of answers that has been seen once needs no second look."""
    same: dict[tuple[int, int], bool] = {}
    for place, (facts, bits) in enumerate(lattice.everything()):
        pair = bits, oracle.at(place)
        if pair not in same:
            same[pair] = _answer(ruling_of(lattice.at(bits))) == oracle.said(pair[1])
        if not same[pair]:
            asked = Facts(*facts)
            yield Disagreement("lattice", asked, _answer(ruling_of(lattice.matching(asked))), oracle.answer(asked))
