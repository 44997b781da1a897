"""A real store, a registry whose clock is moved by hand, and people."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from proxy.database import Database
from proxy.identity.principal import Principal
from proxy.registry.lines import criteria, entry_line, staff_line
from proxy.registry.service import Registry
from proxy.registry.stewards import Stewards

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from proxy.audit.outbox import Outbox
    from proxy.registry.enrollment import Report
    from proxy.registry.protection import Protection, Relation

KEY = b"k" * 32
AGENCY = "NY0303000"
CATEGORIES = frozenset({"official", "judicial", "victim", "undercover"})
CLASSES = frozenset({"home_address", "phone"})
MAYOR: dict[str, Any] = {
    "given_name": "Eleanor",
    "middle_name": "Ruth",
    "surname": "Whitcombe",
    "dob": "1961-03-09",
    "ssn": "518-22-4471",
    "phone": ["(212) 555-0101", "+1 646 555 0102"],
    "email": "Mayor@Town.example",
    "plate": "EW-0001",
    "vin": "1HGCM82633A004352",
    "license": "D 1234-5678",
    "street": "12 Elm Street",
    "unit": "3B",
    "city": "Springfield",
    "state": "NY",
    "postal_code": "12345-6789",
    "person_id": "100123",
    "household": "H1",
    "category": "official",
    "basis": "Daniel's Law",
}


def person(name: str = "badge-1", agency: str = AGENCY) -> Principal:
    return Principal(
        person=name,
        agency=agency,
        role="patrol",
        unit=None,
        terminal="car-1",
        credential="key-1",
        methods=("key",),
        authenticated_at=datetime(2026, 11, 23, tzinfo=UTC),
    )


@dataclass
class Office:
    """The room under test, and the time."""

    database: Database
    now: datetime = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    outbox: Outbox | None = None
    registry: Registry = field(init=False)
    stewards: Stewards = field(init=False)

    def __post_init__(self) -> None:
        self.registry = self.another()
        self.stewards = Stewards(self.registry, self.database, KEY, lambda: self.now, outbox=self.outbox)

    def another(self, key: bytes = KEY) -> Registry:
        """Return a registry on the same store as another start would."""
        return Registry(self.database, key, lambda: self.now)

    def pass_time(self, **kwargs: float) -> None:
        self.now += timedelta(**kwargs)

    async def remove(self, entry: str) -> None:
        """Have two stewards end a protection."""
        proposal = await self.stewards.remove(entry, by="login:first", reason="the term has ended")
        await self.stewards.approve(proposal.id, by="login:second")
        await self.registry.refresh()

    async def enroll(self, *people: dict[str, Any]) -> Report:
        words: dict[str, Any] = {"categories": CATEGORIES, "classes": CLASSES, "now": self.now}
        lines = [entry_line(number, each, **words) for number, each in enumerate(people, start=1)]
        report = await self.registry.enroll(lines, by="steward")
        await self.registry.refresh()
        return report

    async def employ(self, *people: dict[str, Any]) -> Report:
        lines = [staff_line(number, each) for number, each in enumerate(people, start=1)]
        report = await self.registry.import_personnel(lines, by="steward")
        await self.registry.refresh()
        return report

    def protections(self, **fields: object) -> tuple[Protection, ...]:
        return self.registry.recognizer.recognize(criteria(fields), person("badge-none")).protections

    def roads(self, **fields: object) -> set[str]:
        return {road for protection in self.protections(**fields) for road in protection.matched}

    def relations(self, principal: Principal, **fields: object) -> set[Relation]:
        return set(self.registry.recognizer.recognize(criteria(fields), principal).relations)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    database = Database(tmp_path / "store.sqlite3")
    await database.open()
    yield Office(database)
    await database.close()
