from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.policy.decide import decide, ruled, strictest
from proxy.policy.decision import Facts, Outcome, Ruling
from proxy.registry.protection import Protection, Recognition, Relation

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.policy.engine import CasbinPolicy

ASKED = {"role": "patrol", "action": "person.read", "purpose": "C", "standing": "assigned", "approval": "none"}
POLICY = """
conceal, H1, patrol, person.read, C, informant, assigned, none, any, notify=records, not there
deny, D1, any, any, any, any, any, self, any, none, not oneself
deny, D2, any, any, any, any, any, family, any, none, not the family
escalate, E1, patrol, person.read, C, official, assigned, none, none, none, ask first
mask, M1, patrol, person.read, C, none, assigned, colleague, none, mask=ssn, a colleague
mask, M2, patrol, person.read, C, none, assigned, command, none, mask=photo; notify=patrol, a superior
permit, P1, patrol, person.read, C, none, assigned, none, none, none, ordinary work
"""


def _recognition(*categories: str, relations: frozenset[Relation] = frozenset()) -> Recognition:
    return Recognition(
        protections=tuple(Protection(entry=f"e{i}", category=c, basis="law") for i, c in enumerate(categories)),
        relations=relations,
    )


@pytest.fixture
def policy(ruling_policy: Callable[[str], CasbinPolicy]) -> CasbinPolicy:
    """Return the policy above, ruling."""
    return ruling_policy(POLICY)


@pytest.mark.parametrize(
    ("recognition", "outcome", "rule", "category", "relation"),
    [
        (_recognition(), Outcome.PERMIT, "P1", "none", "none"),
        (_recognition("official"), Outcome.ESCALATE, "E1", "official", "none"),
        (_recognition("official", "informant"), Outcome.CONCEAL, "H1", "informant", "none"),
        (_recognition("informant", "official", "official"), Outcome.CONCEAL, "H1", "informant", "none"),
        (_recognition(relations=frozenset({Relation.SELF})), Outcome.DENY, "D1", "none", "self"),
        (_recognition(relations=frozenset({Relation.COLLEAGUE, Relation.SELF})), Outcome.DENY, "D1", "none", "self"),
        (_recognition("official", relations=frozenset({Relation.FAMILY})), Outcome.DENY, "D2", "official", "family"),
        (_recognition("informant", relations=frozenset({Relation.SELF})), Outcome.DENY, "D1", "informant", "self"),
        (_recognition("mayor"), Outcome.DENY, "error", "mayor", "none"),
        (_recognition("mayor", "informant"), Outcome.CONCEAL, "H1", "informant", "none"),
    ],
)
def test_the_strictest_pairing_decides(  # noqa: PLR0917 -- a table's columns
    policy: CasbinPolicy, recognition: Recognition, outcome: Outcome, rule: str, category: str, relation: str
) -> None:
    """Every category is asked about with every relation, and the strictest ruling holds, with the facts that led to it."""
    facts, ruling = decide(policy, **ASKED, recognition=recognition)

    assert (ruling.outcome, ruling.rule) == (outcome, rule)
    assert (facts.category, facts.relation) == (category, relation)


def test_masks_of_equal_rulings_join(policy: CasbinPolicy) -> None:
    """Somebody who is colleague and superior is masked for both."""
    relations = frozenset({Relation.COLLEAGUE, Relation.COMMAND})

    _, ruling = decide(policy, **ASKED, recognition=_recognition(relations=relations))

    assert (ruling.rule, ruling.masked, ruling.notify) == ("M1", frozenset({"ssn", "photo"}), ("patrol",))


def test_the_named_row_does_not_depend_on_the_order_of_protections(policy: CasbinPolicy) -> None:
    """Two people denied for two reasons: the same row is named whoever was found first."""
    relations = frozenset({Relation.SELF, Relation.FAMILY})
    one = decide(policy, **ASKED, recognition=_recognition("official", "informant", relations=relations))
    other = decide(policy, **ASKED, recognition=_recognition("informant", "official", relations=relations))

    assert one == other
    assert one[1].rule == "D1"


def test_a_protection_that_says_none_is_no_ordinary_person(policy: CasbinPolicy) -> None:
    """A registry entry without a real category is denied, not taken for nobody."""
    _, ruling = decide(policy, **ASKED, recognition=_recognition("none"))

    assert (ruling.outcome, ruling.rule) == (Outcome.DENY, "error")


def test_a_record_is_ruled_on_like_a_query_about_its_people(policy: CasbinPolicy) -> None:
    """Same principal, action and purpose; other people."""
    facts, _ = decide(policy, **ASKED, recognition=_recognition())

    assert ruled(policy, facts, _recognition("informant")) == decide(policy, **ASKED, recognition=_recognition("informant"))


def test_a_reason_is_preferred_to_silence() -> None:
    """Of two denies, one by a row and one by default, the row is named."""
    default = Ruling(outcome=Outcome.DENY, rule="default", because="no row")
    row = Ruling(outcome=Outcome.DENY, rule="Z9", because="why")

    assert strictest([default, row]) == row
    assert strictest([row, default]) == row


def test_a_mask_joins_a_permit_as_a_mask() -> None:
    """The strictest of a permit and a mask is the mask, unchanged."""
    mask = Ruling(outcome=Outcome.MASK, rule="M1", because="why", masked=frozenset({"ssn"}))

    assert strictest([Ruling(outcome=Outcome.PERMIT, rule="P1", because="why"), mask]) is mask


def test_facts_keep_plain_words(policy: CasbinPolicy) -> None:
    """The facts that go into the log are the policy's words."""
    facts, _ = decide(policy, **ASKED, recognition=_recognition(relations=frozenset({Relation.SELF})))

    assert facts == Facts("patrol", "person.read", "C", "none", "assigned", "self", "none")
    assert all(type(fact) is str for fact in facts)


def test_silence_wins() -> None:
    """Of equal rulings, one that does not tell of what is withheld silences the others."""
    silent = Ruling(outcome=Outcome.DENY, rule="D1", because="why")
    telling = Ruling(outcome=Outcome.DENY, rule="D2", because="why", tell=True)

    assert strictest([telling, telling]).tell
    assert not strictest([silent, telling]).tell
