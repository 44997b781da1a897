from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.policy.agreement import agreement
from proxy.policy.decision import Facts, Outcome
from proxy.policy.engine import CasbinPolicy
from proxy.policy.lattice import Lattice
from proxy.policy.oracle import Answer, Oracle
from proxy.policy.parser import parse_policy
from proxy.policy.vocabulary import COLUMNS, Words
from tests.policy.conftest import SMALL

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.policy.rows import Sheet

POLICY = """g, patrol, asker
g, records, asker
conceal, H1, any, any, any, informant, any, any, any, notify=records, not there
deny, D1, any, any, any, any, any, self, any, tell=withheld, not oneself
deny, D2, records, any, any, any, any, self, any, none, not oneself at the desk
escalate, E1, patrol, person.read, C, official, assigned, none, none, none, ask first
mask, M1, patrol, person.read, C, official, assigned, none, granted, mask=ssn, approved
mask, M2, asker, person.read, C, official, assigned, none, granted, mask=photo, approved
permit, P1, patrol, person.read, C, none, assigned, none, none, none, ordinary work
"""
EMERGENCY = "exigent=allowed/{}; shows={}; alerts=supervisor"
OPENED = f"""g, patrol, asker
g, records, asker
escalate, E1, asker, person.read, C, official, assigned, none, none, {EMERGENCY.format("4h", "ssn+photo")}, ask first
escalate, E2, records, person.read, C, official, assigned, none, none, {EMERGENCY.format("2h", "photo")}, ask first
escalate, E3, patrol, person.read, C, official, assigned, self, none, {EMERGENCY.format("2h", "photo")}, ask first
escalate, E4, asker, person.read, C, official, assigned, self, none, exigent=never, ask first
"""


def _oracle(text: str, words: Words) -> Oracle:
    return Oracle(text, {column: sorted(words.words[column]) for column in COLUMNS})


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("patrol person.read C none assigned none none", Answer("permit", "P1", frozenset(), tell=False)),
        ("patrol person.read J none assigned none none", Answer("deny", "default", frozenset(), tell=False)),
        ("patrol person.read C official assigned none none", Answer("escalate", "E1", frozenset(), tell=False)),
        ("patrol person.read C official assigned none granted", Answer("mask", "M1", frozenset({"ssn", "photo"}), tell=False)),
        ("patrol person.read C official unit self none", Answer("deny", "D1", frozenset(), tell=True)),
        ("records person.read C official unit self none", Answer("deny", "D1", frozenset(), tell=False)),
        ("patrol person.read C informant unit self none", Answer("conceal", "H1", frozenset(), tell=False)),
    ],
)
def test_the_oracle_reads_the_text(small: Words, asked: str, answer: Answer) -> None:
    """The strictest row is named, rows of one outcome mask together, and one that is silent silences the others."""
    assert _oracle(POLICY, small).answer(asked.split()) == answer


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("patrol person.read C official assigned none none", {"ssn", "photo"}),
        ("records person.read C official assigned none none", {"photo"}),
        ("patrol person.read C official assigned self none", set()),
    ],
)
def test_the_oracle_reads_what_an_emergency_shows(asked: str, shown: set[str]) -> None:
    """What all rows that decide together show, and nothing where one says never; our own reading and Casbin say the same."""
    words = Words(words={**SMALL.words, "role": SMALL.words["role"] | {"supervisor"}}, groups=SMALL.groups)
    sheet = parse_policy(Path("policy.csv"), OPENED.encode(), words=words, fields=frozenset(FIELDS))
    policy = CasbinPolicy(sheet=sheet, words=words, version="v")

    assert _oracle(OPENED, words).answer(asked.split()).exigent == shown
    assert agreement(OPENED, policy.lattice, policy).disagreements == ()


def test_every_question_is_compared(read: Callable[[str], Sheet], small: Words) -> None:
    """The count is that of the whole product, and all three readings agree."""
    policy = CasbinPolicy(sheet=read(POLICY), words=small, version="v")
    told: list[int] = []

    agreed = agreement(POLICY, policy.lattice, policy, advance=told.append)

    assert agreed.disagreements == ()
    assert agreed.questions == len(list(product(*(small.words[column] for column in COLUMNS)))) == policy.lattice.size
    assert agreed.casbin == len(list(policy.lattice.cells()))
    assert sum(told) == agreed.questions + agreed.casbin


@pytest.mark.parametrize("line", POLICY.strip().splitlines(), ids=lambda line: line.split(", ")[1])
def test_a_reading_that_lost_a_line_disagrees(read: Callable[[str], Sheet], small: Words, line: str) -> None:
    """Whichever line our reading and Casbin were without, the oracle tells, with a question that shows it."""
    policy = CasbinPolicy(sheet=read(POLICY.replace(f"{line}\n", "")), words=small, version="v")

    found = agreement(POLICY, policy.lattice, policy).disagreements

    assert {each.reading for each in found} == {"lattice", "casbin"}
    assert all(each.said != each.oracle for each in found)


def test_a_broken_casbin_disagrees(read: Callable[[str], Sheet], small: Words) -> None:
    """When only Casbin rules otherwise, only Casbin is told of."""
    policy = CasbinPolicy(sheet=read(POLICY), words=small, version="v")
    policy._enforcer.model["p"]["p"].policy[-1][1] = "deny"

    found = agreement(POLICY, policy.lattice, policy).disagreements

    assert {each.reading for each in found} == {"casbin"}


FIELDS: Final = ("ssn", "photo", "financial")
GROUPED: Final = {"role": "g", "category": "g2", "purpose": "g3", "action": "g4", "standing": "g5", "relation": "g6"}
OWN: Final = {
    "role": ["patrol", "records", "desk.two"],
    "action": ["person.read", "person.search"],
    "purpose": ["C", "J"],
    "category": ["none", "official", "informant"],
    "standing": ["assigned", "unit"],
    "relation": ["none", "self"],
    "approval": ["none", "granted"],
}


@st.composite
def _policies(draw: st.DrawFn) -> tuple[str, Words]:
    """Draw words, groups, who is in them, and rows: whatever the parser takes."""
    words = {
        column: frozenset(draw(st.lists(st.sampled_from(known), min_size=1, max_size=len(known), unique=True)))
        | frozenset({"none"} & set(known))
        for column, known in OWN.items()
    }
    lines: list[str] = []
    groups: dict[str, frozenset[str]] = dict.fromkeys(COLUMNS, frozenset())
    for column, prefix in GROUPED.items():
        members = sorted(words[column] - {"none"})
        for name in draw(st.lists(st.sampled_from([f"{column}_one", f"{column}_two"]), unique=True)) if members else ():
            within = draw(st.lists(st.sampled_from(members), min_size=1, unique=True))
            lines += [f"{prefix}, {member}, {name}" for member in within]
            groups[column] |= {name}
    for number in range(draw(st.integers(1, 7))):
        outcome = draw(st.sampled_from(Outcome))
        may_be_any = outcome not in {Outcome.MASK, Outcome.PERMIT}
        said = [
            draw(st.sampled_from(sorted(words[c] | groups[c]) + (["any"] if may_be_any or c == "standing" else [])))
            for c in COLUMNS
        ]
        if outcome is Outcome.ESCALATE:
            said[-1] = "none"
        clauses = []
        if outcome is Outcome.MASK:
            clauses.append("mask=" + "+".join(draw(st.lists(st.sampled_from(FIELDS), min_size=1, unique=True))))
        if outcome in {Outcome.DENY, Outcome.ESCALATE} and draw(st.booleans()):
            clauses.append("tell=withheld")
        lines.append(", ".join([outcome, f"R{number}", *said, "; ".join(clauses) or "none", "some reason"]))
    lines = draw(st.permutations(lines))
    return "\n".join(lines) + "\n", Words(words=words, groups=groups)


@given(drawn=_policies())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_casbin_our_reading_and_the_oracle_never_disagree(drawn: tuple[str, Words]) -> None:
    """For any policy, over any words and groups: stock Casbin, our reading and the oracle rule alike."""
    text, words = drawn
    sheet = parse_policy(Path("policy.csv"), text.encode(), words=words, fields=frozenset(FIELDS))
    errors: list[Exception] = []
    policy = CasbinPolicy(sheet=sheet, words=words, version="v", on_error=errors.append)

    assert agreement(text, policy.lattice, policy).disagreements == ()
    assert errors == []


@given(drawn=_policies())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_kinds_of_words_stand_for_all(drawn: tuple[str, Words]) -> None:
    """Every question of the whole product is matched by the same rows as the one question that stands for it."""
    text, words = drawn
    lattice = Lattice(parse_policy(Path("policy.csv"), text.encode(), words=words, fields=frozenset(FIELDS)), words)
    stands = [{word: one for one, alike in kinds.items() for word in alike} for kinds in lattice.kinds()]

    for asked, bits in lattice.everything():
        facts = Facts(*(kinds[word] for kinds, word in zip(stands, asked, strict=True)))
        assert lattice.at(bits) == lattice.matching(Facts(*asked)) == lattice.matching(facts)
