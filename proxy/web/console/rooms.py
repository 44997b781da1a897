"""Every room of the console, in the order of the menu. Who adds pages adds a room here, and what it needs to ``Behind``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.web.console.bulk import BulkRefusal
from proxy.web.console.delegations import DelegationsRoom
from proxy.web.console.dossier import Dossiers
from proxy.web.console.escalation import EscalationRoom
from proxy.web.console.health import HealthRoom
from proxy.web.console.leaks import LeakRoom
from proxy.web.console.locks import LocksRoom
from proxy.web.console.logbook import LogRoom
from proxy.web.console.passkeys import PasskeyRoom
from proxy.web.console.people import PeopleRoom
from proxy.web.console.policy import PolicyRoom
from proxy.web.console.queue import QueueRoom
from proxy.web.console.reviews import ReviewsRoom

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from proxy.audit.lookups import LookUps
    from proxy.escalation.lock_service import LockDesk
    from proxy.escalation.service import Escalations
    from proxy.identity.registration import Registration
    from proxy.identity.service import Identities
    from proxy.oversight.leak.service import LeakTrace
    from proxy.oversight.questions import Questions
    from proxy.oversight.service import Oversight
    from proxy.policy.live import LivePolicy
    from proxy.policy.service import PolicySet
    from proxy.purpose.directory import CaseDirectory
    from proxy.registry.service import Registry
    from proxy.telemetry import Metrics
    from proxy.web.console.health import LogHead
    from proxy.web.console.visit import Room
    from proxy.web.ops import Check


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What stands behind the pages."""

    escalations: Escalations
    oversight: Oversight
    locks: LockDesk
    questions: Questions
    lookups: LookUps
    leaks: LeakTrace
    cases: CaseDirectory
    registry: Registry
    live: LivePolicy
    metrics: Metrics
    identities: Identities
    registration: Registration
    ready: Callable[[], Awaitable[Sequence[Check]]]
    head: Callable[[], LogHead]
    version: str

    def policies(self) -> PolicySet:
        """Return the policy in force."""
        return self.live.policies


def make_rooms(behind: Behind) -> Sequence[Room]:
    """Return the rooms."""
    escalations = behind.escalations
    queue = QueueRoom(escalations)
    dossiers = Dossiers(escalations=escalations, lookups=behind.lookups, cases=behind.cases, policies=behind.policies)
    return (
        queue,
        BulkRefusal(escalations, queue),
        EscalationRoom(
            escalations=escalations,
            dossiers=dossiers,
            registry=behind.registry,
            policies=behind.policies,
            may_lock=behind.locks.may_lock,
        ),
        ReviewsRoom(behind.oversight),
        LocksRoom(behind.locks),
        LogRoom(behind.questions),
        LeakRoom(behind.leaks, behind.cases, behind.registry, behind.policies),
        PolicyRoom(behind.live, behind.metrics),
        PeopleRoom(behind.identities, behind.locks.may_lock),
        HealthRoom(behind.ready, behind.head, behind.version),
        PasskeyRoom(behind.registration),
        DelegationsRoom(escalations.delegations),
    )
