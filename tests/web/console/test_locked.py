from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from tests.web.console.conftest import Desk

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_who_is_locked_reads_and_moves_nothing_at_the_console_they_are_signed_in_at(
    desk_opened: Callable[..., AbstractAsyncContextManager[Desk]],
) -> None:
    """The page after the lock is refused, in a session that was good a moment ago, and the live page ends."""
    async with desk_opened() as desk:
        await locked_out(desk)


async def locked_out(desk: Desk) -> None:
    """Sign in, be locked, and try to go on."""
    browser = await desk.signed_in("supervisor")
    assert (await browser.get("/queue")).status == 200
    said = {"kind": "terminal", "target": "sergeants-1", "reason": "left open in the car"}

    async with browser.live("/queue/live") as messages:
        assert await anext(messages)
        lock = await post(desk, "lieutenant", "/locks", said)
        last = [message async for message in messages][-1]
    refused = await browser.get("/queue")

    assert last.startswith("event: over")
    assert (refused.status, "car" in refused.words) == (403, False)
    # Whoever locked does not lift, not even to tidy up after a test: another person has to, and the locked one cannot.
    assert (await post(desk, "lieutenant", f"/locks/{lock['id']}/lift", {"reason": "found again"}))["status"] == 403


async def post(desk: Desk, who: str, path: str, body: dict[str, str]) -> dict[str, Any]:
    """Ask the door as a program does."""
    headers = {"Authorization": f"Bearer {desk.keys[who]}"}
    async with desk.client.post(f"{desk.house.door.url}{path}", headers=headers, json=body) as answer:
        told: dict[str, Any] = await answer.json()
    return told
