"""What one process holds of a sealed table: each row as a profile, brought up to date by what has changed.

What is read has to add up, with what is held, to the manifest of the same moment. Where it does not (a row that was altered, a
key that was replaced, changes that nobody wrote down), everything is read; where that does not either, nothing is believed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from proxy.registry.person import Entry, Staff
from proxy.registry.profile import Profile, profile_of
from proxy.registry.sealing import MODULUS, TAG, Manifest
from proxy.registry.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from proxy.registry.store import Reading, SealedTable
    from proxy.registry.tokens import Tokens

Owner = TypeVar("Owner", Entry, Staff)


class Row(NamedTuple):
    """One row: its payload's tag, a hash of what it says, and the person."""

    tag: bytes
    content: int
    profile: Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Rows that are new, say something else now, or (None) are gone; and what the table adds up to with them."""

    rows: Mapping[str, Row | None]
    generation: int
    manifest: Manifest
    key: bytes


@dataclass(slots=True)
class Loaded(Generic[Owner]):
    """One table's rows, as of ``generation``."""

    table: SealedTable
    unpack: Callable[[bytes], Owner]
    tokens: Tokens
    rows: dict[str, Row] = field(default_factory=dict)
    generation: int = -1
    manifest: Manifest = field(default_factory=Manifest)
    key: bytes = b""

    async def news(self) -> News | None:
        """Read what has changed; None, within microseconds, when nothing has. Nothing is taken in yet.

        Raises:
            RegistryUnreadable: the table was altered, or was sealed with another key.
        """
        if self.generation >= 0 and self.generation == self.table.generation():
            return None
        if self.generation >= 0:
            async with self.table.reading(self.generation) as reading:
                if (reading.whole or reading.sealing.key == self.key) and (found := await self._read(reading)):
                    return found
        async with self.table.reading() as reading:
            if found := await self._read(reading):
                return found
        raise self.table.altered()

    def settle(self, news: News) -> None:
        """Be up to date, when every row of the news has been taken in."""
        self.generation, self.manifest, self.key = news.generation, news.manifest, news.key

    def doubt(self) -> None:
        """Read everything the next time."""
        self.generation = -1

    async def _read(self, reading: Reading) -> News | None:
        """Return the news; None when they do not add up."""
        gone = set(self.rows) if reading.whole else set()
        count, total = (0, 0) if reading.whole else (self.manifest.count, self.manifest.total)
        row_hash, turns = reading.sealing.row_hash, Turns()
        rows: dict[str, Row | None] = {}
        async for batch in reading.batches():
            for row, sealed in batch:
                held = self.rows.get(row)
                gone.discard(row)
                if held is not None and not reading.whole:
                    count, total = count - 1, total - row_hash(row, held.tag)
                if sealed is not None:
                    tag = sealed[-TAG:]
                    count, total = count + 1, total + row_hash(row, tag)
                    if held is None or held.tag != tag:
                        rows[row] = self._row(row, sealed, held)
                elif held is not None:
                    rows[row] = None
                await turns.give()
        manifest = Manifest(count=count, total=total % MODULUS)
        if manifest != reading.manifest:
            return None
        rows |= dict.fromkeys(gone)
        return News(rows=rows, generation=reading.generation, manifest=manifest, key=reading.sealing.key)

    def _row(self, row: str, sealed: bytes, held: Row | None) -> Row:
        """Return a row as it is now; one that was only sealed anew keeps its profile."""
        said = self.table.open(row, sealed)
        content = hash(said)
        same = held is not None and held.content == content
        return Row(sealed[-TAG:], content, held.profile if held and same else profile_of(self.unpack(said), self.tokens))
