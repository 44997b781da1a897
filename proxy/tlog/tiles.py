"""C2SP tlog-tiles: where a tile lies, and which hashes the right edge of the tree holds.

A tile of level *L* holds up to 256 hashes, each the root of 256**L leaves. A tile that is full never changes; a partial one
is a prefix of what it will become, so any narrower width can be cut from a wider tile.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.tlog.merkle import HASH_SIZE, Tree, perfect_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WIDTH: Final = 256
_PATH: Final = re.compile(
    r"tile/(?P<level>entries|0|[1-9]|[1-5][0-9]|6[0-3])/(?P<number>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?\Z",
)


class Tile(NamedTuple):
    """One tile; ``level`` is -1 for entry bundles, ``width`` 256 when full."""

    level: int
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Return the path below the log's root: ``tile/0/x001/x234/067.p/12``."""
        level = "entries" if self.level < 0 else str(self.level)
        rest, name = self.number, ""
        while True:
            rest, group = divmod(rest, 1000)
            name = f"{group:03d}" + name if not name else f"x{group:03d}/" + name
            if rest == 0:
                break
        suffix = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{level}/{name}{suffix}"


def parse_path(path: str) -> Tile | None:
    """Return the tile that a path names, or None when it names none. The only spelling is the canonical one."""
    match = _PATH.match(path)
    if match is None:
        return None
    level = -1 if match["level"] == "entries" else int(match["level"])
    number = int(match["number"].replace("x", "").replace("/", ""))
    tile = Tile(level, number, int(match["width"] or WIDTH))
    return tile if tile.path == path else None


def split_hashes(data: bytes) -> list[bytes]:
    """Return the hashes of a hash tile."""
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]


class Edge:
    """The unfinished tile of each level, fed leaf by leaf; ``emit`` is handed every hash tile that becomes full."""

    def __init__(self, emit: Callable[[Tile, bytes], None]) -> None:
        """Start with an empty tree."""
        self.size = 0
        self.levels: list[list[bytes]] = [[]]
        self._emit = emit

    def push(self, leaf: bytes) -> None:
        """Append one leaf hash."""
        self.size += 1
        level, item = 0, leaf
        while True:
            if level == len(self.levels):
                self.levels.append([])
            row = self.levels[level]
            row.append(item)
            if len(row) < WIDTH:
                return
            self._emit(Tile(level, (self.size >> 8 * (level + 1)) - 1), b"".join(row))
            item = perfect_root(row)
            row.clear()
            level += 1

    def extend(self, rows: Sequence[Sequence[bytes]]) -> None:
        """Append what ``Tree.extend`` returned for a batch of leaves, level by level: nothing is hashed again."""
        before = self.size
        self.size += len(rows[0]) if rows else 0
        for level, items in enumerate(rows):
            if level == len(self.levels):
                self.levels.append([])
            row = self.levels[level]
            row += items
            number = before >> 8 * (level + 1)
            while len(row) >= WIDTH:
                self._emit(Tile(level, number), b"".join(row[:WIDTH]))
                del row[:WIDTH]
                number += 1

    def restore(self, size: int, rows: Sequence[Sequence[bytes]]) -> None:
        """Continue a tree of ``size`` leaves from the unfinished rows that were read from tiles."""
        self.size = size
        self.levels = [list(row) for row in rows] or [[]]

    def tree(self) -> Tree:
        """Return the tree whose edge this is."""
        tree = Tree()
        for level in range(len(self.levels) - 1, -1, -1):
            for item in self.levels[level]:
                tree.push(item, 8 * level)
        return tree


def edge_tiles(size: int) -> Iterator[Tile]:
    """Yield, level by level from 0, the unfinished tile of a tree of ``size`` leaves (width 0 where there is none)."""
    level = 0
    while size >> 8 * level:
        count = size >> 8 * level
        yield Tile(level, count // WIDTH, count % WIDTH)
        level += 1
