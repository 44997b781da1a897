"""Facts, the ruling on them, and the decision: closed unions, deciding is arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from proxy.audit.owed import Duty, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.event import Json
    from proxy.audit.owed import Owed


class Outcome(StrEnum):
    """The five outcomes, strictest first."""

    CONCEAL = "conceal"
    DENY = "deny"
    ESCALATE = "escalate"
    MASK = "mask"
    PERMIT = "permit"

    @property
    def severity(self) -> int:
        """Return 1 for the strictest, 5 for the loosest: Casbin's priority column."""
        return _SEVERITY[self]


_SEVERITY: Final[Mapping[Outcome, int]] = {outcome: position for position, outcome in enumerate(Outcome, start=1)}


OPEN: Final = frozenset({Outcome.MASK, Outcome.PERMIT})
"""Outcomes under which a record leaves."""


class Facts(NamedTuple):
    """The seven words Casbin is asked about, all from closed vocabularies. ``approval`` is ``none`` or ``granted``."""

    role: str
    action: str
    purpose: str
    category: str
    standing: str
    relation: str
    approval: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Who has to agree: ``quorum`` different people, each of one of ``roles``."""

    quorum: int
    roles: frozenset[str]

    def met(self, roles: Iterable[str]) -> bool:
        """Tell whether people of these roles, each named once, are enough."""
        return sum(1 for role in roles if role in self.roles) >= self.quorum

    def fact(self) -> dict[str, Json]:
        """Return its form in an entry, and for who decides."""
        return {"quorum": self.quorum, "roles": tuple(sorted(self.roles))}

    def covers(self, other: Demand) -> bool:
        """Tell whether whoever meets this one meets the other."""
        return self.roles <= other.roles and self.quorum >= other.quorum


@dataclass(frozen=True, slots=True, kw_only=True)
class Exigent:
    """What a stated emergency opens before anybody agreed: the field classes that leave, and who is told and reviews it."""

    shown: frozenset[str]
    owed: tuple[Owed, ...]


def exigent_in_all(each: Iterable[Exigent | None]) -> Exigent | None:
    """Return what an emergency opens where several rows decide: what all of them open, and nothing if one is silent."""
    found = tuple(each)
    allowed = tuple(exigent for exigent in found if exigent is not None)
    if not found or len(allowed) < len(found):
        return None
    shown = frozenset.intersection(*(exigent.shown for exigent in allowed))
    return Exigent(shown=shown, owed=joined(owed for exigent in allowed for owed in exigent.owed)) if shown else None


def demanded(demands: Iterable[Demand]) -> tuple[Demand, ...]:
    """Return demands that all have to be met, of those for the same roles the largest."""
    found: dict[tuple[str, ...], Demand] = {}
    for demand in demands:
        roles = tuple(sorted(demand.roles))
        found[roles] = max(demand, found.get(roles, demand), key=lambda each: each.quorum)
    return tuple(found[roles] for roles in sorted(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """Casbin's answer with the row that decided. ``rule`` is ``default`` where no row matched (deny)."""

    outcome: Outcome
    rule: str
    because: str
    masked: frozenset[str] = field(default_factory=frozenset)  # field classes of fields.yaml
    owed: tuple[Owed, ...] = ()  # who has to take note of it or to review it, and within what time
    demands: tuple[Demand, ...] = ()  # who has to agree, where the outcome is escalate
    tell: bool = False  # whether the terminal may learn that a record was withheld
    marked: bool = False  # whether what leaves carries a mark of who was answered, and when
    exigent: Exigent | None = None  # what an emergency opens, where the outcome is escalate

    @property
    def notify(self) -> tuple[str, ...]:
        """Return the roles that have to take note."""
        return tuple(sorted({owed.role for owed in self.owed if owed.duty is Duty.NOTICE}))


class Policy(Protocol):
    """One loaded, checked, immutable policy."""

    @property
    def version(self) -> str:
        """Return the content hash of the policy files."""
        ...

    def rule(self, facts: Facts) -> Ruling:
        """Rule on the facts. Never raises: an unknown word or any engine error is a deny."""
        ...
