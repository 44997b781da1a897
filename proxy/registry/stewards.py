"""What stewards do to an entry: one may add, two may lessen.

A proposal lies sealed in a table of its own with a manifest of its own, so that it is neither made nor agreed to behind our
back. The second steward is another person than the first, and nobody whom the personnel directory knows to be the entry's
person, or of their household or family, or in dispute with them.

Who the stewards are is what the caller says: the command line takes it from the operating system (``cli/recording.py``). It
holds against a steward who uses these commands as themselves, not against whoever can read the registry key and write the
store by other means, as root or the service's user can. What two stewards did is in the log with both their names.
"""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.registry.changes import NOTHING, PROPOSAL_LASTS, Less, Proposal, divided, gained, pack_proposal, unpack_proposal
from proxy.registry.events import (
    ProposalApproved,
    ProposalExpired,
    ProposalMade,
    ProposalMoved,
    ProposalRefused,
    RegistryChanged,
    RegistryRemoved,
)
from proxy.registry.lines import UNRECOGNIZABLE, LineRefused, recognizable
from proxy.registry.person import Entry, EntryUnknown, pack
from proxy.registry.store import SealedTable
from proxy.registry.tables import PROPOSALS, REGISTRY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from proxy.audit.outbox import Outbox
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.registry.keyring import Keyring
    from proxy.registry.person import Staff
    from proxy.registry.service import Registry
    from proxy.registry.writing import Change

LOGIN = "login:"


class ProposalUnknown(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """There is no such proposal, or none that still waits."""


class ProposalUnfit(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """The entry has changed, so that what was proposed cannot be done to it any more."""


class StewardIneligible(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """Another person has to agree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What became of a wish: ``gained`` took effect at once, ``proposal`` waits for a second steward."""

    entry: Entry
    gained: tuple[str, ...] = ()
    proposal: Proposal | None = None


@dataclass(frozen=True, slots=True)
class _Session:
    """One transaction, alone: the proposals in it, and the entries as they are before it."""

    proposals: Change
    waiting: dict[str, Proposal]
    entries: dict[str, Entry]

    def entry(self, entry_id: str) -> Entry:
        if entry_id not in self.entries:
            raise EntryUnknown(f"There is no entry {entry_id}; `registry list` shows them.")
        return self.entries[entry_id]


class Stewards:
    """Changes to entries, and the proposals among them."""

    def __init__(
        self,
        registry: Registry,
        database: Database,
        key: bytes | Keyring,
        clock: Clock,
        *,
        outbox: Outbox | None = None,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Use an open store and the registry's key or keyring; without an ``outbox`` nothing is in the log."""
        self._registry = registry
        self._clock = clock
        self._outbox = outbox
        self._randomness = randomness
        self._rows = SealedTable(database, REGISTRY, key, randomness)
        self._proposals = SealedTable(database, PROPOSALS, key, randomness)

    async def change(self, entry_id: str, wish: Callable[[Entry], Entry], *, by: str, reason: str) -> Changed:
        """Do at once what adds to an entry, and propose what lessens it; ``wish`` returns the entry as it should be.

        Raises:
            EntryUnknown: there is none of this id.
            LineRefused: the wish cannot be.
            RegistryUnreadable: as ``Registry.refresh``.
        """
        async with self._alone() as session:
            entry = session.entry(entry_id)
            wanted = wish(entry)
            _require_recognizable(wanted)
            at_once, less = divided(entry, wanted)
            words = gained(entry, at_once)
            if at_once != entry:
                async with self._rows.within(session.proposals.connection) as rows:
                    await rows.put({entry.id: pack(at_once)})
                await self._record(
                    session,
                    RegistryChanged(entry=entry.id, category=at_once.category, what=words, by=by, reason=reason),
                )
            proposal = await self._propose(session, at_once, less, by, reason) if less != NOTHING else None
        return Changed(entry=at_once, gained=words, proposal=proposal)

    async def remove(self, entry_id: str, *, by: str, reason: str) -> Proposal:
        """Propose to end a protection. Raises as ``change``."""
        async with self._alone() as session:
            return await self._propose(session, session.entry(entry_id), Less(remove=True), by, reason)

    async def proposals(self) -> list[Proposal]:
        """Return what waits for a second steward, oldest first. Raises as ``Registry.refresh``."""
        async with self._alone() as session:
            return sorted(session.waiting.values(), key=lambda each: (each.at, each.id))

    async def expire(self) -> None:
        """Close what nobody agreed to in time, so that the log says so when it happened. Raises as ``Registry.refresh``."""
        now = self._clock()
        if any(unpack_proposal(content).expired(now) for content in await _contents(self._proposals)):
            async with self._alone():
                pass

    async def approve(self, proposal_id: str, *, by: str) -> Proposal:
        """Agree to a proposal as a second steward, and do it.

        Raises:
            ProposalUnknown: it does not exist, was decided, or has expired.
            StewardIneligible: ``by`` proposed it, or is one of those it is about.
            ProposalUnfit: the entry has changed so that it cannot be done.
            RegistryUnreadable: as ``Registry.refresh``.
        """
        staff = await self._registry.personnel()
        async with self._alone() as session:
            proposal = _waiting(session, proposal_id)
            entry = session.entry(proposal.entry)
            household = [each for each in session.entries.values() if each.household and each.household == entry.household]
            _require_eligible(proposal, [entry, *household], by, staff)
            left = _left(proposal, entry)
            await session.proposals.remove(proposal.id)
            await self._record(session, _moved(ProposalApproved, proposal, by, proposal.reason))
            async with self._rows.within(session.proposals.connection) as rows:
                if left is not None:
                    await rows.put({entry.id: pack(left)})
                else:
                    await rows.remove(entry.id)
            if left is None:
                removed = RegistryRemoved(
                    entry=entry.id, category=entry.category, basis=entry.basis, by=proposal.by, agreed=by,
                    reason=proposal.reason,
                )  # fmt: skip
                await self._record(session, removed)
                others = [each for each in session.waiting.values() if each.entry == entry.id and each.id != proposal.id]
                await self._expire(session, others)
        return proposal

    async def refuse(self, proposal_id: str, *, by: str, reason: str) -> Proposal:
        """Refuse a proposal, or withdraw one's own. Raises as ``approve``, eligibility aside."""
        async with self._alone() as session:
            proposal = _waiting(session, proposal_id)
            await session.proposals.remove(proposal.id)
            await self._record(session, _moved(ProposalRefused, proposal, by, reason))
        return proposal

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[_Session]:
        """Yield a transaction while nobody else changes either table; what has expired is closed in one of its own before."""
        async with self._rows.alone(), self._proposals.alone():
            waiting = {each.id: each for each in [unpack_proposal(content) for content in await _contents(self._proposals)]}
            now = self._clock()
            expired = [each for each in waiting.values() if each.expired(now)]
            current = {each.id: each for each in waiting.values() if not each.expired(now)}
            entries = {entry.id: entry for entry in await self._registry.entries()}
            if expired:
                async with self._session(current, entries) as session:
                    await self._expire(session, expired)
            async with self._session(current, entries) as session:
                yield session

    @asynccontextmanager
    async def _session(self, waiting: dict[str, Proposal], entries: dict[str, Entry]) -> AsyncIterator[_Session]:
        async with self._proposals.changing() as proposals:
            yield _Session(proposals, waiting, entries)

    async def _propose(self, session: _Session, entry: Entry, less: Less, by: str, reason: str) -> Proposal:
        """Return the proposal, which may be there already: proposing the same twice is not agreeing to it."""
        for waiting in session.waiting.values():
            if (waiting.entry, waiting.less) == (entry.id, less):
                return waiting
        now = self._clock()
        proposal = Proposal(
            id=f"c{self._randomness(8).hex()}", entry=entry.id, category=entry.category, less=less, by=by, reason=reason,
            at=now, expires=now + PROPOSAL_LASTS,
        )  # fmt: skip
        await session.proposals.put({proposal.id: pack_proposal(proposal)})
        await self._record(session, _moved(ProposalMade, proposal, by, reason))
        return proposal

    async def _expire(self, session: _Session, proposals: Iterable[Proposal]) -> None:
        for each in proposals:
            await session.proposals.remove(each.id)
            await self._record(session, _moved(ProposalExpired, each, each.by, each.reason))

    async def _record(self, session: _Session, event: RegistryChanged | RegistryRemoved | ProposalMoved) -> None:
        if self._outbox is not None:
            await self._outbox.put(session.proposals.connection, event)


async def _contents(table: SealedTable) -> list[bytes]:
    return [content async for _, _, content in table.read(sorted(await table.tags()))]


def _waiting(session: _Session, proposal_id: str) -> Proposal:
    if proposal_id not in session.waiting:
        raise ProposalUnknown(f"No proposal {proposal_id} waits; `registry proposals list` shows those that do.")
    return session.waiting[proposal_id]


def _moved(kind: type[ProposalMoved], proposal: Proposal, by: str, reason: str) -> ProposalMoved:
    return kind(
        proposal=proposal.id, entry=proposal.entry, category=proposal.category, what=proposal.less.what(),
        proposer=proposal.by, by=by, reason=reason,
    )  # fmt: skip


def _require_eligible(proposal: Proposal, about: Iterable[Entry], by: str, staff: Iterable[Staff]) -> None:
    if by == proposal.by:
        raise StewardIneligible("You proposed it, so another steward has to agree.")
    marks = frozenset().union(*(entry.identifiers.same_person() for entry in about))
    own = (line for line in staff if line.personnel == by.removeprefix(LOGIN))
    if any(marks & line.identifiers.same_person() for line in own):
        raise StewardIneligible("It is about you or somebody close to you or against you, so another steward has to agree.")


def _left(proposal: Proposal, entry: Entry) -> Entry | None:
    try:
        left = proposal.less.applied(entry)
        if left is not None:
            _require_recognizable(left)
    except (ValueError, LineRefused):
        unfit = "The entry has changed, so that too little would be left of it. Refuse this proposal, and propose anew."
        raise ProposalUnfit(unfit) from None
    return left


def _require_recognizable(entry: Entry) -> None:
    if not recognizable(entry.identifiers):
        raise LineRefused(f"{UNRECOGNIZABLE}; to end the protection, remove the entry")
