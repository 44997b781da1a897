"""Whom an answer named, and whom a query is about: only a query about one of them and nobody else can inherit a purpose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.disclosure.disclosure import MOST_NAMED
from proxy.gateway.cascade import named, sought
from proxy.inquiry.inquiry import Inbound, Inquiry
from proxy.inquiry.routes import load_routes
from proxy.inquiry.service import inquire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROUTES = load_routes(Path(__file__).parents[2] / "policies" / "routes.yaml")
PERSON = {
    "person_id": ["100820"],
    "given_name": ["Wallace"],
    "middle_name": ["Thomas"],
    "surname": ["Quimby"],
    "dob": ["1974-02-08"],
    "street": ["640 Hemlock Road"],
    "phone": ["555-268-4280"],
}
VEHICLE = {"plate": ["CML-186"], "person_id": ["100820"], "name": ["QUIMBY, WALLACE THOMAS"], "dob": ["1974-02-08"]}


def inquiry(path: str, **query: str) -> Inquiry:
    """Read a query as the street does."""
    target = f"/records/{path}" + (f"?{urlencode(query)}" if query else "")
    return inquire(ROUTES, Inbound(query_id="q", source="", method="GET", target=target, headers=()))


ROOT = inquiry("vehicles", plate="CML186")


@pytest.mark.parametrize(
    "child",
    [
        inquiry("persons/100820"),
        inquiry("vehicles", plate="cml 186"),
        inquiry("warrants", person_id="100820"),
        inquiry("warrants", name="Wallace Thomas Quimby", dob="1974-02-08"),
        inquiry("warrants", name="Quimby, Wallace Thomas", dob="1974-02-08", person_id="100820"),
        inquiry("persons", given_name="Wallace", middle_name="Thomas", surname="Quimby", dob="1974-02-08"),
    ],
)
def test_a_query_about_somebody_named_is_about_nobody_else(child: Inquiry) -> None:
    """The number, the plate, and the whole name with the date of birth, in whatever order and dress, or several of them."""
    [subject] = named(ROOT, [VEHICLE])

    assert sought(child)
    assert sought(child) <= subject


@pytest.mark.parametrize(
    "child",
    [
        inquiry("persons/100821"),
        inquiry("vehicles", plate="CML1B6"),
        inquiry("warrants", name="Wallace Quimby", dob="1974-02-08"),
        inquiry("warrants", name="Wallace Thomas Quimby", dob="1974-02-09"),
        inquiry("warrants", name="Wilma Thomas Quimby", dob="1974-02-08", person_id="100820"),
        inquiry("persons", surname="Quimby", dob="1974-02-08"),
        inquiry("persons", given_name="Wallace", surname="Quimby"),
        inquiry("persons", given_name="Wallace", middle_name="Thomas", surname="Quimby", dob="1974-02-08", city="Fairmont"),
        inquiry("persons", given_name="Wallace", middle_name="Thomas", surname="Quimby", dob="1974-02-08", sex="M"),
        inquiry("persons", street="640 Hemlock Road"),
        inquiry("persons", phone="555-268-4280"),
        inquiry("persons", phone="555-268-4280", mobile="555-268-4280"),
        inquiry("incidents", person_id="100820", street="640 Hemlock Road"),
        inquiry("incidents", case_number="26-004217"),
        inquiry("addresses", street="640 Hemlock Road"),
        inquiry("addresses", street_name="Hemlock Road", city="Fairmont"),
        inquiry("vehicles", plate_prefix="CML"),
        inquiry("persons", surname_prefix="Qui", given_name="Wallace"),
    ],
)
def test_any_other_query_is_about_somebody_else(child: Inquiry) -> None:
    """A slip, half a name, a description or an address beside it: whoever that finds was not named."""
    assert not sought(child) or not any(sought(child) <= subject for subject in named(ROOT, [VEHICLE]))


def test_a_name_in_parts_is_found_without_its_middle() -> None:
    """A record with the name in parts names its subject with and without the middle name; a name in one stands as it is."""
    child = sought(inquiry("warrants", name="Quimby, Wallace", dob="1974-02-08"))

    assert child <= named(ROOT, [PERSON])[0]
    assert not child <= named(ROOT, [VEHICLE])[0]


@pytest.mark.parametrize(
    "record",
    [
        {"surname": ["Quimby"], "dob": ["1974-02-08"]},
        {"name": ["Quimby"], "dob": ["1974-02-08"]},
        {"name": ["Wallace Quimby"]},
        {"name": ["Wallace Quimby"], "dob": ["1974"]},
        {"name": ["Wallace Quimby", "Desmond Whitcombe"], "dob": ["1974-02-08"]},
        {"name": ["Wallace Quimby"], "surname": ["Whitcombe"], "dob": ["1974-02-08"]},
        {"street": ["640 Hemlock Road"], "phone": ["555-268-4280"]},
        {},
    ],
)
def test_what_leaves_it_open_who_is_meant_names_nobody(record: dict[str, list[str]]) -> None:
    """Half a name, half a date, two names for one date: no query can inherit anything by it."""
    assert named(ROOT, [record]) == (frozenset(),)


def test_two_records_are_two_subjects() -> None:
    """One's number with another's name is neither of the two."""
    other = {"person_id": ["100821"], "name": ["Harold Pruitt"], "dob": ["1958-08-05"]}
    mixed = sought(inquiry("warrants", name="Harold Pruitt", dob="1958-08-05", person_id="100820"))

    assert not any(mixed <= subject for subject in named(ROOT, [PERSON, other]))


def test_a_list_and_a_broad_search_name_nobody() -> None:
    """Whoever lists a street states for each neighbor why."""
    assert len(named(ROOT, [PERSON] * MOST_NAMED)) == MOST_NAMED
    assert named(ROOT, [PERSON] * (MOST_NAMED + 1)) == ()
    assert named(inquiry("addresses", street_name="Hemlock Road", city="Fairmont"), [PERSON]) == ()


FIELDS = {
    "person_id": st.sampled_from(["1", "2"]),
    "plate": st.sampled_from(["ABC1", "ABC2"]),
    "vin": st.sampled_from(["1HGCM", "1HGCN"]),
    "name": st.sampled_from(["Ann Lee", "Bo Lee", "Lee, Ann", "Lee"]),
    "given_name": st.sampled_from(["Ann", "Bo"]),
    "middle_name": st.sampled_from(["May", "Jo"]),
    "surname": st.sampled_from(["Lee", "Ray"]),
    "dob": st.sampled_from(["1990-01-01", "1990-01-02", "1990"]),
    "street": st.sampled_from(["1 Elm", "2 Elm"]),
    "phone": st.sampled_from(["5551234567"]),
}
PARTS = st.fixed_dictionaries({}, optional={kind: values.map(lambda value: (value,)) for kind, values in FIELDS.items()})


def words(fields: Mapping[str, Sequence[str]]) -> set[str]:
    """Return every word of the names in some fields."""
    text = " ".join(value for kind in ("name", "given_name", "middle_name", "surname") for value in fields.get(kind, ()))
    return set(text.replace(",", " ").lower().split())


@given(PARTS, st.lists(PARTS, max_size=3))
def test_whatever_is_inherited_was_disclosed_in_one_record(
    criteria: dict[str, tuple[str]], records: list[dict[str, tuple[str]]]
) -> None:
    """Nothing that a query asks by, when it inherits a purpose, is missing in the one record that it inherits by."""
    child = replace(ROOT, criteria=criteria, partial={})
    subject = sought(child)
    found = [record for record, forms in zip(records, named(ROOT, records), strict=True) if subject and subject <= forms]

    for record in found:
        assert criteria.keys() <= {"person_id", "plate", "vin", "name", "given_name", "middle_name", "surname", "dob"}
        assert all(record.get(kind) == criteria[kind] for kind in ("person_id", "plate", "vin", "dob") if kind in criteria)
        assert words(criteria) <= words(record)
        assert "dob" in criteria or not words(criteria)


def test_a_number_without_a_form_is_not_passed_over() -> None:
    """A plate of nothing but a hyphen beside somebody's number would be asked by, and compared with nothing."""
    assert sought(replace(ROOT, criteria={"person_id": ("100820",)}))
    assert not sought(replace(ROOT, criteria={"person_id": ("100820",), "plate": ("-",)}))
