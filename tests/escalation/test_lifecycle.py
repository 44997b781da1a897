from __future__ import annotations

import asyncio
from itertools import product

import pytest

from proxy.audit.errors import AuditUnavailable
from proxy.escalation.events import Escalated, EscalationMove
from proxy.escalation.lifecycle import (
    MOVES,
    ApproverIneligible,
    BudgetSpent,
    Escalation,
    EscalationMoved,
    EscalationRefused,
    EscalationUnknown,
    GrantMismatch,
    GrantSpent,
    Move,
    ReasonMissing,
    State,
)
from proxy.registry.protection import Relation
from tests.escalation.conftest import Desk, asked, person

LEGAL = {
    ("pending", "approve"): "approved",
    ("pending", "refuse"): "refused",
    ("pending", "expire"): "expired",
    ("pending", "cancel"): "canceled",
    ("pending", "ask"): "pending",
    ("pending", "amend"): "pending",
    ("approved", "redeem"): "redeemed",
    ("approved", "expire"): "expired",
    ("approved", "cancel"): "canceled",
    ("approved", "revoke"): "revoked",
}


async def in_state(desk: Desk, state: State) -> Escalation:
    """Bring a new escalation into a state by legal moves only."""
    escalation = await desk.escalations.open(asked(), "q")
    supervisor, officer = person("sergeant", "supervisor"), person("officer-1")
    match state:
        case State.PENDING:
            return escalation
        case State.APPROVED | State.REDEEMED | State.REVOKED:
            approved = await desk.escalations.decide(escalation.id, supervisor, Move.APPROVE, "needed for the threat case")
            if state is State.REDEEMED:
                await desk.escalations.redeem(approved, officer.person, "q")
            if state is State.REVOKED:
                await desk.escalations.revoke(escalation.id, supervisor, "the threat turned out to be none")
        case State.REFUSED:
            await desk.escalations.decide(escalation.id, supervisor, Move.REFUSE, "not needed for this case")
        case State.CANCELED:
            await desk.escalations.cancel(escalation.id, officer)
        case State.EXPIRED:
            desk.pass_time(hours=1)
            await desk.escalations.sweep()
    return await desk.escalations.seen(escalation.id, officer)


def test_the_table_of_moves_is_this_and_nothing_else() -> None:
    """Every state and move was thought about: what is absent from the table is illegal."""
    table = {(str(state), str(move)): str(MOVES[state, move]) for state, move in product(State, Move) if (state, move) in MOVES}

    assert table == LEGAL


async def test_a_grant_answers_once_under_concurrency(desk: Desk) -> None:
    """200 parallel redemptions of one grant: one succeeds."""
    approved = await in_state(desk, State.APPROVED)

    results = await asyncio.gather(
        *(desk.escalations.redeem(approved, "officer-1", f"q{n}") for n in range(200)), return_exceptions=True
    )

    assert results.count(None) == 1
    assert all(result is None or isinstance(result, GrantSpent) for result in results)
    assert sum(isinstance(event, EscalationMove) and event.move == "redeem" for event in desk.journal.events) == 1


async def test_nobody_approves_their_own_query(desk: Desk) -> None:
    """A supervisor who asked needs another supervisor."""
    escalation = await desk.escalations.open(asked(person="sergeant", role="supervisor"), "q")

    with pytest.raises(ApproverIneligible):
        await desk.escalations.decide(escalation.id, person("sergeant", "supervisor"), Move.APPROVE, "because I say so")


@pytest.mark.parametrize(
    "relation", [Relation.SELF, Relation.HOUSEHOLD, Relation.FAMILY, Relation.FORMER_PARTNER, Relation.DISPUTE]
)
async def test_nobody_decides_about_themselves_or_their_own(desk: Desk, relation: Relation) -> None:
    """For the subject, their household, family and adversaries it does not even exist: that one is asked about is no news."""
    escalation = await in_state(desk, State.PENDING)
    sergeant = person("sergeant", "supervisor")
    assert [each.id for each in await desk.escalations.listed(sergeant, None)] == [escalation.id]

    desk.relations.close["sergeant"] = relation

    with pytest.raises(EscalationUnknown):
        await desk.escalations.decide(escalation.id, sergeant, Move.APPROVE, "a reason in words")
    with pytest.raises(EscalationUnknown):
        await desk.escalations.seen(escalation.id, sergeant)
    assert not await desk.escalations.listed(sergeant, None)
    lieutenant = person("lieutenant", "supervisor")
    assert (await desk.escalations.decide(escalation.id, lieutenant, Move.APPROVE, "a reason in words")).state is State.APPROVED


async def test_nobody_decides_about_whom_only_the_reply_names(desk: Desk) -> None:
    """A plate says nothing of the sergeant; the record that it led to does, and counts as much."""
    record = {"name": ["SERGEANT, ANN"], "dob": ["1980-01-01"]}
    escalation = await desk.escalations.open(asked(criteria={"plate": ["7ABC123"]}, records=(record,)), "q")
    desk.relations.close["sergeant"] = Relation.SELF
    desk.relations.only = "name"

    with pytest.raises(EscalationUnknown):
        await desk.escalations.decide(escalation.id, person("sergeant", "supervisor"), Move.APPROVE, "a reason in words")


async def test_only_a_role_that_approves_may_decide(desk: Desk) -> None:
    """A patrol officer cannot decide, not even about their own query, which they do see."""
    escalation = await in_state(desk, State.PENDING)

    with pytest.raises(ApproverIneligible):
        await desk.escalations.decide(escalation.id, person("officer-1"), Move.APPROVE, "a reason in words")


async def test_somebody_else_s_escalation_does_not_exist(desk: Desk) -> None:
    """Another officer, and a supervisor of another agency, get the answer for an unknown id."""
    escalation = await in_state(desk, State.PENDING)

    for stranger in (person("officer-2"), person("chief", "supervisor", "KS0870000")):
        with pytest.raises(EscalationUnknown) as theirs:
            await desk.escalations.seen(escalation.id, stranger)
        with pytest.raises(EscalationUnknown) as unknown:
            await desk.escalations.seen("no-such-id", stranger)
        assert theirs.value.detail == unknown.value.detail


@pytest.mark.parametrize("reason", ["", "   ", "ok", "x" * 1001])
async def test_a_decision_needs_its_reason_in_words(desk: Desk, reason: str) -> None:
    """An empty, tiny or endless reason is refused, and nothing moves."""
    escalation = await in_state(desk, State.PENDING)

    with pytest.raises(ReasonMissing):
        await desk.escalations.decide(escalation.id, person("sergeant", "supervisor"), Move.APPROVE, reason)

    assert (await desk.escalations.seen(escalation.id, person("officer-1"))).state is State.PENDING


async def test_an_approval_after_expiry_comes_too_late(desk: Desk) -> None:
    """A pending escalation past its deadline cannot be approved, swept or not."""
    escalation = await in_state(desk, State.PENDING)
    desk.pass_time(minutes=16)

    with pytest.raises(EscalationMoved):
        await desk.escalations.decide(escalation.id, person("sergeant", "supervisor"), Move.APPROVE, "a reason in words")


async def test_a_grant_lapses(desk: Desk) -> None:
    """An approved escalation that is not redeemed in time is no grant any more."""
    approved = await in_state(desk, State.APPROVED)
    desk.pass_time(minutes=11)

    assert await desk.escalations.current(asked(), "q") is None
    with pytest.raises(GrantSpent):
        await desk.escalations.redeem(approved, "officer-1", "q")


@pytest.mark.parametrize(
    "changed",
    [
        {"person": "officer-2"},
        {"case": "26-004218"},
        {"purpose": "F"},
        {"action": "person.search"},
        {"route": "archive-read"},
        {"criteria": {"person_id": ["100124"]}},
        {"criteria": {"person_id": ["100123"], "surname": ["doe"]}},
        {"role": "detective"},
    ],
)
async def test_a_grant_is_bound_to_the_very_query(desk: Desk, changed: dict[str, object]) -> None:
    """Another person, case, purpose, action, route or criterion finds no grant."""
    await in_state(desk, State.APPROVED)

    assert await desk.escalations.current(asked(**changed), "q") is None


@pytest.mark.parametrize(
    "changed",
    [
        {"policy_version": "abd"},
        {"statement": "the neighbors say that she is back in town"},
        {"subjects": ("entry-1", "entry-2")},
        {"fields": ("surname", "ssn")},
        {"relations": ("family",)},
    ],
)
async def test_a_grant_does_not_outlive_what_was_approved(desk: Desk, changed: dict[str, object]) -> None:
    """Under another policy or for other reasons, or when it would now concern somebody else too, the grant is gone."""
    await in_state(desk, State.APPROVED)

    with pytest.raises(GrantMismatch):
        await desk.escalations.current(asked(**changed), "q")
    assert await desk.escalations.current(asked(**changed), "q") is None


async def test_a_spent_or_refused_query_says_so_and_can_be_asked_anew_later(desk: Desk) -> None:
    """Right after redemption or refusal the same query is told what happened; later it may ask again."""
    await in_state(desk, State.REDEEMED)
    with pytest.raises(GrantSpent):
        await desk.escalations.current(asked(), "q")
    desk.pass_time(minutes=20)
    assert await desk.escalations.current(asked(), "q") is None

    await in_state(desk, State.REFUSED)
    with pytest.raises(EscalationRefused, match="not needed for this case"):
        await desk.escalations.current(asked(), "q")
    desk.pass_time(minutes=20)
    assert await desk.escalations.current(asked(), "q") is None


async def test_nothing_moves_unless_it_is_recorded(desk: Desk) -> None:
    """With the log down no escalation is opened and none is approved."""
    escalation = await in_state(desk, State.PENDING)
    desk.journal.down = True

    with pytest.raises(AuditUnavailable):
        await desk.escalations.decide(escalation.id, person("sergeant", "supervisor"), Move.APPROVE, "a reason in words")
    with pytest.raises(AuditUnavailable):
        await desk.escalations.open(asked(case="26-1"), "q")

    desk.journal.down = False
    assert (await desk.escalations.seen(escalation.id, person("officer-1"))).state is State.PENDING
    assert len(await desk.escalations.listed(person("officer-1"), None)) == 1


async def test_a_wait_ends_with_the_decision(desk: Desk) -> None:
    """Whoever waits is woken by the approval and sees it."""
    escalation = await in_state(desk, State.PENDING)
    waiting = asyncio.create_task(desk.escalations.wait(escalation, 30))

    await desk.escalations.decide(escalation.id, person("sergeant", "supervisor"), Move.APPROVE, "a reason in words")

    assert (await waiting).state is State.APPROVED


async def test_a_stop_ends_every_wait(desk: Desk) -> None:
    """Whoever waits, or would begin to, gets the escalation as it is: it can be asked for again elsewhere."""
    escalation = await in_state(desk, State.PENDING)
    waiting = [asyncio.create_task(desk.escalations.wait(escalation, 300)) for _ in range(3)]
    await asyncio.sleep(0)

    async with asyncio.timeout(5):
        await desk.escalations.end_waits()
        ended = await asyncio.gather(*waiting, desk.escalations.wait(escalation, 300))

    assert {each.state for each in ended} == {State.PENDING}


async def test_equal_queries_ask_one_supervisor_once(desk: Desk) -> None:
    """Two equal queries at once open one escalation."""
    first, second = await asyncio.gather(desk.escalations.open(asked(), "q1"), desk.escalations.open(asked(), "q2"))

    assert first.id == second.id
    assert sum(isinstance(event, Escalated) for event in desk.journal.events) == 1


async def test_a_person_cannot_flood_the_supervisors(desk: Desk) -> None:
    """The twenty-first pending escalation of one person is refused."""
    for number in range(20):
        await desk.escalations.open(asked(case=f"26-{number}"), "q")

    with pytest.raises(BudgetSpent):
        await desk.escalations.open(asked(case="26-999"), "q")


async def test_the_store_at_rest_does_not_say_what_was_asked(desk: Desk) -> None:
    """Neither criteria nor statement nor reason can be read in the file."""
    await in_state(desk, State.REFUSED)
    await desk.database.close()

    stored = b"".join(path.read_bytes() for path in desk.database.path.parent.iterdir())

    assert b"officer-1" in stored
    for secret in (b"100123", b"threats reported", b"not needed", b"26-004217"):
        assert secret not in stored


async def test_what_waits_is_measured(desk: Desk) -> None:
    """The gauges show how many wait and how old the oldest is."""
    await desk.escalations.open(asked(), "q")
    desk.pass_time(seconds=90)
    await desk.escalations.open(asked(case="26-2"), "q")

    await desk.escalations.sweep()

    assert desk.metrics.registry.get_sample_value("showcause_escalations_pending") == 2
    assert desk.metrics.registry.get_sample_value("showcause_escalation_oldest_seconds") == 90
