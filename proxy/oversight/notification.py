"""What people are told outside the console: that something waits for their role, and where. An id and a link, nothing else.

Who is told is worked out anew, again and again, from what waits: so nothing is lost with a process, and what somebody has
decided meanwhile is not told any more. A role's chain has steps; each begins a while after the last one was not answered.

What one officer's fishing for one subject piles up is one heap: one message tells of all of it, with a count, and the next one
waits for a while. Each thing in it is marked as told, or still to be, by itself; so none is lost in a heap.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

FIRST_RETRY: Final = timedelta(seconds=5)
LAST_RETRY: Final = timedelta(minutes=5)
GIVEN_UP_AFTER: Final = timedelta(hours=24)


class Kind(StrEnum):
    """What waits."""

    ESCALATION = "escalation"
    NOTICE = "notice"
    REVIEW = "review"
    OVERDUE = "overdue"
    TEST = "test"


PLACES: Final[Mapping[Kind, str]] = {
    Kind.ESCALATION: "escalations",
    Kind.NOTICE: "notices",
    Kind.REVIEW: "reviews",
    Kind.OVERDUE: "reviews",
    Kind.TEST: "health",
}
"""Where in the console each is."""
SENTENCES: Final[Mapping[Kind, str]] = {
    Kind.ESCALATION: "A query waits for a decision.",
    Kind.NOTICE: "Take note of a query.",
    Kind.REVIEW: "A query waits for a review.",
    Kind.OVERDUE: "A review is overdue.",
    Kind.TEST: "This is a test; nothing waits.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One thing that waits for somebody of ``roles`` in an agency; ``since`` is when its chains began.

    ``alike`` is the same for what one officer asks about one subject, and says neither.
    """

    kind: Kind
    id: str
    agency: str
    roles: frozenset[str]
    since: datetime
    alike: str = ""

    @property
    def heap(self) -> str:
        """Return the heap that it belongs to: its own where it is like nothing else."""
        return hashlib.sha256("\0".join((self.kind, self.agency, self.alike or self.id)).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a role's chain: ``after`` that time without an answer, these channels."""

    after: timedelta
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One thing to be told on one channel. Its ``id`` is the same whenever and wherever it is worked out.

    ``count`` is how many of its heap a message tells of.
    """

    kind: Kind
    matter: str
    role: str
    step: int
    channel: str
    heap: str = ""
    count: int = 1

    @property
    def id(self) -> str:
        """Return what receivers know a repetition by."""
        parts = (self.kind, self.matter, self.role, str(self.step), self.channel)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    @property
    def place(self) -> tuple[str, str, int, str]:
        """Return what one message at a time is sent for: a heap, on one step and channel of a role's chain."""
        return self.heap, self.role, self.step, self.channel

    @property
    def path(self) -> str:
        """Return where in the console it is answered."""
        return f"/{PLACES[self.kind]}" if self.kind is Kind.TEST else f"/{PLACES[self.kind]}/{self.matter}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of a delivery: ``at`` is when it was sent, or given up; None where it is still to be."""

    place: tuple[str, str, int, str]
    at: datetime | None


def wanted(waiting: Iterable[Waiting], chains: Mapping[str, Sequence[Step]], now: datetime) -> Iterator[Delivery]:
    """Yield everything that should have been told by ``now``, on each channel once for each role and step.

    A chain is a role's in every agency, or ``role@ORI``, which takes its place in that agency.
    """
    for each in waiting:
        for role in sorted(each.roles):
            chain = chains.get(f"{role}@{each.agency}", chains.get(role, ()))
            for number, step in enumerate(chain):
                if now >= each.since + step.after:
                    for channel in step.channels:
                        yield Delivery(kind=each.kind, matter=each.id, role=role, step=number, channel=channel, heap=each.heap)


def heaped(due: Iterable[Delivery], known: Mapping[str, Told], now: datetime, pause: timedelta) -> Iterator[Delivery]:
    """Yield those of what is due that are to be sent now, one of a heap: none while one is on its way, or went lately.

    ``due`` is oldest first. What is left waits in its heap: the message that goes counts it, or the next one does.
    """
    held = {each.place for each in known.values() if each.at is None or abs(now - each.at) < pause}
    for each in due:
        if each.id not in known and each.place not in held:
            held.add(each.place)
            yield each


def retry_at(attempts: int, now: datetime) -> datetime:
    """Return when to try again after so many failures: twice as long each time, five minutes at most."""
    return now + min(FIRST_RETRY * (1 << min(attempts - 1, 16)), LAST_RETRY)
