"""A third opinion on an evidence bundle, in Python, with nothing of Showcause: pymerkle does the Merkle trees.

    python verify_bundle.py BUNDLE

It checks the list of files, that every entry is in the log's tree, that the range is all there is, and that no entry of it
which answers the question was left out. It does not check signatures, which `showcause-verify` does; compare the root that it prints with
the root that stands in the checkpoint you trust. Python 3.11, `pip install pymerkle==7.*`.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path

from pymerkle.hasher import MerkleHasher

HASHER = MerkleHasher("sha256")


def listed(bundle: Path, name: str) -> set[str]:
    """Hold every listed file against its hash."""
    names = set()
    for line in (bundle / name).read_text("ascii").splitlines():
        digest, file = line.split("  ")
        assert hashlib.sha256((bundle / file).read_bytes()).hexdigest() == digest, f"{file} is not what {name} lists"
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


def main(bundle: Path) -> None:
    """Check everything, or stop at the first thing that is wrong."""
    names = listed(bundle, "tagmanifest-sha256.txt") | listed(bundle, "manifest-sha256.txt") | {"tagmanifest-sha256.txt"}
    there = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if not path.is_dir()}
    assert there == names, f"in no list: {sorted(there - names)}"
    checkpoint = (bundle / "data/checkpoint").read_text("utf-8")
    asked = json.loads((bundle / "data/question.json").read_bytes())
    size, root = int(checkpoint.split("\n")[1]), base64.b64decode(checkpoint.split("\n")[2])
    for index in asked["entries"]:
        leaf = (bundle / f"data/entries/{index:012d}.json").read_bytes()
        head, _, note = (bundle / f"data/proofs/{index:012d}.tlog-proof").read_text("utf-8").partition("\n\n")
        assert note == checkpoint and f"\nindex {index}\n" in head + "\n", f"the proof of entry {index} is of something else"
        path = [base64.b64decode(line) for line in head.split("\n")[2:]]
        assert leads_to(HASHER.hash_buff(leaf), index, size, path) == root, f"entry {index} is not what the log holds"
        body, wanted = bundle / f"data/bodies/{index:012d}.body", json.loads(leaf)["body"]
        if wanted and index not in asked["shredded"]:
            assert hashlib.sha256(body.read_bytes()).hexdigest() == wanted, f"{body.name} is another body"
    if asked["range"] is not None:
        complete(bundle, asked, size, root)
    print(f"{len(asked['entries'])} entries hold; root {root.hex()} of {size} entries: is it the one that was signed?")


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
    try:
        main(Path(sys.argv[1]))
    except (AssertionError, KeyError, ValueError, OSError, IndexError) as error:
        sys.exit(f"REFUSED: {error}")
