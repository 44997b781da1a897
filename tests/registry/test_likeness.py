"""How alike two values are: tables of pairs, and what holds for every text."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import OSA

from proxy.registry import address, likeness, normalize, traits
from proxy.registry.likeness import (
    INITIAL,
    NICKNAME,
    OTHER,
    PART,
    PARTIAL,
    PHONETIC,
    SAME,
    SIMILAR,
    SLIP,
    SWAPPED,
    UNHEARD,
    Born,
)

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = st.text("aeilmnorstBHK '-é", min_size=1, max_size=14)
NUMBERS = st.text("01AB", max_size=8)
ANY = st.one_of(
    st.text(max_size=40),
    st.text(st.characters(), max_size=300),
    st.text("abc-' \u0301\u0345\u200f\u202e\U0001f46e\ud800,.", max_size=60),
)
HOSTILE = {
    "long": "a" * 256,
    "words": "abcd " * 51,
    "letters": "a " * 128,
    "marks": "e" + "\u0301" * 255,
    "right to left": "\u202e" + "\u0645\u062d\u0645\u062f" * 60,
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 50,
    "ligature": "\ufdfa" * 256,
    "too long": "x" * 100_000,
}


@pytest.mark.parametrize(
    ("mine", "theirs", "level"),
    [
        ("Apt 2B", "# 2-B", SAME),
        ("Bldg A Apt 2B", "Apt 2B", PART),
        ("Apt 2B", "Rear Apt 2B", PART),
        ("2nd Floor Apt 3", "Apt 3", PART),
        ("Bldg A", "Apt 2B Bldg A", PART),
        ("Bldg A Apt 2B", "Bldg C Apt 2B", OTHER),
        ("Bldg A Apt 2B", "Bldg A Apt 2C", OTHER),
        ("Bldg A Apt 2B", "Apt 2C", OTHER),
        ("Apt 2B", "Bldg 2B", OTHER),
        ("Apt 3", "Apt 3B", OTHER),
        ("Lot 112", "Lot 113", OTHER),
        ("Lot 5", "# 5", PART),
        ("Lot 5", "Space 5", PART),
        ("Trailer 5", "Unit 5", PART),
        ("Lot 5", "# 6", OTHER),
        ("Bldg 5", "# 5", OTHER),
        ("Bldg 12 Apt 4", "Bldg 13 Apt 4", OTHER),
        ("Villa 3", "Vilpa 3", SLIP),
    ],
)
def test_a_unit_is_one_whether_its_building_is_told_or_not(mine: str, theirs: str, level: str) -> None:
    """A building or a floor may be left out; another one, or another number in it, is the neighbor's."""
    one, other = address.unit(mine), address.unit(theirs)

    assert likeness.unit(one, other) == level == likeness.unit(other, one)


@pytest.mark.parametrize(
    ("mine", "theirs", "level"),
    [
        ("Eleanor", "ELEANOR", SAME),
        ("Zoë", "Zoe", SAME),
        ("Jean-Luc", "Jean", SAME),
        ("Mary Ann", "Maryann", SAME),
        ("D'Andre", "Dandre", SAME),
        ("Bill", "William", NICKNAME),
        ("Peggy", "Margaret", NICKNAME),
        ("Bob", "Rob", NICKNAME),
        ("Ruth Eleanor", "Eleanor", PART),
        ("Eleanor Ruth", "Ruth Eleanor", PART),
        ("Elaenor", "Eleanor", UNHEARD),
        ("Eleanr", "Eleanor", UNHEARD),
        ("Eleanorr", "Eleanor", UNHEARD),
        ("Elesnor", "Eleanor", SLIP),
        ("Geoffrey", "Jeffrey", PHONETIC),
        ("Ellie", "Eleanor", NICKNAME),
        ("Chris", "Christophe", SIMILAR),
        ("E", "Eleanor", INITIAL),
        ("E R", "Eleanor", INITIAL),
        ("R", "Eleanor", OTHER),
        ("Edith", "Eleanor", OTHER),
        ("Bo", "Jo", SIMILAR),
    ],
)
def test_given_names(mine: str, theirs: str, level: str) -> None:
    """Short forms, second names, slips, sounds and initials each have their word, whichever of the two is asked about."""
    one, other = normalize.given_tokens(mine), normalize.given_tokens(theirs)

    assert likeness.given(one, other) == likeness.given(other, one) == level


@pytest.mark.parametrize(
    ("mine", "theirs", "level"),
    [
        ("Whitcombe", "WHITCOMBE", SAME),
        ("O'Brien", "OBrien", SAME),
        ("De La Cruz", "Delacruz", SAME),
        ("Müller", "Muller", SAME),
        ("Whitcombe Jr.", "Whitcombe", SAME),
        ("Garcia-Lopez", "Lopez", PART),
        ("Garcia Lopez", "Lopez-Garcia", PART),
        ("de la Cruz", "de la Rosa", OTHER),
        ("Whitcomb", "Whitcombe", SLIP),
        ("Whitcmobe", "Whitcombe", UNHEARD),
        ("Witcombe", "Whitcombe", UNHEARD),
        ("Smyth", "Smith", UNHEARD),
        ("Philips", "Fillips", PHONETIC),
        ("Mueller", "Miller", PHONETIC),
        ("Whitc", "Whitcombe", SIMILAR),
        ("Garcia-Whitcombe", "Whitcmobe", UNHEARD),
        ("W", "Whitcombe", INITIAL),
        ("Marsh", "Whitcombe", OTHER),
        ("Lee", "Li", PHONETIC),
        ("Smyth Fillips", "Philips Smith", UNHEARD),
        ("Иванов", "Ivanov", SAME),
    ],
)
def test_surnames(mine: str, theirs: str, level: str) -> None:
    """Halves, particles, slips, sounds and what is cut short each have their word, whichever of the two is asked about."""
    one, other = normalize.surname_tokens(mine), normalize.surname_tokens(theirs)

    assert likeness.surname(one, other) == likeness.surname(other, one) == level


@pytest.mark.parametrize(
    ("mine", "theirs", "level"),
    [
        ("1961-03-09", "03/09/1961", SAME),
        ("1961-09-03", "1961-03-09", SWAPPED),
        ("1961-03-08", "1961-03-09", SLIP),
        ("1916-03-09", "1961-03-09", SLIP),
        ("1961-03-25", "1961-03-09", SIMILAR),
        ("1975-03-09", "1961-03-09", SIMILAR),
        ("1984-01-31", "1961-03-09", OTHER),
        ("1961", "1961-03-09", PARTIAL),
        ("1961-03", "1961-03-09", PARTIAL),
        ("????-03-09", "1961-03-09", PARTIAL),
        ("1961", "1961", PARTIAL),
        ("1962", "1961-03-09", OTHER),
        ("1961", "????-03-09", ""),
    ],
)
def test_dates_of_birth(mine: str, theirs: str, level: str) -> None:
    """A slip, day and month exchanged, a part of a date; two parts that do not meet say nothing."""
    one, other = traits.birth(mine), traits.birth(theirs)
    assert one is not None
    assert other is not None

    assert likeness.born(one, other) == likeness.born(other, one) == level


@pytest.mark.parametrize("text", ["", "unknown", "0000-00-00", "1984-00-41", "31", "\ud800"])
def test_what_is_no_date_is_not_compared(text: str) -> None:
    """Words and half of a date that there is not are no date of birth."""
    assert traits.birth(text) is None


@pytest.mark.parametrize("text", ["1900-01-01", "0001-01-01", "1961", "1961-03"])
def test_a_date_that_stands_for_unknown_does_not_tell(text: str) -> None:
    """A placeholder, or a part of a date, cannot contradict."""
    born = traits.birth(text)

    assert born is not None
    assert not traits.tells(born)


@pytest.mark.parametrize(
    ("form", "mine", "theirs", "level"),
    [
        (normalize.ssn, "518 22 4471", "518-22-4471", SAME),
        (normalize.ssn, "518-22-4417", "518-22-4471", SLIP),
        (normalize.ssn, "518-22-4477", "518-22-4471", SLIP),
        (normalize.ssn, "518-22-7744", "518-22-4471", OTHER),
        (normalize.phone, "(212) 555-0101", "+1 212 555 0101 x7", SAME),
        (normalize.phone, "212-555-0110", "212-555-0101", SLIP),
        (normalize.phone, "212-555-0199", "212-555-0101", OTHER),
        (normalize.email, "Mayor@Town.example", "mayor+news@town.example", SAME),
        (normalize.email, "mayr@town.example", "mayor@town.example", SLIP),
        (normalize.license_number, "D 1234-5679", "D1234-5678", SLIP),
        (normalize.license_number, "D1234", "D1235", OTHER),
        (normalize.license_number, "D1234", "D12345", SLIP),
    ],
)
def test_numbers(form: Callable[[str], str], mine: str, theirs: str, level: str) -> None:
    """Numbers are the same in any writing, one slip away, or others; a short one has too many neighbors for a slip."""
    one, other = form(mine), form(theirs)

    assert likeness.marks(one, other) == likeness.marks(other, one) == level


@pytest.mark.parametrize(
    ("mine", "level"),
    [
        ("obi-8sz", SAME),
        ("0B1 B52", SAME),
        ("081", OTHER),
        ("OBI8", PARTIAL),
        ("I8SZ", PARTIAL),
        ("O8I?SZ", PARTIAL),
        ("O8I8S", PARTIAL),
        ("OBI8SX", SLIP),
        ("OB8ISZ", SLIP),
        ("EWT001", OTHER),
    ],
)
def test_plates(mine: str, level: str) -> None:
    """O and 0, I and 1, B and 8 are one mark; the beginning, the end, and all but one mark are parts of a plate."""
    assert likeness.part(normalize.plate(mine), normalize.plate("OBI 8SZ")) == level


@pytest.mark.parametrize(
    ("mine", "theirs", "level"),
    [
        ("12 Elm Street", "12 ELM ST.", SAME),
        ("12 North Martin Luther King Blvd", "12 N MARTINLUTHER KING BOULEVARD", SAME),
        ("12 Wihtcombe Ave", "12 Whitcombe Avenue", SLIP),
        ("12 Oak Street", "12 Elm Street", OTHER),
        ("12 1st Avenue", "12 First Ave", SAME),
        ("12 41st Street", "12 42nd Street", OTHER),
    ],
)
def test_streets(mine: str, theirs: str, level: str) -> None:
    """A street is the same in the post office's spellings and with its spaces lost; another is another."""
    one, other = address.street(mine).core, address.street(theirs).core

    assert likeness.words(one, other) == likeness.words(other, one) == level


@given(one=NAMES, other=NAMES)
@example(one="smyth fillips", other="philips smith")
@settings(max_examples=400)
def test_names_compare_the_same_both_ways(one: str, other: str) -> None:
    """Whichever name is the enrolled one, the level is the same."""
    mine, theirs = normalize.surname_tokens(one), normalize.surname_tokens(other)
    if mine and theirs:
        assert likeness.surname(mine, theirs) == likeness.surname(theirs, mine)
        assert likeness.given(mine, theirs) == likeness.given(theirs, mine)


@given(one=NUMBERS, other=NUMBERS)
@settings(max_examples=200)
def test_numbers_and_places_compare_the_same_both_ways(one: str, other: str) -> None:
    """Whichever number or street is the enrolled one, the level is the same."""
    assert likeness.marks(one, other) == likeness.marks(other, one)
    assert likeness.words(one, other) == likeness.words(other, one)


@given(
    one=st.builds(Born, st.integers(1950, 1953), st.integers(0, 12), st.integers(0, 31)),
    other=st.builds(Born, st.integers(1950, 1953), st.integers(0, 12), st.integers(0, 31)),
)
@settings(max_examples=200)
def test_dates_compare_the_same_both_ways(one: Born, other: Born) -> None:
    """Whichever date is the enrolled one, the level is the same; a date is never another than itself."""
    assert likeness.born(one, other) == likeness.born(other, one)
    assert likeness.born(one, one) in {SAME, PARTIAL}


@given(one=ANY, other=ANY)
@settings(max_examples=300)
def test_no_text_breaks_a_comparison(one: str, other: str) -> None:
    """Whatever stands in a name's or a number's field is compared, or has nothing to compare."""
    for mine in (traits.name_of(one, one), *traits.names_of(one)):
        for theirs in (traits.name_of(other, other), *traits.names_of(other)):
            if mine.given and theirs.given:
                assert likeness.given(mine.given, theirs.given)
            if mine.surname and theirs.surname:
                assert likeness.surname(mine.surname, theirs.surname)
    for form in (normalize.ssn, normalize.plate, normalize.email):
        assert likeness.part(form(one), form(other))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_costs_little(text: str) -> None:
    """What is made to be slow is compared with 64 names, as many as ever are, within a tenth of a second of CPU."""
    theirs = traits.name_of("Eleanor Ruth", "Garcia-Whitcombe")
    started = time.process_time()

    mine = traits.name_of(text, text)
    for _ in range(64):
        if mine.given:
            likeness.given(mine.given, theirs.given)
            likeness.surname(mine.surname, theirs.surname)

    assert time.process_time() - started < 0.1


@settings(max_examples=400)
@given(st.builds(Born, st.integers(1955, 1962), st.integers(1, 12), st.integers(1, 28)), st.data())
def test_a_slip_in_a_date_is_one_digit_or_two_exchanged(mine: Born, data: st.DataObject) -> None:
    """Whatever is looked at first, dates are as alike as their eight digits are."""
    theirs = data.draw(st.builds(Born, st.integers(1955, 1962), st.integers(1, 12), st.integers(1, 28)))
    turned = Born(theirs.year, theirs.day, theirs.month)
    same = sum(one == other for one, other in zip(mine, theirs, strict=True))

    level = likeness.born(mine, theirs)

    slips, exchanged = OSA.distance(mine.digits, theirs.digits), OSA.distance(mine.digits, turned.digits)
    expected = SAME if not slips else SWAPPED if not exchanged else SLIP if slips == 1 else SIMILAR
    assert level == (expected if expected is not SIMILAR or same == 2 or exchanged == 1 else OTHER)
