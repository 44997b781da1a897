"""Everything by which a person can be compared, in normal forms: of an enrolled person, of criteria, or of one record.

``Traits`` hold plain text. Those of enrolled persons exist while they are compared and are sealed in between (``profile.py``).
``keys`` are where look-alikes meet: two sets of traits of one person have a key in common although a name is misspelt, a
date slipped or a number was mistyped, and those of two persons seldom have.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from proxy.registry import address, normalize
from proxy.registry.likeness import LEAST_PART, Born, Name, formal, sound
from proxy.registry.normalize import PARTICLES
from proxy.registry.person import NORMAL_FORMS
from proxy.registry.usps import DIRECTION_CODES, SUFFIX_CODES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proxy.registry.person import Identifiers

MOST_NAMES: Final = 16
"""So many readings of the names of one record are compared; the exact look-up reads them all."""

NUMBERS: Final = ("ssn", "phone", "email", "license", "plate", "vin")
_VIN_TAIL: Final = 6
"""The serial number: what people read off a windshield."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """``births_tell`` and ``ssns_tell``: whether every one given is whole, so that another one contradicts."""

    names: tuple[Name, ...] = ()
    births: tuple[Born, ...] = ()
    births_tell: bool = False
    numbers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ssns_tell: bool = False
    spots: tuple[Spot, ...] = ()


def name_of(given: str, surname: str) -> Name:
    """Return a name from its parts."""
    return Name(tuple(normalize.fold(given).split()), normalize.surname_tokens(surname))


def names_of(text: str) -> tuple[Name, ...]:
    """Return the readings of a whole name: ``SURNAME, Given M``, or ``Given M Surname``; nothing for a single word."""
    before, comma, after = text.partition(",")
    if comma and (given := normalize.given_tokens(after)):
        return (Name(given, normalize.surname_tokens(before)),)
    tokens = normalize.name_tokens(before if comma else text)
    if len(tokens) < 2:
        return ()
    first = next((i for i, token in enumerate(tokens) if i and token in PARTICLES), len(tokens) - 1)
    return (Name(tokens[:first], tokens[first:]),)


def spot_of(street: str, unit: str = "", city: str = "", state: str = "", postal_code: str = "") -> Spot:
    """Return an address from its parts; what the street line holds of unit, town and code is taken from there."""
    read = address.loose(street)
    designated, place = address.unit_or_place(unit)
    name = " ".join(word for word in read.core.split() if word not in SUFFIX_CODES and word not in DIRECTION_CODES)
    return Spot(
        read.number,
        read.core,
        name or read.core,
        designated or read.unit,
        place,
        normalize.city(city) or read.city,
        normalize.state(state) or read.state,
        normalize.postal_code(postal_code) or read.postal_code,
    )


def of_person(who: Identifiers) -> Traits:
    """Return an enrolled person's traits."""
    names = [name_of(f"{who.given_name} {who.middle_name}", who.surname)]
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
    return Traits(
        names=tuple(dict.fromkeys(name for name in names if name.given or name.surname)),
        births=(born,) if born else (),
        births_tell=born is not None and tells(born),
        numbers={kind: values for kind, values in numbers.items() if values},
        ssns_tell=True,
        spots=tuple(spot_of(home.street, home.unit, home.city, home.state, home.postal_code) for home in who.homes),
    )


def of_fields(fields: Mapping[str, Sequence[str]]) -> Traits:
    """Return the traits of criteria or of one record."""
    births = [birth(text) for text in fields.get("dob", _NONE)]
    numbers = {
        kind: forms
        for kind in NUMBERS
        if (values := fields.get(kind)) and (forms := tuple(form for value in values if (form := _form(kind, value))))
    }
    return Traits(
        names=tuple(_names(fields))[:MOST_NAMES],
        births=tuple(born for born in births if born),
        births_tell=bool(births) and all(born is not None and tells(born) for born in births),
        numbers=numbers,
        ssns_tell=len(numbers.get("ssn", ())) == len(fields.get("ssn", _NONE)),
        spots=tuple(_spots(fields)),
    )


def birth(text: str) -> Born | None:
    """Return a date of birth as far as it is told, or None."""
    parts = normalize.birth(text)
    return Born(*parts) if parts else None


def tells(born: Born) -> bool:
    """Tell whether a date is one that can contradict another: whole, and none that stands for "not known"."""
    return born.whole and f"{born.year:04}-{born.month:02}-{born.day:02}" not in normalize.UNKNOWN_BIRTHS


def pack(traits: Traits) -> bytes:
    """Return traits as bytes, to be sealed."""
    parts = (traits.names, traits.births, traits.births_tell, traits.numbers, traits.ssns_tell, traits.spots)
    return orjson.dumps(parts, default=tuple)


def unpack(content: bytes) -> Traits:
    """Return the traits that ``pack`` made bytes of."""
    names, births, births_tell, numbers, ssns_tell, spots = orjson.loads(content)
    return Traits(
        names=tuple(Name(tuple(given), tuple(surname)) for given, surname in names),
        births=tuple(Born(*born) for born in births),
        births_tell=births_tell,
        numbers=numbers,
        ssns_tell=ssns_tell,
        spots=tuple(Spot(*spot) for spot in spots),
    )


def keys(traits: Traits, *, enrolled: bool) -> set[int]:
    """Return where a person's look-alikes are found. Both sides of a meeting have to be of one process (``hash``)."""
    found: set[int] = set()
    whole = [born for born in traits.births if born.whole]
    for name in traits.names:
        found.update(_name_keys(name, whole, weak=enrolled or not whole))
    for born in whole:
        found.add(hash(("born", *born)))
        if not enrolled:
            found.add(hash(("born", born.year, born.day, born.month)))
    for ssn in traits.numbers.get("ssn", _NONE):
        # Any one slip, two digits exchanged included, leaves one of these whole.
        found.update(hash(("ssn", part)) for part in enumerate((ssn[:6], ssn[3:], ssn[:3] + ssn[6:], ssn[4:], ssn[:5])))
    for plate in traits.numbers.get("plate", _NONE):
        # A part that was seen meets the parts there are of a whole one; a whole one meets nobody here.
        lengths = range(LEAST_PART, len(plate)) if enrolled else (len(plate),)
        found.update(hash(("plate", part)) for length in lengths for part in (plate[:length], plate[-length:]))
        found.update(
            hash(("plate", plate[:place] + plate[place + 1 :])) for place in range(len(plate)) if len(plate) > LEAST_PART
        )
    for vin in traits.numbers.get("vin", _NONE):
        found.add(hash(("vin", vin[-_VIN_TAIL:])))
        found.add(hash(("vin", vin[:-_VIN_TAIL])))
    for number in traits.numbers.get("license", _NONE):
        half = len(number) // 2
        found.update((hash(("license", number[:half])), hash(("license", number[half:]))))
    for spot in traits.spots:
        found.update(_spot_keys(spot, enrolled=enrolled))
    return found


def _form(kind: str, text: str) -> str:
    return NORMAL_FORMS[kind][1](text)


def _names(fields: Mapping[str, Sequence[str]]) -> Iterable[Name]:
    givens, surnames = fields.get("given_name", _NONE), fields.get("surname", _NONE)
    middles = fields.get("middle_name", _NONE)
    middle = middles[0] if len(middles) == 1 else ""
    for surname in surnames or ("",):
        for given in givens or ("",):
            name = name_of(f"{given} {middle}", surname)
            if name.given or name.surname:
                yield name
    # A name in one part only may be a whole name that somebody typed into the wrong column.
    for text in (*(() if givens else surnames), *(() if surnames else givens)):
        yield from names_of(text)
    for text in (*fields.get("name", _NONE), *fields.get("alias", _NONE)):
        yield from names_of(text)


def _spots(fields: Mapping[str, Sequence[str]]) -> Iterable[Spot]:
    def only(kind: str) -> str:
        values = fields.get(kind, _NONE)
        return values[0] if len(values) == 1 else ""

    city, state, postal_code = only("city"), only("state"), only("postal_code")
    streets = fields.get("street", _NONE)
    for street in streets:
        spot = spot_of(street, only("unit") if len(streets) == 1 else "", city, state, postal_code)
        yield spot
        if spot.place and (turned := _turned(spot)):
            yield turned
    for text in fields.get("address", _NONE):
        yield spot_of(text, "", city, state, postal_code)


def _turned(spot: Spot) -> Spot | None:
    """Return the reading with the two lines of an address exchanged, where the second is no unit."""
    other = spot_of(f"{spot.number or 1} {spot.place}")
    return spot._replace(street=other.street, name=other.name, place=spot.street) if other.street else None


def _name_keys(name: Name, births: Sequence[Born], *, weak: bool) -> Iterable[int]:
    """Yield where names meet: both as they sound, one as it sounds and a part of the date of birth, or of the other (weak)."""
    for born in births:
        for word in (*name.given[:1], *name.surname[-1:]):
            said = sound(word)
            yield hash(("word day", said, born.month, born.day))
            yield hash(("word year", said, born.year))
    if not name.given or not name.surname:
        return
    first = name.given[0]
    if weak:
        yield hash(("surname initial", sound("".join(name.surname)), first[0]))
        yield hash(("given start", sound(first), name.surname[-1][:2]))
    givens = {sound(first), *(sound(each) for each in formal(first))}
    if len(name.given) > 1 and len(name.given[1]) > 1:
        givens.add(sound(name.given[1]))
        givens.add(sound("".join(name.given)))
    surnames = {sound("".join(name.surname))}
    if len(name.surname) > 1:
        surnames.update(sound(word) for word in name.surname if word not in PARTICLES)
    for given in givens:
        for surname in surnames:
            yield hash(("name", given, surname) if given <= surname else ("name", surname, given))


def _spot_keys(spot: Spot, *, enrolled: bool) -> Iterable[int]:
    street = sound(spot.name.replace(" ", "")[:6]) if spot.name else ""
    here = spot.postal_code, spot.city[:3]
    if street and spot.number:
        yield hash(("number street", spot.number, street))
        yield hash(("number postal", spot.number, spot.postal_code, spot.name[0]))
        yield hash(("number city", spot.number, spot.city[:3], spot.name[0]))
    if street:
        # With another number it is another house, but for a place with a name; one that lacks its number may be any.
        whole = bool(spot.number and not spot.place)
        kinds = ("street", "numberless") if enrolled and not spot.number else ("street",) if enrolled else ("numberless",)
        yield from (hash((kind, at, street)) for at in here if at for kind in (kinds if whole else (*kinds, "street")))
    if spot.place:
        yield from (hash(("place", spot.place[:5], at)) for at in here if at)
