"""Who may decide an escalation, and who of them is there.

Whoever decides is somebody else: not the requester, not the subject, nobody of their household. No role is excepted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from proxy.escalation.lifecycle import ApproverIneligible
from proxy.registry.protection import OWN_CAUSE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from proxy.clock import Clock
    from proxy.escalation.lifecycle import Escalation
    from proxy.identity.credential import Holder
    from proxy.identity.principal import Principal
    from proxy.registry.protection import Recognizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """By what somebody decides: the role and rank that count, their own or, ``on_behalf_of`` another, that person's."""

    person: str
    agency: str
    role: str
    rank: str = ""
    on_behalf_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Somebody who may decide an escalation; ``on_duty`` is None where nobody keeps a roster."""

    person: str
    role: str
    on_duty: bool | None
    rank: str = ""
    on_behalf_of: str = ""


class Holders(Protocol):
    """Whoever knows who could present themselves: the identity room."""

    def holders(self, now: datetime) -> Iterable[Holder]:
        """Return whose good credentials there are, a person as often as they have roles."""
        ...


class Eligibility:
    """The rules, asked by the service before each decision and by whoever shows who may decide."""

    def __init__(self, *, recognizer: Recognizer, holders: Holders | None, clock: Clock) -> None:
        """Take whoever recognizes, and whoever knows who there is."""
        self._recognizer = recognizer
        self._holders = holders
        self._clock = clock

    def may_see(self, escalation: Escalation, principal: Principal) -> bool:
        """Tell whether it is theirs, or theirs to decide. That they are asked about, nobody learns, nor their own people."""
        asked = escalation.asked
        if asked.person == principal.person:
            return True
        if principal.role not in self._roles(escalation) or asked.agency != principal.agency:
            return False
        return not self._own_cause(escalation, principal)

    async def authority(self, escalation: Escalation, principal: Principal) -> Authority:
        """Return by what a person may decide.

        Raises:
            ApproverIneligible: they may not; the detail says why.
        """
        if principal.role not in (roles := self._roles(escalation)):
            raise ApproverIneligible(f"Only {', '.join(sorted(roles))} may decide this escalation.")
        if principal.person == escalation.asked.person:
            raise ApproverIneligible("Nobody decides on their own query; another supervisor has to.")
        return Authority(person=principal.person, agency=principal.agency, role=principal.role)

    async def deciders(self, escalation: Escalation) -> Sequence[Decider]:
        """Return who may decide, those on duty first."""
        found: dict[str, Decider] = {}
        for holder in self._holders.holders(self._clock()) if self._holders is not None else ():
            if holder.role in self._roles(escalation) and holder.person != escalation.asked.person:
                found.setdefault(holder.person, Decider(person=holder.person, role=holder.role, on_duty=None))
        return tuple(found[person] for person in sorted(found))

    def _roles(self, escalation: Escalation) -> frozenset[str]:
        return frozenset().union(*(demand.roles for demand in escalation.asked.demands))

    def _own_cause(self, escalation: Escalation, principal: Principal) -> bool:
        asked = escalation.asked
        return any(
            self._recognizer.recognize(fields, principal).relations & OWN_CAUSE for fields in (asked.criteria, *asked.records)
        )
