"""From a recognition to one ruling: everybody concerned is ruled on, and the strictest ruling holds.

An inquiry or a record can concern several protected people, and the principal can be related to several of them. Which
relation goes with which category is not known for certain (an address joins them), so every pairing is asked about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.policy.decision import Facts
from proxy.policy.lattice import DEFAULT_RULE, together
from proxy.policy.vocabulary import NONE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.policy.decision import Policy, Ruling
    from proxy.registry.protection import Recognition


def decide(
    policy: Policy,
    *,
    role: str,
    action: str,
    purpose: str,
    standing: str,
    approval: str,
    recognition: Recognition,
) -> tuple[Facts, Ruling]:
    """Rule on every pairing of category and relation; return the facts that decided, and the ruling over all of them."""
    if not recognition.protections and not recognition.relations:
        facts = Facts(role, action, purpose, NONE, standing, NONE, approval)
        return facts, policy.rule(facts)
    categories = sorted({protection.category for protection in recognition.protections}) or [NONE]
    if recognition.protections and NONE in categories:
        # A registry entry that says ``none`` is broken, and must not pass for an ordinary person: "" is no word, so denied.
        categories[categories.index(NONE)] = ""
    relations = sorted({str(relation) for relation in recognition.relations}) or [NONE]
    asked = [
        Facts(role, action, purpose, category, standing, relation, approval)
        for category in categories
        for relation in relations
    ]
    if len(asked) == 1:
        return asked[0], policy.rule(asked[0])
    ruled = sorted(((facts, policy.rule(facts)) for facts in asked), key=lambda pair: (*_order(pair[1]), pair[0]))
    return ruled[0][0], strictest([ruling for _, ruling in ruled])


def ruled(policy: Policy, facts: Facts, recognition: Recognition) -> tuple[Facts, Ruling]:
    """Rule on a record of an inquiry's reply: the same principal, action, purpose and approval, but other people."""
    return decide(
        policy,
        role=facts.role,
        action=facts.action,
        purpose=facts.purpose,
        standing=facts.standing,
        approval=facts.approval,
        recognition=recognition,
    )


def strictest(rulings: Sequence[Ruling]) -> Ruling:
    """Return the strictest of one or more rulings; those of equal outcome join their masks, duties, demands and silence."""
    first, *others = sorted(rulings, key=_order)
    equals = [first, *(ruling for ruling in others if ruling.outcome is first.outcome)]
    return first if len(equals) == 1 else together(equals)


def _order(ruling: Ruling) -> tuple[int, bool, str]:
    # A row that says why is a better answer than the default's silence, where both come to the same.
    return ruling.outcome.severity, ruling.rule == DEFAULT_RULE, ruling.rule
