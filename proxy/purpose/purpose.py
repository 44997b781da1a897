"""A purpose that was stated, and what the case directory made of it."""

from __future__ import annotations

from dataclasses import dataclass
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


class CaseDirectoryUnavailable(Refusal):
    """The case directory does not answer."""


class Standing(StrEnum):
    """The principal's relation to the case."""

    ASSIGNED = "assigned"
    UNIT = "unit"
    DISPATCHED = "dispatched"
    UNASSIGNED = "unassigned"
    CLOSED = "closed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """Registered code + case + statement, and for whom (CJIS AU-3)."""

    code: str
    case: str
    statement: str
    requestor: str | None = None
    recipient: str | None = None
    location: str | None = None
    root: str | None = None
    derived: bool = False

    def __post_init__(self) -> None:
        """A purpose without a code or a case is none."""
        if not self.code or not self.case:
            msg = "a purpose has a code and a case"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A reference of a registered kind, as the case directory holds it. Times are aware, in UTC."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedPurpose:
    """A purpose that held: the case exists, fits, is open, and the principal stands in it.

    ``reuse`` is on how many other cases the principal said nearly the same words; ``permissible_use`` the paragraph of
    18 USC 2721(b) under which motor-vehicle data is asked for, or None for any other.
    """

    purpose: Purpose
    case: Case
    standing: Standing
    reuse: int = 0
    permissible_use: int | None = None
