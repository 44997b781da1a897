from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.registry import address, likeness
from proxy.registry.usps import DIRECTIONS, SUFFIXES


@pytest.mark.parametrize(
    "written",
    [
        "12 Elm Street Apt 3B", "12 ELM ST APT 3B", "12 Elm St. #3B", "012 elm street, apartment 3-B", "12 Elm St Unit 3 B",
        "12 Elm St 3b", "Apt 3B, 12 Elm Street", "12 Elm St, Apt 3B, Springfield, NY 12345", "12  Elm  Str  Suite 3B",
        "12 ELM ST APT 3B SPRINGFIELD NY 12345-6789", "12 Elm St # 3B, Springfield, New York, USA", "12 Elm\nSt\n3B",
    ],
)  # fmt: skip
def test_every_spelling_is_one_home(written: str) -> None:
    """Number, street core and unit are the same under every spelling of USPS Publication 28."""
    found = address.address(written.replace("\nSt", " St"))

    assert (found.number, found.core, found.unit) == ("12", "ELM ST", "3B")


@pytest.mark.parametrize(
    ("written", "core"),
    [
        ("12 N. E. Elm Park Avenue", "NE ELM PARK AVE"),
        ("12 Northeast Elm Park Ave", "NE ELM PARK AVE"),
        ("500 Fifth Avenue", "5 AVE"),
        ("500 5th Ave", "5 AVE"),
        ("12 Saint Louis Street", "ST LOUIS ST"),
        ("12 St. Louis St", "ST LOUIS ST"),
        ("12 County Road 5", "COUNTY RD 5"),
        ("12 Avenue B", "AVE B"),
        ("12 Upper Front Street", "UPPER FRONT ST"),
        ("12 Winston-Salem Rd", "WINSTON SALEM RD"),
        ("P.O. Box 12", "PO BOX"),
        ("RR 2 Box 12", "RR 2"),
        ("12 Twenty-Third Street", "23 ST"),
        ("12 Thirty First Ave", "31 AVE"),
        ("12 Twenty Mile Road", "TWENTY MILE RD"),
        ("12 Foutrh Avenue", "4 AVE"),
        ("12 Sevnth Streat", "7 ST"),
        ("12 Gateway Bolevard", "GTWY BLVD"),
        ("12 Firth Street", "FIRTH ST"),
        ("12 Count Street", "COUNT ST"),
        ("12 Elm Drove", "ELM DROVE"),
        ("12 MLK Blvd", "MARTIN LUTHER KING BLVD"),
        ("12 Dr. M.L. King Jr. Blvd", "MARTIN LUTHER KING BLVD"),
        ("12 Martin Luther King Junior Boulevard", "MARTIN LUTHER KING BLVD"),
        ("12 King Street", "KING ST"),
        ("12 K Street", "K ST"),
        ("12 Forth Street", "4 ST"),
        ("c/o Smith 12 Elm St", "ELM ST"),
    ],
)
def test_street_names_survive_their_abbreviations(written: str, core: str) -> None:
    """Suffixes, directionals, ordinals and words that only look like units come to one core."""
    found = address.street(written)

    assert (found.number, found.core, found.unit) == ("12" if "500" not in written else "500", core, "")


@pytest.mark.parametrize("written", ["Elm Street", "5th Avenue", "Springfield", "", "#3", "Apt 3", "12", "unknown"])
def test_a_street_is_not_a_home(written: str) -> None:
    """Without a house number there is no home, so that a street search recognizes nobody beforehand."""
    assert address.address(written) == address.NOWHERE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("12 Elm St", "12 Elm Ave"),
        ("12 Elm St", "21 Elm St"),
        ("12 N Elm St", "12 S Elm St"),
        ("12 5th Ave", "12 6th Ave"),
        ("12 Elm St", "12 1/2 Elm St"),
        ("12 Elm St", "12A Elm St"),
    ],
)
def test_neighbors_are_not_the_same_building(one: str, other: str) -> None:
    """Another number, direction, ordinal or suffix is another home."""
    assert address.street(one).building != address.street(other).building


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Apt. 3-B", "#3b", True),
        ("Unit 03", "3", True),
        ("2nd Floor", "FL 2", True),
        ("Second Floor", "FL 2", True),
        ("Bldg 4 Apt 2", "apt 2, bldg 4", True),
        ("Flat 2", "Unit 2", True),
        ("Penthouse", "PH", True),
        ("N/A", "", True),
        ("3", "3B", False),
        ("FL 2", "Apt 2", False),
        ("Bldg 4 Apt 2", "Bldg 42", False),
    ],
)
def test_units(one: str, other: str, same: bool) -> None:
    """Designators that people use for one another do not matter, floors and buildings do."""
    assert (address.unit(one) == address.unit(other)) is same


@pytest.mark.parametrize(
    ("written", "number", "core"),
    [
        ("17 1/2 Elm St", "17 1/2", "ELM ST"),
        ("17½ Elm Street", "17 1/2", "ELM ST"),
        ("17-1/2 Elm St.", "17 1/2", "ELM ST"),
        ("Seventeen Elm Street", "17", "ELM ST"),
        ("One Police Plaza", "1", "POLICE PLZ"),
        ("12 Seven Oaks Lane", "12", "SEVEN OAKS LN"),
        ("Five Corners", "", ""),
        ("N6 W23001 Bluemound Rd", "N6W23001", "BLUEMOUND RD"),
        ("N 6 W 23001 Bluemound Road", "N6W23001", "BLUEMOUND RD"),
        ("842 E 1700 S", "842", "E 1700 S"),
        ("21\N{EN DASH}17 31st Avenue", "21-17", "31 AVE"),
    ],
)
def test_a_number_is_one_however_it_is_written(written: str, number: str, core: str) -> None:
    """Halves have one form, which is another house than the whole number's; a number in words is a number before a street."""
    found = address.street(written)

    assert (found.number, found.core) == (number, core)


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ("15-17", "15-17", "same"), ("15-17", "15", "part"), ("17", "15-17", "part"), ("42-15", "4215", "part"),
        ("15-17", "16-18", "other"), ("15-17", "19", "other"), ("42-15", "15", "other"), ("17 1/2", "17", "other"),
        ("15", "17", "other"),
    ],
)  # fmt: skip
def test_a_house_that_spans_numbers_has_each_of_them(one: str, other: str, level: str) -> None:
    """15-17 may be told as 15 or as 17, and 42-15 of Queens as 4215; no other house is."""
    assert likeness.house(one, other) == level == likeness.house(other, one)


@pytest.mark.parametrize("written", ["17-4B Elm St", "4B/17 Elm St", "4B-17 Elm St", "Flat 4B 17 Elm St", "17 Elm St 4B"])
def test_a_unit_is_found_on_either_side_of_the_number(written: str) -> None:
    """A unit that is joined to the house number is the unit."""
    assert address.street(written)[:3] == ("17", "ELM ST", "4B")


def test_a_unit_before_a_slash_is_the_unit() -> None:
    """5/12 is the fifth unit of number twelve."""
    assert address.street("5/12 Ashgrove Cres")[:3] == ("12", "ASHGROVE CRES", "5")


@given(
    number=st.integers(1, 99_999),
    direction=st.sampled_from(["", *DIRECTIONS]),
    name=st.sampled_from(["Elm", "Oak Hollow", "Maple", "Whitcombe", "42nd"]),
    suffix=st.sampled_from(sorted(set(SUFFIXES) - {"HWY", "HIGHWAY"})),
    unit=st.sampled_from(["", "Apt 7", "apartment 7", "# 7", "UNIT 7", "Ste. 7"]),
)
@settings(max_examples=200)
def test_respelling_changes_nothing(number: int, direction: str, name: str, suffix: str, unit: str) -> None:
    """An address written with abbreviations or in full, in any case, with any designator, comes to one form."""
    full = f"{number} {direction} {name} {suffix} {unit}"
    short = f"{number} {DIRECTIONS.get(direction, '')} {name} {SUFFIXES[suffix]}.".lower() + (", 7" if unit else "")

    assert address.address(full)[:3] == address.address(short)[:3]
    assert address.street(full)[:3] == address.street(short)[:3]


@given(
    number=st.integers(0, 2_000_000).map(str) | st.from_regex("[0-9]{1,7}", fullmatch=True),
    rest=st.lists(
        st.sampled_from(
            [*"#,-/12", "Elm", "St", "N", "CT", "Apt", "3B", "1/2", "FL", "2nd", "NY", "12345", "Rd", "County", "é"]
        )
        | st.text(max_size=4),
        max_size=8,
    ).map(" ".join),
)
@settings(max_examples=500)
def test_a_street_that_is_remembered_is_read_as_if_it_were_new(number: str, rest: str) -> None:
    """Whichever house of a street came first, every other of its houses has the form that it would have by itself."""
    text = f"{number} {rest}"

    assert address.by_street(address.street)(text) == address.street(text)
