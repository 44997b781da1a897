"""What a records server may not do to the frame of a reply, and what becomes of its connection (RFC 9112 §6.3, §9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.upstream.reply import UpstreamFailed, UpstreamUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.upstream.client import Upstream
    from tests.upstream.conftest import World

JSON = b"Content-Type: application/json\r\n"
NEXT = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n["other"]'
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"

NOT_A_REPLY = {
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Type: application/json\nContent-Length: 2\n\n[]",
    "one bare line feed": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\nContent-Length: 2\r\n\r\n[]",
    "bare carriage return": b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\n[]",
    "folded field": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n" + JSON + b"Content-Length: 2\r\n\r\n[]",
    "space before colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n" + JSON + b"\r\n[]",
    "field without name": b"HTTP/1.1 200 OK\r\n: 2\r\n" + JSON + b"Content-Length: 2\r\n\r\n[]",
    "NUL in a field": b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n" + JSON + b"Content-Length: 2\r\n\r\n[]",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n" + JSON + b"\r\n[]",
    "the same length twice": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n" + JSON + b"\r\n[]",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n" + JSON + b"\r\n[]",
    "signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n" + JSON + b"\r\n[]",
    "hexadecimal length": b"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n" + JSON + b"\r\n[]",
    "length and chunks": CHUNKED[:-2] + b"Content-Length: 2\r\n\r\n2\r\n[]\r\n0\r\n\r\n",
    "chunked twice": CHUNKED[:-2] + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n",
    "unknown transfer coding": b"HTTP/1.1 200 OK\r\n" + JSON + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n",
    "near chunked": b"HTTP/1.1 200 OK\r\n" + JSON + b"Transfer-Encoding: xchunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\n" + JSON + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n",
    "another version": b"HTTP/2.0 200 OK\r\n" + JSON + b"Content-Length: 2\r\n\r\n[]",
    "no version": b"[]",
    "a chunk size that is none": CHUNKED + b"zz\r\n[]\r\n0\r\n\r\n",
    "a signed chunk size": CHUNKED + b"+2\r\n[]\r\n0\r\n\r\n",
    "a chunk size without end": CHUNKED + b"0" * 2000,
    "a line feed in a chunk's extension": CHUNKED + b"2;a\n\r\n[]\r\n0\r\n\r\n",
    "a bare line feed after a chunk size": CHUNKED + b"2\n[]\r\n0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"1\r\n[]\r\n0\r\n\r\n",
    "a trailer that is no field": CHUNKED + b"2\r\n[]\r\n0\r\n[]\r\n\r\n",
    "trailers without end": CHUNKED + b"2\r\n[]\r\n0\r\n" + b"X: y\r\n" * 70,
    "switching protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "a head without end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 4000,
    "too many fields": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 65 + JSON + b"Content-Length: 2\r\n\r\n[]",
    "interim replies without end": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 9 + NEXT,
    "cut off": b"HTTP/1.1 200 OK\r\n" + JSON + b"Content-Length: 20\r\n\r\n[]<close>",
    "cut off in a chunk": CHUNKED + b"5\r\n[]<close>",
    "cut off between chunks": CHUNKED + b"2\r\n[]\r\n<close>",
    "cut off in the head": b"HTTP/1.1 200 OK\r\nContent-<close>",
    "nothing at all": b"<close>",
}


@pytest.mark.parametrize("answer", NOT_A_REPLY.values(), ids=NOT_A_REPLY)
async def test_what_is_not_exactly_http_is_a_failure(world: World, answer: bytes) -> None:
    """Nothing of a reply whose frame is in doubt is released, it is not asked for again, and its connection is closed."""
    server = await world.server(answer, NEXT)
    upstream = await world.upstream(server, first_byte_seconds=5)

    with pytest.raises(UpstreamFailed):
        await world.ask(upstream)

    await server.until(lambda: server.closed == 1)
    assert len(server.requests) == 1


async def outcome(world: World, upstream: Upstream) -> bytes:
    """Return the body that was released, or ``failed``."""
    try:
        return (await world.ask(upstream)).body
    except UpstreamFailed:
        return b"failed"


BESIDE_A_REPLY = {
    "garbage after the length": b"garbage",
    "a whole second reply": NEXT,
    "half a second reply": NEXT[:40],
    "a second head": NEXT[:-9],
    "an empty line": b"\r\n",
}


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("beside", BESIDE_A_REPLY.values(), ids=BESIDE_A_REPLY)
async def test_bytes_beside_a_reply_reach_nobody(world: World, beside: bytes, framing: str) -> None:
    """The reply before them is answered or fails; the connection is not used again, so the next query gets its own answer."""
    mine = NEXT.replace(b"other", b"first") if framing == "length" else CHUNKED + b'9\r\n["first"]\r\n0\r\n\r\n'
    server = await world.server(mine + beside, NEXT.replace(b"other", b"again"))
    upstream = await world.upstream(server)

    assert await outcome(world, upstream) in {b'["first"]', b"failed"}
    await server.until(lambda: server.closed == 1)
    assert await outcome(world, upstream) == b'["again"]'

    assert server.connections == 2


@pytest.mark.parametrize("tail", [NEXT, NEXT[:30], CHUNKED + b"2\r\n[]\r\n0\r\n\r\n", b"0\r\n\r\n"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_second_reply_in_a_later_segment_reaches_nobody(world: World, tail: bytes, framing: str) -> None:
    """Also when the head was read before: the end of the body and a second reply in one segment."""
    if framing == "length":
        head, end = NEXT[:-9].replace(b": 9", b": 100000"), b'["' + b"x" * 99996 + b'"]'
    else:
        head, end = CHUNKED, b'186a0\r\n["' + b"x" * 99996 + b'"]\r\n0\r\n\r\n'
    server = await world.server(head + end + tail, NEXT)
    upstream = await world.upstream(server)

    assert await outcome(world, upstream) in {b'["' + b"x" * 99996 + b'"]', b"failed"}
    await server.until(lambda: server.closed == 1)
    assert await outcome(world, upstream) == b'["other"]'


async def test_a_reply_that_nobody_asked_for_reaches_nobody(world: World, well_formed: Callable[..., bytes]) -> None:
    """A reply that comes while the connection is idle closes it, instead of waiting for the next officer."""
    server = await world.server(well_formed(b'["first"]'), well_formed(b'["third"]'))
    upstream = await world.upstream(server)
    await world.ask(upstream)

    await server.say(well_formed(b'["second"]'))
    await server.until(lambda: server.closed == 1)

    assert (await world.ask(upstream)).body == b'["third"]'


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + NEXT,
        NEXT.replace(b"HTTP/1.1 200 OK", b"HTTP/1.1 200 "),
        NEXT.replace(b"HTTP/1.1 200 OK", b"HTTP/1.1 200"),
        NEXT.replace(b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK"),
        NEXT.replace(b"\r\n\r\n", b"\r\nX-Empty:\r\nX-Latin: \xe9\r\n\r\n"),
        CHUNKED + b'3\r\n["o\r\n6\r\nther"]\r\n0\r\n\r\n',
        CHUNKED + b'009 ;ext="x"\r\n["other"]\r\n000\r\n\r\n',
        CHUNKED + b'9\r\n["other"]\r\n0\r\nX-Trailer: dropped\r\n\r\n',
        b"HTTP/1.1 200 OK\r\n" + JSON + b'\r\n["other"]<close>',
    ],
    ids=["interim", "no reason", "no space", "1.0", "odd fields", "chunks", "extension", "trailer", "until close"],
)
async def test_every_proper_frame_is_read(world: World, answer: bytes) -> None:
    """Strict is not narrow: what RFC 9112 allows is read, whole and alone."""
    server = await world.server(answer)

    assert (await world.ask(await world.upstream(server))).body == b'["other"]'


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_reply_byte_by_byte_is_the_same_reply(world: World, framing: str) -> None:
    """Where segments end changes nothing."""
    whole = NEXT if framing == "length" else CHUNKED + b'3\r\n["o\r\n6\r\nther"]\r\n0\r\nX: y\r\n\r\n'
    server = await world.server(*[whole] * 2, piecewise=True)
    upstream = await world.upstream(server)

    assert [(await world.ask(upstream)).body for _ in range(2)] == [b'["other"]'] * 2
    assert server.connections == 1


async def test_a_reply_that_says_close_is_the_last(world: World, well_formed: Callable[..., bytes]) -> None:
    """A connection that its reply ends, by its word or by its version, is not used again."""
    server = await world.server(well_formed(b"[1]", "Connection: close"), NEXT.replace(b"HTTP/1.1", b"HTTP/1.0"), NEXT)
    upstream = await world.upstream(server)

    assert [(await world.ask(upstream)).body for _ in range(3)] == [b"[1]", b'["other"]', b'["other"]']
    assert server.connections == 3


async def test_a_target_that_is_more_than_one_request_is_not_sent(world: World) -> None:
    """A line's end or a space in a target would begin a request of its own."""
    server = await world.server(NEXT)
    upstream = await world.upstream(server)

    for target in ("/a HTTP/1.1\r\nX: y\r\n\r\nGET /b", "/a b", "/a\tb", "/\u00e4", "/a#b", "/a\r\n", ""):
        with pytest.raises(UpstreamUnavailable):
            await world.ask(upstream, world.inquiry(target))

    assert server.requests == []
