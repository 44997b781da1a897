"""Everything by which a person can be compared, in normal forms: of an enrolled person, of criteria, or of one record.

They hold plain text. Those of enrolled persons exist while they are compared and are sealed in between (``profile.py``).
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import orjson

from proxy.registry import address, normalize
from proxy.registry.likeness import Born, Name
from proxy.registry.normalize import PARTICLES
from proxy.registry.person import NORMAL_FORMS
from proxy.registry.sites import SCHOOL, SITES, WORK, Site, site_of
from proxy.registry.usps import DIRECTION_CODES, SUFFIX_CODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from proxy.registry.address import Street
    from proxy.registry.person import Identifiers

_BEGINNINGS: Final = PARTICLES | {"mc", "mac"}
MOST_NAMES: Final = 16
"""So many readings of the names of one record are compared; the exact look-up reads them all."""

_TOWN: Final = ("city", "state", "postal_code")
NUMBERS: Final = ("ssn", "phone", "email", "license", "plate", "vin")
_NONE: Final[tuple[str, ...]] = ()


class Spot(NamedTuple):
    """One address, as far as it is told: ``name`` is the street's without suffix and direction, ``place`` a building's name."""

    number: str
    street: str
    name: str
    unit: str
    place: str
    city: str
    state: str
    postal_code: str


_NOWHERE: Final[tuple[Spot, ...]] = ()
_UNKNOWN_BIRTHS: Final = frozenset(Born(*map(int, date.split("-"))) for date in normalize.UNKNOWN_BIRTHS)
_NO_SITES: Final[tuple[Site, ...]] = ()


class Reader(Protocol):
    """Remembers the normal forms of texts that come again (``tokens.Tokens``)."""

    @property
    def forms(self) -> Mapping[str, Callable[[str], str]]:
        """Return the step from a text to its normal form, by kind."""
        ...

    @property
    def numbers(self) -> Sequence[tuple[str, Callable[[str], str]]]:
        """Return each of ``NUMBERS`` with the step to its normal form."""
        ...

    @property
    def read_street(self) -> Callable[[str], Street]:
        """Return the step from a street line to its normal form."""
        ...


_NO_NUMBERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})
_NO_MORE: Final = (_NO_NUMBERS, False, (), ())
_LENGTH: Final = Struct("<I")


class Traits(NamedTuple):
    """``births_tell`` and ``ssns_tell``: whether every one given is whole, so that another one contradicts.

    ``at_home``: whether an address is somebody's home; a record of a case tells where something happened.
    """

    names: tuple[Name, ...] = ()
    births: tuple[Born, ...] = ()
    births_tell: bool = False
    numbers: Mapping[str, tuple[str, ...]] = _NO_NUMBERS
    ssns_tell: bool = False
    spots: tuple[Spot, ...] = ()
    at_home: bool = True
    sites: tuple[Site, ...] = ()
    generations: tuple[str, ...] = ()


def name_of(given: str, surname: str) -> Name:
    """Return a name from its parts."""
    return Name(tuple(normalize.fold(given).split()), normalize.surname_tokens(surname))


def names_of(text: str) -> tuple[Name, ...]:
    """Return the readings of a whole name: ``SURNAME, Given M``, or ``Given M Surname``; nothing for a single word."""
    before, comma, after = text.partition(",")
    if comma and (given := normalize.given_behind(before, after)):
        return (Name(given, normalize.surname_tokens(before)),)
    readings = normalize.name_readings(before if comma else text)
    if len(readings) == 1:
        return _readings(readings[0])
    return tuple([name for tokens in readings for name in _readings(tokens)])


def _readings(tokens: tuple[str, ...]) -> tuple[Name, ...]:
    """Return what a name's words may be: three and more may begin with the surname, ``SURNAME Given Middle``."""
    last = len(tokens) - 1
    if last < 1:
        return ()
    first = next((i for i, token in enumerate(tokens) if i and token in _BEGINNINGS), last)
    straight = Name(tokens[:first], tokens[first:])
    if last < 2 or (first < last and len(tokens[last]) > 1 and tokens[0] not in PARTICLES):
        return (straight,)
    end = next((i for i, token in enumerate(tokens) if token not in PARTICLES), last) + 1
    return (straight, Name(tokens[end:], tokens[:end])) if end <= last else (straight,)


def spot_of(read: Street, unit: str = "", town: tuple[str, str, str] = ("", "", "")) -> Spot:
    """Return an address; what the street line holds of unit, town and code is taken where ``town`` (normal) has none."""
    designated, place = _unit_or_place(unit) if unit else ("", "")
    city, state, postal_code = town
    return Spot(
        read.number,
        read.core,
        name_of_street(read.core),
        designated or read.unit,
        place,
        city or read.city,
        state or read.state,
        postal_code or read.postal_code,
    )


_unit_or_place = lru_cache(maxsize=4096)(address.unit_or_place)


_site_of = lru_cache(maxsize=4096)(site_of)


@lru_cache(maxsize=4096)
def name_of_street(core: str) -> str:
    """Return a street's name without its suffix and direction, unless it has no other: Glen Park Avenue is all suffixes."""
    words = [word for word in core.split() if word not in DIRECTION_CODES]
    return " ".join([word for word in words if word not in SUFFIX_CODES] or words[:-1]) or core


def of_person(who: Identifiers, read: Callable[[str], Street] = address.address) -> Traits:
    """Return an enrolled person's traits; ``read`` may remember addresses."""
    names = [name_of(f"{who.given_name} {who.middle_name}", who.surname)]
    if not (names[0].given and names[0].surname):  # somebody of one name, which records put into either part
        names.append(Name(names[0].surname, names[0].given))
    for alias in who.aliases:
        names += names_of(alias)
        if moniker := normalize.moniker(alias):
            names.append(Name((moniker,), names[0].surname))
    born = birth(who.dob)
    numbers = {
        kind: tuple(dict.fromkeys(form for value in getattr(who, attribute) if (form := _form(kind, value))))
        for kind in NUMBERS
        if getattr(who, attribute := NORMAL_FORMS[kind][0])
    }
    if who.ssns:
        numbers["ssn"] = _ssns(numbers["ssn"], who.ssns)
    return Traits(
        names=tuple(dict.fromkeys(name for name in names if name.given or name.surname)),
        births=(born,) if born else (),
        births_tell=born is not None and tells(born),
        numbers={kind: values for kind, values in numbers.items() if values},
        ssns_tell=all(map(normalize.ssn_tells, who.ssns)),
        spots=tuple(
            spot_of(
                _loose(home.street, read),
                home.unit,
                (normalize.city(home.city), normalize.state(home.state), normalize.postal_code(home.postal_code)),
            )
            for home in who.homes
        ),
        sites=tuple(
            site
            for kind, texts in ((WORK, who.works), (SCHOOL, who.schools))
            for text in texts
            if (site := site_of(kind, text))
        ),
        generations=_generations((who.suffix,), (who.surname,)),
    )


def of_fields(fields: Mapping[str, Sequence[str]], reader: Reader) -> Traits:
    """Return the traits of criteria or of one record; ``reader`` remembers normal forms."""
    births = [birth(text) for text in fields["dob"]] if "dob" in fields else []
    numbers: dict[str, tuple[str, ...]] = {}
    for kind, form in reader.numbers:
        values = fields.get(kind)
        if values and (forms := tuple(filter(None, map(form, values)))):
            numbers[kind] = forms
    ssns = fields.get("ssn", _NONE)
    ssns_tell = all(map(normalize.ssn_tells, ssns))
    if not ssns_tell and (forms := _ssns(numbers.get("ssn", _NONE), ssns)):
        numbers["ssn"] = forms
    return Traits(
        names=tuple(_names(fields))[:MOST_NAMES],
        births=tuple(filter(None, births)),
        births_tell=bool(births) and all(born is not None and tells(born) for born in births),
        numbers=numbers,
        ssns_tell=ssns_tell,
        spots=tuple(_spots(fields, reader)) if "street" in fields or "address" in fields else _NOWHERE,
        at_home="case" not in fields,
        sites=tuple(_sites(fields)) if "work" in fields or "school" in fields else _NO_SITES,
        generations=_generations(fields.get("suffix", _NONE), (*fields.get("surname", _NONE), *fields.get("name", _NONE))),
    )


def _generations(suffixes: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """Return every Jr., Sr. and the like that a record says, by itself or behind a name."""
    found = [normalize.generation(text, alone=True) for text in suffixes]
    found += [normalize.generation(text) for text in names if " " in text or "," in text]
    return tuple(dict.fromkeys(filter(None, found))) if found else _NONE


def _sites(fields: Mapping[str, Sequence[str]]) -> Iterable[Site]:
    for kind in SITES:
        yield from (site for text in fields.get(kind, _NONE) if (site := _site_of(kind, text)))


def _ssns(whole: Sequence[str], texts: Iterable[str]) -> tuple[str, ...]:
    """Return the readings of SSNs: whole ones, and those with a digit too many or too few, which only look alike."""
    return tuple(dict.fromkeys((*whole, *filter(None, map(normalize.ssn_slipped, texts)))))


def birth(text: str) -> Born | None:
    """Return a date of birth as far as it is told, or None."""
    parts = normalize.birth(text)
    return Born(*parts) if parts else None


def tells(born: Born) -> bool:
    """Tell whether a date is one that can contradict another: whole, and none that stands for "not known"."""
    return born.whole and born not in _UNKNOWN_BIRTHS


def pack(traits: Traits) -> bytes:
    """Return traits as bytes, to be sealed: what everybody is compared by, then what there may be more."""
    who = orjson.dumps((traits.names, traits.births, traits.births_tell, traits.generations), default=tuple)
    more = orjson.dumps((traits.numbers, traits.ssns_tell, traits.spots, traits.sites), default=tuple)
    return _LENGTH.pack(len(who)) + who + more


def unpack(content: bytes, *, more: bool = True) -> Traits:
    """Return the traits that ``pack`` made bytes of; without ``more`` only names and dates of birth."""
    end = _LENGTH.size + _LENGTH.unpack_from(content)[0]
    names, births, births_tell, generations = orjson.loads(content[_LENGTH.size : end])
    numbers, ssns_tell, spots, sites = orjson.loads(content[end:]) if more else _NO_MORE
    return Traits(
        tuple([Name(tuple(given), tuple(surname)) for given, surname in names]),
        tuple([Born(*born) for born in births]),
        births_tell,
        numbers,
        ssns_tell,
        tuple([Spot(*spot) for spot in spots]) if spots else _NOWHERE,
        True,  # noqa: FBT003 -- by place: it is made for everybody who is compared
        tuple([Site(kind, tuple(words), *rest) for kind, words, *rest in sites]) if sites else _NO_SITES,
        tuple(generations) if generations else _NONE,
    )


def _form(kind: str, text: str) -> str:
    return NORMAL_FORMS[kind][1](text)


def _names(fields: Mapping[str, Sequence[str]]) -> Iterable[Name]:
    givens, surnames = fields.get("given_name", _NONE), fields.get("surname", _NONE)
    middles = fields.get("middle_name", _NONE)
    middle = middles[0] if len(middles) == 1 else ""
    for surname in surnames or ("",):
        for given in givens or ("",):
            name = Name(_givens(given, middle), normalize.surname_tokens(surname))
            if name.given or name.surname:
                yield name
    # A name in one part only may be a whole name that somebody typed into the wrong column.
    for text in (*(() if givens else surnames), *(() if surnames else givens)):
        yield from names_of(text)
    for text in fields.get("name", _NONE):
        yield from names_of(text) or _one_word(text)
    for text in fields.get("alias", _NONE):
        yield from names_of(text)


def _givens(given: str, middle: str) -> tuple[str, ...]:
    """Return the words of both; each is remembered by itself, since together they seldom come again."""
    if not middle:
        return tuple(normalize.fold(given).split())
    both = f"{given} {middle}"
    if both.isascii() and len(both) <= normalize.MOST_CHARACTERS:
        return (*normalize.fold(given).split(), *normalize.fold(middle).split())
    return tuple(normalize.fold(both).split())


def _one_word(text: str) -> Iterable[Name]:
    word = normalize.surname_tokens(text)
    return (Name((), word),) if word else ()


def _loose(text: str, read: Callable[[str], Street]) -> Street:
    """Return an address as far as it is told, one without a house number too."""
    found = read(text)
    return found if found.number else address.loose(text)


def _spots(fields: Mapping[str, Sequence[str]], reader: Reader) -> Iterable[Spot]:
    streets, texts = fields.get("street", _NONE), fields.get("address", _NONE)
    if not streets and not texts:
        return
    city, state, postal_code = (reader.forms[kind](_only(fields, kind)) for kind in _TOWN)
    town = (city, state, postal_code)
    unit = _only(fields, "unit") if len(streets) == 1 else ""
    for street in streets:
        spot = spot_of(_loose(street, reader.read_street), unit, town)
        yield spot
        if spot.place and (turned := _turned(spot)):
            yield turned
    for text in texts:
        yield spot_of(_loose(text, address.address), "", town)


def _only(fields: Mapping[str, Sequence[str]], kind: str) -> str:
    values = fields.get(kind, _NONE)
    return values[0] if len(values) == 1 else ""


def _turned(spot: Spot) -> Spot | None:
    """Return the reading with the two lines of an address exchanged, where the second is no unit."""
    other = spot_of(address.street(f"{spot.number or 1} {spot.place}"))
    return spot._replace(street=other.street, name=other.name, place=spot.street) if other.street else None
