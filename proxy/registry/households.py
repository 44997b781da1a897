"""Who shares an enrolled person's protection: those enrolled under the same household, and those enrolled at the same home.

Every member stands for all: a query that means one of them concerns each, whichever road led there. A home where more
people are enrolled than a household has (a shelter, a barracks) makes nobody a member of anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.registry.bonds import bonds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.registry.index import Index
    from proxy.registry.profile import Profile
    from proxy.registry.tokens import Tokens

MOST_RESIDENTS: Final = 16


class Households:
    """Who is bound to whom; a group is put together when one of it is met."""

    def __init__(self, index: Index, tokens: Tokens) -> None:
        """The ``index`` knows who has which bond, and how many persons are known at a home."""
        self._index = index
        self._tokens = tokens

    def of(self, profile: Profile) -> Sequence[Profile]:
        """Return everybody of a person's household, that person included."""
        found = {profile: None}
        waiting = [profile]
        while waiting:
            one = waiting.pop()
            homes = [place for place in one.facts.places if self._index.residents(place) <= MOST_RESIDENTS]
            for bond in bonds(one.owner, homes, self._tokens):
                others = [other for other in self._index.at(bond) if other not in found]
                found.update(dict.fromkeys(others))
                waiting += others
        return tuple(found)
