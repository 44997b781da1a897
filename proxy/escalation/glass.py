"""Breaking the glass: an officer states an emergency, is answered before anybody agrees, and answers for it afterwards.

What has been broken covers whom the query was about when it was broken, and nobody else whom the reply holds: as a grant does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from proxy.audit.event import Json
    from proxy.audit.owed import Owed
    from proxy.policy.budgets import Glass
    from proxy.registry.protection import Recognition


class BreakGlassBlocked(Refusal):
    """Their last emergency is not accounted for: its review is overdue, or found it unjustified; the extras hold which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """One broken glass: whom it opens, what is owed for it, and how surely it was the officer (``assurance``)."""

    subjects: frozenset[str]
    relations: frozenset[str]
    owed: tuple[Owed, ...]
    review_due: datetime
    assurance: Mapping[str, Json] = field(default_factory=dict)
    evidence: Mapping[str, Json] = field(default_factory=dict)

    def covers(self, recognition: Recognition) -> bool:
        """Tell whether a record is about nobody but those for whom it was broken."""
        return {each.entry for each in recognition.protections} <= self.subjects and {
            str(each) for each in recognition.relations
        } <= self.relations


class Register(Protocol):
    """Who has broken the glass, and what came of it: the oversight room, as the street sees it."""

    def breaking(self, person: str, allowance: Glass) -> AbstractAsyncContextManager[None]:
        """Hold the register while somebody breaks the glass; the entry is written inside.

        Raises:
            BreakGlassBlocked: a review of theirs is overdue, or found one unjustified.
            BudgetSpent: they have broken as many as they may.
            ReviewsUnreadable: it cannot be told; nothing is opened.
        """
        ...


class ReviewsUnreadable(Refusal):
    """What became of earlier emergencies cannot be read, so that nobody breaks the glass."""
