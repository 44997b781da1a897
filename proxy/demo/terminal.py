"""A terminal that sends exactly what it is told: the request target goes over the wire byte for byte."""

from __future__ import annotations

import asyncio
import http.client
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One request. ``who`` is of the cast; a ``purpose`` of None sends no header; ``target`` is sent as it stands."""

    who: str
    target: str
    purpose: str | None = None
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back. Header names are in lower case; a header that came twice is joined by a comma."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def problem(self) -> str:
        """Return the slug of the problem type, or nothing."""
        document = self.document if "problem+json" in self.headers.get("content-type", "") else None
        kind = document.get("type") if isinstance(document, dict) else None
        return kind.rpartition("/")[2] if isinstance(kind, str) else ""

    @property
    def document(self) -> Any:
        """Return the body as JSON, or None where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def records(self) -> int | None:
        """Return the number of records, or None where the body is no list."""
        document = self.document
        return len(document) if isinstance(document, list) else None

    @property
    def entry(self) -> int | None:
        """Return the index of the audit entry that the answer names."""
        index = self.headers.get("audit-entry", "").rpartition("/")[2]
        return int(index) if index.isdecimal() else None

    @property
    def raw(self) -> bytes:
        """Return every byte that could tell something: the values of the headers, and the body."""
        return "\n".join(self.headers.values()).encode() + b"\n" + self.body


def searching(path: str, **criteria: str) -> str:
    """Return a request target with percent-encoded criteria."""
    return f"{path}?{urlencode(criteria)}"


async def send(base: str, query: Query, key: str | None) -> Answer:
    """Send one query on a connection of its own, and read the whole answer.

    Raises:
        OSError, http.client.HTTPException: there was no answer.
    """
    return await asyncio.to_thread(_send, base, query, key)


def _send(base: str, query: Query, key: str | None) -> Answer:
    parts = urlsplit(base)
    body = json.dumps(query.body).encode() if query.body is not None else None
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=SECONDS)
    try:
        connection.putrequest(query.method, query.target, skip_accept_encoding=True)
        if key is not None:
            connection.putheader("Authorization", f"Bearer {key}")
        if query.purpose is not None:
            connection.putheader("Query-Purpose", query.purpose)
        for name, value in query.headers:
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Type", "application/json")
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        headers: dict[str, str] = {}
        for name, value in answer.getheaders():
            known = headers.get(name.lower())
            headers[name.lower()] = value if known is None else f"{known}, {value}"
        return Answer(status=answer.status, headers=headers, body=answer.read())
    finally:
        connection.close()
