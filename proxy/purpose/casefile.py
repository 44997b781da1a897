"""A file of cases, as a records management or dispatch system exports it: each line becomes a case or says why not.

Columns (CSV, with a header line) or keys (JSONL): ``number``, ``kind``, ``agency``, ``opened_at``, and if there is any
``closed_at``, ``code``, ``summary``, ``assigned`` (personnel ids), ``units`` (call signs), ``dispatched`` (either). Several in
one column are separated by spaces or semicolons; in JSONL they are a list. A call sign is upper case, or written ``unit:12``;
one of another agency is written with its ORI, ``MO0480000/12A``. Times are ISO 8601 with an offset.

``parties`` are the persons whom the case is about: a JSON list, in CSV too, of objects whose keys are criteria of routes.yaml
(``{"given_name": "…", "surname": "…", "dob": "1984-03-02"}``). An empty list says that there is nobody; none says nothing.
"""

from __future__ import annotations

import csv
import json
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 -- part of the public signature
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from proxy.document import suggest
from proxy.purpose.header import CASE_PATTERN, normal_case
from proxy.purpose.purpose import Case, Party
from proxy.purpose.standing import KINDS, UNIT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

REQUIRED: Final = ("number", "kind", "agency", "opened_at")
COLUMNS: Final = (*REQUIRED, "closed_at", "code", "summary", "assigned", "units", "dispatched", "parties")
PARTY_KINDS: Final = (
    "person_id", "name", "given_name", "middle_name", "surname", "alias", "dob", "ssn", "phone", "email", "license", "plate",
    "vin", "address", "street", "unit", "city", "state", "postal_code",
)  # fmt: skip
"""What may be said of a party: criteria of routes.yaml."""
LINE_BYTES: Final = 65536
SUMMARY_CHARACTERS: Final = 500
LISTED: Final = 1000
PARTIES: Final = 200
PARTY_CHARACTERS: Final = 200

_AGENCY: Final = re.compile(r"[A-Z0-9]{9}\Z")
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,15}\Z")
_PERSON: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_UNIT: Final = re.compile(r"(?:[A-Z0-9]{9}/)?[A-Z0-9][A-Z0-9._-]{0,31}\Z")
_SEPARATOR: Final = re.compile(r"[;\s]+")


class CaseFileUnusable(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """The file as a whole cannot be read; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A line that is no case. ``line`` counts from 1; ``reason`` names the column and never a person."""

    line: int
    reason: str


class NotACase(Exception):  # noqa: N818 -- it says what the facts are
    """These facts are no case; the message names the column and never a value."""


def read_cases_file(path: Path, on_bytes: Callable[[int, int], None]) -> Iterator[tuple[int, Case | Rejected]]:
    """Yield each line's number with its case, or with why it is none. ``on_bytes`` is told bytes read, and in all.

    Raises:
        CaseFileUnusable: the file cannot be read, is neither .csv nor .jsonl, or its header line is wrong.
    """
    readers = {".csv": _from_csv, ".jsonl": _from_jsonl, ".ndjson": _from_jsonl}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        msg = f"{path}: name the file .csv or .jsonl after what it holds"
        raise CaseFileUnusable(msg)
    try:
        with path.open("rb") as file:
            yield from reader(path, _lines(file, on_bytes))
    except OSError as error:
        msg = f"{path}: {error.strerror or 'cannot be read'}"
        raise CaseFileUnusable(msg) from error


def _lines(file: BinaryIO, on_bytes: Callable[[int, int], None]) -> Iterator[str]:
    done, total = 0, os.fstat(file.fileno()).st_size
    while raw := file.readline(LINE_BYTES + 1):
        done += len(raw)
        if len(raw) > LINE_BYTES:
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(LINE_BYTES)
                done += len(raw)
            raw = b"\0\n"
        on_bytes(done, total)
        # What is not UTF-8 becomes lone surrogates, which no case may hold: the line is rejected, not the file.
        yield raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")


def _from_csv(path: Path, lines: Iterator[str]) -> Iterator[tuple[int, Case | Rejected]]:
    reader = csv.reader(lines, strict=True)
    try:
        columns = [name.strip().lower() for name in next(reader, [])]
    except csv.Error as error:
        msg = f"{path}:1: the header line is not CSV: {error}"
        raise CaseFileUnusable(msg) from error
    _require_columns(path, columns)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield line, Rejected(line=line, reason=f"not CSV: {error}")
            continue
        if row is None:
            return
        if row and any(cell.strip() for cell in row):
            yield line, _attempt(line, lambda row=row: _case_of_row(columns, row))  # type: ignore[misc]


def _from_jsonl(_path: Path, lines: Iterator[str]) -> Iterator[tuple[int, Case | Rejected]]:
    for line, text in enumerate(lines, start=1):
        if text.strip():
            yield line, _attempt(line, lambda text=text: _case_of_json(text))  # type: ignore[misc]


def _require_columns(path: Path, columns: Sequence[str]) -> None:
    for name in columns:
        if name not in COLUMNS:
            msg = f"{path}:1: unknown column '{name}': {suggest(name, COLUMNS) or 'known are ' + ', '.join(COLUMNS)}"
            raise CaseFileUnusable(msg)
    missing = [name for name in REQUIRED if name not in columns]
    if missing or len(set(columns)) != len(columns):
        msg = f"{path}:1: the header line names each column once, and at least {', '.join(REQUIRED)}"
        raise CaseFileUnusable(msg)


def _attempt(line: int, make: Callable[[], Case]) -> Case | Rejected:
    try:
        return make()
    except NotACase as wrong:
        return Rejected(line=line, reason=str(wrong))


def _case_of_row(columns: Sequence[str], row: Sequence[str]) -> Case:
    if len(row) != len(columns):
        raise NotACase(f"{len(row)} columns where the header line has {len(columns)}")
    facts: dict[str, Any] = {name: cell.strip() for name, cell in zip(columns, row, strict=True)}
    if facts.get("parties"):
        facts["parties"] = _parsed(facts["parties"], "parties is not a JSON list")
    return case_of(facts)


def _case_of_json(text: str) -> Case:
    value = _parsed(text, "not a JSON object on one line")
    if not isinstance(value, dict):
        raise NotACase("not a JSON object on one line")
    for name, member in value.items():
        if name not in COLUMNS:
            raise NotACase(f"unknown key {name!r}: {suggest(name, COLUMNS) or 'known are ' + ', '.join(COLUMNS)}")
        if name != "parties" and not (member is None or isinstance(member, str) or _is_list(name, member)):
            raise NotACase(f"{name} is not text")
    return case_of({name: member.strip() if isinstance(member, str) else member for name, member in value.items()})


def _parsed(text: str, otherwise: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise NotACase(otherwise) from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotACase("a key is there twice")
    return found


def _is_list(name: str, member: object) -> bool:
    listed = name in {"assigned", "units", "dispatched"}
    return listed and isinstance(member, list) and all(isinstance(each, str) for each in member)


def case_of(facts: dict[str, Any]) -> Case:
    """Return the case that facts by column are, texts and lists of texts.

    Raises:
        NotACase: they are none.
    """
    for name, value in facts.items():
        for text in [] if name == "parties" else value if isinstance(value, list) else [value or ""]:
            _require_text(name, text)
    opened, closed = _moment("opened_at", facts.get("opened_at")), _moment("closed_at", facts.get("closed_at"))
    if opened is None:
        raise NotACase("opened_at is missing")
    if closed is not None and closed < opened:
        raise NotACase("closed_at is before opened_at")
    summary = " ".join((facts.get("summary") or "").split())
    if len(summary) > SUMMARY_CHARACTERS:
        raise NotACase(f"summary is longer than {SUMMARY_CHARACTERS} characters")
    return Case(
        number=_matching("number", normal_case(facts.get("number") or ""), CASE_PATTERN),
        kind=_kind(facts.get("kind")),
        agency=_matching("agency", (facts.get("agency") or "").upper(), _AGENCY, "a nine-character ORI"),
        opened_at=opened,
        closed_at=closed,
        code=_matching("code", facts["code"], _CODE) if facts.get("code") else None,
        summary=summary,
        assigned=frozenset(_matching("assigned", each, _PERSON, "personnel ids") for each in _several(facts.get("assigned"))),
        units=frozenset(_unit("units", each) for each in _several(facts.get("units"))),
        dispatched=frozenset(_dispatched(each) for each in _several(facts.get("dispatched"))),
        parties=_parties(facts.get("parties")),
    )


def _parties(value: object) -> tuple[Party, ...] | None:
    if value is None or value == "":
        return None
    if not isinstance(value, list) or len(value) > PARTIES:
        raise NotACase(f"parties is not a list of {PARTIES} persons at most")
    return tuple(dict.fromkeys(party for each in value if (party := _party(each))))


def _party(value: object) -> Party:
    """Return a person as pairs; one of whom nothing is said is nobody."""
    if not isinstance(value, dict):
        raise NotACase("parties holds something else than objects")
    found: list[tuple[str, str]] = []
    for kind, said in value.items():
        if kind not in PARTY_KINDS:
            known = suggest(str(kind), PARTY_KINDS) or f"known are {', '.join(PARTY_KINDS)}"
            raise NotACase(f"parties has an unknown key: {known}")
        for text in said if isinstance(said, list) else [said]:
            if text is not None and not isinstance(text, str):
                raise NotACase(f"parties: {kind} is not text")
            if text and text.strip():
                found.append((kind, _brief(kind, text.strip())))
    return tuple(sorted(set(found)))


def _brief(kind: str, text: str) -> str:
    if len(text) > PARTY_CHARACTERS or not text.isprintable():
        raise NotACase(f"parties: {kind} is longer than {PARTY_CHARACTERS} characters, or holds a control character")
    return text


def _require_text(name: str, text: str) -> None:
    if "\0" in text:
        raise NotACase(f"a NUL byte, or a line of more than {LINE_BYTES} bytes")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise NotACase(f"{name} is not UTF-8")
    if name != "summary" and not text.isprintable():
        raise NotACase(f"{name} holds a control character")


def _matching(name: str, value: str, pattern: re.Pattern[str], what: str | None = None) -> str:
    if not value:
        raise NotACase(f"{name} is missing")
    if not pattern.match(value):
        raise NotACase(f"{name} is not {what or 'of its form'}")
    return value


def _kind(value: str | None) -> str:
    kind = (value or "").lower()
    if kind not in KINDS:
        raise NotACase(f"kind is none of {', '.join(KINDS)}" + (f": {hint}" if (hint := suggest(kind, KINDS)) else ""))
    return kind


def _moment(name: str, value: str | None) -> datetime | None:
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise NotACase(f"{name} has no offset from UTC: end it with Z or, for example, -06:00")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise NotACase(f"{name} is not an ISO 8601 time such as 2026-11-23T14:05:00-06:00") from error


def _several(value: str | list[str] | None) -> list[str]:
    parts = value if isinstance(value, list) else _SEPARATOR.split(value or "")
    found = [part.strip() for part in parts if part.strip()]
    if len(found) > LISTED:
        raise NotACase(f"more than {LISTED} in one list")
    return found


def _unit(name: str, text: str) -> str:
    return UNIT_PREFIX + _matching(name, text.removeprefix(UNIT_PREFIX).upper(), _UNIT, "call signs")


def _dispatched(text: str) -> str:
    if text.startswith(UNIT_PREFIX) or text != text.lower():
        return _unit("dispatched", text)
    return _matching("dispatched", text, _PERSON, "personnel ids or call signs")
