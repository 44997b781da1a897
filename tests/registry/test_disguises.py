"""Forms of a name, an address or a number that hid somebody from recognition, each found by an attack."""

# ruff: noqa: RUF001 -- letters that are taken for others are the point
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

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
