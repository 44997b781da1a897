"""What recognition says about a subject."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proxy.audit.event import Json
    from proxy.identity.principal import Principal
    from proxy.registry.thresholds import Thresholds


MOST_EXPLAINED: Final = 32


class Relation(StrEnum):
    """The principal's relation to the subject, strongest first."""

    SELF = "self"
    HOUSEHOLD = "household"
    FAMILY = "family"
    FORMER_PARTNER = "former_partner"
    DISPUTE = "dispute"
    COMMAND = "command"
    COLLEAGUE = "colleague"
    NONE = "none"


OWN_CAUSE: Final = frozenset({Relation.SELF, Relation.HOUSEHOLD, Relation.FAMILY, Relation.FORMER_PARTNER, Relation.DISPUTE})
"""Nobody decides on, nor reviews, what concerns somebody so close."""


class Feature(NamedTuple):
    """One field's part in a match: what it is, how alike (``likeness.py``), and the bits of evidence, negative against."""

    kind: str
    level: str
    bits: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """A registry entry that the criteria or a record point at. ``entry`` is its id, ``matched`` the roads that led there.

    ``fields`` are classes of fields.yaml that are masked in every record that concerns the person, whatever policy permits.
    ``features`` say what speaks for and against it, ``score`` their sum in bits, ``threshold`` the bits that are enough without
    an exact road. None of them holds a value; they are for the log's sealed part and the supervisor, never for a terminal.
    """

    entry: str
    category: str
    basis: str
    matched: tuple[str, ...] = ()
    fields: frozenset[str] = frozenset()
    score: float = 0.0
    threshold: float = 0.0
    features: tuple[Feature, ...] = ()

    def explained(self) -> dict[str, Json]:
        """Return why, as JSON: for the log's sealed part and the supervisor."""
        return {
            "entry": self.entry,
            "category": self.category,
            "matched": list(self.matched),
            "score": round(self.score, 1),
            "threshold": round(self.threshold, 1),
            "features": [(each.kind, each.level, round(each.bits, 1)) for each in self.features],
        }


def explained(protections: Iterable[Protection]) -> list[Json]:
    """Return why each of them is concerned, strongest first; bounded, since an entry of the log has at most 65,535 bytes."""
    strongest = sorted(protections, key=lambda protection: (-protection.score, protection.entry))
    return [protection.explained() for protection in strongest[:MOST_EXPLAINED]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """Everybody protected who is concerned (none, one or several), and the relations to the principal."""

    protections: tuple[Protection, ...] = ()
    relations: frozenset[Relation] = frozenset()


class Recognizer(Protocol):
    """The registry, as the street sees it. Synchronous, in memory, microseconds; holds no request state.

    ``under`` are the thresholds of the policy that a query began under; without them, those in force.
    """

    @property
    def ready(self) -> bool:
        """Tell whether the registry is loaded; when it is not, every query is refused."""
        ...

    def asks_for_more(self, criteria: Mapping[str, Sequence[str]], under: Thresholds | None = None) -> bool:
        """Tell whether criteria are too little for so large a registry, whomever they mean: that is never looked at."""
        ...

    def recognize(
        self, fields: Mapping[str, Sequence[str]], principal: Principal, under: Thresholds | None = None
    ) -> Recognition:
        """Recognize criteria or one record; ``fields`` maps a field kind (inquiry.FIELD_KINDS) to its values."""
        ...
