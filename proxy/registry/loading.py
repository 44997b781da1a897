"""What one process holds of a sealed table: each row as a profile, brought up to date by what has changed.

What is read has to add up, with what is held, to the manifest of the same moment. Where it does not (a row that was altered, a
key that was replaced, changes that nobody wrote down), everything is read; where that does not either, nothing is believed.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

from proxy.registry.person import Entry, Staff
from proxy.registry.profile import Profile, derive
from proxy.registry.sealing import MODULUS, TAG, Manifest
from proxy.registry.turns import Turns, ahead
from proxy.registry.workers import working

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from proxy.registry.cache import Cache
    from proxy.registry.reading import Reading
    from proxy.registry.store import SealedTable
    from proxy.registry.tokens import Tokens
    from proxy.registry.workers import Said, Workers

    Batch = Sequence[tuple[str, bytes | None]]

Owner = TypeVar("Owner", Entry, Staff)


SHARED_FROM: Final = 5_000
"""So many rows that are not held yet are worth the processes that make them."""


MOST_UNKEPT: Final = 2_048


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
    rows: dict[str, Row] = field(default_factory=dict)
    generation: int = -1
    manifest: Manifest = field(default_factory=Manifest)
    key: bytes = b""
    shared_from: int = SHARED_FROM
    _made: tuple[Tokens, Cache] | None = None
    _unkept: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)

    def begin(self, tokens: Tokens) -> None:
        """Make profiles of these tokens, before any is made."""
        self._made = tokens, self.table.cache(tokens.mark)

    @property
    def tokens(self) -> Tokens:
        """Return what profiles are made of."""
        assert self._made is not None
        return self._made[0]

    @property
    def cache(self) -> Cache:
        """Return what was derived before."""
        assert self._made is not None
        return self._made[1]

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

    async def keep(self) -> None:
        """Keep what was derived and is not yet kept; for when all of it has been taken in, since it may have to wait."""
        unkept, self._unkept = self._unkept, {}
        await self.cache.keep(unkept)

    def doubt(self) -> None:
        """Read everything the next time."""
        self.generation = -1

    async def _read(self, reading: Reading) -> News | None:
        """Return the news; None when they do not add up."""
        gone = set(self.rows) if reading.whole else set()
        count, total = (0, 0) if reading.whole else (self.manifest.count, self.manifest.total)
        row_hash, turns = reading.sealing.row_hash, Turns()
        rows: dict[str, Row | None] = {}
        many = reading.whole and reading.manifest.count - len(self.rows) >= self.shared_from
        async with AsyncExitStack() as stack:
            workers: Workers | None = None
            async for batch, kept in await stack.enter_async_context(aclosing(ahead(self._batches(reading)))):
                said: list[Said] = []
                for row, sealed in batch:
                    held = self.rows.get(row)
                    gone.discard(row)
                    if held is not None and not reading.whole:
                        count, total = count - 1, total - row_hash(row, held.tag)
                    if sealed is not None:
                        tag = sealed[-TAG:]
                        count, total = count + 1, total + row_hash(row, tag)
                        if held is None or held.tag != tag:
                            self._open(row, sealed, kept.get(row), rows, said)
                    elif held is not None:
                        rows[row] = None
                    await turns.give()
                workers = workers or (await self._helped(stack) if said and many else None)
                await self._make(said, workers, rows, turns)
            while workers is not None and not workers.idle:
                await self._take(workers, rows, turns)
        manifest = Manifest(count=count, total=total % MODULUS)
        if manifest != reading.manifest:
            return None
        rows |= dict.fromkeys(gone)
        return News(rows=rows, generation=reading.generation, manifest=manifest, key=reading.sealing.key)

    def _batches(self, reading: Reading) -> Callable[[], Coroutine[None, None, tuple[Batch, Mapping[str, bytes]] | None]]:
        """Return how to read the next rows, with what is kept of them."""
        batches = reading.batches()

        async def read() -> tuple[Batch, Mapping[str, bytes]] | None:
            if (batch := await anext(batches, None)) is None:
                return None
            return batch, await self.cache.find(reading.connection, [row for row, _ in batch]) if reading.whole else {}

        return read

    async def _helped(self, stack: AsyncExitStack) -> Workers | None:
        return await stack.enter_async_context(working(self.unpack, self.tokens))

    def _open(self, row: str, sealed: bytes, kept: bytes | None, rows: dict[str, Row | None], said: list[Said]) -> None:
        """Make a row of what was derived of it before, or have it said; a payload that was altered is noticed either way."""
        tag, content = sealed[-TAG:], self.table.open(row, sealed)
        derived = self.cache.open(row, tag, kept) if kept else None
        if derived:
            rows[row] = Row(tag, hash(content), Profile(derived, self.tokens))
        else:
            said.append((row, tag, content))

    async def _make(self, said: list[Said], workers: Workers | None, rows: dict[str, Row | None], turns: Turns) -> None:
        """Make rows of what they say, or have workers make them."""
        if workers is not None:
            if said:
                await workers.give(said)
            if workers.full:
                await self._take(workers, rows, turns)
            return
        for row, tag, content in said:
            held, digest = self.rows.get(row), hash(content)
            if held is not None and held.content == digest:
                rows[row] = held._replace(tag=tag)  # only sealed anew
            else:
                self._unkept[row] = tag, (derived := derive(self.unpack(content), self.tokens))
                rows[row] = Row(tag, digest, Profile(derived, self.tokens))
            await turns.give()
        if len(self._unkept) >= MOST_UNKEPT:
            await self.keep()

    async def _take(self, workers: Workers, rows: dict[str, Row | None], turns: Turns) -> None:
        for (row, tag, content), derived in await workers.take():
            self._unkept[row] = tag, derived
            rows[row] = Row(tag, hash(content), Profile(derived, self.tokens))
            await turns.give()
        await self.keep()
