"""``approvals.yaml``: the stages that rows name, and what holds of everybody who decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, Literal, get_args

from pydantic import Field

from proxy.audit.owed import NOBODY, Duty, Owed
from proxy.document import DocumentInvalid, Strict, load_with_positions, suggest
from proxy.identity.principal import ORI_PATTERN
from proxy.policy.decision import ANY_AGENCY, OWN_AGENCY, Demand
from proxy.policy.fields import Word  # noqa: TC001 -- pydantic reads the annotations at run time
from proxy.policy.obligations import MOST_QUORUM, REVIEWER, read_time

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from proxy.document import Mistake, Positions

Told = Literal["nothing", "roles", "names"]
TOLD: Final[tuple[str, ...]] = get_args(Told)
"""What the one who asked is told of who may decide, from the least to the most."""

_ABOVE: Final = "+"
MOST_RING: Final = 5
"""In a larger ring, in a department of any size, everybody would stand somewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """Who decides, beyond what a row says by itself.

    Two people who have each approved ``each`` of the other's queries within ``within`` seconds decide on one another's no
    more; nor do those of a ring of at most ``ring`` people, each of whom has approved as many of the next one's. ``nobody`` is
    owed where nobody who may decide is on duty.
    """

    ranks: tuple[str, ...] = ()
    stages: Mapping[str, Demand] = field(default_factory=dict)
    within: int = 30 * 86_400
    each: int = 3
    ring: int = 2
    nobody: Owed = field(default_factory=lambda: Owed(duty=Duty.NOTICE, role=REVIEWER, why=NOBODY, within=900))
    told: Told = "roles"


USUAL: Final = Approvals()


class _Stage(Strict):
    of: Annotated[int, Field(ge=1, le=MOST_QUORUM)]
    roles: Annotated[list[Word], Field(min_length=1)]
    agency: str = OWN_AGENCY
    rank: str | None = None


class _Reciprocity(Strict):
    within: str
    each: Annotated[int, Field(ge=1, le=100)]
    ring: Annotated[int, Field(ge=2, le=MOST_RING)] = 2


class _Page(Strict):
    page: Word
    within: str


class _Document(Strict):
    ranks: list[Word]
    stages: dict[Word, _Stage]
    reciprocity: _Reciprocity
    nobody_on_duty: _Page
    told: Told


def load_approvals(path: Path, *, roles: Collection[str] | None) -> Approvals:
    """Read ``approvals.yaml``; ``roles`` are those of vocabulary.yaml, or None where they could not be read.

    Raises:
        DocumentInvalid: with every mistake found.
    """
    document, positions = load_with_positions(path, _Document)
    mistakes = list(_mistakes(document, positions, roles))
    if mistakes:
        raise DocumentInvalid(mistakes)
    page = document.nobody_on_duty
    return Approvals(
        ranks=tuple(document.ranks),
        stages=MappingProxyType({name: _demand(name, stage, document.ranks) for name, stage in document.stages.items()}),
        within=read_time(document.reciprocity.within) or 0,
        each=document.reciprocity.each,
        ring=document.reciprocity.ring,
        nobody=Owed(duty=Duty.NOTICE, role=page.page, why=NOBODY, within=read_time(page.within)),
        told=document.told,
    )


def _demand(name: str, stage: _Stage, ranks: list[str]) -> Demand:
    return Demand(
        name=name,
        quorum=stage.of,
        roles=frozenset(stage.roles),
        agency=stage.agency,
        ranks=_ranks(stage.rank, ranks) if stage.rank is not None else (),
    )


def _ranks(said: str, ranks: list[str]) -> tuple[str, ...]:
    """Return the ranks that are enough: one, or one and all above it."""
    lowest = said.removesuffix(_ABOVE)
    return tuple(ranks[ranks.index(lowest) :]) if said.endswith(_ABOVE) else (lowest,)


def _mistakes(document: _Document, positions: Positions, roles: Collection[str] | None) -> Iterator[Mistake]:
    for index, rank in enumerate(document.ranks):
        if rank in document.ranks[:index]:
            yield positions.mistake(("ranks", index), f"the rank '{rank}' is there twice", hint="lowest first, each once")
    for name, stage in document.stages.items():
        yield from _of_stage(name, stage, document.ranks, positions, roles)
    for path, text in (
        (("reciprocity", "within"), document.reciprocity.within),
        (("nobody_on_duty", "within"), document.nobody_on_duty.within),
    ):
        if read_time(text) is None:
            hint = "minutes, hours or days, 30 days at most: 15m, 4h, 30d"
            yield positions.mistake(path, f"'{text}' is no time", hint=hint)
    yield from _role(("nobody_on_duty", "page"), document.nobody_on_duty.page, positions, roles)


def _of_stage(
    name: str, stage: _Stage, ranks: list[str], positions: Positions, roles: Collection[str] | None
) -> Iterator[Mistake]:
    place = ("stages", name)
    for index, role in enumerate(stage.roles):
        if role in stage.roles[:index]:
            yield positions.mistake((*place, "roles", index), f"the role '{role}' is there twice")
        yield from _role((*place, "roles", index), role, positions, roles)
    if stage.agency not in {OWN_AGENCY, ANY_AGENCY} and not ORI_PATTERN.match(stage.agency):
        hint = suggest(stage.agency, (OWN_AGENCY, ANY_AGENCY)) or "own, any, or the nine characters of an ORI"
        yield positions.mistake((*place, "agency"), f"'{stage.agency}' is no agency", hint=hint)
    if stage.rank is not None and (rank := stage.rank.removesuffix(_ABOVE)) not in ranks:
        hint = suggest(rank, ranks) or f"one of ranks, or with + also those above it: {', '.join(ranks) or 'there are none'}"
        yield positions.mistake((*place, "rank"), f"unknown rank '{rank}'", hint=hint)


def _role(path: tuple[str | int, ...], role: str, positions: Positions, roles: Collection[str] | None) -> Iterator[Mistake]:
    if roles is not None and role not in roles:
        hint = suggest(role, roles) or f"roles of vocabulary.yaml: {', '.join(sorted(roles))}"
        yield positions.mistake(path, f"unknown role '{role}'", hint=hint)
