"""Cancel against approve and redeem, at once and in two processes: one wins, and the log shows which."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from proxy.escalation.events import EscalationMove
from proxy.escalation.lifecycle import EscalationMoved, GrantSpent, Move, State
from proxy.escalation.words import EscalationAmended
from tests.escalation.conftest import asked, person

if TYPE_CHECKING:
    from tests.escalation.conftest import Desk

OFFICER, SERGEANT, LIEUTENANT = person("officer-1"), person("sergeant", "supervisor"), person("lieutenant", "supervisor")
WHY = "the threat is on file"


def moves(desk: Desk) -> list[tuple[str, str]]:
    """Return the moves in the log, each with where it led."""
    return [(event.move, event.to) for event in desk.journal.events if isinstance(event, EscalationMove)]


@pytest.mark.parametrize("turn", range(5))
async def test_a_grant_is_canceled_or_redeemed_and_never_both(desk: Desk, turn: int) -> None:
    """Of a cancel and twenty redemptions by two processes, one takes effect; what is in the log is what happened."""
    escalation = await desk.escalations.open(asked(case=f"26-{turn}"), "q")
    approved = await desk.escalations.decide(escalation.id, SERGEANT, Move.APPROVE, WHY)
    other = desk.again()

    redeeming = [room.redeem(approved, "officer-1", f"q{n}") for n in range(10) for room in (desk.escalations, other)]
    results = await asyncio.gather(*redeeming, other.cancel(escalation.id, OFFICER), return_exceptions=True)

    won = [result for result in results if not isinstance(result, BaseException)]
    assert len(won) == 1
    assert all(isinstance(result, EscalationMoved | GrantSpent) for result in results if isinstance(result, BaseException))
    state = (await desk.escalations.seen(escalation.id, OFFICER)).state
    assert state in {State.REDEEMED, State.CANCELED}
    assert moves(desk)[-1][1] == state


@pytest.mark.parametrize("turn", range(5))
async def test_a_query_that_is_taken_back_while_it_is_approved_answers_nothing(desk: Desk, turn: int) -> None:
    """Whichever comes first, it ends canceled, and nobody can redeem it."""
    escalation = await desk.escalations.open(asked(case=f"26-{turn}"), "q")
    other = desk.again()

    await asyncio.gather(
        desk.escalations.decide(escalation.id, SERGEANT, Move.APPROVE, WHY),
        other.cancel(escalation.id, OFFICER),
        return_exceptions=True,
    )

    found = await desk.escalations.seen(escalation.id, OFFICER)
    assert found.state is State.CANCELED
    assert moves(desk)[-1] == ("cancel", "canceled")
    with pytest.raises(GrantSpent):
        await desk.escalations.redeem(found, "officer-1", "q")


async def test_an_addition_in_one_process_and_an_approval_in_another(desk: Desk) -> None:
    """The compare-and-swap holds between processes too: nobody's approval is of words that they have not seen."""
    escalation = await desk.escalations.open(asked(), "q")
    await desk.escalations.decide(escalation.id, SERGEANT, Move.ASK, "which threat, and who reported it?")
    other = desk.again()

    results = await asyncio.gather(
        desk.escalations.decide(escalation.id, LIEUTENANT, Move.APPROVE, WHY),
        other.amend(escalation.id, OFFICER, "the neighbor reported a man with a rifle"),
        return_exceptions=True,
    )

    lost = [result for result in results if isinstance(result, BaseException)]
    assert len(lost) == 1
    assert isinstance(lost[0], EscalationAmended | EscalationMoved)
    found = await desk.escalations.seen(escalation.id, OFFICER)
    assert (found.state is State.APPROVED) != (len(found.words) == 2)
