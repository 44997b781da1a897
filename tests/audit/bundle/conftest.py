"""A log with a month of queries, and bundles taken out of it."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.audit.bundle.exporting import Exporting
from proxy.audit.bundle.gathering import Gathering, newest_checkpoint
from proxy.audit.bundle.opening import open_bundle
from proxy.audit.bundle.question import Question
from proxy.audit.bundle.trust import Trust
from proxy.audit.bundle.verifying import verify_bundle
from proxy.audit.bundle.writing import Order
from proxy.audit.event import Event, Party
from proxy.audit.sealing import Sealer
from proxy.audit.service import AuditTrail
from proxy.clock import stamp
from proxy.digest import digest_of
from proxy.tlog.log import Log
from proxy.tlog.note import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from proxy.audit.bundle.events import Exported
    from proxy.audit.bundle.exporting import Notary, Written
    from proxy.audit.bundle.question import By
    from proxy.audit.bundle.verifying import Report
    from proxy.audit.entry import Entry
    from proxy.audit.event import Json
    from proxy.tlog.note import Checkpoint

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
POLICIES = {"policy.csv": b"p, *, *, *, deny\n", "routes.yaml": b"routes: []\n"}
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\u202e"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Event):
    """A query was decided."""

    kind: ClassVar[str] = "decided"
    officer: str
    words: str

    def facts(self) -> Mapping[str, Json]:
        """Return what lies open."""
        return {"forward": True, "action": "person.read", "outcome": "permit", "policy": digest_of(POLICIES)[:12]}

    def parties(self) -> Iterable[Party]:
        """Return who asked."""
        yield Party("officer", self.officer)

    def sealed(self) -> Mapping[str, Json]:
        """Return it in clear."""
        return {"officer": self.officer, "statement": self.words}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(Event):
    """It ended. Nobody is named: only ``about`` joins it to its query."""

    kind: ClassVar[str] = "failed"

    def facts(self) -> Mapping[str, Json]:
        """Return how."""
        return {"outcome": "upstream"}


@dataclass(slots=True)
class World:
    """A log's directory, its keys, and a clock that moves an hour with every entry."""

    home: Path
    signer: Signer
    sealer: Sealer
    recorded: list[Exported] = field(default_factory=list)
    now: datetime = BEGIN

    @property
    def directory(self) -> Path:
        """Return where the log lies."""
        return self.home / "log"

    def clock(self) -> datetime:
        """Return the time."""
        return self.now

    def fill(self, queries: int, *, words: str = "stopped for no plates") -> None:
        """Record queries of three officers in turn, each with its end."""

        async def work() -> None:
            async with Log(self.directory, signer=self.signer, clock=self.clock, segment_entries=256) as log:
                trail = AuditTrail(log, self.sealer, self.clock)
                for number in range(queries):
                    about = f"{stamp(self.now)}-{number}"
                    await trail.record(Asked(about=about, officer=f"badge-{number % 3}", words=f"{words} {number}"))
                    self.now += timedelta(minutes=30)
                    await trail.record(Answered(about=about))
                    self.now += timedelta(minutes=30)

        asyncio.run(work())

    @property
    def checkpoint(self) -> Checkpoint:
        """Return the newest."""
        return newest_checkpoint(self.directory, self.signer.verifier)

    @property
    def trust(self) -> Trust:
        """Return what an honest verifier is given."""
        return Trust(logs=(self.signer.verifier,))

    def export(
        self,
        target: Path,
        *,
        by: By = "officer",
        value: str = "badge-1",
        since: datetime | None = None,
        until: datetime | None = None,
        numbers: Sequence[int] = (),
        opens: Callable[[Entry], bool] = lambda _entry: True,
        earlier: Sequence[Checkpoint] = (),
        notary: Notary | None = None,
        record: Callable[[Exported], None] | None = None,
    ) -> Written:
        """Export as the command does."""
        question = Question(
            by=by,
            value=value,
            tokens=dict(self.sealer.searches(by, value)) if by != "entries" else {},
            since=stamp(since) if since else "",
            until=stamp(until) if until else "",
        )
        gathering = Gathering(self.directory, self.checkpoint, lambda _count: None)
        gathered = gathering.by_number(question) if by == "entries" else gathering.spanned(question, since, until)
        order = Order(
            exporter="login:clerk",
            case="26-CR-0042",
            statement=f"complaint against the officer {HOSTILE}",
            at=self.now,
            opens=opens,
            earlier=earlier,
            policy=digest_of(POLICIES),
            policies=POLICIES,
        )
        exporting = Exporting(
            self.directory, self.signer.verifier, self.sealer, program="Showcause 0", notary=notary, about="export-1"
        )
        keep = record if record is not None else self.recorded.append
        return exporting.write(target, order, gathering, gathered, numbers=numbers, record=keep)

    def verify(self, bundle: Path, trust: Trust | None = None, *, manifest: str = "") -> Report:
        """Verify as the command does."""
        return verify_bundle(open_bundle(bundle), trust or self.trust, manifest=manifest)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return a log of 24 entries that nobody changes, with a checkpoint that somebody kept at 8."""
    home = tmp_path_factory.mktemp("filled")
    signer = Signer("log.example/node-1", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    world = World(home, signer, Sealer(index_key=b"i" * 32, body_key=b"b" * 32))
    world.fill(4, words=HOSTILE)
    shutil.copy(world.directory / "checkpoint", home / "kept")
    world.fill(8)
    return world


@pytest.fixture(scope="session")
def kept(filled: World) -> Checkpoint:
    """Return the checkpoint that somebody kept."""
    return filled.signer.verifier.checkpoint((filled.home / "kept").read_text())


@pytest.fixture(scope="session")
def exported(filled: World, kept: Checkpoint) -> Path:
    """Return a bundle of one officer's queries in a few hours, to be copied before it is changed."""
    target = filled.home / "bundle"
    filled.export(target, since=BEGIN + timedelta(hours=1), until=BEGIN + timedelta(hours=9), earlier=[kept])
    return target


@pytest.fixture
def bundle(exported: Path, tmp_path: Path) -> Path:
    """Return a copy of the bundle."""
    return shutil.copytree(exported, tmp_path / "bundle")
