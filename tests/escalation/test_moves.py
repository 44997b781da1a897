from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from proxy.audit.errors import AuditUnavailable
from proxy.escalation.events import EscalationMove
from proxy.escalation.lifecycle import (
    MOVES,
    EscalationMoved,
    EscalationRefused,
    EscalationUnknown,
    GrantSpent,
    Move,
    State,
)
from tests.escalation.conftest import Desk, asked, person
from tests.escalation.test_lifecycle import in_state

if TYPE_CHECKING:
    from proxy.escalation.lifecycle import Escalation

WHY = "a reason in words"
SERGEANT = person("sergeant-2", "supervisor")
ACTORS = {
    Move.APPROVE: SERGEANT.person,
    Move.REFUSE: SERGEANT.person,
    Move.REVOKE: SERGEANT.person,
    Move.CANCEL: "officer-1",
    Move.REDEEM: "officer-1",
    Move.EXPIRE: "clock",
    Move.ASK: SERGEANT.person,
    Move.AMEND: "officer-1",
}


async def about_to(desk: Desk, state: State, move: Move) -> Escalation:
    """Bring a new escalation into a state; a question is open where the move is to answer one."""
    escalation = await in_state(desk, state)
    if (state, move) == (State.PENDING, Move.AMEND):
        return await desk.escalations.decide(escalation.id, SERGEANT, Move.ASK, WHY)
    return escalation


async def make(desk: Desk, escalation: Escalation, move: Move) -> None:
    """Make a move by the road that there is for it; nobody is asked first whether it is legal."""
    match move:
        case Move.APPROVE | Move.REFUSE | Move.ASK:
            await desk.escalations.decide(escalation.id, SERGEANT, move, WHY)
        case Move.REVOKE:
            await desk.escalations.revoke(escalation.id, SERGEANT, WHY)
        case Move.CANCEL:
            await desk.escalations.cancel(escalation.id, person("officer-1"))
        case Move.REDEEM:
            await desk.escalations.redeem(escalation, "officer-1", "q")
        case Move.AMEND:
            await desk.escalations.amend(escalation.id, person("officer-1"), "the neighbor saw a man with a rifle")
        case Move.EXPIRE:
            desk.pass_time(hours=1)
            await desk.escalations.sweep()


async def state_of(desk: Desk, escalation: Escalation) -> State:
    """Return where it stands, as its requester sees it."""
    return (await desk.escalations.seen(escalation.id, person("officer-1"))).state


@pytest.mark.parametrize(("state", "move"), list(product(State, Move)))
async def test_every_move_from_every_state_does_what_the_table_says(desk: Desk, state: State, move: Move) -> None:
    """A legal move arrives at its state, with one entry that names its actor; an illegal one moves and records nothing."""
    escalation = await about_to(desk, state, move)
    before = len(desk.journal.events)

    if (state, move) in MOVES:
        await make(desk, escalation, move)
        assert await state_of(desk, escalation) is MOVES[state, move]
        [event] = desk.journal.events[before:]
        assert isinstance(event, EscalationMove)
        assert (event.move, event.to, event.actor) == (move, MOVES[state, move], ACTORS[move])
        return

    if move is Move.EXPIRE:
        await make(desk, escalation, move)
    else:
        with pytest.raises((EscalationMoved, GrantSpent, EscalationRefused)):
            await make(desk, escalation, move)
    assert await state_of(desk, escalation) is state
    assert len(desk.journal.events) == before


@pytest.mark.parametrize(("state", "move"), sorted(MOVES))
async def test_without_its_entry_no_move_takes_effect(desk: Desk, state: State, move: Move) -> None:
    """The log fails between the decision and its effect: the state is what it was, and the move can be made once it is back."""
    escalation = await about_to(desk, state, move)
    desk.journal.down = True

    with pytest.raises(AuditUnavailable):
        await make(desk, escalation, move)

    desk.journal.down = False
    assert await state_of(desk, escalation) is state
    await make(desk, escalation, move)
    assert await state_of(desk, escalation) is MOVES[state, move]


async def test_a_grant_taken_back_answers_nothing_and_says_why(desk: Desk) -> None:
    """The officer reads the reason, by the same query and by a redemption that was under way; later they may ask again."""
    approved = await in_state(desk, State.APPROVED)
    await desk.escalations.revoke(approved.id, SERGEANT, "the threat turned out to be none")

    with pytest.raises(EscalationRefused, match="took the approval back: the threat turned out to be none"):
        await desk.escalations.redeem(approved, "officer-1", "q")
    with pytest.raises(EscalationRefused, match="took the approval back"):
        await desk.escalations.current(asked(), "q")
    desk.pass_time(minutes=20)
    assert await desk.escalations.current(asked(), "q") is None


async def test_nobody_else_takes_a_grant_back(desk: Desk) -> None:
    """Another officer has nothing to take back; the grant stands."""
    approved = await in_state(desk, State.APPROVED)

    with pytest.raises(EscalationUnknown):
        await desk.escalations.revoke(approved.id, person("officer-2"), WHY)

    assert await state_of(desk, approved) is State.APPROVED
