"""The scenes with look-alikes: the mayor misspelt, exchanged and abbreviated; and those who are only like the mayor.

The records server compares exactly, so most of these forms would find nobody there. What each step shows is that the query
itself is recognized: a supervisor has to agree, and nothing is fetched.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from proxy.demo.docket import THEIRS
from proxy.demo.questions import ADDRESSES, AT_PORCH, INCIDENTS, PERSONS, VEHICLES, name_and_dob, purpose
from proxy.demo.story import Expected, Step, asking, identifiers, secret_among_neighbors
from proxy.demo.terminal import Query, searching

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from proxy.demo.town import Person, Town

LIKE_IT: Final = str.maketrans("O0I1B8", "0O1I8B")
"""Letters and digits of a plate that are taken for each other."""

TYPED: Final = "no record is written so, and the query is recognized"
HALF_A_NAME: Final = purpose(THEIRS, "a witness overheard a first name and how the surname begins")


def look_alikes(town: Town) -> Iterator[Step]:
    """Yield the steps in which somebody is looked for by what is nearly right; the officer's colleague asks."""
    mayor = town.cast["mayor"]
    secret = identifiers(town, town.household_of(mayor))
    for name, words, target in _nearly(town, mayor):
        query = Query(who="colleague", target=target, purpose=AT_PORCH)
        expected = Expected(status=403, problem="escalation-required", decision="escalate", lacks=secret)
        yield asking(f"mayor-{name}", f"the mayor {words}: {TYPED}", query, expected)
    yield from _only_like(town, mayor)
    yield from _broadly(town, mayor)


def _nearly(town: Town, mayor: Person) -> Iterator[tuple[str, str, str]]:
    given, surname, born, home = mayor.given_name, mayor.surname, mayor.dob, mayor.home

    def person(**criteria: str) -> str:
        return searching(PERSONS, **criteria)

    misspelt = surname.replace("tc", "t").removesuffix("e")
    swapped = born.replace(month=born.day, day=born.month)
    slipped = f"{mayor.ssn[:-1]}{(int(mayor.ssn[-1]) + 1) % 10}"
    number = mayor.phone.removeprefix("+1")
    in_order = f"{surname.upper()}, {given}"
    plate = town.vehicle_of(mayor).plate.translate(LIKE_IT)
    respelt = f"{home.number} {home.street.upper().replace('COURT', 'CT')}"
    yield "misspelt", "with a misspelt surname", person(given_name=given, surname=misspelt, dob=born.isoformat())
    yield "by-nickname", "by a nickname", person(given_name="Nora", surname=surname, dob=born.isoformat())
    yield "by-initial", "by an initial", person(given_name=given[0], surname=surname, dob=born.isoformat())
    yield "surname-first", "as «SURNAME, Given»", searching(INCIDENTS, name=in_order, dob=born.isoformat())
    yield (
        "dob-exchanged",
        "with day and month exchanged",
        person(given_name=given, surname=surname, dob=swapped.isoformat()),
    )
    yield "ssn-slip", "by an SSN with one slip", person(ssn=slipped)
    yield "phone-format", "by a telephone in another format", person(phone=f"({number[:3]}) {number[3:6]}-{number[6:]}")
    yield "plate-look-alike", "by a plate with 0 for O, I for 1, 8 for B and back", searching(VEHICLES, plate=plate)
    yield "address-respelt", "by the house in another spelling, without its unit", searching(ADDRESSES, street=respelt)
    yield "address-in-one", "by house and unit in one line", person(street=f"{respelt} apt {home.unit}")


def _only_like(town: Town, mayor: Person) -> Iterator[Step]:
    """Yield the steps with whom nobody may take for the mayor."""
    neighbor, namesake = town.cast["next_unit"], town.cast["mayor_namesake"]
    secret = identifiers(town, town.household_of(mayor))
    answered = Expected(status=200, decision="permit", records=1, withheld=0)
    at_home = searching(ADDRESSES, street=neighbor.home.line, unit=neighbor.home.unit)
    for name, words, target in (
        ("next-unit", "the neighbor at the next unit passes", at_home),
        ("next-unit-by-name", "the neighbor passes by name and date of birth as well", name_and_dob(neighbor)),
    ):
        yield asking(
            name,
            words,
            Query(who="colleague", target=target, purpose=AT_PORCH),
            replace(answered, holds={"the neighbor's id": neighbor.person_id}, lacks=secret_among_neighbors(secret)),
        )
    yield asking(
        "mayors-namesake",
        "the mayor's namesake, born on another day, is an ordinary person",
        Query(who="colleague", target=name_and_dob(namesake), purpose=AT_PORCH),
        replace(
            answered,
            holds={"the namesake's id": namesake.person_id, "the namesake's address": namesake.home.line},
            lacks=_beside_a_namesake(secret, mayor),
        ),
    )


def _broadly(town: Town, mayor: Person) -> Iterator[Step]:
    """Yield the steps with a part of what is looked for, by which nobody can be recognized beforehand."""
    namesake, plate = town.cast["mayor_namesake"], town.vehicle_of(mayor).plate
    secret = identifiers(town, town.household_of(mayor))
    half = searching(PERSONS, surname_prefix=mayor.surname[:4], given_name=mayor.given_name)
    yield asking(
        "broad-plate",
        "half of the mayor's plate: the car is left out, and nothing says so",
        Query(who="colleague", target=searching(VEHICLES, plate_prefix=plate[:5]), purpose=AT_PORCH),
        Expected(status=200, decision="permit", records=0, withheld=1, lacks=secret),
    )
    yield asking(
        "broad-by-patrol",
        "half of a name is not for the patrol",
        Query(who="colleague", target=half, purpose=AT_PORCH),
        Expected(status=403, problem="policy-denied", decision="deny", lacks=secret),
    )
    yield asking(
        "broad-by-detective",
        "a detective, in a case of hers, finds the namesake, and no word of the mayor",
        Query(who="detective", target=half, purpose=HALF_A_NAME),
        Expected(
            status=200,
            decision="permit",
            records=1,
            withheld=1,
            holds={"the namesake's id": namesake.person_id},
            lacks=_beside_a_namesake(secret, mayor),
        ),
    )


def _beside_a_namesake(secret: Mapping[str, str], mayor: Person) -> dict[str, str]:
    """Return what an answer about a namesake must lack: everything but the name, which is the namesake's too."""
    return {what: text for what, text in secret.items() if text not in {mayor.given_name, mayor.surname}}
