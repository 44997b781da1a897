from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.policy.decision import Facts
from proxy.policy.lattice import Lattice, ruling_of
from proxy.policy.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.policy.engine import CasbinPolicy
    from proxy.policy.rows import Sheet
    from proxy.policy.vocabulary import Words


def test_one_changed_fact_is_told_by_column(shipped: CasbinPolicy) -> None:
    """An officer's question about an official: an approval would loosen it, another standing would tighten it."""
    found = nearest(shipped.lattice, Facts("patrol", "person.read", "C", "official", "assigned", "none", "none"))

    looser = {each.changed: (each.facts.approval, each.facts.category, each.ruling.rule) for each in found.looser}
    assert looser == {("category",): ("none", "none", "P01"), ("approval",): ("granted", "official", "M06")}
    assert {each.changed for each in found.stricter} >= {("role",), ("standing",), ("relation",)}


def test_the_mildest_step_of_a_column_is_told(shipped: CasbinPolicy) -> None:
    """Of all the relations that would tighten an ordinary question, a colleague's does so least."""
    found = nearest(shipped.lattice, Facts("patrol", "person.read", "C", "none", "assigned", "none", "none"))

    told = {each.changed: str(each.ruling.outcome) for each in found.stricter}
    assert found.looser == ()
    assert (told["relation",], told["category",], told["role",]) == ("escalate", "escalate", "mask")


def test_two_facts_are_changed_only_where_one_is_not_enough(shipped: CasbinPolicy) -> None:
    """Nothing that an auditor could change alone would open a background check on oneself."""
    found = nearest(shipped.lattice, Facts("auditor", "person.read", "J", "none", "unassigned", "self", "none"))

    assert found.looser
    assert all(len(each.changed) == 2 for each in found.looser)


@pytest.mark.parametrize("category", ["none", "official", "informant"])
def test_what_is_told_is_so(read: Callable[[str], Sheet], small: Words, category: str) -> None:
    """Every neighbor differs in the columns it names, has the ruling it tells, and no nearer one has another outcome."""
    lattice = Lattice(
        read(
            "conceal, H1, any, any, any, informant, any, any, any, none, not there\n"
            "permit, P1, patrol, person.read, C, none, assigned, none, none, none, ordinary\n"
        ),
        small,
    )
    facts = Facts("patrol", "person.read", "C", category, "assigned", "none", "none")
    own = ruling_of(lattice.matching(facts)).outcome

    found = nearest(lattice, facts)

    for direction, neighbors in (("looser", found.looser), ("stricter", found.stricter)):
        for each in neighbors:
            changed = tuple(c for c in Facts._fields if getattr(each.facts, c) != getattr(facts, c))
            assert changed == each.changed
            assert each.ruling == ruling_of(lattice.matching(each.facts))
            assert (each.ruling.outcome.severity > own.severity) == (direction == "looser")
        assert len({len(each.changed) for each in neighbors}) <= 1
