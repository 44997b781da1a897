"""What a query circles around: the same for queries that differ by a slip, a letter more or the next house.

Read from the query alone, before anybody is recognized, so that it is the same around an ordinary person and a protected one.
Coarse on purpose: two people may share a neighborhood, and the budgets (``budgets.yaml``) leave room for that. A number is
halved: whoever tries one half digit by digit stays in the neighborhood of the other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from proxy.inquiry.parameter import Match
from proxy.registry import address, normalize
from proxy.registry.joint import parted
from proxy.registry.person import NORMAL_FORMS
from proxy.registry.traits import name_of_street

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from proxy.inquiry.inquiry import Inquiry

_SOUNDS: Final = str.maketrans("BFPVCGJKQSXZDTLMNRAEIOUYHW", "11112222222233455600000099")
_NOT_ALNUM: Final = re.compile(r"[^A-Z0-9]+")
_LOOKALIKES: Final = str.maketrans("IOQBSZ", "100852")
_HALVES: Final = {"plate": (0, 3, 3), "license": (0, 4, 3), "phone": (-7, -3, 3), "ssn": (0, 5, 4), "vin": (-8, -4, 4)}
"""Of each number where its first half begins and ends, and how long its last half is."""


def around(inquiry: Inquiry) -> frozenset[str]:
    """Return the neighborhoods of a query, one or several; none for a query by the number of a case."""
    # A plate may stand beside its state, and is recognized.
    whole = {kind: tuple(values) for kind, values in parted(inquiry.criteria).items()}
    begun: dict[str, tuple[str, ...]] = {}
    plain: list[str] = []
    for declared in (*inquiry.route.query.values(), *(inquiry.route.body or {}).values()):
        if declared.name not in inquiry.partial:
            continue
        if declared.match is Match.PREFIX and declared.kind is not None:
            begun[declared.kind] = (*begun.get(declared.kind, ()), inquiry.partial[declared.name])
        elif declared.kind is None:
            plain.append(inquiry.partial[declared.name])
    found = {*_persons(whole, begun), *_numbers(whole, begun)}
    # What has no kind says where or what only when nothing else does: the name of a street, not the color of a car.
    return frozenset(found or {place for text in plain for place in _streets(text)})


def _persons(whole: dict[str, tuple[str, ...]], begun: dict[str, tuple[str, ...]]) -> Iterator[str]:
    both = {kind: (*whole.get(kind, ()), *begun.get(kind, ())) for kind in {*whole, *begun}}
    surnames = both.get("surname", ())
    names = (*both.get("name", ()), *both.get("alias", ()))
    # Recognition finds a surname among others in any place, and so would who tries another one beside it each time.
    for text in (*surnames, *names):
        yield from (f"sound {sound(word)}" for word in normalize.fold(text).split() if len(word) > 1)
    for text in (*surnames, *map(_last, names)):
        yield from (f"letters {word[:2]}" for word in normalize.fold(text).split())
    for text in names:
        if len(words := normalize.fold(text).split()) > 2:
            yield f"letters {words[0][:2]}"
    if not (surnames or names):
        yield from (f"given {sound(name)}" for name in both.get("given_name", ()))
    for text in (*both.get("street", ()), *both.get("address", ())):
        yield from _streets(text)


def _numbers(whole: dict[str, tuple[str, ...]], begun: dict[str, tuple[str, ...]]) -> Iterator[str]:
    for kind, (start, end, last) in _HALVES.items():
        for text in whole.get(kind, ()):
            number = _number(kind, text)
            yield f"{kind} {number[start:end]}-"
            yield f"{kind} -{number[-last:]}"
        yield from (f"{kind} {_number(kind, text)[start:end]}-" for text in begun.get(kind, ()))
    yield from (f"email {normalize.fold(text.partition('@')[0])[:4]}" for text in whole.get("email", ()))
    # Numbers of records are often given out in their order: a hundred of them in a row is a street of its own.
    yield from (f"record {normalize.person_id(text)[:-2]}" for text in whole.get("person_id", ()))


def sound(name: str) -> str:
    """Return four characters that names of about the same sound share (Soundex, its first letter coded as well)."""
    coded: list[str] = []
    before = ""
    for letter in normalize.fold(name).upper():
        code = letter.translate(_SOUNDS)
        if code in "123456" and code != before:
            coded.append(code)
        # H and W do not part two letters of one sound, a vowel does.
        before = before if code == "9" else code
    return "".join(coded)[:4]


def _last(name: str) -> str:
    before, comma, _ = name.partition(",")
    words: Iterable[str] = normalize.fold(before if comma else name).split()
    return " ".join(words) if comma else next(reversed(list(words)), "")


def _streets(text: str) -> Iterator[str]:
    # A street without a house has no form as an address, and is the same street.
    core = address.street(text).core or address.street(f"1 {text}").core or normalize.fold(text)
    name = name_of_street(core).replace(" ", "")
    yield f"street {sound(name) or name}"
    yield f"street letters {name[:3]}"


def _number(kind: str, text: str) -> str:
    # As recognition reads it, so that a mark taken for another makes no other number of it.
    read = NORMAL_FORMS[kind][1](text) or text
    return _NOT_ALNUM.sub("", read.upper()).translate(_LOOKALIKES)
