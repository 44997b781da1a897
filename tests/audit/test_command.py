"""``audit verify``, ``audit tail`` and ``audit show``, as an operator calls them."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from proxy.__main__ import run
from proxy.audit.continuity import OriginOpened, Unwitnessed
from proxy.audit.keys import create_key
from proxy.audit.service import AuditTrail
from proxy.cli.recording import recording, sealer_of
from proxy.settings import Settings, load_settings
from proxy.tlog.keys import create_signing_key, load_signer
from proxy.tlog.log import Log
from tests.audit.conftest import Asked, Decided, Disclosed, import_cases, noon

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from proxy.audit.event import Event

WHY = ("--case", "26-1", "--statement", "complaint of the mayor about look-ups of her home")


@dataclass(frozen=True, slots=True)
class Office:
    """A configured place, and the command line in it."""

    config: Path
    settings: Settings
    capsys: pytest.CaptureFixture[str]

    def log(self) -> Log:
        """Open the log."""
        return Log(self.settings.log, signer=load_signer(self.settings.keys.checkpoint, self.settings.origin), clock=noon)

    def record(self, *events: Event) -> None:
        """Record events as a server would, and stop."""

        async def work() -> None:
            async with self.log() as log:
                trail = AuditTrail(log, sealer_of(self.settings), noon)
                for event in events:
                    await trail.record(event)

        asyncio.run(work())

    def call(self, *arguments: str) -> tuple[int, str]:
        """Return exit code and standard output of ``audit …``."""
        code = run(["audit", *arguments, "--config", str(self.config)])
        return code, self.capsys.readouterr().out

    def json(self, *arguments: str) -> tuple[int, Sequence[Any]]:
        """Return exit code and the JSON lines of ``audit … --json``."""
        code, out = self.call(*arguments, "--json")
        return code, [orjson.loads(line) for line in out.splitlines()]


@pytest.fixture
def office(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Office:
    """Return a place with keys and a configuration."""
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
    return Office(config, load_settings(config, {}), capsys)


def test_a_good_log_verifies(office: Office) -> None:
    """Exit 0, with size and root."""
    office.record(Asked(), Decided(about="q"), Disclosed(about="q"))
    code, lines = office.json("verify")
    assert code == 0
    assert lines[0]["ok"] is True
    assert lines[0]["size"] == 3
    assert office.call("verify")[0] == 0


def test_a_flipped_byte_is_named_in_the_first_line(office: Office) -> None:
    """Exit 1, and the entry."""
    office.record(*(Asked(about=f"query-{number}") for number in range(20)))
    segment = office.settings.log / "segments" / "000000000000.seg"
    content = bytearray(segment.read_bytes())
    content[content.index(b"query-13")] ^= 1
    segment.write_bytes(content)
    code, out = office.call("verify")
    assert code == 1
    assert out.startswith("entry 13 is not what was signed")


def test_a_log_is_verified_with_a_public_key_alone(office: Office, tmp_path: Path) -> None:
    """An auditor with a copy, the verifier key and an older checkpoint needs no secret; a set-back copy is seen."""
    office.record(Asked())
    vkey = load_signer(office.settings.keys.checkpoint, "log.example").verifier.vkey
    copy = office.settings.log.rename(tmp_path / "copy")
    code, _ = office.call("verify", "--directory", str(copy), "--key", vkey)
    assert code == 0
    office.record(Asked(), Asked())
    newer = str(office.settings.log / "checkpoint")
    code, _ = office.call("verify", "--directory", str(copy), "--key", vkey, "--checkpoint", newer)
    assert code == 1
    assert office.call("verify", "--directory", str(copy), "--key", "nonsense+1")[0] == 2


def test_orphans_and_ends_without_a_decision_are_findings(office: Office) -> None:
    """The pairing of decisions and ends is verified too."""
    office.record(Disclosed(about="never asked"), Decided(about="never ended"))
    code, lines = office.json("verify")
    assert code == 1
    assert [(found["kind"], found["entry"]) for found in lines[0]["findings"]] == [("pairing", 0), ("orphan", 1)]


async def test_a_query_under_way_is_no_finding(office: Office) -> None:
    """While a server holds the log, its newest decisions may still end."""
    async with office.log() as log:
        trail = AuditTrail(log, sealer_of(office.settings), noon)
        await trail.start(version="1", policy="p")
        await trail.record(Decided(about="q"))
        code, lines = await asyncio.to_thread(office.json, "verify")
        assert code == 0
        assert lines[0]["under_way"] == 1


def test_where_there_is_no_log_nothing_verifies(office: Office) -> None:
    """Exit 3: an empty place is not a good log."""
    assert office.call("verify")[0] == 3
    assert office.call("tail")[0] == 3


def test_tail_prints_the_last_entries_without_names(office: Office) -> None:
    """The newest n, in order, with facts and nothing sealed."""
    office.record(*(Asked(about=f"q{number}") for number in range(30)))
    code, out = office.call("tail", "-n", "3")
    assert code == 0
    assert [line.split()[3] for line in out.splitlines()] == ["q27", "q28", "q29"]
    _, lines = office.json("tail")
    assert [line["index"] for line in lines] == list(range(20, 30))
    assert "PEMBERTON" not in repr(lines)


def test_tail_prints_an_entry_on_one_line(office: Office) -> None:
    """A checkpoint is several lines; here it is a fact like others."""
    opened = OriginOpened(
        origin="old.example", size=2, checkpoint="old.example\n2\nAAAA\n", operator="login:x", reason="the disk is gone"
    )
    office.record(opened, Asked(about="q1"))

    code, out = office.call("tail")

    assert (code, len(out.splitlines())) == (0, 2)
    assert r"checkpoint=old.example\n2\nAAAA\n" in out


def test_tail_prints_what_is_false_and_what_is_nought(office: Office) -> None:
    """That an answer was not released is what its entry is about."""
    office.record(Unwitnessed(about="q1", entry=0, released=False))

    assert office.call("tail")[1].split()[3:] == ["q1", "entry=0", "released=False"]


def test_show_keeps_the_sealed_part_closed(office: Office) -> None:
    """Without --decrypt nobody is named and nothing is recorded."""
    office.record(Asked())
    code, out = office.call("show", "0")
    assert code == 0
    assert "PEMBERTON" not in out
    assert office.json("tail")[1][-1]["index"] == 0
    assert office.call("show", "5")[0] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--case", "26-1"),
        ("--case", "26-1", "--statement", "why"),
        ("--case", "26-1", "--statement", "just because I can"),
        ("--case", "nocase-1", "--statement", "complaint against the officer about look-ups"),
        ("--statement", "an audit by the chief"),
    ],
)
def test_reading_in_clear_shows_cause_as_an_officer_does(office: Office, arguments: tuple[str, ...]) -> None:
    """A case that the directory knows and words that say something; else wrong use, nothing shown, nothing recorded."""
    office.record(Asked())
    import_cases(office.config, "26-1")
    code, out = office.call("show", "0", "--decrypt", *arguments)
    assert code == 2
    assert "PEMBERTON" not in out
    assert "log-read" not in {entry["kind"] for entry in office.json("tail")[1]}


def test_reading_in_clear_is_recorded(office: Office) -> None:
    """The reader, the case and the reason are in the log."""
    office.record(Asked(about="q"))
    import_cases(office.config, "26-1")
    office.capsys.readouterr()
    code, lines = office.json("show", "0", "--decrypt", *WHY)
    assert code == 0
    assert lines[0]["sealed"]["words"] == "JORDAN PEMBERTON"
    entry = office.json("tail", "-n", "1")[1][0]
    assert (entry["kind"], entry["about"], entry["facts"]["first"]) == ("log-read", "q", 0)
    again = office.json("show", "2", "--decrypt", *WHY)[1][0]
    assert again["sealed"]["statement"] == WHY[-1]
    assert office.call("verify")[0] == 0


async def test_beside_a_running_server_the_reading_is_in_its_log_first(office: Office) -> None:
    """The server holds the log: the command waits until the server has taken the event out of the store."""
    await asyncio.to_thread(import_cases, office.config, "26-1")
    office.capsys.readouterr()
    async with office.log() as log, recording(office.settings) as store:
        trail = AuditTrail(log, sealer_of(office.settings), noon)
        await trail.record(Asked())
        arguments = ("show", "1", "--decrypt", *WHY)
        shown = asyncio.create_task(asyncio.to_thread(office.json, *arguments))
        while not await store.outbox.drain(trail):
            assert not shown.done()
        assert (await shown)[0] == 0
        assert log.head.size == 3


def test_an_entry_whose_record_of_reading_fails_is_not_shown(office: Office) -> None:
    """No store to queue in, nothing in clear."""
    office.record(Asked())
    import_cases(office.config, "26-1")
    office.settings.store.rename(office.config.with_name("aside"))
    office.settings.store.mkdir()
    code, out = office.call("show", "0", "--decrypt", *WHY)
    assert code == 3
    assert "PEMBERTON" not in out


def test_an_altered_sealed_part_is_a_finding(office: Office) -> None:
    """With another body key nothing opens, and that is said."""
    office.record(Asked())
    office.settings.keys.body.unlink()
    create_key(office.settings.keys.body, os.urandom)
    import_cases(office.config, "26-1")
    code, out = office.call("show", "0", "--decrypt", *WHY)
    assert code == 1
    assert "PEMBERTON" not in out
