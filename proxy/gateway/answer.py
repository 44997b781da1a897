"""What a query ends in: an answer, or a refusal with its entry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.refusal import Refusal

if TYPE_CHECKING:
    from datetime import datetime


class PolicyDenied(Refusal):
    """A row said no."""


class NotReady(Refusal):
    """A part that every decision rests on is not loaded."""


def store_unusable() -> NotReady:
    """Return the refusal of everything while the store cannot be read or written."""
    return NotReady(
        "The store does not answer; nothing was released. Try again; if it stays, tell the operator.", retry_after=5
    )


class InternalError(Refusal):
    """Something failed that nobody foresaw; nothing was released."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the terminal gets. ``withheld`` is the count that policy lets it know, else None.

    ``watermark`` is for the terminal to show across the records. ``unverified``: the case directory is down, and the query
    went on for officer safety. ``review_due``: the glass was broken for it, and by then somebody else reviews it.
    """

    entry: str
    status: int
    media_type: str
    body: bytes
    masked: frozenset[str]
    withheld: int | None
    watermark: str = ""
    unverified: bool = False
    review_due: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """A refusal, and its entry (None when the log is unavailable, or a flood of strangers is only counted)."""

    refusal: Refusal
    entry: str | None
