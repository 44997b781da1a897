"""The keys that a name is looked up by: the normal forms of its words, in an order of their own, so that any order finds it.

Whoever is enrolled has every key that somebody may ask by, so that the look-up itself stays short. Pure, and never raises: a
name that cannot be read has no key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.registry import normalize

if TYPE_CHECKING:
    from collections.abc import Sequence

NameKey = str
"""The tokens of a given name and a surname in sorted order, so that the order written does not matter."""


def parts_keys(given: str, surname: str) -> tuple[NameKey, ...]:
    """Return the keys to look a name by, from its parts: the first given name and all of them, with the surname."""
    first, last = normalize.fold(given).split(), normalize.surname_tokens(surname)
    if not first or not last:
        return ()
    if len(first) == 1:
        return (_key(first, last),)
    return (_key(first[:1], last), _key(first, last))


def text_keys(text: str) -> tuple[NameKey, ...]:
    """Return the keys to look a whole name by, written ``SURNAME, Given M`` or ``Given M Surname``."""
    before, comma, after = text[: normalize.MOST_CHARACTERS + 1].partition(",")
    if comma:
        given = normalize.given_behind(before, after)
        if given and len(text) <= normalize.MOST_CHARACTERS:
            return tuple(dict.fromkeys((*parts_keys(given[0], before), *parts_keys(" ".join(given), before))))
        text = before
    keys = [key for tokens in normalize.name_readings(text) if len(tokens) > 1 for key in _whole_keys(tokens)]
    return tuple(dict.fromkeys(keys))


def _whole_keys(tokens: tuple[str, ...]) -> list[NameKey]:
    long = [token for token in tokens if len(token) > 1]
    keys = [_key(tokens), _key([tokens[0], tokens[-1]])]
    if len(long) > 1:
        keys += [_key(long), _key([long[0], long[-1]])]
    if len(tokens) > 2:  # Mark D Angelo, Mary Ann Berg, Wang Xiao Ming: two words that others write as one
        keys += [_key([tokens[0], tokens[-2] + tokens[-1]]), _key([tokens[0] + tokens[1], tokens[-1]])]
    return keys


def enrolled_keys(given: str, middle: str, surname: str) -> tuple[NameKey, ...]:
    """Return every key under which an enrolled name is found, so that the look-up itself stays short."""
    first, second, last = normalize.fold(given).split(), normalize.fold(middle).split(), normalize.surname_tokens(surname)
    if not first or not last:
        return ()
    long = [token for token in second if len(token) > 1]
    names = [token for token in last if token not in normalize.PARTICLES] or last
    keys = [
        _key(first[:1], last), _key(first, last), _key(first, second, last), _key(first, long, last),
        _key(first[:1], names[:1]), _key(first[:1], names[-1:]),
    ]  # fmt: skip
    if len(last) > 1:  # the first of two surnames with its particles, and either as one word: Dela Cruz
        head = last[: last.index(names[0]) + 1]
        keys += [_key(first[:1], head), _key(first[:1], ["".join(head)]), _key(first[:1], ["".join(last)])]
    if len(first) > 1:
        keys.append(_key(["".join(first)], last))
    if len(first) > 2:  # Nguyen Thi Hong Nhung is called by the last of them
        keys.append(_key(first[-1:], last))
    return tuple(dict.fromkeys(keys))


def _key(*parts: Sequence[str]) -> NameKey:
    return " ".join(sorted(token for part in parts for token in part))
