"""Telling people that something waits for them: what is to be told is worked out from what waits, sent, and tried again.

The queue of escalations and the duties are durable before this room hears of them, so a crash at any moment loses no
notification; one that falls between the sending and the row that says so sends it once more, under the same id. Several
processes on one store share the work. Nothing of it waits for a query, and no query for it.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from proxy.audit.owed import Duty
from proxy.oversight.channels import NotTaken
from proxy.oversight.duty import told_apart
from proxy.oversight.notification import GIVEN_UP_AFTER, LAST_RETRY, Kind, Waiting, heaped, retry_at, wanted
from proxy.oversight.notification_events import Notified
from proxy.oversight.notification_store import NotificationStore, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from proxy.audit.event import AuditLog, Json
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.escalation.lifecycle import Asked, Escalation
    from proxy.oversight.channels import Channel
    from proxy.oversight.notification import Delivery
    from proxy.oversight.notification_file import Notifying
    from proxy.oversight.notification_store import Attempt
    from proxy.oversight.store import Undone
    from proxy.telemetry import Metrics

BATCH: Final = 200
REPORTED: Final = 1000
LEAST_CLAIM: Final = timedelta(seconds=5)


class Escalating(Protocol):
    """Where escalations wait."""

    def pending(self) -> Sequence[Escalation]:
        """Return those that wait for a decision now."""
        ...


class Duties(Protocol):
    """Where notices and reviews wait."""

    def undone(self) -> Sequence[Undone]:
        """Return those that nobody has done."""
        ...


@dataclass(slots=True)
class _Line:
    """What one channel is doing."""

    channel: Channel
    last: datetime | None = None
    trouble: str = ""


class Notifier:
    """The use case. ``trouble`` says which channels do not take what they are given, or nothing."""

    def __init__(
        self,
        *,
        notifying: Notifying,
        channels: Mapping[str, Channel],
        database: Database,
        escalations: Escalating,
        duties: Duties,
        audit: AuditLog,
        clock: Clock,
        metrics: Metrics,
        key: bytes,
    ) -> None:
        """Wire the room; ``channels`` are those of the file, by name, and ``key`` is secret: by it heaps are named."""
        self._key = key
        self._notifying = notifying
        self._lines = {name: _Line(channel) for name, channel in channels.items()}
        self._store = NotificationStore(database, claim=max(LEAST_CLAIM, 3 * timedelta(seconds=notifying.timeout)))
        self._escalations = escalations
        self._duties = duties
        self._audit = audit
        self._clock = clock
        self._metrics = metrics
        self._reported_at: datetime | None = None

    @property
    def channels(self) -> Sequence[str]:
        """Return the names of the channels."""
        return sorted(self._lines)

    @property
    def trouble(self) -> str:
        """Return which channels do not take what they are given, in words of ours."""
        return "; ".join(f"{name}: {line.trouble}" for name, line in sorted(self._lines.items()) if line.trouble)

    async def plan(self) -> None:
        """Keep what has to be told by now, and forget what has not: somebody answered it.

        Raises:
            DatabaseUnusable: the store cannot be used.
        """
        now = self._clock()
        due = self._due(now)
        known = await self._store.known()
        if fresh := list(heaped(due.values(), known, now, self._notifying.heap)):
            await self._store.add(fresh, now)
        if ended := known.keys() - due.keys():
            await self._store.drop(ended, now)

    async def send(self, name: str) -> None:
        """Send what is due on one channel, as one batch.

        Raises:
            DatabaseUnusable: the store cannot be used; what was sent may be sent once more.
        """
        line, now = self._lines[name], self._clock()
        if line.last is not None and line.last <= now < line.last + self._notifying.gaps[name]:
            return
        batch = await self._store.claim(name, now, latest=now + LAST_RETRY, most=BATCH)
        if not batch:
            return
        line.last = now
        ids = [each.delivery.id for each in batch]
        beside = await self._beside(batch, now)
        told = [replace(each.delivery, count=1 + len(beside[each.delivery.place])) for each in batch]
        try:
            await line.channel.send(told, now)
        except NotTaken as refusal:
            line.trouble = str(refusal)
            await self._failed(batch, now)
        else:
            line.trouble = ""
            await self._store.ended(ids, State.SENT, now)
            await self._store.add([each for heap in beside.values() for each in heap], now, told=True)
            self._metrics.notifications_total.labels("sent").inc(len(ids))

    async def _beside(self, batch: Sequence[Attempt], now: datetime) -> Mapping[tuple[str, str, int, str], list[Delivery]]:
        """Return what else each message tells of: whatever waits in the same heap, and was not told yet."""
        known = await self._store.known()
        found: dict[tuple[str, str, int, str], list[Delivery]] = {each.delivery.place: [] for each in batch}
        for each in self._due(now).values():
            if each.id not in known and each.place in found:
                found[each.place].append(each)
        return found

    async def _failed(self, batch: Sequence[Attempt], now: datetime) -> None:
        self._metrics.notifications_total.labels("failed").inc(len(batch))
        over = [each for each in batch if now >= each.created_at + GIVEN_UP_AFTER]
        if over:
            await self._store.ended([each.delivery.id for each in over], State.GIVEN_UP, now)
            self._metrics.notifications_total.labels("given_up").inc(len(over))
        for attempts in {each.attempts for each in batch}:
            again = [each.delivery.id for each in batch if each.attempts == attempts and each not in over]
            await self._store.failed(again, attempts + 1, retry_at(attempts + 1, now))

    async def report(self) -> None:
        """Write into the log what became of notifications, at the file's pace; and measure what waits.

        Raises:
            AuditUnavailable, DatabaseUnusable: it is written at a later turn.
        """
        now = self._clock()
        waiting = await self._store.due()
        self._metrics.notifications_waiting.set(len(waiting))
        if self._reported_at is None:
            self._reported_at = now
        if self._reported_at <= now < self._reported_at + self._notifying.report:
            return
        sent = await self._store.unreported(State.SENT, REPORTED)
        given_up = await self._store.unreported(State.GIVEN_UP, REPORTED)
        await self._audit.record(Notified(sent=[_fact(each) for each in sent], given_up=[_fact(each) for each in given_up]))
        self._reported_at = now
        if told := [each.delivery.id for each in (*sent, *given_up)]:
            await self._store.report(told)

    def _due(self, now: datetime) -> dict[str, Delivery]:
        """Return everything that should have been told by now, oldest first."""
        waiting = sorted(self._waiting(now), key=lambda each: (each.since, each.id))
        return {each.id: each for each in wanted(waiting, self._notifying.chains, now)}

    def _alike(self, asked: Asked) -> str:
        """Return the same for every query of an officer about the same people, and nothing that says who they are."""
        subjects = sorted(asked.subjects) or told_apart(asked.criteria)
        return hmac.digest(self._key, "\0".join((asked.person, *subjects)).encode(), hashlib.sha256).hex()

    def _waiting(self, now: datetime) -> list[Waiting]:
        found = [
            Waiting(
                kind=Kind.ESCALATION,
                id=each.id,
                agency=each.asked.agency,
                roles=frozenset(role for demand in each.asked.demands for role in demand.roles),
                since=each.created_at,
                alike=self._alike(each.asked),
            )
            for each in self._escalations.pending()
        ]
        for task in self._duties.undone():
            kind = Kind.NOTICE if task.duty is Duty.NOTICE else Kind.REVIEW
            one = Waiting(
                kind=kind,
                id=task.id,
                agency=task.agency,
                roles=frozenset({task.role}),
                since=task.opened_at,
                alike=task.alike or "",
            )
            found.append(one)
            if kind is Kind.REVIEW and task.due_at is not None and now >= task.due_at:
                found.append(replace(one, kind=Kind.OVERDUE, since=task.due_at))
        return found


def _fact(attempt: Attempt) -> Mapping[str, Json]:
    delivery = attempt.delivery
    return {
        "kind": delivery.kind,
        "id": delivery.matter,
        "role": delivery.role,
        "step": delivery.step,
        "channel": delivery.channel,
        "at": attempt.ended_at.isoformat() if attempt.ended_at is not None else None,
    }
