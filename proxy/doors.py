"""The three doors: what stands behind each; opened last, closed first, and drained at once."""

from __future__ import annotations

import asyncio
import resource
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.identity.tls import server_context
from proxy.tlog.keys import load_line
from proxy.web.limits import Limits
from proxy.web.ops import Ops
from proxy.web.server import Door

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AsyncExitStack

    from proxy.audit.service import AuditTrail
    from proxy.parts import Parts
    from proxy.policy.live import LivePolicy
    from proxy.rooms import Rooms
    from proxy.settings import Settings
    from proxy.settings.model import DoorSettings
    from proxy.tlog.witnesses import Witnesses
    from proxy.web.ops import Check
    from proxy.web.protocol import Handler

    Ready = Callable[[], Awaitable[Sequence[Check]]]

BESIDE: Final = 256
"""What is open beside the doors' connections and those to the records server: the log, the store, other servers."""


def make_room(settings: Settings) -> None:
    """Let this process have as many files open as its doors may take connections.

    Without room asyncio tries again and again to accept, and has time for nothing else.

    Raises:
        OSError: the system does not allow so many.
    """
    needed = 3 * settings.limits.connections + settings.upstream.connections + BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        wanted = f"limits.connections: {settings.limits.connections} at three doors wants {needed}"
        hint = "raise the limit (`LimitNOFILE=` of the unit, `ulimit -Hn`), or lower limits.connections"
        msg = f"this process may have {hard} files open, and {wanted}: {hint}"
        raise OSError(msg)
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed if hard == resource.RLIM_INFINITY else hard, hard))


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """The three doors, open, and what stands behind them: the log, and the policy that rules."""

    terminals: Door
    console: Door
    ops: Door
    audit: AuditTrail
    policy: LivePolicy


class Doors:
    """What opens the doors."""

    def __init__(self, settings: Settings, parts: Parts, stack: AsyncExitStack) -> None:
        """Take the settings, what the doors report to, and the stack that closes them."""
        self._settings = settings
        self._parts = parts
        self._stack = stack
        self.certificates: dict[str, ssl.SSLContext] = {}
        self.limits = Limits(**settings.limits.model_dump())

    async def open(
        self, ready: Ready, console: Handler, terminals: Handler, rooms: Rooms, witnesses: Witnesses | None
    ) -> Servers:
        """Open all three, and return them.

        Raises:
            OSError, CertificatesUnusable, KeyUnusable: one cannot be opened; the message says which and what to do.
        """
        doors = self._settings.doors
        token = load_line(doors.ops.token) if doors.ops.token else None

        def cosigned() -> str | None:
            return witnesses.newest.text if witnesses is not None and witnesses.newest is not None else None

        ops = Ops(
            metrics=self._parts.metrics,
            ready=ready,
            log=self._settings.log,
            token=token,
            cosigned=cosigned,
            tile=rooms.audit.log.tile,
        )
        servers = Servers(
            ops=await self._open("ops", ops.handle, doors.ops),
            console=await self._open("console", console, doors.console),
            terminals=await self._open("terminals", terminals, doors.terminals),
            audit=rooms.audit,
            policy=rooms.live,
        )
        self._stack.push_async_callback(_close, servers)
        return servers

    async def _open(self, name: str, handler: Handler, where: DoorSettings) -> Door:
        host, port, tls = where.host, where.port, where.tls
        context: ssl.SSLContext | None = None
        if tls is not None:
            context = server_context(
                certificate=tls.certificate,
                key=tls.key,
                client_ca=tls.client_ca,
                crl=tls.crl,
                required=tls.require_client_certificate,
            )
            self.certificates[name] = context
        door = Door(name, handler, host=host, port=port, tls=context, limits=self.limits, on_error=self._parts.report)
        await door.open()
        self._stack.push_async_callback(door.close)
        self._parts.logger.info("door open", door=name, host=door.host, port=door.port)
        return door


async def _close(servers: Servers) -> None:
    """Drain all doors at once, so that a stop takes one drain time and not three."""
    await asyncio.gather(servers.terminals.close(), servers.console.close(), servers.ops.close())
