"""What the log keeps of each query, written down before anything follows from it, and the numbers that count what it says.

A query that goes upstream has two entries: the decision, before it is forwarded, and what came of it, before a byte leaves.
One that is refused earlier has one.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Final

from proxy.audit.errors import AuditUnavailable
from proxy.audit.failed import Failed
from proxy.audit.lot import SAMPLE
from proxy.audit.owed import Duty, Owed, joined
from proxy.disclosure.events import Disclosed, Withheld
from proxy.escalation.locks import Locked, LocksStale
from proxy.gateway.answer import Declined
from proxy.gateway.asking import ANSWERED
from proxy.gateway.strangers import Strangers
from proxy.policy.events import Decided, Refused
from proxy.policy.obligations import REVIEWER
from proxy.policy.shadow import difference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from proxy.audit.event import AuditLog, Event, Json, Receipt
    from proxy.audit.lot import Lot
    from proxy.disclosure.disclosure import Disclosure
    from proxy.gateway.asking import Asking
    from proxy.gateway.cover import Cover
    from proxy.gateway.query import Query
    from proxy.gateway.spending import Spending
    from proxy.policy.decision import Facts, Ruling
    from proxy.policy.shadow import Difference
    from proxy.refusal import Refusal
    from proxy.registry.protection import Recognition
    from proxy.telemetry import Metrics

ENDS: Final[Mapping[type[Refusal], str]] = {AuditUnavailable: "audit", Locked: "locked", LocksStale: "locked"}
"""How a forwarded query ended, by what refused it; every other is the records server's."""


class Entries:
    """Writes the entries of every query; an entry that is not durable stops the query that it is about."""

    def __init__(
        self,
        *,
        audit: AuditLog,
        lot: Lot,
        spending: Spending,
        destination: str,
        metrics: Metrics,
        monotonic: Callable[[], float],
        on_error: Callable[[BaseException], None],
    ) -> None:
        """Take the log; ``spending`` counts who meets whom again, and ``destination`` is the records server's address."""
        self._audit = audit
        self._lot = lot
        self._spending = spending
        self._destination = destination
        self._metrics = metrics
        self._monotonic = monotonic
        self._on_error = on_error
        self._strangers = Strangers()
        self._recording: set[asyncio.Task[None]] = set()

    async def decided(self, query: Query, asking: Asking, facts: Facts, ruling: Ruling, cover: Cover) -> Receipt:
        """Write down what was decided; without the receipt nothing is forwarded.

        Raises:
            AuditUnavailable: the entry is not known to be durable.
        """
        grant, glass = cover.grant, cover.glass
        forward = query.forwarded = ruling.outcome in ANSWERED  # from here on: whoever is canceled has still appended
        shown, owed = ruling.outcome, (*ruling.owed, *(asking.owed if forward else ()))
        # Drawn before anybody looks at whom it conceals: a hidden person's query is drawn as often as any other.
        sample = _sample(asking, owed) if forward and not cover.any else 0
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
                destination=self._destination,
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
        query.leave("decided", self._monotonic())
        return receipt

    async def disclosed(self, query: Query, asking: Asking, disclosure: Disclosure, cover: Cover) -> Receipt:
        """Write down what is about to leave of a reply, or that nothing is; until it is durable, nothing does.

        Raises:
            AuditUnavailable: the entry is not known to be durable.
        """
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
            duration_ms=query.lasted_ms(self._monotonic()),
            upstream_ms=query.upstream_ms,
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
        query.leave("recorded", self._monotonic())
        return receipt

    async def declined(self, query: Query, refusal: Refusal) -> Declined:
        """Write down a refusal: close what was decided and forwarded, or say that it never came to that.

        A log that is not available refuses in its place.
        """
        duration = query.lasted_ms(self._monotonic())
        about = query.inbound.query_id
        try:
            if query.receipt is not None:
                if not query.closed:
                    outcome = ENDS.get(type(refusal), "upstream")
                    query.ending = True
                    await self._audit.record(Failed(about=about, outcome=outcome, problem=refusal.slug(), duration_ms=duration))
                    query.closed = True
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
                    policy_version=query.policies.version,
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

    def abandoned(self, query: Query) -> None:
        """Close, as soon as may be, what a drain that ran out of time cuts off: nothing was released."""
        if query.forwarded and not query.ending:
            duration = query.lasted_ms(self._monotonic())
            failed = Failed(about=query.inbound.query_id, outcome="aborted", duration_ms=duration)
            task = asyncio.create_task(self._record(failed))
            self._recording.add(task)
            task.add_done_callback(self._recording.discard)

    async def finish(self) -> None:
        """Wait until every end under way is written; called when the last query has gone."""
        while self._recording:
            await asyncio.gather(*self._recording)

    async def _record(self, event: Event) -> None:
        try:
            await self._audit.record(event)
        except AuditUnavailable as error:
            self._on_error(error)  # the log is poisoned by now, and the node answers nothing more

    def _met(self, query: Query, person: str, recognitions: Iterable[Recognition]) -> int:
        """Return how often somebody protected whom this query meets has been met by the same person lately."""
        entries = {each.entry for recognition in recognitions for each in recognition.protections} - query.met
        query.met |= entries
        return self._spending.met(person, entries, self._monotonic())

    def _drawn(self, query: Query, asking: Asking, sample: int) -> tuple[Owed, ...]:
        if not self._lot.drawn(query.inbound.query_id, sample):
            return ()
        return (Owed(duty=Duty.REVIEW, role=REVIEWER, why=SAMPLE, within=asking.policies.budgets.sample.within),)

    def _shadowed(self, query: Query, facts: Facts, recognition: Recognition, ruling: Ruling) -> Mapping[str, Json] | None:
        """Return what the entry says of the candidate: nothing, where it would have ruled the same."""
        if query.shadow is None or (found := difference(query.shadow, facts, recognition, ruling)) is None:
            return None
        self._differ({found: 1})
        return {"policy": query.shadow.version, **found.as_json()}

    def _differ(self, differences: Mapping[Difference, int]) -> None:
        for found, count in differences.items():
            self._metrics.policy_shadow_differences_total.labels(found.before, found.after).inc(count)

    def _notice(self, query: Query, rulings: Iterable[Ruling]) -> None:
        """Count each role that is to be told of this query, once. The entries say which: one more would show in the numbers."""
        for role in {role for ruling in rulings for role in ruling.notify} - query.noticed:
            query.noticed.add(role)
            self._metrics.notices_total.labels(role).inc()


def _sample(asking: Asking, owed: Sequence[Owed]) -> int:
    """Return of how many answers such as this one is drawn for review; 0 where it is reviewed anyway."""
    if any(each.duty is Duty.REVIEW for each in owed):
        return 0
    return asking.policies.budgets.sample.rate(asking.verified.purpose.code, asking.inquiry.action)
