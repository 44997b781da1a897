"""What was changed in place is what would have been built afresh."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.registry.households import MOST_RESIDENTS
from proxy.registry.lines import criteria
from proxy.registry.person import Declared, Entry, Home, Identifiers, Staff
from proxy.registry.profile import Profile, derive
from proxy.registry.recognition import Snapshot
from proxy.registry.sharing import Base, Shared
from proxy.registry.thresholds import USUALLY
from proxy.registry.tokens import Tokens
from tests.registry.conftest import AGENCY, person

NOW = datetime(2026, 11, 23, tzinfo=UTC)
TOKENS = Tokens(b"k" * 32)

NAMES = st.sampled_from(["Eleanor", "Elinor", "Robert", "Bob", "Jo", ""])
SURNAMES = st.sampled_from(["Whitcombe", "Whitcomb", "Lucas", "Smith-Jones"])
DATES = st.sampled_from(["", "1961-03-09", "1961-09-03", "1990-05-05"])
HOMES = st.builds(
    Home,
    street=st.sampled_from(["12 Elm St", "7 Oak Ave"]),
    unit=st.sampled_from(["", "3B"]),
    city=st.sampled_from(["", "Springfield"]),
    postal_code=st.sampled_from(["", "12345"]),
)
PEOPLE = st.builds(
    Identifiers,
    given_name=NAMES,
    surname=SURNAMES,
    dob=DATES,
    aliases=st.sampled_from([(), ("Nell",), ("Bill Lucas",)]),
    person_ids=st.sampled_from([(), ("1",), ("2",)]),
    ssns=st.sampled_from([(), ("518-22-4471",), ("518-22-4417",)]),
    plates=st.sampled_from([(), ("EW0001",)]),
    homes=st.lists(HOMES, max_size=2).map(tuple),
)
PROBES: list[dict[str, Any]] = [
    {"given_name": "Eleanor", "surname": "Whitcombe"},
    {"given_name": "Elinore", "surname": "Whitcomb", "dob": "1961-03-09"},
    {"given_name": "Bob", "surname": "Lucas", "dob": "1990-05-05"},
    {"surname": "Smith", "dob": "1961-03-09", "ssn": "518-22-4471"},
    {"person_id": "1"},
    {"ssn": "518224417"},
    {"plate": "EW001"},
    {"street": "12 Elm St", "unit": "3B", "city": "Springfield"},
    {"street": "7 Oak Ave", "postal_code": "12345"},
    {"street": "12 Elm St"},
    {"alias": "Nell", "dob": "1961-03-09"},
]


def entry(row: str, who: Identifiers, household: str) -> Profile:
    """Return somebody enrolled."""
    owner = Entry(
        id=row, category="official", basis="law", household=household, enrolled_by="steward", enrolled_at=NOW,
        expires=None, identifiers=who,
    )  # fmt: skip
    return Profile(derive(owner, TOKENS), TOKENS)


def line(row: str, who: Identifiers, household: str) -> Profile:
    """Return somebody of the personnel."""
    staff = Staff(
        id=row, personnel=f"badge-{row}", declared=Declared.OWN, agency=AGENCY, household=household, identifiers=who,
        supervisor="badge-1",
    )  # fmt: skip
    return Profile(derive(staff, TOKENS), TOKENS)


PROFILES = st.tuples(st.sampled_from([entry, entry, line]), PEOPLE, st.sampled_from(["", "H1", "H2"]))
STEPS = st.lists(st.tuples(st.sampled_from([str(row) for row in range(6)]), st.none() | PROFILES), max_size=25)


def answers(snapshot: Snapshot) -> list[object]:
    """Return what is recognized in every probe."""
    return [snapshot.recognize(criteria(probe), person("badge-2"), lambda: NOW) for probe in PROBES]


def built(held: dict[str, Profile]) -> Snapshot:
    """Return a snapshot made of what is held."""
    fresh = Snapshot(TOKENS, USUALLY)
    for row in sorted(held):
        fresh.add(held[row])
    return fresh


@given(steps=STEPS)
@settings(max_examples=150, deadline=None)
def test_a_change_in_place_is_as_if_built_afresh(steps: list[tuple[str, Any]]) -> None:
    """After any enrollments, changes and removals, everything recognized is what a new start would recognize."""
    snapshot, held = Snapshot(TOKENS, USUALLY), dict[str, Profile]()
    for row, made in steps:
        if row in held:
            snapshot.remove(held.pop(row))
        if made is not None:
            make, who, household = made
            held[row] = make(row, who, household)
            snapshot.add(held[row])

    assert answers(snapshot) == answers(built(held))

    for profile in held.values():
        snapshot.remove(profile)
    assert all(not found for found in vars(snapshot._index).values() if isinstance(found, (dict, Shared)))
    assert not snapshot._index.rarity._counts
    assert snapshot.size == snapshot._lines == 0


@given(first=st.lists(PROFILES, max_size=6), steps=STEPS)
@settings(max_examples=100, deadline=None)
def test_whoever_was_there_at_the_start_changes_in_place_too(first: list[Any], steps: list[tuple[str, Any]]) -> None:
    """A start's sorted arrays and what comes later answer together as if everybody had come one by one."""
    told = {str(row): facts for row, facts in enumerate(first)}
    held = {row: make(row, who, household) for row, (make, who, household) in told.items()}
    snapshot = Snapshot(TOKENS, USUALLY)
    snapshot.begin(Base(list(held.values())))
    for row, facts in steps:
        if row in held:
            snapshot.remove(held.pop(row))
            del told[row]
        if facts is not None:
            make, who, household = told[row] = facts
            held[row] = make(row, who, household)
            snapshot.add(held[row])

    assert answers(snapshot) == answers(built({row: make(row, who, household) for row, (make, who, household) in told.items()}))


def test_a_home_that_fills_and_empties_is_a_household_when_few_live_there() -> None:
    """The one too many at an address parts everybody there; when somebody leaves, they belong together again."""
    home = (Home(street="12 Elm St", unit="3B", city="Springfield"),)
    people = [entry(str(n), Identifiers(person_ids=(str(n),), homes=home), "") for n in range(MOST_RESIDENTS + 1)]
    snapshot = Snapshot(TOKENS, USUALLY)

    def concerned() -> int:
        return len(snapshot.protections(criteria({"person_id": "0"}), lambda: NOW))

    for profile in people[:-1]:
        snapshot.add(profile)
    assert concerned() == MOST_RESIDENTS
    snapshot.add(people[-1])
    assert concerned() == 1
    snapshot.remove(people[5])
    assert concerned() == MOST_RESIDENTS
