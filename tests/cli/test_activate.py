"""``policy activate``, and what ``check`` and ``doctor`` say of the policy that rules."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from proxy.audit.outbox import Outbox
from proxy.audit.reader import AuditReader
from proxy.audit.sealing import Sealer
from proxy.clock import utc_now
from proxy.database import Database
from proxy.policy.activating import Activations
from proxy.policy.service import load_policies

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.cli.conftest import Office


def beside(office: Office, use: Callable[[Activations], Awaitable[Any]]) -> Any:
    """Do something to the store, as another process does."""

    async def run() -> Any:
        sealer = Sealer.load(index=office.folder / "keys/index", body=office.folder / "keys/body")
        database = Database(office.folder / "data/store.sqlite3")
        await database.open()
        try:
            return await use(Activations(database, sealer, Outbox(database, sealer, utc_now, os.urandom), utc_now))
        finally:
            await database.close()

    return asyncio.run(run())


@pytest.fixture
def active(office: Office) -> Office:
    """Return an office whose server has started once."""
    assert beside(office, lambda activations: activations.adopt(load_policies(office.folder / "policies")))
    return office


def activate(office: Office, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Return exit code and JSON of one command line."""
    code, out, err = office.call("policy", "activate", *arguments, "--config", str(office.config), "--json")
    assert out, err
    found: dict[str, Any] = orjson.loads(out)
    return code, found


def queries(office: Office, number: int) -> str:
    """Save another budget, and return the version of the folder."""
    path = office.folder / "policies/budgets.yaml"
    path.write_text(path.read_text("utf-8").replace("queries: 900", f"queries: {number}"), "utf-8")
    return load_policies(office.folder / "policies").version


def test_before_the_first_start_there_is_nothing_to_activate(office: Office) -> None:
    """The first start adopts the folder; nobody has to do anything."""
    code, said = activate(office)

    assert (code, said["active"], said["edits"]) == (0, None, [])


def test_what_is_activated_already_or_only_stricter_needs_nobody(active: Office) -> None:
    """Exit 0 either way, and the edits are told."""
    assert activate(active)[0] == 0
    queries(active, 800)
    code, said = activate(active, "--reason", "fewer")

    assert (code, said["loosens"]) == (0, 0)
    assert said["edits"] == [{"file": "budgets.yaml", "loosens": False, "what": "queries: 900 becomes 800"}]


def test_what_loosens_is_shown_to_whoever_asks_and_proposed_by_whoever_says_why(active: Office) -> None:
    """Nobody proposes without a reason, nobody agrees to their own proposal, and another's can be agreed to. All in the log."""
    version = queries(active, 1000)
    code, said = activate(active)
    assert (code, said["folder"], said["loosens"]) == (1, version, 1)
    assert "proposal" not in said

    code, mine = activate(active, "--reason", "the council, 2026-11-20")
    assert code == 1
    assert activate(active)[1]["proposal"] == mine["proposal"]
    code, said = activate(active, "--approve", mine["proposal"])
    assert (code, said["error"]) == (2, "You proposed it, so another person has to agree.")
    assert activate(active, "--refuse", mine["proposal"])[0] == 2
    assert activate(active, "--refuse", mine["proposal"], "--reason", "a mistake")[0] == 0
    assert activate(active, "--approve", mine["proposal"])[0] == 2

    loaded = load_policies(active.folder / "policies")

    async def propose(activations: Activations) -> str:
        before = await activations.store.active()
        assert before is not None
        made = await activations.propose(loaded, 1, instead_of=before.digest, by="login:somebody-else", reason="the council")
        return made.id

    theirs = beside(active, propose)
    code, said = activate(active, "--approve", theirs)
    assert (code, said["activated"]) == (0, version)
    assert activate(active)[1]["active"] == version
    kinds = [entry.kind for entry in AuditReader(active.folder / "data/log").entries()]
    assert kinds == ["policy-adopted", "policy-proposed", "policy-refused", "policy-proposed", "policy-activated"]


def test_whoever_agrees_sees_how_much_the_change_is_held_against(active: Office) -> None:
    """Cases and invariants are no part of a policy: that they are gone would show in no difference."""
    policies = active.folder / "policies"
    assert (policies / "invariants.yaml").is_file()
    shutil.rmtree(policies / "cases")
    queries(active, 1000)

    _, out, _ = active.call("policy", "activate", "--config", str(active.config))

    assert re.search(r"^held against 0 cases and [1-9]\d* invariants; `policy diff`", out, re.MULTILINE), out


def test_doctor_says_which_version_rules_where_it_is_not_the_folder_s(active: Office) -> None:
    """A warning, with both versions and the command that says whether it takes two persons."""
    assert "policies.active" not in active.troubles()
    before, after = load_policies(active.folder / "policies").version, queries(active, 1000)

    level, detail, hint = active.troubles()["policies.active"]

    assert level == "warning"
    assert before in detail
    assert after in detail
    assert "policy activate" in hint


def test_check_and_doctor_look_at_the_candidate_too(active: Office, records_server: Any) -> None:
    """A mistake in it is told with its line; the candidate's folder is named by the configuration."""
    shutil.copytree(active.folder / "policies", active.folder / "next")
    active.write(records_server.url, shadow="next")
    assert active.call("check", "--config", str(active.config))[0] == 0
    path = active.folder / "next/policy.csv"
    path.write_text(path.read_text("utf-8").replace("escalate,  E01", "escalat,  E01"), "utf-8")

    code, _, err = active.call("check", "--config", str(active.config))

    assert code == 1
    assert "next/policy.csv:" in err
    assert active.troubles()["shadow"][0] == "failure"
