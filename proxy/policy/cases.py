"""``cases/*.yaml``: what the policy should decide, written down by those who answer for it, one question a case.

A case says who asks, why, for what and about whom, then the decision, the row, and what goes with it (as the obligations of
a row); and where that comes from. The words are those of the policy, and a word that is none is a mistake with its place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field, StringConstraints

from proxy.document import DocumentInvalid, Mistake, Strict, load_with_positions, suggest
from proxy.policy.decision import Facts, Outcome, Ruling
from proxy.policy.fields import Phrase  # noqa: TC001 -- pydantic reads the annotations at run time
from proxy.policy.lattice import DEFAULT_RULE, ruling_of
from proxy.policy.parser import read_obligations
from proxy.policy.rows import Row, obligations
from proxy.policy.vocabulary import NONE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from proxy.document import Positions
    from proxy.policy.decision import Policy
    from proxy.policy.lattice import Lattice
    from proxy.policy.vocabulary import Words

FOLDER: Final = "cases"

Said = Annotated[str, StringConstraints(min_length=1, max_length=64)]

_PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "role": ("who", "role"),
    "standing": ("who", "standing"),
    "purpose": ("why",),
    "action": ("what",),
    "category": ("whom", "category"),
    "relation": ("whom", "relation"),
    "approval": ("approval",),
}
"""Where a case says each of the seven facts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question and the ruling that is expected. The reasons of rulings are not compared."""

    case: str
    facts: Facts
    expected: Ruling
    source: str
    file: Path
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A case that the policy rules on otherwise, with the rows that matched, the deciding one first."""

    case: Case
    actual: Ruling
    matching: tuple[Row, ...]

    def diff(self, folder: Path) -> str:
        """Return expected and actual as a diff, with the deciding row's place and the rows that matched beside it."""
        said = self.case.facts
        expected, actual = self.case.expected, self.actual
        lines = [
            f"{self.case.file}:{self.case.line}: {self.case.case}",
            f"    who   {said.role}, {said.standing}",
            f"    why   {said.purpose}",
            f"    what  {said.action}",
            f"    whom  {said.category}, relation {said.relation}" + (", approved" if said.approval != NONE else ""),
            f"  - {expected.outcome} by {expected.rule}, obligations: {obligations(expected)}",
            f"  + {actual.outcome} by {actual.rule}, obligations: {obligations(actual)}",
        ]
        for role, row in zip(["decided by", *["also matched"] * len(self.matching)], self.matching, strict=False):
            lines.append(f"    {role}: {folder / row.file}:{row.line}: {row}")
        if not self.matching:
            lines.append("    no row matched, and what no row matches is denied")
        return "\n".join([*lines, f"    source: {self.case.source}"])


class _Who(Strict):
    role: Said
    standing: Said


class _Whom(Strict):
    category: Said
    relation: Said = NONE


class _Case(Strict):
    case: Phrase
    who: _Who
    why: Said
    what: Said
    whom: _Whom
    approval: Said = NONE
    decision: Literal["conceal", "deny", "escalate", "mask", "permit"]
    row: Said
    obligations: Annotated[str, StringConstraints(min_length=1, max_length=400)] = NONE
    source: Phrase

    def facts(self) -> Facts:
        return Facts(
            self.who.role, self.what, self.why, self.whom.category, self.who.standing, self.whom.relation, self.approval
        )


class _Document(Strict):
    about: Phrase
    cases: Annotated[list[_Case], Field(min_length=1)]


def load_cases(directory: Path, *, words: Words, fields: frozenset[str], rules: frozenset[str]) -> tuple[Case, ...]:
    """Read every ``*.yaml`` of a policy's ``cases`` folder; none where there is no such folder.

    Raises:
        DocumentInvalid: with every mistake of every file.
    """
    # A file that is passed over in silence is a promise that nobody checks.
    mistakes: list[Mistake] = [
        Mistake(file=path, line=1, column=1, message="this file would not be read", help=f"call it {path.stem}.yaml")
        for path in sorted((directory / FOLDER).glob("*.*"))
        if path.suffix.lower() in {".yml", ".yaml"} and path.suffix != ".yaml"
    ]
    found: list[Case] = []
    told: dict[str, str] = {}
    for path in sorted((directory / FOLDER).glob("*.yaml")):
        try:
            document, positions = load_with_positions(path, _Document)
        except DocumentInvalid as invalid:
            mistakes.extend(invalid.mistakes)
            continue
        for index, case in enumerate(document.cases):
            wrong = list(_mistakes(case, ("cases", index), positions, words=words, rules=rules))
            line = positions.at("cases", index, "case")[0]
            if case.case in told:
                message = f"this case is told already, at {told[case.case]}"
                wrong.append(positions.mistake(("cases", index, "case"), message, hint="say how they differ, or delete one"))
            told.setdefault(case.case, f"{path.name}:{line}")
            obliged, complaints = read_obligations(case.obligations, Outcome(case.decision), words=words, fields=fields)
            wrong += [positions.mistake(("cases", index, "obligations"), message, hint=hint) for message, hint in complaints]
            mistakes.extend(wrong)
            row = Row(outcome=Outcome(case.decision), rule=case.row, conditions=case.facts(), because="", **obliged)
            found.append(
                Case(case=case.case, facts=case.facts(), expected=ruling_of([row]), source=case.source, file=path, line=line)
            )
    if mistakes:
        raise DocumentInvalid(mistakes)
    return tuple(found)


def failures(cases: Sequence[Case], policy: Policy, lattice: Lattice) -> tuple[Failure, ...]:
    """Ask the policy every case, and return those that it rules on otherwise."""
    found = []
    for case in cases:
        actual = policy.rule(case.facts)
        if replace(actual, because="") != case.expected:
            found.append(Failure(case=case, actual=actual, matching=lattice.matching(case.facts)))
    return tuple(found)


def uncovered(cases: Sequence[Case], lattice: Lattice) -> tuple[Row, ...]:
    """Return the rows that decide in no case, so that a mistake in them would go unnoticed."""
    covered = {case.expected.rule for case in cases}
    return tuple(row for row in lattice.rows if row.rule not in covered)


def _mistakes(
    case: _Case, at: tuple[str | int, ...], positions: Positions, *, words: Words, rules: frozenset[str]
) -> Iterator[Mistake]:
    for column, word in case.facts()._asdict().items():
        known = words.words[column]
        if word not in known:
            hint = suggest(word, known) or f"known: {', '.join(sorted(known))}"
            yield positions.mistake((*at, *_PLACES[column]), f"'{word}' is no {column}", hint=hint)
    if case.row not in rules | {DEFAULT_RULE}:
        hint = suggest(case.row, rules) or f"a rule of policy.csv, or {DEFAULT_RULE} where none is to match"
        yield positions.mistake((*at, "row"), f"there is no row '{case.row}'", hint=hint)
