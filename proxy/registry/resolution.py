"""Who an enrolled person is in the records server's own numbers, and who lives with them: asked for, proposed, confirmed.

Recognition by a record's id is exact, where names and dates can only be likely. So the records are asked by every road that an
entry has, what comes is compared, and a steward confirms it; what is confirmed is in force at once. Every look-up is decided
and in the log before it is sent, like a terminal's.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Protocol

from proxy.clock import stamp
from proxy.registry import candidates, normalize
from proxy.registry.lookup_events import LookedUp, LookupsDecided
from proxy.registry.person import street_of
from proxy.registry.proposals import Ledger, Proposal, propose
from proxy.registry.questions import about, at, questions

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Mapping, Sequence

    from proxy.audit.event import AuditLog, Receipt
    from proxy.clock import Clock
    from proxy.inquiry.inquiry import Inquiry
    from proxy.inquiry.route import Route
    from proxy.registry.candidates import Record
    from proxy.registry.ledgers import Ledgers
    from proxy.registry.person import Entry, Home

MOST_LOOKUPS: Final = 100
MOST_TARGET_BYTES: Final = 24_576
"""Of one decision: an entry of the log has at most 65,535 bytes."""
MOST_RECORDS: Final = 2_000
"""About one person: a common name brings many, and what a thousand do not tell, the next does not either."""

RESOLVE: Final = "registry.resolve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one look-up. ``failed`` is the slug of what went wrong with this one.

    ``broad``: more records than the route lets out, of which none is read; ``crowded``: they are people at one address.
    """

    records: tuple[Record, ...] = ()
    broad: bool = False
    crowded: bool = False
    failed: str = ""


class Records(Protocol):
    """The records server, as the registry sees it."""

    @property
    def origin(self) -> str:
        """Return the destination in the log."""
        ...

    async def ask(self, inquiry: Inquiry, receipt: Receipt) -> Answer:
        """Return the records that answer an inquiry; the receipt is that of its decision.

        Raises:
            Refusal: the records server does not answer at all; there is no use in asking on.
        """
        ...


@dataclass(slots=True, kw_only=True)
class Tally:
    """How much was asked and found."""

    entries: int = 0
    lookups: int = 0
    records: int = 0
    broad: int = 0
    failed: int = 0
    proposed: Counter[str] = field(default_factory=Counter)

    def add(self, ended: LookedUp) -> None:
        """Count the end of a batch."""
        self.lookups += ended.lookups
        self.records += ended.records
        self.broad += ended.broad
        self.failed += ended.failed


@dataclass(slots=True)
class _Found:
    """What came about one entry."""

    by_content: dict[Hashable, Record] = field(default_factory=dict)
    crowded: bool = False
    failed: bool = False

    def take(self, answer: Answer) -> None:
        """Add what one look-up brought."""
        self.failed |= bool(answer.failed)
        self.crowded |= answer.crowded
        for record in answer.records:
            if len(self.by_content) < MOST_RECORDS:
                self.by_content.setdefault((record.route, *sorted(record.fields.items())), record)

    @property
    def records(self) -> Sequence[Record]:
        """Return every record once."""
        return tuple(self.by_content.values())


class Resolution:
    """Asks about entries, and keeps what is proposed."""

    def __init__(
        self,
        ledgers: Ledgers,
        records: Records,
        routes: Sequence[Route],
        audit: AuditLog,
        *,
        clock: Clock,
        pause: Callable[[], Awaitable[None]],
        new_id: Callable[[], str],
    ) -> None:
        """Wire it; ``pause`` is waited for before each look-up, and ``new_id`` gives query ids."""
        self._ledgers = ledgers
        self._records = records
        self._routes = routes
        self._audit = audit
        self._clock = clock
        self._pause = pause
        self._new_id = new_id

    async def look(
        self,
        entries: Sequence[Entry],
        everybody: Iterable[Entry],
        tally: Tally,
        *,
        by: str,
        action: str = RESOLVE,
        run: str = "",
    ) -> dict[str, Ledger]:
        """Ask about entries, write down what is proposed, and return each one's ledger; ``everybody`` is the whole registry.

        Raises:
            AuditUnavailable: the log did not take a decision; nothing of it was sent.
            Refusal: the records server does not answer.
            RegistryUnreadable: as ``Registry.refresh``.
        """
        found = {entry.id: _Found() for entry in entries}
        first = [(entry.id, inquiry) for entry in entries for inquiry in questions(self._routes, about(entry.identifiers))]
        await self._ask(first, found, tally, by=by, action=action)
        # The person's own record says where they live now, and in the records server's own spelling.
        moved = [
            (entry.id, inquiry)
            for entry in entries
            for inquiry in questions(self._routes, map(at, _other_homes(entry, found[entry.id].records)))
        ]
        await self._ask(moved, found, tally, by=by, action=action)
        members = _households(everybody)
        tally.entries += len(entries)
        return {entry.id: await self._propose(entry, found[entry.id], members, tally, run) for entry in entries}

    async def _propose(
        self, entry: Entry, found: _Found, members: Mapping[str, Sequence[Entry]], tally: Tally, run: str
    ) -> Ledger:
        household = [member.identifiers for member in members.get(entry.household, ())]
        fresh: list[Proposal] = []

        def changed(ledger: Ledger) -> Ledger:
            proposed = propose(entry, found.records, household, ledger, crowded=found.crowded)
            updated = ledger.updated(proposed, keep=found.failed)  # what could not be asked for is not gone
            new = replace(updated, asked_at=stamp(self._clock()), run=run or ledger.run)
            before = {proposal.id for proposal in ledger.open}
            fresh.extend(proposal for proposal in new.open if proposal.id not in before)
            return new

        ledger = await self._ledgers.update(entry.id, changed)
        tally.proposed.update(str(proposal.kind) for proposal in fresh)
        return ledger

    async def _ask(
        self, pairs: Iterable[tuple[str, Inquiry]], found: Mapping[str, _Found], tally: Tally, *, by: str, action: str
    ) -> None:
        """Ask in batches, each decided and in the log before any of it is sent."""
        for batch in _batches(pairs):
            query_id = self._new_id()
            inquiries = [replace(inquiry, query_id=query_id) for inquiry, _ in batch]
            entries = tuple(sorted({entry for _, concerned in batch for entry in concerned}))
            decided = LookupsDecided(
                about=query_id, action=action, inquiries=inquiries, entries=entries, destination=self._records.origin, by=by
            )
            receipt = await self._audit.record(decided)
            asked = [(inquiry, concerned) for inquiry, (_, concerned) in zip(inquiries, batch, strict=True)]
            await self._send(asked, receipt, found, tally=tally, action=action)

    async def _send(
        self,
        asked: Sequence[tuple[Inquiry, Sequence[str]]],
        receipt: Receipt,
        found: Mapping[str, _Found],
        *,
        tally: Tally,
        action: str,
    ) -> None:
        """Send what was decided; its end is in the log too, also when the records server stops answering."""
        answers: list[Answer] = []
        try:
            for inquiry, entries in asked:
                await self._pause()
                answer = await self._records.ask(inquiry, receipt)
                answers.append(answer)
                for entry in entries:
                    found[entry].take(answer)
        finally:
            ended = LookedUp(
                about=receipt.about,
                action=action,
                lookups=len(answers),
                records=sum(len(answer.records) for answer in answers),
                broad=sum(answer.broad for answer in answers),
                failed=sum(bool(answer.failed) for answer in answers),
            )
            tally.add(ended)
            await self._ledgers.tell(ended)


def unresolved(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries that no record's id is known of."""
    return [entry for entry in entries if not entry.identifiers.person_ids]


def _batches(pairs: Iterable[tuple[str, Inquiry]]) -> Iterator[list[tuple[Inquiry, list[str]]]]:
    """Divide look-ups into decisions; one that several entries want is asked once."""
    wanted: dict[tuple[str, bytes | None], tuple[Inquiry, list[str]]] = {}
    for entry, inquiry in pairs:
        out = inquiry.outbound
        wanted.setdefault((f"{out.method} {out.target}", out.body), (inquiry, []))[1].append(entry)
    batch: list[tuple[Inquiry, list[str]]] = []
    size = 0
    for inquiry, about_whom in wanted.values():
        length = len(inquiry.outbound.target)
        if batch and (len(batch) == MOST_LOOKUPS or size + length > MOST_TARGET_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((inquiry, about_whom))
        size += length
    if batch:
        yield batch


def _other_homes(entry: Entry, records: Sequence[Record]) -> list[Home]:
    """Return the homes that records of the person give, and that were not asked for in these words."""
    own = {normalize.person_id(value) for value in entry.identifiers.person_ids}
    homes = [
        home
        for candidate in candidates.candidates(entry.identifiers, records)
        if candidate.person_id in own or candidate.comparison.likeness is candidates.Likeness.LIKELY
        for home in candidate.homes
    ]
    asked = {home.street for home in entry.identifiers.homes}
    return [home for home in dict.fromkeys(homes) if street_of(home).number and home.street not in asked]


def _households(entries: Iterable[Entry]) -> Mapping[str, Sequence[Entry]]:
    found: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.household:
            found[entry.household].append(entry)
    return found
