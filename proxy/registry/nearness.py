"""Whether two dates of birth can be near one another, told from three marks without opening anything.

A mark is eight bits of a token of the year, the month or the day: most people whose name meets a common one are told apart by
theirs, and are neither opened nor compared. Marks that agree by chance only cost the comparison; those that do not agree never
belong to dates that ``likeness.born`` calls anything but ``other``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.registry.likeness import Born

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

UNMARKED: Final = b""
_MARK: Final = 255
_ENOUGH: Final = 2
"""One slip within a part leaves the two others; so does another value of one part."""


def marked(births: Sequence[Born], word: Callable[[str], int]) -> bytes:
    """Return the marks of somebody's date of birth; none where there is not one that is whole."""
    if len(births) != 1 or not births[0].whole:
        return UNMARKED
    year, month, day = births[0]
    return bytes((word(f"year {year}") & _MARK, word(f"part {month}") & _MARK, word(f"part {day}") & _MARK))


class Near:
    """The dates that are near some others; made only where there is somebody to tell apart."""

    __slots__ = ("_exchanged", "_said")

    def __init__(self, births: Sequence[Born], word: Callable[[str], int]) -> None:
        """Take dates, each whole."""
        self._said = [marked((born,), word) for born in births]
        # Two digits exchanged across a border change both parts beside it.
        self._exchanged = [marked((other,), word) for born in births for other in _across(born)]

    def may(self, marks: bytes) -> bool:
        """Tell whether somebody with these marks may be of a date near one of these; who has none may."""
        if not marks:
            return True
        year, month, day = marks
        turned = bytes((year, day, month))
        return any(_agree(said, marks) >= _ENOUGH or _agree(said, turned) >= _ENOUGH for said in self._said) or any(
            each in (marks, turned) for each in self._exchanged
        )


def _agree(one: bytes, other: bytes) -> int:
    return sum(map(int.__eq__, one, other))


def _across(born: Born) -> list[Born]:
    said = born.digits
    forms = (f"{said[:at]}{said[at + 1]}{said[at]}{said[at + 2 :]}" for at in (3, 5))
    return [Born(int(form[:4]), int(form[4:6]), int(form[6:])) for form in forms]
