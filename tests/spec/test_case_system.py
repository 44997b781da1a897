"""The street with a live case system beside it: a process that answers, is killed, and comes back."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from proxy.clock import utc_now
from proxy.demo import docket
from tests.spec.conftest import STATEMENT, UNBOUNDED, open_street, policies_with

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proxy.purpose.purpose import Case
    from tests.spec.conftest import Answer, Street

pytestmark = pytest.mark.asyncio(loop_scope="session")

DEPLOY = Path(__file__).parents[2] / "deploy"
FEW = UNBOUNDED.replace("}", ", unverified: 6, references: 20}")
QUICK = "fresh_seconds: 0.0\nbreaker: {failures: 3, open_seconds: 0.2}\nconnect_seconds: 10.0\ntotal_seconds: 10.0\n"


def told(case: Case) -> dict[str, Any]:
    """Return a case as the contract has it."""
    dispatched = sorted(case.dispatched)
    return {
        "number": case.number,
        "kind": case.kind,
        "agency": case.agency,
        "opened_at": case.opened_at.isoformat(),
        "closed_at": case.closed_at.isoformat() if case.closed_at else None,
        "summary": case.summary,
        "assigned": sorted(case.assigned),
        "dispatched": [each for each in dispatched if not each.startswith("unit:")],
        "dispatched_units": [each.removeprefix("unit:") for each in dispatched if each.startswith("unit:")],
        "parties": [],
    }


@dataclass
class Dispatch:
    """The process, and the file of its cases."""

    file: Path
    port: int = 0
    cases: dict[str, Any] = field(default_factory=lambda: {case.number: told(case) for case in docket.cases(utc_now())})
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, on the port that it had."""
        self.file.write_text(json.dumps(self.cases))
        command = [sys.executable, str(Path(__file__).with_name("dispatch_system.py")), str(self.port), str(self.file)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def kill(self) -> None:
        """Kill it, as the kernel does."""
        if self.process is not None:
            assert self.process.stdout is not None
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    @asynccontextmanager
    async def down(self, street: Street) -> AsyncIterator[None]:
        """Be dead for a while; afterwards it is there again, and the breaker has seen it."""
        self.kill()
        try:
            yield
        finally:
            self.start()
            async with asyncio.timeout(60):
                # No query for officer safety: that one is answered while the breaker is still open.
                while (await street.ask("colleague", "/records/persons/1", purpose=purpose("porch"))).status == 503:
                    pass


def purpose(case: str = "stop", code: str = "C") -> str:
    """Return a good purpose on a case of the docket."""
    number = {"stop": docket.STOP, "porch": docket.PORCH, "call": docket.CALL}[case]
    return f'code={code}, case="{number}", statement="{STATEMENT}"'


@dataclass
class Place:
    """A street whose cases are in another house."""

    street: Street
    dispatch: Dispatch

    async def warrants(self, key: str, role: str = "officer", header: str | None = None) -> Answer:
        """Ask whether somebody of the cast is wanted."""
        person = self.street.town.cast[key]
        target = self.street.path("/records/warrants", name=f"{person.given_name} {person.surname}", dob=f"{person.dob}")
        return await self.street.ask(role, target, purpose=header or purpose())

    async def person(self, key: str, code: str = "C", case: str = "stop") -> Answer:
        """Look somebody of the cast up by name and date of birth."""
        person = self.street.town.cast[key]
        target = self.street.path("/records/persons", given_name=person.given_name, surname=person.surname, dob=f"{person.dob}")
        return await self.street.ask("officer", target, purpose=purpose(case, code))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """Provide the street and the process, up, whose cases are those of the demo's docket."""
    path: Path = tmp_path_factory.mktemp("dispatch")
    policies = policies_with(path / "policies", FEW)
    purposes = policies / "purposes.yaml"
    purposes.write_text(purposes.read_text().replace("    closed_grace_days: 30\n", "    stale_if_error: 10m\n", 1))
    purposes.write_text(purposes.read_text().replace("  X:\n", "    subject_on_case: [address.search]\n\n  X:\n", 1))
    dispatch = Dispatch(path / "cases.json")
    dispatch.start()
    mapping = (
        (DEPLOY / "case_system.example.yaml")
        .read_text()
        .replace("https://cad.example.gov:8443", f"http://127.0.0.1:{dispatch.port}")
    )
    (path / "case_system.yaml").write_text(mapping + QUICK)
    try:
        async with open_street(path, policies, more=f"cases: {{system: {path / 'case_system.yaml'}}}\n") as street:
            yield Place(street, dispatch)
    finally:
        dispatch.kill()


async def test_the_case_system_says_whose_case_it_is(place: Place) -> None:
    """A case taken away there is taken away here, whatever the store holds; one that is new there is known here."""
    street, cases = place.street, place.dispatch.cases
    assert (await place.person("driver")).status == 200
    cases[docket.STOP]["assigned"] = ["badge-1002"]
    cases["26-777777"] = cases[docket.STOP] | {"number": "26-777777", "assigned": ["badge-1001"]}
    place.dispatch.file.write_text(json.dumps(cases))

    refused = await place.person("driver")
    other = await street.ask("officer", "/records/persons/1", purpose=f'code=C, case="26-777777", statement="{STATEMENT}"')

    cases[docket.STOP]["assigned"] = ["badge-1001"]
    place.dispatch.file.write_text(json.dumps(cases))
    assert (refused.problem, other.problem) == ("standing-missing", "")


async def test_down_means_refused_but_for_officer_safety(place: Place) -> None:
    """The process is killed: persons are refused, a wanted check answers, is marked and recorded as unverified."""
    street = place.street
    async with place.dispatch.down(street):
        refused = await place.person("driver")
        wanted = await place.warrants("driver")
        short = await place.warrants("driver", header=f'case="{docket.CALL}"')
        ready = await street.ops("/readyz")
        metrics = (await street.ops("/metrics")).body.decode()

    assert (refused.status, refused.problem) == (503, "case-directory-unavailable")
    assert int(refused.headers["Retry-After"]) >= 1
    assert (wanted.status, wanted.headers["Standing"]) == (200, "unverified")
    facts = (await street.entry(wanted)).facts
    assert (facts["standing"], facts["rule"], facts["outcome"], facts["forward"]) == ("unverified", "P07", "permit", True)
    assert short.problem == "case-directory-unavailable"
    assert (ready.status, ready.json["checks"]["case_directory"]["ok"]) == (200, True)
    assert "cannot be reached" in ready.json["checks"]["case_directory"]["reason"]
    assert 'showcause_unverified_total{action="warrant.search"} 1.0' in metrics
    assert 'showcause_case_directory_seconds_count{outcome="unavailable"}' in metrics
    assert "Standing" not in (await place.warrants("driver")).headers


async def test_a_supervisor_reviews_what_went_on_without_a_case(place: Place) -> None:
    """Each unverified answer waits for a supervisor within a day, whoever was found; what was refused or verified does not."""
    street = place.street
    async with place.dispatch.down(street):
        wanted = [
            await place.warrants(key, role="handler", header=purpose("porch")) for key in ("driver", "informant", "mayor")
        ]
    verified = await place.warrants("driver")

    async with asyncio.timeout(60):
        while True:
            found = await street.ask("supervisor", "/reviews?state=due", purpose=None)
            due = {row["entry"]: row for row in found.json["reviews"]}
            if wanted[1].headers["Audit-Entry"] in due:
                break
            await asyncio.sleep(0.05)

    assert [answer.headers["Audit-Entry"] in due for answer in (*wanted, verified)] == [True, True, False, False]
    review = due[wanted[0].headers["Audit-Entry"]]
    assert (review["why"], review["requested_by"], review["action"]) == (
        "unverified",
        street.person("handler"),
        "warrant.search",
    )
    (owed,) = [each for each in (await street.entry(wanted[0])).facts["owed"] if each["why"] == "unverified"]  # type: ignore[union-attr,index,call-overload]
    assert (owed["role"], owed["within"]) == ("supervisor", 86_400)  # type: ignore[index,call-overload]
    said = {"outcome": "justified", "reason": "dispatch was down, the stop is in the log"}
    closed = await street.post("supervisor", f"/reviews/{review['id']}/close", said)
    assert (closed.status, closed.json["state"]) == (200, "done")


async def test_whom_a_check_without_a_case_does_not_find(place: Place) -> None:
    """The hidden are not there, as for everybody who is not; a protected person waits for a supervisor."""
    street = place.street
    nobody = street.path("/records/warrants", name="Nobody Atall", dob="1970-01-01")
    async with place.dispatch.down(street):
        hidden = await place.warrants("informant", role="colleague", header=purpose("porch"))
        absent = await street.ask("colleague", nobody, purpose=purpose("porch"))
        mayor = await place.warrants("mayor", role="colleague", header=purpose("porch"))

    assert (hidden.status, hidden.body, hidden.headers.get("Standing")) == (absent.status, absent.body, "unverified")
    assert set(hidden.headers) == set(absent.headers)
    assert (await street.entry(hidden)).facts["rule"] == "H08"
    assert (mayor.problem, (await street.entry(mayor)).facts["rule"]) == ("escalation-required", "E08")


async def test_whoever_brings_it_down_gains_a_handful(place: Place) -> None:
    """Each person has so many unverified checks within the hour, and no more; what is verified is not counted."""
    async with place.dispatch.down(place.street):
        answers = [await place.warrants("driver", role="detective", header=purpose("stop")) for _ in range(8)]

    assert [answer.status for answer in answers] == [200] * 6 + [429] * 2
    assert answers[-1].problem == "budget-spent"


async def test_whoever_tries_numbers_does_not_reach_the_case_system_for_long(place: Place) -> None:
    """After so many references that did not hold, nothing more is asked for that person, and everybody else is served."""
    street = place.street

    async def tries(number: int) -> Answer:
        header = f'code=C, case="26-9{number:05}", statement="{STATEMENT}"'
        return await street.ask("supervisor", "/records/persons/1", purpose=header)

    problems = [(await tries(number)).problem for number in range(22)]

    assert problems == ["case-unknown"] * 20 + ["budget-spent"] * 2
    assert (await place.person("driver")).status == 200


async def test_stale_is_relied_on_where_policy_says_so_and_is_recorded(place: Place) -> None:
    """Code D tolerates ten minutes, code C nothing; the entry says how old the case was."""
    fresh = await place.person("driver", code="D")
    async with place.dispatch.down(place.street):
        stale = await place.person("driver", code="D")
        refused = await place.person("driver", code="C")

    assert [fresh.status, stale.status, refused.status] == [200, 200, 503]
    facts = (await place.street.entry(stale)).facts
    assert (facts["standing"], facts["case_stale"]) == ("assigned", True)
    assert 0 <= float(str(facts["case_age_s"])) < 120
    assert "case_stale" not in (await place.street.entry(fresh)).facts


async def test_only_a_party_may_be_asked_about_where_policy_demands_it(place: Place) -> None:
    """The case's own persons decide, and never the registry: protected, hidden and unknown people are refused alike."""
    street, cases = place.street, place.dispatch.cases
    driver = street.town.cast["driver"]
    home = {"street": driver.home.line, "city": "Fairmont City"}
    cases[docket.STOP]["parties"] = [
        {"given_name": driver.given_name, "surname": driver.surname, "dob": f"{driver.dob}", **home}
    ]
    place.dispatch.file.write_text(json.dumps(cases))

    def at(street_line: str) -> str:
        return street.path("/records/addresses", street=street_line, city="Fairmont City")

    party = await street.ask("officer", at(driver.home.line), purpose=purpose(code="D"))
    others = [
        await street.ask("officer", at(line), purpose=purpose(code="D"))
        for line in (street.town.cast["mayor"].home.line, street.town.cast["informant"].home.line, "99999 Nowhere Lane")
    ]
    elsewhere = await street.ask("officer", at(street.town.cast["mayor"].home.line), purpose=purpose("porch", code="D"))
    free = await street.ask("officer", at("99999 Nowhere Lane"), purpose=purpose(code="C"))

    assert (party.problem, free.problem) == ("", "")
    assert (await street.entry(party)).facts["subject_on_case"] is True
    assert {answer.problem for answer in [*others, elsewhere]} == {"subject-not-on-case"}
    assert len({(answer.status, answer.json["detail"]) for answer in others}) == 1
