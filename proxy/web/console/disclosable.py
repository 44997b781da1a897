"""What an approval would let out, by the names of fields, never a value: the grant is bound to them, no answer holds more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.gateway.releasing import OPAQUE

if TYPE_CHECKING:
    from proxy.escalation.lifecycle import Asked
    from proxy.policy.service import PolicySet

DOCUMENT: Final = "a whole document, which is not looked into"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosable:
    """Labels of field classes that an answer shows, and of those that it masks; ``current`` whether that policy still rules."""

    shown: tuple[str, ...]
    masked: tuple[str, ...]
    fields: tuple[str, ...]
    current: bool


def disclosable(policies: PolicySet, asked: Asked) -> Disclosable:
    """Return what the answer to an approved query would hold."""
    classes = {
        name: each.field_class
        for route in policies.routes.routes
        if route.action == asked.action or (route.broad is not None and route.broad.action == asked.action)
        for name, each in route.fields.items()
    }
    shown = {classes[name] for name in asked.fields if name in classes}
    labels = {name: policies.fields[name].label for name in classes.values() if name in policies.fields}
    document = (DOCUMENT,) if OPAQUE in asked.fields else ()
    return Disclosable(
        shown=(*sorted(labels.get(name, name) for name in shown), *document),
        masked=tuple(sorted(labels.get(name, name) for name in set(classes.values()) - shown)),
        fields=asked.fields,
        current=policies.version == asked.policy_version,
    )
