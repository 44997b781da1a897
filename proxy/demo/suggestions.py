"""What to try first: a command line for each role, ready to be pasted into a shell."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from proxy.demo.docket import CALL, PERMIT, SOURCES, THEIRS
from proxy.demo.questions import ADDRESSES, AT_DESK, AT_PORCH, AT_STOP, PERSONS, by_id, name_and_dob, plate_check, purpose
from proxy.demo.terminal import Query, searching

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from proxy.demo.town import Town


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One thing to try: what it shows, the command, and, where it is a query, the status that will come back."""

    text: str
    command: str
    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The base URLs to send queries to."""

    terminals: str
    console: str

    def of(self, who: str) -> str:
        """Return the door at which somebody of the cast asks."""
        return self.console if who in {"supervisor", "lieutenant"} else self.terminals


def suggestions(town: Town, keys: Mapping[str, str], doors: Doors, program: str, config: str) -> Iterator[Suggestion]:
    """Yield a command for each role, in the order of the story. ``program`` and ``config`` are quoted for the shell."""
    for text, status, query in _queries(town):
        told = f"{text} ({status})" if status else text
        yield Suggestion(text=told, command=curl_line(doors.of(query.who), query, keys[query.who]), status=status)
    yield Suggestion(text="auditor: the last entries of the log", command=f"{program} audit tail --config {config}")
    yield Suggestion(text="auditor: does the log hold?", command=f"{program} audit verify --config {config}")


def _queries(town: Town) -> Iterator[tuple[str, int | None, Query]]:
    cast = town.cast
    plate = plate_check(town)
    mayor = by_id(cast["mayor"])
    yield "officer: whose car is this?", 200, plate
    yield "officer on a dispatched call: the call's number is enough", 200, replace(plate, purpose=f'case="{CALL}"')
    yield "officer: the same without a purpose", 400, replace(plate, purpose=None)
    yield "officer: the mayor; a supervisor has to agree first", 403, mayor
    yield "supervisor: what waits?", 200, Query(who="supervisor", target="/escalations?state=pending")
    agree = Query(
        who="supervisor",
        target="/escalations/ID/approve",
        method="POST",
        body={"reason": "The owner has to be told before the lab comes."},
    )
    yield "supervisor: agree (put the id from above for ID); then the officer's query answers, once", None, agree
    waiting = Query(
        who="officer",
        target=searching(ADDRESSES, street=cast["mayor"].home.line),
        purpose=AT_PORCH,
        headers=(("Prefer", "wait=30"),),
    )
    yield "officer: held up to 30 seconds; agree meanwhile, in another shell, and it answers", None, waiting
    born = cast["mayor"].dob.isoformat()
    misspelt = searching(PERSONS, given_name="Nora", surname="Witcombe", dob=born)
    yield "officer: the mayor, misspelt and by a nickname", 403, replace(mayor, target=misspelt)
    neighbor = searching(ADDRESSES, street=cast["next_unit"].home.line, unit=cast["next_unit"].home.unit)
    yield "officer: the neighbor at the next unit", 200, replace(mayor, target=neighbor)
    feud = by_id(cast["neighbor"], AT_DESK, "dispatcher")
    yield "dispatcher: the neighbor she feuds with", 403, feud
    words = "burglary series on this street, looking for the residents as witnesses"
    street = searching(ADDRESSES, street=cast["victim"].home.line)
    victim = Query(who="detective", target=street, purpose=purpose(THEIRS, words))
    yield "detective: who lives there? a victim under a protective order", 403, victim
    yield "officer: an informant; the answer is that for no such record", 404, by_id(cast["informant"], AT_STOP)
    words = "source missed two meetings, checking the home address"
    yield "handler: the same informant", 403, by_id(cast["informant"], purpose(SOURCES, words), "handler")
    words = purpose(PERMIT, "applicant filed for a concealed carry permit on Monday", "F")
    permit = Query(who="clerk", target=name_and_dob(cast["driver"]), purpose=f'{words}, requestor="Sheriff of Fairmont County"')
    yield "records desk: a firearms permit", 200, permit


def curl_line(base: str, query: Query, key: str) -> str:
    """Return a query as a command line; every word is quoted for the shell where it needs to be."""
    words = ["curl", "-isS"]
    if query.method != "GET":
        words += ["-X", query.method]
    words += [f"{base}{query.target}", "-H", f"Authorization: Bearer {key}"]
    if query.purpose is not None:
        words += ["-H", f"Query-Purpose: {query.purpose}"]
    for name, value in query.headers:
        words += ["-H", f"{name}: {value}"]
    if query.body is not None:
        words += ["-H", "Content-Type: application/json", "-d", json.dumps(query.body)]
    return shlex.join(words)
