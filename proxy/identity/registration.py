"""Registering passkeys: the first one with a code from the identity desk, each further one with a passkey that counts already.

A stolen key or session must not be able to make itself a passkey, so neither is enough: the code reaches the person by another
road, and is good for one person, once. What a registration rests on is written into its pending challenge, under our MAC.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from proxy.identity.assertion import ALGORITHMS, Assertion, RelyingParty, descriptors, padded, read, verify_new
from proxy.identity.passkey_events import PasskeyRegistered, PasskeyRevoked
from proxy.identity.passkey_store import PasskeyStore
from proxy.identity.passkeys import (
    INVITATION,
    NONCE_BYTES,
    Passkey,
    PasskeyRefused,
    Pending,
    StepUpFailed,
    StepUpTooMany,
    Thing,
    Who,
    challenge,
    invitation_digest,
    plain_code,
    revoked,
    user_handle,
)
from proxy.identity.stepup import MOST_OPEN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from proxy.audit.event import AuditLog
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.identity.principal import Principal
    from proxy.identity.stepup import StepUp

REGISTER: Final = "register-passkey"
REVOKE: Final = "revoke-passkey"
PATIENCE: Final = timedelta(minutes=5)
MOST_PASSKEYS: Final = 10


class Registration:
    """A person's own passkeys: listed, registered, revoked. Each change is in the log before it takes effect."""

    def __init__(
        self,
        *,
        database: Database,
        key: bytes,
        step_up: StepUp,
        audit: AuditLog,
        clock: Clock,
        randomness: Callable[[int], bytes],
        party: RelyingParty,
        fresh: timedelta = timedelta(minutes=5),
    ) -> None:
        """Take the store and its key, who confirms, and how long ago a person may have signed in."""
        self._store = PasskeyStore(database, key)
        self._step_up = step_up
        self._audit = audit
        self._clock = clock
        self._randomness = randomness
        self._party = party
        self._fresh = fresh

    async def mine(self, principal: Principal) -> Sequence[Passkey]:
        """Return a person's passkeys that count, oldest first."""
        async with self._store.database.begin() as connection:
            return await self._store.good(connection, principal.person)

    async def begin(self, principal: Principal, *, code: str | None, assertion: str | None) -> dict[str, Any]:
        """Return the options for ``navigator.credentials.create``.

        Raises:
            PasskeyRefused: the sign-in is too old, the code is not theirs or has expired, or they have enough.
            StepUpRequired, StepUpFailed, StepUpTooMany: one of their passkeys has to confirm it.
        """
        now = self._clock()
        self._must_be_fresh(principal, now)
        passkeys = await self.mine(principal)
        thing = Thing.of(REGISTER, principal.person, {"beside": [each.id for each in passkeys]})
        if len(passkeys) >= MOST_PASSKEYS:
            raise PasskeyRefused(f"You have {MOST_PASSKEYS} passkeys; revoke one first.")
        if passkeys:
            authority = (await self._step_up.demand(principal, thing, assertion)).credential
        else:
            authority = await self._invited(principal.person, code, now)
        nonce = self._randomness(NONCE_BYTES)
        pending = Pending(
            challenge=challenge(nonce, Who.of(principal), thing),
            nonce=nonce,
            kind=REGISTER,
            person=principal.person,
            authority=authority,
            expires_at=now + PATIENCE,
        )
        async with self._store.database.begin() as connection:
            if not await self._store.ask(connection, pending, most=MOST_OPEN, now=now):
                raise StepUpTooMany(
                    f"{MOST_OPEN} of your confirmations are open already. Wait until they lapse.", retry_after=60
                )
        return self._options(principal, pending, passkeys)

    async def finish(self, principal: Principal, answer: str) -> Passkey:
        """Return the passkey that was registered by a browser's answer, base64url of its JSON.

        Raises:
            PasskeyRefused: the sign-in is too old, what it rested on is gone, or somebody has this credential.
            StepUpFailed: the answer does not hold for what was begun.
        """
        now = self._clock()
        self._must_be_fresh(principal, now)
        found = read(answer)
        async with self._store.database.begin() as connection:
            pending = await self._store.pending(connection, found.challenge, now)
        if pending is None or pending.kind != REGISTER or pending.person != principal.person:
            raise StepUpFailed("This registration was finished, has expired, or was never begun. Begin again.")
        passkey = self._made(found, pending, now)
        # Used up first: what follows can fail, and then it is begun again with another code, never done twice with one.
        async with self._store.database.begin() as connection:
            if not await self._store.spend(connection, pending):
                raise StepUpFailed("This registration was finished in the same moment.")
            if not await self._store.rests(connection, pending):
                raise PasskeyRefused("The code was used, or the passkey that let this one in revoked, meanwhile.")
            if await self._store.taken(connection, passkey.id):
                raise PasskeyRefused("This passkey is registered already.")
        authority, _, _ = pending.authority.partition(":")
        await self._audit.record(PasskeyRegistered(passkey=passkey, actor=principal.person, authority=authority))
        async with self._store.database.begin() as connection:
            await self._store.insert(connection, passkey)
        return passkey

    async def revoke(self, principal: Principal, passkey_id: str, *, reason: str, assertion: str | None) -> Passkey:
        """Revoke one's own passkey, confirmed with any that counts.

        Raises:
            PasskeyRefused: it is none of theirs.
            StepUpRequired, StepUpFailed, StepUpTooMany: it is not confirmed.
        """
        passkey = next((each for each in await self.mine(principal) if each.id == passkey_id), None)
        if passkey is None:
            raise PasskeyRefused("You have no such passkey.")
        await self._step_up.demand(principal, Thing.of(REVOKE, passkey.id, {"reason": reason}), assertion)
        current = next((each for each in await self.mine(principal) if each.id == passkey_id), passkey)  # its use has moved it
        gone = revoked(current, self._clock())
        await self._audit.record(PasskeyRevoked(passkey=gone, actor=principal.person, reason=reason))
        async with self._store.database.begin() as connection:
            if not await self._store.swap(connection, current, gone):
                raise PasskeyRefused("The passkey was used or revoked in the same moment. Try again.")
        return gone

    def _must_be_fresh(self, principal: Principal, now: datetime) -> None:
        if now - principal.authenticated_at > self._fresh:
            minutes = max(1, int(self._fresh.total_seconds() // 60))
            raise PasskeyRefused(f"Sign in again first: a passkey is registered within {minutes} minutes of signing in.")

    async def _invited(self, person: str, code: str | None, now: datetime) -> str:
        if not code:
            raise PasskeyRefused(
                "Your first passkey needs a code. Have the identity desk make one (`identity passkey invite`)."
            )
        async with self._store.database.begin() as connection:
            invitation = await self._store.invitation(connection, person)
        if (
            invitation is None
            or now >= invitation.expires_at
            or invitation.digest != invitation_digest(self._store.key, plain_code(code), person, invitation.expires_at)
        ):
            raise PasskeyRefused("This code is not yours, was used, or has expired. Have the identity desk make another.")
        return f"{INVITATION}:{invitation.digest}"

    def _made(self, found: Assertion, pending: Pending, now: datetime) -> Passkey:
        new = verify_new(found.document, self._party, pending.challenge)
        return Passkey(
            credential=new.credential,
            person=pending.person,
            public_key=new.public_key,
            sign_count=new.sign_count,
            aaguid=new.aaguid,
            backup_eligible=new.backup_eligible,
            backed_up=new.backed_up,
            created_at=now,
        )

    def _options(self, principal: Principal, pending: Pending, passkeys: Sequence[Passkey]) -> dict[str, Any]:
        handle = user_handle(self._store.key, principal.person)
        return {
            "rp": {"id": self._party.id, "name": "Showcause"},
            "user": {"id": padded(handle), "name": principal.person, "displayName": principal.person},
            "challenge": padded(pending.challenge),
            "pubKeyCredParams": [{"type": "public-key", "alg": int(each)} for each in ALGORITHMS],
            "timeout": int(PATIENCE.total_seconds() * 1000),
            "excludeCredentials": descriptors([each.credential for each in passkeys]),
            "authenticatorSelection": {"residentKey": "preferred", "userVerification": "required"},
            "attestation": "none",
        }
