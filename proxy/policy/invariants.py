"""``invariants.yaml``: what must hold whatever the rows are, asked of every question and not of a sample.

There are two forms. ``never`` says which outcomes (or which field classes, left unmasked) no question of a kind may come to.
``monotone`` walks along one column through stated steps, everything else alike, and says that a later step is never looser,
or never stricter, than an earlier one: as a ``decision`` with all that goes with it, or by what the ``answer`` shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field, StringConstraints

from proxy.document import DocumentInvalid, Strict, load_with_positions, suggest
from proxy.policy.decision import Outcome
from proxy.policy.fields import Phrase  # noqa: TC001 -- pydantic reads the annotations at run time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from proxy.document import Mistake, Positions
    from proxy.policy.rows import Sheet
    from proxy.policy.vocabulary import Words

FILE: Final = "invariants.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Never:
    """No question within ``when`` and outside ``unless`` comes to one of the outcomes, or shows one of the field classes.

    What is shown counts in an emergency too. ``exigent`` forbids that one opens anything, or anybody whom an approval would
    not open.
    """

    when: Mapping[str, frozenset[str]]
    unless: Mapping[str, frozenset[str]]
    outcomes: frozenset[Outcome]
    shows: frozenset[str]
    exigent: Exigent = ""


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


Meant = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Several = Meant | Annotated[list[Meant], Field(min_length=1)]
OutcomeWord = Literal["conceal", "deny", "escalate", "mask", "permit"]
Exigent = Literal["", "allowed", "beyond-approval"]
ColumnWord = Literal["role", "action", "purpose", "category", "standing", "relation", "approval"]


class _Never(Strict):
    when: dict[ColumnWord, Several] = Field(default_factory=dict)
    unless: dict[ColumnWord, Several] = Field(default_factory=dict)
    outcome: list[OutcomeWord] = Field(default_factory=list)
    shows: list[Meant] = Field(default_factory=list)
    exigent: Exigent = ""


class _Monotone(Strict):
    when: dict[ColumnWord, Several] = Field(default_factory=dict)
    along: ColumnWord
    order: Annotated[list[Several], Field(min_length=2)]
    of: list[OutcomeWord] = Field(default_factory=list)
    never: Literal["looser", "stricter"]
    compare: Literal["decision", "answer"] = "decision"


class _Invariant(Strict):
    says: Phrase
    never: _Never | None = None
    monotone: _Monotone | None = None


class _Document(Strict):
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
    if not said.outcome and not said.shows and not said.exigent:
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
        exigent=said.exigent,
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
