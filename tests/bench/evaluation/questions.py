"""What is asked of every system: who is enrolled, and queries of which it is known whom they mean."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Fields = "Mapping[str, str]"
Part = Literal["tuning", "reporting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Criteria or a record. ``truth`` is the key of the protected person who is meant; empty for an ordinary query."""

    fields: Mapping[str, str]
    truth: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One registry, by a key of our own for each person, and the queries of each road."""

    enrolled: Mapping[str, Mapping[str, str]]
    queries: Mapping[str, Sequence[Query]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a road is to reach: recall in percent, at needless recognitions per 1,000 ordinary queries."""

    recall: float
    needless: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Folds of one kind; ``source`` says where the data come from."""

    name: str
    source: str
    folds: Sequence[Fold]
    aims: Mapping[str, Aim] = field(default_factory=dict)

    @property
    def roads(self) -> list[str]:
        """Return the roads in the order in which the first fold has them."""
        return list(dict.fromkeys(road for fold in self.folds for road in fold.queries))


def part_of(source: str, key: str) -> Part:
    """Return which half of a data set somebody is in: one bit of a hash, the same on every machine for good."""
    return "tuning" if hashlib.sha256(f"{source}\0{key}".encode()).digest()[0] & 1 else "reporting"


def folds_of(keys: Sequence[str], count: int) -> list[list[str]]:
    """Deal keys out into folds, in the order of a hash, so that no fold is of one kind."""
    dealt = sorted(keys, key=lambda key: hashlib.sha256(f"fold\0{key}".encode()).digest())
    return [dealt[number::count] for number in range(count)]
