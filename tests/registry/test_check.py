from __future__ import annotations

import cProfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from proxy.registry.check import MANY, findings
from proxy.registry.person import Entry, Home, Identifiers
from tests.registry.conftest import CATEGORIES, CLASSES, MAYOR

if TYPE_CHECKING:
    from proxy.registry.check import Finding
    from tests.registry.conftest import Office

JO = {"given_name": "Jolanda", "surname": "Doe", "dob": "1990-05-05", "category": "victim", "basis": "order", "person_id": "7"}
ANN = {"given_name": "Annabel", "surname": "Quist", "dob": "1971-01-20", "category": "victim", "basis": "order"}
ANN_ID = {**ANN, "person_id": "8"}
ELM = {"street": "12 Elm St", "city": "Springfield"}
HIDDEN = {**ANN_ID, "category": "undercover"}


async def checked(office: Office) -> list[Finding]:
    """Check what the office has enrolled."""
    return findings(
        await office.registry.entries(), now=office.now, categories=CATEGORIES, classes=CLASSES, concealed={"undercover"}
    )


async def kinds(office: Office) -> list[str]:
    """Return the words of what there is to look at."""
    return [each.kind for each in await checked(office)]


async def test_a_sound_registry_has_no_findings(office: Office) -> None:
    """A household, neighbors with their units, twins with different names, and a house are as they should be."""
    await office.enroll(
        MAYOR,
        {"given_name": "Ruben", "surname": "Marsh", "dob": "1960-01-02", "household": "H1", "phone": "212-555-0101"},
        {**JO, **ELM, "unit": "4"},
        {**ANN_ID, "street": "7 Oak Ave", "city": "Springfield"},
        {**ANN_ID, "person_id": "9", "given_name": "Theodor"},
    )

    assert await checked(office) == []


@pytest.mark.parametrize(
    ("people", "found"),
    [
        ([JO, {**JO, "category": "official"}], ["duplicate"]),
        ([JO, {**ANN_ID, "person_id": "7"}], []),  # one entry: the import has joined them
        ([ANN_ID, {**ANN_ID, "person_id": "9", "given_name": "Anabel"}], ["near-duplicate"]),
        ([ANN_ID, {**ANN_ID, "person_id": "9", "given_name": "Quist", "surname": "Anabel"}], ["near-duplicate"]),
        ([ANN_ID, {**ANN_ID, "person_id": "9", "dob": "1971-01-21"}], ["near-duplicate"]),
        ([{**ANN_ID, "dob": "1971-02-11"}, {**ANN_ID, "person_id": "9", "dob": "1971-11-02"}], ["near-duplicate"]),
        ([ANN_ID, {**ANN_ID, "person_id": "9", "dob": "1982-06-21"}], []),
        ([{**ANN_ID, "dob": "1900-01-01"}, {**ANN_ID, "person_id": "9", "dob": "1900-01-01"}], []),
        ([{**JO, "expires": "2026-12-01"}], ["expiring"]),
        ([{**JO, "expires": "2027-12-01", "review": "2027-01-01"}], []),
        ([{"given_name": "Jolanda", "surname": "Doe", "category": "victim"}], ["thin"]),
        ([{"given_name": "Jolanda", "surname": "Doe", "dob": "1990-05-05", "category": "victim"}], []),
        ([{"phone": "212-555-0101", "category": "victim"}], ["thin"]),
        ([{"person_id": "7", "category": "victim"}], ["thin"]),
        ([{**ELM, "category": "victim"}], ["thin"]),
        ([{"given_name": "James", "surname": "Smith", "person_id": "7", "category": "victim"}], ["common-name"]),
        ([{"given_name": "James", "surname": "Smith", "dob": "1971-01-20", "person_id": "7", "category": "victim"}], []),
        ([{**JO, "alias": "Blaze"}], ["short-alias"]),
        ([{**JO, "alias": "Jolanda Marsh"}], []),
        ([MAYOR, {**JO, **ELM}], ["building"]),
        ([MAYOR, {**JO, "street": "12 Elm St"}], ["building"]),
        ([MAYOR, {**JO, **ELM, "city": "Shelbyville"}], []),
        ([{**HIDDEN, **ELM}], ["concealed-building"]),
        ([{**HIDDEN, **ELM, "unit": "2"}], []),
        ([MAYOR, {**HIDDEN, **ELM}], ["building"]),
    ],
)
async def test_what_is_found(office: Office, people: list[dict[str, Any]], found: list[str]) -> None:
    """Each thing that is wrong has its word, and what only looks like it has none."""
    await office.enroll(*people)

    assert await kinds(office) == found


async def test_what_time_brings(office: Office) -> None:
    """A protection that is over, a review that nobody made, and a household whose only protected member's has ended."""
    await office.enroll(
        {**JO, "expires": "2026-12-31", "review": "2026-12-01", "household": "H2"},
        {**ANN_ID, "category": "", "household": "H2"},
    )
    assert await kinds(office) == []
    office.pass_time(days=20)
    assert await kinds(office) == ["expiring", "review-overdue"]

    office.pass_time(days=20)

    assert await kinds(office) == ["expired", "review-overdue", "household-gone"]


async def test_words_that_policy_has_no_more(office: Office) -> None:
    """A category or field class that was taken out of the policy files would deny every record: it is found before."""
    await office.enroll({**JO, "fields": ["phone"]})

    found = findings(await office.registry.entries(), now=office.now, categories={"official"}, classes=(), concealed=())

    assert [each.kind for each in found] == ["category-unknown", "class-unknown"]


async def test_what_many_share(office: Office) -> None:
    """A switchboard's number and a shelter's address concern everybody who has them; a family's do not."""
    letters = [letter * 4 for letter in "abcd"]
    people = [{**JO, "person_id": name, "given_name": name, "dob": f"196{n}-05-1{n}"} for n, name in enumerate(letters)]
    assert len(people) == MANY
    shared = {**ELM, "unit": "2", "phone": "212-555-0101"}
    await office.enroll(*({**each, **shared, "household": "H7"} for each in people))
    assert await kinds(office) == []

    await office.enroll(*({**each, **shared, "category": "official"} for each in people))

    found = [each for each in await checked(office) if each.kind.startswith("shared")]
    assert [each.kind for each in found] == ["shared-telephone", "shared-home"]
    assert all(len(each.entries) == 2 * MANY for each in found)


async def test_no_finding_holds_a_value(office: Office) -> None:
    """Findings can be shown to whoever may run the check: ids, and what is the matter."""
    await office.enroll(MAYOR, {**JO, **ELM, "alias": "Blaze"}, {**JO, "category": "official"})

    text = repr(await checked(office))

    for value in ("Whitcombe", "Jolanda", "Doe", "Elm", "Blaze", "1990"):
        assert value not in text


async def test_an_import_tells_the_risks_of_its_lines(office: Office) -> None:
    """What a check would find about a line's person is told with the line, and nothing about others."""
    await office.enroll(MAYOR, {"phone": "212-555-0199", "category": "victim"})

    report = await office.enroll({**JO, **ELM}, {**ANN_ID, "alias": "Blaze"})

    assert [number for number, _ in report.notes] == [1, 2]
    assert "without a unit" in report.notes[0][1]
    assert "one word" in report.notes[1][1]


def test_a_check_is_linear() -> None:
    """Four times as many people take about four times as many steps, not sixteen."""
    when = datetime(2026, 11, 23, tzinfo=UTC)

    def spelled(n: int) -> str:
        return "".join(chr(ord("a") + int(digit)) for digit in str(n))

    def entry(n: int) -> Entry:
        who = Identifiers(
            given_name=spelled(n),
            surname=spelled(n * 7919 % 9973),
            dob=f"19{n % 90 + 10}-{n % 12 + 1:02}-{n % 28 + 1:02}",
            person_ids=(str(n),),
            homes=(Home(street=f"{n % 500 + 1} Elm St", city="Springfield"),),
        )
        return Entry(
            id=f"p{n}", category="victim", basis="", household="", enrolled_by="", enrolled_at=when, expires=None,
            identifiers=who,
        )  # fmt: skip

    def calls(count: int) -> int:
        counting = cProfile.Profile()
        counting.runcall(findings, everybody[:count], now=when, categories=CATEGORIES, classes=CLASSES, concealed=())
        return sum(each.callcount for each in counting.getstats())

    everybody = [entry(n) for n in range(4_000)]

    assert calls(4_000) < 6 * calls(1_000)
