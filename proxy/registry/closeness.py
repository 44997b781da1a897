"""How two of the personnel stand to one another: whoever is close to somebody does not decide on their queries.

Two are close when they are of one household (by the directory's word, the registry's, or the same home, unless so many are
known there that it is none), or when a line of one declares the other: household, family, former partner, or in dispute. A line
that has a name only declares everybody of that name, until a date of birth says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.registry.households import MOST_RESIDENTS
from proxy.registry.person import Declared, Staff

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.registry.households import Households
    from proxy.registry.index import Index
    from proxy.registry.own import OwnEntries
    from proxy.registry.personnel import Personnel
    from proxy.registry.profile import Profile
    from proxy.registry.tokens import Place


class Closeness:
    """Asked by personnel ids; of whom nothing is known, nothing is said."""

    def __init__(self, index: Index, personnel: Personnel, own: OwnEntries, households: Households) -> None:
        """Take everybody known, and who of them the personnel are."""
        self._index = index
        self._personnel = personnel
        self._own = own
        self._households = households

    def rank(self, person: str, agency: str) -> str:
        """Return somebody's rank in an agency, or nothing."""
        line = self._personnel.own(person)
        return line.rank if line is not None and line.agency == agency else ""

    def employed(self, person: str) -> bool:
        """Tell whether the directory has a line of somebody's own."""
        return self._personnel.own(person) is not None

    def close(self, one: str, other: str) -> bool:
        """Tell whether two people are close."""
        if one == other:
            return True
        return (
            self._same_household(one, other)
            or self._same_home(one, other)
            or self._declares(one, other)
            or self._declares(other, one)
            or self._enrolled_together(one, other)
        )

    def _same_household(self, one: str, other: str) -> bool:
        mine, theirs = self._personnel.own(one), self._personnel.own(other)
        if mine is None or theirs is None or not mine.household:
            return False
        return (mine.household, mine.agency) == (theirs.household, theirs.agency)

    def _same_home(self, one: str, other: str) -> bool:
        theirs = list(self._homes(other))
        return any(_same(mine, home) for mine in self._homes(one) for home in theirs)

    def _homes(self, person: str) -> Iterator[Place]:
        for line in self._own.lines(person):
            yield from (place for place in line.facts.places if self._index.residents(place) <= MOST_RESIDENTS)

    def _declares(self, one: str, other: str) -> bool:
        """Tell whether a line of one's is about the other."""
        return any(
            isinstance(owner := profile.owner, Staff) and owner.personnel == one and owner.declared is not Declared.OWN
            for line in self._own.lines(other)
            for profile in self._could_be(line)
        )

    def _could_be(self, line: Profile) -> Iterator[Profile]:
        yield from self._index.same_person(line)
        for token in line.facts.names:
            for other in self._index.at(token):
                if not line.facts.dobs or not other.facts.dobs:
                    yield other

    def _enrolled_together(self, one: str, other: str) -> bool:
        theirs = set(self._own.of(other))
        return any(member in theirs for entry in self._own.of(one) for member in self._households.of(entry))


def _same(one: Place, other: Place) -> bool:
    """Tell whether two addresses are one home; where neither says a town, the street and number are enough."""
    if (one.building, one.unit) != (other.building, other.unit):
        return False
    pairs = ((one.city, other.city), (one.postal_code, other.postal_code))
    return all(mine is None or theirs is None or mine == theirs for mine, theirs in pairs)
