"""``case_system.yaml``: where a records management or dispatch system is asked, and how its JSON is read as a case.

One GET answers one number. What a vendor calls things is said there by RFC 9535 paths and tables of words, so that no code has
to change (``answer.py`` reads by them).
"""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import quote, urlsplit

import jsonpath_rfc9535
from jsonpath_rfc9535.exceptions import JSONPathError
from pydantic import Field, StringConstraints

from proxy.document import DocumentInvalid, Strict, load_with_positions, suggest
from proxy.purpose.answer import LISTS, PARTY, Reading, Shape
from proxy.purpose.casefile import PARTY_KINDS
from proxy.purpose.header import normal_case
from proxy.purpose.standing import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from jsonpath_rfc9535 import JSONPathQuery

    from proxy.document import Mistake, Positions

HOLE: Final = "{number}"
FORMATS: Final = ("iso", "unix", "unix_ms")
_PLACE: Final = re.compile(r"/[A-Za-z0-9._~/-]*(?:\{number\}[A-Za-z0-9._~/-]*)?\Z")
_IN_PATH: Final = re.compile(r"[A-Z0-9](?:[A-Z0-9 _:-]|\.(?!\.))*\Z")


Text = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=100_000)]


class _Breaker(Strict):
    failures: Annotated[int, Field(ge=1, le=1000)] = 5
    open_seconds: Seconds = 10.0


class _Value(Strict):
    """A value: by its path, or the same for every case; ``words`` says what the vendor's words mean here."""

    path: Text | None = None
    value: Text | None = None
    words: dict[str, Text] | None = None


class _Time(Strict):
    """A time: ``zone`` is that of times which name none; ``format`` is ``iso``, ``unix``, ``unix_ms`` or a strptime pattern."""

    path: Text
    zone: Text | None = None
    format: Text = "iso"


class _Status(Strict):
    """Words that say whether a case is open, where no time of its closing does."""

    path: Text
    open: Annotated[list[Text], Field(min_length=1)]
    closed: Annotated[list[Text], Field(min_length=1)]


class _Parties(Strict):
    """The persons on a case: where each of them is, and where in each the criteria are."""

    path: Text
    fields: Annotated[dict[str, Text], Field(min_length=1)]


class _Case(Strict):
    number: Text | _Value
    kind: Text | _Value
    agency: Text | _Value
    opened_at: Text | _Time
    closed_at: Text | _Time | None = None
    status: _Status | None = None
    code: Text | _Value | None = None
    summary: Text | _Value | None = None
    assigned: Text | _Value | None = None
    units: Text | _Value | None = None
    dispatched: Text | _Value | None = None
    dispatched_units: Text | _Value | None = None
    parties: _Parties | None = None


class _Document(Strict):
    url: Text
    path: Text
    query: dict[Text, Text] = Field(default_factory=dict)
    secret_headers: Text | None = None
    ca: Text | None = None
    certificate: Text | None = None
    key: Text | None = None
    connect_seconds: Seconds = 1.0
    total_seconds: Seconds = 3.0
    connections: Count = 16
    queue: Annotated[int, Field(ge=0, le=100_000)] = 64
    max_bytes: Annotated[int, Field(ge=1024, le=16 << 20)] = 256 << 10
    fresh_seconds: Annotated[float, Field(ge=0, le=300, allow_inf_nan=False)] = 10.0
    kept: Count = 10_000
    breaker: _Breaker = _Breaker()
    absent_statuses: Annotated[list[Literal[404, 410]], Field(min_length=1)] = [404]  # noqa: RUF012 -- pydantic copies it
    probe: Text | None = None
    at: Text = "$"
    case: _Case
    unsafe_plaintext: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSystemOptions:
    """A case system, and how to read its answers. Seconds and bytes; files are absolute."""

    url: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    secret_headers: Path | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    connect_seconds: float
    total_seconds: float
    connections: int
    queue: int
    max_bytes: int
    fresh_seconds: float
    kept: int
    failures: int
    open_seconds: float
    absent_statuses: frozenset[int]
    probe: str | None = None
    shape: Shape

    def target(self, number: str) -> str | None:
        """Return path and query of the request for a normalized number, or None when it cannot be one there.

        A server may decode %2F and %2E before it looks where a path leads. So in the path a number holds no slash, no two dots
        in a row and nothing that is encoded but a space; in the query all but letters, digits and ``._-~`` is encoded.
        """
        if HOLE in self.path and not _IN_PATH.match(number):
            return None
        path = self.path.replace(HOLE, quote(number, safe=":"))
        pairs = (f"{quote(name, safe='')}={quote(value.replace(HOLE, number), safe='')}" for name, value in self.query)
        return f"{path}?{'&'.join(pairs)}" if self.query else path


def load_case_system(path: Path) -> CaseSystemOptions:
    """Read ``case_system.yaml``; the files that it names are relative to its folder.

    Raises:
        DocumentInvalid: with every mistake found.
    """
    document, positions = load_with_positions(path, _Document)
    reader = _Reader(positions)
    options = reader.options(document, path.absolute().parent)
    if reader.mistakes:
        raise DocumentInvalid(reader.mistakes)
    assert options is not None
    return options


class _Reader:
    """One reading of the file, which collects mistakes."""

    def __init__(self, positions: Positions) -> None:
        self._positions = positions
        self.mistakes: list[Mistake] = []

    def options(self, document: _Document, folder: Path) -> CaseSystemOptions | None:
        self._check_place(document)
        at = self._query(document.at, ("at",))
        readings = tuple(self._readings(document.case))
        status = None
        if (said := document.case.status) is not None and (path := self._query(said.path, ("case", "status", "path"))):
            if both := set(said.open) & set(said.closed):
                self._wrong(("case", "status"), f"'{min(both)}' means open and closed")
            status = (path, frozenset(said.open), frozenset(said.closed))
        party_at, party_fields = self._parties(document.case.parties)
        if self.mistakes or at is None:
            return None
        return CaseSystemOptions(
            url=document.url.rstrip("/"),
            path=document.path,
            query=tuple(document.query.items()),
            secret_headers=_file(folder, document.secret_headers),
            ca=_file(folder, document.ca),
            certificate=_file(folder, document.certificate),
            key=_file(folder, document.key),
            connect_seconds=document.connect_seconds,
            total_seconds=document.total_seconds,
            connections=document.connections,
            queue=document.queue,
            max_bytes=document.max_bytes,
            fresh_seconds=document.fresh_seconds,
            kept=document.kept,
            failures=document.breaker.failures,
            open_seconds=document.breaker.open_seconds,
            absent_statuses=frozenset(document.absent_statuses),
            probe=normal_case(document.probe) if document.probe else None,
            shape=Shape(at=at, readings=readings, status=status, party_at=party_at, party_fields=party_fields),
        )

    def _check_place(self, document: _Document) -> None:
        trouble = _trouble_of_url(document.url, plaintext=document.unsafe_plaintext)
        if trouble is not None:
            self._wrong(("url",), *trouble)
        in_query = [value for value in document.query.values() if HOLE in value]
        if not _PLACE.match(document.path) or "//" in document.path or ".." in document.path.split("/"):
            self._wrong(("path",), "a path is plain text from its first /, and {number} at most once", "like /cases/{number}")
        elif (HOLE in document.path) + len(in_query) != 1:
            hint = "like path: /cases/{number}, or query: {number: '{number}'}"
            self._wrong(("path",), "the number of the case has to be in the path or in one value of the query, once", hint)
        if (document.certificate is None) != (document.key is None):
            self._wrong(("certificate",), "'certificate' and 'key' go together")
        if document.url.startswith("http:") and (document.ca or document.certificate):
            self._wrong(("url",), "'ca' and 'certificate' are of use with https only")

    def _readings(self, case: _Case) -> Iterator[Reading]:
        for column in ("number", "kind", "agency", "opened_at", "closed_at", "code", "summary", *sorted(LISTS)):
            model = getattr(case, column)
            if model is not None:
                found = self._reading(column, model)
                if found is not None:
                    yield found

    def _reading(self, column: str, model: str | _Value | _Time) -> Reading | None:
        place: tuple[str, ...] = ("case", column)
        is_time = column.endswith("_at")
        if isinstance(model, str):
            query = self._query(model, place)
            return Reading(column=column, query=query, format="iso" if is_time else None) if query else None
        if isinstance(model, _Time):
            query = self._query(model.path, (*place, "path"))
            zone = self._zone(model.zone, (*place, "zone")) if model.zone else None
            self._check_format(model.format, (*place, "format"))
            return Reading(column=column, query=query, zone=zone, format=model.format) if query else None
        if (model.path is None) == (model.value is None):
            self._wrong(place, f"{column} has a 'path', or a 'value' that is the same for every case")
            return None
        self._check_words(column, model, place)
        query = self._query(model.path, (*place, "path")) if model.path is not None else None
        if query is None and model.value is None:
            return None
        words = MappingProxyType(dict(model.words)) if model.words is not None else None
        return Reading(column=column, query=query, value=model.value, words=words)

    def _check_format(self, pattern: str, place: Sequence[str]) -> None:
        if pattern in FORMATS:
            return
        moment = datetime(2026, 11, 23, 14, 5, 9, tzinfo=UTC)
        try:
            read = datetime.strptime(moment.strftime(pattern), pattern)  # noqa: DTZ007 -- only whether it can be read
        except ValueError:
            read = datetime.min  # noqa: DTZ901
        if read.replace(tzinfo=UTC, second=0) != moment.replace(second=0):
            hint = suggest(pattern, FORMATS) or f"{', '.join(FORMATS)}, or a pattern like %m/%d/%Y %H:%M:%S"
            self._wrong(place, "a time cannot be read by this", hint)

    def _check_words(self, column: str, model: _Value, place: tuple[str, ...]) -> None:
        if column != "kind":
            return
        meant = {(*place, "words", word): ours for word, ours in (model.words or {}).items()}
        for spot, ours in (meant | ({(*place, "value"): model.value} if model.value else {})).items():
            if ours not in KINDS:
                hint = suggest(ours, KINDS) or f"kinds are {', '.join(KINDS)}"
                self._wrong(spot, f"'{ours}' is no kind of reference", hint)

    def _parties(self, model: _Parties | None) -> tuple[JSONPathQuery | None, Mapping[str, JSONPathQuery]]:
        if model is None:
            return None, {}
        fields = {}
        for kind, path in model.fields.items():
            spot = ("case", PARTY, "fields", kind)
            if kind not in PARTY_KINDS:
                self._wrong(
                    spot, f"'{kind}' is no criterion", suggest(kind, PARTY_KINDS) or ", ".join(PARTY_KINDS), value=False
                )
            elif query := self._query(path, spot):
                fields[kind] = query
        return self._query(model.path, ("case", PARTY, "path")), MappingProxyType(fields)

    def _query(self, text: str, place: Sequence[str]) -> JSONPathQuery | None:
        try:
            return jsonpath_rfc9535.compile(text)
        except JSONPathError as error:
            said = str(error).splitlines()[0]
            self._wrong(place, f"not a path of RFC 9535: {said}", "it begins with $, like $.incident.number or $.units[*].sign")
            return None

    def _zone(self, name: str, place: Sequence[str]) -> zoneinfo.ZoneInfo | None:
        try:
            return zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            hint = suggest(name, zoneinfo.available_timezones()) or "like America/Chicago"
            self._wrong(place, f"there is no time zone '{name}'", hint)
            return None

    def _wrong(self, place: Sequence[str], message: str, hint: str | None = None, *, value: bool = True) -> None:
        self.mistakes.append(self._positions.mistake(tuple(place), message, value=value, hint=hint))


def _file(folder: Path, name: str | None) -> Path | None:
    return folder / name if name else None


def _trouble_of_url(url: str, *, plaintext: bool) -> tuple[str, str] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "must be a URL", "like https://cad.example.gov"
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0 or any(letter.isspace() for letter in url):
        return "must be a URL", "like https://cad.example.gov"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user or password", "put a header line into a file and name it as 'secret_headers'"
    if parts.path not in {"", "/"} or parts.query or parts.fragment or "?" in url or "#" in url:
        return "must end after the host and port", "the rest belongs into 'path' and 'query'"
    local = parts.hostname == "localhost" or re.match(r"127\.\d+\.\d+\.\d+\Z|::1\Z", parts.hostname) is not None
    if parts.scheme == "http" and not plaintext and not local:
        return "cases would cross the network in the clear", "use https, or say unsafe_plaintext: true"
    return None
