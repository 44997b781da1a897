from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from proxy.registry.changes import Less, pack_proposal, unpack_proposal
from proxy.registry.lines import LineRefused
from proxy.registry.person import EntryUnknown
from proxy.registry.stewards import ProposalUnfit, ProposalUnknown, StewardIneligible, Stewards
from proxy.registry.store import RegistryUnreadable
from proxy.registry.wishes import Wish
from tests.registry.conftest import AGENCY, CATEGORIES, CLASSES, KEY, MAYOR, Office

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.audit.event import Event
    from proxy.registry.person import Entry
    from proxy.registry.stewards import Changed

FIRST, SECOND = "login:first", "login:second"
JO = {"given_name": "Jo", "surname": "Doe", "dob": "1990-05-05", "category": "victim", "basis": "order", "person_id": "7"}


@dataclass
class Journal:
    """An outbox that keeps what it is given."""

    events: list[Event] = field(default_factory=list)

    async def put(self, _connection: object, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)

    def kinds(self) -> list[str]:
        """Return what kinds of events there were."""
        return [event.kind for event in self.events]


@pytest.fixture
def journal(office: Office) -> Journal:
    """Return what the stewards of the office put into the log."""
    journal = Journal()
    office.stewards = Stewards(office.registry, office.database, KEY, lambda: office.now, outbox=journal)  # type: ignore[arg-type]
    return journal


async def enrolled(office: Office, **more: Any) -> str:
    """Enroll the mayor, and return the entry's id."""
    await office.enroll({**MAYOR, **more})
    return next(entry.id for entry in await office.registry.entries() if "100123" in entry.identifiers.person_ids)


async def change(office: Office, entry: str, by: str = FIRST, **wish: Any) -> Changed:
    """Wish for something, and let the registry load what became of it."""
    wanted: Callable[[Entry], Entry] = partial(
        Wish(**wish).of, categories=CATEGORIES, classes=CLASSES, now=office.now
    )  # fmt: skip
    changed = await office.stewards.change(entry, wanted, by=by, reason="as the order says")
    await office.registry.refresh()
    return changed


@pytest.mark.parametrize(
    ("wish", "gained"),
    [
        ({"expires": "2028-12-31"}, "expires"),
        ({"expires": "never"}, "expires"),
        ({"review": "2027-06-30"}, "review"),
        ({"basis": "order 12"}, "basis"),
        ({"mask": ("home_address",)}, "fields"),
        ({"add": {"phone": "202-555-0199"}}, "phones"),
        ({"add": {"alias": "Ellie Marsh"}}, "aliases"),
        ({"add": {"street": "7 Oak Ave", "city": "Springfield"}}, "homes"),
        ({"add": {"surname": "Marsh"}}, "surname"),
    ],
)
async def test_more_protection_takes_effect_at_once(
    office: Office, journal: Journal, wish: dict[str, Any], gained: str
) -> None:
    """One steward is enough to protect more, and the log says what kind of thing it was."""
    entry = await enrolled(office, expires="2027-12-31")

    changed = await change(office, entry, **wish)

    assert gained in changed.gained
    assert changed.proposal is None
    assert journal.kinds() == ["registry-changed"]
    assert journal.events[0].facts()["entry"] == entry
    assert (await office.registry.entries())[0] == changed.entry
    assert await office.stewards.proposals() == []


ELM = {"street": "12 ELM STREET", "unit": "apt 3b", "city": "Springfield", "state": "NY", "postal_code": "12345"}
LESSENING: list[tuple[dict[str, Any], str]] = [
    ({"expires": "2027-01-31"}, "expires"),
    ({"category": "judicial"}, "category"),
    ({"category": "none"}, "category"),
    ({"household": "none"}, "household"),
    ({"household": "H2"}, "household"),
    ({"unmask": ("phone",)}, "fields"),
    ({"drop": {"phone": "2125550101"}}, "phones"),
    ({"drop": {"ssn": "518224471"}}, "ssns"),
    ({"drop": {"surname": "WHITCOMBE"}}, "surname"),
    ({"drop": ELM}, "homes"),
    ({"drop": {"dob": "1961-03-09"}, "add": {"dob": "1961-09-03"}}, "dob"),
    ({"add": {"dob": "1961-09-03"}}, "dob"),
    ({"add": {"suffix": "Jr"}}, "suffix"),
]  # fmt: skip


@pytest.mark.parametrize(("wish", "what"), LESSENING)
async def test_less_protection_waits_for_a_second_steward(
    office: Office, journal: Journal, wish: dict[str, Any], what: str
) -> None:
    """Nothing that lessens happens by one steward, and all of it by two; each step is in the log."""
    entry = await enrolled(office, fields=["phone"])
    (before,) = await office.registry.entries()

    changed = await change(office, entry, **wish)

    assert changed.proposal is not None
    assert changed.proposal.less.what() == (what,)
    assert await office.registry.entries() == [before]
    await office.stewards.approve(changed.proposal.id, by=SECOND)
    (after,) = await office.registry.entries()
    assert after != before
    assert journal.kinds() == ["registry-proposed", "registry-approved"]
    assert await office.stewards.proposals() == []


async def test_a_change_that_adds_and_lessens_is_divided(office: Office) -> None:
    """What adds is there at once, what lessens is not, whatever else stands in the same request."""
    entry = await enrolled(office)

    changed = await change(office, entry, add={"phone": "202-555-0199"}, drop={"plate": "EW 0001"}, mask=("phone",))

    assert set(changed.gained) == {"phones", "fields"}
    assert office.roads(phone="2025550199") == {"phone"}
    assert office.roads(plate="EW0001") == {"plate"}
    assert changed.proposal is not None
    await office.stewards.approve(changed.proposal.id, by=SECOND)
    await office.registry.refresh()
    assert office.roads(phone="2025550199") == {"phone"}
    assert office.roads(plate="EW0001") == set()


async def test_one_steward_cannot_remove(office: Office, journal: Journal) -> None:
    """Proposing twice is not agreeing, the proposer cannot approve, and nobody else's approval can be had by waiting."""
    entry = await enrolled(office)
    first = await office.stewards.remove(entry, by=FIRST, reason="the term has ended")
    again = await office.stewards.remove(entry, by=SECOND, reason="I think so too")

    assert again == first
    for _ in range(2):
        with pytest.raises(StewardIneligible):
            await office.stewards.approve(first.id, by=FIRST)
    await office.registry.refresh()
    assert office.roads(person_id="100123") == {"person_id"}

    await office.stewards.approve(first.id, by=SECOND)
    await office.registry.refresh()
    assert office.roads(person_id="100123") == set()
    assert journal.kinds() == ["registry-proposed", "registry-approved", "registry-removed"]
    assert journal.events[-1].sealed() == {
        "basis": MAYOR["basis"], "reason": "the term has ended", "by": FIRST, "agreed": SECOND,
    }  # fmt: skip
    with pytest.raises(ProposalUnknown):
        await office.stewards.approve(first.id, by="login:third")


@pytest.mark.parametrize("relation", ["self", "household", "family", "dispute"])
async def test_nobody_agrees_to_what_is_about_them(office: Office, relation: str) -> None:
    """A second steward whom the personnel directory knows as the person, their people or their opponent is none."""
    entry = await enrolled(office)
    me = {"personnel": "second", "agency": AGENCY, "given_name": "Dana", "surname": "Reyes"}
    about = {"given_name": "Eleanor", "surname": "Whitcombe", "dob": "1961-03-09"}
    them = {**about, "personnel": "second", "relation": relation}
    await office.employ({**me, **about} if relation == "self" else me, *([] if relation == "self" else [them]))
    proposal = await office.stewards.remove(entry, by=FIRST, reason="the term has ended")

    with pytest.raises(StewardIneligible, match="about you"):
        await office.stewards.approve(proposal.id, by=SECOND)

    await office.stewards.approve(proposal.id, by="login:third")


async def test_nobody_agrees_to_what_is_about_their_household(office: Office) -> None:
    """The spouse who is enrolled with the mayor does not end the mayor's protection."""
    entry = await enrolled(office)
    spouse = {"given_name": "Ruben", "surname": "Marsh", "dob": "1960-01-02"}
    await office.enroll({**spouse, "household": "H1"})
    await office.employ({**spouse, "personnel": "second", "agency": AGENCY})
    proposal = await office.stewards.remove(entry, by=FIRST, reason="the term has ended")

    with pytest.raises(StewardIneligible, match="close to you"):
        await office.stewards.approve(proposal.id, by=SECOND)


async def test_a_refused_proposal_is_gone(office: Office, journal: Journal) -> None:
    """The entry stays, the refusal is in the log with its reason; the proposer may withdraw."""
    entry = await enrolled(office)
    for by in (SECOND, FIRST):
        proposal = await office.stewards.remove(entry, by=FIRST, reason="the term has ended")
        await office.stewards.refuse(proposal.id, by=by, reason="it was prolonged")
        with pytest.raises(ProposalUnknown):
            await office.stewards.approve(proposal.id, by=SECOND)

    assert journal.kinds() == ["registry-proposed", "registry-refused"] * 2
    assert journal.events[1].sealed() == {"reason": "it was prolonged", "proposer": FIRST, "by": SECOND}
    assert len(await office.registry.entries()) == 1


async def test_a_proposal_expires(office: Office, journal: Journal) -> None:
    """After fourteen days nobody can agree any more, and the log says that it ended so."""
    entry = await enrolled(office)
    proposal = await office.stewards.remove(entry, by=FIRST, reason="the term has ended")

    office.pass_time(days=14)

    with pytest.raises(ProposalUnknown):
        await office.stewards.approve(proposal.id, by=SECOND)
    assert journal.kinds() == ["registry-proposed", "registry-proposal-expired"]
    assert await office.stewards.proposals() == []
    assert len(journal.events) == 2
    assert len(await office.registry.entries()) == 1


async def test_a_server_closes_what_has_expired(office: Office, journal: Journal) -> None:
    """No steward has to come first: the log says so when the time is over, once, and not before."""
    entry = await enrolled(office)
    await office.stewards.remove(entry, by=FIRST, reason="the term has ended")

    office.pass_time(days=13, hours=23)
    await office.stewards.expire()
    assert journal.kinds() == ["registry-proposed"]
    office.pass_time(hours=1)
    await office.stewards.expire()
    await office.stewards.expire()

    assert journal.kinds() == ["registry-proposed", "registry-proposal-expired"]
    assert await office.stewards.proposals() == []


async def test_what_was_proposed_is_done_to_the_entry_as_it_is_now(office: Office) -> None:
    """What another steward added meanwhile stays, and what is gone meanwhile is no mistake."""
    entry = await enrolled(office)
    one = await change(office, entry, drop={"phone": "2125550101"})
    two = await change(office, entry, drop={"phone": ["2125550101", "6465550102"]})
    await change(office, entry, by=SECOND, add={"email": "new@town.example"})
    assert one.proposal
    assert two.proposal

    await office.stewards.approve(one.proposal.id, by=SECOND)
    await office.stewards.approve(two.proposal.id, by=SECOND)

    (after,) = await office.registry.entries()
    assert after.identifiers.phones == ()
    assert "new@town.example" in after.identifiers.emails


async def test_an_entry_that_nobody_could_be_recognized_by_is_not_made(office: Office) -> None:
    """Dropping the last road is refused, also when two proposals would do it between them."""
    await office.enroll({"person_id": "7", "phone": "212-555-0100", "category": "victim"})
    (there,) = await office.registry.entries()
    with pytest.raises(LineRefused, match="remove the entry"):
        await change(office, there.id, drop={"person_id": "7", "phone": "212-555-0100"})
    one = await change(office, there.id, drop={"person_id": "7"})
    two = await change(office, there.id, drop={"phone": "212-555-0100"})
    assert one.proposal
    assert two.proposal
    await office.stewards.approve(one.proposal.id, by=SECOND)

    with pytest.raises(ProposalUnfit):
        await office.stewards.approve(two.proposal.id, by=SECOND)

    assert office.protections(phone="212-555-0100")


async def test_a_removal_closes_what_else_waited_for_the_entry(office: Office, journal: Journal) -> None:
    """A proposal about an entry that is gone does not linger."""
    entry = await enrolled(office)
    await change(office, entry, drop={"plate": "EW0001"})

    await office.remove(entry)

    assert await office.stewards.proposals() == []
    assert journal.kinds()[-1] == "registry-proposal-expired"


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        ({"category": "vip"}, "category is none of"),
        ({"mask": ("home_adress",)}, "did you mean 'home_address'"),
        ({"expires": "2026-01-01"}, "expires lies in the past"),
        ({"household": "none", "category": "none"}, "a category or a household"),
        ({"drop": {"phone": "212-555-9999"}}, "drop: not every value given is among the entry's phones"),
        ({"add": {"surnme": "Doe"}}, "did you mean 'surname'"),
    ],
)
async def test_a_wish_that_cannot_be_says_why(office: Office, wish: dict[str, Any], reason: str) -> None:
    """Nothing is done or proposed, and no value is repeated."""
    entry = await enrolled(office)

    with pytest.raises(LineRefused, match=reason) as refused:
        await change(office, entry, **wish)

    assert "9999" not in str(refused.value)
    assert await office.stewards.proposals() == []


async def test_an_unknown_entry_is_said(office: Office) -> None:
    """An id that nobody has changes nothing."""
    await enrolled(office)

    with pytest.raises(EntryUnknown):
        await office.stewards.remove("p0", by=FIRST, reason="none")
    with pytest.raises(EntryUnknown):
        await change(office, "p0", expires="never")


async def test_proposals_are_sealed_and_cannot_be_slipped_in(office: Office) -> None:
    """The store names neither steward nor reason nor value; a row copied or made without the key is found out."""
    entry = await enrolled(office)
    changed = await change(office, entry, drop={"email": "mayor@town.example"})
    assert changed.proposal
    path = office.database.path
    stored = b"".join(each.read_bytes() for each in path.parent.iterdir() if each.is_file())
    for text in (b"first", b"as the order says", b"town.example", b"emails"):
        assert text not in stored

    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO proposals SELECT 'cffff', sealed FROM proposals")
        connection.execute("UPDATE generations SET number = number + 1")
    connection.close()

    with pytest.raises(RegistryUnreadable):
        await office.stewards.approve("cffff", by=SECOND)
    assert (await office.registry.entries())[0].identifiers.emails


async def test_a_proposal_survives_being_sealed(office: Office) -> None:
    """Every fact of a proposal comes back."""
    entry = await enrolled(office, expires="2027-12-31", fields=["phone"])
    changed = await change(office, entry, expires="2027-01-01", unmask=("phone",), household="none", drop={"dob": MAYOR["dob"]})
    assert changed.proposal

    assert unpack_proposal(pack_proposal(changed.proposal)) == changed.proposal
    assert changed.proposal.less != Less()


async def test_listing_proposals_wakes_no_server(office: Office) -> None:
    """What changes no entry makes no process read the registry anew."""
    entry = await enrolled(office)
    generation = office.database.generation("registry")

    await office.stewards.remove(entry, by=FIRST, reason="the term has ended")
    await office.stewards.proposals()

    assert office.database.generation("registry") == generation
