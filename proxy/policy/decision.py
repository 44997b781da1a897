"""Facts, the ruling on them, and the decision: closed unions, deciding is arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from proxy.audit.owed import Duty, joined
from proxy.policy.seats import filled

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


OWN_AGENCY: Final = "own"
ANY_AGENCY: Final = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Who has to agree: ``quorum`` different people, each of one of ``roles``.

    A stage of approvals.yaml has a ``name``; what a row says by itself has none. ``agency`` is ``own`` (the requester's),
    ``any`` or an ORI. ``ranks`` are those that are enough, lowest first; with none, no rank is asked for.
    """

    quorum: int
    roles: frozenset[str]
    name: str = ""
    agency: str = OWN_AGENCY
    ranks: tuple[str, ...] = ()

    def admits(self, *, role: str, agency: str, rank: str, own: str) -> bool:
        """Tell whether somebody counts here; ``own`` is the requester's agency."""
        if role not in self.roles or (self.ranks and rank not in self.ranks):
            return False
        return self.agency == ANY_AGENCY or agency == (own if self.agency == OWN_AGENCY else self.agency)

    def fact(self) -> dict[str, Json]:
        """Return its form in an entry, and for who decides."""
        said: dict[str, Json] = {"quorum": self.quorum, "roles": tuple(sorted(self.roles))}
        if self.name:
            said["stage"] = self.name
        if self.agency != OWN_AGENCY:
            said["agency"] = self.agency
        if self.ranks:
            said["ranks"] = self.ranks
        return said

    def narrows(self, other: Demand) -> bool:
        """Tell whether whoever counts here counts there."""
        if other.ranks and not (self.ranks and set(self.ranks) <= set(other.ranks)):
            return False
        return self.roles <= other.roles and other.agency in {ANY_AGENCY, self.agency}

    def covers(self, other: Demand) -> bool:
        """Tell whether those who meet this one meet the other."""
        return self.narrows(other) and self.quorum >= other.quorum


def seats(demands: Iterable[Demand]) -> list[Demand]:
    """Return each demand as often as it takes people."""
    return [demand for demand in demands for _ in range(demand.quorum)]


def suffice(given: Iterable[Demand], wanted: Iterable[Demand]) -> bool:
    """Tell whether whoever meet everything ``given`` meet everything ``wanted``, each of them counted once."""
    places = seats(wanted)
    return filled(places, seats(given), Demand.narrows) == len(places)


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
    """Return demands that all have to be met: each stage once, and beside them what no other covers, the largest of a kind."""
    found: dict[tuple[str, tuple[str, ...]], Demand] = {}
    for demand in demands:
        key = demand.name, tuple(sorted(demand.roles))
        found[key] = max(demand, found.get(key, demand), key=lambda each: each.quorum)
    return tuple(
        found[key]
        for key in sorted(found)
        if found[key].name or not any(other.covers(found[key]) for other in found.values() if other is not found[key])
    )


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
