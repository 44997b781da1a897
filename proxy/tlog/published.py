"""Hash tiles read from a log's directory while a server may be writing it: what proofs are made of, without its lock.

Nothing read here is trusted: whoever makes a proof of it holds the proof against the signed root before giving it away.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from proxy.tlog.errors import LogDamaged
from proxy.tlog.merkle import HASH_SIZE, perfect_root
from proxy.tlog.tiles import WIDTH, Tile, split_hashes

if TYPE_CHECKING:
    from pathlib import Path

CACHED_TILES: Final = 4096
_LOOKS: Final = 4
"""A server replaces a partial tile by a wider one, so it may be gone between looking for it and reading it."""


class PublishedNodes:
    """Roots of perfect subtrees (``merkle.Nodes``) of a tree that the published checkpoint covers."""

    def __init__(self, directory: Path, size: int) -> None:
        """Read tiles of the tree of ``size`` leaves, which are published by now."""
        self._directory = directory
        self._size = size
        self._row = lru_cache(CACHED_TILES)(self._read)

    def node(self, height: int, number: int) -> bytes:
        """Return the root over leaves ``number << height`` up to ``(number + 1) << height``.

        Raises:
            LogDamaged: its tile is missing or too short.
        """
        level, rest = divmod(height, 8)
        first = number << rest
        row = self._row(level, first // WIDTH)
        return perfect_root(row[first % WIDTH : first % WIDTH + (1 << rest)])

    def _read(self, level: int, number: int) -> list[bytes]:
        wanted = min((self._size >> 8 * level) - number * WIDTH, WIDTH)
        full = self._directory / Tile(level, number).path
        for _ in range(_LOOKS):
            for path in (full, *full.with_name(full.name + ".p").glob("*")):
                try:
                    content = path.read_bytes()
                except OSError:
                    continue
                if len(content) >= wanted * HASH_SIZE:
                    return split_hashes(content)[:wanted]
        msg = f"{full} is missing or too short: run `showcause audit verify`; the next start derives it again"
        raise LogDamaged(msg)
