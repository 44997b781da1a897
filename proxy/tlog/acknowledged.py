"""The newest checkpoint that somebody was told of, at the price of a memory copy.

After a batch is durable and before its callers hear of it, its checkpoint goes into one of two slots of a memory-mapped file,
in turns. The page cache survives the death of the process, so after a kill the slots tell which entries were acknowledged,
and a damaged last batch is not mistaken for one that was never finished. After a power cut the slots may be some seconds old,
never too new: the batch was durable first. A slot torn by a kill fails its signature, and the other one holds the batch before.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Final

from proxy.tlog.errors import NoteInvalid
from proxy.tlog.files import sync_directory

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.tlog.note import Checkpoint, Verifier

SLOT: Final = 2048
SLOTS: Final = 2


class Acknowledged:
    """The open file; one writer."""

    def __init__(self, path: Path) -> None:
        """Open or create the file, mode 0600, with its blocks allocated: a hole would turn a full disk into a SIGBUS."""
        created = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, SLOT * SLOTS)
            os.fsync(descriptor)
            self._map = mmap.mmap(descriptor, SLOT * SLOTS)
        finally:
            os.close(descriptor)
        if created:
            sync_directory(path.parent)
        self._turn = 0

    def write(self, checkpoint: Checkpoint) -> None:
        """Remember a durable checkpoint."""
        content = checkpoint.text.encode()
        start = SLOT * self._turn
        self._map[start : start + len(content) + 2] = len(content).to_bytes(2) + content
        self._turn = (self._turn + 1) % SLOTS

    def close(self) -> None:
        """Write back and unmap; closing twice is harmless."""
        if not self._map.closed:
            self._map.flush()
            self._map.close()


def newest_acknowledged(path: Path, verifier: Verifier) -> Checkpoint | None:
    """Return the newest checkpoint in the slots whose signature holds, or None."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    newest: Checkpoint | None = None
    for start in range(0, min(len(content), SLOT * SLOTS), SLOT):
        length = int.from_bytes(content[start : start + 2])
        try:
            checkpoint = verifier.checkpoint(content[start + 2 : start + 2 + length].decode())
        except (NoteInvalid, UnicodeDecodeError):
            continue
        if newest is None or checkpoint.size > newest.size:
            newest = checkpoint
    return newest
