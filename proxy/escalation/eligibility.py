"""Who may decide an escalation: by which role, agency and rank, and who never does.

Never: the requester, and on whose behalf they ask or who will be given the answer, as far as they say so; who stands in for any
of these, or for whom they stand in; the subject; who is close to either (``OWN_CAUSE``); and who is in a reciprocal pattern
with the requester. No role is excepted. Where somebody stands in for another, all of it holds of both.

That one is asked about nobody learns, nor that one's own people are: to them there is no such escalation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from proxy.escalation.lifecycle import ApproverIneligible, State
from proxy.identity.principal import Principal
from proxy.policy.decision import seats
from proxy.policy.seats import filled
from proxy.registry.protection import OWN_CAUSE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime

    from proxy.escalation.delegation import Delegation
    from proxy.escalation.lifecycle import Escalation
    from proxy.identity.credential import Holder
    from proxy.policy.approvals import Approvals
    from proxy.policy.decision import Demand
    from proxy.registry.protection import Recognizer

REVOKERS: Final = frozenset({"auditor"})
"""Roles that take a grant back although they could not have given it: the oversight desk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """By what somebody decides: the role, agency and rank that count, their own or those of whom they stand in for."""

    person: str
    agency: str
    role: str
    rank: str = ""
    on_behalf_of: str = ""

    @property
    def people(self) -> tuple[str, ...]:
        """Return of whom everything has to hold."""
        return (self.person, self.on_behalf_of) if self.on_behalf_of else (self.person,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Somebody who may decide an escalation; ``on_duty`` is None where nobody keeps a roster."""

    person: str
    role: str
    on_duty: bool | None
    agency: str = ""
    rank: str = ""
    on_behalf_of: str = ""


class Holders(Protocol):
    """Whoever knows who could present themselves: the identity room."""

    def holders(self, now: datetime) -> Iterable[Holder]:
        """Return whose good credentials there are, a person as often as they have roles."""
        ...


class Colleagues(Protocol):
    """What the personnel directory says of two of the personnel."""

    def rank(self, person: str, agency: str) -> str:
        """Return somebody's rank in an agency, or nothing where it is not known."""
        ...

    def close(self, one: str, other: str) -> bool:
        """Tell whether two live together, are family, were partners, or are in dispute; false where either is not known."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What has to be known of an escalation's surroundings, at one moment.

    ``delegations`` are those that held at any time since it was opened. ``reciprocal`` are those with whom the requester has
    a reciprocal pattern. ``on_duty`` is None where nobody keeps a roster.
    """

    now: datetime
    approvals: Approvals
    delegations: Sequence[Delegation] = ()
    reciprocal: frozenset[str] = frozenset()
    on_duty: frozenset[str] | None = None
    holders: Sequence[Holder] = ()

    def holds(self, person: str, role: str, agency: str) -> bool:
        """Tell whether somebody still has a credential of a role."""
        return any((each.person, each.role, each.agency) == (person, role, agency) for each in self.holders)


class Eligibility:
    """The rules. Asked before every decision, and by whoever shows who may decide."""

    def __init__(self, *, recognizer: Recognizer, colleagues: Colleagues | None) -> None:
        """Take whoever recognizes subjects, and the personnel directory; without one nobody has a rank."""
        self._recognizer = recognizer
        self._colleagues = colleagues

    def may_see(self, escalation: Escalation, principal: Principal, around: Circumstances) -> bool:
        """Tell whether it is theirs, or theirs to decide or to take back."""
        if escalation.asked.person == principal.person:
            return True
        if self.revokes(escalation, principal, around):
            return True
        return any(
            not self._own_cause(escalation, principal, authority) for authority in self._admitted(escalation, principal, around)
        )

    def revokes(self, escalation: Escalation, principal: Principal, around: Circumstances) -> bool:
        """Tell whether they may take back what was approved, as the oversight desk."""
        if escalation.at(around.now) not in {State.APPROVED, State.REVOKED} or principal.role not in REVOKERS:
            return False
        own = escalation.asked.agency == principal.agency and escalation.asked.person != principal.person
        return own and not self._about(escalation, principal)

    def authority(self, escalation: Escalation, principal: Principal, around: Circumstances) -> Authority:
        """Return by what a person may decide: by their own role, or else by that of whom they stand in for.

        Raises:
            ApproverIneligible: they may not; the detail says why.
        """
        admitted = list(self._admitted(escalation, principal, around))
        if principal.person == escalation.asked.person:
            raise ApproverIneligible("Nobody decides on their own query; another person has to.")
        if not admitted:
            raise ApproverIneligible(_wanted(escalation))
        objections = [self._objection(escalation, principal, authority, around) for authority in admitted]
        for authority, objection in zip(admitted, objections, strict=True):
            if not objection:
                return authority
        raise ApproverIneligible(objections[0])

    def deciders(self, escalation: Escalation, around: Circumstances, *, told: bool = False) -> Iterator[Decider]:
        """Yield who may decide, each person once, who is on duty first.

        With ``told``, it is for the requester: who is close to the subject is among them, since whoever is missing would say
        who the subject is.
        """
        met: set[str] = set()
        there = around.on_duty or frozenset()
        for holder in sorted(around.holders, key=lambda each: (each.person not in there, each.person, each.role)):
            if holder.person in met:
                continue
            for authority in self._admitted(escalation, principal := _principal(holder, around.now), around):
                if not self._objection(escalation, principal, authority, around, told=told):
                    met.add(holder.person)
                    yield Decider(
                        person=holder.person,
                        role=authority.role,
                        agency=authority.agency,
                        rank=authority.rank,
                        on_behalf_of=authority.on_behalf_of,
                        on_duty=None if around.on_duty is None else holder.person in there,
                    )
                    break

    def _admitted(self, escalation: Escalation, principal: Principal, around: Circumstances) -> Iterator[Authority]:
        """Yield every authority of a person that any demand names."""
        demands, own = escalation.asked.demands, escalation.asked.agency
        for one in self._authorities(principal, around):
            if any(each.admits(role=one.role, agency=one.agency, rank=one.rank, own=own) for each in demands):
                yield one

    def _authorities(self, principal: Principal, around: Circumstances) -> Iterator[Authority]:
        person, agency, role = principal.person, principal.agency, principal.role
        yield Authority(person=person, agency=agency, role=role, rank=self._rank(person, agency))
        for each in around.delegations:
            # Of what a delegator had, and only of what was their own: nothing that was handed on to them counts here.
            if (
                each.delegate == person
                and each.active(around.now)
                and around.holds(each.delegator, each.role, each.agency)
                and each.agency == agency
            ):
                rank = self._rank(each.delegator, each.agency)
                yield Authority(person=person, agency=each.agency, role=each.role, rank=rank, on_behalf_of=each.delegator)

    def _rank(self, person: str, agency: str) -> str:
        return self._colleagues.rank(person, agency) if self._colleagues is not None else ""

    def _objection(
        self,
        escalation: Escalation,
        principal: Principal,
        authority: Authority,
        around: Circumstances,
        *,
        told: bool = False,
    ) -> str:
        """Return why somebody never decides this one, or nothing."""
        askers = escalation.asked.askers
        if not set(askers).isdisjoint(authority.people):
            return "Nobody decides on their own query, one asked for them, or that of whom they stand in for; another has to."
        if any(not _partners(around.delegations, each).isdisjoint(authority.people) for each in askers):
            return "One of you stands in for the other, or did when this was asked. Another person has to decide."
        if not around.reciprocal.isdisjoint(authority.people):
            return "You and the one who asked approve too many of one another's queries, or in a ring. Another has to decide."
        if self._colleagues is not None and any(
            self._colleagues.close(asker, each) for asker in askers for each in authority.people
        ):
            return "You are close to the one who asked. Another person has to decide."
        if not told and self._own_cause(escalation, principal, authority):
            return "Another person has to decide this one."
        return ""

    def _own_cause(self, escalation: Escalation, principal: Principal, authority: Authority) -> bool:
        return any(self._about(escalation, replace(principal, person=each)) for each in authority.people)

    def _about(self, escalation: Escalation, principal: Principal) -> bool:
        asked = escalation.asked
        return any(
            self._recognizer.recognize(fields, principal).relations & OWN_CAUSE for fields in (asked.criteria, *asked.records)
        )


def enough(escalation: Escalation, deciders: Collection[Decider]) -> bool:
    """Tell whether these people could approve it between them."""
    places, own = seats(escalation.asked.demands), escalation.asked.agency

    def fits(one: Decider, place: Demand) -> bool:
        return place.admits(role=one.role, agency=one.agency, rank=one.rank, own=own)

    return bool(places) and filled(places, list(deciders), fits) == len(places)


def _partners(delegations: Iterable[Delegation], person: str) -> set[str]:
    """Return who stood in for somebody, and for whom they did."""
    return {
        other
        for each in delegations
        for one, other in ((each.delegator, each.delegate), (each.delegate, each.delegator))
        if one == person
    }


def _wanted(escalation: Escalation) -> str:
    roles = sorted(frozenset().union(*(demand.roles for demand in escalation.asked.demands)))
    ranks = any(demand.ranks for demand in escalation.asked.demands)
    return f"Only {', '.join(roles)} may decide this escalation{', of the ranks that policy names' if ranks else ''}."


def _principal(holder: Holder, now: datetime) -> Principal:
    return Principal(
        person=holder.person,
        agency=holder.agency,
        role=holder.role,
        unit=holder.unit,
        terminal=holder.terminal,
        credential="",
        methods=(),
        authenticated_at=now,
    )
