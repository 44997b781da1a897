"""One loaded state of the registry and the personnel directory, as the street sees it: never changed, only replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from proxy.registry.households import Households
from proxy.registry.index import Index
from proxy.registry.own import OwnEntries
from proxy.registry.person import Entry, Staff
from proxy.registry.personnel import Personnel
from proxy.registry.protection import Protection, Recognition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from proxy.identity.principal import Principal
    from proxy.registry.index import Hits
    from proxy.registry.profile import Profile
    from proxy.registry.tokens import Tokens

HOUSEHOLD: Final = "household"
NOTHING: Final = Recognition()

STRENGTH: Final[Mapping[str, float]] = {
    "person_id": 1.0, "ssn": 1.0, "vin": 1.0, "license": 1.0, "name_dob": 0.99, "email": 0.95, "phone": 0.9, "plate": 0.9,
    "alias_dob": 0.9, "surname_dob": 0.85, "address": 0.8, "name": 0.6, "alias": 0.5, HOUSEHOLD: 0.5,
}  # fmt: skip
"""How much a road says by itself, from 0 to 1: what ``registry recognize`` prints as the score. It decides nothing."""


def score(protection: Protection) -> float:
    """Return the strength of the strongest road that led to an entry."""
    return max((STRENGTH.get(road, 0.0) for road in protection.matched), default=0.0)


class Snapshot:
    """Everybody known, and the rules that speak of them."""

    def __init__(self, tokens: Tokens, profiles: Sequence[Profile]) -> None:
        """Take the profiles; nothing is found before ``build`` has ended."""
        self._profiles = profiles
        self._index = Index(tokens)
        self._households = Households(self._index.residents)
        self._own = OwnEntries(profiles)
        self._personnel = Personnel(
            (profile.owner for profile in profiles if isinstance(profile.owner, Staff)), self._households, self._own
        )

    def build(self) -> Iterator[None]:
        """Build by small steps, so that whoever drives it decides when others get their turn."""
        for profile in self._profiles:
            self._index.add(profile)
            yield
        for profile in self._profiles:
            if isinstance(profile.owner, Entry):
                self._households.add(profile)
                self._own.add(profile)
                yield

    def recognize(
        self, fields: Mapping[str, Sequence[str]], principal: Principal, clock: Callable[[], datetime]
    ) -> Recognition:
        """Recognize criteria or one record for a principal.

        Raises:
            TooManyNames: there are more names than are worth trying; it must be treated as unreadable.
        """
        hits = self._index.find(fields)
        if not hits:
            return NOTHING
        return Recognition(
            protections=self._protections(hits, clock),
            relations=self._personnel.relations(self._index, hits, fields, principal),
        )

    def protections(self, fields: Mapping[str, Sequence[str]], clock: Callable[[], datetime]) -> tuple[Protection, ...]:
        """Return everybody protected who is concerned, whoever asks."""
        return self._protections(self._index.find(fields), clock)

    def _protections(self, hits: Hits, clock: Callable[[], datetime]) -> tuple[Protection, ...]:
        """Return the entries met and those of their households, in the order of their ids; expired ones protect nobody."""
        met: dict[str, Protection] = {}
        now: datetime | None = None
        for profile in hits:
            if not isinstance(profile.owner, Entry):
                continue
            now = now or clock()
            if profile.owner.expired(now):
                continue
            for member in self._households.of(profile):
                owner = member.owner
                if isinstance(owner, Entry) and owner.id not in met and owner.category and not owner.expired(now):
                    roads = tuple(hits.get(member, ())) or (HOUSEHOLD,)
                    met[owner.id] = Protection(entry=owner.id, category=owner.category, basis=owner.basis, matched=roads)
        return tuple(met[entry] for entry in sorted(met))
