"""One known person as memory holds them: match tokens, and everything else sealed until there is somebody to compare with.

No plain text of an enrolled person is kept. A process that holds the tokens and the seal's key can still open each of them;
what is gained is that a page of memory that leaks, a core that is cut short or a careless ``repr`` names nobody.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from proxy.registry import normalize, traits
from proxy.registry.likeness import sound
from proxy.registry.person import NOBODY, Entry, Identifiers, Staff, street_of
from proxy.registry.rarity import values_of
from proxy.registry.tokens import Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.registry.tokens import Token, Tokens


def forget() -> None:
    """Empty what remembers the forms of texts, once profiles are made: it would list those enrolled, one after the other.

    Comparing leaves single words of those compared in ``sound`` again, among the words of every query.
    """
    normalize.fold.cache_clear()
    sound.cache_clear()


class Forms(NamedTuple):
    """What a person is recognized by, of plain values, so that another process can make them; ``traits`` are not sealed yet."""

    strong: tuple[Token, ...]
    names: tuple[Token, ...]
    monikers: tuple[Token, ...]
    dobs: tuple[Token, ...]
    born: bool
    ssns: tuple[Token, ...]
    person_ids: tuple[Token, ...]
    places: tuple[tuple[Token | None, ...], ...]
    keys: bytes
    values: bytes
    traits: bytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profile:
    """A person's tokens by road, and the keys under which look-alikes meet them. Two profiles are never equal.

    ``owner`` has its identifiers taken out; ``traits`` are sealed by the ``tokens`` that made the profile.
    """

    owner: Entry | Staff
    strong: tuple[Token, ...]
    names: tuple[Token, ...]
    monikers: tuple[Token, ...]
    dobs: tuple[Token, ...]
    born: bool  # whether the date of birth is known well enough to contradict another
    ssns: tuple[Token, ...]
    person_ids: tuple[Token, ...]
    places: tuple[Place, ...]
    keys: array[int]
    values: array[int]
    traits: bytes


def profile_of(owner: Entry | Staff, tokens: Tokens) -> Profile:
    """Return an enrolled person as tokens."""
    return profile(replace(owner, identifiers=NOBODY), forms(owner.identifiers, tokens), tokens)


def profile(owner: Entry | Staff, made: Forms, tokens: Tokens) -> Profile:
    """Return a person of whom the forms are made already; ``owner`` has its identifiers taken out."""
    return Profile(
        owner=owner,
        strong=made.strong,
        names=made.names,
        monikers=made.monikers,
        dobs=made.dobs,
        born=made.born,
        ssns=made.ssns,
        person_ids=made.person_ids,
        places=tuple(map(_place, made.places)),
        keys=array("q", made.keys),
        values=array("q", made.values),
        traits=tokens.seal(made.traits),
    )


def forms(who: Identifiers, tokens: Tokens) -> Forms:
    """Return what a person is recognized by."""
    known = traits.of_person(who, tokens.read_address)
    by_kind = {kind: _tokens_of(kind, known.numbers.get(kind, ()), tokens) for kind in traits.NUMBERS}
    person_ids = _tokens_of("person_id", filter(None, map(normalize.person_id, who.person_ids)), tokens)
    born = normalize.dob(who.dob)
    surname_dob = tokens.surname_dob(who.surname, who.dob)
    homes = (tokens.place(street_of(home, tokens.read_address)) for home in who.homes)
    return Forms(
        strong=tuple({*chain(person_ids, *by_kind.values()), *((surname_dob,) if surname_dob else ())}),
        names=tuple({tokens.token("name", key) for key in _name_keys(who)}),
        monikers=tuple({tokens.token("moniker", word) for alias in who.aliases if (word := normalize.moniker(alias))}),
        dobs=(tokens.token("dob", born),) if born else (),
        born=bool(born) and born not in normalize.UNKNOWN_BIRTHS,
        ssns=by_kind["ssn"] if known.ssns_tell else (),
        person_ids=person_ids,
        places=tuple(tuple(place) for place in homes if place),
        keys=array("q", traits.keys(known, enrolled=True)).tobytes(),
        values=array("q", values_of(known)).tobytes(),
        traits=traits.pack(known),
    )


def _place(tokens: tuple[Token | None, ...]) -> Place:
    building, unit, city, state, postal_code = tokens
    return Place(building or 0, unit, city, state, postal_code)


def _tokens_of(kind: str, forms: Iterable[str], tokens: Tokens) -> tuple[Token, ...]:
    return tuple({tokens.token(kind, form) for form in forms})


def _name_keys(who: Identifiers) -> set[normalize.NameKey]:
    keys = set(normalize.enrolled_keys(who.given_name, who.middle_name, who.surname))
    for alias in who.aliases:
        keys.update(normalize.text_keys(alias))
        # "Bill" beside the surname Lucas: what he is called, in the place of his given name.
        if normalize.moniker(alias):
            keys.update(normalize.parts_keys(alias, who.surname))
    return keys
