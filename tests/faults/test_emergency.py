"""``kill -9`` while officers are answered in emergencies: no answer without its entry, and no entry without its review."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.served import GONE, PURPOSE, Served

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.audit.entry import Entry

pytestmark = pytest.mark.faults

EMERGENCY = f'{PURPOSE}, exigent="man with a rifle at the town hall, the mayor is inside"'
MOST = 3
"""As ``budgets.yaml`` is shipped."""


def broken(served: Served) -> Sequence[Entry]:
    """Return the decisions that broke the glass."""
    return [entry for entry in served.entries() if entry.kind == "decided" and entry.facts.get("break_glass") is True]


async def state(served: Served, target: str) -> None:
    """State an emergency until there is nobody to ask."""
    async with served.client() as officer:
        try:
            while True:
                await served.ask(officer, target, purpose=EMERGENCY)
        except GONE:
            return


async def reviews(served: Served, wanted: int) -> list[dict[str, Any]]:
    """Return the sergeant's reviews once there are so many, or what there is when that takes too long."""
    rows: list[dict[str, Any]] = []
    async with served.client() as sergeant, asyncio.timeout(60):
        while len(rows) < wanted:
            answer = await served.ask(sergeant, "/reviews", role="supervisor")
            served.answers.remove(answer)  # a list at the door is no query, and has no entry
            rows = [row for row in answer.json["reviews"] if row["why"] == "break-glass"]
            await asyncio.sleep(0.1)
    return rows


async def test_an_emergency_that_was_recorded_is_reviewed_after_kill_9(served: Served) -> None:
    """Killed as soon as the first entry is durable, before, while or after the answer leaves: each has its review, and counts.

    What was answered is in the log with its end; the officer is not answered more often than the budget allows, since entries
    are counted and not answers.
    """
    await served.start()
    asking = [asyncio.create_task(state(served, target)) for target in served.protected()[:MOST]]
    while not broken(served):  # noqa: ASYNC110 -- another process's log
        await asyncio.sleep(0.005)
    assert await served.end(signal.SIGKILL) == -signal.SIGKILL
    await asyncio.gather(*asking)

    await served.start()
    before = broken(served)
    rows = await reviews(served, len(before))
    assert {row["entry"].rpartition("/")[2] for row in rows} == {str(entry.index) for entry in before}
    async with served.client() as officer:
        problems = [(await served.ask(officer, served.protected()[0], purpose=EMERGENCY)).problem for _ in range(MOST + 1)]
    assert problems[-1] == "budget-spent"
    assert len(broken(served)) == MOST
    assert await served.end(signal.SIGTERM) == 0
    assert served.missing() == []
    code, said = await served.verified()
    assert code == 0, said
