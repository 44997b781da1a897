"""The identity desk's part in passkeys: it lets a person register a first one, and revokes any."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from proxy.identity.passkey_events import PasskeyInvited, PasskeyRevoked
from proxy.identity.passkey_store import PasskeyStore
from proxy.identity.passkeys import CODE_BYTES, Invitation, PasskeyRefused, invitation_digest, revoked
from proxy.identity.principal import PERSON_PATTERN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from proxy.audit.outbox import Outbox
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.identity.passkeys import Passkey


class PasskeyDesk:
    """Invites and revokes, each in one transaction with its event. ``actor`` is who does it."""

    def __init__(
        self,
        *,
        database: Database,
        key: bytes,
        outbox: Outbox,
        clock: Clock,
        randomness: Callable[[int], bytes],
        actor: str,
    ) -> None:
        """Take the store and its key, where events go, and randomness that is fit for secrets."""
        self._store = PasskeyStore(database, key)
        self._database = database
        self._outbox = outbox
        self._clock = clock
        self._randomness = randomness
        self._actor = actor

    async def invite(self, person: str, *, within: timedelta) -> tuple[str, Invitation]:
        """Return a new code for a person, and what is kept of it; an older code of theirs is void.

        Raises:
            PasskeyRefused: that is no personnel id, or they have a passkey, which lets in further ones.
        """
        if not PERSON_PATTERN.match(person):
            raise PasskeyRefused(f"{person!r} is not a personnel id (lower-case letters, digits, . _ -)")
        code = base64.b32encode(self._randomness(CODE_BYTES)).decode().lower()
        expires_at = self._clock() + within
        digest = invitation_digest(self._store.key, code, person, expires_at)
        invitation = Invitation(digest=digest, person=person, expires_at=expires_at)
        async with self._database.begin() as connection:
            if any(each.revoked_at is None for each in await self._store.of(connection, person)):
                raise PasskeyRefused(f"{person} has a passkey, which lets in further ones; where it is lost, revoke it first")
            await self._store.invite(connection, invitation)
            event = PasskeyInvited(person=person, actor=self._actor, expires_at=expires_at.isoformat())
            await self._outbox.put(connection, event)
        return "-".join(code[start : start + 4] for start in range(0, len(code), 4)), invitation

    async def listed(self, person: str | None = None) -> Sequence[Passkey]:
        """Return passkeys, oldest first, revoked ones too.

        Raises:
            StepUpFailed: one was altered in the store.
        """
        async with self._database.begin() as connection:
            return await self._store.of(connection, person)

    async def revoke(self, passkey_id: str, *, reason: str) -> Passkey:
        """Revoke a passkey, from the next confirmation on.

        Raises:
            PasskeyRefused: there is none of that id, or it was revoked before.
        """
        async with self._database.begin() as connection:
            # The write lock comes first: a use in between would move the passkey, and the revocation would miss it.
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            passkey = next((each for each in await self._store.of(connection) if each.id == passkey_id), None)
            if passkey is None:
                raise PasskeyRefused("there is no passkey of that id; `identity passkey list` shows them")
            if passkey.revoked_at is not None:
                raise PasskeyRefused("it was revoked before")
            gone = revoked(passkey, self._clock())
            await self._store.swap(connection, passkey, gone)
            await self._outbox.put(connection, PasskeyRevoked(passkey=gone, actor=self._actor, reason=reason))
        return gone
