"""A bundle: what is in it, how it comes to be, and that it verifies with nothing but keys."""

from __future__ import annotations

import shutil
import stat
import zipfile
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from proxy.audit.bundle.gathering import ExportRefused
from proxy.audit.bundle.layout import entry_at
from proxy.audit.bundle.question import decode_asked
from proxy.audit.entry import decode
from proxy.audit.errors import AuditUnavailable
from proxy.audit.keyring import Key, KeyRing
from proxy.audit.sealing import Sealer
from proxy.tlog.errors import LogDamaged
from proxy.tlog.store import SegmentReader
from tests.audit.bundle.conftest import BEGIN, HOSTILE, POLICIES, World

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.audit.bundle.events import Exported
    from proxy.tlog.note import Checkpoint
    from proxy.tlog.store import Stored

ANSWER = (2, 3, 10, 11, 16, 17)


def stored(world: World) -> dict[int, Stored]:
    """Return what the log stores, by index."""
    return {item.index: item for item in SegmentReader(world.directory).stored()}


def test_a_bundle_verifies_and_says_of_what(filled: World, exported: Path) -> None:
    """Entries of one officer within the time, with the ends of their queries, and every entry of the range around them."""
    report = filled.verify(exported)
    assert report.findings == ()
    assert report.asked is not None
    assert report.asked.entries == ANSWER
    assert report.asked.stretch is not None
    assert (report.asked.stretch.first, report.asked.stretch.end) == (1, 19)
    assert report.complete == 18
    assert report.opened == 3


def test_a_bundle_under_an_old_checkpoint_says_where_the_log_ended(
    filled: World, exported: Path, kept: Checkpoint, tmp_path: Path
) -> None:
    """Whoever puts an old checkpoint in the newest's place leaves out what came after: the report says up to when it goes."""
    world = World(tmp_path, filled.signer, filled.sealer, now=filled.now)
    shutil.copytree(filled.directory, world.directory)
    (world.directory / "cosigned").write_text(kept.text)
    world.export(tmp_path / "bundle", since=BEGIN + timedelta(hours=1), until=BEGIN + timedelta(hours=9))
    report = world.verify(tmp_path / "bundle")

    assert (report.findings, report.complete) == ((), 7)
    assert any("last entry, of 2026-11-01T03:30:00.00Z: nothing is claimed of later ones" in note for note in report.notes)
    assert not any("later ones" in note for note in filled.verify(exported).notes)


def test_entries_are_the_very_bytes_of_the_log_and_open_with_their_own_keys_only(filled: World, exported: Path) -> None:
    """Byte for byte; a key opens its body and no other's, and no other key is there."""
    asked, items = decode_asked((exported / "data/question.json").read_bytes()), stored(filled)
    for index in asked.entries:
        assert (exported / entry_at(index)).read_bytes() == items[index].entry
    keys = {index: bytes.fromhex((exported / f"data/keys/{index:012d}.key").read_text()) for index in asked.disclosed}
    assert HOSTILE in str(decode(*items[2]).open(keys[2])["statement"])
    with pytest.raises(Exception, match="not its key"):
        decode(*items[10]).open(keys[2])
    everything = b"".join(path.read_bytes() for path in exported.rglob("*") if path.is_file())
    assert (b"b" * 32).hex().encode() not in everything
    assert (b"i" * 32).hex().encode() not in everything


def test_the_papers_state_what_the_program_knows(filled: World, exported: Path) -> None:
    """Whose log, which state, how many entries, by whom and why, and the manifest's hash; blanks are for people."""
    report = filled.verify(exported)
    certification, readme = (exported / "certification.txt").read_text(), (exported / "README.txt").read_text()
    assert report.checkpoint is not None
    for text in (certification, readme):
        assert report.manifest in text
        assert report.checkpoint.root.hex() in text
        assert "log.example/node-1" in text
        assert "badge-1" in text
        assert "login:clerk" in text
    assert "28 U.S.C. 1746" in certification
    assert "penalty of perjury" in certification
    assert "902(13)" in certification
    assert "902(14)" in certification
    assert {line.split("]")[0] for line in certification.split("[")[1:]} >= {"NAME", "AGENCY", "TITLE", "DATE", "PLACE"}


def test_the_policy_that_ruled_is_in_it_while_it_is_still_there(filled: World, exported: Path, tmp_path: Path) -> None:
    """Its files, whose digest begins with the version that the entries name; of entries that no policy ruled on, none."""
    assert {path.name: path.read_bytes() for path in (exported / "data/policies").iterdir()} == POLICIES
    filled.export(tmp_path / "other", by="entries", value="3", numbers=[3])
    assert not (tmp_path / "other/data/policies").exists()


@pytest.mark.parametrize(("since", "until"), [(None, None), (0, 24), (-5, 2), (11, 40), (2.25, 2.5), (30, 40), (-9, -1)])
def test_a_range_reaches_as_far_as_the_question(
    filled: World, tmp_path: Path, since: float | None, until: float | None
) -> None:
    """Any time, within the log, beyond it, or where nothing was recorded; an answer of nothing is an answer."""
    begin = None if since is None else BEGIN + timedelta(hours=since)
    end = None if until is None else BEGIN + timedelta(hours=until)
    filled.export(tmp_path / "bundle", since=begin, until=end)
    report = filled.verify(tmp_path / "bundle")
    assert report.findings == ()
    assert report.complete is not None
    expected = [
        index
        for index in stored(filled)
        for at in [BEGIN + timedelta(minutes=30 * index)]
        if (begin is None or at >= begin) and (end is None or at < end) and _of_badge_1(filled, index)
    ]
    assert report.asked is not None
    assert list(report.asked.entries) == expected


def _of_badge_1(world: World, index: int) -> bool:
    items = stored(world)
    abouts = {
        entry.about
        for item in items.values()
        if world.sealer.token("officer", "badge-1") in (entry := decode(*item)).parties.get("officer", ())
    }
    return decode(*items[index]).about in abouts


def test_a_clock_that_was_set_back_hides_nothing(filled: World, tmp_path: Path) -> None:
    """An entry within the time stays in the answer though its neighbors are outside."""
    world = World(tmp_path, filled.signer, filled.sealer)
    world.fill(3)
    world.now -= timedelta(hours=2)
    world.fill(3)
    world.export(tmp_path / "bundle", since=BEGIN + timedelta(hours=2), until=BEGIN + timedelta(hours=3))
    report = world.verify(tmp_path / "bundle")
    assert report.findings == ()
    assert report.asked is not None
    assert {decode(*stored(world)[index]).at[11:13] for index in report.asked.entries} == {"02"}


def test_only_what_is_disclosed_has_a_key(filled: World, tmp_path: Path) -> None:
    """All ciphertexts are there, for they are evidence; what nobody needs to read stays closed."""
    filled.export(tmp_path / "bundle", opens=lambda entry: entry.index == 10)
    assert [path.name for path in (tmp_path / "bundle/data/keys").iterdir()] == ["000000000010.key"]
    report = filled.verify(tmp_path / "bundle")
    assert report.findings == ()
    assert report.opened == 1


def test_entries_whose_key_is_gone_stay_closed(filled: World, tmp_path: Path) -> None:
    """And the exporter is told which."""
    other = KeyRing([Key("later", b"l" * 32)])
    later = World(filled.home, filled.signer, Sealer(index_key=b"i" * 32, body_key=other))
    written = later.export(tmp_path / "bundle")
    assert written.locked == (2, 10, 16, 22)
    assert written.asked.disclosed == ()
    assert {finding.kind for finding in filled.verify(tmp_path / "bundle").findings} == {"unproven"}
    assert filled.verify(tmp_path / "bundle", manifest=written.manifest).findings == ()


def test_an_archive_verifies_as_its_folder_does(filled: World, tmp_path: Path) -> None:
    """One top folder, readable by its owner alone; the same files give the same archive."""
    filled.export(tmp_path / "bundle.zip")
    assert filled.verify(tmp_path / "bundle.zip").findings == ()
    assert stat.S_IMODE((tmp_path / "bundle.zip").stat().st_mode) == 0o600
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        assert {name.split("/")[0] for name in archive.namelist()} == {"bundle"}
        archive.extractall(tmp_path / "unpacked")
    assert filled.verify(tmp_path / "unpacked/bundle").findings == ()


def test_an_export_is_recorded_with_its_manifest_before_it_appears(filled: World, tmp_path: Path) -> None:
    """When the recorder is called there is no bundle yet, and it is told the manifest's hash and every entry."""
    seen: list[tuple[bool, Exported]] = []
    target = tmp_path / "bundle"
    written = filled.export(target, record=lambda event: seen.append((target.exists(), event)))
    [(appeared, event)] = seen
    assert not appeared
    assert target.exists()
    assert event.facts()["manifest"] == written.manifest == filled.verify(target).manifest
    assert event.sealed()["entries"] == list(written.asked.entries)
    assert filled.verify(target, manifest=written.manifest).findings == ()
    assert filled.verify(target, manifest="0" * 64).findings[0].path == "manifest-sha256.txt"


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_what_cannot_be_recorded_does_not_appear(filled: World, tmp_path: Path, name: str) -> None:
    """Neither the bundle nor a part of it."""

    def refuse(_event: Exported) -> None:
        raise AuditUnavailable("no")

    with pytest.raises(AuditUnavailable):
        filled.export(tmp_path / name, record=refuse)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(filled: World, tmp_path: Path) -> None:
    """Not a file, not a folder, not a link that leads nowhere."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        with pytest.raises(ExportRefused, match="exists already"):
            filled.export(tmp_path / name)
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_is_for_its_owner_alone(filled: World, tmp_path: Path) -> None:
    """It holds keys."""
    filled.export(tmp_path / "bundle")
    assert stat.S_IMODE((tmp_path / "bundle").stat().st_mode) == 0o700


def test_an_entry_that_the_checkpoint_does_not_cover_is_refused(filled: World, tmp_path: Path) -> None:
    """There is no proof of it yet."""
    with pytest.raises(ExportRefused, match="not entry 24"):
        filled.export(tmp_path / "bundle", by="entries", value="24", numbers=[24])
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_log_gives_no_bundle(filled: World, tmp_path: Path) -> None:
    """Entries that are not what was signed are not evidence of anything."""
    shutil.copytree(filled.directory, tmp_path / "copy/log")
    segment = tmp_path / "copy/log/segments/000000000000.seg"
    segment.write_bytes(segment.read_bytes().replace(b'"outcome":"permit"', b'"outcome":"perm1t"', 2))
    damaged = World(tmp_path / "copy", filled.signer, filled.sealer)
    with pytest.raises(LogDamaged):
        damaged.export(tmp_path / "bundle")
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_entries_by_number_claim_nothing_of_others(filled: World, tmp_path: Path) -> None:
    """And say so."""
    filled.export(tmp_path / "bundle", by="entries", value="4-5", numbers=[5, 4])
    report = filled.verify(tmp_path / "bundle")
    assert report.findings == ()
    assert report.complete is None
    assert any("nothing is claimed" in note for note in report.notes)
    assert not (tmp_path / "bundle/data/range").exists()


def test_a_checkpoint_that_was_kept_and_is_longer_than_the_log_is_refused(filled: World, tmp_path: Path) -> None:
    """The log was set back: that is no time for evidence."""
    younger = World(tmp_path, filled.signer, filled.sealer)
    younger.fill(2)
    with pytest.raises(LogDamaged, match="set back"):
        younger.export(tmp_path / "bundle", earlier=[filled.checkpoint])
