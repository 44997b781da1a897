"""What an entry obliges somebody to do afterwards: to take notice, or to review.

It stands in the entry itself, so no crash can part the two: once the entry is durable, so is the duty. ``oversight`` reads
the log and keeps the queue; nothing is written beside the entry while a query waits, and no further entry shows in the log's
numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.event import Json

OWED: Final = "owed"
"""The fact's name; an entry that obliges nobody does not have it."""
POLICY: Final = "policy"
"""A row of the policy obliges to it."""
UNVERIFIED: Final = "unverified"
"""A query was answered although the case system could not confirm its case."""
BREAK_GLASS: Final = "break-glass"
"""An officer stated an emergency and was answered before anybody agreed."""

NOBODY: Final = "nobody-on-duty"
"""A query waits for a decision, and nobody who may decide is on duty."""


class Duty(StrEnum):
    """What is to be done: ``notice`` is to take note of it, ``review`` is to judge it."""

    NOTICE = "notice"
    REVIEW = "review"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """One duty: ``why`` is a closed word, ``within`` the seconds from the entry's time, or None for no deadline."""

    duty: Duty
    role: str
    why: str = POLICY
    within: int | None = None

    @property
    def order(self) -> tuple[str, str, str]:
        """Return what makes two of them the same duty."""
        return self.duty, self.role, self.why

    def fact(self) -> dict[str, Json]:
        """Return its form in an entry."""
        return {"duty": self.duty, "role": self.role, "why": self.why, "within": self.within}


def joined(owed: Iterable[Owed]) -> tuple[Owed, ...]:
    """Return each duty once, in order, with the shortest of its times."""
    found: dict[tuple[str, str, str], Owed] = {}
    for each in owed:
        known = found.setdefault(each.order, each)
        if each.within is not None and (known.within is None or each.within < known.within):
            found[each.order] = each
    return tuple(found[order] for order in sorted(found))


def owing(owed: Iterable[Owed]) -> dict[str, Json]:
    """Return the fact that obliges to these; nothing for none."""
    facts: tuple[Json, ...] = tuple(each.fact() for each in joined(owed))
    return {OWED: facts} if facts else {}


def owed_by(facts: Mapping[str, Json]) -> tuple[Owed, ...]:
    """Return what an entry's facts oblige to.

    Raises:
        ValueError: the fact is not of this form.
    """
    match facts.get(OWED, []):
        case list() | tuple() as said:
            return joined(map(_read, said))
        case _:
            raise ValueError(OWED)


def _read(fact: Json) -> Owed:
    match fact:
        case {"duty": str(duty), "role": str(role), "why": str(why), "within": int() | None as within}:
            return Owed(duty=Duty(duty), role=role, why=why, within=within)
        case _:
            raise ValueError(OWED)
