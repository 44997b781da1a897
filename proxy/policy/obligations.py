"""What must be done, or the answer is void (XACML): the obligations of a row, as ``policy.csv`` says them.

===========================  ==================  ====================================================================
``mask=ssn+photo``           mask                these field classes are hidden
``tell=withheld``            deny, escalate      the terminal learns that a record was left out
``notify=supervisor/15m``    any                 a role takes note of it, within a time if one is given
``review=4h``                any but escalate    a supervisor who did not ask reviews it, within a time
``quorum=2``                 escalate            so many different people have to agree
``approvers=supervisor+…``   escalate            and of which roles; a supervisor, if nothing is said
``stages=command+oversight`` escalate            instead of both: all of these stages of approvals.yaml, each by other people
``exigent=never``            escalate, deny      nobody breaks the glass
``exigent=allowed/4h``       escalate            in a stated emergency they are answered at once, and a supervisor reviews it
``shows=name+dob``           with it             what leaves then: these field classes and no others
``alerts=supervisor/15m``    with it             who is told at once; a supervisor, if nothing is said
``watermark=entry``          mask, permit        the answer carries a mark of who was answered when, for the terminal to show
===========================  ==================  ====================================================================

A policy with an obligation that is not known is refused as a whole. To deny by that row alone would be another policy than
the one that was reviewed, of which its cases and invariants would not hold; the one that is in force is better than either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from proxy.audit.owed import POLICY, Duty, Owed, joined
from proxy.policy.decision import Demand, Outcome
from proxy.policy.exigent import read_exigent, written_exigent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from proxy.policy.decision import Exigent

REVIEWER: Final = "supervisor"
"""The role that reviews, and that approves where a row names none."""
MOST_SECONDS: Final = 30 * 86_400
MOST_QUORUM: Final = 5

_UNITS: Final = {"d": 86_400, "h": 3_600, "m": 60}
_TIME: Final = re.compile(r"([1-9][0-9]{0,3})([mhd])\Z")
_FIXED: Final = {"tell": ("withheld",), "watermark": ("entry",)}
_GOES_WITH: Final[Mapping[str, frozenset[Outcome]]] = {
    "mask": frozenset({Outcome.MASK}),
    "tell": frozenset({Outcome.DENY, Outcome.ESCALATE}),
    "notify": frozenset(Outcome),
    "review": frozenset(Outcome) - {Outcome.ESCALATE},
    "quorum": frozenset({Outcome.ESCALATE}),
    "approvers": frozenset({Outcome.ESCALATE}),
    "stages": frozenset({Outcome.ESCALATE}),
    "exigent": frozenset({Outcome.ESCALATE, Outcome.DENY}),
    "shows": frozenset({Outcome.ESCALATE}),
    "alerts": frozenset({Outcome.ESCALATE}),
    "watermark": frozenset({Outcome.MASK, Outcome.PERMIT}),
}
_ELSEWHERE: Final = {
    "mask": ("masks nothing", "write mask as the outcome, or take mask= away"),
    "tell": ("tells of nothing withheld", "tell=withheld goes with deny and escalate"),
    "review": ("is decided by somebody anyway", "put review= on the row that answers once it is approved"),
    "quorum": ("asks nobody", "quorum= goes with escalate"),
    "approvers": ("asks nobody", "approvers= goes with escalate"),
    "stages": ("asks nobody", "stages= goes with escalate"),
    "exigent": ("refuses nothing that an emergency could need", "exigent= goes with escalate and deny"),
    "shows": ("is opened by no emergency", "shows= goes with escalate, beside exigent=allowed"),
    "alerts": ("is opened by no emergency", "alerts= goes with escalate, beside exigent=allowed"),
    "watermark": ("lets nothing out to be marked", "watermark= goes with mask and permit"),
}
HELP: Final = (
    "obligations are: none, mask=class+class, tell=withheld, notify=role/15m, review=4h, quorum=2, approvers=role+role, "
    "stages=stage+stage, exigent=never, exigent=allowed/4h; shows=class+class; alerts=role/15m, watermark=entry"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligations:
    """What one row obliges to."""

    masked: frozenset[str] = field(default_factory=frozenset)
    tell: bool = False
    marked: bool = False
    owed: tuple[Owed, ...] = ()
    demands: tuple[Demand, ...] = ()
    exigent: Exigent | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a cell is read: the known words, and where mistakes go.

    ``among`` tells whether a word is one of some, and says what is wrong if it is not; ``near`` suggests one.
    """

    fields: AbstractSet[str]
    roles: AbstractSet[str]
    wrong: Callable[[str, str | None], None]
    among: Callable[[str, Iterable[str], str], bool]
    near: Callable[[str, Iterable[str]], str | None]
    stages: Mapping[str, Demand] = field(default_factory=dict)

    def read(self, outcome: Outcome, text: str) -> Obligations:
        """Read ``none``, or clauses ``name=value`` joined by ``;``. What is wrong is told; then the result is nothing."""
        said = self._clauses(text)
        if outcome is Outcome.MASK and "mask" not in said:
            self.wrong("a mask row says what it masks", "mask=ssn+photo, in the words of fields.yaml")
        for name in said:
            if outcome not in _GOES_WITH[name]:
                why, help_ = _ELSEWHERE[name]
                self.wrong(f"{_a(outcome)} row {why}", help_)
        owed = [*self.notices("notify", said.get("notify", ())), *self._reviews(said.get("review", ()))]
        return Obligations(
            masked=frozenset(said.get("mask", ())),
            tell="tell" in said,
            marked="watermark" in said,
            owed=joined(owed),
            demands=self._demands(said) if outcome is Outcome.ESCALATE else (),
            exigent=read_exigent(self, outcome, said, reviewer=REVIEWER),
        )

    def _clauses(self, text: str) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for clause in () if text == "none" else text.split(";"):
            name, equals, rest = (part.strip(" ") for part in clause.partition("="))
            if name not in _GOES_WITH or not equals or (name in _FIXED and name != "tell" and rest not in _FIXED[name]):
                hint = HELP
                if name in _FIXED and equals:
                    hint = f"{name} is one of: {', '.join(f'{name}={value}' for value in _FIXED[name])}"
                elif name in {"until", "expires", "from", "since"}:
                    hint = "no row begins or ends by itself: write the day into 'because', and take the row out then"
                elif name not in _GOES_WITH:
                    hint = self.near(name, _GOES_WITH) or HELP
                self.wrong(f"unknown obligation '{clause.strip(' ')}'", hint)
                continue
            if name in found:
                self.wrong(f"'{name}' is there twice", "join the words with +")
            values = tuple(value.strip(" ") for value in rest.split("+"))
            if len(set(values)) != len(values):
                self.wrong(f"'{name}' names a word twice", None)
            found[name] = values
            self._words(name, values)
        return found

    def _words(self, name: str, values: tuple[str, ...]) -> None:
        if name in {"mask", "shows"}:
            for value in values:
                self.among(value, self.fields, "field class")
        elif name == "tell":
            for value in values:
                self.among(value, _FIXED["tell"], "word after tell=")
        elif name == "approvers":
            for value in values:
                self.among(value, self.roles, "role")
        elif name == "stages":
            for value in values:
                self.among(value, self.stages, "stage of approvals.yaml")

    def notices(self, name: str, values: tuple[str, ...], *, why: str = POLICY) -> Iterable[Owed]:
        """Yield who is to be told by the words of a clause."""
        roles = [value.partition("/")[0] for value in values]
        if len(set(roles)) != len(roles) and len(set(values)) == len(values):
            self.wrong(f"'{name}' names a role twice", "one time for each role")
        for value in values:
            role, slash, time = value.partition("/")
            within = self.time(time) if slash else None
            if self.among(role, self.roles, "role"):
                yield Owed(duty=Duty.NOTICE, role=role, why=why, within=within)

    def _reviews(self, values: tuple[str, ...]) -> Iterable[Owed]:
        if len(values) > 1:
            self.wrong("'review' has one time", "review=4h")
        if values and REVIEWER not in self.roles:
            self.wrong(f"a review needs the role '{REVIEWER}'", "declare it in vocabulary.yaml")
        for value in values[:1]:
            yield Owed(duty=Duty.REVIEW, role=REVIEWER, within=self.time(value))

    def time(self, text: str) -> int | None:
        """Return the seconds that a time is; one that is none is told."""
        seconds = read_time(text)
        if seconds is None:
            self.wrong(f"'{text}' is no time", "minutes, hours or days, 30 days at most: 15m, 4h, 2d")
        return seconds

    def _demands(self, said: Mapping[str, tuple[str, ...]]) -> tuple[Demand, ...]:
        if "stages" in said:
            if not {"quorum", "approvers"}.isdisjoint(said):
                self.wrong("stages= says how many and who", "take quorum= and approvers= away, or stages=")
            return tuple(self.stages[name] for name in sorted(set(said["stages"])) if name in self.stages)
        number = "+".join(said.get("quorum", ("1",)))
        if number not in {str(each) for each in range(1, MOST_QUORUM + 1)}:
            self.wrong(f"'{number}' is no quorum", f"how many different people have to agree, 1 to {MOST_QUORUM}")
            return ()
        return (Demand(quorum=int(number), roles=frozenset(said.get("approvers", (REVIEWER,)))),)


def read_time(text: str) -> int | None:
    """Return the seconds that ``15m``, ``4h`` or ``2d`` are, or None for anything else or more than 30 days."""
    found = _TIME.match(text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    return seconds if 0 < seconds <= MOST_SECONDS else None


def written_time(seconds: int) -> str:
    """Return seconds as a file could hold them."""
    unit = next((unit for unit, size in _UNITS.items() if seconds % size == 0), "m")
    return f"{seconds // _UNITS[unit]}{unit}"


def written(obliged: Obligations) -> str:
    """Return the cell that says these."""
    clauses = [f"mask={'+'.join(sorted(obliged.masked))}"] if obliged.masked else []
    told = [
        each.role + (f"/{written_time(each.within)}" if each.within is not None else "")
        for each in obliged.owed
        if each.duty is Duty.NOTICE
    ]
    clauses += [f"notify={'+'.join(told)}"] if told else []
    clauses += [
        f"review={written_time(each.within)}" for each in obliged.owed if each.duty is Duty.REVIEW and each.within is not None
    ]
    clauses += ["tell=withheld"] if obliged.tell else []
    clauses += ["watermark=entry"] if obliged.marked else []
    named = [demand.name for demand in obliged.demands if demand.name]
    clauses += [f"stages={'+'.join(sorted(named))}"] if named else []
    for demand in obliged.demands:
        if demand.name:
            continue
        clauses += [f"quorum={demand.quorum}"] if demand.quorum > 1 else []
        clauses += [f"approvers={'+'.join(sorted(demand.roles))}"] if demand.roles != {REVIEWER} else []
    if obliged.exigent is not None:
        times = [written_time(each.within) if each.within is not None else "" for each in obliged.exigent.owed]
        clauses += written_exigent(obliged.exigent, times)
    return "; ".join(clauses) or "none"


def _a(outcome: Outcome) -> str:
    return f"{'an' if outcome is Outcome.ESCALATE else 'a'} {outcome}"
