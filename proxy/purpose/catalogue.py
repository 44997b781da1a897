"""``policies/purposes.yaml``: the codes, what each is good for, and what a jurisdiction changes about them.

The codes are those of the Interstate Identification Index (NIEM ``RapSheetPurposeCode``); DPPA, 18 USC 2721(b), is a second
dimension that only motor-vehicle data has: a code without a permissible use there serves no motor-vehicle action.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field, StringConstraints

from proxy.document import DocumentInvalid, Strict, load_with_positions, suggest
from proxy.purpose.memory import CASES_PER_STATEMENT
from proxy.purpose.standing import STANDINGS
from proxy.purpose.statement import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from proxy.document import Mistake, Positions
    from proxy.purpose.purpose import Standing

Kind = Literal["incident", "cad", "case", "warrant", "docket", "permit"]
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9_]{0,39})?$")]
Phrase = Annotated[str, StringConstraints(min_length=3, max_length=300, strip_whitespace=True)]
CodeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,15}$")]
Member = Literal["requestor", "recipient", "location"]
Asked = Literal["case", "statement", "exigent", "requestor", "recipient", "location"]
Held = Literal["assigned", "dispatched", "unit", "unassigned"]

Span = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,3}[smh]$")]

PERMISSIBLE_USES: Final = range(1, 15)
GRACE_DAYS: Final = 3650
STALE_SECONDS: Final = 3600
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    """What follows when somebody said the same words of as many other ``cases``: a refusal, or no more than the entry."""

    cases: int
    refuses: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One purpose code. ``standings`` are the accepted ones, the closest first; ``refused`` says why nobody here may use it.

    ``prompts`` is what a terminal asks for each member of Query-Purpose.
    """

    name: str
    label: str
    meaning: str
    accepts: frozenset[str] = frozenset()
    standings: tuple[Standing, ...] = ()
    actions: frozenset[str] = frozenset()
    statement_required: bool = True
    statement_words: int = WORDS
    grace: timedelta = timedelta()
    requires: tuple[str, ...] = ()
    permissible_use: int | None = None
    subject_on_case: frozenset[str] = frozenset()
    stale_if_error: timedelta = timedelta()
    refused: str | None = None
    reuse: Reuse | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficerSafety:
    """What goes on while the case directory is down, with the standing ``unverified``: codes, actions, the time of a review."""

    codes: frozenset[str] = frozenset()
    actions: frozenset[str] = frozenset()
    review: timedelta = timedelta(hours=24)

    def covers(self, code: str, action: str) -> bool:
        """Tell whether this may go on."""
        return code in self.codes and action in self.actions


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """How a dispatched event speaks for itself: which kinds do, under which code, and how long after they closed."""

    kinds: frozenset[str]
    code: str
    grace: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Every code, and what is common to them. ``positions`` lets other files' checks point into this one."""

    codes: Mapping[str, Code]
    derivation: Derivation | None
    officer_safety: OfficerSafety = OfficerSafety()
    motor_vehicle_actions: frozenset[str]
    permissible_uses: Mapping[int, str]
    empty_words: frozenset[str]
    jurisdiction: str | None = None
    positions: Positions | None = field(default=None, compare=False, repr=False)

    def serving(self, action: str) -> tuple[str, ...]:
        """Return the codes that serve an action, in the file's order."""
        return tuple(code.name for code in self.codes.values() if code.refused is None and action in code.actions)


class _Statement(Strict):
    required: bool = True
    words: Annotated[int, Field(ge=1, le=20)] = WORDS


class _Reuse(Strict):
    cases: Annotated[int, Field(ge=1, le=CASES_PER_STATEMENT)]
    then: Literal["note", "refuse"] = "note"


class _Patch(Strict):
    """What a jurisdiction changes of a code; what it does not name stays, and null takes a thing away."""

    label: Phrase | None = None
    meaning: Phrase | None = None
    accepts: Annotated[list[Kind], Field(min_length=1)] | None = None
    standing: Annotated[list[Held], Field(min_length=1)] | None = None
    actions: list[Word] | None = None
    statement: _Statement | None = None
    closed_grace_days: Annotated[int, Field(ge=0, le=GRACE_DAYS)] | None = None
    requires: list[Member] | None = None
    permissible_use: int | None = None
    subject_on_case: list[Word] | None = None
    stale_if_error: Span | None = None
    refused: Phrase | None = None
    reuse: _Reuse | None = None
    prompts: dict[Asked, Phrase] | None = None


class _Code(_Patch):
    label: Phrase
    meaning: Phrase


class _Derivation(Strict):
    kinds: Annotated[list[Kind], Field(min_length=1)]
    code: CodeName
    closed_grace_days: Annotated[int, Field(ge=0, le=GRACE_DAYS)] = 0


class _OfficerSafety(Strict):
    codes: Annotated[list[CodeName], Field(min_length=1)]
    actions: Annotated[list[Word], Field(min_length=1)]
    review: Span


class _MotorVehicles(Strict):
    actions: list[Word]
    permissible_uses: dict[int, Phrase]


class _Jurisdiction(Strict):
    name: Phrase
    every_code_requires: list[Member] = Field(default_factory=list)
    codes: dict[CodeName, _Patch] = Field(default_factory=dict)


class _Document(Strict):
    codes: Annotated[dict[CodeName, _Code], Field(min_length=1)]
    derived: _Derivation | None = None
    officer_safety: _OfficerSafety | None = None
    motor_vehicles: _MotorVehicles | None = None
    reuse: _Reuse | None = None
    prompts: dict[Asked, Phrase] = Field(default_factory=dict)
    empty_words: list[Annotated[str, StringConstraints(pattern=r"^\S{2,40}$")]] = Field(default_factory=list)
    jurisdiction: _Jurisdiction | None = None


def load_catalogue(path: Path) -> Catalogue:
    """Read ``purposes.yaml``, with its jurisdiction's changes applied.

    Raises:
        DocumentInvalid: with every mistake found.
    """
    document, positions = load_with_positions(path, _Document)
    vehicles = document.motor_vehicles or _MotorVehicles(actions=[], permissible_uses={})
    patches = document.jurisdiction.codes if document.jurisdiction else {}
    codes = {name: _code(name, model, patches.get(name), document) for name, model in document.codes.items()}
    mistakes = list(_mistakes(document, vehicles, codes, positions))
    if mistakes:
        raise DocumentInvalid(mistakes)
    return Catalogue(
        codes=MappingProxyType(codes),
        derivation=_derivation(document.derived) if document.derived else None,
        officer_safety=_officer_safety(document.officer_safety) if document.officer_safety else OfficerSafety(),
        motor_vehicle_actions=frozenset(vehicles.actions),
        permissible_uses=MappingProxyType(dict(vehicles.permissible_uses)),
        empty_words=frozenset(word.lower() for word in document.empty_words),
        jurisdiction=document.jurisdiction.name if document.jurisdiction else None,
        positions=positions,
    )


def _derivation(model: _Derivation) -> Derivation:
    return Derivation(kinds=frozenset(model.kinds), code=model.code, grace=timedelta(days=model.closed_grace_days))


def _officer_safety(model: _OfficerSafety) -> OfficerSafety:
    return OfficerSafety(codes=frozenset(model.codes), actions=frozenset(model.actions), review=_span(model.review))


def _span(text: str | None) -> timedelta:
    return timedelta(seconds=int(text[:-1]) * _UNITS[text[-1]]) if text else timedelta()


def _code(name: str, model: _Code, patch: _Patch | None, document: _Document) -> Code:
    """Join a code with what its jurisdiction changes; what every code requires comes on top, what all codes share below."""
    joined = model.model_copy(update={key: getattr(patch, key) for key in patch.model_fields_set} if patch else {})
    statement = joined.statement or _Statement()
    held = frozenset(joined.standing or ())
    every = document.jurisdiction.every_code_requires if document.jurisdiction else []
    reuse = joined.reuse or document.reuse
    prompts: dict[str, str] = {}
    for said in (document.prompts, model.prompts, patch.prompts if patch else None):
        prompts.update({str(member): text for member, text in (said or {}).items()})
    return Code(
        name=name,
        label=joined.label or model.label,
        meaning=joined.meaning or model.meaning,
        accepts=frozenset(joined.accepts or ()),
        standings=tuple(standing for standing in STANDINGS if str(standing) in held),
        actions=frozenset(joined.actions or ()),
        statement_required=statement.required,
        statement_words=statement.words,
        grace=timedelta(days=joined.closed_grace_days or 0),
        requires=tuple(dict.fromkeys([*(joined.requires or ()), *every])),
        permissible_use=joined.permissible_use,
        subject_on_case=frozenset(joined.subject_on_case or ()),
        stale_if_error=_span(joined.stale_if_error),
        refused=joined.refused,
        reuse=Reuse(cases=reuse.cases, refuses=reuse.then == "refuse") if reuse else None,
        prompts=MappingProxyType(prompts),
    )


def _mistakes(
    document: _Document, vehicles: _MotorVehicles, codes: Mapping[str, Code], positions: Positions
) -> Iterator[Mistake]:
    """Find what a model of types cannot: codes that could serve nobody, uses and codes that are not there."""
    for number in vehicles.permissible_uses:
        if number not in PERMISSIBLE_USES:
            message = f"18 USC 2721(b) has the permissible uses (1) to (14), not ({number})"
            yield positions.mistake(("motor_vehicles", "permissible_uses", number), message, value=False)
    for code in codes.values():
        yield from _useless(code, positions)
        yield from _unlawful(code, vehicles, positions)
        yield from _beyond(code, positions)
    if document.officer_safety is not None:
        yield from _unsafe(document.officer_safety, codes, positions)
    if document.derived is not None:
        yield from _underivable(document.derived, codes, positions)
    for name in document.jurisdiction.codes if document.jurisdiction else ():
        if name not in codes:
            hint = suggest(name, codes) or f"known codes: {', '.join(codes)}"
            message = f"there is no code '{name}' to change"
            yield positions.mistake(("jurisdiction", "codes", name), message, value=False, hint=hint)


def _useless(code: Code, positions: Positions) -> Iterator[Mistake]:
    for key, value in (("accepts", code.accepts), ("standing", code.standings), ("actions", code.actions)):
        if not value and code.refused is None:
            message = f"code {code.name} has no '{key}', so it could serve nobody"
            yield positions.mistake(("codes", code.name), message, value=False, hint="add it, or say why it is refused")


def _unlawful(code: Code, vehicles: _MotorVehicles, positions: Positions) -> Iterator[Mistake]:
    use = code.permissible_use
    if use is not None and use not in vehicles.permissible_uses:
        message = f"permissible use {use} is not listed under motor_vehicles: permissible_uses:"
        yield positions.mistake(("codes", code.name, "permissible_use"), message)
    served = sorted(code.actions & set(vehicles.actions))
    if use is None and served:
        message = f"code {code.name} serves {served[0]} without a permissible use of motor-vehicle data (18 USC 2721(b))"
        yield positions.mistake(("codes", code.name, "actions"), message, hint="add permissible_use, or take the action out")


def _beyond(code: Code, positions: Positions) -> Iterator[Mistake]:
    for action in sorted(code.subject_on_case - code.actions):
        message = f"code {code.name} does not serve '{action}' at all"
        hint = suggest(action, code.actions) or "name actions that it serves"
        yield positions.mistake(("codes", code.name, "subject_on_case"), message, hint=hint)
    if code.stale_if_error.total_seconds() > STALE_SECONDS:
        message = "a case may be taken back, reassigned or closed: what was known of it is no ground after an hour"
        yield positions.mistake(("codes", code.name, "stale_if_error"), message, hint="60m at most")


def _unsafe(safety: _OfficerSafety, codes: Mapping[str, Code], positions: Positions) -> Iterator[Mistake]:
    """Find codes and actions that could never go on without the case directory."""
    for index, name in enumerate(safety.codes):
        if name not in codes or codes[name].refused is not None:
            hint = suggest(name, codes) or f"known codes: {', '.join(codes)}"
            yield positions.mistake(("officer_safety", "codes", index), f"code '{name}' cannot be used", hint=hint)
    served = frozenset().union(*(codes[name].actions for name in safety.codes if name in codes))
    for index, action in enumerate(safety.actions):
        if action not in served:
            hint = suggest(action, served) or f"they serve {', '.join(sorted(served))}"
            message = f"none of these codes serves '{action}'"
            yield positions.mistake(("officer_safety", "actions", index), message, hint=hint)


def _underivable(derived: _Derivation, codes: Mapping[str, Code], positions: Positions) -> Iterator[Mistake]:
    code = codes.get(derived.code)
    if code is None or code.refused is not None:
        hint = suggest(derived.code, codes) or f"known codes: {', '.join(codes)}"
        yield positions.mistake(("derived", "code"), f"code '{derived.code}' cannot be used", hint=hint)
    elif not code.accepts.issuperset(derived.kinds):
        message = f"code {derived.code} does not accept every kind that derives it"
        yield positions.mistake(("derived", "kinds"), message, hint="add the kind to what the code accepts")
