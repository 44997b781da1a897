"""The base event, and the receipt that proves one durable.

Every room declares its own events beside its own facts. An event has three parts, by who may read them:

* ``facts``: closed vocabularies, numbers and references, readable by whoever holds the log (never a name, never a query term);
* ``parties``: identifiers that investigators search by; stored only as keyed tokens (HMAC-SHA256, 16 bytes);
* ``sealed``: what must be kept but not lie open (query terms, statements, names), encrypted with AES-256-GCM.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Json = None | bool | int | float | str | list["Json"] | tuple["Json", ...] | dict[str, "Json"]


class Party(NamedTuple):
    """One identifier to search by: ``kind`` is officer, requestor, subject, case, terminal, person_id, phone …."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Event(ABC):
    """A fact worth remembering. ``about`` joins the entries of one query (its query id), or is empty."""

    kind: ClassVar[str]
    about: str = ""

    @abstractmethod
    def facts(self) -> Mapping[str, Json]:
        """Return what may lie open in the log."""

    def parties(self) -> Iterable[Party]:
        """Return the identifiers that are stored as keyed tokens."""
        return ()

    def sealed(self) -> Mapping[str, Json]:
        """Return what is stored encrypted."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Proof that an event is durable at the gate's level: it is entry ``index`` of log ``origin``."""

    origin: str
    index: int
    kind: str
    about: str

    @property
    def reference(self) -> str:
        """Return ``<origin>/<index>``, the form of the ``Audit-Entry`` header."""
        return f"{self.origin}/{self.index}"


class AuditLog(Protocol):
    """Where every room records."""

    async def record(self, event: Event) -> Receipt:
        """Return only once the event is durable at the gate's level.

        Raises:
            AuditUnavailable: the entry is not confirmed; nothing that depends on it may happen.
        """
        ...
