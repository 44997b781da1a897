from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.registry.conftest import AGENCY, MAYOR

if TYPE_CHECKING:
    from tests.registry.conftest import Office

LEE: dict[str, Any] = {
    "personnel": "badge-1", "agency": AGENCY, "rank": "Officer", "given_name": "Dana", "surname": "Lee", "dob": "1988-07-01",
    "street": "4 Oak Lane", "unit": "2", "city": "Springfield",
}  # fmt: skip
ITO: dict[str, Any] = {
    "personnel": "badge-7", "agency": AGENCY, "rank": "Deputy Chief", "given_name": "Kim", "surname": "Ito",
    "dob": "1970-01-01", "street": "9 Elm Street", "city": "Springfield",
}  # fmt: skip
ORR: dict[str, Any] = {"personnel": "badge-9", "agency": AGENCY, "given_name": "Max", "surname": "Orr", "dob": "1965-01-01"}


def declared(whose: str, relation: str, **about: Any) -> dict[str, Any]:
    """Return a line of somebody's about somebody else."""
    return {"personnel": whose, "relation": relation} | about


@pytest.mark.parametrize(
    ("lee", "ito", "more"),
    [
        ({"household": "H"}, {"household": "H"}, []),
        ({}, {"street": "4 Oak Ln", "unit": "2"}, []),
        ({}, {}, [declared("badge-1", "household", given_name="Kim", surname="Ito", dob="1970-01-01")]),
        ({}, {}, [declared("badge-7", "family", given_name="Dana", surname="Lee", dob="1988-07-01")]),
        ({}, {}, [declared("badge-1", "former_partner", given_name="Kim", surname="Ito")]),
        ({"ssn": "219-11-1111"}, {}, [declared("badge-7", "dispute", ssn="219111111")]),
    ],
)
async def test_two_of_the_personnel_are_close(
    office: Office, lee: dict[str, Any], ito: dict[str, Any], more: list[dict[str, Any]]
) -> None:
    """By a household, a home, or what either has declared of the other, with a name alone too; it holds both ways."""
    await office.employ(LEE | lee, ITO | ito, ORR, *more)
    close = office.registry.recognizer.close

    assert close("badge-1", "badge-7")
    assert close("badge-7", "badge-1")
    assert not close("badge-1", "badge-9")


async def test_colleagues_are_not_close_nor_namesakes_nor_who_is_unknown(office: Office) -> None:
    """Another unit of the same house, somebody declared with another date of birth, another agency's household word, nobody."""
    sister = declared("badge-1", "family", given_name="Kim", surname="Ito", dob="1999-01-01")
    other = {"street": "4 Oak Lane", "unit": "5", "household": "H", "agency": "NY0303999"}
    await office.employ(LEE | {"household": "H"}, ITO | other, ORR, sister)
    close = office.registry.recognizer.close

    assert not close("badge-1", "badge-7")
    assert not close("badge-1", "badge-404")
    assert not close("badge-404", "badge-405")


async def test_who_are_enrolled_as_one_household_are_close(office: Office) -> None:
    """The registry knows what the directory does not say."""
    await office.employ(LEE, ITO)
    enrolled = {"household": "X", "basis": "order"}
    lee = enrolled | {"category": "victim", "given_name": "Dana", "surname": "Lee", "dob": "1988-07-01"}
    ito = enrolled | {"given_name": "Kim", "surname": "Ito", "dob": "1970-01-01"}
    await office.enroll(MAYOR, lee, ito)

    assert office.registry.recognizer.close("badge-7", "badge-1")


async def test_a_rank_is_what_the_directory_says_of_its_own_agency(office: Office) -> None:
    """As a word; nobody who is not there has one, and none counts elsewhere."""
    await office.employ(LEE, ITO, ORR)
    rank = office.registry.recognizer.rank

    found = {badge: rank(badge, AGENCY) for badge in ("badge-1", "badge-7", "badge-9", "badge-404")}
    assert found == {"badge-1": "officer", "badge-7": "deputy_chief", "badge-9": "", "badge-404": ""}
    assert rank("badge-7", "NY0303999") == ""


async def test_a_promotion_is_known_at_the_next_look(office: Office) -> None:
    """An import by another process changes who may decide."""
    await office.employ(LEE)
    await office.employ(LEE | {"rank": "sergeant"})

    assert office.registry.recognizer.rank("badge-1", AGENCY) == "sergeant"
