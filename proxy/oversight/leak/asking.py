"""Who asks for a trace shows cause first, as an officer does for a query: a case that is known, and words of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.oversight.finding import OVERSEER
from proxy.oversight.leak.claim import LeakUnclear
from proxy.oversight.leak.events import LeakTraced
from proxy.purpose.header import normal_case
from proxy.purpose.purpose import CaseUnknown, StatementUninformative
from proxy.purpose.statement import objection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.oversight.leak.claim import Claim
    from proxy.purpose.directory import CaseDirectory

TRACERS: Final = frozenset({OVERSEER})
"""Roles that may trace a leak."""
MOST_PAGES: Final = 500


async def with_cause(
    cases: CaseDirectory, *, operator: str, role: str, case: str, statement: str, claims: Sequence[Claim], page: int = 1
) -> LeakTraced:
    """Return the question, once its case is known and its words say something.

    Raises:
        CaseUnknown, CaseDirectoryUnavailable, StatementUninformative, LeakUnclear.
    """
    known = await cases.look_up(normal_case(case)) if case.strip() else None
    if known is None:
        raise CaseUnknown("The case under which you trace is not in the case directory.")
    told = objection(statement, case=case, label="trace of a leak")
    if told is not None:
        raise StatementUninformative(told)
    if not 1 <= page <= MOST_PAGES:
        raise LeakUnclear(f"Pages are counted from 1 to {MOST_PAGES}.")
    return LeakTraced(
        operator=operator, role=role, case=known.number, statement=statement.strip(), claims=tuple(claims), page=page
    )
