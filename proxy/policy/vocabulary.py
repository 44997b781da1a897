"""The closed vocabularies: every word that a row may say and a fact may hold, and nothing else.

Roles, categories and the names of groups come from ``vocabulary.yaml``; actions from the routes, purposes from the
catalogue; standings and relations are the street's own. ``closed`` and ``unknown`` standings are refused before policy
is asked, so they are no words here: should one ever arrive, it is denied as an unknown word.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from pydantic import Field

from proxy.document import DocumentInvalid, Strict, load_with_positions, suggest
from proxy.policy.decision import Facts
from proxy.policy.fields import Phrase, Word  # noqa: TC001 -- pydantic reads the annotations at run time
from proxy.purpose.purpose import Standing
from proxy.registry.protection import Relation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from proxy.document import Mistake, Positions
    from proxy.policy.decision import Demand

ANY: Final = "any"
NONE: Final = "none"
NAMEABLE: Final = "protected"
"""The group of categories of whom it is no secret that they are known to us."""
GRANTED: Final = "granted"
COLUMNS: Final = Facts._fields
STANDINGS: Final = frozenset(
    str(standing)
    for standing in (Standing.ASSIGNED, Standing.UNIT, Standing.DISPATCHED, Standing.UNASSIGNED, Standing.UNVERIFIED)
)

_NO_STAGES: Final[Mapping[str, Demand]] = MappingProxyType({})

GroupColumn = Literal["role", "category", "purpose", "action", "standing", "relation"]


class Reach(StrEnum):
    """Whose queries a role's locks stop: those of its agency, or everybody's."""

    AGENCY = "agency"
    EVERYWHERE = "everywhere"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Column by column, the words a fact may hold and the names of groups that a row may say instead of one."""

    words: Mapping[str, frozenset[str]]
    groups: Mapping[str, frozenset[str]]
    stages: Mapping[str, Demand] = field(default_factory=dict)  # of approvals.yaml: what a row may name as who has to agree

    def known(self, facts: Facts) -> bool:
        """Tell whether every fact is a word of its column."""
        return all(fact in self.words[column] for column, fact in zip(COLUMNS, facts, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """``vocabulary.yaml``: meanings by word.

    ``category_groups`` maps a category to its label in metrics; the label says, too, whom the console may name. ``locks`` says
    which roles may lock and lift, and how far they reach. ``positions`` lets other files' checks point into it.
    """

    roles: Mapping[str, str]
    categories: Mapping[str, str]
    category_groups: Mapping[str, str]
    groups: Mapping[str, Mapping[str, str]]
    locks: Mapping[str, Reach] = field(default_factory=dict)
    positions: Positions | None = field(default=None, compare=False, repr=False)

    def category_group(self, category: str) -> str:
        """Return the label that metrics may carry for a category (never the category itself), or ``none``."""
        return self.category_groups.get(category, NONE)

    def nameable(self, category: str) -> bool:
        """Tell whether somebody of a category may be named to whoever decides on a query about them."""
        return self.category_groups.get(category) == NAMEABLE

    def words(self, *, actions: Iterable[str], purposes: Iterable[str], stages: Mapping[str, Demand] = _NO_STAGES) -> Words:
        """Join in the actions of the routes, the codes of the catalogue, and the stages of the approvals."""
        words = {
            "role": frozenset(self.roles),
            "action": frozenset(actions),
            "purpose": frozenset(purposes),
            "category": frozenset(self.categories) | {NONE},
            "standing": STANDINGS,
            "relation": frozenset(str(relation) for relation in Relation),
            "approval": frozenset({NONE, GRANTED}),
        }
        groups = {column: frozenset(self.groups.get(column, {})) for column in COLUMNS}
        return Words(words=MappingProxyType(words), groups=MappingProxyType(groups), stages=stages)


class _Category(Strict):
    meaning: Phrase
    group: Word


class _Document(Strict):
    roles: dict[Word, Phrase]
    categories: dict[Word, _Category]
    groups: dict[GroupColumn, dict[Word, Phrase]]
    locks: dict[Word, Literal["agency", "everywhere"]] = Field(default_factory=dict)


def load_vocabulary(path: Path) -> Vocabulary:
    """Read ``vocabulary.yaml``.

    Raises:
        DocumentInvalid: with every mistake found.
    """
    document, positions = load_with_positions(path, _Document)
    mistakes = list(_mistakes(document, positions))
    if mistakes:
        raise DocumentInvalid(mistakes)
    return Vocabulary(
        roles=MappingProxyType(dict(document.roles)),
        categories=MappingProxyType({name: entry.meaning for name, entry in document.categories.items()}),
        category_groups=MappingProxyType({name: entry.group for name, entry in document.categories.items()}),
        groups=MappingProxyType({column: MappingProxyType(dict(names)) for column, names in document.groups.items()}),
        locks=MappingProxyType({role: Reach(reach) for role, reach in document.locks.items()}),
        positions=positions,
    )


def _mistakes(document: _Document, positions: Positions) -> Iterator[Mistake]:
    """Find what a model of types cannot: reserved words, words with two meanings, groups that are not declared."""
    taken: dict[str, frozenset[str]] = {
        "role": frozenset(document.roles),
        "category": frozenset(document.categories),
        "standing": STANDINGS,
        "relation": frozenset(str(relation) for relation in Relation),
    }
    for section, column in (("roles", "role"), ("categories", "category")):
        for word in sorted(taken[column] & {ANY, NONE, GRANTED}):
            yield positions.mistake((section, word), f"'{word}' is a word of the policy itself", value=False)
    for role in sorted(document.locks.keys() - document.roles.keys()):
        hint = suggest(role, document.roles) or "declare it under roles:"
        yield positions.mistake(("locks", role), f"unknown role '{role}'", value=False, hint=hint)
    for name, names in document.groups.items():
        for group in names:
            if group in taken.get(name, frozenset()) or group in {ANY, NONE, GRANTED}:
                message = f"the group '{group}' has the name of a {name}, so a row could not tell them apart"
                yield positions.mistake(("groups", name, group), message, value=False, hint="give the group another name")
    known = document.groups.get("category", {})
    for category, entry in document.categories.items():
        if entry.group not in known:
            hint = suggest(entry.group, known) or "declare it under groups: category:"
            yield positions.mistake(("categories", category, "group"), f"unknown category group '{entry.group}'", hint=hint)
