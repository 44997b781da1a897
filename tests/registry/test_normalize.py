from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.registry import address, normalize
from proxy.registry.name_keys import enrolled_keys, parts_keys, text_keys
from proxy.registry.usps import DIRECTIONS, ORDINALS, STATE_CODES, SUFFIXES, TENS, UNITS, WORD_UNITS

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = st.one_of(
    st.text(max_size=40),
    st.text(st.characters(), max_size=300),
    st.text("0123456789+-() .,#/xX'ABNSEW\u0301\u200b\uff11", max_size=40),
)
ADDRESSES = st.builds(
    lambda number, words, between: f"{number} {between.join(words)}",
    st.integers(0, 99_999),
    st.lists(
        st.sampled_from([*SUFFIXES, *UNITS, *WORD_UNITS, *DIRECTIONS, *STATE_CODES, *ORDINALS, *TENS])
        | st.sampled_from(["Elm", "Box", "Co", "US", "#", "12", "3B", "1/2", "30-32", "12-A", "c/o", "", "é", "12345"]),
        max_size=8,
    ),
    st.sampled_from([" ", "", "-", "/", ", "]),
)
FORMS: list[Callable[[str], str]] = [
    normalize.fold, normalize.surname, normalize.moniker, normalize.dob, normalize.ssn, normalize.phone, normalize.email,
    normalize.plate, normalize.license_number, normalize.vin, normalize.person_id, normalize.postal_code, normalize.state,
    normalize.city, address.unit,
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
@given(text=HOSTILE)
@example(text="İ")
@example(text="ﬀ\u0345ΐ")
@example(text="\ud800")
@example(text="N:O")
@example(text="Front-")
@example(text="f-ront 3")
@example(text="A\u200b\u0300")
@settings(max_examples=100)
def test_a_normal_form_is_its_own_normal_form(form: Callable[[str], str], text: str) -> None:
    """Whatever the text, there is a form or none, never an exception; and forming twice changes nothing."""
    once = form(text)

    assert form(once) == once
    assert len(once) <= normalize.MOST_CHARACTERS


@given(text=HOSTILE | ADDRESSES)
@example(text="415 Hwy 30-32")
@example(text="12 CT1-N")
@settings(max_examples=500)
def test_hostile_addresses_and_names_are_read_or_not(text: str) -> None:
    """No text makes the parsers of addresses and names raise, and what they find is bounded."""
    assert not address.loose(text).number
    for found in (address.street(text), address.address(text)):
        assert bool(found.number) == bool(found.core)
    assert len(text_keys(text)) <= 6
    assert len(parts_keys(text, text)) <= 2
    assert all(len(key) <= 4 * normalize.MOST_CHARACTERS for key in enrolled_keys(text, text, text))


@given(text=st.text(min_size=257, max_size=600))
@settings(max_examples=50)
def test_what_is_too_long_has_no_form(text: str) -> None:
    """A text over the bound costs nothing and matches nothing."""
    assert normalize.fold(text) == normalize.dob(text) == normalize.phone(text) == ""
    assert address.street(text) == address.NOWHERE


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("María-José", "maria jose"),
        ("O\u2019Brien", "obrien"),
        ("O'BRIEN", "obrien"),
        ("MU\u0308LLER", "muller"),
        ("Müller", "muller"),
        ("Straße", "strasse"),
        ("\uff33\uff4d\uff49\uff54\uff48", "smith"),
        ("Łukasz  Ørsted", "lukasz orsted"),
        ("Smi\u200bth", "smith"),
        ("St.John", "st john"),
    ],
)
def test_names_fold(written: str, plain: str) -> None:
    """Case, diacritics, compatibility forms, invisible characters and punctuation make no difference."""
    assert normalize.fold(written) == plain


@pytest.mark.parametrize(
    "written",
    [
        "Eleanor Whitcombe", "WHITCOMBE, Eleanor", "WHITCOMBE, ELEANOR R", "Eleanor R. Whitcombe", "Eleanor Ruth Whitcombe",
        "whitcombe eleanor", "Mrs. Eleanor Whitcombe", "Whitcombe, Eleanor Ruth", "Eleanor Whitcombe, Jr.", "Éleanor Whitcombe",
        "Whitcombe, Jr., Eleanor", "Whitcombe,Eleanor",
    ],
)  # fmt: skip
def test_every_order_of_a_name_meets_the_enrolled_one(written: str) -> None:
    """Surname first with a comma, given name first, with the middle name, its initial or a suffix: one person."""
    assert set(text_keys(written)) & set(enrolled_keys("Eleanor", "Ruth", "Whitcombe"))


@pytest.mark.parametrize("written", ["Whitcombe", "Eleanor", "Elena Whitcombe", "Eleanor Whitcomb", "", ",", "Whitcombe,"])
def test_half_a_name_or_another_is_not_the_name(written: str) -> None:
    """A surname alone, a given name alone or another spelling has no key in common (errors are not forgiven yet)."""
    assert not set(text_keys(written)) & set(enrolled_keys("Eleanor", "Ruth", "Whitcombe"))


def test_compound_names_are_met_by_their_parts() -> None:
    """Double surnames, particles and second given names may be left out."""
    enrolled = set(enrolled_keys("Maria Elena", "", "de la Cruz-Lopez"))

    for written in ("Maria Cruz", "Maria Lopez", "LOPEZ, Maria", "Maria de la Cruz Lopez", "Maria E de la Cruz-Lopez"):
        assert set(text_keys(written)) & enrolled, written
    assert set(parts_keys("Maria", "De La Cruz Lopez")) & enrolled


@pytest.mark.parametrize(
    ("written", "iso"),
    [
        ("1961-03-09", "1961-03-09"),
        ("03/09/1961", "1961-03-09"),
        ("3/9/1961", "1961-03-09"),
        ("19610309", "1961-03-09"),
        ("1961/03/09", "1961-03-09"),
        ("1961-03-09T00:00:00Z", "1961-03-09"),
        ("\uff11\uff19\uff16\uff11-03-09", "1961-03-09"),
        ("09-MAR-1961", "1961-03-09"),
        ("March 9, 1961", "1961-03-09"),
        ("9 Mar 1961", "1961-03-09"),
        ("09-MAR-61", ""),
        ("3/9/61", ""),
        ("31-FEB-1961", ""),
        ("1961-02-30", ""),
        ("1961-W10-4", ""),
        ("1961", ""),
        ("1961-03", ""),
        ("0000-00-00", ""),
        ("unknown", ""),
    ],
)
def test_dates_of_birth(written: str, iso: str) -> None:
    """Whole dates in the usual orders are ISO 8601; partial and impossible ones are none."""
    assert normalize.dob(written) == iso


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        ("3/9/61", (0, 3, 9)),
        ("31/12/61", (0, 12, 31)),
        ("09-MAR-61", (0, 3, 9)),
        ("Mar 9, 1961", (1961, 3, 9)),
        ("March 1961", (1961, 3, 0)),
        ("03/1961", (1961, 3, 0)),
        ("1961-03", (1961, 3, 0)),
        ("Foo 9 1961", None),
        ("99/99/61", None),
        ("13/1961", None),
    ],
)
def test_what_is_told_of_a_date_of_birth(written: str, parts: tuple[int, int, int] | None) -> None:
    """A year without its century is not known; day and month beside it are."""
    assert normalize.birth(written) == parts


@pytest.mark.parametrize(
    ("written", "e164"),
    [
        ("(212) 555-0101", "+12125550101"),
        ("212.555.0101 x12", "+12125550101"),
        ("1-212-555-0101", "+12125550101"),
        ("+1 (212) 555 0101", "+12125550101"),
        ("tel:+1-212-555-0101;ext=7", "+12125550101"),
        ("2125550101.0", "+12125550101"),
        ("011 44 20 7946 0958", "+442079460958"),
        ("+44 20 7946 0958", "+442079460958"),
        ("555-0101", ""),
        ("0000000000", ""),
        ("none", ""),
    ],
)
def test_phones_are_e164(written: str, e164: str) -> None:
    """Numbers of the North American plan need no country; a local one says too little."""
    assert normalize.phone(written) == e164


@pytest.mark.parametrize(
    ("form", "written", "plain"),
    [
        (normalize.ssn, "518-22-4471", "518224471"),
        (normalize.ssn, "518 22 4471", "518224471"),
        (normalize.ssn, "18224471", "018224471"),
        (normalize.ssn, "518224471.0", "518224471"),
        (normalize.ssn, "4010937.0", "004010937"),
        (normalize.ssn, "4-01-0937", "004010937"),
        (normalize.ssn, "xxx-xx-4471", ""),
        (normalize.ssn, "000-00-0000", ""),
        (normalize.plate, "ew-0001", "EW0001"),
        (normalize.plate, "EW·0001", "EW0001"),
        (normalize.plate, "No Plates", ""),
        (normalize.license_number, "d 1234-5678", "D12345678"),
        (normalize.vin, "1HGCM82633AOO4352", "1HGCM82633A004352"),
        (normalize.email, " Mayor@Town.Example ", "mayor@town.example"),
        (normalize.email, "mailto:mayor@town.example", "mayor@town.example"),
        (normalize.email, "mayor", ""),
        (normalize.person_id, "0100123", "100123"),
        (normalize.person_id, "100123.0", "100123"),
        (normalize.person_id, " P-9 ", "p-9"),
        (normalize.state, "new york", "NY"),
        (normalize.postal_code, "12345-6789", "12345"),
        (normalize.postal_code, "42903.0", "42903"),
        (normalize.postal_code, "5478", "05478"),
        (normalize.postal_code, "54781234", "05478"),
        (normalize.city, "Saint Louis", "ST LOUIS"),
    ],
)
def test_other_identifiers(form: Callable[[str], str], written: str, plain: str) -> None:
    """Spelling, spacing and case make no difference; words that stand for nothing are nothing."""
    assert form(written) == plain


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("518-22-447", "51822447"),
        ("518-22-44177", "5182244177"),
        ("51822447", "51822447"),
        ("518-22-44I7", "518224417"),
        ("518-22-4417", ""),
        ("518224417", ""),
        ("8224417", ""),
        ("4417", ""),
        ("xxx-xx-4417", ""),
        ("0000000000", ""),
        ("000-00-000", ""),
    ],
)
def test_an_ssn_with_a_digit_lost_or_doubled_is_read_for_comparing(text: str, form: str) -> None:
    """Its digits are read, and none of a whole number; it contradicts nobody."""
    assert normalize.ssn_slipped(text) == form
    assert not (form and normalize.ssn_tells(text))
