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
    from proxy.identity.principal import Principal
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


class Assured(Protocol):
    """How surely it was they."""

    def facts(self) -> Mapping[str, Json]:
        """Return what may lie open in the entry."""
        ...

    def sealed(self) -> Mapping[str, Json]:
        """Return what proves it, for the entry's sealed part."""
        ...


class Confirm(Protocol):
    """Whoever makes sure that it is the officer, and that this very thing is meant."""

    async def __call__(self, principal: Principal, about: str, content: Mapping[str, object], assertion: str | None) -> Assured:
        """Return how surely the principal confirms breaking the glass for ``content``.

        Raises:
            Refusal: they do not.
        """
        ...


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


@dataclass(frozen=True, slots=True)
class _Key:
    credential: str

    def facts(self) -> Mapping[str, Json]:
        return {"method": "key", "credential": self.credential}

    def sealed(self) -> Mapping[str, Json]:
        return {}


async def key_alone(principal: Principal, about: str, content: Mapping[str, object], assertion: str | None) -> Assured:
    """Implement ``Confirm`` where the credential that the query came with is enough; the entry says so."""
    del about, content, assertion
    return _Key(principal.credential)
