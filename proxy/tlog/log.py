"""The log: many tasks append, one thread writes.

A batch is everything that waits when the callers of the one before have been told and the event loop has nothing to add
(``_look``). Overlapping two batches, so that the loop serves the callers of one while the disk is busy with the other, was
tried and made it slower: each half pays for a signature and a sync of its own, and the two threads contend for the
interpreter. The way of a batch, and what a crash leaves at each step:

1. The entries are hashed and the new checkpoint signed, in memory. *Crash:* nothing happened; nobody was told anything.
2. Entries and checkpoint go to the segment in one write, then one ``fdatasync``. *Crash:* a part of the batch, or all of it, is
   there. Recovery keeps a whole one (its checkpoint proves it) and cuts off a part. Both are right: nobody was told.
3. The checkpoint goes into the ``acknowledged`` slots. *Crash:* the batch is durable, so it stays.
4. The callers are told. From here on a damaged batch is no longer "unfinished", it is damage, and opening refuses.
5. Tiles and the published checkpoint follow, within a second. *Crash:* they are derived again.

Two checkpoints of one size can be signed only when a crash between 1 and 4 loses the first; it was never shown to anybody,
since only 5 shows checkpoints, and only those that went through 3.

If step 2 fails in any way, the log is poisoned. The entry may or may not be on disk, and trying again would only tell us
about the page cache: Linux reports a failed writeback once and then marks the pages clean. Every later append is refused
until the node is restarted and recovery has decided.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, Self

from proxy.tlog.acknowledged import Acknowledged
from proxy.tlog.batch import Waiting, Written, poisoned
from proxy.tlog.errors import EntryTooLarge, LogBusy, LogClosed, LogDamaged, LogError
from proxy.tlog.files import make_directory
from proxy.tlog.frames import MAX_BODY, MAX_ENTRY, decode_bundle, encode_entries
from proxy.tlog.merkle import Tree, consistency_proof, inclusion_proof, leaf_hashes
from proxy.tlog.note import Checkpoint
from proxy.tlog.pruned import sweep
from proxy.tlog.publisher import Publisher
from proxy.tlog.recovery import recover
from proxy.tlog.rotation import rotations_of, with_rotations
from proxy.tlog.segment import OpenSegment, create_segment
from proxy.tlog.store import ACKNOWLEDGED, LOCK, SegmentReader, first_kept, origin_of
from proxy.tlog.tiles import WIDTH, parse_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from proxy.clock import Clock
    from proxy.tlog.note import Signer, Verifier
    from proxy.tlog.recovery import Recovered
    from proxy.tlog.store import Segment, Stored

SEGMENT_ENTRIES: Final = 65_536
MAX_BATCH: Final = 1024
GATHER_SECONDS: Final = 0.004
GATHER_TURNS: Final = 3
"""How long entries wait at most for others to join them, and how many turns of the event loop without any end that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest durable state. ``checkpoint`` is the signed note; ``time`` is when it was made (or recovered)."""

    size: int
    root: bytes
    checkpoint: str
    time: datetime


class Log:
    """An open log, the only one of its directory. ``append`` belongs to one event loop; everything else to any thread."""

    def __init__(self, directory: Path, *, signer: Signer, clock: Clock, segment_entries: int = SEGMENT_ENTRIES) -> None:
        """Take the lock, recover, and start writing. Blocks: some microseconds for each entry of the last segment.

        Args:
            directory: created, mode 0700, if it is not there.
            signer: the log's name and Ed25519 key.
            clock: for ``head.time`` only.
            segment_entries: entries in a segment file, a multiple of 256.

        Raises:
            LogBusy: another process has it open.
            LogDamaged: what is on disk is not what was signed.
            LogError: the directory cannot be used.
        """
        if segment_entries % WIDTH:
            msg = "a segment holds a multiple of 256 entries"
            raise ValueError(msg)
        self.directory = directory
        self.origin = signer.verifier.name
        self.verifier: Verifier = with_rotations([signer.verifier], rotations_of(directory))
        self._signer = signer
        self._clock = clock
        self._segment_entries = segment_entries
        self._failure: BaseException | None = None
        self._closed = False
        # Appended to by the event loop alone, and taken from by the one of the two whose turn it is (``_writing``).
        self._waiting: deque[Waiting] = deque()
        self._writing = False
        self._queue: SimpleQueue[list[Waiting] | None] = SimpleQueue()
        try:
            make_directory(directory)
            self._lock = _take_lock(directory)
            try:
                _must_be(self.origin, directory)
                self._recover(recover(directory, self.verifier))
            except BaseException:
                os.close(self._lock)
                raise
        except OSError as error:
            msg = f"the log in {directory} cannot be opened: {error.strerror or error}"
            raise LogError(msg) from error
        self._reader = SegmentReader(directory)
        self._thread = threading.Thread(target=self._run, name="tlog-writer", daemon=True)
        self._thread.start()
        self._publisher.finish = lambda checkpoint: signer.doubled(checkpoint, int(clock().timestamp()))
        self._publisher.start()

    def _recover(self, found: Recovered | None) -> None:
        self.torn_bytes = 0 if found is None else found.torn
        if found is None:
            self._tree = Tree()
            checkpoint = self._signer.checkpoint(0, self._tree.root())
            self._segment = self._open(self._create(checkpoint))
            self._publisher = Publisher(self.directory, start=0, rows=(), published=0)
            self._publisher.feed((), (), checkpoint)
        else:
            self._tree, checkpoint, self._publisher = found.tree, found.checkpoint, found.publisher
            self._segment = self._open(found.segment)
        sweep(self.directory)
        self._acknowledged = Acknowledged(self.directory / ACKNOWLEDGED)
        self._acknowledged.write(checkpoint)
        self._head = self._head_at(checkpoint)

    @property
    def head(self) -> Head:
        """Return the newest durable state."""
        return self._head

    @property
    def poisoned(self) -> bool:
        """Tell whether a write or fsync has failed: nothing is accepted any more."""
        return self._failure is not None

    @property
    def failure(self) -> BaseException | None:
        """Return what poisoned it, if anything did."""
        return self._failure

    @property
    def publish_failure(self) -> OSError | None:
        """Return why tiles lag behind, if they do; no evidence is lost by that."""
        return self._publisher.failure

    async def append(self, entry: bytes, body: bytes = b"") -> int:
        """Return the entry's index once it, its body, and everything before them, are durable.

        The body lies beside the entry and is no part of the tree; what binds it is its hash in the entry, which is the
        caller's affair. A caller who is cancelled has still appended: the entry is in the log or will be.

        Raises:
            EntryTooLarge: it is empty or over 65,535 bytes, or the body is over 4 MiB.
            LogPoisoned: it is not confirmed, now or ever in this process.
            LogClosed: the log was closed before.
        """
        if not 0 < len(entry) <= MAX_ENTRY:
            msg = f"an entry has 1 to {MAX_ENTRY} bytes, not {len(entry)}"
            raise EntryTooLarge(msg)
        if len(body) > MAX_BODY:
            msg = f"the body of an entry has up to {MAX_BODY} bytes, not {len(body)}"
            raise EntryTooLarge(msg)
        if self._failure is not None:
            raise poisoned(self._failure)
        if self._closed:
            raise LogClosed("the log is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[int] = loop.create_future()
        self._waiting.append(Waiting(entry, body, future))
        if len(self._waiting) == 1 and not self._writing:
            self._gather(loop)
        return await future

    def read(self, index: int) -> bytes:
        """Return an entry; up to 40 ms for one that is deep in a large segment.

        Raises:
            IndexError: the log has no such entry.
        """
        return self._reader.read(index)

    def entries(self, start: int = 0, end: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield (index, entry) of the durable entries from ``start`` up to ``end``, exclusive."""
        size = self._head.size
        return self._reader.entries(start, size if end is None else min(end, size))

    def stored(self, start: int = 0, end: int | None = None) -> Iterator[Stored]:
        """Yield the durable entries with their bodies, from ``start`` up to ``end``, exclusive."""
        size = self._head.size
        return self._reader.stored(start, size if end is None else min(end, size))

    def prove(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        """Return the RFC 6962 inclusion proof of an entry in the tree of ``size`` entries (default: the head's).

        Raises:
            ValueError: the entry is not among the first ``size``, or the log is not that long.
            LogDamaged: a tile is missing.
        """
        newest = self._head.size
        size = newest if size is None else size
        if size > newest:
            msg = f"the log has {newest} entries, not {size}"
            raise ValueError(msg)
        return inclusion_proof(self._publisher, index, size)

    def prove_consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Return the RFC 6962 proof that the tree of ``new`` entries begins with that of ``old``.

        Raises:
            ValueError: ``new`` is smaller than ``old``, or the log is not that long.
            LogDamaged: a tile is missing.
        """
        if new > self._head.size:
            msg = f"the log has {self._head.size} entries, not {new}"
            raise ValueError(msg)
        return consistency_proof(self._publisher, old, new)

    def published(self, head: Head, time: int) -> Checkpoint:
        """Return a head as a checkpoint to be shown, with the second key's line if there is one; ``time`` in POSIX seconds."""
        plain = Checkpoint(origin=self.origin, size=head.size, root=head.root, text=head.checkpoint)
        return self._signer.doubled(plain, time)

    def tile(self, path: str) -> bytes | None:
        """Return the tile at a C2SP path (``tile/0/x001/234.p/5``), or None when the log has none there."""
        tile = parse_path(path)
        if tile is None:
            return None
        if self._head.size >> 8 * max(tile.level, 0) < tile.number * WIDTH + tile.width:
            return None
        if tile.level < 0:
            if tile.number < first_kept(self.directory) // WIDTH:
                return None
            entries = decode_bundle(self._publisher.entries(tile.number))
            return encode_entries(entries[: tile.width])
        return self._publisher.hashes(tile.level, tile.number)[: tile.width * 32]

    async def close(self) -> None:
        """Write what waits, publish, and release the lock; closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._finish)

    def _finish(self) -> None:
        self._thread.join()
        self._publisher.stop(publish=self._failure is None)
        self._segment.close()
        self._acknowledged.close()
        os.close(self._lock)

    async def __aenter__(self) -> Self:
        """Return the log itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    def _gather(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin a batch: it is handed to the writer once the loop has nothing more to add to it.

        A batch costs a signature, a write and an fsync however many entries it holds, and the writer needs the interpreter
        that a busy loop would have to give up. A loop that is not busy is through its turns at once, so nobody waits there.
        """
        loop.call_soon(self._look, loop, len(self._waiting), GATHER_TURNS, loop.time() + GATHER_SECONDS)

    def _look(self, loop: asyncio.AbstractEventLoop, seen: int, turns: int, until: float) -> None:
        """Look, a turn of the loop later, whether more entries have come; ``turns`` more of them may bring none."""
        waiting = len(self._waiting)
        if waiting > seen:
            turns = GATHER_TURNS
        if turns > 1 and loop.time() < until:
            loop.call_soon(self._look, loop, waiting, turns - 1, until)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._closed:  # the writer takes what waits, and nothing comes any more
            return
        batch = self._take()
        if batch:
            self._writing = True
            self._queue.put(batch)

    def _take(self) -> list[Waiting]:
        return [self._waiting.popleft() for _ in range(len(self._waiting))]

    def _run(self) -> None:
        """Write batch after batch until told to end; a poisoned log goes on answering, with refusals."""
        while (batch := self._queue.get()) is not None:
            self._write_all(batch)
        self._write_all(self._take())

    def _write_all(self, batch: list[Waiting]) -> None:
        while batch:
            room = min(self._segment_entries - self._head.size % self._segment_entries, MAX_BATCH)
            written = self._write(batch[:room])
            batch = batch[room:]
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop = written.entries[0].future.get_loop()
                loop.call_soon_threadsafe(self._tell, loop, written, not batch)

    def _write(self, batch: list[Waiting]) -> Written:
        first = self._head.size
        if self._failure is None:
            try:
                self._commit([waiting.entry for waiting in batch], [waiting.body for waiting in batch])
            except BaseException as error:  # noqa: BLE001 -- whatever it was, these entries are not confirmed
                self._failure = error
        return Written(batch, first, self._failure)

    def _tell(self, loop: asyncio.AbstractEventLoop, written: Written, idle: bool) -> None:  # noqa: FBT001 -- a callback's
        written.tell()
        if idle:
            self._writing = False
            if self._waiting:
                self._gather(loop)

    def _commit(self, entries: list[bytes], bodies: list[bytes]) -> None:
        head = self._head
        if head.size and head.size % self._segment_entries == 0 and self._segment.first != head.size:
            opening = self._signer.checkpoint(head.size, head.root)
            self._segment.close()
            self._segment = self._open(self._create(opening))
        grown = self._tree.extend(leaf_hashes(entries))
        checkpoint = self._signer.checkpoint(self._tree.size, self._tree.root())
        self._segment.commit(entries, bodies, checkpoint)
        self._acknowledged.write(checkpoint)
        self._publisher.feed(entries, grown, checkpoint)
        self._head = self._head_at(checkpoint)

    def _create(self, opening: Checkpoint) -> Segment:
        return create_segment(self.directory, opening)

    def _open(self, segment: Segment) -> OpenSegment:
        return OpenSegment(segment)

    def _head_at(self, checkpoint: Checkpoint) -> Head:
        return Head(size=checkpoint.size, root=checkpoint.root, checkpoint=checkpoint.text, time=self._clock())


def _must_be(origin: str, directory: Path) -> None:
    found = origin_of(directory)
    if found not in {None, origin}:
        msg = (
            f"the log in {directory} is {found}, not {origin}. If a new log is to go on from it, "
            "`showcause audit new-origin --reason …` begins it and keeps the old one; otherwise set `origin` back"
        )
        raise LogDamaged(msg)


def _take_lock(directory: Path) -> int:
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        msg = f"the log in {directory} is open in another process: stop that one first"
        raise LogBusy(msg) from None
    return descriptor
