"""The terminal entries of an answered query: what left, what was masked, what was held back, and by which rows.

Never a byte of the reply: its digest proves later which bytes were released (CJIS AU-3), and field classes say what kind of
thing they held.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

from proxy.audit.event import Event, Party
from proxy.audit.owed import owing
from proxy.registry.forms import form
from proxy.registry.protection import explained

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.event import Json
    from proxy.audit.owed import Owed
    from proxy.disclosure.disclosure import Disclosure

MOST_RECORDS: Final = 32
"""An entry of the log has at most 65,535 bytes."""
MOST_PARTIES: Final = 1000
"""Tokens of people beside those of the registry; how many more there would be stands in the facts, as ``unnamed``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosed(Event):
    """A reply was inspected and is about to leave, or the answer that stands for no record is.

    ``bytes_in`` is what came from upstream, ``sha256`` the hex digest of the body released; times are milliseconds. ``met`` is
    how often the principal has met somebody protected of these records lately, by whatever road. ``owed`` is what
    somebody has to do afterwards, and ``decided`` the index of the decision that this is the end of. ``glass`` says how surely
    it was the officer who broke the glass, None where nobody did.
    """

    kind: ClassVar[str] = "disclosed"
    disclosure: Disclosure
    officer: str
    case: str
    terminal: str
    bytes_in: int
    duration_ms: float
    upstream_ms: float
    sha256: str
    met: int = 0
    owed: tuple[Owed, ...] = ()
    decided: int = 0
    ruled: Mapping[str, Json] = field(default_factory=dict)
    glass: Mapping[str, Json] | None = None

    def facts(self) -> Mapping[str, Json]:
        """Return what may lie open: counts, sizes, times, field classes, categories and the policy's rows."""
        disclosure = self.disclosure
        rules: Counter[str] = Counter()
        categories: Counter[str] = Counter()
        for judgement in disclosure.judgements:
            rules[judgement.ruling.rule] += 1
            categories.update({protection.category for protection in judgement.recognition.protections})
        return {
            "outcome": self._outcome(),
            "status": disclosure.status,
            "records": disclosure.records,
            "withheld": disclosure.withheld,
            "unjudged": disclosure.unjudged,
            "masked": tuple(sorted(disclosure.masked)),
            "disclosed": tuple(sorted(disclosure.disclosed)),
            **({"watermark": True} if disclosure.marked else {}),
            **({"unnamed": unnamed} if (unnamed := self._unnamed()) > 0 else {}),
            "rules": dict(sorted(rules.items())),
            "categories": dict(sorted(categories.items())),
            "met": self.met,
            "notify": tuple(sorted({role for judgement in disclosure.judgements for role in judgement.ruling.notify})),
            "bytes_in": self.bytes_in,
            "bytes_out": len(disclosure.body),
            "duration_ms": self.duration_ms,
            "upstream_ms": self.upstream_ms,
            **({"decided": self.decided, **owing(self.owed)} if self.owed else {}),
            **({"break_glass": True, "assurance": dict(self.glass)} if self.glass is not None else {}),
            **self.ruled,
        }

    def parties(self) -> Iterable[Party]:
        """Return who asked, where, under which case, and everybody concerned whom the registry or the record names."""
        yield Party("officer", self.officer)
        yield Party("terminal", self.terminal)
        yield Party("case", self.case)
        for entry in dict.fromkeys(
            protection.entry for judgement in self.disclosure.judgements for protection in judgement.recognition.protections
        ):
            yield Party("subject", entry)
        yield from list(self._concerned())[:MOST_PARTIES]

    def _unnamed(self) -> int:
        most = len(self.disclosure.subjects) + len(self.disclosure.others)
        return len(list(self._concerned())) - MOST_PARTIES if most > MOST_PARTIES else 0

    def _concerned(self) -> Iterable[Party]:
        """Return everybody else once, whether seen or withheld."""
        persons = (("person_id", form("person_id", each)) for each in self.disclosure.subjects)
        for kind, value in dict.fromkeys((*persons, *self.disclosure.others)):
            yield Party(kind, value)

    def sealed(self) -> Mapping[str, Json]:
        """Return what was seen of each record, and why records were taken to be about somebody protected.

        The hash of what left is here as well: in the open, who has copies of the records could tell whose each answer was.
        Where somebody is to look at it afterwards, also what identifies those concerned: nobody looks at their own cause.
        """
        met = {each.entry: each for judgement in self.disclosure.judgements for each in judgement.recognition.protections}
        sealed: dict[str, Json] = {"sha256": self.sha256}
        if met:
            sealed["recognized"] = explained(met.values())
        if self.disclosure.left:
            sealed["left"] = [record.told() for record in self.disclosure.left]
        if self.disclosure.left_out:
            sealed["left_out"] = self.disclosure.left_out
        if self.owed:
            concerned = [judgement.fields for judgement in self.disclosure.judgements if judgement.ruling.owed]
            sealed["records"] = [
                {kind: list(values) for kind, values in fields.items() if kind != "text"} for fields in concerned[:MOST_RECORDS]
            ]
        return sealed

    def _outcome(self) -> str:
        if self.disclosure.records:
            return "mask" if self.disclosure.masked else "permit"
        return "withhold" if self.disclosure.withheld else "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld(Disclosed):
    """Every record of the reply was withheld: what leaves is the answer for no record."""

    kind: ClassVar[str] = "withheld"
