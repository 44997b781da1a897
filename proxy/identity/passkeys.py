"""Passkeys as facts: whose a public key is, and the challenge that binds a signature to one person and one thing.

A signature counts for nothing but the thing whose digest went into its challenge (WebAuthn Level 3 section 13.4.3 has the
challenge unpredictable; here it is a hash of a server's nonce and of what is confirmed). The hash takes no secret, so that
whoever has the log's entries can compute it again without our keys.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import orjson

from proxy.clock import in_order
from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from proxy.audit.event import Json
    from proxy.identity.principal import Principal

NONCE_BYTES: Final = 32
INVITATION: Final = "invitation"
"""What a first registration rests on."""
CODE_BYTES: Final = 20
"""An enrollment code is 160 random bits, so it cannot be guessed at any rate."""
_DOMAIN: Final = b"showcause step-up v1\x00"


class StepUpRequired(Refusal):
    """A passkey has to confirm this very thing; the extras hold the request options for the browser."""


class StepUpFailed(Refusal):
    """What was sent confirms nothing here."""


class StepUpTooMany(Refusal):
    """A person has too many confirmations under way."""


class PasskeyMissing(Refusal):
    """The person has no passkey, and nothing else will do."""


class PasskeyRefused(Refusal):
    """A passkey cannot be registered or revoked; the detail says why."""


@dataclass(frozen=True, slots=True)
class Thing:
    """The very thing that is confirmed: a move, what it is made on, and a SHA-256 of all that it does.

    ``content`` is what the digest was made of, where it is known: the log keeps it, sealed, beside the signature.
    """

    move: str
    about: str
    digest: bytes
    content: str = ""

    @classmethod
    def of(cls, move: str, about: str, content: Mapping[str, object]) -> Thing:
        """Return the thing that ``content`` describes, which is anything of JSON; sets are taken in order."""
        canonical = orjson.dumps(dict(content), default=_ordered, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
        return cls(move, about, hashlib.sha256(canonical).digest(), canonical.decode())


@dataclass(frozen=True, slots=True)
class Who:
    """The principal as far as a signature is theirs: in another role they confirm something else."""

    person: str
    agency: str
    role: str

    @classmethod
    def of(cls, principal: Principal) -> Who:
        """Return who a principal is."""
        return cls(principal.person, principal.agency, principal.role)


def challenge(nonce: bytes, who: Who, thing: Thing) -> bytes:
    """Return the 32 bytes that a passkey signs. The encoding is JSON, so no two things have the same."""
    said = [who.person, who.agency, who.role, thing.move, thing.about, thing.digest.hex()]
    return hashlib.sha256(_DOMAIN + nonce + orjson.dumps(said)).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """One public key of one person. ``credential`` is the id that the authenticator gave it; times are aware, in UTC."""

    credential: bytes
    person: str
    public_key: bytes
    sign_count: int
    aaguid: str
    backup_eligible: bool
    backed_up: bool
    created_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def id(self) -> str:
        """Return the name by which people and the log speak of it: a hash, for the credential's own id is long."""
        return passkey_id(self.credential)

    def mac(self, key: bytes) -> bytes:
        """Return what only the holder of the key can make of these values: who writes the store makes no passkey."""
        values = [
            self.credential.hex(),
            self.person,
            self.public_key.hex(),
            self.sign_count,
            self.aaguid,
            self.backup_eligible,
            self.backed_up,
            *map(_text, (self.created_at, self.last_used_at, self.revoked_at)),
        ]
        return hmac.digest(key, b"passkey" + orjson.dumps(values), "sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A challenge that waits for its signature. ``authority`` is what a registration rests on: an invitation, or a passkey."""

    challenge: bytes
    nonce: bytes
    kind: str
    person: str
    authority: str
    expires_at: datetime

    def mac(self, key: bytes) -> bytes:
        """Return what only the holder of the key can make of these values."""
        parts = [self.challenge.hex(), self.nonce.hex(), self.kind, self.person, self.authority]
        values = [*parts, _text(self.expires_at)]
        return hmac.digest(key, b"challenge" + orjson.dumps(values), "sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A code that lets one person register a first passkey, once; of the code only a keyed digest is kept."""

    digest: str
    person: str
    expires_at: datetime


def invitation_digest(key: bytes, code: str, person: str, expires_at: datetime) -> str:
    """Return what is kept of an enrollment code: who writes the store can neither make one nor give one to another."""
    values = orjson.dumps([code, person, _text(expires_at)])
    return hmac.digest(key, b"invitation" + values, "sha256").hex()


def plain_code(code: str) -> str:
    """Return an enrollment code as it was made, however it was typed."""
    return "".join(letter for letter in code.lower() if letter.isascii() and letter.isalnum())


def revoked(passkey: Passkey, now: datetime) -> Passkey:
    """Return a passkey as it is once revoked."""
    return replace(passkey, revoked_at=now)


def passkey_key(body_key: bytes) -> bytes:
    """Return the key under which everything about passkeys is kept."""
    return hmac.digest(body_key, b"showcause passkeys", "sha256")


def passkey_id(credential: bytes) -> str:
    """Return the name of a credential."""
    return f"pk-{hashlib.sha256(credential).hexdigest()[:24]}"


def user_handle(key: bytes, person: str) -> bytes:
    """Return the handle that an authenticator keeps: it names nobody (WebAuthn Level 3 section 14.6.1)."""
    return hmac.digest(key, b"user" + person.encode(), "sha256")


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else in_order(moment)


def _ordered(value: object) -> Json:
    if isinstance(value, set | frozenset):
        return tuple(sorted(map(str, value)))
    raise TypeError(type(value).__name__)
