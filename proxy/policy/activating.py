"""Adopting, taking, proposing and agreeing: each in one transaction with its event, so no policy rules without its entry."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from proxy.document import DocumentInvalid
from proxy.policy.activation import (
    PROPOSAL_LASTS,
    Active,
    PolicyProposal,
    PolicyProposalStale,
    PolicyProposalUnknown,
    PolicyUnreadable,
    require_fit,
)
from proxy.policy.activation_events import PolicyActivated, PolicyAdopted, PolicyProposed, PolicyRefused
from proxy.policy.edits import loosening
from proxy.policy.service import load_policies
from proxy.policy.store import PolicyStore

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from proxy.audit.event import Event
    from proxy.audit.outbox import Outbox
    from proxy.audit.sealing import Sealer
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.policy.edits import Edit
    from proxy.policy.service import PolicySet


def load_files(files: Mapping[str, bytes], directory: Path, load: Callable[[Path], PolicySet] = load_policies) -> PolicySet:
    """Load a policy from its files' contents; ``directory`` is the folder that it speaks of.

    Raises:
        PolicyUnreadable: this program cannot load it.
    """
    with TemporaryDirectory(prefix="showcause-policy-") as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(content)
        try:
            return replace(load(folder), directory=directory)
        except DocumentInvalid as invalid:
            first = invalid.mistakes[0]
            msg = (
                f"The activated policy is not one that this version of the program can load ({first.file.name}:{first.line}: "
                f"{first.message}). Have the folder's policy activated by two persons: `policy activate`"
            )
            raise PolicyUnreadable(msg) from None


class Activations:
    """The use cases around which policy may rule."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        outbox: Outbox,
        clock: Clock,
        *,
        randomness: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Use an open store."""
        self._database = database
        self._outbox = outbox
        self._clock = clock
        self._randomness = randomness
        self.store = PolicyStore(database, sealer)

    async def adopt(self, policies: PolicySet) -> bool:
        """Take the folder as it is, at the very first start; False when another process was faster."""
        active = Active(digest=policies.digest, at=self._clock(), files=policies.contents)
        async with self._database.begin() as connection:
            done = await self.store.put_active(connection, active, instead_of=None)
            if done:
                await self._outbox.put(connection, PolicyAdopted(after=policies.digest))
        return done

    async def take(self, policies: PolicySet, found: Collection[Edit], *, instead_of: str) -> bool:
        """Activate what loosens nothing; False when another policy than ``instead_of`` rules by now."""
        assert not loosening(found)
        active = Active(digest=policies.digest, at=self._clock(), files=policies.contents)
        event = PolicyActivated(before=instead_of, after=policies.digest, edits=len(found), loosens=0)
        async with self._database.begin() as connection:
            done = await self.store.put_active(connection, active, instead_of=instead_of)
            if done:
                await self._outbox.put(connection, event)
        return done

    async def proposals(self) -> Sequence[PolicyProposal]:
        """Return what waits for a second person, oldest first. Raises as ``PolicyStore.proposals``."""
        now = self._clock()
        return [each for each in await self.store.proposals() if not each.expired(now)]

    async def propose(self, policies: PolicySet, loosens: int, *, instead_of: str, by: str, reason: str) -> PolicyProposal:
        """Return the proposal, which may be there already: proposing the same twice is not agreeing to it.

        Raises:
            PolicyUnreadable: the store was altered.
        """
        for waiting in await self.proposals():
            if (waiting.before, waiting.after) == (instead_of, policies.digest):
                return waiting
        now = self._clock()
        proposal = PolicyProposal(
            id=f"c{self._randomness(8).hex()}", before=instead_of, after=policies.digest, by=by, reason=reason,
            loosens=loosens, at=now, expires=now + PROPOSAL_LASTS,
        )  # fmt: skip
        async with self._database.begin() as connection:
            await self.store.put_proposal(connection, proposal)
            await self._outbox.put(connection, _moved(PolicyProposed, proposal, by, reason))
        return proposal

    async def approve(self, proposal_id: str, policies: PolicySet, found: Collection[Edit], *, by: str) -> PolicyProposal:
        """Agree as a second person: ``policies`` is what the folder holds now.

        Raises:
            PolicyProposalUnknown: it does not exist, was decided, or has expired.
            ApproverIsProposer: ``by`` proposed it.
            PolicyProposalStale: the folder or the policy that rules is another than when it was proposed.
            PolicyUnreadable: the store was altered.
        """
        proposal = await self._waiting(proposal_id)
        before = await self.store.active()
        require_fit(proposal, before=before.digest if before else "", after=policies.digest, by=by)
        active = Active(digest=policies.digest, at=self._clock(), files=policies.contents)
        event = PolicyActivated(
            before=proposal.before, after=proposal.after, edits=len(found), loosens=len(loosening(found)),
            proposal=proposal.id, by=proposal.by, agreed=by, reason=proposal.reason,
        )  # fmt: skip
        async with self._database.begin() as connection:
            if not await self.store.remove_proposal(connection, proposal.id):
                raise _unknown(proposal_id)
            if not await self.store.put_active(connection, active, instead_of=proposal.before):
                raise PolicyProposalStale("Another policy has come to rule just now. Look at the differences again.")
            await self._outbox.put(connection, event)
        return proposal

    async def refuse(self, proposal_id: str, *, by: str, reason: str) -> PolicyProposal:
        """Refuse a proposal, or withdraw one's own.

        Raises:
            PolicyProposalUnknown, PolicyUnreadable: as ``approve``.
        """
        proposal = await self._waiting(proposal_id)
        async with self._database.begin() as connection:
            if not await self.store.remove_proposal(connection, proposal.id):
                raise _unknown(proposal_id)
            await self._outbox.put(connection, _moved(PolicyRefused, proposal, by, reason))
        return proposal

    async def note(self, event: Event) -> None:
        """Put an event into the log that changes nothing here."""
        async with self._database.begin() as connection:
            await self._outbox.put(connection, event)

    async def loaded(self, active: Active, directory: Path, load: Callable[[Path], PolicySet]) -> PolicySet:
        """Return the activated policy, loaded aside. Raises as ``load_files``."""
        return await asyncio.to_thread(load_files, active.files, directory, load)

    async def _waiting(self, proposal_id: str) -> PolicyProposal:
        for each in await self.proposals():
            if each.id == proposal_id:
                return each
        raise _unknown(proposal_id)


def _unknown(proposal_id: str) -> PolicyProposalUnknown:
    return PolicyProposalUnknown(f"No proposal {proposal_id} waits; `policy activate` shows what does.")


def _moved(kind: type[PolicyProposed], proposal: PolicyProposal, by: str, reason: str) -> PolicyProposed:
    return kind(
        proposal=proposal.id, before=proposal.before, after=proposal.after, loosens=proposal.loosens, by=by, reason=reason
    )
