"""What ``policy.csv`` holds once it has been read: rows that rule, and lines that put words into groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from proxy.policy.obligations import Obligations, written
from proxy.policy.vocabulary import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.owed import Owed
    from proxy.policy.decision import Demand, Exigent, Facts, Outcome, Ruling

GROUP_PREFIXES: Final[Mapping[str, str]] = MappingProxyType(
    {"g": "role", "g2": "category", "g3": "purpose", "g4": "action", "g5": "standing", "g6": "relation"},
)
"""Casbin's grouping sections, and the column that each one groups."""

SHEET: Final = "policy.csv"
ROW_COLUMNS: Final = ("outcome", "rule", *COLUMNS, "obligations", "because")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One rule. ``conditions`` says for each of the seven facts a word, a group, or ``any``."""

    outcome: Outcome
    rule: str
    conditions: Facts
    because: str
    masked: frozenset[str] = field(default_factory=frozenset)
    owed: tuple[Owed, ...] = ()
    demands: tuple[Demand, ...] = ()
    tell: bool = False
    marked: bool = False
    exigent: Exigent | None = None
    line: int = 0
    file: str = SHEET  # by its name in the policy's folder; another one for a row of an overlay

    @property
    def order(self) -> tuple[int, str]:
        """Return the place among all rows: the strictest first, then by rule; the line in the file has no say."""
        return self.outcome.severity, self.rule

    def __str__(self) -> str:
        """Return the row as the file could hold it."""
        return ", ".join((self.outcome, self.rule, *self.conditions, obligations(self), self.because))


def obligations(of: Row | Ruling) -> str:
    """Return what a row or a ruling obliges to, as a row's cell says it."""
    return written(
        Obligations(masked=of.masked, tell=of.tell, marked=of.marked, owed=of.owed, demands=of.demands, exigent=of.exigent)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """One line that puts a word into a group."""

    prefix: str
    member: str
    group: str
    line: int = 0

    @property
    def column(self) -> str:
        """Return the column whose words are grouped."""
        return GROUP_PREFIXES[self.prefix]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A whole policy: its rows in deciding order, and its groupings in the order of the file."""

    rows: tuple[Row, ...]
    groupings: tuple[Grouping, ...]

    def members(self) -> Mapping[tuple[str, str], frozenset[str]]:
        """Return the words of each ``(column, group)``."""
        found: dict[tuple[str, str], set[str]] = {}
        for grouping in self.groupings:
            found.setdefault((grouping.column, grouping.group), set()).add(grouping.member)
        return {key: frozenset(words) for key, words in found.items()}


def overlay_file(name: str) -> str:
    """Return the file of an overlay's rows, by its name in the policy's folder."""
    return f"overlays/{name}/{SHEET}"


def make_sheet(rows: Iterable[Row], groupings: Iterable[Grouping]) -> Sheet:
    """Return a sheet with its rows in deciding order."""
    return Sheet(rows=tuple(sorted(rows, key=lambda row: row.order)), groupings=tuple(groupings))


def only(sheet: Sheet, *files: str) -> Sheet:
    """Return a sheet with the rows of these files alone."""
    return Sheet(rows=tuple(row for row in sheet.rows if row.file in files), groupings=sheet.groupings)
