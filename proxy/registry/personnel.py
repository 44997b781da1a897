"""How a person who is meant stands to the principal: the personnel directory's rules.

* **self, household, family, former partner, dispute** hold on every road, a name alone included: nobody looks up their own
  people, and whoever has to is somebody else. A bare name that is a namesake's is cleared by a date of birth.
* **household** also holds on the principal's own home address, unless so many people are known there that it is none: a record
  that shows it is about one of the household. And it holds for the registry's household of a principal who is enrolled there.
* **command** is the principal's supervisor, that person's supervisor, and so on; **colleague** is anybody else of the agency.
  Neither holds on an address alone, which names nobody: an officer's home is protected by an entry of the registry. A bare
  name equal to a colleague's counts (the answer would be about the colleague too) until a date of birth, an SSN or another
  record's id says that it is a namesake, who is no colleague.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from proxy.registry.exact import ADDRESS, WEAK_NAMES
from proxy.registry.households import MOST_RESIDENTS
from proxy.registry.person import Declared, Staff
from proxy.registry.protection import Relation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from proxy.identity.principal import Principal
    from proxy.registry.exact import Hits
    from proxy.registry.households import Households
    from proxy.registry.index import Index
    from proxy.registry.own import OwnEntries
    from proxy.registry.profile import Profile

MOST_SUPERVISORS: Final = 32


class Personnel:
    """The directory's own persons by personnel id."""

    def __init__(self, households: Households, enrolled: OwnEntries) -> None:
        """Start with nobody; ``households`` are the registry's, and ``enrolled`` tells who of the personnel is in it."""
        self._households = households
        self._enrolled = enrolled
        self._lines: dict[str, dict[str, Staff]] = {}
        self._own: dict[str, Staff] = {}
        self._chains: dict[str, frozenset[str]] = {}

    def add(self, line: Staff) -> None:
        """Take a line; those of relatives and adversaries speak through their personnel id."""
        if line.declared is Declared.OWN:
            self._lines.setdefault(line.personnel, {})[line.id] = line
            self._settle(line.personnel)

    def remove(self, line: Staff) -> None:
        """Undo ``add``."""
        if line.declared is Declared.OWN:
            del self._lines[line.personnel][line.id]
            self._settle(line.personnel)

    def _settle(self, personnel: str) -> None:
        """Have one line of each: of several, always the same one."""
        self._chains.clear()
        lines = self._lines[personnel]
        if lines:
            self._own[personnel] = lines[max(lines)]
        else:
            del self._lines[personnel], self._own[personnel]

    def own(self, personnel: str) -> Staff | None:
        """Return somebody's own line, or None."""
        return self._own.get(personnel)

    def chain(self, personnel: str) -> frozenset[str]:
        """Return everybody above; a circle, or a chain longer than any department has, ends."""
        chain = self._chains.get(personnel)
        if chain is None:
            chain = self._chains[personnel] = frozenset(self._above(personnel))
        return chain

    def relations(
        self, index: Index, hits: Hits, fields: Mapping[str, Sequence[str]], principal: Principal
    ) -> frozenset[Relation]:
        """Return how those who are meant stand to the principal."""
        found: set[Relation] = set()
        for profile, roads in hits.items():
            owner = profile.owner
            if isinstance(owner, Staff):
                found.update(self._relations_to(owner, profile, roads, index=index, fields=fields, principal=principal))
            else:
                found.update(self._relations_in_registry(profile, roads, index, principal))
        return frozenset(found)

    def _relations_in_registry(
        self, profile: Profile, roads: Sequence[str], index: Index, principal: Principal
    ) -> Iterator[Relation]:
        for own in self._enrolled.of(principal.person):
            by_address_alone = roads == [ADDRESS]
            if profile is own and not by_address_alone:
                yield Relation.SELF
            elif profile in self._households.of(own) and not (by_address_alone and _institution(profile, index)):
                yield Relation.HOUSEHOLD

    def _relations_to(
        self,
        owner: Staff,
        profile: Profile,
        roads: list[str],
        *,
        index: Index,
        fields: Mapping[str, Sequence[str]],
        principal: Principal,
    ) -> Iterator[Relation]:
        by_address_alone = roads == [ADDRESS]
        if owner.personnel == principal.person:
            if by_address_alone and _institution(profile, index):
                return
            yield _towards_own(owner.declared, by_address_alone=by_address_alone)
            return
        if owner.declared is not Declared.OWN:
            return
        me = self._own.get(principal.person)
        if me is not None and me.household and me.household == owner.household and me.agency == owner.agency:
            yield Relation.HOUSEHOLD
        if by_address_alone or (WEAK_NAMES.issuperset(roads) and index.other_record(profile, fields)):
            return
        if owner.personnel in self.chain(principal.person):
            yield Relation.COMMAND
        elif owner.agency == principal.agency:
            yield Relation.COLLEAGUE

    def _above(self, personnel: str) -> Iterator[str]:
        seen = {personnel}
        for _ in range(MOST_SUPERVISORS):
            line = self._own.get(personnel)
            if line is None or not line.supervisor or line.supervisor in seen:
                return
            personnel = line.supervisor
            seen.add(personnel)
            yield personnel


def _institution(profile: Profile, index: Index) -> bool:
    """Tell whether so many people are known at a person's home that it is nobody's household."""
    return any(index.residents(place) > MOST_RESIDENTS for place in profile.facts.places)


def _towards_own(declared: Declared, *, by_address_alone: bool) -> Relation:
    """Return the relation that a line of the principal's own declares; one's own address is one's household's."""
    match declared:
        case Declared.OWN:
            return Relation.HOUSEHOLD if by_address_alone else Relation.SELF
        case Declared.HOUSEHOLD:
            return Relation.HOUSEHOLD
        case Declared.FAMILY:
            return Relation.FAMILY
        case Declared.FORMER_PARTNER:
            return Relation.FORMER_PARTNER
        case Declared.DISPUTE:
            return Relation.DISPUTE
        case _:
            assert_never(declared)
