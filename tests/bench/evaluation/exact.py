"""The baseline: exact equality of the same fields, apart from case and space around."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from tests.bench.evaluation.score import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.bench.evaluation.questions import Fold

Key = tuple[str, ...]
_NUMBERS: Final = ("ssn", "phone", "email", "plate", "vin", "license", "person_id")
_ADDRESS: Final = ("street", "unit", "city", "state", "postal_code")


def answer(fold: Fold) -> dict[str, Answer]:
    """Answer a fold."""
    known: dict[Key, set[str]] = {}
    for person, fields in fold.enrolled.items():
        for key in _keys(fields, alone=True):
            known.setdefault(key, set()).add(person)
    return {road: _answer(known, [query.fields for query in queries]) for road, queries in fold.queries.items()}


def _answer(known: Mapping[Key, set[str]], queries: Sequence[Mapping[str, str]]) -> Answer:
    recognized, took = [], []
    for fields in queries:
        begun = time.perf_counter()
        keys = _keys(fields, alone="dob" not in fields)
        recognized.append(frozenset[str]().union(*(known.get(key, ()) for key in keys)))
        took.append((time.perf_counter() - begun) * 1e6)
    return Answer(recognized=recognized, microseconds=took)


def _keys(fields: Mapping[str, str], *, alone: bool) -> Iterator[Key]:
    """Yield what a record is found by; a name ``alone`` only where no date of birth tells more."""
    for name in _NUMBERS:
        if name in fields:
            yield (name, _plain(fields, name))
    if "given_name" in fields and "surname" in fields:
        whole = (_plain(fields, "given_name"), _plain(fields, "surname"))
        if "dob" in fields:
            yield ("born", *whole, _plain(fields, "dob"))
        if alone:
            yield ("name", *whole)
    if "street" in fields:
        yield ("address", *(_plain(fields, name) for name in _ADDRESS))


def _plain(fields: Mapping[str, str], name: str) -> str:
    return fields.get(name, "").strip().casefold()
