"""The street, as one sentence.

*Who* asks, for *what* and about *whom*, *why*; is that person *protected*; what does *policy* say; has a supervisor
*agreed*; write it down; *fetch*; let out only what may *leave*; write that down; answer.

The request is read before the case directory is asked, so that what cannot be read costs nobody a lookup.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from proxy.audit.errors import AuditUnavailable
from proxy.audit.failed import Failed
from proxy.audit.lot import SAMPLE
from proxy.audit.owed import Duty, Owed, joined
from proxy.database import DatabaseUnusable
from proxy.disclosure.events import Disclosed, Withheld
from proxy.disclosure.service import disclose
from proxy.escalation.glass import BreakGlassBlocked
from proxy.escalation.lifecycle import EscalationRefused, EscalationRequired, GrantMismatch, GrantSpent, State
from proxy.escalation.locks import Locked, LocksStale
from proxy.escalation.views import refused, required
from proxy.gateway.answer import Answer, Declined, InternalError, NotReady, PolicyDenied, store_unusable
from proxy.gateway.asking import Asking, must_concern_a_party, must_not_be_locked, must_say_enough, stopping
from proxy.gateway.cascade import named, sought
from proxy.gateway.cover import UNCOVERED, Cover
from proxy.gateway.pace import Pace
from proxy.gateway.spending import Spending
from proxy.gateway.strangers import Strangers
from proxy.identity.stepup import StepUpRequired
from proxy.inquiry.inquiry import TooBroad
from proxy.inquiry.service import inquire
from proxy.policy.decide import strictest
from proxy.policy.decision import Outcome
from proxy.policy.events import Decided, Refused
from proxy.policy.obligations import REVIEWER
from proxy.policy.shadow import Tally, difference
from proxy.purpose.purpose import CaseClosed, CaseKindMismatch, CaseUnknown, Standing, StandingMissing, SubjectNotOnCase
from proxy.refusal import Refusal
from proxy.telemetry import STAGES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence

    from proxy.audit.event import AuditLog, Event, Json, Receipt
    from proxy.audit.gate import ReleaseGate
    from proxy.audit.lot import Lot
    from proxy.clock import Clock
    from proxy.disclosure.disclosure import Disclosure, Judgement
    from proxy.disclosure.marks import Marker
    from proxy.escalation.glass import Register
    from proxy.escalation.lifecycle import Escalation
    from proxy.escalation.locks import Locks
    from proxy.escalation.service import Escalations
    from proxy.gateway.spending import Charged
    from proxy.identity.principal import Principal
    from proxy.identity.service import Authenticator
    from proxy.identity.stepup import StepUp
    from proxy.inquiry.inquiry import Inbound, Inquiry
    from proxy.policy.decision import Facts, Ruling
    from proxy.policy.service import PolicySet
    from proxy.policy.shadow import Difference, Shadow
    from proxy.purpose.purpose import VerifiedPurpose
    from proxy.purpose.service import Purposes
    from proxy.registry.protection import Recognition, Recognizer
    from proxy.telemetry import Metrics
    from proxy.upstream.client import Upstream
    from proxy.upstream.reply import Reply

ANSWERED: Final = frozenset({Outcome.PERMIT, Outcome.MASK, Outcome.CONCEAL})
"""Outcomes that go upstream: conceal too, so that it takes the time that an absent record takes."""

FRUITLESS: Final = (TooBroad, SubjectNotOnCase, EscalationRequired, BreakGlassBlocked, PolicyDenied, Locked, StepUpRequired)
"""Refusals that say something of whom was asked about."""

REFERENCES: Final = (CaseUnknown, CaseClosed, CaseKindMismatch, StandingMissing)
"""Refusals that tell whoever tries numbers of cases which there are."""

ENDS: Final[Mapping[type[Refusal], str]] = {AuditUnavailable: "audit", Locked: "locked", LocksStale: "locked"}
"""How a forwarded query ended, by what refused it; every other is the records server's."""

WITHHELD: Final = frozenset({Outcome.ESCALATE, Outcome.DENY})


@dataclass(slots=True)
class _Query:
    """One query on its way down the street: how far it has come, and when each room was left.

    ``policies`` are those in force when it was first looked at. They rule on it to its end, also when others have taken their
    place meanwhile: half of one policy and half of another is no policy at all.
    """

    inbound: Inbound
    peer: Mapping[str, Any]
    started: float
    left: float
    stages: list[tuple[str, float]] = field(default_factory=list)
    policies: PolicySet | None = None
    shadow: Shadow | None = None
    principal: Principal | None = None
    inquiry: Inquiry | None = None
    case: str = ""
    recognition: Recognition | None = None
    charged: Charged | None = None
    receipt: Receipt | None = None
    size: int = 0
    closed: bool = False
    forwarded: bool = False
    ending: bool = False
    noticed: set[str] = field(default_factory=set)
    met: set[str] = field(default_factory=set)
    tally: Tally | None = None


class Gateway:
    """Every room of the street, wired once; any number of queries walk it at a time."""

    def __init__(
        self,
        *,
        policies: Callable[[], PolicySet],
        shadow: Callable[[], Shadow | None] = lambda: None,
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
        self._identities = identities
        self._purposes = purposes
        self._recognizer = recognizer
        self._escalations = escalations
        self._register = register
        self._step_up = step_up
        self._lot = lot
        self._locks = locks
        self._upstream = upstream
        self._marking = marking
        self._audit = audit
        self._gate = gate
        self._metrics = metrics
        self._clock = clock
        self._monotonic = monotonic
        self._on_error = on_error
        self._strangers = Strangers()
        self._spending = Spending(key=key, metrics=metrics)
        self._pace: defaultdict[str, Pace] = defaultdict(lambda: Pace(chance))
        self._recording: set[asyncio.Task[None]] = set()
        self._stages = {stage: metrics.stage_seconds.labels(stage) for stage in STAGES}

    async def answer(self, inbound: Inbound, peer: Mapping[str, Any], *, wait: float = 0) -> Answer | Declined:
        """Walk one query down the street; ``wait`` seconds may be spent on a supervisor's decision.

        ``peer`` is what the handshake verified of the client's certificate (``getpeercert``), empty without one.
        """
        now = self._monotonic()
        query = _Query(inbound=inbound, peer=peer, started=now, left=now)
        try:
            answer: Answer | Declined = await self._walk(query, wait)
        except asyncio.CancelledError:
            self._abandon(query)
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

    async def _walk(self, query: _Query, wait: float) -> Answer:
        if not self._recognizer.ready:
            raise NotReady("The registry of protected persons is not loaded. Try again in a moment.", retry_after=5)

        asking = await self._understand(query)
        facts, ruling = asking.ruled(asking.recognition, approval="none")
        if ruling.outcome is Outcome.CONCEAL:
            asking = asking.shown((facts, ruling))
            facts, ruling = asking.ruled(asking.recognition, approval="none")
        must_not_be_locked(self._locks, asking, ruling)
        self._leave(query, "policy")

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
        self._leave(query, "upstream")
        disclosure = await self._inspect(query, reply, asking, ruling, cover)
        if not cover.any and not asking.inquiry.broad and (waiting := _waiting(disclosure)):
            # Only the reply told whom this is about. To say "no such record" would mislead an honest officer: ask, instead. A
            # broad search is silent: that somebody has to agree would answer every range and prefix that is tried.
            asking = asking.concerning(waiting, ruling)
            late = await self._told_late(query, asking, (reply, ruling, disclosure), wait)
            if late is None:
                return await self._walk(query, 0)
            disclosure, cover = late
        else:
            await self._end(query, asking, ruling, disclosure, cover)
        subjects = named(asking.inquiry, disclosure.named)
        self._purposes.remember(receipt.reference, asking.principal, asking.verified.purpose, subjects, self._clock())
        told = None if asking.inquiry.broad else _told(disclosure)
        self._settle(query, fruitless=not disclosure.records or told is not None, records=disclosure.records)
        if not disclosure.records:
            await self._bide(query, asking.inquiry)
        return Answer(
            entry=receipt.reference,
            status=disclosure.status,
            media_type=disclosure.media_type,
            body=disclosure.body,
            masked=disclosure.masked,
            withheld=told,
            watermark=self._watermark(receipt, asking) if disclosure.marked else "",
            unverified=asking.unverified,
            review_due=cover.glass.review_due if cover.glass else None,
        )

    async def _decide(
        self, query: _Query, asking: Asking, facts: Facts, ruling: Ruling, wait: float
    ) -> tuple[Ruling, Cover, Receipt] | None:
        """Return what rules, by whose leave, and the decision's receipt; None when it was approved while the query was held."""
        if await self._in_emergency(query, asking, ruling):
            async with self._breaking(query, asking, ruling) as (opened, cover):
                return opened, cover, await self._record_decision(query, asking, facts, opened, cover)
        cover = UNCOVERED
        if ruling.outcome is Outcome.ESCALATE:
            grant = await self._agreed(
                query, asking, ruling, wait, lambda: self._record_decision(query, asking, facts, ruling, UNCOVERED)
            )
            if grant is None:
                return None
            cover = Cover(grant=grant)
            facts, ruling = asking.ruled(asking.recognition, approval="granted")
            if ruling.outcome in ANSWERED:
                await self._escalations.redeem(grant, asking.principal.person, query.inbound.query_id)
        return ruling, cover, await self._record_decision(query, asking, facts, ruling, cover)

    async def _told_late(
        self, query: _Query, asking: Asking, so_far: tuple[Reply, Ruling, Disclosure], wait: float
    ) -> tuple[Disclosure, Cover] | None:
        """Return what may leave of a reply whose records all wait, recorded, and by whose leave; None as ``_decide``."""
        reply, ruling, withheld = so_far
        of_records = strictest([judgement.ruling for judgement in _waiting(withheld)])
        if await self._in_emergency(query, asking, of_records):
            async with self._breaking(query, asking, of_records) as (_, cover):
                disclosure = await self._inspect(query, reply, asking, ruling, cover)
                await self._end(query, asking, ruling, disclosure, cover)
            return disclosure, cover
        grant = await self._agreed(
            query, asking, of_records, wait, lambda: self._record_disclosure(query, asking, withheld, UNCOVERED)
        )
        if grant is None:
            return None
        await self._escalations.redeem(grant, asking.principal.person, query.inbound.query_id)
        cover = Cover(grant=grant)
        disclosure = await self._inspect(query, reply, asking, ruling, cover)
        await self._end(query, asking, ruling, disclosure, cover)
        return disclosure, cover

    async def _end(self, query: _Query, asking: Asking, ruling: Ruling, disclosure: Disclosure, cover: Cover) -> None:
        """Write down what is about to leave, unless a lock stops it."""
        await self._must_not_be_stopped(query, asking, ruling, disclosure, cover)
        self._leave(query, "disclosure")
        receipt = await self._record_disclosure(query, asking, disclosure, cover)
        await self._gate.pass_(receipt, asking.inquiry.route.gate)

    async def _in_emergency(self, query: _Query, asking: Asking, ruling: Ruling) -> bool:
        """Tell whether the glass is to be broken: an emergency was stated, the row answers it, and nobody has decided already.

        What a supervisor agreed to is answered by that, with more than an emergency shows; what one has just refused stays so.
        """
        if not asking.emergency(ruling):
            return False
        try:
            escalation = await self._escalations.current(asking.asked(ruling), query.inbound.query_id)
        except EscalationRefused:
            return False
        except (GrantSpent, GrantMismatch):
            return True
        return escalation is None or escalation.state is not State.APPROVED

    @asynccontextmanager
    async def _breaking(self, query: _Query, asking: Asking, ruling: Ruling) -> AsyncIterator[tuple[Ruling, Cover]]:
        """Yield the ruling in an emergency, and what was broken for it; the entry is written inside, one officer at a time.

        Raises:
            BreakGlassBlocked, BudgetSpent, ReviewsUnreadable: this officer breaks none now.
            Refusal: the officer has not confirmed it.
        """
        principal, allowance = asking.principal, asking.policies.budgets.glass
        async with self._register.breaking(principal.person, allowance):
            assured = await self._step_up.demand(principal, asking.confirmed(), query.inbound.header("Step-Up"))
            opened, glass = asking.broken(ruling, assured, self._clock())
            yield opened, Cover(glass=glass)
        self._metrics.break_glass_total.inc()

    def _watermark(self, receipt: Receipt, asking: Asking) -> str:
        """Return what a leaked photograph or print of an answer is traced by: the entry, who was answered, and when."""
        return f"{receipt.reference} {asking.principal.person} {self._clock():%Y-%m-%dT%H:%MZ}"

    async def _understand(self, query: _Query) -> Asking:
        """Learn who asks, what about whom, why, and who of those concerned is protected."""
        inbound, policies = query.inbound, self._policies_of(query)
        authorization = inbound.header("Authorization")
        principal = query.principal = await self._identities.identify(authorization, query.peer, self._clock())
        self._locks.check(principal, case=None, subjects=(), grant=None)
        self._leave(query, "identity")
        inquiry = query.inquiry = inquire(policies.routes, inbound)
        must_say_enough(inquiry, self._recognizer, policies.thresholds)
        self._leave(query, "inquiry")
        verified = await self._verify(policies, inbound.header("Query-Purpose"), principal, inquiry)
        query.case = verified.purpose.case
        self._leave(query, "purpose")
        if query.charged is None:
            root = verified.purpose.root
            query.charged = self._spending.charge(
                policies.budgets,
                principal.person,
                inquiry,
                root,
                self._monotonic(),
                unverified=verified.standing is Standing.UNVERIFIED,
            )
        must_concern_a_party(inquiry, verified)
        recognition = query.recognition = self._recognizer.recognize(inquiry.criteria, principal, policies.thresholds)
        self._leave(query, "registry")
        return Asking(policies=policies, principal=principal, inquiry=inquiry, verified=verified, recognition=recognition)

    async def _verify(self, policies: PolicySet, header: str | None, principal: Principal, inquiry: Inquiry) -> VerifiedPurpose:
        self._spending.may_refer(policies.budgets, principal.person, self._monotonic())
        try:
            return await self._purposes.verify(
                header, principal, inquiry.action, self._clock(), sought=sought(inquiry), catalogue=policies.catalogue
            )
        except REFERENCES:
            self._spending.misreferred(policies.budgets, principal.person, self._monotonic())
            raise

    def _policies_of(self, query: _Query) -> PolicySet:
        if query.policies is None:
            query.policies, query.shadow = self._policies(), self._shadow()
        return query.policies

    async def _inspect(
        self,
        query: _Query,
        reply: Reply,
        asking: Asking,
        ruling: Ruling,
        cover: Cover,
    ) -> Disclosure:
        def judge(fields: Mapping[str, Sequence[str]]) -> Judgement:
            return asking.judged(fields, self._recognizer, ruling, cover=cover, tally=tally, stops=stops)

        while True:
            tally = query.tally = Tally(query.shadow)
            stops = self._locks.now()
            disclosure = await disclose(reply, asking.inquiry, judge, asking.policies.fields, self._marking())
            if self._locks.now() is stops:  # others had their turn, and may have locked somebody it concerns
                return disclosure

    async def _must_not_be_stopped(
        self, query: _Query, asking: Asking, ruling: Ruling, disclosure: Disclosure, cover: Cover
    ) -> None:
        """Return when no lock stops what is about to leave; time has passed since the decision.

        A broad search is silent about whom a lock keeps out of it, as it is about everybody.
        """
        must_not_be_locked(self._locks, asking, ruling, cover.grant)
        if disclosure.records or disclosure.unjudged or asking.inquiry.broad:
            return
        if (lock := stopping(self._locks, asking, disclosure)) is not None:
            await self._record_disclosure(query, asking, disclosure, cover)
            raise Locked(lock)

    def _settle(self, query: _Query, *, fruitless: bool, records: int = 0) -> None:
        """Charge what the terminal is about to see, and nothing that it is not."""
        if query.charged is not None and query.principal is not None:
            budgets, person, now = self._policies_of(query).budgets, query.principal.person, self._monotonic()
            self._spending.settle(query.charged, budgets, person, fruitless=fruitless, records=records, now=now)

    def _met(self, query: _Query, person: str, recognitions: Iterable[Recognition]) -> int:
        """Return how often somebody protected whom this query meets has been met by the same person lately."""
        entries = {each.entry for recognition in recognitions for each in recognition.protections} - query.met
        query.met |= entries
        return self._spending.met(person, entries, self._monotonic())

    async def _bide(self, query: _Query, inquiry: Inquiry) -> None:
        """Wait until an answer without records may leave."""
        now = self._monotonic()
        leaves = query.started + self._pace[inquiry.route.id].leaves_after(now - query.started, now)
        await asyncio.sleep(leaves - now)

    async def _agreed(
        self, query: _Query, asking: Asking, ruling: Ruling, wait: float, record: Callable[[], Awaitable[object]]
    ) -> Escalation | None:
        """Return the grant that covers this query; None when it was approved while the query was held; else refuse.

        ``record`` writes down what has come of the query so far, before anybody is asked or told.
        """
        asked = asking.asked(ruling)
        try:
            escalation = await self._escalations.current(asked, query.inbound.query_id)
        except Refusal:
            await record()
            raise
        if escalation is not None and escalation.state is State.APPROVED:
            return escalation
        await record()
        if escalation is None:
            escalation = await self._escalations.open(asked, query.inbound.query_id)
        if wait > 0:
            escalation = await self._escalations.wait(escalation, wait)
            query.left = self._monotonic()
            must_not_be_locked(self._locks, asking, ruling, escalation)
            if escalation.at(self._clock()) is State.APPROVED:
                if self._policies().digest != asking.policies.digest:
                    await self._escalations.void(escalation, query.inbound.query_id)
                return None
            if escalation.state in {State.REFUSED, State.REVOKED}:
                raise refused(escalation, self._clock())
        raise required(escalation, self._clock(), await self._escalations.told(escalation))

    async def _record_decision(
        self,
        query: _Query,
        asking: Asking,
        facts: Facts,
        ruling: Ruling,
        cover: Cover,
    ) -> Receipt:
        grant, glass = cover.grant, cover.glass
        forward = query.forwarded = ruling.outcome in ANSWERED  # from here on: whoever is cancelled has still appended
        shown, owed = ruling.outcome, (*ruling.owed, *(asking.owed if forward else ()))
        # Drawn before anybody looks at whom it conceals: a hidden person's query is drawn as often as any other.
        sample = self._sample(asking, owed) if forward and not cover.any else 0
        drawn = self._drawn(query, asking, sample)
        facts, ruling = asking.concealing or (facts, ruling)
        recognition = asking.concealed or asking.recognition
        receipt = await self._audit.record(
            Decided(
                about=query.inbound.query_id,
                inbound=query.inbound,
                principal=asking.principal,
                verified=asking.verified,
                inquiry=asking.inquiry,
                recognition=recognition,
                met=self._met(query, asking.principal.person, [recognition]),
                asked=facts,
                ruling=ruling,
                shown=shown,
                policy_version=asking.policies.version,
                destination=self._upstream.origin,
                forward=forward,
                escalation=grant.id if grant else "",
                owed=joined((*owed, *ruling.owed, *drawn)),
                approved_by=grant.agreed if grant else (),
                shadow=None if glass else self._shadowed(query, facts, recognition, ruling),
                glass=glass.assurance if glass else None,
                evidence=glass.evidence if glass else None,
                sample=sample,
            ),
        )
        query.receipt, query.closed, query.ending = receipt, not forward, False
        self._notice(query, [ruling])
        self._metrics.decisions_total.labels(ruling.outcome, facts.action, facts.purpose).inc()
        if asking.unverified:
            self._metrics.unverified_total.labels(facts.action).inc()
        if asking.verified.purpose.root is None:
            self._metrics.roots_total.labels(facts.action).inc()
        self._leave(query, "decided")
        return receipt

    def _sample(self, asking: Asking, owed: Sequence[Owed]) -> int:
        """Return of how many answers such as this one is drawn for review; 0 where it is reviewed anyway."""
        if any(each.duty is Duty.REVIEW for each in owed):
            return 0
        return asking.policies.budgets.sample.rate(asking.verified.purpose.code, asking.inquiry.action)

    def _drawn(self, query: _Query, asking: Asking, sample: int) -> tuple[Owed, ...]:
        if not self._lot.drawn(query.inbound.query_id, sample):
            return ()
        return (Owed(duty=Duty.REVIEW, role=REVIEWER, why=SAMPLE, within=asking.policies.budgets.sample.within),)

    async def _record_disclosure(self, query: _Query, asking: Asking, disclosure: Disclosure, cover: Cover) -> Receipt:
        glass = cover.glass
        kind = Withheld if disclosure.withheld and not disclosure.records else Disclosed
        event = kind(
            about=query.inbound.query_id,
            disclosure=disclosure,
            officer=asking.principal.person,
            case=asking.verified.purpose.case,
            terminal=asking.principal.terminal,
            bytes_in=query.size,
            met=self._met(query, asking.principal.person, (judgement.recognition for judgement in disclosure.judgements)),
            duration_ms=round((self._monotonic() - query.started) * 1000, 2),
            upstream_ms=round(sum(seconds for stage, seconds in query.stages if stage == "upstream") * 1000, 2),
            sha256=hashlib.sha256(disclosure.body).hexdigest(),
            owed=joined(
                (*(glass.owed if glass else ()), *(owed for each in disclosure.judgements for owed in each.ruling.owed))
            ),
            decided=query.receipt.index if query.receipt is not None else 0,
            ruled=query.tally.facts() if query.tally else {},
            glass=glass.assurance if glass else None,
        )
        query.ending = True
        receipt = await self._audit.record(event)
        query.closed = True
        if query.tally:
            self._differ(query.tally.differences)
        self._notice(query, (judgement.ruling for judgement in disclosure.judgements))
        self._leave(query, "recorded")
        return receipt

    def _shadowed(self, query: _Query, facts: Facts, recognition: Recognition, ruling: Ruling) -> Mapping[str, Json] | None:
        """Return what the entry says of the candidate: nothing, where it would have ruled the same."""
        if query.shadow is None or (found := difference(query.shadow, facts, recognition, ruling)) is None:
            return None
        self._differ({found: 1})
        return {"policy": query.shadow.version, **found.as_json()}

    def _differ(self, differences: Mapping[Difference, int]) -> None:
        for found, count in differences.items():
            self._metrics.policy_shadow_differences_total.labels(found.before, found.after).inc(count)

    def _notice(self, query: _Query, rulings: Iterable[Ruling]) -> None:
        """Count each role that is to be told of this query, once. The entries say which: one more would show in the numbers."""
        for role in {role for ruling in rulings for role in ruling.notify} - query.noticed:
            query.noticed.add(role)
            self._metrics.notices_total.labels(role).inc()

    def _abandon(self, query: _Query) -> None:
        """Close what a drain that ran out of time cuts off: nothing was released."""
        if query.forwarded and not query.ending:
            duration = round((self._monotonic() - query.started) * 1000, 2)
            self._record_later(Failed(about=query.inbound.query_id, outcome="aborted", duration_ms=duration))

    def _record_later(self, event: Event) -> None:
        task = asyncio.create_task(self._record(event))
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)

    async def _record(self, event: Event) -> None:
        try:
            await self._audit.record(event)
        except AuditUnavailable as error:
            self._on_error(error)  # the log is poisoned by now, and the node answers nothing more

    async def finish(self) -> None:
        """Wait until every end under way is written; called when the last query has gone."""
        while self._recording:
            await asyncio.gather(*self._recording)

    async def refused(self, inbound: Inbound, principal: Principal | None, refusal: Refusal) -> Declined:
        """Remember what a door refused that is no query, such as a move that is not theirs to make."""
        now = self._monotonic()
        return await self._decline(_Query(inbound=inbound, peer={}, started=now, left=now, principal=principal), refusal)

    async def _decline(self, query: _Query, refusal: Refusal) -> Declined:
        """Remember a refusal: close what was decided and forwarded, or write down that it never came to that."""
        self._metrics.refusals_total.labels(refusal.slug()).inc()
        self._settle(query, fruitless=isinstance(refusal, FRUITLESS))
        duration = round((self._monotonic() - query.started) * 1000, 2)
        about = query.inbound.query_id
        try:
            if query.receipt is not None and not query.closed:
                outcome = ENDS.get(type(refusal), "upstream")
                query.ending = True
                await self._audit.record(Failed(about=about, outcome=outcome, problem=refusal.slug(), duration_ms=duration))
                query.closed = True
            if query.receipt is not None:
                return Declined(refusal=refusal, entry=query.receipt.reference)
            suppressed = 0 if query.principal else self._strangers.admit(self._monotonic())
            if suppressed is None:
                return Declined(refusal=refusal, entry=None)
            receipt = await self._audit.record(
                Refused(
                    about=about,
                    suppressed=suppressed,
                    problem=refusal.slug(),
                    inbound=query.inbound,
                    principal=query.principal,
                    action=query.inquiry.action if query.inquiry else "",
                    policy_version=self._policies_of(query).version,
                    duration_ms=duration,
                    lock=refusal.lock.id if isinstance(refusal, Locked) else "",
                    case=query.case,
                    criteria=query.inquiry.criteria if query.inquiry else {},
                    recognition=query.recognition,
                ),
            )
        except AuditUnavailable as unavailable:
            return Declined(refusal=unavailable, entry=None)
        return Declined(refusal=refusal, entry=receipt.reference)

    def _leave(self, query: _Query, stage: str) -> None:
        now = self._monotonic()
        query.stages.append((stage, now - query.left))
        query.left = now


def _waiting(disclosure: Disclosure) -> tuple[Judgement, ...]:
    """Return the judgements of a reply of which every record waits for a supervisor; nothing when any does not.

    Concealed records are passed over: with them or without them the answer has to be the same.
    """
    if disclosure.records or disclosure.unjudged:
        return ()
    shown = tuple(judgement for judgement in disclosure.judgements if judgement.ruling.outcome is not Outcome.CONCEAL)
    return shown if all(judgement.ruling.outcome is Outcome.ESCALATE for judgement in shown) else ()


def _told(disclosure: Disclosure) -> int | None:
    """Return how many records were withheld by rows that let it be told; silence is the default."""
    told = sum(1 for judgement in disclosure.judgements if judgement.ruling.tell and judgement.ruling.outcome in WITHHELD)
    return told or None
