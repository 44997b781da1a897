"""The street, as one sentence.

*Who* asks, for *what* and about *whom*, *why*; is that person *protected* (``understanding``); what does *policy* say
(``asking``); has a supervisor *agreed* (``covering``); write it down (``entries``); *fetch*; let out only what may *leave*, and
write that down (``disclosing``); answer.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from proxy.database import DatabaseUnusable
from proxy.escalation.glass import BreakGlassBlocked
from proxy.escalation.lifecycle import EscalationRequired
from proxy.escalation.locks import Locked
from proxy.gateway.answer import Answer, Declined, InternalError, NotReady, PolicyDenied, store_unusable
from proxy.gateway.asking import ANSWERED
from proxy.gateway.cascade import named
from proxy.gateway.cover import UNCOVERED, Cover
from proxy.gateway.covering import Covering
from proxy.gateway.disclosing import Disclosing, told, waiting
from proxy.gateway.entries import Entries
from proxy.gateway.pace import Pace
from proxy.gateway.query import Query
from proxy.gateway.spending import Spending
from proxy.gateway.stopping import must_not_be_locked
from proxy.gateway.understanding import Understanding
from proxy.identity.stepup import StepUpRequired
from proxy.inquiry.inquiry import TooBroad
from proxy.policy.decide import strictest
from proxy.policy.decision import Outcome
from proxy.purpose.purpose import SubjectNotOnCase
from proxy.refusal import Refusal
from proxy.telemetry import STAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.audit.event import AuditLog, Receipt
    from proxy.audit.gate import ReleaseGate
    from proxy.audit.lot import Lot
    from proxy.clock import Clock
    from proxy.disclosure.disclosure import Disclosure
    from proxy.disclosure.marks import Marker
    from proxy.escalation.glass import Register
    from proxy.escalation.locks import Locks
    from proxy.escalation.service import Escalations
    from proxy.gateway.asking import Asking
    from proxy.identity.principal import Principal
    from proxy.identity.service import Authenticator
    from proxy.identity.stepup import StepUp
    from proxy.inquiry.inquiry import Inbound, Inquiry
    from proxy.policy.decision import Facts, Ruling
    from proxy.policy.service import PolicySet
    from proxy.policy.shadow import Shadow
    from proxy.purpose.service import Purposes
    from proxy.registry.protection import Recognizer
    from proxy.telemetry import Metrics
    from proxy.upstream.client import Upstream
    from proxy.upstream.reply import Reply

FRUITLESS: Final = (TooBroad, SubjectNotOnCase, EscalationRequired, BreakGlassBlocked, PolicyDenied, Locked, StepUpRequired)
"""Refusals that say something of whom was asked about."""


class Gateway:
    """Every room of the street, wired once; any number of queries walk it at a time."""

    def __init__(
        self,
        *,
        policies: Callable[[], PolicySet],
        shadow: Callable[[], Shadow | None],
        identities: Authenticator,
        purposes: Purposes,
        recognizer: Recognizer,
        escalations: Escalations,
        register: Register,
        step_up: StepUp,
        lot: Lot,
        locks: Locks,
        upstream: Upstream,
        audit: AuditLog,
        gate: ReleaseGate,
        metrics: Metrics,
        clock: Clock,
        monotonic: Callable[[], float],
        key: bytes,
        marking: Callable[[], Marker],
        chance: Callable[[], float],
        on_error: Callable[[BaseException], None],
    ) -> None:
        """Wire the street; ``on_error`` is told of errors nobody foresaw, never with a query's words.

        ``policies`` returns the set in force, and ``shadow`` the candidate that rules beside it, if there is one.

        ``register`` knows who broke the glass before, and ``step_up`` makes sure who does; ``lot`` draws what is reviewed;
        ``gate`` says when what is recorded may leave.

        ``key`` is random, for what is remembered of each person's queries; ``chance`` yields random numbers from 0 to 1;
        ``marking`` makes what makes the log's marks of one reply.
        """
        self._policies = policies
        self._shadow = shadow
        self._purposes = purposes
        self._recognizer = recognizer
        self._locks = locks
        self._upstream = upstream
        self._metrics = metrics
        self._clock = clock
        self._monotonic = monotonic
        self._on_error = on_error
        self._spending = Spending(key=key, metrics=metrics)
        self._understanding = Understanding(
            identities=identities,
            purposes=purposes,
            recognizer=recognizer,
            locks=locks,
            spending=self._spending,
            clock=clock,
            monotonic=monotonic,
        )
        self._covering = Covering(
            policies=policies,
            escalations=escalations,
            register=register,
            step_up=step_up,
            locks=locks,
            metrics=metrics,
            clock=clock,
            monotonic=monotonic,
        )
        self._entries = Entries(
            audit=audit,
            lot=lot,
            spending=self._spending,
            destination=upstream.origin,
            metrics=metrics,
            monotonic=monotonic,
            on_error=on_error,
        )
        self._disclosing = Disclosing(
            recognizer=recognizer, locks=locks, entries=self._entries, gate=gate, marking=marking, monotonic=monotonic
        )
        self._pace: defaultdict[str, Pace] = defaultdict(lambda: Pace(chance))
        self._stages = {stage: metrics.stage_seconds.labels(stage) for stage in STAGES}

    async def answer(self, inbound: Inbound, peer: Mapping[str, Any], *, wait: float = 0) -> Answer | Declined:
        """Walk one query down the street; ``wait`` seconds may be spent on a supervisor's decision.

        ``peer`` is what the handshake verified of the client's certificate (``getpeercert``), empty without one.
        """
        query = self._arriving(inbound, peer)
        try:
            answer: Answer | Declined = await self._walk(query, wait)
        except asyncio.CancelledError:
            self._entries.abandoned(query)
            raise
        except Refusal as refusal:
            answer = await self._decline(query, refusal)
        except DatabaseUnusable as error:
            self._on_error(error)
            answer = await self._decline(query, store_unusable())
        except Exception as error:  # noqa: BLE001 -- whatever it is, nothing is released and the entry is closed
            self._on_error(error)
            failure = InternalError("Something went wrong here; nothing was released. Tell the operator the instance.")
            answer = await self._decline(query, failure)
        for stage, seconds in query.stages:
            self._stages[stage].observe(seconds)
        outcome = "refused" if isinstance(answer, Declined) else "answered"
        self._metrics.query_seconds.labels(outcome).observe(self._monotonic() - query.started)
        return answer

    async def refused(self, inbound: Inbound, principal: Principal | None, refusal: Refusal) -> Declined:
        """Remember what a door refused that is no query, such as a move that is not theirs to make."""
        query = self._arriving(inbound, {})
        query.principal = principal
        return await self._decline(query, refusal)

    async def finish(self) -> None:
        """Wait until every end under way is written; called when the last query has gone."""
        await self._entries.finish()

    async def _walk(self, query: Query, wait: float) -> Answer:
        if not self._recognizer.ready:
            raise NotReady("The registry of protected persons is not loaded. Try again in a moment.", retry_after=5)

        asking = await self._understanding.understand(query)
        facts, ruling = asking.ruled(asking.recognition, approval="none")
        if ruling.outcome is Outcome.CONCEAL:
            asking = asking.shown((facts, ruling))
            facts, ruling = asking.ruled(asking.recognition, approval="none")
        must_not_be_locked(self._locks, asking, ruling)
        query.leave("policy", self._monotonic())

        decision = await self._decide(query, asking, facts, ruling, wait)
        if decision is None:
            return await self._walk(query, 0)  # approved while we held the query: everything is evaluated afresh
        ruling, cover, receipt = decision
        if ruling.outcome not in ANSWERED:
            raise PolicyDenied("Policy does not allow this query. If the record is needed for this case, ask the records desk.")
        assert query.charged is not None
        self._spending.opened(query.charged, receipt.reference, asking.principal.person, self._monotonic())

        reply = await self._upstream.forward(asking.inquiry, receipt)
        query.size = len(reply.body)
        query.leave("upstream", self._monotonic())
        disclosure = await self._disclosing.inspect(query, reply, asking, ruling, cover)
        if not cover.any and not asking.inquiry.broad and (waits := waiting(disclosure)):
            # Only the reply told whom this is about. To say "no such record" would mislead an honest officer: ask, instead. A
            # broad search is silent: that somebody has to agree would answer every range and prefix that is tried.
            asking = asking.concerning(waits, ruling)
            late = await self._agree_late(query, asking, (reply, ruling, disclosure), wait)
            if late is None:
                return await self._walk(query, 0)
            disclosure, cover = late
        else:
            await self._disclosing.release(query, asking, ruling, disclosure, cover)
        subjects = named(asking.inquiry, disclosure.named)
        self._purposes.remember(receipt.reference, asking.principal, asking.verified.purpose, subjects, self._clock())
        withheld = None if asking.inquiry.broad else told(disclosure)
        self._settle(query, fruitless=not disclosure.records or withheld is not None, records=disclosure.records)
        if not disclosure.records:
            await self._bide(query, asking.inquiry)
        return Answer(
            entry=receipt.reference,
            status=disclosure.status,
            media_type=disclosure.media_type,
            body=disclosure.body,
            masked=disclosure.masked,
            withheld=withheld,
            watermark=self._watermark(receipt, asking) if disclosure.marked else "",
            unverified=asking.unverified,
            review_due=cover.glass.review_due if cover.glass else None,
        )

    async def _decide(
        self, query: Query, asking: Asking, facts: Facts, ruling: Ruling, wait: float
    ) -> tuple[Ruling, Cover, Receipt] | None:
        """Return what rules, by whose leave, and the decision's receipt; None when it was approved while the query was held."""
        if await self._covering.in_emergency(query, asking, ruling):
            async with self._covering.breaking(query, asking, ruling) as (opened, cover):
                return opened, cover, await self._entries.decided(query, asking, facts, opened, cover)
        cover = UNCOVERED
        if ruling.outcome is Outcome.ESCALATE:
            grant = await self._covering.agreed(
                query, asking, ruling, wait, lambda: self._entries.decided(query, asking, facts, ruling, UNCOVERED)
            )
            if grant is None:
                return None
            cover = Cover(grant=grant)
            facts, ruling = asking.ruled(asking.recognition, approval="granted")
            if ruling.outcome in ANSWERED:
                await self._covering.redeem(grant, query, asking)
        return ruling, cover, await self._entries.decided(query, asking, facts, ruling, cover)

    async def _agree_late(
        self, query: Query, asking: Asking, so_far: tuple[Reply, Ruling, Disclosure], wait: float
    ) -> tuple[Disclosure, Cover] | None:
        """Return what may leave of a reply whose records all wait, recorded, and by whose leave; None as ``_decide``."""
        reply, ruling, withheld = so_far
        of_records = strictest([judgement.ruling for judgement in waiting(withheld)])
        if await self._covering.in_emergency(query, asking, of_records):
            async with self._covering.breaking(query, asking, of_records) as (_, cover):
                return await self._release_anew(query, reply, asking, ruling, cover), cover
        grant = await self._covering.agreed(
            query, asking, of_records, wait, lambda: self._entries.disclosed(query, asking, withheld, UNCOVERED)
        )
        if grant is None:
            return None
        await self._covering.redeem(grant, query, asking)
        cover = Cover(grant=grant)
        return await self._release_anew(query, reply, asking, ruling, cover), cover

    async def _release_anew(self, query: Query, reply: Reply, asking: Asking, ruling: Ruling, cover: Cover) -> Disclosure:
        disclosure = await self._disclosing.inspect(query, reply, asking, ruling, cover)
        await self._disclosing.release(query, asking, ruling, disclosure, cover)
        return disclosure

    def _arriving(self, inbound: Inbound, peer: Mapping[str, Any]) -> Query:
        return Query(inbound=inbound, peer=peer, policies=self._policies(), shadow=self._shadow(), started=self._monotonic())

    async def _decline(self, query: Query, refusal: Refusal) -> Declined:
        self._metrics.refusals_total.labels(refusal.slug()).inc()
        self._settle(query, fruitless=isinstance(refusal, FRUITLESS))
        return await self._entries.declined(query, refusal)

    def _settle(self, query: Query, *, fruitless: bool, records: int = 0) -> None:
        """Charge what the terminal is about to see, and nothing that it is not."""
        if query.charged is not None and query.principal is not None:
            budgets, person, now = query.policies.budgets, query.principal.person, self._monotonic()
            self._spending.settle(query.charged, budgets, person, fruitless=fruitless, records=records, now=now)

    async def _bide(self, query: Query, inquiry: Inquiry) -> None:
        """Wait until an answer without records may leave."""
        now = self._monotonic()
        leaves = query.started + self._pace[inquiry.route.id].leaves_after(now - query.started, now)
        await asyncio.sleep(leaves - now)

    def _watermark(self, receipt: Receipt, asking: Asking) -> str:
        """Return what a leaked photograph or print of an answer is traced by: the entry, who was answered, and when."""
        return f"{receipt.reference} {asking.principal.person} {self._clock():%Y-%m-%dT%H:%MZ}"
