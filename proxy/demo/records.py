"""The demo's records database: a whole town in one SQLite file, the same for the same seed.

It stands in for the records system of a police department; a server that we did not write publishes it (``run``). What is
in it, and why it can be mistaken for nobody, says ``town``.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from random import Random
from typing import TYPE_CHECKING, Final

from proxy.demo import matters
from proxy.demo.population import Population
from proxy.demo.town import CITY, STATE, Town

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from proxy.demo.town import Home, Household, Incident, Person, Vehicle, Warrant

SEED: Final = 20260101
PERSONS: Final = 20_000
OFFICERS: Final = 300
INCIDENTS: Final = 6_000

TABLES: Final[Mapping[str, str]] = {
    "persons": "person_id TEXT PRIMARY KEY, given_name TEXT, middle_name TEXT, surname TEXT, suffix TEXT, alias TEXT, dob TEXT,"
    " sex TEXT, race TEXT, ssn TEXT, phone TEXT, mobile TEXT, email TEXT, street TEXT, unit TEXT, city TEXT, state TEXT,"
    " postal_code TEXT, license TEXT, employer TEXT, photo TEXT",
    "vehicles": "vehicle_id TEXT PRIMARY KEY, plate TEXT, vin TEXT, make TEXT, model TEXT, year INTEGER, color TEXT,"
    " status TEXT, owner_id TEXT, owner_name TEXT, owner_dob TEXT, street TEXT, unit TEXT, city TEXT, state TEXT,"
    " postal_code TEXT",
    "warrants": "warrant_id TEXT PRIMARY KEY, person_id TEXT, name TEXT, dob TEXT, offense TEXT, issued TEXT, status TEXT,"
    " bail INTEGER",
    "incidents": "incident_id TEXT PRIMARY KEY, case_number TEXT, kind TEXT, occurred_at TEXT, street TEXT, unit TEXT,"
    " city TEXT, state TEXT, postal_code TEXT, person_id TEXT, name TEXT, dob TEXT, party TEXT, narrative TEXT",
    "addresses": "address_id TEXT PRIMARY KEY, house_number INTEGER, street_name TEXT, street TEXT, unit TEXT, city TEXT,"
    " state TEXT, postal_code TEXT, person_id TEXT, resident_name TEXT, dob TEXT, since TEXT",
}

SEARCHED: Final[Mapping[str, tuple[str, ...]]] = {
    "persons": ("surname, given_name, dob", "ssn", "phone", "mobile", "email", "license", "street", "alias", "dob"),
    "vehicles": ("plate", "vin", "owner_id"),
    "warrants": ("person_id", "name, dob"),
    "incidents": ("case_number", "person_id", "street"),
    "addresses": ("street", "street_name", "person_id"),
}
"""The columns that are searched, each with an index."""


def build_town(*, seed: int = SEED, persons: int = PERSONS, officers: int = OFFICERS, incidents: int = INCIDENTS) -> Town:
    """Return the town of a seed.

    Raises:
        ValueError: too few persons to hold the officers with their families.
    """
    if persons < 6 * officers + 200:
        msg = f"{persons} persons cannot hold {officers} officers with their families"
        raise ValueError(msg)
    chance = Random(seed)
    population = Population(chance, persons)
    population.settle(officers)
    everybody = [person for household in population.households for person in household]
    return Town(
        households=tuple(population.households),
        officers=tuple(population.officers),
        vehicles=tuple(matters.vehicles(chance, everybody, population.cast)),
        warrants=tuple(matters.warrants(chance, everybody, population.cast)),
        incidents=tuple(matters.incidents(chance, everybody, population.cast, incidents)),
        cast=dict(population.cast),
    )


def write_records(town: Town, path: Path) -> None:
    """Write the town into a new SQLite file; a reader finds it whole or not at all."""
    making = path.with_name(f"{path.name}.{os.getpid()}.making")
    making.unlink(missing_ok=True)
    with closing(sqlite3.connect(making)) as connection:
        # The file is a copy of what the seed says: a crash leaves a `.making` file, which nobody opens.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        for table, columns in TABLES.items():
            connection.execute(f"CREATE TABLE {table} ({columns})")
        _fill(connection, "persons", map(_person, town.persons))
        _fill(connection, "vehicles", map(_vehicle, town.vehicles))
        _fill(connection, "warrants", map(_warrant, town.warrants))
        _fill(connection, "incidents", map(_incident, town.incidents))
        _fill(connection, "addresses", _addresses(town.households))
        for table, searched in SEARCHED.items():
            for number, columns in enumerate(searched):
                connection.execute(f"CREATE INDEX {table}_{number} ON {table} ({columns})")
        connection.execute("ANALYZE")
        connection.commit()
    making.replace(path)


def _fill(connection: sqlite3.Connection, table: str, rows: Iterable[tuple[str | int, ...]]) -> None:
    marks = ", ".join("?" * len(TABLES[table].split(", ")))
    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 -- a table of TABLES


def _place(home: Home) -> tuple[str, ...]:
    return home.line, home.unit, CITY, STATE, home.postal_code


def _person(person: Person) -> tuple[str, ...]:
    return (
        person.person_id,
        person.given_name,
        person.middle_name,
        person.surname,
        person.suffix,
        person.alias,
        person.dob.isoformat(),
        person.sex,
        person.race,
        person.ssn,
        person.phone,
        person.mobile,
        person.email,
        *_place(person.home),
        person.license,
        person.employer,
        f"photos/{person.person_id}.jpg",
    )


def _vehicle(vehicle: Vehicle) -> tuple[str | int, ...]:
    return (
        vehicle.vehicle_id,
        vehicle.plate,
        vehicle.vin,
        vehicle.make,
        vehicle.model,
        vehicle.year,
        vehicle.color,
        vehicle.status,
        vehicle.owner.person_id,
        vehicle.owner.file_name,
        vehicle.owner.dob.isoformat(),
        *_place(vehicle.owner.home),
    )


def _warrant(warrant: Warrant) -> tuple[str | int, ...]:
    return (
        warrant.warrant_id,
        warrant.person.person_id,
        warrant.person.name,
        warrant.person.dob.isoformat(),
        warrant.offense,
        warrant.issued.isoformat(),
        warrant.status,
        warrant.bail,
    )


def _incident(incident: Incident) -> tuple[str, ...]:
    return (
        incident.incident_id,
        incident.case_number,
        incident.kind,
        incident.occurred_at,
        *_place(incident.place),
        incident.person.person_id,
        incident.person.name,
        incident.person.dob.isoformat(),
        incident.party,
        incident.narrative,
    )


def _addresses(households: Iterable[Household]) -> Iterable[tuple[str | int, ...]]:
    number = 300_000
    for household in households:
        for person in household:
            number += 1
            home = person.home
            yield (
                f"A{number}",
                home.number,
                home.street,
                *_place(home),
                person.person_id,
                person.name,
                person.dob.isoformat(),
                f"{max(person.dob.year, 1996 + number % 29)}-0{1 + number % 9}-01",
            )
