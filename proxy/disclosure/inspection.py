"""The walk through a reply, record by record: read it, have it judged, release, mask or withhold it.

Pure, and a step at a time, so that whoever drives it decides when others get their turn. Whatever is not as the route
declares it is withheld: an undeclared member may hold anybody's name, and a nested value hides members from the route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from proxy.disclosure.disclosure import MOST_NAMED, Disclosure
from proxy.disclosure.left import Traces
from proxy.disclosure.record import left_of, masks_of, read
from proxy.disclosure.splice import Splice
from proxy.inquiry.inquiry import TEXT, TooBroad
from proxy.policy.decision import Outcome
from proxy.registry.protection import Relation
from proxy.upstream.reply import ReplyUnreadable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from proxy.disclosure.judgement import Judge, Judgement
    from proxy.disclosure.marks import Marker
    from proxy.disclosure.splice import Masks, Record
    from proxy.inquiry.inquiry import Inquiry
    from proxy.inquiry.route import Shape
    from proxy.policy.decision import Ruling
    from proxy.policy.fields import FieldClass

JSON: Final = "application/json"
MOST_SUBJECTS: Final = 1000
"""Each has its token in the entry, which has at most 65,535 bytes."""
_NOTHING: Final[frozenset[str]] = frozenset()
_NOBODY: Final = frozenset({Relation.NONE})


class Inspection:
    """One reply under inspection: ``steps`` until they end, then ``disclosure``."""

    def __init__(self, body: bytes, inquiry: Inquiry, judge: Judge, fields: Mapping[str, FieldClass], marking: Marker) -> None:
        """Prepare; nothing is read yet.

        Raises:
            ReplyUnreadable: the body is not UTF-8, or the route does not say where records lie.
        """
        route = inquiry.route
        if route.records is None:
            raise ReplyUnreadable("This route does not say where the records of a reply lie. Tell the operator the instance.")
        path = route.records
        steps = (*path.before, *((None,) if path.many else ()), *path.after)
        self._splice = Splice(body, path=steps, envelope=route.envelope)
        self._route = route
        self._most = inquiry.most
        self._judge = judge
        self._fields = fields
        self._shape = route.shape
        self._masks: dict[frozenset[str], Masks] = {}
        self._left: dict[frozenset[str], Shape] = {}
        self._seen = 0
        self._released = 0
        self._unjudged = 0
        self._masked: set[str] = set()
        self._marked = False
        self._disclosed: set[str] = set()
        self._judgements: list[Judgement] = []
        self._subjects: dict[str, None] = {}
        self._traces = Traces(self._shape, marking)
        self._named: list[Mapping[str, Sequence[str]]] = []

    def steps(self) -> Iterator[None]:
        """Decide on one record a step.

        Raises:
            ReplyUnreadable: the reply is not JSON in one reading only, or not as its route describes.
            TooBroad: there are more records than the inquiry may be answered with.
        """
        for record in self._splice.records():
            self._seen += 1
            self._decide(record)
            # Only what leaves counts, and what nobody could judge: else a search would be too broad by somebody who is not
            # there. What the records server may have cut off counts too: whom that would have been, nobody knows.
            if self._released + self._unjudged > self._most or self._seen == self._route.cut:
                raise TooBroad(f"More than {self._most} records match. Narrow the search and ask again.")
            yield

    def disclosure(self) -> Disclosure:
        """Return what may leave: the spliced reply, or the route's answer for no record when none is left."""
        absent = self._route.absent
        left = self._released > 0
        return Disclosure(
            status=200 if left else absent.status,
            media_type=JSON if left else absent.media_type,
            body=self._splice.result() if left else absent.body,
            records=self._released,
            withheld=self._seen - self._released,
            unjudged=self._unjudged,
            masked=frozenset(self._masked),
            marked=self._marked,
            disclosed=frozenset(self._disclosed),
            judgements=tuple(self._judgements),
            subjects=tuple(self._subjects),
            others=self._traces.others,
            left=tuple(self._traces.records),
            left_out=self._traces.left_out,
            named=tuple(self._named),
        )

    def _decide(self, record: Record) -> None:
        kinds: dict[str, list[str]] = {}
        present: set[str] = set()
        judgement = None
        if read(record.value, self._shape, kinds, present) and (not self._route.identifies or _says_whom(kinds)):
            judgement = self._judged(kinds)
        if judgement is None:
            record.withheld = True
            self._unjudged += 1
            return
        if judgement.ruling.outcome is not Outcome.PERMIT or judgement.ruling.owed or _concerns(judgement):
            self._judgements.append(judgement)
        if self._release(record, judgement.ruling, present):
            self._released += 1
            self._marked |= judgement.ruling.marked
            readable = self._readable(record.value, kinds, judgement.ruling)
            if self._released <= MOST_NAMED + 1:
                self._named.append(readable)
            hidden = judgement.ruling.masked if judgement.ruling.outcome is Outcome.MASK else _NOTHING
            self._traces.released(record.value, kinds, readable, judgement, hidden)
            self._subjects.update(dict.fromkeys(kinds.get("person_id", ())))
            if len(self._subjects) > MOST_SUBJECTS:
                raise TooBroad("The records concern too many persons at once. Narrow the search and ask again.")
        else:
            record.withheld = True
            self._traces.withheld(kinds, judgement)

    def _judged(self, kinds: Mapping[str, Sequence[str]]) -> Judgement | None:
        try:
            return self._judge(kinds)
        except Exception:  # noqa: BLE001 -- a record that nobody can judge is withheld, whatever the reason
            return None

    def _release(self, record: Record, ruling: Ruling, present: set[str]) -> bool:
        """Let a record out as policy says; false when it must stay."""
        match ruling.outcome:
            case Outcome.PERMIT:
                self._disclosed |= present
                return True
            case Outcome.MASK:
                if not ruling.masked or not ruling.masked <= self._fields.keys():
                    return False  # an obligation that cannot be met voids the permit (XACML 3.0 §7.18)
                self._splice.mask(record, self._masks_for(ruling.masked))
                self._masked |= present & ruling.masked
                self._disclosed |= present - ruling.masked
                return True
            case Outcome.ESCALATE | Outcome.DENY | Outcome.CONCEAL:
                return False
            case _:
                assert_never(ruling.outcome)

    def _readable(self, value: object, kinds: Mapping[str, Sequence[str]], ruling: Ruling) -> Mapping[str, Sequence[str]]:
        """Return the identifiers of a record that are not masked."""
        if ruling.outcome is not Outcome.MASK:
            return kinds
        left = self._left.get(ruling.masked)
        if left is None:
            left = self._left[ruling.masked] = left_of(self._shape, ruling.masked)
        found: dict[str, list[str]] = {}
        return found if read(value, left, found, set()) else {}

    def _masks_for(self, classes: frozenset[str]) -> Masks:
        masks = self._masks.get(classes)
        if masks is None:
            masks = self._masks[classes] = masks_of(self._shape, classes, self._fields)
        return masks


def _says_whom(kinds: Mapping[str, Sequence[str]]) -> bool:
    """Tell whether a record has an identifier; free text that may name nobody is none."""
    return any(values for kind, values in kinds.items() if kind != TEXT)


def _concerns(judgement: Judgement) -> bool:
    """Tell whether a record is about somebody protected, or somebody close to the principal."""
    return bool(judgement.recognition.protections or judgement.recognition.relations - _NOBODY)
