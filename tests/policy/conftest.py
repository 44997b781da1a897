"""Small vocabularies, small policies, the shipped policy, and an oracle that knows nothing of Casbin or of the lattice."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from proxy.policy.decision import Facts, Outcome
from proxy.policy.engine import CasbinPolicy
from proxy.policy.fields import load_fields
from proxy.policy.parser import parse_policy
from proxy.policy.vocabulary import COLUMNS, Vocabulary, Words, load_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
    return load_vocabulary(SHIPPED / "vocabulary.yaml").words(actions=ACTIONS, purposes=PURPOSES)


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


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split(",")]


@pytest.fixture
def oracle() -> Callable[[str], Callable[[Facts], tuple[str, frozenset[str]]]]:
    """Return a maker of oracles: straight from the text, row by row, with no other code of the room."""

    def make(text: str) -> Callable[[Facts], tuple[str, frozenset[str]]]:
        lines = [_cells(line) for line in text.splitlines() if line.strip() and not line.startswith("#")]
        groups: dict[str, set[tuple[str, str]]] = {}
        for line in lines:
            if len(line) == 3:
                groups.setdefault(line[0], set()).add((line[1], line[2]))
        prefixes: Mapping[str, str] = dict(
            zip(
                ("role", "category", "purpose", "action", "standing", "relation"),
                ("g", "g2", "g3", "g4", "g5", "g6"),
                strict=True,
            )
        )

        def holds(column: str, said: str, fact: str) -> bool:
            return said in {"any", fact} or (fact, said) in groups.get(prefixes.get(column, ""), set())

        def rule(facts: Facts) -> tuple[str, frozenset[str]]:
            hits = [
                line
                for line in lines
                if len(line) > 3 and all(holds(c, said, fact) for c, said, fact in zip(COLUMNS, line[2:9], facts, strict=True))
            ]
            for outcome in ("conceal", "deny", "escalate", "mask", "permit"):
                equals = [line for line in hits if line[0] == outcome]
                if equals:
                    masks = {word for line in equals for word in line[9].removeprefix("mask=").split("+")}
                    return outcome, frozenset(masks) if outcome == "mask" else frozenset()
            return str(Outcome.DENY), frozenset()

        return rule

    return make
