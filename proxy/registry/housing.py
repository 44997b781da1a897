"""What one address says for and against another being the same home, in bits, as each field does (``evidence.py``).

People move: another home says little against, however different it is, and less within a state than beyond it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.registry import likeness
from proxy.registry.likeness import OTHER, PART, SAME, SIMILAR, SLIP
from proxy.registry.protection import Feature
from proxy.registry.usps import DIRECTION_CODES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proxy.registry.rarity import Rarity
    from proxy.registry.traits import Spot

_HOUSE: Final = (5.0, 7.0, 9.0, 10.0)  # by the number's digits
_HOUSE_AGAINST: Final = -6.0
_UNIT: Final = 2.0
_UNIT_AGAINST: Final = -6.0
_STREET: Final[Mapping[str, float]] = {PART: -2.5, SLIP: -2.5, SIMILAR: -4.5}
_STREET_AGAINST: Final = -5.0
_OPPOSITE: Final = (frozenset("NS"), frozenset("EW"))
_PLACE: Final[Mapping[str, float]] = {SLIP: -1.0, SIMILAR: -3.0}
_HOUSE_KINDS: Final = frozenset({"number", "street"})
_TOWN: Final = frozenset({"city", "postal_code"})
_TOWN_AND_STATE: Final = _TOWN | {"state"}
_CITY_AGAINST: Final = -2.0
_POSTAL_AGAINST: Final = -2.5
_STATE_AGAINST: Final = -1.5
_MOVED: Final = -6.0
_MOVED_FAR: Final = -8.0
"""Of those who move, few go to another state."""


def homes(mine: Sequence[Spot], theirs: Sequence[Spot], rarity: Rarity) -> tuple[Feature, ...]:
    """Return what the likest pair of addresses says, part by part, or, where it says too much against, that it is another."""
    best: tuple[Feature, ...] = ()
    most = float("-inf")
    for one in mine:
        for other in theirs:
            found = _place(one, other, rarity)
            bits = sum([feature.bits for feature in found])
            if bits > most:
                best, most = found, bits
    if most >= _MOVED:
        return best
    far = {feature.kind for feature in best if feature.level is OTHER} >= _TOWN_AND_STATE
    against = _MOVED_FAR if far else _MOVED
    return best if most >= against else (Feature("address", OTHER, against),)


def another_home(found: Sequence[Feature]) -> bool:
    """Tell whether it is another home, however much of the rest agrees: another unit, number, street or town."""
    others = {feature.kind for feature in found if feature.level is OTHER}
    if not others:
        return False
    agreeing = {feature.kind for feature in found if feature.level is not OTHER}
    if "unit" in others or (others & _HOUSE_KINDS and "place" not in agreeing):
        return True
    return bool(others & _TOWN and not agreeing & _TOWN) or ("state" in others and "postal_code" not in agreeing)


def _place(one: Spot, other: Spot, rarity: Rarity) -> tuple[Feature, ...]:
    found: list[Feature] = []
    if one.number and other.number:
        level = likeness.house(one.number, other.number)
        bits = _HOUSE_AGAINST if level is OTHER else _HOUSE[min(len(one.number), len(other.number), 4) - 1]
        found.append(Feature("number", level, bits if level is not PART else bits - 1))
    if one.unit and other.unit:
        level = likeness.unit(one.unit, other.unit)
        found.append(Feature("unit", level, _UNIT_AGAINST if level is OTHER else _UNIT if level is not PART else _UNIT - 1))
    if one.street and other.street:
        level = _street(one, other)
        bits = _STREET_AGAINST
        if level is not OTHER:
            bits = max(1.0, rarity.of("street", other.street) + _STREET.get(level, 0.0))
        found.append(Feature("street", level, bits))
    if one.place and other.place:
        level = likeness.words(one.place, other.place)
        bits = -1.0 if level is OTHER else max(0.5, rarity.of("place", other.place) + _PLACE.get(level, 0.0))
        found.append(Feature("place", level, bits))
    if one.city and other.city:
        level = likeness.words(one.city, other.city)
        bits = _CITY_AGAINST if level is OTHER else rarity.of("city", other.city) * (1.0 if level is SAME else 0.75)
        found.append(Feature("city", level, bits))
    if one.postal_code and other.postal_code:
        same = one.postal_code == other.postal_code
        level = SAME if same else likeness.marks(f"{one.postal_code:>6}", f"{other.postal_code:>6}")
        rare = 0.0 if level is OTHER else rarity.of("postal_code", other.postal_code)
        bits = _POSTAL_AGAINST if level is OTHER else rare if level is SAME else max(0.5, rare - 3)
        found.append(Feature("postal_code", level, bits))
    if one.state and other.state and one.state != other.state:
        found.append(Feature("state", OTHER, _STATE_AGAINST))
    return tuple(found)


def _opposed(one: Spot, other: Spot) -> bool:
    """Tell whether one street is the north of which the other is the south, or east and west."""
    mine, theirs = (frozenset("".join(DIRECTION_CODES.intersection(spot.street.split()))) for spot in (one, other))
    return any(pair <= mine | theirs and not (pair <= mine or pair <= theirs) for pair in _OPPOSITE)


def _street(one: Spot, other: Spot) -> str:
    level = likeness.words(one.street, other.street)
    if level is SAME:
        return SAME
    if one.name == other.name:
        return OTHER if _opposed(one, other) else PART  # another suffix, or none
    if level is OTHER:
        level = likeness.words(one.name, other.name)
    return level
