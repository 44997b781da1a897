"""A real log and store, queries as the log has them, and a clock that is moved by hand."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.audit.event import Event
from proxy.audit.owed import Duty, Owed, owing
from proxy.audit.reader import AuditReader
from proxy.audit.sealing import Sealer
from proxy.audit.service import AuditTrail
from proxy.database import Database
from proxy.oversight.service import Oversight
from proxy.telemetry import Metrics
from proxy.tlog.log import Log
from proxy.tlog.note import Signer
from tests.escalation.conftest import Relations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from proxy.audit.entry import Entry
    from proxy.audit.event import Json

REVIEW = Owed(duty=Duty.REVIEW, role="supervisor", within=4 * 3600)
NOTICE = Owed(duty=Duty.NOTICE, role="supervisor", within=15 * 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(Event):
    """A decision with what oversight reads of one."""

    kind: ClassVar[str] = "decided"
    owed: tuple[Owed, ...] = (REVIEW,)
    person: str = "officer-1"
    agency: str = "MO0950000"
    approved_by: tuple[str, ...] = ()

    def facts(self) -> Mapping[str, Json]:
        return {
            "agency": self.agency,
            "purpose": "C",
            "action": "person.read",
            "outcome": "permit",
            "rule": "P09",
            "category": "official",
            **owing(self.owed),
        }

    def sealed(self) -> Mapping[str, Json]:
        return {
            "operator": self.person,
            "terminal": "car-12",
            "unit": "3A12",
            "case": "26-004217",
            "statement": "threats reported against the mayor",
            "criteria": {"person_id": ["100123"]},
            "approved_by": list(self.approved_by),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class End(Event):
    """The end of a query whose reply, and nothing before it, told whom it is about."""

    kind: ClassVar[str] = "disclosed"
    owed: tuple[Owed, ...] = (NOTICE,)
    decided: int = 0

    def facts(self) -> Mapping[str, Json]:
        return {
            "outcome": "mask",
            "rules": {"M06": 1},
            "categories": {"victim": 1},
            "decided": self.decided,
            **owing(self.owed),
        }

    def sealed(self) -> Mapping[str, Json]:
        return {"records": [{"name": ["SERGEANT, ANN"], "dob": ["1980-01-01"]}]}


@dataclass
class Office:
    """The room under test with its surroundings, which stay when it is opened anew."""

    folder: Path
    relations: Relations = field(default_factory=Relations)
    metrics: Metrics = field(default_factory=Metrics)
    now: datetime = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
    sealer: Sealer = field(default_factory=lambda: Sealer(index_key=b"i" * 32, body_key=b"b" * 32))
    signer: Signer = field(default_factory=lambda: Signer("log.example", Ed25519PrivateKey.from_private_bytes(bytes(32))))

    def pass_time(self, **kwargs: float) -> None:
        self.now += timedelta(**kwargs)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Room]:
        """Open log, store and room as a start does, and close them as an end does."""
        log = Log(self.folder / "log", signer=self.signer, clock=lambda: self.now)
        database = Database(self.folder / "store.sqlite3")
        await database.open()
        trail = AuditTrail(log, self.sealer, lambda: self.now)
        oversight = Oversight(
            database=database,
            key=b"k" * 32,
            log=log.directory,
            origin=log.origin,
            sealer=self.sealer,
            audit=trail,
            recognizer=self.relations,
            clock=lambda: self.now,
            metrics=self.metrics,
        )
        async with log:
            yield Room(self, oversight, trail, database)
            await database.close()

    def entries(self) -> Sequence[Entry]:
        return list(AuditReader(self.folder / "log").entries())


@dataclass
class Room:
    """One start of the room."""

    office: Office
    oversight: Oversight
    trail: AuditTrail
    database: Database

    async def record(self, *events: Event) -> None:
        """Record events, and let the room read them."""
        for event in events:
            await self.trail.record(event)
        await self.oversight.follow()

    def gauge(self, name: str) -> float:
        value = self.office.metrics.registry.get_sample_value(f"showcause_{name}")
        assert value is not None
        return value


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture
async def room(office: Office) -> AsyncIterator[Room]:
    async with office.open() as room:
        yield room
