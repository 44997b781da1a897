"""``Query-Purpose`` as text: an RFC 9651 dictionary of seven strings and a token, read once and in one way.

``http-sf`` parses; what it lets pass and we do not is found here: duplicate members (RFC 9651 keeps the last, so two readers
of one header could disagree), parameters, inner lists, unknown members, other types, invisible characters. Every mistake
carries the byte at which it stands.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

import http_sf

from proxy.document import suggest
from proxy.purpose.purpose import PurposeMalformed, PurposeMissing

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 4096
STATEMENT_CHARACTERS: Final = 1000
NAME_CHARACTERS: Final = 128
MEMBERS: Final = ("code", "case", "statement", "exigent", "requestor", "recipient", "location", "root")
CASE_PATTERN: Final = re.compile(r"[A-Z0-9](?:[A-Z0-9 ./:_#-]{0,62}[A-Z0-9])?\Z")
ROOT_PATTERN: Final = re.compile(r"[!-.0-~][!-~]{0,254}/(?:0|[1-9][0-9]{0,18})\Z")

# Outside of strings a comma in a valid dictionary always stands between two members; a display string holds no bare quote.
_MEMBER: Final = re.compile(rb'%"[^"]*"|"(?:[^"\\]|\\.)*"|(?:^|,)[ \t]*(?P<key>[a-z*][a-z0-9_.*-]*)')
_NUMBER_ALONE: Final = re.compile(rb'\s*"?[A-Za-z0-9][A-Za-z0-9./:_#-]*[0-9]"?\s*')
_EXAMPLE: Final = 'code=C, case="26-004217", statement="stopped for no plates, driver has no licence"'
# Control, bidirectional and invisible characters make a statement read otherwise in the log than it was written. The two
# joiners are letters' business in Persian and Hindi.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
_JOINERS: Final = frozenset("\u200c\u200d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What the header said, member by member; ``case`` is normalized. Nothing of it is verified yet."""

    code: str | None = None
    case: str | None = None
    statement: str | None = None
    exigent: str | None = None
    requestor: str | None = None
    recipient: str | None = None
    location: str | None = None
    root: str | None = None


class _Duplicate(Exception):  # noqa: N818 -- never leaves this file
    pass


def parse(header: str) -> Stated:
    """Return what a ``Query-Purpose`` field value says.

    Raises:
        PurposeMissing: it is empty.
        PurposeMalformed: it is not a dictionary of the known members; ``position`` is the byte offset.
    """
    data = _bytes(header)
    try:
        dictionary = http_sf.parse(data, tltype="dictionary", on_duplicate_key=_on_duplicate)
    except _Duplicate:
        _refuse_duplicate(data)
    except http_sf.StructuredFieldError as error:
        _refuse_syntax(data, error)
    except (ValueError, ArithmeticError) as error:
        # A number or date beyond what Python holds; no member of ours is either.
        raise PurposeMalformed(f"Query-Purpose holds a value of no known type. Send: {_EXAMPLE}.", position=0) from error
    assert isinstance(dictionary, dict)
    if not dictionary:
        raise PurposeMissing(f"Query-Purpose is empty. Send: {_EXAMPLE}.")
    values = {}
    for name, member in dictionary.items():
        if name not in MEMBERS:
            hint = suggest(name, MEMBERS) or f"the members are {', '.join(MEMBERS)}"
            _refuse(data, name, f"Query-Purpose has no member of that name: {hint}.")
        values[name] = _value(data, name, member)
    return Stated(**values)


def normal_case(number: str) -> str:
    """Return a case number in the form by which it is compared: trimmed, single spaces, upper case."""
    return " ".join(number.split()).upper()


def _bytes(header: str) -> bytes:
    if len(header) > MAX_BYTES:
        raise PurposeMalformed(f"Query-Purpose is larger than {MAX_BYTES} bytes.", position=MAX_BYTES)
    try:
        return header.encode("ascii")
    except UnicodeEncodeError as error:
        detail = 'Query-Purpose holds a byte outside ASCII. Write such text as a display string: statement=%"caf%c3%a9".'
        raise PurposeMalformed(detail, position=error.start) from None


def _value(data: bytes, name: str, member: object) -> str:
    if not isinstance(member, tuple) or isinstance(member[0], list):
        _refuse(data, name, f"{name} is a list in parentheses; send one value.")
    value, parameters = member
    if parameters:
        _refuse(data, name, f"{name} has parameters (;…), which mean nothing here; leave them out.")
    if name == "code":
        if not isinstance(value, http_sf.Token):
            _refuse(data, name, "code is a bare word, without quotes: code=C.")
        return str(value)
    if not isinstance(value, (str, http_sf.DisplayString)):
        _refuse(data, name, f'{name} is text in double quotes: {name}="…".')
    return _case(data, str(value)) if name == "case" else _text(data, name, str(value))


def _text(data: bytes, name: str, text: str) -> str:
    if name == "root" and not ROOT_PATTERN.match(text):
        _refuse(data, name, "root is the Audit-Entry of the query that caused this one: <origin>/<index>.")
    wrong = _unsayable(name, text)
    if wrong is not None:
        _refuse(data, name, wrong)
    return text.strip()


def spoken(name: str, text: str) -> str:
    """Return a member's text that came otherwise than in the header, by the header's rules.

    Raises:
        PurposeMalformed: it is too long, empty, or holds what cannot be seen.
    """
    wrong = _unsayable(name, text)
    if wrong is not None:
        raise PurposeMalformed(wrong, position=0)
    return text.strip()


def _unsayable(name: str, text: str) -> str | None:
    most = STATEMENT_CHARACTERS if name in {"statement", "exigent"} else NAME_CHARACTERS
    if len(text) > most:
        return f"{name} is longer than {most} characters."
    if not text.isprintable() and any(_invisible(character) for character in text):
        return f"{name} holds a character that cannot be seen or printed."
    return None if text.strip() else f"{name} is empty; leave it out or fill it in."


def _case(data: bytes, text: str) -> str:
    number = normal_case(text)
    if not CASE_PATTERN.match(number):
        _refuse(data, "case", 'case is one reference number of letters, digits and - / . : _ #: case="26-004217".')
    return number


def _invisible(character: str) -> bool:
    return character not in _JOINERS and unicodedata.category(character) in _INVISIBLE


def _on_duplicate(_key: str, _what: str) -> NoReturn:
    raise _Duplicate


def _refuse(data: bytes, name: str, detail: str) -> NoReturn:
    position = next((position for key, position in _members(data) if key == name), 0)
    raise PurposeMalformed(f"{detail} (byte {position})", position=position)


def _refuse_duplicate(data: bytes) -> NoReturn:
    # The parser stopped at the first duplicate, so what follows may be no dictionary: only this member's place is sure.
    seen: set[str] = set()
    for key, position in _members(data):
        if key in seen:
            raise PurposeMalformed(f"Query-Purpose says {key} twice; say it once. (byte {position})", position=position)
        seen.add(key)
    raise PurposeMalformed("Query-Purpose has a parameter twice; leave parameters out. (byte 0)", position=0)


def _refuse_syntax(data: bytes, error: http_sf.StructuredFieldError) -> NoReturn:
    position = min(error.position or 0, len(data))
    said = str(error.args[0]) if error.args else "not readable"
    name = error.context if error.context in MEMBERS else None
    hint = f"Send: {_EXAMPLE}."
    if "percent encoding" in said.lower():
        hint = 'Percent signs of a display string are followed by two digits or small letters: statement=%"caf%c3%a9".'
    elif _NUMBER_ALONE.fullmatch(data):
        hint = 'The number of a call to which you are dispatched is enough, sent so: case="CAD-26-118842".'
    elif name is not None and name != "code":
        hint = f'Put the value of {name} in double quotes: {name}="…".'
    elif re.search(rb"\bcase=[0-9]", data):
        hint = 'Put the case number in double quotes: case="26-004217".'
    raise PurposeMalformed(f"Query-Purpose is not readable at byte {position}: {said}. {hint}", position=position)


def _members(data: bytes) -> Iterator[tuple[str, int]]:
    """Yield the members' names with their places, in a dictionary that parses."""
    for found in _MEMBER.finditer(data):
        if found["key"] is not None:
            yield found["key"].decode(), found.start("key")
