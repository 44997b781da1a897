"""What a terminal's bytes may be: every ambiguity of HTTP/1.1 is refused at the door, in our words (RFC 9110, RFC 9112)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.web.conftest import PERSON, wired

if TYPE_CHECKING:
    from tests.web.conftest import House, Reply

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHUNKED = "Transfer-Encoding: chunked"
QUERY = b'{"given_name":"Wallace","surname":"Quimby"}'


def assert_says_nothing(reply: Reply, *sent: bytes) -> None:
    """A refusal is problem+json with our headers, and holds neither the request nor how we are made."""
    assert reply.line.startswith("HTTP/1.1 ")
    assert reply.header("Content-Type") == "application/problem+json"
    assert reply.header("Server").startswith("showcause/")
    assert reply.header("Cache-Control") == "private, no-store"
    assert reply.header("X-Content-Type-Options") == "nosniff"
    assert json.loads(reply.body)["status"] == reply.status
    told = bytes(reply).lower()
    for word in (b"python", b"aiohttp", b"traceback", b".py", b"quimby", PERSON.encode(), b"bearer sc_", *sent):
        assert word.lower() not in told


FRAMINGS: dict[str, tuple[list[str], bytes, int]] = {
    "length and chunked": (["Content-Length: 43", CHUNKED], b"0\r\n\r\n", 400),
    "chunked and length": ([CHUNKED, "Content-Length: 5"], b"0\r\n\r\n", 400),
    "two lengths": (["Content-Length: 43", "Content-Length: 44"], QUERY, 400),
    "the same length twice": (["Content-Length: 43", "Content-Length: 43"], QUERY, 400),
    "a list of lengths": (["Content-Length: 43, 43"], QUERY, 400),
    "a length with a sign": (["Content-Length: +43"], QUERY, 400),
    "a negative length": (["Content-Length: -43"], QUERY, 400),
    "a hexadecimal length": (["Content-Length: 0x2b"], QUERY, 400),
    "a length with an underscore": (["Content-Length: 4_3"], QUERY, 400),
    "a length of 2^64 and more": (["Content-Length: 18446744073709551659"], QUERY, 400),
    "an empty length": (["Content-Length: "], QUERY, 400),
    "chunked twice": (["Transfer-Encoding: chunked, chunked"], b"0\r\n\r\n", 400),
    "chunked in two fields": ([CHUNKED, CHUNKED], b"0\r\n\r\n", 400),
    "chunked, then another": (["Transfer-Encoding: chunked, gzip"], b"0\r\n\r\n", 400),
    "another alone": (["Transfer-Encoding: gzip"], b"0\r\n\r\n", 400),
    "nearly chunked": (["Transfer-Encoding: xchunked"], b"0\r\n\r\n", 400),
    "chunked behind a vertical tab": (["Transfer-Encoding: \x0bchunked"], b"0\r\n\r\n", 400),
    "identity": (["Transfer-Encoding: identity"], b"0\r\n\r\n", 400),
    "another, then chunked": (["Transfer-Encoding: gzip, chunked"], b"0\r\n\r\n", 501),
    "another field, then chunked": (["Transfer-Encoding: gzip", CHUNKED], b"0\r\n\r\n", 400),
    "a chunk size with a prefix": ([CHUNKED], b"0x2b\r\n" + QUERY + b"\r\n0\r\n\r\n", 400),
    "a chunk size with a sign": ([CHUNKED], b"+2b\r\n" + QUERY + b"\r\n0\r\n\r\n", 400),
    "a chunk size beyond 64 bits": ([CHUNKED], b"1000000000000002b\r\n" + QUERY + b"\r\n0\r\n\r\n", 400),
    "chunks with bare line feeds": ([CHUNKED], b"2b\n" + QUERY + b"\n0\n\n", 400),
    "a chunk longer than it says": ([CHUNKED], b"2a\r\n" + QUERY + b"\r\n0\r\n\r\n", 400),
    "a length among the trailers": ([CHUNKED], b"2b\r\n" + QUERY + b"\r\n0\r\nContent-Length: 3\r\n\r\n", 400),
    "a folded field": (["Content-Length: 43", "X-Note: a\r\n b"], QUERY, 400),
    "a folded first field": (["Content-Length: 43\r\n 1"], QUERY, 400),
    "a NUL": (["Content-Length: 43", "X-Note: a\0b"], QUERY, 400),
    "a bare line feed": (["Content-Length: 43", "X-Note: a\nContent-Length: 4"], QUERY, 400),
    "a bare carriage return": (["Content-Length: 43", "X-Note: a\rX-Other: b"], QUERY, 400),
    "a blank before the colon": (["Content-Length : 43"], QUERY, 400),
    "a blank before the name": ([" Content-Length: 43"], QUERY, 400),
    "a field without a colon": (["Content-Length: 43", "X-Note"], QUERY, 400),
    "a field without a name": (["Content-Length: 43", ": a"], QUERY, 400),
    "a name that is not ASCII": (["Content-Length: 43", "X-N\xf6te: a"], QUERY, 400),
    "a second host": (["Content-Length: 43", "Host: records"], QUERY, 400),
}


@pytest.mark.parametrize("name", FRAMINGS)
async def test_a_body_that_could_be_read_in_two_ways_is_refused(house: House, name: str) -> None:
    """Request smuggling needs two readers who disagree; whoever could disagree with us is refused, and the connection ends."""
    fields, body, status = FRAMINGS[name]
    size = len(house.entries())

    reply, rest = await house.ask(house.post(*fields, body=body), house.request())

    assert reply.status == status
    assert reply.problem == ("bad-request" if status == 400 else "transfer-coding-unsupported")
    assert_says_nothing(reply)
    if status == 400:
        assert rest == b""
        assert not [entry for entry in house.entries()[size:] if entry.about]


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (["Content-Length: 43"], QUERY),
        ([CHUNKED], b"2b\r\n" + QUERY + b"\r\n0\r\n\r\n"),
        (
            ["Transfer-Encoding: CHUNKED"],
            b"9;note=x\r\n" + QUERY[:9] + b"\r\n22\r\n" + QUERY[9:] + b"\r\n0\r\nX-Trailer: a\r\n\r\n",
        ),
    ],
)
async def test_a_body_that_has_one_reading_is_forwarded_anew(house: House, fields: list[str], body: bytes) -> None:
    """However the client framed it, the records server gets one body of one length, and no other field of the client."""
    before = len(house.records.journal)

    reply, _ = await house.ask(house.post(*fields, "X-Note: mine", body=body))

    assert reply.status == 200
    [forwarded] = house.records.journal[before:]
    head, _, sent = forwarded.partition(b"\r\n\r\n")
    assert sent == QUERY
    assert b"content-length: 43" in head.lower()
    for word in (b"transfer-encoding", b"x-note", b"x-trailer", b"authorization", b"query-purpose"):
        assert word not in head.lower()


VERSIONS = {
    "HTTP/0.9": 505,
    "HTTP/2.0": 505,
    "HTTP/1.2": 400,
    "HTTP/1.10": 400,
    "http/1.1": 400,
    "HTTP/11": 400,
    "ICY/1.1": 400,
}


@pytest.mark.parametrize("version", VERSIONS)
async def test_another_version_is_refused_in_ours(house: House, version: str) -> None:
    """HTTP/1.0 and 1.1 are spoken. The refusal is in HTTP/1.1, whatever the request said (RFC 9110 section 2.5)."""
    reply, _ = await house.ask(house.request(version=version))

    assert reply.status == VERSIONS[version]
    assert reply.problem == ("version-unsupported" if reply.status == 505 else "bad-request")
    assert_says_nothing(reply)


async def test_the_preface_of_http_2_is_no_request(house: House) -> None:
    """Prior knowledge of something we do not speak."""
    reply, rest = await house.ask(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

    assert (reply.status, rest) == (400, b"")
    assert_says_nothing(reply)


async def test_http_1_0_is_answered_and_its_connection_ends(house: House) -> None:
    """Without a host, as HTTP/1.0 may be; and a transfer coding there is a fault (RFC 9112 section 6.1)."""
    reply, rest = await house.ask(house.request(version="HTTP/1.0", host=None))
    assert (reply.line, rest) == ("HTTP/1.0 200 OK", b"")

    coded, _ = await house.ask(house.request(CHUNKED, version="HTTP/1.0", body=b"0\r\n\r\n"))
    assert (coded.status, coded.problem) == (501, "transfer-coding-unsupported")


@pytest.mark.parametrize(
    "host", [None, "a/b@c", "user@records", "records/persons", "records:80:80", "re cords", "[::1", "x\\y"]
)
async def test_a_host_that_is_none_is_refused(house: House, host: str | None) -> None:
    """HTTP/1.1 names one host, in the form of one (RFC 9112 section 3.2)."""
    reply, _ = await house.ask(house.request(host=host))

    assert (reply.status, reply.problem) == (400, "bad-request")
    assert_says_nothing(reply)


@pytest.mark.parametrize("host", ["", "records", "records.example.gov:8440", "127.0.0.1:1", "[::1]:8440"])
async def test_a_host_that_is_one_is_not_read_further(house: House, host: str) -> None:
    """Nothing depends on it, and it is not forwarded."""
    reply, _ = await house.ask(house.request(host=host))

    assert reply.status == 200
    assert f"127.0.0.1:{house.records.port}".encode() in house.records.journal[-1]


TARGETS = [
    ("GET", "http://records/records/persons/100027", 400, "request-not-canonical"),
    ("GET", "http://127.0.0.1:1/latest/meta-data", 400, "request-not-canonical"),
    ("GET", "*", 400, "bad-request"),
    ("OPTIONS", "*", 400, "request-not-canonical"),
    ("CONNECT", "evil.example:443", 400, "request-not-canonical"),
    ("CONNECT", "/records/persons/100027", 405, "method-not-allowed"),
    ("TRACE", "/records/persons/100027", 405, "method-not-allowed"),
    ("OPTIONS", "/records/persons/100027", 405, "method-not-allowed"),
    ("HEAD", "/records/persons/100027", 405, "method-not-allowed"),
    ("GET", "/records/persons/1000\x7f27", 400, "bad-request"),
    ("GET", "/records/persons/1000\t27", 400, "bad-request"),
]


@pytest.mark.parametrize(("method", "target", "status", "problem"), TARGETS)
async def test_a_target_or_method_of_another_kind_leads_nowhere(
    house: House, method: str, target: str, status: int, problem: str
) -> None:
    """A proxy's target forms and a server's own methods are not for terminals; TRACE would hand back the credential."""
    before = len(house.records.journal)

    async with wired(house.door) as wire:
        await wire.send(house.request("Connection: close", method=method, target=target))
        answer = await wire.rest()

    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert house.key.encode() not in answer
    if method != "HEAD":
        assert f'"/problems/{problem}"'.encode() in answer
    assert len(house.records.journal) == before


@pytest.mark.parametrize("name", ["Authorization", "authorization", "Query-Purpose", "QUERY-PURPOSE"])
async def test_a_field_that_decides_is_there_once(house: House, name: str) -> None:
    """Of two credentials or two purposes, nobody can say which is meant."""
    value = f"Bearer {house.supervisor}" if name.lower() == "authorization" else 'case="26-000031"'

    reply, _ = await house.ask(house.request(f"{name}: {value}"))

    assert (reply.status, reply.problem) == (400, "request-not-canonical")
    assert_says_nothing(reply, house.supervisor.encode())


@pytest.mark.parametrize(
    "field",
    ["Authorization_: Bearer {key}", "Proxy-Authorization: Bearer {key}", "X-Authorization: Bearer {key}", "Cookie: key={key}"],
)
async def test_a_credential_is_read_from_one_field_alone(house: House, field: str) -> None:
    """No spelling that another server would take for it."""
    reply, _ = await house.ask(house.request(field.format(key=house.key), key=None))

    assert reply.problem == "credential-missing"


async def test_a_credential_among_the_trailers_is_none(house: House) -> None:
    """Trailers come after everything has been decided (RFC 9110 section 6.5.1)."""
    trailers = f"0\r\nAuthorization: Bearer {house.key}\r\n\r\n".encode()

    reply, _ = await house.ask(house.request(CHUNKED, key=None, body=trailers))

    assert reply.problem == "credential-missing"


LONG = {
    "a long field": ["X-Note: " + "a" * 9000],
    "a long name": ["X-" + "a" * 9000 + ": b"],
    "many fields": [f"X-{number}: a" for number in range(200)],
    "much in all": [f"X-{number}: {'a' * 1000}" for number in range(20)],
    "very much": [f"X-{number}: {'a' * 8000}" for number in range(120)],
}


@pytest.mark.parametrize("name", LONG)
async def test_headers_are_bounded(house: House, name: str) -> None:
    """In each line, in number and in all."""
    reply, _ = await house.ask(house.request("Connection: close", *LONG[name]))

    assert (reply.status, reply.problem) == (400, "bad-request")
    assert_says_nothing(reply)


@pytest.mark.parametrize("size", [9000, 3_000_000])
async def test_a_target_is_bounded(house: House, size: int) -> None:
    """The refusal reaches a client that is still sending, and says what was too much."""
    reply, rest = await house.ask(house.request(target="/records/persons?surname=" + "a" * size))

    assert (reply.status, reply.problem, rest) == (400, "bad-request", b"")
    assert b"too long" in reply.body
    assert_says_nothing(reply)


async def test_bytes_that_are_no_http_are_refused(house: House, garbage: bytes) -> None:
    """TLS at a plain door, noise, and a line that never ends."""
    for sent in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + garbage, garbage, b"A" * 2_000_000):
        reply, rest = await house.ask(sent)
        assert (reply.status, reply.problem, rest) == (400, "bad-request", b"")
        assert_says_nothing(reply)


async def test_a_body_over_the_limit_is_refused_before_it_is_read(house: House) -> None:
    """By its announced length at once, also when nothing of it comes; the client is told to go on elsewhere."""
    reply, rest = await house.ask(house.post("Content-Length: 65537"))

    assert (reply.status, reply.problem, rest) == (413, "body-too-large", b"")
    assert reply.header("Connection") == "close"
    assert_says_nothing(reply)


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_refused_while_it_is_sent(house: House, chunked: bool) -> None:
    """The client is still sending, and gets its answer all the same (RFC 9112 section 9.6)."""
    chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
    sent = house.post(CHUNKED, body=chunk * 2000) if chunked else house.post("Content-Length: 8000000", body=b" " * 8_000_000)

    reply, rest = await house.ask(sent)

    assert (reply.status, reply.problem, rest) == (413, "body-too-large", b"")


@pytest.mark.parametrize("fields", [["Content-Length: 43"], [CHUNKED]])
async def test_a_body_that_never_ends_times_out(house: House, fields: list[str]) -> None:
    """Within ``body_seconds``, however it trickles."""
    async with wired(house.door) as wire:
        await wire.send(house.post(*fields, body=b"2b\r\n{" if fields == [CHUNKED] else b"{"))
        reply = await wire.reply()
        assert (reply.status, reply.problem) == (408, "request-timeout")
        assert reply.header("Connection") == "close"
        assert await wire.rest() == b""


@pytest.mark.parametrize("sent", [b"", b"GET /records/persons/1 HTTP/1.1\r\nHost: a\r\n", b"\r\n\r\n", b"GET /records\r\n"])
async def test_a_head_that_never_ends_times_out(house: House, sent: bytes) -> None:
    """A connection that asks nothing is closed within ``keepalive_seconds``, without a word."""
    async with wired(house.door) as wire:
        await wire.send(sent)
        assert await wire.rest() == b""


async def test_a_head_that_trickles_times_out_as_well(house: House) -> None:
    """Each byte in time does not buy more time (slowloris)."""
    async with wired(house.door) as wire:
        for byte in house.request():
            await wire.send(bytes([byte]))
            try:
                assert await wire.rest_within(0.02) == b""
            except TimeoutError:
                continue
            return
    pytest.fail("the whole head was taken")


async def test_a_body_held_back_is_asked_for(house: House) -> None:
    """``Expect: 100-continue`` is answered before the body comes, which would else never come (RFC 9110 section 10.1.1)."""
    async with wired(house.door) as wire:
        await wire.send(house.post("Content-Length: 43", "Expect: 100-continue"))
        assert (await wire.reply()).line == "HTTP/1.1 100 Continue"
        await wire.send(QUERY)
        assert (await wire.reply()).status == 200
        assert b"expect" not in house.records.journal[-1].lower()
        await wire.send(house.request())
        assert (await wire.reply()).status == 200


async def test_a_body_that_would_be_refused_is_not_asked_for(house: House) -> None:
    """The client need not send what is too large; and without a body there is nothing to expect."""
    refused, _ = await house.ask(house.post("Content-Length: 70000", "Expect: 100-continue"))
    plain, _ = await house.ask(house.request("Expect: 100-continue"))
    old, _ = await house.ask(house.request("Expect: 100-continue", "Content-Length: 2", version="HTTP/1.0", body=b"{}"))

    assert [refused.status, plain.status, old.status] == [413, 200, 400]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (["Content-Encoding: gzip"], 415),
        (["Content-Encoding: identity, gzip"], 415),
        (["Content-Encoding: identity"], 200),
    ],
)
async def test_a_coded_body_is_refused(house: House, fields: list[str], status: int) -> None:
    """What we do not decode we could not inspect, and a bomb stays unopened."""
    reply, _ = await house.ask(house.post(*fields, "Content-Length: 43", body=QUERY))

    assert reply.status == status
    if status == 415:
        assert reply.problem == "media-type-unsupported"
        assert_says_nothing(reply)


async def test_a_decision_in_a_form_is_refused(house: House) -> None:
    """A web page elsewhere can make a browser post a form, but not JSON."""
    body = b'{"reason":"agreed by phone"}'
    fields = ["Content-Type: text/plain", f"Content-Length: {len(body)}"]

    reply, _ = await house.ask(house.request(*fields, method="POST", target="/escalations/x/approve", body=body))

    assert (reply.status, reply.problem) == (415, "media-type-unsupported")
