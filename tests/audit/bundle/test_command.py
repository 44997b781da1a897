"""``audit export`` and ``audit verify-bundle``, as an operator and an expert of the court call them."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.__main__ import run
from proxy.audit.keys import create_key
from proxy.audit.service import AuditTrail
from proxy.cli.recording import recording, sealer_of
from proxy.clock import utc_now
from proxy.settings import Settings, load_settings
from proxy.tlog.keys import create_signing_key, load_signer
from proxy.tlog.log import Log
from proxy.tlog.signing import Kind, PrivateKey
from tests.audit.bundle.authority import Authority, make_authority
from tests.audit.bundle.conftest import Answered, Asked
from tests.audit.bundle.forgeries import PAPERS, relist
from tests.audit.conftest import import_cases

if TYPE_CHECKING:
    from proxy.tlog.note import Signer

WHY = ("--case", "26-CR-0042", "--statement", "complaint of the mayor about look-ups of her home")


@dataclass(frozen=True, slots=True)
class Office:
    """A configured place, and the command line in it."""

    config: Path
    settings: Settings
    capsys: pytest.CaptureFixture[str]

    @property
    def home(self) -> Path:
        """Return the folder of all of it."""
        return self.config.parent

    @property
    def vkey(self) -> str:
        """Return the log's verifier key, as `doctor` prints it."""
        return load_signer(self.settings.keys.checkpoint, self.settings.origin).verifier.vkey

    def log(self) -> Log:
        """Open the log."""
        return Log(self.settings.log, signer=load_signer(self.settings.keys.checkpoint, self.settings.origin), clock=utc_now)

    def record(self, queries: int) -> None:
        """Record queries of two officers in turn, as a server would, and stop."""

        async def work() -> None:
            async with self.log() as log:
                await self.ask(AuditTrail(log, sealer_of(self.settings), utc_now), queries)

        asyncio.run(work())

    async def ask(self, trail: AuditTrail, queries: int) -> None:
        """Record queries."""
        for number in range(queries):
            await trail.record(Asked(about=f"q{number}", officer=f"badge-{number % 2}", words="JORDAN PEMBERTON"))
            await trail.record(Answered(about=f"q{number}"))

    def call(self, *arguments: object) -> tuple[int, str]:
        """Return exit code and everything printed."""
        code = run([str(argument) for argument in arguments])
        printed = self.capsys.readouterr()
        return code, printed.out + printed.err

    def export(self, target: Path, *arguments: object) -> tuple[int, str]:
        """Export."""
        return self.call("audit", "export", "-o", target, "--config", self.config, *arguments)

    def tail(self) -> list[dict[str, Any]]:
        """Return the log's open parts."""
        code, out = self.call("audit", "tail", "-n", 100, "--json", "--config", self.config)
        assert code == 0
        return [orjson.loads(line) for line in out.splitlines()]


@pytest.fixture
def office(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Office:
    """Return a place with keys, a configuration, eight entries of queries, and one of cases that were imported."""
    create_signing_key(tmp_path / "checkpoint.pem")
    for name in ("index", "body", "registry"):
        create_key(tmp_path / f"{name}.key")
    config = tmp_path / "showcause.yaml"
    config.write_text(
        "origin: log.example\ndata: data\npolicies: policies\n"
        "keys: {checkpoint: checkpoint.pem, index: index.key, body: body.key, registry: registry.key}\n"
        "upstream: {url: 'http://127.0.0.1:1'}\n",
        encoding="utf-8",
    )
    office = Office(config, load_settings(config, {}), capsys)
    office.record(4)
    import_cases(config, "26-CR-0042")
    capsys.readouterr()
    return office


def sign_anew(bundle: Path, signer: Signer) -> None:
    """Do what a thief of a key does: sign the log's state as it is, and make everything else agree."""
    path = bundle / "data/checkpoint"
    genuine = path.read_text()
    size, root = genuine.split("\n")[1:3]
    forged = signer.checkpoint(int(size), base64.b64decode(root)).text
    for each in (path, *(bundle / "data/proofs").iterdir()):
        each.write_text(each.read_text().replace(genuine, forged))
    before, after = (base64.b64decode(text.split("\n")[4].split()[2])[:4].hex() for text in (genuine, forged))
    for name in PAPERS:
        (bundle / name).write_text((bundle / name).read_text().replace(before, after))
    relist(bundle)


@pytest.mark.parametrize("name", ["evidence", "evidence.zip"])
def test_what_is_exported_verifies_where_there_is_no_configuration(
    office: Office, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Exit 0 in an empty folder, with the key alone; the manifest's hash that was printed is accepted, another is not."""
    code, out = office.export(office.home / name, "--officer", "badge-1", *WHY, "--json")
    assert code == 0
    written = orjson.loads(out)
    assert written["entries"] == [2, 3, 6, 7]
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    code, out = office.call("audit", "verify-bundle", office.home / name, "--key", office.vkey, "--json")
    report = orjson.loads(out)
    assert (code, report["ok"], report["complete"], report["opened"]) == (0, True, 9, 2)
    assert report["manifest"] == written["manifest"]
    command = ("audit", "verify-bundle", office.home / name, "--key", office.vkey, "--manifest")
    assert office.call(*command, written["manifest"])[0] == 0
    assert office.call(*command, "0" * 64)[0] == 1


def test_an_export_is_in_the_log_twice_and_names_nobody_in_the_open(office: Office) -> None:
    """Begun, before anything is read; and done, with the manifest's hash, before it appears."""
    _, out = office.export(office.home / "evidence", "--officer", "badge-1", *WHY, "--json")
    begun, exported = office.tail()[-2:]
    assert (begun["kind"], exported["kind"]) == ("export-begun", "exported")
    assert begun["about"] == exported["about"] != ""
    assert exported["facts"]["manifest"] == orjson.loads(out)["manifest"]
    assert exported["facts"]["entries"] == 4
    assert "badge-1" not in str(begun["facts"]) + str(exported["facts"])
    code, shown = office.call("audit", "show", begun["index"], "--decrypt", "--json", "--config", office.config, *WHY)
    assert code == 0
    assert orjson.loads(shown)["sealed"]["asked"] == "badge-1"
    assert office.call("audit", "verify", "--config", office.config)[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("--officer", "badge-1", "--case", "nocase-1", "--statement", "complaint of the mayor about look-ups of her home"),
        ("--officer", "badge-1", "--case", "26-CR-0042", "--statement", "just because I can"),
        ("--officer", "badge-1", "--statement", "complaint of the mayor about look-ups of her home"),
        ("--officer", "badge-1", "--case", " ", "--statement", "complaint of the mayor about look-ups of her home"),
        WHY,
        ("--officer", "badge-1", "--terminal", "car-12", *WHY),
        ("--officer", "badge-1", "--since", "yesterday", *WHY),
        ("--entries", "5-2", *WHY),
        ("--entries", "0-999999999999", *WHY),
        ("--entries", "1,x", *WHY),
        ("--entries", "1", "--since", "2026-11-01", *WHY),
        ("--officer", "badge-1", "--disclose", "some", *WHY),
        ("--officer", "badge-1", "--checkpoint", "nowhere", *WHY),
    ],
)
def test_without_a_case_a_reason_and_one_question_nothing_leaves(office: Office, arguments: tuple[str, ...]) -> None:
    """Wrong use: no bundle, nothing recorded."""
    code, _ = office.export(office.home / "evidence", *arguments)
    assert code == 2
    assert not (office.home / "evidence").exists()
    assert len(office.tail()) == 9


def test_an_export_that_is_refused_leaves_no_trace_but_in_the_log(office: Office) -> None:
    """Somebody began it: that stays. A file does not."""
    before = sorted(path.name for path in office.home.iterdir())
    code, out = office.export(office.home / "evidence", "--entries", "700", *WHY)
    assert code == 3
    assert "not entry 700" in out
    assert sorted(path.name for path in office.home.iterdir()) == before
    assert [entry["kind"] for entry in office.tail()[9:]] == ["export-begun"]


async def test_beside_a_running_server_the_export_is_in_its_log_first(office: Office) -> None:
    """The server holds the log: the bundle appears once it has taken both events out of the store."""
    async with office.log() as log, recording(office.settings) as store:
        trail = AuditTrail(log, sealer_of(office.settings), utc_now)
        await office.ask(trail, 1)
        exported = asyncio.create_task(asyncio.to_thread(office.export, office.home / "evidence", "--officer", "badge-1", *WHY))
        for _ in range(2):
            while not await store.outbox.drain(trail):
                assert not (office.home / "evidence").exists()
        assert (await exported)[0] == 0
    assert office.call("audit", "verify-bundle", office.home / "evidence", "--key", office.vkey)[0] == 0


def test_a_retired_key_signs_no_bundle_past_the_change(office: Office) -> None:
    """The keys come with the statement that changes them: a thief of the old one who signs the log as it is, is refused."""
    office.record(1)
    old = load_signer(office.settings.keys.checkpoint, office.settings.origin)
    assert office.call("audit", "rotate-key", "checkpoint", "--config", office.config)[0] == 0
    office.record(1)
    office.export(office.home / "evidence", "--officer", "badge-1", *WHY)
    [statement] = (office.settings.log / "rotations").glob("*.note")
    bare = ("audit", "verify-bundle", office.home / "evidence", "--key", old.verifier.vkey)
    verify = ("audit", "verify-bundle", office.home / "evidence", "--key", statement)
    assert [office.call(*bare)[0], office.call(*verify)[0]] == [1, 0]

    sign_anew(office.home / "evidence", old)

    assert office.call(*bare)[0] == 0
    code, out = office.call(*verify)
    assert (code, "data/checkpoint" in out) == (1, True)


def test_go_takes_each_key_of_a_log_in_its_time(office: Office, showcause_verify: Path) -> None:
    """Exported before the change or after it, by either key and by both; with its statement the old one signs nothing new."""
    old = load_signer(office.settings.keys.checkpoint, office.settings.origin)
    office.export(office.home / "before", "--officer", "badge-1", *WHY)
    office.record(1)
    kept = office.home / "kept"
    shutil.copy(office.settings.log / "checkpoint", kept)
    assert office.call("audit", "rotate-key", "checkpoint", "--config", office.config)[0] == 0
    new = load_signer(office.settings.keys.checkpoint, office.settings.origin)
    seam = shutil.copytree(office.settings.log, office.home / "seam")
    shutil.copy(next((seam / "rotations").glob("*.checkpoint")), seam / "checkpoint")
    office.record(1)
    office.export(office.home / "after", "--officer", "badge-1", *WHY, "--checkpoint", kept)
    [statement] = (office.settings.log / "rotations").glob("*.note")
    shutil.copy(statement, office.home / "new.note")
    forged = shutil.copytree(office.home / "after", office.home / "forged")
    sign_anew(forged, old)

    def go(what: str, path: Path, *keys: object, earlier: Path | None = None) -> int:
        named = [str(part) for key in keys for part in ("-key", key)] + (["-earlier", str(earlier)] if earlier else [])
        return subprocess.run([showcause_verify, what, path, *named], capture_output=True, check=False).returncode

    both, stated = (old.verifier.vkey, new.verifier.vkey), (office.home / "new.note",)
    assert [go("bundle", office.home / "before", *keys) for keys in (both[:1], both[1:], both, stated)] == [0, 1, 0, 0]
    assert [go("bundle", office.home / "after", *keys) for keys in (both[:1], both[1:], both, stated)] == [1, 1, 0, 0]
    assert [go("bundle", forged, *keys) for keys in (both, stated)] == [0, 1]
    page = [sys.executable, str(Path(__file__).parents[3] / "deploy/verify/verify_bundle.py")]
    assert [subprocess.run([*page, office.home / name], check=False).returncode for name in ("before", "after")] == [0, 0]
    assert [go("log", office.settings.log, *keys, earlier=kept) for keys in (both[1:], both, stated)] == [1, 0, 0]
    assert [go("log", seam, *keys) for keys in (both[:1], both[1:], both, stated)] == [0, 0, 0, 0]
    assert go("log", office.settings.log, statement) == 2
    shutil.copy(kept, office.settings.log / "cosigned")
    office.export(office.home / "cosigned", "--officer", "badge-1", *WHY)
    assert [go("bundle", office.home / "cosigned", *keys) for keys in (both[:1], both[1:], both, stated)] == [0, 1, 0, 0]
    verify = ("audit", "verify-bundle", office.home / "cosigned", "--key")
    assert [office.call(*verify, key)[0] for key in (both[0], office.home / "new.note")] == [0, 0]
    (office.home / "half.note").write_text(statement.read_text().rstrip("\n").rpartition("\n")[0] + "\n")
    assert go("bundle", office.home / "after", office.home / "half.note") == 2


def test_a_key_that_lies_in_the_bundle_is_refused(office: Office) -> None:
    """However it is spelled: a bundle does not vouch for itself. From elsewhere, the same file will do."""
    office.export(office.home / "evidence", "--officer", "badge-1", *WHY)
    inside = office.home / "evidence" / "data" / "log.vkey"
    inside.write_text(office.vkey)
    (office.home / "link.vkey").symlink_to(inside)
    (office.home / "log.vkey").write_text(office.vkey + "\n")
    (office.home / "a+b+c").symlink_to(inside)
    (office.home / "other").symlink_to(office.home / "evidence")
    verify = ("audit", "verify-bundle", office.home / "evidence", "--key")
    for path in (
        inside,
        office.home / "link.vkey",
        office.home / "evidence" / ".." / "evidence" / "data" / "log.vkey",
        office.home / "a+b+c",
    ):
        code, out = office.call(*verify, path)
        assert code == 2
        assert "does not vouch" in out
    assert office.call("audit", "verify-bundle", office.home / "other", "--key", inside)[0] == 2
    assert office.call(*verify, office.vkey, "--witness-policy", inside)[0] == 2
    assert office.call(*verify, office.vkey, "--tsa-ca", inside)[0] == 2
    inside.unlink()
    code, out = office.call(*verify, office.home / "log.vkey")
    assert (code, "asked for: every entry about what was asked or done by the officer badge-1" in out) == (0, True)


def test_what_is_wrong_is_named_and_the_exit_code_says_so(office: Office) -> None:
    """1 for a finding, 2 for a key that is none or a bundle that is not there; text and JSON name the file."""
    office.export(office.home / "evidence", "--officer", "badge-1", *WHY)
    (office.home / "evidence/data/entries/000000000002.json").write_bytes(b"{}")
    verify = ("audit", "verify-bundle", office.home / "evidence", "--key", office.vkey)
    code, out = office.call(*verify)
    assert code == 1
    assert "data/entries/000000000002.json is altered" in out
    code, out = office.call(*verify, "--json")
    assert [each["path"] for each in orjson.loads(out)["findings"]] == ["data/entries/000000000002.json"]
    assert office.call("audit", "verify-bundle", office.home / "evidence", "--key", "log.example+0+AAAA")[0] == 2
    assert office.call("audit", "verify-bundle", office.home / "nowhere", "--key", office.vkey)[0] == 2
    os.close(os.open(os.fsencode(office.home / "evidence") + b"/\xff", os.O_CREAT | os.O_WRONLY))
    assert [each["kind"] for each in orjson.loads(office.call(*verify, "--json")[1])["findings"]] == ["extra", "altered"]
    (office.home / "text.zip").write_text("no archive")
    assert office.call("audit", "verify-bundle", office.home / "text.zip", "--key", office.vkey)[0] == 1


def test_witnesses_vouch_for_a_bundle(office: Office, showcause_verify: Path) -> None:
    """The newest cosigned checkpoint is what is exported; the policy from elsewhere, Go, and the papers all see who signed."""
    witness = PrivateKey("witness.example/one", Kind.COSIGNATURE, Ed25519PrivateKey.generate())
    absent = PrivateKey("witness.example/two", Kind.COSIGNATURE, Ed25519PrivateKey.generate())
    text = (office.settings.log / "checkpoint").read_text()
    body = text.partition("\n\n")[0] + "\n"
    (office.settings.log / "cosigned").write_text(text + witness.line(body, 1_793_000_000))
    office.record(3)
    assert office.export(office.home / "evidence", "--officer", "badge-1", *WHY)[0] == 0
    policies = {}
    for name, key in {"good": witness, "absent": absent}.items():
        policies[name] = office.home / f"{name}.policy"
        policies[name].write_text(f"log {office.vkey}\nwitness w {key.public.vkey}\nquorum w\n")
    verify = ("audit", "verify-bundle", office.home / "evidence", "--key", office.vkey, "--json", "--witness-policy")
    code, out = office.call(*verify, policies["good"])
    assert (code, orjson.loads(out)["witnessed"], orjson.loads(out)["size"]) == (0, {"w": 1_793_000_000}, 9)
    code, out = office.call(*verify, policies["absent"])
    assert (code, [each["path"] for each in orjson.loads(out)["findings"]]) == (1, ["data/checkpoint"])
    assert "cosigned by witness.example/one" in (office.home / "evidence/certification.txt").read_text()
    go = [str(showcause_verify), "bundle", str(office.home / "evidence"), "-key", office.vkey, "-witness"]
    assert subprocess.run([*go, witness.public.vkey], capture_output=True, check=False).returncode == 0
    assert subprocess.run([*go, absent.public.vkey], capture_output=True, check=False).returncode == 1


def test_a_configured_authority_is_asked_for_the_time(office: Office, tmp_path_factory: pytest.TempPathFactory) -> None:
    """`audit.timestamps`: the bundle holds the answer; without the authority there is no bundle."""
    home = tmp_path_factory.mktemp("tsa")
    make_authority(home)
    authority = Authority(home)
    authority.start()
    try:
        configured = office.config.read_text() + f"audit: {{timestamps: {{url: '{authority.url}', ca: {home / 'ca.pem'}}}}}\n"
        office.config.write_text(configured)
        code, out = office.export(office.home / "evidence", "--officer", "badge-1", *WHY, "--json")
        assert code == 0
        assert orjson.loads(out)["stamped"]
    finally:
        authority.stop()
    verify = ("audit", "verify-bundle", office.home / "evidence", "--key", office.vkey, "--tsa-ca", home / "ca.pem", "--json")
    code, out = office.call(*verify)
    assert code == 0
    assert orjson.loads(out)["stamped"]
    code, out = office.export(office.home / "another", "--officer", "badge-1", *WHY)
    assert code == 3
    assert "cannot be reached" in out
    assert not (office.home / "another").exists()
