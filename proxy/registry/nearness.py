"""Whether two dates of birth or SSNs can be near one another, told from their marks without opening anything.

A mark is eight bits, under a secret, of the year, the month, the day, of three digits of an SSN, or of how a name sounds. Most
people whose name or number meets another's are told apart by theirs, and are neither opened nor compared. Marks that agree by
chance only cost the comparison; those that do not agree never belong to dates that ``likeness.born`` calls anything but
``other``, nor to whole SSNs that are one slip apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.registry.likeness import sound

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.registry.likeness import Name
    from proxy.registry.traits import Traits

UNMARKED: Final = 0
_MARK: Final = 255
_YEAR, _MONTH, _DAY = _MARK, _MARK << 8, _MARK << 16
_BORN: Final = _YEAR | _MONTH | _DAY
_SSN: Final = _BORN << 24
_PARTS: Final = (_MARK << 24, _MARK << 32, _MARK << 40)
_NAMES: Final = _MARK << 48 | _MARK << 56
_FACTOR: Final = "marks"
_LOW_BITS: Final = 24
"""Bits of a product that depend on the lowest of a secret factor alone."""


def marked(known: Traits, word: Callable[[str], int]) -> int:
    """Return the marks of a date of birth, an SSN and a name, as far as one is known and whole; ``word`` keeps the secret."""
    factor, marks = word(_FACTOR), UNMARKED
    if known.births_tell and len(known.births) == 1:
        marks |= _of_birth(*known.births[0], factor)
    ssns = known.numbers.get("ssn", ())
    if known.ssns_tell and len(ssns) == 1:
        marks |= _of_ssn(ssns[0], factor)
    if len(known.names) == 1 and len(said := _of_name(known.names[0], word)) > 1:
        marks |= said[0] << 48 | said[1] << 56
    return marks


class Near:
    """The dates and SSNs that are near those of criteria or of a record; made only where there is somebody to tell apart."""

    __slots__ = ("_across", "_births", "_factor", "_names", "_said", "_sounds", "_ssns", "_word")

    def __init__(self, mine: Traits, persons: int, word: Callable[[str], int]) -> None:
        """Take what is told of up to ``persons`` persons; what may leave one of them out tells nobody apart."""
        self._word, self._factor = word, (factor := word(_FACTOR))
        self._names = mine.names
        self._sounds: frozenset[int] | None = None
        self._births = mine.births if mine.births_tell and len(mine.births) >= persons else ()
        self._said = [_of_birth(*form, factor) for year, month, day in self._births for form in _both_ways(year, month, day)]
        self._across: frozenset[int] | None = None
        ssns = mine.numbers.get("ssn", ())
        self._ssns = [_of_ssn(ssn, factor) for ssn in ssns] if mine.ssns_tell and len(ssns) >= persons else ()

    def may(self, marks: int) -> bool:
        """Tell whether somebody with these marks may be of a date and an SSN near these; who has none may."""
        return not (self._born_apart(marks) or self._ssn_apart(marks))

    def may_by_one(self, marks: int) -> bool:
        """Tell whether one of the two may be near, or is not known."""
        return not (self._born_apart(marks) and self._ssn_apart(marks))

    def may_sound(self, marks: int) -> bool:
        """Tell whether a name of somebody with these marks may sound like one of these, be it given name or surname."""
        if not (self._names and marks & _NAMES):
            return True
        if self._sounds is None:
            self._sounds = frozenset(said for name in self._names for said in _of_name(name, self._word))
        return (marks >> 48) & _MARK in self._sounds or marks >> 56 in self._sounds

    def _born_apart(self, marks: int) -> bool:
        return bool(self._said and marks & _BORN) and not self._may_be_born(marks & _BORN)

    def _ssn_apart(self, marks: int) -> bool:
        if not (self._ssns and marks & _SSN):
            return False
        return all((said ^ marks) & part for said in self._ssns for part in _PARTS)

    def _may_be_born(self, marks: int) -> bool:
        # One slip within a part leaves the two others; so does another value of one part.
        one_agrees = False
        for said in self._said:
            differ = said ^ marks
            agreeing = (not differ & _YEAR) + (not differ & _MONTH) + (not differ & _DAY)
            if agreeing > 1:
                return True
            one_agrees |= agreeing == 1
        return one_agrees and marks in self._exchanged()

    def _exchanged(self) -> frozenset[int]:
        """Return the marks of dates whose digits are exchanged across a border, which changes both parts beside it."""
        if self._across is None:
            others = (form for born in self._births for other in _exchanges(*born) for form in _both_ways(*other))
            self._across = frozenset(_of_birth(*form, self._factor) for form in others)
        return self._across


def _of_name(name: Name, word: Callable[[str], int]) -> list[int]:
    parts = [*name.given[:1], *(("".join(name.surname),) if name.surname else ())]
    return [word(sound(part)) % _MARK + 1 for part in parts]


def _of_birth(year: int, month: int, day: int, factor: int) -> int:
    return _mark(year, factor) | _mark(month, factor) << 8 | _mark(day, factor) << 16


def _of_ssn(ssn: str, factor: int) -> int:
    first, middle, last = int(ssn[:3]), int(ssn[3:6]), int(ssn[6:])
    # Each third has numbers of its own, beyond those of years.
    return _mark(first + 10_000, factor) << 24 | _mark(middle + 20_000, factor) << 32 | _mark(last + 30_000, factor) << 40


def _mark(value: int, factor: int) -> int:
    """Return eight bits that stand for a value, none of them 0, which stands for nothing told."""
    return (value * factor >> _LOW_BITS) % _MARK + 1


def _both_ways(year: int, month: int, day: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    return (year, month, day), (year, day, month)


def _exchanges(year: int, month: int, day: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return a date with the digits exchanged on either side of YYYY|MM|DD."""
    return (
        (year - year % 10 + month // 10, year % 10 * 10 + month % 10, day),
        (year, month - month % 10 + day // 10, month % 10 * 10 + day % 10),
    )
