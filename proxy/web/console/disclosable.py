"""What an approval would let out, by the names of fields: never a value.

It is worked out by the policy that rules now, as the query will be. The officer's relation to the case is looked at anew then;
so what any relation that the purpose accepts would show is shown here, and no answer holds more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.policy.decide import decide
from proxy.policy.decision import Outcome
from proxy.registry.protection import Protection, Recognition, Relation

if TYPE_CHECKING:
    from proxy.escalation.lifecycle import Asked
    from proxy.policy.service import PolicySet


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosable:
    """Labels of field classes that an answer shows, and of those that it masks; ``current`` whether that policy still rules."""

    shown: tuple[str, ...]
    masked: tuple[str, ...]
    fields: tuple[str, ...]
    current: bool


def disclosable(policies: PolicySet, asked: Asked) -> Disclosable:
    """Return what the answer to an approved query would hold."""
    classes, names = set[str](), dict[str, str]()
    for route in policies.routes.routes:
        if route.action == asked.action or (route.broad is not None and route.broad.action == asked.action):
            for name, each in route.fields.items():
                classes.add(each.field_class)
                names[name] = each.field_class
    shown = classes - _always_masked(policies, asked)
    labels = policies.fields
    return Disclosable(
        shown=tuple(sorted(labels[name].label for name in shown)),
        masked=tuple(sorted(labels[name].label for name in classes - shown)),
        fields=tuple(sorted(name for name, field_class in names.items() if field_class in shown)),
        current=policies.version == asked.policy_version,
    )


def _always_masked(policies: PolicySet, asked: Asked) -> frozenset[str]:
    """Return the classes that no answer shows, whatever the officer's relation to the case is by then."""
    code = policies.catalogue.codes.get(asked.purpose)
    everything = frozenset(policies.fields)
    masked: list[frozenset[str]] = []
    for standing in code.standings if code is not None else ():
        recognition = Recognition(
            protections=tuple(Protection(entry=name, category=name, basis="") for name in asked.categories),
            relations=frozenset(Relation(name) for name in asked.relations),
        )
        _, ruling = decide(
            policies.policy,
            role=asked.role,
            action=asked.action,
            purpose=asked.purpose,
            standing=str(standing),
            approval="granted",
            recognition=recognition,
        )
        masked.append(ruling.masked if ruling.outcome in {Outcome.PERMIT, Outcome.MASK} else everything)
    return frozenset.intersection(*masked) if masked else everything
