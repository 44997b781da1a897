"""What to try first: a command line for each role, ready to be pasted into a shell."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.demo.docket import CALL, DISPATCH, PERMIT, SOURCES, THEIRS
from proxy.demo.questions import ADDRESSES, AT_PORCH, AT_STOP, CALL_WORDS, PERSONS, plate_check, purpose
from proxy.demo.terminal import Query, searching

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from proxy.demo.town import Town


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One thing to try: what it shows, and the command."""

    text: str
    command: str


def suggestions(town: Town, keys: Mapping[str, str], terminals: str, config: str) -> Iterator[Suggestion]:
    """Yield a command for each role, in the order of the story. ``config`` is quoted for the shell."""
    mayor = town.cast["mayor"]
    asking_about_mayor = Query(who="officer", target=f"{PERSONS}/{mayor.person_id}", purpose=AT_PORCH)

    def curl(text: str, query: Query) -> Suggestion:
        return Suggestion(text=text, command=curl_line(terminals, query, keys[query.who]))

    yield curl("officer: whose car is this? (200)", plate_check(town))
    call = plate_check(town)
    yield curl(
        "officer on a dispatched call: the call's number is enough (200)",
        Query(who=call.who, target=call.target, purpose=f'case="{CALL}"'),
    )
    yield curl("officer: the mayor (403, a supervisor has to agree; add `Prefer: wait=30` to be held)", asking_about_mayor)
    yield curl("supervisor: what waits? (200)", Query(who="supervisor", target="/escalations?state=pending"))
    approve = Query(
        who="supervisor",
        target="/escalations/ID/approve",
        method="POST",
        body={"reason": "The owner has to be told before the lab comes."},
    )
    yield curl("supervisor: agree, with the id from above; then the officer's query answers once", approve)
    yield curl(
        "dispatcher: the neighbor she feuds with (403)",
        Query(
            who="dispatcher",
            target=f"{PERSONS}/{town.cast['neighbor'].person_id}",
            purpose=purpose(DISPATCH, CALL_WORDS),
        ),
    )
    burgled = town.cast["victim"]
    yield curl(
        "detective: who lives there? (403: the address is a protected victim's)",
        Query(
            who="detective",
            target=searching(ADDRESSES, street=burgled.home.line),
            purpose=purpose(THEIRS, "burglary series on this street, looking for the residents as witnesses"),
        ),
    )
    informant = f"{PERSONS}/{town.cast['informant'].person_id}"
    yield curl(
        "officer: an informant (404, as if there were no such record)",
        Query(who="officer", target=informant, purpose=AT_STOP),
    )
    yield curl(
        "handler: the same informant (403, a supervisor has to agree)",
        Query(
            who="handler", target=informant, purpose=purpose(SOURCES, "source missed two meetings, checking the home address")
        ),
    )
    driver = town.cast["driver"]
    applicant = searching(PERSONS, given_name=driver.given_name, surname=driver.surname, dob=driver.dob.isoformat())
    words = purpose(PERMIT, "applicant filed for a concealed carry permit on Monday", "F")
    yield curl(
        "records desk: a firearms permit (200)",
        Query(who="clerk", target=applicant, purpose=f'{words}, requestor="Sheriff of Fairmont County"'),
    )
    yield Suggestion(text="auditor: the log, and whether it holds", command=f"python -m proxy audit tail --config {config}")
    yield Suggestion(text="", command=f"python -m proxy audit verify --config {config}")


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
