"""Where look-alikes meet: blocking keys, as record linkage calls them (Christen, *Data Matching*, 2012, chapter 4).

Two sets of traits of one person have a key in common although a name is misspelt, a date slipped or a number was mistyped;
those of two persons seldom have. A key is made of words, which are numbers of texts under a secret. Where dozens are made of
the same few, as of a name with a date, each is a sum of words, every one multiplied by a number of its place (multilinear
hashing, Carter and Wegman 1979), so that all of them are one product of a vector with a matrix.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import numpy as np

from proxy.registry import address
from proxy.registry.likeness import LEAST_PART, formal, sound
from proxy.registry.normalize import PARTICLES
from proxy.registry.sites import MOST_WORDS
from proxy.registry.traits import name_of_street

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from proxy.registry.likeness import Born, Name
    from proxy.registry.traits import Spot, Traits

    Word = Callable[[str], int]
    Keys = NDArray[np.int64]
    Shape = tuple[bool, tuple[bool, bool], bool, bool]

BOTH: Final = (True, True)

_WHOLE_PLATE: Final = 7
_WHOLE_VIN: Final = 17
_VIN_TAIL: Final = 6
"""The serial number: what people read off a windshield."""
_INITIALS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0"
_NONE: Final[tuple[str, ...]] = ()
_NO_DATE: Final = ((0, 0, 0),)

_COLUMNS: Final = (
    "given", "given_1", "given_2", "first_1", "first_2", "first_ends",
    "surname", "surname_1", "surname_2", "last_1", "last_2", "last_ends",
    "low", "high", "year", "month", "day",
)  # fmt: skip
"""The words of a name: how each sounds and begins to sound, how it is spelt, and both sounds in the order of the alphabet."""
_PAIR_AND_DATE: Final = _COLUMNS[-5:]
_BEGUN: Final = ("begun {0}: given_{0} year month day", "begun {0}: surname_{0} year month day")
_BEGUN_TURNED: Final = ("begun {0}: given_{0} year day month", "begun {0}: surname_{0} year day month")
_SPELT: Final = (
    "spelt: first_2 year month day", "spelt: last_2 year month day",
    "ends: first_ends year month day", "ends: last_ends year month day",
    "initials: first_1 last_1 year month day",
)  # fmt: skip
_SPELT_EXCHANGED: Final = "initials: last_1 first_1 year month day"
_SPELT_TURNED: Final = tuple(row.replace("month day", "day month") for row in (*_SPELT, _SPELT_EXCHANGED))
_PAIR: Final = ("pair: low high",)
_PAIR_DATED: Final = ("pair year: low high year", "pair day: low high month day")
_DATED: Final = (
    "given day: given surname_2 month day",
    "given day ends: given last_ends month day",
    "surname year: surname given_1 year",
    "surname day: surname given_1 month day",
)
_DATED_ALONE: Final = ("given year: given surname_2 year", "given year ends: given last_ends year")
_HALF: Final = ("given: given last_2", "given: given last_ends", "surname: surname first_1")
_HALF_EXCHANGED: Final = ("given: surname first_2", "given: surname first_ends", "surname: given last_1")


def keys(traits: Traits, word: Word) -> list[int]:
    """Return where the look-alikes of an enrolled person are found, some of it twice; ``word`` makes numbers of texts."""
    return [key for apart in keys_apart(traits, word, word, enrolled=True) for found in apart for key in found.tolist()]


def keys_apart(
    traits: Traits, word: Word, usual: Word, *, enrolled: bool = False, halves: tuple[bool, bool] = BOTH
) -> tuple[list[Keys], list[Keys], list[Keys], list[Keys]]:
    """Return where look-alikes are found: by names with dates, by an SSN or a plate that slipped, by an address, by all else.

    ``usual`` does what ``word`` does for texts that come again, as names do and numbers do not. ``halves`` are whether to look
    where one name meets beside the beginning of the other, and where both are exchanged.
    """
    births = [born for born in traits.births if born.whole]
    if births and not enrolled:
        births += [reading for born in births if born.impossible for reading in born.possible()]
    # Who is told of by more than name and date is met by the rest, too, if both of these are wrong.
    widely = enrolled or not (traits.spots or traits.numbers)
    shape = widely, halves, bool(births), enrolled
    of_names: list[Keys] = []
    for name in traits.names:
        of_names += _name_keys(name, births, usual, shape)
        if name.surname and not name.given and traits.births and not enrolled:
            of_names.append(_surname_keys(sound("".join(name.surname)), traits.births, usual))
    of_spots = [text for spot in traits.spots for text in _spot_texts(spot, enrolled=enrolled)]
    others = _number_texts(traits.numbers, enrolled=enrolled)
    if traits.names or births:
        others += _site_texts(traits, births, enrolled=enrolled)
    return of_names, _slipped(traits.numbers, usual), _words(of_spots, word), _words(others, word)


def _words(texts: Sequence[str], word: Word) -> list[Keys]:
    return [np.fromiter(map(word, texts), np.int64, len(texts))] if texts else []


def _factor(kind: str, place: int) -> int:
    """Return the number by which the word at a place of a kind of key is multiplied: odd, so that no word is lost."""
    return int.from_bytes(blake2b(f"{kind} {place}".encode(), digest_size=8).digest(), "little", signed=True) | 1


def _product(rows: Iterable[str], columns: Sequence[str] = _COLUMNS) -> Keys:
    """Return the matrix that makes keys of a name's words: a column for each row ``kind: word word …``."""
    rows = tuple(rows)
    made = np.zeros((len(columns), len(rows)), np.int64)
    for at, row in enumerate(rows):
        kind, _, words = row.partition(": ")
        for place, column in enumerate(words.split()):
            made[columns.index(column), at] = _factor(kind, place)
    return made


def _undated(rows: Iterable[str]) -> list[str]:
    return [f"undated {row}" for row in rows]


@lru_cache(maxsize=64)
def _of_name(shape: Shape) -> Keys:
    """Return what makes the keys of a name in both parts.

    With a date of birth they meet on a part of the date, too, so that a common name does not meet all who bear it; those whose
    date is not known meet each other, and everybody.
    """
    widely, (straight, exchanged), dated, enrolled = shape
    half = [*(_HALF if straight else ()), *(_HALF_EXCHANGED if exchanged and not enrolled else ())]
    rows: list[str] = []
    if dated:
        rows += (row.format(length) for length in ((1, 2) if enrolled else (2,)) for row in _BEGUN)
        rows += () if enrolled else (row.format(2) for row in _BEGUN_TURNED)
        rows += _DATED
        if widely:
            rows += (*_DATED_ALONE, *_SPELT)
            rows += () if enrolled else (_SPELT_EXCHANGED, *_SPELT_TURNED)
    if enrolled or not dated:
        rows += half
    if enrolled is not dated:  # of those enrolled without a date, and those who are asked for with one
        rows += _undated(half)
    return _product((*rows, *_pair_rows(shape)))


@lru_cache(maxsize=64)
def _of_pair(shape: Shape) -> Keys:
    """Return what makes the keys of another pair of names that one may go by."""
    return _product(_pair_rows(shape), _PAIR_AND_DATE)


def _pair_rows(shape: Shape) -> list[str]:
    _, _, dated, enrolled = shape
    rows = [*(_PAIR_DATED if dated else ()), *(_PAIR if enrolled or not dated else ())]
    return [*rows, *(_undated(_PAIR) if enrolled is not dated else ())]


@lru_cache(maxsize=64)
def _of_one_name(shape: Shape) -> Keys:
    """Return what makes the keys of a date of birth with one name, which stands in the place of the given one."""
    widely, _, _, enrolled = shape
    begun = (_BEGUN[0], *(() if enrolled else _BEGUN_TURNED[:1]))
    return _product(row.format(length) for length in ((1, 2) if enrolled else (1,) if widely else (2,)) for row in begun)


def _name_keys(name: Name, births: Sequence[Born], word: Word, shape: Shape) -> list[Keys]:
    """Return where names meet: both as they sound, or one of them and how the other begins."""
    if not (name.given and name.surname):
        if not births or not (name.given or name.surname):
            return []
        said = sound(name.given[0] if name.given else "".join(name.surname))
        words = [0] * (len(_COLUMNS) - 3)
        words[1:3] = word(said[0]), word(said[:2])
        return [_with(words, births).dot(_of_one_name(shape)).ravel()]
    first, last = name.given[0], name.surname[-1]
    given, surname = sound(first), sound(last if len(name.surname) == 1 else "".join(name.surname))
    one, other = word(given), word(surname)
    words = [
        one, word(given[0]), word(given[:2]), word(first[0]), word(first[:2]), word(f"{first[0]}-{first[-1]}"),
        other, word(surname[0]), word(surname[:2]), word(last[0]), word(last[:2]), word(f"{last[0]}-{last[-1]}"),
        *((one, other) if given <= surname else (other, one)),
    ]  # fmt: skip
    found = [_with(words, births).dot(_of_name(shape)).ravel()]
    if others := _other_pairs(name, given, surname):
        pairs = [(word(low), word(high), *born) for low, high in others for born in births or _NO_DATE]
        found.append(np.array(pairs, np.int64).dot(_of_pair(shape)).ravel())
    return found


def _with(words: list[int], births: Sequence[Born]) -> Keys:
    """Return the words of a name beside each of the dates, or beside none."""
    if len(births) > 1:
        return np.array([[*words, *born] for born in births], np.int64)
    return np.array([*words, *births[0]] if births else [*words, 0, 0, 0], np.int64)


def _surname_keys(surname: str, births: Sequence[Born], word: Word) -> Keys:
    """Return where a surname meets beside a date that slipped or is told in part: any sound may begin the given name."""
    year_or_day = _product(_DATED[2:], ("surname", "given_1", "year", "month", "day"))
    found = []
    for initial in map(word, _INITIALS):
        for born in births:
            by_year, by_day = np.array((word(surname), initial, *born), np.int64).dot(year_or_day).tolist()
            found += [by_year] if born.year else []
            found += [by_day] if born.month and born.day else []
    return np.array(found, np.int64)


def _other_pairs(name: Name, given: str, surname: str) -> Sequence[tuple[str, str]]:
    """Return every other pair of a given name and a surname that one may go by, as they sound, in the order of the alphabet."""
    short = formal(name.given[0])
    if not short and len(name.given) == len(name.surname) == 1:
        return ()
    givens = [given, *map(sound, short)]
    if len(name.given) > 1 and len(name.given[1]) > 1:
        givens += (sound(name.given[1]), sound("".join(name.given)))
        if len(name.given) > 2:  # Nguyen Thi Hong Nhung is called by the last of them
            givens.append(sound(name.given[2]))
    surnames = [surname]
    if len(name.surname) > 1:
        surnames += (sound(word) for word in name.surname if word not in PARTICLES)
    pairs = dict.fromkeys([(one, other) if one <= other else (other, one) for other in surnames for one in givens])
    return list(pairs)[1:]  # the first is the pair itself


@lru_cache(maxsize=128)
def _of_slips(kind: str, length: int) -> Keys:
    """Return what makes the keys of a number of so many marks: as it is, and without any one of them.

    Of two numbers that are one slip apart, a mark lost or too many and two exchanged included, these have one in common.
    """
    made = np.zeros((length, length + 1), np.int64)
    for place in range(length):
        made[place, 0] = _factor(f"{kind} {length}", place)
        for without in range(length):
            if place != without:
                made[place, without + 1] = _factor(f"{kind} {length - 1}", place - (place > without))
    return made


def _slipped(numbers: Mapping[str, Sequence[str]], word: Word) -> list[Keys]:
    """Return where SSNs and plates meet although a mark of them slipped."""
    found = []
    for kind in ("ssn", "plate"):
        for number in numbers.get(kind, _NONE):
            if len(number) > LEAST_PART:
                marks = np.fromiter(map(word, number), np.int64, len(number))
                found.append(marks.dot(_of_slips(kind, len(number))))
    return found


def _number_texts(numbers: Mapping[str, Sequence[str]], *, enrolled: bool) -> list[str]:
    """Return what a slip, or a part that was not seen, leaves of other numbers as it was."""
    found: list[str] = []
    for plate in numbers.get("plate", _NONE):
        if enrolled or len(plate) < _WHOLE_PLATE:
            found += (f"plate {plate[:LEAST_PART]}", f"plate {plate[-LEAST_PART:]}")
    for vin in numbers.get("vin", _NONE):
        found += (f"vin {vin[-_VIN_TAIL:]}", f"vin {vin[:-_VIN_TAIL]}")
        found.append(f"vin {vin[: -_VIN_TAIL - 1]} {vin[1 - _VIN_TAIL :]}")
        if len(vin) == _WHOLE_VIN - 1 and not enrolled:
            found.append(f"vin {vin[: 1 - _VIN_TAIL]}")
    for number in numbers.get("license", _NONE):
        half = len(number) // 2
        found.append(f"license {number[: half - 1]} {number[half + 1 :]}")
        found += (f"license {number[:half]}", f"license {number[half:]}")
        if not enrolled:  # a number that lost a mark, or has one too many, has its halves elsewhere
            half = (len(number) - 1) // 2 if len(number) % 2 == 0 else half + 1
            found += (f"license {number[:half]}", f"license {number[half:]}")
    return found


def _spot_texts(spot: Spot, *, enrolled: bool) -> list[str]:
    found: list[str] = []
    city, code = f"city {spot.city[:3]}", f"code {spot.postal_code}"
    if spot.name:
        street = sound(spot.name.replace(" ", "")[:6])
        if spot.number:
            begins = spot.name[0]
            for number in address.houses(spot.number):
                found += (f"house {number} {street}", f"house {number} {begins} {code}", f"house {number} {begins} {city}")
        # With another number it is another house, but for a place with a name; one that lacks its number may be any.
        if enrolled or spot.place or not spot.number:
            found += (f"street {street} {city}", f"street {street} {code}")
        if not enrolled or not spot.number:
            found += (f"numberless {street} {city}", f"numberless {street} {code}")
    if spot.place:
        place = spot.place[:5]
        found += (f"place {place} {city}", f"place {place} {code}")
    return found


def _site_texts(traits: Traits, births: Sequence[Born], *, enrolled: bool) -> list[str]:
    """Return where people meet who share a place of work or a school: under it, by a name or a year of birth.

    An address that is asked for may be such a place's; by itself it meets nobody there.
    """
    found: list[str] = []
    at_home = [(spot.number, sound(spot.name[:6])) for spot in traits.spots if spot.number and spot.name]
    if not traits.sites and (enrolled or not at_home):
        return found
    who = {sound(name.given[0]) for name in traits.names if name.given}
    who.update(sound("".join(name.surname)) for name in traits.names if name.surname)
    if traits.sites:
        anchors = [sound(each) for site in traits.sites for each in site.words[:MOST_WORDS]]
        anchors += [f"{site.number} {sound(name_of_street(site.street)[:6])}" for site in traits.sites if site.number]
        short = (each for name in traits.names if name.given for each in formal(name.given[0]))
        marks = {*who, *map(sound, short), *(str(born.year) for born in births)}
        found += [f"site {anchor} {mark}" for anchor in anchors for mark in marks]
    if not enrolled:
        found += [f"site {number} {street} {mark}" for number, street in at_home for mark in who]
    return found
