from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from proxy.audit.entry import Entry
from proxy.audit.owed import Duty, Owed
from proxy.policy.backtest import Backtest
from proxy.policy.decision import Facts, Outcome, Ruling
from proxy.policy.lattice import Lattice, ruling_of
from proxy.policy.shadow import Difference, Shadow, Tally, difference
from proxy.registry.protection import Protection, Recognition

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.policy.rows import Sheet
    from proxy.policy.vocabulary import Words

LIVE = """
permit, A01, patrol, person.read, C, none, assigned, none, none, none, ordinary
mask, M01, patrol, person.read, C, official, assigned, none, granted, mask=ssn, an official with approval
escalate, E01, patrol, person.read, C, official, assigned, none, none, none, an official
deny, D01, any, any, any, any, any, household, any, none, own people
"""
NEXT = LIVE.replace("escalate, E01", "deny, E01").replace("mask=ssn", "mask=ssn+photo").replace("permit, A01", "deny, A01")
PATROL = Facts("patrol", "person.read", "C", "none", "assigned", "none", "none")
OFFICIAL = Recognition(protections=(Protection(entry="p1", category="official", basis=""),))
NOBODY = Recognition()


@pytest.fixture
def shadow(read: Callable[[str], Sheet], small: Words) -> Callable[[str], Shadow]:
    """Return a maker of shadows from policy text in the small vocabulary."""
    return lambda text: Shadow(Lattice(read(text), small), "next")


def ruled_on(lattice: Lattice, facts: Facts) -> Ruling:
    """Return what rows come to."""
    return ruling_of(lattice.matching(facts))


def entry(index: int, kind: str, about: str, **facts: Any) -> Entry:
    """Return an entry as the log holds it, its sealed part closed."""
    return Entry(
        index=index, kind=kind, at="2026-11-27T12:00:00.00Z", about=about, epoch="e", facts=facts, parties={}, body_hash=""
    )


def decided(index: int, facts: Facts, outcome: str, rule: str, **more: Any) -> Entry:
    """Return the entry of a ruling on a query."""
    return entry(
        index, "decided", f"q{index}", **{**facts._asdict(), "outcome": outcome, "rule": rule, "forward": True, **more}
    )


def test_a_candidate_that_rules_the_same_is_no_difference(shadow: Callable[[str], Shadow]) -> None:
    """The same rows, or other words for the same, are nothing to tell."""
    same = shadow(LIVE)

    assert difference(same, PATROL, NOBODY, ruled_on(same.lattice, PATROL)) is None


def test_a_difference_names_both_outcomes_and_the_candidate_s_row(shadow: Callable[[str], Shadow]) -> None:
    """What would have been denied, by which row."""
    live = ruled_on(shadow(LIVE).lattice, PATROL)

    assert difference(shadow(NEXT), PATROL, NOBODY, live) == Difference("permit", "deny", "A01")


def test_what_differs_in_obligations_alone_is_a_difference(shadow: Callable[[str], Shadow]) -> None:
    """A review more, a person less who is told: the outcome is the same, and what is done about it is not."""
    live = ruled_on(shadow(LIVE).lattice, PATROL)
    reviewed = replace(live, owed=(Owed(duty=Duty.REVIEW, role="auditor"),), marked=True)

    found = difference(shadow(LIVE), PATROL, NOBODY, reviewed)

    assert found == Difference("permit", "permit", "A01", ("owed", "marked"))
    assert found.as_json() == {"from": "permit", "to": "permit", "row": "A01", "differs": ("owed", "marked")}


def test_a_word_that_the_candidate_does_not_have_is_denied_by_it(shadow: Callable[[str], Shadow]) -> None:
    """As it would be once it ruled."""
    ruling = Ruling(outcome=Outcome.PERMIT, rule="A01", because="")

    assert difference(shadow(NEXT), PATROL._replace(role="pilot"), NOBODY, ruling) == Difference("permit", "deny", "default")


def test_a_candidate_that_breaks_is_told_as_such_and_troubles_nobody(shadow: Callable[[str], Shadow]) -> None:
    """Its errors are differences, too."""
    broken = shadow(NEXT)
    del broken.lattice

    assert difference(broken, PATROL, NOBODY, Ruling(outcome=Outcome.PERMIT, rule="A01", because="")) == Difference(
        "permit", "error", ""
    )


def test_the_records_of_a_reply_are_counted_by_kind(shadow: Callable[[str], Shadow]) -> None:
    """Thousands of records are a few lines of an entry, with whatever it takes to rule on them again."""
    live, tally = shadow(LIVE).lattice, Tally(shadow(NEXT))
    for _ in range(3):
        tally.add(PATROL, NOBODY, ruled_on(live, PATROL))
    official = PATROL._replace(category="official")
    tally.add(official, OFFICIAL, ruled_on(live, official))

    assert tally.facts() == {
        "ruled": [
            {"outcome": "permit", "rule": "A01", "count": 3},
            {"outcome": "escalate", "rule": "E01", "count": 1, "categories": ("official",)},
        ],
        "shadow": {
            "policy": "next",
            "differences": [
                {"from": "permit", "to": "deny", "row": "A01", "count": 3},
                {"from": "escalate", "to": "deny", "row": "E01", "count": 1},
            ],
        },
    }


def test_a_backtest_rules_again_on_queries_and_records(shadow: Callable[[str], Shadow]) -> None:
    """By kind, with the entries to look at; queries and records apart, and what stayed as it was is not told."""
    test = Backtest(shadow(NEXT))
    test.see(decided(0, PATROL, "permit", "A01"))
    test.see(entry(1, "disclosed", "q0", ruled=[{"outcome": "permit", "rule": "A01", "count": 4}]))
    test.see(decided(2, PATROL._replace(relation="household"), "deny", "D01"))
    test.see(decided(3, PATROL._replace(category="official"), "escalate", "E01"))

    told = [(kind.what, kind.before, kind.after, found.count, found.entries) for kind, found in test.changes()]
    assert sorted(told) == [
        ("query", "escalate", "deny", 1, [3]),
        ("query", "permit", "deny", 1, [0]),
        ("record", "permit", "deny", 4, [1]),
    ]
    assert (test.queries, test.records, test.silent) == (3, 4, 0)
    assert not any(kind.looser for kind, _ in test.changes())


def test_a_backtest_tells_what_loosens_first_and_for_whom(shadow: Callable[[str], Shadow]) -> None:
    """Role, code and action; nobody's name is in an entry's open part."""
    test = Backtest(shadow(LIVE))
    test.see(decided(0, PATROL._replace(category="official", approval="granted"), "mask", "M01", masked=["photo", "ssn"]))
    test.see(decided(1, PATROL, "conceal", "H01"))

    kinds = [(kind.before, kind.after, kind.looser) for kind, _ in test.changes()]
    assert kinds == [("conceal", "permit", True), ("mask", "mask", True)]
    assert dict(test.changes()[0][1].roles) == {"patrol": 1}
    assert dict(test.changes()[0][1].purposes) == {"C": 1}
    assert dict(test.changes()[0][1].actions) == {"person.read": 1}


def test_a_backtest_rules_on_everybody_concerned_and_not_only_on_the_pairing_that_decided(
    shadow: Callable[[str], Shadow],
) -> None:
    """An ordinary person's row decided nothing here, and under the candidate another of those concerned would."""
    test = Backtest(shadow(LIVE))
    several = decided(
        0, PATROL._replace(category="official"), "escalate", "E01", categories=["official"], relations=["household", "none"]
    )
    test.see(several)

    [(kind, _)] = test.changes()
    assert (kind.after, kind.rule_after) == ("deny", "D01")


def test_what_an_emergency_opened_is_ruled_on_as_the_row_that_wanted_a_supervisor(shadow: Callable[[str], Shadow]) -> None:
    """Its mask was the emergency's: a candidate whose row wants a supervisor as well changes nothing."""
    facts = PATROL._replace(category="official")
    for rows, changed in ((LIVE, []), (NEXT, [("escalate", "deny")])):
        test = Backtest(shadow(rows))
        test.see(decided(0, facts, "mask", "E01", masked=["photo", "ssn"], break_glass=True))

        assert [(kind.before, kind.after) for kind, _ in test.changes()] == changed


def test_entries_that_say_too_little_are_counted(shadow: Callable[[str], Shadow]) -> None:
    """Of an older version's replies only the query's ruling can be made again, and a ruling that no row made cannot at all."""
    test = Backtest(shadow(NEXT))
    test.see(decided(0, PATROL._replace(relation="household"), "deny", "D01"))
    test.see(entry(1, "disclosed", "q0", records=3))
    test.see(decided(2, PATROL, "deny", "error", forward=False))

    assert test.silent == 2
    assert not test.found
