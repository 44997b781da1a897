"""Passkeys, pending challenges and invitations in the store, each row under a MAC.

Who can write the store but has no key makes no row that is believed. They can remove one, and put back what stood there
before: a challenge put back has still expired, a passkey put back is believed (SECURITY.md).
"""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, String, Table, delete, func, select, update

from proxy.clock import in_order
from proxy.database import METADATA
from proxy.identity.passkeys import INVITATION, Invitation, Passkey, Pending, StepUpFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from proxy.database import Database

_passkeys: Final = Table(
    "passkeys",
    METADATA,
    Column("id", String, primary_key=True),
    Column("credential", LargeBinary, nullable=False),
    Column("person", String, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", Integer, nullable=False),
    Column("aaguid", String, nullable=False),
    Column("backup_eligible", Boolean, nullable=False),
    Column("backed_up", Boolean, nullable=False),
    Column("created_at", String, nullable=False),
    Column("last_used_at", String),
    Column("revoked_at", String),
    Column("mac", LargeBinary, nullable=False),
    Index("passkeys_by_person", "person"),
)
_challenges: Final = Table(
    "passkey_challenges",
    METADATA,
    Column("challenge", LargeBinary, primary_key=True),
    Column("nonce", LargeBinary, nullable=False),
    Column("kind", String, nullable=False),
    Column("person", String, nullable=False),
    Column("authority", String, nullable=False),
    Column("expires_at", String, nullable=False),
    Column("mac", LargeBinary, nullable=False),
)
_invitations: Final = Table(
    "passkey_invitations",
    METADATA,
    Column("digest", String, primary_key=True),
    Column("person", String, nullable=False),
    Column("expires_at", String, nullable=False),
)


class PasskeyStore:
    """Reads and compare-and-swap writes, each in its caller's transaction."""

    def __init__(self, database: Database, key: bytes) -> None:
        """Take the store and a 32-byte key."""
        self.database = database
        self.key = key

    async def of(self, connection: AsyncConnection, person: str | None = None) -> Sequence[Passkey]:
        """Return a person's passkeys, or everybody's, oldest first, revoked ones too.

        Raises:
            StepUpFailed: a row was altered. It is not passed over: who has a passkey must not become one who has none.
        """
        statement = select(_passkeys).order_by(_passkeys.c.created_at, _passkeys.c.id)
        if person is not None:
            statement = statement.where(_passkeys.c.person == person)
        rows = (await connection.execute(statement)).all()
        return [self._believed(row) for row in rows]

    async def good(self, connection: AsyncConnection, person: str) -> Sequence[Passkey]:
        """Return a person's passkeys that count. Raises as ``of``."""
        return [each for each in await self.of(connection, person) if each.revoked_at is None]

    async def rests(self, connection: AsyncConnection, pending: Pending) -> bool:
        """Tell whether what a registration rests on is still there, and use an invitation up."""
        good = await self.good(connection, pending.person)
        kind, _, digest = pending.authority.partition(":")
        if kind == INVITATION:
            return not good and await self._accept(connection, digest)
        return any(each.id == pending.authority for each in good)

    async def insert(self, connection: AsyncConnection, passkey: Passkey) -> None:
        """Add a passkey.

        Raises:
            IntegrityError: the credential is there already.
        """
        values = _values(passkey) | {"id": passkey.id, "mac": passkey.mac(self.key)}
        await connection.execute(_passkeys.insert().values(values))

    async def taken(self, connection: AsyncConnection, passkey_id: str) -> bool:
        """Tell whether somebody has, or had, this credential."""
        return (await connection.execute(select(_passkeys.c.id).where(_passkeys.c.id == passkey_id))).first() is not None

    async def swap(self, connection: AsyncConnection, old: Passkey, new: Passkey) -> bool:
        """Put ``new`` in place of ``old``; False when that is not what stands there any more."""
        statement = update(_passkeys).where(_passkeys.c.id == old.id, _passkeys.c.mac == old.mac(self.key))
        return (await connection.execute(statement.values(_values(new) | {"mac": new.mac(self.key)}))).rowcount == 1

    async def ask(self, connection: AsyncConnection, pending: Pending, *, most: int, now: datetime) -> bool:
        """Keep a challenge, and forget those that have expired; False when a person has too many."""
        await connection.execute(delete(_challenges).where(_challenges.c.expires_at <= in_order(now)))
        waiting = select(func.count()).where(_challenges.c.person == pending.person)
        if (await connection.execute(waiting)).scalar_one() >= most:
            return False
        values = {
            "challenge": pending.challenge,
            "nonce": pending.nonce,
            "kind": pending.kind,
            "person": pending.person,
            "authority": pending.authority,
            "expires_at": in_order(pending.expires_at),
            "mac": pending.mac(self.key),
        }
        await connection.execute(_challenges.insert().values(values))
        return True

    async def pending(self, connection: AsyncConnection, challenge: bytes, now: datetime) -> Pending | None:
        """Return a challenge that still waits, or None."""
        found = (await connection.execute(select(_challenges).where(_challenges.c.challenge == challenge))).one_or_none()
        if found is None:
            return None
        pending = Pending(
            challenge=found.challenge,
            nonce=found.nonce,
            kind=found.kind,
            person=found.person,
            authority=found.authority,
            expires_at=datetime.fromisoformat(found.expires_at),
        )
        return pending if hmac.compare_digest(pending.mac(self.key), found.mac) and now < pending.expires_at else None

    async def spend(self, connection: AsyncConnection, pending: Pending) -> bool:
        """Use a challenge up; False when somebody was faster, on whatever process."""
        return (await connection.execute(delete(_challenges).where(_challenges.c.challenge == pending.challenge))).rowcount == 1

    async def invite(self, connection: AsyncConnection, invitation: Invitation) -> None:
        """Keep an invitation in place of any other that the person has."""
        await connection.execute(delete(_invitations).where(_invitations.c.person == invitation.person))
        values = {"digest": invitation.digest, "person": invitation.person, "expires_at": in_order(invitation.expires_at)}
        await connection.execute(_invitations.insert().values(values))

    async def invitation(self, connection: AsyncConnection, person: str) -> Invitation | None:
        """Return the invitation that a person has, or None; whether it is good is its digest's to say."""
        found = (await connection.execute(select(_invitations).where(_invitations.c.person == person))).first()
        if found is None:
            return None
        return Invitation(digest=found.digest, person=found.person, expires_at=datetime.fromisoformat(found.expires_at))

    async def _accept(self, connection: AsyncConnection, digest: str) -> bool:
        return (await connection.execute(delete(_invitations).where(_invitations.c.digest == digest))).rowcount == 1

    def _believed(self, row: Row[Any]) -> Passkey:
        passkey = _passkey(row)
        if row.id != passkey.id or not hmac.compare_digest(passkey.mac(self.key), row.mac):
            raise StepUpFailed(f"The passkey {row.id} was altered in the store, or its key is another. Tell the operator.")
        return passkey


def _values(passkey: Passkey) -> dict[str, Any]:
    return {
        "credential": passkey.credential,
        "person": passkey.person,
        "public_key": passkey.public_key,
        "sign_count": passkey.sign_count,
        "aaguid": passkey.aaguid,
        "backup_eligible": passkey.backup_eligible,
        "backed_up": passkey.backed_up,
        "created_at": in_order(passkey.created_at),
        "last_used_at": in_order(passkey.last_used_at) if passkey.last_used_at else None,
        "revoked_at": in_order(passkey.revoked_at) if passkey.revoked_at else None,
    }


def _passkey(row: Row[Any]) -> Passkey:
    return Passkey(
        credential=row.credential,
        person=row.person,
        public_key=row.public_key,
        sign_count=row.sign_count,
        aaguid=row.aaguid,
        backup_eligible=row.backup_eligible,
        backed_up=row.backed_up,
        created_at=datetime.fromisoformat(row.created_at),
        last_used_at=datetime.fromisoformat(row.last_used_at) if row.last_used_at else None,
        revoked_at=datetime.fromisoformat(row.revoked_at) if row.revoked_at else None,
    )
