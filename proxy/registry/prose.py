"""What free text may say of whom: words that stand beside one another, and numbers in it. Pure; the index knows the people.

A name is two words: a given name, and a surname next to it or behind initials, particles, Jr. or one more word. One word alone
is nobody's. Nothing here decides that a person is meant, so what is read too much costs a look-up and no more: how much a name
in a text is worth is ``recognition.enough``'s.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from proxy.registry import normalize
from proxy.registry.normalize import GENERATIONS, PARTICLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_CHARACTERS: Final = 8192
"""Of a text in ``plain`` form; compatibility forms may have made it longer than it was."""

_POSSESSIVE: Final = re.compile("['\u2019]s\\b")
_DIGITS: Final = re.compile(r"[0-9(+][0-9()+./ -]{7,}")
_DATE: Final = re.compile(r"(?<![0-9])(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{4})(?![0-9])")
_MOST_DATES: Final = 32
_SSN: Final = re.compile(r"(?<![0-9])[0-9]{3}[-./ ]{0,3}[0-9]{2}[-./ ]{0,3}[0-9]{4}(?![0-9])")
_PHONE: Final = re.compile(r"(?<![0-9])(?:\+?1[-. ]{0,3})?\(?[0-9]{3}\)?[-./ ]{0,3}[0-9]{3}[-./ ]{0,3}[0-9]{4}(?![0-9])")
_LOCAL: Final = re.compile(r"[\w.+-]+\Z")
_HOST: Final = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_MOST_LOCAL: Final = 64
_BEGINNINGS: Final = PARTICLES | {"d", "mc", "mac"}
_PASSED: Final = _BEGINNINGS | GENERATIONS
_MOST_PASSED: Final = 4
_PLATE: Final = range(4, 9)
_JOINED: Final = 5


def plain(text: str) -> str:
    """Return a text with compatibility forms as ordinary ones and without what is not seen."""
    return normalize.seen(text)


def words(text: str) -> list[str]:
    """Return the folded words of a ``plain`` text, a possessive's ``'s`` taken off."""
    text = _POSSESSIVE.sub("", text.lower())
    if text.isascii():
        return text.translate(normalize.ASCII_NAME).split()
    size = normalize.MOST_CHARACTERS // 4  # a letter may become several
    return [
        word
        for part in text.split()
        for start in range(0, len(part), size)
        for word in normalize.fold(part[start : start + size]).split()
    ]


def surnames(said: Sequence[str], given: int) -> Iterator[str]:
    """Yield the words that may be the surname of the given name at ``given``."""
    last = len(said) - 1
    # Next to it, and forward behind a second name too: Jose Manuel de la Cruz.
    for step, start in ((1, given + 1), (-1, given - 1), (1, given + 2)):
        place = start
        if 0 <= place <= last:
            yield said[place]
        for _ in range(_MOST_PASSED):
            if not (0 <= place <= last and (len(said[place]) == 1 or said[place] in _PASSED)):
                break
            before, place = said[place], place + step
            if 0 <= place <= last:
                yield said[place]
                if step > 0 and before in _BEGINNINGS:
                    yield before + said[place]  # O Brien, Mc Donald


def dates(text: str) -> tuple[str, ...]:
    """Return whole dates, any of which may be a date of birth; only the first of very many."""
    return tuple(dict.fromkeys(_DATE.findall(text)))[:_MOST_DATES]


def numbers(text: str, said: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what may be an SSN, a phone, an e-mail or a plate, with its kind; ``said`` are the text's words."""
    start, at = 0, text.find("@")
    while at >= 0:
        local = _LOCAL.search(text[max(start, at - _MOST_LOCAL) : at])
        host = _HOST.match(text, at + 1) if local else None
        if local and host:
            yield "email", f"{local[0]}@{host[0]}"
        start, at = at + 1, text.find("@", at + 1)
    for run in _DIGITS.findall(text):
        yield from (("ssn", found) for found in _SSN.findall(run))
        yield from (("phone", found) for found in _PHONE.findall(run))
    for place, word in enumerate(said):
        if not word.isalpha():
            yield from (("plate", marks) for marks in _plates(said, place) if len(marks) in _PLATE and not marks.isdigit())


def _plates(said: Sequence[str], place: int) -> Iterator[str]:
    """Yield a word with a digit, by itself and with what stands before or behind it: EW-0001 and EW 0001 are two words."""
    word = said[place]
    yield word
    if place and len(said[place - 1]) < _JOINED:
        yield said[place - 1] + word
    if place + 1 < len(said) and len(said[place + 1]) < _JOINED:
        yield word + said[place + 1]
