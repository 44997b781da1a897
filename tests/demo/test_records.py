from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from proxy.demo.cast import FEUD_CASE, MAYOR_STREET
from proxy.demo.records import OFFICERS, PERSONS, SEARCHED, TABLES, build_town, write_records
from proxy.demo.town import POLICE

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from proxy.demo.town import Town

WRITE = """
import sys; from pathlib import Path; from proxy.demo.records import build_town, write_records
write_records(build_town(persons=2000, officers=30, incidents=200), Path(sys.argv[1]))
"""


def _count(records: sqlite3.Connection, sql: str) -> int:
    return int(records.execute(sql).fetchone()[0])


def test_the_same_seed_makes_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    """The file does not depend on the order in which a process happens to hash."""
    digests = set()
    for hash_seed in ("1", "2"):
        path = tmp_path / f"{hash_seed}.db"
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run([sys.executable, "-c", WRITE, str(path)], check=True, env=environment, timeout=60)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())

    assert len(digests) == 1


def test_another_seed_makes_another_town() -> None:
    """The seed decides who lives there, but not who plays in the story."""
    one, other = (build_town(seed=seed, persons=2000, officers=30, incidents=10) for seed in (1, 2))

    assert list(one.persons)[100:] != list(other.persons)[100:]
    assert one.cast.keys() == other.cast.keys()
    assert one.cast["mayor"].name == other.cast["mayor"].name


def test_the_town_is_as_large_as_told(town: Town, records: sqlite3.Connection) -> None:
    """There are 20,000 persons, each at one address, 300 officers among them, and things happened."""
    assert _count(records, "SELECT count(*) FROM persons") == PERSONS == 20_000
    assert _count(records, "SELECT count(DISTINCT person_id) FROM addresses") == PERSONS
    assert _count(records, f"SELECT count(*) FROM persons WHERE employer = '{POLICE}'") == OFFICERS == 300
    assert len(town.officers) == OFFICERS
    assert _count(records, "SELECT count(*) FROM vehicles") > 5_000
    assert _count(records, "SELECT count(*) FROM warrants") > 500
    assert _count(records, "SELECT count(DISTINCT case_number) FROM incidents") > 5_000


def test_too_small_a_town_is_refused() -> None:
    """A town that cannot hold its police is a mistake, not a smaller police."""
    with pytest.raises(ValueError, match="cannot hold"):
        build_town(persons=1000, officers=300)


def test_numbers_belong_to_one_person_and_are_never_issued(records: sqlite3.Connection) -> None:
    """Whoever reads a number of the demo somewhere else has not found anybody."""
    rows = records.execute("SELECT person_id, ssn, phone, mobile, license, email FROM persons").fetchall()

    assert all(re.fullmatch(r"666-(?!00)\d\d-(?!0000)\d{4}", row[1]) for row in rows)
    assert all(re.fullmatch(r"(\+1555[2-9]\d{6})?", number) for row in rows for number in row[2:4])
    assert all(re.fullmatch(r"([a-z.0-9]+@example\.net)?", row[5]) for row in rows)
    for column in (1, 3, 4, 5):
        known = [row[column] for row in rows if row[column]]
        assert len(known) == len(set(known))


def test_plates_and_vins_are_unique_and_well_formed(records: sqlite3.Connection) -> None:
    """A plate names one vehicle."""
    rows = records.execute("SELECT plate, vin FROM vehicles").fetchall()

    assert all(re.fullmatch(r"[A-Z]{3}\d{3}", plate) for plate, _ in rows)
    assert all(re.fullmatch(r"[A-HJ-NPR-Z0-9]{17}", vin) for _, vin in rows)
    assert len({plate for plate, _ in rows}) == len({vin for _, vin in rows}) == len(rows)


def test_a_landline_is_shared_by_a_home_and_by_no_other(records: sqlite3.Connection) -> None:
    """Two people with one landline live at one address."""
    shared = "SELECT count(*) FROM (SELECT phone FROM persons WHERE phone != '' GROUP BY phone"

    assert _count(records, f"{shared} HAVING count(*) > 1)") > 1000
    assert _count(records, f"{shared} HAVING count(DISTINCT street || unit || postal_code) > 1)") == 0


def test_officers_have_families_and_some_spouses_another_name(town: Town) -> None:
    """Kinship cannot be read off surnames: about 15 in 100 spouses bear another one."""
    couples = [(household.head, household.spouse) for household in town.households if household.spouse]
    different = sum(spouse.surname != head.surname for head, spouse in couples) / len(couples)

    assert sum(household.spouse is not None for household in town.officers) > 100
    assert sum(bool(household.children) for household in town.officers) > 80
    assert 0.13 < different < 0.17
    assert all(member.home == household.head.home for household in town.households for member in household)


def test_nobody_is_born_before_their_parents(town: Town) -> None:
    """Children are at least sixteen years younger than the head of their household."""
    for household in town.households:
        for child in household.children:
            assert (child.dob - household.head.dob).days > 16 * 365


def test_the_mayor_lives_with_spouse_and_child_among_neighbors(town: Town, records: sqlite3.Connection) -> None:
    """A search for the mayor's street finds the household and other people."""
    mayor = town.cast["mayor"]
    household = town.household_of(mayor)
    rows = records.execute("SELECT resident_name, street FROM addresses WHERE street_name = ?", (MAYOR_STREET,)).fetchall()

    assert [town.cast["mayor_spouse"], town.cast["mayor_child"]] == list(household.family)
    at_home = {person.name for person in (*household, town.cast["next_unit"])}
    assert {name for name, street in rows if street == mayor.home.line} == at_home
    assert {person.home.unit for person in household}.isdisjoint({town.cast["next_unit"].home.unit, ""})
    assert 5 < len({street for _, street in rows}) < len(rows) < 100
    assert town.vehicle_of(mayor).owner == mayor
    assert mayor.phone
    assert mayor.mobile


def test_names_of_the_mayor_are_a_namesakes_and_nobody_elses(town: Town, records: sqlite3.Connection) -> None:
    """Where the tour finds the surname in an answer that is not the namesake's, it is the mayor's household that leaked."""
    mayor, namesake = town.cast["mayor"], town.cast["mayor_namesake"]

    assert _count(records, "SELECT count(*) FROM persons WHERE surname = 'Whitcombe'") == 4
    assert _count(records, "SELECT count(*) FROM persons WHERE given_name = 'Eleanor' AND surname = 'Whitcombe'") == 2
    assert (mayor.name, mayor.surname) == (namesake.name, "Whitcombe")
    assert (mayor.dob, mayor.home.line) != (namesake.dob, namesake.home.line)


def test_the_mayors_plate_and_birthday_can_be_mistaken(town: Town) -> None:
    """The plate has letters and digits that look alike and is dealt to nobody else; day and month can be exchanged."""
    mayor = town.cast["mayor"]
    plates = [vehicle.plate for vehicle in town.vehicles]

    assert {"O", "0"} <= set(town.vehicle_of(mayor).plate)
    assert len(set(plates)) == len(plates)
    assert mayor.dob.day != mayor.dob.month
    assert mayor.dob.day <= 12


def test_the_dispatcher_and_the_neighbor_met_in_an_incident(town: Town, records: sqlite3.Connection) -> None:
    """They live next door, and one called the police on the other."""
    rows = records.execute("SELECT person_id, party FROM incidents WHERE case_number = ?", (FEUD_CASE,)).fetchall()

    assert dict(rows) == {town.cast["dispatcher"].person_id: "caller", town.cast["neighbor"].person_id: "suspect"}
    assert town.cast["dispatcher"].home.street == town.cast["neighbor"].home.street


def test_the_colleague_has_a_namesake_who_is_ordinary(town: Town) -> None:
    """The same name, another date of birth, another home, no police."""
    colleague, namesake = town.cast["colleague"], town.cast["namesake"]

    assert colleague.name == namesake.name
    assert colleague.middle_name == namesake.middle_name
    assert colleague.dob != namesake.dob
    assert colleague.home != namesake.home
    assert (colleague.employer == POLICE) is not (namesake.employer == POLICE)


def test_every_searched_column_has_an_index(records: sqlite3.Connection) -> None:
    """A search by what terminals search by scans no table."""
    for table, searched in SEARCHED.items():
        for columns in searched:
            condition = " AND ".join(f"{column} = ''" for column in columns.split(", "))
            plan = records.execute(f"EXPLAIN QUERY PLAN SELECT * FROM {table} WHERE {condition}").fetchall()
            assert "SEARCH" in plan[0][3], (table, columns)
    assert set(SEARCHED) == set(TABLES)


def test_a_half_written_file_is_never_found(town: Town, tmp_path: Path) -> None:
    """The file appears when it is whole: a database that stands there already is replaced in one step."""
    path = tmp_path / "records.db"
    path.write_bytes(b"what stood there before")

    write_records(town, path)

    assert path.read_bytes().startswith(b"SQLite format 3\x00")
    assert [entry.name for entry in tmp_path.iterdir()] == ["records.db"]
