"""Every room of the console, in the order of the menu. Who adds pages adds a room here, and what it needs to ``Behind``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.web.console.bulk import BulkRefusal
from proxy.web.console.dossier import Dossiers
from proxy.web.console.escalation import EscalationRoom
from proxy.web.console.passkeys import PasskeyRoom
from proxy.web.console.queue import QueueRoom

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from proxy.escalation.service import Escalations
    from proxy.identity.registration import Registration
    from proxy.policy.service import PolicySet
    from proxy.purpose.directory import CaseDirectory
    from proxy.registry.service import Registry
    from proxy.web.console.visit import Room


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What stands behind the pages."""

    escalations: Escalations
    cases: CaseDirectory
    registry: Registry
    policies: Callable[[], PolicySet]
    registration: Registration


def make_rooms(behind: Behind) -> Sequence[Room]:
    """Return the rooms."""
    escalations = behind.escalations
    queue = QueueRoom(escalations)
    dossiers = Dossiers(escalations=escalations, cases=behind.cases, policies=behind.policies)
    return (
        queue,
        BulkRefusal(escalations, queue),
        EscalationRoom(escalations=escalations, dossiers=dossiers, registry=behind.registry, policies=behind.policies),
        PasskeyRoom(behind.registration),
    )
