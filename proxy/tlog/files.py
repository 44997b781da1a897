"""File operations whose durability the log rests on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_all(descriptor: int, data: bytes) -> None:
    """Write ``data`` or raise.

    A full disk first shows as a write that takes less than it was given; who ignores that acknowledges half an entry.

    Raises:
        OSError: nothing, or not everything, was written.
    """
    written = os.write(descriptor, data)
    if written != len(data):
        msg = f"short write: {written} of {len(data)} bytes; the disk is full or a quota is reached"
        raise OSError(msg)


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Overwrite a place in a file or raise.

    Raises:
        OSError: not everything was written.
    """
    written = os.pwrite(descriptor, data, offset)
    if written != len(data):
        msg = f"short write: {written} of {len(data)} bytes at {offset}"
        raise OSError(msg)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable: an fsynced file in an unsynced directory can be gone after a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(directory: Path) -> None:
    """Create a directory (mode 0700) and its parents, durably; one that exists is left as it is."""
    if directory.is_dir():
        return
    make_directory(directory.parent)
    directory.mkdir(mode=0o700, exist_ok=True)
    sync_directory(directory.parent)


def replace(path: Path, content: bytes, *, durable: bool) -> None:
    """Put a whole new file in place of the old, never a part of one; ``durable`` also syncs its content.

    The caller syncs the directory.
    """
    temporary = path.with_name(path.name + ".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(descriptor, content)
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
