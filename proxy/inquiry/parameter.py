r"""What a value may look like, by its kind.

A records server may read more into a value than it says: a wildcard, a format suffix, an escape of its own (Datasette
decodes ``~31`` in a path as ``1``, so that ``~310`` would reach person 10 unrecognized). Every kind therefore has a narrow
pattern that admits none of ``* % ~ \ < > " ;`` or a line break, and a route can only narrow it further.

A prefix or the end of a range says less than a value does, so nobody can be recognized by it. The records server compares a
prefix by ``LIKE``, where ``_`` and ``%`` stand for anything: no prefix holds one, nor a ``*`` or ``?`` that another server
would read so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from proxy.inquiry.inquiry import ParameterInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

_LETTER: Final = r"[^\W\d_]"
_NAME: Final = rf"{_LETTER}(?:{_LETTER}|[ .,'\u2019\u0300-\u036f-])*"
_WORDS: Final = rf"(?:{_LETTER}|[0-9])(?:{_LETTER}|[0-9 .,'\u2019#/&()\u0300-\u036f-])*"
_ID: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"

# Longest value in characters, the pattern, and how it is described to somebody who sent something else.
_KINDS: Final[Mapping[str, tuple[int, str, str]]] = MappingProxyType(
    {
        "person_id": (64, _ID, "letters, digits and hyphens"),
        "name": (120, _NAME, "a name in letters"),
        "given_name": (80, _NAME, "a name in letters"),
        "middle_name": (80, _NAME, "a name in letters"),
        "surname": (80, _NAME, "a name in letters"),
        "suffix": (16, rf"(?:{_LETTER}|[0-9])(?:{_LETTER}|[0-9 .])*", "letters and digits"),
        "alias": (120, _WORDS, "letters and digits"),
        "dob": (10, r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])", "a date as 1980-12-31"),
        "ssn": (11, r"[0-9]{3}-[0-9]{2}-[0-9]{4}|[0-9]{9}", "a number as 123-45-6789"),
        "phone": (32, r"(?:\+ ?|\()?[0-9](?:[0-9 ()./-]*[0-9])?", "a number as +15551234567 (a plus is sent as %2B)"),
        "email": (254, r"[A-Za-z0-9.!+_-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?", "an e-mail address"),
        "plate": (16, r"[A-Za-z0-9](?:[A-Za-z0-9 .-]*[A-Za-z0-9])?", "letters, digits, spaces and hyphens"),
        "vin": (17, r"[A-HJ-NPR-Za-hj-npr-z0-9]{5,17}", "letters and digits without I, O and Q"),
        "license": (32, r"[A-Za-z0-9](?:[A-Za-z0-9 -]*[A-Za-z0-9])?", "letters, digits, spaces and hyphens"),
        "address": (200, _WORDS, "a written address"),
        "street": (120, _WORDS, "a street, with or without its number"),
        "unit": (32, rf"#? ?{_WORDS}", "letters and digits"),
        "city": (80, _NAME, "a name in letters"),
        "state": (32, _NAME, "a name or abbreviation in letters"),
        "postal_code": (12, r"[A-Za-z0-9](?:[A-Za-z0-9 -]*[A-Za-z0-9])?", "letters, digits, spaces and hyphens"),
        "work": (200, _WORDS, "a place's name, its address, or both"),
        "school": (200, _WORDS, "a place's name, its address, or both"),
        "case": (64, r"[A-Za-z0-9](?:[A-Za-z0-9./-]*[A-Za-z0-9])?", "letters, digits, points, slashes and hyphens"),
    },
)
_OTHER: Final = (120, _WORDS, "letters and digits")
_IN_PATH: Final = (64, _ID, "letters, digits and hyphens")

LONGEST: Final = 256
LEAST: Final = 3
"""Letters and digits that a prefix has, where its route does not say otherwise."""

PREFIXED: Final = frozenset(
    {"name", "given_name", "middle_name", "surname", "alias", "plate", "vin", "license", "street", "city"}
)
"""Kinds of which a part is something: half a number of another kind, or half a date, is not."""
RANGED: Final = frozenset({"dob"})
_LITERAL: Final = re.compile(r"[^%_*?\[\]\\]+")


class Match(StrEnum):
    """How the records server compares a parameter: as it is, with the beginning, or as the end of a range."""

    EXACT = "exact"
    PREFIX = "prefix"
    FROM = "from"
    TO = "to"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a route, or one field of its JSON body (``integer`` where JSON gives a number).

    ``name`` is the terminal's word for it (dotted inside a body); ``kind`` is of FIELD_KINDS, or None when it says nothing of
    whom. Only an exact one with a kind is a criterion. ``least`` counts the letters and digits of a prefix.
    """

    name: str
    kind: str | None
    patterns: tuple[re.Pattern[str], ...]
    max_length: int
    hint: str
    choices: frozenset[str] = frozenset()
    required: bool = False
    integer: bool = False
    match: Match = Match.EXACT
    least: int = 0

    @property
    def criterion(self) -> bool:
        """Tell whether somebody can be recognized by it."""
        return self.kind is not None and self.match is Match.EXACT

    def admits(self, value: str) -> bool:
        """Tell whether ``value`` can be one of this parameter."""
        if len(value) > self.max_length or value[-1:].isspace():
            return False
        if self.match is Match.PREFIX and not (_LITERAL.fullmatch(value) and sum(map(str.isalnum, value)) >= self.least):
            return False
        if self.choices and value not in self.choices:
            return False
        return all(pattern.fullmatch(value) for pattern in self.patterns)

    def check(self, value: str) -> str:
        """Return ``value`` as it is.

        Raises:
            ParameterInvalid: it cannot be one; the detail says what can, and never repeats it.
        """
        if not self.admits(value):
            raise ParameterInvalid(
                f"The value of '{self.name}' is not one: send {self.hint}, at most {self.max_length} characters.",
                parameter=self.name,
            )
        return value


def parameter(
    name: str,
    *,
    kind: str | None = None,
    pattern: str | None = None,
    max_length: int | None = None,
    choices: frozenset[str] = frozenset(),
    required: bool = False,
    integer: bool = False,
    in_path: bool = False,
    match: Match = Match.EXACT,
    least: int = LEAST,
) -> Parameter:
    """Make a parameter: its kind's pattern, and the route's own beside it.

    Without a kind, the route's own pattern stands alone; without either, a parameter in a path is letters, digits and
    hyphens, and any other is plain words.
    """
    longest, default, hint = _KINDS[kind] if kind is not None else _IN_PATH if in_path else _OTHER
    patterns = [re.compile(default)] if kind is not None or pattern is None else []
    if pattern is not None:
        patterns.append(re.compile(pattern))
        hint = f"{hint} of this route's form" if kind is not None else "a value of this route's form"
    if match is Match.PREFIX:
        hint = f"the beginning of it: {hint}, {least} of them at least"
    if choices:
        hint = f"one of {', '.join(sorted(choices))}"
    return Parameter(
        name=name,
        kind=kind,
        patterns=tuple(patterns),
        max_length=min(longest, max_length or LONGEST),
        hint=hint,
        choices=choices,
        required=required,
        integer=integer,
        match=match,
        least=least if match is Match.PREFIX else 0,
    )
