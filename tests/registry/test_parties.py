"""Whether a query means a party to a case: a doubt is no yes, and the registry has no say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proxy.registry.parties import OnCase, on_case

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.purpose.purpose import Party

DANA: Party = (
    ("city", "Fairmont City"), ("dob", "1984-03-02"), ("given_name", "Danielle"), ("phone", "573-555-0101"),
    ("postal_code", "42901"), ("street", "12 Hemlock Road"), ("surname", "Hale-Okafor"),
)  # fmt: skip
BY_NAME: Party = (("name", "Hale, Robert"),)
BY_RECORD: Party = (("person_id", "100817"), ("surname", "Hale"))


@pytest.mark.parametrize(
    ("criteria", "told"),
    [
        ({"given_name": "Danielle", "surname": "Hale-Okafor", "dob": "1984-03-02"}, OnCase.YES),
        ({"name": "OKAFOR, DANIELLE", "dob": "03/02/1984"}, OnCase.YES),
        ({"given_name": "Daniele", "surname": "Hale Okafor", "dob": "1984-03-02"}, OnCase.YES),
        ({"given_name": "Danielle", "surname": "Hale-Okafor"}, OnCase.UNKNOWN),
        ({"surname": "Hale-Okafor", "dob": "1984-03-02"}, OnCase.UNKNOWN),
        ({"given_name": "Danielle", "surname": "Hale-Okafor", "dob": "1971-11-30"}, OnCase.NO),
        ({"given_name": "Marcus", "surname": "Hale-Okafor", "dob": "1984-03-02"}, OnCase.NO),
        ({"given_name": "Danielle", "surname": "Quimby", "dob": "1984-03-02"}, OnCase.NO),
        ({"dob": "1984-03-02"}, OnCase.UNKNOWN),
        ({"phone": "(573) 555-0101"}, OnCase.YES),
        ({"phone": "573-555-0102"}, OnCase.UNKNOWN),
        ({"phone": "573-555-0101", "given_name": "Marcus", "surname": "Quimby"}, OnCase.NO),
        ({"street": "12 Hemlock Rd", "city": "Fairmont City"}, OnCase.YES),
        ({"street": "14 Hemlock Rd", "city": "Fairmont City"}, OnCase.NO),
        ({"street": "12 Hemlock Rd", "city": "Louisville"}, OnCase.NO),
        ({"street": "Hemlock Rd", "city": "Fairmont City"}, OnCase.UNKNOWN),
        ({"given_name": "Danielle", "surname": "Okafor", "street": "12 Hemlock Road"}, OnCase.YES),
        ({"person_id": "100817"}, OnCase.UNKNOWN),
        ({"plate": "ABC1234"}, OnCase.UNKNOWN),
        ({}, OnCase.UNKNOWN),
    ],
)
def test_a_party_is_told_by_what_speaks_for_one_person(criteria: Mapping[str, str], told: OnCase) -> None:
    """A name takes a date of birth or the home beside it; anything that is another's is a no."""
    assert on_case({kind: (value,) for kind, value in criteria.items()}, (DANA,)) is told


def test_the_nearest_party_counts_and_nothing_known_is_no_answer() -> None:
    """One yes is enough; else one doubt is a doubt; nobody on the case is a no; a directory that is silent, a doubt."""
    robert = {"given_name": ("Robert",), "surname": ("Hale",), "dob": ("1990-01-01",)}
    other = {"given_name": ("Wilma",), "surname": ("Quimby",), "dob": ("1990-01-01",)}
    assert on_case(robert, (DANA, BY_NAME)) is OnCase.YES
    assert on_case(other, (DANA, BY_NAME)) is OnCase.NO
    assert on_case(other, ()) is OnCase.NO
    assert on_case(other, None) is OnCase.UNKNOWN


def test_the_number_of_a_record_decides_where_the_case_has_it() -> None:
    """Of two numbers both have to be the party's."""
    assert on_case({"person_id": ("100817",)}, (BY_RECORD,)) is OnCase.YES
    assert on_case({"person_id": ("100818",)}, (BY_RECORD,)) is OnCase.NO
    assert on_case({"person_id": ("100817", "100818")}, (BY_RECORD,)) is OnCase.NO
