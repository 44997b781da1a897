"""Who shares an enrolled person's protection: those enrolled under the same household, and those enrolled at the same home.

Every member stands for all: a query that means one of them concerns each, whichever road led there. A home where more
people are enrolled than a household has (a shelter, a barracks) makes nobody a member of anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.registry.person import Entry
from proxy.registry.sharing import Shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from proxy.registry.profile import Profile
    from proxy.registry.tokens import Place

MOST_RESIDENTS: Final = 16


class Households:
    """Who is bound to whom; a group is put together when one of it is met."""

    def __init__(self, residents: Callable[[Place], int]) -> None:
        """``residents`` tells how many persons are known at a home."""
        self._residents = residents
        self._bound = Shared()

    def add(self, profile: Profile) -> None:
        """Bind a person to those of the same household or home."""
        self._bound.put(set(_bonds(profile, profile.places)), profile)

    def remove(self, profile: Profile) -> None:
        """Undo ``add``."""
        self._bound.drop(set(_bonds(profile, profile.places)), profile)

    def of(self, profile: Profile) -> Sequence[Profile]:
        """Return everybody of a person's household, that person included."""
        found = {profile: None}
        waiting = [profile]
        while waiting:
            one = waiting.pop()
            homes = [place for place in one.places if self._residents(place) <= MOST_RESIDENTS]
            for bond in _bonds(one, homes):
                others = [other for other in self._bound.at(bond) if other not in found]
                found.update(dict.fromkeys(others))
                waiting += others
        return tuple(found)


def _bonds(profile: Profile, homes: Sequence[Place]) -> Iterator[int]:
    if isinstance(profile.owner, Entry) and profile.owner.household:
        yield hash((profile.owner.household,))
    for place in homes:
        home = (place.building, place.unit)
        if place.postal_code is not None:
            yield hash((*home, "postal_code", place.postal_code))
        if place.city is not None:
            yield hash((*home, "city", place.city))
        if place.postal_code is None and place.city is None:
            yield hash(home)
