"""What of a log was removed on purpose: everything before one entry, whose hashes stay.

The file ``pruned`` says from which entry on the log is kept, and holds what is needed to go on from there without the rest: the
signed checkpoint at that size, and the unfinished tiles of the tree at it (C2SP tlog-tiles, "Pruning": entry bundles and
segments may go, hash tiles stay, so every proof from kept entries on and between any two checkpoints can still be made).

It is put in place, durably, before anything is removed, and whatever it covers is not looked at from then on. *Crash before:*
nothing was removed. *Crash after:* the rest is removed at the next start (``sweep``), segments last, so that a first segment
that is kept means that all is done.

That somebody may prune is for an entry of the log to say; this file claims no more than that it was done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.tlog.errors import LogDamaged, NoteInvalid
from proxy.tlog.files import replace, sync_directory
from proxy.tlog.frames import SEGMENT_NAME
from proxy.tlog.store import PRUNED, SEGMENTS, first_kept
from proxy.tlog.tiles import WIDTH, Edge, Tile, split_hashes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from proxy.tlog.note import Checkpoint, Verifier

INTENDED: Final = "pruning"
_ROWS: Final = "\n--\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """The log is kept from the size of ``checkpoint`` on; ``rows`` are the unfinished tiles of the tree there, by level.

    ``size`` is how long the log was when that was intended: the entry that says so comes later.
    """

    size: int
    checkpoint: Checkpoint
    rows: Sequence[Sequence[bytes]]

    @property
    def first(self) -> int:
        """Return the first entry that is kept."""
        return self.checkpoint.size

    @property
    def content(self) -> bytes:
        """Return the file's content: first kept entry and size, the checkpoint, and a line of hexadecimal digits a level."""
        rows = "\n".join(b"".join(row).hex() for row in self.rows)
        return f"{self.first} {self.size}\n{self.checkpoint.text}{_ROWS}{rows}\n".encode()

    def edge(self) -> Edge:
        """Return the edge of the tree at the first kept entry."""
        edge = Edge(lambda _tile, _content: None)
        edge.restore(self.first, self.rows)
        return edge


def load_pruned(directory: Path, verifier: Verifier, name: str = PRUNED) -> Pruned | None:
    """Return what was pruned, once its checkpoint is signed by the log's key and its tree is that of the checkpoint.

    Raises:
        LogDamaged: it is not so.
    """
    try:
        content = (directory / name).read_bytes()
    except FileNotFoundError:
        return None
    try:
        head, _, rest = content.decode().partition("\n")
        text, _, rows = rest.partition(_ROWS)
        first, size = map(int, head.split(" "))
        hashes = [split_hashes(bytes.fromhex(row)) for row in rows.removesuffix("\n").split("\n")]
        pruned = Pruned(checkpoint=verifier.checkpoint(text), rows=hashes, size=size)
        tree = pruned.edge().tree()
        if (first, tree.size, tree.root()) != (pruned.first, pruned.first, pruned.checkpoint.root) or first % WIDTH:
            raise ValueError("another size or root")  # noqa: TRY301 -- every way of being wrong ends in one sentence
    except (NoteInvalid, ValueError) as error:
        msg = f"{directory / name} is not what was signed ({error}): keep a copy of the directory, and run `audit verify`"
        raise LogDamaged(msg, 0) from error
    return pruned


def intend(directory: Path, pruned: Pruned) -> None:
    """Say durably what is about to be pruned; nothing is pruned by that."""
    replace(directory / INTENDED, pruned.content, durable=True)
    sync_directory(directory)


def give_up(directory: Path) -> None:
    """Take the intent back."""
    (directory / INTENDED).unlink(missing_ok=True)
    sync_directory(directory)


def prune(directory: Path) -> None:
    """Make what was intended so, and remove it. From here on it is gone, whether or not this returns."""
    (directory / INTENDED).replace(directory / PRUNED)
    sync_directory(directory)
    sweep(directory)


def sweep(directory: Path) -> int:
    """Remove what is left of what was pruned; return how many files that were."""
    first = first_kept(directory)
    gone = [path for number, path in _segments(directory) if number < first]
    if not gone:
        return 0
    bundles = list(_bundles(directory, first))
    for path in bundles:
        path.unlink(missing_ok=True)
    for path in gone:
        path.unlink(missing_ok=True)
    sync_directory(directory / SEGMENTS)
    return len(bundles) + len(gone)


def _segments(directory: Path) -> list[tuple[int, Path]]:
    found = ((SEGMENT_NAME.match(path.name), path) for path in (directory / SEGMENTS).iterdir())
    return sorted((int(match[1]), path) for match, path in found if match is not None)


def _bundles(directory: Path, first: int) -> Iterator[Path]:
    """Yield the whole entry bundles before an entry that are there."""
    for number in range(first // WIDTH):
        path = directory / Tile(-1, number).path
        if path.exists():
            yield path
