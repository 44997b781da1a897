from __future__ import annotations

from dataclasses import fields, replace
from itertools import product
from math import prod
from typing import TYPE_CHECKING

import pytest

from proxy.audit.owed import Duty, Owed
from proxy.policy.decision import Demand, Facts, Outcome, Ruling
from proxy.policy.differences import changes, differences
from proxy.policy.lattice import DEFAULT_RULE, Lattice, ruling_of, smallest
from proxy.policy.rows import make_sheet
from proxy.policy.strictness import ASPECTS, NAMES, loosenings, loosens, opens
from proxy.policy.vocabulary import COLUMNS, Words

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.policy.rows import Sheet

POLICY = """
g2, informant, protected
g2, official, protected
conceal, H1, any, any, any, informant, any, any, any, notify=records, not there
deny, D1, any, any, any, any, any, self, any, none, not oneself
escalate, E1, patrol, person.read, C, protected, assigned, none, none, none, ask first
mask, M1, patrol, person.read, C, official, assigned, none, granted, mask=ssn+photo, approved
permit, P1, patrol, person.read, C, none, assigned, none, none, none, ordinary work
"""


def _ruling(outcome: str, *masked: str, notify: tuple[str, ...] = (), tell: bool = False) -> Ruling:
    owed = tuple(Owed(duty=Duty.NOTICE, role=role) for role in notify)
    return Ruling(outcome=Outcome(outcome), rule="X", because="some reason", masked=frozenset(masked), owed=owed, tell=tell)


def _owing(within: int | None, duty: Duty = Duty.NOTICE) -> Ruling:
    owed = (Owed(duty=duty, role="supervisor", within=within),)
    return Ruling(outcome=Outcome.PERMIT, rule="X", because="some reason", owed=owed)


def _demanding(*demands: tuple[int, str]) -> Ruling:
    wanted = tuple(Demand(quorum=quorum, roles=frozenset(roles.split("+"))) for quorum, roles in demands)
    return Ruling(outcome=Outcome.ESCALATE, rule="X", because="some reason", demands=wanted)


def test_every_field_of_a_ruling_is_an_aspect_of_strictness_or_a_name() -> None:
    """An obligation that rulings gain cannot be forgotten: it makes a change looser, or is said to be a name."""
    assert {field.name for field in fields(Ruling)} == ASPECTS.keys() | NAMES


@pytest.mark.parametrize(
    ("before", "after", "looser"),
    [
        (_ruling("deny"), _ruling("permit"), ("outcome",)),
        (_ruling("conceal"), _ruling("deny"), ("outcome",)),
        (_ruling("deny"), _ruling("conceal"), ()),
        (_ruling("permit"), _ruling("mask", "ssn"), ()),
        (_ruling("mask", "ssn"), _ruling("permit"), ("outcome", "masked")),
        (_ruling("mask", "ssn", "photo"), _ruling("mask", "ssn"), ("masked",)),
        (_ruling("mask", "ssn"), _ruling("mask", "photo"), ("masked",)),
        (_ruling("mask", "ssn"), _ruling("mask", "ssn", "photo"), ()),
        (_ruling("conceal", notify=("supervisor",)), _ruling("conceal"), ("owed",)),
        (_ruling("conceal"), _ruling("conceal", notify=("supervisor",)), ()),
        (_ruling("deny", notify=("supervisor",)), _ruling("conceal"), ("owed",)),
        (_ruling("permit", notify=("supervisor",)), _ruling("mask", "ssn"), ("owed",)),
        (_ruling("permit", notify=("supervisor",)), _ruling("deny", tell=True), ()),
        (_owing(900), _owing(3600), ("owed",)),
        (_owing(900), _owing(None), ("owed",)),
        (_owing(3600), _owing(900), ()),
        (_owing(900, Duty.REVIEW), _owing(900), ("owed",)),
        (_demanding((2, "supervisor")), _demanding((1, "supervisor")), ("demands",)),
        (_demanding((1, "supervisor")), _demanding((2, "supervisor")), ()),
        (_demanding((1, "supervisor")), _demanding((1, "supervisor+records")), ("demands",)),
        (_demanding((1, "supervisor+records")), _demanding((1, "records")), ()),
        (_demanding((1, "supervisor"), (1, "records")), _demanding((2, "supervisor")), ("demands",)),
        (_demanding((2, "supervisor")), _ruling("deny"), ()),
        (_ruling("mask", "ssn"), _ruling("deny"), ()),
        (_ruling("deny"), _ruling("deny", tell=True), ("tell",)),
        (_ruling("escalate"), _ruling("deny", tell=True), ("tell",)),
        (_ruling("deny", tell=True), _ruling("deny"), ()),
    ],
    ids=lambda value: str(value) if isinstance(value, tuple) else f"{value.outcome}-{len(value.masked)}",
)
def test_what_is_looser(before: Ruling, after: Ruling, looser: tuple[str, ...]) -> None:
    """Looser is what answers more, shows more, tells more, or is known to fewer."""
    assert loosenings(before, after) == looser
    assert loosens(before, after) is bool(looser)


def test_looser_is_an_order() -> None:
    """No ruling is looser than itself, and no two outcomes are each looser than the other."""
    each = [
        _ruling(outcome, *masked, notify=notify, tell=tell)
        for outcome, masked, notify, tell in product(Outcome, ((), ("ssn",)), ((), ("records",)), (False, True))
    ]
    for one, other in product(each, each):
        assert one is not other or not loosens(one, other)
        assert not ("outcome" in loosenings(one, other) and "outcome" in loosenings(other, one))
        assert not opens(one, other) or loosens(one, other)


def test_a_policy_differs_from_itself_in_nothing(read: Callable[[str], Sheet], small: Words) -> None:
    """Neither the order of lines nor the words of a reason are a change."""
    one = Lattice(read(POLICY), small)
    lines = POLICY.strip().replace("not oneself", "about oneself somebody else asks").split("\n")
    other = Lattice(read("\n".join(reversed(lines)) + "\n"), small)

    assert list(changes(one, other)) == []
    assert differences(one, other) == ()


def test_a_change_is_told_with_rows_count_and_fewest_words(read: Callable[[str], Sheet], small: Words) -> None:
    """A lost deny and a mask that shows more are two kinds, the loosening first, each with its smallest example."""
    before = Lattice(read(POLICY), small)
    text = POLICY.replace("mask=ssn+photo", "mask=ssn+photo+financial")
    text = text.replace(
        "deny, D1, any, any, any, any, any, self, any", "permit, P2, patrol, person.read, C, none, assigned, self, none"
    )
    after = Lattice(read(text), small)

    found = differences(before, after)

    assert [
        (each.kind.before, each.kind.after, each.kind.rule_before, each.kind.rule_after, each.loosens) for each in found
    ] == [
        ("deny", "permit", "D1", "P2", True),
        ("mask", "mask", "M1", "M1", False),
        ("deny", "deny", "D1", DEFAULT_RULE, False),
    ]
    assert found[0].smallest == Facts("patrol", "person.read", "C", "none", "assigned", "self", "none")
    assert found[2].smallest.count("any") == 5
    assert (found[0].count, found[1].count) == (1, 1)
    for each in found:
        assert all(said in {"any", fact} for said, fact in zip(each.smallest, each.example.facts, strict=True))


def test_changes_are_all_changes(read: Callable[[str], Sheet], small: Words) -> None:
    """The counts are those of a walk through the whole product, question by question."""
    before = Lattice(read(POLICY), small)
    text = POLICY.replace("any, any, any, any, any, self", "patrol, any, C, any, any, conflict")
    after = Lattice(read(f"{text}g6, self, conflict\ng6, dispute, conflict\n"), small)
    whole = [Facts(*words) for words in product(*(sorted(small.words[column]) for column in COLUMNS))]

    walked = [
        facts
        for facts in whole
        if replace(ruling_of(before.matching(facts)), because="") != replace(ruling_of(after.matching(facts)), because="")
    ]

    assert sum(change.questions for change in changes(before, after)) == len(walked) > 0
    assert {change.facts for change in changes(before, after)} <= set(walked)
    assert sum(each.count for each in differences(before, after)) == len(walked)


def test_a_word_that_one_policy_lacks_is_denied_by_it(read: Callable[[str], Sheet], small: Words) -> None:
    """A new category that a new row permits is a loosening, though the old policy had no such word."""
    wider = Words(words={**small.words, "category": small.words["category"] | {"retired"}}, groups=small.groups)
    before = Lattice(read(POLICY), small)
    permit = next(row for row in before.rows if row.rule == "P1")
    row = replace(permit, rule="P3", conditions=permit.conditions._replace(category="retired"))
    after = Lattice(make_sheet((*before.rows, row), read(POLICY).groupings), wider)

    found = differences(before, after)

    assert found[0].loosens
    assert (found[0].kind.before, found[0].kind.rule_before, found[0].kind.rule_after) == ("deny", DEFAULT_RULE, "P3")
    assert found[0].example.facts.category == "retired"


def test_the_smallest_example_names_no_word_that_does_not_matter() -> None:
    """Of patterns with as few words the most ordinary is chosen, and everything it covers is among the cells."""
    columns = (("a", "b"), ("c",), ("d", "e"), ("none", "f"), ("g",), ("h",), ("i",))
    every = [Facts(*words) for words in product(*columns)]

    assert smallest(every, columns) == Facts(*["any"] * 7)
    assert smallest([cell for cell in every if cell[0] == "b"], columns)[:2] == ("b", "any")
    assert smallest([cell for cell in every if "f" in cell or cell[2] == "e"], columns)[2:4] == ("e", "any")
    assert smallest(every[:1], columns) == Facts("a", "any", "d", "none", "any", "any", "any")
    assert prod(len(words) for words in columns) == len(every)
    with pytest.raises(ValueError, match="no cells"):
        smallest([], columns)
