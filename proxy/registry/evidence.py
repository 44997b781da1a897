"""From likeness to evidence: bits for and against criteria or a record being about an enrolled person.

Fellegi and Sunter's theory of record linkage (1969): each field adds the logarithm of how much more likely its agreement or
disagreement is for the same person than for two of the population. What agreement on a value is worth depends on how rare
the value is (``rarity.py``); what a slip, a short form or a contradiction takes off or counts against are the constants here.

Of N enrolled persons, at most N / 2**bits ordinary queries reach so many bits by chance: that is how a threshold is
made of a tolerable rate of needless recognitions (``thresholds.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.registry import likeness, sites
from proxy.registry.housing import another_home, homes
from proxy.registry.likeness import INITIAL, NICKNAME, OTHER, PART, PARTIAL, PHONETIC, SAME, SIMILAR, SLIP, SWAPPED, UNHEARD
from proxy.registry.protection import Feature
from proxy.registry.sites import SITES
from proxy.registry.thresholds import LEAST_BITS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proxy.registry.likeness import Name
    from proxy.registry.rarity import Rarity
    from proxy.registry.traits import Traits


class Evidence(NamedTuple):
    """What speaks for and against one enrolled person being meant, in bits; ``beside`` leaves out name and date of birth.

    ``contradicted``: another date of birth, or another SSN, for certain. ``other_birth``: a date that speaks against.
    ``alike``: both names sound the same, or are. ``elsewhere``: another home, and ``aside`` what speaks beside it.
    ``single``: only one of given name, surname, date of birth, place of work or school speaks for the person, which many share.
    ``generation``: a Jr. where the person is a Sr.
    ``placed``: a place of work or a school beside a name that is the same, and no other name or date of birth.
    """

    bits: float
    beside: float
    features: tuple[Feature, ...]
    contradicted: bool = False
    other_birth: bool = False
    alike: bool = False
    elsewhere: bool = False
    aside: float = 0.0
    single: bool = False
    placed: bool = False
    generation: bool = False

    def beside_of(self, known: Evidence | None) -> Evidence:
        """Return what a text says, and whatever the record's fields say of the same person beside a name.

        That a text has both names says no more than their bits: somebody else of that name may be meant.
        """
        if known is None:
            return self._replace(alike=False)
        more = tuple(feature for feature in known.features if feature.kind not in _NAMES)
        bits = self.bits + max(0.0, sum(feature.bits for feature in more))
        if bits <= known.bits:
            return known
        features = (*self.features, *(feature for feature in more if feature.bits > 0))
        return self._replace(bits=bits, features=features, alike=known.alike)


BESIDE: Final = 8.0
"""Bits from anything but name and date of birth that outweigh another date of birth."""

_GIVEN: Final[Mapping[str, float]] = {NICKNAME: -2.5, PART: -3, UNHEARD: -1, SLIP: -1, PHONETIC: -4, SIMILAR: -4.5}
_SURNAME: Final[Mapping[str, float]] = {PART: -2.5, UNHEARD: -1, SLIP: -1, PHONETIC: -4.5, SIMILAR: -5}
_ANOTHER: Final[Mapping[str, float]] = {UNHEARD: -3.5, SLIP: -5.5, SIMILAR: -9}
"""Where both are names that somebody bears: a slip of the pen seldom makes one of another, as Olivia of Oliver."""
_NAME_AGAINST: Final = -5.5
_INITIAL: Final = 2.0
_LEAST_NAME: Final = 0.5
_LEAST_ANOTHER: Final = -3.0
_CROSSED: Final = -1.5
_PERSONAL: Final = frozenset({"given_name", "surname", "suffix", "dob"})
_NAMES: Final = frozenset({"given_name", "surname"})
_GENERATION: Final = 3.0
_GENERATION_AGAINST: Final = -5.0
_ONE_GENERATION: Final = frozenset({"jr", "ii"})
_SOUNDS: Final = frozenset({SAME, NICKNAME, UNHEARD, PHONETIC})
_STRANGERS: Final = (2 * _NAME_AGAINST, _NAME_AGAINST, OTHER, _NAME_AGAINST, OTHER)
_SHARED: Final = _PERSONAL | frozenset(SITES)

_BORN: Final[Mapping[str, float]] = {SAME: 14.0, SWAPPED: 9.0, SLIP: 6.0, SIMILAR: -1.0, OTHER: -8.0}
_BORN_PARTIAL: Final = (5.5, 3.5, 4.5)  # year, month, day

_NUMBERS: Final[Mapping[str, tuple[float, float, float]]] = {
    # same, slip, other
    "person_id": (30.0, 0.0, 0.0),
    "ssn": (28.0, 19.0, -7.0),
    "phone": (17.0, 8.0, -0.5),
    "email": (20.0, 10.0, -0.5),
    "license": (24.0, 15.0, -1.5),
    "plate": (18.0, 11.0, 0.0),  # a slip leads to a neighbor's plate too often to be enough alone
    "vin": (30.0, 20.0, 0.0),
}

PARTS: Final = frozenset({"plate", "vin"})
_MARK: Final = 3.6
"""Bits of each letter or digit of a part of a plate or VIN."""

_SITE: Final[Mapping[str, float]] = {PART: -1.5, SLIP: -1.0, SIMILAR: -3.0}
_MOST_SITE: Final = 6.0
"""Bits of a place of work or a school, however rare: hundreds share it."""
_LEAST_SITE: Final = 0.5


def weigh(mine: Traits, theirs: Traits, rarity: Rarity, *, persons: int) -> Evidence:
    """Weigh criteria or a record (``mine``), which name up to ``persons`` persons, against one enrolled person."""
    found = _weigh(mine, theirs, rarity, persons, hopeless=False)
    assert found is not None
    return found


def weigh_in_hope(mine: Traits, theirs: Traits, rarity: Rarity, *, persons: int) -> Evidence | None:
    """Do the same for somebody whom no exact road led to: None as soon as what there is can be enough for no category.

    So it is when a contradiction outweighs whatever the names say, or when so little agrees: no date of birth outweighs two
    other names.
    """
    if not (mine.numbers or mine.spots or mine.sites) and _strangers(mine.names, theirs.names):
        return None
    return _weigh(mine, theirs, rarity, persons, hopeless=True)


def _weigh(mine: Traits, theirs: Traits, rarity: Rarity, persons: int, *, hopeless: bool) -> Evidence | None:
    beside: list[Feature] = []
    born = _born(mine, theirs, beside, persons)
    other_number = _numbers(mine, theirs, beside, persons) if mine.numbers else False
    place: tuple[Feature, ...] = ()
    placed = 0.0
    if mine.spots and theirs.spots:
        place = homes(mine.spots, theirs.spots, rarity)
        placed = sum([feature.bits for feature in place])
        if not mine.at_home and placed < 0:
            place, placed = (), 0.0  # that it happened elsewhere says nothing of who it happened to
    generation = _generation(mine, theirs, beside, persons) if theirs.generations else False
    site, there = _sites(mine, theirs, rarity) if theirs.sites else (None, False)
    if site:
        beside.append(site)
    if there and placed < 0:
        place, placed = (), 0.0  # the address asked for is where the person works or learns, and need not be the home
    contradicted = born is OTHER or other_number
    apart = placed + sum([feature.bits for feature in beside if feature.kind not in _SHARED])
    if hopeless and contradicted and apart < BESIDE:
        return None
    features: list[Feature] = []
    levels = _names(mine.names, theirs.names, rarity, features) if mine.names and theirs.names else None
    alike = levels is not None and levels[0] in _SOUNDS and levels[1] in _SOUNDS
    features += beside
    features += place
    bits = sum([feature.bits for feature in features])
    if hopeless and bits < LEAST_BITS and not alike and not site:
        return None
    speaking = [feature.kind for feature in features if feature.bits > 0]
    return Evidence(
        bits=bits,
        beside=apart,
        features=tuple(features),
        contradicted=contradicted,
        other_birth=born is OTHER or born is SIMILAR,
        alike=alike,
        elsewhere=bool(place) and (placed < 0 or another_home(place)),
        aside=bits - placed,
        single=len(speaking) < 2 and _SHARED.issuperset(speaking),
        placed=site is not None and born not in {OTHER, SIMILAR} and _named(features),
        generation=generation,
    )


def most(names: Sequence[Name], rarity: Rarity) -> tuple[float, float]:
    """Return the most that names can be worth by themselves: as they are, and with given name and surname exchanged."""
    straight = exchanged = 0.0
    for given, surname in names:
        if given and surname:
            straight = max(straight, _worth("given", given[0], rarity) + _worth("surname", surname[-1], rarity))
            exchanged = max(exchanged, _worth("given", surname[0], rarity) + _worth("surname", given[-1], rarity) + _CROSSED)
    return straight, exchanged


def _worth(kind: str, name: str, rarity: Rarity) -> float:
    return max(_INITIAL, rarity.of(kind, name))


def _named(features: Sequence[Feature]) -> bool:
    """Tell whether a name is the same, or sounds so, and none is another."""
    levels = [feature.level for feature in features if feature.kind in _NAMES]
    return bool(levels) and _SOUNDS.issuperset(levels)


def _names(mine: Sequence[Name], theirs: Sequence[Name], rarity: Rarity, features: list[Feature]) -> tuple[str, str] | None:
    """Add the best pairing of names; return its levels, when there were two names on either side to compare."""
    best: tuple[float, float, str, float, str] | None = None
    for one in mine:
        for other in theirs:
            found = _pair(one.given, one.surname, other, rarity)
            if found[2] is OTHER or found[4] is OTHER:
                crossed = _pair(one.surname, one.given, other, rarity)
                if crossed[0] + _CROSSED > found[0]:
                    found = (crossed[0] + _CROSSED, crossed[1] + _CROSSED, *crossed[2:])
            if best is None or found[0] > best[0]:
                best = found
    if best is None:
        return None
    _, given_bits, given_level, surname_bits, surname_level = best
    if given_level:
        features.append(Feature("given_name", given_level, given_bits))
    if surname_level:
        features.append(Feature("surname", surname_level, surname_bits))
    return (given_level, surname_level) if given_level and surname_level else None


def _strangers(mine: Sequence[Name], theirs: Sequence[Name]) -> bool:
    """Tell whether no name of either is anything like one of the other's, be it given name or surname."""
    for one in mine:
        for other in theirs:
            if not (_others(one.given, one.surname, other) and _others(one.surname, one.given, other)):
                return False
    return bool(mine and theirs)


def _others(given: tuple[str, ...], surname: tuple[str, ...], other: Name) -> bool:
    if not (given and surname and other.given and other.surname):
        return False
    return likeness.surname(surname, other.surname) is OTHER and likeness.given(given, other.given) is OTHER


def _pair(
    given: tuple[str, ...], surname: tuple[str, ...], other: Name, rarity: Rarity
) -> tuple[float, float, str, float, str]:
    given_level = likeness.given(given, other.given) if given and other.given else ""
    surname_level = likeness.surname(surname, other.surname) if surname and other.surname else ""
    if given_level is OTHER and surname_level is OTHER:
        return _STRANGERS
    given_bits = _name_bits("given", given_level, given[0], other.given[0], rarity) if given_level else 0.0
    surname_bits = _name_bits("surname", surname_level, surname[-1], other.surname[-1], rarity) if surname_level else 0.0
    return given_bits + surname_bits, given_bits, given_level, surname_bits, surname_level


def _name_bits(kind: str, level: str, one: str, other: str, rarity: Rarity) -> float:
    if level is OTHER:
        return _NAME_AGAINST
    if level is INITIAL:
        return _INITIAL
    rare = min(rarity.of(kind, one), rarity.of(kind, other))
    if level is SAME:
        return max(_LEAST_NAME, rare)
    if level in _ANOTHER and rarity.borne(kind, one) and rarity.borne(kind, other, own=1):
        return max(_LEAST_ANOTHER, rare + _ANOTHER[level])
    return max(_LEAST_NAME, rare + (_GIVEN if kind == "given" else _SURNAME).get(level, 0.0))


def _generation(mine: Traits, theirs: Traits, features: list[Feature], persons: int) -> bool:
    """Add what Jr., Sr. and the like say; tell whether they speak of another of the same name."""
    if len(mine.generations) != 1 or len(theirs.generations) != 1 or persons > 1:
        return False
    one, other = mine.generations[0], theirs.generations[0]
    if {one, other} == _ONE_GENERATION:
        return False
    features.append(Feature("suffix", *(SAME, _GENERATION) if one == other else (OTHER, _GENERATION_AGAINST)))
    return one != other


def _born(mine: Traits, theirs: Traits, features: list[Feature], persons: int) -> str:
    """Add the best pairing of dates; a contradiction must be certain: whole dates, at least as many as there are persons."""
    best, level = 0.0, ""
    if not theirs.births:
        return ""
    for one in mine.births:
        for other in theirs.births:
            found = likeness.born(one, other)
            if found is PARTIAL:
                bits = sum(worth for worth, my, their in zip(_BORN_PARTIAL, one, other, strict=True) if my and their)
            elif found is OTHER and not (one.whole and other.whole):
                bits = 0.0
            else:
                bits = _BORN.get(found, 0.0)
            if not level or bits > best:
                best, level = bits, found
    certain = mine.births_tell and theirs.births_tell and len(mine.births) >= persons
    if level is OTHER and not certain:
        return ""
    if level:
        features.append(Feature("dob", level, best))
    return level


def _numbers(mine: Traits, theirs: Traits, features: list[Feature], persons: int) -> bool:
    """Add what numbers say; tell whether an SSN contradicts."""
    contradicted = False
    for kind, values in mine.numbers.items():
        known = theirs.numbers.get(kind)
        if not known:
            continue
        level, bits = _number(kind, values, known)
        if level is OTHER and (len(values) < persons or (kind == "ssn" and not (mine.ssns_tell and theirs.ssns_tell))):
            continue
        contradicted |= kind == "ssn" and level is OTHER
        if bits:
            features.append(Feature(kind, level, bits))
    return contradicted


def _number(kind: str, values: Sequence[str], known: Sequence[str]) -> tuple[str, float]:
    """Return how alike the nearest pair is, and its bits."""
    same, slip, other = _NUMBERS[kind]
    if values[0] == known[0]:
        return SAME, same
    best = OTHER, other
    compare = likeness.part if kind in PARTS else likeness.marks
    for value in values:
        for their in known:
            level = compare(value, their)
            if level is SAME:
                return SAME, same
            if level is not OTHER:
                bits = slip if level is SLIP else _MARK * len(value) - 1  # at either end
                if bits > best[1]:
                    best = level, bits
    return best


def _sites(mine: Traits, theirs: Traits, rarity: Rarity) -> tuple[Feature | None, bool]:
    """Return what a place of work or a school says, if anything, and whether an address that is asked for is one.

    Another place says nothing: people change theirs.
    """
    best: Feature | None = None
    there = False
    for their in theirs.sites:
        worth = min(_MOST_SITE, rarity.of(their.kind, their.text))
        here = any(sites.at(spot.number, spot.street, spot.city, spot.state, their) for spot in mine.spots)
        levels = [sites.level(one, their) for one in mine.sites if one.kind == their.kind]
        found = [SAME] if here else [level for level in levels if level is not OTHER]
        for level in found:
            bits = max(_LEAST_SITE, worth + _SITE.get(level, 0.0))
            if best is None or bits > best.bits:
                best = Feature(their.kind, level, bits)
        there |= here
    return best, there
