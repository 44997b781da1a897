"""How a command changes the store: with its event in the same transaction, and the event in the log before the command ends.

While a server runs it holds the log and drains the outbox within a second; otherwise the command does that itself.
"""

from __future__ import annotations

import os
import pwd
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proxy.audit.sealing import Sealer
from proxy.audit.service import AuditTrail
from proxy.clock import utc_now
from proxy.tlog.errors import LogBusy
from proxy.tlog.keys import load_signer
from proxy.tlog.log import Log

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from proxy.audit.outbox import Outbox
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.settings import Settings


NOBODY: Final = 0xFFFFFFFF
"""The login of a process that none was noted for."""
MOST_ANCESTORS: Final = 256
OPERATOR: Final = "operator"
"""The role of somebody who asks at the machine itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """An open store with its key, and the outbox to put events into within ``database.begin()``."""

    database: Database
    outbox: Outbox
    key: bytes


def sealer_of(settings: Settings) -> Sealer:
    """Return the sealer with the configured keys.

    Raises:
        KeyUnusable: a key file is missing, malformed, or open to others.
    """
    keys = settings.keys
    return Sealer.load(index=keys.index, body=keys.body, store=keys.store)


@asynccontextmanager
async def recording(settings: Settings, *, clock: Clock = utc_now) -> AsyncIterator[Recording]:
    """Yield the store and its outbox; once the body has succeeded, see that what it queued reaches the log.

    Raises:
        DatabaseUnusable, KeyUnusable, LogError: a part cannot be opened; what was committed stays queued.
        AuditUnavailable: the log did not take the events; they stay queued.
    """
    from proxy.audit.outbox import Outbox  # noqa: PLC0415 -- SQLAlchemy takes its time; what only reads the log does without
    from proxy.database import Database  # noqa: PLC0415

    sealer = sealer_of(settings)
    database = Database(settings.store)
    await database.open()
    try:
        outbox = Outbox(database, sealer, clock, os.urandom)
        yield Recording(database=database, outbox=outbox, key=sealer.store_key)
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
        trail = AuditTrail(log, sealer, clock)
        trail.require_newest_keys()
        await outbox.drain(trail)
    return True


def operator(proc: Path = Path("/proc"), environ: Mapping[str, str] = os.environ) -> str:
    """Return who sits there: the login that the kernel remembers through su and sudo, or else this process's user.

    It is a user of the machine, not of the environment: ``USER`` and ``LOGNAME`` are what anybody says of themselves. Where no
    login was noted (a container, a service), any process may note one for itself, and root may set ``SUDO_UID``; so either is
    believed only if this process descends from one of that user. Whoever can become another user can be that one here too.
    """
    uid = _status(proc, "self").get("Uid", os.getuid())
    said = [_number(proc / "self" / "loginuid")]
    if uid == 0:
        said.append(int(text) if (text := environ.get("SUDO_UID", "")).isascii() and text.isdigit() else NOBODY)
    ancestors = set(_ancestors(proc))
    login = next((each for each in said if each != NOBODY and each in ancestors), uid)
    try:
        return f"login:{pwd.getpwuid(login).pw_name}"
    except (KeyError, OverflowError):
        return f"login:{login}"


def _ancestors(proc: Path) -> Iterator[int]:
    """Yield the real user of this process, of its parent, and so on, as far as this user may look."""
    status = _status(proc, "self")
    for _ in range(MOST_ANCESTORS):
        if "Uid" in status:
            yield status["Uid"]
        parent = status.get("PPid", 0)
        if parent == 0:
            return
        status = _status(proc, str(parent))


def _status(proc: Path, process: str) -> Mapping[str, int]:
    """Return the parent and the real user of a process (proc_pid_status(5)); nothing when it has ended or is hidden."""
    try:
        lines = (proc / process / "status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    found = (line.partition(":") for line in lines)
    return {name: int(value.split()[0]) for name, _, value in found if name in {"PPid", "Uid"} and value.split()}


def _number(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return NOBODY
