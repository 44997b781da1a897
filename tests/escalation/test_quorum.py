from __future__ import annotations

import asyncio

import pytest

from proxy.audit.errors import AuditUnavailable
from proxy.escalation.events import EscalationMove
from proxy.escalation.lifecycle import (
    ApproverIneligible,
    EscalationMoved,
    EscalationUnknown,
    GrantMismatch,
    Move,
    State,
)
from proxy.escalation.views import supervisor_view, view
from proxy.policy.decision import Demand, demanded
from proxy.registry.protection import Relation
from tests.escalation.conftest import Desk, asked, person

WHY = "the threat is on file"
TWO = Demand(quorum=2, roles=frozenset({"supervisor"}))
ONE = Demand(quorum=1, roles=frozenset({"supervisor"}))
COUNSEL = Demand(quorum=1, roles=frozenset({"records", "handler"}))


async def opened(desk: Desk, *demands: Demand) -> str:
    """Have officer-1 ask what these have to agree to."""
    return (await desk.escalations.open(asked(demands=demands), "q")).id


async def agree(desk: Desk, escalation: str, name: str, role: str = "supervisor") -> State:
    """Have somebody agree, and return the state then."""
    return (await desk.escalations.decide(escalation, person(name, role), Move.APPROVE, WHY)).state


async def test_it_is_approved_once_the_last_of_a_quorum_agrees(desk: Desk) -> None:
    """Two of two: the first leaves it pending, the second approves it, and each is in the log before it counts."""
    escalation = await opened(desk, TWO)

    assert await agree(desk, escalation, "sergeant") is State.PENDING
    assert await desk.escalations.current(asked(demands=(TWO,)), "q") is not None
    desk.pass_time(seconds=1)
    assert await agree(desk, escalation, "lieutenant") is State.APPROVED

    moves = [event for event in desk.journal.events if isinstance(event, EscalationMove)]
    assert [(event.to, event.approvals, event.actor) for event in moves] == [
        ("pending", 1, "sergeant"),
        ("approved", 2, "lieutenant"),
    ]
    found = await desk.escalations.current(asked(demands=(TWO,)), "q")
    assert found is not None
    assert [(each.person, each.role, each.reason) for each in found.approvals] == [
        ("sergeant", "supervisor", WHY),
        ("lieutenant", "supervisor", WHY),
    ]


async def test_one_person_agrees_once(desk: Desk) -> None:
    """The same supervisor again does not make a second, not under another role either; nothing is recorded of it."""
    escalation = await opened(desk, Demand(quorum=2, roles=frozenset({"supervisor", "records"})))
    await agree(desk, escalation, "sergeant")
    before = len(desk.journal.events)

    for role in ("supervisor", "records"):
        with pytest.raises(ApproverIneligible):
            await agree(desk, escalation, "sergeant", role)

    assert len(desk.journal.events) == before


async def test_every_demand_has_to_be_met(desk: Desk) -> None:
    """Two supervisors are not a supervisor and counsel; whoever's role no demand names is not asked."""
    escalation = await opened(desk, ONE, COUNSEL)

    assert await agree(desk, escalation, "sergeant") is State.PENDING
    assert await agree(desk, escalation, "lieutenant") is State.PENDING
    with pytest.raises(EscalationUnknown):
        await agree(desk, escalation, "detective-1", "detective")
    assert await agree(desk, escalation, "clerk", "records") is State.APPROVED


async def test_who_may_agree_is_shown_it_and_nobody_else(desk: Desk) -> None:
    """The records desk sees what its word is needed for; where it is not asked, there is nothing."""
    theirs, other = await opened(desk, COUNSEL), (await desk.escalations.open(asked(case="26-2"), "q")).id
    clerk, sergeant = person("clerk", "records"), person("sergeant", "supervisor")

    assert [each.id for each in await desk.escalations.listed(clerk, None)] == [theirs]
    assert [each.id for each in await desk.escalations.listed(sergeant, None)] == [other]


async def test_of_a_quorum_nobody_asks_for_themselves_or_their_own(desk: Desk) -> None:
    """The requester is none of them, nor who is close to the subject."""
    escalation = await opened(desk, Demand(quorum=2, roles=frozenset({"supervisor", "patrol"})))
    desk.relations.close["uncle"] = Relation.FAMILY

    with pytest.raises(ApproverIneligible):
        await agree(desk, escalation, "officer-1", "patrol")
    with pytest.raises(EscalationUnknown):
        await agree(desk, escalation, "uncle")


async def test_one_refusal_is_enough(desk: Desk) -> None:
    """Whoever of them refuses ends it, whatever the others said."""
    escalation = await opened(desk, TWO)
    await agree(desk, escalation, "sergeant")

    refused = await desk.escalations.decide(escalation, person("lieutenant", "supervisor"), Move.REFUSE, "not for this case")

    assert (refused.state, refused.reason, refused.decided_by) == (State.REFUSED, "not for this case", "lieutenant")
    with pytest.raises(EscalationMoved):
        await agree(desk, escalation, "captain")


async def test_half_a_quorum_expires(desk: Desk) -> None:
    """What one agreed to is not approved by the passing of time."""
    escalation = await opened(desk, TWO)
    await agree(desk, escalation, "sergeant")
    desk.pass_time(minutes=16)

    with pytest.raises(EscalationMoved):
        await agree(desk, escalation, "lieutenant")
    await desk.escalations.sweep()
    assert (await desk.escalations.seen(escalation, person("officer-1"))).state is State.EXPIRED


async def test_nobody_s_word_counts_unless_it_is_recorded(desk: Desk) -> None:
    """With the log down the first of two has not agreed."""
    escalation = await opened(desk, TWO)
    desk.journal.down = True
    with pytest.raises(AuditUnavailable):
        await agree(desk, escalation, "sergeant")
    desk.journal.down = False

    assert await agree(desk, escalation, "lieutenant") is State.PENDING


async def test_many_at_once_are_each_counted_once(desk: Desk) -> None:
    """Of twenty who agree to two of two at one time, two are counted and eighteen come too late."""
    escalation = await opened(desk, TWO)

    results = await asyncio.gather(
        *(agree(desk, escalation, f"sergeant-{number}") for number in range(20)), return_exceptions=True
    )

    assert results.count(State.PENDING) == 1
    assert results.count(State.APPROVED) == 1
    assert sum(isinstance(result, EscalationMoved) for result in results) == 18


async def test_a_grant_covers_no_more_than_was_agreed_to(desk: Desk) -> None:
    """One supervisor's word is none for what two have to agree to; two's is enough for one."""
    escalation = await opened(desk, ONE)
    await agree(desk, escalation, "sergeant")
    with pytest.raises(GrantMismatch):
        await desk.escalations.current(asked(demands=(TWO,)), "q")

    escalation = await opened(desk, TWO)
    await agree(desk, escalation, "sergeant")
    await agree(desk, escalation, "lieutenant")
    assert await desk.escalations.current(asked(demands=(ONE,)), "q") is not None


async def test_without_a_demand_nobody_can_approve(desk: Desk) -> None:
    """An escalation that says of nobody that they may decide is nobody's to decide."""
    escalation = await opened(desk)

    with pytest.raises(EscalationUnknown):
        await agree(desk, escalation, "sergeant")


async def test_the_one_who_asked_is_not_told_how_many_have_to_agree(desk: Desk) -> None:
    """It would say what the subject is; those who decide see who is missing."""
    escalation = await opened(desk, TWO)
    await agree(desk, escalation, "sergeant")
    found = await desk.escalations.seen(escalation, person("officer-1"))

    assert set(view(found, desk.now)) == {"id", "href", "state", "created_at", "expires_at"}
    shown = supervisor_view(found, desk.now)
    assert shown["demands"] == ({"quorum": 2, "roles": ("supervisor",)},)
    assert shown["approvals"] == [{"person": "sergeant", "role": "supervisor", "reason": WHY}]


def test_of_two_demands_for_the_same_roles_the_larger_holds() -> None:
    """Those for other roles stand beside it."""
    assert demanded([ONE, COUNSEL, TWO, ONE]) == (COUNSEL, TWO)
