"""Our logs, judged by code that knows nothing of us: Go's own ``sumdb/{note,tlog}`` and pymerkle.

The Go program is ``deploy/verify``, the one that an expert of the court builds; what was built is kept in pytest's cache.
"""

from __future__ import annotations

import asyncio
import base64
import shutil
import subprocess
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import pymerkle
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.clock import utc_now
from proxy.tlog.log import Log
from proxy.tlog.merkle import leaf_hash
from proxy.tlog.note import Signer
from proxy.tlog.tiles import WIDTH, Tile
from tests.tlog.conftest import ORIGIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

SIZES = (1, 255, 256, 257, 5_000, 70_000)

Verify: TypeAlias = "Callable[..., subprocess.CompletedProcess[str]]"


class Grown(NamedTuple):
    """One log as it was at each size, its key, and the checkpoints that somebody kept meanwhile."""

    at: Mapping[int, Path]
    kept: Mapping[int, Path]
    vkey: str
    entries: Sequence[bytes]
    paths: Mapping[tuple[int, int], tuple[bytes, ...]]


async def _grow(home: Path, signer: Signer) -> Grown:
    entries = [b"entry %d %s" % (number, b"x" * (number % 17)) for number in range(SIZES[-1])]
    grown = Grown({}, {}, signer.verifier.vkey, entries, {})
    at, kept, paths = dict(grown.at), dict(grown.kept), dict(grown.paths)
    begun = 0
    for size in SIZES:
        async with Log(home / "log", signer=signer, clock=utc_now) as log:
            for start in range(begun, size, 1024):
                await asyncio.gather(*(log.append(entry) for entry in entries[start : min(start + 1024, size)]))
            for index in {0, size // 3, size - 1}:
                paths[size, index] = log.prove(index)
        begun = size
        at[size] = home / str(size)
        await asyncio.to_thread(shutil.copytree, home / "log", at[size])
        kept[size] = home / f"{size}.kept"
        shutil.copy(home / "log" / "checkpoint", kept[size])
    return grown._replace(at=at, kept=kept, paths=paths)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Grown:
    """Return a log that was grown by the real writer, restarted at each size."""
    signer = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    return asyncio.run(_grow(tmp_path_factory.mktemp("grown"), signer))


@pytest.fixture
def verify(showcause_verify: Path) -> Verify:
    """Return a call of the Go program."""

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([showcause_verify, *map(str, arguments)], capture_output=True, text=True, check=False)

    return call


def earlier(grown: Grown, size: int) -> list[object]:
    """Return the arguments that name every checkpoint that was kept before."""
    return [part for kept, path in grown.kept.items() if kept < size for part in ("-earlier", path)]


@pytest.mark.parametrize("size", SIZES)
def test_go_accepts_our_log(grown: Grown, verify: Verify, size: int) -> None:
    """Signature, root, every tile and entry, inclusion, and consistency with every checkpoint that was kept."""
    done = verify("log", grown.at[size], "-key", grown.vkey, *earlier(grown, size))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{size} entries hold")
    assert f"{SIZES.index(size)} earlier checkpoints" in done.stdout


@pytest.mark.parametrize("size", SIZES)
def test_pymerkle_comes_to_the_same_root_and_the_same_proofs(grown: Grown, size: int) -> None:
    """A tree library that knows neither our files nor C2SP: root, inclusion, consistency."""
    lines = (grown.at[size] / "checkpoint").read_text().split("\n")
    root = base64.b64decode(lines[2])
    tree = pymerkle.InmemoryTree()
    tree.append_entries(grown.entries[:size])
    assert tree.get_root() == root
    for index in {0, size // 3, size - 1}:
        proof = tree.prove_inclusion(index + 1, size)
        proof.path[1:] = grown.paths[size, index]
        pymerkle.verify_inclusion(leaf_hash(grown.entries[index]), root, proof, index=index + 1, size=size)
    for kept in (kept for kept in SIZES if kept <= size):
        old = base64.b64decode(grown.kept[kept].read_text().split("\n")[2])
        pymerkle.verify_consistency(old, root, tree.prove_consistency(kept, size), prior_size=kept, later_size=size)


def cover(size: int) -> Iterator[Tile]:
    """Yield every hash tile and bundle of a tree of ``size`` leaves, bundles first, then level by level."""
    for level in (-1, *range(8)):
        count = size >> 8 * max(level, 0)
        if not count:
            return
        yield from (Tile(level, number) for number in range(count // WIDTH))
        if count % WIDTH:
            yield Tile(level, count // WIDTH, count % WIDTH)


def on_disk(directory: Path, tile: Tile) -> Path:
    """Return the file that holds a tile: of partial ones the widest is kept."""
    path = directory / tile.path
    assert path.exists()
    return path


def test_go_refuses_a_flipped_byte_in_any_published_file(grown: Grown, verify: Verify, tmp_path: Path) -> None:
    """Checkpoint, hash tiles of each level, entry bundles: first, middle and last byte of each."""
    size = 257
    names = ["checkpoint", *(str(on_disk(grown.at[size], tile).relative_to(grown.at[size])) for tile in cover(size))]
    damaged = tmp_path / "damaged"
    shutil.copytree(grown.at[size], damaged)
    for name in names:
        content = (damaged / name).read_bytes()
        for offset in {0, len(content) // 2, len(content) - 1}:
            (damaged / name).write_bytes(content[:offset] + bytes([content[offset] ^ 1]) + content[offset + 1 :])
            done = verify("log", damaged, "-key", grown.vkey)
            assert done.returncode == 1, f"{name} at {offset}"
            assert "REFUSED" in done.stderr
        (damaged / name).write_bytes(content)
    assert verify("log", damaged, "-key", grown.vkey).returncode == 0


def test_go_names_the_entry_that_was_altered(grown: Grown, verify: Verify, tmp_path: Path) -> None:
    """One byte of entry 4,000 of 5,000."""
    damaged = tmp_path / "damaged"
    shutil.copytree(grown.at[5_000], damaged)
    bundle = damaged / "tile/entries/015"
    bundle.write_bytes(bundle.read_bytes().replace(b"entry 4000 ", b"entry 4009 "))
    done = verify("log", damaged, "-key", grown.vkey)
    assert (done.returncode, done.stderr) == (1, "REFUSED: entry 4000 is not what was signed\n")


def test_go_refuses_another_key(grown: Grown, verify: Verify) -> None:
    """A stranger's log under the same name."""
    stranger = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(b"s" * 32)).verifier.vkey
    assert verify("log", grown.at[256], "-key", stranger).returncode == 1


@pytest.mark.parametrize(
    "rewritten",
    [
        pytest.param(lambda entries: [*entries[:100], *entries[101:300]], id="an entry is dropped"),
        pytest.param(lambda entries: [*entries[:100], b"new", *entries[100:300]], id="an entry is inserted, backdated"),
        pytest.param(lambda entries: [*entries[:100], b"altered", *entries[101:300]], id="an entry is altered"),
        pytest.param(lambda entries: [*entries[:99], entries[100], entries[99], *entries[101:300]], id="two are swapped"),
    ],
)
def test_go_refuses_a_history_that_the_log_itself_has_signed_anew(
    grown: Grown, verify: Verify, tmp_path: Path, rewritten: Callable[[Sequence[bytes]], Sequence[bytes]]
) -> None:
    """An insider with root and the key makes a log that is good in itself; a checkpoint that somebody kept shows it."""
    signer = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))

    async def rewrite() -> None:
        async with Log(tmp_path / "log", signer=signer, clock=utc_now) as log:
            await asyncio.gather(*(log.append(entry) for entry in rewritten(grown.entries)))

    asyncio.run(rewrite())
    assert verify("log", tmp_path / "log", "-key", grown.vkey).returncode == 0
    done = verify("log", tmp_path / "log", "-key", grown.vkey, "-earlier", grown.kept[256])
    assert done.returncode == 1
    assert "256.kept" in done.stderr


def test_go_refuses_a_log_that_was_set_back(grown: Grown, verify: Verify) -> None:
    """An earlier state is consistent in itself; whoever kept a newer checkpoint sees that entries are gone."""
    done = verify("log", grown.at[256], "-key", grown.vkey, "-earlier", grown.kept[257])
    assert done.returncode == 1
    assert "it covers 257 entries, the log has 256" in done.stderr
