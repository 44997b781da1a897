"""An escalation's events over real sockets: the door, its limits, and readers who come and go."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import pytest

from proxy.escalation.lifecycle import Move
from proxy.gateway.answer import Declined
from proxy.identity.principal import CredentialInvalid
from proxy.web.limits import Limits
from proxy.web.server import Door
from proxy.web.streams import MOST_OF_ONE, Streams
from proxy.web.terminals import Terminals
from tests.escalation.conftest import asked, desk, person
from tests.web.conftest import WAIT, Wire, until, wired

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime

    from proxy.escalation.lifecycle import Escalation
    from proxy.identity.principal import Principal
    from proxy.inquiry.inquiry import Inbound
    from proxy.refusal import Refusal
    from tests.escalation.conftest import Desk

__all__ = ["desk"]

SERGEANT = person("sergeant", "supervisor")
WHY = "the threat is on file"
QUESTION = "which threat, and who reported it?"


@dataclass
class Stand:
    """The terminals' door before a desk: any key is a person's name, until it is revoked."""

    desk: Desk
    terminals: Terminals
    door: Door
    errors: list[BaseException]
    revoked: set[str] = field(default_factory=set)
    refusals: list[str] = field(default_factory=list)
    more: count[int] = field(default_factory=count)

    async def open(self, name: str = "officer-1") -> Escalation:
        return await self.desk.escalations.open(asked(person=name, case=f"26-{next(self.more)}"), "q")

    async def decide(self, escalation: Escalation, move: Move, words: str = WHY) -> None:
        await self.desk.escalations.decide(escalation.id, SERGEANT, move, words)

    @property
    def streams(self) -> Streams:
        return self.terminals._streams


@dataclass
class Doorkeeper:
    """Identities, locks and gateway, as far as a stream meets them."""

    stand: list[Stand] = field(default_factory=list)

    async def identify(self, authorization: str | None, peer: Mapping[str, Any], now: datetime) -> Principal:
        assert authorization is not None
        name = authorization.removeprefix("Bearer ")
        principal = SERGEANT if name == "sergeant" else person(name, agency="KS0870000" if name == "foreign" else "MO0950000")
        self.require_good(principal, now)
        assert peer == {}
        return principal

    def require_good(self, principal: Principal, now: datetime) -> None:
        assert now.tzinfo is not None
        if principal.person in self.stand[0].revoked:
            raise CredentialInvalid("This key was revoked.")

    def check(self, principal: Principal, *, case: object, subjects: object, grant: object) -> None:
        assert principal.person not in self.stand[0].revoked
        assert (case, subjects, grant) == (None, (), None)

    async def refused(self, _inbound: Inbound, _principal: Principal | None, refusal: Refusal) -> Declined:
        self.stand[0].refusals.append(refusal.slug())
        return Declined(refusal=refusal, entry=None)


@asynccontextmanager
async def opened(desk: Desk, **limits: float) -> AsyncIterator[Stand]:
    """Open a door of its own."""
    keeper, errors = cast(Any, Doorkeeper()), list[BaseException]()
    chosen = Limits(**limits)  # type: ignore[arg-type]
    terminals = Terminals(
        gateway=keeper,
        identities=keeper,
        escalations=desk.escalations,
        oversight=cast(Any, None),
        locks=keeper,
        lock_desk=cast(Any, None),
        documents=cast(Any, None),
        clock=lambda: desk.now,
        limits=chosen,
        wait_seconds_max=1,
    )
    door = Door("terminals", terminals.handle, host="127.0.0.1", port=0, tls=None, limits=chosen, on_error=errors.append)
    await door.open()
    keeper.stand.append(Stand(desk, terminals, door, errors))
    yield keeper.stand[0]
    await desk.escalations.end_waits()
    await door.close()
    assert errors == []


@pytest.fixture
async def stand(desk: Desk) -> AsyncIterator[Stand]:
    async with opened(desk) as stand:
        yield stand


def request(escalation: str, *fields: str, name: str = "officer-1", method: str = "GET") -> bytes:
    """Return the bytes that ask for an escalation's events."""
    lines = [f"{method} /escalations/{escalation}/events HTTP/1.1", "Host: records", f"Authorization: Bearer {name}", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def head(wire: Wire) -> bytes:
    """Read the head of an answer, and the line that says how soon to come back."""
    async with asyncio.timeout(WAIT):
        answer = await wire._reader.readuntil(b"\r\n\r\n")
        if b" 200 " in answer.split(b"\r\n")[0]:
            await wire._reader.readuntil(b"retry: 2000\n\n\r\n")
        return answer


async def event(wire: Wire) -> tuple[str, dict[str, Any]]:
    """Read one event; return its id (or its name, where it has none) and its data."""
    async with asyncio.timeout(WAIT):
        await wire._reader.readuntil(b"\r\n")  # the chunk's length
        text = (await wire._reader.readuntil(b"\n\n\r\n")).decode().strip()
    lines = dict(line.split(": ", 1) for line in text.split("\n"))
    return lines.get("id", lines["event"]), json.loads(lines["data"])


async def test_a_reader_is_told_of_every_change_and_the_stream_ends_with_the_escalation(stand: Stand) -> None:
    """Pending, asked, approved, redeemed: each event is the whole of it, and after the last there is nothing."""
    escalation = await stand.open()
    async with wired(stand.door) as wire:
        await wire.send(request(escalation.id))
        answer = await head(wire)
        assert b"Content-Type: text/event-stream" in answer
        assert b"Cache-Control: private, no-store" in answer
        states = [(await event(wire))[1]["state"]]
        await stand.decide(escalation, Move.ASK, QUESTION)
        states.append((await event(wire))[1]["asked"])
        await stand.decide(escalation, Move.APPROVE)
        states.append((await event(wire))[1]["state"])
        await stand.desk.escalations.redeem(escalation, "officer-1", "q")
        states.append((await event(wire))[1]["state"])

        assert states == ["pending", QUESTION, "approved", "redeemed"]
        assert await wire._reader.readuntil(b"0\r\n\r\n") == b"0\r\n\r\n"
    await until(lambda: stand.streams.open == 0)


async def test_a_reader_who_was_cut_off_comes_back_for_what_is_new(stand: Stand) -> None:
    """With the id of the last event nothing is told twice and nothing is missed; after the end there is nothing to come for."""
    escalation = await stand.open()
    async with wired(stand.door) as wire:
        await wire.send(request(escalation.id))
        await head(wire)
        last, _ = await event(wire)
        wire.abort()
    await stand.decide(escalation, Move.REFUSE, "not for this case")

    async with wired(stand.door) as wire:
        await wire.send(request(escalation.id, f"Last-Event-ID: {last}"))
        await head(wire)
        last, told = await event(wire)
        assert (told["state"], told["reason"]) == ("refused", "not for this case")
        await wire.send(request(escalation.id, f"Last-Event-ID: {last}"))
        await wire._reader.readuntil(b"0\r\n\r\n")
        assert (await wire.reply()).status == 204


async def test_a_known_event_is_not_told_again(stand: Stand) -> None:
    """The first event after coming back is the next change."""
    escalation = await stand.open()
    async with wired(stand.door) as first, wired(stand.door) as second:
        await first.send(request(escalation.id))
        await head(first)
        last, _ = await event(first)
        await second.send(request(escalation.id, f"Last-Event-ID: {last}"))
        await head(second)
        await stand.decide(escalation, Move.REFUSE)

        assert (await event(second))[1]["state"] == "refused"


async def test_no_event_says_anything_of_the_subject(stand: Stand) -> None:
    """Also a supervisor's: whoever decides asks for the escalation, where what they read is told to them alone."""
    escalation = await stand.open()
    for name in ("officer-1", "sergeant"):
        async with wired(stand.door) as wire:
            await wire.send(request(escalation.id, name=name))
            await head(wire)
            _, told = await event(wire)

        assert set(told) == {"id", "href", "state", "created_at", "expires_at"}


async def test_whoever_decides_is_told_when_another_agreed(stand: Stand) -> None:
    """An event with another id, although what it holds is the same; the one who asked is told nothing of it."""
    demands = (next(iter(asked().demands)).__class__(quorum=2, roles=frozenset({"supervisor"})),)
    escalation = await stand.desk.escalations.open(asked(demands=demands), "q")
    async with wired(stand.door) as deciding, wired(stand.door) as asking:
        for wire, name in ((deciding, "sergeant"), (asking, "officer-1")):
            await wire.send(request(escalation.id, name=name))
            await head(wire)
        before, told = await event(deciding)
        await event(asking)
        lieutenant = person("lieutenant", "supervisor")
        await stand.desk.escalations.decide(escalation.id, lieutenant, Move.APPROVE, WHY)
        after, still = await event(deciding)
        await stand.decide(escalation, Move.REFUSE)

        assert (before != after, told == still) == (True, True)
        assert (await event(asking))[1]["state"] == "refused"


async def test_a_deadline_that_passes_ends_the_stream(stand: Stand) -> None:
    """Without anybody writing it down."""
    escalation = await stand.open()
    async with wired(stand.door) as wire:
        await wire.send(request(escalation.id))
        await head(wire)
        await event(wire)
        stand.desk.pass_time(minutes=16)

        assert (await event(wire))[1]["state"] == "expired"
        await wire._reader.readuntil(b"0\r\n\r\n")


async def test_a_credential_that_is_revoked_ends_its_stream(stand: Stand) -> None:
    """Within a second, with the problem's type and nothing else; it is remembered, and a change after it is told to nobody."""
    escalation = await stand.open()
    async with wired(stand.door) as wire:
        await wire.send(request(escalation.id))
        await head(wire)
        await event(wire)
        stand.revoked.add("officer-1")

        name, told = await event(wire)
        assert (name, told) == ("problem", {"type": "/problems/credential-invalid", "title": "Credential not valid"})
        await wire._reader.readuntil(b"0\r\n\r\n")
    assert stand.refusals == ["credential-invalid"]


async def test_a_stop_ends_every_stream_in_good_order(desk: Desk) -> None:
    """The last chunk is sent, the connection closes, and the door does not wait for the escalation."""
    async with opened(desk) as stand:
        escalation = await stand.open()
        async with wired(stand.door) as wire:
            await wire.send(request(escalation.id))
            await head(wire)
            await event(wire)
            async with asyncio.timeout(WAIT):
                await desk.escalations.end_waits()
                await stand.door.close()
            assert (await wire.rest()).endswith(b"0\r\n\r\n")


async def test_a_reader_who_goes_away_is_noticed(stand: Stand) -> None:
    """Before the next event, so that nobody holds a place for nobody."""
    escalation = await stand.open()
    async with wired(stand.door) as wire:
        await wire.send(request(escalation.id))
        await head(wire)
        await until(lambda: stand.streams.open == 1)
        wire.abort()

        await until(lambda: stand.streams.open == 0)


async def test_a_silent_stream_says_that_it_is_there(desk: Desk) -> None:
    """A comment now and then keeps whatever lies between from closing the connection."""
    async with opened(desk) as stand:
        stand.terminals._streams = Streams(desk.escalations, lambda: desk.now, most=1, heartbeat=0.02)
        escalation = await stand.open()
        async with wired(stand.door) as wire:
            await wire.send(request(escalation.id))
            await head(wire)
            await event(wire)

            assert await wire._reader.readuntil(b":\n\n\r\n") == b"3\r\n:\n\n\r\n"


async def test_one_who_does_not_read_is_cut_off(desk: Desk) -> None:
    """What is meant for them waits nowhere but in their own buffers, and their place is free again."""
    async with opened(desk, send_seconds=0.2) as stand:
        stand.terminals._streams = Streams(desk.escalations, lambda: desk.now, most=1, heartbeat=0.0)
        escalation = await stand.open()
        async with wired(stand.door) as wire:
            wire._reader._transport.pause_reading()  # type: ignore[attr-defined]
            await wire.send(request(escalation.id))
            await until(lambda: stand.streams.open == 1)
            connection = next(iter(stand.door._server.connections))  # type: ignore[union-attr]
            connection.pause_writing()  # as the transport does once the kernel takes no more

            await until(lambda: stand.streams.open == 0)


async def test_five_hundred_readers_are_refused_politely(desk: Desk) -> None:
    """Beyond the bound it is 503 with Retry-After, on a connection that can go on asking, and the door goes on answering."""
    async with opened(desk, connections=600) as stand:
        stand.terminals._streams = Streams(desk.escalations, lambda: desk.now, most=40)
        escalations = [await stand.open(f"officer-{number}") for number in range(25)]
        async with asyncio.timeout(60):
            wires = [wired(stand.door) for _ in range(500)]
            opened_ = await asyncio.gather(*(each.__aenter__() for each in wires))
            for number, wire in enumerate(opened_):
                await wire.send(request(escalations[number % 25].id, name=f"officer-{number % 25}"))
            heads = await asyncio.gather(*(head(wire) for wire in opened_))
            async with wired(stand.door) as polling:
                await polling.send(request(escalations[0].id, name="officer-0").replace(b"/events", b""))
                assert (await polling.reply()).status == 200
            await asyncio.gather(*(each.__aexit__(None, None, None) for each in wires))

        statuses = [int(answer.split(b" ")[1]) for answer in heads]
        assert (statuses.count(200), statuses.count(503)) == (40, 460)
        assert all(b"Retry-After: 5" in answer for answer in heads if b" 200 " not in answer.split(b"\r\n")[0])
        await until(lambda: stand.streams.open == 0)


async def test_one_person_does_not_take_every_place(stand: Stand) -> None:
    """So many streams are enough; a place that is given up can be taken again."""
    escalation = await stand.open()
    wires = [wired(stand.door) for _ in range(MOST_OF_ONE)]
    for each in wires:
        wire = await each.__aenter__()
        await wire.send(request(escalation.id))
        await head(wire)

    async with wired(stand.door) as wire:
        await wire.send(request(escalation.id))
        reply = await wire.reply()
        assert (reply.status, reply.problem) == (429, "budget-spent")
    for each in wires:
        await each.__aexit__(None, None, None)
    await until(lambda: stand.streams.open == 0)
    async with wired(stand.door) as wire:
        await wire.send(request(escalation.id))
        assert b" 200 " in (await head(wire)).split(b"\r\n")[0]


@pytest.mark.parametrize("name", ["officer-2", "foreign"])
async def test_somebody_else_s_stream_is_no_stream(stand: Stand, name: str) -> None:
    """A stranger, and one of another agency, are told the same of it as of an id that never was."""
    escalation = await stand.open()
    told = []
    for id_ in (escalation.id, "0" * 32):
        async with wired(stand.door) as wire:
            await wire.send(request(id_, name=name))
            reply = await wire.reply()
            told.append((reply.status, reply.headers, reply.body))

    assert told[0][0] == 404
    assert told[0][2] == told[1][2]
    without = [[field for field in headers if field[0] != "Date"] for _, headers, _ in told]
    assert without[0] == without[1]


async def test_a_stream_is_only_read(stand: Stand) -> None:
    """Any other method says which there is."""
    escalation = await stand.open()
    async with wired(stand.door) as wire:
        await wire.send(request(escalation.id, "Content-Length: 0", method="POST"))
        reply = await wire.reply()

    assert (reply.status, reply.header("Allow")) == (405, "GET")
