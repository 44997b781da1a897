"""A purpose that was stated, and what the case directory made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from proxy.refusal import Refusal

if TYPE_CHECKING:
    from datetime import datetime


class PurposeMissing(Refusal):
    """There is no Query-Purpose, or it lacks a required member."""


class PurposeMalformed(Refusal):
    """Query-Purpose is not an RFC 9651 dictionary of the known members; ``position`` is the byte offset."""


class PurposeUnknown(Refusal):
    """The code is not in the catalogue, or does not serve this action."""


class StatementUninformative(Refusal):
    """The words say nothing; the detail says what is missing."""


class CaseMissing(Refusal):
    """The purpose names no case."""


class CaseUnknown(Refusal):
    """No such reference."""


class CaseClosed(Refusal):
    """The reference is closed, and its grace is over."""


class CaseKindMismatch(Refusal):
    """The reference is of a kind that the code does not accept."""


class StandingMissing(Refusal):
    """The case is not theirs."""


class SubjectNotOnCase(Refusal):
    """Under this code, only a party to the case may be asked about, and this is none as far as can be told."""


class CaseDirectoryUnavailable(Refusal):
    """The case directory does not answer, or what it answers cannot be relied on.

    ``outcome`` is its word in the metrics. ``down``: it answers nobody, as far as can be told; else it is this case that is
    answered wrongly, and whoever knows such a number must gain nothing by it.
    """

    def __init__(self, detail: str, *, outcome: str = "failed", down: bool = True, **extras: object) -> None:
        """Keep the sentence for the terminal, and what the service has to know of it."""
        super().__init__(detail, **extras)
        self.outcome = outcome
        self.down = down


class Standing(StrEnum):
    """The principal's relation to the case; ``unverified`` when the case directory is down and policy goes on without it."""

    ASSIGNED = "assigned"
    UNIT = "unit"
    DISPATCHED = "dispatched"
    UNASSIGNED = "unassigned"
    UNVERIFIED = "unverified"
    CLOSED = "closed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """Registered code + case + statement, and for whom (CJIS AU-3).

    ``exigent`` is the emergency in the officer's words: with it the query may be answered before anybody agrees.
    """

    code: str
    case: str
    statement: str
    requestor: str | None = None
    recipient: str | None = None
    location: str | None = None
    root: str | None = None
    derived: bool = False
    exigent: str | None = None

    def __post_init__(self) -> None:
        """A purpose without a code or a case is none."""
        if not self.code or not self.case:
            msg = "a purpose has a code and a case"
            raise ValueError(msg)


Party = tuple[tuple[str, str], ...]
"""A person on a case, as pairs of a criterion's kind (``surname``, ``dob`` …) and a value, in the order of the kinds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A reference of a registered kind, as the case directory holds it. Times are aware, in UTC.

    ``parties`` are the persons it is about: None when the directory does not say, and empty when there is nobody. ``age`` is
    how many seconds ago the case system said all this, ``stale`` whether that is longer than a case is kept ordinarily.
    """

    number: str
    kind: str
    agency: str
    opened_at: datetime
    closed_at: datetime | None = None
    code: str | None = None
    summary: str = ""
    assigned: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()
    dispatched: frozenset[str] = frozenset()
    parties: tuple[Party, ...] | None = None
    age: float = field(default=0.0, compare=False)
    stale: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedPurpose:
    """A purpose that held: the case exists, fits, is open, and the principal stands in it.

    ``case`` is None when the standing is ``unverified``: nobody could say anything of it. ``reuse`` is on how many other cases
    the principal said nearly the same words; ``permissible_use`` the paragraph of 18 USC 2721(b) under which motor-vehicle
    data is asked for, or None for any other. ``subject_on_case`` tells whether only a party to the case may be asked about.
    """

    purpose: Purpose
    case: Case | None
    standing: Standing
    reuse: int = 0
    permissible_use: int | None = None
    subject_on_case: bool = False
