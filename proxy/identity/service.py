"""Who asks: an ``Authorization`` header, a client certificate's URI, or both, become the one person they belong to.

Nothing else a client sends says who it is. Credentials lie in memory; the store's generation, which costs microseconds,
tells when another process has added or revoked one, so a revocation takes effect at the next query. Where there is an
identity provider, what looks like its token goes to ``tokens.py``; a key still costs no waiting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from proxy.identity.credential import Credential, Kind, bearer, digest
from proxy.identity.presence import WINDOW, Presence, SimultaneousUse
from proxy.identity.principal import CredentialInvalid, CredentialMissing, Principal
from proxy.identity.store import CredentialStore
from proxy.identity.tls import THUMBPRINT, certificate_uris
from proxy.identity.token import token_of
from proxy.identity.tokens import Presented

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

    from proxy.database import Database
    from proxy.identity.credential import Holder
    from proxy.identity.people import People
    from proxy.identity.seen import Seen
    from proxy.identity.tokens import Tokens

NOTICES = 1000


class Authenticator(Protocol):
    """Whoever can tell a principal from credentials; an identity provider's tokens come in by this door."""

    async def identify(self, authorization: str | None, peer: Mapping[str, Any], now: datetime) -> Principal:
        """Return the principal. ``peer`` is what the handshake verified of the client's certificate, empty without one.

        Raises:
            CredentialMissing: there is no credential.
            CredentialInvalid: a credential is not, or no longer, good, or two of them disagree.
            AuthenticationInsufficient: the sign-in was too long ago, or too weak.
            IdentityProviderUnavailable: the provider does not answer, and nobody else can tell.
        """
        ...


class Identities:
    """The authenticator: opaque keys and enrolled certificates, and where there is a provider, its access tokens."""

    def __init__(
        self,
        *,
        database: Database,
        key: bytes,
        presence: timedelta = WINDOW,
        tokens: Tokens | None = None,
        people: People | None = None,
        keys: bool = True,
    ) -> None:
        """Take the store and its key, how close two terminals of one person are noticed, and who knows a provider's people.

        ``keys`` is false where tokens alone are taken, and an enrolled certificate only beside one.
        """
        self._tokens = tokens
        self._people = people
        self.takes_keys = keys
        self._store = CredentialStore(database, key)
        self._presence = Presence(presence)
        self._notices: list[SimultaneousUse] = []
        self._generation = -1
        self._credentials: dict[tuple[Kind, str], Credential] = {}
        self._by_id: dict[str, Credential] = {}
        self._revoked: frozenset[str] = frozenset()
        self._restored: frozenset[str] = frozenset()

    async def identify(self, authorization: str | None, peer: Mapping[str, Any], now: datetime) -> Principal:
        """Return who asks, by whatever was sent; waits only for a provider's key that is not known yet.

        Raises:
            CredentialMissing, CredentialInvalid, DatabaseUnusable: as ``authenticate``.
            AuthenticationInsufficient, IdentityProviderUnavailable: as ``Tokens.principal``.
        """
        token = token_of(authorization) if self._tokens is not None else None
        if self._tokens is None or token is None:
            return self.authenticate(authorization, certificate_uris(peer), now)
        principal = await self._tokens.principal(token, self._presented(peer, now), now)
        self._notice(principal.person, principal.terminal, now)
        return principal

    def authenticate(self, authorization: str | None, certificate_uris: tuple[str, ...], now: datetime) -> Principal:
        """Return who asks by a key or a certificate; no waiting, some microseconds.

        Raises:
            CredentialMissing: there is no credential.
            CredentialInvalid: a credential is not, or no longer, good, or two of them disagree.
            DatabaseUnusable: the store cannot be read, so no revocation would be seen.
        """
        if authorization is None and not certificate_uris:
            raise CredentialMissing("Send a key (Authorization: Bearer <key>) or use an enrolled client certificate.")
        if not self.takes_keys:
            raise CredentialInvalid("Only access tokens of the identity provider are taken here. Sign in there.")
        self._refresh()
        found = []
        # Every credential that was sent has to be good: a bad one is never passed over because another is fine.
        if certificate_uris:
            found.append(self._by_certificate(certificate_uris, now))
        if authorization is not None:
            found.append(self._by_key(authorization, now))
        credential = found[-1]
        if found[0].holder != credential.holder:
            raise CredentialInvalid("The key and the client certificate belong to different holders. Send the two of one.")
        holder = credential.holder
        principal = Principal(
            person=holder.person,
            agency=holder.agency,
            role=holder.role,
            unit=holder.unit,
            terminal=holder.terminal,
            credential=credential.id,
            methods=tuple([str(each.kind) for each in found]),
            authenticated_at=now,
        )
        self._notice(holder.person, holder.terminal, now)
        return principal

    def require_good(self, principal: Principal, now: datetime) -> None:
        """Return when the credential that a principal came with is still good, and still theirs.

        Raises:
            CredentialInvalid: it was revoked, has expired, or is not known.
            DatabaseUnusable: the store cannot be read, so no revocation would be seen.
        """
        self._refresh()
        credential = self._by_id.get(principal.credential)
        if credential is None or credential.holder.person != principal.person:
            raise CredentialInvalid("This credential is not known here. Ask the identity desk for one.")
        credential.require_good(now)

    def holders(self, now: datetime) -> list[Holder]:
        """Return who could present themselves, a person as often as they have roles, terminals or kinds of credential.

        Those are the holders of good credentials, where they are taken, and those for whom the provider vouched lately.

        Raises:
            DatabaseUnusable: the store cannot be read.
        """
        self._refresh()
        enrolled = self._credentials.values() if self.takes_keys else ()
        found = [credential.holder for credential in enrolled if credential.good(now)]
        return found + (list(self._people.holders(now)) if self._people is not None else [])

    def persons(self) -> frozenset[str]:
        """Return everybody who ever had a credential here, or for whom the provider vouched lately. Raises as ``holders``."""
        self._refresh()
        vouched = self._people.persons() if self._people is not None else ()
        return frozenset([*(each.holder.person for each in self._by_id.values()), *vouched])

    def terminals(self) -> frozenset[str] | None:
        """Return the terminals that were ever enrolled; None where tokens name them. Raises as ``holders``."""
        if self._tokens is not None:
            return None
        self._refresh()
        return frozenset(each.holder.terminal for each in self._by_id.values())

    def vouched(self, now: datetime) -> list[Seen]:
        """Return for whom the identity provider vouched lately.

        Raises:
            DatabaseUnusable: the store cannot be read.
        """
        return self._people.known(now) if self._people is not None else []

    def enrolled(self) -> list[Credential]:
        """Return every credential, those that are no longer good as well.

        Raises:
            DatabaseUnusable: the store cannot be read.
        """
        self._refresh()
        return list(self._by_id.values())

    @property
    def trouble(self) -> str:
        """Return what is wrong with the credentials in the store, as of the last look, or nothing."""
        ids = sorted(self._store.altered | self._restored)
        return f"altered in the store, and good for nobody: {', '.join(ids)}; `identity add` makes new ones" if ids else ""

    def take_notices(self) -> list[SimultaneousUse]:
        """Return what was noticed since the last call, for the caller to count and record."""
        taken, self._notices = self._notices, []
        return taken

    def _notice(self, person: str, terminal: str, now: datetime) -> None:
        if (notices := self._presence.seen(person, terminal, now)) and len(self._notices) < NOTICES:
            self._notices.extend(notices)

    def _presented(self, peer: Mapping[str, Any], now: datetime) -> Presented:
        """Return what a client certificate beside a token says; one that was enrolled has to be good."""
        if not peer:
            return Presented()
        self._refresh()
        uris = tuple(value for kind, value in peer.get("subjectAltName", ()) if kind == "URI")
        credential = self._credentials.get((Kind.CERTIFICATE, uris[0])) if len(uris) == 1 else None
        if credential is not None:
            credential.require_good(now)
        return Presented(peer.get(THUMBPRINT, ""), credential.holder if credential is not None else None)

    def _refresh(self) -> None:
        generation = self._store.generation()
        if generation != self._generation:
            # The number is read before the rows: a commit in between costs one more load, never a missed revocation.
            # Oldest first, so that of a URI that was revoked and enrolled again the newest enrollment counts.
            loaded = self._store.load()
            # What was revoked and is not any more was put back by somebody who has no key: nothing here takes it back.
            self._restored = frozenset(each.id for each in loaded if each.revoked_at is None and each.id in self._revoked)
            loaded = [each for each in loaded if each.id not in self._restored]
            self._revoked |= {each.id for each in loaded if each.revoked_at is not None}
            self._credentials = {(each.kind, each.mark): each for each in loaded}
            self._by_id = {each.id: each for each in loaded}
            self._generation = generation

    def _by_key(self, authorization: str, now: datetime) -> Credential:
        credential = self._credentials.get((Kind.KEY, digest(bearer(authorization))))
        if credential is None:
            raise CredentialInvalid("This key is not known here. Ask the identity desk for one.")
        credential.require_good(now)
        return credential

    def _by_certificate(self, uris: tuple[str, ...], now: datetime) -> Credential:
        if len(uris) != 1:
            raise CredentialInvalid("The client certificate names more than one identity; it must name one.")
        credential = self._credentials.get((Kind.CERTIFICATE, uris[0]))
        if credential is None:
            raise CredentialInvalid("The client certificate's URI is not enrolled here. Ask the identity desk to enroll it.")
        credential.require_good(now)
        return credential
