from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from proxy.audit.errors import AuditUnavailable
from proxy.database import Database
from proxy.escalation.lifecycle import ReasonMissing
from proxy.escalation.lock_events import LockAdded, LockEnded
from proxy.escalation.lock_rules import LockIneligible, LockOver, LockTargetInvalid, LockUnknown, target_of
from proxy.escalation.lock_store import LockStore
from proxy.escalation.locks import EVERYWHERE, Kind, Locked, Locks
from proxy.registry.protection import Relation
from tests.escalation.conftest import LOCK_KEY, asked, person

if TYPE_CHECKING:
    from proxy.escalation.locks import Lock
    from tests.escalation.conftest import Desk

OFFICER = person("officer-1")
SERGEANT = person("sergeant-9", "supervisor")
LIEUTENANT = person("lieutenant-2", "supervisor")
ELSEWHERE = person("sergeant-7", "supervisor", "KY0429900")
OVERSIGHT = person("desk-1", "oversight")
OVERSIGHT_TOO = person("desk-2", "oversight")
WHY = "the key was found in a bar"
OVER = "the key was never out of the office"


def check(desk: Desk) -> None:
    """Ask as the officer."""
    desk.locks.check(OFFICER, case=None, subjects=(), grant=None)


async def lock_officer(desk: Desk, **more: timedelta) -> Lock:
    """Have the sergeant lock the officer."""
    until = desk.now + more["lasts"] if more else None
    return await desk.locking.add(SERGEANT, Kind.PRINCIPAL, "officer-1", reason=WHY, until=until)


async def rename(desk: Desk, table: str, other: str) -> None:
    """Take a table away, or put it back."""
    async with desk.database.begin() as connection:
        await connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {other}")


async def test_a_lock_and_its_end_are_in_the_log_with_their_actors(desk: Desk) -> None:
    """Who, whom, until when and why; who lifted, and how surely it was they. What lies open names nobody."""
    lock = await lock_officer(desk)
    with pytest.raises(Locked):
        check(desk)
    await desk.locking.lift(lock.id, LIEUTENANT, reason=OVER)
    check(desk)

    added, ended = desk.journal.events
    assert isinstance(added, LockAdded)
    assert isinstance(ended, LockEnded)
    assert [party.value for party in added.parties()] == ["sergeant-9", "officer-1"]
    assert [party.value for party in ended.parties()] == ["lieutenant-2", "sergeant-9", "officer-1"]
    assert (added.sealed()["reason"], ended.facts()["step_up"]) == (
        WHY,
        {"method": "key", "credential": "key-lieutenant-2", "user_verified": False},
    )
    for event in (added, ended):
        assert not any(name in str(event.facts()) for name in ("officer-1", "sergeant-9", "bar"))


async def test_without_its_entry_nothing_is_locked_nor_lifted(desk: Desk) -> None:
    """The log is down: whoever locks is told so, and a lock that holds goes on holding."""
    desk.journal.down = True
    with pytest.raises(AuditUnavailable):
        await lock_officer(desk)
    check(desk)

    desk.journal.down = False
    lock = await lock_officer(desk)
    desk.journal.down = True
    with pytest.raises(AuditUnavailable):
        await desk.locking.lift(lock.id, LIEUTENANT, reason=OVER)
    with pytest.raises(Locked):
        check(desk)


async def test_nobody_lifts_their_own_lock_nor_what_stops_them(desk: Desk) -> None:
    """Neither who locked, nor who is locked (who can do nothing at all), nor whose grant it is."""
    lock = await lock_officer(desk)
    with pytest.raises(LockIneligible, match="You locked it"):
        await desk.locking.lift(lock.id, SERGEANT, reason=OVER)

    mine = await desk.locking.add(SERGEANT, Kind.PRINCIPAL, "lieutenant-2", reason=WHY)
    with pytest.raises(Locked):
        await desk.locking.lift(mine.id, LIEUTENANT, reason=OVER)
    await desk.locking.lift(mine.id, OVERSIGHT, reason=OVER)

    own = await desk.escalations.open(asked(person="lieutenant-2", role="supervisor"), "query-1")
    grant = await desk.locking.add(SERGEANT, Kind.GRANT, own.id, reason=WHY)
    with pytest.raises(LockIneligible, match="stops themselves"):
        await desk.locking.lift(grant.id, LIEUTENANT, reason=OVER)


async def test_of_two_who_lift_at_once_one_does(desk: Desk) -> None:
    """One end in the log; the other is told that it is over."""
    lock = await lock_officer(desk)

    done = await asyncio.gather(
        *(desk.locking.lift(lock.id, who, reason=OVER) for who in (LIEUTENANT, OVERSIGHT)), return_exceptions=True
    )

    assert sum(isinstance(each, LockOver) for each in done) == 1
    assert [event.kind for event in desk.journal.events] == ["lock-added", "lock-ended"]


async def test_who_may_lock_stands_in_the_policy(desk: Desk) -> None:
    """A supervisor in their agency, the oversight desk everywhere, nobody else; what the desk locked, the desk lifts."""
    with pytest.raises(LockIneligible, match="Only oversight, supervisor"):
        await desk.locking.add(OFFICER, Kind.CASE, "26-004217", reason=WHY)
    with pytest.raises(LockIneligible):
        await desk.locking.listed(OFFICER)

    theirs = await lock_officer(desk)
    assert theirs.agency == SERGEANT.agency
    with pytest.raises(LockUnknown):
        await desk.locking.lift(theirs.id, ELSEWHERE, reason=OVER)

    whole = await desk.locking.add(OVERSIGHT, Kind.PRINCIPAL, "officer-1", reason=WHY)
    assert whole.agency == EVERYWHERE
    with pytest.raises(LockUnknown):
        await desk.locking.lift(whole.id, LIEUTENANT, reason=OVER)
    assert [each.id for each, _ in await desk.locking.listed(LIEUTENANT)] == [theirs.id]
    assert {each.id for each, _ in await desk.locking.listed(OVERSIGHT)} == {theirs.id, whole.id}
    await desk.locking.lift(whole.id, OVERSIGHT_TOO, reason=OVER)


async def test_whom_a_lock_is_about_neither_sets_nor_sees_nor_lifts_it(desk: Desk) -> None:
    """A supervisor's own household: as if there were no such lock; nor do they stop others from looking."""
    lock = await desk.locking.add(SERGEANT, Kind.SUBJECT, "record/100123", reason=WHY)
    desk.relations.close["lieutenant-2"] = Relation.HOUSEHOLD

    with pytest.raises(LockUnknown):
        await desk.locking.lift(lock.id, LIEUTENANT, reason=OVER)
    assert await desk.locking.listed(LIEUTENANT) == []
    with pytest.raises(LockIneligible, match="themselves or theirs"):
        await desk.locking.add(LIEUTENANT, Kind.SUBJECT, "record/100123", reason=WHY)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Kind.PRINCIPAL, "Reyes, Marcus"),
        (Kind.PRINCIPAL, ""),
        (Kind.TERMINAL, "car 12"),
        (Kind.CASE, " - "),
        (Kind.SUBJECT, "Eleanor Whitcombe"),
        (Kind.SUBJECT, "record/"),
        (Kind.SUBJECT, "entry/a b"),
        (Kind.GRANT, "../x"),
    ],
)
def test_what_is_no_name_of_such_a_thing_is_refused(kind: Kind, said: str) -> None:
    """Above all a subject's name: a lock on a name would stop namesakes, and say whom it means."""
    with pytest.raises(LockTargetInvalid):
        target_of(kind, said)


async def test_a_grant_of_elsewhere_or_of_nobody_cannot_be_locked(desk: Desk) -> None:
    """The two are not told apart."""
    grant = await desk.escalations.open(asked(), "query-1")

    for who, said in ((ELSEWHERE, grant.id), (SERGEANT, "0" * 32)):
        with pytest.raises(LockTargetInvalid, match="no such escalation"):
            await desk.locking.add(who, Kind.GRANT, said, reason=WHY)
    assert (await desk.locking.add(OVERSIGHT, Kind.GRANT, grant.id, reason=WHY)).target == grant.id


async def test_a_lock_and_its_lifting_state_their_reason(desk: Desk) -> None:
    """Eight characters at least, said and not blank."""
    with pytest.raises(ReasonMissing):
        await desk.locking.add(SERGEANT, Kind.CASE, "26-1", reason="  because ")
    lock = await lock_officer(desk)
    with pytest.raises(ReasonMissing):
        await desk.locking.lift(lock.id, LIEUTENANT, reason="over")


async def test_a_lock_with_an_end_ends_at_its_time_and_the_log_says_so(desk: Desk) -> None:
    """It holds until then; the end is an entry by the clock; whoever lifts it after is told that it is over."""
    lock = await lock_officer(desk, lasts=timedelta(hours=8))
    desk.pass_time(hours=7, minutes=59)
    await desk.locking.sweep()
    with pytest.raises(Locked):
        check(desk)

    desk.pass_time(minutes=1)
    await desk.locking.sweep()
    check(desk)
    ended = desk.journal.events[-1]
    assert isinstance(ended, LockEnded)
    assert ended.ending.by == "clock"
    with pytest.raises(LockOver):
        await desk.locking.lift(lock.id, LIEUTENANT, reason=OVER)


async def test_a_clock_that_leaps_ahead_ends_no_lock(desk: Desk) -> None:
    """Somebody sets the clock to tomorrow: the lock holds for the hours that it was set for, counted and not read."""
    await lock_officer(desk, lasts=timedelta(hours=8))
    desk.set_clock(days=1)
    await desk.locking.sweep()
    with pytest.raises(Locked):
        check(desk)

    desk.pass_time(hours=8)
    await desk.locking.sweep()
    check(desk)


async def test_a_clock_that_is_set_back_makes_a_lock_longer_and_brings_none_back(desk: Desk) -> None:
    """What has ended stays so, whatever time it is said to be."""
    await lock_officer(desk, lasts=timedelta(hours=1))
    desk.set_clock(hours=-3)
    desk.pass_time(hours=2)
    await desk.locking.sweep()
    with pytest.raises(Locked):
        check(desk)
    desk.pass_time(hours=2)
    await desk.locking.sweep()
    check(desk)

    desk.set_clock(days=-2)
    await desk.locking.sweep()
    check(desk)


async def test_a_lock_that_would_be_over_from_the_start_is_refused(desk: Desk) -> None:
    """A typing mistake must not pass for a lock."""
    with pytest.raises(LockTargetInvalid, match="in the past"):
        await lock_officer(desk, lasts=timedelta())


async def test_a_store_that_fails_after_the_entry_loses_no_lock(desk: Desk) -> None:
    """It holds here from the entry on, it is told that nobody else knows, and it is written once the store can be."""
    before = Locks(LockStore(desk.database, LOCK_KEY))
    before.check(OFFICER, case=None, subjects=(), grant=None)
    check(desk)
    await rename(desk, "locks", "away")
    lock = await lock_officer(desk)
    assert not desk.locking.spread(lock)
    with pytest.raises(Locked):
        check(desk)
    before.check(OFFICER, case=None, subjects=(), grant=None)

    await rename(desk, "away", "locks")
    await desk.locking.sweep()
    assert desk.locking.spread(lock)
    for known in (desk.locks, before):
        with pytest.raises(Locked):
            known.check(OFFICER, case=None, subjects=(), grant=None)


async def test_what_holds_is_measured_by_kind(desk: Desk) -> None:
    """From a closed list; never whom."""
    await lock_officer(desk)
    await desk.locking.add(SERGEANT, Kind.CASE, "26-004217", reason=WHY)
    await desk.locking.sweep()

    value = desk.metrics.registry.get_sample_value
    assert [value("showcause_locks_active", {"kind": kind}) for kind in Kind] == [1, 0, 1, 0, 0]


async def test_another_process_lifts_what_this_one_locked(desk: Desk) -> None:
    """The rows are the store's: whoever reads them knows."""
    lock = await lock_officer(desk)
    other = Database(desk.database.path)
    await other.open()
    with pytest.raises(Locked):
        Locks(LockStore(other, LOCK_KEY)).check(OFFICER, case=None, subjects=(), grant=None)
    await other.close()
    assert [(each.id, ending) for each, ending in await desk.locking.listed(LIEUTENANT, active=True)] == [(lock.id, None)]
