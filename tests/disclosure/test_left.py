"""What an entry says of each record, and whom its header names."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from proxy.audit.entry import decode, encode
from proxy.audit.event import Party
from proxy.audit.sealing import Sealer
from proxy.disclosure.left import MOST_MARKS
from proxy.disclosure.marks import mark, marks_of
from proxy.policy.decision import Outcome
from tests.disclosure.conftest import FIELDS, World
from tests.disclosure.test_events import entry

SEALER = Sealer(index_key=b"i" * 32, body_key=b"b" * 32)


def parties(event: Any) -> set[Party]:
    """Return whom an entry's header names beside who asked."""
    return set(event.parties()) - {Party("officer", "officer-7"), Party("terminal", "car-12"), Party("case", "26-004217")}


async def test_an_entry_tells_of_each_record_what_was_seen_and_what_was_masked(world: World) -> None:
    """Fields that were there, each with its mark; masked ones by name only; nothing of a record that was withheld."""
    world.rule("2", Outcome.MASK, "ssn", "home_address")
    world.rule("3", Outcome.CONCEAL)
    home = {"street": "12 Elm Street", "city": None}
    records = [{"person_id": str(number), "ssn": "123-45-6789", "home": home, "height": 172} for number in (1, 2, 3)]

    left = entry(await world.disclose(records)).sealed()["left"]

    seen = {"ssn": "ssn:123456789", "home.street": "street:12|ELM ST", "height": ""}
    assert left == [
        {"person": ["1"], "subject": [], "seen": {"person_id": "person_id:1"} | seen, "masked": [], "withheld": False},
        {
            "person": ["2"],
            "subject": ["entry-2"],
            "seen": {"person_id": "person_id:2", "height": ""},
            "masked": ["ssn", "home.street"],
            "withheld": False,
        },
        {"person": ["3"], "subject": ["entry-3"], "seen": {}, "masked": [], "withheld": True},
    ]


async def test_several_values_of_a_field_are_marked_one_by_one(world: World) -> None:
    """Two phone numbers leave two marks, so that either finds the entry."""
    left = await world.disclose([{"person_id": "1", "phone": ["(555) 123-4567", None, "+1 555 765 4321"]}])

    assert left.left[0].seen["phone"] == "phone:+15551234567"
    assert left.left[0].seen["phone[1]"] == "phone:+15557654321"


async def test_a_name_and_a_date_of_birth_make_a_mark_together(world: World) -> None:
    """Whoever publishes both is found by both at once; a masked part makes none."""
    world.fields = {**FIELDS, "given": ("given_name", "name"), "last": ("surname", "name"), "dob": ("dob", "dob")}
    world.rule("2", Outcome.MASK, "ssn")
    record = {"given": "María Luisa", "last": "de la Cruz", "dob": "1961-12-31"}

    left = await world.disclose([{"person_id": "1", **record}])

    assert left.left[0].seen["+name"] == "name:cruz maria"
    assert left.left[0].seen["+born"] == "born:1961 12 31 cruz maria"


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("phone", "(555) 123-4567", "+1 555.123.4567"),
        ("address", "12 Elm Street, Apt 3, Springfield", "12 ELM ST"),
        ("name", "GARCIA, María L.", "Maria Garcia"),
        ("plate", "ABC 1234", "abc-1234"),
        ("person_id", "0100123", "100123"),
        ("photo", "Photos/1.JPG", "photos/1.jpg"),
        ("text", "He  said\nno", "he said no"),
        ("photo", "A" * 5000, "a" * 5000),
    ],
)
def test_a_mark_is_the_same_for_any_spelling(kind: str, one: str, other: str) -> None:
    """A published value finds what disclosed it, however either is written."""
    assert mark(SEALER, kind, one) == mark(SEALER, kind, other)
    assert mark(SEALER, kind, one) in marks_of(SEALER, kind, other)


def test_a_mark_is_no_token_of_a_query() -> None:
    """Whoever sees the header's tokens cannot tell which records disclosed the same value."""
    assert mark(SEALER, "phone", "+15551234567") != SEALER.token("phone", "+15551234567")
    assert mark(SEALER, "phone", "+15551234567") != mark(SEALER, "plate", "+15551234567")
    assert (mark(SEALER, "phone", ""), marks_of(SEALER, "phone", " ")) == ("", ())


async def test_the_header_names_everybody_concerned(world: World) -> None:
    """Seen or withheld, protected or not, and by name or plate where the record has no number."""
    world.fields = {**FIELDS, "dob": ("dob", "dob"), "plate": ("plate", "vehicle")}
    world.rule("3", Outcome.DENY)

    left = await world.disclose(
        [
            {"person_id": "0001", "name": "Maria Garcia"},
            {"person_id": "3", "name": "Ada Hidden"},
            {"name": "Jo Brook", "dob": "1970-01-01"},
            {"plate": "ABC 1234"},
        ]
    )

    assert parties(entry(left)) == {
        Party("subject", "entry-3"),
        Party("person_id", "1"),
        Party("person_id", "3"),
        Party("born", "1970-01-01 brook jo"),
        Party("plate", "A8C1234"),
    }


async def test_a_thousand_records_fit_into_one_entry(world: World) -> None:
    """The header names all of them, the sealed part tells of as many as it has room for, and says of how many not."""
    records = [{"person_id": str(number), "name": f"Person {number}", "ssn": f"{number:09}"} for number in range(1000)]
    event = entry(await world.disclose(records))

    told = event.sealed()
    content, _ = encode(
        SEALER,
        kind=event.kind,
        at="2026-11-28T12:00:00.00Z",
        about="q1",
        facts=event.facts(),
        parties=event.parties(),
        sealed=told,
    )

    assert len(content) < 65_535
    assert len(decode(0, content).parties["person_id"]) == 1000
    assert isinstance(told["left"], list)
    assert told["left_out"] == 1000 - len(told["left"])
    assert len(told["left"]) >= MOST_MARKS // 4
    assert "unnamed" not in event.facts()


async def test_withheld_people_beyond_the_headers_room_are_counted(world: World) -> None:
    """Nobody's search is too broad by people who are not shown, and the entry says that its header is not whole."""
    world.default = world.default.__class__(outcome=Outcome.CONCEAL, rule="row", because="")
    event = entry(await world.disclose([{"person_id": str(number)} for number in range(1500)]))

    assert event.facts()["unnamed"] == 500
    assert len(orjson.dumps([str(party) for party in event.parties()])) < 65_535
