"""``budgets.yaml``: how much one person may ask within an hour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from proxy.document import load

if TYPE_CHECKING:
    from pathlib import Path

Count = Annotated[int, Field(ge=1, le=1_000_000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """Limits by the hour and by the person; ``broad_counts`` is what a broad search counts as in its neighborhood.

    ``unverified`` bounds what goes on without the case directory, ``references`` the ones that did not hold.
    """

    queries: int
    fruitless: int
    records: int
    neighborhood: int
    unverified: int = 12
    references: int = 60
    broad_counts: int


class _PerHour(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    queries: Count
    fruitless: Count
    records: Count
    neighborhood: Count
    unverified: Count = 12
    references: Count = 60


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    per_hour: _PerHour
    broad_counts: Annotated[int, Field(ge=1, le=100)]


def load_budgets(path: Path) -> Budgets:
    """Read ``budgets.yaml``.

    Raises:
        DocumentInvalid: with every mistake found.
    """
    document = load(path, _Document)
    return Budgets(**document.per_hour.model_dump(), broad_counts=document.broad_counts)
