"""Whatever is done to a bundle is named, also when the forger makes the manifests agree with it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.audit.bundle.layout import body_at, entry_at, key_at, proof_at
from proxy.audit.bundle.manifest import encode_manifest
from proxy.audit.bundle.trust import Trust
from proxy.audit.bundle.verifying import verify_bundle
from proxy.tlog.frames import decode_bundle, encode_entries
from proxy.tlog.merkle import Tree, leaf_hash
from proxy.tlog.note import Signer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from proxy.audit.bundle.finding import Finding
    from proxy.audit.bundle.verifying import Report
    from tests.audit.bundle.conftest import World


def names_of(bundle: Path) -> list[str]:
    """Return every file of a bundle."""
    return sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())


def relist(bundle: Path) -> None:
    """Do what a careful forger does: make both manifests agree with what is there now."""
    manifest, tags = bundle / "manifest-sha256.txt", bundle / "tagmanifest-sha256.txt"
    hashes = {name: sha256((bundle / name).read_bytes()).hexdigest() for name in names_of(bundle)}
    manifest.write_bytes(encode_manifest({name: digest for name, digest in hashes.items() if name.startswith("data/")}))
    hashes["manifest-sha256.txt"] = sha256(manifest.read_bytes()).hexdigest()
    del hashes["tagmanifest-sha256.txt"]
    tags.write_bytes(encode_manifest({name: digest for name, digest in hashes.items() if not name.startswith("data/")}))


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
    assert named - touched <= {"tagmanifest-sha256.txt"}


FORGERIES: dict[str, tuple[Callable[[Path], None], str]] = {}


def forgery(path: str) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """Add a forgery to the table, and which file has to be named."""

    def add(work: Callable[[Path], None]) -> Callable[[Path], None]:
        FORGERIES[str(work.__name__)] = work, path
        return work

    return add


def rewrite(bundle: Path, name: str, old: bytes, new: bytes) -> None:
    """Replace bytes of a file that are there."""
    content = (bundle / name).read_bytes()
    assert old in content
    (bundle / name).write_bytes(content.replace(old, new, 1))


def question(bundle: Path, **changes: object) -> None:
    """Change what the question states."""
    path = bundle / "data/question.json"
    document = orjson.loads(path.read_bytes()) | changes
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))


RANGE = "data/range/000000000001.entries"


@forgery(entry_at(10))
def an_entry_is_altered(bundle: Path) -> None:
    rewrite(bundle, entry_at(10), b'"permit"', b'"denied"')


@forgery(proof_at(10))
def a_proof_is_of_another_entry(bundle: Path) -> None:
    shutil.copy(bundle / proof_at(11), bundle / proof_at(10))


@forgery(entry_at(10))
def two_entries_are_swapped(bundle: Path) -> None:
    one, other = (bundle / entry_at(10)).read_bytes(), (bundle / entry_at(16)).read_bytes()
    (bundle / entry_at(10)).write_bytes(other)
    (bundle / entry_at(16)).write_bytes(one)


@forgery(entry_at(16))
def an_entry_is_left_out(bundle: Path) -> None:
    for where in (entry_at(16), proof_at(16), body_at(16), key_at(16)):
        (bundle / where).unlink()
    question(bundle, entries=[2, 3, 10, 11, 17], disclosed=[2, 10])


@forgery("data/range/proof")
def an_entry_is_left_out_of_the_range_too(bundle: Path) -> None:
    an_entry_is_left_out(bundle)
    entries = decode_bundle((bundle / RANGE).read_bytes())
    del entries[15]
    (bundle / RANGE).write_bytes(encode_entries(entries))
    question(bundle, range=[1, 18])


@forgery("data/range/proof")
def an_entry_of_the_range_is_altered(bundle: Path) -> None:
    rewrite(bundle, RANGE, b'"permit"', b'"denied"')


@forgery("data/question.json")
def the_range_ends_before_the_time_asked_for(bundle: Path) -> None:
    question(bundle, until="2026-11-01T23:00:00.00Z")


@forgery("data/question.json")
def the_range_begins_after_the_time_asked_for(bundle: Path) -> None:
    question(bundle, since="")


@forgery("data/question.json")
def an_epoch_has_no_token(bundle: Path) -> None:
    question(bundle, tokens={"another": "0" * 32})


@forgery(entry_at(2))
def the_token_is_of_somebody_else(bundle: Path) -> None:
    tokens = orjson.loads((bundle / "data/question.json").read_bytes())["tokens"]
    question(bundle, tokens={epoch: "0" * 32 for epoch in tokens})


@forgery(body_at(10))
def a_body_is_of_another_entry(bundle: Path) -> None:
    shutil.copy(bundle / body_at(16), bundle / body_at(10))


@forgery(key_at(10))
def a_key_is_of_another_entry(bundle: Path) -> None:
    shutil.copy(bundle / key_at(16), bundle / key_at(10))


@forgery(key_at(10))
def a_key_is_missing(bundle: Path) -> None:
    (bundle / key_at(10)).unlink()


@forgery("data/keys/000000000011.key")
def a_key_more_is_there(bundle: Path) -> None:
    (bundle / "data/keys/000000000011.key").write_text(f"{'0' * 64}\n")


@forgery(body_at(10))
def a_body_is_said_to_be_shredded(bundle: Path) -> None:
    (bundle / key_at(10)).unlink()
    question(bundle, shredded=[10], disclosed=[2, 16])


@forgery("data/checkpoint")
def the_checkpoint_is_signed_by_somebody_else(bundle: Path) -> None:
    entries = [b"anything"]
    tree = Tree()
    tree.push(leaf_hash(entries[0]))
    signer = Signer("log.example/node-1", Ed25519PrivateKey.from_private_bytes(b"f" * 32))
    (bundle / "data/checkpoint").write_text(signer.checkpoint(1, tree.root()).text)


@forgery("data/earlier/8.checkpoint")
def the_log_has_another_past(bundle: Path) -> None:
    shutil.copy(bundle / "data/range/proof", bundle / "data/earlier/8.proof")


@forgery("data/policies/")
def a_policy_file_is_altered(bundle: Path) -> None:
    rewrite(bundle, "data/policies/policy.csv", b"deny", b"permit")


@forgery("data/policies/extra.yaml")
def a_policy_file_is_put_in(bundle: Path) -> None:
    (bundle / "data/policies/extra.yaml").write_text("x: 1\n")


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_that_the_manifests_agree_with_is_named(filled: World, bundle: Path, name: str) -> None:
    """What carries the evidence is the log's signature, not the list of files."""
    work, path = FORGERIES[name]
    work(bundle)
    relist(bundle)
    assert path in found(filled.verify(bundle))


def test_a_key_from_elsewhere_decides(filled: World, bundle: Path) -> None:
    """Of another log's key, and of none, nothing verifies."""
    stranger = Signer("log.example/node-1", Ed25519PrivateKey.from_private_bytes(b"s" * 32)).verifier
    assert found(filled.verify(bundle, Trust(logs=(stranger,)))) == {"data/checkpoint"}
    assert found(filled.verify(bundle, Trust(logs=()))) == {"data/checkpoint"}
    assert filled.verify(bundle, Trust(logs=(stranger, filled.signer.verifier))).findings == ()
