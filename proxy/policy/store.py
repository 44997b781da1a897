"""The activated policy and the proposals, in the store: sealed with the body key, so that neither is made behind our back."""

from __future__ import annotations

import base64
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

import orjson
from sqlalchemy import Column, Integer, LargeBinary, String, Table, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from proxy.audit.sealing import SealBroken
from proxy.database import METADATA
from proxy.policy.activation import Active, PolicyProposal, PolicyUnreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.audit.event import Json
    from proxy.audit.sealing import Sealer
    from proxy.database import Database

SUBJECT: Final = "policy"
_USE: Final = "policy"
_ONE: Final = 1
_ALTERED: Final = (
    "What the store holds of the activated policy was altered, or was sealed with another body key. "
    "Put back the store or the key file that belongs there."
)

ACTIVE: Final = Table(
    "policy_active",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("digest", String, nullable=False),
    Column("at", String, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

PROPOSALS: Final = Table(
    "policy_proposals",
    METADATA,
    Column("id", String, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)


class PolicyStore:
    """Both tables. Writes are in the caller's transaction."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        """Use an open store."""
        self._database = database
        self._sealer = sealer

    def generation(self) -> int:
        """Return the number of commits that activated a policy, of any process; some microseconds."""
        return self._database.generation(SUBJECT)

    async def active(self) -> Active | None:
        """Return the activated policy; None before the first start.

        Raises:
            PolicyUnreadable: it was altered.
        """
        async with self._database.begin() as connection:
            row = (await connection.execute(select(ACTIVE).where(ACTIVE.c.id == _ONE))).mappings().first()
        if row is None:
            return None
        return opened_active(self._sealer, digest=row["digest"], at=row["at"], sealed=row["sealed"])

    async def put_active(self, connection: AsyncConnection, active: Active, *, instead_of: str | None) -> bool:
        """Make a policy the activated one, if ``instead_of`` is until now; tell whether it was."""
        content: dict[str, Json] = {name: base64.b64encode(content).decode() for name, content in active.files.items()}
        at = active.at.isoformat()
        sealed = self._sealer.seal(content, use=_USE, bound=("active", active.digest, at))
        values = {"digest": active.digest, "at": at, "sealed": sealed}
        if instead_of is None:
            done = await connection.execute(insert(ACTIVE).values(id=_ONE, **values).on_conflict_do_nothing())
        else:
            done = await connection.execute(update(ACTIVE).where(ACTIVE.c.digest == instead_of).values(**values))
        if done.rowcount == 1:
            await self._database.bump(connection, SUBJECT)
        return done.rowcount == 1

    async def proposals(self) -> list[PolicyProposal]:
        """Return every proposal, oldest first, expired ones too.

        Raises:
            PolicyUnreadable: one was altered.
        """
        async with self._database.begin() as connection:
            rows = (await connection.execute(select(PROPOSALS))).mappings().all()
        return sorted((self._opened(row["id"], row["sealed"]) for row in rows), key=lambda each: (each.at, each.id))

    async def put_proposal(self, connection: AsyncConnection, proposal: PolicyProposal) -> None:
        """Add a proposal."""
        content = cast("dict[str, Json]", orjson.loads(orjson.dumps(asdict(proposal))))
        sealed = self._sealer.seal(content, use=_USE, bound=("proposal", proposal.id))
        await connection.execute(insert(PROPOSALS).values(id=proposal.id, sealed=sealed))

    async def remove_proposal(self, connection: AsyncConnection, proposal_id: str) -> bool:
        """Remove a proposal; False when somebody was faster."""
        return (await connection.execute(delete(PROPOSALS).where(PROPOSALS.c.id == proposal_id))).rowcount == 1

    def _opened(self, proposal_id: str, sealed: bytes) -> PolicyProposal:
        try:
            content: dict[str, Any] = self._sealer.unseal(sealed, use=_USE, bound=("proposal", proposal_id))
        except SealBroken:
            raise PolicyUnreadable(_ALTERED) from None
        times = {name: datetime.fromisoformat(content[name]) for name in ("at", "expires")}
        return PolicyProposal(**content | times)


async def unsafe_forget(database: Database) -> None:
    """Have the next start adopt the folder as it is. For the demo, whose home is a toy."""
    async with database.begin() as connection:
        await connection.execute(delete(ACTIVE))
        await connection.execute(delete(PROPOSALS))


def opened_active(sealer: Sealer, *, digest: str, at: str, sealed: bytes) -> Active:
    """Return what a row of the table holds.

    Raises:
        PolicyUnreadable: it was altered.
    """
    try:
        content: Mapping[str, Any] = sealer.unseal(sealed, use=_USE, bound=("active", digest, at))
    except SealBroken:
        raise PolicyUnreadable(_ALTERED) from None
    files = {name: base64.b64decode(text) for name, text in content.items()}
    return Active(digest=digest, at=datetime.fromisoformat(at), files=files)
