"""Everything that who decides has to know of one escalation, gathered from the rooms that know it."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from proxy.audit.entry import EntryUnreadable
from proxy.audit.event import Party
from proxy.audit.index.file import IndexUnusable
from proxy.escalation.lifecycle import ApproverIneligible, State
from proxy.policy.decision import ANY_AGENCY, OWN_AGENCY
from proxy.purpose.purpose import CaseDirectoryUnavailable
from proxy.registry.forms import form
from proxy.registry.parties import OnCase, on_case
from proxy.tlog.errors import LogDamaged
from proxy.web.console.disclosable import Disclosable, disclosable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from proxy.audit.lookups import LookedUp, LookUps
    from proxy.escalation.eligibility import Decider
    from proxy.escalation.lifecycle import Asked, Escalation
    from proxy.escalation.pattern import Pattern
    from proxy.escalation.service import Escalations
    from proxy.identity.principal import Principal
    from proxy.policy.decision import Demand
    from proxy.policy.service import PolicySet
    from proxy.purpose.directory import CaseDirectory
    from proxy.purpose.purpose import Case

RELATIONS: Final[Mapping[str, str]] = {
    "self": "the officer is that person",
    "household": "of the officer's household",
    "family": "of the officer's family",
    "former_partner": "the officer's former partner",
    "dispute": "in a dispute with the officer",
    "command": "in the officer's chain of command",
    "colleague": "the officer's colleague",
}
ON_CASE: Final[Mapping[OnCase, str]] = {
    OnCase.YES: "The person is a party to the case.",
    OnCase.NO: "The person is no party to the case.",
    OnCase.UNKNOWN: "Whether the person is a party to the case is not known.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """The case as far as it helps to decide; ``found`` is false where the directory has none or does not answer."""

    found: bool
    trouble: str = ""
    kind: str = ""
    summary: str = ""
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    by_name: bool = False
    people: int = 0
    on_case: OnCase = OnCase.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """One escalation, ready to be shown. ``may`` tells whether who looks may decide it, and ``why_not`` otherwise why not.

    ``lookups`` is None where the log cannot be asked.
    """

    escalation: Escalation
    state: State
    purpose: str
    action: str
    relations: tuple[str, ...]
    categories: tuple[tuple[str, str], ...]
    recognized: tuple[Mapping[str, Any], ...]
    demands: tuple[str, ...]
    deciders: Sequence[Decider]
    pattern: Pattern
    lookups: LookedUp | None
    case: CaseView
    disclosable: Disclosable
    may: bool
    why_not: str
    seen: str

    @property
    def asked(self) -> Asked:
        """Return the query."""
        return self.escalation.asked


class Dossiers:
    """Gathers them."""

    def __init__(
        self, *, escalations: Escalations, lookups: LookUps, cases: CaseDirectory, policies: Callable[[], PolicySet]
    ) -> None:
        """Take the rooms that know."""
        self._escalations = escalations
        self._lookups = lookups
        self._cases = cases
        self._policies = policies

    async def of(self, escalation: Escalation, principal: Principal, now: datetime) -> Dossier:
        """Return everything about an escalation that this person may see."""
        policies, asked, state = self._policies(), escalation.asked, escalation.at(now)
        why_not = await self._why_not(escalation, principal, state)
        code = policies.catalogue.codes.get(asked.purpose)
        meanings = policies.vocabulary.categories
        return Dossier(
            escalation=escalation,
            state=state,
            purpose=code.label if code is not None else asked.purpose,
            action=ACTIONS.get(asked.action, asked.action),
            relations=tuple(RELATIONS[each] for each in asked.relations if each in RELATIONS),
            categories=tuple((each, meanings.get(each, "")) for each in asked.categories),
            recognized=tuple(each for each in asked.recognized if isinstance(each, dict)),
            demands=tuple(map(_demand, asked.demands)),
            deciders=await self._escalations.deciders(escalation),
            pattern=await self._escalations.pattern(escalation),
            lookups=await self._looked_up(asked, now),
            case=await self._case(asked),
            disclosable=disclosable(policies, asked),
            may=not why_not,
            why_not=why_not,
            seen=seen(escalation),
        )

    async def _looked_up(self, asked: Asked, now: datetime) -> LookedUp | None:
        ids = [
            *asked.criteria.get("person_id", ()),
            *(each for record in asked.records for each in record.get("person_id", ())),
        ]
        people = [
            *(Party("subject", each) for each in asked.subjects),
            *(Party("person_id", form("person_id", each)) for each in dict.fromkeys(ids)),
        ]
        try:
            return await asyncio.to_thread(self._lookups.of, people, asked.person, now)
        except (IndexUnusable, LogDamaged, EntryUnreadable):
            return None

    async def _why_not(self, escalation: Escalation, principal: Principal, state: State) -> str:
        if state is not State.PENDING:
            return f"This escalation is {state}."
        if any(each.person == principal.person for each in escalation.approvals):
            return "You have agreed already; another person has to as well."
        try:
            await self._escalations.may_decide(escalation, principal)
        except ApproverIneligible as ineligible:
            return ineligible.detail
        return ""

    async def _case(self, asked: Asked) -> CaseView:
        try:
            case = await self._cases.look_up(asked.case)
        except CaseDirectoryUnavailable:
            return CaseView(found=False, trouble="The case directory does not answer just now.")
        if case is None:
            return CaseView(found=False, trouble="The case directory has no case of this number.")
        return _view(case, asked)


ACTIONS: Final[Mapping[str, str]] = {
    "person.read": "one person's record",
    "person.search": "a search for a person",
    "person.browse": "a broad search for persons",
    "vehicle.read": "one vehicle's record",
    "vehicle.browse": "a broad search for vehicles",
    "warrant.search": "a search for warrants",
    "incident.search": "a search for incidents",
    "address.search": "a search by address",
    "address.browse": "a broad search by address",
}
"""The shipped routes' actions in words; another is shown as the policy calls it."""


def seen(escalation: Escalation) -> str:
    """Return what stands for all that who decides was shown: when it is another, they look again before they decide."""
    agreed, said = [each.person for each in escalation.approvals], [each.fact() for each in escalation.words]
    shown = [escalation.id, asdict(escalation.asked), agreed, said]
    return hashlib.sha256(orjson.dumps(shown, default=sorted, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _view(case: Case, asked: Asked) -> CaseView:
    fields = asked.records or (asked.criteria,)
    return CaseView(
        found=True,
        kind=case.kind,
        summary=case.summary,
        opened_at=case.opened_at,
        closed_at=case.closed_at,
        by_name=asked.person in case.assigned | case.dispatched,
        people=len(case.assigned),
        on_case=max((on_case(each, case.parties) for each in fields), key=list(OnCase).index),
    )


def _demand(demand: Demand) -> str:
    who = " or ".join(sorted(demand.roles))
    ranks = f" ({demand.ranks[0]} or above)" if demand.ranks else ""
    where = {OWN_AGENCY: "", ANY_AGENCY: ", of any agency"}.get(demand.agency, f", of {demand.agency}")
    said = f"one {who}{ranks}{where}" if demand.quorum == 1 else f"{demand.quorum} different people, each {who}{ranks}{where}"
    return f"{demand.name}: {said}" if demand.name else said
