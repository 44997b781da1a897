"""A third opinion on an evidence bundle, in Python, with nothing of Showcause: pymerkle does the Merkle trees.

    python verify_bundle.py BUNDLE [SHA256]

It checks the list of files (and with the manifest's SHA-256, as the export printed it, that it is the one that was exported), that
every entry is in the log's tree, that the range is all there is, that no entry of it which answers the question was left out,
and what README and certification state. It does not check signatures, which `showcause-verify` does; compare the root that
it prints with the root that stands in the checkpoint you trust. Python 3.11, `pip install pymerkle==7.*`.
"""

import base64
import hashlib
import json
import re
import sys
from pathlib import Path

from pymerkle.hasher import MerkleHasher

HASHER = MerkleHasher("sha256")
PLACE = re.compile(
    r"data/(viewer\.html|question\.json|checkpoint|range/proof|range/\d{12}\.entries|entries/\d{12}\.json|proofs/\d{12}\.tlog-proof"
    r"|bodies/\d{12}\.body|keys/\d{12}\.key|earlier/\d+\.(checkpoint|proof)|policies/.+)", re.ASCII
)  # fmt: skip


def listed(bundle: Path, name: str) -> set[str]:
    """Hold every listed file against its hash."""
    names = set()
    for line in (bundle / name).read_text("ascii").splitlines():
        digest, file = line.split("  ")
        assert hashlib.sha256((bundle / file).read_bytes()).hexdigest() == digest, f"{file} is not what {name} lists"
        assert file not in names and (not file.startswith("data/") or PLACE.fullmatch(file)), f"{file} is no file of a bundle"
        names.add(file)
    return names


def leads_to(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Return the root of RFC 9162 section 2.1.3.2."""
    last, root = size - 1, leaf
    for sibling in path:
        if index & 1 or index == last:
            root = HASHER.hash_pair(sibling, root)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            root = HASHER.hash_pair(root, sibling)
        index, last = index >> 1, last >> 1
    assert last == 0, "the proof is too short"
    return root


def heights(low: int, high: int) -> list[int]:
    """Return the heights of the fewest perfect subtrees over leaves low up to high, from the left."""
    found = []
    while low < high:
        height = (high - low).bit_length() - 1
        found.append(min(height, (low & -low).bit_length() - 1) if low else height)
        low += 1 << found[-1]
    return found


def root_of(peaks: list[tuple[int, bytes]]) -> bytes:
    """Return the root over subtrees of these heights, from the left."""
    stack: list[tuple[int, bytes]] = []
    for height, item in peaks:
        while stack and stack[-1][0] == height:
            item, height = HASHER.hash_pair(stack.pop()[1], item), height + 1
        stack.append((height, item))
    return HASHER.hash_fold([item for _, item in reversed(stack)]) if stack else HASHER.hash_empty()


def leaves_of(data: bytes) -> list[bytes]:
    """Return the entries of a C2SP entry bundle: uint16 length, bytes."""
    found, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        found.append(data[at + 2 : end])
        at = end
    assert at == len(data), "a file of the range is cut off"
    return found


def once(pairs: list[tuple[str, object]]) -> dict:
    """Return a JSON object in which no name stands twice."""
    found = dict(pairs)
    assert len(found) == len(pairs), "data/question.json says something twice"
    return found


def main(bundle: Path, manifest: str = "") -> None:
    """Check everything, or stop at the first thing that is wrong."""
    names = listed(bundle, "tagmanifest-sha256.txt") | listed(bundle, "manifest-sha256.txt") | {"tagmanifest-sha256.txt"}
    there = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if not path.is_dir()}
    assert there == names, f"in no list: {sorted(there - names)}"
    checkpoint = (bundle / "data/checkpoint").read_text("utf-8")
    asked = json.loads((bundle / "data/question.json").read_bytes(), object_pairs_hook=once)
    size, root = int(checkpoint.split("\n")[1]), base64.b64decode(checkpoint.split("\n")[2])
    for index in asked["entries"]:
        leaf = (bundle / f"data/entries/{index:012d}.json").read_bytes()
        head, _, note = (bundle / f"data/proofs/{index:012d}.tlog-proof").read_text("utf-8").partition("\n\n")
        assert note == checkpoint and f"\nindex {index}\n" in head + "\n", f"the proof of entry {index} is of something else"
        path = [base64.b64decode(line) for line in head.split("\n")[2:]]
        assert leads_to(HASHER.hash_buff(leaf), index, size, path) == root, f"entry {index} is not what the log holds"
        body, wanted = bundle / f"data/bodies/{index:012d}.body", json.loads(leaf)["body"]
        assert body.exists() == bool(wanted and index not in asked["shredded"]), f"{body.name} is missing, or should be gone"
        if body.exists():
            assert hashlib.sha256(body.read_bytes()).hexdigest() == wanted, f"{body.name} is another body"
    name = hashlib.sha256((bundle / "manifest-sha256.txt").read_bytes()).hexdigest()
    assert manifest.lower() in ("", name), f"manifest-sha256.txt is not the one that was exported: its SHA-256 is {name}"
    beside(bundle, asked, size, root, name)
    if asked["range"] is not None:
        complete(bundle, asked, size, root)
        assert manifest or asked["disclosed"] or not size, (
            "nothing shows whose tokens these are: give the manifest's SHA-256 too"
        )
    print(f"{len(asked['entries'])} entries hold; root {root.hex()} of {size} entries: is it the one that was signed?")


def beside(bundle: Path, asked: dict, size: int, root: bytes, manifest: str) -> None:
    """Hold keys, policy and what the papers state against the question; their other words nothing vouches for but the manifest."""
    keys = sorted(path.name for path in (bundle / "data/keys").glob("*"))
    assert keys == [f"{index:012d}.key" for index in asked["disclosed"]], "the keys are not those of the entries disclosed"
    found = {path.relative_to(bundle / "data/policies").as_posix(): path.read_bytes()
             for path in (bundle / "data/policies").rglob("*") if path.is_file()}  # fmt: skip
    digest = hashlib.sha256(b"".join(f"{name}\0{len(found[name])}\0".encode() + found[name] for name in sorted(found)))
    assert sorted(found) == sorted(asked["policies"]) and (not found or digest.hexdigest() == asked["policy"]), "another policy"
    count, at, who, case = len(asked["entries"]), asked["exported_at"], asked["exporter"], asked["case"]
    stated = [
        ("README.txt", f"\nEntries            {count}, of which {len(asked['disclosed'])} are opened for reading\n"),
        ("README.txt", f"\nExported           {at} by {who}\nFor the case       {case}\n"),
        ("README.txt", f"\nState of the log   {size} entries, root {root.hex()}\n"),
        ("README.txt", f"\nThis bundle's name {manifest}\n"),
        ("certification.txt", f"\n4. The records. On {at} {who} exported from that log, for the case {case}:\n"),
        (
            "certification.txt",
            f"\n   The answer has {count} entries. The log then held {size} entries with the root\n   {root.hex()}.\n",
        ),
        ("certification.txt", f"\n   whose own SHA-256 hash is\n   {manifest}"),
    ]
    for paper, words in stated:
        assert (bundle / paper).read_text("utf-8").count(words) == 1, (
            f"{paper} does not state what the evidence is: {words.strip()!r}"
        )


def complete(bundle: Path, asked: dict, size: int, root: bytes) -> None:
    """Look through every entry of the range."""
    first, end = asked["range"]
    leaves = [leaf for path in sorted((bundle / "data/range").glob("*.entries")) for leaf in leaves_of(path.read_bytes())]
    around = [base64.b64decode(line) for line in (bundle / "data/range/proof").read_text("ascii").splitlines()]
    before, after = heights(0, first), heights(end, size)
    assert len(leaves) == end - first and len(around) == len(before) + len(after), "the range is too short or too long"
    peaks = [*zip(before, around), *((0, HASHER.hash_buff(leaf)) for leaf in leaves), *zip(after, around[len(before) :])]
    assert root_of(peaks) == root, "the range is not what the log holds"
    entries = [json.loads(leaf) for leaf in leaves]
    since, until = asked["since"], asked["until"]
    assert entries or size == 0, "the range is empty"
    assert not entries or first == 0 or (since and entries[0]["at"] < since), "the range begins too late"
    assert not entries or end == size or (until and entries[-1]["at"] >= until), "the range ends too early"
    timely = [(first + n, e) for n, e in enumerate(entries) if e["at"] >= since and (not until or e["at"] < until)]
    named = {index for index, e in timely if asked["tokens"][e["epoch"]] in e["parties"].get(asked["by"], ())}
    abouts = {e["about"] for index, e in timely if index in named} - {""}
    answers = [index for index, e in timely if index in named or e["about"] in abouts]
    assert answers == asked["entries"], f"left out or put in: {sorted(set(answers) ^ set(asked['entries']))}"


if __name__ == "__main__":
    if not __debug__ or not 2 <= len(sys.argv) <= 3 or not Path(sys.argv[1]).is_dir():
        told = "without -O, name the bundle's folder, unpacked, and the manifest's SHA-256 if you have it"
        print(f"WRONG USE: {told}", file=sys.stderr)
        sys.exit(2)
    try:
        main(Path(sys.argv[1]), *sys.argv[2:])
    except (AssertionError, KeyError, ValueError, OSError, IndexError) as error:
        sys.exit(f"REFUSED: {error}")
