"""Who is meant: one look-up a road, a second glance at those found by name or by address (``exact.py``), and the look-alikes.

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
from proxy.registry.exact import ADDRESS, ALIAS, NAME, SURNAME_DOB, TEXT, TEXT_NUMBER, add, meant, persons_of
from proxy.registry.joint import parted
from proxy.registry.nearness import Near
from proxy.registry.rarity import Rarity
from proxy.registry.sharing import Shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from proxy.registry.evidence import Evidence
    from proxy.registry.exact import Hits
    from proxy.registry.profile import Profile
    from proxy.registry.sharing import Base
    from proxy.registry.tokens import Place, Token, Tokens
    from proxy.registry.traits import Traits

Findings = dict["Profile", tuple[tuple[str, ...], "Evidence"]]
"""Whom criteria or a record could mean: the exact roads that led there (none for a look-alike), and what speaks for it."""

TEXTS: Final = (TEXT, "work", "school")
"""The kinds that are searched for names: somebody may have typed one there."""

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
        hits = meant(fields, named, at_roads, self._tokens, self.at) if at_roads else {}
        persons = persons_of(named)
        by_name, by_slip, by_place, others = (
            [each for place, who in there.items() if begin <= place < end for each in who] for begin, end in pairwise(ends)
        )
        if not more and (by_name or by_slip or by_place):
            near = Near(mine, persons, word)
            # Whom another date of birth or SSN tells apart would be given up on when compared. A number that slipped tells
            # nevertheless where a name beside it sounds alike; an address does, too, and where only one of both is another.
            by_name = [who for who in by_name if near.may(who.marks)]
            by_slip = [who for who in by_slip if near.may(who.marks) or near.may_sound(who.marks)]
            by_place = [who for who in by_place if near.may_by_one(who.marks) or near.may_sound(who.marks)]
        met = [*by_name, *by_slip, *by_place, *others]
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
                    add(hits, found, TEXT)
                    said.setdefault("name", {})[f"{surname}, {given}"] = None
            for kind, number in prose.numbers(text, words):
                mark = self._tokens.strong[kind](number)
                if mark is not None and (found := self.at(mark)):
                    add(hits, found, TEXT_NUMBER)
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
