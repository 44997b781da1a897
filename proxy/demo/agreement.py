"""The scenes with a supervisor: an escalation is seen, approved, redeemed once, waited for, and refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from proxy.demo.docket import PORCH
from proxy.demo.questions import AT_PORCH, PORCH_WORDS, by_id, by_plate, name_and_dob
from proxy.demo.story import Expected, Step, asking, identifiers
from proxy.demo.terminal import Query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from proxy.demo.story import Seen, Stage
    from proxy.demo.terminal import Answer
    from proxy.demo.town import Town

REASON: Final = {"reason": "The owner has to be told before the lab picks up the paint."}
HOLD_SECONDS: Final = 5
THINKING_SECONDS: Final = 0.7


def the_supervisor(town: Town) -> Iterator[Step]:
    """Yield the steps in which a supervisor agrees, once, or does not."""
    mayor = town.cast["mayor"]
    secret = identifiers(town, town.household_of(mayor))
    ask = by_id(mayor)
    yield Step(name="own-approval", note="the officer cannot approve it himself", play=_own_approval(ask, secret))
    yield Step(name="approval", note="a supervisor sees who asks and why, and approves", play=_approval(ask, secret))
    yield asking(
        "approved-query",
        "the same query answers, without the SSN",
        ask,
        Expected(
            status=200,
            decision="mask",
            records=1,
            withheld=0,
            masked=frozenset({"ssn"}),
            holds={"the surname": mayor.surname, "the home address": mayor.home.line},
            lacks={"the SSN": mayor.ssn},
        ),
    )
    yield asking(
        "only-once", "and only once", ask, Expected(status=403, problem="grant-spent", decision="escalate", lacks=secret)
    )
    yield Step(name="held", note="a held query is answered when the supervisor agrees", play=_held(town, secret))
    yield Step(name="respond-async", note="the officer need not wait: 202", play=_respond_async(town, secret))
    yield Step(name="refusal", note="a supervisor refuses, and the officer reads why", play=_refusal(town, secret))


def _escalation(answer: Answer) -> Mapping[str, str]:
    """Return the escalation of a problem, or of a list's only answer; empty where there is none."""
    document = answer.document
    found = document.get("escalation", document) if isinstance(document, dict) else None
    return found if isinstance(found, dict) else {}


def _decision_on(href: str, verb: str, who: str, reason: Mapping[str, str] = REASON) -> Query:
    return Query(who=who, target=f"{href}/{verb}", method="POST", body=reason)


def _own_approval(ask: Query, secret: Mapping[str, str]) -> Callable[[Stage], Awaitable[Seen]]:
    async def play(stage: Stage) -> Seen:
        asked = await stage.ask(ask)
        escalation = _escalation(asked)
        wrong = []
        if {"id", "href", "state", "expires_at"} - escalation.keys() or escalation.get("state") != "pending":
            wrong.append("the problem holds no pending escalation with id, href, state and expires_at")
        if "retry-after" not in asked.headers:
            wrong.append("there is no Retry-After")
        answer = await stage.ask(_decision_on(escalation.get("href", "/escalations/none"), "approve", "officer"))
        expected = Expected(status=403, problem="approver-ineligible", decision=None, lacks=secret)
        seen = stage.look(answer, expected, "the officer cannot approve it himself")
        return replace(seen, wrong=(*wrong, *seen.wrong))

    return play


def _approval(ask: Query, secret: Mapping[str, str]) -> Callable[[Stage], Awaitable[Seen]]:
    async def play(stage: Stage) -> Seen:
        wanted = _escalation(await stage.ask(ask)).get("id")
        listed = await stage.ask(Query(who="supervisor", target="/escalations?state=pending"))
        waiting = {row["id"]: row for row in (listed.document or {}).get("escalations", [])}
        wrong = []
        row = waiting.get(wanted, {})
        if row.get("statement") != PORCH_WORDS or row.get("case") != PORCH:
            wrong.append("the supervisor's list lacks the escalation, its case or its statement")
        answer = await stage.ask(_decision_on(row.get("href", "/escalations/none"), "approve", "supervisor"))
        if _escalation(answer).get("state") != "approved":
            wrong.append("the escalation is not approved")
        note = "a supervisor sees who asks and why, and approves"
        seen = stage.look(answer, Expected(status=200, decision=None, lacks=secret), note)
        hidden = stage.look(listed, Expected(status=200, decision=None, lacks=secret))
        return replace(seen, wrong=(*wrong, *hidden.wrong, *seen.wrong))

    return play


def _held(town: Town, secret: Mapping[str, str]) -> Callable[[Stage], Awaitable[Seen]]:
    mayor = town.cast["mayor"]
    plate = town.vehicle_of(mayor).plate
    ask = by_plate(town, mayor, AT_PORCH)
    holding = replace(ask, headers=(("Prefer", f"wait={HOLD_SECONDS}"),))

    async def approve(stage: Stage) -> Answer:
        escalation = _escalation(await stage.ask(ask))
        await asyncio.sleep(THINKING_SECONDS)
        return await stage.ask(_decision_on(escalation.get("href", "/escalations/none"), "approve", "lieutenant"))

    async def play(stage: Stage) -> Seen:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        answer, approved = await asyncio.gather(stage.ask(holding), approve(stage))
        took = loop.time() - begun
        lacks = {what: text for what, text in secret.items() if what.startswith("the SSN")}
        expected = Expected(status=200, decision="mask", records=1, withheld=0, holds={"the plate": plate}, lacks=lacks)
        seen = stage.look(answer, expected, f"a held query is answered when a supervisor agrees, after {took:.1f} s")
        wrong = [] if approved.status == 200 else [f"the approval answered {approved.status} {approved.problem}"]
        if not THINKING_SECONDS <= took < HOLD_SECONDS:
            wrong.append(f"it was answered after {took:.1f} s")
        return replace(seen, wrong=(*wrong, *seen.wrong))

    return play


def _respond_async(town: Town, secret: Mapping[str, str]) -> Callable[[Stage], Awaitable[Seen]]:
    target = name_and_dob(town.cast["mayor_spouse"])
    ask = Query(who="officer", target=target, purpose=AT_PORCH, headers=(("Prefer", "respond-async"),))

    async def play(stage: Stage) -> Seen:
        answer = await stage.ask(ask)
        expected = Expected(status=202, decision="escalate", lacks=secret)
        seen = stage.look(answer, expected, "the officer need not wait")
        href = _escalation(answer).get("href")
        if not href or answer.headers.get("location") != href or "retry-after" not in answer.headers:
            return replace(seen, wrong=(*seen.wrong, "Location is not the escalation's href, or Retry-After is missing"))
        return seen

    return play


def _refusal(town: Town, secret: Mapping[str, str]) -> Callable[[Stage], Awaitable[Seen]]:
    ask = Query(who="officer", target=name_and_dob(town.cast["mayor_spouse"]), purpose=AT_PORCH)
    reason = {"reason": "The porch case does not need the spouse's record."}

    async def play(stage: Stage) -> Seen:
        href = _escalation(await stage.ask(ask)).get("href", "/escalations/none")
        refused = await stage.ask(_decision_on(href, "refuse", "supervisor", reason))
        expected = Expected(
            status=403, problem="escalation-refused", decision="escalate", holds={"the reason": reason["reason"]}, lacks=secret
        )
        seen = stage.look(await stage.ask(ask), expected, "a supervisor refuses, and the officer reads why")
        if refused.status != 200:
            return replace(seen, wrong=(f"the refusal answered {refused.status} {refused.problem}", *seen.wrong))
        return seen

    return play
