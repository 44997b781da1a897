"""Fills a demo home: the records, the proxy's keys, its case directory, personnel, registry, and the cast's credentials.

Everything goes in by the same functions as the commands ``cases import``, ``personnel import``, ``registry import`` and
``identity add`` use, from files that stay in ``import/`` to be looked at. What they record waits in the outbox until the proxy
starts.
"""

from __future__ import annotations

import csv
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from proxy.audit.keys import create_key, load_key
from proxy.audit.outbox import Outbox
from proxy.audit.sealing import Sealer
from proxy.database import Database
from proxy.demo import directories, docket
from proxy.demo.records import build_town, write_records
from proxy.demo.town import AGENCY
from proxy.identity.credential import KEY_BYTES, Credential, Holder, Kind, digest, make_key
from proxy.identity.events import IdentityAdded
from proxy.identity.store import CredentialStore
from proxy.policy.service import load_policies
from proxy.purpose.imports import import_cases
from proxy.registry.lines import ENTRY_KEYS, STAFF_KEYS, LineRefused, entry_line, staff_line
from proxy.registry.service import Registry
from proxy.registry.tabular import read_csv
from proxy.tlog.keys import create_signing_key

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from proxy.clock import Clock
    from proxy.demo.home import Home
    from proxy.demo.town import Town

ACTOR: Final = "demo"


class WorldIncomplete(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """Something of the demo's own was rejected: a fault of this program."""


async def make_world(home: Home, clock: Clock) -> Town:
    """Return the town, and make everything in ``home`` that an earlier start has not made to its end.

    Raises:
        HomeUnusable: the folder holds what is not the demo's.
        WorldIncomplete: a line of the demo's own files was rejected.
    """
    town = build_town()
    if home.complete:
        return town
    # A start that was interrupted half way left who knows what: begin again.
    home.clear()
    home.mark(complete=False)
    write_records(town, home.records)
    create_signing_key(home.keys / "checkpoint.pem")
    for name in ("index", "body", "registry"):
        create_key(home.keys / f"{name}.key")
    home.imports.mkdir(mode=0o700, exist_ok=True)
    async with _store(home, clock) as (database, key, outbox):
        await _import_cases(home, database, key, outbox, clock)
        await _import_people(home, town, database, outbox, clock)
        home.write_keys(await _enroll(database, key, outbox, clock))
    home.mark(complete=True)
    return town


@asynccontextmanager
async def _store(home: Home, clock: Clock) -> AsyncIterator[tuple[Database, bytes, Outbox]]:
    database = Database(home.data / "store.sqlite3")
    await database.open()
    try:
        sealer = Sealer.load(index=home.keys / "index.key", body=home.keys / "body.key")
        yield database, sealer.store_key, Outbox(database, sealer, clock, os.urandom)
    finally:
        await database.close()


async def _import_cases(home: Home, database: Database, store_key: bytes, outbox: Outbox, clock: Clock) -> None:
    path = home.imports / "cases.csv"
    rows = [
        {
            "number": case.number,
            "kind": case.kind,
            "agency": case.agency,
            "opened_at": case.opened_at.isoformat(),
            "closed_at": case.closed_at.isoformat() if case.closed_at else "",
            "summary": case.summary,
            "assigned": " ".join(sorted(case.assigned)),
            "dispatched": " ".join(sorted(case.dispatched)),
        }
        for case in docket.cases(clock())
    ]
    write_csv(path, list(rows[0]), rows)
    imported = await import_cases(database, store_key, path, actor=ACTOR, outbox=outbox)
    accepted(path, [f"line {each.line}: {each.reason}" for each in imported.rejected])


async def _import_people(home: Home, town: Town, database: Database, outbox: Outbox, clock: Clock) -> None:
    registry = Registry(database, load_key(home.keys / "registry.key"), clock, outbox=outbox)
    path = home.imports / "personnel.csv"
    write_csv(path, directories.STAFF_COLUMNS, directories.personnel(town))
    report = await registry.import_personnel(
        [staff_line(number, raw) for number, raw in _lines(path, STAFF_KEYS)], by=ACTOR, whole=True
    )
    accepted(path, [f"line {line}: {reason}" for line, reason in report.rejected])
    path = home.imports / "registry.csv"
    write_csv(path, directories.ENTRY_COLUMNS, directories.registry(town))
    categories = load_policies(home.policies).vocabulary.categories
    entries = [entry_line(number, raw, categories=categories, now=clock()) for number, raw in _lines(path, ENTRY_KEYS)]
    report = await registry.enroll(entries, by=ACTOR)
    accepted(path, [f"line {line}: {reason}" for line, reason in report.rejected])


def _lines(path: Path, keys: Sequence[str]) -> Iterator[tuple[int, Mapping[str, object]]]:
    with path.open(encoding="utf-8", newline="") as file:
        for number, raw in read_csv(file, keys):
            if isinstance(raw, LineRefused):
                accepted(path, [f"line {number}: {raw}"])
                continue
            yield number, raw


async def _enroll(database: Database, store_key: bytes, outbox: Outbox, clock: Clock) -> Mapping[str, str]:
    """Give each of the cast a key; return the keys."""
    keys: dict[str, str] = {}
    store = CredentialStore(database, store_key)
    for sign_in in docket.SIGN_INS:
        key = keys[sign_in.key] = make_key(os.urandom(KEY_BYTES))
        holder = Holder(person=sign_in.person, agency=AGENCY, role=sign_in.role, unit=sign_in.unit, terminal=sign_in.terminal)
        credential = Credential(id=f"demo-{sign_in.key}", kind=Kind.KEY, mark=digest(key), holder=holder, created_at=clock())
        async with database.begin() as connection:
            await store.insert(connection, credential)
            await outbox.put(connection, IdentityAdded(credential=credential, actor=ACTOR))
    return keys


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write an import file, readable by the owner only."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def accepted(path: Path, rejected: Sequence[str]) -> None:
    """Return when every line of an import file was taken.

    Raises:
        WorldIncomplete: one was not.
    """
    if rejected:
        msg = f"{path}: {len(rejected)} lines were rejected; the first: {rejected[0]}"
        raise WorldIncomplete(msg)
