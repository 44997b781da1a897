"""Whole requests, from a terminal's socket to real Datasette and back."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from proxy.demo.town import CITY

if TYPE_CHECKING:
    from tests.spec.conftest import Answer, Street

pytestmark = pytest.mark.asyncio(loop_scope="session")

STATEMENT = "stopped for no plates, driver has no licence on him"


def secrets_of(street: Street, key: str) -> tuple[str, ...]:
    """Return what must not leave about a person of the cast: everything but what a query has to name."""
    person = street.town.cast[key]
    return tuple(text for text in (person.ssn, person.phone, person.mobile, person.email, person.license) if text)


def mayor_queries(street: Street) -> dict[str, str]:
    """Return every road to the mayor."""
    mayor = street.town.cast["mayor"]
    vehicle = street.town.vehicle_of(mayor)
    return {
        "name": street.path("/records/persons", given_name=mayor.given_name, surname=mayor.surname, dob=mayor.dob.isoformat()),
        "id": f"/records/persons/{mayor.person_id}",
        "plate": street.path("/records/vehicles", plate=vehicle.plate),
        "phone": street.path("/records/persons", phone=mayor.phone or mayor.mobile),
        "address": street.path("/records/addresses", street=mayor.home.line, city=CITY),
        "ssn": street.path("/records/persons", ssn=mayor.ssn),
    }


async def test_an_ordinary_plate_check_is_answered_with_the_upstream_s_own_bytes(street: Street) -> None:
    """A reply that needs no mask is what the records server sent, byte for byte, and names its audit entry."""
    plate = street.town.vehicle_of(street.town.cast["driver"]).plate

    answer = await street.ask("officer", street.path("/records/vehicles", plate=plate))
    direct = await street.direct(street.path("/records/vehicles.json", plate=plate, _shape="array"))

    assert answer.status == 200
    assert answer.body == direct
    assert answer.headers["Audit-Entry"].startswith(f"{street.origin}/")
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("purpose", "problem", "status"),
    [
        (None, "purpose-missing", 400),
        ('code=C, statement="stopped for no plates, driver has no licence"', "case-missing", 400),
        ('code=C, case="{stop}"', "purpose-missing", 400),
        ('code=C, case="{stop}", statement="investigation"', "statement-uninformative", 422),
        ('code=C, case="26-999999", statement="stopped for no plates, driver has no licence"', "case-unknown", 422),
        ('code=C, case="{closed}", statement="stopped for no plates, driver has no licence"', "case-closed", 422),
        ('code=C, case="{foreign}", statement="stopped for no plates, driver has no licence"', "standing-missing", 403),
        ('code=Q9, case="{stop}", statement="stopped for no plates, driver has no licence"', "purpose-unknown", 400),
        ("code=C, case=26-004217", "purpose-malformed", 400),
        ('code=C, case="{stop}", statement="stopped for no plates", extra=1', "purpose-malformed", 400),
    ],
)
async def test_a_query_that_does_not_show_cause_is_refused(
    street: Street, purpose: str | None, problem: str, status: int
) -> None:
    """Each way of not showing cause has its own problem type, is in the log, and reaches no upstream."""
    header = purpose and purpose.format(stop=street.case("stop"), closed=street.case("closed"), foreign=street.case("foreign"))
    before = await street.entries()

    answer = await street.ask("officer", f"/records/persons/{street.town.cast['driver'].person_id}", purpose=header)

    assert (answer.problem, answer.status) == (problem, status)
    [entry] = [entry for entry in (await street.entries())[len(before) :] if entry.about]
    assert entry.kind == "refused"
    assert entry.facts["problem"] == problem


async def test_without_a_credential_nothing_is_answered(street: Street) -> None:
    """No key, a wrong key, and a key that says it is somebody else are refused."""
    path = f"/records/persons/{street.town.cast['driver'].person_id}"

    missing = await street.ask(None, path)
    wrong = await street.ask(None, path, headers={"Authorization": "Bearer sc_" + "A" * 43})
    claimed = await street.ask(None, path, headers={"X-User": "chief", "X-Forwarded-User": "chief"})

    assert [missing.problem, wrong.problem, claimed.problem] == [
        "credential-missing",
        "credential-invalid",
        "credential-missing",
    ]
    assert "WWW-Authenticate" in missing.headers


@pytest.mark.parametrize("road", ["name", "id", "plate", "phone", "address", "ssn"])
async def test_the_mayor_is_protected_by_whatever_road(street: Street, road: str) -> None:
    """None of the roads to the mayor answers 200, and no byte of a refusal says anything about the mayor."""
    answer = await street.ask("officer", mayor_queries(street)[road])

    assert answer.problem == "escalation-required"
    assert answer.status == 403
    assert not any(secret.encode() in answer.body for secret in secrets_of(street, "mayor"))
    assert b"official" not in answer.body
    assert b"mayor" not in answer.body.lower()


async def test_a_street_search_answers_without_the_protected_household(street: Street) -> None:
    """The mayor's neighbors are listed, the mayor's household is not, and nothing tells that somebody is missing."""
    mayor = street.town.cast["mayor"]
    path = street.path("/records/addresses", street_name=mayor.home.street, city=CITY)

    answer = await street.ask("officer", path)

    rows = json.loads(answer.body)
    assert answer.status == 200
    assert rows
    household = {person.person_id for person in street.town.household_of(mayor)}
    assert not household & {row["person_id"] for row in rows}
    direct = json.loads(await street.direct(path.replace("/addresses?", "/addresses.json?") + "&_shape=array&_size=101"))
    assert [row for row in direct if row["person_id"] not in household] == rows
    assert len(direct) > len(rows)
    assert "withheld" not in answer.headers.get("Disclosure", "")
    assert (await street.entry(answer)).facts["outcome"] == "permit"
    assert (await street.terminal_entry(answer)).facts["withheld"] == len(direct) - len(rows)


async def test_an_approved_query_answers_once_and_only_once(street: Street) -> None:
    """A supervisor approves; the same query is answered with the SSN masked; the next time it is not."""
    path = mayor_queries(street)["id"]
    asked = await street.ask("officer", path)
    href = asked.json["escalation"]["href"]
    assert int(asked.headers["Retry-After"]) > 0

    own = await street.post("officer", f"{href}/approve", {"reason": "I approve this myself"})
    assert own.problem == "approver-ineligible"
    approved = await street.post("supervisor", f"{href}/approve", {"reason": "threat case, verified by phone"})
    assert approved.json["state"] == "approved"

    other = await street.ask("detective", path)
    assert other.problem in {"escalation-required", "standing-missing"}
    first, second = await asyncio.gather(street.ask("officer", path), street.ask("officer", path))
    answered, spent = (first, second) if first.status == 200 else (second, first)

    assert answered.status == 200
    mayor = street.town.cast["mayor"]
    assert mayor.surname.encode() in answered.body
    assert mayor.ssn.encode() not in answered.body
    assert "ssn" in answered.headers["Disclosure"]
    assert spent.problem == "grant-spent"
    assert (await street.ask("officer", path)).problem == "grant-spent"


async def test_a_refused_query_is_told_the_reason(street: Street) -> None:
    """The supervisor's words reach the officer."""
    path = street.path("/records/persons", ssn=street.town.cast["mayor"].ssn)
    asked = await street.ask("officer", path)

    await street.post("supervisor", f"{asked.json['escalation']['href']}/refuse", {"reason": "the case does not need it"})

    told = await street.ask("officer", path)
    assert told.problem == "escalation-refused"
    assert "the case does not need it" in told.json["detail"]


async def test_a_query_can_wait_for_the_supervisor(street: Street) -> None:
    """`Prefer: wait` holds the query until it is decided, and then answers it."""
    path = mayor_queries(street)["plate"]
    waiting = asyncio.create_task(street.ask("officer", path, headers={"Prefer": "wait=20"}))

    href = await street.pending_href("supervisor", "officer")
    await street.post("supervisor", f"{href}/approve", {"reason": "hit and run, plate seen by a witness"})

    answer = await waiting
    assert answer.status == 200
    assert json.loads(answer.body)


async def test_a_query_can_be_left_with_the_supervisor(street: Street) -> None:
    """`Prefer: respond-async` is answered 202 with the escalation's address, and a task in the words of AuthZEN's profile."""
    answer = await street.ask("officer", mayor_queries(street)["phone"], headers={"Prefer": "respond-async"})

    assert (answer.status, answer.headers["Preference-Applied"]) == (202, "respond-async")
    href = answer.json["escalation"]["href"]
    assert (answer.headers["Location"], answer.headers["Retry-After"]) == (href, "5")
    assert answer.json["task"] == {
        "id": answer.json["escalation"]["id"],
        "status": "pending",
        "status_endpoint": href,
        "expires_at": answer.json["escalation"]["expires_at"],
        "links": {"cancel": f"{href}/cancel", "events": f"{href}/events"},
    }


async def test_what_the_registry_masks_stays_masked_whatever_policy_permits(street: Street) -> None:
    """An approval opens a witness's record, but never the field classes that the entry itself protects."""
    witness = street.unasked()
    path = f"/records/persons/{witness.person_id}"
    before = (await street.ask("officer", path)).json[0]
    await street.protect(person_id=witness.person_id, category="witness", fields=["home_address", "phone"])
    asked = await street.ask("officer", path)
    await street.post("supervisor", f"{asked.json['escalation']['href']}/approve", {"reason": "agreed, statement is needed"})

    answer = await street.ask("officer", path)

    assert answer.status == 200
    assert answer.headers["Disclosure"] == "masked=(home_address phone ssn)"
    shown = answer.json[0]
    hidden = {name for name in before if before[name] != shown[name]}
    assert {"phone", "street", "city", "ssn"} <= hidden
    assert shown["surname"] == before["surname"]
    assert witness.phone.encode() not in answer.body
    assert (await street.terminal_entry(answer)).facts["masked"] == ["home_address", "phone", "ssn"]


async def test_a_query_whose_answer_turns_out_protected_is_escalated_not_denied_to_exist(street: Street) -> None:
    """Where only the record tells who it is about, the officer is sent to a supervisor, and answered once it is approved."""
    vehicle = next(
        each for each in street.town.vehicles if each.owner.person_id not in street.cast_ids and not each.owner.employer
    )
    owner = vehicle.owner
    path = street.path("/records/vehicles", plate=vehicle.plate)
    assert (await street.ask("officer", path)).status == 200

    await street.protect(
        category="witness",
        basis="order of the court",
        given_name=owner.given_name,
        surname=owner.surname,
        dob=owner.dob.isoformat(),
    )
    asked = await street.ask("officer", path)

    assert asked.problem == "escalation-required"
    assert owner.surname.upper().encode() not in asked.body
    assert (await street.terminal_entry(asked)).kind == "withheld"
    await street.post("supervisor", f"{asked.json['escalation']['href']}/approve", {"reason": "the car was left at the scene"})
    answered = await street.ask("officer", path)
    assert answered.status == 200
    assert [row["plate"] for row in answered.json] == [vehicle.plate]
    assert (await street.ask("officer", path)).problem == "grant-spent"


@pytest.mark.parametrize(
    ("role", "about", "outcome"),
    [
        ("officer", "officer", "policy-denied"),
        ("officer", "officer_wife", "policy-denied"),
        ("officer", "officer_child", "policy-denied"),
        ("officer", "colleague", "escalation-required"),
        ("dispatcher", "neighbor", "policy-denied"),
        ("detective", "sheltered", "policy-denied"),
        ("officer", "sheltered", "escalation-required"),
    ],
)
async def test_nobody_looks_up_their_own(street: Street, role: str, about: str, outcome: str) -> None:
    """Oneself, one's household, adversary and former partner are denied, a colleague needs a supervisor, by any road."""
    person = street.town.cast[about]
    by_name = street.path("/records/persons", given_name=person.given_name, surname=person.surname, dob=person.dob.isoformat())

    for path in (f"/records/persons/{person.person_id}", by_name):
        assert (await street.ask(role, path)).problem == outcome


async def test_a_colleague_s_namesake_is_nobody_s_colleague(street: Street) -> None:
    """An ordinary person who has an officer's name passes, by id and by name with the birth date."""
    person = street.town.cast["namesake"]
    by_name = street.path("/records/persons", given_name=person.given_name, surname=person.surname, dob=person.dob.isoformat())

    for path in (f"/records/persons/{person.person_id}", by_name):
        answer = await street.ask("officer", path)
        assert answer.status == 200
        assert [row["person_id"] for row in answer.json] == [person.person_id]


async def test_the_reply_tells_that_somebody_lives_with_the_principal(street: Street) -> None:
    """Who is in no directory, and whose record shows the officer's own home, is found neither by id nor in a list."""
    named = Counter(person.name for person in street.town.persons)
    lodgers = (lodger for household in street.town.households for lodger in household.lodgers)
    lodger = next(lodger for lodger in lodgers if named[lodger.name] > 2)
    by_id = f"/records/persons/{lodger.person_id}"
    in_list = street.path("/records/persons", given_name=lodger.given_name, surname=lodger.surname)
    before = (await street.ask("handler", in_list)).json

    await street.employ("handler", street=lodger.home.line, unit=lodger.home.unit, city=CITY)
    async with asyncio.timeout(30):
        while (found := await street.ask("handler", by_id)).status == 200:  # noqa: ASYNC110 -- the server looks at the registry by turns, and an hour's queries are bounded
            await asyncio.sleep(0.05)
    listed = await street.ask("handler", in_list)

    assert (found.status, lodger.surname.encode() in found.body) == (404, False)
    assert listed.json == [row for row in before if row["person_id"] != lodger.person_id]
    assert len(listed.json) == len(before) - 1 > 0


async def test_a_concealed_person_is_answered_as_one_who_is_not_there(street: Street) -> None:
    """Status, body and headers are those of an id that does not exist, but for the date and the entry."""
    informant = street.town.cast["informant"]

    concealed = await street.ask("officer", f"/records/persons/{informant.person_id}")
    absent = await street.ask("officer", "/records/persons/999999")

    def shown(answer: Answer) -> tuple[int, bytes, dict[str, str]]:
        headers = {name: value for name, value in answer.headers.items() if name not in {"Date", "Audit-Entry"}}
        return answer.status, answer.body, headers

    assert shown(concealed) == shown(absent)
    assert (await street.entry(concealed)).facts["outcome"] == "conceal"


async def test_a_dispatcher_sees_what_sends_help(street: Street) -> None:
    """The dispatcher's reply differs from the original in the masked fields and nowhere else."""
    driver = street.town.cast["driver"]

    answer = await street.ask("dispatcher", f"/records/persons/{driver.person_id}")

    direct = json.loads(await street.direct(f"/records/persons/{driver.person_id}.json?_shape=array"))[0]
    [row] = answer.json
    assert list(row) == list(direct)
    assert {name for name in row if row[name] != direct[name]} == {"ssn", "photo"}
    assert driver.ssn.encode() not in answer.body


async def test_an_officer_on_a_dispatched_call_sends_the_call_and_nothing_more(street: Street) -> None:
    """Code and statement derive from the CAD event."""
    driver = street.town.cast["driver"]

    answer = await street.ask("officer", f"/records/persons/{driver.person_id}", purpose=f'case="{street.case("dispatched")}"')

    assert answer.status == 200
    entry = await street.entry(answer)
    assert entry.facts["derived"] is True
    assert entry.facts["standing"] == "dispatched"


async def test_a_cascaded_query_inherits_its_root_s_purpose(street: Street) -> None:
    """A driver check that a plate check fired names it as its root, and needs no words of its own."""
    driver = street.town.cast["driver"]
    root = await street.ask("officer", street.path("/records/vehicles", plate=street.town.vehicle_of(driver).plate))

    child = await street.ask("officer", f"/records/persons/{driver.person_id}", purpose=f'root="{root.headers["Audit-Entry"]}"')
    stolen = await street.ask(
        "detective", f"/records/persons/{driver.person_id}", purpose=f'root="{root.headers["Audit-Entry"]}"'
    )

    assert child.status == 200
    assert (await street.entry(child)).facts["root"] == root.headers["Audit-Entry"]
    assert stolen.status in {400, 403}


BYPASSES = {
    "/records/persons.csv": "route-unknown",
    "/records.json?sql=select+*+from+persons": "route-unknown",
    "/records?sql=select%20*%20from%20persons": "route-unknown",
    "/records/persons.json": "route-unknown",
    "/-/databases": "route-unknown",
    "/records/persons/%2e%2e/persons.json": "request-not-canonical",
    "/records/../records/persons.json": "request-not-canonical",
    "/records/persons%2f100001": "request-not-canonical",
    "//records/persons/100001": "request-not-canonical",
    "/records/persons/100001;x=1": "request-not-canonical",
    "/records\\persons": "request-not-canonical",
    "/records/persons?surname=Doe&surname=Roe&given_name=Jo&dob=1970-01-01": "parameter-duplicate",
    "/records/persons?surname=Doe&given_name=Jo&dob=1970-01-01&_facet=ssn": "parameter-unknown",
    "/records/persons?surname=Doe&given_name=Jo&dob=1970-01-01&_next=5": "parameter-unknown",
    "/records/persons?surname=Doe&given_name=Jo&dob=1970-01-01&_sort=ssn": "parameter-unknown",
    "/records/persons?surname__startswith=W": "parameter-unknown",
    "/records/persons?surname=W": "too-broad",
    "/records/persons": "too-broad",
    "http://127.0.0.1/records/persons/100001": "request-not-canonical",
}


@pytest.mark.parametrize(("target", "problem"), BYPASSES.items())
async def test_another_name_for_the_same_records_leads_nowhere(street: Street, target: str, problem: str) -> None:
    """Everything that Datasette would answer by another name is refused here, sent raw as it stands."""
    answer = await street.raw("officer", "GET", target)

    assert answer.problem == problem


@pytest.mark.parametrize(
    "headers",
    [
        {"X-HTTP-Method-Override": "POST"},
        {"Range": "bytes=0-10"},
        {"If-None-Match": "*"},
        {"X-Original-URL": "/records/persons.csv"},
        {"X-Forwarded-Host": "evil.example"},
        {"Accept": "text/csv"},
        {"Accept-Encoding": "gzip"},
        {"Cookie": "ds_actor=root"},
        {"Connection": "close, Authorization"},
    ],
)
async def test_a_client_s_headers_have_no_effect(street: Street, headers: dict[str, str]) -> None:
    """The answer is the one that is given without them."""
    path = f"/records/persons/{street.town.cast['driver'].person_id}"
    plain = await street.ask("officer", path)

    answer = await street.ask("officer", path, headers=headers)

    assert (answer.status, answer.body) == (plain.status, plain.body)
    assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "PROPFIND"])
async def test_another_method_leads_nowhere(street: Street, method: str) -> None:
    """Only the route's own method is answered."""
    answer = await street.raw("officer", method, f"/records/persons/{street.town.cast['driver'].person_id}")

    assert answer.status in {400, 404, 405}
    assert street.town.cast["driver"].ssn.encode() not in answer.body


async def test_every_query_has_its_entries_before_the_answer(street: Street) -> None:
    """Once an answer is here, its decision and its one terminal entry are in the log, with the facts of CJIS AU-3(1)."""
    path = f"/records/persons/{street.town.cast['driver'].person_id}"

    answers = await asyncio.gather(*(street.ask("officer", path) for _ in range(20)))

    entries = await street.entries()
    for answer in answers:
        decided = next(entry for entry in entries if f"{street.origin}/{entry.index}" == answer.headers["Audit-Entry"])
        closing = [
            entry for entry in entries if entry.about == decided.about and entry.kind in {"disclosed", "withheld", "failed"}
        ]
        assert decided.kind == "decided"
        assert len(closing) == 1
        assert closing[0].index > decided.index
        assert {"officer", "terminal", "source", "case"} <= set(decided.parties)
        assert {"destination", "agency", "bytes_in", "rule", "policy", "purpose", "standing"} <= set(decided.facts)
        assert {"bytes_out", "duration_ms", "outcome", "disclosed"} <= set(closing[0].facts)


async def test_the_log_names_nobody(street: Street) -> None:
    """Not a name, number, statement, case or officer can be read in the log's files."""
    driver = street.town.cast["driver"]
    await street.ask(
        "officer",
        street.path("/records/persons", given_name=driver.given_name, surname=driver.surname, dob=driver.dob.isoformat()),
    )

    stored = street.log_bytes()

    assert b'"decided"' in stored
    for secret in (
        driver.surname,
        driver.ssn,
        driver.person_id,
        driver.dob.isoformat(),
        STATEMENT,
        street.case("stop"),
        street.person("officer"),
    ):
        assert secret.encode() not in stored


async def test_a_revoked_key_ends_at_the_next_query(street: Street) -> None:
    """A revocation by another process is seen at once."""
    path = f"/records/persons/{street.town.cast['driver'].person_id}"
    key, credential = await street.new_key("officer")
    headers = {"Authorization": f"Bearer {key}"}
    assert (await street.ask(None, path, headers=headers)).status == 200

    await street.revoke(credential)

    assert (await street.ask(None, path, headers=headers)).problem == "credential-invalid"


async def test_readiness_names_what_is_missing(street: Street) -> None:
    """The ops door says ready with every part named."""
    answer = await street.ops("/readyz")

    assert answer.status == 200
    assert set(answer.json["checks"]) == {
        "store",
        "log",
        "witnesses",
        "policy",
        "registry",
        "upstream",
        "credentials",
        "case_directory",
        "oversight",
        "locks",
        "step_up",
    }


async def test_metrics_hold_no_person_case_or_agency(street: Street) -> None:
    """What was asked about does not show in what operators scrape."""
    driver = street.town.cast["driver"]
    await street.ask("officer", f"/records/persons/{driver.person_id}")

    scraped = (await street.ops("/metrics")).body

    assert b'showcause_decisions_total{action="person.read",outcome="permit",purpose="C"}' in scraped
    for secret in (driver.person_id, driver.surname, street.case("stop"), street.agency, street.person("officer")):
        assert secret.encode() not in scraped


async def test_a_problem_s_page_is_served(street: Street) -> None:
    """The type of a refusal is an address at the same door that says what to do."""
    answer = await street.ask(None, "/problems/case-closed")

    assert answer.status == 200
    assert b"reopened" in answer.body


async def test_an_attempt_to_decide_one_s_own_query_is_remembered(street: Street) -> None:
    """The refusal of a supervisor's move has its entry, like the refusal of a query."""
    asked = await street.ask("officer", mayor_queries(street)["name"])
    before = len(await street.entries())

    own = await street.post("officer", f"/escalations/{street.pending_id(asked)}/approve", {"reason": "I approve this myself"})

    refused = [entry for entry in (await street.entries())[before:] if entry.kind == "refused"]
    assert own.problem == "approver-ineligible"
    assert [entry.facts["problem"] for entry in refused] == ["approver-ineligible"]
    assert own.headers["Audit-Entry"] == f"{street.origin}/{refused[0].index}"


async def test_a_reason_given_twice_is_none(street: Street) -> None:
    """Which of two reasons would be remembered is not left to a parser."""
    asked = await street.ask("officer", mayor_queries(street)["phone"])
    url = f"{street.servers.terminals.url}/escalations/{street.pending_id(asked)}/approve"
    headers = {"Authorization": f"Bearer {street.keys['supervisor']}", "Content-Type": "application/json"}

    async with street.client.post(
        url, data=b'{"reason": "no threat known", "reason": "a threat, verified"}', headers=headers
    ) as twice:
        assert (await twice.json(content_type=None))["type"] == "/problems/parameter-duplicate"
