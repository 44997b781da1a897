"""What may be removed of the log: whole segments of entries that are old enough, and that nothing holds.

Entries go in order, from the first, so what is kept is whole. Up to where is the smallest of: the moment that was asked for, or
the ceiling; the first entry that a legal hold or a lock in force covers; and the last start, since orphans are looked for from
there. The floor is never gone under. The time is the newest entry's where the clock is later, so that a clock that leaps ahead
prunes nothing; an entry whose time is too new keeps everything behind it.

The order: an intent, the entry ``pruned`` with the queries that were under way there (their ends have no beginning from
then on), and only then the removal. *Crash before the entry:* the intent is forgotten. *Crash after:* the next start removes.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Final

from proxy.audit.entry import decode, prefix
from proxy.audit.event import Event, Party
from proxy.audit.pairing import Pairing
from proxy.audit.reader import AuditReader
from proxy.tlog.pruned import INTENDED, give_up, intend, load_pruned, prune
from proxy.tlog.pruning import prunable
from proxy.tlog.store import SegmentReader, first_kept, newest_seal, segments_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from proxy.audit.entry import Entry
    from proxy.audit.event import AuditLog, Json
    from proxy.audit.holds import Holds
    from proxy.clock import Clock
    from proxy.tlog.log import Log
    from proxy.tlog.note import Verifier

LOCKS: Final = ("lock-added", "lock-ended")


class PruneRefused(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """Nothing was pruned; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned(Event):
    """The entries before ``before`` are removed next. ``open`` are the queries whose end is kept and whose beginning is not."""

    kind: ClassVar[str] = "pruned"
    operator: str
    order: str
    start: int
    before: int
    moment: datetime
    rule: str
    open: Sequence[str] = ()

    def facts(self) -> Mapping[str, Json]:
        """Return what goes, under which rule, and what it breaks apart."""
        return {
            "start": self.start,
            "before": self.before,
            "moment": self.moment.isoformat(),
            "rule": self.rule,
            "open": tuple(self.open),
        }

    def parties(self) -> Iterable[Party]:
        """Return who pruned."""
        yield Party("actor", self.operator)

    def sealed(self) -> Mapping[str, Json]:
        """Return who, and why in words."""
        return {"operator": self.operator, "order": self.order}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Entries from ``start`` up to ``before`` can go; nothing when the two are equal. ``kept_by`` says what kept the rest."""

    start: int
    before: int
    moment: datetime
    rule: str
    kept_by: str
    open: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """The rule: how long entries are kept at least, and at most."""

    floor: timedelta
    ceiling: timedelta | None = None

    def moment(self, now: datetime, before: datetime | None) -> tuple[datetime, str]:
        """Return the moment whose older entries may go, and the rule that says so.

        Raises:
            PruneRefused: that is under the floor, or nothing was asked and there is no ceiling.
        """
        if before is None:
            if self.ceiling is None:
                raise PruneRefused("No moment was given, and the settings have no `retention: ceiling_days`.")
            return now - self.ceiling, "ceiling"
        if before > now - self.floor:
            raise PruneRefused(
                f"Entries are kept for at least {self.floor.days} days: up to {now - self.floor:%Y-%m-%d} today."
            )
        return before, "asked"


def newest_time(directory: Path, clock: Clock) -> datetime:
    """Return the time of the newest entry, or the clock's where that is earlier: a clock that leaps ahead makes nothing old.

    Raises:
        PruneRefused: the log is empty.
    """
    size = newest_seal(directory)
    if not size:
        raise PruneRefused("The log is empty.")
    return min(clock(), datetime.fromisoformat(AuditReader(directory).read(size - 1).at))


def plan(
    directory: Path, holds: Holds, moment: datetime, rule: str, progress: Callable[[int], None] = lambda _index: None
) -> Plan:
    """Return what can go.

    Raises:
        LogDamaged, EntryUnreadable: an entry cannot be read; it is `audit verify`'s to say more.
    """
    start, reader = first_kept(directory), AuditReader(directory)
    bounds = {segment.first for segment in segments_of(directory)} - {start}
    until, locks = reader.after_last_start() - 1, _locks_in_force(directory)
    pairing, best, unended = Pairing(), start, []
    for entry in reader.entries():
        if entry.index in bounds:
            best, unended = entry.index, sorted(pairing.orphans)
            progress(best)
        why = _kept_by(entry, holds, locks, moment, until)
        if why:
            break
        pairing.see(entry)
    else:
        why = "it is in the newest segment"
    return Plan(start=start, before=best, moment=moment, rule=rule, kept_by=f"entry {entry.index}: {why}", open=unended)


def _kept_by(entry: Entry, holds: Holds, locks: frozenset[str], moment: datetime, until: int) -> str:
    hold = holds.covering(entry)
    if hold is not None:
        return f"hold {hold.id} covers it"
    if datetime.fromisoformat(entry.at) >= moment:
        return f"it is of {entry.at}"
    if entry.kind == LOCKS[0] and entry.facts.get("lock") in locks:
        return f"lock {entry.facts['lock']} is in force"
    return "the node started there last" if entry.index >= until else ""


def _locks_in_force(directory: Path) -> frozenset[str]:
    added, ended = map(prefix, LOCKS)
    found: set[str] = set()
    for index, content in SegmentReader(directory).entries():
        if content.startswith(added):
            found.add(str(decode(index, content).facts["lock"]))
        elif content.startswith(ended):
            found.discard(str(decode(index, content).facts["lock"]))
    return frozenset(found)


async def carry_out(log: Log, audit: AuditLog, planned: Plan, *, operator: str, order: str) -> int:
    """Remove what was planned, and return the index of the entry that says so.

    Raises:
        AuditUnavailable: it could not be recorded, so nothing was removed.
        LogDamaged, ValueError: the log cannot be continued without what would go.
        OSError: not everything was removed; the next start goes on.
    """
    intent = await asyncio.to_thread(prunable, log, planned.before)
    await asyncio.to_thread(intend, log.directory, intent)
    receipt = await audit.record(
        Pruned(
            operator=operator,
            order=order,
            start=planned.start,
            before=planned.before,
            moment=planned.moment,
            rule=planned.rule,
            open=planned.open,
        )
    )
    await asyncio.to_thread(prune, log.directory)
    return receipt.index


def settle(directory: Path, verifier: Verifier) -> None:
    """Finish a prune that a crash interrupted, if its entry is in the log, and else forget it. Before the first query.

    Raises:
        LogDamaged, EntryUnreadable: the intent or the log cannot be read.
        OSError: not everything was removed.
    """
    intent = load_pruned(directory, verifier, INTENDED)
    if intent is None:
        return
    if ordered(directory, intent.first, intent.size) is not None:
        prune(directory)
    else:
        give_up(directory)


def ordered(directory: Path, first: int, start: int = 0) -> Entry | None:
    """Return the entry, from ``start`` on, that says that everything before ``first`` was to be pruned."""
    wanted = prefix(Pruned.kind)
    for index, content in SegmentReader(directory).entries(start):
        if content.startswith(wanted):
            entry = decode(index, content)
            if entry.facts.get("before") == first:
                return entry
    return None
