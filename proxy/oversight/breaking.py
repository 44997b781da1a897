"""Whether somebody may break the glass: what became of the emergencies that they stated before."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from proxy.escalation.glass import BreakGlassBlocked
from proxy.escalation.lifecycle import BudgetSpent
from proxy.oversight.duty import State
from proxy.oversight.finding import OVERSEER

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from proxy.oversight.duty import Task
    from proxy.policy.budgets import Glass

_INSTEAD = "Send it without exigent: a supervisor can agree."


def must_be_free(broken: Sequence[Task], found: Collection[str], allowance: Glass, now: datetime) -> None:
    """Return when nothing stands against another emergency. ``found`` are the reviews with a finding that is open.

    Raises:
        BreakGlassBlocked: a review is overdue, or a finding is open.
        BudgetSpent: there were too many.
    """
    for task in broken:
        if task.id in found:
            raise BreakGlassBlocked(
                f"Your emergency of entry {task.reference} was found unjustified, and the finding is open. The oversight desk"
                f" closes it. {_INSTEAD}",
                review=_named(task, "unjustified", (OVERSEER,)),
            )
        if task.at(now) is State.OVERDUE:
            raise BreakGlassBlocked(
                f"The review of your emergency of entry {task.reference} is overdue. A {task.role} of your agency has to do it,"
                f" another person than you, or the oversight desk. {_INSTEAD}",
                review=_named(task, "overdue", (task.role, OVERSEER)),
            )
    window = timedelta(seconds=allowance.within)
    lately = [task.opened_at for task in broken if task.opened_at + window > now]
    if len(lately) >= allowance.most:
        left = lately[-allowance.most] + window - now
        raise BudgetSpent(
            f"You have been answered in {allowance.most} emergencies, which is as often as anybody may be. {_INSTEAD}",
            retry_after=max(1, math.ceil(left.total_seconds())),
        )


def _named(task: Task, state: str, who: Sequence[str]) -> dict[str, object]:
    """Return which review it is: nothing of whom it is about."""
    due = task.due_at.isoformat() if task.due_at is not None else None
    return {"id": task.id, "entry": task.reference, "due_at": due, "state": state, "who": list(who)}
