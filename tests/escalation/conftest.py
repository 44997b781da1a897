"""A real store, a journal of what was recorded, and a clock that is moved by hand."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from proxy.audit.errors import AuditUnavailable
from proxy.audit.event import Event, Receipt
from proxy.audit.outbox import Outbox
from proxy.audit.sealing import Sealer
from proxy.database import Database
from proxy.escalation.lifecycle import Asked
from proxy.escalation.lock_service import LockDesk
from proxy.escalation.lock_store import LockStore
from proxy.escalation.locks import Locks
from proxy.escalation.service import Escalations
from proxy.identity.assertion import RelyingParty
from proxy.identity.passkey_desk import PasskeyDesk
from proxy.identity.principal import Principal
from proxy.identity.registration import Registration
from proxy.identity.stepup import StepUp
from proxy.policy.decision import Demand
from proxy.policy.vocabulary import Reach
from proxy.purpose.purpose import StatementUninformative
from proxy.purpose.statement import objection
from proxy.registry.protection import Recognition, Relation
from proxy.telemetry import Metrics
from tests.identity.authenticator import Authenticator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from proxy.registry.thresholds import Thresholds

LOCK_KEY = b"l" * 32
LOCK_TABLE = {"supervisor": Reach.AGENCY, "oversight": Reach.EVERYWHERE}


PASSKEYS = b"p" * 32
PARTY = RelyingParty(id="localhost", origins=("http://localhost",))


@dataclass
class Journal:
    """An audit log that keeps its events, and can be told to fail."""

    events: list[Event] = field(default_factory=list)
    down: bool = False

    async def record(self, event: Event) -> Receipt:
        if self.down:
            raise AuditUnavailable("The log is not available.")
        self.events.append(event)
        return Receipt(origin="log.test", index=len(self.events), kind=event.kind, about=event.about)


@dataclass
class Relations:
    """A recognizer that knows who is close to whom, by any kind of field or by ``only`` one."""

    close: dict[str, Relation] = field(default_factory=dict)
    only: str = ""
    ready: bool = True

    def asks_for_more(self, criteria: Mapping[str, Sequence[str]], under: Thresholds | None = None) -> bool:
        assert criteria or under
        return False

    def recognize(
        self, fields: Mapping[str, Sequence[str]], principal: Principal, under: Thresholds | None = None
    ) -> Recognition:
        assert fields or under
        relation = self.close.get(principal.person) if not self.only or self.only in fields else None
        return Recognition(relations=frozenset({relation} if relation else ()))


@dataclass
class Desk:
    """The room under test with its surroundings; ``random`` is what chance yields, again and again, if anything is to."""

    escalations: Escalations
    journal: Journal
    relations: Relations
    metrics: Metrics
    database: Database
    locks: Locks
    locking: LockDesk
    step_up: StepUp
    now: datetime = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
    random: bytes = b""
    counted: float = 0.0

    def pass_time(self, **kwargs: float) -> None:
        self.now += timedelta(**kwargs)
        self.counted += timedelta(**kwargs).total_seconds()

    def set_clock(self, **kwargs: float) -> None:
        """Somebody sets the clock; no time passes."""
        self.now += timedelta(**kwargs)

    def again(self, **more: Any) -> Escalations:
        """Return the room once more over the same parts, with ``more`` of its surroundings."""
        return Escalations(
            database=self.database,
            key=b"k" * 32,
            audit=self.journal,
            recognizer=self.relations,
            locks=self.locks,
            step_up=self.step_up,
            clock=lambda: self.now,
            informative=informative,
            metrics=self.metrics,
            **more,
        )


def person(name: str, role: str = "patrol", agency: str = "MO0950000") -> Principal:
    return Principal(
        person=name,
        agency=agency,
        role=role,
        unit=None,
        terminal=f"car-{name}",
        credential=f"key-{name}",
        methods=("key",),
        authenticated_at=datetime(2026, 11, 23, 2, 0, tzinfo=UTC),
    )


def asked(**changes: object) -> Asked:
    values: dict[str, object] = {
        "person": "officer-1",
        "agency": "MO0950000",
        "role": "patrol",
        "terminal": "car-12",
        "case": "26-004217",
        "purpose": "C",
        "statement": "threats reported against the mayor's family",
        "route": "person-read",
        "action": "person.read",
        "criteria": {"person_id": ["100123"]},
        "categories": ("official",),
        "subjects": ("entry-1",),
        "relations": (),
        "rule": "E01",
        "because": "protected person",
        "policy_version": "abc",
        "demands": (Demand(quorum=1, roles=frozenset({"supervisor"})),),
    }
    return Asked(**(values | changes))  # type: ignore[arg-type]


def informative(words: str, code: str, case: str) -> str:
    """Hold words to the rules of a statement, under any code."""
    wrong = objection(words, case=case, label=code)
    if wrong is not None:
        raise StatementUninformative(wrong)
    return words.strip()


async def registered(desk: Desk, name: str = "sergeant") -> Authenticator:
    """Return an authenticator with a person's passkey."""
    outbox = Outbox(desk.database, Sealer(index_key=b"i" * 32, body_key=b"b" * 32), lambda: desk.now, secrets.token_bytes)
    common: Any = {
        "database": desk.database, "key": PASSKEYS, "clock": lambda: desk.now, "randomness": secrets.token_bytes,
    }  # fmt: skip
    code, _ = await PasskeyDesk(outbox=outbox, actor="login:clerk", **common).invite(name, within=timedelta(hours=1))
    registration = Registration(step_up=desk.step_up, audit=desk.journal, party=PARTY, **common)
    made = Authenticator()
    who = replace(person(name, "supervisor"), authenticated_at=desk.now)
    await registration.finish(who, made.create(await registration.begin(who, code=code, assertion=None)))
    return made


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    database = Database(tmp_path / "store.sqlite3")
    await database.open()
    journal, relations, metrics = Journal(), Relations(), Metrics()
    made: list[Desk] = []

    def randomness(count: int) -> bytes:
        return (made[0].random * count)[:count] if made[0].random else secrets.token_bytes(count)

    locks = Locks(LockStore(database, LOCK_KEY))
    step_up = StepUp(
        database=database,
        key=PASSKEYS,
        audit=journal,
        clock=lambda: made[0].now,
        randomness=secrets.token_bytes,
        mode="key",
        party=PARTY,
    )
    escalations = Escalations(
        database=database,
        key=b"k" * 32,
        audit=journal,
        recognizer=relations,
        locks=locks,
        step_up=step_up,
        clock=lambda: made[0].now,
        metrics=metrics,
        informative=informative,
        randomness=randomness,
    )
    now, counted = datetime(2026, 11, 23, 3, 0, tzinfo=UTC), 0.0
    locking = LockDesk(
        locks=locks,
        store=LockStore(database, LOCK_KEY),
        database=database,
        audit=journal,
        table=lambda: LOCK_TABLE,
        asked=escalations.asked,
        recognizer=relations,
        step_up=step_up,
        clock=lambda: made[0].now if made else now,
        monotonic=lambda: made[0].counted if made else counted,
        metrics=metrics,
    )
    made.append(Desk(escalations, journal, relations, metrics, database, locks, locking, step_up))
    yield made[0]
    await database.close()
