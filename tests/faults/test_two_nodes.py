"""Two server processes on one store: what a supervisor agreed to once is answered once, at whichever door it is asked."""

from __future__ import annotations

import asyncio
import signal
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
