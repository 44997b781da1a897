from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.escalation.lifecycle import Move
from tests.escalation.conftest import asked, person

if TYPE_CHECKING:
    from tests.escalation.conftest import Desk

SERGEANT = person("sergeant-9", "supervisor")


async def test_who_decides_sees_what_the_officer_asks_for_lately(desk: Desk) -> None:
    """How much, how much of it was refused, how often about the same person, and how many others asked about them."""
    refused = await desk.escalations.open(asked(case="1"), "q1")
    await desk.escalations.decide(refused.id, SERGEANT, Move.REFUSE, "no need is stated at all")
    agreed = await desk.escalations.open(asked(case="2", subjects=("entry-2",)), "q2")
    await desk.escalations.decide(agreed.id, SERGEANT, Move.APPROVE, "the case is theirs, and plain")
    await desk.escalations.open(asked(person="officer-2"), "q3")
    this = await desk.escalations.open(asked(case="3"), "q4")

    pattern = await desk.escalations.pattern(this)

    assert (pattern.asked, pattern.agreed, pattern.refused) == (2, 1, 1)
    assert (pattern.same_subject, pattern.same_subject_agreed, pattern.others) == (1, 0, 1)


async def test_what_was_long_ago_counts_no_more(desk: Desk) -> None:
    """Thirty days."""
    await desk.escalations.open(asked(case="1"), "q1")
    desk.pass_time(days=31)
    this = await desk.escalations.open(asked(case="2"), "q2")

    pattern = await desk.escalations.pattern(this)

    assert (pattern.asked, pattern.same_subject, pattern.others) == (0, 0, 0)


async def test_whom_it_is_about_is_recorded_before_it_is_told(desk: Desk) -> None:
    """Who looks, and why, with the entry ids as tokens."""
    this = await desk.escalations.open(asked(), "q1")

    await desk.escalations.reveal(this.id, SERGEANT, "two people of that name")

    event = desk.journal.events[-1]
    assert event.kind == "subject-revealed"
    assert event.sealed() == {"actor": "sergeant-9", "reason": "two people of that name"}
    assert ("subject", "entry-1") in list(event.parties())
