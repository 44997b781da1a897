"""What the log says of a trace: that somebody asked, before it looks; and whom it shows as leads, before it shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from proxy.audit.event import Event, Party

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.event import Json
    from proxy.oversight.leak.claim import Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakTraced(Event):
    """Somebody asks who may be the source of what was published. ``page`` counts from 1, ``log`` names an older log."""

    kind: ClassVar[str] = "leak-traced"
    operator: str
    role: str
    case: str
    statement: str
    claims: tuple[Claim, ...]
    page: int = 1
    log: str = ""

    def facts(self) -> Mapping[str, Json]:
        """Return what kinds of things, how many, and from when; never a value."""
        times = [claim.at for claim in self.claims]
        return {
            "role": self.role,
            "kinds": tuple(sorted({claim.kind for claim in self.claims})),
            "items": len(self.claims),
            "first": min(times).isoformat(),
            "last": max(times).isoformat(),
            "page": self.page,
            **({"log": self.log} if self.log else {}),
        }

    def parties(self) -> Iterable[Party]:
        """Return who asks, under which case, and about whom the things are, where that was said."""
        yield Party("actor", self.operator)
        yield Party("case", self.case)
        for about in dict.fromkeys(claim.about for claim in self.claims if claim.about):
            yield Party("person_id", about)

    def sealed(self) -> Mapping[str, Json]:
        """Return who asks, why, and what was published."""
        return {
            "operator": self.operator,
            "case": self.case,
            "statement": self.statement,
            "published": [claim.told() for claim in self.claims],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadsShown(Event):
    """What a trace came to, and whom it shows to whoever asked. ``entries``, of ``log``, are those that are shown."""

    kind: ClassVar[str] = "leads-shown"
    operator: str
    case: str
    verdict: str
    leads: int
    officers: tuple[str, ...] = ()
    entries: tuple[int, ...] = ()
    log: str = ""

    def facts(self) -> Mapping[str, Json]:
        """Return the verdict, how many leads there are, and which entries are shown."""
        said: dict[str, Json] = {"verdict": self.verdict, "leads": self.leads, "entries": self.entries}
        return said | ({"log": self.log} if self.log else {})

    def parties(self) -> Iterable[Party]:
        """Return who asked, under which case, and which officers were shown as leads: by these, somebody else finds it."""
        yield Party("actor", self.operator)
        yield Party("case", self.case)
        for officer in self.officers:
            yield Party("officer", officer)

    def sealed(self) -> Mapping[str, Json]:
        """Return who asked, and whom they were shown."""
        return {"operator": self.operator, "case": self.case, "officers": self.officers}
