from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from proxy.registry.candidates import Likeness, Record, candidates, same_home
from proxy.registry.households import MOST_RESIDENTS
from proxy.registry.person import Entry, Home, Identifiers, street_of
from proxy.registry.proposals import Kind, Ledger, Proposal, pack_ledger, propose, unpack_ledger

WHO = Identifiers(
    given_name="Eleanor", middle_name="Ruth", surname="Whitcombe", dob="1961-03-09", ssns=("518-22-4471",),
    phones=("(212) 555-0101",), homes=(Home(street="12 Elm Street", unit="3B", city="Springfield"),),
)  # fmt: skip
ENTRY = Entry(
    id="p1", category="official", basis="ordinance", household="", enrolled_by="steward",
    enrolled_at=datetime(2026, 11, 23, tzinfo=UTC), expires=None, identifiers=WHO,
)  # fmt: skip
SALT = "00" * 16
NOTHING = Ledger(salt=SALT)


def record(person_id: str = "100123", route: str = "person-search", **fields: str) -> Record:
    """Return a record of a route whose addresses are homes."""
    said = {"person_id": person_id, **fields}
    return Record(route=route, lives=True, fields={kind: (text,) for kind, text in said.items() if text})


def resident(number: int, **fields: str) -> Record:
    """Return somebody else at the same home."""
    known = {"given_name": f"Pat{number}", "surname": "Moe", "dob": "1980-01-01"}
    home = {"street": "12 ELM ST", "unit": "APT 3B", "city": "Springfield"}
    return record(f"20{number:04}", **known | home | fields)


def proposed(*records: Record, entry: Entry = ENTRY, ledger: Ledger = NOTHING, household: Any = ()) -> list[Proposal]:
    """Return what is proposed about the entry."""
    return list(propose(entry, records, household, ledger).proposals)


@pytest.mark.parametrize(
    ("fields", "agrees", "contradicts", "likeness"),
    [
        ({"name": "WHITCOMBE, ELEANOR R", "dob": "03/09/1961"}, {"name", "dob"}, set(), Likeness.LIKELY),
        ({"ssn": "518224471"}, {"ssn"}, set(), Likeness.LIKELY),
        ({"given_name": "Ruth", "surname": "Adler", "ssn": "518224471"}, {"ssn"}, {"name"}, Likeness.POSSIBLE),
        ({"name": "Eleanor Whitcombe"}, {"name"}, set(), Likeness.POSSIBLE),
        ({"name": "Eleanor Whitcombe", "dob": "1901-01-01"}, {"name"}, set(), Likeness.POSSIBLE),
        (
            {"name": "Elinor Witcomb", "dob": "1961-03-09", "phone": "212-555-0101"},
            {"dob", "phone"},
            {"name"},
            Likeness.POSSIBLE,
        ),
        ({"name": "Eleanor Whitcombe", "dob": "1990-01-01"}, {"name"}, {"dob"}, Likeness.UNLIKELY),
        ({"name": "Eleanor Whitcombe", "dob": "1961-03-09", "ssn": "518224472"}, {"name", "dob"}, {"ssn"}, Likeness.UNLIKELY),
        ({"name": "Eleanor Whitcombe", "dob": "1961-03-08", "ssn": "518224471"}, {"name", "ssn"}, {"dob"}, Likeness.POSSIBLE),
        ({"name": "Desmond Whitcombe", "phone": "212-555-0101"}, {"phone"}, {"name"}, Likeness.UNLIKELY),
    ],
)
def test_a_candidate_says_what_agrees_and_what_contradicts(
    fields: dict[str, str], agrees: set[str], contradicts: set[str], likeness: Likeness
) -> None:
    """The kinds that agree and contradict are the reasons; a namesake is contradicted, a slip beside a proof is not enough."""
    [candidate] = candidates(WHO, [record(**fields)])

    comparison = candidate.comparison
    assert (set(comparison.agrees), set(comparison.contradicts), comparison.likeness) == (agrees, contradicts, likeness)


def test_what_several_records_say_of_one_id_is_said_together() -> None:
    """A warrant has the date of birth, an incident the name: by one id they are one candidate."""
    [candidate] = candidates(
        WHO, [record(route="warrant-search", dob="1961-03-09"), record(route="incident-search", name="Eleanor Whitcombe")]
    )

    assert candidate.routes == ("warrant-search", "incident-search")
    assert candidate.comparison.likeness is Likeness.LIKELY


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Home(street="12 Elm Street", unit="3B"), Home(street="12 ELM ST APT 3-B"), True),
        (Home(street="12 Elm Street", unit="3B"), Home(street="12 Elm St", unit="3C"), False),
        (Home(street="12 Elm Street", unit="3B"), Home(street="12 Elm St"), True),
        (Home(street="12 Elm Street", city="Springfield"), Home(street="12 Elm St", city="Shelbyville"), False),
        (
            Home(street="12 Elm Street", city="A", postal_code="12345"),
            Home(street="12 Elm St", city="B", postal_code="12345"),
            True,
        ),
        (Home(street="12 Elm Street"), Home(street="14 Elm St"), False),
        (Home(street="Elm Street"), Home(street="Elm Street"), False),
    ],
)
def test_one_home_by_the_unit_rule(one: Home, other: Home, *, same: bool) -> None:
    """Another unit, number or town is another home; a street without a number is none."""
    assert same_home(street_of(one), street_of(other)) is same


def test_a_record_that_may_be_the_person_s_is_proposed_with_all_that_it_adds() -> None:
    """Confirming the record confirms what it says: its id, its numbers, its other home, and nothing that is known already."""
    [proposal] = proposed(
        record(
            name="Eleanor Whitcombe", dob="1961-03-09", ssn="518-22-4471", license="D123456", street="9 Oak Lane", city="Salem"
        )
    )

    assert (proposal.kind, proposal.likeness) == (Kind.RECORD, Likeness.LIKELY)
    assert proposal.additions == Identifiers(
        person_ids=("100123",), licenses=("D123456",), homes=(Home(street="9 Oak Lane", city="Salem"),)
    )


def test_a_namesake_is_counted_and_not_proposed() -> None:
    """A steward hears that there are some, and is not asked about them."""
    found = propose(ENTRY, [record(name="Eleanor Whitcombe", dob="1990-01-01")], (), NOTHING)

    assert (found.proposals, found.namesakes) == ([], 1)


def test_who_lives_in_the_same_home_is_proposed_for_the_household() -> None:
    """At the same unit, by records of homes only: the neighbor, and whoever reported an incident there, live elsewhere."""
    neighbor = resident(2, unit="4A")
    caller = replace(resident(3), lives=False)

    found = proposed(resident(1), neighbor, caller)

    assert [(each.kind, each.additions.person_ids) for each in found] == [(Kind.RESIDENT, ("200001",))]


def test_a_father_of_the_same_name_is_one_of_the_household() -> None:
    """The name agrees and the date of birth contradicts: not the person, but somebody who lives there."""
    [proposal] = proposed(resident(1, given_name="Eleanor", surname="Whitcombe", dob="1935-01-01"))

    assert proposal.kind is Kind.RESIDENT


def test_who_a_steward_says_is_another_person_may_still_live_there() -> None:
    """A declined record of somebody at the same home comes back as a member of the household."""
    same_name = resident(1, given_name="Eleanor", surname="Whitcombe", dob="")
    [first] = proposed(same_name)

    second = proposed(same_name, ledger=NOTHING.without([first.id]))

    assert first.kind is Kind.RECORD
    assert Kind.RESIDENT in {each.kind for each in second}


def test_an_institution_proposes_nobody_and_says_so() -> None:
    """More people at one address than a household has: a shelter, a barracks."""
    few = propose(ENTRY, [resident(number) for number in range(MOST_RESIDENTS)], (), NOTHING)
    many = propose(ENTRY, [resident(number) for number in range(MOST_RESIDENTS + 1)], (), NOTHING)
    crowded = propose(ENTRY, [resident(1)], (), NOTHING, crowded=True)

    assert (len(few.proposals), few.institution) == (MOST_RESIDENTS, False)
    assert ([*many.proposals], many.institution) == ([], True)
    assert ([*crowded.proposals], crowded.institution) == ([], True)


def test_who_is_enrolled_in_the_household_already_is_not_proposed() -> None:
    """Nor is anybody proposed beside a member, whose household the enrolled person's is."""
    member = Identifiers(given_name="Pat1", surname="Moe", dob="1980-01-01")

    assert proposed(resident(1), household=[member]) == []
    assert proposed(resident(1), entry=replace(ENTRY, category="", household="H1")) == []


def test_the_person_s_own_record_tells_what_is_new() -> None:
    """A changed home, and with it new people, and a new number: of a record whose id was confirmed."""
    known = replace(ENTRY, identifiers=replace(WHO, person_ids=("100123",)))
    own = record(name="Eleanor Whitcombe", dob="1961-03-09", street="9 Oak Lane", city="Salem", phone="212-555-0199")

    found = proposed(own, resident(1, street="9 Oak Ln", unit="", city="Salem"), entry=known)

    assert [each.kind for each in found] == [Kind.HOME, Kind.IDENTIFIER, Kind.RESIDENT]
    assert found[1].additions == Identifiers(phones=("212-555-0199",))


def test_a_record_that_names_the_person_without_an_id_is_a_mention() -> None:
    """So is somebody else's vehicle with a plate that is known as the person's; there is nothing to add."""
    known = replace(ENTRY, identifiers=replace(WHO, plates=("EW-0001",)))
    incident = record("", "incident-search", name="Eleanor Whitcombe", dob="1961-03-09", street="1 Main St")
    sold = record("300001", "vehicle-read", plate="EW0001", name="MOE, PAT", dob="1990-01-01", street="7 Far Rd")

    found = proposed(incident, sold, entry=known)

    assert [(each.kind, each.routes, each.additions) for each in found] == [
        (Kind.MENTION, ("incident-search",), Identifiers()),
        (Kind.MENTION, ("vehicle-read",), Identifiers()),
    ]


def test_a_proposal_is_made_once() -> None:
    """What a steward settled is not proposed again, and what is new is; the same words have the same id."""
    first = NOTHING.updated(propose(ENTRY, [resident(1)], (), NOTHING))
    settled = first.without([first.open[0].id])

    again = settled.updated(propose(ENTRY, [resident(1), resident(2)], (), settled))

    assert [each.additions.person_ids for each in again.open] == [("200002",)]


def test_a_proposal_s_id_tells_nobody_what_it_says() -> None:
    """It stands in a command line: the same record has another id under another ledger's salt."""
    [mine], [other] = proposed(resident(1)), proposed(resident(1), ledger=Ledger(salt="11" * 16))

    assert mine.id != other.id
    assert "200001" not in mine.id


def test_a_ledger_survives_its_sealing() -> None:
    """What is packed is what is unpacked."""
    slip = record(name="Eleanor Whitcombe", ssn="518-22-4471", dob="1961-03-08", street="9 Oak Lane")
    ledger = NOTHING.updated(propose(ENTRY, [resident(1), slip], (), NOTHING))

    assert len(ledger.open) == 2
    assert unpack_ledger(pack_ledger(ledger.without(["x"]))) == ledger.without(["x"])
