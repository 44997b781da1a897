"""``kill -9`` of the whole server under load: what a terminal was answered is in the log, whatever the moment."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.faults.served import GONE, Served, under_load

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.faults

LIVES = 5
CLIENTS = 7


async def escalate(served: Served, target: str, stop: Callable[[], bool], redeemed: asyncio.Event) -> None:
    """Have a query approved and ask it twice at once, then once more, until there is nobody to ask."""
    async with served.client() as officer, served.client() as same, served.client() as supervisor:
        try:
            while (asked := await served.ask(officer, target)).problem == "not-ready":  # noqa: ASYNC110 -- the machine is slow, the server too
                await asyncio.sleep(0.05)
            assert asked.problem == "escalation-required"
            decision = f"{asked.json['escalation']['href']}/approve"
            await served.ask(supervisor, decision, role="supervisor", body={"reason": "agreed by phone, threat case"})
            await asyncio.gather(served.ask(officer, target), served.ask(same, target), return_exceptions=True)
            redeemed.set()
            while not stop():
                assert (await served.ask(officer, target)).problem == "grant-spent"
        except GONE:
            return


async def test_what_was_answered_is_in_the_log_after_kill_9(served: Served) -> None:
    """Each life is killed at another moment under load. Each next one verifies, closes what was open, and answers.

    Every other life is killed only once an approval was redeemed in it, however slow the machine is.
    The client's own list is held against the log: no query that was answered lacks its decision and its end, no decision that
    was forwarded lacks its one end, no approval answered twice, and no entry that a client was told of is another now.
    """
    moments = random.Random(1)
    for life in range(LIVES):
        await served.start()
        enough = len(served.answers) + moments.randint(10, 250)
        dead, redeemed = asyncio.Event(), asyncio.Event()
        if life % 2:
            redeemed.set()

        def stop(enough: int = enough, dead: asyncio.Event = dead, redeemed: asyncio.Event = redeemed) -> bool:
            if len(served.answers) >= enough and redeemed.is_set() and not dead.is_set():
                assert served.process is not None
                served.process.kill()
                dead.set()
            return dead.is_set()

        await asyncio.gather(
            under_load(served, CLIENTS, stop, seed=life),
            escalate(served, served.protected()[life], stop, redeemed),
        )
        assert await served.end() == -signal.SIGKILL

    await served.start()
    code, said = await served.verified()
    assert code == 0, said
    assert served.missing() == []
    async with served.client() as session:
        assert (await served.ask(session, served.ordinary()[0])).status == 200
    assert await served.end(signal.SIGTERM) == 0

    assert_lives(served)
    code, said = await served.verified()
    assert code == 0, said
    assert served.missing() == []


def assert_lives(served: Served) -> None:
    """The log tells of each life, of what each start had to close, and of no grant that was used twice."""
    entries = served.entries()
    starts = [entry for entry in entries if entry.kind == "started"]
    unknown = [entry for entry in entries if entry.kind == "failed" and entry.facts["outcome"] == "unknown"]
    assert len(starts) == LIVES + 1
    assert [entry.kind for entry in entries if entry.kind in {"started", "stopped"}][-1] == "stopped"
    closed = [int(str(entry.facts["orphans"])) for entry in starts]
    assert sum(closed) == len(unknown) > 0
    grants = Counter(
        str(entry.facts["escalation"])
        for entry in entries
        if entry.kind == "decided" and entry.facts["forward"] and entry.facts.get("escalation")
    )
    assert grants
    assert set(grants.values()) == {1}
    assert sum(answer.status == 200 for answer in served.answers) > LIVES * 5
