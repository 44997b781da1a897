"""Who asks for a trace shows cause first, as an officer does for a query: a case that is known, and words of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.audit.errors import OwnLookups
from proxy.inquiry.inquiry import FIELD_KINDS, RECORD_KINDS
from proxy.oversight.cause import shown_cause
from proxy.oversight.leak.claim import PHOTO, LeakUnclear
from proxy.oversight.leak.events import LeakTraced
from proxy.oversight.questions import ASKERS
from proxy.registry.protection import OWN_CAUSE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from proxy.identity.principal import Principal
    from proxy.inquiry.route import Route
    from proxy.oversight.leak.claim import Claim
    from proxy.purpose.directory import CaseDirectory
    from proxy.registry.protection import Recognizer

TRACERS: Final = ASKERS
"""Roles that may trace a leak."""
MOST_PAGES: Final = 500


def must_not_be_own(claims: Iterable[Claim], recognizer: Recognizer, principal: Principal) -> None:
    """Return when what was published is not that of whoever asks, or of somebody close.

    Raises:
        OwnLookups: it is; somebody else of the oversight desk has to trace it.
    """
    for claim in claims:
        about = {"person_id": (claim.about,)} if claim.about else {}
        published = {claim.kind: (claim.value,)} if claim.kind in FIELD_KINDS else {}
        for fields in (about, published):
            if fields and recognizer.recognize(fields, principal).relations & OWN_CAUSE:
                raise OwnLookups(
                    "What was published is yours, or that of somebody close to you. Somebody else has to trace it."
                )


def kinds_of(routes: Iterable[Route]) -> frozenset[str]:
    """Return by what kinds the log can have marked something: those of fields, and classes of fields that have no kind."""
    plain = {field.field_class for route in routes for field in route.fields.values() if field.kind is None}
    return RECORD_KINDS | plain | {PHOTO}


def must_be_searchable(claims: Iterable[Claim], kinds: Collection[str], now: datetime) -> None:
    """Return when each of the claims is of a kind that there is, and came out by now: else a slip would clear everybody.

    Raises:
        LeakUnclear: with the place of the first that is not.
    """
    for number, claim in enumerate(claims, start=1):
        if claim.kind not in kinds:
            known = ", ".join(sorted(kinds))
            raise LeakUnclear(f"Item {number}: no field of any record is of the kind {claim.kind}. There are {known}.")
        if claim.at > now:
            raise LeakUnclear(f"Item {number}: say when it was first seen in public. The time that was given is yet to come.")


async def with_cause(
    cases: CaseDirectory,
    *,
    operator: str,
    role: str,
    case: str,
    statement: str,
    claims: Sequence[Claim],
    kinds: Collection[str],
    now: datetime,
    page: int = 1,
) -> LeakTraced:
    """Return the question, once its case is known, its words say something, and its claims can be looked for.

    Raises:
        CaseUnknown, CaseDirectoryUnavailable, StatementUninformative, LeakUnclear.
    """
    number = await shown_cause(cases, case=case, statement=statement, label="trace of a leak")
    must_be_searchable(claims, kinds, now)
    if not 1 <= page <= MOST_PAGES:
        raise LeakUnclear(f"Pages are counted from 1 to {MOST_PAGES}.")
    return LeakTraced(operator=operator, role=role, case=number, statement=statement.strip(), claims=tuple(claims), page=page)
