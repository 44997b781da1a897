"""The identity provider's people: noted when a token or a sign-in of theirs holds, written down beside the queries."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from proxy.identity.seen import Seen
from proxy.identity.seen_store import SeenStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.identity.claims import Identity
    from proxy.identity.credential import Holder

PAUSE: Final = timedelta(hours=1)
"""How exactly it is known when somebody was last there; each token would else be a commit."""
WITHIN: Final = timedelta(days=45)
"""Longer than anybody stands in for somebody who is away."""


class People:
    """Everybody on this store, of every process. ``within`` is after how long without a token somebody is known no more."""

    def __init__(self, database: Database, *, clock: Clock, within: timedelta = WITHIN) -> None:
        """Take the store, and the time."""
        self._database = database
        self._store = SeenStore(database)
        self._clock = clock
        self._within = within
        self._generation = -1
        self._known: dict[str, Seen] = {}
        self._waiting: dict[str, Seen] = {}

    def saw(self, who: Identity, issued_at: datetime, now: datetime) -> None:
        """Note whom a token that holds is of; no waiting, some microseconds.

        Raises:
            DatabaseUnusable: the store cannot be read.
        """
        self._refresh()
        known = self._waiting.get(who.person) or self._known.get(who.person)
        seen = Seen.of(who, issued_at, now).beside(known)
        if seen.adds(known, now=now, pause=PAUSE):
            newest = issued_at if known is None else max(issued_at, known.issued_at)
            self._waiting[who.person] = replace(seen, issued_at=newest)

    async def write(self) -> None:
        """Write down who was noted since.

        Raises:
            DatabaseUnusable: the store cannot be written; nobody is forgotten, and the next turn tries anew.
        """
        waiting = dict(self._waiting)
        if not waiting:
            return
        await self._store.keep(waiting.values())
        self._waiting = {person: seen for person, seen in self._waiting.items() if waiting.get(person) is not seen}

    async def forget_aged(self) -> None:
        """Remove those who have not been seen for so long."""
        now = self._clock()
        self._refresh()
        aged = [each.person for each in self._known.values() if not each.fresh(now, self._within)]
        if aged:
            async with self._database.begin() as connection:
                await self._store.forget(connection, aged)

    def holders(self, now: datetime) -> Iterator[Holder]:
        """Yield who is known, once for each role that the newest token gave.

        Raises:
            DatabaseUnusable: the store cannot be read.
        """
        for seen in self.known(now):
            yield from seen.holders()

    def known(self, now: datetime) -> list[Seen]:
        """Return who was seen lately.

        Raises:
            DatabaseUnusable: the store cannot be read.
        """
        self._refresh()
        return [each for each in self._known.values() if each.fresh(now, self._within)]

    def persons(self) -> frozenset[str]:
        """Return everybody whom the store still has, however long ago they came, and who came just now.

        Raises:
            DatabaseUnusable: the store cannot be read.
        """
        self._refresh()
        return frozenset([*self._known, *self._waiting])

    def _refresh(self) -> None:
        generation = self._store.generation()
        if generation != self._generation:
            # The number is read before the rows: a commit in between costs one more load.
            self._known = self._store.load()
            self._generation = generation
