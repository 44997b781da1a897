"""A log for commands that have to know an entry durable before they go on, whether a server holds the log or not."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

from proxy.audit.entry import EntryUnreadable
from proxy.audit.errors import AuditUnavailable
from proxy.audit.event import Receipt
from proxy.audit.reader import AuditReader
from proxy.cli.recording import deliver, recording, sealer_of
from proxy.tlog.errors import LogDamaged
from proxy.tlog.store import newest_seal

if TYPE_CHECKING:
    from proxy.audit.event import Event
    from proxy.cli.recording import Recording
    from proxy.settings import Settings

WAIT_SECONDS: Final = 30
POLL_SECONDS: Final = 0.05


class QueuedLog:
    """Implements ``audit.event.AuditLog`` through the outbox: an entry's receipt is made when the entry is found in the log.

    A server drains the outbox within a second; without one, each entry is written here, and the log is let go in between, so
    that a server can start at any time.
    """

    def __init__(self, settings: Settings, store: Recording, *, wait_seconds: float = WAIT_SECONDS) -> None:
        """Use an open store.

        Raises:
            KeyUnusable: a key file is missing, malformed, or open to others.
        """
        self._settings = settings
        self._database = store.database
        self._outbox = store.outbox
        self._sealer = sealer_of(settings)
        self._wait_seconds = wait_seconds
        self._next: int | None = None

    async def record(self, event: Event) -> Receipt:
        """Return only once the event is in the log, below a seal.

        Raises:
            AuditUnavailable: it is not there in time; it stays queued, and nothing that depends on it may happen.
            DatabaseUnusable, KeyUnusable, LogError: a part cannot be opened.
        """
        if self._next is None:
            self._next = await asyncio.to_thread(newest_seal, self._settings.log)
        async with self._database.begin() as connection:
            row = await self._outbox.put(connection, event)
        deadline = time.monotonic() + self._wait_seconds
        while True:
            await deliver(self._settings, self._outbox, self._sealer)
            index = await asyncio.to_thread(self._find, row)
            if index is not None:
                return Receipt(origin=self._settings.origin, index=index, kind=event.kind, about=event.about)
            if time.monotonic() > deadline:
                raise AuditUnavailable("The server that holds the log does not take entries; nothing was done. `doctor` looks.")
            await asyncio.sleep(POLL_SECONDS)

    def _find(self, row: str) -> int | None:
        """Return the index of the entry that an outbox row became; what was read is not read again."""
        try:
            for entry in AuditReader(self._settings.log).entries(self._next or 0):
                self._next = entry.index + 1
                if entry.facts.get("outbox") == row:
                    return entry.index
                if entry.facts.get("rejected") == row:
                    raise AuditUnavailable("The entry was altered in the store before it was recorded; nothing was done.")
        except (LogDamaged, EntryUnreadable) as error:
            raise AuditUnavailable("The log cannot be read; run `showcause audit verify`.") from error
        return None


async def recorded(settings: Settings, event: Event) -> Receipt:
    """Record one event, and return only once it is in the log: what depends on it may happen then.

    Raises:
        AuditUnavailable, DatabaseUnusable, KeyUnusable, LogError: as ``QueuedLog.record``.
    """
    async with recording(settings) as store:
        return await QueuedLog(settings, store).record(event)
