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
    agreed: str
    reason: str

    def facts(self) -> Mapping[str, Json]:
        """Return the entry's id and category."""
        return {"entry": self.entry, "category": self.category or "household", "count": 1}

    def parties(self) -> Iterable[Party]:
        """Return the entry and both stewards."""
        yield Party("subject", self.entry)
        yield Party("steward", self.by)
        yield Party("steward", self.agreed)

    def sealed(self) -> Mapping[str, Json]:
        """Return the legal basis it had, why it went, and both stewards in clear."""
        return {"basis": self.basis, "reason": self.reason, "by": self.by, "agreed": self.agreed}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryChanged(Event):
    """One steward added to an entry. ``what`` are words for what it was, without a value."""

    kind: ClassVar[str] = "registry-changed"
    entry: str
    category: str
    what: tuple[str, ...]
    by: str
    reason: str

    def facts(self) -> Mapping[str, Json]:
        """Return the entry's id, its category, and what changed."""
        return {"entry": self.entry, "category": self.category or "household", "what": self.what, "count": 1}

    def parties(self) -> Iterable[Party]:
        """Return the entry and the steward."""
        yield Party("subject", self.entry)
        yield Party("steward", self.by)

    def sealed(self) -> Mapping[str, Json]:
        """Return why, and the steward in clear."""
        return {"reason": self.reason, "by": self.by}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalMoved(Event):
    """Something became of a proposal to lessen protection. ``by`` did it; ``proposer`` proposed it."""

    kind: ClassVar[str] = "registry-proposal"
    proposal: str
    entry: str
    category: str
    what: tuple[str, ...]
    proposer: str
    by: str
    reason: str

    def facts(self) -> Mapping[str, Json]:
        """Return the proposal, the entry, and what would be lessened."""
        return {
            "proposal": self.proposal,
            "entry": self.entry,
            "category": self.category or "household",
            "what": self.what,
            "count": 1,
        }

    def parties(self) -> Iterable[Party]:
        """Return the entry and each steward once."""
        yield Party("subject", self.entry)
        for steward in dict.fromkeys((self.proposer, self.by)):
            yield Party("steward", steward)

    def sealed(self) -> Mapping[str, Json]:
        """Return why, and the stewards in clear."""
        return {"reason": self.reason, "proposer": self.proposer, "by": self.by}


class ProposalMade(ProposalMoved):
    """A steward proposed to lessen a protection."""

    kind: ClassVar[str] = "registry-proposed"


class ProposalApproved(ProposalMoved):
    """A second steward agreed, and it was done."""

    kind: ClassVar[str] = "registry-approved"


class ProposalRefused(ProposalMoved):
    """A steward refused it, or the first withdrew it."""

    kind: ClassVar[str] = "registry-refused"


class ProposalExpired(ProposalMoved):
    """Nobody agreed in time, or its entry is gone."""

    kind: ClassVar[str] = "registry-proposal-expired"


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
class RegistryKeyRotated(Event):
    """Everything is sealed with a new key, and the old one is about to be forgotten."""

    kind: ClassVar[str] = "registry-key-rotated"
    count: int
    by: str

    def facts(self) -> Mapping[str, Json]:
        """Return how many rows were sealed anew by the run that ended it."""
        return {"count": self.count}

    def parties(self) -> Iterable[Party]:
        """Return the steward."""
        yield Party("steward", self.by)

    def sealed(self) -> Mapping[str, Json]:
        """Return the steward in clear."""
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
