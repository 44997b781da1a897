"""Whoever asks the log shows cause as an officer does: a case that the directory knows, and words that say something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.purpose.header import normal_case
from proxy.purpose.purpose import CaseUnknown, StatementUninformative
from proxy.purpose.statement import question_objection

if TYPE_CHECKING:
    from proxy.purpose.directory import CaseDirectory


async def shown_cause(cases: CaseDirectory, *, case: str, statement: str, label: str) -> str:
    """Return the case's number as the directory has it. ``label`` says what is asked for: ``search of the log``.

    Raises:
        CaseUnknown, CaseDirectoryUnavailable, StatementUninformative: cause is not shown.
    """
    known = await cases.look_up(normal_case(case)) if case.strip() else None
    if known is None:
        raise CaseUnknown("The case under which you ask is not in the case directory.")
    told = question_objection(statement, case=case, label=label)
    if told is not None:
        raise StatementUninformative(told)
    return known.number
