"""What the log says of exports: that one was begun, before anything is read, and what it holds, before a file appears."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from proxy.audit.event import Event, Party

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.bundle.question import By
    from proxy.audit.event import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportBegun(Event):
    """Somebody is about to take entries out of the log, or of an older one (``log``); ``value`` is about whom or what."""

    kind: ClassVar[str] = "export-begun"
    operator: str
    case: str
    statement: str
    by: By
    value: str
    since: str
    until: str
    log: str = ""

    def facts(self) -> Mapping[str, Json]:
        """Return by what was asked, and in which stretch; never about whom."""
        return {"by": self.by, "since": self.since, "until": self.until, **({"log": self.log} if self.log else {})}

    def parties(self) -> Iterable[Party]:
        """Return who exports, under which case, and whom it is about."""
        yield Party("actor", self.operator)
        yield Party("case", self.case)
        if self.by != "entries":
            yield Party(self.by, self.value)

    def sealed(self) -> Mapping[str, Json]:
        """Return all of it in words."""
        return {"operator": self.operator, "case": self.case, "statement": self.statement, "asked": self.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported(Event):
    """A bundle is whole and about to appear. ``manifest`` is the SHA-256 of its manifest, which names it for good."""

    kind: ClassVar[str] = "exported"
    operator: str
    case: str
    manifest: str
    size: int
    entries: tuple[int, ...]
    disclosed: tuple[int, ...]
    stamped: bool

    def facts(self) -> Mapping[str, Json]:
        """Return the manifest's hash, how much it holds, and of a log of what size."""
        return {
            "manifest": self.manifest,
            "size": self.size,
            "entries": len(self.entries),
            "disclosed": len(self.disclosed),
            "stamped": self.stamped,
        }

    def parties(self) -> Iterable[Party]:
        """Return who exported, and under which case."""
        yield Party("actor", self.operator)
        yield Party("case", self.case)

    def sealed(self) -> Mapping[str, Json]:
        """Return who, and which entries."""
        return {
            "operator": self.operator,
            "case": self.case,
            "entries": list(self.entries),
            "disclosed": list(self.disclosed),
        }
