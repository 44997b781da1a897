"""Long work that lets others have their turn: queries are answered on the same event loop."""

from __future__ import annotations

import asyncio
import time
from typing import Final

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
