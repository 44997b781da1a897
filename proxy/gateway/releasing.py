"""The field set that a grant is bound to: the names of what would be released, and nothing released beyond them.

What an approval opens can grow between asking and answering although policy stays: a steward puts a subject into another
category, or takes a field of an entry out of those that are masked whatever policy permits. Nobody agreed to that.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from proxy.policy.decision import Outcome

if TYPE_CHECKING:
    from collections.abc import Collection

    from proxy.inquiry.route import Route
    from proxy.policy.decision import Ruling

OPAQUE: Final = "opaque"
"""The one name of what an uninspected reply holds."""
BEYOND: Final = "grant"
"""Stands where the policy's row does, for what is kept back since nobody agreed to it."""


def releasable(route: Route, ruling: Ruling, protected: Collection[str] = ()) -> frozenset[str]:
    """Return the names of the fields that a ruling lets out; ``protected`` are classes masked whatever policy permits."""
    if ruling.outcome not in {Outcome.MASK, Outcome.PERMIT}:
        return frozenset()
    if route.opaque:
        return frozenset({OPAQUE}) if ruling.outcome is Outcome.PERMIT and not protected else frozenset()
    hidden = {*ruling.masked, *protected}
    return frozenset(name for name, field in route.fields.items() if field.field_class not in hidden)


def within(ruling: Ruling, agreed: Collection[str], route: Route) -> Ruling:
    """Return a ruling that lets out nothing beyond the fields that were agreed to."""
    beyond = releasable(route, ruling) - set(agreed)
    if not beyond:
        return ruling
    if route.opaque:
        return replace(ruling, outcome=Outcome.DENY, rule=BEYOND, because="the approval was for less", masked=frozenset())
    classes = {route.fields[name].field_class for name in beyond}
    return replace(ruling, outcome=Outcome.MASK, masked=ruling.masked | classes)
