"""aiohttp's client connection, made strict: one request, one reply, and not a byte beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiohttp import ClientPayloadError, TCPConnector
from aiohttp.client_proto import ResponseHandler

from proxy.upstream.head import MAX_HEAD, Frame, HeadInvalid, read_head

if TYPE_CHECKING:
    import asyncio

    from aiohttp.http import RawResponseMessage
    from aiohttp.streams import StreamReader

_END: Final = b"\r\n\r\n"
_VERSION: Final = b"HTTP/1."
_LAST_CHUNK: Final = b"0\r\n\r\n"
_MAX_INTERIM: Final = 4


class StrictConnection(ResponseHandler):
    """Reads every head itself before aiohttp's parser does, and closes on whatever comes outside of a reply.

    The parser alone would let a second reply wait in an idle connection for the next officer's request.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start idle."""
        super().__init__(loop=loop)
        self._idle = True
        self._head = b""
        self._interim = 0
        self._frame: Frame | None = None
        self._left = 0
        self._last = b""
        self._replies = 0

    def set_response_params(self, **parameters: Any) -> None:
        """Expect a reply from here on."""
        self._idle = False
        self._head = b""
        self._interim = 0
        self._frame = None
        self._last = b""
        self._replies = 0
        super().set_response_params(**parameters)

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Count what the parser found; a second reply belongs to nobody."""
        self._replies += 1
        super().feed_data(data, size)

    def data_received(self, data: bytes) -> None:
        """Read what came; an empty ``data`` is aiohttp's own call to go on with what it has buffered."""
        if self._idle and data:
            self._discard()
            return
        if self._frame is None and data:
            try:
                data = self._head_received(data)
            except HeadInvalid:
                self.set_exception(ClientPayloadError("the reply's head is not RFC 9112"))
                self._discard()
                return
            if not data:
                return
        elif self._frame is not None:
            data = self._body_received(data)
        super().data_received(data)
        self._finish()

    def _head_received(self, data: bytes) -> bytes:
        """Return the head with what follows it, once it is whole; nothing before that."""
        data = self._head + data
        while True:
            end = data.find(_END) + len(_END)
            if end < len(_END):
                # What can no more become a head is refused now instead of when time is up.
                begins = data[: len(_VERSION)] == _VERSION[: len(data)]
                if not begins or len(data) > MAX_HEAD or data.count(b"\n") != data.count(b"\r\n"):
                    raise HeadInvalid("not a head")
                self._head = data
                return b""
            if end > MAX_HEAD:
                raise HeadInvalid("too long")
            frame = read_head(data[:end])
            if not frame.interim:
                break
            self._interim += 1
            if self._interim > _MAX_INTERIM:
                raise HeadInvalid("too many interim replies")
            data = data[end:]
        self._frame = frame
        self._left = frame.length or 0
        return data[:end] + self._body_received(data[end:])

    def _body_received(self, data: bytes) -> bytes:
        """Return the part of ``data`` that belongs to this reply."""
        if self._frame is not None and self._frame.length is not None:
            if len(data) > self._left:
                self.force_close()
                data = data[: self._left]
            self._left -= len(data)
        else:
            self._last = (self._last + data)[-len(_LAST_CHUNK) :] if len(data) < len(_LAST_CHUNK) else data[-len(_LAST_CHUNK) :]
        return data

    def _finish(self) -> None:
        """Go idle at the end of the reply; a chunked one has to end with the very bytes that came last."""
        if self._replies > 1:
            self._discard()
        if self._frame is None or self._payload is None or not self._payload.is_eof():
            return
        self._idle = True
        clean = self._last == _LAST_CHUNK if self._frame.chunked else self._left == 0
        if not clean or self._should_close:
            self._discard()

    def _discard(self) -> None:
        self.force_close()
        if self.transport is not None:
            self.transport.close()


class StrictConnector(TCPConnector):
    """A pool of strict connections."""

    def __init__(self, *, loop: asyncio.AbstractEventLoop, **parameters: Any) -> None:
        """Take what ``TCPConnector`` takes."""
        super().__init__(loop=loop, **parameters)
        self._factory = lambda: StrictConnection(loop)  # type: ignore[assignment]  # declared as a partial of the base class
