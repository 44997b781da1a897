"""The scenes of a lock: a supervisor stops a terminal at once, the next query is refused, and another person lifts it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from proxy.demo.questions import plate_check
from proxy.demo.story import Expected, Step, asking
from proxy.demo.terminal import Query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from proxy.demo.story import Seen, Stage
    from proxy.demo.town import Town

TERMINAL: Final = "car-12"
LOCKED: Final = {"kind": "terminal", "target": TERMINAL, "reason": "The car was found open, and its officer is not in it."}
LIFTED: Final = {"reason": "The officer has signed for the car again."}


def the_lock(town: Town) -> Iterator[Step]:
    """Yield the steps in which the officer's terminal is stopped, and goes on."""
    ask, driver = plate_check(town), town.cast["driver"]
    owner = {"the owner's name": driver.surname, "the owner's id": driver.person_id}
    yield Step(name="lock", note="a supervisor locks the officer's terminal", play=_lock)
    yield asking(
        "locked",
        "the next query there is refused",
        ask,
        Expected(status=403, problem="locked", lacks=owner),
    )
    yield Step(
        name="own-unlock",
        note="who locked it does not lift it",
        play=_lift("supervisor", 403, "lock-ineligible", "who locked it does not lift it"),
    )
    yield Step(
        name="unlock", note="another supervisor lifts it", play=_lift("lieutenant", 200, "", "another supervisor lifts it")
    )
    yield asking(
        "unlocked",
        "and the terminal is answered again",
        ask,
        Expected(status=200, decision="permit", records=1, withheld=0, holds=owner),
    )


async def _lock(stage: Stage) -> Seen:
    answer = await stage.ask(Query(who="supervisor", target="/locks", method="POST", body=LOCKED))
    expected = Expected(status=200, decision=None, holds={"the terminal": TERMINAL})
    return stage.look(answer, expected, "a supervisor locks the officer's terminal")


def _lift(who: str, status: int, problem: str, note: str) -> Callable[[Stage], Awaitable[Seen]]:
    async def play(stage: Stage) -> Seen:
        listed = await stage.ask(Query(who=who, target="/locks?state=active"))
        rows = (listed.document or {}).get("locks", [])
        lock = next((row["id"] for row in rows if row["target"] == TERMINAL), "none")
        answer = await stage.ask(Query(who=who, target=f"/locks/{lock}/lift", method="POST", body=LIFTED))
        seen = stage.look(answer, Expected(status=status, problem=problem, decision=None), note)
        return seen if lock != "none" else replace(seen, wrong=("the lock is not listed", *seen.wrong))

    return play
