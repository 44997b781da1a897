"""Recording, orphans, copies and what a stolen log tells."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pytest

from proxy.audit.errors import AuditUnavailable
from proxy.audit.event import Event
from proxy.audit.pairing import Pairing
from proxy.audit.service import AuditTrail
from proxy.telemetry import Metrics
from proxy.tlog.merkle import leaf_hash
from tests.audit.conftest import Asked, Decided, Disclosed, noon

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.audit.event import Json
    from tests.audit.conftest import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken(Event):
    """An event that cannot say what it is."""

    kind: ClassVar[str] = "broken"

    def facts(self) -> Mapping[str, Json]:
        """Fail."""
        raise ZeroDivisionError


@dataclass(frozen=True, slots=True, kw_only=True)
class Huge(Event):
    """An event that no entry can hold."""

    kind: ClassVar[str] = "huge"

    def facts(self) -> Mapping[str, Json]:
        """Return too much."""
        return {"much": "x" * 70_000}


async def test_a_receipt_names_the_entry(world: World) -> None:
    """The receipt's index is where the event stands in the log, in the form that the Audit-Entry header has."""
    async with world.log() as log:
        trail = world.trail(log)
        await trail.record(Asked(about="q0"))
        receipt = await trail.record(Asked(about="q1"))
        assert receipt.reference == "log.example/1"
        entry = world.reader().read(receipt.index)
        assert (entry.kind, entry.about, entry.at) == ("asked", "q1", "2026-11-23T12:00:00.12Z")
        assert entry.facts == {"action": "person.read"}
        assert world.reader().unseal(entry) == {"operator": "badge-1234", "words": "JORDAN PEMBERTON"}
        assert entry.parties["officer"] == (world.sealer.token("officer", "badge-1234"),)


async def test_a_stolen_log_names_nobody(world: World) -> None:
    """No file of the log holds a name, an officer or a query term, in any letter case."""
    async with world.log() as log:
        for number in range(300):
            await world.trail(log).record(Asked(about=f"q{number}"))
    files = [path for path in world.directory.rglob("*") if path.is_file()]
    assert len(files) > 4
    for path in files:
        content = path.read_bytes().lower()
        for secret in (b"pemberton", b"jordan", b"badge-1234"):
            assert secret not in content, path


async def test_copies_hold_facts_only_and_come_after_the_commit(world: World) -> None:
    """The copy has the entry's place and hash and what lies open; nothing of parties or the sealed part."""
    async with world.log() as log:
        await world.trail(log).record(Asked(about="q1"))
        assert world.journal == [
            {
                "origin": "log.example",
                "index": 0,
                "leaf_hash": leaf_hash(log.read(0)).hex(),
                "kind": "asked",
                "at": "2026-11-23T12:00:00.12Z",
                "facts": {"action": "person.read"},
            },
        ]


async def test_a_failing_copy_hurts_nobody(world: World) -> None:
    """The copy is not the record: its failure is not the query's."""

    def fail(_fields: object) -> None:
        raise OSError

    async with world.log() as log:
        receipt = await AuditTrail(log, world.sealer, noon, copy=fail).record(Asked())
        assert receipt.index == 0


@pytest.mark.parametrize("event", [Broken(), Huge()])
async def test_what_cannot_be_recorded_stops_the_query(world: World, event: Event) -> None:
    """An event that fails to encode, or does not fit, is as good as a log that is down; the log goes on."""
    async with world.log() as log:
        with pytest.raises(AuditUnavailable):
            await world.trail(log).record(event)
        assert log.head.size == 0
        assert (await world.trail(log).record(Asked())).index == 0


async def test_a_poisoned_log_makes_the_audit_unavailable(world: World) -> None:
    """After a failed write every recording is refused, nothing is copied, and the metric says so."""
    metrics = Metrics()
    log = world.log()
    trail = AuditTrail(log, world.sealer, noon, metrics=metrics, copy=world.journal.append)
    blocked = os.open(os.devnull, os.O_RDONLY)
    os.dup2(blocked, log._segment._descriptor)
    os.close(blocked)
    for _ in range(2):
        with pytest.raises(AuditUnavailable):
            await trail.record(Asked())
    assert metrics.registry.get_sample_value("showcause_audit_poisoned") == 1
    assert metrics.registry.get_sample_value("showcause_audit_entries_total", {"type": "asked"}) is None
    assert world.journal == []
    await log.close()


async def test_metrics_count_durable_entries(world: World) -> None:
    """Entries by kind, time to commit, and the head's age by the injected clock."""
    metrics = Metrics()
    async with world.log() as log:
        trail = AuditTrail(log, world.sealer, noon, metrics=metrics)
        for _ in range(3):
            await trail.record(Asked())
        sample = metrics.registry.get_sample_value
        assert sample("showcause_audit_entries_total", {"type": "asked"}) == 3
        assert sample("showcause_audit_commit_seconds_count") == 3
        assert sample("showcause_audit_head_age_seconds") == 0
        assert sample("showcause_audit_poisoned") == 0


async def test_orphans_are_closed_once_each_in_their_order(world: World) -> None:
    """A forwarded decision without an end is closed as unknown at the next start, and never again."""
    async with world.log() as log:
        trail = world.trail(log)
        await trail.start(version="1", policy="p")
        for about, event in [("a", Decided), ("b", Decided), ("a", Disclosed), ("c", Decided)]:
            await trail.record(event(about=about))
        await trail.record(Decided(about="d", forward=False))
    async with world.log() as log:
        receipt = await world.trail(log).start(version="1", policy="p")
        closed = list(world.reader().entries(6, receipt.index))
        assert [(entry.kind, entry.about, entry.facts["outcome"]) for entry in closed] == [
            ("failed", "b", "unknown"),
            ("failed", "c", "unknown"),
        ]
        assert world.reader().read(receipt.index).facts["orphans"] == 2
    async with world.log() as log:
        assert await world.trail(log).close_orphans() == 0
        pairing = Pairing()
        for entry in world.reader().entries():
            pairing.see(entry)
        assert pairing.faults == []
        assert pairing.unended() == []


async def test_orphans_are_found_again_when_closing_them_was_interrupted(world: World) -> None:
    """Only a started entry ends the search, and it is written after the last orphan was closed."""
    async with world.log() as log:
        trail = world.trail(log)
        for about in "abc":
            await trail.record(Decided(about=about))
        assert await trail.close_orphans() == 3
        await trail.record(Decided(about="late"))
    async with world.log() as log:
        assert await world.trail(log).close_orphans() == 1
        assert world.reader().after_last_start() == 0


async def test_a_search_for_orphans_goes_back_to_the_last_start_only(world: World) -> None:
    """What lies before the newest started entry is not read again."""
    async with world.log() as log:
        trail = world.trail(log)
        await trail.start(version="1", policy="p")
        await trail.record(Asked())
        last = await trail.start(version="1", policy="p")
        assert world.reader().after_last_start() == last.index + 1


async def test_pairing_names_every_way_of_being_wrong(world: World) -> None:
    """An end without a decision, an end twice, a decision twice: each with its entry."""
    async with world.log() as log:
        trail = world.trail(log)
        events = [Disclosed(about="x"), Decided(about="y"), Decided(about="y"), Disclosed(about="y"), Disclosed(about="y")]
        for event in events:
            await trail.record(event)
    pairing = Pairing()
    for entry in world.reader().entries():
        pairing.see(entry)
    assert [fault.index for fault in pairing.faults] == [0, 2, 4]
