"""How well empty statements are told from honest ones, on statements labelled by hand.

    python -m tests.bench.statements                  # the reporting part
    python -m tests.bench.statements --part tune      # the part that the rules were tuned on
    python -m tests.bench.statements --json

``statements.jsonl`` holds one statement a line: ``bad`` when it says nothing of *this* query, its ``kind``, and its ``split``,
dealt by chance within each kind. The empty ones follow the public accounts of misuse and what officers type when a field
must not be empty; the honest ones are the work of patrol, dispatch, detectives, the records desk. Whoever wrote the rules wrote
the list as well, so the figures are of this list; what another department's officers type will differ.

A bad one that is refused is a hit. Precision: of those refused, how many were bad. Recall: of the bad ones, how many were
refused. A statement that is fluent and says nothing of a query (a line of a song) is bad here, and no rule of ours sees that.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proxy.purpose.catalogue import load_catalogue
from proxy.purpose.statement import objection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from proxy.purpose.catalogue import Catalogue

HERE: Final = Path(__file__).parent
POLICIES: Final = HERE.parents[1] / "policies"
CASE: Final = "26-004217"
CODE: Final = "C"
DEPARTMENT: Final = frozenset({"fairmont"})
"""The town's name, as a department enters it under empty_words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """One statement of the list."""

    statement: str
    bad: bool
    kind: str
    split: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What became of some statements: bad ones refused and passed, honest ones passed and refused."""

    hits: int
    missed: int
    passed: int
    wronged: int

    @property
    def precision(self) -> float:
        """Return how many of those refused were bad."""
        return self.hits / ((self.hits + self.wronged) or 1)

    @property
    def recall(self) -> float:
        """Return how many of the bad ones were refused."""
        return self.hits / ((self.hits + self.missed) or 1)


def statements(part: str) -> Sequence[Labelled]:
    """Return the statements of one part: tune or report."""
    lines = (HERE / "statements.jsonl").read_text("utf-8").splitlines()
    return [each for each in (Labelled(**json.loads(line)) for line in lines) if each.split == part]


def judged(listed: Sequence[Labelled], catalogue: Catalogue | None = None) -> Sequence[tuple[Labelled, bool]]:
    """Return each statement with whether the policy refuses it, the shipped one if no other is given."""
    catalogue = catalogue or load_catalogue(POLICIES / "purposes.yaml")
    code = catalogue.codes[CODE]
    empty = catalogue.empty_words | DEPARTMENT
    return [
        (each, objection(each.statement, case=CASE, label=code.label, words=code.statement_words, empty=empty) is not None)
        for each in listed
    ]


def score(found: Sequence[tuple[Labelled, bool]]) -> Score:
    """Return the sums."""
    return Score(
        hits=sum(each.bad and refused for each, refused in found),
        missed=sum(each.bad and not refused for each, refused in found),
        passed=sum(not each.bad and not refused for each, refused in found),
        wronged=sum(not each.bad and refused for each, refused in found),
    )


def main() -> int:
    """Print the figures, and every statement that was judged otherwise than its label."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("tune", "report"), default="report")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    listed = statements(asked.part)
    catalogue = load_catalogue(POLICIES / "purposes.yaml")
    began = time.process_time()
    found = judged(listed, catalogue)
    microseconds = (time.process_time() - began) / len(listed) * 1e6
    whole = score(found)
    wrong = [(each, refused) for each, refused in found if refused is not each.bad]
    if asked.json:
        figures = {"precision": whole.precision, "recall": whole.recall, "wronged": whole.wronged}
        confused = [each.statement for each, _ in wrong]
        sys.stdout.write(json.dumps({"part": asked.part, "statements": len(listed), **figures, "wrong": confused}) + "\n")
        return 0
    honest = whole.passed + whole.wronged
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python {platform.python_version()}: part {asked.part}",
        (
            f"{len(listed)} statements, {len(listed) - honest} bad: precision {whole.precision:.1%}, recall {whole.recall:.1%},"
            f" {whole.wronged} of {honest} honest ones refused, {microseconds:.0f} µs each"
        ),
        *_kinds(found),
        *(f"{'refused' if refused else 'passed':8}{each.kind:18}{each.statement!r}" for each, refused in wrong),
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def _kinds(found: Sequence[tuple[Labelled, bool]]) -> Iterator[str]:
    kinds: defaultdict[tuple[bool, str], list[bool]] = defaultdict(list)
    for each, refused in found:
        kinds[not each.bad, each.kind].append(refused)
    for (honest, kind), judgements in sorted(kinds.items()):
        yield f"{'honest' if honest else 'bad':8}{kind:18}{sum(judgements):3} of {len(judgements):3} refused"


if __name__ == "__main__":
    sys.exit(main())
