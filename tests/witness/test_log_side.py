"""The log before real witnesses: rounds, quorums, silence, and what an insider with the log's key can no longer do."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.__main__ import run
from proxy.audit.continuity import Heartbeat
from proxy.audit.errors import AuditUnavailable
from proxy.audit.gate import Gate, ReleaseGate
from proxy.audit.reader import AuditReader
from proxy.audit.sealing import Sealer
from proxy.audit.service import AuditTrail
from proxy.clock import utc_now
from proxy.tlog.cosign import WitnessPolicy
from proxy.tlog.errors import LogDamaged, NoteInvalid
from proxy.tlog.keys import load_cosigner
from proxy.tlog.log import Log
from proxy.tlog.note import Signer
from proxy.tlog.rotation import keep_rotation, rotations_of, state_rotation, with_rotations
from proxy.tlog.store import COSIGNED, HISTORY
from proxy.tlog.verify import verify
from proxy.tlog.witnesses import Contradicted, Witnesses
from proxy.witness.running import witnessing
from proxy.witness.settings import load_witness
from tests.witness.conftest import KEY, ORIGIN, Office

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SIGNER = Signer(ORIGIN, KEY)


@dataclass
class County:
    """A log's folder, and three offices with a witness each; two of them are enough."""

    folder: Path
    offices: list[Office]
    urls: list[str] = field(default_factory=lambda: ["http://127.0.0.1:9"] * 3)

    @property
    def log(self) -> Path:
        """Return the log's folder."""
        return self.folder / "log"

    @property
    def policy(self) -> WitnessPolicy:
        """Return the policy, with the doors that are open."""
        lines = [f"log {SIGNER.verifier.vkey}"]
        for number, office in enumerate(self.offices):
            key = load_cosigner(office.folder / "witness.pem", f"w{number}.example").public
            lines.append(f"witness w{number} {key.vkey} {self.urls[number]}")
        lines += ["group two 2 w0 w1 w2", "quorum two"]
        return WitnessPolicy.parse("".join(f"{line}\n" for line in lines).encode())

    @asynccontextmanager
    async def witness(self, *numbers: int) -> AsyncIterator[None]:
        """Open some offices; their doors have the addresses of the policy from then on."""
        async with AsyncExitStack() as stack:
            for number in numbers:
                door = await stack.enter_async_context(witnessing(load_witness(self.offices[number].config)))
                self.urls[number] = door.url
            yield

    @asynccontextmanager
    async def open(self, signer: Signer = SIGNER, directory: Path | None = None) -> AsyncIterator[tuple[Log, Witnesses]]:
        """Open the log, and let it ask."""
        async with Log(directory or self.log, signer=signer, clock=utc_now, segment_entries=512) as log:
            witnesses = Witnesses(
                log, self.policy, clock=utc_now, monotonic=time.monotonic, interval_seconds=0.2, reply_seconds=2
            )
            await witnesses.open()
            try:
                yield log, witnesses
            finally:
                await witnesses.close()

    async def write(
        self, count: int, *, word: bytes = b"entry", signer: Signer = SIGNER, directory: Path | None = None
    ) -> None:
        """Write entries and have each covered."""
        async with self.open(signer, directory) as (log, witnesses):
            for number in range(count):
                assert await witnesses.covers(await log.append(word + b" %d" % number), 5)


@pytest.fixture
def county(tmp_path: Path) -> County:
    """Make the offices by their own command."""
    offices = []
    for number in range(3):
        folder = tmp_path / f"w{number}"
        vkey = SIGNER.verifier.vkey
        assert run(["witness", "init", f"w{number}.example", "--folder", str(folder), "--log", vkey]) == 0
        config = folder / "witness.yaml"
        config.write_text(config.read_text().replace("port: 8450", "port: 0"))
        offices.append(Office(folder))
    return County(tmp_path, offices)


async def test_an_entry_is_covered_once_a_quorum_has_signed(county: County) -> None:
    """Two of three are enough, the third being down; what is kept satisfies the policy of whoever verifies."""
    async with county.witness(0, 2), county.open() as (log, witnesses):
        index = await log.append(b"one")
        assert await witnesses.covers(index, 5)
        assert witnesses.unwitnessed == 0
        assert "w1: does not answer" in witnesses.trouble
        newest = witnesses.newest

    assert newest is not None
    kept = county.policy.check((county.log / COSIGNED).read_text())
    assert kept.size == newest.size == 1
    assert set(kept.times) == {"w0", "w2"}
    assert county.policy.check((county.log / HISTORY).read_text().split("\n\n\n")[0].rstrip("\n") + "\n").size <= 1


async def test_below_the_quorum_nothing_is_covered(county: County) -> None:
    """One witness that signs is no quorum, however long one waits."""
    async with county.witness(1), county.open() as (log, witnesses):
        assert not await witnesses.covers(await log.append(b"one"), 0.5)
        assert (witnesses.unwitnessed, witnesses.newest) == (1, None)
        assert witnesses.behind_seconds > 0


async def test_many_entries_share_a_round(county: County) -> None:
    """Two hundred writers at once wait for a few rounds, and each round's proof holds."""
    async with county.witness(0, 1, 2), county.open() as (log, witnesses):
        signed = []
        for _ in range(4):
            indexes = await asyncio.gather(*(log.append(b"entry") for _ in range(50)))
            assert all(await asyncio.gather(*(witnesses.covers(index, 5) for index in indexes)))
            signed.append(witnesses.size)

    assert signed == [50, 100, 150, 200]


@pytest.mark.parametrize("release", [False, True])
async def test_without_a_quorum_an_answer_leaves_or_not_as_the_settings_say(county: County, release: bool) -> None:
    """Either is in the log, with the entry that it is about; a route that waits for nobody is answered."""
    async with county.open() as (log, witnesses):
        audit = AuditTrail(log, Sealer(index_key=bytes(32), body_key=bytes(32)), utc_now)
        gate = ReleaseGate(audit, witnesses, default=Gate.WITNESS, wait_seconds=0.1, release=release, monotonic=time.monotonic)
        receipt = await audit.record(Heartbeat(every=1))
        await gate.pass_(receipt, Gate.LOCAL)
        if release:
            await gate.pass_(receipt, None)
        else:
            with pytest.raises(AuditUnavailable, match="nothing was released"):
                await gate.pass_(receipt, None)
        entries = [(entry.kind, dict(entry.facts)) for entry in AuditReader(county.log).entries()]

    assert entries == [("heartbeat", {"every": 1}), ("unwitnessed", {"entry": 0, "released": release})]


@pytest.mark.parametrize("awaited", [False, True])
async def test_a_node_on_which_no_answer_waits_for_witnesses_is_ready_without_them(county: County, awaited: bool) -> None:
    """Nothing is held back then, so nothing is to be taken out of service; it is told all the same."""
    ticks = itertools.count(step=100.0)
    async with county.open() as (log, witnesses):
        audit = AuditTrail(log, Sealer(index_key=bytes(32), body_key=bytes(32)), utc_now)
        gate = ReleaseGate(audit, witnesses, wait_seconds=0.0, monotonic=lambda: next(ticks), awaited=lambda: awaited)
        await audit.record(Heartbeat(every=1))
        assert not await witnesses.covers(0, 0.1)
        await gate.tend()
        trouble, notice = gate.trouble, gate.notice
        [opened] = [dict(entry.facts) for entry in AuditReader(county.log).entries() if entry.kind == "unwitnessed-since"]

    assert bool(trouble) is awaited
    assert bool(notice)
    assert opened["released"] is not awaited


async def test_after_a_contradiction_nothing_leaves_on_any_route(county: County) -> None:
    """A node whose witnesses know another history releases nothing, not even where nobody waits for them, and says so."""
    async with county.witness(0, 1, 2):
        await county.write(2)
        shutil.copytree(county.log, county.folder / "twin")
        await county.write(2)
        async with Log(county.folder / "twin", signer=SIGNER, clock=utc_now) as twin:
            witnesses = Witnesses(
                twin, county.policy, clock=utc_now, monotonic=time.monotonic, interval_seconds=1, reply_seconds=2
            )
            with pytest.raises(Contradicted):
                await witnesses.open()
            audit = AuditTrail(twin, Sealer(index_key=bytes(32), body_key=bytes(32)), utc_now)
            gate = ReleaseGate(audit, witnesses, release=True, monotonic=time.monotonic)
            receipt = await audit.record(Heartbeat(every=1))
            with pytest.raises(AuditUnavailable, match="not the one that was witnessed"):
                await gate.pass_(receipt, Gate.LOCAL)
            assert "newest copy back" in gate.trouble
        last = list(AuditReader(county.folder / "twin").entries(receipt.index))[-1]

    assert (last.kind, dict(last.facts)) == ("unwitnessed", {"entry": receipt.index, "released": False})


async def test_witnesses_that_come_back_are_asked_again(county: County) -> None:
    """What was written while they were away is covered then, without anybody waiting for it."""
    async with county.witness(0, 1):
        await county.write(3)
    async with county.open() as (log, witnesses):
        assert not await witnesses.covers(await log.append(b"alone"), 0.3)
    async with county.witness(0, 1), county.open() as (log, witnesses):
        assert witnesses.size == log.head.size == 4


async def test_a_rewritten_log_is_refused_though_the_real_key_signs_it(county: County) -> None:
    """Altered, deleted, inserted below the cosigned size, then signed anew with the real key: it does not start."""
    async with county.witness(0, 1, 2):
        await county.write(5)
        for name, entries in {
            "altered": [b"entry 0", b"another", b"entry 2", b"entry 3", b"entry 4"],
            "deleted and filled": [b"entry 0", b"entry 2", b"entry 3", b"entry 4", b"filler"],
            "inserted": [b"entry 0", b"new", b"entry 1", b"entry 2", b"entry 3", b"entry 4"],
        }.items():
            forged = county.folder / name
            async with Log(forged, signer=SIGNER, clock=utc_now) as log:
                for entry in entries:
                    await log.append(entry)
            with pytest.raises(Contradicted, match=r"has signed for log\.example/node-1 another (root|history)"):
                await county.write(1, directory=forged)


async def test_a_cosigned_tail_cannot_be_dropped(county: County) -> None:
    """A log cut off below what was cosigned, consistent in itself and signed, does not start; nor do its own files pass."""
    async with county.witness(0, 1, 2):
        await county.write(5)
        cut = county.folder / "cut"
        async with Log(cut, signer=SIGNER, clock=utc_now) as log:
            for number in range(4):
                await log.append(b"entry %d" % number)
        with pytest.raises(Contradicted, match=r"signed for .* 5 entries; here are 4.*new-origin"):
            await county.write(1, directory=cut)
        shutil.copy(county.log / COSIGNED, cut / COSIGNED)
    with pytest.raises(Contradicted, match="cosigned for 5 entries, but 4 are here"):
        await county.write(1, directory=cut)


async def test_a_restored_snapshot_does_not_start(county: County) -> None:
    """An older copy of the whole folder is consistent in itself: only the witnesses know better, and say what to do."""
    async with county.witness(0, 1, 2):
        await county.write(2)
        shutil.copytree(county.log, county.folder / "snapshot")
        await county.write(2)
        with pytest.raises(Contradicted, match=r"(?s)older copy.*Stop every node.*audit new-origin"):
            await county.write(1, directory=county.folder / "snapshot")


async def test_a_second_writer_releases_nothing(county: County) -> None:
    """Two nodes of one origin on copies of a folder: whoever writes second is told by the witnesses while it runs."""
    async with county.witness(0, 1, 2):
        await county.write(2)
        shutil.copytree(county.log, county.folder / "twin")
        async with county.open() as (log, first), county.open(directory=county.folder / "twin") as (twin, second):
            assert await first.covers(await log.append(b"the first node's"), 5)
            assert not await second.covers(await twin.append(b"the second node's"), 1)
            assert "another node writes under this origin" in second.contradiction
            assert first.contradiction == ""


async def test_a_fork_shown_to_two_readers_has_one_quorum(county: County) -> None:
    """Of two histories of one size, both signed by the log, one has the quorum: two readers are not both satisfied."""
    async with county.witness(0, 1, 2):
        await county.write(3)
    shown = (county.log / COSIGNED).read_text()
    other = SIGNER.checkpoint(3, bytes(32))
    lines = "".join(f"{line}\n" for line in shown.split("\n")[5:] if line)

    assert county.policy.check(shown).size == 3
    with pytest.raises(NoteInvalid, match="does not hold"):
        county.policy.check(other.text + lines)
    with pytest.raises(NoteInvalid, match="not cosigned as the policy wants"):
        county.policy.check(other.text)


async def test_a_stolen_witness_key_below_the_quorum_is_worth_nothing(county: County) -> None:
    """With the log's key and one witness's key a rewritten history still lacks the second witness."""
    forged = SIGNER.checkpoint(3, bytes(32))
    stolen = load_cosigner(county.offices[0].folder / "witness.pem", "w0.example")
    lines = [stolen.line(forged.body, int(time.time()) + number) for number in range(3)]

    with pytest.raises(NoteInvalid, match="not by w1, w2"):
        county.policy.check(forged.text + "".join(lines))


async def test_verification_compares_with_what_witnesses_have_signed(county: County) -> None:
    """A cosigned checkpoint names what a consistent, signed, rewritten folder hides."""
    async with county.witness(0, 1, 2):
        await county.write(3)
    forged = county.folder / "forged"
    async with Log(forged, signer=SIGNER, clock=utc_now) as log:
        for number in range(4):
            await log.append(b"other %d" % number)

    assert verify(forged, SIGNER.verifier).ok
    seen = (county.log / COSIGNED).read_text()
    [finding] = verify(forged, SIGNER.verifier, seen=[seen]).findings
    assert "two histories were signed" in finding.message
    assert verify(county.log, SIGNER.verifier, seen=[seen]).ok


async def test_the_key_changes_by_a_statement_of_both_keys(county: County) -> None:
    """The log goes on under the new key, old checkpoints hold up to the seam, and the witnesses are told by the log itself."""
    new = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"n" * 32))
    async with county.witness(0, 1, 2):
        await county.write(2)
        async with Log(county.log, signer=SIGNER, clock=utc_now) as log:
            rotation = state_rotation(3, SIGNER, new)
            await log.append(b"the statement")
            seam = SIGNER.checkpoint(3, log.head.root)
            keep_rotation(county.log, rotation, seam)
        await county.write(2, signer=new)
        async with Log(county.log, signer=new, clock=utc_now) as log:
            assert log.head.size == 5

    for trusted in (SIGNER.verifier, new.verifier):
        keys = with_rotations([trusted], rotations_of(county.log))
        assert verify(county.log, keys).ok
        assert keys.checkpoint(SIGNER.checkpoint(3, bytes(32)).text).size == 3
        with pytest.raises(NoteInvalid):
            keys.checkpoint(SIGNER.checkpoint(4, bytes(32)).text)
        with pytest.raises(NoteInvalid):
            keys.checkpoint(new.checkpoint(2, bytes(32)).text)
    with pytest.raises(LogDamaged):
        Log(county.log, signer=Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"x" * 32)), clock=utc_now)


def test_a_key_that_is_retired_twice_is_trusted_no_further() -> None:
    """A thief of the old key signs a second statement: nobody can tell which holds, so none does."""
    first, second = (Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)) for seed in (1, 2))
    statements = [state_rotation(3, SIGNER, first), state_rotation(3, SIGNER, second)]

    with pytest.raises(NoteInvalid, match="retired"):
        with_rotations([SIGNER.verifier], statements)


def test_a_policy_that_cannot_be_met_is_told_before_anybody_waits(county: County) -> None:
    """Witnesses without an address, or of another log, are a mistake at the start and not a wait at every answer."""
    text = "".join(
        f"witness w{n} {load_cosigner(o.folder / 'witness.pem', f'w{n}.example').public.vkey}\n"
        for n, o in enumerate(county.offices)
    )
    log = Log(county.log, signer=SIGNER, clock=utc_now)
    other = Signer("other.example", KEY).verifier.vkey
    for policy, complaint in (
        (f"{text}quorum w0\n", "give its witnesses their URLs"),
        (f"log {other}\nquorum none\n", "about other logs"),
        ("quorum none\n", "nobody would have to sign"),
    ):
        with pytest.raises(NoteInvalid, match=complaint):
            Witnesses(
                log,
                WitnessPolicy.parse(policy.encode()),
                clock=utc_now,
                monotonic=time.monotonic,
                interval_seconds=1,
                reply_seconds=1,
            )
    asyncio.run(log.close())
