"""How alike two values of one kind are: what the eye sees, in closed words from ``same`` to ``other``.

Pure comparisons of normal forms: one letter off, two exchanged, said the same, a short form, half of a hyphenated name, day and
month the other way round. What a word is worth as evidence is decided elsewhere (``evidence.py``).
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from jellyfish import metaphone
from nicknames import NickNamer
from rapidfuzz.distance import OSA, JaroWinkler

from proxy.registry.address import houses
from proxy.registry.normalize import PARTICLES
from proxy.registry.usps import UNIT_CODES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SAME: Final = "same"
NICKNAME: Final = "nickname"
PART: Final = "part"
SLIP: Final = "slip"
UNHEARD: Final = "unheard"
"""A slip that changes no sound."""
PHONETIC: Final = "phonetic"
SIMILAR: Final = "similar"
INITIAL: Final = "initial"
SWAPPED: Final = "swapped"
PARTIAL: Final = "partial"
OTHER: Final = "other"

LEAST_PART: Final = 4
_MONTHS: Final = 12
_DAYS: Final = 31
_NEAREST: Final = (UNHEARD, SLIP, PHONETIC, SIMILAR)
_SIMILAR: Final = 0.9
_SHORT: Final = 3
_FAR: Final = 0.6
"""Words of four letters and more that are less alike are neither a slip or three apart nor begin one another."""
_NO_CONSONANT: Final = "A"
_OPENING: Final = re.compile("^i(?=[aeou])")
_GLIDE: Final = re.compile("(?<=[b-df-hj-np-tv-xz])y(?=[aeou])")
_EASTERN: Final = re.compile("^ye(?=[bdfgklmnprstvz])")
_SERVANT: Final = re.compile(r"^abd[aeiou]+(?:l(?=[a-z])|([rsznd])(?=\1))")
"""Abd al-Rahman, Abdulrahman, Abdurrahman: the article is not heard."""
_MUHAMMAD: Final = "muhammad mohammed mohammad mohamed mohamad muhammed mohammod muhamad mahomed"
_ABBREVIATED: Final[Mapping[str, str]] = {
    "alexr": "alexander", "benj": "benjamin", "cath": "catherine", "chas": "charles", "danl": "daniel", "edw": "edward",
    "edwd": "edward", "eliz": "elizabeth", "fco": "francisco", "fredk": "frederick", "geo": "george", "gmo": "guillermo",
    "jas": "james", "jno": "john", "ma": "maria", "margt": "margaret", "md": _MUHAMMAD, "michl": "michael", "mohd": _MUHAMMAD,
    "nathl": "nathaniel", "patk": "patrick", "richd": "richard", "robt": "robert", "saml": "samuel", "thos": "thomas",
    "wm": "william",
    "graeme": "graham", "shaun": "sean", "shawn": "sean", "stewart": "stuart",
}  # fmt: skip
"""As clerks abbreviate given names, and what is said alike though no letter tells; the package knows what people are called."""
_DESIGNATED: Final = re.compile(f"(?:{'|'.join(UNIT_CODES)})(?=[0-9])")
_ONE_OF_MANY: Final = re.compile("^(?:LOT|TRLR|SPC|RM|SLIP|HNGR|DEPT)(?=[0-9])")
"""What people leave out, or take for one another, where all of a place are of a kind: lot 5, space 5, # 5."""
_BESIDE_UNIT: Final = re.compile("(?<=.)(?=BLDG|FL[0-9]|REAR|FRNT|BSMT|UPPR|LOWR)")
"""Where something begins that is told beside a unit's number, or left out."""
_NOT_DIGITS: Final = re.compile("[^0-9]+")


class Name(NamedTuple):
    """A person's name as folded tokens; either may be empty."""

    given: tuple[str, ...]
    surname: tuple[str, ...]


class Born(NamedTuple):
    """A date of birth; a part that is not known is 0."""

    year: int
    month: int = 0
    day: int = 0

    @property
    def whole(self) -> bool:
        """Tell whether every part is known."""
        return 0 not in self

    @property
    def impossible(self) -> bool:
        """Tell whether there is no such day in any year."""
        return self.month > _MONTHS or self.day > _DAYS

    @property
    def digits(self) -> str:
        """Return YYYYMMDD."""
        return f"{self.year:04}{self.month:02}{self.day:02}"

    def possible(self) -> set[Born]:
        """Return the days that one slip makes this of, where there is no such day: two digits exchanged, or one of the part."""
        said = self.digits
        forms = {f"{said[:at]}{said[at + 1]}{said[at]}{said[at + 2 :]}" for at in range(len(said) - 1)}
        wrong = (4, 5) if self.month > _MONTHS else (6, 7)
        forms.update(f"{said[:at]}{digit}{said[at + 1 :]}" for at in wrong for digit in "0123456789")
        read = (Born(int(form[:4]), int(form[4:6]), int(form[6:])) for form in forms)
        return {born for born in read if 0 < born.month <= _MONTHS and 0 < born.day <= _DAYS}


@cache
def _canonicals() -> Mapping[str, frozenset[str]]:
    known = {name: frozenset(formal) for name, formal in NickNamer().canonical_lookup.items()}
    more = {short: frozenset(names.split()) for short, names in _ABBREVIATED.items()}
    return known | {short: names | known.get(short, frozenset()) for short, names in more.items()}


def formal(name: str) -> frozenset[str]:
    """Return the names that a given name may be short for; nothing when it is a formal one itself."""
    return _canonicals().get(name, frozenset())


@lru_cache(maxsize=16384)
def sound(text: str) -> str:
    """Return how a name sounds (metaphone); a name without a consonant sounds like any other such.

    Passports have Iakov and Beliaeva where newspapers have Yakov and Belyaeva, and Ekaterina where they have Yekaterina.
    """
    if text.startswith("abd"):
        text = _SERVANT.sub("abd", text)
    elif text.startswith(("i", "y")):
        text = _EASTERN.sub("e", _OPENING.sub("y", text))
    return metaphone(_GLIDE.sub("i", text) if "y" in text else text) or _NO_CONSONANT


def given(mine: Sequence[str], theirs: Sequence[str]) -> str:
    """Compare given names: the first of either may be the other's second."""
    if mine[0] == theirs[0]:
        return SAME
    several = len(mine) + len(theirs) > 2
    if several and mine[0][0] == theirs[0][0] and "".join(mine) == "".join(theirs):
        return SAME
    best = _given(mine[0], theirs[0])
    if best is OTHER and several:
        for one in mine[:3]:
            if len(one) > 1 and one in theirs[:3]:
                return PART
        if 2 in {len(mine[0]), len(theirs[0])} and (_initials(mine, theirs) or _initials(theirs, mine)):
            return INITIAL
    if best is SIMILAR and several and sound("".join(mine)) == sound("".join(theirs)):
        return PHONETIC
    return best


def _initials(mine: Sequence[str], theirs: Sequence[str]) -> bool:
    """Tell whether a given name is the initials of the other's, as RJ of Robert James."""
    return len(mine[0]) == 2 and len(theirs) > 1 and mine[0] == theirs[0][0] + theirs[1][0]


def _given(one: str, other: str) -> str:
    if len(one) == 1 or len(other) == 1:
        return INITIAL if one[0] == other[0] else OTHER
    mine, theirs = formal(one), formal(other)
    if (mine or theirs) and (other in mine or one in theirs or not mine.isdisjoint(theirs)):
        return NICKNAME
    return _word(one, other)


def surname(mine: Sequence[str], theirs: Sequence[str]) -> str:
    """Compare surnames: one may be half of the other's, and a particle is no half."""
    several = len(mine) + len(theirs) > 2
    one, other = ("".join(mine), "".join(theirs)) if several else (mine[0], theirs[0])
    if one == other:
        return SAME
    if several:
        shared = any(word in theirs for word in mine if len(word) > 2 and word not in PARTICLES)
        if shared or _head(mine, theirs) or _head(theirs, mine):
            return PART
        halves = {_word(word, their) for word in mine for their in theirs if len(word) > 3 and len(their) > 3}
        halves.add(_word(one, other))
        best = next((level for level in _NEAREST if level in halves), OTHER)
        if best is not OTHER:
            return best
    if len(one) == 1 or len(other) == 1:
        return INITIAL if one[0] == other[0] else OTHER
    return _word(one, other)


def _head(mine: Sequence[str], theirs: Sequence[str]) -> bool:
    """Tell whether one is how the other begins, its particles joined: Delacruz, of De la Cruz Rodriguez."""
    said = "".join(mine)
    return said not in PARTICLES and any("".join(theirs[:end]) == said for end in range(2, len(theirs)))


def _word(one: str, other: str) -> str:
    if len(one) > _SHORT and len(other) > _SHORT and not JaroWinkler.similarity(one, other, score_cutoff=_FAR):
        return PHONETIC if sound(one) == sound(other) else OTHER
    shorter, longer = (one, other) if len(one) <= len(other) else (other, one)
    most = 1 if len(longer) < 6 else 2 if len(longer) < 9 else 3
    slips = OSA.distance(one, other, score_cutoff=most)
    if slips == 1 and len(longer) > 2:
        return UNHEARD if sound(one) == sound(other) else SLIP
    if sound(one) == sound(other) and (len(shorter) > 2 or one[0] == other[0]):
        return PHONETIC
    if slips <= most or (len(shorter) > 2 and longer.startswith(shorter)):
        return SIMILAR
    return SIMILAR if JaroWinkler.similarity(one, other) >= _SIMILAR else OTHER


def born(mine: Born, theirs: Born) -> str:
    """Compare dates of birth: a slip changes one digit, or exchanges two; ``partial`` agrees as far as it goes.

    A slip beside day and month exchanged, or another value of one part, are ``similar``: they speak neither for the person nor
    for a namesake.
    """
    if mine == theirs:
        return SAME if mine.whole else PARTIAL
    if 0 not in mine and 0 not in theirs:
        return _whole(mine, theirs)
    pairs = [(one, other) for one, other in zip(mine, theirs, strict=True) if one and other]
    if not pairs:
        return ""
    return PARTIAL if all(one == other for one, other in pairs) else OTHER


def _whole(mine: Born, theirs: Born) -> str:
    (my_year, my_month, my_day), (year, month, day) = mine, theirs
    if my_year == year and my_month == day and my_day == month:
        return SWAPPED
    same = (my_year == year) + (my_month == month) + (my_day == day)
    # One slip leaves at least one of the three parts as it was.
    if same and OSA.distance(mine.digits, theirs.digits, score_cutoff=1) <= 1:
        return SLIP
    if same == 2:
        return SIMILAR
    if not (my_year == year or my_month == day or my_day == month):
        return OTHER
    turned = Born(year, day, month).digits
    return SIMILAR if OSA.distance(mine.digits, turned, score_cutoff=1) <= 1 else OTHER


def marks(one: str, other: str) -> str:
    """Compare numbers that name one person or thing: the same, one slip away, or another."""
    if one == other:
        return SAME
    length, their = len(one), len(other)
    if (length < 6 and their < 6) or not -2 < length - their < 2:
        return OTHER
    return SLIP if OSA.distance(one, other, score_cutoff=1) <= 1 else OTHER


def house(one: str, other: str) -> str:
    """Compare house numbers: each may be one of those that the other spans."""
    if one == other:
        return SAME
    if "-" not in one and "-" not in other:
        return OTHER
    return OTHER if set(houses(one)).isdisjoint(houses(other)) else PART


def unit(one: str, other: str) -> str:
    """Compare units: one may leave out the building or the floor that the other tells. The next number is the neighbor's."""
    if one == other:
        return SAME
    mine, theirs = set(_BESIDE_UNIT.split(one)), set(_BESIDE_UNIT.split(other))
    if mine < theirs or theirs < mine:
        return PART
    said, their = ("".join(sorted(rest)) for rest in (mine - theirs, theirs - mine))
    if _ONE_OF_MANY.sub("", said) == _ONE_OF_MANY.sub("", their):
        return PART
    kind = _DESIGNATED.match(said)
    return marks(said[kind.end() :], their[kind.end() :]) if kind and their.startswith(kind[0]) else marks(said, their)


def part(mine: str, theirs: str) -> str:
    """Compare plates and VINs, of which only the beginning or the end may have been seen, or all but one."""
    short = len(theirs) - len(mine)
    if short > 0 and len(mine) >= LEAST_PART:
        if theirs.startswith(mine) or theirs.endswith(mine):
            return PARTIAL
        if short == 1 and any(theirs[:place] + theirs[place + 1 :] == mine for place in range(len(theirs))):
            return PARTIAL
    return marks(mine, theirs)


def words(one: str, other: str) -> str:
    """Compare streets, towns and places, whose spaces may be lost: the same, nearly, or others; 41st Street is not 42nd."""
    if one == other:
        return SAME
    tight, their = one.replace(" ", ""), other.replace(" ", "")
    if tight == their:
        return SAME
    if not (tight.isalpha() and their.isalpha()) and _NOT_DIGITS.sub("", tight) != _NOT_DIGITS.sub("", their):
        return OTHER
    longest = max(len(tight), len(their))
    most = 1 if longest < 6 else 2 if longest < 10 else 3
    if longest > 3 and OSA.distance(tight, their, score_cutoff=most) <= most:
        return SLIP
    return SIMILAR if longest > 3 and JaroWinkler.similarity(tight, their) >= _SIMILAR else OTHER
