"""What an entry says of each record of a reply: whom it concerns, which fields were seen, and the marks to find them again by.

Never a value of the reply but the records server's own numbers, and those in the sealed part only. It is bounded: of a long
list's records beyond that only the number is told, and their persons' tokens stand in the entry's header all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.disclosure.marks import joined_in, seen_in
from proxy.registry.forms import form, surest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from proxy.audit.event import Json
    from proxy.disclosure.judgement import Judgement
    from proxy.disclosure.marks import Marker
    from proxy.inquiry.route import Shape

MOST_MARKS: Final = 2400
"""Marks that an entry's body holds: those of a hundred full records, some 120 KB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """One record that was judged. ``person`` are record numbers, ``subject`` registry entries.

    ``seen`` maps the name of each field that was shown to its mark, or to nothing where it is too short for one.
    """

    person: Sequence[str] = ()
    subject: Sequence[str] = ()
    seen: Mapping[str, str]
    masked: Sequence[str] = ()
    withheld: bool = False

    def told(self) -> dict[str, Json]:
        """Return its form in the sealed part."""
        return {
            "person": list(self.person),
            "subject": list(self.subject),
            "seen": dict(self.seen),
            "masked": list(self.masked),
            "withheld": self.withheld,
        }


class Traces:
    """Collects them, record by record."""

    def __init__(self, declared: Shape, marking: Marker) -> None:
        """Read records of this shape."""
        self._declared = declared
        self._marking = marking
        self._marks = 0
        self._others: dict[tuple[str, str], None] = {}
        self.records: list[Left] = []
        self.left_out = 0

    @property
    def others(self) -> tuple[tuple[str, str], ...]:
        """Return by kind and form whom withheld records concern, and the released ones that have no person id."""
        return tuple(self._others)

    def released(
        self,
        value: object,
        kinds: Mapping[str, Sequence[str]],
        readable: Mapping[str, Sequence[str]],
        judgement: Judgement,
        hidden: frozenset[str],
    ) -> None:
        """Take a record that leaves; ``readable`` are the identifiers left to read in it, ``hidden`` the classes masked."""
        if not kinds.get("person_id"):
            self._others.update(dict.fromkeys(surest(kinds)))
        if self._marks >= MOST_MARKS:
            self.left_out += 1
            return
        seen, masked = seen_in(value, self._declared, hidden, self._marking)
        seen.update(joined_in(readable, self._marking))
        self._marks += len(seen)
        self.records.append(_left(kinds, judgement, seen=seen, masked=masked))

    def withheld(self, kinds: Mapping[str, Sequence[str]], judgement: Judgement) -> None:
        """Take a record that stays."""
        self._others.update(dict.fromkeys(surest(kinds)))
        self._marks += 1
        if self._marks > MOST_MARKS:
            self.left_out += 1
            return
        self.records.append(_left(kinds, judgement, seen={}, withheld=True))


def _left(
    kinds: Mapping[str, Sequence[str]],
    judgement: Judgement,
    *,
    seen: Mapping[str, str],
    masked: Sequence[str] = (),
    withheld: bool = False,
) -> Left:
    return Left(
        person=tuple(form("person_id", value) for value in kinds.get("person_id", ())),
        subject=tuple(protection.entry for protection in judgement.recognition.protections),
        seen=seen,
        masked=masked,
        withheld=withheld,
    )
