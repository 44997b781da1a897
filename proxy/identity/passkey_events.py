"""What the log says of passkeys: who may register one, which there are, and when one behaved as two would."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from proxy.audit.event import Event, Party
from proxy.audit.owed import Duty, Owed, owing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.event import Json
    from proxy.identity.passkeys import Passkey

CLONED: Final = "passkey-cloned"
NOTIFIED: Final = "auditor"
"""The role that is told of a passkey whose count went back; a deployment that has none of it has nobody told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyInvited(Event):
    """The identity desk let a person register a first passkey."""

    kind: ClassVar[str] = "passkey-invited"
    person: str
    actor: str
    expires_at: str

    def facts(self) -> Mapping[str, Json]:
        """Return until when."""
        return {"expires_at": self.expires_at}

    def parties(self) -> Iterable[Party]:
        """Return who invited whom."""
        yield Party("actor", self.actor)
        yield Party("officer", self.person)

    def sealed(self) -> Mapping[str, Json]:
        """Return both in clear; the code stays out."""
        return {"actor": self.actor, "person": self.person}


@dataclass(frozen=True, slots=True, kw_only=True)
class _PasskeyEvent(Event):
    passkey: Passkey
    actor: str

    def facts(self) -> Mapping[str, Json]:
        """Return which passkey, of which kind of authenticator."""
        return {
            "credential": self.passkey.id,
            "aaguid": self.passkey.aaguid,
            "backup_eligible": self.passkey.backup_eligible,
            "backed_up": self.passkey.backed_up,
        }

    def parties(self) -> Iterable[Party]:
        """Return who did it, and whose passkey it is."""
        yield Party("actor", self.actor)
        yield Party("officer", self.passkey.person)

    def sealed(self) -> Mapping[str, Json]:
        """Return the names in clear, and the public key, by which later entries are verified."""
        return {"actor": self.actor, "person": self.passkey.person, "public_key": self.passkey.public_key.hex()}


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyRegistered(_PasskeyEvent):
    """A passkey is about to count as a person's. ``authority`` is ``invitation``, or the passkey that let it in."""

    kind: ClassVar[str] = "passkey-registered"
    authority: str

    def facts(self) -> Mapping[str, Json]:
        """Return which passkey, and on what it rests."""
        return {**_PasskeyEvent.facts(self), "authority": self.authority}


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyRevoked(_PasskeyEvent):
    """A passkey is about to count no more."""

    kind: ClassVar[str] = "passkey-revoked"
    reason: str

    def sealed(self) -> Mapping[str, Json]:
        """Return the names and the reason in clear."""
        return {**_PasskeyEvent.sealed(self), "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyCloned(_PasskeyEvent):
    """A passkey's own count of its uses went back, as that of a copy does (WebAuthn Level 3 section 6.1.1). It was refused."""

    kind: ClassVar[str] = CLONED
    agency: str
    count: int

    def facts(self) -> Mapping[str, Json]:
        """Return the two counts, and who is to take note."""
        owed = owing([Owed(duty=Duty.NOTICE, role=NOTIFIED, why=CLONED)])
        counts = {"known": self.passkey.sign_count, "count": self.count}
        return {**_PasskeyEvent.facts(self), "agency": self.agency, **counts, **owed}

    def sealed(self) -> Mapping[str, Json]:
        """Return the names in clear; ``operator`` is who must not be the one to take note of it."""
        return {**_PasskeyEvent.sealed(self), "operator": self.passkey.person}
