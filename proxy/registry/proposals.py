"""What a steward is asked to confirm about one enrolled person, and what was settled before.

A proposal is made once: what a steward has confirmed is in the entry, and what they have declined is not proposed again. Its id
is a keyed digest of what it says, so that it can stand in a command line, which everybody on the machine can read.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import orjson

from proxy.registry import candidates, normalize
from proxy.registry.candidates import Candidate, Comparison, Likeness, Record, compare, identifiers_of, lives_there, residents
from proxy.registry.person import NORMAL_FORMS, Home, Identifiers, street_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from proxy.registry.person import Entry

MOST_PROPOSALS: Final = 128
MOST_SETTLED: Final = 2048
_ID_BYTES: Final = 5


class Kind(StrEnum):
    """What is proposed."""

    RECORD = "record"
    """A record's id that is the person's."""
    RESIDENT = "resident"
    """Somebody who lives in the person's home, and would become a member of the household."""
    HOME = "home"
    """An address that the person's own record gives, and the entry does not have."""
    IDENTIFIER = "identifier"
    """Another identifier of the person's own record that the entry does not have."""
    MENTION = "mention"
    """A record without an id that names the person, or somebody else's that has a mark of theirs; there is nothing to add."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One thing to confirm. ``additions`` go into the entry, or, for a resident, into one of their own."""

    id: str
    kind: Kind
    routes: tuple[str, ...]
    agrees: tuple[str, ...]
    contradicts: tuple[str, ...]
    likeness: Likeness
    additions: Identifiers
    shown: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Of one entry: what waits for a steward, and what does not any more. ``run`` is the sweep that asked last."""

    salt: str
    asked_at: str = ""
    run: str = ""
    institution: bool = False
    open: tuple[Proposal, ...] = ()
    settled: tuple[str, ...] = ()

    def updated(self, found: Iterable[Proposal]) -> Ledger:
        """Return the ledger with what is proposed now; what is no longer found is no longer proposed."""
        settled = frozenset(self.settled)
        kept = [proposal for proposal in found if proposal.id not in settled]
        return replace(self, open=tuple({each.id: each for each in kept}.values())[:MOST_PROPOSALS])

    def without(self, settled: Iterable[str]) -> Ledger:
        """Return the ledger once a steward has settled some."""
        gone = tuple(settled)
        return replace(
            self,
            open=tuple(proposal for proposal in self.open if proposal.id not in gone),
            settled=tuple(dict.fromkeys((*self.settled, *gone)))[-MOST_SETTLED:],
        )


def propose(
    entry: Entry, records: Sequence[Record], household: Sequence[Identifiers], salt: str
) -> tuple[list[Proposal], bool]:
    """Return what the records add to an entry, and whether its home is an institution's, which tells nothing of a household.

    ``household`` are those who are enrolled under the same household.
    """
    who = entry.identifiers
    own = {normalize.person_id(value) for value in who.person_ids}
    found = candidates.candidates(who, records)
    mine = [each for each in found if each.person_id in own]
    likely = [each for each in found if each.person_id not in own and each.comparison.likeness is not Likeness.UNLIKELY]
    homes = [*who.homes, *_new_homes(who, mine)]
    there, institution = residents(homes, found)
    proposals = [*_records(likely, salt)]
    for candidate in mine:
        proposals += _of_own_record(who, candidate, salt)
    if entry.category and not institution:
        others = [each for each in there if each.person_id not in own and each not in likely]
        proposals += _residents(others, household, salt)
    proposals += _mentions(who, records, found, salt)
    return proposals, institution and bool(entry.category)


def pack_ledger(ledger: Ledger) -> bytes:
    """Return the bytes that are sealed."""
    return orjson.dumps(asdict(ledger))


def unpack_ledger(content: bytes) -> Ledger:
    """Return the ledger that ``pack_ledger`` made bytes of."""
    values = orjson.loads(content)
    return Ledger(
        **values | {"open": tuple(_proposal(each) for each in values["open"]), "settled": tuple(values["settled"])},
    )


def _proposal(values: Mapping[str, Any]) -> Proposal:
    additions: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values["additions"].items()
    }
    additions["homes"] = tuple(Home(**home) for home in values["additions"]["homes"])
    return Proposal(
        id=values["id"],
        kind=Kind(values["kind"]),
        routes=tuple(values["routes"]),
        agrees=tuple(values["agrees"]),
        contradicts=tuple(values["contradicts"]),
        likeness=Likeness(values["likeness"]),
        additions=Identifiers(**additions),
        shown={kind: tuple(texts) for kind, texts in values["shown"].items()},
    )


def _records(likely: Iterable[Candidate], salt: str) -> Iterator[Proposal]:
    for each in likely:
        yield _made(Kind.RECORD, each, Identifiers(person_ids=(each.person_id,)), salt, each.person_id)


def _residents(there: Iterable[Candidate], household: Sequence[Identifiers], salt: str) -> Iterator[Proposal]:
    enrolled = frozenset[str]().union(*(member.same_person() for member in household))
    for each in there:
        them = identifiers_of(each)
        if enrolled.isdisjoint(them.same_person()):
            yield _made(Kind.RESIDENT, each, them, salt, each.person_id)


def _of_own_record(who: Identifiers, candidate: Candidate, salt: str) -> Iterator[Proposal]:
    """Propose what somebody's own record has and the entry does not."""
    for home in _new_homes(who, (candidate,)):
        yield _made(Kind.HOME, candidate, Identifiers(homes=(home,)), salt, *street_of(home))
    said = identifiers_of(candidate)
    for kind, (attribute, normal) in NORMAL_FORMS.items():
        known = {normal(text) for text in getattr(who, attribute)}
        for text in getattr(said, attribute):
            form = normal(text)
            if form and form not in known and kind != candidates.PERSON_ID:
                known.add(form)
                additions = Identifiers(**{attribute: (text,)})  # type: ignore[arg-type]
                yield _made(Kind.IDENTIFIER, candidate, additions, salt, kind, form)


def _mentions(who: Identifiers, records: Sequence[Record], found: Sequence[Candidate], salt: str) -> Iterator[Proposal]:
    unlikely = {each.person_id for each in found if each.comparison.likeness is Likeness.UNLIKELY}
    for record in records:
        comparison = compare(who, record.fields, [home for home in [record.home] if home])
        marks = frozenset(comparison.agrees) & {"plate", "vin"}
        named = not record.person_id and comparison.likeness is not Likeness.UNLIKELY
        if named or (marks and record.person_id in unlikely):
            single = Candidate(person_id="", routes=(record.route,), fields=record.fields, homes=(), comparison=comparison)
            what = orjson.dumps(dict(record.fields), option=orjson.OPT_SORT_KEYS).decode()
            yield _made(Kind.MENTION, single, Identifiers(), salt, record.route, what)


def _new_homes(who: Identifiers, own: Iterable[Candidate]) -> list[Home]:
    homes = [home for candidate in own for home in candidate.homes]
    return [home for home in homes if street_of(home).number and not lives_there(who.homes, home)]


def _made(kind: Kind, candidate: Candidate, additions: Identifiers, salt: str, *what: str) -> Proposal:
    keyed = blake2b(key=bytes.fromhex(salt), digest_size=_ID_BYTES)
    keyed.update("\0".join((kind, *what)).encode("utf-8", "surrogatepass"))
    comparison: Comparison = candidate.comparison
    return Proposal(
        id=keyed.hexdigest(),
        kind=kind,
        routes=candidate.routes,
        agrees=comparison.agrees,
        contradicts=comparison.contradicts,
        likeness=comparison.likeness,
        additions=additions,
        shown=candidate.fields,
    )
