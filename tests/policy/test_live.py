"""The policy that rules, over a real folder, store, outbox and log."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from proxy.audit.outbox import OUTBOX, Outbox
from proxy.audit.sealing import Sealer
from proxy.database import Database
from proxy.document import DocumentInvalid
from proxy.policy.activating import Activations, load_files
from proxy.policy.activation import ApproverIsProposer, PolicyProposalStale, PolicyProposalUnknown, PolicyUnreadable
from proxy.policy.aside import Judged, answered, encoded
from proxy.policy.edits import edits, loosening
from proxy.policy.judging import judge_aside
from proxy.policy.live import LivePolicy
from proxy.policy.service import load_policies
from proxy.telemetry import Metrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from proxy.policy.activation import PolicyProposal
    from proxy.policy.service import PolicySet

SHIPPED = Path(__file__).parents[2] / "policies"
ANN, BEN = "login:ann", "login:ben"


@dataclass
class Office:
    """A folder that people edit, the store beside it, and what the operator's log was told."""

    path: Path
    now: datetime = datetime(2026, 11, 27, 12, tzinfo=UTC)
    sealer: Sealer = field(default_factory=lambda: Sealer(index_key=b"i" * 32, body_key=b"b" * 32))
    told: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    metrics: Metrics = field(default_factory=Metrics)
    candidate: Path | None = None
    gated: bool = False

    @property
    def folder(self) -> Path:
        """Return the folder that people edit."""
        return self.path / "policies"

    def edit(self, file: str, old: str, new: str, *, folder: Path | None = None) -> None:
        """Save another version of a file."""
        path = (folder or self.folder) / file
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), "utf-8")

    def tighten(self) -> None:
        """Allow fewer queries."""
        self.edit("budgets.yaml", "queries: 900", "queries: 800")

    def loosen(self) -> None:
        """Allow more queries."""
        self.edit("budgets.yaml", "queries: 900", "queries: 1000")

    def tell(self, event: str, **fields: object) -> None:
        """Be the operator's log."""
        self.told.append((event, fields))

    def metric(self, name: str, **labels: str) -> float | None:
        """Return a metric's value."""
        return self.metrics.registry.get_sample_value(f"showcause_{name}", labels)

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """Yield the store, as a process of its own opens it."""
        database = Database(self.path / "store.sqlite3")
        await database.open()
        try:
            yield database
        finally:
            await database.close()

    def activations(self, database: Database) -> Activations:
        """Return what another process, as a command is, would use as well."""
        return Activations(database, self.sealer, Outbox(database, self.sealer, self.clock, os.urandom), self.clock)

    def clock(self) -> datetime:
        """Return the time."""
        return self.now

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[LivePolicy]:
        """Yield the live policy of a server's life."""
        async with self.database() as database:
            live = LivePolicy(
                folder=self.folder,
                candidate=self.candidate,
                activations=self.activations(database),
                load=load_policies,
                metrics=self.metrics,
                tell=self.tell,
                judge=judge_aside if self.gated else quick,
            )
            await live.start()
            yield live

    async def queued(self) -> list[tuple[str, str]]:
        """Return kind and facts of what waits for the log."""
        async with self.database() as database, database.begin() as connection:
            return [(row.kind, row.facts) for row in (await connection.execute(OUTBOX.select().order_by(OUTBOX.c.seq))).all()]

    async def propose(self, *, by: str = ANN) -> PolicyProposal:
        """Propose what the folder holds, as a command does."""
        async with self.database() as database:
            activations, loaded, active = await self._things(database)
            count = len(loosening(edits(active, loaded)))
            return await activations.propose(loaded, count, instead_of=active.digest, by=by, reason="council, 2026-11-20")

    async def approve(self, proposal: str, *, by: str = BEN) -> PolicyProposal:
        """Agree to a proposal, as a command does."""
        async with self.database() as database:
            activations, loaded, active = await self._things(database)
            return await activations.approve(proposal, loaded, edits(active, loaded), by=by)

    async def _things(self, database: Database) -> tuple[Activations, PolicySet, PolicySet]:
        activations = self.activations(database)
        active = await activations.store.active()
        assert active is not None
        return activations, load_policies(self.folder), await activations.loaded(active, self.folder, load_policies)


async def quick(folder: Path, files: Mapping[str, bytes]) -> Judged:
    """Judge as ``aside`` does, without the gates, which take seconds."""
    try:
        loaded = load_policies(folder)
    except DocumentInvalid as invalid:
        return Judged("", mistakes=invalid.mistakes)
    return Judged(loaded.digest, edits=edits(load_files(files, folder), loaded))


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Return an office whose folder is the shipped policy."""
    shutil.copytree(SHIPPED, tmp_path / "policies")
    return Office(tmp_path)


@pytest_asyncio.fixture
async def live(office: Office) -> AsyncIterator[LivePolicy]:
    """Yield the live policy of the first start."""
    async with office.serving() as live:
        yield live


async def turns(live: LivePolicy) -> None:
    """Look twice, so that what has changed has stood still."""
    await live.turn()
    await live.turn()


async def test_the_very_first_start_adopts_the_folder_and_says_so_in_the_log(office: Office, live: LivePolicy) -> None:
    """There is nothing to hold it against; the entry has the digest."""
    [(kind, facts)] = await office.queued()

    assert kind == "policy-adopted"
    assert live.policies.digest in facts
    assert live.reason == f"version {live.policies.version}"


async def test_a_first_start_with_a_mistake_does_not_start(office: Office) -> None:
    """Nothing was ever activated, so there is nothing that could rule in its place."""
    office.edit("policy.csv", "escalate,  E01", "escalat,  E01")

    with pytest.raises(DocumentInvalid):
        async with office.serving():
            pass


async def test_what_is_stricter_rules_once_it_has_stood_still(office: Office, live: LivePolicy) -> None:
    """One reference is exchanged, with everybody who follows it; the log has both digests, and the metric the version."""
    before, followed = live.policies, list[int]()
    live.follow(lambda policies: followed.append(policies.budgets.queries))
    office.tighten()

    await live.turn()
    assert live.policies is before
    await live.turn()

    assert live.policies.budgets.queries == 800
    assert followed == [800]
    assert office.metric("policy_info", version=live.policies.version) == 1
    kind, facts = (await office.queued())[-1]
    assert kind == "policy-activated"
    assert before.digest in facts
    assert live.policies.digest in facts


async def test_a_query_that_began_keeps_the_policy_that_it_began_with(office: Office, live: LivePolicy) -> None:
    """What was handed out is never changed in place."""
    before = live.policies
    office.tighten()
    await turns(live)

    assert live.policies is not before
    assert before.budgets.queries == 900


async def test_a_file_that_is_spoiled_while_the_one_before_is_judged_is_judged_as_well(office: Office) -> None:
    """It is a mistake of the folder like any other, told with its place, and no error of the server's."""

    async def slowly(folder: Path, files: Mapping[str, bytes]) -> Judged:
        judged = await quick(folder, files)
        if judged.edits:
            office.edit("budgets.yaml", "queries: 800", "queries: 8OO")
        return judged

    async with office.database() as database:
        activations = office.activations(database)
        live = LivePolicy(
            folder=office.folder, candidate=None, activations=activations, load=load_policies, metrics=office.metrics,
            tell=office.tell, judge=slowly,
        )  # fmt: skip
        await live.start()
        before = live.policies
        office.tighten()
        await turns(live)
        await turns(live)

        assert live.policies is before
        assert "budgets.yaml:" in live.reason
    assert [event for event, _ in office.told] == ["policy file has a mistake"]


async def test_a_bad_file_leaves_the_old_policy_live_and_says_where(office: Office, live: LivePolicy) -> None:
    """The metric moves once, the operator reads file, line and column, and readiness has the reason. Then it is put right."""
    before = live.policies
    office.edit("policy.csv", "escalate,  E01", "escalat,  E01")
    await turns(live)
    await turns(live)

    assert live.policies is before
    assert office.metric("policy_reload_failures_total") == 1
    assert office.metric("policy_waiting") == 1
    [(event, fields)] = office.told
    assert event == "policy file has a mistake"
    assert re.fullmatch(r"policy\.csv:\d+:1", str(fields["where"]))
    assert "escalat" in str(fields["reason"])
    assert "policy.csv:" in live.reason
    kind, facts = (await office.queued())[-1]
    assert kind == "policy-held"
    assert '"why":"mistakes"' in facts

    office.edit("policy.csv", "escalat,  E01", "escalate,  E01")
    await turns(live)

    assert live.reason == f"version {before.version}"
    assert office.metric("policy_waiting") == 0


async def test_what_breaks_a_promise_of_the_policy_does_not_rule(office: Office) -> None:
    """It loads, and it is stricter; but a case beside it says that it must not be so. Every gate is run, in a process aside."""
    office.gated = True
    async with office.serving() as live:
        before = live.policies
        office.edit("policy.csv", "escalate,  E02", "deny,      E02")
        await turns(live)

        assert live.policies is before
        assert "expects escalate by E02" in live.reason
        assert office.metric("policy_reload_failures_total") == 1


async def test_a_judgement_passes_through_the_pipe_as_it_is(office: Office) -> None:
    """What the server is told is what was found: the digest and each edit, or each mistake with its place."""
    before = load_policies(office.folder)
    office.tighten()
    good = await quick(office.folder, before.contents)
    office.edit("policy.csv", "escalate,  E01", "escalat,  E01")
    bad = await quick(office.folder, before.contents)

    assert good.edits
    assert bad.mistakes
    assert answered(encoded(good)) == good
    assert answered(encoded(bad)) == bad


async def test_a_missing_file_leaves_the_old_policy_live(office: Office, live: LivePolicy) -> None:
    """A folder of which half was copied is no policy."""
    (office.folder / "fields.yaml").unlink()
    await turns(live)

    assert "fields.yaml" in live.reason
    assert office.metric("policy_reload_failures_total") == 1


async def test_what_loosens_does_not_rule_by_being_saved(office: Office, live: LivePolicy) -> None:
    """It waits, readiness and log say why, and it is no failure: the file is right."""
    before = live.policies
    office.loosen()
    await turns(live)

    assert live.policies is before
    assert "waits for two persons" in live.reason
    assert office.told[0][1]["reason"] == "queries: 900 becomes 1000"
    assert office.metric("policy_reload_failures_total") == 0
    assert office.metric("policy_waiting") == 1
    kind, facts = (await office.queued())[-1]
    assert kind == "policy-held"
    assert '"why":"loosens"' in facts


async def test_a_start_with_a_folder_that_was_loosened_rules_by_what_was_activated(office: Office) -> None:
    """While nothing ran, somebody edited the folder: the server starts, with the files that the store kept, and says so."""
    async with office.serving() as live:
        version = live.policies.version
    office.loosen()

    async with office.serving() as live:
        assert live.policies.version == version
        assert live.policies.budgets.queries == 900
        assert live.policies.directory == office.folder
        assert "about to be judged" in live.reason
        await turns(live)
        assert live.policies.version == version
        assert "waits for two persons" in live.reason


async def test_a_start_with_a_bad_folder_rules_by_what_was_activated(office: Office) -> None:
    """A restart at night does not end the service because of an edit in the afternoon."""
    async with office.serving() as live:
        version = live.policies.version
    office.edit("policy.csv", "escalate,  E01", "escalat,  E01")

    async with office.serving() as live:
        await turns(live)
        assert live.policies.version == version
        assert "policy.csv:" in live.reason


async def test_a_start_takes_what_is_stricter(office: Office) -> None:
    """As a running server would."""
    async with office.serving():
        pass
    office.tighten()

    async with office.serving() as live:
        await turns(live)
        assert live.policies.budgets.queries == 800
    assert [kind for kind, _ in await office.queued()] == ["policy-adopted", "policy-activated"]


async def test_two_persons_activate_what_loosens(office: Office, live: LivePolicy) -> None:
    """One proposes, another agrees, in processes of their own; the server notices, and the log has all of it."""
    office.loosen()
    await turns(live)
    before = live.policies
    proposal = await office.propose()
    await turns(live)
    assert live.policies is before

    await office.approve(proposal.id)
    await turns(live)
    await turns(live)

    assert live.policies.budgets.queries == 1000
    assert live.reason == f"version {live.policies.version}"
    assert [kind for kind, _ in await office.queued()] == [
        "policy-adopted", "policy-held", "policy-proposed", "policy-activated",
    ]  # fmt: skip
    async with office.database() as database:
        assert await office.activations(database).proposals() == []


async def test_a_policy_that_is_put_back_in_the_store_does_not_rule(office: Office, live: LivePolicy) -> None:
    """Its row is genuine, and older than the one in force: the stricter one rules on, and log and operator are told."""
    with closing(sqlite3.connect(office.path / "store.sqlite3")) as connection:
        before = connection.execute("SELECT * FROM policy_active").fetchone()
    office.now += timedelta(minutes=5)
    office.tighten()
    await turns(live)
    await turns(live)
    strict = live.policies
    with closing(sqlite3.connect(office.path / "store.sqlite3", isolation_level=None)) as connection:
        connection.execute(f"REPLACE INTO policy_active VALUES ({', '.join('?' * len(before))})", before)
        connection.execute("UPDATE generations SET number = number + 1")

    await turns(live)

    assert live.policies is strict
    assert "does not rule" in live.reason
    kind, facts = (await office.queued())[-1]
    assert kind == "policy-held"
    assert '"why":"put-back"' in facts


async def test_one_person_is_not_two(office: Office, live: LivePolicy) -> None:
    """Neither by agreeing to their own proposal, nor by proposing the same twice."""
    office.loosen()
    proposal = await office.propose()
    again = await office.propose(by=BEN)

    with pytest.raises(ApproverIsProposer):
        await office.approve(proposal.id, by=ANN)

    assert again == proposal
    await turns(live)
    assert live.policies.budgets.queries == 900


async def test_what_was_agreed_to_is_what_was_proposed(office: Office, live: LivePolicy) -> None:
    """The folder was changed in between, so that the second person would agree to something else than the first proposed."""
    office.loosen()
    proposal = await office.propose()
    office.edit("budgets.yaml", "queries: 1000", "queries: 9000")

    with pytest.raises(PolicyProposalStale, match="The folder holds"):
        await office.approve(proposal.id)
    await turns(live)
    assert live.policies.budgets.queries == 900


async def test_a_proposal_against_another_policy_is_void(office: Office, live: LivePolicy) -> None:
    """Something stricter came to rule since: what the proposal would loosen is more than what was looked at."""
    office.loosen()
    proposal = await office.propose()
    wanted = (office.folder / "budgets.yaml").read_text()
    office.edit("budgets.yaml", "queries: 1000", "queries: 900")
    office.edit("budgets.yaml", "fruitless: 240", "fruitless: 200")
    await turns(live)
    assert live.policies.budgets.fruitless == 200
    (office.folder / "budgets.yaml").write_text(wanted)

    with pytest.raises(PolicyProposalStale, match="rules now"):
        await office.approve(proposal.id)


@pytest.mark.usefixtures("live")
async def test_a_proposal_that_is_old_or_refused_is_none(office: Office) -> None:
    """Fourteen days, or until somebody refuses it."""
    office.loosen()
    proposal = await office.propose()
    async with office.database() as database:
        await office.activations(database).refuse(proposal.id, by=BEN, reason="not what the council said")
    with pytest.raises(PolicyProposalUnknown):
        await office.approve(proposal.id)

    late = await office.propose()
    office.now += timedelta(days=15)
    with pytest.raises(PolicyProposalUnknown):
        await office.approve(late.id)


@pytest.mark.parametrize("column", ["sealed", "digest"])
async def test_an_activated_policy_that_was_altered_in_the_store_does_not_rule(office: Office, column: str) -> None:
    """Who can write the store cannot make a policy of their own the activated one."""
    async with office.serving():
        pass
    value = {"sealed": b"x" * 64, "digest": "0" * 64}[column]
    with sqlite3.connect(office.path / "store.sqlite3") as connection:
        connection.execute(f"UPDATE policy_active SET {column} = ?", (value,))
    connection.close()

    with pytest.raises(PolicyUnreadable, match="altered"):
        async with office.serving():
            pass


async def test_taking_back_what_was_stricter_needs_two_persons_too(office: Office, live: LivePolicy) -> None:
    """The way back to yesterday's folder loosens, whoever wrote it."""
    office.tighten()
    await turns(live)
    office.edit("budgets.yaml", "queries: 800", "queries: 900")
    await turns(live)

    assert live.policies.budgets.queries == 800
    assert "waits for two persons" in live.reason


async def test_a_signal_has_the_folder_judged_again(office: Office, live: LivePolicy) -> None:
    """What was held is held again, and told again; nothing else happens."""
    office.loosen()
    await turns(live)
    told = len(office.told)
    live.look_anew()
    await turns(live)

    assert len(office.told) == 2 * told


async def test_a_candidate_is_loaded_beside_the_policy_and_follows_its_folder(office: Office) -> None:
    """Its version is in readiness; a mistake in it is told once, and changes nothing else."""
    office.candidate = office.path / "next"
    shutil.copytree(office.folder, office.candidate)
    office.edit("budgets.yaml", "queries: 900", "queries: 1000", folder=office.candidate)

    async with office.serving() as live:
        assert live.shadow is not None
        first = live.shadow.version
        assert first in live.reason
        office.edit("policy.csv", "escalate,  E01", "escalat,  E01", folder=office.candidate)
        await turns(live)
        await turns(live)
        assert live.shadow is None
        assert "the candidate cannot be loaded (policy.csv:" in live.reason
        assert [event for event, _ in office.told].count("candidate has a mistake") == 1
        assert office.metric("policy_reload_failures_total") == 0

        office.edit("policy.csv", "escalat,  E01", "escalate,  E01", folder=office.candidate)
        await turns(live)
        assert live.shadow is not None
        assert live.shadow.version == first
