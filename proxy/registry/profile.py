"""One known person as memory holds them: match tokens, and everything else sealed until there is somebody to compare with.

No plain text of an enrolled person is kept. A process that holds the tokens and the seal's key can still open each of them;
what is gained is that a page of memory that leaks, a core that is cut short or a careless ``repr`` names nobody.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from proxy.registry import normalize, traits
from proxy.registry.person import Entry, Identifiers, Staff, street_of
from proxy.registry.rarity import values_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.registry.tokens import Place, Token, Tokens

NOBODY = Identifiers()


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
    who = owner.identifiers
    known = traits.of_person(who)
    by_kind = {kind: _tokens_of(kind, known.numbers.get(kind, ()), tokens) for kind in traits.NUMBERS}
    person_ids = _tokens_of("person_id", filter(None, map(normalize.person_id, who.person_ids)), tokens)
    born = normalize.dob(who.dob)
    surname_dob = tokens.surname_dob(who.surname, who.dob)
    names = {tokens.token("name", key) for key in _name_keys(who)}
    monikers = {tokens.token("moniker", word) for alias in who.aliases if (word := normalize.moniker(alias))}
    return Profile(
        owner=replace(owner, identifiers=NOBODY),
        strong=tuple({*chain(person_ids, *by_kind.values()), *((surname_dob,) if surname_dob else ())}),
        names=tuple(names),
        monikers=tuple(monikers),
        dobs=(tokens.token("dob", born),) if born else (),
        born=bool(born) and born not in normalize.UNKNOWN_BIRTHS,
        ssns=by_kind["ssn"],
        person_ids=person_ids,
        places=tuple(place for home in who.homes if (place := tokens.place(street_of(home)))),
        keys=array("q", traits.keys(known, enrolled=True)),
        values=array("q", values_of(known)),
        traits=tokens.seal(traits.pack(known)),
    )


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
