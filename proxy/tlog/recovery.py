"""What opening a log does before anybody may write: find out what was signed, what is there, and whether the two agree.

1. The opening seal of the segment to start from must be signed by this log's key, and its tree must be that of the tiles
   (if the tiles do not reach it, or lie, everything is read from entry 0, or from the first that was not pruned).
2. From there every entry is hashed, and each seal must name the size and the root that the entries give.
3. The newest seal must be signed, and the bodies of its batch, which no root covers, must be whole by their CRC: a power cut
   may keep the page with the seal and lose one with a body. What follows it is a batch that was never finished, and is cut
   off, *provided* nobody was ever told of it: no acknowledged or published checkpoint may cover it, and no signed seal may
   stand before its end (a batch is only begun once the one before is durable, so at most one can be unfinished).
4. Every published or acknowledged checkpoint must be one of the seals. A longer one means that entries are gone.
5. The last batch is written once more, the same bytes at the same place, and synced. After a failed fsync Linux marks the
   pages clean, so a batch can be readable from the page cache and absent from the disk.

A batch that was complete but never acknowledged is kept: the log may know more than its callers, never less.
What no recovery can see is the whole directory set back to an earlier state, which is consistent in itself; only somebody who
remembers a newer checkpoint can (``verify`` takes such checkpoints, witnesses give them).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.tlog.acknowledged import newest_acknowledged
from proxy.tlog.errors import LogDamaged, NoteInvalid
from proxy.tlog.files import sync_directory
from proxy.tlog.frames import Frame, Kind, frames, next_frame
from proxy.tlog.merkle import Tree, leaf_hashes
from proxy.tlog.note import parse_unverified
from proxy.tlog.pruned import load_pruned
from proxy.tlog.publisher import Publisher
from proxy.tlog.store import ACKNOWLEDGED, CHECKPOINT, SEGMENTS, Segment, segments_of
from proxy.tlog.tiles import WIDTH, Edge, edge_tiles, split_hashes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from proxy.tlog.note import Checkpoint, Verifier

_ADVICE: Final = "Nothing was changed. Keep a copy of the directory, and run `showcause audit verify` to see what is wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """An existing log that may be continued. ``torn`` is the number of bytes of an unfinished batch that were cut off."""

    tree: Tree
    checkpoint: Checkpoint
    segment: Segment
    publisher: Publisher
    torn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """Entries that a seal follows; ``end`` is the offset behind the seal in its segment.

    ``whole`` tells whether its bodies are what was written. Shredding does not reach the newest batch: the entry that
    orders it is in a later one.
    """

    entries: tuple[bytes, ...]
    grown: Sequence[Sequence[bytes]]
    checkpoint: Checkpoint
    tree: Tree
    segment: Segment
    end: int
    whole: bool


def recover(directory: Path, verifier: Verifier) -> Recovered | None:
    """Check an existing log and make it fit to be continued, or return None when there is none yet. Needs the lock.

    Raises:
        LogDamaged: what is on disk is not what was signed; nothing was changed.
        OSError: it cannot be read or repaired.
    """
    segments = segments_of(directory)
    published = _published(directory, verifier)
    acknowledged = newest_acknowledged(directory / ACKNOWLEDGED, verifier)
    promises = [promise for promise in (published, acknowledged) if promise is not None]
    if not segments:
        longest = max((promise.size for promise in promises), default=0)
        if longest:
            msg = f"a checkpoint for {longest} entries is here, but all segments are gone. {_ADVICE}"
            raise LogDamaged(msg, 0)
        return None
    return _Recovery(directory, verifier, segments, promises, published=published.size if published else 0).run()


def _published(directory: Path, verifier: Verifier) -> Checkpoint | None:
    try:
        return verifier.checkpoint((directory / CHECKPOINT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (NoteInvalid, UnicodeDecodeError) as error:
        # This file is only ever replaced whole and synced: no crash leaves half of it.
        msg = f"{directory / CHECKPOINT}: {error}. Is this the key of this log? {_ADVICE}"
        raise LogDamaged(msg) from error


def opening_of(segment: Segment, verifier: Verifier) -> Checkpoint:
    """Return the checkpoint of all that went before a segment.

    Raises:
        LogDamaged: the segment does not open with one that is signed.
    """
    with segment.path.open("rb") as file:
        frame = next_frame(file.read(1 << 16), 0)
    try:
        if frame is None or not frame.sealed:
            raise NoteInvalid("the file does not open with a checkpoint")  # noqa: TRY301 -- one message for both
        return verifier.checkpoint(frame.content.decode())
    except (NoteInvalid, UnicodeDecodeError) as error:
        msg = f"{segment.path}: {error}. Is this the key of this log? {_ADVICE}"
        raise LogDamaged(msg, segment.first) from error


def load_edge(directory: Path, opening: Checkpoint) -> list[list[bytes]] | None:
    """Return the edge of the tree at a checkpoint from the tiles, or None when they do not lead to its root."""
    rows: list[list[bytes]] = []
    for tile in edge_tiles(opening.size):
        if tile.width == 0:
            rows.append([])
            continue
        full = directory / tile._replace(width=WIDTH).path
        candidates = [full, *sorted(full.with_name(full.name + ".p").glob("*"))]
        wide = next((row for row in map(_hashes, candidates) if len(row) >= tile.width), None)
        if wide is None:
            return None
        rows.append(wide[: tile.width])
    edge = Edge(lambda _tile, _content: None)
    edge.restore(opening.size, rows)
    return rows if edge.tree().root() == opening.root else None


def _hashes(path: Path) -> list[bytes]:
    try:
        return split_hashes(path.read_bytes())
    except OSError:
        return []


class _Recovery:
    def __init__(
        self,
        directory: Path,
        verifier: Verifier,
        segments: list[Segment],
        promises: list[Checkpoint],
        *,
        published: int,
    ) -> None:
        self._pruned = load_pruned(directory, verifier)
        self._directory = directory
        self._verifier = verifier
        self._segments = segments
        self._longest = max((promise.size for promise in promises), default=0)
        self._published = published
        self._promised = {promise.size: promise.root for promise in promises}
        self._last: _Batch | None = None  # sealed, not yet published: its signature is still to be checked
        self._before: _Batch | None = None

    def run(self) -> Recovered:
        following, rows = self._start()
        start = self._segments[following].first
        self._promised = {size: root for size, root in self._promised.items() if size >= start}
        edge = Edge(lambda _tile, _content: None)
        edge.restore(start, rows)
        self._publisher = Publisher(self._directory, start=start, rows=rows, published=self._published)
        tree = edge.tree()
        data = b""
        for number in range(following, len(self._segments)):
            data = self._segments[number].path.read_bytes()
            tree = self._scan(self._segments[number], data, tree, newest=number == len(self._segments) - 1)
        return self._settle(self._segments[-1], data)

    def _start(self) -> tuple[int, list[list[bytes]]]:
        """Choose the segment to start from: the one that holds the published size, if the tiles reach its beginning."""
        kept = self._pruned.first if self._pruned is not None else 0
        if self._segments[0].first != kept:
            msg = f"the segments from entry {kept} up to entry {self._segments[0].first} are gone. {_ADVICE}"
            raise LogDamaged(msg, kept)
        reached = [n for n, segment in enumerate(self._segments) if segment.first <= self._published]
        number = max((n for n in reached if self._segments[n].first % WIDTH == 0), default=0)
        if number:
            opening = self._opening(self._segments[number])
            rows = load_edge(self._directory, opening)
            if rows is not None:
                return number, rows
            self._published = 0
        opening = self._opening(self._segments[0])
        if self._pruned is None:
            return 0, []
        if opening.root != self._pruned.checkpoint.root:
            self._altered(kept)
        return 0, [list(row) for row in self._pruned.rows]

    def _opening(self, segment: Segment) -> Checkpoint:
        return opening_of(segment, self._verifier)

    def _scan(self, segment: Segment, data: bytes, tree: Tree, *, newest: bool) -> Tree:
        """Hash one segment's entries and hold each seal against them; return the tree at the last seal that holds."""
        entries: list[bytes] = []
        good, end, whole = tree, 0, True
        tree = tree.copy()
        for frame in frames(data):
            if frame.kind is Kind.BODY:
                whole = whole and not frame.damaged
                continue
            if frame.kind is Kind.ENTRY:
                entries.append(frame.content)
                continue
            grown = tree.extend(leaf_hashes(entries))
            checkpoint = _seal_of(frame, tree)
            if checkpoint is None:
                break
            good, end = tree.copy(), frame.end
            self._accept(
                _Batch(
                    entries=tuple(entries),
                    grown=grown,
                    checkpoint=checkpoint,
                    tree=good,
                    segment=segment,
                    end=end,
                    whole=whole,
                ),
            )
            entries, whole = [], True
        if end != len(data) and (not newest or self._told_of(data[end:], good.size)):
            self._altered(good.size)
        if end == 0:
            self._altered(segment.first)
        if not newest and good.size != self._next_first(segment):
            self._altered(good.size)
        return good

    def _next_first(self, segment: Segment) -> int:
        return self._segments[self._segments.index(segment) + 1].first

    def _accept(self, batch: _Batch) -> None:
        root = self._promised.pop(batch.checkpoint.size, batch.checkpoint.root)
        if root != batch.checkpoint.root:
            self._altered(max(batch.checkpoint.size - len(batch.entries), 0))
        if self._last is not None:
            self._publisher.feed(self._last.entries, self._last.grown, self._last.checkpoint)
            self._publisher.flush()
        self._before, self._last = self._last, batch

    def _told_of(self, tail: bytes, size: int) -> bool:
        """Tell whether anybody can have been told of what follows the last seal that holds."""
        if self._longest > size:
            return True
        return any(end < len(tail) for end in _signed_seals(tail, size, self._verifier))

    def _altered(self, index: int) -> None:
        msg = f"the log is not what was signed: entry {index} or one of its batch is altered or gone. {_ADVICE}"
        raise LogDamaged(msg, index)

    def _settle(self, segment: Segment, data: bytes) -> Recovered:
        last, before = self._last, self._before
        assert last is not None
        if before is not None and before.segment != last.segment:
            before = None
        if last.whole and self._is_signed(last):
            self._publisher.feed(last.entries, last.grown, last.checkpoint)
            rewrite = before.end if before is not None else 0
        elif before is None or self._longest >= last.checkpoint.size or last.end < len(data) or not self._is_signed(before):
            self._altered(last.checkpoint.size - len(last.entries))
        else:
            # The root is right, and the signature or a body is not: the batch was torn, and nobody was told of it.
            last, rewrite = before, before.end
        self._check_promises(last.checkpoint.size)
        torn = len(data) - last.end
        _make_durable(segment.path, data[rewrite : last.end], rewrite, last.end)
        sync_directory(self._directory / SEGMENTS)
        return Recovered(tree=last.tree, checkpoint=last.checkpoint, segment=segment, publisher=self._publisher, torn=torn)

    def _check_promises(self, size: int) -> None:
        if self._longest > size:
            msg = f"{self._longest} entries were signed and told of, but only {size} are here. {_ADVICE}"
            raise LogDamaged(msg, size)
        if self._promised:
            self._altered(min(self._promised))

    def _is_signed(self, batch: _Batch) -> bool:
        try:
            self._verifier.checkpoint(batch.checkpoint.text)
        except NoteInvalid:
            return False
        return True


def _seal_of(frame: Frame, tree: Tree) -> Checkpoint | None:
    """Return what a seal says if it says it of this tree; its signature is not looked at."""
    try:
        checkpoint = parse_unverified(frame.content.decode())
    except (NoteInvalid, UnicodeDecodeError):
        return None
    return checkpoint if checkpoint.size == tree.size and checkpoint.root == tree.root() else None


def _signed_seals(data: bytes, size: int, verifier: Verifier) -> Iterable[int]:
    """Yield the end offset of every signed seal over more than ``size`` entries, wherever in ``data`` it begins."""
    needle = verifier.name.encode() + b"\n"
    at = data.find(needle)
    while at >= 0:
        frame = next_frame(data, at - 4) if at >= 4 else None
        if frame is not None and frame.sealed:
            try:
                if verifier.checkpoint(frame.content.decode()).size > size:
                    yield frame.end
            except (NoteInvalid, UnicodeDecodeError):
                pass
        at = data.find(needle, at + 1)


def _make_durable(path: Path, content: bytes, offset: int, end: int) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.ftruncate(descriptor, end)
        if os.pwrite(descriptor, content, offset) != len(content):
            msg = f"short write while making the last batch of {path} durable"
            raise OSError(msg)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
