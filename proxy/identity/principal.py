"""The authenticated person who asks, at a terminal, for an agency."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from proxy.refusal import Refusal

if TYPE_CHECKING:
    from datetime import datetime

PERSON_PATTERN: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
ORI_PATTERN: Final = re.compile(r"[A-Z0-9]{9}\Z")


class CredentialMissing(Refusal):
    """No credential was presented."""


class CredentialInvalid(Refusal):
    """A credential was presented and is not, or no longer, good."""


class AuthenticationInsufficient(Refusal):
    """A sign-in is good, but too long ago or too weak (RFC 9470); ``challenge`` says what would do."""


def require_person(person: str, agency: str) -> None:
    """Return when both are of their form.

    Raises:
        ValueError: they are not a personnel id and an ORI.
    """
    if not PERSON_PATTERN.match(person):
        msg = f"person {person!r} is not a personnel id (lower-case letters, digits, . _ -)"
        raise ValueError(msg)
    if not ORI_PATTERN.match(agency):
        msg = f"agency {agency!r} is not a nine-character ORI"
        raise ValueError(msg)


def persons_said(*texts: str) -> tuple[str, ...]:
    """Return whom an officer's texts name by their personnel id: one each, or nobody.

    Not every word that could be one: who lists all the strict sergeants as recipients would choose who decides.
    """
    return tuple(person for text in texts if PERSON_PATTERN.match(person := text.strip().casefold()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A person, never a shared account.

    ``person`` is the personnel id (``badge-1234``); ``agency`` the nine-character ORI; ``role`` the one active role
    that policy rules on (a person with two roles holds two credentials); ``unit`` the call sign or squad, if any.
    """

    person: str
    agency: str
    role: str
    unit: str | None
    terminal: str
    credential: str
    methods: tuple[str, ...]
    authenticated_at: datetime

    def __post_init__(self) -> None:
        """Refuse an identity that is not one."""
        require_person(self.person, self.agency)
        if not self.role or not self.terminal:
            msg = "a principal has a role and a terminal"
            raise ValueError(msg)
