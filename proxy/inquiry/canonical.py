"""One reading of a request: what is matched is what is forwarded.

A front that decodes, collapses or picks a value otherwise than the server behind it protects nothing: hidden paths were
reached through ``%2e%2e``, ``//``, ``;``, ``%252f`` and a second parameter of the same name. So the target is split first
and decoded once (RFC 3986 §2.4), whatever could be read in two ways is refused, and the upstream's target is built anew
from the decoded values and encoded once. Equal spellings that RFC 3986 §6.2.2 calls equivalent (``%41``, ``%c3`` and ``%C3``)
are settled, not refused.

Settled here, once: ``+`` in a query is a space, as forms have it, and a plus is ``%2B``; ``+`` in a path is a plus. Text is
put into NFC (Unicode §3.11), so that two spellings of a name are one; characters that nobody sees are refused.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final, NoReturn
from urllib.parse import quote, unquote_to_bytes

from proxy.inquiry.inquiry import ParameterDuplicate, RequestNotCanonical

MAX_TARGET: Final = 4096
MAX_SEGMENTS: Final = 32
MAX_PAIRS: Final = 32
MAX_TEXT: Final = 256

_PATH_CHARACTER: Final = r"[A-Za-z0-9._~!$'()*+,:@%-]"
_QUERY_CHARACTER: Final = r"[A-Za-z0-9._~!$'()*+,:@%/&=-]"
_TARGET: Final = re.compile(rf"((?:/{_PATH_CHARACTER}+)+|/)(?:\?({_QUERY_CHARACTER}+))?")
_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
# Dot, slash, backslash, percent, semicolon and controls have no innocent reason to come encoded in a path.
_PATH_ESCAPE: Final = re.compile(r"%(?:2[EeFf5]|3[Bb]|5[Cc]|[01][0-9A-Fa-f]|7[Ff])")
_DOTS: Final = frozenset({".", ".."})
_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f%\\]")
_UNSEEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"})
# Letters and marks by category, but with nothing to see (Unicode Default_Ignorable_Code_Point, and the blank Braille cell).
UNSEEN: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | frozenset(
    chr(point) for start, end in ((0xFE00, 0xFE10), (0xE0100, 0xE01F0)) for point in range(start, end)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A request target with one reading: decoded segments and decoded pairs, each key once."""

    segments: tuple[str, ...]
    query: dict[str, str]


def read_target(raw: str) -> Target:
    """Read an origin-form request target (RFC 9112 §3.2.1).

    Raises:
        RequestNotCanonical: it can be read in more than one way, or is too long.
        ParameterDuplicate: a key is there twice.
    """
    if len(raw) > MAX_TARGET:
        _refuse(f"The request target is longer than {MAX_TARGET} bytes.")
    found = _TARGET.fullmatch(raw)
    if found is None:
        _refuse(_why(raw))
    path, query = found.groups()
    if "%" in raw and _BROKEN_ESCAPE.search(raw):
        _refuse("A percent sign is not followed by two hexadecimal digits.")
    segments = () if path == "/" else tuple([_segment(piece) for piece in path[1:].split("/")])
    if len(segments) > MAX_SEGMENTS:
        _refuse(f"The path has more than {MAX_SEGMENTS} segments.")
    return Target(segments=segments, query=_query(query) if query is not None else {})


def encode(text: str) -> str:
    """Return ``text`` percent-encoded, only RFC 3986's unreserved characters as they are."""
    return text if text.isascii() and text.isalnum() else quote(text, safe="")


def text_of(text: str, what: str) -> str:
    """Return ``text`` in NFC.

    Raises:
        RequestNotCanonical: it holds what cannot be seen or can be read in two ways, or is too long. The detail says so of
            ``what`` and repeats nothing.
    """
    if len(text) > MAX_TEXT:
        _refuse(f"{what} is longer than {MAX_TEXT} characters.")
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
        if any(map(_unseen, text)):
            _refuse(f"{what} holds characters that cannot be seen; type it anew.")
    if _FORBIDDEN.search(text):
        _refuse(f"{what} holds a control character, a percent sign or a backslash; leave it out.")
    if text != text.strip(" "):
        _refuse(f"{what} begins or ends with a space; leave it out.")
    return text


def _unseen(character: str) -> bool:
    category = unicodedata.category(character)
    return category in _UNSEEN_CATEGORIES or character in UNSEEN or (category == "Zs" and character != " ")


def _segment(piece: str) -> str:
    if piece in _DOTS:
        _refuse("The path has a dot segment; send the path it leads to.")
    if "%" not in piece:
        return piece
    if _PATH_ESCAPE.search(piece):
        _refuse("The path has an encoded dot, slash, backslash, semicolon, percent sign or control character.")
    text = text_of(_decoded(piece, "The path"), "The path")
    # NFC makes a semicolon of the Greek question mark (U+037E), so a segment is checked as it will be read.
    if "/" in text or ";" in text or text in _DOTS:
        _refuse("The path can be read in two ways.")
    return text


def _query(raw: str) -> dict[str, str]:
    pieces = raw.split("&")
    if len(pieces) > MAX_PAIRS:
        _refuse(f"The query has more than {MAX_PAIRS} parameters.")
    pairs: dict[str, str] = {}
    for piece in pieces:
        key, equals, value = piece.partition("=")
        if not equals or "=" in value:
            _refuse("Each parameter is one name, one equals sign and one value (an equals sign in a value is sent as %3D).")
        if not _KEY.fullmatch(key):
            _refuse("The name of a parameter is empty, encoded or not plain; send it as the route lists it.")
        if not value:
            _refuse("A parameter has no value; leave it out.")
        if key in pairs:
            raise ParameterDuplicate("A parameter is there twice; send each one once.")
        pairs[key] = _value(value)
    return pairs


def _value(raw: str) -> str:
    if "%" in raw or "+" in raw:
        raw = _decoded(raw.replace("+", " "), "A parameter")
    return text_of(raw, "A parameter")


def _decoded(raw: str, what: str) -> str:
    try:
        return unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        _refuse(f"{what} is not UTF-8.")


def _why(raw: str) -> str:
    """Say why a target is no origin-form target, without repeating any of it."""
    if not raw.startswith("/"):
        return "The request target does not begin with a slash; send the path alone, and the host in its header."
    path, question, query = raw.partition("?")
    if not raw.isascii() or any(character <= " " or character == "\x7f" for character in raw):
        return "The request target holds characters that must be percent-encoded."
    if "//" in path or (len(path) > 1 and path.endswith("/")):
        return "The path has an empty segment."
    if question and not query:
        return "The query is empty; leave out the question mark."
    return "The request target holds a character that can be read in two ways, such as a semicolon or backslash."


def _refuse(detail: str) -> NoReturn:
    raise RequestNotCanonical(detail)
