"""What the log says of the identity desk: CJIS AU-2 has every change of an account recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from proxy.audit.event import Event, Party

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.audit.event import Json
    from proxy.identity.credential import Credential


@dataclass(frozen=True, slots=True, kw_only=True)
class _CredentialEvent(Event):
    credential: Credential
    actor: str

    def facts(self) -> Mapping[str, Json]:
        """Return which credential, for which role of which agency."""
        holder = self.credential.holder
        return {
            "credential": self.credential.id,
            "credential_kind": str(self.credential.kind),
            "agency": holder.agency,
            "role": holder.role,
            "expires_at": self.credential.expires_at.isoformat() if self.credential.expires_at else None,
        }

    def parties(self) -> Iterable[Party]:
        """Return who did it, whose credential it is, and its terminal."""
        yield Party("actor", self.actor)
        yield Party("officer", self.credential.holder.person)
        yield Party("terminal", self.credential.holder.terminal)

    def sealed(self) -> Mapping[str, Json]:
        """Return the names in clear; a key's digest stays out."""
        holder = self.credential.holder
        return {"actor": self.actor, "person": holder.person, "unit": holder.unit, "terminal": holder.terminal}


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityAdded(_CredentialEvent):
    """A credential was enrolled."""

    kind: ClassVar[str] = "identity-added"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityRevoked(_CredentialEvent):
    """A credential was revoked."""

    kind: ClassVar[str] = "identity-revoked"
    reason: str = ""

    def sealed(self) -> Mapping[str, Json]:
        """Return the names and the reason in clear."""
        holder = self.credential.holder
        return {
            "actor": self.actor,
            "person": holder.person,
            "unit": holder.unit,
            "terminal": holder.terminal,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySignedOut(Event):
    """Tokens and sessions were ended: of an account or a session by the identity provider, of a person by the identity desk."""

    kind: ClassVar[str] = "identity-signed-out"
    actor: str
    account: str | None = None
    session: str | None = None
    person: str | None = None
    reason: str = ""

    def facts(self) -> Mapping[str, Json]:
        """Return what was ended, as closed words."""
        ended = {"account": self.account, "session": self.session, "person": self.person}
        return {"ended": tuple(name for name, value in ended.items() if value is not None)}

    def parties(self) -> Iterable[Party]:
        """Return who did it, and whose they were."""
        yield Party("actor", self.actor)
        for kind, value in (("account", self.account), ("officer", self.person)):
            if value is not None:
                yield Party(kind, value)

    def sealed(self) -> Mapping[str, Json]:
        """Return the names and the reason in clear."""
        return {
            "actor": self.actor,
            "account": self.account,
            "session": self.session,
            "person": self.person,
            "reason": self.reason,
        }
