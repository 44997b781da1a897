"""What somebody has asked for lately, for who decides: numbers about the officer, and nothing of whom they asked about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from proxy.escalation.lifecycle import State

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from proxy.escalation.lifecycle import Escalation

LATELY: Final = timedelta(days=30)
_AGREED: Final = frozenset({State.APPROVED, State.REDEEMED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """The other escalations of the last 30 days: the officer's own, and those about anybody whom this one is about.

    ``same_subject`` are the officer's, ``same_subject_agreed`` those of them that were agreed to, ``others`` how many other
    officers there were.
    """

    asked: int
    agreed: int
    refused: int
    same_subject: int
    same_subject_agreed: int
    others: int


def pattern_of(escalation: Escalation, known: Iterable[Escalation], now: datetime) -> Pattern:
    """Return what is known beside an escalation."""
    lately = [each for each in known if each.id != escalation.id and abs(now - each.created_at) < LATELY]
    own = [each for each in lately if each.asked.person == escalation.asked.person]
    subjects = frozenset(escalation.asked.subjects)
    about = [each for each in lately if subjects & frozenset(each.asked.subjects)]
    same = [each for each in about if each.asked.person == escalation.asked.person]
    return Pattern(
        asked=len(own),
        agreed=sum(each.state in _AGREED for each in own),
        refused=sum(each.state is State.REFUSED for each in own),
        same_subject=len(same),
        same_subject_agreed=sum(each.state in _AGREED for each in same),
        others=len({each.asked.person for each in about} - {escalation.asked.person}),
    )


def returned(person: str, pairs: Iterable[tuple[str, str]], ring: int) -> frozenset[str]:
    """Return who approves for a person that approves for them in turn, round a ring of at most ``ring`` people.

    ``pairs`` are who approves often for whom. A ring of two is a pair; one person is none.
    """
    of: dict[str, set[str]] = {}
    for approver, asked in pairs:
        if approver != asked:
            of.setdefault(approver, set()).add(asked)
    reached: set[str] = set()
    edge = {person}
    for _ in range(ring - 1):
        edge = {asked for approver in edge for asked in of.get(approver, ())} - reached - {person}
        reached |= edge
    return frozenset(each for each in reached if person in of.get(each, ()))
