"""Names as people bear them: the 1990 census's with their frequencies, other countries', and nicknames; all from packages."""

from __future__ import annotations

import csv
import json
import subprocess
from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from tests.bench.evaluation.questions import part_of

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.bench.evaluation.environment import Environment
    from tests.bench.evaluation.questions import Part

_SURNAMES: Final = "dist.all.last"
_GIVEN: Final = ("dist.female.first", "dist.male.first")
_FOREIGN: Final = """
import importlib, json, sys
names = {}
for place in sys.argv[1:]:
    people = importlib.import_module(f"faker.providers.person.{place}").Provider
    names[place] = [list(people.first_names), list(people.last_names)]
json.dump(names, sys.stdout)
"""
LATIN: Final = ("es_MX", "de_DE", "fr_FR", "cs_CZ", "tr_TR", "sv_SE", "no_NO", "hu_HU", "pt_BR")
CYRILLIC: Final = "ru_RU"


class Weighted:
    """Names by frequency."""

    def __init__(self, names: Sequence[str], weights: Sequence[float]) -> None:
        """Take names and how common each is."""
        self.names = names
        self._reached = list(accumulate(weights))

    def draw(self, chance: random.Random) -> str:
        """Return a name, a common one more often."""
        return self.names[bisect(self._reached, chance.random() * self._reached[-1])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """Surnames and given names of the United States, women's and men's."""

    surnames: Weighted
    given: Sequence[Weighted]


def census(packages: Path, part: Part | None = None) -> Census:
    """Return the census's names; with ``part`` those of one half, so that nobody tunes on a name that is reported on."""
    surnames, *given = (_census_file(packages / "names" / name, part) for name in (_SURNAMES, *_GIVEN))
    return Census(surnames=surnames, given=given)


def _census_file(path: Path, part: Part | None) -> Weighted:
    """Read ``NAME percent cumulative rank``; the rarest have 0.000 percent, which is taken for half of the last digit."""
    rows = [line.split() for line in path.read_text(encoding="ascii").splitlines() if line.strip()]
    kept = [row for row in rows if part is None or part_of("census", row[0]) == part]
    return Weighted([row[0].title() for row in kept], [float(row[1]) or 0.0005 for row in kept])


def nicknames(packages: Path) -> dict[str, list[str]]:
    """Return what each given name is shortened to, both in lower case."""
    found: dict[str, list[str]] = {}
    with (packages / "nicknames" / "names.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["name1"], []).append(row["name2"])
    return found


def foreign(environment: Environment, part: Part) -> Mapping[str, tuple[list[str], list[str]]]:
    """Return one half of the given names and the surnames of other countries, by locale."""
    done = subprocess.run(
        [environment.python, "-c", _FOREIGN, *LATIN, CYRILLIC], capture_output=True, text=True, check=True, timeout=120
    )
    return {place: (_half(part, given), _half(part, surnames)) for place, (given, surnames) in json.loads(done.stdout).items()}


def _half(part: Part, names: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if part_of("foreign", name) == part and name.replace("-", "").isalpha()]
