"""Which entries of the registry are about the personnel themselves: their households there are the personnel's own.

Two profiles are one person's when they share a record's id, an SSN, or a name with its date of birth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.registry.person import Declared, Staff

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.registry.index import Index
    from proxy.registry.profile import Profile


class OwnEntries:
    """The personnel's own lines by personnel id; who is enrolled is asked of the index when somebody is met."""

    def __init__(self, index: Index) -> None:
        """Take the index of everybody known."""
        self._index = index
        self._own: dict[str, dict[str, Profile]] = {}

    def add(self, profile: Profile) -> None:
        """Take a line of the personnel directory."""
        if isinstance(owner := profile.owner, Staff) and owner.declared is Declared.OWN:
            self._own.setdefault(owner.personnel, {})[owner.id] = profile

    def remove(self, profile: Profile) -> None:
        """Undo ``add``."""
        if isinstance(owner := profile.owner, Staff) and owner.declared is Declared.OWN:
            del self._own[owner.personnel][owner.id]

    def lines(self, personnel: str) -> Iterable[Profile]:
        """Return one's own lines of the personnel directory."""
        return self._own.get(personnel, {}).values()

    def of(self, personnel: str) -> Iterable[Profile]:
        """Return one's own entries; most have none or one."""
        lines = self._own.get(personnel, {}).values()
        same = (other for line in lines for other in self._index.same_person(line))
        return dict.fromkeys(other for other in same if other.enrolled)
