"""What the log says when a review's time has passed: whoever is next is told, and no clock that is set back undoes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from proxy.audit.event import Event, Party
from proxy.audit.owed import Duty, Owed, owing
from proxy.oversight.finding import OVERSEER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.event import Json
    from proxy.oversight.duty import Task

OVERDUE: Final = "overdue"
"""Why a notice is owed: a review was not done in time."""
NOTICE_WITHIN: Final = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapsed(Event):
    """A review is overdue: those who should have done it are told again, and the oversight desk beside them."""

    kind: ClassVar[str] = "overdue"
    task: Task
    decided: int

    def facts(self) -> Mapping[str, Json]:
        """Return which review, of which query."""
        task = self.task
        told = (Owed(duty=Duty.NOTICE, role=role, why=OVERDUE, within=NOTICE_WITHIN) for role in {task.role, OVERSEER})
        return {"task": task.id, "why": task.why, "entry": task.reference, "decided": self.decided, **owing(told)}

    def parties(self) -> Iterable[Party]:
        """Return whose query it was, and in which case."""
        yield Party("officer", self.task.matter.person)
        yield Party("case", self.task.matter.case)
