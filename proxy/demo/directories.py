"""The demo's personnel directory and registry of protected persons, as the lines that are imported."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from proxy.demo.docket import FIRST_BADGE, SIGN_INS
from proxy.demo.town import AGENCY, CITY, STATE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from proxy.demo.town import Household, Person, Town, Vehicle

Line = dict[str, str]

IDENTIFIERS: Final = (
    "given_name", "middle_name", "surname", "suffix", "alias", "dob", "person_id", "ssn", "phone", "email", "plate", "vin",
    "license", "street", "unit", "city", "state", "postal_code",
)  # fmt: skip
STAFF_COLUMNS: Final = ("personnel", "relation", "agency", "squad", "supervisor", "rank", *IDENTIFIERS)
ENTRY_COLUMNS: Final = ("category", "household", "basis", *IDENTIFIERS)

CHIEF: Final = "badge-1005"
SERGEANT: Final = "badge-1004"
RANKS: Final[Mapping[str, str]] = {CHIEF: "lieutenant", SERGEANT: "sergeant"}
"""Of all others it is officer; they are words of approvals.yaml."""

PROTECTED: Final[Sequence[tuple[str, str, str]]] = (
    ("mayor", "official", "Fairmont City Ordinance 12-4, elected officials"),
    ("judge", "judicial", "Judicial Security Ordinance 7-1"),
    ("prosecutor", "judicial", "Judicial Security Ordinance 7-1"),
    ("victim", "victim", "Protective order 26-D-118"),
    ("witness", "witness", "Order of the court in 26-CR-52"),
    ("sheltered", "confidential_address", "Address confidentiality program, participant"),
    ("informant", "informant", "Source file, approved by the chief"),
    ("undercover", "undercover", "Operation order, approved by the chief"),
)
"""Who of the cast is protected, as what, and on which basis; whoever shares their household shares it."""


def personnel(town: Town) -> Iterator[Line]:
    """Yield a line for each officer and their families, the dispatcher's adversary, and the detective's former partner."""
    vehicles = _by_owner(town)
    units = {sign_in.person: sign_in.unit or "" for sign_in in SIGN_INS}
    for number, household in enumerate(town.officers, start=FIRST_BADGE):
        badge = f"badge-{number}"
        above = {CHIEF: "", SERGEANT: CHIEF}.get(badge, SERGEANT)
        rank = RANKS.get(badge, "officer")
        own = {"personnel": badge, "relation": "self", "agency": AGENCY, "squad": units.get(badge, ""), "supervisor": above}
        yield own | {"rank": rank} | _identifiers(household.head, vehicles)
        for person in household.family:
            yield {"personnel": badge, "relation": "family"} | _identifiers(person, vehicles)
    badges = {sign_in.key: sign_in.person for sign_in in SIGN_INS}
    yield {"personnel": badges["dispatcher"], "relation": "dispute"} | _identifiers(town.cast["neighbor"], vehicles)
    yield {"personnel": badges["detective"], "relation": "former_partner"} | _identifiers(town.cast["sheltered"], vehicles)


def registry(town: Town) -> Iterator[Line]:
    """Yield a line for each protected person and each officer, each with those who live with them."""
    vehicles = _by_owner(town)
    for key, category, basis in PROTECTED:
        yield from _enrolled(town.household_of(town.cast[key]), category, basis, f"household-{key}", vehicles)
    for number, household in enumerate(town.officers, start=FIRST_BADGE):
        yield from _enrolled(household, "officer", "Officer Privacy Ordinance 9-2", f"household-{number}", vehicles)


def _enrolled(
    household: Household, category: str, basis: str, name: str, vehicles: Mapping[str, Sequence[Vehicle]]
) -> Iterator[Line]:
    shared = {"household": name if household.family else "", "basis": basis}
    yield {"category": category} | shared | _identifiers(household.head, vehicles)
    for person in household.family:
        yield shared | _identifiers(person, vehicles)


def _by_owner(town: Town) -> Mapping[str, Sequence[Vehicle]]:
    found: dict[str, list[Vehicle]] = defaultdict(list)
    for vehicle in town.vehicles:
        found[vehicle.owner.person_id].append(vehicle)
    return found


def _identifiers(person: Person, vehicles: Mapping[str, Sequence[Vehicle]]) -> Line:
    owned = vehicles.get(person.person_id, ())
    return {
        "given_name": person.given_name,
        "middle_name": person.middle_name,
        "surname": person.surname,
        "suffix": person.suffix,
        "alias": person.alias,
        "dob": person.dob.isoformat(),
        "person_id": person.person_id,
        "ssn": person.ssn,
        "phone": ";".join(number for number in (person.phone, person.mobile) if number),
        "email": person.email,
        "plate": ";".join(vehicle.plate for vehicle in owned),
        "vin": ";".join(vehicle.vin for vehicle in owned),
        "license": person.license,
        "street": person.home.line,
        "unit": person.home.unit,
        "city": CITY,
        "state": STATE,
        "postal_code": person.home.postal_code,
    }
