"""A trail over a real log, events to record, and a clock that stands."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.__main__ import run
from proxy.audit.event import Event, Party
from proxy.audit.reader import AuditReader
from proxy.audit.sealing import Sealer
from proxy.audit.service import AuditTrail
from proxy.tlog.log import Log
from proxy.tlog.note import Signer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from proxy.audit.event import Json

NOON = datetime(2026, 11, 23, 12, 0, 0, 129_999, tzinfo=UTC)


def noon() -> datetime:
    """Return noon, whenever asked."""
    return NOON


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Event):
    """An event with something in each of its three parts."""

    kind: ClassVar[str] = "asked"
    action: str = "person.read"
    person: str = "badge-1234"
    words: str = "JORDAN PEMBERTON"

    def facts(self) -> Mapping[str, Json]:
        """Return a closed word."""
        return {"action": self.action}

    def parties(self) -> Iterable[Party]:
        """Return who asked."""
        yield Party("officer", self.person)
        yield Party("name", self.words)

    def sealed(self) -> Mapping[str, Json]:
        """Return what was asked."""
        return {"operator": self.person, "words": self.words}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided(Event):
    """A decision as the pairing sees it."""

    kind: ClassVar[str] = "decided"
    forward: bool = True

    def facts(self) -> Mapping[str, Json]:
        """Return whether it was forwarded."""
        return {"forward": self.forward}


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosed(Event):
    """An end."""

    kind: ClassVar[str] = "disclosed"

    def facts(self) -> Mapping[str, Json]:
        """Return nothing."""
        return {}


@dataclass(frozen=True, slots=True)
class World:
    """A log's directory and its keys."""

    directory: Path
    signer: Signer
    sealer: Sealer
    journal: list[Mapping[str, Json]] = field(default_factory=list)

    def log(self) -> Log:
        """Open the log."""
        return Log(self.directory, signer=self.signer, clock=noon)

    def trail(self, log: Log) -> AuditTrail:
        """Return a trail whose copies go to the journal."""
        return AuditTrail(log, self.sealer, noon, copy=self.journal.append)

    def reader(self) -> AuditReader:
        """Return a reader with the keys."""
        return AuditReader(self.directory, self.sealer)


def import_cases(config: Path, *numbers: str) -> None:
    """Put cases into the case directory, as an operator does."""
    file = config.with_name("cases.csv")
    lines = [f"{number},case,KY0429900,2026-11-01T00:00:00Z" for number in numbers]
    file.write_text("\n".join(("number,kind,agency,opened_at", *lines)), "utf-8")
    assert run(["cases", "import", str(file), "--config", str(config)]) == 0
    file.unlink()


@pytest.fixture
def sealer() -> Sealer:
    """Return a sealer with fixed keys and counted nonces."""
    counter = itertools.count()
    return Sealer(index_key=b"i" * 32, body_key=b"b" * 32, randomness=lambda size: next(counter).to_bytes(size))


@pytest.fixture
def world(tmp_path: Path, sealer: Sealer) -> World:
    """Return a place for one log."""
    return World(tmp_path / "log", Signer("log.example", Ed25519PrivateKey.from_private_bytes(bytes(32))), sealer)
