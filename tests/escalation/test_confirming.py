from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from sqlalchemy import text

from proxy.escalation.confirming import Confirmed, approval_of
from proxy.escalation.eligibility import Authority
from proxy.escalation.events import EscalationMove
from proxy.escalation.lifecycle import EscalationMoved, Move, State
from proxy.identity.evidence import prove
from proxy.identity.passkey_events import PasskeyRegistered
from proxy.identity.passkeys import StepUpFailed, StepUpRequired
from proxy.identity.stepup import Assurance
from proxy.policy.decision import Demand
from tests.escalation.conftest import Desk, asked, person, registered

if TYPE_CHECKING:
    from proxy.escalation.lifecycle import Asked, Escalation

BY = Authority(person="sergeant", agency="MO0950000", role="supervisor")
WHY = "the threat is on file"
SERGEANT = person("sergeant", "supervisor")


async def asked_to_confirm(desk: Desk, escalation: Escalation, why: str = WHY) -> Any:
    """Return the options with which an approval is asked for."""
    with pytest.raises(StepUpRequired) as required:
        await desk.escalations.decide(escalation.id, SERGEANT, Move.APPROVE, why)
    return required.value.extras["challenge"]


async def amend(desk: Desk, escalation: Escalation, changed: Asked) -> None:
    """Change what was asked, in the store, as an amendment does."""
    sealed = desk.escalations._store._sealed.seal(orjson.dumps(asdict(changed), default=sorted), escalation.id, "asked")
    async with desk.database.begin() as connection:
        await connection.execute(text("UPDATE escalations SET sealed = :sealed"), {"sealed": sealed})


async def test_an_approval_is_recorded_with_what_proves_it(desk: Desk) -> None:
    """The entry holds the method and the passkey in the open, the signature sealed; the two entries prove the approval."""
    authenticator = await registered(desk)
    escalation = await desk.escalations.open(asked(), "q")

    assertion = authenticator.get(await asked_to_confirm(desk, escalation))
    moved = await desk.escalations.decide(escalation.id, SERGEANT, Move.APPROVE, f"  {WHY}\n", assertion)

    assert moved.state is State.APPROVED
    (move,) = [event for event in desk.journal.events if isinstance(event, EscalationMove)]
    (registration,) = [event for event in desk.journal.events if isinstance(event, PasskeyRegistered)]
    assert move.facts()["assurance"] == {"method": "webauthn", "credential": registration.passkey.id, "user_verified": True}
    evidence: Any = orjson.loads(orjson.dumps(move.sealed()))["step_up"]
    proven = prove(evidence, registration.passkey.id, bytes.fromhex(str(registration.sealed()["public_key"])))
    content = orjson.loads(proven.thing.content)
    assert (content["escalation"], content["reason"], content["asked"]["statement"]) == (
        escalation.id, WHY, escalation.asked.statement,
    )  # fmt: skip


async def test_without_a_confirmation_nothing_moves(desk: Desk) -> None:
    """Who has a passkey is asked for it, also where a key suffices for others; no entry, no move."""
    await registered(desk)
    escalation = await desk.escalations.open(asked(), "q")
    before = len(desk.journal.events)

    await asked_to_confirm(desk, escalation)

    assert len(desk.journal.events) == before
    assert (await desk.escalations.seen(escalation.id, SERGEANT)).state is State.PENDING


async def test_a_key_alone_says_so_in_the_entry(desk: Desk) -> None:
    """In mode key, who has no passkey approves by the key, and every entry tells."""
    escalation = await desk.escalations.open(asked(), "q")

    await desk.escalations.decide(escalation.id, SERGEANT, Move.APPROVE, WHY)

    (move,) = [event for event in desk.journal.events if isinstance(event, EscalationMove)]
    assert move.facts()["assurance"] == {"method": "key", "credential": "key-sergeant", "user_verified": False}


async def test_a_refusal_needs_no_passkey(desk: Desk) -> None:
    """It lets nothing out, and must not wait for a lost key."""
    await registered(desk)
    escalation = await desk.escalations.open(asked(), "q")

    assert (await desk.escalations.decide(escalation.id, SERGEANT, Move.REFUSE, WHY)).state is State.REFUSED


@pytest.mark.parametrize(
    "change",
    [
        {"statement": "threats reported against the mayor's family, and now one at the door"},
        {"policy_version": "def"},
        {"criteria": {"person_id": ["100124"]}},
        {"subjects": ("entry-1", "entry-2")},
        {"demands": (Demand(quorum=2, roles=frozenset({"supervisor"})),)},
    ],
)
async def test_an_approval_signed_before_a_change_is_void(desk: Desk, change: dict[str, object]) -> None:
    """An amended statement, another policy, another person: what was signed was another approval."""
    authenticator = await registered(desk)
    escalation = await desk.escalations.open(asked(), "q")
    assertion = authenticator.get(await asked_to_confirm(desk, escalation))
    signed = Confirmed(approval_of(escalation, WHY, BY), Assurance("webauthn", "pk-1"))
    await amend(desk, escalation, asked(**change))

    with pytest.raises(StepUpFailed, match="not what this would do"):
        await desk.escalations.decide(escalation.id, SERGEANT, Move.APPROVE, WHY, assertion)
    with pytest.raises(EscalationMoved, match="changed while you confirmed"):
        await desk.escalations._moves.make(escalation, Move.APPROVE, actor="sergeant", by=BY, reason=WHY, confirmed=signed)


async def test_another_reason_or_escalation_is_another_approval(desk: Desk) -> None:
    """What was signed for one is not for the other, and not with other words."""
    authenticator = await registered(desk)
    one, other = [await desk.escalations.open(asked(case=case), "q") for case in ("26-004217", "26-004218")]
    assertion = authenticator.get(await asked_to_confirm(desk, one))

    for escalation, why in ((one, "somebody told me to"), (other, WHY)):
        with pytest.raises(StepUpFailed, match="not what this would do"):
            await desk.escalations.decide(escalation.id, SERGEANT, Move.APPROVE, why, assertion)


async def test_nobody_touches_a_key_for_what_cannot_be(desk: Desk) -> None:
    """What has expired, or was agreed to already, is told before a passkey is asked for."""
    await registered(desk)
    escalation = await desk.escalations.open(asked(), "q")
    desk.pass_time(hours=1)

    with pytest.raises(EscalationMoved):
        await desk.escalations.decide(escalation.id, SERGEANT, Move.APPROVE, WHY)
