"""The segment that is being written: append, sync, and a new file when it is full."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from proxy.tlog.files import make_directory, replace, sync_directory, write_all
from proxy.tlog.frames import encode_seal, encode_stored, segment_name
from proxy.tlog.store import SEGMENTS, Segment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from proxy.tlog.note import Checkpoint


def create_segment(directory: Path, opening: Checkpoint) -> Segment:
    """Create the segment that continues after ``opening``; it appears under its name only whole and synced.

    Raises:
        OSError: it could not be made durable.
    """
    make_directory(directory / SEGMENTS)
    path = directory / SEGMENTS / segment_name(opening.size)
    replace(path, encode_seal(opening.text), durable=True)
    sync_directory(path.parent)
    return Segment(opening.size, path)


class OpenSegment:
    """An append-only file descriptor."""

    def __init__(self, segment: Segment) -> None:
        """Open the file at its end."""
        self.first = segment.first
        self._descriptor = os.open(segment.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def commit(self, entries: Sequence[bytes], bodies: Sequence[bytes], seal: Checkpoint) -> None:
        """Return once a batch, its bodies and its seal are on disk: one write, one fdatasync.

        Raises:
            OSError: they may or may not be, and nobody can tell before a restart.
        """
        self._write(encode_stored(entries, bodies) + encode_seal(seal.text))
        self._sync()

    def _write(self, batch: bytes) -> None:
        write_all(self._descriptor, batch)

    def _sync(self) -> None:
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Close the descriptor; closing twice is harmless."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
