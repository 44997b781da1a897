"""Marks of dates and SSNs: who cannot be near is not compared, and nobody else is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.registry import likeness
from proxy.registry.likeness import OTHER, Born, Name
from proxy.registry.nearness import UNMARKED, Near, marked
from proxy.registry.tokens import Tokens
from proxy.registry.traits import Traits

if TYPE_CHECKING:
    from tests.registry.conftest import Office

WORD = Tokens(b"k" * 32).word
DATES = st.builds(Born, st.integers(1900, 2030), st.integers(1, 12), st.integers(1, 31))


SSNS = st.from_regex("[0-9]{9}", fullmatch=True)


def told(born: Born | None = None, ssn: str = "", *, tells: bool = True) -> Traits:
    """Return the traits of somebody of whom a date of birth or an SSN is known."""
    return Traits(
        births=(born,) if born else (),
        births_tell=tells and born is not None and born.whole,
        numbers={"ssn": (ssn,)} if ssn else {},
        ssns_tell=tells,
    )


def may(mine: Traits, theirs: Traits, persons: int = 1) -> bool:
    """Tell whether two may be near by their marks."""
    return Near(mine, persons, WORD).may(marked(theirs, WORD))


def near(one: Born, other: Born) -> bool:
    """Tell whether two dates may be near by their marks."""
    return may(told(one), told(other))


@given(born=DATES, data=st.data())
@settings(max_examples=500)
def test_no_date_that_a_slip_makes_of_another_is_told_apart(born: Born, data: st.DataObject) -> None:
    """Whatever compares as anything but another date has marks that may be near: slips, exchanges, day and month turned."""
    said = born.digits
    at, digit = data.draw(st.integers(0, 7)), data.draw(st.sampled_from("0123456789"))
    swap = data.draw(st.integers(0, 6))
    slipped = f"{said[:at]}{digit}{said[at + 1 :]}"
    exchanged = f"{said[:swap]}{said[swap + 1]}{said[swap]}{said[swap + 2 :]}"
    for form in (slipped, exchanged):
        for year, month, day in ((form[:4], form[4:6], form[6:]), (form[:4], form[6:], form[4:6])):
            date = Born(int(year), int(month), int(day))
            if date.whole and likeness.born(date, born) is not OTHER:
                assert near(date, born)


@given(one=DATES, other=DATES)
@settings(max_examples=500)
def test_marks_leave_out_nobody_who_is_alike(one: Born, other: Born) -> None:
    """Of any two dates that are not others, the marks may be near."""
    assert near(one, other) or likeness.born(one, other) is OTHER


@pytest.mark.parametrize("other", [Born(1984, 1, 31), Born(1961, 12, 24), Born(1990, 3, 20)])
def test_another_date_is_told_apart(other: Born) -> None:
    """One equal part is not near enough, but for an exchange across its border."""
    assert not near(Born(1961, 3, 9), other)


def test_who_has_no_whole_date_is_told_apart_from_nobody() -> None:
    """A date that is not known, or in part, has no marks."""
    assert marked(told(), WORD) == marked(told(Born(1961)), WORD) == UNMARKED
    assert Near(told(Born(1961, 3, 9), "123456789"), 1, WORD).may(UNMARKED)


@given(ssn=SSNS, data=st.data())
@settings(max_examples=500)
def test_no_ssn_that_a_slip_makes_of_another_is_told_apart(ssn: str, data: st.DataObject) -> None:
    """One digit changed, or two neighbors exchanged, leave one third of a number as it was."""
    at, digit = data.draw(st.integers(0, 8)), data.draw(st.sampled_from("0123456789"))
    swap = data.draw(st.integers(0, 7))
    for slipped in (f"{ssn[:at]}{digit}{ssn[at + 1 :]}", f"{ssn[:swap]}{ssn[swap + 1]}{ssn[swap]}{ssn[swap + 2 :]}"):
        assert may(told(ssn=slipped), told(ssn=ssn))


def test_another_ssn_is_told_apart_where_it_contradicts() -> None:
    """Where two persons are named, a number is not whole or several are known, another number leaves nobody out."""
    mine, theirs = told(ssn="219099999"), told(ssn="541892803")

    assert not may(mine, theirs)
    assert may(mine, theirs, persons=2)
    assert may(told(ssn="219099999", tells=False), theirs)
    assert may(mine, told(ssn="541892803", tells=False))
    assert may(mine, theirs._replace(numbers={"ssn": ("541892803", "134776655")}))
    assert not may(told(Born(1961, 3, 9), "219099999"), told(Born(1961, 3, 9), "541892803"))


async def test_a_common_name_of_that_year_is_not_compared(office: Office) -> None:
    """Of those who share a surname and the year of birth, only whose date is near is opened; a home beside it still tells."""
    home = {"street": "12 Elm Street", "city": "Springfield", "state": "NY", "postal_code": "12345"}
    await office.enroll(
        {"given_name": "Eleanor", "surname": "Whitcombe", "dob": "1961-03-09", "category": "official", "basis": "law", **home}
    )

    assert office.roads(given_name="Elanor", surname="Whitcomb", dob="1961-03-19") == {"likeness"}
    assert office.protections(given_name="Elanor", surname="Whitcomb", dob="1961-12-24") == ()
    assert office.roads(given_name="Elanor", surname="Whitcomb", dob="1961-12-24", **{**home, "street": "12 Elmm St"}) == {
        "likeness"
    }


async def test_a_common_name_with_another_ssn_is_not_compared(office: Office) -> None:
    """Of those who share a name's sound and a date, only whose SSN may be a slip is opened; a home beside it still tells."""
    home = {"street": "12 Elm Street", "city": "Springfield", "state": "NY", "postal_code": "12345"}
    person = {"given_name": "Eleanor", "surname": "Whitcombe", "dob": "1961-03-09", "ssn": "219-09-9999"}
    await office.enroll({**person, "category": "official", "basis": "law", **home})

    asked = {"given_name": "Elanor", "surname": "Whitcomb", "dob": "1961-03-09"}
    assert office.roads(**asked, ssn="219-09-9998") == {"likeness"}
    assert office.protections(**asked, ssn="541-89-2803") == ()
    assert office.roads(**asked, ssn="541-89-2803", **home) == {"address"}


async def test_a_strangers_number_that_is_one_slip_away_is_not_compared(office: Office) -> None:
    """An SSN that slipped beside another date of birth tells where one name sounds alike; whose is another is a stranger."""
    person = {"given_name": "Eleanor", "surname": "Whitcombe", "dob": "1961-03-09", "ssn": "219-09-9999"}
    await office.enroll({**person, "category": "official", "basis": "law"})

    slipped = {"ssn": "219-09-9998", "dob": "1984-10-24"}
    assert office.roads(given_name="Elanor", surname="Carter", **slipped) == {"likeness"}
    assert office.protections(given_name="James", surname="Carter", **slipped) == ()
    assert office.roads(given_name="James", surname="Whitcombe", ssn="219-09-9998") == {"likeness"}


async def test_a_stranger_in_a_street_of_that_sound_is_not_compared(office: Office) -> None:
    """An address beside another date of birth and another SSN tells where one name sounds alike; else one of both is enough."""
    home = {"street": "12 Elm Street", "city": "Springfield", "state": "NY", "postal_code": "12345"}
    person = {"given_name": "Eleanor", "surname": "Whitcombe", "dob": "1961-03-09", "ssn": "219-09-9999"}
    await office.enroll({**person, "category": "official", "basis": "law", **home})

    there = {**home, "street": "12 Elmm Street"}
    other = {"dob": "1984-10-24", "ssn": "541-89-2803"}
    assert office.roads(**there) == {"likeness"}
    assert office.protections(given_name="James", surname="Carter", **other, **there) == ()
    assert office.roads(given_name="Elinor", surname="Wzitcombe", dob="1961-03-09", ssn="541-89-2803", **there) == {"likeness"}


def test_one_of_date_and_ssn_may_be_near() -> None:
    """Whose date and SSN are both another is told apart by either; whoever lacks one, or has one that is near, is not."""
    mine = told(Born(1961, 3, 9), "219099999")

    def by_one(theirs: Traits) -> bool:
        return Near(mine, 1, WORD).may_by_one(marked(theirs, WORD))

    assert not by_one(told(Born(1984, 10, 24), "541892803"))
    assert by_one(told(Born(1961, 3, 9), "541892803"))
    assert by_one(told(Born(1984, 10, 24), "219099998"))
    assert by_one(told(Born(1984, 10, 24)))
    assert by_one(told(ssn="541892803"))


@given(
    given_name=st.text("abcdefghijklmnop", min_size=3, max_size=9), surname=st.text("abcdefghijklmnop", min_size=3, max_size=9)
)
@settings(max_examples=200)
def test_who_sounds_alike_may(given_name: str, surname: str) -> None:
    """A name that sounds the same has the same mark, as it is or exchanged; who has several names, or none, may be anybody."""
    mine = Traits(names=(Name((given_name,), (surname,)),))
    near = Near(mine, 1, WORD)

    assert near.may_sound(marked(Traits(names=(Name((given_name,), ("xyz",)),)), WORD))
    assert near.may_sound(marked(Traits(names=(Name(("xyz",), (given_name,)),)), WORD))
    assert near.may_sound(marked(Traits(names=(Name(("xyz",), ("zyx",)), Name(("yyy",), ("zzz",)))), WORD))
    assert Near(Traits(), 1, WORD).may_sound(marked(mine, WORD))
