"""``budgets.yaml``: how much one person may ask within an hour, how often break the glass, and what is looked at by lot."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import AfterValidator, Field

from proxy.document import DocumentInvalid, Strict, load_with_positions, suggest
from proxy.policy.obligations import read_time

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

DAY: Final = 86_400


def _time(text: str) -> str:
    if read_time(text) is None:
        msg = "must be minutes, hours or days, 30 days at most: 15m, 4h, 2d"
        raise ValueError(msg)
    return text


Count = Annotated[int, Field(ge=1, le=1_000_000)]
Time = Annotated[str, AfterValidator(_time)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Glass:
    """How often one person may break the glass: ``most`` times within so many seconds."""

    most: int = 3
    within: int = DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How many ordinary answers are looked at by lot: one in so many, and reviewed within so many seconds.

    A code or an action may have a rate of its own; of several that fit, the one by which most are drawn holds. 0 draws none.
    """

    one_in: int = 0
    within: int = 7 * DAY
    by_purpose: Mapping[str, int] = field(default_factory=dict)
    by_action: Mapping[str, int] = field(default_factory=dict)

    def rate(self, purpose: str, action: str) -> int:
        """Return of how many answers one is drawn; 0 for none."""
        said = (self.one_in, self.by_purpose.get(purpose, 0), self.by_action.get(action, 0))
        return min((each for each in said if each), default=0)


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
    glass: Glass = Glass()
    sample: Sample = Sample()


class _PerHour(Strict):
    queries: Count
    fruitless: Count
    records: Count
    neighborhood: Count
    unverified: Count = 12
    references: Count = 60


class _Glass(Strict):
    most: Annotated[int, Field(ge=1, le=100)]
    within: Time


Rate = Annotated[int, Field(ge=0, le=1_000_000)]


class _Sample(Strict):
    one_in: Rate
    within: Time
    by_purpose: dict[str, Rate] = Field(default_factory=dict)
    by_action: dict[str, Rate] = Field(default_factory=dict)


class _Document(Strict):
    per_hour: _PerHour
    broad_counts: Annotated[int, Field(ge=1, le=100)]
    break_glass: _Glass | None = None
    sample: _Sample | None = None


def load_budgets(path: Path, *, codes: Collection[str] | None = None, actions: Collection[str] | None = None) -> Budgets:
    """Read ``budgets.yaml``; ``codes`` and ``actions`` are those that there are, or None when they cannot be known.

    Raises:
        DocumentInvalid: with every mistake found.
    """
    document, positions = load_with_positions(path, _Document)
    glass, sample = document.break_glass, document.sample
    rated = (("by_purpose", "code", codes), ("by_action", "action", actions))
    mistakes = [
        positions.mistake(("sample", key, name), f"there is no {what} '{name}'", value=False, hint=suggest(name, known))
        for key, what, known in rated
        for name in (getattr(sample, key) if sample and known is not None else ())
        if known is not None and name not in known
    ]
    if mistakes:
        raise DocumentInvalid(mistakes)
    return Budgets(
        **document.per_hour.model_dump(),
        broad_counts=document.broad_counts,
        glass=Glass(most=glass.most, within=read_time(glass.within) or DAY) if glass else Glass(),
        sample=Sample(**{**sample.model_dump(), "within": read_time(sample.within) or DAY}) if sample else Sample(),
    )
