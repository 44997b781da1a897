"""Needless recognitions of ordinary names, by the size of the registry.

Everybody is drawn by the census's frequencies, so that there are as many namesakes as there are; nobody who is asked about
is enrolled. One study a size: the same ordinary people against registries of 100, 1,000, 10,000 and, on demand, 100,000.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from tests.bench.evaluation.names import census
from tests.bench.evaluation.people import Bureau
from tests.bench.evaluation.questions import Fold, Query, Study
from tests.bench.evaluation.variants import ENROLLED, NAME, only

if TYPE_CHECKING:
    from tests.bench.evaluation.environment import Environment
    from tests.bench.evaluation.questions import Part

ASKED: Final = 2000
SIZES: Final = (100, 1_000, 10_000)
ALL_SIZES: Final = (*SIZES, 100_000)


def studies(environment: Environment, part: Part, sizes: tuple[int, ...]) -> list[Study]:
    """Return a study for each size; the parts differ in who is drawn, not in the names, whose frequencies must be whole."""
    found = []
    for size in sizes:
        chance = random.Random(f"{part} sizes")
        bureau = Bureau(chance=chance, census=census(environment.packages), foreign={}, latin=(), cyrillic="", doubles=0.02)
        asked = [bureau.person() for _ in range(ASKED)]
        enrolled = {f"person-{number}": only(bureau.person(), *ENROLLED) for number in range(size)}
        roads = {"name alone": NAME, "name and date of birth": (*NAME, "dob"), "full record": ENROLLED}
        queries = {road: [Query(fields=only(person, *names)) for person in asked] for road, names in roads.items()}
        fold = Fold(enrolled=enrolled, queries=queries)
        found.append(Study(name=f"Size {size:,}", source="1990 census names by frequency", folds=[fold]))
    return found
