"""The exact roads, and a second glance at those found by name or by address.

A name alone is a road, since a search by the mayor's name is a search for the mayor; but one that a date of birth or an SSN
contradicts is a namesake. A contradiction must be certain: every date is a whole one, and there are at least as many as
there are persons named, so that the victim's date of birth does not clear the witness.

An address is a road to everybody who is enrolled there. Who is enrolled with a unit is met by that unit, and by the
building when no unit is given, never by the neighbor's; who is enrolled without one is met by the whole building.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.registry import normalize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from proxy.registry.profile import Profile
    from proxy.registry.tokens import Place, Token, Tokens

Hits = dict["Profile", list[str]]
"""Whom criteria or a record could mean, and the roads that led there."""

NAME: Final = "name"
NAME_DOB: Final = "name_dob"
SURNAME_DOB: Final = "surname_dob"
ALIAS: Final = "alias"
ALIAS_DOB: Final = "alias_dob"
ADDRESS: Final = "address"
TEXT: Final = "text"
TEXT_NUMBER: Final = "text_number"
IN_TEXT: Final = frozenset({TEXT, TEXT_NUMBER})
WEAK_NAMES: Final = frozenset({NAME, ALIAS})

_NONE: Final[tuple[str, ...]] = ()


def meant(
    fields: Mapping[str, Sequence[str]],
    named: Sequence[tuple[Token, ...]],
    there: Iterable[tuple[str, Sequence[Profile]]],
    tokens: Tokens,
    at: Callable[[Token], Sequence[Profile]],
) -> Hits:
    """Return whom exact roads mean, of those who stand at their ends; ``named`` are the tokens of every name, one reading each.

    ``at`` returns who has a token.
    """
    hits: Hits = {}
    about: _About | None = None
    placed = False
    for road, found in there:
        if road in WEAK_NAMES:
            about = about or _About(fields, tokens, named)
            if road is NAME:
                about.judge(found, hits, NAME, NAME_DOB)
            else:
                about.judge(found, hits, "" if any(named) else ALIAS, ALIAS_DOB)
        elif road is ADDRESS:
            placed = True
        else:
            add(hits, found, road)
    if placed:
        _by_place(fields, hits, tokens, at)
    return hits


def persons_of(named: Sequence[tuple[Token, ...]]) -> int:
    """Return how many persons are named at most: forms that share a key are one person's."""
    groups: list[set[Token]] = []
    for keys in named:
        same = next((group for group in groups if not group.isdisjoint(keys)), None)
        if same is None:
            groups.append(set(keys))
        else:
            same.update(keys)
    return max(1, len(groups))


def add(hits: Hits, found: Iterable[Profile], road: str) -> None:
    """Note that a road leads to these."""
    for profile in found:
        roads = hits.setdefault(profile, [])
        if road not in roads:
            roads.append(road)


def _by_place(
    fields: Mapping[str, Sequence[str]], hits: Hits, tokens: Tokens, at: Callable[[Token], Sequence[Profile]]
) -> None:
    places = [place for value in fields.get("street", _NONE) if (place := tokens.street(value))]
    places += [place for value in fields.get("address", _NONE) if (place := tokens.address(value))]
    for place in places:
        found = at(place.building)
        if not found:
            continue
        unit = _unit(place, fields.get("unit", _NONE), tokens, alone=len(places) == 1)
        where = _Where(place, fields, tokens)
        for profile in found:
            if any(home.building == place.building and where.is_home(home, unit) for home in profile.facts.places):
                add(hits, (profile,), ADDRESS)


def _unit(place: Place, units: Sequence[str], tokens: Tokens, *, alone: bool) -> Token | None:
    """Return the unit that is meant; None, the whole building, when none or not one only is."""
    if not units:
        return place.unit
    if not alone or len(units) > 1:
        return None
    unit = tokens.unit(units[0])
    if unit is None or place.unit is None or unit == place.unit:
        return unit or place.unit
    return None


class _About:
    """What criteria or a record say of a person beside the name; made only once a name is known."""

    __slots__ = ("_dobs", "_dobs_tell", "_ssns", "_ssns_tell")

    def __init__(self, fields: Mapping[str, Sequence[str]], tokens: Tokens, named: Sequence[tuple[Token, ...]]) -> None:
        persons = persons_of(named)
        births = [tokens.dob(value) for value in fields.get("dob", _NONE)]
        ssns = fields.get("ssn", _NONE)
        numbers = [tokens.strong["ssn"](value) for value in ssns]
        self._dobs = {token for token, _ in births if token is not None}
        self._dobs_tell = bool(births) and all(certain for _, certain in births) and len(self._dobs) >= persons
        self._ssns = {token for token in numbers if token is not None}
        self._ssns_tell = bool(ssns) and all(map(normalize.ssn_tells, ssns)) and len(self._ssns) >= persons

    def judge(self, found: Iterable[Profile], hits: Hits, alone: str, with_dob: str) -> None:
        """Add those whom the date of birth confirms, and, by the road ``alone`` (if any), those it does not contradict."""
        for profile in found:
            if not self._dobs.isdisjoint(profile.facts.dobs):
                add(hits, (profile,), with_dob)
            elif alone and not self._contradicts(profile):
                add(hits, (profile,), alone)

    def _contradicts(self, profile: Profile) -> bool:
        if self._dobs_tell and profile.facts.born:
            return True
        return self._ssns_tell and bool(profile.facts.ssns) and self._ssns.isdisjoint(profile.facts.ssns)


class _Where:
    """The town of an address, as far as it is told."""

    __slots__ = ("_cities", "_postal_codes", "_states")

    def __init__(self, place: Place, fields: Mapping[str, Sequence[str]], tokens: Tokens) -> None:
        self._cities = {place.city, *map(tokens.city, fields.get("city", _NONE))} - {None}
        self._states = {place.state, *map(tokens.state, fields.get("state", _NONE))} - {None}
        self._postal_codes = {place.postal_code, *map(tokens.postal_code, fields.get("postal_code", _NONE))} - {None}

    def is_home(self, home: Place, unit: Token | None) -> bool:
        """Tell whether a home of the same building's form is meant: not another unit, not another town."""
        if unit is not None and home.unit is not None and unit != home.unit:
            return False
        if home.postal_code in self._postal_codes:
            return True
        other_state = bool(home.state and self._states) and home.state not in self._states
        if home.city in self._cities:
            return not other_state
        other_city = bool(home.city and self._cities)
        other_code = bool(home.postal_code and self._postal_codes)
        return not (other_state or other_city or other_code)
