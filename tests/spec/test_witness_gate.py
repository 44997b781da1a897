"""Release gates over whole requests: a real witness in a process of its own, stopped and started again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from proxy.audit.reader import AuditReader
from proxy.demo.home import ORIGIN
from proxy.tlog.cosign import WitnessPolicy
from proxy.tlog.keys import load_cosigner, load_signer
from tests.spec.conftest import UNBOUNDED, Street, open_street, policies_with
from tests.spec.test_leak import leaks
from tests.spec.test_questions import question
from tests.web.console.conftest import Browser

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proxy.audit.entry import Entry
    from proxy.demo.home import Home
    from proxy.demo.town import Town

pytestmark = pytest.mark.asyncio(loop_scope="module")

GATED = "    action: vehicle.read\n"
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Auditor:
    """The county auditor's witness."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def policy(self) -> Path:
        """Return the policy file that the auditor gives to everybody."""
        return self.folder.parent / "witnesses.policy"

    def command(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Run a command of the witness."""
        command = [sys.executable, "-m", "proxy", "witness", *arguments]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)

    def begin(self, home: Home, _town: Town) -> None:
        """Make the witness for the log of a home, write the policy, and start."""
        vkey = load_signer(home.keys / "checkpoint.pem", ORIGIN).verifier.vkey
        with self.command("init", "auditor.example", "--folder", str(self.folder), "--log", vkey) as made:
            assert made.wait(60) == 0
        config = self.folder / "witness.yaml"
        config.write_text(config.read_text().replace("port: 8450", f"port: {self.port}"))
        key = load_cosigner(self.folder / "witness.pem", "auditor.example").public.vkey
        self.policy.write_text(f"log {vkey}\nwitness auditor {key} http://127.0.0.1:{self.port}\nquorum auditor\n")
        self.start()

    def start(self) -> None:
        """Start the process; return once its door is open."""
        self.process = self.command("serve", "--config", str(self.folder / "witness.yaml"))
        assert self.process.stderr is not None
        assert json.loads(self.process.stderr.readline())["event"] == "door open"

    def stop(self) -> None:
        """Kill it."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.communicate()
            self.process = None


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Witnessed:
    """A street, and who witnesses it."""

    street: Street
    auditor: Auditor

    async def until(self, kind: str, start: int) -> Entry:
        """Return the first entry of a kind from an index on."""
        reader = AuditReader(self.street.servers.audit.log.directory)
        async with asyncio.timeout(30):
            while True:
                for entry in await asyncio.to_thread(lambda: list(reader.entries(start))):
                    if entry.kind == kind:
                        return entry
                await asyncio.sleep(0.05)

    async def ops(self, path: str) -> str:
        """Ask the operators' door."""
        async with self.street.client.get(self.street.servers.ops.url + path) as response:
            return await response.text()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def witnessed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Witnessed]:
    """A street whose vehicle queries wait for a witness, and whose other queries do not."""
    path = tmp_path_factory.mktemp("witnessed")
    policies = policies_with(path / "policies", UNBOUNDED)
    routes = policies / "routes.yaml"
    routes.write_text(routes.read_text().replace(GATED, f"{GATED}    gate: local+witness\n"))
    auditor = Auditor(path / "auditor", free_port())
    more = (
        f"audit: {{witnesses: {json.dumps(str(auditor.policy))}, wait_seconds: 1, reply_seconds: 1, interval_seconds: 1, "
        "heartbeat_seconds: 2}\n"
    )
    try:
        async with open_street(path, policies, auditor.begin, more=more) as street:
            yield Witnessed(street, auditor)
    finally:
        auditor.stop()


async def test_an_answer_leaves_once_a_witness_has_signed_for_its_entry(witnessed: Witnessed) -> None:
    """The cosigned checkpoint at the operators' door covers the entry of the answer, and satisfies the auditor's policy."""
    street = witnessed.street
    plate = street.town.vehicle_of(street.town.cast["driver"]).plate

    answer = await street.ask("officer", street.path("/records/vehicles", plate=plate))
    shown = await witnessed.ops("/checkpoint")

    assert answer.status == 200
    cosigned = WitnessPolicy.read(witnessed.auditor.policy).check(shown)
    assert cosigned.size > int(answer.headers["Audit-Entry"].rpartition("/")[2]) + 1
    assert set(cosigned.times) == {"auditor"}


async def test_without_a_witness_what_waits_for_one_does_not_leave(witnessed: Witnessed) -> None:
    """The gated route is refused while the witness is dead, and the other one goes on; the window is recorded, with its end.

    Readiness and metrics tell of it. Once the witness is back the entries of the window are signed for.
    """
    street, auditor = witnessed.street, witnessed.auditor
    vehicle = street.path("/records/vehicles", plate=street.town.vehicle_of(street.town.cast["driver"]).plate)
    person = f"/records/persons/{street.town.cast['driver'].person_id}"
    before = street.servers.audit.log.head.size

    auditor.stop()
    refused = await street.ask("officer", vehicle)
    local = await street.ask("officer", person)
    opened = await witnessed.until("unwitnessed-since", before)
    ready = json.loads(await witnessed.ops("/readyz"))
    metrics = await witnessed.ops("/metrics")
    auditor.start()
    closed = await witnessed.until("witnessed-again", opened.index)
    after = await street.ask("officer", vehicle)

    assert (refused.status, refused.problem) == (503, "audit-unavailable")
    assert street.town.cast["driver"].surname.encode() not in refused.body
    assert local.status == 200
    held = await witnessed.until("unwitnessed", before)
    assert held.facts["released"] is False
    assert opened.facts == {"cosigned": opened.facts["cosigned"], "released": False}
    assert "no quorum of witnesses" in ready["checks"]["witnesses"]["reason"]
    assert not ready["ready"]
    unwitnessed = next(line for line in metrics.splitlines() if line.startswith("showcause_audit_unwitnessed_entries "))
    assert float(unwitnessed.split()[1]) > 0
    assert closed.facts["since"] == opened.facts["cosigned"]
    assert int(str(closed.facts["cosigned"])) > opened.index
    assert after.status == 200
    assert json.loads(await witnessed.ops("/readyz"))["checks"]["witnesses"]["ok"]


async def test_where_answers_leave_without_a_witness_the_node_is_ready_and_says_what_is_wrong(tmp_path: Path) -> None:
    """That they leave is policy, so no load balancer takes the node away; the operator and the page say what is wrong."""
    policies = policies_with(tmp_path / "policies", UNBOUNDED)
    auditor = Auditor(tmp_path / "auditor", free_port())
    more = (
        f"audit: {{witnesses: {json.dumps(str(auditor.policy))}, gate: local+witness, unwitnessed: release, wait_seconds: 0.2, "
        "reply_seconds: 1, interval_seconds: 1}\n"
    )
    try:
        async with open_street(tmp_path, policies, auditor.begin, more=more) as street:
            witnessed = Witnessed(street, auditor)
            officer = Browser(street.servers.console.url, street.client)
            await officer.sign_in(street.keys["officer"])
            well, page = json.loads(await witnessed.ops("/readyz")), await officer.get("/health")

            auditor.stop()
            answer = await street.ask("officer", f"/records/persons/{street.town.cast['driver'].person_id}")
            await witnessed.until("unwitnessed-since", 0)
            ill, warned = json.loads(await witnessed.ops("/readyz")), await officer.get("/health")
    finally:
        auditor.stop()

    assert (well["ready"], well["checks"]["witnesses"]["warns"]) == (True, False)
    assert "Everything works" in page.words
    assert (answer.status, ill["ready"]) == (200, True)
    check = ill["checks"]["witnesses"]
    assert (check["ok"], check["warns"]) == (True, True)
    assert check["reason"].startswith("no quorum of witnesses")
    assert "Everything works" not in warned.words
    assert "Answers leave, but something is wrong" in warned.words
    assert "look witnesses no quorum of witnesses" in warned.words


async def test_nobody_is_said_to_have_seen_what_did_not_leave(witnessed: Witnessed) -> None:
    """The log answers that it was asked for and not released, and a leak of it leads to nobody."""
    street, auditor = witnessed.street, witnessed.auditor
    plate = next(each.plate for each in street.town.vehicles if each.owner.person_id not in street.cast_ids)
    before = street.servers.audit.log.head.size

    auditor.stop()
    refused = await street.ask("officer", street.path("/records/vehicles", plate=plate))
    held = await witnessed.until("unwitnessed", before)
    found = await question(street, "plate", plate)
    traced = await leaks(street, published=[{"kind": "plate", "value": plate}], at=datetime.now(UTC).isoformat())
    auditor.start()

    assert (refused.status, refused.problem) == (503, "audit-unavailable")
    [line] = found.json["queries"]
    assert line["entry"] == refused.headers["Audit-Entry"]
    assert (line["released"], line["seen"], line["shown"], line["withheld"]) == (False, [], 0, 1)
    assert (traced.json["verdict"], traced.json["leads"]) == ("nobody", [])
    assert held.facts["released"] is False


async def test_silence_can_be_seen(witnessed: Witnessed) -> None:
    """When nothing else is written, the log says that it is alive."""
    beat = await witnessed.until("heartbeat", witnessed.street.servers.audit.log.head.size)

    assert beat.facts == {"every": 2.0}


async def test_tiles_of_any_width_prove_what_is_cosigned(witnessed: Witnessed) -> None:
    """The tiles that the cosigned checkpoint needs are served, though the log has grown since."""
    shown = await witnessed.ops("/checkpoint")
    size = WitnessPolicy.read(witnessed.auditor.policy).check(shown).size
    async with witnessed.street.client.get(f"{witnessed.street.servers.ops.url}/tile/0/000.p/{size}") as response:
        assert response.status == 200
        assert len(await response.read()) == size * 32
