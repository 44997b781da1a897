"""One known person as memory holds them: match tokens, and everything else sealed until there is somebody to compare with.

No plain text of an enrolled person is kept. A process that holds the tokens and the seal's key can still open each of them;
what is gained is that a page of memory that leaks, a core that is cut short or a careless ``repr`` names nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from proxy.registry import normalize, traits
from proxy.registry.likeness import sound
from proxy.registry.person import NOBODY, NORMAL_FORMS, Entry, Identifiers, Staff, street_of
from proxy.registry.rarity import values_of

if TYPE_CHECKING:
    from proxy.registry.tokens import Place, Token, Tokens


def forget() -> None:
    """Empty what remembers the forms of texts, once profiles are made: it would list those enrolled, one after the other.

    Comparing leaves single words of those compared in ``sound`` again, among the words of every query.
    """
    normalize.fold.cache_clear()
    sound.cache_clear()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profile:
    """A person's tokens by road, and the keys under which look-alikes meet them. Two profiles are never equal.

    ``owner`` has its identifiers taken out; ``traits`` are sealed by the ``tokens`` that made the profile.
    """

    owner: Entry | Staff
    strong: frozenset[Token]
    names: frozenset[Token]
    monikers: frozenset[Token]
    dobs: frozenset[Token]
    born: bool  # whether the date of birth is known well enough to contradict another
    ssns: frozenset[Token]
    person_ids: frozenset[Token]
    places: tuple[Place, ...]
    keys: tuple[int, ...]
    values: tuple[int, ...]
    traits: bytes


def profile_of(owner: Entry | Staff, tokens: Tokens) -> Profile:
    """Return an enrolled person as tokens."""
    who = owner.identifiers
    known = traits.of_person(who)
    by_kind = {
        kind: frozenset(token for value in getattr(who, attribute) if (token := tokens.token_of(kind, normal(value))))
        for kind, (attribute, normal) in NORMAL_FORMS.items()
    }
    born = normalize.dob(who.dob)
    surname_dob = tokens.surname_dob(who.surname, who.dob)
    return Profile(
        owner=replace(owner, identifiers=NOBODY),
        strong=frozenset().union(*by_kind.values(), {surname_dob} if surname_dob else ()),
        names=frozenset(tokens.token("name", key) for key in _name_keys(who)),
        monikers=frozenset(tokens.token("moniker", word) for alias in who.aliases if (word := normalize.moniker(alias))),
        dobs=frozenset({tokens.token("dob", born)} if born else ()),
        born=bool(born) and born not in normalize.UNKNOWN_BIRTHS,
        ssns=by_kind["ssn"],
        person_ids=by_kind["person_id"],
        places=tuple(place for home in who.homes if (place := tokens.place(street_of(home)))),
        keys=tuple(traits.keys(known, enrolled=True)),
        values=values_of(known),
        traits=tokens.seal(traits.pack(known)),
    )


def _name_keys(who: Identifiers) -> set[normalize.NameKey]:
    keys = set(normalize.enrolled_keys(who.given_name, who.middle_name, who.surname))
    for alias in who.aliases:
        keys.update(normalize.text_keys(alias))
        # "Bill" beside the surname Lucas: what he is called, in the place of his given name.
        if normalize.moniker(alias):
            keys.update(normalize.parts_keys(alias, who.surname))
    return keys
