"""Derives the C2SP tlog-tiles layout from what the writer has made durable, behind its back and never ahead of it.

Tiles and the file ``checkpoint`` hold nothing that the segments do not, so they may lag (by a second) and may be lost. The
order makes them trustworthy as far as they go: full tiles are synced first, then partial ones are put in place, then the
checkpoint that covers them; after a crash everything from the published checkpoint on is derived again. Of partial tiles only
the widest is kept on disk, since every narrower one is its prefix and ``Log.tile`` cuts it.
"""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING, Final

from proxy.tlog.errors import LogDamaged
from proxy.tlog.files import make_directory, replace, sync_directory
from proxy.tlog.frames import encode_entries
from proxy.tlog.merkle import perfect_root
from proxy.tlog.store import CHECKPOINT
from proxy.tlog.tiles import WIDTH, Edge, Tile, split_hashes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from proxy.tlog.note import Checkpoint

PUBLISH_SECONDS: Final = 1.0
BACKLOG: Final = 128


class Publisher:
    """Keeps the right edge in memory and the rest on disk. Fed by one thread; asked by any."""

    def __init__(self, directory: Path, *, start: int, rows: Sequence[Sequence[bytes]], published: int) -> None:
        """Continue at entry ``start`` (a multiple of 256) with that tree's edge; ``published`` entries are on disk already.

        ``finish`` may put further signatures under a checkpoint before it is published.
        """
        self.failure: OSError | None = None
        self.finish: Callable[[Checkpoint], Checkpoint] = lambda checkpoint: checkpoint
        self._directory = directory
        self._published = published
        self._lock = threading.Lock()
        self._edge = Edge(self._emit)
        self._edge.restore(start, rows)
        self._bundle: list[bytes] = []
        self._pending: dict[Tile, bytes] = {}
        self._checkpoint: Checkpoint | None = None
        self._newest: Checkpoint | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tlog-publisher", daemon=True)

    def feed(self, entries: Sequence[bytes], rows: Sequence[Sequence[bytes]], checkpoint: Checkpoint) -> None:
        """Take a durable batch, what the tree's levels grew by (``Tree.extend``), and the checkpoint that seals it."""
        with self._lock:
            number = self._edge.size // WIDTH
            self._edge.extend(rows)
            self._bundle += entries
            while len(self._bundle) >= WIDTH:
                self._emit(Tile(-1, number), encode_entries(self._bundle[:WIDTH]))
                del self._bundle[:WIDTH]
                number += 1
            self._newest = checkpoint

    def start(self) -> None:
        """Publish every second from now on, in a thread of its own."""
        self._thread.start()

    def stop(self, *, publish: bool) -> None:
        """End the thread, and publish what is left unless the disk is not to be trusted any more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if publish:
            self._try_publish()

    def flush(self) -> None:
        """Write the full tiles that wait, if there are many: a long recovery must not fill the memory.

        Raises:
            OSError: they could not be written.
        """
        if len(self._pending) > BACKLOG:
            self._write_full(dict(self._pending))

    def hashes(self, level: int, number: int) -> bytes:
        """Return all hashes there are of a hash tile, from memory or from disk.

        Raises:
            LogDamaged: the tile should be on disk and is not.
        """
        with self._lock:
            if level < len(self._edge.levels) and number == self._edge.size >> 8 * (level + 1):
                return b"".join(self._edge.levels[level])
            waiting = self._pending.get(Tile(level, number))
        return self._full(Tile(level, number)) if waiting is None else waiting

    def entries(self, number: int) -> bytes:
        """Return all there is of an entry bundle.

        Raises:
            LogDamaged: the bundle should be on disk and is not.
        """
        with self._lock:
            if number == self._edge.size // WIDTH:
                return encode_entries(self._bundle)
            waiting = self._pending.get(Tile(-1, number))
        return self._full(Tile(-1, number)) if waiting is None else waiting

    def node(self, height: int, number: int) -> bytes:
        """Return the root of a perfect subtree (``merkle.Nodes``)."""
        level, rest = divmod(height, 8)
        first = number << rest
        row = split_hashes(self.hashes(level, first // WIDTH))
        return perfect_root(row[first % WIDTH : first % WIDTH + (1 << rest)])

    def _full(self, tile: Tile) -> bytes:
        try:
            return (self._directory / tile.path).read_bytes()
        except OSError as error:
            msg = f"{tile.path} cannot be read ({error.strerror}); it is derived again when the log is next opened"
            raise LogDamaged(msg) from error

    def _emit(self, tile: Tile, content: bytes) -> None:
        covered = (tile.number + 1) << 8 * (max(tile.level, 0) + 1)
        if covered > self._published or not (self._directory / tile.path).exists():
            self._pending[tile] = content

    def _run(self) -> None:
        while not self._stop.wait(PUBLISH_SECONDS):
            self._try_publish()

    def _try_publish(self) -> None:
        # A failure here loses no evidence: tiles are derived. It is kept for /readyz and tried again, with new files.
        try:
            self._publish()
            self.failure = None
        except OSError as error:
            self.failure = error

    def _publish(self) -> None:
        with self._lock:
            checkpoint = self._newest
            if checkpoint is None or checkpoint is self._checkpoint:
                return
            full = dict(self._pending)
            partial = {
                Tile(level, self._edge.size >> 8 * (level + 1), len(row)): b"".join(row)
                for level, row in enumerate(self._edge.levels)
                if row
            }
            if self._bundle:
                partial[Tile(-1, self._edge.size // WIDTH, len(self._bundle))] = encode_entries(self._bundle)
        self._write_full(full)
        for tile, content in partial.items():
            path = self._directory / tile.path
            make_directory(path.parent)
            replace(path, content, durable=False)
        replace(self._directory / CHECKPOINT, self.finish(checkpoint).text.encode(), durable=True)
        sync_directory(self._directory)
        self._checkpoint = checkpoint
        self._forget_narrower(full, partial)

    def _write_full(self, tiles: dict[Tile, bytes]) -> None:
        directories = set()
        for tile, content in tiles.items():
            path = self._directory / tile.path
            make_directory(path.parent)
            replace(path, content, durable=True)
            directories.add(path.parent)
        for directory in directories:
            sync_directory(directory)
        with self._lock:
            for tile in tiles:
                del self._pending[tile]

    def _forget_narrower(self, full: dict[Tile, bytes], partial: dict[Tile, bytes]) -> None:
        for tile in full:
            shutil.rmtree(self._directory / f"{tile.path}.p", ignore_errors=True)
        for tile in partial:
            path = self._directory / tile.path
            for other in path.parent.iterdir():
                if other != path:
                    other.unlink()
