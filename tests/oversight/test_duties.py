from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import pytest

from proxy.audit.errors import AuditUnavailable
from proxy.audit.owed import Duty, Owed, joined
from proxy.audit.sealing import SealBroken, Sealer
from proxy.escalation.lifecycle import ReasonMissing
from proxy.oversight.duty import DutyDone, DutyUnknown, Outcome, OutcomeUnknown, State, matter_of
from proxy.registry.protection import OWN_CAUSE, Relation
from tests.escalation.conftest import person
from tests.oversight.conftest import NOTICE, REVIEW, End, Query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.identity.principal import Principal
    from proxy.oversight.book import Book
    from proxy.oversight.reading import Move
    from tests.oversight.conftest import Office, Room

SERGEANT = person("sergeant", "supervisor")
FOUND = "the mayor had called for help"


async def ids(room: Room, duty: Duty = Duty.REVIEW, who: Principal = SERGEANT, state: State | None = None) -> list[str]:
    """Return what somebody is shown."""
    return [task.id for task in await room.oversight.listed(duty, who, state)]


async def test_a_review_is_due_from_its_entry_on(room: Room) -> None:
    """Who asked, why, which entry and until when stand in the queue; nothing but the query's own entry was written."""
    await room.record(Query())

    (task,) = await room.oversight.listed(Duty.REVIEW, SERGEANT, None)
    assert (task.reference, task.why, task.role) == ("log.example/0", "policy", "supervisor")
    assert task.due_at == room.office.now + timedelta(hours=4)
    assert (task.matter.person, task.matter.case) == ("officer-1", "26-004217")
    assert task.at(room.office.now) is State.DUE
    assert len(room.office.entries()) == 1


@pytest.mark.parametrize(("decided", "ended", "told"), [("conceal", "withhold", "conceal"), ("permit", "withhold", "withhold")])
def test_what_was_concealed_is_told_as_concealed(decided: str, ended: str, told: str) -> None:
    """What became of the reply says more than the decision, unless somebody was concealed from whoever asked."""
    matter = matter_of({"outcome": decided}, {}, {"outcome": ended}, {})

    assert matter.outcome == told


async def test_overdue_is_a_matter_of_the_time(room: Room) -> None:
    """At the deadline and not before it is overdue, without anybody writing it down; the gauges follow."""
    await room.record(Query(owed=(REVIEW, NOTICE)))
    assert [room.gauge(name) for name in ("reviews_due", "reviews_overdue")] == [1, 0]

    room.office.pass_time(hours=3, minutes=59, seconds=59)
    await room.oversight.follow()
    assert await ids(room, state=State.OVERDUE) == []
    assert [room.gauge(name) for name in ("reviews_overdue", "notices_overdue")] == [0, 1]

    room.office.pass_time(seconds=1)
    await room.oversight.follow()
    assert len(await ids(room, state=State.OVERDUE)) == 1
    assert [room.gauge(name) for name in ("reviews_due", "reviews_overdue", "notices_unacknowledged")] == [1, 1, 1]


class Busy:
    """A book in a station where somebody asks again whenever a stretch of the log is taken."""

    def __init__(self, room: Room) -> None:
        """Stand in for the room's book."""
        self._room = room
        self._book = room.oversight.book

    async def take(self, moves: Sequence[Move], *, passed: tuple[str, int]) -> None:
        """Ask, and write down what was taken."""
        await self._room.trail.record(Query(owed=()))
        await self._book.take(moves, passed=passed)

    def __getattr__(self, name: str) -> object:
        return getattr(self._book, name)


async def test_a_turn_ends_although_the_log_goes_on_growing(room: Room) -> None:
    """What is written meanwhile is the next turn's: a busy log would hold up whoever breaks the glass for as long as it is."""
    room.oversight.book = cast("Book", Busy(room))
    await room.trail.record(Query())

    async with asyncio.timeout(20):
        await room.oversight.follow()

    assert len(await ids(room)) == 1


async def test_a_notice_without_a_time_is_never_overdue(room: Room) -> None:
    """It waits for as long as it takes."""
    await room.record(Query(owed=(Owed(duty=Duty.NOTICE, role="supervisor"),)))
    room.office.pass_time(days=400)
    await room.oversight.follow()

    assert [room.gauge(name) for name in ("notices_unacknowledged", "notices_overdue")] == [1, 0]


@pytest.mark.parametrize("outcome", ["justified", "unjustified"])
async def test_a_review_ends_once_with_its_outcome_in_the_log(room: Room, outcome: str) -> None:
    """The entry says which query, what was found and by whom; a second end is refused and leaves no entry."""
    await room.record(Query())
    (task,) = await ids(room)

    done = await room.oversight.finish(Duty.REVIEW, task, SERGEANT, outcome=outcome, words=FOUND)

    assert (done.at(room.office.now), done.outcome, done.done_by, done.words) == (State.DONE, outcome, "sergeant", FOUND)
    entry = room.office.entries()[-1]
    assert (entry.kind, entry.facts["entry"], entry.facts["outcome"], entry.facts["late"]) == (
        "overseen", "log.example/0", outcome, False,
    )  # fmt: skip
    assert entry.unseal(room.office.sealer) == {"actor": "sergeant", "words": FOUND}
    with pytest.raises(DutyDone):
        await room.oversight.finish(Duty.REVIEW, task, person("lieutenant", "supervisor"), outcome=outcome, words=FOUND)
    assert len(room.office.entries()) == 2
    await room.oversight.follow()
    assert room.gauge("reviews_due") == 0


async def test_a_late_review_says_that_it_is_late(room: Room) -> None:
    """Overdue can still be done; the entry tells."""
    await room.record(Query())
    (task,) = await ids(room)
    room.office.pass_time(hours=5)

    await room.oversight.finish(Duty.REVIEW, task, SERGEANT, outcome="justified", words=FOUND)

    assert room.office.entries()[-1].facts["late"] is True


async def test_a_notice_is_acknowledged_without_many_words(room: Room) -> None:
    """To have seen it is enough; but a notice is not judged, and a review is not waved through."""
    await room.record(Query(owed=(NOTICE, REVIEW)))
    (notice,), (review,) = await ids(room, Duty.NOTICE), await ids(room)

    done = await room.oversight.finish(Duty.NOTICE, notice, SERGEANT, outcome="acknowledged", words="")

    assert done.outcome is Outcome.ACKNOWLEDGED
    with pytest.raises(OutcomeUnknown):
        await room.oversight.finish(Duty.REVIEW, review, SERGEANT, outcome="acknowledged", words=FOUND)
    for words in ("", "fine", "x" * 1001):
        with pytest.raises(ReasonMissing):
            await room.oversight.finish(Duty.REVIEW, review, SERGEANT, outcome="justified", words=words)
    with pytest.raises(DutyUnknown):
        await room.oversight.seen(Duty.NOTICE, review, SERGEANT)


@pytest.mark.parametrize(
    "who",
    [
        person("officer-1", "supervisor"),
        person("approver", "supervisor"),
        person("lieutenant", "supervisor"),
        person("officer-2"),
        person("chief", "supervisor", "KS0870000"),
        person("auditor", "auditor"),
    ],
    ids=lambda who: who.person,
)
async def test_who_asked_or_agreed_or_has_another_role_or_agency_is_shown_nothing(room: Room, who: Principal) -> None:
    """Nobody reviews their own query or approval, or what was asked for them: to them it is as an id that is unknown."""
    await room.record(Query(approved_by=("approver",), requestor="Lieutenant"))
    (task,) = await ids(room)

    assert await ids(room, who=who) == []
    with pytest.raises(DutyUnknown) as theirs:
        await room.oversight.finish(Duty.REVIEW, task, who, outcome="justified", words=FOUND)
    with pytest.raises(DutyUnknown) as unknown:
        await room.oversight.finish(Duty.REVIEW, "0" * 32, who, outcome="justified", words=FOUND)
    assert theirs.value.detail == unknown.value.detail
    assert len(room.office.entries()) == 1


@pytest.mark.parametrize("relation", sorted(OWN_CAUSE))
async def test_nobody_looks_at_what_concerns_their_own(room: Room, relation: Relation) -> None:
    """That somebody asked about them, or about theirs, a supervisor learns neither from a criterion nor from a record."""
    await room.record(Query(), End(owed=(NOTICE,)))
    room.office.relations.close["sergeant"] = relation

    assert await ids(room) == []
    assert await ids(room, Duty.NOTICE) == []
    room.office.relations.only = "name"  # which only the record holds
    assert await ids(room, Duty.NOTICE) == []
    assert len(await ids(room, Duty.NOTICE, person("lieutenant", "supervisor"))) == 1


async def test_what_a_reply_obliges_to_belongs_to_its_query(room: Room) -> None:
    """The end's notice is about the decision's person and case, adds what the reply told, and is opened once for both."""
    hour = Owed(duty=Duty.NOTICE, role="supervisor", within=3600)
    await room.record(Query(owed=(hour,)))
    (before,) = await ids(room, Duty.NOTICE)

    await room.record(End(owed=(NOTICE,)))

    (task,) = await room.oversight.listed(Duty.NOTICE, SERGEANT, None)
    assert (task.id, task.reference, task.matter.person) == (before, "log.example/0", "officer-1")
    assert (task.matter.outcome, task.matter.categories, task.matter.rules) == ("mask", ["official", "victim"], ["M06", "P09"])
    assert task.due_at == room.office.now + timedelta(minutes=15)


async def test_a_crash_between_entry_and_queue_loses_nothing(office: Office) -> None:
    """What was recorded and not read is found at the next start, and what was done stays done."""
    async with office.open() as room:
        await room.trail.record(Query())  # and here the process ends
    async with office.open() as room:
        await room.oversight.follow()
        (task,) = await ids(room)
        await room.oversight.finish(Duty.REVIEW, task, SERGEANT, outcome="justified", words=FOUND)
    async with office.open() as room:
        await room.oversight.follow()
        assert await ids(room, state=State.DONE) == [task]


async def test_a_crash_between_the_end_s_entry_and_the_queue_loses_nothing(office: Office) -> None:
    """The entry alone makes it done: the store is brought up to the log."""
    async with office.open() as room:
        await room.record(Query())
        (task,) = await ids(room)
        await room.database.close()
        with pytest.raises(Exception, match="not open"):
            await room.oversight.finish(Duty.REVIEW, task, SERGEANT, outcome="justified", words=FOUND)
        await room.database.open()
        await room.oversight.finish(Duty.REVIEW, task, SERGEANT, outcome="unjustified", words=FOUND)
    for left in office.folder.glob("store.sqlite3*"):
        left.unlink()
    async with office.open() as room:  # a store that was lost altogether
        await room.oversight.follow()
        (done,) = await room.oversight.listed(Duty.REVIEW, SERGEANT, State.DONE)
        assert (done.id, done.outcome, done.words, done.done_by) == (task, Outcome.UNJUSTIFIED, FOUND, "sergeant")


async def test_what_the_store_did_not_take_is_read_again(room: Room) -> None:
    """A failed commit leaves the place in the log where it was."""
    await room.trail.record(Query())
    await room.database.close()
    with pytest.raises(Exception, match="not open"):
        await room.oversight.follow()
    await room.database.open()

    await room.oversight.follow()

    assert len(await ids(room)) == 1


async def test_nothing_is_done_unless_it_is_recorded(room: Room) -> None:
    """With the log closed the review stays due."""
    await room.record(Query())
    (task,) = await ids(room)
    await room.trail.log.close()

    with pytest.raises(AuditUnavailable):
        await room.oversight.finish(Duty.REVIEW, task, SERGEANT, outcome="justified", words=FOUND)

    assert await ids(room, state=State.DUE) == [task]


async def test_an_entry_that_cannot_be_opened_stops_the_queue_and_says_so(office: Office) -> None:
    """Nothing after it is known, so the room says that it is in trouble; with the right key it goes on from there."""
    async with office.open() as room:
        await room.trail.record(Query())
    right, office.sealer = office.sealer, Sealer(index_key=b"i" * 32, body_key=b"x" * 32)
    async with office.open() as room:
        with pytest.raises(SealBroken):
            await room.oversight.follow()
        assert "audit verify" in room.oversight.trouble
    office.sealer = right
    async with office.open() as room:
        await room.oversight.follow()
        assert room.oversight.trouble == ""
        assert len(await ids(room)) == 1


def test_of_two_equal_duties_the_shorter_time_holds() -> None:
    """No time is the longest; another role or reason is another duty."""
    none = Owed(duty=Duty.NOTICE, role="supervisor")
    other = Owed(duty=Duty.NOTICE, role="records")

    assert joined([none, NOTICE, other, REVIEW]) == (other, NOTICE, REVIEW)
    assert joined([NOTICE, none]) == (NOTICE,)


async def test_no_name_and_no_word_lies_open_in_the_store(room: Room) -> None:
    """Who asked, what about and what was found is sealed."""
    await room.record(Query())
    (task,) = await ids(room)
    await room.oversight.finish(Duty.REVIEW, task, SERGEANT, outcome="justified", words=FOUND)
    await room.database.wipe_journal()

    held = (room.office.folder / "store.sqlite3").read_bytes()
    assert not [word for word in (b"100123", b"26-004217", b"threats reported", FOUND.encode()) if word in held]
