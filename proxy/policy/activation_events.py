"""What the log says of a policy that comes to rule, or does not: both digests, how much it loosens, and who agreed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from proxy.audit.event import Event, Party

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.event import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyAdopted(Event):
    """The very first start took the folder as it was."""

    kind: ClassVar[str] = "policy-adopted"
    after: str

    def facts(self) -> Mapping[str, Json]:
        """Return what rules from now on."""
        return {"before": None, "after": self.after}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyActivated(Event):
    """Another policy rules from now on. ``by`` and ``agreed`` are empty where it loosens nothing: it was only saved."""

    kind: ClassVar[str] = "policy-activated"
    before: str
    after: str
    edits: int
    loosens: int
    proposal: str = ""
    by: str = ""
    agreed: str = ""
    reason: str = ""

    def facts(self) -> Mapping[str, Json]:
        """Return both digests, and how many of the edits loosen."""
        return {
            "before": self.before,
            "after": self.after,
            "edits": self.edits,
            "loosens": self.loosens,
            "proposal": self.proposal,
        }

    def parties(self) -> Iterable[Party]:
        """Return who proposed it and who agreed."""
        return (Party("actor", who) for who in (self.by, self.agreed) if who)

    def sealed(self) -> Mapping[str, Json]:
        """Return both in clear, and the reason."""
        return {"by": self.by, "agreed": self.agreed, "reason": self.reason} if self.by else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyHeld(Event):
    """The folder, or the store, holds another policy, and it does not rule.

    ``why`` is ``mistakes`` or ``loosens``, and ``count`` how many; or ``put-back``, for one that the store holds again.
    """

    kind: ClassVar[str] = "policy-held"
    before: str
    after: str
    why: str
    count: int

    def facts(self) -> Mapping[str, Json]:
        """Return both digests, why, and how many mistakes or loosening edits there are."""
        return {"before": self.before, "after": self.after, "why": self.why, "count": self.count}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyProposed(Event):
    """Somebody wants a policy to rule that loosens something."""

    kind: ClassVar[str] = "policy-proposed"
    proposal: str
    before: str
    after: str
    loosens: int
    by: str
    reason: str

    def facts(self) -> Mapping[str, Json]:
        """Return the proposal, and both digests."""
        return {"proposal": self.proposal, "before": self.before, "after": self.after, "loosens": self.loosens}

    def parties(self) -> Iterable[Party]:
        """Return who."""
        yield Party("actor", self.by)

    def sealed(self) -> Mapping[str, Json]:
        """Return who and why in clear."""
        return {"by": self.by, "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRefused(PolicyProposed):
    """A proposal was refused, or withdrawn by who made it: ``by`` is who ended it."""

    kind: ClassVar[str] = "policy-refused"
