"""A candidate beside the policy, and another policy while a query waits, from a terminal's side."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from proxy.__main__ import run
from proxy.audit.outbox import Outbox
from proxy.audit.sealing import Sealer
from proxy.clock import utc_now
from proxy.database import Database
from proxy.policy.activating import Activations
from proxy.policy.edits import edits
from proxy.policy.service import load_policies
from tests.spec.conftest import UNBOUNDED, open_street, policies_with

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.spec.conftest import Street

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROW = "permit,    P01,  reader,     query,      operational,    none,                 present,  none,      none,     none,    "
NEXT = "mask,      P01,  reader,     query,      operational,    none,                 present,  none,      none,     mask=ssn,"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def beside(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Street]:
    """Yield a street beside whose policy a candidate rules that masks more."""
    path: Path = tmp_path_factory.mktemp("beside")
    policies = policies_with(path / "policies", UNBOUNDED)
    shutil.copytree(policies, path / "next")
    text = (path / "next" / "policy.csv").read_text("utf-8")
    assert ROW in text
    (path / "next" / "policy.csv").write_text(text.replace(ROW, NEXT), "utf-8")
    async with open_street(path, policies, more=f"shadow: {path / 'next'}\n") as street:
        yield street


def driver(street: Street) -> str:
    """Return a query about somebody ordinary."""
    return f"/records/persons/{street.town.cast['driver'].person_id}"


async def metric(street: Street, line: str) -> float:
    """Return a sample of the operators' door, by its name and labels."""
    said = (await street.ops("/metrics")).body.decode()
    return next((float(each.rpartition(" ")[2]) for each in said.splitlines() if each.startswith(line + " ")), 0.0)


async def test_a_candidate_changes_nothing_that_a_terminal_sees(beside: Street) -> None:
    """The policy shows the number that the candidate would mask; the candidate's version is in readiness."""
    answer = await beside.ask("officer", driver(beside))

    assert answer.status == 200
    assert answer.json[0]["ssn"] == beside.town.cast["driver"].ssn
    assert "rules beside it" in (await beside.ops("/readyz")).json["checks"]["policy"]["reason"]


async def test_what_a_candidate_would_have_ruled_is_in_the_entries_of_the_query(beside: Street) -> None:
    """Of the query and of each record: its version, both outcomes and its row. The metric counts both."""
    counted = 'showcause_policy_shadow_differences_total{from="permit",to="mask"}'
    before = await metric(beside, counted)
    answer = await beside.ask("officer", driver(beside))

    decided, ended = await beside.entry(answer), await beside.terminal_entry(answer)
    version = load_policies(beside.home.policies.parent / "next").version
    assert decided.facts["shadow"] == {"policy": version, "from": "permit", "to": "mask", "row": "P01"}
    assert ended.facts["shadow"] == {
        "policy": version,
        "differences": [{"from": "permit", "to": "mask", "row": "P01", "count": 1}],
    }
    assert await metric(beside, counted) == before + 2


async def test_a_query_that_a_candidate_rules_the_same_says_nothing_of_it(beside: Street) -> None:
    """A difference is worth an entry's bytes; agreement is not."""
    dispatched = await beside.ask("dispatcher", driver(beside))

    assert dispatched.status == 200
    assert "shadow" not in (await beside.entry(dispatched)).facts
    assert "shadow" not in (await beside.terminal_entry(dispatched)).facts


async def test_a_backtest_of_the_log_finds_what_a_candidate_would_change(
    beside: Street, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without any key: the same change that the shadow saw, of queries and records, with the entries to look at. Exit 1."""
    answer = await beside.ask("officer", driver(beside))
    candidate = beside.home.policies.parent / "next"

    code, said = await backtest(capsys, str(candidate), "--config", str(beside.home.config))
    none, _ = await backtest(capsys, str(beside.home.policies), "--config", str(beside.home.config))
    later, nothing = await backtest(capsys, str(candidate), "--config", str(beside.home.config), "--since", "2100-01-01")

    assert (code, none, later) == (1, 0, 0)
    kinds = {(each["what"], each["from"], each["to"], each["rule_to"], each["looser"]) for each in said["changes"]}
    assert kinds == {("query", "permit", "mask", "P01", False), ("record", "permit", "mask", "P01", False)}
    assert all(set(each["roles"]) <= {"patrol"} for each in said["changes"])
    assert int(answer.headers["Audit-Entry"].rpartition("/")[2]) >= said["changes"][0]["entries"][0]
    assert said["silent"] == 0
    assert nothing["queries"] == 0


async def backtest(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    """Return exit code and JSON of one command line."""
    capsys.readouterr()
    code = await asyncio.to_thread(run, ["policy", "backtest", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


async def test_an_approval_is_void_when_another_policy_has_come_to_rule_while_the_query_waited(beside: Street) -> None:
    """The query is refused by the policy that it began under; the next one is asked about anew, under the other."""
    mayor = f"/records/persons/{beside.town.cast['mayor'].person_id}"
    first = beside.servers.policy.policies.version
    waiting = asyncio.create_task(beside.ask("officer", mayor, headers={"Prefer": "wait=30"}))
    href = await pending(beside)
    await exchange(beside)
    assert beside.servers.policy.policies.version != first
    approved = await beside.post("supervisor", f"{href}/approve", {"reason": "agreed by phone, threat case"})
    answer = await waiting

    assert approved.status == 200
    assert answer.problem == "grant-mismatch"
    assert (await beside.entry(answer)).facts["policy"] == first
    again = await beside.ask("officer", mayor)
    assert again.problem == "escalation-required"
    assert beside.pending_id(again) not in href
    assert (await beside.entry(again)).facts["policy"] == beside.servers.policy.policies.version


async def pending(street: Street) -> str:
    """Return the one escalation that waits, as soon as there is one."""
    headers = {"Authorization": f"Bearer {street.keys['supervisor']}"}
    async with asyncio.timeout(30):
        while True:
            async with street.client.get(f"{street.servers.terminals.url}/escalations?state=pending", headers=headers) as found:
                if waiting := (await found.json())["escalations"]:
                    return str(waiting[0]["href"])


async def exchange(street: Street) -> None:
    """Have two persons activate what loosens, as commands beside the server do, and wait until it rules."""
    before, policies = street.servers.policy.policies, street.home.policies
    (policies / "budgets.yaml").write_text(UNBOUNDED.replace("broad_counts: 1", "broad_counts: 1\n# put better"), "utf-8")
    (policies / "purposes.yaml").write_text(
        (policies / "purposes.yaml").read_text("utf-8").replace("closed_grace_days: 14", "closed_grace_days: 15", 1), "utf-8"
    )
    after = load_policies(policies)
    keys = street.home.keys
    sealer = Sealer.load(index=keys / "index.key", body=keys / "body.key")
    database = Database(street.home.data / "store.sqlite3")
    await database.open()
    activations = Activations(database, sealer, Outbox(database, sealer, utc_now, os.urandom), utc_now)
    proposal = await activations.propose(after, 1, instead_of=before.digest, by="login:ann", reason="counsel, 2026-11-20")
    await activations.approve(proposal.id, after, edits(before, after), by="login:ben")
    await database.close()
    await street.servers.policy.turn()
