from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from proxy.audit.errors import AuditUnavailable
from proxy.escalation.events import EscalationMove
from proxy.escalation.lifecycle import ApproverIneligible, EscalationMoved, EscalationUnknown, Move, ReasonMissing, State
from proxy.escalation.views import supervisor_view, view
from proxy.escalation.words import MOST_ASKED, AskedEnough, EscalationAmended, NothingAsked
from proxy.policy.decision import Demand
from proxy.purpose.purpose import StatementUninformative
from tests.escalation.conftest import asked, person

if TYPE_CHECKING:
    from proxy.escalation.lifecycle import Escalation
    from tests.escalation.conftest import Desk

OFFICER = person("officer-1")
SERGEANT, LIEUTENANT = person("sergeant", "supervisor"), person("lieutenant", "supervisor")
QUESTION = "which threat, and who reported it?"
ADDED = "the neighbor reported a man with a rifle at the gate"
WHY = "the threat is on file"


async def opened(desk: Desk, quorum: int = 1) -> str:
    """Have officer-1 ask what so many supervisors have to agree to."""
    return (await desk.escalations.open(asked(demands=(Demand(quorum=quorum, roles=frozenset({"supervisor"})),)), "q")).id


async def ask(desk: Desk, escalation: str) -> Escalation:
    """Have the sergeant ask for more."""
    return await desk.escalations.decide(escalation, SERGEANT, Move.ASK, QUESTION)


async def test_a_supervisor_asks_and_the_officer_adds(desk: Desk) -> None:
    """Both turns are in the log, sealed, before they count; the officer sees the question and not by whom it was put."""
    escalation = await opened(desk)

    pending = await ask(desk, escalation)

    assert (pending.state, view(pending, desk.now)["asked"]) == (State.PENDING, QUESTION)
    amended = await desk.escalations.amend(escalation, OFFICER, f" {ADDED} ")
    assert (amended.state, "asked" in view(amended, desk.now)) == (State.PENDING, False)
    moves = [event for event in desk.journal.events if isinstance(event, EscalationMove)]
    assert [(event.move, event.to, event.sealed()) for event in moves] == [
        ("ask", "pending", {"actor": "sergeant", "reason": QUESTION}),
        ("amend", "pending", {"actor": "officer-1", "reason": ADDED}),
    ]
    assert amended == await desk.escalations.seen(escalation, SERGEANT)
    told, shown = view(amended, desk.now), supervisor_view(amended, desk.now)
    assert "sergeant" not in repr(told)
    assert "supervisor" not in repr(told)
    assert [(each["person"], each["words"]) for each in shown["exchange"]] == [("sergeant", QUESTION), ("officer-1", ADDED)]  # type: ignore[attr-defined]


async def test_the_statement_and_the_query_stay_what_they_were(desk: Desk) -> None:
    """The same query, with its first statement, finds its escalation, and then its grant."""
    escalation = await opened(desk)
    await ask(desk, escalation)
    amended = await desk.escalations.amend(escalation, OFFICER, ADDED)
    assert amended.asked.statement == asked().statement

    await desk.escalations.decide(escalation, SERGEANT, Move.APPROVE, WHY, amendments=1)

    found = await desk.escalations.current(asked(), "q")
    assert found is not None
    assert (found.id, found.state) == (escalation, State.APPROVED)


async def test_an_approval_given_before_something_was_added_is_void(desk: Desk) -> None:
    """What the lieutenant agreed to has changed, so the lieutenant is asked again; the entry says how many are void."""
    escalation = await opened(desk, quorum=2)
    await desk.escalations.decide(escalation, LIEUTENANT, Move.APPROVE, WHY)
    await ask(desk, escalation)

    await desk.escalations.amend(escalation, OFFICER, ADDED)

    assert desk.journal.events[-1].facts()["void"] == 1
    assert (await desk.escalations.decide(escalation, SERGEANT, Move.APPROVE, WHY, amendments=1)).state is State.PENDING
    decided = await desk.escalations.decide(escalation, LIEUTENANT, Move.APPROVE, WHY, amendments=1)
    assert (decided.state, {each.person for each in decided.approvals}) == (State.APPROVED, {"sergeant", "lieutenant"})


@pytest.mark.parametrize("seen", [0, 2])
async def test_nobody_approves_what_they_have_not_seen(desk: Desk, seen: int) -> None:
    """Who looked before something was added, or claims to have seen more than there is, looks again; a refusal needs none."""
    escalation = await opened(desk)
    await ask(desk, escalation)
    await desk.escalations.amend(escalation, OFFICER, ADDED)
    before = len(desk.journal.events)

    with pytest.raises(EscalationAmended):
        await desk.escalations.decide(escalation, SERGEANT, Move.APPROVE, WHY, amendments=seen)

    assert len(desk.journal.events) == before
    assert (await desk.escalations.decide(escalation, SERGEANT, Move.REFUSE, WHY)).state is State.REFUSED


async def test_an_approval_and_an_addition_at_once_are_never_of_two_minds(desk: Desk) -> None:
    """Of an approval of the bare statement and an addition to it, one takes effect, and the log shows which."""
    escalation = await opened(desk)
    await ask(desk, escalation)

    results = await asyncio.gather(
        desk.escalations.decide(escalation, SERGEANT, Move.APPROVE, WHY),
        desk.escalations.amend(escalation, OFFICER, ADDED),
        return_exceptions=True,
    )

    won = [result for result in results if not isinstance(result, BaseException)]
    assert len(won) == 1
    moves = [event.move for event in desk.journal.events if isinstance(event, EscalationMove)]
    assert moves == ["ask", "approve" if won[0].state is State.APPROVED else "amend"]


async def test_only_in_turn_and_not_for_ever(desk: Desk) -> None:
    """Nothing is added unasked, one answer is enough, and after three questions it is time to decide."""
    escalation = await opened(desk)
    with pytest.raises(NothingAsked):
        await desk.escalations.amend(escalation, OFFICER, ADDED)
    for _ in range(MOST_ASKED):
        await ask(desk, escalation)
        await desk.escalations.amend(escalation, OFFICER, ADDED)
        with pytest.raises(NothingAsked):
            await desk.escalations.amend(escalation, OFFICER, ADDED)
    before = len(desk.journal.events)

    with pytest.raises(AskedEnough):
        await ask(desk, escalation)

    assert len(desk.journal.events) == before


async def test_each_side_has_its_own_move(desk: Desk) -> None:
    """The officer puts no questions, nobody else adds, and for a stranger there is nothing."""
    escalation = await opened(desk)
    with pytest.raises(ApproverIneligible):
        await desk.escalations.decide(escalation, OFFICER, Move.ASK, QUESTION)
    await ask(desk, escalation)

    with pytest.raises(ApproverIneligible):
        await desk.escalations.amend(escalation, SERGEANT, ADDED)
    for stranger in (person("officer-2"), person("officer-1x", agency="KS0870000")):
        with pytest.raises(EscalationUnknown):
            await desk.escalations.amend(escalation, stranger, ADDED)


@pytest.mark.parametrize("words", ["", "please", "it is needed for the case", "asdf asdf asdf"])
async def test_what_is_added_has_to_say_something(desk: Desk, words: str) -> None:
    """It is held to the rules of a statement, and the question stays open."""
    escalation = await opened(desk)
    await ask(desk, escalation)

    with pytest.raises(StatementUninformative):
        await desk.escalations.amend(escalation, OFFICER, words)

    assert "asked" in view(await desk.escalations.seen(escalation, OFFICER), desk.now)


@pytest.mark.parametrize("words", ["", "why?", "x" * 1001])
async def test_a_question_is_one_in_words(desk: Desk, words: str) -> None:
    """An empty, tiny or endless one is none."""
    escalation = await opened(desk)

    with pytest.raises(ReasonMissing):
        await desk.escalations.decide(escalation, SERGEANT, Move.ASK, words)


async def test_nothing_is_added_after_the_end(desk: Desk) -> None:
    """An escalation that was refused or has expired takes no answer."""
    escalation = await opened(desk)
    await ask(desk, escalation)
    desk.pass_time(minutes=16)

    with pytest.raises(EscalationMoved):
        await desk.escalations.amend(escalation, OFFICER, ADDED)


async def test_nothing_is_said_unless_it_is_recorded(desk: Desk) -> None:
    """With the log down neither turn is taken."""
    escalation = await opened(desk)
    desk.journal.down = True
    with pytest.raises(AuditUnavailable):
        await ask(desk, escalation)
    desk.journal.down = False
    await ask(desk, escalation)
    desk.journal.down = True
    with pytest.raises(AuditUnavailable):
        await desk.escalations.amend(escalation, OFFICER, ADDED)
    desk.journal.down = False

    assert len((await desk.escalations.seen(escalation, OFFICER)).words) == 1


async def test_the_store_at_rest_does_not_say_what_was_said(desk: Desk) -> None:
    """Neither question nor answer can be read in the file."""
    escalation = await opened(desk)
    await ask(desk, escalation)
    await desk.escalations.amend(escalation, OFFICER, ADDED)
    await desk.database.close()

    stored = b"".join(path.read_bytes() for path in desk.database.path.parent.iterdir())

    assert b"sergeant" in stored
    for secret in (b"which threat", b"rifle"):
        assert secret not in stored
