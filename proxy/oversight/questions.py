"""Questions to the log as people ask them: shown cause for like a query, put into the log's words, and never about oneself.

Whoever is sought may be named by a registry entry, a record's number, a name with a date of birth, a plate, a phone, an address
…, in any spelling: the registry recognizes them, and everything that it knows of somebody enrolled is sought as well, so that a
look-up by another road, or from before they were enrolled, is found too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from proxy.audit.errors import SoughtUnknown
from proxy.audit.event import Party
from proxy.audit.events import INVESTIGATING
from proxy.audit.search import FOUND, SUBJECT, LogSearched, Sought
from proxy.disclosure.marks import marks_of
from proxy.inquiry.inquiry import BodyUnreadable
from proxy.oversight.cause import shown_cause
from proxy.purpose.header import normal_case
from proxy.registry.forms import BORN, NUMBERS, all_of, reads
from proxy.registry.protection import OWN_CAUSE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from proxy.audit.sealing import Sealer
    from proxy.audit.search import Counted, Found, LogSearch
    from proxy.identity.principal import Principal
    from proxy.purpose.directory import CaseDirectory
    from proxy.registry.person import Identifiers
    from proxy.registry.service import Registry

ASKERS: Final = frozenset({"auditor", "oversight"})
"""Roles that may ask the log."""
BY: Final = ("officer", "case", "terminal", "entry", *NUMBERS, "address", "name")
"""By what one may ask. A name goes with a date of birth, or finds whoever was asked about by that name alone."""
WORDS: Final = {
    "officer": "officer", "case": "case number", "terminal": "terminal", "entry": "registry entry",
    "person_id": "record number",
    "ssn": "Social Security number", "license": "driver licence", "plate": "plate", "vin": "VIN", "phone": "phone number",
    "email": "e-mail address", "address": "address", "name": "name",
}  # fmt: skip
COUNTS: Final = ("day", "officer", "purpose", "outcome")
OLDEST: Final = "oldest"
TIMELINE: Final = 1000
"""A timeline is one answer, so it has at most so many entries; the command line turns the pages by itself."""
LONGEST: Final = timedelta(days=366)
MOST_VALUE: Final = 256
_SAYS_WHO: Final = frozenset({*NUMBERS, BORN, "street"})


def road_in_words(kind: str) -> str:
    """Return what a reader is told of the kind by which somebody was named."""
    return {BORN: "date of birth", SUBJECT: "registry entry"}.get(kind, kind.replace("_", " "))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks: a principal, or somebody at the machine itself, whom no registry knows."""

    person: str
    role: str
    principal: Principal | None = None

    @classmethod
    def of(cls, principal: Principal) -> Asker:
        """Return a principal as one who asks."""
        return cls(person=principal.person, role=principal.role, principal=principal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What somebody asks, as they said it. ``first`` and ``last`` are days, in UTC, both included.

    ``order`` is ``oldest`` for a timeline.
    """

    case: str
    statement: str
    by: str
    value: str
    first: str
    last: str
    dob: str = ""
    before: str = ""
    counts: str = ""
    order: str = ""

    def stretch(self) -> tuple[datetime, datetime]:
        """Return since when and until when.

        Raises:
            BodyUnreadable: those are no days, or too many.
        """
        since, until = _day(self.first), _day(self.last) + timedelta(days=1)
        if not since < until <= since + LONGEST:
            raise BodyUnreadable("The first day has to be before the last, and no more than a year.")
        return since, until

    def place(self) -> int | None:
        """Return where to go on.

        Raises:
            BodyUnreadable: it is no number.
        """
        if self.before and not (self.before.isascii() and self.before.isdigit() and len(self.before) < 16):
            raise BodyUnreadable("The place to go on from is no number.")
        return int(self.before) if self.before else None

    def must_say_what(self) -> None:
        """Return when it says what is sought.

        Raises:
            BodyUnreadable: it does not.
        """
        if self.order not in {"", OLDEST} or (self.order and (self.before or self.counts)):
            raise BodyUnreadable("order is oldest, or left out; a timeline is one page, from its beginning, of queries.")
        if self.counts:
            if self.counts not in COUNTS:
                raise BodyUnreadable(f"Count by one of {', '.join(COUNTS)}.")
            if not self.value:
                return
        if self.by not in BY or not self.value.strip() or len(self.value) > MOST_VALUE:
            raise BodyUnreadable(f"Say by what you search (one of {', '.join(BY)}), and for whom or what.")
        readable = reads(self.by, self.value) if self.by in NUMBERS else any(each.isalnum() for each in self.value)
        if not readable:
            raise BodyUnreadable(f"What you search for is no {WORDS[self.by]}, in any spelling.")
        if self.dob and not reads("dob", self.dob):
            raise BodyUnreadable("The date of birth is none: write it as year-month-day, like 1971-03-08.")


def _day(text: str) -> datetime:
    try:
        return datetime.combine(datetime.strptime(text, "%Y-%m-%d").date(), time(), UTC)  # noqa: DTZ007 -- a day, in UTC
    except ValueError:
        raise BodyUnreadable("Write days as year-month-day, like 2026-11-23.") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """The use case, for whoever has a credential here: the console and the programs at its door."""

    search: LogSearch
    cases: CaseDirectory
    registry: Registry
    sealer: Sealer
    persons: Callable[[], AbstractSet[str]]
    """Everybody who ever had a credential here, as far as anybody knows."""

    async def ask(self, question: Question, asker: Asker) -> Found:
        """Return what the log answers, newest first, once the question is in it; a timeline oldest first, all of it.

        Raises:
            CaseUnknown, StatementUninformative, BodyUnreadable: cause is not shown; or a timeline would be too long.
            OwnLookups: it is about whoever asks.
            SoughtUnknown: nothing was found, and nobody knows whom it is about.
            AuditUnavailable, IndexUnusable, LogDamaged, EntryUnreadable, SealBroken: it cannot be answered.
        """
        searched = await self._searched(question, asker)
        timeline = question.order == OLDEST
        found = await self.search.search(searched, most=TIMELINE if timeline else FOUND)
        if not found.goes_on_from and all(entry.kind in INVESTIGATING for entry in found.entries):
            await self._must_be_known(searched.sought)
        if not timeline:
            return found
        if found.before is not None:
            raise BodyUnreadable(
                f"More than {TIMELINE} entries answer this. Ask for fewer days, or newest first, page by page."
            )
        return replace(found, lines=sorted(found.lines, key=lambda line: line.index), entries=found.entries[::-1])

    async def count(self, question: Question, asker: Asker) -> Counted:
        """Return how many queries there were. Raises as ``ask`` does."""
        searched = await self._searched(question, asker)
        counted = await self.search.count(searched)
        if not counted.rows and not counted.goes_on_from:
            await self._must_be_known(searched.sought)
        return counted

    async def sought(self, question: Question, asker: Asker) -> Sought:
        """Return what a question seeks, in the log's words. Raises as ``ask`` does."""
        return (await self._sought(question, asker))[0]

    async def _searched(self, question: Question, asker: Asker) -> LogSearched:
        case = await shown_cause(self.cases, case=question.case, statement=question.statement, label="search of the log")
        question.must_say_what()
        since, until = question.stretch()
        before = question.place()
        sought, own = await self._sought(question, asker)
        searched = LogSearched(
            operator=asker.person,
            role=asker.role,
            case=case,
            statement=question.statement,
            sought=sought,
            since=since,
            until=until,
            before=before,
            counts=question.counts,
        )
        if own:
            await self.search.deny(searched)
        return searched

    async def _must_be_known(self, sought: Sought) -> None:
        """Return when there is such a person or entry, or was: people who left are found by what the log has of them.

        A log that goes on from another cannot tell, for that one is not asked.

        Raises:
            SoughtUnknown: else.
        """
        match sought.by:
            case "officer":
                known = sought.value in self.persons() or self.registry.recognizer.employed(sought.value)
                told = "Nobody of that number is known here, and no entry of the log names one. Look at the spelling."
            case "entry":
                known = bool(await self.registry.named([sought.value]))
                told = "There is no such registry entry, and no entry of the log names one. Look at the spelling."
            case _:
                return
        if not known and not await self.search.names(sought.parties):
            raise SoughtUnknown(told)

    async def _sought(self, question: Question, asker: Asker) -> tuple[Sought, bool]:
        """Return what is sought, and whether it is the cause of whoever asks."""
        by, value = question.by, question.value.strip()
        if not value:
            return Sought(by="all", value="", parties=()), False
        match by:
            case "case":
                return Sought(by=by, value=value, parties=(Party("case", normal_case(value)),)), False
            case "terminal":
                return Sought(by=by, value=value, parties=(Party("terminal", value),)), False
            case "officer":
                person = value.lower()
                own = person == asker.person or self._close(asker, person)
                return Sought(by=by, value=person, parties=(Party("officer", person), Party("actor", person))), own
            case "entry":
                return await resolved(self.registry, self.sealer, by=by, value=value, principal=asker.principal)
            case _:
                return await resolved(
                    self.registry, self.sealer, by=by, value=value, dob=question.dob, principal=asker.principal
                )

    def _close(self, asker: Asker, person: str) -> bool:
        return asker.principal is not None and self.registry.recognizer.close(asker.person, person)


async def resolved(
    registry: Registry, sealer: Sealer, *, by: str, value: str, dob: str = "", principal: Principal | None
) -> tuple[Sought, bool]:
    """Return somebody as the log names them, and whether they are whoever asks, or close to them.

    Raises:
        RegistryUnreadable: the registry is not loaded.
    """
    fields: dict[str, tuple[str, ...]] = {} if by == "entry" else {by: (value,)}
    if fields and dob:
        fields["dob"] = (dob,)
    found = [value] if by == "entry" else [each.entry for each in registry.recognizer.protections(fields)]
    entries = await registry.named(found) if found else []
    everything = [fields, *(_fields(entry.identifiers) for entry in entries)]
    own = principal is not None and any(
        registry.recognizer.recognize(each, principal).relations & OWN_CAUSE for each in everything if each
    )
    parties: dict[Party, None] = dict.fromkeys(Party(SUBJECT, each) for each in found)
    for each in everything:
        parties.update(dict.fromkeys(Party(kind, known) for kind, known in all_of(each) if _says_who(kind, each)))
    marks = {mark: None for kind, known in parties if kind != SUBJECT for mark in marks_of(sealer, kind, known)}
    return Sought(by=by, value=f"{value} {dob}".strip(), parties=tuple(parties), marks=tuple(marks)), own


def _says_who(kind: str, fields: Mapping[str, Sequence[str]]) -> bool:
    """Tell whether a form is enough to seek somebody by: a name alone only where nothing else is known."""
    return kind in _SAYS_WHO or (kind == "name" and set(fields) == {"name"})


def _fields(who: Identifiers) -> dict[str, tuple[str, ...]]:
    """Return what the registry knows of somebody, by kind."""
    known: dict[str, tuple[str, ...]] = {
        "given_name": (who.given_name,),
        "surname": (who.surname,),
        "dob": (who.dob,),
        "person_id": who.person_ids,
        "ssn": who.ssns,
        "phone": who.phones,
        "email": who.emails,
        "plate": who.plates,
        "vin": who.vins,
        "license": who.licenses,
        "street": tuple(home.street for home in who.homes),
    }
    return {kind: tuple(filter(None, values)) for kind, values in known.items() if any(values)}
