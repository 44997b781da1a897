"""How a command changes the store: with its event in the same transaction, and the event in the log before the command ends.

While a server runs it holds the log and drains the outbox within a second; otherwise the command does that itself.
"""

from __future__ import annotations

import os
import pwd
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.audit.keys import load_key
from proxy.audit.outbox import Outbox
from proxy.audit.sealing import Sealer
from proxy.audit.service import AuditTrail
from proxy.clock import utc_now
from proxy.database import Database
from proxy.tlog.errors import LogBusy
from proxy.tlog.keys import load_signer
from proxy.tlog.log import Log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proxy.clock import Clock
    from proxy.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """An open store, and the outbox to put events into within ``database.begin()``."""

    database: Database
    outbox: Outbox


def sealer_of(settings: Settings) -> Sealer:
    """Return the sealer with the configured keys.

    Raises:
        KeyUnusable: a key file is missing, malformed, or open to others.
    """
    return Sealer(index_key=load_key(settings.keys.index), body_key=load_key(settings.keys.body))


@asynccontextmanager
async def recording(settings: Settings, *, clock: Clock = utc_now) -> AsyncIterator[Recording]:
    """Yield the store and its outbox; once the body has succeeded, see that what it queued reaches the log.

    Raises:
        DatabaseUnusable, KeyUnusable, LogError: a part cannot be opened; what was committed stays queued.
        AuditUnavailable: the log did not take the events; they stay queued.
    """
    sealer = sealer_of(settings)
    database = Database(settings.store)
    await database.open()
    try:
        outbox = Outbox(database, sealer, clock, os.urandom)
        yield Recording(database=database, outbox=outbox)
        await deliver(settings, outbox, sealer, clock=clock)
    finally:
        await database.close()


async def deliver(settings: Settings, outbox: Outbox, sealer: Sealer, *, clock: Clock = utc_now) -> bool:
    """Drain the outbox into the log; return False when a server holds the log, which then does it.

    Raises:
        LogError, KeyUnusable: the log cannot be opened.
        AuditUnavailable: it did not take the events.
    """
    if not outbox.waiting():
        return True
    try:
        log = Log(settings.log, signer=load_signer(settings.keys.checkpoint, settings.origin), clock=clock)
    except LogBusy:
        return False
    async with log:
        await outbox.drain(AuditTrail(log, sealer, clock))
    return True


def operator() -> str:
    """Return who sits there: the login that the kernel remembers through su and sudo, or else this process's user."""
    try:
        uid = int(Path("/proc/self/loginuid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        uid = -1
    if uid < 0 or uid == 0xFFFFFFFF:
        uid = os.getuid()
    try:
        return f"login:{pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"login:{uid}"
