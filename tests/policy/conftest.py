"""Small vocabularies, small policies, and the shipped policy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from proxy.policy.approvals import load_approvals
from proxy.policy.engine import CasbinPolicy
from proxy.policy.fields import load_fields
from proxy.policy.parser import parse_policy
from proxy.policy.vocabulary import Vocabulary, Words, load_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.policy.rows import Sheet

SHIPPED: Final = Path(__file__).parents[2] / "policies"
ACTIONS: Final = (
    "person.read",
    "person.search",
    "vehicle.read",
    "warrant.search",
    "incident.search",
    "address.search",
    "person.browse",
    "vehicle.browse",
    "address.browse",
)
PURPOSES: Final = ("A", "C", "D", "F", "H", "I", "J", "R", "S", "V", "X")
FIELDS: Final = frozenset({"ssn", "photo", "financial"})

SMALL: Final = Vocabulary(
    roles={"patrol": "", "records": ""},
    categories={"official": "", "informant": ""},
    category_groups={"official": "protected", "informant": "hidden"},
    groups={
        "role": {"asker": ""},
        "category": {"protected": ""},
        "purpose": {"operational": ""},
        "relation": {"conflict": ""},
    },
).words(actions={"person.read", "person.search"}, purposes={"C", "J"})


@pytest.fixture
def small() -> Words:
    """Return a vocabulary of two words a column."""
    return SMALL


@pytest.fixture
def read() -> Callable[[str], Sheet]:
    """Return a reader of policy text in the small vocabulary."""

    def reader(text: str) -> Sheet:
        return parse_policy(Path("policy.csv"), text.encode(), words=SMALL, fields=FIELDS)

    return reader


@pytest.fixture
def ruling_policy(read: Callable[[str], Sheet]) -> Callable[[str], CasbinPolicy]:
    """Return a maker of engines from policy text in the small vocabulary."""
    return lambda text: CasbinPolicy(sheet=read(text), words=SMALL, version="small")


@pytest.fixture(scope="session")
def shipped_words() -> Words:
    """Return the vocabulary of the shipped policy, with actions and purposes of the demo."""
    vocabulary = load_vocabulary(SHIPPED / "vocabulary.yaml")
    stages = load_approvals(SHIPPED / "approvals.yaml", roles=vocabulary.roles).stages
    return vocabulary.words(actions=ACTIONS, purposes=PURPOSES, stages=stages)


@pytest.fixture(scope="session")
def shipped_sheet(shipped_words: Words) -> Sheet:
    """Return the rows of the shipped policy."""
    path = SHIPPED / "policy.csv"
    fields = load_fields(SHIPPED / "fields.yaml")
    return parse_policy(path, path.read_bytes(), words=shipped_words, fields=fields.keys())


@pytest.fixture(scope="session")
def shipped(shipped_sheet: Sheet, shipped_words: Words) -> CasbinPolicy:
    """Return the shipped policy, ruling."""
    return CasbinPolicy(sheet=shipped_sheet, words=shipped_words, version="shipped")
