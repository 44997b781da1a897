"""Where a person works or goes to school: a place's name, its address, or both, in one spelling, and how alike two are.

Hundreds share one, so a site is no road to anybody by itself: it is evidence beside a name or a date of birth
(``evidence.py``).
``Lincoln Elementary School, 500 Oak St, Springfield`` is a name and an address; either may be missing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.registry import address, likeness, normalize
from proxy.registry.likeness import OTHER, PART, SAME
from proxy.registry.usps import DIRECTION_CODES, SUFFIX_CODES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.registry.address import Street

WORK: Final = "work"
SCHOOL: Final = "school"
SITES: Final = (WORK, SCHOOL)

MOST_WORDS: Final = 3
"""So many words of a place's name are looked up; the rest only compare."""

_STEP: Final = {
    "elem": "elementary", "es": "elementary", "primary": "elementary", "ms": "middle", "intermediate": "middle", "hs": "high",
    "univ": "university", "prek": "preschool", "nursery": "preschool",
}  # fmt: skip
_STEPS: Final = frozenset({*_STEP.values(), "kindergarten", "college"})
_SHORT: Final = {"saint": "st", "sainte": "ste", "mount": "mt", "fort": "ft", "dept": "department", "hosp": "hospital"}
_GENERIC: Final = frozenset(
    re.findall("[a-z]+", "the of and at for in school schools sch inc incorporated llc llp ltd co corp corporation company")
)
_PUBLIC_SCHOOL: Final = re.compile(r"\b(?:public school|p s)(?= [0-9])")


class Site(NamedTuple):
    """One place: ``words`` of its name without those that many share, ``step`` of a school, and its address as far as told."""

    kind: str
    words: tuple[str, ...]
    step: str
    number: str
    street: str
    city: str
    state: str

    @property
    def text(self) -> str:
        """Return what its frequency is counted by: its name, or its address where it has none."""
        return " ".join((*self.words, self.step)).strip() or f"{self.number} {self.street}"


def site_of(kind: str, text: str) -> Site | None:
    """Return a place in one spelling, or None when nothing of it can be read."""
    name, where = _divided(text)
    words, step = _name(name)
    if not words and not where.number:
        return None
    return Site(kind, words, step, where.number, where.core, where.city, where.state)


def level(mine: Site, theirs: Site) -> str:
    """Compare two places of one kind: by address where both have one, else by name."""
    if _other_town(mine, theirs):
        return OTHER
    if mine.number and (mine.number, mine.street) == (theirs.number, theirs.street):
        return SAME
    if not mine.words or not theirs.words or (mine.step and theirs.step and mine.step != theirs.step):
        return OTHER
    if mine.words == theirs.words:
        return SAME if mine.step == theirs.step else PART
    if set(mine.words) < set(theirs.words) or set(theirs.words) < set(mine.words):
        return PART
    return likeness.words(" ".join(mine.words), " ".join(theirs.words))


def at(number: str, street: str, city: str, state: str, theirs: Site) -> bool:
    """Tell whether an address is a place's."""
    here = bool(number) and number == theirs.number and likeness.words(street, theirs.street) is not OTHER
    return here and not _other(city, theirs.city) and not _other(state, theirs.state)


def _divided(text: str) -> tuple[str, Street]:
    """Split a text into a name and an address; a name may begin with a number, as 54th Street Academy does."""
    parts = [part for part in map(str.strip, text.split(",")) if not _GENERIC.issuperset(normalize.fold(part).split())]
    for place, part in enumerate(parts):
        where = address.address(", ".join(parts[place:])) if part[0].isdigit() else address.NOWHERE
        if where.number and (place or _is_street(where)):
            return " ".join(parts[:place]), where
    town = address.address(f"1 A ST, {', '.join(parts[1:])}") if len(parts) > 1 else address.NOWHERE
    return parts[0] if parts else "", town._replace(number="", core="")


def _is_street(where: Street) -> bool:
    words = where.core.split()
    return len(words) == 1 or words[-1] in SUFFIX_CODES or words[-1] in DIRECTION_CODES


def _name(text: str) -> tuple[tuple[str, ...], str]:
    said = _PUBLIC_SCHOOL.sub("ps", normalize.fold(text)).split()
    words = tuple(_SHORT.get(word, word) for word in _without_initials(said) if word not in _GENERIC)
    steps = [step for word in words if (step := _STEP.get(word, word)) in _STEPS]
    rest = tuple(word for word in words if _STEP.get(word, word) not in _STEPS)
    return (rest, steps[-1] if steps else "") if rest else (words, "")


def _without_initials(said: list[str]) -> Iterator[str]:
    """Yield words, single letters that stand together as one: ``p s`` and ``ps`` are the same."""
    run = ""
    for word in said:
        if len(word) == 1 and word.isalpha():
            run += word
            continue
        if run:
            yield run
            run = ""
        yield word
    if run:
        yield run


def _other_town(mine: Site, theirs: Site) -> bool:
    return _other(mine.city, theirs.city) or _other(mine.state, theirs.state)


def _other(one: str, other: str) -> bool:
    return bool(one and other) and one != other
