"""The attack: somebody narrows a person down by hundreds of queries, in two worlds that differ only in that person.

The transcripts are compared byte by byte, the numbers of the log included. Where they are equal, nothing was learned, whatever
the questions were; each answer that differs is counted as a bit.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest

from proxy.audit.keys import load_key
from proxy.clock import utc_now
from proxy.database import Database
from proxy.demo.town import CITY
from proxy.registry.lines import entry_line
from proxy.registry.service import Registry
from tests.spec.conftest import UNBOUNDED, open_street, policies_with

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from proxy.demo.home import Home
    from proxy.demo.town import Person, Town, Vehicle
    from tests.spec.conftest import Answer, Street

LETTERS = "abcdefghijklmnopqrstuvwxyz"
DEEPEST = 5
TABLES = {
    "persons": "person_id",
    "vehicles": "owner_id",
    "warrants": "person_id",
    "incidents": "person_id",
    "addresses": "person_id",
}


@dataclass(frozen=True)
class Step:
    """One query and what came of it, without its date and with the step of the log's numbers."""

    target: str
    direct: bool
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def problem(self) -> str:
        """The slug of a refusal, or nothing."""
        found = re.search(rb'"type":"/problems/([a-z-]+)"', self.body)
        return found[1].decode() if found else ""

    def outcome(self) -> tuple[object, ...]:
        """Return what was told but for the numbers of the log, which count that a supervisor was asked."""
        return self.status, self.body, tuple(pair for pair in self.headers if pair[0] != "Audit-Entry")

    @property
    def told(self) -> str:
        """Whether somebody seems to be there."""
        return (
            "too-broad" if b"too-broad" in self.body else "nothing" if self.body == b"[]" or self.status == 404 else "something"
        )


class Fisher:
    """An officer with a genuine case, who wants to know about one person more than a direct query would tell."""

    def __init__(self, street: Street, target: Person, vehicle: Vehicle) -> None:
        """Take whom to fish for."""
        self._street = street
        self._target = target
        self._vehicle = vehicle
        self._number = 0
        self.steps: list[Step] = []

    async def fish(self) -> list[Step]:
        """Try every road; what is asked next depends on the answers."""
        await self._until_quiet()
        await self._names()
        await self._births(1930, 2020)
        await self._descriptions()
        await self._houses()
        await self._plates(self._vehicle.plate[:3])
        await self._records()
        await self._guesses()
        await self._meddling()
        return self.steps

    async def _until_quiet(self) -> None:
        """Begin when nobody else writes to the log: what was enrolled before is written down a little later."""
        steps: list[str] = []
        while steps[-8:] != ["2"] * 8:
            answer = await self._street.ask("detective", "/records/persons/999999")
            step = self._step("", answer, direct=True)
            steps.append(dict(step.headers)["Audit-Entry"])

    async def _ask(self, table: str, *, direct: bool = False, **query: str) -> str:
        return await self._send(f"/records/{table}?{urlencode(query, quote_via=quote)}", direct=direct)

    async def _send(self, target: str, *, direct: bool) -> str:
        answer = await self._street.ask("detective", target)
        self.steps.append(self._step(target, answer, direct=direct))
        return self.steps[-1].told

    def _step(self, target: str, answer: Answer, *, direct: bool) -> Step:
        headers = dict(answer.headers)
        number = int(headers["Audit-Entry"].rpartition("/")[2])
        headers["Audit-Entry"] = str(number - self._number)
        self._number = number
        body = re.sub(rb'("instance":"[^"]*?/)\d+"', rb'\1"', answer.body)
        headers["Content-Length"] = str(int(headers["Content-Length"]) - len(answer.body) + len(body))
        kept = tuple(sorted((name, value) for name, value in headers.items() if name != "Date"))
        return Step(target, direct, answer.status, kept, body)

    async def _names(self) -> None:
        """Spell the surname letter by letter, beside the given name."""
        waiting = [self._target.surname[:2] + letter for letter in LETTERS]
        while waiting:
            prefix = waiting.pop()
            told = await self._ask("persons", surname_prefix=prefix, given_name=self._target.given_name)
            if told != "nothing" and len(prefix) < min(DEEPEST, len(self._target.surname)):
                waiting += [
                    prefix + letter for letter in LETTERS if (prefix + letter) in self._target.surname or letter in "aeiou"
                ]

    async def _births(self, first: int, last: int) -> None:
        """Halve the years as long as there is anybody; this also finds where a search becomes too broad."""
        told = await self._ask("persons", surname=self._target.surname, dob_from=f"{first}-01-01", dob_to=f"{last}-12-31")
        if told != "nothing" and first < last:
            middle = (first + last) // 2
            await self._births(first, middle)
            await self._births(middle + 1, last)

    async def _descriptions(self) -> None:
        for sex in "FMX":
            for race in "ABIUW":
                await self._ask("persons", given_name=self._target.given_name, sex=sex, race=race)
                await self._ask(
                    "persons", surname=self._target.surname, given_name_prefix=self._target.given_name[:2], sex=sex, race=race
                )

    async def _houses(self) -> None:
        """List the street, alone and beside a postal code, then ask house by house."""
        home = self._target.home
        for postal_code in (home.postal_code, "42901", "42902"):
            await self._ask("addresses", street_name=home.street, postal_code=postal_code)
        await self._ask("addresses", street_name=home.street, city=CITY)
        for number in range(max(1, home.number - 6), home.number + 7):
            await self._ask("addresses", direct=True, street=f"{number} {home.street}")
            await self._ask("persons", direct=True, street=f"{number} {home.street}")
            await self._ask("incidents", direct=True, street=f"{number} {home.street}")

    async def _plates(self, prefix: str) -> None:
        """Spell the plate, and tell one car from another by its color."""
        told = await self._ask("vehicles", plate_prefix=prefix)
        await self._ask("vehicles", plate_prefix=prefix, color=self._vehicle.color)
        if told != "nothing" and len(prefix) < len(self._vehicle.plate):
            for digit in "0123456789":
                await self._plates(prefix + digit)

    async def _records(self) -> None:
        """Walk the numbers of records, which the town gave out one after the other."""
        for number in range(int(self._target.person_id) - 3, int(self._target.person_id) + 4):
            await self._send(f"/records/persons/{number}", direct=True)
            await self._ask("warrants", direct=True, person_id=str(number))
            await self._ask("incidents", direct=True, person_id=str(number))

    async def _guesses(self) -> None:
        """Say outright what is right and what is not."""
        who, born = self._target, self._target.dob.isoformat()
        for given, last, dob in ((who.given_name, who.surname, born), (who.given_name, who.surname, "1949-01-02")):
            await self._ask("persons", direct=True, given_name=given, surname=last, dob=dob)
            await self._ask("warrants", direct=True, name=f"{given} {last}", dob=dob)
        for name in ("ssn", "phone", "mobile", "email", "license"):
            if value := str(getattr(who, name)):
                await self._send(f"/records/persons?{name}={quote(value)}", direct=True)
                for end in ("1900-01-01", "2020-01-01"):
                    await self._send(f"/records/persons?{name}={quote(value)}&dob_to={end}", direct=True)
        await self._ask("vehicles", direct=True, plate=self._vehicle.plate)
        await self._ask("vehicles", direct=True, vin=self._vehicle.vin)

    async def _meddling(self) -> None:
        """Try what would count, sort and turn pages."""
        born = self._target.dob.isoformat()
        for name in ("_sort", "_sort_desc", "_size", "_next", "_facet", "_shape", "limit", "offset", "page", "count"):
            await self._send(f"/records/persons?surname={quote(self._target.surname)}&dob={born}&{name}=1", direct=True)


def alone(town: Town) -> tuple[Person, Vehicle]:
    """Return somebody ordinary who lives alone, has a car, and shares the name with nobody close to the personnel.

    Nor did anything happen at their home to somebody else: who is in a record that bears a hidden person's home is left out
    with them, which SECURITY.md says.
    """
    taken = {person.person_id for household in town.officers for person in household}
    taken |= {person.person_id for person in town.cast.values()}
    happened = {incident.place for incident in town.incidents if incident.person.home != incident.place}
    living: dict[str, int] = {}
    for person in town.persons:
        living[f"{person.home.line} {person.home.unit}"] = living.get(f"{person.home.line} {person.home.unit}", 0) + 1
    for vehicle in town.vehicles:
        owner = vehicle.owner
        if (
            owner.person_id not in taken
            and owner.phone
            and owner.home not in happened
            and living[f"{owner.home.line} {owner.home.unit}"] == 1
        ):
            return owner, vehicle
    raise AssertionError


def take_out(records: Path, person: Person) -> None:
    """Make a world in which somebody never was."""
    with closing(sqlite3.connect(records)) as connection:
        for table, column in TABLES.items():
            connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (person.person_id,))
        connection.commit()


async def enroll(street: Street, person: Person, category: str) -> None:
    """Enroll somebody by everything that is known, and wait until the server knows."""
    home = person.home
    line = {
        "category": category, "basis": "an order", "given_name": person.given_name, "middle_name": person.middle_name,
        "surname": person.surname, "dob": person.dob.isoformat(), "person_id": person.person_id, "ssn": person.ssn,
        "street": home.line, "unit": home.unit, "city": CITY, "postal_code": home.postal_code, "license": person.license,
    }  # fmt: skip
    database = Database(street.home.data / "store.sqlite3")
    await database.open()
    registry = Registry(database, load_key(street.home.keys / "registry.key"), utc_now)
    await registry.refresh()
    known = {key: value for key, value in line.items() if value}
    entry, _ = await registry.add(entry_line(1, known, categories=[category], now=utc_now()), by="steward")
    await database.close()
    assert entry is not None
    wanted = 404 if category == "informant" else 403
    async with asyncio.timeout(30):
        while (await street.ask("detective", f"/records/persons/{person.person_id}")).status != wanted:
            pass


@pytest.fixture
async def worlds(tmp_path: Path) -> AsyncIterator[tuple[Street, Street]]:
    """Two towns: one with somebody, and one in which that person never was."""
    policies = policies_with(tmp_path / "policies", UNBOUNDED)
    async with AsyncExitStack() as stack:
        with_them = await stack.enter_async_context(open_street(tmp_path / "with", policies))
        without = await stack.enter_async_context(open_street(tmp_path / "without", policies, records=_without))
        yield with_them, without


def _without(home: Home, town: Town) -> None:
    take_out(home.records, alone(town)[0])


def bits(ours: list[Step], theirs: list[Step]) -> int:
    """Return how many answers told two worlds apart."""
    return sum(one != other for one, other in zip(ours, theirs, strict=False)) + abs(len(ours) - len(theirs))


@pytest.mark.timeout(600)
async def test_fishing_yields_nothing(worlds: tuple[Street, Street]) -> None:
    """Hundreds of adaptive queries tell nothing of a hidden person, and of a protected one what a direct query would tell."""
    here, elsewhere = worlds
    person, vehicle = alone(here.town)
    never = await Fisher(elsewhere, person, vehicle).fish()

    ordinary = await Fisher(here, person, vehicle).fish()
    await enroll(here, person, "witness")
    protected = await Fisher(here, person, vehicle).fish()
    await enroll(here, person, "informant")
    hidden = await Fisher(here, person, vehicle).fish()

    assert len(never) > 200
    assert bits(ordinary, never) > 20  # the attack works on whom nobody protects
    assert bits(hidden, never) == 0
    assert all(one.outcome() == other.outcome() for one, other in zip(protected, never, strict=True) if not one.direct)
    for one, other in zip(protected, never, strict=True):
        assert one.outcome() == other.outcome() or one.problem in {"escalation-required", "policy-denied"}, one.target


@pytest.mark.asyncio(loop_scope="session")
async def test_a_range_beside_a_number_tells_nothing_of_a_protected_person(street: Street) -> None:
    """Whatever range somebody tries beside what a protected person is known by, the answer is the same."""
    judge = street.town.cast["judge"]
    paths = [
        street.path("/records/persons", given_name=judge.given_name, surname=judge.surname, **{end: f"{year}-01-01"})
        for year in (1900, 1950, 1980, 2020)
        for end in ("dob_from", "dob_to")
    ]

    answers = [await street.ask("detective", path) for path in paths]

    assert {answer.problem for answer in answers} == {"policy-denied"}
