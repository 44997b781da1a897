from __future__ import annotations

import asyncio
import gc
import json
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession

from proxy.inquiry.inquiry import Outbound
from proxy.tlog.errors import KeyUnusable
from proxy.upstream.client import ReceiptMismatch
from proxy.upstream.options import UpstreamOptions
from proxy.upstream.reply import Overloaded, ReplyUnreadable, UpstreamFailed, UpstreamTimeout, UpstreamUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proxy.audit.event import Receipt
    from tests.upstream.conftest import World

    Reply = Callable[..., bytes]

SILENCE = b"<silence>"


@pytest.mark.parametrize(("about", "kind"), [("q2", "decided"), ("", "decided"), ("q1", "refused"), ("q1", "disclosed")])
async def test_nothing_is_sent_without_the_receipt_of_its_decision(
    world: World, proof: Callable[..., Receipt], about: str, kind: str
) -> None:
    """Another query's receipt, or one of another event, forwards nothing."""
    server = await world.server()
    upstream = await world.upstream(server)

    with pytest.raises(ReceiptMismatch):
        await upstream.forward(world.inquiry(), proof(about, kind))

    assert server.connections == 0


async def test_the_request_is_exactly_ours(world: World, well_formed: Reply) -> None:
    """Request line as built, our fixed headers, nothing that aiohttp would add of its own."""
    server = await world.server(well_formed())

    await world.ask(await world.upstream(server), world.inquiry("/records/persons.json?surname=O%27Brien&x=%2F"))

    assert server.requests == [
        b"GET /records/persons.json?surname=O%27Brien&x=%2F HTTP/1.1\r\n"
        + f"Host: 127.0.0.1:{server.port}\r\n".encode()
        + b"Accept: application/json\r\nAccept-Encoding: identity\r\n"
        + b"User-Agent: showcause\r\nVia: 1.1 showcause\r\n\r\n"
    ]


@pytest.mark.parametrize("target", ["/a/%2E%2E/admin", "/a/../admin", "/%61//b", "/a?b=%7E&c=+"])
async def test_the_target_is_not_spelled_anew(world: World, well_formed: Reply, target: str) -> None:
    """The client's URL neither decodes nor collapses what was settled before (it would, were it not told)."""
    server = await world.server(well_formed())

    await world.ask(await world.upstream(server), world.inquiry(target))

    assert server.requests[0].startswith(f"GET {target} HTTP/1.1\r\n".encode())


async def test_a_body_is_sent_with_its_length(world: World, well_formed: Reply) -> None:
    """A POST search arrives whole, framed by us."""
    server = await world.server(well_formed())

    await world.ask(await world.upstream(server), world.inquiry("/search", body=b'{"surname":"Doe"}'))

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert body == b'{"surname":"Doe"}'
    assert head.split(b"\r\n")[2:] == [
        b"Accept: application/json", b"Accept-Encoding: identity", b"User-Agent: showcause", b"Via: 1.1 showcause",
        b"Content-Type: application/json", b"Content-Length: 17",
    ]  # fmt: skip


@pytest.mark.parametrize("hang_up", [None, b"HTTP/1.1 200 <close>"])
async def test_nothing_is_sent_twice(world: World, well_formed: Reply, hang_up: bytes | None) -> None:
    """A kept connection that breaks after the request was read: one failure, one request, whatever the method allows."""
    server = await world.server(well_formed(), hang_up, well_formed(b'["resent"]'))
    upstream = await world.upstream(server)
    await world.ask(upstream)

    with pytest.raises(UpstreamFailed):
        await world.ask(upstream)

    assert len(server.requests) == 2


async def test_an_ordinary_client_would_send_it_twice(world: World, well_formed: Reply) -> None:
    """The test above can fail: aiohttp by itself sends a GET again, and nobody is told."""
    server = await world.server(well_formed(), None, well_formed(b'["resent"]'))

    async with ClientSession() as session:
        async with session.get(server.url) as first:
            await first.read()
        async with session.get(server.url) as second:
            assert await second.read() == b'["resent"]'

    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "status",
    ["201 Created", "202 Accepted", "203 X", "204 No Content", "206 Partial Content", "300 X", "301 X", "302 Found", "304 X",
     "307 X", "308 X", "400 X", "401 X", "403 X", "405 X", "410 Gone", "429 X", "500 X", "502 X", "503 X", "504 X", "599 X"],
)  # fmt: skip
async def test_only_200_and_404_are_answers(world: World, well_formed: Reply, status: str) -> None:
    """Every other status is a failure of the records server; its body is not released, its redirect not followed."""
    other = await world.server(well_formed(b'["elsewhere"]'))
    server = await world.server(well_formed(b'["secret"]', f"Location: {other.url}/", status=status))

    with pytest.raises(UpstreamFailed) as refusal:
        await world.ask(await world.upstream(server))

    assert "secret" not in refusal.value.detail
    assert other.connections == 0
    assert len(server.requests) == 1


async def test_404_is_an_answer(world: World, well_formed: Reply) -> None:
    """A record that is not there is a reply with its status, whatever its media type."""
    server = await world.server(well_formed(b"<h1>", status="404 Not Found").replace(b"application/json", b"text/html"))

    answer = await world.ask(await world.upstream(server))

    assert (answer.status, answer.media_type) == (404, "text/html")


@pytest.mark.parametrize("field", ["Content-Encoding: gzip", "Content-Encoding: identity, br", "Content-Encoding: x-unknown",
                                   "Content-Range: bytes 0-1/9"])  # fmt: skip
async def test_a_coded_reply_or_a_fragment_is_a_failure(world: World, well_formed: Reply, field: str) -> None:
    """What inspection cannot read as it is, is not released; no bomb is inflated."""
    server = await world.server(well_formed(b"[]", field))

    with pytest.raises(UpstreamFailed):
        await world.ask(await world.upstream(server))


@pytest.mark.parametrize(
    "media_type",
    ["text/html", "text/csv", "text/event-stream", "image/jpeg", "multipart/byteranges; boundary=x", "application/json-seq",
     "application/json; charset=utf-16", "application/json; charset=utf-8; x=y", "application/x-ndjson", ""],
)  # fmt: skip
async def test_another_media_type_is_not_read(world: World, well_formed: Reply, media_type: str) -> None:
    """Streams, CSV, HTML, images: refused on a route that says JSON."""
    server = await world.server(well_formed().replace(b"application/json", media_type.encode()))

    with pytest.raises(ReplyUnreadable):
        await world.ask(await world.upstream(server))


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'])
async def test_json_by_any_proper_name_is_read(world: World, well_formed: Reply, media_type: str) -> None:
    """Case, quotes and the charset that JSON has anyway do not matter."""
    server = await world.server(well_formed().replace(b"application/json", media_type.encode()))

    assert (await world.ask(await world.upstream(server))).media_type == "application/json"


async def test_two_media_types_are_none(world: World, well_formed: Reply) -> None:
    """Which of two fields counts would depend on who reads."""
    server = await world.server(well_formed(b"[]", "Content-Type: text/html"))

    with pytest.raises(ReplyUnreadable):
        await world.ask(await world.upstream(server))


async def test_an_opaque_route_takes_what_it_names(world: World, well_formed: Reply) -> None:
    """An image is a reply on a route that names its type, and is asked for by name."""
    image = well_formed(b"\xff\xd8\xff").replace(b"application/json", b"image/jpeg")
    server = await world.server(image, well_formed())
    upstream = await world.upstream(server)
    photo = world.inquiry("/photo", media_types=frozenset({"image/jpeg"}), opaque=True)

    assert (await world.ask(upstream, photo)).body == b"\xff\xd8\xff"
    assert b"Accept: image/jpeg\r\n" in server.requests[0]
    with pytest.raises(ReplyUnreadable):
        await world.ask(upstream, photo)


async def test_an_opaque_reply_says_where_it_ends(world: World) -> None:
    """JSON tells when it is cut off, an image does not: without a length it is a failure."""
    server = await world.server(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8<close>")
    photo = world.inquiry("/photo", media_types=frozenset({"image/jpeg"}), opaque=True)

    with pytest.raises(UpstreamFailed):
        await world.ask(await world.upstream(server), photo)


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 1001\r\n\r\n" + b" " * 1001,
        OK + b"Content-Length: 999999999999\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + (b"64\r\n" + b" " * 100 + b"\r\n") * 11,
        OK + b"\r\n" + b" " * 1001,
    ],
    ids=["length", "huge length", "endless chunks", "until close"],
)
async def test_a_reply_has_a_bound(world: World, answer: bytes) -> None:
    """Reading stops at the bound, whatever the reply says of its length, and the connection is closed."""
    server = await world.server(answer)

    with pytest.raises(ReplyUnreadable):
        await world.ask(await world.upstream(server, reply_bytes=1000))

    await server.until(lambda: server.closed == 1)


async def test_a_reply_at_the_bound_is_read(world: World, well_formed: Reply) -> None:
    """The bound is the largest reply that is read."""
    server = await world.server(well_formed(b" " * 1000))

    assert len((await world.ask(await world.upstream(server, reply_bytes=1000))).body) == 1000


async def test_a_cookie_is_forgotten(world: World, well_formed: Reply) -> None:
    """What the records server sets for one officer's query is not sent with the next officer's."""
    server = await world.server(well_formed(b"[]", "Set-Cookie: session=1; Path=/"), well_formed())
    upstream = await world.upstream(server)

    await world.ask(upstream)
    await world.ask(upstream)

    assert b"cookie" not in server.requests[1].lower()


async def test_the_first_byte_has_its_time(world: World) -> None:
    """A records server that says nothing is left, and its connection with it."""
    server = await world.server(SILENCE)
    upstream = await world.upstream(server, first_byte_seconds=0.05)

    with pytest.raises(UpstreamTimeout):
        await world.ask(upstream)

    await server.until(lambda: server.closed == 1)
    assert world.count("timeout") == 1


async def test_the_whole_reply_has_its_time(world: World, well_formed: Reply) -> None:
    """A reply that begins and never ends is left too."""
    server = await world.server(well_formed(b"[", length=2))
    upstream = await world.upstream(server, total_seconds=0.1)

    with pytest.raises(UpstreamTimeout):
        await world.ask(upstream)

    await server.until(lambda: server.closed == 1)


async def test_a_late_reply_reaches_nobody(world: World, well_formed: Reply) -> None:
    """The reply to a query that was given up is never the reply to the next one."""
    server = await world.server(SILENCE, well_formed(b'["mine"]'))
    upstream = await world.upstream(server, first_byte_seconds=0.05)
    with pytest.raises(UpstreamTimeout):
        await world.ask(upstream)

    with suppress(ConnectionError):
        await server.say(well_formed(b'["late"]'))

    assert (await world.ask(upstream)).body == b'["mine"]'


async def test_a_canceled_query_takes_its_connection_along(world: World, well_formed: Reply) -> None:
    """Cancellation, while waiting or while reading, closes the connection and frees its place."""
    for script in (SILENCE, well_formed(b"[", length=2)):
        server = await world.server(script, well_formed(b'["mine"]'))
        upstream = await world.upstream(server, connections=1, queue=0)
        waiting = asyncio.create_task(world.ask(upstream))
        await server.until(lambda server=server: len(server.requests) == 1)  # type: ignore[misc]

        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

        await server.until(lambda server=server: server.closed == 1)  # type: ignore[misc]
        assert (await world.ask(upstream)).body == b'["mine"]'


async def test_a_query_canceled_at_any_turn_leaves_nothing_open(world: World) -> None:
    """Also in the middle of connecting: the server sees every connection end, and no socket is left to the collector."""
    server = await world.server(*[SILENCE] * 16)
    upstream = await world.upstream(server)
    for turns in range(16):
        asking = asyncio.create_task(world.ask(upstream))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    gc.collect()  # a socket that nobody closed is an error here
    await server.until(lambda: server.connections == server.closed)


async def test_nobody_there_is_unavailable(world: World) -> None:
    """A refused connection is told apart from a failure: nothing was asked."""
    upstream = await world.upstream("http://127.0.0.1:9")

    with pytest.raises(UpstreamUnavailable):
        await world.ask(upstream)
    with pytest.raises(UpstreamUnavailable):
        await upstream.check()

    assert world.count("unavailable") == 1
    assert world.metrics.registry.get_sample_value("showcause_upstream_up") == 0


async def test_the_queue_is_bounded(world: World) -> None:
    """One under way, one waiting; the third is refused at once and nothing of it is sent."""
    server = await world.server(SILENCE)
    upstream = await world.upstream(server, connections=1, queue=1, queue_seconds=60)
    first, second = (asyncio.create_task(world.ask(upstream)) for _ in range(2))
    await server.until(lambda: len(server.requests) == 1)

    with pytest.raises(Overloaded) as refusal:
        await world.ask(upstream)

    assert refusal.value.extras == {"retry_after": 1}
    assert len(server.requests) == 1
    for task in (first, second):
        task.cancel()
    await asyncio.gather(first, second, return_exceptions=True)


async def test_waiting_in_the_queue_ends(world: World) -> None:
    """A query that gets no connection in time is refused, and leaves its place."""
    server = await world.server(SILENCE)
    upstream = await world.upstream(server, connections=1, queue=1, queue_seconds=0.02)
    first = asyncio.create_task(world.ask(upstream))
    await server.until(lambda: len(server.requests) == 1)

    for _ in range(3):
        with pytest.raises(Overloaded):
            await world.ask(upstream)

    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert world.count("overloaded") == 3


async def test_more_queries_than_connections_are_all_answered(world: World, well_formed: Reply) -> None:
    """The queue moves on: every query gets its own whole answer over a few connections."""
    server = await world.server(*[well_formed(json.dumps([number]).encode()) for number in range(40)])
    upstream = await world.upstream(server, connections=3)

    answers = await asyncio.gather(*(world.ask(upstream) for _ in range(40)))

    assert sorted(json.loads(answer.body)[0] for answer in answers) == list(range(40))
    assert server.connections <= 3


async def test_the_credential_comes_from_a_file(world: World, well_formed: Reply, tmp_path: Path) -> None:
    """Its one line is sent in the header that the configuration names."""
    file = tmp_path / "credential"
    file.write_text("Bearer abc\n")
    file.chmod(0o600)
    server = await world.server(well_formed())

    await world.ask(await world.upstream(server, credential=file))

    assert b"\r\nAuthorization: Bearer abc\r\n" in server.requests[0]


@pytest.mark.parametrize("text", ["", "\n", "a\r\nX-Evil: 1", "schlüssel"])
async def test_a_credential_that_is_no_line_is_refused(world: World, tmp_path: Path, text: str) -> None:
    """A file with a second line would be a second header."""
    file = tmp_path / "credential"
    file.write_text(text)
    file.chmod(0o600)

    with pytest.raises(KeyUnusable, match="credential is not one line"):
        await world.upstream("http://127.0.0.1:9", credential=file)


async def test_a_credential_that_others_can_read_is_refused(world: World, tmp_path: Path) -> None:
    """As every secret; `doctor` and the start say the same."""
    file = tmp_path / "credential"
    file.write_text("Bearer abc\n")
    file.chmod(0o644)

    with pytest.raises(KeyUnusable, match="chmod 600"):
        await world.upstream("http://127.0.0.1:9", credential=file)


async def test_an_authority_that_is_none_is_named(world: World, tmp_path: Path) -> None:
    """Python says what is wrong, and not with which file."""
    file = tmp_path / "ca.pem"
    file.write_text("garbage\n")

    with pytest.raises(OSError, match=str(file)):
        await world.upstream("https://127.0.0.1:9", ca=file)


@pytest.mark.parametrize(
    "url", ["127.0.0.1:80", "ftp://h/", "http://h/path", "http://h?x", "http://u:p@h", "unix:///x", "http:///x"]
)
async def test_the_records_server_is_an_origin(world: World, url: str) -> None:
    """A path, a user or a query in its URL would be joined to every target."""
    with pytest.raises(ValueError, match="scheme, a host and a port"):
        await world.upstream(url)


async def test_a_target_cannot_name_another_host(world: World) -> None:
    """Whatever builds the target, it stays on the records server."""
    upstream = await world.upstream("http://127.0.0.1:9")
    inquiry = world.inquiry("@evil.test/x")

    assert isinstance(inquiry.outbound, Outbound)
    with pytest.raises(UpstreamUnavailable):
        await world.ask(upstream, inquiry)


async def test_a_closed_client_sends_nothing(world: World) -> None:
    """After close, and before open, there is no connection to use."""
    server = await world.server()
    upstream = await world.upstream(server)
    await upstream.close()

    with pytest.raises(UpstreamUnavailable):
        await world.ask(upstream)

    assert server.connections == 0


async def test_no_refusal_tells_what_was_asked(world: World) -> None:
    """The library's own errors hold the URL; neither ours nor their causes do."""
    server = await world.server(b"garbage\r\n\r\n")
    upstream = await world.upstream(server)

    with pytest.raises(UpstreamFailed) as refusal:
        await world.ask(upstream, world.inquiry(f"/records/persons.json?surname={'z' * 9}"))

    assert "z" * 9 not in "".join(traceback.format_exception(refusal.value))


def test_the_options_have_bounds_by_themselves() -> None:
    """No wait and no size is unbounded unless somebody says so."""
    options = UpstreamOptions(url="http://127.0.0.1:8001")

    assert options.connections > 0
    assert 0 < options.keepalive_seconds < 5
    assert options.first_byte_seconds <= options.total_seconds < 60
