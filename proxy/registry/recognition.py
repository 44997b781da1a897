"""The registry and the personnel directory as the street sees them.

Persons are added and removed in place. Recognition waits for nothing, so within one event loop each change lies between two
recognitions, and none sees half of one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from proxy.registry.closeness import Closeness
from proxy.registry.evidence import BESIDE
from proxy.registry.exact import IN_TEXT, TEXT, TEXT_NUMBER, WEAK_NAMES
from proxy.registry.households import Households
from proxy.registry.index import Index
from proxy.registry.own import OwnEntries
from proxy.registry.person import Entry, Staff
from proxy.registry.personnel import Personnel
from proxy.registry.protection import Protection, Recognition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from proxy.identity.principal import Principal
    from proxy.registry.evidence import Evidence
    from proxy.registry.index import Findings
    from proxy.registry.profile import Profile
    from proxy.registry.sharing import Base
    from proxy.registry.thresholds import Thresholds
    from proxy.registry.tokens import Tokens

HOUSEHOLD: Final = "household"
ASIDE: Final = 6.0
"""Bits that have to speak for a person beside a home that is a neighbor's: the same street and town prove nothing then."""

NAMES: Final = frozenset({"name", "given_name", "middle_name", "surname", "suffix", "alias"})
TOWN: Final = frozenset({"city", "state", "postal_code"})
"""A name is borne by many of one town."""

NOTHING: Final = Recognition()

LIKENESS: Final = "likeness"
"""The road of those whom no exact one led to."""

EXACT_BITS: Final[Mapping[str, float]] = {
    "person_id": 40, "ssn": 30, "vin": 30, "license": 25, "name_dob": 25, "email": 20, "alias_dob": 20, "surname_dob": 20,
    "phone": 17, "plate": 18, "address": 15, HOUSEHOLD: 10, "name": 0, "alias": 0, TEXT: 0,
    TEXT_NUMBER: 17,
}  # fmt: skip
"""What an exact road is worth at least, in bits: where nothing was compared, and for those of a household who stand for one."""


def enough(roads: Sequence[str], evidence: Evidence, threshold: float) -> bool:
    """Tell whether what was found means this person, as far as anybody can tell.

    An exact road does, but for a bare name. What only looks alike needs evidence over the threshold, or both names that sound
    the same and nothing that contradicts (a Jr. is not the Sr.), or one such name beside the place of work or the school.
    Another date of birth is a namesake's, unless more than names speaks for the person. A name in free text is as good as its
    bits: where many are enrolled, a common one is somebody else's.
    """
    roads = [road for road in roads if road != TEXT]
    if not WEAK_NAMES.issuperset(roads):
        return True
    if evidence.contradicted:
        return evidence.beside >= BESIDE and evidence.bits >= threshold
    if evidence.bits >= threshold and not evidence.single and (evidence.aside >= ASIDE or not evidence.elsewhere):
        return True
    return (evidence.alike or evidence.placed or bool(roads)) and not (evidence.elsewhere or evidence.generation)


def fields_of(owners: Iterable[Entry | Staff], now: datetime) -> frozenset[str]:
    """Return the field classes that anybody of a household has masked: they are masked for all of it."""
    held = (owner.fields for owner in owners if isinstance(owner, Entry) and owner.fields and not owner.expired(now))
    return frozenset().union(*held)


class Snapshot:
    """Everybody known, and the rules that speak of them."""

    def __init__(self, tokens: Tokens, thresholds: Thresholds) -> None:
        """Start with nobody; profiles must come from the same ``tokens``."""
        self.thresholds = thresholds
        self._index = Index(tokens)
        self._households = Households(self._index, tokens)
        self._own = OwnEntries(self._index)
        self._personnel = Personnel(self._households, self._own)
        self.colleagues = Closeness(self._index, self._personnel, self._own, self._households)
        self._lines = 0
        self.size = 0

    def begin(self, base: Base) -> None:
        """Know everybody of a base, where nobody is known yet."""
        self._index.begin(base)
        self.size += sum(profile.enrolled for profile in base.persons if profile is not None)
        for profile in base.persons:
            if profile is not None and not profile.enrolled:
                self._employ(profile)

    def add(self, profile: Profile) -> None:
        """Know a person from now on."""
        self._index.add(profile)
        if profile.enrolled:
            self.size += 1
        else:
            self._employ(profile)

    def _employ(self, profile: Profile) -> None:
        if isinstance(owner := profile.owner, Staff):
            self._personnel.add(owner)
        self._own.add(profile)
        self._lines += 1

    def remove(self, profile: Profile) -> None:
        """Know a person no longer: as if there had never been an ``add``."""
        self._index.remove(profile)
        if profile.enrolled:
            self.size -= 1
            return
        if isinstance(owner := profile.owner, Staff):
            self._personnel.remove(owner)
        self._own.remove(profile)
        self._lines -= 1

    def asks_for_more(self, criteria: Mapping[str, Sequence[str]], under: Thresholds | None = None) -> bool:
        """Tell whether criteria are nothing but a name, and more persons are enrolled than policy recognizes by one."""
        if self.size <= (under or self.thresholds).name_alone_up_to:
            return False
        return not NAMES.isdisjoint(criteria) and (NAMES | TOWN).issuperset(criteria)

    def recognize(
        self,
        fields: Mapping[str, Sequence[str]],
        principal: Principal,
        clock: Callable[[], datetime],
        under: Thresholds | None = None,
    ) -> Recognition:
        """Recognize criteria or one record for a principal.

        Raises:
            TooManyNames: there are more names than are worth trying; it must be treated as unreadable.
        """
        thresholds = under or self.thresholds
        found = self._index.find(fields, lambda: self._least(thresholds))
        if not found:
            return NOTHING
        return Recognition(
            protections=self._protections(found, clock, thresholds),
            relations=self._personnel.relations(self._index, self._close(found, thresholds), fields, principal),
        )

    def protections(self, fields: Mapping[str, Sequence[str]], clock: Callable[[], datetime]) -> tuple[Protection, ...]:
        """Return everybody protected who is concerned, whoever asks."""
        return self._protections(self._index.find(fields, lambda: self._least(self.thresholds)), clock, self.thresholds)

    def _least(self, thresholds: Thresholds) -> float:
        """Return the fewest bits that are enough for anybody."""
        enrolled = min(thresholds.usual, *thresholds.categories.values()) if thresholds.categories else thresholds.usual
        enrolled += thresholds.growth(self.size)
        return min(enrolled, thresholds.relations + thresholds.growth(self._lines)) if self._lines else enrolled

    def _close(self, found: Findings, thresholds: Thresholds) -> dict[Profile, list[str]]:
        """Return who of the personnel directory is meant; there, a date of birth that speaks against makes a namesake.

        Who is only named in free text is not: reports name the officers who wrote them.
        """
        close: dict[Profile, list[str]] = {}
        least = thresholds.relations + thresholds.growth(self._lines)
        for profile, (roads, evidence) in found.items():
            if roads and IN_TEXT.issuperset(roads):
                continue
            if roads:
                close[profile] = list(roads)
            elif evidence.bits >= least and not evidence.contradicted and not evidence.other_birth:
                close[profile] = [LIKENESS]
        return close

    def _protections(self, found: Findings, clock: Callable[[], datetime], thresholds: Thresholds) -> tuple[Protection, ...]:
        """Return the entries met and those of their households, in the order of their ids; expired ones protect nobody."""
        met: dict[str, Protection] = {}
        now: datetime | None = None
        growth = thresholds.growth(self.size)
        for profile, (roads, evidence) in found.items():
            if not profile.enrolled or not enough(roads, evidence, threshold := thresholds.alone(profile.category) + growth):
                continue
            now = now or clock()
            met_owner = profile.owner
            if not isinstance(met_owner, Entry) or met_owner.expired(now):
                continue
            household = self._households.of(profile)
            masked = fields_of((member.owner for member in household), now)
            for member in household:
                owner = member.owner
                if isinstance(owner, Entry) and owner.category and not owner.expired(now):
                    itself = member is profile
                    if itself or owner.id not in met:
                        one = _protection(owner, roads if itself else (HOUSEHOLD,), evidence, threshold, itself=itself)
                        met[owner.id] = replace(one, fields=masked)
        return tuple(met[entry] for entry in sorted(met))


def _protection(owner: Entry, roads: tuple[str, ...], evidence: Evidence, threshold: float, *, itself: bool) -> Protection:
    roads = roads or (LIKENESS,)
    exact = max(EXACT_BITS.get(road, 0.0) for road in roads)
    return Protection(
        entry=owner.id,
        category=owner.category,
        basis=owner.basis,
        matched=roads,
        score=max(exact, evidence.bits) if itself else exact,
        threshold=threshold,
        features=evidence.features if itself else (),
    )
