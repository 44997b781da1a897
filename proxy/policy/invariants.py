"""``invariants.yaml``: what must hold whatever the rows are, asked of every question and not of a sample.

There are two forms. ``never`` says which outcomes (or which field classes, left unmasked) no question of a kind may come to.
``monotone`` walks along one column through stated steps, everything else alike, and says that a later step is never looser,
or never stricter, than an earlier one: as a ``decision`` with all that goes with it, or by what the ``answer`` shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from math import prod
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from proxy.document import DocumentInvalid, load_with_positions, suggest
from proxy.policy.decision import Facts, Outcome
from proxy.policy.fields import Phrase  # noqa: TC001 -- pydantic reads the annotations at run time
from proxy.policy.lattice import ruling_of, smallest
from proxy.policy.rows import OPEN
from proxy.policy.strictness import loosens, opens
from proxy.policy.vocabulary import ANY, COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from proxy.document import Mistake, Positions
    from proxy.policy.decision import Ruling
    from proxy.policy.lattice import Lattice
    from proxy.policy.rows import Row, Sheet
    from proxy.policy.vocabulary import Words

FILE: Final = "invariants.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Never:
    """No question within ``when`` and outside ``unless`` comes to one of the outcomes, or shows one of the field classes."""

    when: Mapping[str, frozenset[str]]
    unless: Mapping[str, frozenset[str]]
    outcomes: frozenset[Outcome]
    shows: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Monotone:
    """Along a column no later step is looser (or stricter) than an earlier one, of questions within ``when``.

    ``of`` are the outcomes of the earlier step that are looked at. ``whole`` compares decisions with all that goes with
    them, else only what leaves is compared.
    """

    when: Mapping[str, frozenset[str]]
    along: str
    order: tuple[frozenset[str], ...]
    of: frozenset[Outcome]
    stricter: bool
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """One statement about all questions, in words and in a form that can be checked."""

    name: str
    says: str
    form: Never | Monotone
    file: Path
    line: int


class Found(NamedTuple):
    """One question that violates an invariant; ``earlier`` is the one it is compared with, in a monotone one."""

    facts: Facts
    ruling: Ruling
    questions: int
    earlier: Facts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A violated invariant: how many questions, one of them, and the fewest words that say which."""

    invariant: Invariant
    questions: int
    example: Found
    smallest: Facts
    earlier: Ruling | None
    deciding: Row | None


Meant = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Several = Meant | Annotated[list[Meant], Field(min_length=1)]
OutcomeWord = Literal["conceal", "deny", "escalate", "mask", "permit"]
ColumnWord = Literal["role", "action", "purpose", "category", "standing", "relation", "approval"]


class _Never(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    when: dict[ColumnWord, Several] = Field(default_factory=dict)
    unless: dict[ColumnWord, Several] = Field(default_factory=dict)
    outcome: list[OutcomeWord] = Field(default_factory=list)
    shows: list[Meant] = Field(default_factory=list)


class _Monotone(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    when: dict[ColumnWord, Several] = Field(default_factory=dict)
    along: ColumnWord
    order: Annotated[list[Several], Field(min_length=2)]
    of: list[OutcomeWord] = Field(default_factory=list)
    never: Literal["looser", "stricter"]
    compare: Literal["decision", "answer"] = "decision"


class _Invariant(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    says: Phrase
    never: _Never | None = None
    monotone: _Monotone | None = None


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    invariants: Annotated[
        dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{2,59}$")], _Invariant], Field(min_length=1)
    ]


@dataclass(slots=True)
class _Reading:
    """One pass over the file: the words that may be said, and the mistakes so far."""

    positions: Positions
    words: Words
    members: Mapping[tuple[str, str], frozenset[str]]
    fields: frozenset[str]
    mistakes: list[Mistake]

    def wrong(self, at: tuple[str | int, ...], message: str, *, hint: str | None = None, value: bool = True) -> None:
        self.mistakes.append(self.positions.mistake(at, message, hint=hint, value=value))

    def meant(self, column: str, said: str | list[str], at: tuple[str | int, ...]) -> frozenset[str]:
        """Return the words of a column that are meant by a word, a group, or several of them."""
        found: set[str] = set()
        listed = isinstance(said, list)
        for index, word in enumerate(said if isinstance(said, list) else [said]):
            group = self.members.get((column, word), frozenset())
            if word in self.words.words[column]:
                found.add(word)
            elif group:
                found |= group
            else:
                known = self.words.words[column] | {name for of, name in self.members if of == column}
                hint = suggest(word, known) or f"known: {', '.join(sorted(known))}"
                self.wrong(
                    (*at, index) if listed else at, f"'{word}' is no {column}, and no group that anybody is in", hint=hint
                )
        return frozenset(found)

    def where(self, said: Mapping[ColumnWord, str | list[str]], at: tuple[str | int, ...]) -> dict[str, frozenset[str]]:
        return {column: self.meant(column, words, (*at, column)) for column, words in said.items()}


def load_invariants(directory: Path, *, words: Words, sheet: Sheet, fields: frozenset[str]) -> tuple[Invariant, ...]:
    """Read a policy's ``invariants.yaml``; none where there is no such file.

    Raises:
        DocumentInvalid: with every mistake found.
    """
    path = directory / FILE
    if not path.exists():
        return ()
    document, positions = load_with_positions(path, _Document)
    reading = _Reading(positions=positions, words=words, members=sheet.members(), fields=fields, mistakes=[])
    found = []
    for name, said in document.invariants.items():
        at = ("invariants", name)
        if (said.never is None) == (said.monotone is None):
            reading.wrong(at, "an invariant says either never or monotone", value=False)
            continue
        form = _never(reading, said.never, at) if said.never else _monotone(reading, said.monotone, at)
        line = positions.at("invariants", name)[0]
        found.append(Invariant(name=name, says=said.says, form=form, file=path, line=line))
    if reading.mistakes:
        raise DocumentInvalid(reading.mistakes)
    return tuple(found)


def _never(reading: _Reading, said: _Never, at: tuple[str | int, ...]) -> Never:
    at = (*at, "never")
    if not said.outcome and not said.shows:
        reading.wrong(at, "it says neither an outcome nor what is never shown, so it forbids nothing", value=False)
    for index, name in enumerate(said.shows):
        if name not in reading.fields:
            hint = suggest(name, reading.fields) or f"known: {', '.join(sorted(reading.fields))}"
            reading.wrong((*at, "shows", index), f"unknown field class '{name}'", hint=hint)
    when, unless = reading.where(said.when, (*at, "when")), reading.where(said.unless, (*at, "unless"))
    if unless and all(when.get(column, reading.words.words[column]) <= excepted for column, excepted in unless.items()):
        reading.wrong((*at, "unless"), "it excepts everything, so nothing is forbidden", value=False)
    return Never(
        when=when,
        unless=unless,
        outcomes=frozenset(Outcome(word) for word in said.outcome),
        shows=frozenset(said.shows),
    )


def _monotone(reading: _Reading, said: _Monotone | None, at: tuple[str | int, ...]) -> Monotone:
    assert said is not None
    at = (*at, "monotone")
    order = tuple(reading.meant(said.along, step, (*at, "order", index)) for index, step in enumerate(said.order))
    for index, step in enumerate(order):
        twice = step & frozenset().union(*order[:index])
        if twice:
            reading.wrong((*at, "order", index), f"'{min(twice)}' is in an earlier step already", hint="a word has one place")
    if said.along in said.when:
        reading.wrong((*at, "when", said.along), "this is the column that the order goes along", value=False, hint="delete it")
    return Monotone(
        when=reading.where(said.when, (*at, "when")),
        along=said.along,
        order=order,
        of=frozenset(Outcome(word) for word in said.of) or frozenset(Outcome),
        stricter=said.never == "stricter",
        whole=said.compare == "decision",
    )


def violations(invariants: Sequence[Invariant], lattice: Lattice) -> tuple[Violation, ...]:
    """Ask every question that an invariant is about, and return those that are violated."""
    return tuple(violation for invariant in invariants for violation in [_violation(invariant, lattice)] if violation)


def _violation(invariant: Invariant, lattice: Lattice) -> Violation | None:
    match invariant.form:
        case Never() as never:
            columns = lattice.kinds(never.when, never.unless)
            found = list(_never_violated(never, lattice, columns))
        case Monotone() as monotone:
            steps = [{monotone.along: step} for step in monotone.order]
            columns = lattice.kinds(monotone.when, *steps)
            found = list(_monotone_violated(monotone, lattice, columns))
    if not found:
        return None
    fewest, example = _smallest(found, columns)
    matching = lattice.matching(example.facts)
    return Violation(
        invariant=invariant,
        questions=sum({each.facts: each.questions for each in found}.values()),
        example=example,
        smallest=fewest,
        earlier=None if example.earlier is None else ruling_of(lattice.matching(example.earlier)),
        deciding=matching[0] if matching else None,
    )


def _never_violated(never: Never, lattice: Lattice, columns: Sequence[Mapping[str, int]]) -> Iterator[Found]:
    for facts, questions in _questions(columns, never.when):
        if never.unless and _within(facts, never.unless):
            continue
        ruling = ruling_of(lattice.matching(facts))
        shown = ruling.outcome in OPEN and not never.shows <= ruling.masked
        if ruling.outcome in never.outcomes or shown:
            yield Found(facts, ruling, questions)


def _monotone_violated(monotone: Monotone, lattice: Lattice, columns: Sequence[Mapping[str, int]]) -> Iterator[Found]:
    looser = loosens if monotone.whole else opens
    stands = columns[COLUMNS.index(monotone.along)]
    pairs = [
        (early, late)
        for earlier, later in combinations(monotone.order, 2)
        for early, late in product(sorted(earlier & stands.keys()), sorted(later & stands.keys()))
    ]
    for early, late in pairs:
        for facts, questions in _questions(columns, {**monotone.when, monotone.along: frozenset({late})}):
            before = facts._replace(**{monotone.along: early})
            one, other = ruling_of(lattice.matching(before)), ruling_of(lattice.matching(facts))
            if one.outcome in monotone.of and (looser(other, one) if monotone.stricter else looser(one, other)):
                yield Found(facts, other, questions, before)


def _questions(columns: Sequence[Mapping[str, int]], when: Mapping[str, frozenset[str]]) -> Iterator[tuple[Facts, int]]:
    chosen = [
        {word: count for word, count in kinds.items() if column not in when or word in when[column]}
        for column, kinds in zip(COLUMNS, columns, strict=True)
    ]
    for words in product(*chosen):
        yield Facts(*words), prod(kinds[word] for kinds, word in zip(chosen, words, strict=True))


def _within(facts: Facts, where: Mapping[str, frozenset[str]]) -> bool:
    said = facts._asdict()
    return all(said[column] in words for column, words in where.items())


def _smallest(found: Sequence[Found], columns: Sequence[Mapping[str, int]]) -> tuple[Facts, Found]:
    """Return the fewest words that say which questions violate, and the first of those that they cover.

    What a question is compared with is part of it: only those that are compared with the same step are put together.
    """
    by_step: dict[tuple[str, ...], list[Found]] = {}
    for each in found:
        step = () if each.earlier is None else tuple(set(each.earlier) ^ set(each.facts))
        by_step.setdefault(tuple(sorted(step)), []).append(each)
    patterns = [
        (smallest([each.facts for each in alike], [tuple(kinds) for kinds in columns]), alike) for alike in by_step.values()
    ]
    fewest, alike = min(patterns, key=lambda pattern: (-pattern[0].count(ANY), pattern[0]))
    covered = (each for each in alike if all(said in {ANY, fact} for said, fact in zip(fewest, each.facts, strict=True)))
    return fewest, min(covered, key=lambda each: each.facts)
