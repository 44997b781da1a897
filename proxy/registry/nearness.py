"""Whether two dates of birth or SSNs can be near one another, told from their marks without opening anything.

A mark is eight bits of a token: of the year, the month, the day, or of three digits of an SSN. Most people whose name meets a
common one are told apart by theirs, and are neither opened nor compared. Marks that agree by chance only cost the comparison;
those that do not agree never belong to dates that ``likeness.born`` calls anything but ``other``, nor to whole SSNs that are
one slip apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.registry.likeness import Born

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.registry.traits import Traits

UNMARKED: Final = 0
_MARK: Final = 255
_YEAR, _MONTH, _DAY = _MARK, _MARK << 8, _MARK << 16
_BORN: Final = _YEAR | _MONTH | _DAY
_SSN: Final = _BORN << 24
_SHIFTS: Final = (24, 32, 40)
_PARTS: Final = tuple(_MARK << shift for shift in _SHIFTS)


def marked(known: Traits, word: Callable[[str], int]) -> int:
    """Return the marks of somebody's date of birth and SSN, as far as there is one that is whole."""
    marks = UNMARKED
    if known.births_tell and len(known.births) == 1:
        marks |= _of_birth(known.births[0], word)
    ssns = known.numbers.get("ssn", ())
    if known.ssns_tell and len(ssns) == 1:
        marks |= _of_ssn(ssns[0], word)
    return marks


class Near:
    """The dates and SSNs that are near those of criteria or of a record; made only where there is somebody to tell apart."""

    __slots__ = ("_births", "_exchanged", "_said", "_ssns", "_word")

    def __init__(self, mine: Traits, persons: int, word: Callable[[str], int]) -> None:
        """Take what is told of up to ``persons`` persons; what may leave one of them out tells nobody apart."""
        self._word = word
        self._births = mine.births if mine.births_tell and len(mine.births) >= persons else ()
        self._said = [_of_birth(form, word) for born in self._births for form in (born, _turned(born))]
        self._exchanged: frozenset[int] | None = None
        ssns = mine.numbers.get("ssn", ())
        self._ssns = [_of_ssn(ssn, word) for ssn in ssns] if mine.ssns_tell and len(ssns) >= persons else ()

    def may(self, marks: int) -> bool:
        """Tell whether somebody with these marks may be of a date and an SSN near these; who has none may."""
        if self._said and marks & _BORN and not self._may_be_born(marks & _BORN):
            return False
        return not (self._ssns and marks & _SSN) or any(not (said ^ marks) & part for said in self._ssns for part in _PARTS)

    def _may_be_born(self, marks: int) -> bool:
        # One slip within a part leaves the two others; so does another value of one part.
        for said in self._said:
            differ = said ^ marks
            if (not differ & _YEAR) + (not differ & _MONTH) + (not differ & _DAY) > 1:
                return True
        if self._exchanged is None:  # two digits exchanged across a border change both parts beside it
            forms = (form for born in self._births for other in _across(born) for form in (other, _turned(other)))
            self._exchanged = frozenset(_of_birth(form, self._word) for form in forms)
        return marks in self._exchanged


def _of_birth(born: Born, word: Callable[[str], int]) -> int:
    year, month, day = born
    return _mark(word(f"year {year}")) | _mark(word(f"part {month}")) << 8 | _mark(word(f"part {day}")) << 16


def _of_ssn(ssn: str, word: Callable[[str], int]) -> int:
    parts = ssn[:3], ssn[3:6], ssn[6:]
    return sum(_mark(word(f"ssn {shift} {part}")) << shift for part, shift in zip(parts, _SHIFTS, strict=True))


def _mark(token: int) -> int:
    """Return eight bits of a token that are not 0, which stands for nothing told."""
    return token % _MARK + 1


def _turned(born: Born) -> Born:
    return Born(born.year, born.day, born.month)


def _across(born: Born) -> list[Born]:
    said = born.digits
    forms = (f"{said[:at]}{said[at + 1]}{said[at]}{said[at + 2 :]}" for at in (3, 5))
    return [Born(int(form[:4]), int(form[4:6]), int(form[6:])) for form in forms]
