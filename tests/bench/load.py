"""A load generator of its own, in a process of its own, with nothing but the standard library.

``closed``: every connection sends its next request when it has its answer. ``open``: requests are due at a constant rate,
whatever the answers do, and latency counts from when a request was due, so that a stall is not hidden by waiting for it.
Reads the request's bytes from standard input and prints one JSON object. It talks to 127.0.0.1 only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import deque
from contextlib import suppress
from typing import Final

LAST_SECONDS: Final = 5
"""How long the last answers are waited for; what is late by more is an error."""


class Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def __init__(self, run: Run) -> None:
        """Belong to a run."""
        self.run = run
        self.due = 0.0
        self.busy = False
        self._buffer = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to write."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def send(self, due: float) -> None:
        """Send one request that was due at ``due``."""
        self.due, self.busy = due, True
        self._transport.write(self.run.request)

    def data_received(self, data: bytes) -> None:
        """Gather one answer by its Content-Length."""
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        if len(body) >= length:
            self._buffer, self.busy = b"", False
            self.run.answered(self, ok=lines[0].split(b" ")[1:2] == [b"200"])

    def connection_lost(self, exc: Exception | None) -> None:
        """Count an answer that never came; a server that closes is not reconnected to."""
        if self.busy or exc is not None:
            self.run.errors += 1
        self.busy = False
        self.run.lost += 1


class Run:
    """One bounded run."""

    def __init__(self, request: bytes, *, seconds: float, rate: float) -> None:
        """``rate`` is requests a second, or 0 for as fast as the answers come."""
        self.request = request
        self.seconds = seconds
        self.rate = rate
        self.errors = 0
        self.lost = 0
        self.latencies: list[float] = []
        self._idle: deque[Connection] = deque()
        self._waiting: deque[float] = deque()
        self._end = 0.0
        self._connections: tuple[Connection, ...] = ()
        self._now = asyncio.get_running_loop().time

    def answered(self, connection: Connection, *, ok: bool) -> None:
        """Note an answer and go on."""
        now = self._now()
        self.latencies.append(now - connection.due)
        self.errors += not ok
        if self._waiting:
            connection.send(self._waiting.popleft())
        elif self.rate:
            self._idle.append(connection)
        elif now < self._end:
            connection.send(now)

    async def execute(self, port: int, connections: int) -> dict[str, float]:
        """Run to the end and return the figures; times in milliseconds."""
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, protocol = await loop.create_connection(lambda: Connection(self), "127.0.0.1", port)
            self._idle.append(protocol)
        self._connections = tuple(self._idle)
        began = self._now()
        self._end = began + self.seconds
        if self.rate:
            await self._at_rate(began)
        else:
            while self._idle:
                self._idle.popleft().send(self._now())
            await asyncio.sleep(self.seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                while self._waiting or any(each.busy for each in self._connections):  # noqa: ASYNC110 -- it ends once a run
                    await asyncio.sleep(0.005)
        took = self._now() - began
        ordered = sorted(self.latencies) or [float("nan")]
        return {
            "requests": len(self.latencies),
            "errors": self.errors + self.lost + len(self._waiting) + sum(each.busy for each in self._connections),
            "rps": len(self.latencies) / took,
            "p50_ms": ordered[len(ordered) // 2] * 1000,
            "p99_ms": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1000,
        }

    async def _at_rate(self, began: float) -> None:
        for number in range(int(self.rate * self.seconds)):
            due = began + number / self.rate
            ahead = due - self._now()
            if ahead > 0:
                await asyncio.sleep(ahead)
            if self._idle:
                self._idle.popleft().send(due)
            else:
                self._waiting.append(due)


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rate", type=float, default=0)
    options = parser.parse_args()
    run = Run(sys.stdin.buffer.read(), seconds=options.seconds, rate=options.rate)
    sys.stdout.write(json.dumps(await run.execute(options.port, options.connections)))


if __name__ == "__main__":
    asyncio.run(_main())
