"""When an answer leaves that says there is no such record.

A concealed record is fetched, read, recognized and ruled on before the answer denies it; one that is not there is not. That
takes a part of a millisecond, and a few hundred tries tell it from the noise. So every such answer, whatever it stands for,
leaves at one time since its query arrived: late enough for nearly all of them, in whole steps, and a random bit later, since
the loop's clock rounds to milliseconds and would show the rest. An answer with records never waits.

How late is learned from those very answers, the two kinds together. It grows at once and shrinks a step a minute, so that
nobody can move it to and fro by what is asked. What comes later than that still leaves on a step; how many do is bounded by
``LATE``, and how much an honest "no record" waits by ``PATIENCE``, at the median, or by half of what it takes anyway: where the
records server is slow, its times lie far apart.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

STEP: Final = 0.005
JITTER: Final = 0.004
"""A whole number of milliseconds, so that what the clock rounds off is as even with it as without."""
PATIENCE: Final = 0.018
"""With half of the jitter, 20 ms."""
LATE: Final = 0.02
SHRINK_SECONDS: Final = 60.0
KEPT: Final = 256
EACH: Final = 16
START_STEPS: Final = 3


class Pace:
    """The time of one route's answers of that kind. All times are seconds since the arrival of a query."""

    def __init__(self, chance: Callable[[], float]) -> None:
        """Take a source of random numbers from 0 to 1."""
        self._chance = chance
        self._steps = START_STEPS
        self._shrunk_at = 0.0
        self._took: deque[float] = deque(maxlen=KEPT)
        self._count = 0

    def leaves_after(self, took: float, now: float) -> float:
        """Return when an answer that is ready after ``took`` may leave."""
        self._learn(took, now)
        steps = max(self._steps, math.ceil(took / STEP))
        return steps * STEP + self._chance() * JITTER

    def _learn(self, took: float, now: float) -> None:
        self._took.append(took)
        self._count += 1
        if self._count % EACH:
            return
        ordered = sorted(self._took)
        needed = math.ceil(ordered[int(len(ordered) * (1 - LATE))] / STEP)
        median = ordered[len(ordered) // 2]
        bearable = math.floor((median + max(PATIENCE, median / 2)) / STEP)
        wanted = max(1, min(needed, bearable))
        if wanted > self._steps:
            self._steps, self._shrunk_at = wanted, now
        elif wanted < self._steps and now - self._shrunk_at >= SHRINK_SECONDS:
            self._steps, self._shrunk_at = self._steps - 1, now
