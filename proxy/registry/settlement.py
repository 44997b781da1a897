"""What a steward makes of proposals: what is confirmed protects more, and does so at once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from proxy.registry.lines import EntryLine
from proxy.registry.lookup_events import ProposalsSettled
from proxy.registry.proposals import Kind, Proposal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from proxy.registry.ledgers import Ledgers
    from proxy.registry.person import Entry
    from proxy.registry.service import Registry


class ProposalUnknown(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """There is no such proposal."""


async def settle(
    registry: Registry, ledgers: Ledgers, entry: Entry, *, accept: Sequence[str] = (), decline: Sequence[str] = (), by: str
) -> tuple[Entry, list[Proposal]]:
    """Put what a steward confirms into the registry, at once, and return the entry and what was confirmed.

    Raises:
        ProposalUnknown: an id is not one of the entry's open proposals; nothing is changed.
        RegistryUnreadable: as ``Registry.refresh``.
    """
    accept, decline = list(dict.fromkeys(accept)), list(dict.fromkeys(decline))
    ledger = await ledgers.of(entry.id)
    open_ = {proposal.id: proposal for proposal in ledger.open}
    for each in (*accept, *decline):
        if each not in open_:
            raise ProposalUnknown(f"There is no proposal {each} about {entry.id}; `registry sweep --show` lists them.")
    accepted = [open_[each] for each in accept]
    for proposal in accepted:
        entry = await _confirm(registry, entry, proposal, by)
    event = ProposalsSettled(
        entry=entry.id,
        accepted=Counter(str(proposal.kind) for proposal in accepted),
        declined=Counter(str(open_[each].kind) for each in decline),
        by=by,
    )
    await ledgers.update(entry.id, lambda now: now.without((*accept, *decline)), event)
    return entry, accepted


async def _confirm(registry: Registry, entry: Entry, proposal: Proposal, by: str) -> Entry:
    match proposal.kind:
        case Kind.MENTION:
            return entry
        case Kind.RECORD | Kind.HOME | Kind.IDENTIFIER:
            return await registry.extend(entry.id, proposal.additions, by=by)
        case Kind.RESIDENT:
            if not entry.household:
                entry = await registry.extend(entry.id, household=f"home-{entry.id}", by=by)
            member = EntryLine(
                number=1,
                identifiers=proposal.additions,
                category="",
                household=entry.household,
                basis=entry.basis,
                expires=None,
            )
            await registry.add(member, by=by)
            return entry
