"""The duty roster: who is on duty from when to when, as the department's own planning has it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from proxy.identity.principal import PERSON_PATTERN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

COLUMNS: Final = ("personnel", "start", "end")
LONGEST: Final = timedelta(days=2)


class ShiftRefused(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """A line of a roster is not taken; the message holds every reason, and no value."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Shift:
    """One person's turn of duty. Times are aware, in UTC."""

    starts_at: datetime
    ends_at: datetime
    person: str


def shift_of(raw: Mapping[str, Any]) -> Shift:
    """Return a line of a roster.

    Raises:
        ShiftRefused: with every reason.
    """
    person, reasons = raw.get("personnel"), []
    if not isinstance(person, str) or not PERSON_PATTERN.match(person.strip()):
        reasons.append("personnel is not a personnel id (lower-case letters, digits, . _ -)")
    start, end = (_moment(name, raw.get(name), reasons) for name in ("start", "end"))
    if start is not None and end is not None and not start < end <= start + LONGEST:
        reasons.append("a turn of duty ends after it begins, within two days")
    if unknown := sorted(set(raw) - set(COLUMNS)):
        reasons.append(f"{len(unknown)} columns are none of {', '.join(COLUMNS)}")
    if reasons or start is None or end is None:
        raise ShiftRefused("; ".join(reasons))
    return Shift(person=str(person).strip(), starts_at=start, ends_at=end)


def _moment(name: str, text: object, reasons: list[str]) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.strip()) if isinstance(text, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        reasons.append(f"{name} is not a time with its offset from UTC (2026-11-23T06:00-06:00)")
        return None
    return moment.astimezone(UTC)
