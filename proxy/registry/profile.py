"""One known person as memory holds them: match tokens, and everything else sealed until there is somebody to compare with.

No plain text of an enrolled person is kept. A process that holds the tokens and the seal's key can still open each of them;
what is gained is that a page of memory that leaks, a core that is cut short or a careless ``repr`` names nobody.

A person is made of the bytes that ``derive`` returns: everything that normal forms are needed for. They are kept sealed in the
store (``cache.py``), so that a start does not have to derive them anew.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from sys import intern
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from proxy.registry import name_keys, normalize, traits
from proxy.registry.blocking import keys
from proxy.registry.bonds import bonds
from proxy.registry.likeness import sound
from proxy.registry.nearness import marked
from proxy.registry.person import NOBODY, Entry, Identifiers, Staff, pack, street_of, unpack_entry, unpack_staff
from proxy.registry.rarity import values_of
from proxy.registry.tokens import Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.registry.tokens import Token, Tokens

_HEAD: Final = struct.Struct("<6I2?Q")
_REMEMBERED: Final = 4096


def forget() -> None:
    """Empty what remembers the forms of texts, once profiles are made: it would list those enrolled, one after the other.

    Comparing leaves single words of those compared in ``sound`` again, among the words of every query.
    """
    normalize.fold.cache_clear()
    sound.cache_clear()


class Facts(NamedTuple):
    """A person's tokens by kind; ``born`` tells whether the date of birth is known well enough to contradict another."""

    names: tuple[Token, ...]
    dobs: tuple[Token, ...]
    born: bool
    ssns: tuple[Token, ...]
    person_ids: tuple[Token, ...]
    places: tuple[Place, ...]


class Profile:
    """A person. Two profiles are never equal; ``at`` is where in the index's base this one is, or -1.

    ``marks`` are those of the date of birth and the SSN (``nearness.py``).
    ``owner`` has its identifiers taken out; ``traits`` are sealed by the tokens that made the profile. Numbers are packed, 64
    bits each: those by which the person is found, the values whose frequency counts, and the homes. The rest is unpacked when
    somebody is met.
    """

    __slots__ = ("_facts", "_owner", "at", "category", "enrolled", "expires", "homes", "marks", "numbers", "traits", "values")

    def __init__(self, derived: bytes, tokens: Tokens) -> None:
        """Take what ``derive`` returned, under the same tokens."""
        category, owner, facts, values, homes, numbers, self.enrolled, self.expires, self.marks = _HEAD.unpack_from(derived)
        at = _HEAD.size
        self.category = intern(derived[at : (at := at + category)].decode())
        self._owner = derived[at : (at := at + owner)]
        self._facts = derived[at : (at := at + facts)]
        self.values = derived[at : (at := at + values)]
        self.homes = derived[at : (at := at + homes)]
        self.numbers = derived[at : (at := at + numbers)]
        self.traits = tokens.seal(derived[at:])
        self.at = -1

    @property
    def owner(self) -> Entry | Staff:
        """Return whose profile it is."""
        return _owner_of(self._owner, enrolled=self.enrolled)

    @property
    def facts(self) -> Facts:
        """Return the person's tokens by kind."""
        return _facts_of(self._facts)


def derive(owner: Entry | Staff, tokens: Tokens) -> bytes:
    """Return everything that a profile is made of. It names the person: it is to be sealed, or used, at once."""
    who, enrolled = owner.identifiers, isinstance(owner, Entry)
    category, expires = (owner.category, owner.expires is not None) if isinstance(owner, Entry) else ("", False)
    known = traits.of_person(who, tokens.read_address)
    by_kind = {kind: _tokens_of(kind, known.numbers.get(kind, ()), tokens) for kind in traits.NUMBERS}
    person_ids = _tokens_of("person_id", filter(None, map(normalize.person_id, who.person_ids)), tokens)
    born = normalize.dob(who.dob)
    surname_dob = tokens.surname_dob(who.surname, who.dob)
    homes = [place for home in who.homes if (place := tokens.place(street_of(home, tokens.read_address)))]
    facts = Facts(
        names=tuple({tokens.token("name", key) for key in _name_keys(who)}),
        dobs=(tokens.token("dob", born),) if born else (),
        born=bool(born) and born not in normalize.UNKNOWN_BIRTHS,
        ssns=by_kind["ssn"] if known.ssns_tell else (),
        person_ids=person_ids,
        places=tuple(homes),
    )
    numbers = {
        *chain(person_ids, *by_kind.values(), facts.names, bonds(owner, homes, tokens)),
        *([surname_dob] if surname_dob else ()),
        *(tokens.token("moniker", word) for alias in who.aliases if (word := normalize.moniker(alias))),
        *(place.building for place in homes),
        *keys(known, tokens.word),
    }
    kept = (
        category.encode(),
        pack(replace(owner, identifiers=NOBODY)),
        orjson.dumps(facts, default=tuple),
        array("q", values_of(known, tokens)).tobytes(),
        array("q", {hash((place.building, place.unit or 0)) for place in homes}).tobytes(),
        array("q", numbers).tobytes(),
    )
    return b"".join((_HEAD.pack(*map(len, kept), enrolled, expires, marked(known, tokens.word)), *kept, traits.pack(known)))


@lru_cache(maxsize=_REMEMBERED)
def _owner_of(packed: bytes, *, enrolled: bool) -> Entry | Staff:
    return unpack_entry(packed) if enrolled else unpack_staff(packed)


@lru_cache(maxsize=_REMEMBERED)
def _facts_of(packed: bytes) -> Facts:
    names, dobs, born, ssns, person_ids, places = orjson.loads(packed)
    return Facts(tuple(names), tuple(dobs), born, tuple(ssns), tuple(person_ids), tuple(Place(*place) for place in places))


def _tokens_of(kind: str, forms: Iterable[str], tokens: Tokens) -> tuple[Token, ...]:
    return tuple({tokens.token(kind, form) for form in forms})


def _name_keys(who: Identifiers) -> set[name_keys.NameKey]:
    keys = set(name_keys.enrolled_keys(who.given_name, who.middle_name, who.surname))
    for alias in who.aliases:
        keys.update(name_keys.text_keys(alias))
        # "Bill" beside the surname Lucas: what he is called, in the place of his given name.
        if normalize.moniker(alias):
            keys.update(name_keys.parts_keys(alias, who.surname))
    return keys
