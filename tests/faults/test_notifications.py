"""``kill -9`` while a notification is on its way: it is told once more, under the same id, and nothing else is."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

import pytest

from tests.oversight.conftest import SECRET, Pager, receiving

if TYPE_CHECKING:
    from tests.faults.served import Served

pytestmark = pytest.mark.faults

WAIT = 60.0


async def test_a_notification_on_its_way_survives_kill_9(served: Served) -> None:
    """The receiver has it and has not answered when the server dies; the next life sends it again, as the same."""
    pager = Pager()
    async with receiving(pager):
        folder = served.home.config.parent
        (folder / "pager.key").write_text(SECRET)
        (folder / "pager.key").chmod(0o600)
        (folder / "notifications.yaml").write_text(
            "console: https://console.example.gov\ntimeout_seconds: 2\n"
            f"channels:\n  pager: {{kind: webhook, url: 'http://127.0.0.1:{pager.port}/hook', secret: pager.key}}\n"
            "chains:\n  supervisor:\n    - channels: [pager]\n"
        )
        with served.home.config.open("a", encoding="utf-8") as config:
            config.write("notifications: notifications.yaml\n")
        pager.answering.clear()
        await served.start()
        async with served.client() as officer:
            asked = await served.ask(officer, served.protected()[0])
        async with asyncio.timeout(WAIT):
            await pager.arrived.wait()
        assert await served.end(signal.SIGKILL) == -signal.SIGKILL

        pager.arrived.clear()
        pager.answering.set()
        await served.start()
        async with asyncio.timeout(WAIT):
            await pager.arrived.wait()
        assert await served.end(signal.SIGTERM) == 0

    assert {told["data"]["id"] for _, told in pager.taken} == {asked.json["escalation"]["id"]}
    assert len({id_ for id_, _ in pager.taken}) == 1
    assert len(pager.taken) >= 2
