"""A real store with its outbox, the shipped catalogue, and an officer with a unit."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import http_sf
import pytest
from sqlalchemy import text

from proxy.audit.outbox import Outbox
from proxy.audit.sealing import Sealer
from proxy.database import Database
from proxy.purpose.catalogue import load_catalogue
from proxy.purpose.directory import StoredCases
from proxy.purpose.header import MEMBERS, Stated
from proxy.purpose.imports import Imported, _Run, import_cases
from proxy.purpose.purpose import Case
from proxy.purpose.service import Purposes
from proxy.telemetry import Metrics

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from proxy.purpose.catalogue import Catalogue
    from proxy.purpose.directory import CaseDirectory
    from proxy.purpose.purpose import VerifiedPurpose

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
POLICIES = Path(__file__).parents[2] / "policies"
ORI = "MO0950000"
STORE_KEY = b"s" * 32
GOOD = "stopped for no plates, driver has no licence"


@dataclass(frozen=True)
class Officer:
    """What the room knows of a principal."""

    person: str = "badge-1"
    agency: str = ORI
    unit: str | None = "3A12"


def case(number: str = "26-004217", **changes: object) -> Case:
    values: dict[str, object] = {
        "kind": "incident",
        "agency": ORI,
        "opened_at": NOW - timedelta(hours=2),
        "assigned": frozenset({"badge-1"}),
    }
    return Case(number=number, **(values | changes))  # type: ignore[arg-type]


def cad(number: str = "CAD-1", **changes: object) -> Case:
    values: dict[str, object] = {
        "kind": "cad",
        "assigned": frozenset(),
        "dispatched": frozenset({"unit:3A12"}),
        "summary": "Sedan without plates on Hemlock Road",
    }
    return case(number, **(values | changes))


@dataclass
class Room:
    """The room under test; ``cases`` is how another process fills the directory."""

    database: Database
    others: Database
    outbox: Outbox
    directory: CaseDirectory
    metrics: Metrics
    catalogue: Catalogue
    now: datetime = NOW
    ticks: count[float] = field(default_factory=lambda: count(step=0.001))
    purposes: Purposes = field(init=False)

    def __post_init__(self) -> None:
        self.purposes = Purposes(
            catalogue=lambda: self.catalogue,
            directory=self.directory,
            metrics=self.metrics,
            monotonic=lambda: next(self.ticks),
            key=b"w" * 32,
        )

    def pass_time(self, **kwargs: float) -> None:
        self.now += timedelta(**kwargs)

    async def cases(self, *cases: Case) -> Imported:
        run = _Run(self.others, STORE_KEY, "login:clerk", self.outbox)
        for line, case in enumerate(cases, start=1):
            await run.take(line, case)
        return await run.finish()

    async def import_file(self, path: Path, progress: Callable[[int, int], None] = lambda _done, _total: None) -> Imported:
        return await import_cases(self.others, STORE_KEY, path, actor="login:clerk", outbox=self.outbox, progress=progress)

    async def verify(
        self,
        header: str | None,
        officer: Officer | None = None,
        action: str = "person.read",
        sought: frozenset[str] = frozenset(),
    ) -> VerifiedPurpose:
        return await self.purposes.verify(header, officer or Officer(), action, self.now, sought=sought)

    async def queued(self) -> Sequence[str]:
        async with self.others.begin() as connection:
            return [row[0] for row in await connection.execute(text("SELECT facts FROM outbox ORDER BY seq"))]


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    database, others = Database(tmp_path / "store.sqlite3"), Database(tmp_path / "store.sqlite3")
    await database.open()
    await others.open()
    outbox = Outbox(others, Sealer(index_key=b"i" * 32, body_key=b"b" * 32), lambda: NOW, os.urandom)
    yield Room(
        database=database,
        others=others,
        outbox=outbox,
        directory=StoredCases(database, STORE_KEY),
        metrics=Metrics(),
        catalogue=load_catalogue(POLICIES / "purposes.yaml"),
    )
    await others.close()
    await database.close()


def serialize(stated: Stated) -> str:
    """Return the header that says ``stated``: a display string (RFC 9651 section 3.3.8) where the text is not ASCII."""
    members: dict[str, http_sf.Token | http_sf.DisplayString | str] = {}
    for name in MEMBERS:
        value: str | None = getattr(stated, name)
        if value is not None:
            plain = value.isascii() and value.isprintable()
            members[name] = http_sf.Token(value) if name == "code" else value if plain else http_sf.DisplayString(value)
    return http_sf.ser(dict(members))
