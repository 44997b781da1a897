"""What ``doctor`` looks at of what is kept on this machine: the store, the registry in it, the log, and room for more."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import stat
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import SQLAlchemyError

from proxy.cli.seen import AS_SERVICE, Level, Seen, writable
from proxy.database import SCHEMA_VERSION, Database, differences
from proxy.registry.keyring import Keyring
from proxy.registry.store import RegistryUnreadable, SealedTable
from proxy.registry.tables import SEALED
from proxy.tlog.errors import LogError
from proxy.tlog.store import LOCK, SEGMENTS, segments_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from proxy.settings import Settings

FREE_BYTES: Final = 1 << 30
FREE_SHARE: Final = 0.05


def examine_holdings(settings: Settings) -> Generator[Seen, None, bool]:
    """Yield what there is to say of them, and return whether a server has the log open."""
    try:
        settings.store.exists()
    except OSError as error:
        yield Seen(part="data", level=Level.FAILURE, detail=f"{settings.data}: {error.strerror}", next=AS_SERVICE)
        return False
    yield from _store(settings)
    yield from _registry(settings)
    running = yield from _log(settings)
    yield from _disk(settings)
    return running


def _store(settings: Settings) -> Iterator[Seen]:
    path = settings.store
    if not path.exists() and _written(settings.log):
        detail = f"{path} is gone, and the log beside it is not: nothing starts"
        hint = "put it back from the last backup; where there is none, fill a new one before the start (`registry import` …)"
        yield Seen(part="store", level=Level.FAILURE, detail=detail, next=hint)
        return
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
        yield Seen(part="store", level=Level.FAILURE, detail=f"{path}: {error}", next=_store_hint(error))
        return
    if version > SCHEMA_VERSION:
        detail = f"schema {version} is newer than this program's {SCHEMA_VERSION}"
        yield Seen(part="store", level=Level.FAILURE, detail=detail, next="run the newer version")
    elif health != "ok":
        yield Seen(part="store", level=Level.FAILURE, detail=f"{path} is damaged", next="restore it from the last backup")
    elif older := _differing(path):
        detail = f"{path} was made by another version: {'; '.join(older[:4])}{' …' if len(older) > 4 else ''}"
        hint = "start the version that made it; the start of this one says how a new store is begun"
        yield Seen(part="store", level=Level.FAILURE, detail=detail, next=hint)
    elif foreign := [each for each in sorted(path.parent.glob(f"{path.name}*")) if not writable(each)]:
        yield _not_writable("store", foreign[0])
    else:
        yield Seen(part="store", level=Level.OK, detail=f"{path} is whole, schema {version}")


def _differing(path: Path) -> list[str]:
    import_module("proxy.main")  # whose rooms say which tables there are
    try:
        return differences(path)
    except SQLAlchemyError:
        return []


def _written(log: Path) -> bool:
    try:
        return bool(segments_of(log))
    except (OSError, LogError):
        return False  # the log's own line will tell


def _store_hint(error: OSError | sqlite3.Error) -> str:
    """Return what to do about a store that cannot be read. Only a damaged one is to be replaced."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest says more than is needed
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return "something else holds it (`fuser` names it): end that, and nothing has to be put back"
    if isinstance(error, PermissionError) or code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY}:
        return AS_SERVICE
    if isinstance(error, OSError) or code == sqlite3.SQLITE_IOERR:
        return "look at the disk (`dmesg`), and copy the data folder away"
    return "restore it from the last backup"


def _not_writable(part: str, path: Path) -> Seen:
    hint = "run as the service's user; where another one made it, give it back: `chown` to that user, folders 0700, files 0600"
    return Seen(part=part, level=Level.FAILURE, detail=f"{path} cannot be written", next=hint)


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
    if not counts[0]:
        hint = "`registry import`; on an instance that has served, see the runbook at ShowcauseRegistryEmpty first"
        yield Seen(part="registry", level=Level.WARNING, detail="nobody is enrolled, so nobody is protected", next=hint)
        return
    detail = f"{counts[0]} protected persons and {counts[1]} of personnel open with the registry key"
    yield Seen(part="registry", level=Level.OK, detail=detail)


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
        yield Seen(part="log", level=Level.FAILURE, detail=f"{folder / LOCK}: {error.strerror}", next=AS_SERVICE)
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        yield Seen(part="log", level=Level.OK, detail="a running server has it open")
        return True
    finally:
        os.close(descriptor)
    kept = [folder, *sorted(folder.iterdir()), *sorted((folder / SEGMENTS).glob("*"))[-1:]]
    if foreign := [each for each in kept if not writable(each)]:
        yield _not_writable("log", foreign[0])
        return False
    yield Seen(part="log", level=Level.OK, detail="no server has it open; `audit verify` reads it through")
    return False


def _disk(settings: Settings) -> Iterator[Seen]:
    folder = settings.data
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    total, _, free = shutil.disk_usage(folder)
    detail = f"{free / (1 << 30):.1f} GiB free of {total / (1 << 30):.1f} at {folder}"
    if not writable(folder):
        yield Seen(part="data", level=Level.FAILURE, detail=f"{folder} cannot be written", next="run as the service's user")
    elif free < FREE_BYTES:
        hint = "make room: without it the log stops, and every query with it"
        yield Seen(part="data", level=Level.FAILURE, detail=detail, next=hint)
    elif free < total * FREE_SHARE:
        yield Seen(part="data", level=Level.WARNING, detail=detail, next="make room before the log has none")
    else:
        yield Seen(part="data", level=Level.OK, detail=detail)
