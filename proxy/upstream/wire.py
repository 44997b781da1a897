"""One connection to the records server: one request, one reply, and not a byte beside them.

A reply that waits in an idle connection, or the rest of one that was given up, would be the answer to the next officer's
query. So whatever comes outside of a reply closes the connection, and it is used again only when a reply ended exactly where
its frame said (RFC 9112 §6.3, §7.1).
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from proxy.refusal import Refusal
from proxy.upstream.head import MAX_HEAD, ReplyInvalid, read_head
from proxy.upstream.reply import Reply, ReplyUnreadable, UpstreamFailed, UpstreamTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from proxy.upstream.head import Frame
    from proxy.upstream.options import UpstreamOptions

    Accept = Callable[[Frame], str]
    """Returns the media type of a reply that is an answer; raises a ``Refusal`` for one that is none."""

_VERSION: Final = b"HTTP/1."
_MAX_INTERIM: Final = 4
_MAX_LINE: Final = 1024
_MAX_TRAILERS: Final = 64
# What an extension says means nothing to us; a line feed in one would make two readers disagree where the chunk begins.
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*")


class ReplyReader:
    """Reads one reply from the pieces in which it comes; ``body`` grows to ``most`` bytes and no further."""

    def __init__(self, accept: Accept, most: int) -> None:
        """Expect a head; ``accept`` is shown it before anything of the body is kept."""
        self.frame: Frame | None = None
        self.beside = False
        self._accept = accept
        self._most = most
        self._data = b""
        self._at = 0
        self._body = bytearray()

    def steps(self) -> Generator[None, bytes, Reply]:
        """Take what comes, a piece a step, and at the connection's end an empty one; return the reply once it is whole.

        Raises:
            ReplyInvalid: it is not RFC 9112, or not whole.
            ReplyUnreadable: it is larger than allowed.
            Refusal: whatever ``accept`` raises.
        """
        frame = yield from self._head()
        media_type = self._accept(frame)
        self.frame = frame
        if frame.chunked:
            yield from self._chunks()
        elif frame.length is not None:
            yield from self._take(frame.length)
        else:
            while True:
                self._require_room(len(self._data) - self._at)
                self._body += self._data[self._at :]
                self._data, self._at = (yield), 0
                if not self._data:
                    break
        self.beside = self._at < len(self._data)
        return Reply(status=frame.status, media_type=media_type, body=bytes(self._body))

    def _head(self) -> Generator[None, bytes, Frame]:
        for _ in range(_MAX_INTERIM + 1):
            while (end := self._data.find(b"\r\n\r\n", self._at) + 4) < 4:
                # What can no more become a head is refused now instead of when time is up.
                begun = self._data[self._at :]
                begins = begun[: len(_VERSION)] == _VERSION[: len(begun)]
                if not begins or len(begun) > MAX_HEAD or begun.count(b"\n") != begun.count(b"\r\n"):
                    raise ReplyInvalid("not a head")
                yield from self._more()
            if end - self._at > MAX_HEAD:
                raise ReplyInvalid("too long")
            frame = read_head(self._data[self._at : end])
            self._at = end
            if not frame.interim:
                return frame
        raise ReplyInvalid("too many interim replies")

    def _chunks(self) -> Generator[None, bytes, None]:
        """Gather chunks: a size in a line, so many bytes, an empty line; after a size of 0 come trailers, which are dropped."""
        while found := _SIZE.fullmatch((yield from self._line())):
            size = int(found[1], 16)
            if not size:
                break
            yield from self._take(size)
            if (yield from self._line()):
                raise ReplyInvalid("a chunk longer than its size")
        else:
            raise ReplyInvalid("not the size of a chunk")
        for _ in range(_MAX_TRAILERS):
            line = yield from self._line()
            if not line:
                return
            if not _TRAILER.fullmatch(line):
                break
        raise ReplyInvalid("not trailers")

    def _line(self) -> Generator[None, bytes, bytes]:
        while (end := self._data.find(b"\r\n", self._at, self._at + _MAX_LINE)) < 0:
            if len(self._data) - self._at >= _MAX_LINE:
                raise ReplyInvalid("a line too long")
            yield from self._more()
        line = self._data[self._at : end]
        self._at = end + 2
        return line

    def _take(self, size: int) -> Generator[None, bytes, None]:
        self._require_room(size)
        while True:
            piece = self._data[self._at : self._at + size]
            self._body += piece
            self._at += len(piece)
            size -= len(piece)
            if not size:
                return
            yield from self._more()

    def _more(self) -> Generator[None, bytes, None]:
        piece = yield
        if not piece:
            raise ReplyInvalid("broken off")
        self._data, self._at = self._data[self._at :] + piece, 0

    def _require_room(self, size: int) -> None:
        if len(self._body) + size > self._most:
            raise ReplyUnreadable("The records server's reply is larger than allowed; narrow the query.")


class Connection(asyncio.Protocol):
    """Asks and waits; who gives up, by cancelling or otherwise, leaves a closed connection behind."""

    def __init__(self) -> None:
        """Start idle."""
        self.idle_since = 0.0
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Reply] | None = None
        self._reader: ReplyReader
        self._steps: Generator[None, bytes, Reply]
        self._first_due = 0.0
        self._last_due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def usable(self) -> bool:
        """Tell whether it is open and idle."""
        return self._answer is None and self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes, accept: Accept, began: float, options: UpstreamOptions) -> Reply:
        """Send a request, once, and return the reply whole, within the options' bounds of size and time since ``began``.

        Raises:
            UpstreamTimeout, UpstreamFailed: there is no reply in time, or what came is none.
            ReplyUnreadable: it is larger than allowed.
            Refusal: whatever ``accept`` raises.
        """
        if self._transport is None or not self.usable:
            raise UpstreamFailed("The connection to the records server was closed; nothing was released.")
        self._answer = self._loop.create_future()
        self._reader = ReplyReader(accept, options.reply_bytes)
        self._steps = self._reader.steps()
        next(self._steps)
        self._last_due = began + options.total_seconds
        self._first_due = min(began + options.first_byte_seconds, self._last_due)
        if self._timer is None:
            self._timer = self._loop.call_at(self._first_due, self._due)
        self._transport.write(request)
        try:
            reply = await self._answer
            self._answer = None
            return reply
        finally:
            if self._answer is not None:
                self.close()

    def close(self) -> None:
        """Close at once; what waits to be written is not written any more."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to write."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Read what came; what nobody asked for ends the connection."""
        answer = self._answer
        if answer is None or answer.done():
            self.close()
            return
        try:
            self._steps.send(data)
        except StopIteration as whole:
            if self._reader.beside or self._reader.frame is None or self._reader.frame.last:
                self.close()
            answer.set_result(whole.value)
        except ReplyInvalid:
            self._fail(UpstreamFailed("The records server broke off or sent what is not HTTP; nothing was released."))
        except Refusal as refusal:
            self._fail(refusal)

    def eof_received(self) -> None:
        """Tell the reader, since some replies have no other end; the connection closes in any case."""
        self.data_received(b"")

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what has not come to its end."""
        del exc
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        self._fail(UpstreamFailed("The records server broke off; nothing was released."))

    def _fail(self, refusal: Refusal) -> None:
        self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(refusal)

    def _due(self) -> None:
        """Fail an exchange whose time is up, or wait on: one timer serves, one after another, all exchanges of a connection."""
        self._timer = None
        if self._answer is None:
            return
        due = self._first_due if self._reader.frame is None else self._last_due
        if self._loop.time() >= due:
            self._fail(UpstreamTimeout("The records server did not answer in time; nothing was released. Try again."))
        else:
            self._timer = self._loop.call_at(due, self._due)
