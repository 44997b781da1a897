"""Long work that lets others have their turn: queries are answered on the same event loop."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine

Batch = TypeVar("Batch")

TURN_SECONDS: Final = 0.001


class Turns:
    """Knows how long this turn has lasted."""

    def __init__(self) -> None:
        """Begin a turn."""
        self._until = time.perf_counter() + TURN_SECONDS

    async def give(self) -> None:
        """Let others have theirs, when this one has lasted long enough."""
        if time.perf_counter() >= self._until:
            await asyncio.sleep(0)
            self._until = time.perf_counter() + TURN_SECONDS


async def ahead(read: Callable[[], Coroutine[None, None, Batch | None]]) -> AsyncGenerator[Batch]:
    """Yield what ``read`` returns, again and again until that is None; each is read while the one before is worked on."""
    reading = asyncio.create_task(read())
    try:
        while (found := await reading) is not None:
            reading = asyncio.create_task(read())
            yield found
    finally:
        await asyncio.gather(reading, return_exceptions=True)
