"""The scenes of the story, in their order: what is asked at the terminals, and what has to come of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from proxy.demo.agreement import the_supervisor
from proxy.demo.cast import MAYOR_STREET
from proxy.demo.docket import CALL, CLOSED, NOBODYS, STOP, THEIRS
from proxy.demo.emergencies import emergencies
from proxy.demo.likenesses import look_alikes
from proxy.demo.questions import (
    ADDRESSES,
    AT_DESK,
    AT_PORCH,
    AT_STOP,
    PERSONS,
    STOP_WORDS,
    VEHICLES,
    by_id,
    by_plate,
    name_and_dob,
    plate_check,
    purpose,
)
from proxy.demo.stopping import the_lock
from proxy.demo.story import Expected, Seen, Stage, Step, asking, identifiers, secret_among_neighbors
from proxy.demo.terminal import Query, searching
from proxy.demo.town import CITY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from proxy.demo.town import Person, Town


def story(town: Town) -> Iterator[Step]:
    """Yield every step that is played while the doors are open."""
    yield from _an_ordinary_stop(town)
    yield from _the_mayor(town)
    yield from the_supervisor(town)
    yield from look_alikes(town)
    yield from _nobody_serves_himself(town)
    yield from _side_doors(town)
    yield from the_lock(town)
    yield from emergencies(town)


def _an_ordinary_stop(town: Town) -> Iterator[Step]:
    ask, driver = plate_check(town), town.cast["driver"]
    found = {"the owner's name": driver.surname, "the owner's id": driver.person_id}
    answered = Expected(status=200, decision="permit", records=1, withheld=0, holds=found)

    def refused(name: str, note: str, header: str | None, status: int, problem: str) -> Step:
        return asking(name, note, replace(ask, purpose=header), Expected(status=status, problem=problem, lacks=found))

    yield asking("plate-check", "an ordinary plate check with a case", ask, answered)
    yield asking(
        "dispatched-call", "on a dispatched call, its number is enough", replace(ask, purpose=f'case="{CALL}"'), answered
    )
    yield refused("no-case", "the same without a case number", f'code=C, statement="{STOP_WORDS}"', 400, "case-missing")
    yield refused("no-purpose", "the same without a purpose", None, 400, "purpose-missing")
    vague = purpose(STOP, "investigation")
    yield refused("empty-statement", "with a statement that says nothing", vague, 422, "statement-uninformative")
    yield refused("invented-case", "with a case that does not exist", purpose(NOBODYS, STOP_WORDS), 422, "case-unknown")
    yield refused("closed-case", "with a case closed long ago", purpose(CLOSED, STOP_WORDS), 422, "case-closed")
    yield refused("others-case", "with somebody else's case", purpose(THEIRS, STOP_WORDS), 403, "standing-missing")


def _the_mayor(town: Town) -> Iterator[Step]:
    mayor = town.cast["mayor"]
    household = list(town.household_of(mayor))
    secret = identifiers(town, town.household_of(mayor))
    for road, words, target in (
        ("name", "by name alone", searching(PERSONS, given_name=mayor.given_name, surname=mayor.surname)),
        ("name-dob", "by name and date of birth", name_and_dob(mayor)),
        ("id", "by person id", f"{PERSONS}/{mayor.person_id}"),
        ("plate", "by plate", by_plate(town, mayor, AT_PORCH).target),
        ("phone", "by telephone", searching(PERSONS, phone=mayor.phone)),
        ("mobile", "by mobile telephone", searching(PERSONS, mobile=mayor.mobile)),
        ("address", "by home address", searching(ADDRESSES, street=mayor.home.line)),
    ):
        query = Query(who="officer", target=target, purpose=AT_PORCH)
        yield _guarded(f"mayor-by-{road}", f"the mayor {words}", query, secret)
    street = [person for person in town.persons if person.home.street == MAYOR_STREET]
    yield asking(
        "mayors-street",
        "the mayor's street: the neighbors are told, the household is not",
        Query(who="officer", target=searching(ADDRESSES, street_name=MAYOR_STREET, city=CITY), purpose=AT_PORCH),
        Expected(
            status=200,
            decision="permit",
            records=len(street) - len(household),
            withheld=len(household),
            holds={f"the neighbor {street[-1].name}": street[-1].person_id},
            lacks=secret_among_neighbors(secret),
        ),
    )
    yield Step(name="informant", note="an informant is not there, byte for byte", play=_concealed)


def _guarded(name: str, note: str, query: Query, secret: Mapping[str, str]) -> Step:
    async def play(stage: Stage) -> Seen:
        answer = await stage.ask(query)
        if answer.status == 200:
            # Criteria that are too few to recognize anybody by go upstream; the records that come back are withheld.
            return stage.look(answer, Expected(status=200, decision="permit", records=0, lacks=secret), note)
        expected = Expected(status=403, problem="escalation-required", decision="escalate", lacks=secret)
        return stage.look(answer, expected, note)

    return Step(name=name, note=note, play=play)


async def _concealed(stage: Stage) -> Seen:
    informant = stage.town.cast["informant"]
    nobody = replace(informant, person_id="987654")
    there, absent = [await stage.ask(by_id(person)) for person in (informant, nobody)]
    expected = Expected(status=404, decision="conceal", lacks=identifiers(stage.town, stage.town.household_of(informant)))
    seen = stage.look(there, expected, "an informant is not there, byte for byte")
    headers = [{name: each.headers[name] for name in each.headers if name not in _OWN} for each in (there, absent)]
    if there.body != absent.body or there.status != absent.status or headers[0] != headers[1]:
        seen = replace(seen, wrong=(*seen.wrong, "the answer differs from that for a record that is not there"))
    return seen


_OWN: Final = frozenset({"audit-entry", "date"})
"""Headers that differ between any two answers."""


def _nobody_serves_himself(town: Town) -> Iterator[Step]:
    cast = town.cast

    def denied(name: str, note: str, query: Query, person: Person) -> Step:
        secret = identifiers(town, town.household_of(person))
        return asking(name, note, query, Expected(status=403, problem="policy-denied", decision="deny", lacks=secret))

    yield denied("himself", "the officer looks himself up", by_id(cast["officer"]), cast["officer"])
    yield denied("his-wife", "his wife, who bears another name", by_id(cast["officer_wife"]), cast["officer_wife"])
    by_name = Query(who="officer", target=name_and_dob(cast["officer_wife"]), purpose=AT_PORCH)
    yield denied("his-wife-by-name", "his wife by name and date of birth", by_name, cast["officer_wife"])
    colleague, namesake = cast["colleague"], cast["namesake"]
    secret = identifiers(town, town.household_of(colleague))
    needed = Expected(status=403, problem="escalation-required", decision="escalate", lacks=secret)
    yield asking("his-colleague", "his colleague: somebody has to agree", by_id(colleague), needed)
    neighbor = cast["neighbor"]
    yield denied(
        "dispatchers-neighbor",
        "the dispatcher looks up the neighbor she feuds with",
        by_id(neighbor, AT_DESK, "dispatcher"),
        neighbor,
    )
    passes = Expected(
        status=200,
        decision="permit",
        records=1,
        withheld=0,
        holds={"the namesake's id": namesake.person_id, "the namesake's address": namesake.home.line},
        lacks={"the colleague's address": colleague.home.line},
    )
    by_name = Query(who="officer", target=name_and_dob(namesake), purpose=AT_STOP)
    yield asking("namesake", "the colleague's namesake is an ordinary person", by_name, passes)
    yield asking("namesake-by-id", "by his person id as well", by_id(namesake, AT_STOP), passes)
    bare = searching(PERSONS, given_name=namesake.given_name, surname=namesake.surname)
    yield asking(
        "bare-name",
        "by the bare name it could be the colleague: somebody has to agree",
        Query(who="officer", target=bare, purpose=AT_STOP),
        replace(needed, lacks=secret | {"the namesake's id": namesake.person_id}),
    )


def _side_doors(town: Town) -> Iterator[Step]:
    ask = plate_check(town)
    plate = town.vehicle_of(town.cast["driver"]).plate
    secret = identifiers(town, town.household_of(town.cast["mayor"]))
    for name, note, target, status, problem in (
        ("csv", "another format", f"{PERSONS}.csv?surname=Whitcombe&given_name=Eleanor", 404, "route-unknown"),
        ("sql", "SQL at the database", "/records?sql=select+*+from+persons", 404, "route-unknown"),
        ("sql-parameter", "SQL at a route", f"{PERSONS}/{town.cast['mayor'].person_id}?sql=select+1", 400, "parameter-unknown"),
        ("dot-segments", "%2e%2e", f"{PERSONS}/%2e%2e/%2e%2e/-/databases.json", 400, "request-not-canonical"),
        ("duplicates", "a parameter twice", f"{VEHICLES}?plate={plate}&plate=ZZZ999", 400, "parameter-duplicate"),
        ("facet", "_facet", f"{VEHICLES}?plate={plate}&_facet=owner_name", 400, "parameter-unknown"),
    ):
        query = replace(ask, target=target)
        yield asking(name, note, query, Expected(status=status, problem=problem, lacks=secret))
    yield _without_effect("method-override", "X-HTTP-Method-Override", ask, ("X-HTTP-Method-Override", "DELETE"))
    yield _without_effect("range", "Range", ask, ("Range", "bytes=0-10"))


def _without_effect(name: str, note: str, ask: Query, header: tuple[str, str]) -> Step:
    async def play(stage: Stage) -> Seen:
        plain, answer = await stage.ask(ask), await stage.ask(replace(ask, headers=(header,)))
        seen = stage.look(answer, Expected(status=200, decision="permit", records=1, withheld=0), f"{note}, without effect")
        if answer.body != plain.body or "content-range" in answer.headers:
            return replace(seen, wrong=(*seen.wrong, "the answer is not the one without the header"))
        return seen

    return Step(name=name, note=f"{note}, without effect", play=play)
