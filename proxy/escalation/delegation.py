"""Standing in for somebody: from one day to another, for their decisions on escalations, and for nothing else.

A delegate has the role, agency and rank of whom they stand in for, as these are on the day of the decision; of their own they
lose nothing. What was handed on is not handed on again, and neither of the two decides on the other's queries.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from proxy.identity.principal import PERSON_PATTERN
from proxy.refusal import Refusal

MOST_DAYS: Final = 31


class DelegationInvalid(Refusal):
    """Nobody can stand in like this; the detail says what is wrong."""


class DelegationUnknown(Refusal):
    """There is no such delegation among theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """``delegate`` stands in for ``delegator``, who held ``role`` for ``agency`` when they said so. Times are aware, in UTC."""

    id: str
    delegator: str
    delegate: str
    agency: str
    role: str
    starts_at: datetime
    ends_at: datetime
    created_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None

    @property
    def over_at(self) -> datetime:
        """Return when it is over: at its end, or when it was ended before."""
        return self.ends_at if self.ended_at is None else min(self.ended_at, self.ends_at)

    def active(self, now: datetime) -> bool:
        """Tell whether it holds at ``now``."""
        return self.starts_at <= now < self.over_at

    def meets(self, start: datetime, end: datetime) -> bool:
        """Tell whether it holds at any time from ``start`` to ``end``, both included."""
        return self.starts_at <= end and start < self.over_at


def require_dates(starts: datetime, ends: datetime, now: datetime) -> None:
    """Return when somebody can stand in from one to the other.

    Raises:
        DelegationInvalid: the end lies before the beginning or in the past, or the two are too far apart.
    """
    if ends <= starts or ends <= now:
        raise DelegationInvalid("It ends before it begins, or has ended already. Give dates to come.")
    if ends - starts > timedelta(days=MOST_DAYS):
        raise DelegationInvalid(f"Nobody stands in for more than {MOST_DAYS} days at a time. Give an earlier end.")


def require_other(delegator: str, delegate: str) -> None:
    """Return when these can be two people.

    Raises:
        DelegationInvalid: they cannot.
    """
    if not PERSON_PATTERN.match(delegate):
        raise DelegationInvalid("That is no personnel id (lower-case letters, digits, . _ -).")
    if delegator == delegate:
        raise DelegationInvalid("Nobody stands in for themselves. Name another person.")


def view(delegation: Delegation, now: datetime) -> dict[str, object]:
    """Return what the two of them, and their auditor, see."""
    state = "active" if delegation.active(now) else "to come" if now < delegation.starts_at < delegation.over_at else "over"
    return {
        "id": delegation.id,
        "state": state,
        "delegator": delegation.delegator,
        "delegate": delegation.delegate,
        "role": delegation.role,
        "starts_at": delegation.starts_at.isoformat(),
        "ends_at": delegation.over_at.isoformat(),
        "ended_by": delegation.ended_by,
    }
