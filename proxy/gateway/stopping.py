"""Where a lock stops a query: when it is decided, after a wait for a supervisor, and once more before anything leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.escalation.locks import subjects_of
from proxy.gateway.asking import LOCK, OPENS

if TYPE_CHECKING:
    from proxy.disclosure.disclosure import Disclosure
    from proxy.escalation.lifecycle import Escalation
    from proxy.escalation.locks import Lock, Locks
    from proxy.gateway.asking import Asking
    from proxy.policy.decision import Ruling


def must_not_be_locked(locks: Locks, asking: Asking, ruling: Ruling, grant: Escalation | None = None) -> None:
    """Return when no lock stops the query, whoever it is about being looked at only where policy lets it be told.

    What policy conceals or denies stays so: a lock's refusal in its place would tell that there is somebody to lock.
    """
    told = asking.concealed is None and ruling.outcome in OPENS
    subjects = subjects_of(asking.recognition, asking.inquiry.criteria) if told else ()
    purpose = asking.verified.purpose
    locks.check(asking.principal, case=purpose.case, subjects=subjects, grant=grant.id if grant else None)
    if purpose.requestor is not None:
        locks.check_person(purpose.requestor, asking.principal.agency)


def stopping(locks: Locks, asking: Asking, disclosure: Disclosure) -> Lock | None:
    """Return a lock that keeps a record of a reply here, or None."""
    stops = locks.now()
    stopped = (judgement for judgement in disclosure.judgements if judgement.ruling.rule == LOCK)
    found = (stops.on_subject(subjects_of(each.recognition, each.fields), asking.principal.agency) for each in stopped)
    return next((lock for lock in found if lock is not None), None)
