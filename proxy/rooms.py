"""The rooms that have something to do, or to say, beside the queries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.audit.gate import ReleaseGate
    from proxy.audit.index.service import Index
    from proxy.audit.outbox import Outbox
    from proxy.audit.pulse import Pulse
    from proxy.audit.service import AuditTrail
    from proxy.database import Database
    from proxy.escalation.lock_service import LockDesk
    from proxy.escalation.locks import Locks
    from proxy.escalation.service import Escalations
    from proxy.identity.service import Identities
    from proxy.identity.sessions import Sessions
    from proxy.identity.sign_in import SignIn
    from proxy.oversight.leak.service import LeakTrace
    from proxy.oversight.notifier import Notifier
    from proxy.oversight.questions import Questions
    from proxy.oversight.service import Oversight
    from proxy.policy.live import LivePolicy
    from proxy.purpose.case_system import CaseSystem
    from proxy.purpose.directory import StoredCases
    from proxy.registry.service import Registry
    from proxy.registry.stewards import Stewards
    from proxy.upstream.client import Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Rooms:
    """Made once, in ``main``."""

    database: Database
    outbox: Outbox
    audit: AuditTrail
    gate: ReleaseGate
    pulse: Pulse
    live: LivePolicy
    registry: Registry
    stewards: Stewards
    identities: Identities
    sessions: Sessions
    cases: StoredCases | CaseSystem
    upstream: Upstream
    locks: Locks
    lock_desk: LockDesk
    escalations: Escalations
    oversight: Oversight
    notifier: Notifier | None
    sign_in: SignIn | None
    index: Index
    questions: Questions
    leaks: LeakTrace
