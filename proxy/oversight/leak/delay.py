"""How long after they saw a thing people publish it: a mixture of days, weeks and months.

No public data gives this distribution, so it is broad on purpose: half of the leaks within three days, one in ten later than
four weeks. A narrow one would find the last viewer and nobody else. Where the moment of publication is known only within a
window, the density is its mean over the window, and a sight inside it counts for the part in which it came first.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

MINUTE: Final = 1 / 1440


@dataclass(frozen=True, slots=True)
class Delay:
    """A mixture of exponential distributions: (share, mean in days), the shares adding up to one."""

    parts: Sequence[tuple[float, float]] = ((0.55, 2.0), (0.30, 10.0), (0.15, 45.0))

    def density(self, days: float, within: float = 0.0) -> float:
        """Return the density a day of so many days between a sight and the latest moment of publication."""
        if days <= 0:
            return 0.0
        if within < MINUTE:
            return sum(share / mean * exp(-days / mean) for share, mean in self.parts)
        nearest = max(days - within, 0.0)
        return sum(share * (exp(-nearest / mean) - exp(-days / mean)) for share, mean in self.parts) / within
