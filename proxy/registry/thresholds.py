"""How much evidence is enough: ``policies/recognition.yaml``, per category, growing with the size of the registry.

Of N enrolled persons each one could be met by chance, so a threshold that is right for N is one bit too low for 2 N.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log2
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from proxy.document import DocumentInvalid, load_with_positions, suggest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

LEAST_BITS: Final = 8
MOST_BITS: Final = 40


USUAL: Final = 12.0
RELATIONS: Final = 16.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The file, checked. ``categories`` hold those that are not ``usual``."""

    size: int = 500
    usual: float = USUAL
    categories: Mapping[str, float] = field(default_factory=dict)
    relations: float = RELATIONS
    name_alone_up_to: int = 2000

    def of(self, category: str, persons: int) -> float:
        """Return the bits that are enough for a category in a registry of so many."""
        return self.alone(category) + self.growth(persons)

    def alone(self, category: str) -> float:
        """Return the bits that the file says are enough for a category."""
        return self.categories.get(category, self.usual)

    def growth(self, persons: int) -> float:
        """Return the bits that a registry of so many asks for beyond the file's."""
        return log2(max(1.0, persons / self.size))


USUALLY: Final = Thresholds()
"""Where no policy is at hand, as beside the command line's own work on entries."""

Bits = Annotated[float, Field(ge=LEAST_BITS, le=MOST_BITS)]


class _Enough(BaseModel):
    model_config = ConfigDict(extra="forbid")

    bits: Bits


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: Annotated[int, Field(ge=1, strict=True)]
    usual: _Enough
    categories: dict[str, _Enough] = {}
    relations: _Enough
    name_alone_up_to: Annotated[int, Field(ge=0, strict=True)]


def load_thresholds(path: Path, *, categories: Iterable[str] | None) -> Thresholds:
    """Read ``recognition.yaml``; ``categories`` are those of the vocabulary, or None when they cannot be known.

    Raises:
        DocumentInvalid: with every mistake found.
    """
    document, positions = load_with_positions(path, _Document)
    known = sorted(document.categories if categories is None else categories)
    mistakes = [
        positions.mistake(
            ("categories", name),
            f"unknown category '{name}'",
            value=False,
            hint=suggest(name, known) or f"categories of vocabulary.yaml: {', '.join(known)}",
        )
        for name in document.categories
        if name not in known
    ]
    if mistakes:
        raise DocumentInvalid(mistakes)
    return Thresholds(
        size=document.size,
        usual=document.usual.bits,
        categories=MappingProxyType({name: each.bits for name, each in document.categories.items()}),
        relations=document.relations.bits,
        name_alone_up_to=document.name_alone_up_to,
    )
