"""Standard error, written by a thread of its own.

The lines there are a copy of the record, never the record. A journal that is slow, stuck or gone must not hold up a query, as a
write to a full pipe would: it stops the whole process. What does not fit is dropped, and how much is said once there is room.
"""

from __future__ import annotations

import io
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing_extensions import Buffer

DESCRIPTOR: Final = 2
MOST_BYTES: Final = 1 << 20
CLOSE_SECONDS: Final = 1.0


class StandardError(io.RawIOBase):
    """A file whose ``write`` never waits."""

    def __init__(self, descriptor: int = DESCRIPTOR, *, most_bytes: int = MOST_BYTES) -> None:
        """Start the thread; ``descriptor`` stays its owner's."""
        super().__init__()
        self._descriptor = descriptor
        self._most_bytes = most_bytes
        self._blocks: list[bytes] = []
        self._size = 0
        self._dropped = 0
        self._ending = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="standard-error", daemon=True)
        self._thread.start()

    def writable(self) -> bool:
        """Tell that it can be written to."""
        return True

    def write(self, block: Buffer, /) -> int:
        """Take a block of whole lines, or drop it when too much waits already."""
        content = bytes(block)
        with self._changed:
            if self._size + len(content) > self._most_bytes:
                self._dropped += 1
            else:
                self._blocks.append(content)
                self._size += len(content)
            self._changed.notify()
        return len(content)

    def close(self) -> None:
        """Write what waits, for a second at most; what nobody takes by then is lost."""
        with self._changed:
            self._ending = True
            self._changed.notify()
        self._thread.join(CLOSE_SECONDS)
        super().close()

    def _run(self) -> None:
        while blocks := self._take():
            content = b"".join(blocks)
            with suppress(OSError):  # nobody listens any more; the record is elsewhere
                while content:
                    content = content[os.write(self._descriptor, content) :]
            with self._changed:
                self._size -= sum(map(len, blocks))

    def _take(self) -> list[bytes]:
        """Wait for blocks; none at the end."""
        with self._changed:
            while not (self._blocks or self._dropped or self._ending):
                self._changed.wait()
            blocks, self._blocks = self._blocks, []
            if self._dropped:
                note = b'{"event":"lines dropped","level":"warning","count":%d}\n' % self._dropped
                blocks.append(note)
                self._size += len(note)
                self._dropped = 0
            return blocks
