"""Which policy may rule: the last one that was activated, whatever lies in the folder.

What an edit makes stricter, or only rewords, is activated by being saved. What loosens anything takes two persons: one
proposes, another agrees, and both digests are in the proposal, so that neither the folder nor what rules can be exchanged in
between.

Who they are is what the caller says: the command line takes it from the operating system (``cli/recording.py``). It holds
against somebody who edits the folder and uses these commands as themselves, not against whoever can read the body key and write
the store by other means, as root or the service's user can. What was activated is in the log with both digests.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

PROPOSAL_LASTS: Final = timedelta(days=14)
VERSION_DIGITS: Final = 12


class PolicyUnreadable(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """What the store holds of the activated policy was altered, or is not one that this program can load."""


class PolicyProposalUnknown(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """There is no such proposal, or none that still waits."""


class PolicyProposalStale(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """The folder, or the policy that rules, is another than when it was proposed."""


class ApproverIsProposer(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """Another person has to agree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """The activated policy: its files, and since when."""

    digest: str
    at: datetime
    files: Mapping[str, bytes]

    @property
    def version(self) -> str:
        """Return the digest's first digits, as entries name it."""
        return version_of(self.digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyProposal:
    """What one person wants to rule instead, and waits for another's word. ``loosens`` says how many edits need it."""

    id: str
    before: str
    after: str
    by: str
    reason: str
    loosens: int
    at: datetime
    expires: datetime

    def expired(self, now: datetime) -> bool:
        """Tell whether it is too late to agree."""
        return self.expires <= now


def version_of(digest: str) -> str:
    """Return the version that a digest has in entries and metrics."""
    return digest[:VERSION_DIGITS]


def require_fit(proposal: PolicyProposal, *, before: str, after: str, by: str) -> None:
    """Make sure that a proposal can be agreed to, by this person and as things stand.

    Raises:
        ApproverIsProposer: they proposed it.
        PolicyProposalStale: it was made of other files, or against another policy.
    """
    if by == proposal.by:
        raise ApproverIsProposer("You proposed it, so another person has to agree.")
    if proposal.before != before:
        raise PolicyProposalStale(
            f"It was proposed against version {version_of(proposal.before)}, and version {version_of(before)} rules now. "
            "Look at the differences again, and propose anew."
        )
    if proposal.after != after:
        raise PolicyProposalStale(
            f"The folder holds version {version_of(after)} now, and {version_of(proposal.after)} was proposed. "
            "Look at the differences again, and propose anew."
        )
