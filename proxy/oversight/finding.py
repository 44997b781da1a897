"""A finding: a review found a query unjustified, or could not say why it was made; somebody else looks into it and ends it.

Whoever closes it is neither the officer, nor the reviewer who opened it, nor anybody close to whom it concerns. The outcomes
are those of police internal affairs (IACP, Investigation of Allegations of Employee Misconduct).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final

from proxy.audit.event import Event, Party
from proxy.audit.owed import Duty, Owed, owing
from proxy.oversight.duty import Outcome, matter_view
from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from proxy.audit.event import Json
    from proxy.oversight.duty import Task

OVERSEER: Final = "auditor"
"""The oversight desk: who is told when nobody reviews, and closes findings."""
FINDING: Final = "finding"
"""Why a notice is owed: somebody opened a finding."""
NOTICE_WITHIN: Final = 86_400
OPENS: Final = frozenset({Outcome.UNJUSTIFIED, Outcome.QUESTIONED})
"""Outcomes of a review that open a finding."""


class FindingUnknown(Refusal):
    """There is no such finding, or it is none of theirs: the two are not told apart."""


class FindingClosed(Refusal):
    """Somebody has closed it already."""


class Disposition(StrEnum):
    """How a finding ends."""

    SUSTAINED = "sustained"
    NOT_SUSTAINED = "not-sustained"
    EXONERATED = "exonerated"
    UNFOUNDED = "unfounded"


class Standing(StrEnum):
    """Where a finding stands."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding as it stands, with the review that opened it."""

    id: str
    task: Task
    disposition: Disposition | None = None
    closed_at: datetime | None = None
    closed_by: str | None = None
    words: str | None = None

    @property
    def state(self) -> Standing:
        """Return where it stands."""
        return Standing.OPEN if self.disposition is None else Standing.CLOSED


def finding_id(task_id: str) -> str:
    """Return the id of the finding that a review opens: the same whenever the log is read."""
    return hashlib.sha256(f"finding\0{task_id}".encode()).hexdigest()[:32]


def finding_view(finding: Finding) -> dict[str, object]:
    """Return what whoever closes it may see: the query as a reviewer sees it, what the reviewer found, and how it ended."""
    task = finding.task
    return {
        "id": finding.id,
        "state": str(finding.state),
        "review": task.id,
        "why": task.why,
        "entry": task.reference,
        "opened_at": task.done_at.isoformat() if task.done_at is not None else None,
        "opened_by": task.done_by,
        "found": str(task.outcome),
        "reason": task.words,
        **matter_view(task),
        "outcome": str(finding.disposition) if finding.disposition is not None else None,
        "closed_at": finding.closed_at.isoformat() if finding.closed_at is not None else None,
        "closed_by": finding.closed_by,
        "words": finding.words,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingOpened(Event):
    """A review opened a finding: the oversight desk is told. ``decided`` is the index of the query's decision."""

    kind: ClassVar[str] = "finding"
    task: Task
    decided: int

    def facts(self) -> Mapping[str, Json]:
        """Return which finding, and of which review and query."""
        task = self.task
        return {
            "finding": finding_id(task.id),
            "task": task.id,
            "why": task.why,
            "found": task.outcome,
            "entry": task.reference,
            "decided": self.decided,
            **owing((Owed(duty=Duty.NOTICE, role=OVERSEER, why=FINDING, within=NOTICE_WITHIN),)),
        }

    def parties(self) -> Iterable[Party]:
        """Return whose query it was, in which case, and who reviewed it."""
        yield Party("officer", self.task.matter.person)
        yield Party("case", self.task.matter.case)
        if self.task.done_by:
            yield Party("actor", self.task.done_by)

    def sealed(self) -> Mapping[str, Json]:
        """Return the reviewer, and the words."""
        return {"actor": self.task.done_by, "words": self.task.words}


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingEnded(Event):
    """Somebody closed a finding; from this entry alone it is known to be closed."""

    kind: ClassVar[str] = "finding-closed"
    finding: Finding
    disposition: Disposition
    actor: str
    words: str

    def facts(self) -> Mapping[str, Json]:
        """Return which finding, and how it ended."""
        task = self.finding.task
        return {"finding": self.finding.id, "task": task.id, "entry": task.reference, "outcome": self.disposition}

    def parties(self) -> Iterable[Party]:
        """Return who closed it, and whose query it was."""
        yield Party("actor", self.actor)
        yield Party("officer", self.finding.task.matter.person)
        yield Party("case", self.finding.task.matter.case)

    def sealed(self) -> Mapping[str, Json]:
        """Return the actor in clear, and the words."""
        return {"actor": self.actor, "words": self.words}
