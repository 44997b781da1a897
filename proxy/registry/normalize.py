"""Normal forms: two spellings of one fact have one form, and hostile text has none.

The hot path: every record of every reply comes through here. Pure, bounded input, never raises; what cannot be
read is the empty form, which matches nothing and contradicts nothing. Where two people could share a form (a particle left
out of a surname, a combining mark dropped), the form is kept: a needless recognition is a nuisance, a missed one is harm.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from functools import lru_cache
from typing import Final

from anyascii import anyascii

from proxy.inquiry.canonical import UNSEEN
from proxy.registry.usps import STATES

MOST_CHARACTERS: Final = 256
"""Longer texts have no normal form: no identifier is that long, and folding costs time by the character."""

_UNDECOMPOSED: Final = str.maketrans(
    {"ø": "o", "đ": "d", "ð": "d", "ł": "l", "æ": "ae", "œ": "oe", "þ": "th", "ı": "i", "ħ": "h", "ŋ": "n", "ŧ": "t"}  # noqa: RUF001 -- letters that have no decomposition
)
_LOOK_LATIN: Final = str.maketrans(
    "АВЕЅІЈКМНОРСТУХѴԌԜԚҮӀаеорсухѕіјһԁԛԝѵүӏкмтнвёїґΑΒΕΖΗΙΚΜΝΟΡΤΥΧαονυιρκτχηεγωϳβάόίέύ",
    "ABESIJKMHOPCTYXVGWQYIaeopcyxsijhdqwvylkmthbeigABEZHIKMNOPTYXaovuipktxneywjbaoieu",
)
"""Cyrillic and Greek letters, and the Latin ones they are taken for."""
_WORD: Final = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f])+")
_UNSPACED: Final = re.compile("[\u3400-\u9fff\uac00-\ud7a3]{2,4}\\Z")
_LATIN: Final = re.compile("[A-Za-z]")
_APOSTROPHES: Final = "'\u2019\u2018\u02bc\u02bb`\u00b4\u2032\uff07"
ASCII_NAME: Final = {
    code: (None if chr(code) in _APOSTROPHES else chr(code) if chr(code).isalnum() else " ") for code in range(128)
}
_DASHES: Final = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212", "-"))
"""What a word processor makes of a hyphen."""
GENERATIONS: Final = frozenset({"jr", "sr", "ii", "iii", "iv", "junior", "senior", "2nd", "3rd", "4th", "esq", "md", "phd"})
_GENERATION: Final = {
    "jr": "jr", "junior": "jr", "sr": "sr", "senior": "sr", "ii": "ii", "2nd": "ii", "iii": "iii", "3rd": "iii", "iv": "iv",
    "4th": "iv",
}  # fmt: skip
_SAID_BEFORE: Final = """
mr mrs ms miss mx dr doctor prof professor rev reverend the hon honorable honourable atty attorney
sgt sergeant lt lieutenant capt captain cpl corporal det detective ofc officer trooper inspector sheriff
mayor gov governor sen senator rep councilman councilwoman
"""
_TITLES: Final = frozenset(_SAID_BEFORE.split())
_OFFICES: Final = frozenset({"judge", "justice", "chief", "major", "deputy", "agent", "general", "pastor", "sir"})
"""Titles that are given names, too: a name that begins with one is read in both ways."""
_DEGREES: Final = frozenset({"md", "phd", "jd", "dds", "dvm", "rn", "cpa", "edd", "llm", "mba", "dmd"})
PARTICLES: Final = frozenset(
    re.findall("[a-z]+", "de la del las los da das do dos di du des le van von der den ter zu al el bin ibn abu st y e o")
)

_ISO: Final = re.compile(r"([0-9]{4})[-/.]?([0-9]{2})[-/.]?([0-9]{2})(?:[T ][0-9:.]+(?:Z|[+-][0-9:]{2,6})?)?\Z", re.IGNORECASE)
_SHORT_ISO: Final = re.compile(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})\Z")
_EARLIEST: Final = 1800
_LATEST: Final = 2200
_AMERICAN: Final = re.compile(r"([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{4})\Z")
_NAMED_MONTH: Final = re.compile(
    r"(?:([0-9]{1,2})[-/. ]*([a-z]{3,9})[-/., ]*|([a-z]{3,9})[. ]*([0-9]{1,2})[-/., ]+)([0-9]{4}|[0-9]{2})\Z", re.IGNORECASE
)
_SHORT_YEAR: Final = re.compile(r"([0-9]{1,2})[-/.]([0-9]{1,2})[-/.]([0-9]{2})\Z")
_MONTH_YEAR: Final = re.compile(r"([0-9]{1,2}|[a-z]{3,9})[-/., ]+([0-9]{4})\Z", re.IGNORECASE)
_MONTHS: Final = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip
_PARTIAL: Final = re.compile(r"([0-9]{4}|[-xX?*]{1,4})(?:[-/.]?([0-9]{2}|[-xX?*]{1,2})(?:[-/.]?([0-9]{2}|[-xX?*]{1,2}))?)?\Z")
_EXTENSION: Final = re.compile(r"[;,\s]*(?:x|ext|extn|extension|#)[\s.:=#]*[0-9]{0,8}\Z", re.IGNORECASE)
_WHOLE_SSN: Final = re.compile("[0-9]{3}-?[0-9]{2}-?[0-9]{4}\\Z")
_SHORT_SSN: Final = re.compile("(?:[0-9]{7,8}|[0-9][- ][0-9]{2}[- ][0-9]{4})\\Z")
_NOT_DIGITS: Final = re.compile(r"[^0-9]+")
_NOT_ALNUM: Final = re.compile(r"[^A-Z0-9]+")
_NUMERIC: Final = re.compile(r"\+?0*([0-9]+)(?:\.0*)?\Z")
_NOTHING: Final = frozenset({"", "NA", "NONE", "NULL", "UNKNOWN", "UNK", "TEMP", "NOPLATE", "NOPLATES", "NOTAG", "TBD"})
_SSN_DIGITS: Final = 9
_ZIP_DIGITS: Final = {3: 5, 4: 5, 8: 9}
"""How many digits a code has that has so many without its leading zeros."""
_SLIPPED_SSN: Final = frozenset({8, 9, 10})
_LOOKALIKES: Final = str.maketrans("IOQ", "100")
_TAKEN_FOR: Final = str.maketrans("IOQDBSZG", "10008526")

UNKNOWN_BIRTHS: Final = frozenset({"0001-01-01", "1800-01-01", "1900-01-01", "1901-01-01", "9999-12-31"})
"""Dates that stand for "not known" in records systems: equal ones match, but they contradict nobody."""


@lru_cache(maxsize=8192)
def fold(text: str) -> str:
    """Return NFKC, case-folded tokens without diacritics and punctuation, one space apart; apostrophes close up."""
    if len(text) > MOST_CHARACTERS:
        return ""
    if text.isascii():
        return " ".join(text.lower().translate(ASCII_NAME).split())
    for _ in range(4):
        folded = _fold_once(text)
        if folded == text:
            break
        text = folded
    return text


def _fold_once(text: str) -> str:
    composed = _WORD.sub(_of_one_script, unicodedata.normalize("NFKC", text))
    decomposed = unicodedata.normalize("NFKD", composed.casefold()).casefold()
    kept = []
    for letter in decomposed.translate(_UNDECOMPOSED):
        if letter.isalnum():
            kept.append(letter)
        elif letter not in _APOSTROPHES and unicodedata.category(letter) not in {"Mn", "Me", "Mc", "Cf", "Lm", "Sk"}:
            kept.append(" ")
    folded = unicodedata.normalize("NFKC", " ".join("".join(kept).split()))
    if not folded.isascii():  # another script: as it is spelt in Latin letters
        folded = anyascii(folded).lower().translate(ASCII_NAME)
    return " ".join(folded.split())[:MOST_CHARACTERS]


def _of_one_script(word: re.Match[str]) -> str:
    """Return a word as it is seen: what looks Latin among Latin letters is, since nobody spells a name in two scripts."""
    return seen_as_latin(word[0]) if _LATIN.search(word[0]) else word[0]


def seen_as_latin(text: str) -> str:
    """Return Cyrillic and Greek letters as the Latin ones that they look like."""
    return text if text.isascii() else text.translate(_LOOK_LATIN)


def _without_generation(tokens: list[str]) -> list[str]:
    while len(tokens) > 1 and tokens[-1] in GENERATIONS:
        tokens = tokens[:-1]
    return tokens


def generation(text: str, *, alone: bool = False) -> str:
    """Return which of those of one name a text says: ``jr``, ``sr``, ``ii`` …; nothing when it says none.

    ``alone``: it is nothing but a suffix, and not a name that one may follow.
    """
    tokens = fold(text).split()
    return next((found for token in tokens[not alone :] if (found := _GENERATION.get(token))), "")


def surname(text: str) -> str:
    """Return a surname without Jr. and the like."""
    return " ".join(surname_tokens(text))


def surname_tokens(text: str) -> tuple[str, ...]:
    """Return a surname's words without Jr. and the like."""
    return tuple(_without_generation(fold(text).split()))


def given_tokens(text: str) -> tuple[str, ...]:
    """Return given names' words without Jr. and the like."""
    return tuple(token for token in fold(text).split() if token not in GENERATIONS)


def name_tokens(text: str) -> tuple[str, ...]:
    """Return the words of a whole name, in their order, without titles, Jr. and the like."""
    if not text.isascii() and _UNSPACED.match(text):
        text = f"{text[0]} {text[1:]}"  # the surname comes first, in one sign
    return _untitled(tuple(_without_generation(fold(text).split())))


def name_readings(text: str) -> tuple[tuple[str, ...], ...]:
    """Return a whole name's words, and, where it may begin with an office, without it: Judge John Smith."""
    tokens = name_tokens(text)
    if len(tokens) > 2 and tokens[0] in _OFFICES:
        return tokens, _untitled(tokens[1:])
    return (tokens,)


def given_behind(before: str, after: str) -> tuple[str, ...]:
    """Return the given names behind a comma; nothing where a suffix or a degree follows a whole name: John Smith, M.D."""
    given = given_tokens(after)
    if len(given) < 2:
        return () if given and given[0] in _DEGREES and len(name_tokens(before)) > 1 else given
    if "".join(given) in _DEGREES and len(name_tokens(before)) > 1:
        return ()
    while len(given) > 1 and len(given[1]) > 1 and (given[0] in _TITLES or given[0] in _OFFICES):
        given = given[1:]
    return given


def _untitled(tokens: tuple[str, ...]) -> tuple[str, ...]:
    while len(tokens) > 2 and tokens[0] in _TITLES:
        tokens = tokens[1:]
    return tokens


def moniker(text: str) -> str:
    """Return an alias of one word ("Blaze"), or nothing when it has several and is looked up as a name."""
    folded = fold(text)
    return folded if " " not in folded and len(folded) > 1 else ""


def dob(text: str) -> str:
    """Return a date of birth as ``YYYY-MM-DD``; nothing for a partial or impossible one."""
    text = _plain(text)
    if len(text) == 10 and text[4] == "-" == text[7]:
        try:
            date.fromisoformat(text)
        except ValueError:
            return ""
        return text
    try:
        return date(*_written(text)).isoformat()
    except (TypeError, ValueError):
        return ""


def _written(text: str) -> tuple[int, ...]:
    """Return year, month and day as they are written, whether there is such a day or not; nothing when it is no whole date."""
    if match := _ISO.match(text) or _SHORT_ISO.match(text):
        year, month, day = match.groups()
    elif match := _AMERICAN.match(text):
        month, day, year = match.groups()
    else:
        named = _named(text)
        return named if named and all(named) else ()
    return int(year), int(month), int(day)


def _named(text: str) -> tuple[int, int, int] | None:
    """Return a date whose month is a word, or of which year, century or day is missing and is 0: ``14-JUL-68``, ``7/1968``."""
    if match := _NAMED_MONTH.match(text):
        year, month, day = match[5], _month(match[2] or match[3]), int(match[1] or match[4])
    elif match := _SHORT_YEAR.match(text):
        year, month, day = match[3], int(match[1]), int(match[2])
    elif match := _MONTH_YEAR.match(text):
        year, month, day = match[2], _month(match[1]), 0
    else:
        return None
    if month > 12 >= day > 0:
        month, day = day, month
    known = int(year) if len(year) == 4 else 0
    return (known, month, day) if 0 < month <= 12 and day <= 31 and (known == 0 or _EARLIEST <= known <= _LATEST) else None


def _month(text: str) -> int:
    return int(text) if text.isdecimal() else _MONTHS.get(text[:3].lower(), 0)


def birth(text: str) -> tuple[int, int, int] | None:
    """Return year, month and day of a date of birth, 0 for what is not told; None when nothing is.

    A day that there is not, or in the order of other countries (31/12/1961), is as it is written: a slip is in it.
    """
    text = _plain(text)
    if len(text) == 10 and text[4] == "-" == text[7] and (told := dob(text)):
        return int(told[:4]), int(told[5:7]), int(told[8:])
    written = _written(text)
    if written and (dob(text) or (all(written) and _EARLIEST <= written[0] <= _LATEST)):
        year, month, day = written
        return year, month, day
    match = _PARTIAL.match(text)
    if not match:
        return _named(text)
    year, month, day = (int(part) if part and part.isdigit() else 0 for part in match.groups())
    if not (year or (month and day)) or month > 12 or day > 31 or not (year == 0 or _EARLIEST <= year <= _LATEST):
        return None
    return year, month, day


def ssn(text: str) -> str:
    """Return nine digits; a number that lost its leading zeros has them again; nothing for one repeated digit."""
    digits = text.replace("-", "") if _WHOLE_SSN.match(text) else _NOT_DIGITS.sub("", _plain(text))
    if len(digits) in {7, 8} and _SHORT_SSN.match(_plain(text)):
        digits = digits.zfill(_SSN_DIGITS)
    return digits if len(digits) == _SSN_DIGITS and digits.count(digits[0]) < _SSN_DIGITS else ""


def ssn_slipped(text: str) -> str:
    """Return the digits of a number that lost one or has one too many; letters are the digits they were taken for, if any."""
    digits = _NOT_DIGITS.sub("", _marks(text).translate(_TAKEN_FOR))
    return digits if len(digits) in _SLIPPED_SSN and digits.count(digits[0]) < len(digits) and not _nine_digits(text) else ""


def ssn_tells(text: str) -> bool:
    """Tell whether a number is one that can contradict another: whole, or without its leading zeros for certain."""
    if _WHOLE_SSN.match(text):
        return len(set(text) - {"-"}) > 1
    return bool(ssn(text)) and not ssn_slipped(text)


def _nine_digits(text: str) -> bool:
    return len(_NOT_DIGITS.sub("", _plain(text))) == _SSN_DIGITS


def phone(text: str) -> str:
    """Return E.164. Ten digits are of the North American plan; an extension is dropped; seven digits say too little."""
    text = _plain(text).lower().removeprefix("tel:")
    if "x" in text or "#" in text:
        text = _EXTENSION.sub("", text)
    digits = _NOT_DIGITS.sub("", text)
    if not digits or digits.count(digits[0]) == len(digits):
        return ""
    if text.startswith("+") or digits.startswith(("011", "00")):
        digits = digits.removeprefix("011").removeprefix("00") if not text.startswith("+") else digits
        # "+1 (555) …" and "+(555) …" are the same number to whoever typed them.
        return f"+{digits}" if 8 <= len(digits) <= 15 else ""
    if len(digits) == 10:
        return f"+1{digits}"
    return f"+{digits}" if len(digits) == 11 and digits[0] == "1" else ""


def email(text: str) -> str:
    """Return an address in lower case without ``mailto:`` and ``+tag``, since no large mail host tells these apart."""
    text = _plain(text).casefold().removeprefix("mailto:")
    local, at, host = text.rpartition("@")
    local, host = local.partition("+")[0] or local, host.rstrip(".")
    if host in {"gmail.com", "googlemail.com"}:
        local, host = local.replace(".", ""), "gmail.com"
    return f"{local}@{host}" if at and local and host and " " not in text else ""


def plate(text: str) -> str:
    """Return letters and digits, those that look alike as one; nothing for the words that stand for "none"."""
    marks = _marks(text)
    return marks.translate(_TAKEN_FOR) if len(marks) > 1 else ""


def license_number(text: str) -> str:
    """Return letters and digits in upper case."""
    marks = _marks(text)
    return marks if len(marks) > 3 else ""


def vin(text: str) -> str:
    """Return letters and digits in upper case; I, O and Q, which ISO 3779 forbids, are the digits they were taken for."""
    marks = _marks(text).translate(_LOOKALIKES)
    return marks if 5 <= len(marks) <= 17 else ""


def person_id(text: str) -> str:
    """Return a record's id; a number in any spelling that a records server may take for the same row is that number."""
    text = _plain(text).casefold()
    match = _NUMERIC.match(text)
    return match[1] if match else text


def postal_code(text: str) -> str:
    """Return the five digits of a ZIP code, lost leading zeros included, or letters and digits of another country's."""
    marks = _marks(text)
    if not marks.isdecimal():
        return marks
    whole = marks.zfill(_ZIP_DIGITS.get(len(marks), 0))
    return whole[:5] if len(whole) in {5, 9} else whole


def state(text: str) -> str:
    """Return the two letters of USPS Publication 28, appendix B, for a state in any spelling."""
    folded = fold(text).upper()
    return STATES.get(folded, folded)


def city(text: str) -> str:
    """Return a city with Saint, Fort and Mount abbreviated."""
    return " ".join(_CITY.get(token, token) for token in fold(text).upper().split())


_CITY: Final = {"SAINT": "ST", "SAINTE": "STE", "FORT": "FT", "MOUNT": "MT"}


def _plain(text: str) -> str:
    """Return compatibility forms (full-width digits) as ordinary ones, without space around; nothing when too long.

    A number that a spreadsheet made a fraction of, 42903.0, is the number.
    """
    if len(text) > MOST_CHARACTERS:
        return ""
    text = seen(text)[:MOST_CHARACTERS].strip()
    return text[:-2] if text.endswith(".0") and text[:-2].isdecimal() else text


def seen(text: str) -> str:
    """Return compatibility forms as ordinary ones, any dash as a hyphen, and nothing of what is not seen."""
    if text.isascii():
        return text
    letters = unicodedata.normalize("NFKC", text).translate(_DASHES)
    kept = [letter for letter in letters if unicodedata.category(letter) != "Cf" and letter not in UNSEEN]
    # Once more, since what is not seen may have kept a mark from its letter.
    return unicodedata.normalize("NFKC", "".join(kept))


def _marks(text: str) -> str:
    if text.isascii() and text.isalnum() and len(text) <= MOST_CHARACTERS:
        marks = text.upper()
    else:
        marks = _NOT_ALNUM.sub("", seen_as_latin(_plain(text)).upper())
    return "" if marks in _NOTHING else marks
