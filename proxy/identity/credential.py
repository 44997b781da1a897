"""Credentials as facts: what a key looks like, what is kept of it, and whether a credential is good at a moment.

A key is 32 random bytes, so it cannot be guessed and its plain SHA-256 cannot be searched: the slow, salted hashes that
protect passwords protect their small space, and a key has none. Looking a key up by its digest is also what makes the
lookup safe in time: how far a comparison of digests got tells nothing about a key whose digest nobody can aim at.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from proxy.identity.principal import CredentialInvalid, require_person

if TYPE_CHECKING:
    from datetime import datetime

KEY_BYTES: Final = 32
KEY_PATTERN: Final = re.compile(r"sc_[A-Za-z0-9_-]{43}\Z")
URI_PATTERN: Final = re.compile(
    r"(?:spiffe|showcause)://[a-z0-9](?:[a-z0-9._-]{0,253}[a-z0-9])?(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]{1,255}){1,16}\Z"
)
URI_CHARACTERS: Final = 2048
UNIT_PATTERN: Final = re.compile(r"[A-Z0-9][A-Z0-9._-]{0,31}\Z")
TERMINAL_PATTERN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
ROLE_PATTERN: Final = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
HEADER_CHARACTERS: Final = 4096


class Kind(StrEnum):
    """How a credential is presented."""

    KEY = "key"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Whose a credential is: one person, in one role, at one terminal. Valid from birth.

    Raises:
        ValueError: a part is not of its form; the message says which.
    """

    person: str
    agency: str
    role: str
    unit: str | None
    terminal: str

    def __post_init__(self) -> None:
        """Refuse what no principal could be made of."""
        require_person(self.person, self.agency)
        if not ROLE_PATTERN.match(self.role):
            msg = f"role {self.role!r} is not a role (lower-case letters, digits, _)"
            raise ValueError(msg)
        if self.unit is not None and not UNIT_PATTERN.match(self.unit):
            msg = f"unit {self.unit!r} is not a call sign (upper-case letters, digits, . _ -)"
            raise ValueError(msg)
        if not TERMINAL_PATTERN.match(self.terminal):
            msg = f"terminal {self.terminal!r} is not a terminal's name (letters, digits, . _ -)"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One enrolled credential. ``mark`` is a key's SHA-256 in hexadecimal or a certificate's URI; times are aware, in UTC."""

    id: str
    kind: Kind
    mark: str
    holder: Holder
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def good(self, now: datetime) -> bool:
        """Tell whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def require_good(self, now: datetime) -> None:
        """Return when the credential is good at ``now``.

        Raises:
            CredentialInvalid: it was revoked or has expired.
        """
        if self.revoked_at is not None:
            # Whatever time it bears: a clock that was set back must not bring a credential back to life.
            raise CredentialInvalid(f"This {self.kind} was revoked. Ask the identity desk for a new one.")
        if self.expires_at is not None and now >= self.expires_at:
            raise CredentialInvalid(f"This {self.kind} has expired. Ask the identity desk for a new one.")


def make_key(random: bytes) -> str:
    """Return the key made of 32 random bytes.

    Raises:
        ValueError: there are not 32.
    """
    if len(random) != KEY_BYTES:
        msg = f"a key takes {KEY_BYTES} random bytes"
        raise ValueError(msg)
    return "sc_" + base64.urlsafe_b64encode(random).rstrip(b"=").decode()


def digest(key: str) -> str:
    """Return what is stored of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def bearer(authorization: str) -> str:
    """Return the key of an ``Authorization`` header (RFC 6750 section 2.1).

    Raises:
        CredentialInvalid: the header is not ``Bearer`` with one key; the detail never repeats what was sent.
    """
    if len(authorization) > HEADER_CHARACTERS:
        raise CredentialInvalid("The Authorization header is longer than any key.")
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise CredentialInvalid("The Authorization scheme is not Bearer. Send: Authorization: Bearer <key>.")
    key = rest.strip(" ")
    if not key:
        raise CredentialInvalid("The Authorization header names Bearer but holds no key.")
    if not key.startswith("sc_"):
        raise CredentialInvalid("The key does not start with sc_; send it as `identity add` printed it.")
    if not KEY_PATTERN.match(key):
        raise CredentialInvalid("The key is not of its form (sc_ and 43 characters); perhaps it was cut when copied.")
    return key


def well_formed_uri(uri: str) -> bool:
    """Tell whether a URI can be an identity: no query, fragment, escape, dot segment, or second spelling."""
    return len(uri) <= URI_CHARACTERS and URI_PATTERN.match(uri) is not None
