"""What is ruled on each record of a reply, before anything of it may leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.policy.decision import Ruling
    from proxy.registry.protection import Recognition


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What policy says of one record: the strictest ruling over everybody it concerns, and who they are.

    ``fields`` are the identifiers that told.
    """

    ruling: Ruling
    recognition: Recognition
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)


Judge = Callable[[Mapping[str, Sequence[str]]], Judgement]
"""Given a record's fields by kind (inquiry.FIELD_KINDS), recognize and rule."""
