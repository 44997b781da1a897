"""Home addresses in one spelling: number, street core, unit and locality, by the closed lists of USPS Publication 28.

What matters is that every spelling of an address comes to the same form, not that the form is what the post office prints:
every street word that has an abbreviation is abbreviated, wherever it stands. An address without a house number names a
street, not a home, and has no form.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final, NamedTuple

from rapidfuzz.distance import OSA

from proxy.registry import normalize, roads
from proxy.registry.usps import (
    DIRECTIONS,
    ORDINALS,
    PLAIN_UNITS,
    SLIPPED_ORDINALS,
    SLIPPED_SUFFIXES,
    STATE_CODES,
    STATES,
    SUFFIXES,
    TENS,
    UNITS,
    WORD_UNITS,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_TOKEN: Final = re.compile(r"[A-Z0-9]+(?:[-/][A-Z0-9]+)*|[#,]")
_NUMBER: Final = re.compile(r"[0-9]+[A-Z]?(?:[-/][0-9A-Z]+)?\Z|[NSEW][0-9]+[NSEW][0-9]+\Z")
_ORDINAL: Final = re.compile(r"([0-9]+)(?:ST|ND|RD|TH)\Z")
_FLOOR: Final = re.compile(r"([0-9]+)(?:ST|ND|RD|TH)?\Z")
_LEAD_IN: Final = frozenset({"#", "NO", "NR", "NUMBER", "HOUSE", "AT", "ON", "NEAR", "OF"})
_IN_CARE_OF: Final = frozenset({"C/O", "ATTN", "ATTENTION"})
_KING: Final = re.compile(r"\b(?:(?:DR|DOCTOR) )?(?:(?:MARTIN L(?:UTHER)?|M L|ML) KING|MLK|M L K)(?: (?:JR|JUNIOR))?\b")
_GRID: Final = re.compile(r"([NSEW]) ?([0-9]+)[ -]?([NSEW]) ?([0-9]+) ")
"""A house number of Wisconsin's grid: N6W23001."""
_HALF: Final = re.compile(r"([0-9]+)-([1-9]/[1-9])\Z")
_SPAN: Final = re.compile(r"([0-9]+)-([0-9]+)\Z")
_MOST_SPANNED: Final = 20
_VULGAR: Final = re.compile("[¼½¾⅓⅔⅛⅜⅝⅞]")
_ONE_TO_TWENTY: Final = """
ONE TWO THREE FOUR FIVE SIX SEVEN EIGHT NINE TEN
ELEVEN TWELVE THIRTEEN FOURTEEN FIFTEEN SIXTEEN SEVENTEEN EIGHTEEN NINETEEN TWENTY
"""
_CARDINALS: Final = {word: str(number) for number, word in enumerate(_ONE_TO_TWENTY.split(), start=1)}
_LEAST_SPELT: Final = 3
_UNIT_FIRST: Final = re.compile(r"([0-9]*[A-Z][0-9]*|[0-9]+(?=/))[-/]([0-9]+)\Z")
_UNIT_BEHIND: Final = re.compile(r"([0-9]+)-([0-9]+[A-Z]|[A-Z][0-9]+)\Z")
_FRACTION: Final = re.compile(r"[0-9]/[0-9]\Z")
_ZIP: Final = re.compile(r"[0-9]{5}(?:-?[0-9]{4})?\Z")
_DIGIT: Final = re.compile(r"[0-9]")
_NUMBERED_ROADS: Final = frozenset({"HWY", "RTE", "FWY", "EXPY"})
_NUMBERED_BEFORE_ROAD: Final = frozenset({"COUNTY", "STATE", "TOWNSHIP", "FARM", "RANCH", "CO", "US", "FM", "RNCH", "TWP"})
_COUNTRY: Final = frozenset({("USA",), ("US",), ("UNITED", "STATES"), ("UNITED", "STATES", "OF", "AMERICA")})
_NO_UNIT: Final = frozenset({"NA", "NONE", "NULL", "UNKNOWN", "0"})
_MOST_TOKENS: Final = 40
_APARTMENT: Final = "APARTMENT"
_LEAST_SLIPPED: Final = len(_APARTMENT) - 1
_MOST_SLIPPED: Final = len(_APARTMENT) + 1
_MAY_DESIGNATE: Final = frozenset({"#", *UNITS, *WORD_UNITS})
_HOUSE: Final = re.compile("([1-9][0-9]{0,5}) (?=[A-Za-z])")


class Street(NamedTuple):
    """A street line or a whole address; ``number`` is empty when it names no home, ``unit`` when it names none."""

    number: str
    core: str
    unit: str
    city: str = ""
    state: str = ""
    postal_code: str = ""

    @property
    def building(self) -> str:
        """Return ``number|core``: what every unit of the building has in common."""
        return f"{self.number}|{self.core}"


NOWHERE: Final = Street("", "", "")


def street(text: str) -> Street:
    """Return the normal form of a street line; what follows a comma is read as unit, city, state and ZIP code."""
    return _parse(text, whole=False)


def address(text: str) -> Street:
    """Return the normal form of a whole address in free text, with or without commas."""
    return _parse(text, whole=True)


def by_street(read: Callable[[str], Street]) -> Callable[[str], Street]:
    """Return ``street`` where ``read`` is ``street`` that remembers: streets come again and again, their houses do not."""

    def of_house(text: str) -> Street:
        house = _HOUSE.match(text) if len(text) <= normalize.MOST_CHARACTERS else None
        if house is None:
            return read(text)
        found = read(f"1 {text[house.end() :]}")
        return found._replace(number=house[1]) if found.number == "1" else read(text)

    return of_house


def loose(text: str) -> Street:
    """Return what there is of an address without a house number; for comparing, not for looking up."""
    tokens = [word for word in _tokens(text) if word != ","]
    if not tokens:
        return NOWHERE
    rest, state, postal_code = _cut(tokens) if len(tokens) > 3 else (tokens, "", "")
    return Street("", _core([word for word in rest if word != "#"]), "", "", state, postal_code)


def unit_or_place(text: str) -> tuple[str, str]:
    """Return what a unit's field holds: a unit's number or letter, or a place's name (``Brentwood Village``)."""
    tokens = [word for word in _tokens(text) if word != ","]
    if not tokens:
        return "", ""
    designated = any(word in _MAY_DESIGNATE or len(word) < 3 or _DIGIT.search(word) for word in tokens)
    return (_unit(tokens), "") if designated else ("", " ".join(tokens))


def unit(text: str) -> str:
    """Return a unit in one spelling: ``Apt. 3-B``, ``#3B`` and ``3 b`` are ``3B``; floors and buildings say so."""
    tokens = _tokens(text)
    return _unit([word for word in tokens if word != ","]) if tokens else ""


def houses(number: str) -> tuple[str, ...]:
    """Return every number that a house number may be written as: 15-17 is 15 and 17, or the 1517 of Queens; most are one."""
    span = _SPAN.match(number) if "-" in number else None
    if not span:
        return (number,)
    first, last = int(span[1]), int(span[2])
    ends = (str(first), str(last)) if first < last <= first + _MOST_SPANNED else ()
    return (number, span[1] + span[2], *ends)


def _tokens(text: str) -> list[str]:
    if len(text) > normalize.MOST_CHARACTERS:
        return []
    if not text.isascii():
        text = _VULGAR.sub(lambda sign: f" {unicodedata.normalize('NFKC', sign[0])}".replace("\u2044", "/"), text)
        decomposed = unicodedata.normalize("NFKD", text)
        dashed = ("-" if unicodedata.category(letter) == "Pd" else letter for letter in decomposed)
        kept = "".join(letter for letter in dashed if unicodedata.category(letter) not in {"Mn", "Cf"})
        text = normalize.seen_as_latin(kept)
    found = _TOKEN.findall(text.upper().replace("'", "").replace("\n", ","))[:_MOST_TOKENS]
    return [_APARTMENT if _misspells(word) else word for word in found]


def _misspells(word: str) -> bool:
    """Tell whether a word is "apartment" with a slip of the pen: the one designator that is long enough for many."""
    if not _LEAST_SLIPPED <= len(word) <= _MOST_SLIPPED or (word[0] != "A" and word[-1] != "T"):
        return False
    return OSA.distance(word, _APARTMENT, score_cutoff=1) == 1


def _parse(text: str, *, whole: bool) -> Street:
    tokens = _tokens(text)
    if "," not in tokens:
        return _line(tokens, whole=whole)
    segments: list[list[str]] = [[]]
    for word in tokens:
        if word == ",":
            segments.append([])
        else:
            segments[-1].append(word)
    segments = _with_number([segment for segment in segments if segment])
    for position, segment in enumerate(segments):
        found = _line(segment, whole=whole and len(segments) == 1)
        if found.number:
            return _with_tail(found, segments[:position], segments[position + 1 :])
    return NOWHERE


def _with_number(segments: list[list[str]]) -> list[list[str]]:
    """Join a house number that a comma parts from its street, and a box from its route."""
    for position, segment in enumerate(segments[:-1]):
        if (len(segment) == 1 and segment[0].isdigit()) or roads.is_route(segment):
            return [*segments[:position], segment + segments[position + 1], *segments[position + 2 :]]
    return segments


def _with_tail(found: Street, before: list[list[str]], after: list[list[str]]) -> Street:
    """Add what stands in other segments than the street's: the unit, then city, state and ZIP code."""
    values = found._asdict()
    for segment in before:
        if segment[0] in UNITS or segment[0] == "#":
            values["unit"] = values["unit"] or _unit(segment)
    for segment in after:
        if tuple(segment) in _COUNTRY:
            continue
        if not values["city"] and _is_unit(segment):
            values["unit"] = values["unit"] or _unit(segment)
            continue
        rest, state, postal_code = _locality(segment)
        values["state"] = values["state"] or state
        values["postal_code"] = values["postal_code"] or postal_code
        if rest and not values["city"]:
            values["city"] = normalize.city(" ".join(rest))
    return Street(**values)


def _is_unit(segment: list[str]) -> bool:
    if segment[0] == "#" or segment[0] in WORD_UNITS:
        return True
    if segment[0] in UNITS:
        return len(segment) > 1
    if len(segment) == 2 and _ORDINAL.match(segment[0]) and UNITS.get(segment[1]) == "FL":
        return True
    return len(segment) == 1 and len(segment[0]) < 5 and _DIGIT.search(segment[0]) is not None


def _locality(tokens: list[str]) -> tuple[list[str], str, str]:
    """Split ``Kansas City MO 64106`` into city tokens, state and ZIP code."""
    postal_code = state = ""
    if tokens and _ZIP.match(tokens[-1]):
        postal_code, tokens = tokens[-1][:5], tokens[:-1]
    for count in (3, 2, 1):
        name = " ".join(tokens[-count:])
        if len(tokens) >= count and (name in STATES or (count == 1 and name in STATE_CODES)):
            # "Kansas" alone after a comma is the state; "New York NY" ends in its code and keeps its city.
            return tokens[:-count], STATES.get(name, name), postal_code
    return tokens, state, postal_code


def _line(tokens: list[str], *, whole: bool) -> Street:
    unit_before = ""
    if len(tokens) > 2 and (tokens[0] in UNITS or tokens[0] in PLAIN_UNITS) and _NUMBER.match(tokens[2]):
        unit_before, tokens = _unit(tokens[:2]), tokens[2:]
    city: list[str] = []
    state = postal_code = ""
    if (whole or _ends_in_code(tokens)) and len(tokens) > 3:
        tokens, state, postal_code = _cut(tokens)
    unit_before, tokens = _led_in(unit_before, tokens)
    number, rest = _number(tokens)
    if not number or not rest:
        return NOWHERE
    street_words, unit_words, city = _split(rest, cut=bool(state or postal_code))
    core = _core(street_words)
    if not core:
        return NOWHERE
    return Street(number, core, _unit(unit_words) or unit_before, normalize.city(" ".join(city)), state, postal_code)


def _ends_in_code(tokens: list[str]) -> bool:
    """Tell whether a street line is a whole address: it ends in a state and its ZIP code."""
    return len(tokens) > 1 and tokens[-2] in STATE_CODES and _ZIP.match(tokens[-1]) is not None


def _led_in(unit_before: str, tokens: list[str]) -> tuple[str, list[str]]:
    """Take off what stands at a house number: ``No. 17``, ``at 17``, ``c/o Doe 17``, a unit (``4B/17``, ``17-4B``)."""
    if tokens and tokens[0] in _IN_CARE_OF:
        tokens = next((tokens[at:] for at, word in enumerate(tokens) if word[0].isdigit()), tokens)
    if len(tokens) > 2 and tokens[0] in _LEAD_IN and _NUMBER.match(tokens[1]):
        return unit_before, tokens[1:]
    if tokens and (parted := _UNIT_FIRST.match(tokens[0])):
        return unit_before or _unit([parted[1]]), [parted[2], *tokens[1:]]
    if tokens and (parted := _UNIT_BEHIND.match(tokens[0])):
        return unit_before or _unit([parted[2]]), [parted[1], *tokens[1:]]
    return unit_before, tokens


def _cut(tokens: list[str]) -> tuple[list[str], str, str]:
    """Cut state and ZIP code off a whole address without commas, unless the state is a suffix (12 Elm CT) that we need."""
    rest, state, postal_code = _locality(tokens)
    suffix = state in SUFFIXES and tokens[len(rest)] == state
    if suffix and not (postal_code and any(word in SUFFIXES for word in rest[2:])):
        return [*rest, state], "", postal_code
    return rest, state, postal_code


def _number(tokens: list[str]) -> tuple[str, list[str]]:
    """Split off the house number; a post-office box or a rural route's box is one too."""
    if not tokens:
        return "", []
    if not tokens[0][0].isdigit() and (box := roads.box(tokens)):
        return box.number, [*box.core, *box.rest]
    if tokens[0][0] in "NSEW" and (grid := _GRID.match(said := " ".join(tokens))):
        return "".join(grid.groups()), said[grid.end() :].split()
    if half := _HALF.match(tokens[0]):  # 17-1/2
        tokens = [*half.groups(), *tokens[1:]]
    elif tokens[0] in _CARDINALS and len(tokens) >= _LEAST_SPELT and any(word in SUFFIXES for word in tokens[2:]):
        tokens = [_CARDINALS[tokens[0]], *tokens[1:]]
    if not _NUMBER.match(tokens[0]) or _ORDINAL.match(tokens[0]):
        return "", []
    number, rest = tokens[0].lstrip("0") or "0", tokens[1:]
    if rest and _FRACTION.match(rest[0]):
        number, rest = f"{number} {rest[0]}", rest[1:]
    return number, roads.numbered(rest)


def _split(tokens: list[str], *, cut: bool) -> tuple[list[str], list[str], list[str]]:
    """Split what follows the number into street, unit and, when a state or ZIP code was cut off behind it, city."""
    for index, word in enumerate(tokens):
        if index and (word in _MAY_DESIGNATE or word in ORDINALS or word[0].isdigit()) and _designates(tokens, index):
            end = _unit_end(tokens, index) if cut else len(tokens)
            return tokens[:index], tokens[index:end], tokens[end:]
    end = _street_end(tokens)
    if end and end < len(tokens):
        if not cut and roads.boxed(tokens):
            return tokens[:end], [], []  # the road that the route runs along
        if _DIGIT.search(tokens[end]) or len(tokens[end]) == 1:
            stop = end + 1 if cut else len(tokens)
            return tokens[:end], tokens[end:stop], tokens[stop:]
        if cut:
            return tokens[:end], [], tokens[end:]
    return tokens, [], []


def _designates(tokens: list[str], index: int) -> bool:
    """Tell whether a word that may be a street's name ("Front", "Lot") designates a unit here."""
    token = tokens[index]
    if token == "#":  # noqa: S105 -- a number sign
        return True
    if token in UNITS:
        if index + 1 < len(tokens):
            following = tokens[index + 1]
            return len(following) < 3 or _DIGIT.search(following) is not None
        return UNITS[token] == "FL" and _ORDINAL.match(tokens[index - 1]) is not None
    if token in WORD_UNITS:
        last = index == len(tokens) - 1 or tokens[index + 1] in _MAY_DESIGNATE
        return last and (tokens[index - 1] in SUFFIXES or tokens[index - 1] in DIRECTIONS)
    ordinal = token in ORDINALS or _ORDINAL.match(token) is not None
    return ordinal and index + 1 < len(tokens) and UNITS.get(tokens[index + 1]) == "FL"


def _unit_end(tokens: list[str], index: int) -> int:
    end = index + 1 if tokens[index] in WORD_UNITS else index + 2
    while end < len(tokens) and (_DIGIT.search(tokens[end]) or len(tokens[end]) == 1):
        end += 1
    return end


def _street_end(tokens: list[str]) -> int:
    """Return where the street's words end: behind the first run of suffixes and directionals that follows its name."""
    if boxed := roads.boxed(tokens):
        return boxed
    for index, word in enumerate(tokens):
        short = SUFFIXES.get(word)
        if short is None:
            continue
        named = short in _NUMBERED_ROADS or (short == "RD" and index > 0 and tokens[index - 1] in _NUMBERED_BEFORE_ROAD)
        numbered = named and index + 1 < len(tokens) and tokens[index + 1][0].isdigit()
        if not (index or numbered):
            continue
        if named and not numbered:
            return len(tokens)
        end = index + 1 + numbered
        while end < len(tokens) and (tokens[end] in DIRECTIONS or (tokens[end] in SUFFIXES and not numbered)):
            end += 1
        return end
    return 0


def _core(tokens: list[str]) -> str:
    words: list[str] = []
    for token in tokens:
        for part in re.split("[-/]", token) if "-" in token or "/" in token else (token,):
            ordinal = _ORDINAL.match(part) if part[0].isdigit() else None
            word = ordinal[1] if ordinal else DIRECTIONS.get(part) or SUFFIXES.get(part) or _ordinal_of(part)
            if word in {"E", "W"} and words and words[-1] in {"N", "S"}:
                words[-1] += word
            elif words and words[-1] in TENS and word != part and len(word) == 1 and word.isdigit():
                words[-1] = TENS[words[-1]] + word  # Twenty-Third
            else:
                words.append(word)
    if len(words) > 1 and (suffix := SLIPPED_SUFFIXES.get(words[-1])):
        words[-1] = suffix
    core = " ".join(words)
    return _KING.sub("MARTIN LUTHER KING", core) if "KING" in words or "MLK" in words or "K" in words else core


def _ordinal_of(word: str) -> str:
    return ORDINALS.get(word) or SLIPPED_ORDINALS.get(word, word)


def _unit(tokens: list[str]) -> str:
    if not tokens:
        return ""
    parts: list[tuple[str, str]] = [("", "")]
    for token in tokens:
        standard = UNITS.get(token, token)
        prefix, said = parts[-1]
        if standard in PLAIN_UNITS:
            parts.append(("", ""))
        elif standard == "FL" and not prefix and (floor := _FLOOR.match(ORDINALS.get(said, said))):
            parts[-1:] = [("FL", floor[1]), ("", "")]
        elif token in UNITS:
            parts.append((standard, ""))
        else:
            parts[-1] = (prefix, said + re.sub("[-/]", "", WORD_UNITS.get(token, token)))
    # The unit's own number first: what of a building stands behind it can be told from it (``likeness.unit``).
    joined = "".join(_numbered(prefix, said) for prefix, said in sorted(parts) if said)
    if not joined or joined in _NO_UNIT:
        return ""
    # What was put together may be a word that says more, or nothing: N-O, F RONT.
    return joined if tokens == [joined] else _unit(_tokens(joined))


def _numbered(prefix: str, said: str) -> str:
    number = said.lstrip("0")
    return f"{prefix}{number or '0'}" if prefix else number
