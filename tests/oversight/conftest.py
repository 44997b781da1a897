"""A real log and store, queries as the log has them, and a clock that is moved by hand."""

from __future__ import annotations

import asyncio
import base64
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from aiohttp import web
from aiosmtpd.smtp import SMTP
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks.webhooks import Webhook as Signature

from proxy.audit.event import Event
from proxy.audit.owed import Duty, Owed, owing
from proxy.audit.reader import AuditReader
from proxy.audit.sealing import Sealer
from proxy.audit.service import AuditTrail
from proxy.database import Database
from proxy.escalation.lifecycle import Escalation, State
from proxy.oversight.channels import make_channel
from proxy.oversight.notification_file import load_notifying
from proxy.oversight.notifier import Notifier
from proxy.oversight.service import Oversight
from proxy.policy.decision import Demand
from proxy.telemetry import Metrics
from proxy.tlog.log import Log
from proxy.tlog.note import Signer
from tests.escalation.conftest import Journal, Relations, asked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from email.message import EmailMessage
    from pathlib import Path

    from proxy.audit.entry import Entry
    from proxy.audit.event import Json
    from proxy.oversight.store import Undone

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
    requestor: str | None = None
    subject: str = ""
    criteria: str = "100123"

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
            "criteria": {"person_id": [self.criteria]},
            "recognized": [{"entry": self.subject}] if self.subject else [],
            "approved_by": list(self.approved_by),
            "requestor": self.requestor,
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


SECRET = "whsec_" + base64.b64encode(b"a secret of the pager's desk, 32").decode()
START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


@dataclass
class Pager:
    """A receiver that verifies each request, and answers as it is told."""

    status: int = 200
    taken: list[tuple[str, Any]] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        signed = replace_time(dict(request.headers), body)
        self.taken.append((request.headers["webhook-id"], Signature(SECRET).verify(body, signed)))
        self.arrived.set()
        await self.answering.wait()
        return web.Response(status=self.status, headers={"Location": "/elsewhere"})


def replace_time(headers: dict[str, str], body: bytes) -> dict[str, str]:
    """Check the signature of the test's own time, and sign anew for a verifier who looks at the real clock."""
    sent = datetime.fromtimestamp(int(headers["webhook-timestamp"]), tz=UTC)
    assert headers["webhook-signature"] == Signature(SECRET).sign(headers["webhook-id"], sent, body.decode())
    now = datetime.now(UTC)
    signature = Signature(SECRET).sign(headers["webhook-id"], now, body.decode())
    return headers | {"webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}


@dataclass
class Mailbox:
    """A mail server that keeps what it takes."""

    mails: list[EmailMessage] = field(default_factory=list)
    refusing: bool = False

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802 -- aiosmtpd calls it so
        if self.refusing:
            return "451 Mrs. Reed's mailbox is full"
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 taken"


@dataclass
class Telling:
    """What waits, and one process's notifier or several on one store."""

    folder: Path
    database: Database
    pager: Pager
    mailbox: Mailbox
    mail_port: int
    journal: Journal = field(default_factory=Journal)
    metrics: Metrics = field(default_factory=Metrics)
    now: datetime = START
    escalations: list[Escalation] = field(default_factory=list)
    duties: list[Undone] = field(default_factory=list)

    def pending(self) -> Sequence[Escalation]:
        return [each for each in self.escalations if each.at(self.now) is State.PENDING]

    def undone(self) -> Sequence[Undone]:
        return self.duties

    def open(self, text: str = "") -> Notifier:
        path = self.folder / "notifications.yaml"
        path.write_text(text or self.text())
        notifying = load_notifying(path)
        return Notifier(
            notifying=notifying,
            channels={name: make_channel(options, notifying) for name, options in notifying.channels.items()},
            database=self.database,
            escalations=self,
            duties=self,
            audit=self.journal,
            clock=lambda: self.now,
            metrics=self.metrics,
            key=b"h" * 32,
        )

    def text(self) -> str:
        return f"""
console: https://console.example.gov/
channels:
  mail: {{kind: email, host: 127.0.0.1, port: {self.mail_port}, tls: none, sender: desk@example.gov, to: [shift@example.gov]}}
  pager: {{kind: webhook, url: "http://127.0.0.1:{self.pager.port}/hook", secret: pager.key}}
chains:
  supervisor:
    - channels: [mail]
    - {{after_seconds: 120, channels: [pager]}}
  supervisor@MO0960000:
    - channels: [pager]
timeout_seconds: 5
"""

    def escalate(self, id_: str = "e1", agency: str = "MO0950000", subject: str = "") -> None:
        """Have an officer ask about somebody: another one each time, unless it is said who."""
        query = asked(
            agency=agency, subjects=(subject or f"entry-{id_}",), demands=(Demand(quorum=1, roles=frozenset({"supervisor"})),)
        )
        self.escalations.append(
            Escalation(
                id=id_,
                asked=query,
                fingerprint="f",
                state=State.PENDING,
                created_at=self.now,
                expires_at=self.now + timedelta(days=7),
            )
        )

    async def turn(self, notifier: Notifier, **later: float) -> None:
        self.now += timedelta(**later)
        await notifier.plan()
        for channel in notifier.channels:
            await notifier.send(channel)

    def count(self, outcome: str) -> float:
        return self.metrics.registry.get_sample_value("showcause_notifications_total", {"outcome": outcome}) or 0


@asynccontextmanager
async def receiving(pager: Pager) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_post("/hook", pager.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    pager.port = runner.addresses[0][1]
    pager.answering.set()
    yield
    await runner.cleanup()


@pytest.fixture
async def telling(tmp_path: Path) -> AsyncIterator[Telling]:
    (tmp_path / "pager.key").write_text(f"{SECRET}\n")
    (tmp_path / "pager.key").chmod(0o600)
    mailbox, pager = Mailbox(), Pager()
    database = Database(tmp_path / "store.sqlite3")
    await database.open()
    async with receiving(pager):
        server = await asyncio.get_running_loop().create_server(lambda: SMTP(mailbox), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        yield Telling(tmp_path, database, pager, mailbox, port)
        server.close()
        await server.wait_closed()
    await database.close()
