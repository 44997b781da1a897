"""A bundle made to harm whoever verifies it: nothing is written, followed, or read without bound."""

from __future__ import annotations

import asyncio
import os
import struct
import zipfile
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from proxy.audit.bundle import opening
from proxy.audit.bundle.layout import encode_key, key_at
from proxy.audit.bundle.manifest import ManifestInvalid, decode_manifest, encode_manifest
from proxy.audit.bundle.opening import BundleUnreadable, open_bundle
from proxy.audit.bundle.question import QuestionInvalid, decode_asked
from proxy.audit.entry import encode
from proxy.audit.reader import AuditReader
from proxy.audit.sealing import SealBroken, Sealer
from proxy.tlog.log import Log
from tests.audit.bundle.conftest import World
from tests.audit.bundle.forgeries import question, relist, rewrite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize(
    "name",
    [
        "../outside", "/etc/passwd", "bundle/../../outside", "bundle//data", "bundle/data\\..\\x", "other/data/x", "bundle/",
        "bundle/data/\x00x", "bundle/data/ünïcode", "bundle/.hidden", "bundle/data/" + "a" * 300, "bundle/a/b/c/d/e/f/g",
    ],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_named_and_read_by_nobody(filled: World, tmp_path: Path, name: str) -> None:
    """Zip-slip in all its spellings: nothing is unpacked, so nothing can be overwritten; and it is a finding."""
    filled.export(tmp_path / "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip", "a") as archive:
        member = zipfile.ZipInfo("x")
        member.filename = name
        archive.writestr(member, b"owned")
    before = sorted(tmp_path.rglob("*"))
    findings = filled.verify(tmp_path / "bundle.zip").findings
    assert [finding.kind for finding in findings] == ["extra"]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("top", ["..", ".", "", "C:", "a\\..\\..", "a\x1b[2J"])
def test_an_archive_whose_one_folder_leads_elsewhere_is_not_read(filled: World, tmp_path: Path, top: str) -> None:
    """All of it in the folder above, or at the root: who unpacks it would write there."""
    filled.export(tmp_path / "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as source, zipfile.ZipFile(tmp_path / "moved.zip", "w") as archive:
        for each in source.infolist():
            member = zipfile.ZipInfo("x")
            member.filename = top + each.filename.removeprefix("bundle")
            archive.writestr(member, source.read(each))
    with pytest.raises(BundleUnreadable, match="no name of a bundle's folder"):
        filled.verify(tmp_path / "moved.zip")


def test_a_file_that_is_there_twice_is_named(filled: World, tmp_path: Path) -> None:
    """Which of two a reader takes is a matter of taste, so there must not be two."""
    filled.export(tmp_path / "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip", "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("bundle/data/checkpoint", b"another")
    findings = filled.verify(tmp_path / "bundle.zip").findings
    assert [(finding.kind, finding.path) for finding in findings] == [("extra", "data/checkpoint")]


def test_links_and_devices_are_named_and_not_followed(filled: World, bundle: Path, tmp_path: Path) -> None:
    """A link to a secret, a link to a folder, a pipe that nobody writes to."""
    (tmp_path / "secret").write_text("secret")
    (bundle / "data/link").symlink_to(tmp_path / "secret")
    (bundle / "data/loop").symlink_to(bundle)
    os.mkfifo(bundle / "data/pipe")
    findings = filled.verify(bundle).findings
    assert {finding.path for finding in findings} == {"data/link", "data/loop", "data/pipe"}
    (bundle / "data/checkpoint").unlink()
    (bundle / "data/checkpoint").symlink_to(tmp_path / "secret")
    assert "data/checkpoint" in {finding.path for finding in filled.verify(bundle).findings}


def test_what_no_directory_of_an_archive_lists_is_a_finding(filled: World, tmp_path: Path) -> None:
    """Programs that read an archive from its beginning see another one in front, or a file between: so must we."""
    filled.export(tmp_path / "bundle.zip")
    content = (tmp_path / "bundle.zip").read_bytes()
    (tmp_path / "front.zip").write_bytes(content + content)
    with zipfile.ZipFile(tmp_path / "between.zip", "w") as archive, zipfile.ZipFile(tmp_path / "bundle.zip") as source:
        archive.writestr("bundle/data/checkpoint", b"another")
        archive.filelist.clear()
        archive.NameToInfo.clear()
        for member in source.infolist():
            archive.writestr(member, source.read(member))
    for name in ("front.zip", "between.zip"):
        assert [finding.path for finding in filled.verify(tmp_path / name).findings] == [name]


def test_a_link_in_an_archive_is_named(filled: World, tmp_path: Path) -> None:
    """Some tools would make one of it."""
    filled.export(tmp_path / "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip", "a") as archive:
        member = zipfile.ZipInfo("bundle/data/link")
        member.external_attr = 0o120777 << 16
        archive.writestr(member, b"/etc/passwd")
    assert [finding.path for finding in filled.verify(tmp_path / "bundle.zip").findings] == ["data/link"]


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """Three gigabytes of zeros in some kilobytes: refused by what it declares."""
    zeros = bytes(1 << 20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bundle/data/checkpoint", zeros)
    content = bytearray((tmp_path / "bomb.zip").read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 3 << 30)
    (tmp_path / "bomb.zip").write_bytes(content)
    with pytest.raises(BundleUnreadable, match="larger than any bundle"):
        open_bundle(tmp_path / "bomb.zip")


def test_a_file_that_is_longer_than_declared_is_not_read_on(tmp_path: Path) -> None:
    """The archive declares ten bytes and holds a megabyte."""
    with zipfile.ZipFile(tmp_path / "liar.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bundle/data/checkpoint", bytes(1 << 20))
    content = bytearray((tmp_path / "liar.zip").read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 10)
    (tmp_path / "liar.zip").write_bytes(content)
    files = open_bundle(tmp_path / "liar.zip")
    with pytest.raises(BundleUnreadable, match="cannot be read"):
        files.read("data/checkpoint")


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06", b"no archive at all" * 9, b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_bundle_is_refused(tmp_path: Path, content: bytes) -> None:
    """Nothing, an empty archive's beginning, text, and an end that announces 65,535 files in four gigabytes."""
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(BundleUnreadable):
        open_bundle(tmp_path / "file")


def test_a_folder_with_endless_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any of them is read."""
    monkeypatch.setattr(opening, "MAX_FILES", 20)
    for number in range(30):
        (tmp_path / f"file{number}").touch()
    with pytest.raises(BundleUnreadable, match="larger than any bundle"):
        open_bundle(tmp_path)


@given(st.binary(max_size=300))
def test_no_bytes_make_a_manifest_or_a_question_fail_otherwise_than_by_refusing(content: bytes) -> None:
    """Fuzzed: a refusal, or a value."""
    for read in (decode_manifest, decode_asked):
        try:
            read(content)
        except (ManifestInvalid, QuestionInvalid):
            continue


@given(st.dictionaries(st.sampled_from(["README.txt", "data/a", "data/b/c", "data/checkpoint"]), st.integers(0, 1 << 256 - 1)))
def test_a_manifest_has_one_spelling(numbers: dict[str, int]) -> None:
    """What is read back is what was written, and nothing else is read."""
    hashes = {name: f"{number:064x}" for name, number in numbers.items()}
    content = encode_manifest(hashes)
    assert decode_manifest(content) == hashes
    for other in (content + b"\n", content.replace(b"  ", b" *"), content + content, content.removesuffix(b"\n")):
        if other != content:
            with pytest.raises(ManifestInvalid):
                decode_manifest(other)


@pytest.mark.parametrize(
    "altered",
    [
        lambda question: question | {"v": 2},
        lambda question: question | {"more": 1},
        lambda question: question | {"by": "everybody"},
        lambda question: question | {"tokens": {"epoch": "short"}},
        lambda question: question | {"tokens": ["x"]},
        lambda question: question | {"entries": [3, 2]},
        lambda question: question | {"entries": [-1]},
        lambda question: question | {"entries": [True]},
        lambda question: question | {"entries": list(range(100_001))},
        lambda question: question | {"disclosed": [5]},
        lambda question: question | {"shredded": question["disclosed"]},
        lambda question: question | {"range": None},
        lambda question: question | {"range": [5, 4]},
        lambda question: question | {"range": [True, 4]},
        lambda question: question | {"since": "yesterday"},
        lambda question: question | {"policies": [1]},
        lambda question: question | {"statement": 5},
        lambda question: [question],
        lambda question: question | {"statement": orjson.loads(b"[" * 250 + b"]" * 250)},
    ],
)
def test_a_question_that_is_not_well_formed_is_refused(exported: Path, altered: Callable[[dict[str, object]], object]) -> None:
    """Types, bounds, order, and parts that contradict each other."""
    question = orjson.loads((exported / "data/question.json").read_bytes())
    with pytest.raises(QuestionInvalid):
        decode_asked(orjson.dumps(altered(question)))


def test_a_question_that_is_nested_without_end_is_refused(exported: Path) -> None:
    """One part of it a thousand lists in each other."""
    content = (exported / "data/question.json").read_bytes()
    with pytest.raises(QuestionInvalid):
        decode_asked(content.replace(b'"v": 1', b'"v": ' + b"[" * 1000 + b"]" * 1000))


def test_what_a_body_holds_that_is_no_object_is_a_finding(filled: World, tmp_path: Path) -> None:
    """Whoever holds the log's keys can seal anything: lists without end, a number without end, text, bytes."""
    plains = [b"[" * 200_000, b"1" * 10_000, b'"words"', b"\xff"]
    sealer = Sealer(index_key=b"i" * 32, body_key=b"b" * 32, randomness=lambda count: b"r" * count)
    said = encode(sealer, kind="x", at="2026-11-01T00:00:00.00Z", about="", facts={}, parties=(), sealed={"a": 1})
    bound = orjson.dumps((sealer.body_key_id, "x", "", "2026-11-01T00:00:00.00Z", sealer.epoch))
    wrapped = said.body[: said.body.index(AESGCM(b"r" * 32).encrypt(bytes(12), b'{"a":1}', bound))]
    bodies = [wrapped + AESGCM(b"r" * 32).encrypt(bytes(12), plain, bound) for plain in plains]
    world = World(tmp_path, filled.signer, sealer)

    async def write() -> None:
        async with Log(world.directory, signer=world.signer, clock=world.clock) as log:
            for body in bodies:
                await log.append(orjson.dumps(orjson.loads(said.entry) | {"body": sha256(body).hexdigest()}), body)

    asyncio.run(write())
    world.export(tmp_path / "bundle", by="entries", numbers=range(4), opens=lambda _index: False)
    (tmp_path / "bundle/data/keys").mkdir()
    for index in range(4):
        (tmp_path / "bundle" / key_at(index)).write_bytes(encode_key(b"r" * 32))
        with pytest.raises(SealBroken, match="no JSON object"):
            AuditReader(world.directory).read(index).unseal(sealer)
    question(tmp_path / "bundle", disclosed=[0, 1, 2, 3])
    rewrite(tmp_path / "bundle", "README.txt", b"4, of which 0", b"4, of which 4")
    relist(tmp_path / "bundle")

    assert [finding.index for finding in world.verify(tmp_path / "bundle").findings] == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["data/earlier/8.checkpoint", "data/range/proof"])
def test_nothing_follows_the_last_line_of_a_proof(filled: World, bundle: Path, name: str) -> None:
    """What nothing authenticates is not passed over."""
    with (bundle / name.replace(".checkpoint", ".proof")).open("a") as file:
        file.write("and more")
    relist(bundle)
    assert [finding.path for finding in filled.verify(bundle).findings] == [name]


@pytest.mark.parametrize("numbers", [[1 << 62], [0, 9_000_000_000]])
def test_huge_numbers_are_findings_and_take_no_time(filled: World, bundle: Path, numbers: list[int]) -> None:
    """An entry number beyond any log, a range of nine thousand million entries."""
    path = bundle / "data/question.json"
    question = orjson.loads(path.read_bytes())
    changes = {"entries": numbers, "disclosed": [], "shredded": []} if len(numbers) == 1 else {"range": numbers}
    path.write_bytes(orjson.dumps(question | changes))
    assert filled.verify(bundle).findings
