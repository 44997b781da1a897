"""One column that holds several: ``QUIMBY, WALLACE & ELEANOR WHITCOMBE``, ``Quimby c/o Whitcombe``, ``Whitcombe Family Trust``.

Titles of vehicles and homes are held by couples, estates and trusts, and records write that into one name. Read as one
name it would be nobody's, so each part is a name too, with the surname that it shares with its neighbor. So it is with
several phones or e-mail addresses, and with a plate and its state. Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from proxy.registry.usps import STATE_CODES, STATES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_BETWEEN: Final = re.compile(
    r"[&/;|+]|\b(?:and|or|et\s+(?:al|ux|vir)|a\.?k\.?a|f\.?k\.?a|d\.?b\.?a|estate(?:\s+of)?"
    r"|(?:family\s+|living\s+|revocable\s+)*trust(?:ees?)?|llc|inc)\b\.?",
    re.IGNORECASE,
)
_HINTS: Final = re.compile(r"[&/;|+]| and | or | et |ka |k\.a|dba |d\.b\.a|estate| trust| llc| inc", re.IGNORECASE)
"""Tell quickly whether a text could name several; most name one."""
_HELD_IN: Final = ("name", "alias", "given_name")
_LISTED: Final = ("phone", "email")
_APART: Final = re.compile(r"[;,|/<>]|\bor\b")
_LEAST: Final = 2
_LEAST_PLATE: Final = 5
_STATES: Final = "|".join((*STATES, *sorted(STATE_CODES)))
_STATED: Final = re.compile(rf"\s*(?:(?:{_STATES})\b[\s/:-]+(.+)|(.+?)[\s/(-]+(?:{_STATES})[)\s]*)\Z", re.IGNORECASE)
"""A plate with the state that issued it."""


def parted(fields: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """Return the same fields with each name or number among several added to them."""
    held = [kind for kind in _HELD_IN if kind in fields]
    found = {kind: _all(kind, fields[kind]) for kind in held if any(map(_may_hold, fields[kind]))}
    for kind in _LISTED:
        if any(map(_APART.search, fields.get(kind, ()))):
            found[kind] = tuple(each for text in fields[kind] for each in (text, *map(str.strip, _APART.split(text))) if each)
    if plates := [text for text in fields.get("plate", ()) if not text.isalnum()]:
        found["plate"] = (*fields["plate"], *filter(None, map(_without_state, plates)))
    return {**fields, **found} if found else fields


def _without_state(plate: str) -> str:
    match = _STATED.match(plate)
    rest = (match[1] or match[2]) if match else ""
    return rest if sum(map(str.isalnum, rest)) >= _LEAST_PLATE else ""


def _may_hold(text: str) -> bool:
    return not text.isalpha() and _HINTS.search(text) is not None


def _all(kind: str, texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for text in texts for name in _names(kind, text)))


def _names(kind: str, text: str) -> Iterator[str]:
    yield text
    parts = [part for piece in _BETWEEN.split(text) if len(part := piece.strip(" ,.")) >= _LEAST]
    if kind == "given_name":
        yield from parts
        return
    whole = [part for part in parts if " " in part or "," in part]
    before = next((part.partition(",")[0] for part in parts if "," in part), "")
    for part in parts if whole else ():
        if part in whole:
            yield part
        if before and "," not in part:
            yield f"{before}, {part}"
        elif part not in whole:
            yield f"{part} {whole[-1].split()[-1]}"
