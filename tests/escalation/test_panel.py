from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.escalation.delegation import DelegationInvalid, DelegationUnknown
from proxy.escalation.events import Escalated, EscalationMove
from proxy.escalation.lifecycle import ApproverIneligible, EscalationUnknown, GrantMismatch, Move, State
from proxy.escalation.panel_events import Delegated, DelegationEnded
from proxy.escalation.pattern import returned
from proxy.escalation.roster import Shift
from proxy.escalation.roster_store import RosterStore
from proxy.identity.credential import Holder
from proxy.policy.approvals import Approvals
from proxy.policy.decision import Demand, demanded, suffice
from proxy.registry.protection import Relation
from tests.escalation.conftest import Desk, asked, person

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from proxy.escalation.lifecycle import Escalation
    from proxy.escalation.service import Escalations
    from proxy.identity.principal import Principal

WHY = "the threat is on file"
OWN, OTHER = "MO0950000", "KS0870000"
ABOVE = ("sergeant", "lieutenant", "captain")
SHIFT = Demand(name="shift_supervisor", quorum=1, roles=frozenset({"supervisor"}), ranks=ABOVE)
DESK = Demand(name="oversight", quorum=1, roles=frozenset({"auditor"}), agency="any")
EITHER = Demand(name="either", quorum=1, roles=frozenset({"supervisor", "auditor"}), agency="any")


@dataclass
class Directory:
    """Who there is: credentials, ranks, and who is close to whom."""

    held: list[Holder] = field(default_factory=list)
    ranks: dict[str, str] = field(default_factory=dict)
    pairs: set[frozenset[str]] = field(default_factory=set)

    def holders(self, now: datetime) -> Iterable[Holder]:
        """Return everybody with a credential."""
        assert now.tzinfo is not None
        return list(self.held)

    def rank(self, person: str, agency: str) -> str:
        """Return a rank, which only one agency gives."""
        return self.ranks.get(person, "") if agency == OWN else ""

    def close(self, one: str, other: str) -> bool:
        """Tell whether two are close."""
        return frozenset({one, other}) in self.pairs


@dataclass
class Office:
    """The desk with people behind it."""

    desk: Desk
    directory: Directory
    escalations: Escalations

    def hire(self, name: str, role: str = "supervisor", rank: str = "", agency: str = OWN) -> Principal:
        """Give somebody a credential, and perhaps a rank."""
        self.directory.held.append(Holder(person=name, agency=agency, role=role, unit=None, terminal="desk-1"))
        if rank:
            self.directory.ranks[name] = rank
        return person(name, role, agency)

    async def open(self, *demands: Demand, **changes: object) -> Escalation:
        """Have officer-1 ask."""
        more = {"demands": demands} if demands else {}
        return await self.escalations.open(asked(**more, **changes), "q")

    async def approve(self, escalation: Escalation, who: Principal) -> State:
        """Have somebody agree, and return the state then."""
        return (await self.escalations.decide(escalation.id, who, Move.APPROVE, WHY)).state

    async def stand_in(self, delegator: Principal, delegate: str, days: float = 7) -> str:
        """Have somebody hand on their decisions from now on."""
        made = await self.escalations.delegations.add(delegator, delegate, self.desk.now, self.desk.now + timedelta(days=days))
        return made.id

    async def roster(self, *people: str) -> None:
        """Have these be on duty for eight hours from now on, and nobody else."""
        shifts = [Shift(person=name, starts_at=self.desk.now, ends_at=self.desk.now + timedelta(hours=8)) for name in people]
        async with self.desk.database.begin() as connection:
            await RosterStore(self.desk.database).replace(connection, shifts)


@pytest.fixture
def office(desk: Desk) -> Office:
    """Return the desk with an empty directory; two approvals of each other within thirty days are a pattern."""
    directory = Directory()
    escalations = desk.again(holders=directory, colleagues=directory, approvals=lambda: Approvals(each=2))
    return Office(desk, directory, escalations)


# --- stages ---


async def test_every_stage_is_filled_by_another_person(office: Office) -> None:
    """The shift supervisor alone, or two of them, is not the oversight desk, whichever of them comes first."""
    sergeant, lieutenant = office.hire("sergeant", rank="sergeant"), office.hire("lieutenant", rank="lieutenant")
    auditor = office.hire("auditor", "auditor")
    escalation = await office.open(SHIFT, DESK)

    assert await office.approve(escalation, sergeant) is State.PENDING
    assert await office.approve(escalation, lieutenant) is State.PENDING
    assert await office.approve(escalation, auditor) is State.APPROVED


async def test_one_human_with_two_roles_fills_one_seat(office: Office) -> None:
    """A sergeant who also holds the auditor's credential is one person: the second seat stays empty."""
    sergeant, as_auditor = office.hire("sergeant", rank="sergeant"), office.hire("sergeant", "auditor")
    escalation = await office.open(SHIFT, DESK)

    assert await office.approve(escalation, sergeant) is State.PENDING
    with pytest.raises(ApproverIneligible, match="agreed already"):
        await office.approve(escalation, as_auditor)


async def test_who_fits_two_stages_is_not_counted_for_both_nor_wasted_on_the_wrong_one(office: Office) -> None:
    """An auditor who fits either stage sits where the others leave a seat, in whichever order they agree."""
    auditor, second = office.hire("auditor", "auditor"), office.hire("sergeant", rank="sergeant")
    first = await office.open(EITHER, DESK)
    assert await office.approve(first, auditor) is State.PENDING
    assert await office.approve(first, second) is State.APPROVED

    other_way = await office.open(EITHER, DESK, case="26-2")
    assert await office.approve(other_way, second) is State.PENDING
    assert await office.approve(other_way, auditor) is State.APPROVED


async def test_a_rank_is_the_directory_s_and_counts_for_the_stage_only(office: Office) -> None:
    """A supervisor whose rank is too low, or not known there, or another agency's, decides nothing."""
    escalation = await office.open(SHIFT)
    for who in (
        office.hire("corporal", rank="corporal"),
        office.hire("unknown"),
        office.hire("captain-elsewhere", rank="captain", agency=OTHER),
    ):
        with pytest.raises(EscalationUnknown):
            await office.approve(escalation, who)

    assert await office.approve(escalation, office.hire("lieutenant", rank="lieutenant")) is State.APPROVED


async def test_a_stage_of_any_agency_is_filled_from_elsewhere_and_no_other_is(office: Office) -> None:
    """The state's auditor sees and agrees to what asks for any agency; a supervisor from elsewhere sees nothing."""
    escalation = await office.open(SHIFT, DESK)
    auditor, chief = office.hire("state-auditor", "auditor", agency=OTHER), office.hire("chief", "supervisor", agency=OTHER)

    assert [each.id for each in await office.escalations.listed(auditor, None)] == [escalation.id]
    assert await office.approve(escalation, auditor) is State.PENDING
    assert await office.escalations.listed(chief, None) == []


async def test_who_was_demoted_between_two_looks_decides_no_more(office: Office) -> None:
    """The rank is that of the moment of the decision."""
    sergeant = office.hire("sergeant", rank="sergeant")
    escalation = await office.open(SHIFT)
    await office.escalations.may_decide(escalation, sergeant)
    office.directory.ranks["sergeant"] = "officer"

    with pytest.raises(EscalationUnknown):
        await office.approve(escalation, sergeant)


def test_fewer_people_never_suffice_for_more() -> None:
    """Two stages that one person could fill each are not met by one of them; a narrower stage meets a wider one."""
    assert not suffice([SHIFT], [SHIFT, EITHER])
    assert suffice([SHIFT, DESK], [SHIFT, EITHER])
    assert not suffice([EITHER], [SHIFT])
    assert demanded([SHIFT, SHIFT, Demand(quorum=1, roles=frozenset({"supervisor"}))]) == (SHIFT,)


# --- never ---


@pytest.mark.parametrize("role", ["supervisor", "auditor", "steward", "records", "administrator"])
async def test_no_role_is_excepted_from_the_ban_on_one_s_own(office: Office, role: str) -> None:
    """Whoever asked does not decide, whatever role they come with and whatever the stage admits."""
    everybody = Demand(quorum=1, roles=frozenset({role}))
    escalation = await office.open(everybody, person="chief", role=role)

    with pytest.raises(ApproverIneligible, match="own query"):
        await office.approve(escalation, office.hire("chief", role))


async def test_nobody_decides_on_who_stands_in_for_them_or_for_whom_they_do(office: Office) -> None:
    """The requester's delegate does not, nor the one whose delegate the requester is, nor after ending it meanwhile."""
    chief, sergeant = office.hire("chief"), office.hire("sergeant")
    delegation = await office.stand_in(chief, "sergeant")
    by_chief = await office.open(person="chief", role="supervisor")
    by_sergeant = await office.open(person="sergeant", role="supervisor")

    for _ in range(2):
        with pytest.raises(ApproverIneligible, match="stands in"):
            await office.approve(by_chief, sergeant)
        with pytest.raises(ApproverIneligible, match="stands in"):
            await office.approve(by_sergeant, chief)
        office.desk.pass_time(minutes=1)
        if _ == 0:
            await office.escalations.delegations.end(delegation, sergeant)


async def test_nobody_decides_on_whom_they_are_close_to(office: Office) -> None:
    """A member of the requester's household does not decide, however high."""
    wife = office.hire("chief", rank="chief")
    office.directory.pairs.add(frozenset({"chief", "officer-1"}))
    escalation = await office.open()

    with pytest.raises(ApproverIneligible, match="close to the one who asked"):
        await office.approve(escalation, wife)


@pytest.mark.parametrize(
    "said", [{"requestor": "Sergeant"}, {"recipient": " sergeant"}, {"requestor": "SERGEANT", "recipient": "unit 3"}]
)
async def test_nobody_decides_on_what_is_asked_for_them(office: Office, said: dict[str, str]) -> None:
    """On whose behalf somebody asks, or who will be given the answer, does not decide; nor does who stands in for them."""
    sergeant, clerk, chief = office.hire("sergeant"), office.hire("clerk", "records"), office.hire("chief")
    await office.stand_in(sergeant, "clerk")
    escalation = await office.open(**said)

    for each in (sergeant, clerk):
        with pytest.raises(ApproverIneligible):
            await office.approve(escalation, each)
    assert [each.person for each in await office.escalations.deciders(escalation)] == ["chief"]
    assert await office.approve(escalation, chief) is State.APPROVED


async def test_an_officer_does_not_choose_who_decides_by_naming_the_others(office: Office) -> None:
    """A list of names is nobody's: else whoever is strict would be a recipient, and the friend would be left."""
    office.hire("friend")
    strict = office.hire("sergeant")
    escalation = await office.open(recipient="sergeant, lieutenant, chief")

    assert await office.approve(escalation, strict) is State.APPROVED


async def test_an_approval_is_for_whom_it_was_asked(office: Office) -> None:
    """Who agreed is not named afterwards as the one who will be given the answer."""
    escalation = await office.open()
    await office.approve(escalation, office.hire("sergeant"))

    with pytest.raises(GrantMismatch):
        await office.escalations.current(asked(recipient="sergeant"), "q")


async def test_nobody_who_stands_in_decides_what_the_other_could_not(office: Office) -> None:
    """Neither the subject's own people nor the requester's decide by sending somebody else."""
    uncle, lieutenant = office.hire("uncle", rank="sergeant"), office.hire("clerk", "records")
    await office.stand_in(uncle, "clerk")
    office.desk.relations.close["uncle"] = Relation.FAMILY
    with pytest.raises(EscalationUnknown):
        await office.approve(await office.open(SHIFT), lieutenant)

    office.desk.relations.close.clear()
    office.directory.pairs.add(frozenset({"uncle", "officer-1"}))
    with pytest.raises(ApproverIneligible, match="close to the one who asked"):
        await office.approve(await office.open(SHIFT, case="26-2"), lieutenant)


async def test_who_approve_each_other_do_so_no_more(office: Office) -> None:
    """Two approvals each way within the time are a pattern: neither decides on the other, until it has passed; others do."""
    one, other, third = office.hire("sergeant-1"), office.hire("sergeant-2"), office.hire("sergeant-3")
    for number in range(2):
        by_one = await office.open(person="sergeant-1", role="supervisor", case=f"26-{number}")
        assert await office.approve(by_one, other) is State.APPROVED
        by_other = await office.open(person="sergeant-2", role="supervisor", case=f"26-{number}")
        assert await office.approve(by_other, one) is State.APPROVED

    third_time = await office.open(person="sergeant-1", role="supervisor", case="26-9")
    with pytest.raises(ApproverIneligible, match="one another's queries"):
        await office.approve(third_time, other)
    assert await office.approve(third_time, third) is State.APPROVED

    office.desk.pass_time(days=31)
    later = await office.open(person="sergeant-1", role="supervisor", case="26-10")
    assert await office.approve(later, other) is State.APPROVED


async def test_approving_one_way_is_no_pattern(office: Office) -> None:
    """A sergeant who approves what an officer asks, again and again, goes on doing so."""
    sergeant = office.hire("sergeant")

    for number in range(5):
        assert await office.approve(await office.open(case=f"26-{number}"), sergeant) is State.APPROVED


# --- delegation ---


async def test_a_delegate_decides_with_the_other_s_role_and_rank_and_the_log_has_both_names(office: Office) -> None:
    """From the first day to the last, and neither before nor after."""
    lieutenant, clerk = office.hire("lieutenant", rank="lieutenant"), office.hire("clerk", "records")
    escalation = await office.open(SHIFT)
    with pytest.raises(EscalationUnknown):
        await office.approve(escalation, clerk)
    await office.stand_in(lieutenant, "clerk", days=1)

    assert await office.approve(escalation, clerk) is State.APPROVED

    move = office.desk.journal.events[-1]
    assert isinstance(move, EscalationMove)
    assert (move.actor, move.on_behalf_of, move.role, move.rank) == ("clerk", "lieutenant", "supervisor", "lieutenant")
    assert {party.value for party in move.parties()} >= {"clerk", "lieutenant"}
    assert move.sealed()["on_behalf_of"] == "lieutenant"
    office.desk.pass_time(days=2)
    with pytest.raises(EscalationUnknown):
        await office.approve(await office.open(SHIFT, case="26-2"), clerk)


async def test_two_who_decide_by_one_authority_are_one(office: Office) -> None:
    """The lieutenant and who stands in for the lieutenant fill one seat of two."""
    lieutenant, clerk = office.hire("lieutenant"), office.hire("clerk", "records")
    await office.stand_in(lieutenant, "clerk")
    escalation = await office.open(Demand(quorum=2, roles=frozenset({"supervisor"})))

    assert await office.approve(escalation, clerk) is State.PENDING
    with pytest.raises(ApproverIneligible, match="agreed already"):
        await office.approve(escalation, lieutenant)


async def test_what_was_handed_on_is_not_handed_on_again(office: Office) -> None:
    """Nobody makes a chain, from either end; and who stands in for one who stands in decides nothing by it."""
    first, second, third = (office.hire(name) for name in ("first", "second", "third"))
    await office.stand_in(first, "second")

    with pytest.raises(DelegationInvalid, match="not handed on again"):
        await office.stand_in(second, "third")
    with pytest.raises(DelegationInvalid, match="go to nobody"):
        await office.stand_in(third, "first")
    office.desk.pass_time(days=8)
    assert await office.stand_in(second, "third")


@pytest.mark.parametrize(
    ("delegate", "days"), [("lieutenant", 1), ("nobody-here", 1), ("clerk", 0), ("clerk", -1), ("clerk", 32)]
)
async def test_nobody_stands_in_for_themselves_nor_for_ever(office: Office, delegate: str, days: float) -> None:
    """Oneself, somebody unknown, no time, and more than a month are refused, and leave no entry."""
    lieutenant = office.hire("lieutenant")
    office.hire("clerk", "records")

    with pytest.raises(DelegationInvalid):
        await office.stand_in(lieutenant, delegate, days)
    assert office.desk.journal.events == []


async def test_an_officer_has_nothing_to_hand_on(office: Office) -> None:
    """Else an officer could name a strict sergeant their delegate, and be rid of them."""
    office.hire("sergeant")

    with pytest.raises(DelegationInvalid, match="nothing to hand on"):
        await office.stand_in(office.hire("officer-1", "patrol"), "sergeant")


async def test_a_delegation_lasts_no_longer_than_what_was_delegated(office: Office) -> None:
    """Whoever is no supervisor any more has nobody decide in their place."""
    lieutenant, clerk = office.hire("lieutenant"), office.hire("clerk", "records")
    await office.stand_in(lieutenant, "clerk")
    office.directory.held.pop(0)

    with pytest.raises(EscalationUnknown):
        await office.approve(await office.open(), clerk)


async def test_a_delegation_is_in_the_log_before_it_holds_and_before_it_ends(office: Office) -> None:
    """With the log down nobody stands in for anybody, and nobody stops; a stranger ends nothing."""
    lieutenant, clerk = office.hire("lieutenant"), office.hire("clerk", "records")
    journal, delegations = office.desk.journal, office.escalations.delegations
    journal.down = True
    with pytest.raises(Exception, match="not available"):
        await office.stand_in(lieutenant, "clerk")
    assert await delegations.listed(clerk) == []

    journal.down = False
    made = await office.stand_in(lieutenant, "clerk")
    journal.down = True
    with pytest.raises(Exception, match="not available"):
        await delegations.end(made, clerk)
    assert [each.id for each in await delegations.listed(clerk)] == [made]

    journal.down = False
    with pytest.raises(DelegationUnknown):
        await delegations.end(made, office.hire("stranger"))
    await delegations.end(made, clerk)
    assert await delegations.listed(clerk) == []
    assert [type(event) for event in journal.events] == [Delegated, DelegationEnded]


# --- on duty ---


async def test_who_may_decide_is_shown_who_is_there_first(office: Office) -> None:
    """With role and rank, without those who never may; nobody knows who is on duty until there is a roster."""
    office.hire("sergeant-1", rank="sergeant"), office.hire("sergeant-2", rank="sergeant"), office.hire("wife", rank="captain")
    office.directory.pairs.add(frozenset({"wife", "officer-1"}))
    escalation = await office.open(SHIFT)
    assert [each.on_duty for each in await office.escalations.deciders(escalation)] == [None, None]

    await office.roster("sergeant-2")

    found = await office.escalations.deciders(escalation)
    assert [(each.person, each.role, each.rank, each.on_duty) for each in found] == [
        ("sergeant-2", "supervisor", "sergeant", True),
        ("sergeant-1", "supervisor", "sergeant", False),
    ]
    assert await office.escalations.told(escalation) == {
        "deciders": {"roles": ("supervisor",), "persons": 2, "on_duty": 1},
    }


async def test_where_nobody_on_duty_can_decide_the_entry_owes_a_page(office: Office) -> None:
    """Policy names who is paged; one of two stages without anybody is as bad as both."""
    office.hire("sergeant", rank="sergeant"), office.hire("auditor", "auditor")
    await office.roster("sergeant", "somebody-else")

    escalation = await office.open(SHIFT, DESK)
    answered = await office.open(SHIFT, case="26-2")

    owed = {
        event.escalation.id: event.facts().get("owed") for event in office.desk.journal.events if isinstance(event, Escalated)
    }
    assert owed == {
        escalation.id: ({"duty": "notice", "role": "supervisor", "why": "nobody-on-duty", "within": 900},),
        answered.id: None,
    }


async def test_without_a_roster_nobody_is_said_to_be_away(office: Office) -> None:
    """No page is owed, since nobody could tell whether anybody is there."""
    await office.open()

    [event] = office.desk.journal.events
    assert "owed" not in event.facts()


async def test_the_requester_is_not_told_whose_cause_it_is(office: Office) -> None:
    """That a sergeant is missing from the number would say who the subject is: so the sergeant is counted."""
    office.hire("sergeant-1"), office.hire("sergeant-2")
    office.desk.relations.close["sergeant-1"] = Relation.FORMER_PARTNER
    escalation = await office.open()

    assert (await office.escalations.told(escalation))["deciders"] == {"roles": ("supervisor",), "persons": 2, "on_duty": None}
    assert [each.person for each in await office.escalations.deciders(escalation)] == ["sergeant-2"]


# --- taking back ---


async def test_the_oversight_desk_takes_back_what_it_could_not_give(office: Office) -> None:
    """The auditor revokes a grant, and sees nothing that is pending."""
    sergeant, auditor = office.hire("sergeant"), office.hire("auditor", "auditor")
    pending = await office.open(case="26-2")
    escalation = await office.open()
    await office.approve(escalation, sergeant)
    assert [each.id for each in await office.escalations.listed(auditor, None)] == [escalation.id]

    with pytest.raises(EscalationUnknown):
        await office.escalations.revoke(pending.id, auditor, WHY)
    assert (await office.escalations.revoke(escalation.id, auditor, WHY)).state is State.REVOKED


async def approve_often(office: Office, approver: Principal, asker: str, case: str) -> None:
    """Have somebody approve two of somebody's queries."""
    for number in range(2):
        escalation = await office.open(person=asker, role="supervisor", case=f"{case}-{number}")
        assert await office.approve(escalation, approver) is State.APPROVED


@pytest.mark.parametrize(("ring", "hindered"), [(2, False), (3, True)])
async def test_a_ring_of_three_is_broken_where_policy_looks_for_one(office: Office, *, ring: int, hindered: bool) -> None:
    """A for B, B for C, C for A, twice each: whoever closes the ring decides no more; somebody outside it does."""
    office.escalations = office.desk.again(
        holders=office.directory, colleagues=office.directory, approvals=lambda: Approvals(each=2, ring=ring)
    )
    first, second, third = (office.hire(name) for name in ("first", "second", "third"))
    outside = office.hire("outside")
    await approve_often(office, first, "second", "a")
    await approve_often(office, second, "third", "b")
    await approve_often(office, third, "first", "c")

    for asker, approver in (("first", third), ("second", first), ("third", second)):
        last = await office.open(person=asker, role="supervisor", case=f"last-{asker}")
        if hindered:
            with pytest.raises(ApproverIneligible, match="too many"):
                await office.approve(last, approver)
            assert await office.approve(last, outside) is State.APPROVED
        else:
            assert await office.approve(last, approver) is State.APPROVED

    office.desk.pass_time(days=31)
    later = await office.open(person="first", role="supervisor", case="later")
    assert await office.approve(later, third) is State.APPROVED


async def test_three_in_a_row_are_no_ring(office: Office) -> None:
    """A for B and B for C binds nobody: C approves nothing of A's."""
    office.escalations = office.desk.again(
        holders=office.directory, colleagues=office.directory, approvals=lambda: Approvals(each=2, ring=5)
    )
    first, second = office.hire("first"), office.hire("second")
    await approve_often(office, first, "second", "a")
    await approve_often(office, second, "third", "b")

    assert await office.approve(await office.open(person="second", role="supervisor", case="x"), first) is State.APPROVED
    assert await office.approve(await office.open(person="third", role="supervisor", case="y"), second) is State.APPROVED


@given(st.sets(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef"))), st.integers(2, 5))
def test_whoever_is_found_stands_in_a_ring_that_small(pairs: set[tuple[str, str]], ring: int) -> None:
    """By trying every way round; and a larger ring never finds fewer."""
    found = returned("a", pairs, ring)

    for each in "bcdef":
        closes = (each, "a") in pairs and any(each in trail for trail in trails(pairs, "a", ring - 1))
        assert (each in found) == closes
    assert found <= returned("a", pairs, ring + 1)


def trails(pairs: set[tuple[str, str]], start: str, steps: int) -> list[list[str]]:
    """Return every way of so many steps at most, nobody met twice."""
    found: list[list[str]] = [[start]]
    for _ in range(steps):
        found += [
            [*trail, asked] for trail in found for approver, asked in pairs if approver == trail[-1] and asked not in trail
        ]
    return found
