"""Who is meant: one dictionary look-up a road, a second glance at those found by name or by address, and the look-alikes.

A name alone is a road, since a search by the mayor's name is a search for the mayor; but one that a date of birth or an SSN
contradicts is a namesake. A contradiction must be certain: every date is a whole one, and there are at least as many as
there are persons named, so that the victim's date of birth does not clear the witness.

An address is a road to everybody who is enrolled there. Who is enrolled with a unit is met by that unit, and by the
building when no unit is given, never by the neighbor's; who is enrolled without one is met by the whole building.

Free text is searched for what is enrolled, as it is: a full name in any order, a phone, SSN, e-mail or plate (``prose.py``). A
number is a road; a name is evidence, beside dates in the text and whatever else the record says of the person.

Look-alikes are those who share a key (``blocking.py``). They are compared, field by field (``evidence.py``); whether what is
found is enough is decided by whoever asks, since that depends on the category.
"""

from __future__ import annotations

from array import array
from collections import Counter
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from proxy.registry import blocking, normalize, prose, traits
from proxy.registry.evidence import most, weigh, weigh_in_hope
from proxy.registry.joint import parted
from proxy.registry.nearness import Near
from proxy.registry.rarity import Rarity
from proxy.registry.sharing import Shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from proxy.registry.evidence import Evidence
    from proxy.registry.profile import Profile
    from proxy.registry.sharing import Base
    from proxy.registry.tokens import Place, Token, Tokens
    from proxy.registry.traits import Traits

Hits = dict["Profile", list[str]]
Findings = dict["Profile", tuple[tuple[str, ...], "Evidence"]]
"""Whom criteria or a record could mean: the exact roads that led there (none for a look-alike), and what speaks for it."""

NAME: Final = "name"
NAME_DOB: Final = "name_dob"
SURNAME_DOB: Final = "surname_dob"
ALIAS: Final = "alias"
ALIAS_DOB: Final = "alias_dob"
ADDRESS: Final = "address"
TEXT: Final = "text"
TEXTS: Final = (TEXT, "work", "school")
"""The kinds that are searched for names: somebody may have typed one there."""

TEXT_NUMBER: Final = "text_number"
IN_TEXT: Final = frozenset({TEXT, TEXT_NUMBER})
WEAK_NAMES: Final = frozenset({NAME, ALIAS})

MOST_NAMES: Final = 256
MOST_COMPARED: Final = 64
"""So many look-alikes are compared, those first that share most."""
_NONE: Final[tuple[str, ...]] = ()


class TooManyNames(ValueError):  # noqa: N818 -- reads as a sentence where it is raised
    """More names could be read from one record than it is worth trying; the caller refuses it."""


def no_least() -> float:
    """Say that there may be somebody for whom anything is enough."""
    return float("-inf")


class Index:
    """Tokens to profiles; changed between two look-ups only."""

    def __init__(self, tokens: Tokens) -> None:
        """Start empty; profiles must come from the same ``tokens``."""
        self._tokens = tokens
        self._known = Shared()
        self._residents: dict[int, int] = {}
        self.rarity = Rarity(tokens)
        self.at = self._known.at
        """Who has a token or a key; each kind of these has numbers of its own."""

    def begin(self, base: Base) -> None:
        """Make everybody of a base findable, where nobody is yet."""
        self._known.begin(base)
        self.rarity.begin(base.values, len(base.persons))
        self._residents = base.residents

    def add(self, profile: Profile) -> None:
        """Make a person findable."""
        self._known.put(profile)
        for home in array("q", profile.homes):
            self._residents[home] = self._residents.get(home, 0) + 1
        self.rarity.add(array("q", profile.values))

    def remove(self, profile: Profile) -> None:
        """Undo ``add``."""
        self._known.drop(profile)
        for home in array("q", profile.homes):
            self._residents[home] -= 1
            if not self._residents[home]:
                del self._residents[home]
        self.rarity.remove(array("q", profile.values))

    def residents(self, place: Place) -> int:
        """Return how many known persons live in one home, or in a building that was enrolled without units."""
        return self._residents.get(hash((place.building, place.unit or 0)), 0)

    def same_person(self, profile: Profile) -> Iterable[Profile]:
        """Return who shares a record's id, an SSN, or a name with its date of birth, each as often as they share one."""
        facts = profile.facts
        for token in (*facts.person_ids, *facts.ssns):
            yield from self.at(token)
        for token in facts.names if facts.dobs else ():
            yield from (other for other in self.at(token) if not set(other.facts.dobs).isdisjoint(facts.dobs))

    def find(self, fields: Mapping[str, Sequence[str]], least: Callable[[], float] = no_least) -> Findings:
        """Return everybody whom criteria or a record could mean, and everybody who looks alike.

        Where nothing but names is told, whoever only resembles one of them is left out when all that names can say is less than
        ``least``: the fewest bits that are enough for anybody.

        Raises:
            TooManyNames: given names times surnames are over the bound.
        """
        fields = parted(fields)
        named = self._named(fields)
        texts = [text for kind in TEXTS for text in fields.get(kind, _NONE)]
        found = self._find(fields, named, more=bool(texts), least=least)
        if not texts:
            return found
        for profile, (said, evidence) in self._in_texts(texts, frozenset().union(*named)).items():
            roads, known = found.get(profile, ((), None))
            found[profile] = ((*roads, *said), evidence.beside_of(known))
        return found

    def _find(
        self, fields: Mapping[str, Sequence[str]], named: list[tuple[Token, ...]], *, more: bool, least: Callable[[], float]
    ) -> Findings:
        """Return whom the fields mean; where there is ``more`` to be read, nobody is given up on."""
        mine = traits.of_fields(fields, self._tokens)
        roads = self._roads(fields, mine, named)
        halves = blocking.BOTH if more else self._halves(mine, least)
        word, usual = self._tokens.word, self._tokens.usual
        parts = blocking.keys_apart(mine, word, usual, halves=halves)
        exact = np.fromiter([token for token, _ in roads], np.int64, len(roads))
        there = self._known.who(np.concatenate((exact, *chain(*parts))))
        if not there:
            return {}
        ends = [*accumulate((sum(map(len, part)) for part in parts), initial=len(roads))]
        at_roads = [(roads[place][1], who) for place, who in there.items() if place < ends[0]]
        hits = self._exact(fields, named, at_roads) if at_roads else {}
        persons = _persons(named)
        by_name, by_slip_or_place, others = (
            [each for place, who in there.items() if begin <= place < end for each in who] for begin, end in pairwise(ends)
        )
        told_apart = (*by_name, *by_slip_or_place) if more else self._not_apart(mine, persons, by_name, by_slip_or_place)
        met = [*told_apart, *others]
        found: Findings = {}
        told = bool(mine.numbers or mine.spots or mine.sites)
        for profile in dict.fromkeys((*hits, *_alike(met))):
            theirs = traits.unpack(self._tokens.open(profile.traits), more=told)
            said = hits.get(profile, _NONE)
            if said or more:
                found[profile] = tuple(said), weigh(mine, theirs, self.rarity, persons=persons)
            elif evidence := weigh_in_hope(mine, theirs, self.rarity, persons=persons):
                found[profile] = (), evidence
        return found

    def _not_apart(
        self, mine: Traits, persons: int, by_name: Sequence[Profile], by_slip_or_place: Sequence[Profile]
    ) -> Iterable[Profile]:
        """Yield whom all of these lead to, but for those whom another date of birth or SSN tells apart.

        They would be given up on when compared. A number that slipped or an address tells nevertheless where a name beside it
        sounds alike.
        """
        if by_name or by_slip_or_place:
            near = Near(mine, persons, self._tokens.word)
            yield from (profile for profile in by_name if near.may(profile.marks))
            yield from (who for who in by_slip_or_place if near.may(who.marks) or near.may_sound(who.marks))

    def _halves(self, mine: Traits, least: Callable[[], float]) -> tuple[bool, bool]:
        """Return whether it is any use to look for who shares half of a name, as it is and exchanged."""
        if mine.births or mine.numbers or mine.spots or mine.sites:
            return blocking.BOTH
        straight, exchanged = most(mine.names, self.rarity)
        enough = least()
        return straight >= enough, exchanged >= enough

    def _roads(
        self, fields: Mapping[str, Sequence[str]], mine: Traits, named: list[tuple[Token, ...]]
    ) -> list[tuple[Token, str]]:
        """Return every token by which somebody may be found exactly, with its road."""
        tokens = self._tokens
        token = tokens.token
        found = [(token("person_id", normalize.person_id(value)), "person_id") for value in fields.get("person_id", _NONE)]
        for kind, forms in mine.numbers.items():
            # An SSN of another length only looks alike.
            whole = forms if kind != "ssn" or mine.ssns_tell else filter(None, map(normalize.ssn, fields["ssn"]))
            found += [(token(kind, form), kind) for form in whole]
        found += [(key, NAME) for keys in named for key in keys]
        for value in fields.get("alias", _NONE):
            found += [(key, NAME) for key in tokens.name(value)]
            if moniker := tokens.moniker(value):
                found.append((moniker, ALIAS))
        found += [(key, SURNAME_DOB) for key in _without_given(fields, tokens)]
        streets = [tokens.read_street(value) for value in fields.get("street", _NONE)]
        streets += [tokens.read_address(value) for value in fields.get("address", _NONE)]
        return found + [(token("building", street.building), ADDRESS) for street in streets if street.number]

    def _in_texts(self, texts: Sequence[str], own: frozenset[Token]) -> Findings:
        """Return who is named in free text, and what of it speaks for each; ``own`` are the names of the record's own person.

        Those are compared with everything that the record says, so that a namesake's report is not about who is enrolled.

        Raises:
            TooManyNames: a text is longer than any that is read.
        """
        hits: Hits = {}
        said: dict[str, dict[str, None]] = {}
        for text in map(prose.plain, texts):
            if len(text) > prose.MOST_CHARACTERS:
                raise TooManyNames
            words = prose.words(text)
            givens = self.rarity.givens(words)
            # Each pair once, however often it comes: a text may repeat one two thousand times.
            for given, surname in {(words[place], other): None for place in givens for other in prose.surnames(words, place)}:
                token = self._tokens.pair(given, surname)
                if token not in own and (found := self.at(token)):
                    _add(hits, found, TEXT)
                    said.setdefault("name", {})[f"{surname}, {given}"] = None
            for kind, number in prose.numbers(text, words):
                mark = self._tokens.strong[kind](number)
                if mark is not None and (found := self.at(mark)):
                    _add(hits, found, TEXT_NUMBER)
                    said.setdefault(kind, {})[number] = None
            said.setdefault("dob", {}).update(dict.fromkeys(prose.dates(text)))
        if not hits:
            return {}
        mine = traits.of_fields({kind: tuple(texts) for kind, texts in said.items()}, self._tokens)
        mine = mine._replace(births_tell=False)  # a text may be about anybody, and its dates about anything
        persons = len(hits) + 1
        return {profile: (tuple(roads), self._weigh(mine, profile, persons)) for profile, roads in hits.items()}

    def _weigh(self, mine: Traits, profile: Profile, persons: int) -> Evidence:
        return weigh(mine, traits.unpack(self._tokens.open(profile.traits)), self.rarity, persons=persons)

    def other_record(self, profile: Profile, fields: Mapping[str, Sequence[str]]) -> bool:
        """Tell whether these are about one record id, and it is not among those known of the person."""
        given = fields.get("person_id", _NONE)
        token = self._tokens.strong["person_id"](given[0]) if len(given) == 1 else None
        return token is not None and bool(profile.facts.person_ids) and token not in profile.facts.person_ids

    def _named(self, fields: Mapping[str, Sequence[str]]) -> list[tuple[Token, ...]]:
        """Return the tokens of every name there is, one reading each."""
        givens, surnames = fields.get("given_name", _NONE), fields.get("surname", _NONE)
        if len(givens) * len(surnames) > MOST_NAMES:
            raise TooManyNames
        named = [self._tokens.parts(given, surname) for given in givens for surname in surnames]
        # A name in one part only may be a whole name that somebody typed into the wrong column.
        whole = (*(() if givens else surnames), *(() if surnames else givens), *fields.get("name", _NONE))
        return named + [self._tokens.name(value) for value in whole]

    def _exact(
        self,
        fields: Mapping[str, Sequence[str]],
        named: list[tuple[Token, ...]],
        there: Iterable[tuple[str, Sequence[Profile]]],
    ) -> Hits:
        """Return whom exact roads mean, of those who stand at their ends."""
        hits: Hits = {}
        about: _About | None = None
        placed = False
        for road, found in there:
            if road in WEAK_NAMES:
                about = about or _About(fields, self._tokens, named)
                if road is NAME:
                    about.judge(found, hits, NAME, NAME_DOB)
                else:
                    about.judge(found, hits, "" if any(named) else ALIAS, ALIAS_DOB)
            elif road is ADDRESS:
                placed = True
            else:
                _add(hits, found, road)
        if placed:
            self._by_place(fields, hits)
        return hits

    def _by_place(self, fields: Mapping[str, Sequence[str]], hits: Hits) -> None:
        places = [place for value in fields.get("street", _NONE) if (place := self._tokens.street(value))]
        places += [place for value in fields.get("address", _NONE) if (place := self._tokens.address(value))]
        for place in places:
            found = self.at(place.building)
            if not found:
                continue
            unit = self._unit(place, fields.get("unit", _NONE), alone=len(places) == 1)
            where = _Where(place, fields, self._tokens)
            for profile in found:
                if any(home.building == place.building and where.is_home(home, unit) for home in profile.facts.places):
                    _add(hits, (profile,), ADDRESS)

    def _unit(self, place: Place, units: Sequence[str], *, alone: bool) -> Token | None:
        """Return the unit that is meant; None, the whole building, when none or not one only is."""
        if not units:
            return place.unit
        if not alone or len(units) > 1:
            return None
        unit = self._tokens.unit(units[0])
        if unit is None or place.unit is None or unit == place.unit:
            return unit or place.unit
        return None


class _About:
    """What criteria or a record say of a person beside the name; made only once a name is known."""

    __slots__ = ("_dobs", "_dobs_tell", "_ssns", "_ssns_tell")

    def __init__(self, fields: Mapping[str, Sequence[str]], tokens: Tokens, named: list[tuple[Token, ...]]) -> None:
        persons = _persons(named)
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
                _add(hits, (profile,), with_dob)
            elif alone and not self._contradicts(profile):
                _add(hits, (profile,), alone)

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


def _without_given(fields: Mapping[str, Sequence[str]], tokens: Tokens) -> list[Token]:
    """Return the tokens of surname and date of birth, where an initial, which says no more, or no given name is told."""
    surnames, births = fields.get("surname", _NONE), fields.get("dob", _NONE)
    if not (surnames and births and all(map(_is_initial, fields.get("given_name", _NONE)))):
        return []
    made = (tokens.surname_dob(surname, born) for surname in surnames for born in births)
    return [token for token in made if token]


def _alike(met: Sequence[Profile]) -> Iterable[Profile]:
    """Return who was met by keys, those first who share most where there are too many to compare."""
    if len(met) <= MOST_COMPARED:
        return met
    counted = Counter(met)
    return counted if len(counted) <= MOST_COMPARED else [profile for profile, _ in counted.most_common(MOST_COMPARED)]


def _is_initial(given: str) -> bool:
    return len(given) < 2 or (len(given) == 2 and given[1] == ".")


def _persons(named: list[tuple[Token, ...]]) -> int:
    """Return how many persons are named at most: forms that share a key are one person's."""
    groups: list[set[Token]] = []
    for keys in named:
        same = next((group for group in groups if not group.isdisjoint(keys)), None)
        if same is None:
            groups.append(set(keys))
        else:
            same.update(keys)
    return max(1, len(groups))


def _add(hits: Hits, found: Iterable[Profile], road: str) -> None:
    for profile in found:
        roads = hits.setdefault(profile, [])
        if road not in roads:
            roads.append(road)
