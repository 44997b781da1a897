"""What ``doctor`` looks at. Nothing here writes, creates or repairs: each check reports, and says what to do next."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import shutil
import socket
import sqlite3
import stat
import time
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import load_pem_x509_certificates, load_pem_x509_crl

from proxy.audit.keyring import load_ring
from proxy.audit.keys import load_key
from proxy.cli.recording import sealer_of
from proxy.cli.wire import Answer, ExchangeFailed, client_context, exchange
from proxy.cli.witness_check import policy_trouble, witness_troubles
from proxy.clock import stamp
from proxy.database import SCHEMA_VERSION, Database
from proxy.document import DocumentInvalid
from proxy.policy.activation import PolicyUnreadable, version_of
from proxy.policy.service import load_policies
from proxy.policy.store import opened_active
from proxy.purpose.case_system import NOBODYS, CaseSystem, CaseSystemUnusable
from proxy.purpose.mapping import load_case_system
from proxy.registry.keyring import Keyring, load_keys
from proxy.registry.store import RegistryUnreadable, SealedTable
from proxy.registry.tables import SEALED
from proxy.telemetry import Metrics
from proxy.tlog.errors import KeyChangeBegun, LogError
from proxy.tlog.keys import load_secret, load_signer
from proxy.tlog.store import LOCK

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Generator, Iterator

    from proxy.clock import Clock
    from proxy.purpose.mapping import CaseSystemOptions
    from proxy.purpose.purpose import Case
    from proxy.settings import Settings, Tls

DOORS: Final = ("terminals", "console", "ops")
EXPIRES_SOON: Final = timedelta(days=30)
SKEW_TOLERATED: Final = timedelta(seconds=2)
FREE_BYTES: Final = 1 << 30
FREE_SHARE: Final = 0.05


class Level(StrEnum):
    """How bad it is: a failure stops the start or soon the service, a warning will."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one look found: the part, how bad, what is the case, and what to do next (empty when all is well)."""

    part: str
    level: Level
    detail: str
    next: str = ""

    def as_json(self) -> dict[str, object]:
        """Return the finding as a JSON object."""
        return asdict(self)


def examine(settings: Settings, clock: Clock, *, network: bool = True) -> Iterator[Seen]:
    """Look at every part that a start needs, cheapest first."""
    yield from _policies(settings)
    yield from _keys(settings)
    yield from _certificates(settings, clock())
    yield from _store(settings)
    yield from _registry(settings)
    running = yield from _log(settings)
    yield from _disk(settings)
    if not running:
        yield from _ports(settings)
    cases = yield from _case_mapping(settings, clock())
    if (trouble := policy_trouble(settings)) is not None:
        yield Seen(part="witnesses", level=Level.FAILURE, detail=trouble[0], next=trouble[1])
    if network:
        yield from _upstream(settings, clock)
        if cases is not None:
            yield _case_system(cases)
        for part, detail, then in witness_troubles(settings, running=running):
            yield Seen(part=part, level=Level.WARNING if then else Level.OK, detail=detail, next=then)


def _policies(settings: Settings) -> Iterator[Seen]:
    digest = ""
    for part, folder in (("policies", settings.policies), ("shadow", settings.shadow)):
        if folder is None:
            continue
        try:
            policies = load_policies(folder)
        except DocumentInvalid as invalid:
            count = len(invalid.mistakes)
            yield Seen(
                part=part,
                level=Level.FAILURE,
                detail=f"{count} mistake{'s' if count > 1 else ''} in {folder}",
                next="run `check`, which shows each with its line",
            )
        else:
            digest = policies.digest if part == "policies" else digest
            yield Seen(part=part, level=Level.OK, detail=f"version {policies.version}")
    yield from _activated(settings, digest)


def _activated(settings: Settings, digest: str) -> Iterator[Seen]:
    """Tell which policy rules, where that is another than the folder's."""
    try:
        sealer = sealer_of(settings)
        uri = f"{settings.store.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
            row = connection.execute("SELECT digest, at, sealed FROM policy_active").fetchone()
    except (LogError, OSError, sqlite3.Error):
        return  # nothing was activated yet; or the key's line, or the store's, will tell
    if row is None:
        return
    try:
        active = opened_active(sealer, digest=row[0], at=row[1], sealed=row[2])
    except PolicyUnreadable as unreadable:
        yield Seen(part="policies.active", level=Level.FAILURE, detail=str(unreadable), next="see the runbook")
        return
    detail = f"version {active.version} is activated, since {stamp(active.at)}"
    if digest and digest != active.digest:
        detail += f"; the folder holds version {version_of(digest)}"
        hint = "`policy activate` says whether it takes two persons; a running server takes what loosens nothing by itself"
        yield Seen(part="policies.active", level=Level.WARNING, detail=detail, next=hint)
    else:
        yield Seen(part="policies.active", level=Level.OK, detail=detail)


def _second_vkey(settings: Settings) -> str:
    second = load_signer(settings.keys.checkpoint, settings.origin, settings.audit.second_key).second
    return second.public.vkey if second is not None else ""


def _keys(settings: Settings) -> Iterator[Seen]:
    keys = settings.keys
    yield loaded(
        "keys.checkpoint",
        lambda: f"the log's verifier key is {load_signer(keys.checkpoint, settings.origin).verifier.vkey}",
        made="openssl genpkey -algorithm ed25519",
    )
    if (second := settings.audit.second_key) is not None:
        yield loaded(
            "audit.second_key",
            lambda: f"the log's second verifier key is {_second_vkey(settings)}",
            made=f"openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {second}",
        )
    for part, key in (("keys.index", keys.index), ("keys.body", keys.body)):
        yield loaded(part, partial(load_ring, key), made="openssl rand -hex 32")
    if keys.store is not None:
        yield loaded("keys.store", partial(load_key, keys.store), made="openssl rand -hex 32")
    yield loaded("keys.registry", lambda: _rotating(keys.registry), made="openssl rand -hex 32")
    secrets = {
        "upstream.credential": settings.upstream.credential,
        "upstream.key": settings.upstream.key,
        "doors.ops.token": settings.doors.ops.token,
    } | {f"doors.{name}.tls.key": tls.key for name, tls in _tls_of(settings)}
    for part, path in secrets.items():
        if path is not None:
            yield loaded(part, partial(load_secret, path))


def _rotating(path: Path) -> str | None:
    """Return what there is to say of the registry's key file while it holds two."""
    if load_keys(path).previous is None:
        return None
    return "holds two keys: `registry rotate-key` is at work, or was stopped and has to be run again"


def loaded(part: str, load: Callable[[], object], *, made: str = "") -> Seen:
    """Return whether a secret file can be used."""
    try:
        found = load()
    except KeyChangeBegun as error:
        hint = "with the service stopped run `audit rotate-key checkpoint` again: it goes on where it was; remove neither key"
        return Seen(part=part, level=Level.FAILURE, detail=str(error), next=hint)
    except LogError as error:
        hint = "put back the file that belongs there, owned by the service, mode 0600"
        if made:
            hint += f"; before the very first start, make it: {made}"
        return Seen(part=part, level=Level.FAILURE, detail=str(error), next=hint)
    return Seen(part=part, level=Level.OK, detail=found if isinstance(found, str) else "can be read by its owner only")


def _certificates(settings: Settings, now: datetime) -> Iterator[Seen]:
    chains = {
        "upstream.ca": settings.upstream.ca,
        "upstream.certificate": settings.upstream.certificate,
    }
    lists: dict[str, Path] = {}
    for name, tls in _tls_of(settings):
        chains |= {f"doors.{name}.tls.certificate": tls.certificate, f"doors.{name}.tls.client_ca": tls.client_ca}
        if tls.crl is not None:
            lists[f"doors.{name}.tls.crl"] = tls.crl
    for part, path in chains.items():
        if path is not None:
            yield _dated(part, path, now, _earliest_end)
    for part, path in lists.items():
        # RFC 5280 section 5.1.2.5: a list past its next update says nothing about today, and handshakes fail on it.
        yield _dated(part, path, now, lambda pem: load_pem_x509_crl(pem).next_update_utc, soon=timedelta(days=1))


def _dated(
    part: str, path: Path, now: datetime, end: Callable[[bytes], datetime | None], *, soon: timedelta = EXPIRES_SOON
) -> Seen:
    try:
        until = end(path.read_bytes())
    except OSError as error:
        return Seen(part=part, level=Level.FAILURE, detail=f"{path}: {error.strerror}", next="put the file there")
    except (ValueError, UnsupportedAlgorithm):
        return Seen(part=part, level=Level.FAILURE, detail=f"{path} is not what it should be, in PEM", next="replace the file")
    if until is None:
        return Seen(part=part, level=Level.WARNING, detail=f"{path} names no next update", next="have it issued with one")
    day = f"{until:%Y-%m-%d %H:%M} UTC"
    if until <= now:
        return Seen(part=part, level=Level.FAILURE, detail=f"expired at {day}", next="renew it; a restart is not needed")
    if until - now < soon:
        return Seen(part=part, level=Level.WARNING, detail=f"expires at {day}", next="renew it; a restart is not needed")
    return Seen(part=part, level=Level.OK, detail=f"valid until {day}")


def dated(part: str, path: Path, now: datetime) -> Seen:
    """Return until when a file of certificates can be used."""
    return _dated(part, path, now, _earliest_end)


def _store(settings: Settings) -> Iterator[Seen]:
    path = settings.store
    if not path.exists():
        yield Seen(part="store", level=Level.OK, detail=f"{path} is not there yet; the first start makes it")
        return
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            yield Seen(part="store", level=Level.FAILURE, detail=f"{path} has mode {mode:04o}", next=f"chmod 600 {path}")
            return
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            health = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        finally:
            connection.close()
    except (OSError, sqlite3.Error) as error:
        yield Seen(part="store", level=Level.FAILURE, detail=f"{path}: {error}", next="restore it from the last backup")
        return
    if version > SCHEMA_VERSION:
        detail = f"schema {version} is newer than this program's {SCHEMA_VERSION}"
        yield Seen(part="store", level=Level.FAILURE, detail=detail, next="run the newer version")
    elif health != "ok":
        yield Seen(part="store", level=Level.FAILURE, detail=f"{path} is damaged", next="restore it from the last backup")
    else:
        yield Seen(part="store", level=Level.OK, detail=f"{path} is whole, schema {version}")


def _registry(settings: Settings) -> Iterator[Seen]:
    """Open every sealed row: with another key than they were sealed with, nothing starts."""
    if not settings.store.exists():
        return
    try:
        key = Keyring.of(settings.keys.registry)
        connection = sqlite3.connect(f"{settings.store.absolute().as_uri()}?mode=ro", uri=True, timeout=5)
        with closing(connection):
            counts = [_opened(connection, name, key) for name in SEALED]
    except (LogError, OSError, sqlite3.Error):
        return  # the key's line, or the store's, has told of it
    except RegistryUnreadable as unreadable:
        yield Seen(part="registry", level=Level.FAILURE, detail=str(unreadable), next="see the runbook, at `registry`")
        return
    detail = f"{counts[0]} protected persons and {counts[1]} of personnel open with the registry key"
    yield Seen(part="registry", level=Level.OK, detail=detail if counts[0] else "nobody is enrolled, so nobody is protected")


def _opened(connection: sqlite3.Connection, name: str, key: Keyring) -> int:
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone() is None:
        return 0  # a store of an older version gets it at the next start
    table = SealedTable(Database(Path()), name, key, os.urandom)
    opened = closed = 0
    for row, sealed in connection.execute(f'SELECT id, CAST(sealed AS BLOB) FROM "{name}"'):  # noqa: S608 -- one of ours
        try:
            table.open(row, sealed or b"")
        except RegistryUnreadable:
            closed += 1
        else:
            opened += 1
    if closed and not opened:
        msg = f"the {name} table was sealed with another key than the registry key file holds"
        raise RegistryUnreadable(msg)
    if closed:
        msg = f"{closed} rows of the {name} table do not open: the store was altered"
        raise RegistryUnreadable(msg)
    return opened


def _log(settings: Settings) -> Generator[Seen, None, bool]:
    """Yield the log's state, and return whether a server has it open."""
    folder = settings.log
    if not folder.exists():
        yield Seen(part="log", level=Level.OK, detail=f"{folder} is not there yet; the first start makes it")
        return False
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        yield Seen(part="log", level=Level.FAILURE, detail=f"{folder} has mode {mode:04o}", next=f"chmod 700 {folder}")
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield Seen(part="log", level=Level.OK, detail="nobody has written to it yet")
        return False
    except OSError as error:
        yield Seen(
            part="log", level=Level.FAILURE, detail=f"{folder / LOCK}: {error.strerror}", next="run as the service's user"
        )
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        yield Seen(part="log", level=Level.OK, detail="a running server has it open")
        return True
    finally:
        os.close(descriptor)
    yield Seen(part="log", level=Level.OK, detail="no server has it open; `audit verify` reads it through")
    return False


def _disk(settings: Settings) -> Iterator[Seen]:
    folder = settings.data
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    total, _, free = shutil.disk_usage(folder)
    detail = f"{free / (1 << 30):.1f} GiB free of {total / (1 << 30):.1f} at {folder}"
    if not os.access(folder, os.W_OK):
        yield Seen(part="data", level=Level.FAILURE, detail=f"{folder} cannot be written", next="run as the service's user")
    elif free < FREE_BYTES:
        hint = "make room: without it the log stops, and every query with it"
        yield Seen(part="data", level=Level.FAILURE, detail=detail, next=hint)
    elif free < total * FREE_SHARE:
        yield Seen(part="data", level=Level.WARNING, detail=detail, next="make room before the log has none")
    else:
        yield Seen(part="data", level=Level.OK, detail=detail)


def _ports(settings: Settings) -> Iterator[Seen]:
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


def _upstream(settings: Settings, clock: Clock) -> Iterator[Seen]:
    chosen = settings.upstream
    begun = clock()
    try:
        tls: ssl.SSLContext | None = None
        if chosen.url.startswith("https:"):
            tls = client_context(chosen.ca, chosen.certificate, chosen.key)
        headers = {"User-Agent": "showcause-doctor", "Accept": "application/json"}
        if chosen.credential is not None:
            headers["Authorization"] = load_secret(chosen.credential).decode("ascii").strip()
        answer = exchange(chosen.url, "HEAD", "/", headers=headers, tls=tls, seconds=chosen.reply_seconds)
    except (ExchangeFailed, LogError, UnicodeDecodeError) as error:
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


def _case_mapping(settings: Settings, now: datetime) -> Generator[Seen, None, CaseSystemOptions | None]:
    """Yield what there is to say of the case system's mapping and its files, and return the mapping when it is right."""
    if settings.cases.system is None:
        return None
    part = "cases.system"
    try:
        options = load_case_system(settings.cases.system)
    except DocumentInvalid as invalid:
        count = len(invalid.mistakes)
        detail = f"{count} mistake{'s' if count > 1 else ''} in {settings.cases.system}"
        yield Seen(part=part, level=Level.FAILURE, detail=detail, next="run `check`, which shows each with its line")
        return None
    yield Seen(part=part, level=Level.OK, detail=f"{len(options.shape.readings)} columns of a case are mapped")
    for name, path in (("secret_headers", options.secret_headers), ("key", options.key)):
        if path is not None:
            yield loaded(f"{part}.{name}", partial(load_secret, path))
    for name, path in (("ca", options.ca), ("certificate", options.certificate)):
        if path is not None:
            yield _dated(f"{part}.{name}", path, now, _earliest_end)
    return options


def _case_system(options: CaseSystemOptions) -> Seen:
    """Ask the case system once: for its probe, or for a number that nobody has."""

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


def _earliest_end(pem: bytes) -> datetime:
    return min(each.not_valid_after_utc for each in load_pem_x509_certificates(pem))


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


def _tls_of(settings: Settings) -> Iterator[tuple[str, Tls]]:
    for name in DOORS:
        tls = getattr(settings.doors, name).tls
        if tls is not None:
            yield name, tls
