"""A forwarded query that ended without an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from proxy.audit.event import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.audit.event import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Event):
    """Nothing was released, or (``unknown``) nobody can tell any more.

    ``outcome`` is ``upstream``, ``audit``, ``locked``, ``aborted`` (the terminal went away) or ``unknown`` (the process died
    between the decision and its end); ``problem`` is the slug that the terminal was sent, if any.
    """

    kind: ClassVar[str] = "failed"
    outcome: str
    problem: str = ""
    duration_ms: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0

    def facts(self) -> Mapping[str, Json]:
        """Return how it ended, after how long, and how much had moved."""
        return {
            "outcome": self.outcome,
            "problem": self.problem,
            "duration_ms": self.duration_ms,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
        }
