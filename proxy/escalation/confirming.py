"""What exactly somebody confirms who approves an escalation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from proxy.identity.passkeys import Thing

if TYPE_CHECKING:
    from proxy.escalation.eligibility import Authority
    from proxy.escalation.lifecycle import Escalation
    from proxy.identity.stepup import Assurance

APPROVE: Final = "approve"


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A confirmation, and the thing that it is of: whoever makes the move compares that with what the move would do by then."""

    thing: Thing
    assurance: Assurance


def approval_of(escalation: Escalation, reason: str, by: Authority) -> Thing:
    """Return the approval that would be given now, and in whose place: all that was asked, its words, demands, policy version.

    Whatever of it changes between the signature and the move, an amended statement too, leaves the signature without effect.
    """
    content = {
        "escalation": escalation.id,
        "fingerprint": escalation.fingerprint,
        "asked": asdict(escalation.asked),
        "exchange": [said.fact() for said in escalation.words],
        "reason": reason,
        "by": asdict(by),
    }
    return Thing.of(APPROVE, escalation.id, content)
