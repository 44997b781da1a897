"""Settings become a running witness."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final

from proxy.clock import utc_now
from proxy.identity.tls import server_context
from proxy.standard_error import StandardError
from proxy.telemetry import make_logger
from proxy.tlog.keys import load_cosigner
from proxy.web.limits import Limits
from proxy.web.server import Door
from proxy.witness.door import WitnessHandler
from proxy.witness.memory import Memory, Remembered
from proxy.witness.pace import Pace
from proxy.witness.service import Witnessing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from proxy.clock import Clock
    from proxy.tlog.signing import PrivateKey
    from proxy.witness.settings import WitnessSettings

_INFO: Final = 20


def cosigners(settings: WitnessSettings) -> tuple[PrivateKey, ...]:
    """Return the witness's keys.

    Raises:
        KeyUnusable: a key file is missing, malformed, or open to others.
    """
    paths = (settings.key, *([settings.second_key] if settings.second_key is not None else []))
    return tuple(load_cosigner(path, settings.name) for path in paths)


def remembered(settings: WitnessSettings, key: PrivateKey) -> tuple[Remembered, ...]:
    """Return the memory of each log.

    Raises:
        LogDamaged: one was altered, or is gone.
    """
    return tuple(
        Remembered(settings.memory, log.verifiers, key.public, history_seconds=settings.history_seconds)
        for log in settings.logs
    )


@asynccontextmanager
async def witnessing(settings: WitnessSettings, *, clock: Clock = utc_now) -> AsyncIterator[Door]:
    """Yield the open door.

    Raises:
        LogBusy, LogDamaged, KeyUnusable, CertificatesUnusable, OSError: a part cannot be opened; the message says which.
    """
    async with AsyncExitStack() as stack:
        lines = StandardError()
        stack.push_async_callback(asyncio.to_thread, lines.close)
        logger = make_logger("json", _INFO, lines)
        keys = cosigners(settings)
        memory = Memory(settings.memory)
        stack.callback(memory.close)
        logs = remembered(settings, keys[0])

        def tell(event: str, facts: Mapping[str, object]) -> None:
            logger.warning(event, **facts)

        def report(error: BaseException) -> None:
            logger.error(
                "internal error", error_type=type(error).__name__, reason=str(error) if isinstance(error, OSError) else ""
            )

        limits = Limits(body_seconds=settings.body_seconds, connections=256)
        handler = WitnessHandler(
            Witnessing(logs, keys, clock, tell=tell),
            logs,
            vkeys=[key.public.vkey for key in keys],
            pace=Pace(settings.requests_per_second),
            limits=limits,
            monotonic=time.monotonic,
        )
        where, tls = settings.door, settings.door.tls
        context = None
        if tls is not None:
            context = server_context(
                certificate=tls.certificate,
                key=tls.key,
                client_ca=tls.client_ca,
                crl=tls.crl,
                required=tls.require_client_certificate,
            )
        door = Door("witness", handler.handle, host=where.host, port=where.port, tls=context, limits=limits, on_error=report)
        await door.open()
        stack.push_async_callback(door.close)
        logger.info("door open", door=door.name, host=door.host, port=door.port, count=len(logs))
        yield door


async def serve(settings: WitnessSettings) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        LogError, CertificatesUnusable, OSError: a part cannot be opened.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    async with witnessing(settings):
        await stop.wait()
