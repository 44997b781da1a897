from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson
import pytest

from proxy.registry.lines import LineRefused, entry_line
from proxy.registry.person import pack, unpack_entry
from tests.registry.conftest import CATEGORIES, CLASSES, MAYOR

if TYPE_CHECKING:
    from tests.registry.conftest import Office

JO = {"given_name": "Jo", "surname": "Doe", "dob": "1990-05-05", "category": "victim", "basis": "order", "person_id": "7"}


async def test_field_classes_go_with_the_protection(office: Office) -> None:
    """What an entry says is to be masked is told of everybody of its household, whichever of them was met."""
    await office.enroll(
        {**MAYOR, "fields": ["home_address", "phone"]},
        {**JO, "household": "H1"},
        {"given_name": "Ruben", "surname": "Marsh", "dob": "1960-01-02", "household": "H1", "fields": ["phone"]},
        {**JO, "person_id": "8", "given_name": "Ann", "dob": "1991-01-01"},
    )

    for road in ({"person_id": "100123"}, {"person_id": "7"}, {"name": "Ruben Marsh"}):
        assert [each.fields for each in office.protections(**road)] == [CLASSES, CLASSES]
    assert [each.fields for each in office.protections(person_id="8")] == [frozenset()]


async def test_field_classes_of_an_expired_entry_are_over(office: Office) -> None:
    """Who is protected no longer masks nothing for the rest of the household."""
    await office.enroll({**MAYOR, "fields": ["phone"], "expires": "2026-11-30"}, {**JO, "household": "H1"})
    assert [each.fields for each in office.protections(person_id="7")] == [frozenset({"phone"})] * 2

    office.pass_time(days=30)

    assert [each.fields for each in office.protections(person_id="7")] == [frozenset()]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"fields": ["home_adress"]}, "did you mean 'home_address'"),
        ({"fields": "phone;home_address"}, "fields is none of home_address, phone"),
        ({"fields": [["phone"]]}, "fields is not text"),
        ({"review": "2026-11-01"}, "review lies in the past"),
        ({"review": "next year"}, "review is not a date"),
    ],
)
def test_fields_and_review_are_checked(office: Office, change: dict[str, object], reason: str) -> None:
    """A class that fields.yaml does not have, and a day that is none, are told; nothing else is taken for them."""
    with pytest.raises(LineRefused, match=reason):
        entry_line(1, {**MAYOR, **change}, categories=CATEGORIES, classes=CLASSES, now=office.now)


async def test_an_entry_survives_being_sealed(office: Office) -> None:
    """Every fact of an entry comes back, and an entry that was sealed before there were field classes opens."""
    await office.enroll({**MAYOR, "fields": ["phone"], "review": "2027-06-30", "expires": "2027-12-31"})

    (entry,) = await office.registry.entries()

    assert unpack_entry(pack(entry)) == entry
    assert entry.review == datetime(2027, 7, 1, tzinfo=UTC)
    older = {key: value for key, value in orjson.loads(pack(entry)).items() if key not in {"fields", "review"}}
    opened = unpack_entry(orjson.dumps(older))
    assert (opened.fields, opened.review, opened.identifiers) == (frozenset(), None, entry.identifiers)


async def test_a_later_line_adds_and_what_would_lessen_is_told(office: Office) -> None:
    """Field classes and identifiers are added; another household, or a first date of birth, is for two stewards."""
    await office.enroll({**MAYOR, "dob": "", "fields": ["phone"]})

    report = await office.enroll({**MAYOR, "household": "H2", "fields": ["home_address"], "email": "second@town.example"})

    (entry,) = await office.registry.entries()
    assert (entry.household, entry.identifiers.dob, entry.fields) == ("H1", "", CLASSES)
    assert len(entry.identifiers.emails) == 2
    assert report.notes == [(1, "household, dob not changed: `registry change` proposes it to a second steward")]


async def test_lines_of_one_import_make_one_whole_entry(office: Office) -> None:
    """Two lines of a file about one person are joined freely: nobody was protected by the first of them yet."""
    await office.enroll({**MAYOR, "dob": ""}, MAYOR)

    (entry,) = await office.registry.entries()
    assert entry.identifiers.dob == MAYOR["dob"]


def test_no_message_quotes_a_value(office: Office) -> None:
    """A name that slipped into the column of the field classes is not repeated."""
    with pytest.raises(LineRefused) as refused:
        entry_line(1, {**MAYOR, "fields": ["Whitcombe"]}, categories=CATEGORIES, classes=CLASSES, now=office.now)

    assert "Whitcombe" not in str(refused.value)
