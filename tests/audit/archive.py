"""A configured place whose log goes back years."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from proxy.__main__ import run
from proxy.audit.event import Event, Party
from proxy.audit.events import Started
from proxy.audit.holds import Hold, Holds, HoldSet
from proxy.audit.keys import create_key
from proxy.audit.retention import plan
from proxy.audit.service import AuditTrail
from proxy.cli.recording import sealer_of
from proxy.clock import utc_now
from proxy.settings import Settings, load_settings
from proxy.tlog.keys import create_signing_key, load_signer
from proxy.tlog.log import Log

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pytest

    from proxy.audit.event import Json
    from proxy.audit.retention import Plan

SEGMENT = 256
OLD = timedelta(days=1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(Event):
    """One entry of a query: its beginning or its end."""

    kind: ClassVar[str] = "decided"
    case: str = "26-1"
    plate: str = ""

    def facts(self) -> Mapping[str, Json]:
        """Return that it was forwarded."""
        return {"forward": True}

    def parties(self) -> Iterable[Party]:
        """Return case and plate."""
        yield Party("case", self.case)
        if self.plate:
            yield Party("plate", self.plate)


@dataclass(frozen=True, slots=True, kw_only=True)
class End(Query):
    """The end."""

    kind: ClassVar[str] = "disclosed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words(Query):
    """One with a body."""

    kind: ClassVar[str] = "asked"

    def sealed(self) -> Mapping[str, Json]:
        """Return something."""
        return {"words": "JORDAN PEMBERTON"}


@dataclass
class Archive:
    """A configured place whose log goes back years, and the command line in it."""

    config: Path
    capsys: pytest.CaptureFixture[str] | None = None

    @cached_property
    def settings(self) -> Settings:
        """Return its settings."""
        return load_settings(self.config, {})

    def log(self) -> Log:
        """Open the log."""
        signer = load_signer(self.settings.keys.checkpoint, self.settings.origin)
        return Log(self.settings.log, signer=signer, clock=utc_now, segment_entries=SEGMENT)

    async def record(self, *events: Event, ago: timedelta = timedelta()) -> None:
        """Record events, in this order, as if it were so long ago."""
        async with self.log() as log:
            trail = AuditTrail(log, sealer_of(self.settings), lambda: utc_now() - ago)
            for at in range(0, len(events), 50):
                await asyncio.gather(*(trail.record(event) for event in events[at : at + 50]))

    async def fill(self, special: Mapping[int, Event] | None = None) -> None:
        """Record four segments of queries, the first three old enough to go, and a start in the fifth, today."""
        for number in range(4):
            events: list[Event] = [
                (End if index % 2 else Query)(about=f"q{index // 2}")
                for index in range(number * SEGMENT, (number + 1) * SEGMENT)
            ]
            for index, event in (special or {}).items():
                if index // SEGMENT == number:
                    events[index % SEGMENT] = event
            await self.record(*events, ago=OLD - timedelta(days=number) if number < 3 else timedelta(days=30))
        await self.record(Started(version="1", policy="p"))

    def holds(self) -> Holds:
        """Return the holds in force."""
        return Holds.of(self.settings.log, sealer_of(self.settings))

    def plan(self, days: int = 400) -> Plan:
        """Plan to prune what is so old."""
        return plan(self.settings.log, self.holds(), utc_now() - timedelta(days=days), "asked")

    def call(self, *arguments: str) -> tuple[int, Any]:
        """Return exit code and the JSON of ``audit … --json``."""
        code = run(["audit", *arguments, "--config", str(self.config), "--json"])
        assert self.capsys is not None
        return code, orjson.loads(self.capsys.readouterr().out)

    def refused(self, *arguments: str) -> tuple[int, str]:
        """Return exit code and what was said of a command that does not do it."""
        code, said = self.call(*arguments)
        return code, str(said)

    def set_by_another(self, **what: Any) -> None:
        """Set a hold as a person who does not run these tests."""
        made = Hold(id="0123456789abcdef", order="preservation letter 17", by="login:clerk", **what)
        asyncio.run(self.record(HoldSet(hold=made)))


def configured(folder: Path) -> Path:
    """Make keys and a configuration, and return its file."""
    create_signing_key(folder / "checkpoint.pem")
    for name in ("index", "body", "registry"):
        create_key(folder / f"{name}.key")
    config = folder / "showcause.yaml"
    config.write_text(
        "origin: log.example\ndata: data\npolicies: policies\n"
        "keys: {checkpoint: checkpoint.pem, index: index.key, body: body.key, registry: registry.key}\n"
        "upstream: {url: 'http://127.0.0.1:1'}\nretention: {ceiling_days: 800}\n",
        encoding="utf-8",
    )
    return config
