"""Locks: an immediate stop on a principal, a terminal, a case, a subject or a grant.

They lie in memory and are read anew when the store's generation says that any process has changed one, so a lock holds from
the next query of every process on. What is not known for certain stops everything: a store that cannot be read, a row that
does not open, one that is gone, a store that was put back to an older state.

A lock by somebody of an agency stops the queries of that agency; one by a role that reaches everywhere stops everybody's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from proxy.database import DatabaseUnusable
from proxy.refusal import Refusal
from proxy.registry import normalize

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from proxy.escalation.lifecycle import Asked
    from proxy.identity.principal import Principal
    from proxy.registry.protection import Recognition

EVERYWHERE: Final = ""
"""Stands for the agency of a lock that stops everybody's queries."""


class Kind(StrEnum):
    """What can be stopped."""

    PRINCIPAL = "principal"
    TERMINAL = "terminal"
    CASE = "case"
    SUBJECT = "subject"
    GRANT = "grant"


_TOLD: Final[Mapping[Kind, str]] = {
    Kind.PRINCIPAL: "You are locked: nothing is answered to you. Speak to a supervisor.",
    Kind.TERMINAL: "This terminal is locked: nothing is answered at it. Use another one, and speak to a supervisor.",
    Kind.CASE: "This case is locked: nothing is answered under it. Speak to a supervisor.",
    Kind.SUBJECT: "What this asks for is locked. Speak to a supervisor.",
    Kind.GRANT: "This approval is locked: it opens nothing. Speak to a supervisor.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """One lock. ``target`` is what is compared, ``named`` how it was said; ``agency`` says whose queries it stops.

    ``until`` is when it ends by itself, or None; it ends once that is in the log, and not before. ``by`` had ``role`` then.
    """

    id: str
    kind: Kind
    target: str
    named: str
    agency: str
    by: str
    role: str
    reason: str
    created_at: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a lock ended: by whom, or ``clock`` at the time it was set for."""

    by: str
    role: str
    reason: str
    at: datetime


class Locked(Refusal):
    """A lock stops this. The detail says what kind of thing is stopped, never why, nor whether anybody is protected."""

    def __init__(self, lock: Lock) -> None:
        """Keep the lock for the log; its id stays from the terminal, where equal ids would tell of one subject behind two."""
        super().__init__(_TOLD[lock.kind])
        self.lock = lock


class LocksStale(Refusal):
    """Nobody can say what is locked, so everything is."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("Lock data is stale: nothing is released. Try again; if it stays, tell the operator.", retry_after=5)


class LocksUnreadable(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """A row of a lock was altered, is gone, or is from before another; the message says which."""


class LockSource(Protocol):
    """Where the locks are: the store, as memory sees it. Neither call waits for anybody."""

    def generation(self) -> int:
        """Return the number of commits that changed a lock, of any process.

        Raises:
            DatabaseUnusable: the store cannot be read.
        """
        ...

    def active(self, known: Collection[str]) -> Sequence[Lock]:
        """Return every lock that has not ended; ``known`` are the ids of those that had not when last asked.

        Raises:
            DatabaseUnusable: the store cannot be read.
            LocksUnreadable: a row does not open, or a known lock is neither there nor ended.
        """
        ...


class Stops:
    """What the locks of one moment stop; another object when any of them changes."""

    def __init__(self, locks: Iterable[Lock] = ()) -> None:
        """Take every lock that holds."""
        self._by_target: dict[tuple[Kind, str], list[Lock]] = {}
        for lock in locks:
            self._by_target.setdefault((lock.kind, lock.target), []).append(lock)

    def __bool__(self) -> bool:
        """Tell whether anything is stopped."""
        return bool(self._by_target)

    def on(self, kind: Kind, target: str, agency: str) -> Lock | None:
        """Return a lock on this that stops an agency's queries, or None."""
        for lock in self._by_target.get((kind, target), ()):
            if lock.agency in {EVERYWHERE, agency}:
                return lock
        return None

    def on_subject(self, subjects: Iterable[str], agency: str) -> Lock | None:
        """Return a lock that stops an agency's queries about any of these, or None."""
        if not self._by_target:
            return None
        return next((lock for each in subjects if (lock := self.on(Kind.SUBJECT, each, agency))), None)


class Locks:
    """Every lock that holds, in memory; asked several times a query. ``trouble`` says why everything is stopped, or nothing."""

    def __init__(self, source: LockSource) -> None:
        """Take the store; it is read when it is first asked about."""
        self._source = source
        self._generation = -1
        self._stored: Mapping[str, Lock] = {}
        self._held: dict[str, Lock] = {}
        self._settled: set[str] = set()
        self._stops = Stops()
        self.trouble = ""

    def now(self) -> Stops:
        """Return what is stopped as of now.

        Raises:
            LocksStale: nobody can tell.
        """
        if self.trouble:
            raise LocksStale
        try:
            generation = self._source.generation()
            if generation != self._generation:
                self._load(generation)
        except DatabaseUnusable:
            raise LocksStale from None
        except LocksUnreadable as unreadable:
            self.trouble = str(unreadable)
            raise LocksStale from None
        return self._stops

    def check(self, principal: Principal, *, case: str | None, subjects: Iterable[str], grant: str | None) -> None:
        """Return when no lock stops this; ``subjects`` are of ``subjects_of``, ``grant`` an escalation's id.

        Raises:
            Locked: a lock does.
            LocksStale: nobody can tell.
        """
        if stops := self.now():
            _require(stops, principal, case=case, subjects=subjects, grant=grant)

    def check_asked(self, asked: Asked, grant: str) -> None:
        """Return when no lock stops what an escalation was asked for, nor its grant; raises as ``check``."""
        if stops := self.now():
            records = (each for fields in (asked.criteria, *asked.records) for each in _records(fields))
            _require(stops, asked, case=asked.case, subjects=(*map(_entry, asked.subjects), *records), grant=grant)

    def check_person(self, person: str, agency: str) -> None:
        """Return when no lock stops a person, wherever they are; raises as ``check``."""
        if (lock := self.now().on(Kind.PRINCIPAL, person.strip().casefold(), agency)) is not None:
            raise Locked(lock)

    def active(self) -> Sequence[Lock]:
        """Return every lock that holds, oldest first.

        Raises:
            LocksStale: nobody can tell.
        """
        self.now()
        found = {**self._stored, **self._held}.values()
        return sorted(found, key=lambda lock: (lock.created_at, lock.id))

    def hold(self, lock: Lock) -> None:
        """Let a lock hold in this process that is in the log, and not in the store yet."""
        self._held[lock.id] = lock
        self._index()

    def let_go(self, lock_id: str) -> None:
        """Leave a lock that was held to the store, now that it is there: at the next load, for the generation may lag."""
        self._settled.add(lock_id)

    @property
    def held(self) -> Sequence[Lock]:
        """Return the locks that are not in the store yet."""
        return tuple(lock for lock in self._held.values() if lock.id not in self._settled)

    def _load(self, generation: int) -> None:
        if generation < self._generation:
            # Whoever put back an older store took away every lock since; only a start reads them from the log again.
            raise LocksUnreadable("the store is older than it was: restart this node")
        # The number is read before the rows: a commit in between costs one more load, never a missed lock.
        self._stored = {lock.id: lock for lock in self._source.active(self._stored.keys())}
        self._generation = generation
        self._held = {each: lock for each, lock in self._held.items() if each not in self._settled}
        self._settled.clear()
        self._index()

    def _index(self) -> None:
        self._stops = Stops({**self._stored, **self._held}.values())


def _require(stops: Stops, who: Principal | Asked, *, case: str | None, subjects: Iterable[str], grant: str | None) -> None:
    agency = who.agency
    lock = stops.on(Kind.PRINCIPAL, who.person, agency) or stops.on(Kind.TERMINAL, who.terminal, agency)
    if lock is None and case is not None:
        lock = stops.on(Kind.CASE, case_target(case), agency)
    if lock is None and grant is not None:
        lock = stops.on(Kind.GRANT, grant, agency)
    if lock is None:
        lock = stops.on_subject(subjects, agency)
    if lock is not None:
        raise Locked(lock)


def subjects_of(recognition: Recognition, fields: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield whom criteria or a record concern, as locks name them: registry entries and records, never a name."""
    for protection in recognition.protections:
        yield _entry(protection.entry)
    yield from _records(fields)


def case_target(case: str) -> str:
    """Return a case's number in the one form in which it is locked: while its directory is down nobody else compares it."""
    return "".join(filter(str.isalnum, case)).casefold()


def record_target(person_id: str) -> str:
    """Return how a lock names whom an upstream record is about."""
    return f"record/{normalize.person_id(person_id)}"


def _entry(entry: str) -> str:
    return f"entry/{entry}"


def _records(fields: Mapping[str, Sequence[str]]) -> Iterable[str]:
    return map(record_target, fields.get("person_id", ()))
