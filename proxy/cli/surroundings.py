"""What ``doctor`` looks at beyond this process: the doors' ports, the records server and its clock, the case system."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

from proxy.cli.seen import Level, Seen
from proxy.cli.wire import Answer, ExchangeFailed, FilesUnusable, client_context, exchange
from proxy.purpose.case_system import NOBODYS, CaseSystem, CaseSystemUnusable
from proxy.telemetry import Metrics
from proxy.tlog.errors import LogError
from proxy.tlog.keys import load_line

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from datetime import datetime

    from proxy.clock import Clock
    from proxy.purpose.mapping import CaseSystemOptions
    from proxy.purpose.purpose import Case
    from proxy.settings import Settings

DOORS: Final = ("terminals", "console", "ops")
SKEW_TOLERATED: Final = timedelta(seconds=2)


def examine_ports(settings: Settings) -> Iterator[Seen]:
    """Yield of each door whether its port is free."""
    for name in DOORS:
        door = getattr(settings.doors, name)
        part = f"doors.{name}"
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                door.host, door.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with socket.socket(family, kind, protocol) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(address)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            hint = "stop what listens there, or choose another port" if taken else "choose an address of this machine"
            detail = f"{door.host} port {door.port}: {error.strerror}"
            yield Seen(part=part, level=Level.FAILURE, detail=detail, next=hint)
        else:
            yield Seen(part=part, level=Level.OK, detail=f"{door.host} port {door.port} is free")


def examine_upstream(settings: Settings, clock: Clock) -> Iterator[Seen]:
    """Yield whether the records server answers, and what its clock says of ours."""
    chosen = settings.upstream
    begun = clock()
    try:
        tls: ssl.SSLContext | None = None
        if chosen.url.startswith("https:"):
            tls = client_context(chosen.ca, chosen.certificate, chosen.key)
        headers = {"User-Agent": "showcause-doctor", "Accept": "application/json"}
        if chosen.credential is not None:
            headers["Authorization"] = load_line(chosen.credential)
        answer = exchange(chosen.url, "HEAD", "/", headers=headers, tls=tls, seconds=chosen.reply_seconds)
    except (LogError, FilesUnusable) as error:
        hint = "nothing was asked: mend that file first"
        yield Seen(part="upstream", level=Level.FAILURE, detail=str(error), next=hint)
        return
    except ExchangeFailed as error:
        hint = "check upstream.url, that the records server runs, and the firewall between"
        yield Seen(part="upstream", level=Level.FAILURE, detail=str(error), next=hint)
        return
    if answer.status in {401, 403}:
        hint = "check upstream.credential, and the rights of its account"
        yield Seen(part="upstream", level=Level.FAILURE, detail=f"it refuses us with {answer.status}", next=hint)
    elif answer.status >= 500:
        hint = "look into the records server's own log"
        yield Seen(part="upstream", level=Level.WARNING, detail=f"it answers {answer.status}", next=hint)
    else:
        yield Seen(part="upstream", level=Level.OK, detail=f"{chosen.url} answers")
    yield _clock(answer, begun + (clock() - begun) / 2)


def examine_case_system(options: CaseSystemOptions) -> Seen:
    """Return how the case system answers when it is asked once: for its probe, or for a number that nobody has."""

    async def ask() -> Case | None:
        system = CaseSystem(options, metrics=Metrics(), monotonic=time.monotonic)
        await system.open()
        try:
            return await system.try_out(options.probe or NOBODYS)
        finally:
            await system.close()

    part = "case system"
    try:
        case = asyncio.run(ask())
    except CaseSystemUnusable as unusable:
        hint = "check url and path of the mapping, that the case system runs, and the firewall between"
        return Seen(part=part, level=Level.FAILURE, detail=str(unusable), next=hint)
    if options.probe is None:
        hint = "name a case that will always be there as `probe`, so that the mapping is tried too"
        return Seen(part=part, level=Level.WARNING, detail="it answers; the mapping was not tried", next=hint)
    if case is None:
        hint = "name a case that is there as `probe`, or look at `path`"
        return Seen(part=part, level=Level.FAILURE, detail="it does not know the probe", next=hint)
    return Seen(part=part, level=Level.OK, detail=f"the probe is read as a case of kind {case.kind}")


def _clock(answer: Answer, now: datetime) -> Seen:
    try:
        theirs = parsedate_to_datetime(answer.headers["date"]).astimezone(UTC)
    except (KeyError, ValueError):
        hint = "compare this machine's clock by hand, as with `timedatectl`"
        return Seen(part="clock", level=Level.WARNING, detail="the records server tells no time", next=hint)
    # Their time is cut to the second, so on the average it is half a second behind.
    skew = abs(theirs + timedelta(milliseconds=500) - now)
    detail = f"{skew.total_seconds():.1f} s from the records server's"
    if skew > SKEW_TOLERATED:
        return Seen(
            part="clock", level=Level.WARNING, detail=detail, next="synchronize both by NTP: entries must tell one time"
        )
    return Seen(part="clock", level=Level.OK, detail=detail)
