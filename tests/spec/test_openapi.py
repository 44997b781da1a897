"""What the door says of itself: a valid document, and a server that keeps to it."""

from __future__ import annotations

import asyncio
import json
from copy import deepcopy
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from openapi_spec_validator import validate
from schemathesis.core.failures import FailureGroup

from proxy.clock import utc_now
from tests.spec.conformance import exercise, objections
from tests.spec.conftest import STATEMENT
from tests.spec.test_leak import leaks, respelled, shown

if TYPE_CHECKING:
    from tests.spec.conftest import Street

pytestmark = pytest.mark.asyncio(loop_scope="session")

PERSON = "/records/persons/{person_id}"
EXAMPLES = 5


async def document_of(street: Street) -> dict[str, Any]:
    """Read the document from the door."""
    answer = await street.ask("officer", "/openapi.json", purpose=None)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    return dict(answer.json)


async def test_the_document_is_openapi_3_1(street: Street) -> None:
    """It is valid, and every route of the map is in it, by its own name."""
    document = await document_of(street)

    # The validator compiles patterns with Python's re, which lacks the property classes of ECMA 262.
    validate(json.loads(json.dumps(document).replace("\\\\p{L}", "a-z").replace("[^a-z", "[a-z")))
    operations = {
        operation["operationId"]
        for path in document["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
    }
    assert operations >= {"person-read", "person-search", "vehicle-read", "warrant-search", "incident-search", "address-search"}


async def test_what_the_door_answers_is_what_its_document_says(street: Street) -> None:
    """Statuses, media types, headers and bodies of generated requests, with a purpose that holds."""
    purpose = f'code=C, case="{street.case("stop")}", statement="{STATEMENT}"'
    headers = {"Authorization": f"Bearer {street.keys['officer']}", "Query-Purpose": purpose}

    seen = await asyncio.to_thread(
        exercise, await document_of(street), street.servers.terminals.url, headers, examples=EXAMPLES
    )

    assert seen["GET /records/warrants"] >= {200, 403}
    assert seen["GET /escalations"] == seen["GET /purposes"] == seen["GET /problems/{slug}"] == {200}


@pytest.mark.parametrize(("key", "status"), [("officer", 400), (None, 401)])
async def test_refused_requests_are_in_the_document_too(street: Street, key: str | None, status: int) -> None:
    """Generated purposes, and no credential at all, are refused as the document says."""
    headers = {"Authorization": f"Bearer {street.keys[key]}"} if key else {}

    seen = await asyncio.to_thread(exercise, await document_of(street), street.servers.terminals.url, headers, examples=2)

    assert status in seen[f"GET {PERSON}"]


async def test_a_server_that_strays_from_the_document_is_found_out(street: Street) -> None:
    """Take a status or a field out of the document, and the same exercise fails."""
    document = await document_of(street)
    strict = deepcopy(document)
    del strict["paths"][PERSON]["get"]["responses"]["404"]
    strict["paths"] = {PERSON: strict["paths"][PERSON]}
    purpose = f'code=C, case="{street.case("stop")}", statement="{STATEMENT}"'
    headers = {"Authorization": f"Bearer {street.keys['officer']}", "Query-Purpose": purpose}

    with pytest.raises(FailureGroup):
        await asyncio.to_thread(exercise, strict, street.servers.terminals.url, headers, examples=1)
    found = await street.ask("officer", PERSON.format(person_id=street.town.cast["driver"].person_id))
    del document["paths"][PERSON]["get"]["responses"]["200"]["content"]["application/json"]["schema"]["items"]["properties"][
        "ssn"
    ]
    assert objections(document, "get", PERSON, found)


async def test_answers_about_real_people_are_as_the_document_says(street: Street) -> None:
    """A whole record, a masked one, an absent one, an escalation in both its ways, and each kind of mistake in the purpose."""
    document, cast = await document_of(street), street.town.cast
    driver, mayor = cast["driver"].person_id, cast["mayor"].person_id
    asked = [
        await street.ask("officer", f"/records/persons/{driver}"),
        await street.ask("dispatcher", f"/records/persons/{driver}"),
        await street.ask("officer", "/records/persons/999999"),
        await street.ask("officer", f"/records/persons/{mayor}"),
        await street.ask("officer", f"/records/persons/{mayor}", headers={"Prefer": "respond-async"}),
        await street.ask("officer", f"/records/persons/{driver}", purpose=None),
        await street.ask("officer", f"/records/persons/{driver}", purpose="code=C,,"),
        await street.ask(
            "officer", f"/records/persons/{driver}", purpose=f'code=C, case="{street.case("stop")}", statement="test"'
        ),
        await street.ask("auditor", f"/records/persons/{driver}"),
        await street.ask(None, f"/records/persons/{driver}"),
        await street.raw("officer", "POST", f"/records/persons/{driver}", "Content-Length: 0"),
    ]

    assert [answer.status for answer in asked] == [200, 200, 404, 403, 202, 400, 400, 422, 403, 401, 405]
    assert [objections(document, "get", PERSON, answer) for answer in asked] == [[]] * len(asked)


async def test_escalations_are_as_the_document_says(street: Street) -> None:
    """The list, one to poll, a decision without its reason, somebody else's, and none at all."""
    document = await document_of(street)
    asked = await street.ask("officer", f"/records/persons/{street.town.cast['judge'].person_id}")
    one = f"/escalations/{street.pending_id(asked)}"

    for method, path, answer in (
        ("get", "/escalations", await street.ask("supervisor", "/escalations?state=pending", purpose=None)),
        ("get", "/escalations", await street.ask("supervisor", "/escalations?state=odd", purpose=None)),
        ("get", "/escalations/{id}", await street.ask("officer", one, purpose=None)),
        ("get", "/escalations/{id}", await street.ask("officer", "/escalations/none", purpose=None)),
        ("post", "/escalations/{id}/approve", await street.post("supervisor", f"{one}/approve", {"reason": "no"})),
        ("post", "/escalations/{id}/approve", await street.post("supervisor", f"{one}/approve", {"because": "no"})),
        ("post", "/escalations/{id}/approve", await street.post("officer", f"{one}/approve", {"reason": "I say so myself"})),
        ("post", "/escalations/{id}/cancel", await street.post("officer", f"{one}/cancel", {})),
        ("post", "/escalations/{id}/refuse", await street.post("supervisor", f"{one}/refuse", {"reason": "not for this case"})),
    ):
        assert objections(document, method, path, answer) == [], (method, path, answer.status)


async def test_delegations_are_as_the_document_says(street: Street) -> None:
    """Handing on, the list, what is refused, and the end."""
    document = await document_of(street)
    until = {"ends_at": (utc_now() + timedelta(days=1)).isoformat()}
    made = await street.post("supervisor", "/delegations", {"delegate": street.person("clerk")} | until)
    assert made.status == 200

    for method, path, answer in (
        ("post", "/delegations", made),
        ("post", "/delegations", await street.post("supervisor", "/delegations", {"delegate": "nobody-here"} | until)),
        ("post", "/delegations", await street.post("officer", "/delegations", {"to": "nobody-here"})),
        ("get", "/delegations", await street.ask("clerk", "/delegations", purpose=None)),
        ("get", "/delegations", await street.ask("clerk", "/delegations?state=over", purpose=None)),
        ("post", "/delegations/{id}/end", await street.post("officer", f"/delegations/{made.json['id']}/end", {})),
        ("post", "/delegations/{id}/end", await street.post("clerk", f"/delegations/{made.json['id']}/end", {})),
    ):
        assert objections(document, method, path, answer) == [], (method, path, answer.status)


async def test_locks_are_as_the_document_says(street: Street) -> None:
    """Setting one, what is refused, the list, one, and its lifting by another."""
    document, why = await document_of(street), {"reason": "the car was broken into"}
    target = {"kind": "terminal", "target": "car-conform"}
    made = await street.post("supervisor", "/locks", {**target, **why, "anyway": True})
    assert made.status == 200
    one = f"/locks/{made.json['id']}"

    for method, path, answer in (
        ("post", "/locks", made),
        ("post", "/locks", await street.post("supervisor", "/locks", target | why)),
        ("post", "/locks", await street.post("supervisor", "/locks", target | {"reason": "no"})),
        ("post", "/locks", await street.post("officer", "/locks", target | why)),
        ("get", "/locks", await street.ask("supervisor", "/locks?state=active", purpose=None)),
        ("get", "/locks", await street.ask("supervisor", "/locks?state=odd", purpose=None)),
        ("get", "/locks/{id}", await street.ask("lieutenant", one, purpose=None)),
        ("get", "/locks/{id}", await street.ask("lieutenant", "/locks/none", purpose=None)),
        ("post", "/locks/{id}/lift", await street.post("supervisor", f"{one}/lift", why)),
        ("post", "/locks/{id}/lift", await street.post("lieutenant", f"{one}/lift", why)),
        ("post", "/locks/{id}/lift", await street.post("lieutenant", f"{one}/lift", why)),
    ):
        assert objections(document, method, path, answer) == [], (method, path, answer.status, answer.body)


async def test_passkeys_are_as_the_document_says(street: Street) -> None:
    """The list, a first one without its code, an answer to nothing, one that is not there."""
    document, why = await document_of(street), {"reason": "it was lost on duty"}
    for method, path, answer in (
        ("get", "/passkeys", await street.ask("officer", "/passkeys", purpose=None)),
        ("post", "/passkeys/begin", await street.post("officer", "/passkeys/begin", {})),
        ("post", "/passkeys/finish", await street.post("officer", "/passkeys/finish", {"answer": "e30"})),
        ("post", "/passkeys/{id}/revoke", await street.post("officer", "/passkeys/pk-none/revoke", why)),
    ):
        assert objections(document, method, path, answer) == [], (method, path, answer.status, answer.body)


@pytest.mark.parametrize("key", ["supervisor", "oversight"])
async def test_who_decides_is_answered_in_every_room_as_the_document_says(street: Street, key: str) -> None:
    """Generated requests to escalations, duties, findings, delegations, locks and passkeys by those whose rooms they are."""
    document = await document_of(street)
    rooms = ("/escalations", "/notices", "/reviews", "/findings", "/delegations", "/locks", "/passkeys")
    document["paths"] = {path: each for path, each in document["paths"].items() if path.startswith(rooms)}
    headers = {"Authorization": f"Bearer {street.keys[key]}"}

    seen = await asyncio.to_thread(exercise, document, street.servers.terminals.url, headers, examples=EXAMPLES)

    assert {f"/{path.split('/')[1]}" for path in document["paths"]} == set(rooms)
    assert seen["GET /locks"] == {200}
    assert seen["GET /locks/{id}"] == {404}
    assert seen["POST /passkeys/begin"] >= {403}


async def test_the_console_answers_about_the_log_as_the_document_says(street: Street) -> None:
    """Generated questions and leak traces, by the oversight desk and by one who is not of it."""
    document = await document_of(street)
    document["paths"] = {path: each for path, each in document["paths"].items() if path.startswith(("/log/", "/leaks"))}

    for key, status in (("auditor", 422), ("officer", 404)):
        headers = {"Authorization": f"Bearer {street.keys[key]}"}
        seen = await asyncio.to_thread(exercise, document, street.servers.console.url, headers, examples=EXAMPLES)

        assert seen.keys() == {"POST /log/search", "POST /log/count", "POST /leaks"}
        assert all(status in each for each in seen.values()), seen


async def test_leak_traces_are_as_the_document_says(street: Street) -> None:
    """Somebody's leads, nobody's, what is unclear, what is no JSON object, and what is not for this role."""
    document = await document_of(street)
    answer, record = await shown(street)
    published = respelled(record)

    found = await leaks(street, published=published)
    nobody = await leaks(street, published=published, at="2020-01-01T00:00Z")

    assert answer.headers["Audit-Entry"] in str(found.json["leads"])
    assert nobody.json["leads"] == []
    for told in (
        found,
        nobody,
        await leaks(street, published=[{"kind": "phone", "value": "12"}]),
        await leaks(street, published=[]),
        await leaks(street, published=published, case="26-999999"),
        await leaks(street, "officer", published=published),
    ):
        assert objections(document, "post", "/leaks", told) == [], (told.status, told.body)


async def test_a_stranger_reads_neither_document(street: Street) -> None:
    """The names of routes and fields are for those who may ask; each refusal is in the log."""
    answers = [await street.ask(None, path, purpose=None) for path in ("/openapi.json", "/purposes")]

    assert [answer.problem for answer in answers] == ["credential-missing"] * 2
    assert [(await street.entry(answer)).kind for answer in answers] == ["refused"] * 2


@pytest.mark.parametrize("path", ["/openapi.json", "/purposes"])
async def test_a_document_is_kept_by_its_validator(street: Street, path: str) -> None:
    """Who has it gets 304 and no body; another role's form is another document; other methods and parameters are refused."""
    first = await street.ask("officer", path, purpose=None)
    again = await street.ask("officer", path, purpose=None, headers={"If-None-Match": f'"old", W/{first.headers["Etag"]}'})
    other = await street.ask("clerk", path, purpose=None, headers={"If-None-Match": first.headers["Etag"]})

    assert (again.status, again.body, again.headers["Etag"]) == (304, b"", first.headers["Etag"])
    assert other.status == (304 if path == "/openapi.json" else 200)
    assert (first.headers["Cache-Control"], first.headers["Vary"]) == ("private, no-cache", "Authorization")
    assert (await street.post("officer", path, {})).problem == "method-not-allowed"
    assert (await street.ask("officer", f"{path}?x=1", purpose=None)).problem == "parameter-unknown"


async def test_the_console_does_not_serve_the_terminals_documents(street: Street) -> None:
    """They are of this door and no other."""
    headers = {"Authorization": f"Bearer {street.keys['officer']}"}
    async with street.client.get(street.servers.console.url + "/openapi.json", headers=headers) as response:
        assert response.status == 404


async def test_the_form_does_not_know_who_is_protected(street: Street) -> None:
    """Somebody more in the registry changes no byte of it."""
    before = await street.ask("officer", "/purposes", purpose=None)
    await street.protect(category="witness", basis="threat", given_name="Zebulon", surname="Quartermaine", dob="1951-04-17")

    assert (await street.ask("officer", "/purposes", purpose=None)).body == before.body


async def test_a_purpose_that_fits_the_form_is_taken(street: Street) -> None:
    """What a terminal builds from the form is a header that holds."""
    form = (await street.ask("officer", "/purposes", purpose=None)).json
    way = next(way for way in form["oneOf"] if way["properties"].get("code", {}).get("const") == "C")
    values = {"case": street.case("stop"), "statement": STATEMENT}
    purpose = ", ".join(
        [f"code={way['properties']['code']['const']}", *(f'{name}="{values[name]}"' for name in way["required"][1:])]
    )

    answer = await street.ask("officer", f"/records/persons/{street.town.cast['driver'].person_id}", purpose=purpose)

    assert answer.status == 200
