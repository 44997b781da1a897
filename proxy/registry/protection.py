"""What recognition says about a subject."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proxy.identity.principal import Principal


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """A registry entry that the criteria or a record point at. ``entry`` is its id, ``matched`` the roads that led there."""

    entry: str
    category: str
    basis: str
    matched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """Everybody protected who is concerned (none, one or several), and the relations to the principal."""

    protections: tuple[Protection, ...] = ()
    relations: frozenset[Relation] = frozenset()


class Recognizer(Protocol):
    """The registry, as the street sees it. Synchronous, in memory, microseconds; holds no request state."""

    @property
    def ready(self) -> bool:
        """Tell whether the registry is loaded; when it is not, every query is refused."""
        ...

    def recognize(self, fields: Mapping[str, Sequence[str]], principal: Principal) -> Recognition:
        """Recognize criteria or one record; ``fields`` maps a field kind (inquiry.FIELD_KINDS) to its values."""
        ...
