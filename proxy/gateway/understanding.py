"""The first rooms of the street: who asks, what about whom, why, and who of those concerned is protected.

The request is read before the case directory is asked, so that what cannot be read costs nobody a lookup.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from proxy.gateway.asking import Asking
from proxy.gateway.cascade import sought
from proxy.inquiry.inquiry import TooBroad
from proxy.inquiry.service import inquire
from proxy.purpose.purpose import CaseClosed, CaseKindMismatch, CaseUnknown, Standing, StandingMissing, SubjectNotOnCase
from proxy.registry.parties import OnCase, on_case

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.clock import Clock
    from proxy.escalation.locks import Locks
    from proxy.gateway.query import Query
    from proxy.gateway.spending import Spending
    from proxy.identity.principal import Principal
    from proxy.identity.service import Authenticator
    from proxy.inquiry.inquiry import Inquiry
    from proxy.purpose.purpose import VerifiedPurpose
    from proxy.purpose.service import Purposes
    from proxy.registry.protection import Recognizer
    from proxy.registry.thresholds import Thresholds

REFERENCES: Final = (CaseUnknown, CaseClosed, CaseKindMismatch, StandingMissing)
"""Refusals that tell whoever tries numbers of cases which there are."""


class Understanding:
    """Makes of a query what the rows rule on."""

    def __init__(
        self,
        *,
        identities: Authenticator,
        purposes: Purposes,
        recognizer: Recognizer,
        locks: Locks,
        spending: Spending,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        """Take the rooms that are asked."""
        self._identities = identities
        self._purposes = purposes
        self._recognizer = recognizer
        self._locks = locks
        self._spending = spending
        self._clock = clock
        self._monotonic = monotonic

    async def understand(self, query: Query) -> Asking:
        """Learn what the query asks, and note on it how far that came; it is charged once, however often it is looked at.

        Raises:
            Refusal: of the room that does not let it pass; nothing has been decided or forwarded.
        """
        inbound, policies = query.inbound, query.policies
        authorization = inbound.header("Authorization")
        principal = query.principal = await self._identities.identify(authorization, query.peer, self._clock())
        self._locks.check(principal, case=None, subjects=(), grant=None)
        query.leave("identity", self._monotonic())
        inquiry = query.inquiry = inquire(policies.routes, inbound)
        must_say_enough(inquiry, self._recognizer, policies.thresholds)
        query.leave("inquiry", self._monotonic())
        verified = await self._verify(query, principal, inquiry)
        query.case = verified.purpose.case
        query.leave("purpose", self._monotonic())
        if query.charged is None:
            query.charged = self._spending.charge(
                policies.budgets,
                principal.person,
                inquiry,
                verified.purpose.root,
                self._monotonic(),
                unverified=verified.standing is Standing.UNVERIFIED,
            )
        must_concern_a_party(inquiry, verified)
        recognition = query.recognition = self._recognizer.recognize(inquiry.criteria, principal, policies.thresholds)
        query.leave("registry", self._monotonic())
        return Asking(policies=policies, principal=principal, inquiry=inquiry, verified=verified, recognition=recognition)

    async def _verify(self, query: Query, principal: Principal, inquiry: Inquiry) -> VerifiedPurpose:
        policies, header = query.policies, query.inbound.header("Query-Purpose")
        self._spending.may_refer(policies.budgets, principal.person, self._monotonic())
        try:
            return await self._purposes.verify(
                header, principal, inquiry.action, self._clock(), sought=sought(inquiry), catalogue=policies.catalogue
            )
        except REFERENCES:
            self._spending.misreferred(policies.budgets, principal.person, self._monotonic())
            raise


def must_say_enough(inquiry: Inquiry, recognizer: Recognizer, thresholds: Thresholds) -> None:
    """Return when a query says more than a name, or when so few are enrolled that a name says enough.

    Whomever it means: were a name refused only where somebody bears it, the refusal would tell who is enrolled.

    Raises:
        TooBroad: it has to say more.
    """
    if not inquiry.broad and recognizer.asks_for_more(inquiry.criteria, thresholds):
        raise TooBroad("A name alone could mean too many people. Add a date of birth, or search by a number or an address.")


def must_concern_a_party(inquiry: Inquiry, verified: VerifiedPurpose) -> None:
    """Return when the code does not demand that a party to the case is asked about, or when one is.

    The query is compared with the case alone. Were the registry looked at, the refusal would tell who is enrolled.

    Raises:
        SubjectNotOnCase: it is none of them, or it cannot be told.
    """
    if not verified.subject_on_case:
        return
    parties = verified.case.parties if verified.case is not None else None
    told = OnCase.UNKNOWN if inquiry.broad else on_case(inquiry.criteria, parties)
    match told:
        case OnCase.YES:
            return
        case OnCase.NO:
            raise SubjectNotOnCase("Nobody on this case is meant by this. Have the person entered on it, or name another case.")
        case OnCase.UNKNOWN:
            detail = "Whether this is somebody on the case cannot be told. Say more: name and date of birth, or an address."
            if parties is None:
                detail = "The case directory does not say who is on this case, and under this code that has to be known."
            raise SubjectNotOnCase(detail)
        case _:
            assert_never(told)
