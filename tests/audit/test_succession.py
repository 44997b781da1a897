"""The log under another key, under another name, and its times: what the commands do, and what verification makes of it."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.__main__ import run
from proxy.audit.continuity import Heartbeat, KeyRotated
from proxy.audit.holds import HoldLifted, Holds
from proxy.audit.keys import create_key
from proxy.audit.reader import AuditReader
from proxy.audit.service import AuditTrail
from proxy.cli.queued import recorded
from proxy.cli.recording import sealer_of
from proxy.settings import Settings, load_settings
from proxy.tlog.errors import KeyUnusable, LogDamaged
from proxy.tlog.keys import begun, create_signing_key, load_signer
from proxy.tlog.log import Log
from proxy.tlog.note import parse_unverified, with_lines
from proxy.tlog.rotation import rotations_of, state_rotation
from proxy.tlog.signing import Kind, PrivateKey
from proxy.tlog.store import SegmentReader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
WITNESS = PrivateKey("auditor.example", Kind.COSIGNATURE, Ed25519PrivateKey.from_private_bytes(b"w" * 32))


@dataclass
class Place:
    """A configured place whose clock the test sets."""

    config: Path
    capsys: pytest.CaptureFixture[str]
    now: datetime = NOON
    cosigned: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        """Read the configuration as it is now."""
        return load_settings(self.config, {})

    @property
    def vkey(self) -> str:
        """Return the verifier key as it is now."""
        return load_signer(self.settings.keys.checkpoint, self.settings.origin).verifier.vkey

    @property
    def policy(self) -> Path:
        """Return the auditor's policy."""
        path = self.config.with_name("policy")
        path.write_text(f"witness auditor {WITNESS.public.vkey}\nquorum auditor\n")
        return path

    @property
    def history(self) -> Path:
        """Return what the auditor has kept."""
        path = self.config.with_name("history")
        path.write_text("\n".join(self.cosigned))
        return path

    def work(self, *seconds: float, stop: bool = True, beat: float = 60) -> None:
        """Start, write an entry after each so many seconds, and stop."""

        async def life() -> None:
            signer = load_signer(self.settings.keys.checkpoint, self.settings.origin)
            async with Log(self.settings.log, signer=signer, clock=lambda: self.now) as log:
                trail = AuditTrail(log, sealer_of(self.settings), lambda: self.now)
                await trail.start(version="1", policy="p", heartbeat=beat)
                for each in seconds:
                    self.now += timedelta(seconds=each)
                    await trail.record(Heartbeat(every=beat))
                if stop:
                    await trail.stop("end")

        asyncio.run(life())

    def witness(self) -> None:
        """Have the auditor sign the newest checkpoint, at the time that it is."""
        verifier = load_signer(self.settings.keys.checkpoint, self.settings.origin).verifier
        checkpoint = verifier.checkpoint((self.settings.log / "checkpoint").read_text())
        self.cosigned.append(with_lines(checkpoint, [WITNESS.line(checkpoint.body, int(self.now.timestamp()))]).text)

    def json(self, *arguments: str) -> tuple[int, Any]:
        """Return exit code and the JSON of ``audit … --json``."""
        self.capsys.readouterr()
        code = run(["audit", *arguments, "--config", str(self.config), "--json"])
        return code, orjson.loads(self.capsys.readouterr().out)

    def verify(self, *arguments: str) -> tuple[int, Any]:
        """Verify with what the auditor has kept."""
        return self.json("verify", "--policy", str(self.policy), "--cosigned", str(self.history), *arguments)


@pytest.fixture
def place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    """Return a place with keys and a configuration."""
    create_signing_key(tmp_path / "checkpoint.pem")
    for name in ("index", "body", "registry"):
        create_key(tmp_path / f"{name}.key")
    config = tmp_path / "showcause.yaml"
    config.write_text(
        "origin: log.example/north-1\ndata: data\npolicies: policies\n"
        "keys: {checkpoint: checkpoint.pem, index: index.key, body: body.key, registry: registry.key}\n"
        "upstream: {url: 'http://127.0.0.1:1'}\n",
        encoding="utf-8",
    )
    return Place(config, capsys)


def kinds(found: Sequence[Any]) -> list[tuple[str, int]]:
    """Return kind and entry of findings."""
    return [(each["kind"], each["entry"]) for each in found]


def test_a_key_is_changed_twice_and_any_of_the_three_verifies_everything(place: Place) -> None:
    """Old entries stay good, the seam is signed by both keys, and who knows one key comes to the others by the statements."""
    place.work(1)
    vkeys = [place.vkey]
    for _ in range(2):
        code, said = place.json("rotate-key", "checkpoint")
        assert code == 0
        assert (said["old"], said["new"]) == (vkeys[-1], place.vkey)
        vkeys.append(place.vkey)
        place.work(1)

    assert len(set(vkeys)) == 3
    for vkey in vkeys:
        code, report = place.json("verify", "--directory", str(place.settings.log), "--key", vkey)
        assert (code, report["ok"], report["size"]) == (0, True, 11)
    seam = (place.settings.log / "rotations" / "000000000004.checkpoint").read_text()
    [first, _] = rotations_of(place.settings.log)
    assert first.old.checkpoint(seam) == first.new.checkpoint(seam)
    retired = sorted(path.name for path in place.config.parent.glob("*.retired"))
    assert len(retired) == 2


def test_without_the_statements_a_retired_key_verifies_nothing_of_its_successor(place: Place) -> None:
    """The statements can come with the keys, in a file of the verifier's own; without any, the seam is where trust ends."""
    place.work(1)
    old = place.vkey
    place.json("rotate-key", "checkpoint")
    place.work(1)
    [statement] = (place.settings.log / "rotations").glob("*.note")
    kept = place.config.with_name("keys.txt")
    kept.write_text(statement.read_text())
    statement.unlink()

    assert place.json("verify", "--key", old)[0] == 1
    assert place.json("verify", "--key", str(kept))[0] == 0


@pytest.mark.parametrize("crash", ["before the entry", "behind the entry"])
def test_a_change_that_was_interrupted_is_finished_and_nothing_starts_in_between(place: Place, crash: str) -> None:
    """Once the new key lies there the old one signs nothing; the command goes on where it was."""
    place.work(1)
    path = place.settings.keys.checkpoint
    create_signing_key(begun(path))
    if crash == "behind the entry":
        old, new = (load_signer(each, place.settings.origin, unfinished=True) for each in (path, begun(path)))

        async def begin() -> None:
            async with Log(place.settings.log, signer=old, clock=lambda: NOON) as log:
                statement = state_rotation(log.head.size + 1, old, new).text
                await AuditTrail(log, sealer_of(place.settings), lambda: NOON).record(
                    KeyRotated(statement=statement, operator="login:x")
                )

        asyncio.run(begin())
    with pytest.raises(KeyUnusable, match="rotate-key checkpoint"):
        place.work(1)

    code, said = place.json("rotate-key", "checkpoint")
    place.work(1)

    assert (code, said["size"]) == (0, 4)
    assert place.json("verify")[1]["size"] == 7


def test_a_change_that_a_running_server_refuses_leaves_no_key(place: Place) -> None:
    """Whoever forgot to stop the server is told so, and the next start is as good as it was."""
    place.work(1)
    old = place.vkey

    async def beside_a_server() -> tuple[int, Any]:
        signer = load_signer(place.settings.keys.checkpoint, place.settings.origin)
        async with Log(place.settings.log, signer=signer, clock=lambda: place.now):
            return await asyncio.to_thread(place.json, "rotate-key", "checkpoint")

    code, said = asyncio.run(beside_a_server())
    place.work(1)

    assert (code, said["help"]) == (3, "stop the server; the change takes a second")
    assert not begun(place.settings.keys.checkpoint).exists()
    assert place.vkey == old


@pytest.mark.parametrize("ring", ["index", "body"])
def test_while_the_log_signs_nothing_no_other_key_is_made(place: Place, ring: str) -> None:
    """A key that the log cannot tell of now would be used before it does: the ring stays as it was."""
    place.work(1)
    key = place.settings.keys.checkpoint.with_name(f"{ring}.key")
    key.rename(key.with_name("first.key"))
    key.mkdir()
    key.with_name("first.key").rename(key / "first.key")
    create_signing_key(begun(place.settings.keys.checkpoint))

    code, said = place.json("rotate-key", ring)

    assert (code, "rotate-key checkpoint" in said["error"]) == (3, True)
    assert [path.name for path in key.iterdir()] == ["first.key"]


def test_a_new_origin_is_bound_to_the_old_one_which_stays_verifiable(place: Place) -> None:
    """The first entry names the old log, what it signed last, and, sealed, why; the old folder verifies as before."""
    place.work(1, 1)
    old = place.vkey
    assert place.json("new-origin", "--reason", "restored from a snapshot")[0] == 2
    place.config.write_text(place.config.read_text().replace("north-1", "north-2"))
    with pytest.raises(LogDamaged, match=r"is log\.example/north-1, not log\.example/north-2.*new-origin"):
        place.work(1)
    assert place.json("new-origin", "--reason", "why")[0] == 2

    code, said = place.json("new-origin", "--reason", "restored from a snapshot")
    place.work(1)

    assert (code, said) == (0, {"origin": "log.example/north-2", "vkey": place.vkey, "holds": 0, "holds_unread": []})
    reader = AuditReader(place.settings.log, sealer_of(place.settings))
    first = reader.read(0)
    assert (first.kind, first.facts["origin"], first.facts["size"]) == ("origin-opened", "log.example/north-1", 4)
    assert reader.unseal(first)["reason"] == "restored from a snapshot"
    assert b"snapshot" not in (place.settings.log / "segments" / "000000000000.seg").read_bytes()
    kept = place.settings.data / "log-log.example-north-1"
    bound = place.config.with_name("bound")
    bound.write_text(str(first.facts["checkpoint"]))
    code, report = place.json("verify", "--directory", str(kept), "--key", old, "--checkpoint", str(bound))
    assert (code, report["size"]) == (0, 4)
    code, report = place.json("verify")
    assert (code, report["ok"]) == (0, True)
    assert "goes on from the log log.example/north-1, which had signed for 4 entries" in report["notes"][0]


def renamed(place: Place, *, old: str = "north-1", new: str = "north-2") -> Any:
    """Begin a new log in place of the old one, and return what is said."""
    place.config.write_text(place.config.read_text().replace(old, new))
    code, said = place.json("new-origin", "--reason", "restored from a snapshot")
    assert code == 0, said
    return said


def held(place: Place, *arguments: str) -> str:
    """Set a hold, and return its id."""
    code, said = place.json("hold", "add", *arguments, "--order", "motion of the defense, 26-CR-01881")
    assert code == 0, said
    return str(said["hold"])


def test_legal_holds_go_on_in_the_new_log(place: Place) -> None:
    """Each that was in force is stated again and names the entry that set it; a stretch stays one of the old log."""
    place.work(1)
    case, stretch = held(place, "--case", "26-004217"), held(place, "--entries", "0-1")
    lifted = held(place, "--subject", "person_id=100123")
    lift = HoldLifted(hold=lifted, operator="login:another", order="the case is closed")
    asyncio.run(recorded(place.settings, lift))

    said = renamed(place)
    again = renamed(place, old="north-2", new="north-3")
    code, listed = place.json("hold", "list")

    assert (said["holds"], again["holds"], code) == (2, 2, 1)
    assert [(each["id"], each["covers"], each["of"]) for each in listed] == [
        (case, "case", "log.example/north-1/3"),
        (stretch, "entries 0 to 1 of log.example/north-1", "log.example/north-1/4"),
    ]
    holds = Holds.of(place.settings.log, sealer_of(place.settings))
    entries = list(AuditReader(place.settings.log).entries())
    assert [holds.named(entry) for entry in entries] == [None, case, stretch]
    assert place.json("verify")[1]["ok"] is True


def test_a_new_origin_that_was_interrupted_states_each_hold_once(place: Place) -> None:
    """Killed behind the first entry and behind the first hold, it goes on there."""
    place.work(1)
    holds = [held(place, "--case", f"26-{number}") for number in range(2)]
    settings = place.settings
    for made in (1, 2):
        making = settings.data / "log.new"
        shutil.rmtree(making, ignore_errors=True)
        shutil.copytree(settings.log, place.config.with_name(f"old-{made}"))
        renamed(place)
        entries = [content for _, content in SegmentReader(settings.log).entries()]
        shutil.rmtree(settings.log)

        async def begun_before(entries: Sequence[bytes] = entries[:made], making: Path = making) -> None:
            signer = load_signer(settings.keys.checkpoint, "log.example/north-2")
            async with Log(making, signer=signer, clock=lambda: NOON) as log:
                for each in entries:
                    await log.append(each)

        asyncio.run(begun_before())
        place.config.with_name(f"old-{made}").rename(settings.log)
        assert place.json("new-origin", "--reason", "restored from a snapshot")[0] == 0

        assert [entry.facts.get("hold") for entry in AuditReader(settings.log).entries()] == [None, *holds]
        shutil.rmtree(settings.log)
        (settings.data / "log-log.example-north-1").rename(settings.log)
        place.config.write_text(place.config.read_text().replace("north-2", "north-1"))


def test_a_hold_that_cannot_be_read_is_named_in_the_new_log(place: Place) -> None:
    """The log goes on all the same, for nobody may be left without a record; its first entry says what may be missing."""
    place.work(1)
    held(place, "--case", "26-004217")
    body = place.settings.keys.body
    body.unlink()
    create_key(body)

    said = renamed(place)

    assert said["holds"] == 0
    assert [each.partition(":")[0] for each in said["holds_unread"]] == ["the hold of log.example/north-1/3"]
    assert AuditReader(place.settings.log).read(0).facts["holds_unread"] == said["holds_unread"]


def test_who_begins_a_new_log_is_told_of_the_key_and_of_the_policy_of_witnesses(place: Place) -> None:
    """Whoever has the old log's key can sign this one; and a policy about the old log lets nothing start, as `check` says."""
    place.work(1)
    policy = place.policy
    policy.write_text(f"log {place.vkey}\n{policy.read_text()}")
    place.config.write_text(place.config.read_text().replace("north-1", "north-2") + f"audit: {{witnesses: {policy.name}}}\n")
    place.capsys.readouterr()

    assert run(["audit", "new-origin", "--reason", "the disk is gone", "--config", str(place.config)]) == 0
    said = place.capsys.readouterr().out
    assert run(["check", "--config", str(place.config)]) == 1
    warned = place.capsys.readouterr().err
    policy.write_text(f"log {place.vkey}\n{policy.read_text().partition(chr(10))[2]}")
    run(["check", "--config", str(place.config)])

    assert "`audit rotate-key checkpoint`" in said
    assert f"put the line `log {place.vkey}` into {policy}" in said
    assert f"{policy}:1:1: the policy of witnesses is about other logs than log.example/north-2" in warned
    assert "about other logs" not in place.capsys.readouterr().err


def test_a_backdated_entry_is_named(place: Place) -> None:
    """A new entry with an old date, well formed and signed with the real key, lies before a time at which it was not there."""
    place.work(1)
    place.now += timedelta(hours=2)
    place.work(1)
    place.witness()
    size, signed = 6, place.now
    place.now = NOON + timedelta(hours=1)
    place.work(0.01, beat=0)
    place.now = signed + timedelta(seconds=5)
    place.work(1)
    place.witness()

    code, report = place.verify()

    assert code == 1
    assert kinds(report["findings"]) == [("time", size), ("time", size + 1), ("time", size + 2)]
    assert "before witnesses signed that it was not there yet" in report["findings"][0]["message"]
    assert place.verify("--skew", "7200")[0] == 0


def test_an_entry_without_a_time_does_not_hide_a_backdated_one(place: Place) -> None:
    """Whoever holds the key can write an entry whose time is none: it is found, and nothing passes for timely beside it."""
    place.work(1)
    [*_, last] = AuditReader(place.settings.log).entries()

    async def write(at: str) -> None:
        signer = load_signer(place.settings.keys.checkpoint, place.settings.origin)
        said = {"v": 2, "kind": "x", "at": at, "about": "", "epoch": last.epoch, "facts": {}, "parties": {}, "body": ""}
        async with Log(place.settings.log, signer=signer, clock=lambda: place.now) as log:
            await log.append(orjson.dumps(said))

    asyncio.run(write("some time"))
    place.witness()
    asyncio.run(write("2020-01-01T00:00:00.00Z"))

    code, report = place.verify()

    assert code == 1
    assert [each["message"] for each in report["findings"]] == ["entry 3 is not of a form this program knows"]


def test_a_postdated_entry_is_named(place: Place) -> None:
    """An entry that says it was written after somebody had signed for it was not written then."""
    place.now = NOON + timedelta(hours=1)
    place.work(1)
    place.now = NOON
    place.witness()

    code, report = place.verify()

    assert code == 1
    assert ("time", 0) in kinds(report["findings"])


def test_silence_is_named_and_a_crash_is_told(place: Place) -> None:
    """A gap while the node ran is a finding, one between a crash and the next start a note, one after a stop nothing."""
    place.work(50, 60, 400, 60)
    place.now += timedelta(days=1)
    place.work(60, stop=False)
    place.now += timedelta(hours=1)
    place.work(60)

    code, report = place.json("verify")

    assert code == 1
    assert kinds(report["findings"]) == [("gap", 2)]
    assert "for 400 s, though a heartbeat was promised every 60 s" in report["findings"][0]["message"]
    [note] = report["notes"]
    assert note.startswith("entry 7 is the last before a start 3600 s later")


def test_what_is_written_of_a_node_that_is_stopped_is_no_silence(place: Place) -> None:
    """A change of key an hour after the stop, a start an hour after that, and a log that a command begins."""
    place.now = datetime.now(UTC) - timedelta(hours=2)
    place.work(50)
    assert place.json("rotate-key", "checkpoint")[0] == 0
    place.now = datetime.now(UTC) + timedelta(hours=1)
    place.work(50)
    code, report = place.json("verify")
    assert (code, report["findings"], report["notes"]) == (0, [], [])

    renamed(place)
    place.now = datetime.now(UTC)
    place.work(50)
    code, report = place.json("verify")

    assert (code, report["findings"]) == (0, [])
    assert [note.partition(",")[0] for note in report["notes"]] == ["entry 0 goes on from the log log.example/north-1"]


def test_what_witnesses_have_signed_must_be_here(place: Place) -> None:
    """A rewritten log, consistent and signed with the real key, is not what the auditor has kept."""
    place.work(1)
    place.witness()
    place.settings.log.rename(place.config.with_name("gone"))
    place.work(2)

    assert place.json("verify")[0] == 0
    code, report = place.verify()
    assert code == 1
    assert "two histories were signed" in report["findings"][0]["message"]


@pytest.mark.parametrize("quorum", ["any", "all"])
def test_whatever_one_witness_has_signed_must_be_here(place: Place, quorum: str) -> None:
    """Two histories were shown to two offices: the larger one does not hide what the other office keeps, quorum or not."""
    second = PrivateKey("prosecutor.example", Kind.COSIGNATURE, Ed25519PrivateKey.from_private_bytes(b"p" * 32))
    place.work(1)
    place.witness()
    place.settings.log.rename(place.config.with_name("gone"))
    place.work(2, 2)
    checkpoint = parse_unverified((place.settings.log / "checkpoint").read_text())
    lines = [key.line(checkpoint.body, int(place.now.timestamp())) for key in (second, WITNESS)][: 1 if quorum == "any" else 2]
    (place.settings.log / "cosigned").write_text(with_lines(checkpoint, lines).text)
    policy = place.config.with_name("policy-of-two")
    policy.write_text(
        f"witness auditor {WITNESS.public.vkey}\nwitness prosecutor {second.public.vkey}\n"
        f"group both {quorum} auditor prosecutor\nquorum both\n"
    )

    assert place.json("verify", "--policy", str(policy))[0] == 0
    code, report = place.json("verify", "--policy", str(policy), "--cosigned", str(place.history))

    assert code == 1
    assert "at 3 entries the root is another: two histories were signed" in report["findings"][0]["message"]


def test_a_log_that_nobody_has_cosigned_does_not_pass_a_policy(place: Place) -> None:
    """What the folder itself says of witnesses counts by their signatures alone."""
    place.work(1)
    (place.settings.log / "cosigned").write_text((place.settings.log / "checkpoint").read_text())

    code, report = place.json("verify", "--policy", str(place.policy))

    assert code == 1
    assert report["cosigned"] is None
    assert "not cosigned as the policy wants" in report["findings"][0]["message"]
