"""Who shares an enrolled person's protection: those enrolled under the same household, and those enrolled at the same home.

Every member stands for all: a query that means one of them concerns each, whichever road led there. A home where more
people are enrolled than a household has (a shelter, a barracks) makes nobody a member of anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.registry.person import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from proxy.registry.profile import Profile
    from proxy.registry.tokens import Place

MOST_RESIDENTS: Final = 16


class Households:
    """Groups of profiles, joined as they are added; small groups are merged into large ones."""

    def __init__(self, residents: Callable[[Place], int]) -> None:
        """``residents`` tells how many persons are known at a home."""
        self._residents = residents
        self._group: dict[Profile, list[Profile]] = {}
        self._first: dict[Hashable, Profile] = {}

    def add(self, profile: Profile) -> None:
        """Join a person with those of the same household or home."""
        self._group.setdefault(profile, [profile])
        for bond in self._bonds(profile):
            other = self._first.setdefault(bond, profile)
            mine, theirs = self._group[profile], self._group[other]
            if mine is theirs:
                continue
            if len(mine) > len(theirs):
                mine, theirs = theirs, mine
            theirs.extend(mine)
            for member in mine:
                self._group[member] = theirs

    def of(self, profile: Profile) -> Sequence[Profile]:
        """Return everybody of a person's household, that person included."""
        return self._group.get(profile, (profile,))

    def _bonds(self, profile: Profile) -> Iterator[Hashable]:
        if isinstance(profile.owner, Entry) and profile.owner.household:
            yield profile.owner.household
        for place in profile.places:
            if self._residents(place) > MOST_RESIDENTS:
                continue
            home = (place.building, place.unit)
            if place.postal_code is not None:
                yield (*home, "postal_code", place.postal_code)
            if place.city is not None:
                yield (*home, "city", place.city)
            if place.postal_code is None and place.city is None:
                yield home
