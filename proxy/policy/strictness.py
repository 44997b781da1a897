"""Which of two rulings is looser: the one owner of that idea, for every tool and for whoever signs a change.

A ruling is looser when more leaves under it, when more can be learned from its refusal, or when fewer people know of it.
Every field of ``Ruling`` is either an aspect here or a name (``NAMES``), and a test holds the two against the dataclass, so
that an obligation that is added to rulings cannot be forgotten here.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from proxy.policy.decision import OPEN, Outcome, suffice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from proxy.audit.owed import Owed
    from proxy.policy.decision import Ruling

NAMES: Final = frozenset({"rule", "because"})
"""The fields of a ruling that say where it comes from, and nothing of how strict it is."""


def _lost(before: Iterable[Owed], after: Sequence[Owed]) -> bool:
    """Tell whether somebody who was to be told, or to review, no longer is, or later."""
    return any(not any(other.order == each.order and _soon(other) <= _soon(each) for other in after) for each in before)


def _breaks_more(before: Ruling, after: Ruling) -> bool:
    """Tell whether an emergency opens more, or is told to fewer."""
    if after.exigent is None:
        return False
    if before.exigent is None:
        return True
    return not after.exigent.shown <= before.exigent.shown or _lost(before.exigent.owed, after.exigent.owed)


def _soon(owed: Owed) -> float:
    return math.inf if owed.within is None else owed.within


ASPECTS: Final[Mapping[str, Callable[[Ruling, Ruling], bool]]] = MappingProxyType(
    {
        "outcome": lambda before, after: after.outcome.severity > before.outcome.severity,
        "masked": lambda before, after: after.outcome in OPEN and not before.masked <= after.masked,
        "owed": lambda before, after: _lost(before.owed, after.owed),
        "demands": lambda before, after: after.outcome is Outcome.ESCALATE and not suffice(after.demands, before.demands),
        "tell": lambda before, after: after.tell and not before.tell,
        "marked": lambda before, after: after.outcome in OPEN and before.marked and not after.marked,
        "exigent": _breaks_more,
    },
)
"""For each field of a ruling that makes it strict or loose: is the second ruling the looser one in it?"""


def loosenings(before: Ruling, after: Ruling) -> tuple[str, ...]:
    """Return the aspects in which ``after`` is looser than ``before``, in the order of ``ASPECTS``; none if it is as strict.

    Where ``before`` lets a record leave and ``after`` does not, nothing is looser: who was to be told of the release, or what
    a refusal now tells, is less than what was answered. In every other case a notice that is lost counts, also under a
    stricter outcome: the attempt would be known to fewer.
    """
    if before.outcome in OPEN and after.outcome not in OPEN:
        return ()
    return tuple(aspect for aspect, looser in ASPECTS.items() if looser(before, after))


def loosens(before: Ruling, after: Ruling) -> bool:
    """Tell whether ``after`` is looser than ``before`` in anything."""
    return bool(loosenings(before, after))


def opens(before: Ruling, after: Ruling) -> bool:
    """Tell whether more leaves under ``after``: it answers where ``before`` did not, or shows what ``before`` hid."""
    return after.outcome in OPEN and not {"outcome", "masked"}.isdisjoint(loosenings(before, after))
