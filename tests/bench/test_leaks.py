"""The leak trace on a small department's month: the bench's own code, with a bound that must hold on every run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.oversight.leak.ranking import Verdict
from tests.bench.leaks.month import Month
from tests.bench.leaks.run import BESIDE, IN, draw, found, report, result, the_200

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.leaks.score import Outcome


@pytest.fixture(scope="module")
def outcomes() -> Sequence[Outcome]:
    """Rank some leaks of each class in a department of 150."""
    return draw(77, months=1, share=5, officers=150, people=20_000)


def test_the_leaker_is_among_the_first_three(outcomes: Sequence[Outcome]) -> None:
    """Of 40 leaks in which the log can tell, at least 36, and more firsts than by other ways where more than three looked."""
    inside = the_200(outcomes)
    hard = [each for each in inside if each.candidates > 3]

    assert len(inside) == 40
    assert found(inside) >= 0.9
    assert all(found(hard, most=1) > found(hard, way, most=1) for way in ("last viewer", "most views", "saw all"))


def test_nobody_is_named_where_everybody_was_briefed(outcomes: Sequence[Outcome]) -> None:
    """A crowd looked, one leaked: the trace says that it cannot tell, every time."""
    briefed = [each for each in outcomes if each.kind == "everybody was briefed"]

    assert {each.verdict for each in briefed} == {Verdict.CANNOT_TELL}


def test_a_colleague_s_session_leads_to_the_entry(outcomes: Sequence[Outcome]) -> None:
    """The log never saw who sat there; the entry by which it was asked is among those shown first."""
    asked = [each for each in outcomes if each.kind == "colleague's session"]

    assert sum(each.entry for each in asked) / len(asked) >= 0.75


def test_every_class_is_reported(outcomes: Sequence[Outcome]) -> None:
    """Also those in which nothing can be told."""
    printed = report(result(outcomes), 77, 0.0)

    assert all(f"\n{kind} " in printed for kind in (*IN, *BESIDE))


def test_a_month_is_the_same_from_the_same_seed() -> None:
    """Whoever repeats the bench gets the figures that were printed."""
    one, other = (Month(5, officers=40, people=2_000) for _ in range(2))

    assert [one.sight(one.row(place)) for place in range(200)] == [other.sight(other.row(place)) for place in range(200)]
