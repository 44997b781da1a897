from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from proxy.audit.lot import SAMPLE, Lot
from proxy.audit.owed import BREAK_GLASS, Duty, Owed
from proxy.clock import Steady
from proxy.escalation.glass import BreakGlassBlocked, ReviewsUnreadable
from proxy.escalation.lifecycle import ApproverIneligible, BudgetSpent
from proxy.oversight.duty import DutyUnknown, Outcome, OutcomeUnknown, State, view
from proxy.oversight.events import Overseen
from proxy.oversight.finding import FindingClosed, FindingUnknown, Standing, finding_view
from proxy.oversight.findings import Findings
from proxy.policy.budgets import Glass
from proxy.registry.protection import Relation
from proxy.tlog.frames import Kind, frames
from tests.escalation.conftest import person
from tests.oversight.conftest import Query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.oversight.duty import Task
    from proxy.oversight.finding import Finding
    from tests.oversight.conftest import Office, Room

OFFICER = "officer-1"
SERGEANT, LIEUTENANT = person("sergeant", "supervisor"), person("lieutenant", "supervisor")
DESK, COUNSEL = person("desk", "auditor"), person("counsel", "auditor")
REVIEWED = Owed(duty=Duty.REVIEW, role="supervisor", why=BREAK_GLASS, within=4 * 3600)
TOLD = tuple(Owed(duty=Duty.NOTICE, role=role, why=BREAK_GLASS, within=900) for role in ("supervisor", "auditor"))
DRAWN = Owed(duty=Duty.REVIEW, role="supervisor", why=SAMPLE, within=7 * 86_400)
OFTEN = Glass(most=100, within=86_400)
FOUND = "rifle and threat confirmed on scene"


def broken(who: str = OFFICER) -> Query:
    """Return the decision of an emergency that was answered."""
    return Query(owed=(REVIEWED, *TOLD), person=who)


async def breaks(room: Room, who: str = OFFICER, allowance: Glass = OFTEN) -> None:
    """Break the glass as the street does."""
    async with room.oversight.breaking(who, allowance):
        await room.trail.record(broken(who))


async def reviews(room: Room, who: str = "sergeant", role: str = "supervisor") -> Sequence[Task]:
    """Return the reviews that wait for somebody."""
    await room.oversight.follow()
    return [task for task in await room.oversight.listed(Duty.REVIEW, person(who, role), None) if not task.done]


async def found(room: Room, outcome: str, why: str = FOUND) -> Task:
    """Close the only review that waits."""
    (task,) = await reviews(room)
    return await room.oversight.finish(Duty.REVIEW, task.id, SERGEANT, outcome=outcome, words=why)


async def findings(room: Room, state: Standing | None = None) -> Sequence[Finding]:
    """Return what the desk is shown."""
    await room.oversight.follow()
    return await Findings(room.oversight).listed(DESK, state)


async def test_a_review_that_is_due_blocks_nobody(room: Room) -> None:
    """One emergency may follow another while there is still time to look at the first."""
    await breaks(room)
    await breaks(room)

    assert len(await reviews(room)) == 2


async def test_a_review_that_is_overdue_blocks_until_it_is_done(room: Room) -> None:
    """The officer is told which, and who can do it; once it is done, the next one is answered. Others go on."""
    await breaks(room)
    room.office.pass_time(hours=4)

    with pytest.raises(BreakGlassBlocked) as blocked:
        await breaks(room)

    (task,) = await reviews(room)
    assert blocked.value.extras["review"] == {
        "id": task.id,
        "entry": "log.example/0",
        "due_at": "2026-11-23T07:00:00+00:00",
        "state": "overdue",
        "who": ["supervisor", "auditor"],
    }
    await breaks(room, "officer-2")
    await room.oversight.finish(Duty.REVIEW, task.id, SERGEANT, outcome="justified", words=FOUND)
    await breaks(room)


async def test_the_clock_set_back_does_not_make_it_due_again(room: Room) -> None:
    """What is overdue stays so: in this process by the time that has gone by, and in the next one by the log."""
    await breaks(room)
    room.office.pass_time(hours=5)
    await room.oversight.follow()
    room.office.pass_time(hours=-5)

    with pytest.raises(BreakGlassBlocked):
        await breaks(room)
    (task,) = await reviews(room)
    assert task.at(room.office.now) is State.OVERDUE


async def test_a_start_with_the_clock_set_back_reads_the_time_in_the_log(office: Office) -> None:
    """A node that was stopped, and started with another time, goes on from its last entry."""
    async with office.open() as room:
        await breaks(room)
        office.pass_time(hours=5)
        await room.record(Query(owed=()))
        office.pass_time(hours=-5)
    async with office.open() as room:
        with pytest.raises(BreakGlassBlocked):
            await breaks(room)


def test_a_steady_clock_goes_on_from_where_it_was() -> None:
    """Set back by an hour, it passes as much as really passes; set forward, it follows."""
    now, ticks = [1000.0], [0.0]
    clock = Steady(lambda: datetime.fromtimestamp(now[0], UTC), lambda: ticks[0])
    now[0], ticks[0] = 1010.0, 10.0
    assert clock().timestamp() == 1010
    now[0], ticks[0] = 10.0, 15.0
    assert clock().timestamp() == 1015
    now[0], ticks[0] = 5000.0, 16.0
    assert clock().timestamp() == 5000


async def test_an_overdue_review_is_told_once_up_the_chain(office: Office) -> None:
    """Supervisors and the oversight desk have a notice each, from an entry of its own; a restart tells nobody twice."""
    async with office.open() as room:
        await breaks(room)
        office.pass_time(hours=4)
        for _ in range(3):
            await room.oversight.follow()
        told = [
            [task.why for task in await room.oversight.listed(Duty.NOTICE, who, None) if task.why == "overdue"]
            for who in (SERGEANT, DESK)
        ]
    async with office.open() as room:
        await room.oversight.follow()

    assert told == [["overdue"], ["overdue"]]
    assert [entry.kind for entry in office.entries()] == ["decided", "overdue"]


async def test_the_oversight_desk_stands_in_once_it_is_overdue_and_not_before(room: Room) -> None:
    """A small department's only supervisor may be the one who broke the glass."""
    await breaks(room, "sergeant")
    assert await reviews(room) == []
    assert await reviews(room, "desk", "auditor") == []

    room.office.pass_time(hours=4)
    (task,) = await reviews(room, "desk", "auditor")
    done = await room.oversight.finish(Duty.REVIEW, task.id, DESK, outcome="justified", words=FOUND)

    assert done.done_by == "desk"


async def test_an_unjustified_emergency_opens_a_finding_and_blocks(room: Room) -> None:
    """The desk is told of it and closes it; until then the officer's emergencies are not answered."""
    await breaks(room)
    await found(room, "unjustified", "nobody was in danger, he knows her")
    with pytest.raises(BreakGlassBlocked) as blocked:
        await breaks(room)
    assert blocked.value.extras["review"]["state"] == "unjustified"  # type: ignore[index]

    (finding,) = await findings(room, Standing.OPEN)
    assert {task.why for task in await room.oversight.listed(Duty.NOTICE, DESK, None)} == {BREAK_GLASS, "finding"}
    assert room.gauge("findings_open") == 1
    shown = finding_view(finding)
    assert (shown["found"], shown["reason"], shown["opened_by"]) == (
        "unjustified",
        "nobody was in danger, he knows her",
        "sergeant",
    )
    closed = await Findings(room.oversight).close(finding.id, DESK, outcome="sustained", words="suspended for a week")
    assert (closed.state, closed.closed_by, closed.words) == (Standing.CLOSED, "desk", "suspended for a week")
    await room.oversight.follow()
    assert room.gauge("findings_open") == 0
    with pytest.raises(FindingClosed):
        await Findings(room.oversight).close(finding.id, COUNSEL, outcome="unfounded", words="another opinion")
    await breaks(room)
    kinds = [entry.kind for entry in room.office.entries()]
    assert kinds == ["decided", "overseen", "finding", "finding-closed", "decided"]


async def test_nobody_closes_a_finding_of_their_own(room: Room) -> None:
    """Neither the reviewer nor the officer nor who is close to it sees it; neither does a supervisor, nor another agency."""
    await breaks(room, "sergeant")
    room.office.pass_time(hours=4)
    (task,) = await reviews(room, "desk", "auditor")
    await room.oversight.finish(Duty.REVIEW, task.id, DESK, outcome="unjustified", words=FOUND)
    room.office.relations.close["counsel"] = Relation.FAMILY
    rooms = Findings(room.oversight)

    for who in (DESK, COUNSEL, SERGEANT, LIEUTENANT, person("sergeant", "auditor"), person("far", "auditor", "MO9999999")):
        assert list(await rooms.listed(who, None)) == []
    third = person("third", "auditor")
    (finding,) = await rooms.listed(third, None)
    for who in (DESK, COUNSEL, SERGEANT):
        with pytest.raises(FindingUnknown):
            await rooms.close(finding.id, who, outcome="unfounded", words="it was nothing at all")
    with pytest.raises(OutcomeUnknown):
        await rooms.close(finding.id, third, outcome="justified", words="it was nothing at all")


async def test_two_do_not_review_each_others_emergencies(room: Room) -> None:
    """Who had theirs found justified by somebody does not return it, for 90 days; a third person does."""
    await breaks(room, "sergeant")
    (hers,) = await reviews(room, "lieutenant")
    await room.oversight.finish(Duty.REVIEW, hers.id, LIEUTENANT, outcome="justified", words=FOUND)
    await breaks(room, "lieutenant")
    (his,) = await reviews(room, "sergeant")

    with pytest.raises(ApproverIneligible):
        await room.oversight.finish(Duty.REVIEW, his.id, SERGEANT, outcome="justified", words=FOUND)

    room.office.pass_time(days=91)
    await room.oversight.finish(Duty.REVIEW, his.id, SERGEANT, outcome="justified", words=FOUND)


async def test_nobody_reviews_their_own_emergency(room: Room) -> None:
    """It is no review of theirs; nor where it concerns their own people."""
    await breaks(room, "sergeant")
    await room.oversight.follow()
    (task,) = await reviews(room, "lieutenant")

    with pytest.raises(DutyUnknown):
        await room.oversight.finish(Duty.REVIEW, task.id, SERGEANT, outcome="justified", words=FOUND)
    room.office.relations.close["lieutenant"] = Relation.HOUSEHOLD
    with pytest.raises(DutyUnknown):
        await room.oversight.finish(Duty.REVIEW, task.id, LIEUTENANT, outcome="justified", words=FOUND)


async def test_as_often_as_the_budget_says_and_no_more(room: Room) -> None:
    """Within the window; and two queries at one time are not both the last that is allowed."""
    twice = Glass(most=2, within=86_400)
    await breaks(room, allowance=twice)

    outcomes = await asyncio.gather(*(breaks(room, allowance=twice) for _ in range(8)), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes].count(BudgetSpent) == 7
    assert sum(1 for entry in room.office.entries() if entry.kind == "decided") == 2
    spent = next(outcome for outcome in outcomes if isinstance(outcome, BudgetSpent))
    assert spent.extras["retry_after"] == 86_400


async def test_what_the_log_holds_counts_before_the_store_has_read_it(office: Office) -> None:
    """A store that was lost knows of no emergency; it reads them all before it lets another pass."""
    async with office.open() as room:
        await breaks(room)
        await found(room, "unjustified", "nobody was in danger, he knows her")
    (office.folder / "store.sqlite3").unlink()
    async with office.open() as room:
        with pytest.raises(BreakGlassBlocked):
            await breaks(room)
        assert [finding.state for finding in await findings(room)] == [Standing.OPEN]
    assert [entry.kind for entry in office.entries()].count("finding") == 1


async def test_a_crash_behind_the_review_loses_no_finding(office: Office) -> None:
    """The entry of the review alone opens it: what was killed before the finding's own entry writes it at the next start."""
    async with office.open() as room:
        await breaks(room)
        (task,) = await reviews(room)
        await room.trail.record(Overseen(task=task, outcome=Outcome.UNJUSTIFIED, actor="sergeant", words=FOUND, late=False))
    async with office.open() as room:
        with pytest.raises(BreakGlassBlocked):
            await breaks(room)
        (finding,) = await findings(room)
    assert finding.task.done_by == "sergeant"
    assert [entry.kind for entry in office.entries()] == ["decided", "overseen", "finding"]


@pytest.mark.parametrize("part", [Kind.ENTRY, Kind.BODY])
async def test_nothing_is_opened_while_the_log_cannot_be_read(room: Room, part: Kind) -> None:
    """Whether something stands against it is not known, so it is refused: with what to do instead."""
    await breaks(room)
    segment = next((room.office.folder / "log" / "segments").iterdir())
    before = len(segment.read_bytes())
    await room.trail.record(Query(owed=(REVIEWED,), person="officer-2"))
    damaged = bytearray(segment.read_bytes())
    frame = next(each for each in frames(bytes(damaged), before) if each.kind is part)
    damaged[frame.end - len(frame.content)] ^= 1
    segment.write_bytes(bytes(damaged))

    with pytest.raises(ReviewsUnreadable):
        await breaks(room)


async def test_what_was_drawn_is_attested_or_questioned(room: Room) -> None:
    """The words of an emergency are not those of a lot; a question opens a finding, and blocks no emergency."""
    await room.record(Query(owed=(DRAWN,)))
    (task,) = await reviews(room)
    with pytest.raises(OutcomeUnknown):
        await room.oversight.finish(Duty.REVIEW, task.id, SERGEANT, outcome="justified", words=FOUND)

    await room.oversight.finish(Duty.REVIEW, task.id, SERGEANT, outcome="questioned", words="no such stop that night")

    (finding,) = await findings(room)
    assert finding.task.why == SAMPLE
    await breaks(room)


async def test_what_was_drawn_tells_nobody_who_is_protected(room: Room) -> None:
    """The reviewer sees who asked and why, and neither the category nor the row that hid somebody."""
    await room.record(Query(owed=(DRAWN,)))
    (task,) = await reviews(room)

    shown = view(task, room.office.now)

    assert (shown["requested_by"], shown["case"]) == (OFFICER, "26-004217")
    assert shown["categories"] == shown["rules"] == []
    assert "official" not in str(shown)


def test_a_lot_draws_one_in_so_many_and_the_same_again() -> None:
    """About as many as said, the same ones under the same key, others under another; the key's commitment tells them apart."""
    lot, other = Lot(b"b" * 32), Lot(b"c" * 32)
    queries = [f"run{number:016x}" for number in range(20_000)]

    drawn = {query for query in queries if lot.drawn(query, 200)}

    assert 60 <= len(drawn) <= 150
    assert drawn == {query for query in queries if Lot(b"b" * 32).drawn(query, 200)}
    assert drawn != {query for query in queries if other.drawn(query, 200)}
    assert drawn <= {query for query in queries if lot.drawn(query, 20)}
    assert not any(lot.drawn(query, 0) for query in queries)
    assert all(lot.drawn(query, 1) for query in queries)
    assert lot.commitment == Lot(b"b" * 32).commitment != other.commitment


async def test_an_overdue_lot_is_told_and_blocks_nobody(room: Room) -> None:
    """Only an emergency is answered for before the next one."""
    await room.record(Query(owed=(DRAWN,)))
    room.office.pass_time(days=8)
    await room.oversight.follow()

    await breaks(room)
    assert timedelta(days=8) == room.office.now - (await reviews(room))[0].opened_at


def write(office: Office, statement: str) -> None:
    """Write the store's file as root would, without a key."""
    with closing(sqlite3.connect(office.folder / "store.sqlite3", isolation_level=None)) as connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE oversight SET done = 1, outcome = 'justified', done_by = 'sergeant', done_at = opened_at WHERE duty = 'review'",
        "UPDATE oversight SET due_at = '2099-01-01T00:00:00.000000+00:00' WHERE duty = 'review'",
        "UPDATE oversight SET opened_at = '2001-01-01T00:00:00.000000+00:00' WHERE duty = 'review'",
    ],
)
async def test_a_review_is_not_done_and_not_due_later_by_a_row_in_the_store(room: Room, change: str) -> None:
    """Whoever can write the store but has no key accounts for no emergency: none is answered until it is cleared up."""
    await breaks(room)
    await room.oversight.follow()
    write(room.office, change)

    with pytest.raises(ReviewsUnreadable):
        await breaks(room)


async def test_a_finding_is_not_closed_by_a_row_in_the_store(room: Room) -> None:
    """What an unjustified emergency opened stays open while nobody's own words close it."""
    await breaks(room)
    await found(room, "unjustified")
    await room.oversight.follow()
    write(room.office, "UPDATE oversight_findings SET disposition = 'counseled', closed_by = 'desk', closed_at = opened_at")

    with pytest.raises(BreakGlassBlocked, match="unjustified"):
        await breaks(room)
