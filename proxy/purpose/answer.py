"""How a case system's answer becomes a case, by the paths and tables of words of ``case_system.yaml``.

Everything that they do not explain is wrong: a word that is in no table, a time without a zone, two values where there can be
one, another case than the one that was asked for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from jsonpath_rfc9535.exceptions import JSONPathError

from proxy.purpose.casefile import SUMMARY_CHARACTERS, NotACase, case_of
from proxy.purpose.header import normal_case
from proxy.purpose.standing import UNIT_PREFIX

if TYPE_CHECKING:
    import zoneinfo
    from collections.abc import Mapping

    from jsonpath_rfc9535 import JSONPathQuery

    from proxy.purpose.purpose import Case

PARTY: Final = "parties"
LISTS: Final = frozenset({"assigned", "units", "dispatched", "dispatched_units"})
"""Columns that hold several values. ``dispatched`` are persons, since a vendor does not mix them with units."""
_UNIX: Final[Mapping[str | None, int]] = MappingProxyType({"unix": 1, "unix_ms": 1000})
_NO_VALUE: Final = (None, "")


class AnswerWrong(Exception):  # noqa: N818 -- it says what the answer is
    """What the case system answered is no such case; the message names a field and never a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How one column of a case is read from the answer."""

    column: str
    query: JSONPathQuery | None = None
    value: str | None = None
    words: Mapping[str, str] | None = None
    zone: zoneinfo.ZoneInfo | None = None
    format: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Where in an answer the case is, and each of its columns; ``status`` with the words for open, and those for closed."""

    at: JSONPathQuery
    readings: tuple[Reading, ...]
    status: tuple[JSONPathQuery, frozenset[str], frozenset[str]] | None = None
    party_at: JSONPathQuery | None = None
    party_fields: Mapping[str, JSONPathQuery] = field(default_factory=dict)


def parse(body: bytes) -> Any:
    """Return what JSON says, each key once.

    Raises:
        AnswerWrong: it is none.
    """
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise AnswerWrong("the answer is not JSON in UTF-8, each key once") from error


def read_case(shape: Shape, document: Any, number: str) -> Case | None:
    """Return the case that an answer holds, or None when it says that there is none.

    Raises:
        AnswerWrong: it holds something else, or another case than that of the (normalized) number.
    """
    try:
        found = shape.at.find(document).values()
        if len(found) > 1:
            raise AnswerWrong(f"the answer holds {len(found)} cases for one number")
        if not found or found[0] is None:
            return None
        facts = _facts(shape, found[0])
    except (JSONPathError, RecursionError) as error:
        raise AnswerWrong("the answer is nested too deeply for a path") from error
    if normal_case(facts["number"] or "") != number:
        raise AnswerWrong("the answer is about another case than was asked for")
    try:
        return case_of(facts)
    except NotACase as wrong:
        raise AnswerWrong(str(wrong)) from wrong


def _facts(shape: Shape, document: Any) -> dict[str, Any]:
    """Return the answer by the columns of a file of cases, so that both are held to the same rules."""
    facts: dict[str, Any] = {}
    for reading in shape.readings:
        facts[reading.column] = _read(reading, document)
    facts["summary"] = (facts.get("summary") or "")[:SUMMARY_CHARACTERS]
    facts["assigned"] = [text.lower() for text in facts.get("assigned", ())]
    persons = [text.lower() for text in facts.pop("dispatched", ())]
    facts["dispatched"] = persons + [f"{UNIT_PREFIX}{text.upper()}" for text in facts.pop("dispatched_units", ())]
    facts["units"] = [text.upper() for text in facts.get("units", ())]
    if shape.status is not None:
        _close(facts, shape.status, document)
    if shape.party_at is not None:
        persons_on_it = shape.party_at.find(document).values()
        facts[PARTY] = [_party(shape.party_fields, person) for person in persons_on_it]
    return facts


def _read(reading: Reading, document: Any) -> Any:
    texts = _texts(reading, document)
    if reading.column in LISTS:
        return texts
    if len(set(texts)) > 1:
        raise AnswerWrong(f"{reading.column}: there are several values")
    text = texts[0] if texts else None
    if reading.format is not None and text is not None:
        return _moment(reading, text)
    return text


def _texts(reading: Reading, document: Any) -> list[str]:
    if reading.query is None:
        return [reading.value or ""]
    texts = [_text(reading.column, value) for value in reading.query.find(document).values() if value not in _NO_VALUE]
    if reading.words is None:
        return texts
    for text in texts:
        if text not in reading.words:
            raise AnswerWrong(f"{reading.column}: a word that the table of words does not have")
    return [reading.words[text] for text in texts]


def _text(column: str, value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and column.endswith("_at"):
        return repr(value)
    raise AnswerWrong(f"{column}: neither text nor a whole number")


def _moment(reading: Reading, text: str) -> str:
    try:
        if reading.format in _UNIX:
            moment = datetime.fromtimestamp(float(text) / _UNIX[reading.format], UTC)
        elif reading.format == "iso":
            moment = datetime.fromisoformat(text)
        else:
            moment = datetime.strptime(text, reading.format or "")  # noqa: DTZ007 -- the zone is put in below
        if moment.tzinfo is None:
            if reading.zone is None:
                raise AnswerWrong(f"{reading.column}: a time without an offset, and no zone is named for it")
            moment = moment.replace(tzinfo=reading.zone)
        return moment.astimezone(UTC).isoformat()
    except (ValueError, OverflowError, OSError) as error:
        raise AnswerWrong(f"{reading.column}: not a time of the form {reading.format}") from error


def _close(facts: dict[str, Any], status: tuple[JSONPathQuery, frozenset[str], frozenset[str]], document: Any) -> None:
    query, opened, closed = status
    words = {_text("status", value) for value in query.find(document).values() if value not in _NO_VALUE}
    if len(words) != 1 or not words <= opened | closed:
        raise AnswerWrong("status: not one word of those that mean open or closed")
    if words <= closed and not facts.get("closed_at"):
        # Closed, and nobody says when: for as long as can be, so that no grace revives it.
        facts["closed_at"] = facts["opened_at"]
    elif words <= opened:
        facts["closed_at"] = None


def _party(fields: Mapping[str, JSONPathQuery], person: Any) -> dict[str, list[str]]:
    found = {}
    for kind, query in fields.items():
        texts = [_text(PARTY, value) for value in query.find(person).values() if value not in _NO_VALUE]
        if texts:
            found[kind] = texts
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise AnswerWrong("the answer has a key twice")
    return found


def _no_constant(_name: str) -> object:
    raise AnswerWrong("the answer holds a number that JSON has not")
