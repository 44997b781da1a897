"""Two server processes on one store: what a supervisor agreed to once is answered once, at whichever door it is asked."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from tests.faults.served import Served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.faults

AT_EACH = 100
CONNECTIONS = 20


@pytest.fixture
async def nodes(served: Served) -> AsyncIterator[tuple[Served, Served]]:
    """Yield two nodes that answer: one store, and to each its own log, under its own origin."""
    text, data = served.home.config.read_text("utf-8"), served.home.path / "second"
    config = served.home.path / "second.yaml"
    config.write_text(text.replace("/log\n", "/log2\n", 1).replace("data: data", "data: second", 1), "utf-8")
    data.mkdir(mode=0o700)
    (data / "store.sqlite3").symlink_to(served.home.data / "store.sqlite3")
    second = Served(served.town, served.home, served.upstream, other=config)
    await served.start()
    await second.start()
    yield served, second
    for node in (served, second):
        assert await node.end(signal.SIGTERM) == 0


async def test_of_200_redemptions_at_two_servers_one_is_answered(nodes: tuple[Served, Served]) -> None:
    """Asked a hundred times at each at once, the approved query is answered once; the other 199 learn that it was used."""
    one, other = nodes
    target = one.protected()[0]
    async with AsyncExitStack() as stack:
        officer, supervisor = [await stack.enter_async_context(one.client()) for _ in range(2)]
        asked = await one.ask(officer, target)
        decision = f"{asked.json['escalation']['href']}/approve"
        reason = {"reason": "agreed by phone, threat case"}
        assert (await other.ask(supervisor, decision, role="supervisor", body=reason)).json["state"] == "approved"

        async def ask(node: Served, count: int) -> list[str]:
            session = await stack.enter_async_context(node.client())
            answers = [await node.ask(session, target) for _ in range(count)]
            return [str(answer.status) if answer.status == 200 else answer.problem for answer in answers]

        each = AT_EACH // CONNECTIONS
        found = await asyncio.gather(*(ask(node, each) for node in nodes for _ in range(CONNECTIONS)))

    assert Counter(outcome for outcomes in found for outcome in outcomes) == {"200": 1, "grant-spent": 2 * AT_EACH - 1}


WHY = {"reason": "the key was found in a bar"}


async def test_a_lock_set_at_one_server_is_felt_at_the_other_within_a_second(nodes: tuple[Served, Served]) -> None:
    """An officer is answered at the other one, again and again, until the lock is set: from then on at neither; then lifted."""
    one, other = nodes
    target = other.ordinary()[0]
    async with AsyncExitStack() as stack:
        officer, supervisor = [await stack.enter_async_context(other.client()) for _ in range(2)]
        assert (await other.ask(officer, target)).status == 200
        said = {"kind": "principal", "target": "badge-1001", **WHY}
        lock = await one.ask(supervisor, "/locks", role="supervisor", body=said)
        assert lock.json["state"] == "active"
        set_at, refused = time.monotonic(), ""
        while refused != "locked" and time.monotonic() < set_at + 10:
            refused = (await other.ask(officer, target)).problem
        assert (refused, time.monotonic() - set_at < 1) == ("locked", True)
        assert (await one.ask(officer, one.ordinary()[0])).problem == "locked"

        lift = f"/locks/{lock.json['id']}/lift"
        assert (await other.ask(supervisor, lift, role="supervisor", body=WHY)).problem == "lock-ineligible"
        assert (await other.ask(supervisor, lift, role="lieutenant", body=WHY)).json["state"] == "ended"
        assert (await one.ask(officer, one.ordinary()[0])).status == 200


async def test_a_server_that_cannot_tell_what_is_locked_answers_nobody(nodes: tuple[Served, Served]) -> None:
    """The store is taken away from one of the two: it would hear of no lock any more, so it refuses; the other goes on."""
    one, other = nodes
    store = other.home.path / "second" / "store.sqlite3"
    async with other.client() as officer:
        assert (await other.ask(officer, other.ordinary()[0])).status == 200
        store.unlink()
        answers = [await other.ask(officer, target) for target in other.ordinary()]
        assert {(answer.status, b"person_id" in answer.body) for answer in answers} == {(503, False)}
        assert (await one.ask(officer, one.ordinary()[0])).status == 200
        store.symlink_to(other.home.data / "store.sqlite3")
