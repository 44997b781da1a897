"""A candidate policy beside the live one: what it would have ruled, on the same facts.

Of the candidate only the rows are consulted. Who is recognized, which route and code a query has, and what the registry masks
stay the live policy's: the facts are the same, and the question is what the other rows make of them. A word that the candidate
does not have is denied there, as it would be once it ruled.

The candidate is asked by our own reading of its rows (``lattice``), never through Casbin: some microseconds, whatever it holds,
so that it can neither fail nor be slow in a way that a query would feel.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.policy.decide import ruled
from proxy.policy.decision import Ruling
from proxy.policy.lattice import Lattice, ruling_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from proxy.audit.event import Json
    from proxy.policy.decision import Facts
    from proxy.registry.protection import Recognition

ERROR: Final = "error"
MOST_KINDS: Final = 96
"""An entry of the log has at most 65,535 bytes; what is beyond is counted, not described."""
_ASPECTS: Final = tuple(field.name for field in fields(Ruling) if field.name not in {"outcome", "rule", "because"})


class Shadow:
    """A candidate's rows. Implements ``decision.Policy``."""

    def __init__(self, lattice: Lattice, version: str) -> None:
        """Take the rows and the version of a loaded policy."""
        self.lattice = lattice
        self.version = version

    def rule(self, facts: Facts) -> Ruling:
        """Rule on the facts; an unknown word is a deny."""
        return ruling_of(self.lattice.matching(facts))


class Difference(NamedTuple):
    """What policy ruled, what the candidate would have, and by which row; ``error`` where the candidate could not say.

    ``differs`` names what else than the outcome differs, where the outcome is the same: masks and obligations.
    """

    before: str
    after: str
    row: str
    differs: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Json]:
        """Return what may lie open in the log."""
        said: dict[str, Json] = {"from": self.before, "to": self.after, "row": self.row}
        return {**said, "differs": self.differs} if self.differs else said


class Kind(NamedTuple):
    """Everything that one ruling on a record rested on, beside what it shares with its query."""

    categories: tuple[str, ...]
    relations: tuple[str, ...]
    approval: str
    outcome: str
    rule: str
    masked: tuple[str, ...]

    def as_json(self, count: int) -> dict[str, Json]:
        """Return what may lie open in the log; what is usual is left out."""
        said: dict[str, Json] = {"outcome": self.outcome, "rule": self.rule, "count": count}
        if self.categories:
            said["categories"] = self.categories
        if self.relations:
            said["relations"] = self.relations
        if self.approval != "none":
            said["approval"] = self.approval
        if self.masked:
            said["masked"] = self.masked
        return said


def difference(shadow: Shadow, facts: Facts, recognition: Recognition, ruling: Ruling) -> Difference | None:
    """Return how the candidate's ruling differs, about everybody concerned; None when it is the same."""
    try:
        _, would = ruled(shadow, facts, recognition)
    except Exception:  # noqa: BLE001 -- whatever is wrong with a candidate is no query's trouble
        return Difference(ruling.outcome, ERROR, "")
    if would.outcome is not ruling.outcome:
        return Difference(ruling.outcome, would.outcome, would.rule)
    differs = tuple(name for name in _ASPECTS if getattr(would, name) != getattr(ruling, name))
    return Difference(ruling.outcome, would.outcome, would.rule, differs) if differs else None


def kind_of(facts: Facts, recognition: Recognition, ruling: Ruling) -> Kind:
    """Return what a ruling rested on: every category and relation, and not only the pairing that decided."""
    return Kind(
        categories=tuple(sorted({protection.category for protection in recognition.protections})),
        relations=tuple(sorted({str(relation) for relation in recognition.relations})),
        approval=facts.approval,
        outcome=str(ruling.outcome),
        rule=ruling.rule,
        masked=tuple(sorted(ruling.masked)),
    )


class Tally:
    """The rulings on the records of one reply, counted by kind, and what the candidate would have ruled otherwise."""

    def __init__(self, shadow: Shadow | None) -> None:
        """Take the candidate, if there is one."""
        self.shadow = shadow
        self.kinds: Counter[Kind] = Counter()
        self.differences: Counter[Difference] = Counter()

    def add(self, facts: Facts, recognition: Recognition, ruling: Ruling) -> None:
        """Count a ruling on one record, as policy made it."""
        self.kinds[kind_of(facts, recognition, ruling)] += 1
        if self.shadow is not None and (found := difference(self.shadow, facts, recognition, ruling)) is not None:
            self.differences[found] += 1

    def facts(self) -> Mapping[str, Json]:
        """Return what the entry of a reply says of its rulings."""
        listed = self.kinds.most_common(MOST_KINDS)
        said: dict[str, Json] = {"ruled": [kind.as_json(count) for kind, count in listed]}
        if (unlisted := self.kinds.total() - sum(count for _, count in listed)) > 0:
            said["unlisted"] = unlisted
        if self.shadow is not None and self.differences:
            said["shadow"] = {
                "policy": self.shadow.version,
                "differences": [
                    {**found.as_json(), "count": count} for found, count in self.differences.most_common(MOST_KINDS)
                ],
            }
        return said
