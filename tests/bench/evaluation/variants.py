"""How people write what they know, road by road: nicknames, initials, slips of the finger, other formats.

The same is done to those who are protected and to those who are not, so that the ordinary queries look like the others.
``neighbor's unit`` and ``neighbor's house`` mean nobody protected: whoever is recognized there is recognized needlessly.
"""

from __future__ import annotations

import random
import unicodedata
from datetime import date
from typing import TYPE_CHECKING, Final

from tests.bench.evaluation.names import CYRILLIC, LATIN, census, foreign, nicknames
from tests.bench.evaluation.people import Bureau
from tests.bench.evaluation.questions import Fold, Query, Study
from tests.bench.evaluation.transliteration import NEWSPAPER, romanized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.bench.evaluation.environment import Environment
    from tests.bench.evaluation.questions import Part

    Person = Mapping[str, str]
    Change = Callable[[Person, random.Random], "dict[str, str] | None"]

PROTECTED: Final = 500
OUTSIDERS: Final = 1000
FOLDS: Final = 2
NAME: Final = ("given_name", "surname")
HOME: Final = ("street", "unit", "city", "state", "postal_code")
ENROLLED: Final = (
    *NAME, "middle_name", "dob", "ssn", "phone", "email", "plate", "vin", "license", *HOME,
)  # fmt: skip
UNCHANGED: Final = "as enrolled"
_KEYBOARD: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SOUNDS: Final = (
    ("ph", "f"), ("ck", "k"), ("sch", "sh"), ("ie", "y"), ("ey", "y"), ("ai", "ay"), ("ee", "ea"), ("ou", "ow"),
    ("tz", "ts"), ("ll", "l"), ("tt", "t"), ("nn", "n"), ("ss", "s"), ("rr", "r"), ("c", "k"),
    ("z", "s"), ("y", "i"), ("x", "cks"), ("v", "f"),
)  # fmt: skip
_LOOKALIKES: Final = {"O": "0", "0": "O", "I": "1", "1": "I", "B": "8", "8": "B", "S": "5", "5": "S", "Z": "2", "2": "Z"}
_DIGRAPHS: Final = {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae", "ß": "ss"}
_SINGLE: Final = {"ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "ae", "ß": "ss", "œ": "oe"}  # noqa: RUF001 -- a Turkish letter
_SHORT: Final = {
    "Street": "St", "Avenue": "Ave", "Road": "Rd", "Drive": "Dr", "Lane": "Ln", "Court": "Ct", "Boulevard": "Blvd",
    "Place": "Pl", "Circle": "Cir", "Terrace": "Ter", "North": "N", "South": "S", "East": "E", "West": "W",
}  # fmt: skip


def only(person: Person, *names: str) -> dict[str, str]:
    """Return some of what is known, where it is known."""
    return {name: person[name] for name in names if name in person}


def slip(text: str, chance: random.Random) -> str:
    """Return a word with one slip of the finger after its first letter: a letter dropped, doubled, swapped or beside."""
    at = chance.randrange(1, len(text) - 1)
    row = next((row for row in _KEYBOARD if text[at].lower() in row), "aeiou")
    beside = row[(row.find(text[at].lower()) + chance.choice((-1, 1))) % len(row)]
    swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return chance.choice(
        (text[:at] + text[at + 1 :], text[:at] + text[at] + text[at:], swapped, text[:at] + beside + text[at + 1 :])
    )


def digit_slip(text: str, chance: random.Random) -> str:
    """Return a number with one digit replaced, or two that differ transposed; of a VIN without a digit, the last letter."""
    places = [at for at, mark in enumerate(text) if mark.isdigit()] or [len(text) - 1]
    pairs = [at for at in places[:-1] if at + 1 in places and text[at] != text[at + 1]]
    if pairs and chance.random() < 0.5:
        at = chance.choice(pairs)
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    at = chance.choice(places)
    return text[:at] + chance.choice([digit for digit in "0123456789" if digit != text[at]]) + text[at + 1 :]


def lost_or_doubled(text: str, chance: random.Random) -> str:
    """Return a number with one digit left out, or typed twice."""
    at = chance.choice([at for at, mark in enumerate(text) if mark.isdigit()])
    return text[:at] + chance.choice(("", text[at] * 2)) + text[at + 1 :]


def lookalike(person: Person, kind: str, chance: random.Random) -> dict[str, str] | None:
    """Return a mark with one character read as its look-alike."""
    text = person[kind]
    places = [at for at, mark in enumerate(text) if mark in _LOOKALIKES]
    if not places:
        return None
    at = chance.choice(places)
    return {kind: text[:at] + _LOOKALIKES[text[at]] + text[at + 1 :]}


def _mistyped(person: Person, chance: random.Random) -> dict[str, str] | None:
    kind = chance.choice([name for name in NAME if len(person[name]) > 3] or [""])
    return {**only(person, *NAME), kind: slip(person[kind], chance)} if kind else None


def _sounding(person: Person, chance: random.Random) -> dict[str, str] | None:
    for kind in chance.sample(NAME, 2):
        heard = person[kind].lower()
        options = [rule for rule in _SOUNDS if rule[0] in heard[1:]]
        if options:
            sound, other = chance.choice(options)
            return {**only(person, *NAME), kind: heard[0] + heard[1:].replace(sound, other, 1)}
    return None


def _unmarked(person: Person, letters: Mapping[str, str]) -> dict[str, str] | None:
    names = {}
    for kind in NAME:
        spelled = "".join(letters.get(letter, letter) for letter in person[kind].lower())
        names[kind] = unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode().title()
    return names if any(not person[kind].isascii() for kind in NAME) else None


def _written_out(person: Person, _chance: random.Random) -> dict[str, str] | None:
    written = any(letter in person[kind].lower() for kind in NAME for letter in _DIGRAPHS)
    return _unmarked(person, _SINGLE | _DIGRAPHS) if written else None


def _cyrillic(person: Person, _chance: random.Random) -> dict[str, str] | None:
    return {kind: person[f"{kind} in Cyrillic"] for kind in NAME} if "surname in Cyrillic" in person else None


def _newspaper(person: Person, _chance: random.Random) -> dict[str, str] | None:
    if "surname in Cyrillic" not in person:
        return None
    names = {kind: romanized(person[f"{kind} in Cyrillic"], NEWSPAPER) for kind in NAME}
    return names if names != only(person, *NAME) else None


def _half_surname(person: Person, chance: random.Random) -> dict[str, str] | None:
    first, hyphen, second = person["surname"].partition("-")
    return {**only(person, "given_name"), "surname": chance.choice((first, second))} if hyphen else None


def _respaced_surname(person: Person, chance: random.Random) -> dict[str, str] | None:
    first, hyphen, second = person["surname"].partition("-")
    forms = (f"{first} {second}", f"{first}{second}", f"{second}-{first}")
    return {**only(person, "given_name"), "surname": chance.choice(forms)} if hyphen else None


def _reordered(person: Person, chance: random.Random) -> dict[str, str]:
    given, surname = person["given_name"], person["surname"]
    forms: tuple[dict[str, str], ...] = (
        {"given_name": surname, "surname": given},
        {"surname": f"{surname}, {given}"},
        {"surname": f"{given} {surname}"},
        {"given_name": given.upper(), "surname": surname.upper()},
    )
    return chance.choice(forms)


def _initial(person: Person, chance: random.Random) -> dict[str, str]:
    return {"given_name": person["given_name"][0] + chance.choice(("", ".")), "surname": person["surname"]}


def _middle(person: Person, chance: random.Random) -> dict[str, str] | None:
    if "middle_name" not in person:
        return None
    middle = person["middle_name"]
    forms: tuple[dict[str, str], ...] = (
        {"given_name": f"{person['given_name']} {middle}"}, {"given_name": person["given_name"], "middle_name": middle[0]},
        {"given_name": f"{person['given_name']} {middle[0]}."},
    )  # fmt: skip
    return {**chance.choice(forms), "surname": person["surname"]}


def _born_transposed(person: Person, _chance: random.Random) -> dict[str, str] | None:
    year, month, day = person["dob"].split("-")
    return {**only(person, *NAME), "dob": f"{year}-{day}-{month}"} if int(day) <= 12 and day != month else None


def _born_slip(person: Person, chance: random.Random) -> dict[str, str] | None:
    slipped = digit_slip(person["dob"], chance)
    try:
        date.fromisoformat(slipped)
    except ValueError:
        return None
    return {**only(person, *NAME), "dob": slipped}


def _born_partly(person: Person, chance: random.Random) -> dict[str, str]:
    return {**only(person, *NAME), "dob": person["dob"][: chance.choice((4, 7))]}


def _born_otherwise(person: Person, chance: random.Random) -> dict[str, str]:
    year, month, day = person["dob"].split("-")
    forms = (f"{month}/{day}/{year}", f"{year}{month}{day}", f"{int(month)}/{int(day)}/{year}", f"{month}-{day}-{year}")
    return {**only(person, *NAME), "dob": chance.choice(forms)}


def _phone(person: Person, chance: random.Random) -> dict[str, str]:
    digits = "".join(mark for mark in person["phone"] if mark.isdigit())
    area, office, line = digits[:3], digits[3:6], digits[6:]
    forms = (
        digits,
        f"+1{digits}",
        f"1-{area}-{office}-{line}",
        f"{area}.{office}.{line}",
        f"+1 ({area}) {office} {line}",
        f"{area} {office}-{line} x12",
    )
    return {"phone": chance.choice(forms)}


def _email(person: Person, chance: random.Random) -> dict[str, str]:
    email = person["email"]
    return {"email": chance.choice((email.upper(), f" {email} ", f"mailto:{email}", email.title()))}


def _ssn(person: Person, chance: random.Random) -> dict[str, str]:
    return {"ssn": chance.choice((person["ssn"].replace("-", ""), person["ssn"].replace("-", " "), person["ssn"]))}


def _license(person: Person, chance: random.Random) -> dict[str, str]:
    text = person["license"]
    return {
        "license": chance.choice((f"{text[:5]} {text[5:10]} {text[10:]}", text.lower(), f"{text[:5]}-{text[5:10]}-{text[10:]}"))
    }


def _unread(person: Person, chance: random.Random) -> dict[str, str]:
    plate, at = person["plate"], chance.randrange(7)
    return {"plate": plate[:at] + plate[at + 1 :]}


def _home(person: Person, chance: random.Random) -> dict[str, str]:
    """Return the home in another spelling of USPS Publication 28."""
    home = only(person, *HOME)
    home["street"] = " ".join(_SHORT.get(word, word) for word in home["street"].split())
    if "unit" in home:
        number = home["unit"].removeprefix("Apt ")
        home["unit"] = chance.choice((f"#{number}", f"Unit {number}", number, f"APARTMENT {number}", f"Apt. {number}"))
        if chance.random() < 0.3:
            home["street"] += f" {home.pop('unit')}" if home["unit"] != number else f" Apt {home.pop('unit')}"
    if chance.random() < 0.3:
        home["postal_code"] += f"-{chance.randrange(10000):04}"
    return home if chance.random() < 0.5 else {name: value.upper() for name, value in home.items()}


def _home_mistyped(person: Person, chance: random.Random) -> dict[str, str] | None:
    home = _home(person, chance)
    number, _, rest = home["street"].partition(" ")
    words = rest.split()
    long = max(range(len(words)), key=lambda at: len(words[at]))
    if len(words[long]) < 4:
        return None
    words[long] = slip(words[long], chance)
    return {**home, "street": f"{number} {' '.join(words)}"}


def _home_without_unit(person: Person, chance: random.Random) -> dict[str, str] | None:
    return _home({**only(person, "street", "city", "state", "postal_code")}, chance) if "unit" in person else None


def _home_without_town(person: Person, chance: random.Random) -> dict[str, str]:
    left_out = chance.choice((("city", "state"), ("postal_code",)))
    return {name: value for name, value in _home(person, chance).items() if name not in left_out}


def _next_unit(person: Person, chance: random.Random) -> dict[str, str] | None:
    if "unit" not in person:
        return None
    number = int(person["unit"].removeprefix("Apt ")[:-1])
    return _home({**only(person, *HOME), "unit": f"Apt {number + 1}{person['unit'][-1]}"}, chance)


def _next_house(person: Person, chance: random.Random) -> dict[str, str]:
    number, _, rest = person["street"].partition(" ")
    return _home({**only(person, *HOME), "street": f"{int(number) + 2} {rest}"}, chance)


NOBODY: Final[Mapping[str, Change]] = {"neighbor's unit": _next_unit, "neighbor's house": _next_house}
NAMES: Final[Mapping[str, Change]] = {
    UNCHANGED: lambda person, _: only(person, *NAME),
    "reordered": _reordered,
    "middle name": _middle,
    "typing slip": _mistyped,
    "sound-alike": _sounding,
    "half of a double surname": _half_surname,
    "double surname respaced": _respaced_surname,
    "diacritics dropped": lambda person, _: _unmarked(person, _SINGLE),
    "umlauts written out": _written_out,
    "Cyrillic": _cyrillic,
    "another romanization": _newspaper,
}
REST: Final[Mapping[str, Change]] = {
    "initial, date of birth": lambda person, chance: {**_initial(person, chance), "dob": person["dob"]},
    "name, day and month transposed": _born_transposed,
    "name, slip in the date of birth": _born_slip,
    "name, partial date of birth": _born_partly,
    "name, date of birth in other formats": _born_otherwise,
    "SSN, other formats": _ssn,
    "SSN, one slip": lambda person, chance: {"ssn": digit_slip(person["ssn"], chance)},
    "SSN, one slip, surname": lambda person, chance: {"ssn": digit_slip(person["ssn"], chance), **only(person, "surname")},
    "phone, other formats": _phone,
    "e-mail, other forms": _email,
    "plate, a look-alike": lambda person, chance: lookalike(person, "plate", chance),
    "plate, a character unread": _unread,
    "VIN, a look-alike": lambda person, chance: lookalike(person, "vin", chance),
    "VIN, one slip": lambda person, chance: {"vin": digit_slip(person["vin"], chance)},
    "VIN, last eight": lambda person, _: {"vin": person["vin"][-8:]},
    "license, other formats": _license,
    "license, one slip": lambda person, chance: {"license": digit_slip(person["license"], chance)},
    "address, other spellings": _home,
    "address, typing slip": _home_mistyped,
    "address without unit": _home_without_unit,
    "address, half the town": _home_without_town,
    **NOBODY,
    "SSN, a digit lost or doubled": lambda person, chance: {"ssn": lost_or_doubled(person["ssn"], chance)},
}


def study(environment: Environment, part: Part, most_folds: int) -> Study:
    """Return folds of 500 protected people and 1,000 others, made of one half of the names."""
    shortened = nicknames(environment.packages)

    def nickname(person: Person, chance: random.Random) -> dict[str, str] | None:
        known = shortened.get(person["given_name"].lower())
        return {"given_name": chance.choice(known).title(), "surname": person["surname"]} if known else None

    changes: dict[str, Change] = {}
    for name, change in {**NAMES, "nickname": nickname}.items():
        changes[f"name: {name}"] = change
        changes[f"name and date of birth: {name}"] = _with_birth(change)
    changes |= REST
    halves = census(environment.packages, part), foreign(environment, part)
    folds = []
    for number in range(min(FOLDS, most_folds)):
        chance = random.Random(f"{part} {number}")
        bureau = Bureau(chance=chance, census=halves[0], foreign=halves[1], latin=LATIN, cyrillic=CYRILLIC)
        folds.append(_fold(bureau, changes))
    source = "census, nickname and foreign names from packages; slips and formats are generated"
    return Study(name="Variants", source=source, folds=folds)


def _with_birth(change: Change) -> Change:
    def changed(person: Person, chance: random.Random) -> dict[str, str] | None:
        names = change(person, chance)
        return None if names is None else {**names, "dob": person["dob"]}

    return changed


def _fold(bureau: Bureau, changes: Mapping[str, Change]) -> Fold:
    protected = {f"person-{number}": bureau.person() for number in range(PROTECTED)}
    outsiders = [bureau.person() for _ in range(OUTSIDERS)]
    return Fold(
        enrolled={key: only(person, *ENROLLED) for key, person in protected.items()},
        queries={road: list(_queries(road, change, protected, outsiders, bureau.chance)) for road, change in changes.items()},
    )


def _queries(
    road: str, change: Change, protected: Mapping[str, Person], outsiders: Sequence[Person], chance: random.Random
) -> Iterator[Query]:
    people = [*protected.items(), *(("", person) for person in outsiders if road not in NOBODY)]
    for key, person in people:
        fields = change(person, chance)
        if fields and (road.endswith(UNCHANGED) or any(value != person.get(name) for name, value in fields.items())):
            yield Query(fields=fields, truth="" if road in NOBODY else key)
