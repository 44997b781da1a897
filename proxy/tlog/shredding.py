"""Taking the body of an entry away for good, in the file where it lies.

Zeros of the same length take its place, so that no offset moves and no proof changes. The entry itself, its leaf and every tile
stay what they were. What is overwritten is this file: copies of it, snapshots of its disk, and flash cells that the disk has
put others in the place of, are not.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from typing import TYPE_CHECKING

from proxy.tlog.files import write_at
from proxy.tlog.frames import Kind, frames
from proxy.tlog.store import first_kept, segments_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path


def shred(directory: Path, indexes: Collection[int]) -> int:
    """Overwrite bodies and sync; return how many were still there. Doing it again is harmless, and so is one that was pruned.

    Raises:
        IndexError: the log has no such entry.
        OSError: one could not be overwritten; those before it are gone.
    """
    segments, kept = segments_of(directory), first_kept(directory)
    wanted: dict[Path, set[int]] = {}
    for index in indexes:
        if 0 <= index < kept:
            continue
        place = bisect_right([segment.first for segment in segments], index) - 1
        if place < 0:
            msg = f"the log has no entry {index}"
            raise IndexError(msg)
        wanted.setdefault(segments[place].path, set()).add(index - segments[place].first)
    return sum(_shred(path, numbers) for path, numbers in wanted.items())


def _shred(path: Path, numbers: set[int]) -> int:
    """Overwrite the bodies of entries, counted from the segment's first."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        gone = 0
        for offset, length in _places(path.read_bytes(), numbers):
            write_at(descriptor, bytes(length), offset)
            gone += 1
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    return gone


def _places(data: bytes, numbers: set[int]) -> Iterator[tuple[int, int]]:
    """Yield offset and length of each body that is still there."""
    number = -1
    for frame in frames(data):
        number += frame.kind is Kind.ENTRY
        if frame.kind is Kind.BODY and number in numbers and not frame.shredded:
            yield frame.end - len(frame.content), len(frame.content)
    if numbers and number < max(numbers):
        msg = f"the segment has {number + 1} entries, not {max(numbers) + 1}"
        raise IndexError(msg)
