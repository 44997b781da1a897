"""What a terminal may do with a connection: keep it, crowd it, leave in the middle; and how the door closes."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

import pytest

from tests.web.conftest import PERSON, RECORD, WAIT, until, wired

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from proxy.web.server import Door
    from tests.web.conftest import House, Trivial

GET = b"GET %s HTTP/1.1\r\nHost: records\r\n%s\r\n"


def get(target: str, *fields: str) -> bytes:
    """Return a plain request."""
    return GET % (target.encode(), b"".join(field.encode() + b"\r\n" for field in fields))


async def held(door: Door, trivial: Trivial) -> asyncio.Task[int]:
    """Return a client whose request is under way at the door; its result is the status, 0 for no answer."""

    async def client() -> int:
        async with wired(door) as wire:
            await wire.send(get("/hold"))
            try:
                return (await wire.reply()).status
            except asyncio.IncompleteReadError:
                return 0

    trivial.entered.clear()
    task = asyncio.create_task(client())
    async with asyncio.timeout(WAIT):
        await trivial.entered.wait()
    return task


@pytest.mark.asyncio(loop_scope="session")
async def test_a_connection_is_used_again(house: House) -> None:
    """Answers and refusals of every room leave it open; each query is decided and recorded by itself."""
    refused = house.request(target="/records/persons.csv")
    spent = house.request(target="/records/persons", key=None)
    async with wired(house.door) as wire:
        statuses = []
        for sent in (house.request(), refused, house.request(), spent, house.request()):
            await wire.send(sent)
            statuses.append((await wire.reply()).status)

    assert statuses == [200, 404, 200, 401, 200]


@pytest.mark.asyncio(loop_scope="session")
async def test_pipelined_queries_are_answered_in_order(house: House) -> None:
    """Each by its own credential: nothing of one request is left for the next."""
    sent = [house.request(), house.request(key=None), house.request(target="/records/x"), house.request()] * 12
    size = len(house.entries())

    async with wired(house.door) as wire:
        await wire.send(b"".join(sent))
        statuses = [(await wire.reply()).status for _ in sent]

    assert statuses == [200, 401, 404, 200] * 12
    ends = [entry for entry in house.entries()[size:] if entry.kind == "disclosed"]
    assert len(ends) == 24
    assert house.unpaired() == []


@pytest.mark.asyncio(loop_scope="session")
async def test_a_client_that_closes_its_half_is_answered(house: House) -> None:
    """It has asked all it wants, and waits; the connection ends behind the last answer."""
    async with wired(house.door) as wire:
        await wire.send(house.request() * 3)
        wire.end()
        replies = [await wire.reply() for _ in range(3)]
        assert await wire.rest() == b""

    assert [reply.status for reply in replies] == [200] * 3
    assert json.loads(replies[2].body) == RECORD


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("sent", ["nothing", "half a head", "half a body"])
async def test_a_client_that_closes_its_half_too_early_is_closed(house: House, sent: str) -> None:
    """There will never be a whole request."""
    request = {"nothing": b"", "half a head": house.request()[:80], "half a body": house.post("Content-Length: 43", body=b"{")}
    size = len(house.records.journal)

    async with wired(house.door) as wire:
        await wire.send(request[sent])
        wire.end()
        rest = await wire.rest()

    assert not rest.startswith(b"HTTP/1.1 200")
    assert len(house.records.journal) == size


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("way", ["close", "abort"])
async def test_a_client_that_leaves_in_the_middle_leaves_a_pair_of_entries(house: House, way: str) -> None:
    """The query that was forwarded has its one end, though nobody takes the answer."""
    size, asked = len(house.entries()), len(house.records.journal)
    house.records.ready.clear()
    async with wired(house.door) as wire:
        await wire.send(house.request())
        await house.records.was_asked(asked + 1)
        getattr(wire, way)()
    house.records.ready.set()

    ends = await house.closing(size)

    assert [entry.kind for entry in ends] == ["disclosed"]
    assert house.unpaired() == []


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("cut", [1, 40, 120, -1])
async def test_a_request_that_is_cut_off_is_none(house: House, cut: int) -> None:
    """A reset in the head or in the body: nothing is decided, nothing forwarded."""
    size, asked = len(house.entries()), len(house.records.journal)
    async with wired(house.door) as wire:
        await wire.send(house.post("Content-Length: 43", body=b'{"given_name":"Wallace","surname":"Quimby"}')[:cut])
        wire.abort()
    whole, _ = await house.ask(house.request())

    assert whole.status == 200
    about = {entry.about for entry in house.entries()[size:] if entry.kind == "decided"}
    assert len(about) == 1
    assert len(house.records.journal) == asked + 1


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("protocol", ["websocket", "h2c", "TLS/1.2", "WebSocket, h2c"])
async def test_an_upgrade_is_declined_and_ends_the_connection(house: House, protocol: str) -> None:
    """The query is answered as if nothing was said; what follows may be another protocol, and is not taken for a request."""
    fields = [
        "Connection: upgrade",
        f"Upgrade: {protocol}",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "HTTP2-Settings: AA",
    ]

    async with wired(house.door) as wire:
        await wire.send(house.request(*fields, "Sec-WebSocket-Version: 13") + house.request())
        reply = await wire.reply()
        assert await wire.rest() == b""

    assert (reply.status, reply.header("Connection"), reply.header("Upgrade")) == (200, "close", "")


@pytest.mark.asyncio(loop_scope="session")
async def test_what_follows_a_connect_is_not_taken_for_a_request(house: House) -> None:
    """It could be anything that a tunnel carries."""
    async with wired(house.door) as wire:
        await wire.send(house.request(method="CONNECT", target="records:443") + house.request())
        assert (await wire.reply()).status == 400
        assert await wire.rest() == b""


@pytest.mark.asyncio(loop_scope="session")
async def test_a_client_that_does_not_read_is_cut_off(house: House) -> None:
    """It would keep its answers, and a connection of the bound, for ever; no credential is needed for that."""
    loop = asyncio.get_running_loop()
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.connect((house.door.host, house.door.port))
        deaf.setblocking(False)

        async def ask_on() -> None:
            while True:
                await loop.sock_sendall(deaf, get("/problems/case-closed") * 50)

        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            await asyncio.wait_for(ask_on(), WAIT)


async def test_connections_beyond_the_bound_are_closed_at_once(trivial: Trivial) -> None:
    """Those within it go on, and room that is given back can be used."""
    door = trivial.door(connections=3)
    await door.open()
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(wired(door)) for _ in range(3)]
        for wire in wires:
            await wire.send(get("/"))
            assert (await wire.reply()).status == 200
        async with wired(door) as late:
            await late.send(get("/late"))
            assert await late.rest() == b""
        await wires[0].send(get("/", "Connection: close"))
        assert (await wires[0].reply()).status == 200
        assert await wires[0].rest() == b""
        async with asyncio.timeout(WAIT):
            while True:
                async with wired(door) as next_one:
                    await next_one.send(get("/"))
                    with suppress(asyncio.IncompleteReadError):
                        assert (await next_one.reply()).status == 200
                        break
        await wires[1].send(get("/"))
        assert (await wires[1].reply()).status == 200
    await door.close()
    assert "/late" not in trivial.seen


async def test_a_fault_of_ours_tells_nothing(trivial: Trivial) -> None:
    """The operator is told; the client gets a problem without a word of what happened, and may go on."""
    door = trivial.door()
    await door.open()
    async with wired(door) as wire:
        await wire.send(get("/fails?surname=Quimby"), get("/fails"))
        first, second = await wire.reply(), await wire.reply()
        assert (first.status, second.status, second.problem) == (200, 500, "internal-error")
        assert b"Quimby" not in bytes(second)
        assert b"ValueError" not in bytes(second)
        await wire.send(get("/"))
        assert (await wire.reply()).status == 200
    await door.close()
    assert [type(error) for error in trivial.errors] == [ValueError]


async def test_a_body_that_nobody_read_ends_the_connection(trivial: Trivial) -> None:
    """Else its bytes would be taken for the next request."""
    door = trivial.door()
    await door.open()
    smuggled = get("/smuggled")
    async with wired(door) as wire:
        await wire.send(get("/", f"Content-Length: {len(smuggled) + 1}"), smuggled)
        reply = await wire.reply()
        assert (reply.status, reply.header("Connection")) == (200, "close")
        assert await wire.rest() == b""
    await door.close()
    assert trivial.seen == ["/"]


async def test_a_body_that_breaks_its_framing_is_a_fault_of_the_client(trivial: Trivial) -> None:
    """A chunk that is none, in a packet of its own, while the handler reads."""
    door = trivial.door()
    await door.open()
    async with wired(door) as wire:
        await wire.send(get("/body", "Transfer-Encoding: chunked"))
        async with asyncio.timeout(WAIT):
            await trivial.entered.wait()
        await wire.send(b"zz\r\n")
        reply = await wire.reply()
        assert (reply.status, reply.problem) == (400, "bad-request")
        assert await wire.rest() == b""
    await door.close()


async def test_a_closing_door_finishes_what_is_under_way(trivial: Trivial) -> None:
    """It takes no new connection, closes the idle ones, and answers what was asked, saying that it closes."""
    door = trivial.door()
    await door.open()
    async with wired(door) as idle, wired(door) as asking:
        await idle.send(get("/"))
        await idle.reply()
        trivial.entered.clear()
        await asking.send(get("/hold"), get("/behind"))
        async with asyncio.timeout(WAIT):
            await trivial.entered.wait()
        closing = asyncio.create_task(door.close())
        assert await idle.rest() == b""
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection(door.host, door.port)
        assert not closing.done()
        trivial.hold.set()
        reply = await asking.reply()
        assert (reply.status, reply.header("Connection"), reply.body) == (200, "close", b"answer")
        assert await asking.rest() == b""
        await closing
    assert "/behind" not in trivial.seen


async def test_a_closing_door_takes_the_body_that_is_on_its_way(trivial: Trivial) -> None:
    """A request whose head has arrived is under way."""
    door = trivial.door()
    await door.open()
    async with wired(door) as wire:
        await wire.send(get("/body", "Content-Length: 3"), b"a")
        async with asyncio.timeout(WAIT):
            await trivial.entered.wait()
        closing = asyncio.create_task(door.close())
        await asyncio.sleep(0)
        await wire.send(b"bc")
        assert (await wire.reply()).status == 200
        await closing


async def test_a_closing_door_does_not_wait_for_ever(trivial: Trivial) -> None:
    """After the drain time the rest is cancelled, and nothing stays behind."""
    door = trivial.door(drain_seconds=0.05)
    await door.open()
    client = await held(door, trivial)

    async with asyncio.timeout(WAIT):
        await door.close()

    assert await client == 0
    names = [task.get_coro() for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert not [name for name in names if "RequestHandler" in repr(name)]
    gc.collect()


async def test_an_address_that_is_taken_is_said(trivial: Trivial) -> None:
    """Opening fails, and closing what never opened is harmless."""
    door, second = trivial.door(), trivial.door()
    await door.open()
    second.port = door.port

    with pytest.raises(OSError, match="address already in use"):
        await second.open()

    await second.close()
    await door.close()


async def test_a_drain_answers_the_query_and_leaves_nothing_open(
    opened: Callable[..., AbstractAsyncContextManager[House]],
) -> None:
    """The whole product is told to stop while a query is with the records server."""
    stack = AsyncExitStack()
    house = await stack.enter_async_context(opened())
    house.records.ready.clear()
    async with wired(house.door) as wire:
        await wire.send(house.request())
        await house.records.was_asked()
        stopping = asyncio.create_task(stack.aclose())
        await asyncio.sleep(0)
        house.records.ready.set()
        reply = await wire.reply()
        await stopping

    assert (reply.status, json.loads(reply.body)[0]["person_id"]) == (200, PERSON)
    assert house.entries()[-1].kind == "stopped"
    assert house.unpaired() == []


async def test_a_drain_does_not_wait_for_a_supervisor(
    opened: Callable[..., AbstractAsyncContextManager[House]],
) -> None:
    """A query that is held for a decision is told at once where to ask for it again."""
    stack = AsyncExitStack()
    house = await stack.enter_async_context(opened())
    async with wired(house.door) as wire:
        await wire.send(house.request("Prefer: wait=30", target=f"/records/persons/{house.mayor}"))
        await until(lambda: any(entry.kind == "decided" for entry in house.entries()))
        async with asyncio.timeout(WAIT):
            stopping = asyncio.create_task(stack.aclose())
            reply = await wire.reply()
            await stopping

    assert (reply.status, reply.problem, reply.header("Connection")) == (403, "escalation-required", "close")
    assert json.loads(reply.body)["escalation"]["state"] == "pending"


async def test_a_drain_that_runs_out_closes_the_entry_as_aborted(
    opened: Callable[..., AbstractAsyncContextManager[House]],
) -> None:
    """The records server never replies; the stop does not wait for it, and leaves no decision without its end."""
    async with opened(limits__drain_seconds=0.05) as house:
        house.records.ready.clear()
        async with wired(house.door) as wire:
            await wire.send(house.request())
            await house.records.was_asked()
            await house.door.close()
            assert await wire.rest() == b""

    kinds = {entry.kind: entry for entry in house.entries()}
    assert kinds["failed"].facts["outcome"] == "aborted"
    assert kinds["failed"].about == kinds["decided"].about
    assert house.unpaired() == []
