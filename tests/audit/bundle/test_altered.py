"""Whatever is done to a bundle is named, also when the forger makes the manifests agree with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.audit.bundle.layout import TAG_FILES, TAG_MANIFEST, entry_at, key_at
from proxy.audit.bundle.trust import Trust
from proxy.audit.bundle.verifying import verify_bundle
from proxy.tlog.note import Signer
from tests.audit.bundle.forgeries import BESIDE, FORGERIES, names_of, relist

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.audit.bundle.finding import Finding
    from proxy.audit.bundle.verifying import Report
    from tests.audit.bundle.conftest import World


def found(report: Report) -> set[str]:
    """Return the files that were named."""
    return {finding.path for finding in report.findings}


@dataclass(frozen=True, slots=True)
class InMemory:
    """A bundle's files, without a disk."""

    contents: dict[str, bytes]

    @property
    def sizes(self) -> dict[str, int]:
        """Return the size of each file by name."""
        return {name: len(content) for name, content in self.contents.items()}

    @property
    def strange(self) -> tuple[Finding, ...]:
        """Return nothing: these are plain files."""
        return ()

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        return self.contents[name]


@settings(max_examples=120)
@given(data=st.data())
def test_any_single_mutation_is_named(filled: World, exported: Path, data: st.DataObject) -> None:
    """Flip a bit, drop, swap, rename, append, cut, add: the finding names that very file, and no other.

    Between the tag manifest and a file that it alone lists, nobody can tell which was altered: there both are named.
    """
    files = {name: (exported / name).read_bytes() for name in names_of(exported)}
    name = data.draw(st.sampled_from(sorted(files)))
    content, touched = files[name], {name}
    match data.draw(st.sampled_from(["flip", "drop", "swap", "rename", "append", "cut", "add"])):
        case "flip":
            at = data.draw(st.integers(0, len(content) - 1))
            files[name] = content[:at] + bytes([content[at] ^ 1 << data.draw(st.integers(0, 7))]) + content[at + 1 :]
        case "drop":
            del files[name]
        case "swap":
            other = data.draw(st.sampled_from([each for each in files if files[each] != content]))
            files[name], files[other] = files[other], content
            touched |= {other}
        case "rename":
            files[name + ".txt"] = files.pop(name)
            touched |= {name + ".txt"}
        case "cut":
            files[name] = content[: data.draw(st.integers(0, len(content) - 1))]
        case "append":
            files[name] = content + data.draw(st.binary(min_size=1, max_size=9))
        case _:
            touched = {data.draw(st.sampled_from(["more", "data/more", entry_at(1), key_at(9)]))}
            files |= dict.fromkeys(touched, b"more")
    named = found(verify_bundle(InMemory(files), filled.trust))
    assert touched <= named
    assert named - touched <= ({TAG_MANIFEST} if touched != {TAG_MANIFEST} else TAG_FILES)


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_that_the_manifests_agree_with_is_named(filled: World, bundle: Path, name: str) -> None:
    """What carries the evidence is the log's signature, not the list of files."""
    work, path = FORGERIES[name]
    work(bundle)
    relist(bundle)
    assert path in found(filled.verify(bundle))


@pytest.mark.parametrize("name", BESIDE)
def test_what_lies_beside_the_evidence_says_what_the_evidence_says(filled: World, bundle: Path, name: str) -> None:
    """Papers and viewer are in no list that is signed: they are written anew, and what differs is named, and nothing else."""
    work, path, _ = BESIDE[name]
    work(bundle)
    relist(bundle)
    assert found(filled.verify(bundle)) == {path}


def test_whoever_does_not_give_the_manifests_hash_is_told_what_it_is_for(filled: World, exported: Path) -> None:
    """A note without it, none with it."""
    report = filled.verify(exported)
    assert any("was not given" in note for note in report.notes if "manifest" in note)
    assert not any("manifest" in note for note in filled.verify(exported, manifest=report.manifest).notes)


def test_an_answer_of_nothing_is_about_nobody_without_the_manifests_hash(filled: World, bundle: Path, tmp_path: Path) -> None:
    """With anybody's tokens nothing answers, so the bundle as exported has to be the one; an honest one says so."""
    filled.export(tmp_path / "honest", value="badge-9")
    told = "of epoch index no opened entry names them"
    [finding] = filled.verify(tmp_path / "honest").findings
    assert (finding.kind, told in finding.message) == ("unproven", True)
    assert filled.verify(tmp_path / "honest", manifest=filled.recorded[-1].manifest).findings == ()
    genuine = filled.verify(bundle).manifest
    FORGERIES["the_token_is_nobodys_and_nothing_answers"][0](bundle)
    relist(bundle)
    assert [finding.kind for finding in filled.verify(bundle).findings] == ["unproven"]
    assert "manifest-sha256.txt" in found(filled.verify(bundle, manifest=genuine))


def test_a_key_from_elsewhere_decides(filled: World, bundle: Path) -> None:
    """Of another log's key, and of none, nothing verifies."""
    stranger = Signer("log.example/node-1", Ed25519PrivateKey.from_private_bytes(b"s" * 32)).verifier
    assert found(filled.verify(bundle, Trust(logs=(stranger,)))) == {"data/checkpoint"}
    assert found(filled.verify(bundle, Trust(logs=()))) == {"data/checkpoint"}
    assert filled.verify(bundle, Trust(logs=(stranger, filled.signer.verifier))).findings == ()
