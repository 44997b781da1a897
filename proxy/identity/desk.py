"""The identity desk: credentials are enrolled and revoked in one transaction with their events."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING

from proxy.identity.credential import KEY_BYTES, Credential, Holder, Kind, digest, make_key, well_formed_uri
from proxy.identity.denylist import Denylist, Of
from proxy.identity.events import IdentityAdded, IdentityRevoked, IdentitySignedOut
from proxy.identity.seen_store import SeenStore
from proxy.identity.store import CredentialStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from proxy.audit.outbox import Outbox
    from proxy.clock import Clock
    from proxy.database import Database


class EnrollmentRefused(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """A credential cannot be enrolled or revoked; the message says why."""


class IdentityDesk:
    """Enrolls and revokes. ``actor`` is who does it, as the operating system or the console knows them."""

    def __init__(
        self, *, database: Database, key: bytes, outbox: Outbox, clock: Clock, randomness: Callable[[int], bytes], actor: str
    ) -> None:
        """Take the store with its key, where events go, and ``randomness``, which must be fit for secrets (``os.urandom``)."""
        self._database = database
        self._store = CredentialStore(database, key)
        self._outbox = outbox
        self._clock = clock
        self._randomness = randomness
        self._actor = actor

    async def add_key(self, holder: Holder, *, expires_at: datetime | None = None) -> tuple[str, Credential]:
        """Enroll a new key; return it with its credential. It is stored nowhere, so this is the only time it is seen.

        Raises:
            EnrollmentRefused: it would be expired from the start.
        """
        key = make_key(self._randomness(KEY_BYTES))
        return key, await self._add(Kind.KEY, digest(key), holder, expires_at)

    async def add_certificate(self, uri: str, holder: Holder, *, expires_at: datetime | None = None) -> Credential:
        """Enroll the URI of client certificates.

        Raises:
            EnrollmentRefused: the URI is not of its form, already enrolled, or it would be expired from the start.
        """
        if not well_formed_uri(uri):
            msg = "a certificate's URI is spiffe://domain/path or showcause://domain/path, without query, escapes or dots"
            raise EnrollmentRefused(msg)
        return await self._add(Kind.CERTIFICATE, uri, holder, expires_at)

    async def revoke(self, credential_id: str, *, reason: str) -> Credential:
        """Revoke one credential, from the next query on.

        Raises:
            EnrollmentRefused: there is none of that id, or it was revoked before.
        """
        now = self._clock()
        async with self._database.begin() as connection:
            found = await self._store.listed(connection, credential_id=credential_id)
            if not found or not await self._store.revoke(connection, credential_id, now):
                msg = "it was revoked before" if found else "there is no credential of that id; `identity list` shows them"
                raise EnrollmentRefused(msg)
            revoked = replace(found[0], revoked_at=now)
            await self._outbox.put(connection, IdentityRevoked(credential=revoked, actor=self._actor, reason=reason))
        return revoked

    async def revoke_person(self, person: str, *, reason: str) -> Sequence[Credential]:
        """Revoke every credential of a person who leaves; return those that were good until now."""
        now = self._clock()
        revoked = []
        async with self._database.begin() as connection:
            for credential in await self._store.listed(connection, person=person):
                if await self._store.revoke(connection, credential.id, now):
                    gone = replace(credential, revoked_at=now)
                    await self._outbox.put(connection, IdentityRevoked(credential=gone, actor=self._actor, reason=reason))
                    revoked.append(gone)
        return revoked

    async def sign_out(self, person: str, *, reason: str, until: datetime) -> None:
        """End every session that a person began at the identity provider, and every token of theirs, in every process.

        They have to sign in anew, for a refreshed token does not do; that they cannot is the provider's to see to. Until then
        nobody lists them as able to decide. ``until`` is when nothing that was issued by now could be presented any more.
        """
        async with self._database.begin() as connection:
            await Denylist(self._database).add(connection, Of.PERSON, person, before=self._clock(), until=until)
            await SeenStore(self._database).forget(connection, [person])
            await self._outbox.put(connection, IdentitySignedOut(actor=self._actor, person=person, reason=reason))

    async def listed(self, *, person: str | None = None) -> Sequence[Credential]:
        """Return credentials, oldest first, revoked ones too."""
        async with self._database.begin() as connection:
            return await self._store.listed(connection, person=person)

    async def _add(self, kind: Kind, mark: str, holder: Holder, expires_at: datetime | None) -> Credential:
        now = self._clock()
        if expires_at is not None and expires_at <= now:
            msg = "it would be expired from the start"
            raise EnrollmentRefused(msg)
        name = base64.b32encode(self._randomness(10)).decode().lower()
        credential = Credential(id=f"cr-{name}", kind=kind, mark=mark, holder=holder, created_at=now, expires_at=expires_at)
        async with self._database.begin() as connection:
            # The write lock comes first, so that two desks cannot both find a URI free.
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            taken = await self._store.listed(connection, mark=mark)
            if any(each.revoked_at is None for each in taken):
                msg = f"it is enrolled already, as {taken[-1].id}; revoke that first"
                raise EnrollmentRefused(msg)
            await self._store.insert(connection, credential)
            await self._outbox.put(connection, IdentityAdded(credential=credential, actor=self._actor))
        return credential
