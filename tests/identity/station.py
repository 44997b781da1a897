"""Two processes and the identity desk over one store, for everything about passkeys."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from proxy.audit.event import Event, Receipt
from proxy.audit.outbox import Outbox
from proxy.audit.sealing import Sealer
from proxy.database import Database
from proxy.identity.assertion import RelyingParty
from proxy.identity.passkey_desk import PasskeyDesk
from proxy.identity.passkeys import (
    StepUpRequired,
    Thing,
)
from proxy.identity.principal import Principal
from proxy.identity.registration import Registration
from proxy.identity.stepup import Assurance, Method, StepUp
from tests.identity.authenticator import Authenticator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
KEY = b"p" * 32
PARTY = RelyingParty(id="localhost", origins=("http://localhost",))
APPROVAL = Thing.of("approve", "e1", {"statement": "threats against the mayor's family", "fields": {"name", "dob"}})


@dataclass
class Process:
    """One process with its own connections to the store that all share, and what it recorded."""

    database: Database
    clock: Callable[[], datetime]
    mode: Method = "webauthn"
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.step_up = StepUp(
            database=self.database, key=KEY, audit=self, clock=self.clock, randomness=os.urandom, mode=self.mode, party=PARTY,
        )  # fmt: skip
        self.registration = Registration(
            database=self.database, key=KEY, step_up=self.step_up, audit=self, clock=self.clock, randomness=os.urandom,
            party=PARTY,
        )  # fmt: skip

    async def record(self, event: Event) -> Receipt:
        """Keep an event."""
        self.events.append(event)
        return Receipt(origin="log.test", index=len(self.events) - 1, kind=event.kind, about=event.about)


@dataclass
class Station:
    """Two processes and the identity desk over one store, and a clock that is moved by hand."""

    here: Process
    there: Process
    desk: PasskeyDesk
    now: datetime = NOW

    def pass_time(self, **kwargs: float) -> None:
        """Move the clock."""
        self.now += timedelta(**kwargs)

    def person(self, name: str = "sergeant") -> Principal:
        """Return a supervisor who has just signed in."""
        return Principal(
            person=name, agency="MO0950000", role="supervisor", unit=None, terminal="desk-1", credential=f"key-{name}",
            methods=("key",), authenticated_at=self.now,
        )  # fmt: skip

    async def registered(self, name: str = "sergeant", **kwargs: Any) -> Authenticator:
        """Return an authenticator whose key is a person's first passkey."""
        made = Authenticator(**kwargs)
        code, _ = await self.desk.invite(name, within=timedelta(hours=1))
        options = await self.here.registration.begin(self.person(name), code=code, assertion=None)
        await self.here.registration.finish(self.person(name), made.create(options))
        return made

    async def asked(self, name: str = "sergeant", thing: Thing = APPROVAL) -> dict[str, Any]:
        """Return the options with which a confirmation is asked for."""
        with pytest.raises(StepUpRequired) as required:
            await self.here.step_up.demand(self.person(name), thing, None)
        options: Any = required.value.extras["challenge"]
        return dict(options)

    async def confirm(self, assertion: str, name: str = "sergeant", thing: Thing = APPROVAL) -> Assurance:
        """Confirm here."""
        return await self.here.step_up.demand(self.person(name), thing, assertion)

    async def write(self, statement: str) -> None:
        """Write to the store as who has no key."""
        async with self.here.database.begin() as connection:
            await connection.execute(text(statement))


@pytest.fixture
async def station(tmp_path: Path) -> AsyncIterator[Station]:
    """Yield an open store with two processes on it."""
    databases = [Database(tmp_path / "store.sqlite3") for _ in range(2)]
    for database in databases:
        await database.open()
    made: list[Station] = []

    def clock() -> datetime:
        return made[0].now

    outbox = Outbox(databases[0], Sealer(index_key=b"i" * 32, body_key=b"b" * 32), clock, os.urandom)
    desk = PasskeyDesk(database=databases[0], key=KEY, outbox=outbox, clock=clock, randomness=os.urandom, actor="login:clerk")
    made.append(Station(Process(databases[0], clock), Process(databases[1], clock), desk))
    yield made[0]
    for database in databases:
        await database.close()
