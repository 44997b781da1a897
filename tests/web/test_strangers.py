"""Whose escalation it is not: every method on every target of it, by everybody who has no business with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.escalation.conftest import desk, person
from tests.web.conftest import Reply, wired
from tests.web.test_streams import Stand, stand

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["desk", "stand"]

BODIES = {"approve": "reason", "refuse": "reason", "revoke": "reason", "ask": "words", "amend": "words"}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


async def send(stand: Stand, method: str, target: str, name: str, body: str = "") -> Reply:
    """Send one request on a connection of its own."""
    lines = [f"{method} {target} HTTP/1.1", "Host: records", f"Authorization: Bearer {name}", f"Content-Length: {len(body)}"]
    lines += ["Content-Type: application/json", "Connection: close"]
    async with wired(stand.door) as wire:
        await wire.send(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        head, _, content = (await wire.rest()).partition(b"\r\n\r\n")
        line, *fields = head.decode().split("\r\n")
        return Reply(line, [(key, value.strip()) for key, _, value in (each.partition(":") for each in fields)], content)


def without_time(reply: Reply) -> tuple[str, Sequence[tuple[str, str]], bytes]:
    """Return all of an answer but when it was given."""
    return reply.line, [field for field in reply.headers if field[0] != "Date"], reply.body


@pytest.mark.parametrize("verb", ["", "/events", "/cancel", *(f"/{verb}" for verb in BODIES)])
@pytest.mark.parametrize("name", ["officer-2", "foreign"])
async def test_what_is_not_theirs_is_not_there_by_any_method(stand: Stand, name: str, verb: str) -> None:
    """A colleague, and one of another agency: of a real id and of one that never was they are told the very same."""
    escalation = await stand.open()
    said = BODIES.get(verb.removeprefix("/"))
    body = json.dumps({said: "the neighbor reported a man with a rifle"}) if said else ""
    for method in METHODS:
        real = await send(stand, method, f"/escalations/{escalation.id}{verb}", name, body)
        never = await send(stand, method, f"/escalations/{'0' * 32}{verb}", name, body)

        assert without_time(real) == without_time(never)
        assert real.status in {404, 405}
    assert [event.kind for event in stand.desk.journal.events] == ["escalated"]


async def test_a_list_holds_nothing_of_others(stand: Stand) -> None:
    """Neither by the state nor without it."""
    await stand.open()
    for name in ("officer-2", "foreign"):
        for query in ("", "?state=pending"):
            reply = await send(stand, "GET", f"/escalations{query}", name)

            assert (reply.status, json.loads(reply.body)) == (200, {"escalations": []})


async def test_polling_costs_a_reader_little(stand: Stand) -> None:
    """What they have is not sent again until it is another."""
    escalation = await stand.open()
    target = f"/escalations/{escalation.id}"
    first = await send(stand, "GET", target, "officer-1")
    assert (first.status, first.header("Retry-After")) == (200, "2")

    async def again() -> Reply:
        async with wired(stand.door) as wire:
            lines = [f"GET {target} HTTP/1.1", "Host: records", "Authorization: Bearer officer-1"]
            lines += [f"If-None-Match: {first.header('ETag')}"]
            await wire.send(("\r\n".join(lines) + "\r\n\r\n").encode())
            return await wire.reply()

    same = await again()
    assert (same.status, same.body, same.header("ETag"), same.header("Retry-After")) == (304, b"", first.header("ETag"), "2")
    await stand.desk.escalations.cancel(escalation.id, person("officer-1"))
    changed = await again()
    assert (changed.status, json.loads(changed.body)["state"]) == (200, "canceled")
