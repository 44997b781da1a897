"""A query that was understood, and the rulings on it and on each record of its reply."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from proxy.audit.owed import UNVERIFIED, Duty, Owed
from proxy.disclosure.judgement import Judgement
from proxy.escalation.glass import Broken
from proxy.escalation.lifecycle import Asked
from proxy.escalation.locks import subjects_of
from proxy.gateway.releasing import releasable, within
from proxy.identity.stepup import Thing
from proxy.policy.decide import decide
from proxy.policy.decision import Outcome, Ruling
from proxy.policy.exigent import broken, opened, review_within
from proxy.policy.obligations import REVIEWER
from proxy.purpose.purpose import Standing
from proxy.registry.protection import Recognition, explained

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from proxy.escalation.locks import Stops
    from proxy.gateway.cover import Cover
    from proxy.identity.principal import Principal
    from proxy.identity.stepup import Assurance
    from proxy.inquiry.inquiry import Inquiry
    from proxy.policy.decision import Facts
    from proxy.policy.service import PolicySet
    from proxy.policy.shadow import Tally
    from proxy.purpose.purpose import VerifiedPurpose
    from proxy.registry.protection import Recognizer

OPENS: Final = frozenset({Outcome.ESCALATE, Outcome.MASK, Outcome.PERMIT})
"""Outcomes that let somebody see something, now or later."""
ANSWERED: Final = frozenset({Outcome.PERMIT, Outcome.MASK, Outcome.CONCEAL})
"""Outcomes that go upstream: conceal too, so that it takes the time that an absent record takes."""
LOCK: Final = "lock"
"""Stands where the policy's row does, for a record that a lock keeps here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A query that was understood: who asks, what about whom, why, and who is concerned.

    ``concealed`` is everybody concerned, and ``concealing`` the ruling on them, when ``recognition`` leaves somebody out.
    ``releasing`` are the fields that an approval would release of the records of its reply, where only those told.
    """

    policies: PolicySet
    principal: Principal
    inquiry: Inquiry
    verified: VerifiedPurpose
    recognition: Recognition
    records: tuple[Mapping[str, Sequence[str]], ...] = ()
    concealed: Recognition | None = None
    concealing: tuple[Facts, Ruling] | None = None
    releasing: frozenset[str] | None = None

    @property
    def unverified(self) -> bool:
        """Tell whether nobody could say anything of the case."""
        return self.verified.standing is Standing.UNVERIFIED

    @property
    def owed(self) -> tuple[Owed, ...]:
        """Return what somebody has to do once this query is answered, whatever row answers it."""
        if not self.unverified:
            return ()
        within = round(self.policies.catalogue.officer_safety.review.total_seconds())
        return (Owed(duty=Duty.REVIEW, role=REVIEWER, why=UNVERIFIED, within=within),)

    def emergency(self, ruling: Ruling) -> bool:
        """Tell whether an emergency was stated that the row answers; a broad search is none, whatever is stated."""
        if self.verified.purpose.exigent is None or ruling.exigent is None or self.inquiry.broad:
            return False
        return ruling.outcome is Outcome.ESCALATE and bool(opened(ruling, self._approved(self.recognition)))

    def _approved(self, recognition: Recognition) -> Ruling:
        """Return what would be ruled if a supervisor agreed: no emergency opens more."""
        return self.ruled(recognition, approval="granted")[1]

    def confirmed(self) -> Thing:
        """Return what an officer confirms who breaks the glass: the case, the words, and all that is asked."""
        purpose, inquiry = self.verified.purpose, self.inquiry
        content = {
            "action": inquiry.action,
            "case": purpose.case,
            "criteria": {kind: sorted(values) for kind, values in inquiry.criteria.items()},
            "exigent": purpose.exigent,
            "partial": dict(inquiry.partial),
            "statement": purpose.statement,
        }
        return Thing.of("break-glass", purpose.case, content)

    def broken(self, ruling: Ruling, assured: Assurance, now: datetime) -> tuple[Ruling, Broken]:
        """Return the ruling under which an emergency is answered, and what was broken for it."""
        answered = broken(ruling, self._approved(self.recognition), self.policies.fields)
        glass = Broken(
            subjects=frozenset(each.entry for each in self.recognition.protections),
            relations=frozenset(str(each) for each in self.recognition.relations),
            owed=answered.owed,
            review_due=now + timedelta(seconds=review_within(answered)),
            assurance=assured.facts(),
            evidence=assured.sealed(),
        )
        return answered, glass

    def shown(self, truth: tuple[Facts, Ruling]) -> Asking:
        """Return the query as if it meant nobody we know, since policy conceals somebody; the log keeps ``truth``.

        To conceal the whole answer would show in what becomes of others: namesakes, and neighbors in the same building, would
        vanish with the hidden person. So it is the reply's records that tell whom it is about, each ruled on by itself; who
        is close to the principal in ways that are refused about everybody stays so.
        """
        recognition = self.recognition
        relations = frozenset(
            each
            for each in recognition.relations
            if self.ruled(replace(recognition, relations=frozenset({each})), approval="none")[1].outcome is not Outcome.CONCEAL
        )
        return replace(self, recognition=Recognition(relations=relations), concealed=recognition, concealing=truth)

    def ruled(self, recognition: Recognition, *, approval: str) -> tuple[Facts, Ruling]:
        """Rule on the inquiry, or on one record of the reply."""
        return decide(
            self.policies.policy,
            role=self.principal.role,
            action=self.inquiry.action,
            purpose=self.verified.purpose.code,
            standing=str(self.verified.standing),
            approval=approval,
            recognition=recognition,
        )

    def judged(
        self,
        fields: Mapping[str, Sequence[str]],
        recognizer: Recognizer,
        ruling: Ruling,
        *,
        cover: Cover,
        tally: Tally,
        stops: Stops,
    ) -> Judgement:
        """Rule on one record as on an inquiry; a grant covers only whom the supervisor was asked about, and so does a glass."""
        recognition = recognizer.recognize(fields, self.principal, self.policies.thresholds)
        if ruling.outcome is Outcome.CONCEAL:
            return Judgement(ruling=ruling, recognition=recognition)
        grant, glass = cover.grant, cover.glass
        covered = (
            grant is not None
            and {protection.entry for protection in recognition.protections} <= set(grant.asked.subjects)
            and {str(relation) for relation in recognition.relations} <= set(grant.asked.relations)
        )
        facts, of_record = self.ruled(recognition, approval="granted" if covered else "none")
        tally.add(facts, recognition, of_record)
        if glass is not None and glass.covers(recognition):
            approved = self._approved(recognition)
            of_record = broken(of_record, approved, self.policies.fields) if opened(of_record, approved) else of_record
        if ruling.outcome is Outcome.MASK:
            of_record = stricter(of_record, ruling)
        protected = frozenset().union(*(protection.fields for protection in recognition.protections))
        if protected:
            of_record = masking(of_record, protected, known=self.policies.fields)
        if grant is not None:
            of_record = within(of_record, grant.asked.fields, self.inquiry.route)
        if of_record.outcome in OPENS and stops.on_subject(subjects_of(recognition, fields), self.principal.agency) is not None:
            of_record = Ruling(outcome=Outcome.DENY, rule=LOCK, because="somebody whom it concerns is locked")
        return Judgement(ruling=of_record, recognition=recognition, fields=fields)

    def concerning(self, judgements: Sequence[Judgement], ruling: Ruling) -> Asking:
        """Return the same query, ruled on with ``ruling``, about everybody whom these records of its reply concern."""
        protections = {each.entry: each for judgement in judgements for each in judgement.recognition.protections}
        relations = frozenset().union(*(judgement.recognition.relations for judgement in judgements))
        recognition = Recognition(protections=tuple(protections.values()), relations=relations)
        releasing = frozenset().union(*(self._releasable(judgement.recognition, ruling) for judgement in judgements))
        records = tuple(judgement.fields for judgement in judgements)
        return replace(self, recognition=recognition, records=records, releasing=releasing)

    def _releasable(self, recognition: Recognition, ruling: Ruling | None = None) -> frozenset[str]:
        """Return the fields that an approval would release of a record, or, without ``ruling``, of any of the reply."""
        _, granted = self.ruled(recognition, approval="granted")
        if ruling is None:
            return releasable(self.inquiry.route, granted)
        if ruling.outcome is Outcome.MASK:
            granted = stricter(granted, ruling)
        protected = frozenset().union(*(protection.fields for protection in recognition.protections))
        return releasable(self.inquiry.route, granted, protected)

    def asked(self, ruling: Ruling) -> Asked:
        """Return what a supervisor is asked."""
        return Asked(
            person=self.principal.person,
            agency=self.principal.agency,
            role=self.principal.role,
            terminal=self.principal.terminal,
            case=self.verified.purpose.case,
            purpose=self.verified.purpose.code,
            statement=self.verified.purpose.statement,
            route=self.inquiry.route.id,
            action=self.inquiry.action,
            criteria={kind: list(values) for kind, values in self.inquiry.criteria.items()},
            partial=dict(self.inquiry.partial),
            categories=tuple(sorted({protection.category for protection in self.recognition.protections})),
            subjects=tuple(sorted(protection.entry for protection in self.recognition.protections)),
            relations=tuple(sorted(self.recognition.relations)),
            rule=ruling.rule,
            because=ruling.because,
            policy_version=self.policies.version,
            records=self.records,
            recognized=explained(self.recognition.protections),
            demands=ruling.demands,
            fields=tuple(sorted(self.releasing if self.releasing is not None else self._releasable(self.recognition))),
            requestor=self.verified.purpose.requestor or "",
            recipient=self.verified.purpose.recipient or "",
        )


def masking(ruling: Ruling, protected: frozenset[str], *, known: Collection[str]) -> Ruling:
    """Join a record's ruling with the field classes that the registry protects: never more, whatever policy permits.

    A class that fields.yaml does not have is an obligation that cannot be met, so the record does not leave.
    """
    if ruling.outcome not in {Outcome.PERMIT, Outcome.MASK}:
        return ruling
    if not protected <= set(known):
        because = "the registry protects a field class that fields.yaml does not have; `registry check` names it"
        return replace(ruling, outcome=Outcome.DENY, rule="registry", because=because, masked=frozenset())
    because = ruling.because if ruling.outcome is Outcome.MASK else f"{ruling.because}; the registry protects parts of it"
    return replace(ruling, outcome=Outcome.MASK, because=because, masked=ruling.masked | protected)


def stricter(of_record: Ruling, of_inquiry: Ruling) -> Ruling:
    """Join a record's ruling with the inquiry's mask: the stricter outcome, and every mask of both."""
    if of_record.outcome.severity < of_inquiry.outcome.severity:
        return of_record
    return Ruling(
        outcome=Outcome.MASK,
        rule=of_inquiry.rule if of_record.outcome is Outcome.PERMIT else of_record.rule,
        because=of_inquiry.because,
        masked=of_record.masked | of_inquiry.masked,
        owed=of_record.owed,
        marked=of_record.marked or of_inquiry.marked,
    )
