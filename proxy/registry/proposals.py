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
    """A record's id that is the person's; with it comes what the record says that the entry does not."""
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
    """Of one entry: what waits for a steward, and what does not any more. ``run`` is the sweep that asked last.

    ``institution``: more people have the home's address than a household has, so that nobody there is proposed. ``namesakes``
    counts those of the same name whom a date of birth or an SSN contradicts.
    """

    salt: str
    asked_at: str = ""
    run: str = ""
    institution: bool = False
    namesakes: int = 0
    open: tuple[Proposal, ...] = ()
    settled: tuple[str, ...] = ()

    def updated(self, found: Found, *, keep: bool = False) -> Ledger:
        """Return the ledger with what is proposed now; what is no longer found is so no longer, unless told to ``keep`` it."""
        settled = frozenset(self.settled)
        proposals = [*(self.open if keep else ()), *found.proposals]
        kept = {each.id: each for each in proposals if each.id not in settled}
        return replace(
            self,
            open=tuple(kept.values())[:MOST_PROPOSALS],
            institution=found.institution,
            namesakes=found.namesakes,
        )

    def without(self, settled: Iterable[str]) -> Ledger:
        """Return the ledger once a steward has settled some."""
        gone = tuple(settled)
        return replace(
            self,
            open=tuple(proposal for proposal in self.open if proposal.id not in gone),
            settled=tuple(dict.fromkeys((*self.settled, *gone)))[-MOST_SETTLED:],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the records add to an entry, and the two facts of ``Ledger`` about them."""

    proposals: Sequence[Proposal]
    institution: bool
    namesakes: int


def propose(
    entry: Entry, records: Sequence[Record], household: Sequence[Identifiers], ledger: Ledger, *, crowded: bool = False
) -> Found:
    """Return what the records add to an entry.

    ``household`` are those who are enrolled under the same household; ``crowded`` tells that too many records are at the home.
    """
    who, salt = entry.identifiers, ledger.salt
    own = {normalize.person_id(value) for value in who.person_ids}
    found = candidates.candidates(who, records)
    mine = [each for each in found if each.person_id in own]
    others = [each for each in found if each.person_id not in own]
    likely = {each.person_id: _record(who, each, salt) for each in others if each.comparison.likeness is not Likeness.UNLIKELY}
    # Who is not the person, says a steward, may still live there.
    maybe = {person_id for person_id, proposal in likely.items() if proposal.id not in ledger.settled}
    there, institution = residents([*who.homes, *_new_homes(who, mine)], others)
    institution = bool(entry.category) and (institution or crowded)
    proposals = [*likely.values()]
    for candidate in mine:
        proposals += _of_own_record(who, candidate, salt)
    if entry.category and not institution:
        proposals += _residents([each for each in there if each.person_id not in maybe], household, salt)
    proposals += _mentions(who, records, found, salt)
    namesakes = [each for each in others if each.person_id not in likely and candidates.NAME in each.comparison.agrees]
    return Found(proposals=proposals, institution=institution, namesakes=len(namesakes))


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
    said: Mapping[str, Any] = values["additions"]
    additions: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}
    additions["homes"] = tuple(Home(**home) for home in said["homes"])
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


def _record(who: Identifiers, candidate: Candidate, salt: str) -> Proposal:
    said = identifiers_of(candidate)
    new = {attribute: tuple(text for _, text in _unknown(who, said, kind)) for kind, (attribute, _) in NORMAL_FORMS.items()}
    additions = Identifiers(
        **new | {"person_ids": (candidate.person_id,)},  # type: ignore[arg-type]
        dob="" if who.dob else said.dob,
        homes=tuple(_new_homes(who, (candidate,))),
    )
    return _made(Kind.RECORD, candidate, additions, salt, candidate.person_id)


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
    for kind, (attribute, _) in NORMAL_FORMS.items():
        if kind != candidates.PERSON_ID:
            for form, text in _unknown(who, said, kind):
                additions = Identifiers(**{attribute: (text,)})  # type: ignore[arg-type]
                yield _made(Kind.IDENTIFIER, candidate, additions, salt, kind, form)


def _unknown(who: Identifiers, said: Identifiers, kind: str) -> Iterator[tuple[str, str]]:
    """Yield the values of a kind that are not the person's yet, each with its normal form."""
    attribute, normal = NORMAL_FORMS[kind]
    known = {normal(text) for text in getattr(who, attribute)} | {""}
    for text in getattr(said, attribute):
        form = normal(text)
        if form not in known:
            known.add(form)
            yield form, text


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
