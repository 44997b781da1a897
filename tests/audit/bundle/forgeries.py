# ruff: noqa: D103 -- a forgery's name says what it does
"""What a careful forger does to a bundle: the manifests are made to agree, so only the log's signature is left to show it."""

from __future__ import annotations

import re
import shutil
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.audit.bundle.layout import body_at, entry_at, key_at, proof_at
from proxy.audit.bundle.manifest import encode_manifest
from proxy.tlog.frames import decode_bundle, encode_entries
from proxy.tlog.merkle import Tree, leaf_hash
from proxy.tlog.note import Signer
from proxy.tlog.signing import decode_base64

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def names_of(bundle: Path) -> list[str]:
    """Return every file of a bundle."""
    return sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())


def relist(bundle: Path) -> None:
    """Do what a careful forger does: make both manifests agree with what is there now, and the papers with the manifest."""
    manifest, tags = bundle / "manifest-sha256.txt", bundle / "tagmanifest-sha256.txt"
    before = sha256(manifest.read_bytes()).hexdigest()
    hashes = {name: sha256((bundle / name).read_bytes()).hexdigest() for name in names_of(bundle)}
    manifest.write_bytes(encode_manifest({name: digest for name, digest in hashes.items() if name.startswith("data/")}))
    after = sha256(manifest.read_bytes()).hexdigest()
    payload = [(bundle / name).stat().st_size for name in hashes if name.startswith("data/")]
    for name in PAPERS & hashes.keys():
        told = (bundle / name).read_text().replace(before, after)
        (bundle / name).write_text(re.sub("(?m)^Payload-Oxum: .*$", f"Payload-Oxum: {sum(payload)}.{len(payload)}", told))
        hashes[name] = sha256((bundle / name).read_bytes()).hexdigest()
    hashes["manifest-sha256.txt"] = after
    del hashes["tagmanifest-sha256.txt"]
    tags.write_bytes(encode_manifest({name: digest for name, digest in hashes.items() if not name.startswith("data/")}))


FORGERIES: dict[str, tuple[Callable[[Path], None], str]] = {}
PAPERS: Final = frozenset({"README.txt", "certification.txt", "bag-info.txt"})


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
def the_range_is_empty(bundle: Path) -> None:
    proof = (bundle / "data/range/proof").read_text().splitlines(keepends=True)
    leaves = [decode_base64(proof[0].strip()), *map(leaf_hash, decode_bundle((bundle / RANGE).read_bytes()))]
    before = []
    for low, high in ((0, 16), (16, 18), (18, 19)):
        tree = Tree()
        for leaf in leaves[low:high]:
            tree.push(leaf)
        before.append(f"{b64encode(tree.root()).decode()}\n")
    shutil.rmtree(bundle / "data/range")
    for name in ("entries", "proofs", "bodies", "keys"):
        shutil.rmtree(bundle / "data" / name)
    (bundle / "data/range").mkdir()
    (bundle / "data/range/proof").write_text("".join([*before, *proof[1:]]))
    question(bundle, range=[19, 19], entries=[], disclosed=[])


@forgery("data/question.json")
def an_epoch_has_no_token(bundle: Path) -> None:
    question(bundle, tokens={"another": "0" * 32})


@forgery(entry_at(2))
def the_token_is_of_somebody_else(bundle: Path) -> None:
    tokens = orjson.loads((bundle / "data/question.json").read_bytes())["tokens"]
    question(bundle, tokens=dict.fromkeys(tokens, "0" * 32))


@forgery("data/question.json")
def the_token_is_nobodys_and_nothing_answers(bundle: Path) -> None:
    tokens = orjson.loads((bundle / "data/question.json").read_bytes())["tokens"]
    for name in ("entries", "proofs", "bodies", "keys", "policies"):
        shutil.rmtree(bundle / "data" / name)
    nothing = {"entries": [], "disclosed": [], "policies": [], "policy": ""}
    question(bundle, tokens=dict.fromkeys(tokens, "0" * 32), **nothing)
    rewrite(bundle, "README.txt", b"6, of which 3 are opened", b"0, of which 0 are opened")
    rewrite(bundle, "certification.txt", b"The answer has 6 entries", b"The answer has 0 entries")


@forgery("data/question.json")
def the_question_is_about_somebody_else(bundle: Path) -> None:
    question(bundle, value="badge-2")
    for name in ("README.txt", "certification.txt"):
        rewrite(bundle, name, b"badge-1", b"badge-2")


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


@forgery("data/summary.html")
def a_file_is_put_in(bundle: Path) -> None:
    (bundle / "data/summary.html").write_text("<p>The officer asked nothing.</p>")


@forgery("data/earlier/5.proof")
def a_proof_of_no_checkpoint_is_put_in(bundle: Path) -> None:
    shutil.copy(bundle / "data/earlier/8.proof", bundle / "data/earlier/5.proof")


@forgery("data/range/more.txt")
def a_file_more_lies_beside_the_range(bundle: Path) -> None:
    (bundle / "data/range/more.txt").write_text("more")


@forgery(body_at(10))
def a_body_is_missing(bundle: Path) -> None:
    (bundle / body_at(10)).unlink()


@forgery("data/question.json")
def the_question_says_two_things(bundle: Path) -> None:
    rewrite(bundle, "data/question.json", b'"value":', b'"value": "badge-2",\n  "value":')


def _readme_is_replaced(bundle: Path) -> None:
    (bundle / "README.txt").write_text("The officer asked nothing.\n")


def _certification_has_another_count(bundle: Path) -> None:
    rewrite(bundle, "certification.txt", b"The answer has 6 entries", b"The answer has 9 entries")


def _certification_has_another_exporter(bundle: Path) -> None:
    rewrite(bundle, "certification.txt", b"login:clerk exported", b"login:chief exported")


def _certification_has_other_words(bundle: Path) -> None:
    rewrite(bundle, "certification.txt", b"as a regular practice, and not by hand", b"now and then")


def _bag_info_has_another_origin(bundle: Path) -> None:
    rewrite(bundle, "bag-info.txt", b"log.example/node-1", b"log.example/node-2")


def _viewer_is_replaced(bundle: Path) -> None:
    (bundle / "data/viewer.html").write_text("<p>Everything holds.</p>")


BESIDE: Final[dict[str, tuple[Callable[[Path], None], str, bool]]] = {
    "README replaced": (_readme_is_replaced, "README.txt", True),
    "certification: count": (_certification_has_another_count, "certification.txt", True),
    "certification: exporter": (_certification_has_another_exporter, "certification.txt", True),
    "certification: words": (_certification_has_other_words, "certification.txt", False),
    "bag-info": (_bag_info_has_another_origin, "bag-info.txt", False),
    "viewer": (_viewer_is_replaced, "data/viewer.html", False),
}
"""What is done beside the evidence, the file, and whether `deploy/verify` refuses it, which knows what papers must state."""
