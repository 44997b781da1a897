"""Offline verification of a log's directory: with the public key, and against whatever checkpoints others remember.

1. The published and the acknowledged checkpoint, and those given as ``seen``, must be signed by the log's key.
2. Every entry is hashed; after each batch the seal must name that size and root, and be signed. While they do, the entries are
   what was signed, and a tile that differs is a wrong tile.
3. Where they do not, the leaf hashes in the level-0 tiles tell which entry was altered: the first that differs is named,
   and verification ends there, since every later root depends on it. Without tiles (the last second before a crash) the first
   entry of the batch is named.
4. The tree at the size of each checkpoint must have its root; entries it covers and that are not there are missing.
5. Every tile and bundle that the published checkpoint covers must be there and be what the entries give.
6. Bodies are held against their CRC only: no root covers them. Whether each has the hash that its entry states, or may be
   shredded, is read from the entries (``proxy.audit.bodies``).

Where entries were pruned (``pruned``), the level-0 tiles stand in for them: their hashes must lead to the signed checkpoint
from which on the log is kept, and every root and hash tile before it is held against them.

What this proves: nothing below a checkpoint that *somebody else* remembers was altered, dropped or inserted. The log's own key
could sign another history; only a checkpoint from elsewhere (``seen``) shows that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from proxy.tlog.acknowledged import newest_acknowledged
from proxy.tlog.errors import LogDamaged, NoteInvalid
from proxy.tlog.frames import Frame, Kind, encode_entries, frames
from proxy.tlog.merkle import Tree, leaf_hash
from proxy.tlog.pruned import Pruned, load_pruned
from proxy.tlog.store import ACKNOWLEDGED, CHECKPOINT, PRUNED, Segment, segments_of
from proxy.tlog.tiles import WIDTH, Edge, Tile, split_hashes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from proxy.tlog.note import Checkpoint, Verifier


FindingKind: TypeAlias = Literal["entry", "missing", "seal", "checkpoint", "tile", "body"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it was signed. ``index`` is the entry, where one can be named."""

    kind: FindingKind
    index: int | None
    path: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What verification found. ``size`` and ``root`` are those up to which everything holds.

    ``unfinished`` counts the bytes of a last batch that nobody was told of: a writer at work, or a crash. No finding.
    ``pruned`` is how many entries were removed on purpose; whether that was in order is for an entry of the log to say.
    """

    origin: str
    size: int
    root: bytes
    published: int
    unfinished: int
    pruned: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Tell whether there is no finding."""
        return not self.findings


def verify(
    directory: Path,
    verifier: Verifier,
    *,
    seen: Sequence[str] = (),
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Verify a log's directory; about 100 microseconds for each batch and 3 for each entry.

    Args:
        directory: the log's; nothing in it is changed and no lock is taken, so a server may be writing.
        verifier: the log's public key, from elsewhere than this directory.
        seen: checkpoints that somebody else has kept.
        progress: is told the number of entries verified so far, now and then.

    Raises:
        OSError: files cannot be read.
    """
    return _Verification(directory, verifier, progress or (lambda _size: None)).run(seen)


@dataclass(slots=True)
class _Batch:
    leaves: list[bytes] = field(default_factory=list)
    entries: list[bytes] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)  # entries of the batch whose bodies are not what was written


class _Fault(NamedTuple):
    signed: bool  # then the seal is good, and the entries are not
    message: str


class _Verification:
    def __init__(self, directory: Path, verifier: Verifier, progress: Callable[[int], None]) -> None:
        self._directory = directory
        self._verifier = verifier
        self._progress = progress
        self._findings: list[Finding] = []
        self._claims: list[tuple[str, Checkpoint]] = []
        self._roots: dict[int, bytes] = {}
        self._published: Checkpoint | None = None
        self._tree = Tree()
        self._edge = Edge(self._check_full)
        self._bundle: list[bytes] = []
        self._hashes: tuple[int, list[bytes]] = (-1, [])
        self._unfinished = 0
        self._pruned: Pruned | None = None
        self._wanted: frozenset[int] = frozenset()

    def run(self, seen: Sequence[str]) -> Report:
        self._collect(seen)
        self._wanted = frozenset(claim.size for _, claim in self._claims)
        whole = self._pass_pruned() and self._scan_all(segments_of(self._directory))
        if whole:
            self._check_claims()
        return Report(
            origin=self._verifier.name,
            size=self._tree.size,
            root=self._tree.root(),
            published=self._published.size if self._published else 0,
            unfinished=self._unfinished,
            pruned=self._pruned.first if self._pruned else 0,
            findings=tuple(self._findings),
        )

    def _find(self, kind: FindingKind, index: int | None, path: str, message: str) -> None:
        self._findings.append(Finding(kind=kind, index=index, path=path, message=message))

    def _collect(self, seen: Sequence[str]) -> None:
        """Read every checkpoint that makes a claim; the acknowledged one first, for a server at work goes on meanwhile."""
        acknowledged = newest_acknowledged(self._directory / ACKNOWLEDGED, self._verifier)
        if acknowledged is not None:
            self._claims.append((ACKNOWLEDGED, acknowledged))
        texts = [(f"seen checkpoint {number}", text) for number, text in enumerate(seen, 1)]
        published = self._published_text()
        if published is not None:
            texts.append((CHECKPOINT, published))
        for name, text in texts:
            try:
                checkpoint = self._verifier.checkpoint(text)
            except NoteInvalid as error:
                self._find("checkpoint", None, name, f"{name}: {error}")
                continue
            self._claims.append((name, checkpoint))
            if name == CHECKPOINT:
                self._published = checkpoint

    def _published_text(self) -> str | None:
        try:
            return (self._directory / CHECKPOINT).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None

    def _longest(self) -> int:
        return max((claim.size for _, claim in self._claims), default=0)

    def _pass_pruned(self) -> bool:
        """Take the tiles' word for the entries that were pruned, and hold it against what was signed."""
        try:
            self._pruned = load_pruned(self._directory, self._verifier)
        except LogDamaged as error:
            self._find("missing", 0, PRUNED, str(error))
            return False
        if self._pruned is None:
            return True
        self._take_root()
        for number in range(self._pruned.first // WIDTH):
            path = Tile(0, number).path
            row = _hashes(self._directory / path)
            if len(row) != WIDTH:
                self._find("tile", None, path, f"{path} is missing, and the entries that it stands for were pruned")
                return self._go_on(self._pruned)
            for leaf in row:
                self._push(leaf)
        if self._tree.root() != self._pruned.checkpoint.root:
            last = self._tree.size - 1
            self._find(
                "tile", None, "tile/0", f"the hash tiles of the pruned entries 0 to {last} do not lead to the signed root"
            )
            return self._go_on(self._pruned)
        return True

    def _go_on(self, pruned: Pruned) -> bool:
        """Verify what is kept, though the hashes before it are not what they were."""
        self._tree, self._edge = pruned.edge().tree(), Edge(self._check_full)
        self._edge.restore(pruned.first, pruned.rows)
        return True

    def _scan_all(self, segments: list[Segment]) -> bool:
        """Return whether all segments could be walked to their ends."""
        for number, segment in enumerate(segments):
            if segment.first != self._tree.size:
                break
            newest = number == len(segments) - 1
            if not self._scan(segment, segment.path.read_bytes(), newest=newest):
                return False
            self._progress(self._tree.size)
        else:
            return True
        self._find("missing", self._tree.size, "segments", f"the segment that holds entry {self._tree.size} is missing")
        return False

    def _scan(self, segment: Segment, data: bytes, *, newest: bool) -> bool:
        name = str(segment.path.relative_to(self._directory))
        batch, end = _Batch(), 0
        for frame in frames(data):
            if frame.kind is Kind.BODY:
                if frame.damaged and not frame.shredded:
                    batch.damaged.append(len(batch.leaves) - 1)
                continue
            if frame.kind is Kind.ENTRY:
                batch.entries.append(frame.content)
                batch.leaves.append(leaf_hash(frame.content))
                continue
            if not self._sealed(batch, frame, name):
                return False
            batch, end = _Batch(), frame.end
        if end == len(data):
            return True
        return self._open_end(batch, data[end:], name, newest=newest)

    def _sealed(self, batch: _Batch, frame: Frame, name: str) -> bool:
        """Hold a seal against the entries it closes; return whether to go on."""
        tree = self._tree.copy()
        for leaf in batch.leaves:
            tree.push(leaf)
        fault = self._seal_fault(frame, tree)
        if fault is not None:
            altered = self._first_differing(batch)
            if altered is not None or fault.signed or not self._known(tree.size):
                index = self._tree.size if altered is None else altered
                where = f"entry {index}" if altered is not None or len(batch.leaves) == 1 else f"an entry from {index} on"
                self._find("entry", index, name, f"{where} is not what was signed ({fault.message})")
                return False
            self._find("seal", tree.size, name, f"the checkpoint stored before entry {tree.size} is altered ({fault.message})")
        for number in batch.damaged:
            index = self._tree.size + number
            self._find("body", index, name, f"the body of entry {index} is not what was written")
        self._take(batch)
        return True

    def _seal_fault(self, frame: Frame, tree: Tree) -> _Fault | None:
        try:
            checkpoint = self._verifier.checkpoint(frame.content.decode())
        except (NoteInvalid, UnicodeDecodeError) as error:
            return _Fault(signed=False, message=str(error))
        if checkpoint.size != tree.size:
            return _Fault(signed=True, message=f"its checkpoint is of {checkpoint.size} entries, here are {tree.size}")
        if checkpoint.root != tree.root():
            return _Fault(signed=True, message="its checkpoint has another root")
        return None

    def _open_end(self, batch: _Batch, rest: bytes, name: str, *, newest: bool) -> bool:
        """Judge what follows the last seal of a segment."""
        altered = self._first_differing(batch)
        if newest and altered is None and self._longest() <= self._tree.size:
            self._unfinished = len(rest)
            return True
        index = self._tree.size + len(batch.leaves) if altered is None else altered
        self._find("entry", index, name, f"entry {index} is not what was signed: from here on the segment cannot be read")
        return False

    def _take(self, batch: _Batch) -> None:
        """Accept entries, and hold tiles and claims against them."""
        self._take_root()
        for entry, leaf in zip(batch.entries, batch.leaves, strict=True):
            self._bundle.append(entry)
            self._push(leaf)
            size = self._tree.size
            if size % WIDTH == 0:
                self._check_full(Tile(-1, size // WIDTH - 1), encode_entries(self._bundle))
                self._bundle.clear()
            if self._published is not None and size == self._published.size:
                self._check_partial()

    def _push(self, leaf: bytes) -> None:
        self._tree.push(leaf)
        self._edge.push(leaf)
        self._take_root()
        if self._tree.size % WIDTH == 0:
            self._progress(self._tree.size)

    def _take_root(self) -> None:
        """Remember the root here, where a claim is about it."""
        if self._tree.size in self._wanted:
            self._roots[self._tree.size] = self._tree.root()

    def _check_claims(self) -> None:
        for name, claim in self._claims:
            root = self._roots.get(claim.size)
            if claim.size > self._tree.size:
                message = f"{name} is signed for {claim.size} entries, but they end at {self._tree.size}"
                self._find("missing", self._tree.size, name, message)
            elif root is not None and root != claim.root:
                self._find(
                    "checkpoint", None, name, f"{name}: at {claim.size} entries the root is another: two histories were signed"
                )

    def _level0(self, index: int) -> bytes | None:
        """Return the leaf hash that a tile has for an entry."""
        number, place = divmod(index, WIDTH)
        if self._hashes[0] != number:
            full = self._directory / Tile(0, number).path
            rows = [_hashes(path) for path in (full, *full.with_name(full.name + ".p").glob("*"))]
            self._hashes = number, max(rows, key=len)
        row = self._hashes[1]
        return row[place] if place < len(row) else None

    def _first_differing(self, batch: _Batch) -> int | None:
        for index, leaf in enumerate(batch.leaves, self._tree.size):
            expected = self._level0(index)
            if expected is not None and expected != leaf:
                return index
        return None

    def _known(self, size: int) -> bool:
        """Tell whether level-0 tiles vouch for every entry below ``size``, so that a bad seal is a matter of the seal alone."""
        return size == 0 or self._level0(size - 1) is not None

    def _check_full(self, tile: Tile, content: bytes) -> None:
        if self._published is not None and (tile.number + 1) << 8 * (max(tile.level, 0) + 1) <= self._published.size:
            self._check_tile(tile, content)

    def _check_partial(self) -> None:
        for level, row in enumerate(self._edge.levels):
            if row:
                self._check_tile(Tile(level, self._tree.size >> 8 * (level + 1), len(row)), b"".join(row))
        if self._bundle:
            self._check_tile(Tile(-1, self._tree.size // WIDTH, len(self._bundle)), encode_entries(self._bundle))

    def _check_tile(self, tile: Tile, content: bytes) -> None:
        try:
            found = (self._directory / tile.path).read_bytes()
        except FileNotFoundError:
            if tile.width < WIDTH and self._published is not None and self._published_text() != self._published.text:
                return  # a server at work has published a wider one meanwhile
            self._find("tile", None, tile.path, f"{tile.path} is missing")
            return
        if found != content:
            first = next(n for n in range(len(content) + 1) if found[n : n + 1] != content[n : n + 1])
            index = tile.number * WIDTH + first // 32 if tile.level == 0 else None
            self._find("tile", index, tile.path, f"{tile.path} is not what the entries give")


def _hashes(path: Path) -> list[bytes]:
    try:
        return split_hashes(path.read_bytes())
    except OSError:
        return []
