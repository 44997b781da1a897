"""A duty that an entry of the log gives to a role: to take note of a query, or to review it.

``due`` becomes ``done``, once; overdue is a matter of the time. Whoever does it is another person than the one who asked, and
whoever reviews it than those who agreed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from proxy.audit.lot import SAMPLE
from proxy.audit.owed import Duty, Owed
from proxy.identity.principal import persons_said
from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proxy.audit.event import Json


CONCEALED: Final = "conceal"


class DutyUnknown(Refusal):
    """There is no such notice or review, or it is none of theirs: the two are not told apart."""


class DutyDone(Refusal):
    """Somebody has done it already."""


class OutcomeUnknown(Refusal):
    """A review ends in one of two words."""


class State(StrEnum):
    """Where a duty stands; ``overdue`` is never stored."""

    DUE = "due"
    OVERDUE = "overdue"
    DONE = "done"


class Outcome(StrEnum):
    """What it came to: a notice is acknowledged, a review finds the query justified or not.

    One that was drawn by lot is attested, or questioned: nobody said before that anything about it was special.
    """

    ACKNOWLEDGED = "acknowledged"
    JUSTIFIED = "justified"
    UNJUSTIFIED = "unjustified"
    ATTESTED = "attested"
    QUESTIONED = "questioned"


_NOTICED: Final = frozenset({Outcome.ACKNOWLEDGED})
_REVIEWED: Final = frozenset({Outcome.JUSTIFIED, Outcome.UNJUSTIFIED})
_SAMPLED: Final = frozenset({Outcome.ATTESTED, Outcome.QUESTIONED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """The query that is to be looked at, as its entries have it: who asked, why, and what came of it.

    ``asked_for`` is who was named as the one for whom it was asked, or who was given the answer. ``emergency`` is what
    the officer stated who broke the glass, ``disclosed`` the field classes that left, ``shown`` the outcome that the terminal
    saw. ``criteria``, ``records`` and the registry's ``entries`` say whom it concerns, and are shown to nobody: by them it is
    known whose own cause it is, and what is alike.
    """

    person: str
    approved_by: Sequence[str] = ()
    asked_for: Sequence[str] = ()
    terminal: str = ""
    unit: str = ""
    case: str = ""
    purpose: str = ""
    statement: str = ""
    action: str = ""
    outcome: str = ""
    rules: Sequence[str] = ()
    categories: Sequence[str] = ()
    emergency: str = ""
    disclosed: Sequence[str] = ()
    shown: str = ""
    criteria: Mapping[str, Sequence[str]] = field(default_factory=dict)
    records: Sequence[Mapping[str, Sequence[str]]] = ()
    entries: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One duty as it stands. ``reference`` is the decision's entry, ``<origin>/<index>``; times are aware, in UTC.

    ``overdue``: the log says so already, and a clock that is set back does not undo it.
    """

    id: str
    duty: Duty
    why: str
    role: str
    agency: str
    reference: str
    opened_at: datetime
    due_at: datetime | None
    matter: Matter
    done: bool = False
    outcome: Outcome | None = None
    done_at: datetime | None = None
    done_by: str | None = None
    words: str | None = None
    overdue: bool = False

    @property
    def outcomes(self) -> frozenset[Outcome]:
        """Return what it can come to."""
        if self.duty is Duty.NOTICE:
            return _NOTICED
        return _SAMPLED if self.why == SAMPLE else _REVIEWED

    def at(self, now: datetime) -> State:
        """Return where it stands at ``now``."""
        if self.done:
            return State.DONE
        late = self.overdue or (self.due_at is not None and now >= self.due_at)
        return State.OVERDUE if late else State.DUE


def task_id(reference: str, owed: Owed) -> str:
    """Return the same id for the same duty of the same query, whenever the log is read."""
    return hashlib.sha256("\0".join((reference, *owed.order)).encode()).hexdigest()[:32]


def make_task(owed: Owed, *, reference: str, agency: str, at: datetime, matter: Matter) -> Task:
    """Return the duty that an entry of ``at`` opens."""
    return Task(
        id=task_id(reference, owed),
        duty=owed.duty,
        why=owed.why,
        role=owed.role,
        agency=agency,
        reference=reference,
        opened_at=at,
        due_at=at + timedelta(seconds=owed.within) if owed.within is not None else None,
        matter=matter,
    )


def view(task: Task, now: datetime) -> dict[str, object]:
    """Return what whoever has the duty may see: who asked, why, and what came of it; the subject stays a category."""
    seen: dict[str, object] = {
        "id": task.id,
        "state": str(task.at(now)),
        "why": task.why,
        "role": task.role,
        "opened_at": task.opened_at.isoformat(),
        "due_at": task.due_at.isoformat() if task.due_at is not None else None,
        "entry": task.reference,
        "ends_as": sorted(task.outcomes),
        **matter_view(task),
    }
    if task.done:
        seen |= {
            "found": str(task.outcome),
            "done_at": task.done_at.isoformat() if task.done_at is not None else None,
            "done_by": task.done_by,
            "reason": task.words,
        }
    return seen


def matter_view(task: Task) -> dict[str, object]:
    """Return the query as a reviewer sees it: names of fields, never what they held.

    Of one that was drawn by lot the reviewer sees what the terminal saw: a lot must tell nobody who is protected.
    """
    matter, drawn = task.matter, task.why == SAMPLE
    seen: dict[str, object] = {
        "requested_by": matter.person,
        "approved_by": list(matter.approved_by),
        "terminal": matter.terminal,
        "unit": matter.unit,
        "case": matter.case,
        "purpose": matter.purpose,
        "statement": matter.statement,
        "action": matter.action,
        "outcome": (matter.shown or matter.outcome) if drawn else matter.outcome,
        "criteria": sorted(matter.criteria),
        "categories": [] if drawn else list(matter.categories),
        "rules": [] if drawn else list(matter.rules),
    }
    if matter.emergency:
        seen |= {"emergency": matter.emergency, "disclosed": list(matter.disclosed)}
    return seen


def matter_of(
    decided: Mapping[str, Json], sealed: Mapping[str, Json], ended: Mapping[str, Json], ended_sealed: Mapping[str, Json]
) -> Matter:
    """Return the query that a decision's facts and sealed part tell of, and its end's, where the end obliges."""
    # What was hidden from whoever asked is more than what became of the reply.
    outcome = CONCEALED if decided.get("outcome") == CONCEALED else ended.get("outcome") or decided.get("outcome")
    categories = {*_words([decided.get("category")]), *_words(ended.get("categories"))} - {"none"}
    return Matter(
        person=str(sealed.get("operator") or ""),
        approved_by=_words(sealed.get("approved_by")),
        asked_for=persons_said(str(sealed.get("requestor") or ""), str(sealed.get("recipient") or "")),
        terminal=str(sealed.get("terminal") or ""),
        unit=str(sealed.get("unit") or ""),
        case=str(sealed.get("case") or ""),
        purpose=str(decided.get("purpose") or ""),
        statement=str(sealed.get("statement") or ""),
        action=str(decided.get("action") or ""),
        outcome=str(outcome or ""),
        rules=sorted({*_words([decided.get("rule")]), *_words(ended.get("rules"))}),
        categories=sorted(categories),
        emergency=str(sealed.get("exigent") or ""),
        disclosed=_words(ended.get("disclosed")),
        shown=str(decided.get("shown") or ""),
        criteria=_fields(sealed.get("criteria")),
        records=[_fields(record) for record in records] if isinstance(records := ended_sealed.get("records"), list) else [],
        entries=_entries(sealed.get("recognized")),
    )


def told_apart(criteria: Mapping[str, Sequence[str]]) -> list[str]:
    """Return by what two queries about nobody enrolled are told apart: what was asked for."""
    return [f"{kind} {value}" for kind in sorted(criteria) for value in criteria[kind]]


def _words(value: object) -> tuple[str, ...]:
    return tuple(str(each) for each in value if each) if isinstance(value, list | tuple | dict) else ()


def _entries(value: object) -> tuple[str, ...]:
    found = (
        [str(each["entry"]) for each in value if isinstance(each, dict) and each.get("entry")]
        if isinstance(value, list)
        else []
    )
    return tuple(sorted(found))


def _fields(value: object) -> dict[str, Sequence[str]]:
    return {str(kind): _words(values) for kind, values in value.items()} if isinstance(value, dict) else {}
