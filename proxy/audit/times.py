"""When entries say they were written, held against what others know of the time, and against the promise never to be silent.

* A witness that has signed for *n* entries at a time knows: the first *n* were there, and no other was shown to it. So an entry
  below *n* cannot be younger than that, and one from *n* on not older: a new entry with an old date is outside.
* ``started`` promises a heartbeat. Where nothing follows an entry for more than twice that time, somebody was silent: the node
  hung, or entries were kept from the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from proxy.audit.continuity import OriginOpened
from proxy.audit.events import Started, Stopped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proxy.audit.entry import Entry

SKEW_SECONDS: Final = 60.0
"""By so much may the log's clock and a witness's differ."""
_SLACK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Untimely:
    """An entry whose time, or distance from the one before, cannot be; a ``note`` is no fault, but has to be explained."""

    kind: Literal["time", "gap", "note"]
    index: int
    message: str


class Timeline:
    """Walks the log in order."""

    def __init__(self, cosigned: Iterable[tuple[int, int]], *, skew: float) -> None:
        """Take what witnesses have signed: sizes, and POSIX times."""
        self._cosigned = sorted(cosigned)
        self._skew = skew
        self._next = 0
        self._latest = float("-inf")  # the newest time at which an entry from here on was not there yet
        self._earliest = _earliest_from(self._cosigned)
        self._last: tuple[int, float] | None = None  # index, and time
        self._running = False  # between a start and its stop; what commands write of a node that is stopped promises nothing
        self._beat = 0.0
        self.found: list[Untimely] = []

    def see(self, entry: Entry) -> None:
        """Take the next entry."""
        at = datetime.fromisoformat(entry.at).timestamp()
        self._bound(entry, at)
        self._follow(entry, at)
        if entry.kind == Started.kind:
            beat = entry.facts.get("heartbeat")
            self._beat = float(beat) if isinstance(beat, int | float) else 0.0
            self._running = True
        elif entry.kind == Stopped.kind:
            self._running = False
        if entry.kind == OriginOpened.kind:
            name, size = entry.facts.get("origin"), entry.facts.get("size")
            self._find(
                "note", entry.index, f"goes on from the log {name}, which had signed for {size} entries: verify that one too"
            )
        self._last = entry.index, at

    def end(self, now: float) -> None:
        """Say that a node is at work at this time: it should have written lately."""
        if self._last is not None and self._running and self._silent(now - self._last[1]):
            seconds = now - self._last[1]
            self._find("gap", self._last[0], f"nothing follows for {seconds:.0f} s, though {self._promise} and the node runs")

    def _bound(self, entry: Entry, at: float) -> None:
        while self._next < len(self._cosigned) and self._cosigned[self._next][0] <= entry.index:
            self._latest = max(self._latest, self._cosigned[self._next][1])
            self._next += 1
        if at < self._latest - self._skew:
            gap = self._latest - at
            self._find(
                "time", entry.index, f"says it was written {gap:.0f} s before witnesses signed that it was not there yet"
            )
        if self._next < len(self._cosigned) and at > self._earliest[self._next] + self._skew:
            gap = at - self._earliest[self._next]
            self._find("time", entry.index, f"says it was written {gap:.0f} s after witnesses signed that it was there")

    def _follow(self, entry: Entry, at: float) -> None:
        if self._last is None:
            return
        index, before = self._last
        if self._running and entry.kind == Started.kind:
            self._find("note", index, f"is the last before a start {at - before:.0f} s later: the node did not stop in order")
        elif self._running and self._silent(at - before):
            self._find("gap", index, f"is followed by nothing for {at - before:.0f} s, though {self._promise}")
        if at < before - self._skew:
            self._find("note", entry.index, f"says it was written {before - at:.0f} s before the entry before it")

    @property
    def _promise(self) -> str:
        return f"a heartbeat was promised every {self._beat:g} s"

    def _silent(self, seconds: float) -> bool:
        return bool(self._beat) and seconds > 2 * self._beat + _SLACK_SECONDS

    def _find(self, kind: Literal["time", "gap", "note"], index: int, message: str) -> None:
        self.found.append(Untimely(kind=kind, index=index, message=f"entry {index} {message}"))


def _earliest_from(cosigned: list[tuple[int, int]]) -> list[float]:
    """Return for each place the earliest time from there on: a larger size that was signed sooner says more."""
    earliest: list[float] = []
    for _, time in reversed(cosigned):
        earliest.append(min(time, earliest[-1]) if earliest else float(time))
    return earliest[::-1]
