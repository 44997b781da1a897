"""What must be done, or the answer is void (XACML): the obligations of a row, in their form in ``policy.csv``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from proxy.audit.owed import Duty, Owed

if TYPE_CHECKING:
    from collections.abc import Iterable

REVIEWER: Final = "supervisor"
"""The role that reviews."""
_UNITS: Final = {"d": 86_400, "h": 3_600, "m": 60}
_TIME: Final = re.compile(r"([1-9][0-9]{0,3})([mhd])\Z")
MOST_SECONDS: Final = 30 * 86_400


def read_time(text: str) -> int | None:
    """Return the seconds that ``15m``, ``4h`` or ``2d`` are, or None for anything else or more than 30 days."""
    found = _TIME.match(text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    return seconds if 0 < seconds <= MOST_SECONDS else None


def written_time(seconds: int) -> str:
    """Return seconds as a file could hold them."""
    unit = next((unit for unit, size in _UNITS.items() if seconds % size == 0), "m")
    return f"{seconds // _UNITS[unit]}{unit}"


def written(owed: Iterable[Owed]) -> list[str]:
    """Return the clauses that oblige to these."""
    notices = [each for each in owed if each.duty is Duty.NOTICE]
    reviews = [each for each in owed if each.duty is Duty.REVIEW and each.within is not None]
    told = [each.role + (f"/{written_time(each.within)}" if each.within is not None else "") for each in notices]
    clauses = [f"notify={'+'.join(told)}"] if told else []
    return clauses + [f"review={written_time(each.within or 0)}" for each in reviews]
