"""What the log says when a notice was acknowledged or a query reviewed: before it counts as done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from proxy.audit.event import Event, Party

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.event import Json
    from proxy.oversight.duty import Outcome, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Overseen(Event):
    """Somebody has done a duty; from this entry alone it is known to be done."""

    kind: ClassVar[str] = "overseen"
    task: Task
    outcome: Outcome
    actor: str
    words: str
    late: bool

    def facts(self) -> Mapping[str, Json]:
        """Return which duty, and what it came to."""
        task = self.task
        return {
            "task": task.id,
            "duty": task.duty,
            "why": task.why,
            "entry": task.reference,
            "outcome": self.outcome,
            "late": self.late,
        }

    def parties(self) -> Iterable[Party]:
        """Return who did it, and whose query it was."""
        yield Party("actor", self.actor)
        yield Party("officer", self.task.matter.person)
        yield Party("case", self.task.matter.case)

    def sealed(self) -> Mapping[str, Json]:
        """Return the actor in clear, and the words."""
        return {"actor": self.actor, "words": self.words}
