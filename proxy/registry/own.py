"""Which entries of the registry are about the personnel themselves: their households there are the personnel's own.

Two profiles are one person's when they share a record's id, an SSN, or a name with its date of birth.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.registry.person import Declared, Staff

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Sequence

    from proxy.registry.profile import Profile


class OwnEntries:
    """The personnel's own entries by personnel id; the personnel first, then the entries."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        """Take the profiles of the personnel directory."""
        self._marks: dict[Hashable, set[str]] = {}
        self._entries: dict[str, list[Profile]] = {}
        for profile in profiles:
            owner = profile.owner
            if isinstance(owner, Staff) and owner.declared is Declared.OWN:
                for mark in _marks(profile):
                    self._marks.setdefault(mark, set()).add(owner.personnel)

    def add(self, entry: Profile) -> None:
        """Take an entry of the registry."""
        if not self._marks:
            return
        for personnel in {person for mark in _marks(entry) for person in self._marks.get(mark, ())}:
            self._entries.setdefault(personnel, []).append(entry)

    def of(self, personnel: str) -> Sequence[Profile]:
        """Return one's own entries; most have none or one."""
        return self._entries.get(personnel, ())


def _marks(profile: Profile) -> Iterator[Hashable]:
    yield from profile.person_ids
    yield from profile.ssns
    for born in profile.dobs:
        for name in profile.names:
            yield (name, born)
