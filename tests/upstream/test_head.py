from __future__ import annotations

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.upstream.head import Frame, HeadInvalid, read_head

FIELD = st.sampled_from(
    [
        b"Content-Length: 5",
        b"content-length:5",
        b"Content-Length: 05",
        b"Content-Length: 5, 5",
        b"Content-Length: +5",
        b"Content-Length:",
        b"Content-Length : 5",
        b"Transfer-Encoding: chunked",
        b"transfer-encoding:\tCHUNKED ",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding: identity",
        b"X: y",
        b"X: \xe9",
        b"X: a\x00",
        b"X: a\rb",
        b"X",
        b" X: y",
        b"X-Content-Length: 9",
        b"X: y\nContent-Length: 7",
        b"",
        b"Connection: close",
    ],
)
STATUS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.0 200 OK",
        b"HTTP/1.1 404 ",
        b"HTTP/1.1 404",
        b"HTTP/1.1 103 Hints",
        b"HTTP/1.1 101 X",
        b"HTTP/1.1 2000 X",
        b"HTTP/1.1  200 OK",
        b"HTTP/2 200 OK",
        b"http/1.1 200 OK",
        b"HTTP/1.1 099 X",
        b"HTTP/1.1 200 \xe9",
        b"HTTP/1.1 200 O\x7fK",
    ],
)


@given(STATUS, st.lists(FIELD, max_size=4))
@settings(max_examples=200)
def test_what_is_read_is_what_another_strict_reader_reads(status: bytes, fields: list[bytes]) -> None:
    """A head that is accepted means to h11 what it means here; everything else is refused."""
    head = b"\r\n".join([status, *fields, b"", b""])
    try:
        frame = read_head(head)
    except HeadInvalid:
        return

    other = h11.Connection(h11.CLIENT)
    other.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    other.send(h11.EndOfMessage())
    other.receive_data(head)
    event = other.next_event()
    assert isinstance(event, (h11.Response, h11.InformationalResponse))
    assert event.status_code == frame.status
    told = {name: value for name, value in event.headers if name in {b"content-length", b"transfer-encoding"}}
    if frame.length is not None:
        assert {name: int(value) for name, value in told.items()} == {b"content-length": frame.length}
    else:
        assert told == ({b"transfer-encoding": b"chunked"} if frame.chunked else {})


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_no_bytes_break_the_reader(data: bytes) -> None:
    """Anything at all is a head or is refused."""
    for head in (data, b"HTTP/1.1 200 OK\r\n" + data + b"\r\n\r\n"):
        try:
            assert 100 <= read_head(head).status < 600
        except HeadInvalid:
            continue


@pytest.mark.parametrize(
    ("head", "frame"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", Frame(200, 3, chunked=False)),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", Frame(200, None, chunked=True)),
        (b"HTTP/1.0 404 Not Found\r\n\r\n", Frame(404, None, chunked=False)),
        (b"HTTP/1.1 100 Continue\r\n\r\n", Frame(100, None, chunked=False)),
    ],
)
def test_the_frame_is_what_the_head_says(head: bytes, frame: Frame) -> None:
    """Length, chunks, or until the connection closes."""
    assert read_head(head) == frame
