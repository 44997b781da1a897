"""Step-up: whoever moves something weighty confirms that very thing with a passkey.

The challenge is a hash of a nonce, the principal and the thing, so a signature for one is void for any other. The nonce is kept
in the store: any process can verify what another asked for, and one of them uses it up.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from proxy.identity.assertion import Assertion, Proof, RelyingParty, descriptors, padded, read, verify
from proxy.identity.passkey_events import PasskeyCloned
from proxy.identity.passkey_store import PasskeyStore
from proxy.identity.passkeys import (
    NONCE_BYTES,
    Passkey,
    PasskeyMissing,
    Pending,
    StepUpFailed,
    StepUpRequired,
    StepUpTooMany,
    Thing,
    Who,
    challenge,
    user_handle,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from proxy.audit.event import AuditLog, Json
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.identity.principal import Principal

__all__ = ["Assurance", "StepUp", "StepUpFailed", "StepUpRequired", "Thing"]

CONFIRM: Final = "confirm"
MOST_OPEN: Final = 16

Method = Literal["webauthn", "key"]


@dataclass(frozen=True, slots=True)
class Assurance:
    """How surely it was they: ``credential`` names the passkey, or where a key alone suffices, the key.

    ``evidence`` is what a court needs to verify it again: what was signed, for what, and the signature.
    """

    method: Method
    credential: str
    evidence: Mapping[str, Json] = field(default_factory=dict)

    def facts(self) -> dict[str, Json]:
        """Return what may lie open in the entry of the move."""
        return {"method": self.method, "credential": self.credential, "user_verified": self.method == "webauthn"}

    def sealed(self) -> dict[str, Json]:
        """Return the evidence, for the sealed part of the entry of the move."""
        return dict(self.evidence)


class StepUp:
    """Asks for confirmations and verifies them. ``mode`` says what suffices for who has no passkey: nothing, or their key."""

    def __init__(
        self,
        *,
        database: Database,
        key: bytes,
        audit: AuditLog,
        clock: Clock,
        randomness: Callable[[int], bytes],
        mode: Method,
        party: RelyingParty,
        patience: timedelta = timedelta(minutes=2),
    ) -> None:
        """Take the store and its 32-byte key, where entries go, and how long a challenge waits."""
        self._store = PasskeyStore(database, key)
        self._audit = audit
        self._clock = clock
        self._randomness = randomness
        self._party = party
        self._patience = patience
        self.mode = mode

    async def demand(self, principal: Principal, thing: Thing, assertion: str | None) -> Assurance:
        """Return how surely this principal confirms this thing.

        Raises:
            StepUpRequired: nothing was sent; the extras hold the options for ``navigator.credentials.get``.
            StepUpFailed: what was sent is not theirs, not for this, used, expired, or does not hold.
            PasskeyMissing: they have no passkey, and a key alone does not suffice.
            StepUpTooMany: too many of their confirmations are open.
            AuditUnavailable, DatabaseUnusable: nothing is confirmed.
        """
        async with self._store.database.begin() as connection:
            passkeys = await self._store.good(connection, principal.person)
        if not passkeys and self.mode == "key" and assertion is None:
            return Assurance("key", principal.credential)
        if not passkeys:
            raise PasskeyMissing(
                "This has to be confirmed with a passkey, and you have none. Have the identity desk make you a code "
                "(`identity passkey invite`), then register a passkey on the console."
            )
        if assertion is None:
            raise await self._required(principal, thing, passkeys)
        return await self._confirmed(principal, thing, passkeys, read(assertion))

    async def _required(self, principal: Principal, thing: Thing, passkeys: Sequence[Passkey]) -> StepUpRequired:
        now = self._clock()
        nonce = self._randomness(NONCE_BYTES)
        pending = Pending(
            challenge=challenge(nonce, Who.of(principal), thing),
            nonce=nonce,
            kind=CONFIRM,
            person=principal.person,
            authority="",
            expires_at=now + self._patience,
        )
        async with self._store.database.begin() as connection:
            if not await self._store.ask(connection, pending, most=MOST_OPEN, now=now):
                raise StepUpTooMany(
                    f"{MOST_OPEN} of your confirmations are open already. Wait until they lapse.",
                    retry_after=int(self._patience.total_seconds()),
                )
        return StepUpRequired(
            "Confirm this with your passkey, then send it again with the passkey's answer in the header Step-Up.",
            console=self._party.origins[0],
            challenge={
                "challenge": padded(pending.challenge),
                "timeout": int(self._patience.total_seconds() * 1000),
                "rpId": self._party.id,
                "allowCredentials": descriptors([each.credential for each in passkeys]),
                "userVerification": "required",
            },
        )

    async def _confirmed(
        self, principal: Principal, thing: Thing, passkeys: Sequence[Passkey], assertion: Assertion
    ) -> Assurance:
        now = self._clock()
        async with self._store.database.begin() as connection:
            pending = await self._store.pending(connection, assertion.challenge, now)
        if pending is None or pending.kind != CONFIRM or pending.person != principal.person:
            raise StepUpFailed("This confirmation was used, has expired, or was never asked for. Confirm anew.")
        if challenge(pending.nonce, Who.of(principal), thing) != pending.challenge:
            raise StepUpFailed("What you confirmed is not what this would do now. Look at it again, and confirm anew.")
        passkey = next((each for each in passkeys if each.credential == assertion.credential), None)
        if passkey is None or assertion.user_handle not in {None, user_handle(self._store.key, principal.person)}:
            raise StepUpFailed("This passkey is not one of yours, or was revoked.")
        proof = verify(assertion, self._party, pending.challenge, passkey.public_key)
        await self._use(principal, pending, passkey, proof)
        said = (principal.person, principal.agency, principal.role)
        return Assurance(
            "webauthn",
            passkey.id,
            {
                "nonce": pending.nonce.hex(),
                "who": said,
                "move": thing.move,
                "about": thing.about,
                "digest": thing.digest.hex(),
                "content": thing.content,
                "rp_id": self._party.id,
                **assertion.evidence,
            },
        )

    async def _use(self, principal: Principal, pending: Pending, passkey: Passkey, proof: Proof) -> None:
        """Use the challenge up and move the passkey's count, both or neither."""
        if proof.backup_eligible != passkey.backup_eligible:
            raise StepUpFailed("The passkey says other things of itself than when it was registered. Register it anew.")
        back = bool(proof.sign_count or passkey.sign_count) and proof.sign_count <= passkey.sign_count
        used = replace(passkey, sign_count=proof.sign_count, backed_up=proof.backed_up, last_used_at=self._clock())
        async with self._store.database.begin() as connection:
            spent = await self._store.spend(connection, pending)
            if not spent or not (back or await self._store.swap(connection, passkey, used)):
                # Raised within the transaction, so that the challenge is not used up by half.
                raise StepUpFailed("This confirmation was used in the same moment. Confirm anew.")
        if back:
            cloned = PasskeyCloned(passkey=passkey, actor=principal.person, agency=principal.agency, count=proof.sign_count)
            await self._audit.record(cloned)
            raise StepUpFailed("The passkey's count went back, as that of a copy does. Tell the identity desk.")
