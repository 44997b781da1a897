"""Why: a stated purpose is held against the catalogue, its words, and the case directory, before anything is fetched."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NoReturn

from proxy.document import suggest
from proxy.purpose.header import Stated, parse, spoken
from proxy.purpose.memory import FOLLOWED, Roots, Words
from proxy.purpose.purpose import (
    Case,
    CaseClosed,
    CaseDirectoryUnavailable,
    CaseKindMismatch,
    CaseMissing,
    CaseUnknown,
    Purpose,
    PurposeMalformed,
    PurposeMissing,
    PurposeUnknown,
    Standing,
    StandingMissing,
    StatementUninformative,
    VerifiedPurpose,
)
from proxy.purpose.standing import standings
from proxy.purpose.statement import exigent_objection, objection, signatures

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from proxy.purpose.catalogue import Catalogue, Code, Reuse
    from proxy.purpose.directory import CaseDirectory
    from proxy.purpose.memory import Subjects
    from proxy.purpose.standing import Asker
    from proxy.telemetry import Metrics

INHERITANCE: Final = timedelta(minutes=5)
SKEW: Final = timedelta(minutes=10)
KEPT: Final = 4096
OUTCOMES: Final = ("found", "cached", "stale", "unknown", "failed", "timeout", "unavailable", "wrong", "open", "busy")
"""What becomes of a look-up: an answer (new, kept, or kept too long), none, or one of the ways to fail."""
EXAMPLE: Final = 'Query-Purpose: code=C, case="26-004217", statement="stopped for no plates, driver has no licence"'


class Purposes:
    """Verifies purposes. Parsed headers and judged statements are kept for a while: an officer's next query repeats them."""

    def __init__(
        self,
        *,
        catalogue: Callable[[], Catalogue],
        directory: CaseDirectory,
        metrics: Metrics,
        monotonic: Callable[[], float],
        key: bytes,
        inheritance: timedelta = INHERITANCE,
    ) -> None:
        """Take the current catalogue, the case directory, and a random key under which said words are remembered."""
        self._catalogue = catalogue
        self._directory = directory
        self._reused = metrics.statement_reuse_total
        self._seconds = {outcome: metrics.case_directory_seconds.labels(outcome) for outcome in OUTCOMES}
        self._monotonic = monotonic
        self._inheritance = inheritance
        self._roots = Roots(inheritance, key)
        self._words = Words(key)
        self._parse = lru_cache(maxsize=KEPT)(parse)
        self._objection = lru_cache(maxsize=KEPT)(objection)
        self._exigent_objection = lru_cache(maxsize=KEPT)(exigent_objection)
        self._signatures = lru_cache(maxsize=KEPT)(signatures)

    async def verify(
        self,
        header: str | None,
        principal: Asker,
        action: str,
        now: datetime,
        *,
        sought: frozenset[str] = frozenset(),
        catalogue: Catalogue | None = None,
    ) -> VerifiedPurpose:
        """Return the purpose of a query when all of it holds: header, code, words, case, standing.

        ``sought`` is the one subject that the query is wholly about, in the forms of ``memory.Subjects``; without one it can
        inherit nothing. ``catalogue`` is that of the policy which the query began under; without it, the one in force.

        Raises:
            PurposeMissing, PurposeMalformed, PurposeUnknown, StatementUninformative: the header.
            CaseMissing, CaseUnknown, CaseKindMismatch, CaseClosed, StandingMissing: the reference.
            CaseDirectoryUnavailable: it cannot be told.
        """
        if header is None:
            raise PurposeMissing(f"Say why. Send: {EXAMPLE}.")
        stated = self._parse(header)
        catalogue = catalogue or self._catalogue()
        inherited = None
        if stated.root is not None:
            inherited = self._inherited(stated, stated.root, principal, sought, now)
            stated = _joined(stated, inherited)
        if stated.case is None:
            raise CaseMissing('Query-Purpose names no case. Add case="…": the incident, CAD event, case, warrant or docket.')
        code = None if stated.code is None else _code(catalogue, stated.code, action)
        if code is not None and inherited is None and stated.statement is not None:
            self._require_informative(stated.statement, stated.case, code, catalogue)
        try:
            case = await self._look_up(stated.case, _tolerated(code, catalogue))
        except CaseDirectoryUnavailable as unavailable:
            if not unavailable.down or code is None or not catalogue.officer_safety.covers(code.name, action):
                raise
            return self._unverified(stated, code, principal, action, inherited, catalogue=catalogue)
        if inherited is None and (code is None or (code.statement_required and stated.statement is None)):
            code = _code(catalogue, _speaks(stated, case, catalogue, principal, now), action)
            statement, derived = case.summary, True
        else:
            assert code is not None
            statement, derived = stated.statement or "", inherited is not None and inherited.derived
        _require_recent(case, code)
        _require_members(stated, code)
        self._require_emergency(stated, code, catalogue)
        _require_fit(case, code)
        _require_open(case, code.grace, now)
        standing = _standing(case, code, principal)
        purpose = Purpose(
            code=code.name,
            case=case.number,
            statement=statement,
            requestor=stated.requestor,
            recipient=stated.recipient,
            location=stated.location,
            root=stated.root,
            derived=derived,
            exigent=stated.exigent,
        )
        own = statement and not (derived or inherited)
        return VerifiedPurpose(
            purpose=purpose,
            case=case,
            standing=standing,
            reuse=self._reuse(principal.person, statement, case.number, code.reuse) if own else 0,
            permissible_use=code.permissible_use if action in catalogue.motor_vehicle_actions else None,
            subject_on_case=action in code.subject_on_case,
        )

    def _unverified(
        self, stated: Stated, code: Code, principal: Asker, action: str, inherited: Purpose | None, *, catalogue: Catalogue
    ) -> VerifiedPurpose:
        """Return a purpose of which only the header was looked at, for officer safety while the case directory is down.

        Raises:
            PurposeMissing: it lacks a member; words are not optional where nothing else speaks for a query.
        """
        assert stated.case is not None
        if stated.statement is None:
            _refuse_incomplete(stated, "the case directory is down, so nothing else can speak for this query")
        _require_members(stated, code)
        self._require_emergency(stated, code, catalogue)
        purpose = Purpose(
            code=code.name,
            case=stated.case,
            statement=stated.statement,
            requestor=stated.requestor,
            recipient=stated.recipient,
            location=stated.location,
            root=stated.root,
            derived=inherited is not None and inherited.derived,
            exigent=stated.exigent,
        )
        return VerifiedPurpose(
            purpose=purpose,
            case=None,
            standing=Standing.UNVERIFIED,
            reuse=0 if inherited else self._reuse(principal.person, stated.statement, stated.case, code.reuse),
            permissible_use=code.permissible_use if action in catalogue.motor_vehicle_actions else None,
            subject_on_case=action in code.subject_on_case,
        )

    def added(self, words: str, name: str, case: str) -> str:
        """Return what is added to the statement of a query under code ``name``, held to the same rules as a statement.

        Raises:
            PurposeMalformed, PurposeUnknown, StatementUninformative.
        """
        said = spoken("statement", words)
        catalogue = self._catalogue()
        code = catalogue.codes.get(name)
        if code is None:
            raise PurposeUnknown("The code of this query is no longer in the catalogue. Cancel it, and ask anew.")
        self._require_informative(said, case, code, catalogue)
        return said

    def remember(self, reference: str, principal: Asker, purpose: Purpose, named: Subjects, now: datetime) -> None:
        """Keep an answered query's purpose, and whom its answer named, for queries that name its audit entry as their root."""
        self._roots.remember(reference, principal, purpose, named, now)

    def _inherited(self, stated: Stated, root: str, principal: Asker, sought: frozenset[str], now: datetime) -> Purpose:
        inherited = self._roots.inherited(root, principal, sought, now)
        if inherited is None:
            # One sentence for all of it: which part does not hold would tell of others' queries, or of who was left out.
            minutes = self._inheritance.total_seconds() / 60
            detail = (
                "State a purpose of its own: code, case and statement. A root passes its purpose on only if it is a query of"
                f" yours of the last {minutes:g} minutes whose answer, no broad search and no long list, named the one person"
                f" or vehicle that this query is about, and to {FOLLOWED} of them at most."
            )
            raise PurposeMissing(detail)
        for member in ("code", "case", "statement"):
            if getattr(stated, member) not in {None, getattr(inherited, member)}:
                # Two purposes in one query: which of them it was would be decided after the fact.
                detail = f"With a root, {member} is inherited; leave it out, or leave out root and state a purpose of its own."
                raise PurposeMalformed(detail, position=0)
        return inherited

    def _require_informative(self, statement: str, case: str, code: Code, catalogue: Catalogue) -> None:
        words, empty = code.statement_words, catalogue.empty_words
        wrong = self._objection(statement, case=case, label=code.label, words=words, empty=empty)
        if wrong is not None:
            raise StatementUninformative(wrong)

    def _require_emergency(self, stated: Stated, code: Code, catalogue: Catalogue) -> None:
        if stated.exigent is None or stated.case is None:
            return
        wrong = self._exigent_objection(stated.exigent, case=stated.case, label=code.label, empty=catalogue.empty_words)
        if wrong is not None:
            raise StatementUninformative(wrong)

    async def _look_up(self, number: str, tolerated: timedelta) -> Case:
        started, outcome = self._monotonic(), "failed"
        try:
            case = await self._directory.look_up(number, stale=tolerated)
            outcome = "unknown" if case is None else "stale" if case.stale else "cached" if case.age else "found"
        except CaseDirectoryUnavailable as unavailable:
            outcome = unavailable.outcome
            raise
        finally:
            self._seconds[outcome].observe(self._monotonic() - started)
        if case is None:
            raise CaseUnknown("The case directory knows no such reference. Check the number; a new one may take a moment.")
        return case

    def _reuse(self, person: str, statement: str, case: str, rule: Reuse | None) -> int:
        """Return on how many other cases these words were said, and remember that they are said on this one.

        Raises:
            StatementUninformative: on as many as policy lets pass, or more.
        """
        said = self._words.marks(person, self._signatures(statement))
        others, fresh = self._words.others(said, case)
        if rule is not None and rule.refuses and others >= rule.cases:
            raise StatementUninformative(
                f"You said this of {others} other cases. Say what happened in this one, and who it is about."
            )
        self._words.say(said, case)
        if fresh and others:
            self._reused.inc()
        return others


def _joined(stated: Stated, inherited: Purpose) -> Stated:
    """Return what a query that names its root says: the root's purpose, and further members of its own where it has them.

    An emergency is not among them: it opened one answer, about whom it was stated, and is stated anew for another.
    """
    return replace(
        stated,
        code=inherited.code,
        case=inherited.case,
        statement=inherited.statement,
        requestor=stated.requestor or inherited.requestor,
        recipient=stated.recipient or inherited.recipient,
        location=stated.location or inherited.location,
    )


def _code(catalogue: Catalogue, name: str, action: str) -> Code:
    code = catalogue.codes.get(name)
    if code is not None and code.refused is None and action in code.actions:
        return code
    serving = f"Codes for this query: {', '.join(catalogue.serving(action)) or 'none'}."
    if code is None:
        hint = suggest(name, catalogue.codes)
        raise PurposeUnknown(f"The code is not in the catalogue{': ' + hint if hint else '.'} {serving}")
    if code.refused is not None:
        raise PurposeUnknown(code.refused)
    lacking = action in catalogue.motor_vehicle_actions and code.permissible_use is None
    why = "has no permissible use of motor-vehicle data (18 USC 2721(b))" if lacking else f"does not serve {action}"
    raise PurposeUnknown(f"Code {name} {why}. {serving}")


def _tolerated(code: Code | None, catalogue: Catalogue) -> timedelta:
    """Return for how long what is known of a case may be relied on while the case directory is down."""
    if code is None and catalogue.derivation is not None:
        code = catalogue.codes.get(catalogue.derivation.code)
    return code.stale_if_error if code is not None else timedelta()


def _speaks(stated: Stated, case: Case, catalogue: Catalogue, principal: Asker, now: datetime) -> str:
    """Return the code that a dispatched event gives to a query which does not state code and statement.

    Raises:
        PurposeMissing: it is no such event, or the principal is not dispatched to it.
    """
    rule = catalogue.derivation
    if rule is None or case.kind not in rule.kinds:
        _refuse_incomplete(stated, "only a dispatched event speaks for itself")
    if Standing.DISPATCHED not in standings(case, principal):
        _refuse_incomplete(stated, "the event speaks only for who is dispatched to it")
    if case.closed_at is not None and now > case.closed_at + rule.grace:
        _refuse_incomplete(stated, "the event was closed too long ago to speak for itself")
    if not case.summary:
        _refuse_incomplete(stated, "the event says nothing of what happened")
    name = case.code or rule.code
    if stated.code not in {None, name} or stated.statement is not None:
        _refuse_incomplete(stated, "code and statement are stated together, or neither")
    return name


def _refuse_incomplete(stated: Stated, why: str) -> NoReturn:
    missing = " and ".join(name for name in ("code", "statement") if getattr(stated, name) is None)
    raise PurposeMissing(f"Query-Purpose lacks {missing}: {why}. Send: {EXAMPLE}.")


def _require_recent(case: Case, code: Code) -> None:
    # What was tolerated was that of the derivation's code; the event itself may speak under a stricter one.
    if case.stale and case.age > code.stale_if_error.total_seconds():
        raise CaseDirectoryUnavailable("The case directory does not answer, and what is known of the case is too old.")


def _require_members(stated: Stated, code: Code) -> None:
    missing: Sequence[str] = [name for name in code.requires if getattr(stated, name) is None]
    if missing:
        example = ", ".join(f'{name}="…"' for name in missing)
        raise PurposeMissing(f"Under code {code.name}, Query-Purpose also needs: {example}.")


def _require_fit(case: Case, code: Code) -> None:
    if case.kind not in code.accepts:
        kinds = ", ".join(sorted(code.accepts))
        raise CaseKindMismatch(f"This reference is of kind {case.kind}; code {code.name} takes {kinds}.")


def _require_open(case: Case, grace: timedelta, now: datetime) -> None:
    if case.opened_at > now + SKEW:
        raise CaseClosed("This reference is not open yet.")
    if case.closed_at is not None and now > case.closed_at + grace:
        raise CaseClosed("This reference is closed. Name an open one, or have it reopened.")


def _standing(case: Case, code: Code, principal: Asker) -> Standing:
    held = standings(case, principal)
    for standing in code.standings:
        if standing in held:
            return standing
    if not held:
        raise StandingMissing("The case is another agency's, and you are neither assigned nor dispatched to it.")
    raise StandingMissing(
        "The case is not yours: you are not assigned or dispatched to it. Have it assigned, or name your own."
    )
