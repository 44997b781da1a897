"""What the log says of changes to the registry and the personnel directory: how many of what, by whom; never a name.

The legal basis is a steward's free text and may name somebody, so it is sealed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from proxy.audit.event import Event, Party

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.event import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAdded(Event):
    """One person was enrolled, or an entry was added to."""

    kind: ClassVar[str] = "registry-added"
    entry: str
    category: str
    basis: str
    by: str
    expires: str | None

    def facts(self) -> Mapping[str, Json]:
        """Return the entry's id and category."""
        return {"entry": self.entry, "category": self.category or "household", "count": 1, "expires": self.expires}

    def parties(self) -> Iterable[Party]:
        """Return the entry and the steward."""
        yield Party("subject", self.entry)
        yield Party("steward", self.by)

    def sealed(self) -> Mapping[str, Json]:
        """Return the legal basis and the steward in clear."""
        return {"basis": self.basis, "by": self.by}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryRemoved(Event):
    """An entry was removed: its person is protected no longer."""

    kind: ClassVar[str] = "registry-removed"
    entry: str
    category: str
    basis: str
    by: str
    reason: str

    def facts(self) -> Mapping[str, Json]:
        """Return the entry's id and category."""
        return {"entry": self.entry, "category": self.category or "household", "count": 1}

    def parties(self) -> Iterable[Party]:
        """Return the entry and the steward."""
        yield Party("subject", self.entry)
        yield Party("steward", self.by)

    def sealed(self) -> Mapping[str, Json]:
        """Return the legal basis it had, why it went, and the steward in clear."""
        return {"basis": self.basis, "reason": self.reason, "by": self.by}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryImported(Event):
    """One transaction of an import. ``bases`` are the first few legal bases; the entries hold them all."""

    kind: ClassVar[str] = "registry-imported"
    categories: Mapping[str, int]
    bases: tuple[str, ...]
    entries: tuple[str, ...]
    by: str

    def facts(self) -> Mapping[str, Json]:
        """Return how many entries of each category were written."""
        return {"categories": dict(self.categories), "count": len(self.entries)}

    def parties(self) -> Iterable[Party]:
        """Return every entry written and the steward."""
        for entry in self.entries:
            yield Party("subject", entry)
        yield Party("steward", self.by)

    def sealed(self) -> Mapping[str, Json]:
        """Return the legal bases and the steward in clear."""
        return {"bases": self.bases, "by": self.by}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryRevealed(Event):
    """Somebody had the registry's names shown to them."""

    kind: ClassVar[str] = "registry-revealed"
    count: int
    by: str

    def facts(self) -> Mapping[str, Json]:
        """Return how many entries were shown."""
        return {"count": self.count}

    def parties(self) -> Iterable[Party]:
        """Return to whom."""
        yield Party("steward", self.by)

    def sealed(self) -> Mapping[str, Json]:
        """Return to whom, in clear."""
        return {"by": self.by}


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonnelImported(Event):
    """One transaction of an import into the personnel directory."""

    kind: ClassVar[str] = "personnel-imported"
    written: int
    removed: int
    personnel: tuple[str, ...]
    by: str

    def facts(self) -> Mapping[str, Json]:
        """Return how many lines were written and removed."""
        return {"count": self.written, "removed": self.removed}

    def parties(self) -> Iterable[Party]:
        """Return whose lines changed, and who did it."""
        for person in self.personnel:
            yield Party("officer", person)
        yield Party("steward", self.by)

    def sealed(self) -> Mapping[str, Json]:
        """Return who did it in clear."""
        return {"by": self.by}
