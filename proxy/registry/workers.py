"""Processes that derive what many persons are recognized by, while a registry is loaded of which that is not kept.

They are forked. Each closes every file that it inherited (else a server's lock on its log would outlive the server), touches
nothing of the store, and ends when the pipe to it does: with the load, or with the server, however that ended. What goes
through the pipes is in clear, and on no disk.
"""

from __future__ import annotations

import asyncio
import gc
import marshal
import os
import signal
import socket
import struct
import sys
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from proxy.registry.profile import derive
from proxy.registry.store import RegistryUnreadable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from proxy.registry.person import Entry, Staff
    from proxy.registry.tokens import Tokens

    Unpack = Callable[[bytes], Entry | Staff]

MOST_WORKERS: Final = 8
IN_FLIGHT: Final = 3
"""So many batches are given to each before the first is taken back."""
_BUFFER: Final = 1 << 24
_LENGTH: Final = struct.Struct("<Q")

Said = tuple[str, bytes, bytes]
"""A row, the tag of its payload, and what it says."""


class Workers:
    """Some processes; batches come back in the order they were given, each with the rows it was made of."""

    def __init__(self, pipes: Sequence[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
        """Used by ``working`` only."""
        self._pipes = pipes
        self._given: deque[tuple[int, list[Said]]] = deque()
        self._next = 0

    @property
    def full(self) -> bool:
        """Tell whether something should be taken back first."""
        return len(self._given) >= IN_FLIGHT * len(self._pipes)

    @property
    def idle(self) -> bool:
        """Tell whether everything was taken back."""
        return not self._given

    async def give(self, said: list[Said]) -> None:
        """Have everything derived of rows."""
        writer = self._pipes[self._next][1]
        writer.write(_framed(marshal.dumps([content for _, _, content in said])))
        await writer.drain()
        self._given.append((self._next, said))
        self._next = (self._next + 1) % len(self._pipes)

    async def take(self) -> Iterator[tuple[Said, bytes]]:
        """Return the batch given first of those not taken back.

        Raises:
            RegistryUnreadable: a process has ended.
        """
        position, said = self._given.popleft()
        reader = self._pipes[position][0]
        try:
            (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
            found = marshal.loads(await reader.readexactly(length))  # noqa: S302 -- from a process of our own
        except (asyncio.IncompleteReadError, OSError) as error:
            raise RegistryUnreadable("A process that helped to load the registry has ended. It is loaded anew.") from error
        return zip(said, found, strict=True)


@asynccontextmanager
async def working(unpack: Unpack, tokens: Tokens) -> AsyncIterator[Workers | None]:
    """Yield as many workers as there are processors for us; None where processes cannot be forked safely, or one is all."""
    count = processors()
    if count < 2:
        yield None
        return
    children: list[int] = []
    pipes = []
    try:
        for _ in range(count):
            child, pipe = forked(lambda pipe: _serve(pipe, unpack, tokens))
            children.append(child)
            pipes.append(await asyncio.open_connection(sock=pipe, limit=_BUFFER))
        yield Workers(pipes)
    finally:
        for _, writer in pipes:
            writer.close()
        for child in children:
            os.kill(child, signal.SIGKILL)  # it has nothing to lose
            await asyncio.to_thread(os.waitpid, child, 0)


def processors() -> int:
    """Return how many processes are worth it; one where they cannot be forked safely."""
    return min(MOST_WORKERS, len(os.sched_getaffinity(0))) if sys.platform == "linux" else 1


def forked(serve: Callable[[int], None]) -> tuple[int, socket.socket]:
    """Have a process of its own ``serve`` one end of a pipe, and end with that; return it and the other end."""
    mine, its = socket.socketpair()
    child = os.fork()
    if child:
        its.close()
        return child, mine
    try:
        pipe = its.detach()
        _alone(pipe)
        serve(pipe)
    finally:
        os._exit(0)


def _alone(pipe: int) -> None:
    """Let go of everything that was inherited but what lies in memory."""
    gc.disable()
    # What the server does on a signal is not for us to do: its wake-up pipe would be told of ours.
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.closerange(3, pipe)
    os.closerange(pipe + 1, os.sysconf("SC_OPEN_MAX"))


def _serve(pipe: int, unpack: Unpack, tokens: Tokens) -> None:
    with open(pipe, "r+b", buffering=0) as raw:
        while head := _exactly(raw.fileno(), _LENGTH.size):
            contents = marshal.loads(_exactly(raw.fileno(), *_LENGTH.unpack(head)))  # noqa: S302 -- from our own server
            found = marshal.dumps([derive(unpack(each), tokens) for each in contents])
            left = memoryview(_framed(found))
            while left:
                left = left[os.write(raw.fileno(), left) :]


def _exactly(pipe: int, length: int) -> bytes:
    """Read so much, or nothing where the pipe has ended."""
    parts = bytearray()
    while len(parts) < length:
        part = os.read(pipe, length - len(parts))
        if not part:
            return b""
        parts += part
    return bytes(parts)


def _framed(content: bytes) -> bytes:
    return _LENGTH.pack(len(content)) + content
