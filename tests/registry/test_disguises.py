"""Forms of a name, an address or a number that hid somebody from recognition, each found by an attack."""

# ruff: noqa: RUF001 -- letters that are taken for others are the point
from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

from proxy.registry.person import Entry, Home, Identifiers, pack, unpack_entry
from tests.registry.conftest import person

if TYPE_CHECKING:
    from tests.registry.conftest import Office

ENROLLED: Final[dict[str, Any]] = {"category": "victim", "basis": "order"}
PHILIPPA: Final = {
    **ENROLLED, "given_name": "Philippa", "surname": "Hargrove", "dob": "1980-12-12", "plate": "KOB108",
    "street": "17 Magnolia Court",
}  # fmt: skip


def met(office: Office, **fields: str | tuple[str, ...]) -> bool:
    """Tell whether criteria or a record concern anybody protected."""
    given = {kind: (value,) if isinstance(value, str) else value for kind, value in fields.items()}
    return bool(office.registry.recognizer.recognize(given, person()).protections)


@pytest.mark.parametrize(
    "asked",
    [
        {"given_name": "Рhіlірра", "surname": "Наrgrоvе"},
        {"name": "Ηargrονe, Ρhiliρρa"},
        {"text": "seen with Рhіlірра Наrgrоvе"},
        {"plate": "КОВ-108"},
        {"street": "17 Маgnоliа Соurt"},
    ],
    ids=["parts", "whole", "text", "plate", "street"],
)
async def test_letters_of_another_script_are_what_they_look_like(office: Office, asked: dict[str, str]) -> None:
    """Cyrillic or Greek letters that look Latin, among Latin ones, hide neither a name nor a plate nor a home."""
    await office.enroll(PHILIPPA)

    assert met(office, **asked)


async def test_a_name_of_another_script_is_spelt_as_before(office: Office) -> None:
    """Only a word of mixed scripts is read by its looks: a Cyrillic name is still the one that it spells."""
    await office.enroll({**ENROLLED, "given_name": "Сара", "surname": "Ростов", "dob": "1970-01-02"})

    assert met(office, given_name="Sara", surname="Rostov")
    assert not met(office, given_name="Capa", surname="Poctob")


JOINT: Final = (
    "QUIMBY, WALLACE & ELEANOR WHITCOMBE", "QUIMBY, WALLACE & WHITCOMBE, ELEANOR", "WHITCOMBE, DESMOND A & ELEANOR G",
    "Wallace Quimby and Eleanor Whitcombe", "Desmond and Eleanor Whitcombe", "Eleanor & Desmond Whitcombe",
    "John Smith a/k/a Eleanor Whitcombe", "Wallace Quimby aka Eleanor Whitcombe", "Wallace Quimby c/o Eleanor Whitcombe",
    "Wallace Quimby; Eleanor Whitcombe", "ELEANOR WHITCOMBE FAMILY TRUST", "Estate of Eleanor Whitcombe",
    "QUIMBY, WALLACE / WHITCOMBE, ELEANOR",
)  # fmt: skip
ELEANOR: Final = {**ENROLLED, "given_name": "Eleanor", "middle_name": "Grace", "surname": "Whitcombe", "dob": "1971-03-08"}


@pytest.mark.parametrize("name", JOINT)
async def test_who_is_named_beside_another_is_recognized(office: Office, name: str) -> None:
    """An owner, party or alias among several in one column is recognized, whatever date of birth the other one has."""
    await office.enroll(ELEANOR)

    assert met(office, name=name, dob="1974-02-08")
    assert not met(office, name=name.upper().replace("WHITCOMBE", "BEAUMONT"), dob="1974-02-08")


async def test_two_given_names_in_one_column_are_two_persons(office: Office) -> None:
    """A record of a couple, with both given names in the one column, concerns both."""
    await office.enroll(ELEANOR)

    assert met(office, given_name="Desmond & Eleanor", surname="Whitcombe", dob="1969-09-30")


@pytest.mark.parametrize("name", ["Whitcombe, Eleanor", "Eleanor Whitcombe", 'Eleanor "Ellie" Whitcombe', "Whitcombe/Eleanor"])
async def test_another_date_still_clears_a_namesake_who_is_named_alone(office: Office, name: str) -> None:
    """What stands between the words of one name makes no second person, whose date of birth could be any."""
    await office.enroll(ELEANOR)

    assert met(office, name=name)
    assert not met(office, name=name, dob="1994-10-27")


PARTED: Final = {
    ("Jose", "Manuel", "De la Cruz Rodriguez"): (
        "Jose Manuel De la Cruz Rodriguez", "DE LA CRUZ, JOSE", "Jose Delacruz", "José Manuel de la Cruz",
    ),
    ("Maria del Carmen", "", "Garcia Lopez"): ("Maria del Carmen Garcia Lopez", "GARCIA, MARIA DEL CARMEN"),
    ("Mark", "", "D'Angelo"): ("Mark D Angelo", "Mark D'Angelo", "Mark T. D Angelo"),
    ("Seán", "", "O'Brien"): ("Sean O Brien", "Sean P O Brien"),
    ("Patrick", "", "McDonald"): ("Patrick Mc Donald", "Patrick J Mc Donald"),
    ("Mary Ann", "", "Van der Berg"): ("Mary Ann Vanderberg", "Maryann Van der Berg"),
    ("Xiaoming", "", "Wang"): ("Wang Xiao Ming", "Xiao Ming Wang"),
    ("Ludwig", "Wilhelm", "von Steuben"): ("Ludwig Wilhelm von Steuben", "Ludwig VonSteuben"),
}  # fmt: skip


@pytest.mark.parametrize(("who", "names"), PARTED.items(), ids=lambda each: str(each[0]))
async def test_a_name_is_found_however_its_words_are_parted(
    office: Office, who: tuple[str, ...], names: tuple[str, ...]
) -> None:
    """A name alone is found by its first surname, with its particles apart or joined, and in free text behind a second name."""
    await office.enroll({**ENROLLED, **dict(zip(("given_name", "middle_name", "surname"), who, strict=True))})

    assert [name for name in names if not met(office, name=name)] == []
    assert not met(office, name=f"{who[0]} Whitcombe")


@pytest.mark.parametrize(
    "name", ["José Manuel de la Cruz", "Jose Manuel De la Cruz Rodriguez", "Jose Delacruz", "DE LA CRUZ, JOSE"]
)
async def test_free_text_names_who_has_a_second_name_and_a_particle(office: Office, name: str) -> None:
    """In a narrative, a surname is found behind a second name and particles."""
    await office.enroll({**ENROLLED, "given_name": "Jose", "middle_name": "Manuel", "surname": "De la Cruz Rodriguez"})

    assert met(office, text=f"On arrival I spoke to {name} at the door.")
    assert not met(office, text="On arrival I spoke to Jose Manuel de la Rosa at the door.")


@pytest.mark.parametrize(
    "street",
    [
        "#17 Magnolia Court", "No. 17 Magnolia Court", "at 17 Magnolia Ct", "17, Magnolia Court", "4B/17 Magnolia Court",
        "4B-17 Magnolia Ct.", "17 Magnolia Court Fairmont City KY 42903", "17, Magnolia Court, Apt 4B, Fairmont City",
    ],
)  # fmt: skip
async def test_a_house_number_is_found_behind_what_leads_in(office: Office, street: str) -> None:
    """A sign, a word, a unit or a comma before the street, or the whole address in its line, does not hide a home."""
    home = {"unit": "4B", "city": "Fairmont City", "state": "KY", "postal_code": "42903"}
    await office.enroll({**PHILIPPA, **home})

    assert met(office, street=street)
    assert not met(office, street=street.replace("17", "19"))
    assert not met(office, street=street.replace("4B", "4A"), unit="4A")


@pytest.mark.parametrize("name", ["王小明", "小明 王", "Wang Xiaoming", "WANG, XIAO-MING"])
async def test_a_name_without_spaces_has_two_words(office: Office, name: str) -> None:
    """A Chinese or Korean name is written without a space, its surname first."""
    await office.enroll({**ENROLLED, "given_name": "小明", "surname": "王", "dob": "1980-03-04"})

    assert met(office, name=name)
    assert not met(office, name="李小红")


@pytest.mark.parametrize("part", ["name", "given_name", "surname"])
@pytest.mark.parametrize("enrolled", ["given_name", "surname"])
async def test_somebody_of_one_name_is_found_with_a_date_of_birth(office: Office, enrolled: str, part: str) -> None:
    """Who has one name only is found by it in whichever column, beside the date of birth, and by neither alone."""
    await office.enroll({**ENROLLED, enrolled: "Suharto", "dob": "1970-01-05", "person_id": "77"})

    assert met(office, **{part: "Suharto", "dob": "1970-01-05"})
    assert not met(office, **{part: "Suharto", "dob": "1988-11-30"})
    assert not met(office, **{part: "Sutanto", "dob": "1970-01-06"})


@pytest.mark.parametrize(
    "asked",
    [
        {"phone": "555-789-0824 / 555-580-6537"}, {"phone": "+15555806537;+15557890824"}, {"phone": "001 555 789 0824"},
        {"phone": "home 555-789-0824 or 555-580-6537"}, {"email": "Eleanor <ellie@town.example>"},
        {"email": "x@y.example; ellie@town.example"},
    ],
    ids=str,
)  # fmt: skip
async def test_a_number_among_several_in_one_column_is_found(office: Office, asked: dict[str, str]) -> None:
    """Two phones or e-mail addresses in one column are both looked at, and a prefix of another country's exchange is one."""
    await office.enroll({**ELEANOR, "phone": "(555) 789-0824", "email": "ellie@town.example"})

    assert met(office, **asked)
    assert not met(office, **{kind: text.replace("0824", "0911").replace("ellie", "other") for kind, text in asked.items()})


CALLED: Final = {
    ("John", "Quincy", "Smith"): (
        "Judge John Smith", "The Honorable John Q. Smith", "Hon. Judge John Smith", "SMITH, DR JOHN", "Smith, Judge John",
        "John Smith, M.D.", "John Smith, Esq., J.D.", "John Smith, Jr., Ph.D.", "Officer John Smith", "SMITH JOHN Q",
        "Councilman John Smith", "Justice John Q Smith",
    ),
    ("Robert", "James", "Halvorsen"): (
        "HALVERSON ROBERT J", "HALVORSON BOB J", "Halvorsen R.J.", "RJ Halvorsen", "Robt Halverson", "Hon. Robert Halverson",
    ),
    ("Thi Hong Nhung", "", "Nguyen"): ("Nhung Nguyen", "NGUYEN NHUNG", "Nguyen T H Nhung", "Nguyễn Thị Hồng Nhung"),
    ("Abd al-Rahman", "", "al-Masri"): ("Abdurrahman Masri", "Abdul Rahman Al Masri", "Abdelrahman al-Masry"),
    ("Muhammad", "Ali", "Hussein"): ("Mohd Hussein", "Md. Hussain", "Mohamad Ali Husein"),
    ("Ekaterina", "Sergeevna", "Petrova"): ("Yekaterina Petrova",),
    ("Sean", "", "O'Brien"): ("Shawn O Brien", "Shaun Obryan", "O BRIEN SEAN P", "OBRIEN SHAWN P"),
    ("Ian", "", "MacDonald"): ("Ian Mc Donald", "MC DONALD IAN", "Iain McDonald"),
}  # fmt: skip


@pytest.mark.parametrize(("who", "names"), CALLED.items(), ids=lambda each: str(each[0]))
async def test_a_name_is_found_whatever_is_written_around_it(
    office: Office, who: tuple[str, ...], names: tuple[str, ...]
) -> None:
    """Titles, offices and degrees, an initial behind a surname that comes first, initials, and what clerks abbreviate."""
    await office.enroll({**ENROLLED, **dict(zip(("given_name", "middle_name", "surname"), who, strict=True))})

    assert [name for name in names if not met(office, name=name)] == []
    assert not met(office, name=f"Judge Winifred {who[2]}")
    assert not met(office, name=f"{who[2]}, Winifred, M.D.")


@pytest.mark.parametrize(
    "plate", ["KY KOB-108X", "KY-KOB108X", "KOB108X KY", "KOB108X/KY", "KOB 108X (KY)", "Kentucky KOB108X"]
)
async def test_a_plate_is_found_beside_its_state(office: Office, plate: str) -> None:
    """The state that issued it, before or behind it in the same column, is no part of a plate."""
    await office.enroll({**PHILIPPA, "plate": "KOB108X"})

    assert met(office, plate=plate)
    assert not met(office, plate=plate.replace("KOB", "WUZ"))


@pytest.mark.parametrize("middle", ["", "G", "Grace"])
async def test_a_surname_may_come_first_whatever_is_known_of_the_second_name(office: Office, middle: str) -> None:
    """``SURNAME GIVEN MIDDLE`` without a comma is found, misspelt or not, whatever the registry has for the second name."""
    await office.enroll({**PHILIPPA, "middle_name": middle}, {**ENROLLED, "given_name": "John", "surname": "Miller"})

    for name in ("HARGROVE PHILIPPA GRACE", "HARGROVE PHILIPA GRACE", "Philippa Grace Hargrove", "MILLER JOHN ALLEN"):
        assert met(office, name=name), name
        assert met(office, name=name, dob="1980-12-12"), name
    assert not met(office, name="HARGROVE PHILIPPA GRACE", dob="1994-10-27")
    assert not met(office, name="MILLER ALLEN JAMES")
    assert not met(office, name="ALLEN JOHN MILLARD")


async def test_initials_behind_a_comma_are_no_degree(office: Office) -> None:
    """Behind a surname alone, M. D. are somebody's names."""
    await office.enroll({**PHILIPPA, "given_name": "Miriam", "middle_name": "Dana"})

    assert met(office, name="Hargrove, M. D.", dob="1980-12-12")


async def test_a_title_may_be_a_name(office: Office) -> None:
    """Whose given name is Justice or Major is found by it."""
    await office.enroll({**ENROLLED, "given_name": "Justice", "middle_name": "Ann", "surname": "Smith"})

    assert met(office, name="Justice A Smith")
    assert met(office, name="SMITH, JUSTICE ANN")


async def test_the_other_end_of_a_street_is_another_home(office: Office) -> None:
    """The same number south of what somebody lives north of is a neighbor's; a direction that is left out may be either."""
    await office.enroll({**PHILIPPA, "street": "17 North Magnolia Court", "city": "Fairmont City", "postal_code": "42903"})
    town = {"city": "Fairmont City", "postal_code": "42903"}

    for street in ("17 Magnolia Ct", "17 N. Magnolia Court", "17 NE Magnolia Court", "17 Magnolia Court N", "17 N Magnolla Ct"):
        assert met(office, street=street, **town), street
    for street in ("17 S Magnolia Court", "17 Southeast Magnolia Court", "17 Magnolia Ct S", "19 N Magnolia Court"):
        assert not met(office, street=street, **town), street


OLD: Final = Entry(
    id="old", category="victim", basis="order", household="", enrolled_by="steward",
    enrolled_at=datetime(2026, 1, 1, tzinfo=UTC),
    expires=None, identifiers=Identifiers(surname="OBRIEN", homes=(Home(street="17 MAGNOLIA &amp; ELM"),)),
)  # fmt: skip
SEAN: Final = {
    **ENROLLED, "given_name": "Sean", "surname": "O'Brien", "dob": "1970-01-02", "ssn": "412-33-9876",
    "phone": "+1 502 555 0147", "email": "sean.obrien@example.org",
}  # fmt: skip


@pytest.mark.parametrize("dash", "\u2010\u2011\u2012\u2013\u2014\u2212\uff0d\u00ad", ids=ascii)
async def test_a_word_processor_s_dash_is_a_hyphen(office: Office, dash: str) -> None:
    """A number in a report, or a date of birth, is found whatever dash it is written with."""
    await office.enroll(SEAN)

    assert met(office, text=f"his number is 412{dash}33{dash}9876")
    assert met(office, text=f"call 502{dash}555{dash}0147 or (502) 555{dash}0147")
    assert met(office, given_name="Sean", surname="Brian", dob=f"1970{dash}01{dash}02")


@pytest.mark.parametrize("number", ["412 - 33 - 9876", "412  33  9876", "412/33/9876", "502 - 555 - 0147"])
async def test_a_number_in_a_report_may_be_spaced_out(office: Office, number: str) -> None:
    """What stands between the groups of a number is up to three blanks, hyphens, points and slashes."""
    await office.enroll(SEAN)

    assert met(office, text=f"He said {number} and left.")


@pytest.mark.parametrize("unseen", "\u034f\u115f\u3164\uffa0\u17b4\u180b\ufe0f\U000e0100\u200b\u2060", ids=ascii)
async def test_what_nobody_sees_hides_no_number_and_no_address(office: Office, unseen: str) -> None:
    """A letter or mark without anything to see is left out of numbers in texts and of e-mail addresses."""
    await office.enroll(SEAN)

    assert met(office, text=f"his number is 41{unseen}2-33-9876")
    assert met(office, email=f"se{unseen}an.obrien@example.org")


async def test_who_was_enrolled_as_an_old_system_spells_it_is_found(office: Office) -> None:
    """A line of an import that was written for a page means whom the records, which were too, mean."""
    await office.enroll({**ENROLLED, "given_name": "Sean", "surname": "O&#39;Brien", "street": "17&nbsp;Magnolia Court"})

    assert met(office, name="O'Brien, Sean")
    assert met(office, street="17 Magnolia Court")


def test_who_was_enrolled_before_is_read_so_too() -> None:
    """What lies sealed since an earlier version means the same."""
    entry = unpack_entry(pack(OLD).replace(b"OBRIEN", b"O&#39;BRIEN"))

    assert entry.identifiers.surname == "O'BRIEN"
    assert entry.identifiers.homes[0].street == "17 MAGNOLIA & ELM"
