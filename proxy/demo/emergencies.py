"""The last scene: an officer states an emergency, is answered at once with little, and somebody else reviews it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from proxy.demo.docket import PORCH
from proxy.demo.questions import PORCH_WORDS, name_and_dob, purpose
from proxy.demo.story import Expected, Step, asking, identifiers
from proxy.demo.terminal import Query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from proxy.demo.story import Seen, Stage
    from proxy.demo.town import Town

WORDS: Final = "man with a rifle at the town hall, the mayor is inside"
FOUND: Final = {"outcome": "justified", "reason": "Rifle found at the town hall, the mayor was hurt."}
MASKED: Final = frozenset({"email", "employer", "home_address", "identifier", "license", "phone", "photo", "ssn"})
PATIENCE_SECONDS: Final = 10
NAP_SECONDS: Final = 0.2


def emergencies(town: Town) -> Iterator[Step]:
    """Yield the steps of an emergency."""
    mayor = town.cast["mayor"]
    header = f'{purpose(PORCH, PORCH_WORDS)}, exigent="{WORDS}"'
    ask = Query(who="officer", target=name_and_dob(mayor), purpose=header)
    secret = identifiers(town, town.household_of(mayor))
    lacks = {"the home address": mayor.home.line, "the SSN": mayor.ssn, "the telephone": mayor.phone}
    holds = {"the surname": mayor.surname}
    empty = replace(ask, purpose=header.replace(WORDS, "emergency"))
    note = "an emergency has to be one"
    yield asking("emergency-in-name", note, empty, Expected(status=422, problem="statement-uninformative", lacks=secret))
    yield Step(name="emergency", note="an emergency is answered now, with little", play=_answered(ask, holds, lacks))
    yield Step(name="emergency-told", note="the sergeant is told at once, and sees no record", play=_told(secret))
    yield Step(name="emergency-reviewed", note="the lieutenant reviews it, and the officer cannot", play=_reviewed(secret))


def _answered(ask: Query, holds: Mapping[str, str], lacks: Mapping[str, str]) -> Callable[[Stage], Awaitable[Seen]]:
    async def play(stage: Stage) -> Seen:
        answer = await stage.ask(ask)
        expected = Expected(status=200, decision="mask", records=1, withheld=0, masked=MASKED, holds=holds, lacks=lacks)
        seen = stage.look(answer, expected, "an emergency is answered now, with little")
        if not answer.headers.get("break-glass", "").startswith("review-due=@"):
            return replace(seen, wrong=(*seen.wrong, "the answer does not say when the review is due"))
        return seen

    return play


def _told(secret: Mapping[str, str]) -> Callable[[Stage], Awaitable[Seen]]:
    async def play(stage: Stage) -> Seen:
        row = await _waiting(stage, "notices", "supervisor")
        answer = await stage.ask(Query(who="supervisor", target=f"/notices/{row.get('id', 'none')}"))
        expected = Expected(status=200, decision=None, holds={"the emergency": WORDS}, lacks=secret)
        return stage.look(answer, expected, "the sergeant is told at once, and sees no record")

    return play


def _reviewed(secret: Mapping[str, str]) -> Callable[[Stage], Awaitable[Seen]]:
    async def play(stage: Stage) -> Seen:
        row = await _waiting(stage, "reviews", "lieutenant")
        closing = Query(who="officer", target=f"/reviews/{row.get('id', 'none')}/close", method="POST", body=FOUND)
        own = await stage.ask(closing)
        answer = await stage.ask(replace(closing, who="lieutenant"))
        expected = Expected(status=200, decision=None, holds={"the outcome": FOUND["outcome"]}, lacks=secret)
        seen = stage.look(answer, expected, "the lieutenant reviews it, and the officer cannot")
        if own.problem != "duty-unknown":
            return replace(seen, wrong=(*seen.wrong, f"the officer's own review answered {own.status} {own.problem}"))
        return seen

    return play


async def _waiting(stage: Stage, room: str, who: str) -> Mapping[str, str]:
    """Return somebody's notice or review of the emergency, once the log has been read; nothing if that takes too long."""
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE_SECONDS
    while loop.time() < until:
        listed = await stage.ask(Query(who=who, target=f"/{room}?state=due"))
        rows = [row for row in (listed.document or {}).get(room, []) if row.get("why") == "break-glass"]
        if rows:
            return dict(rows[-1])
        await asyncio.sleep(NAP_SECONDS)
    return {}
