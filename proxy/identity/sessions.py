"""Signing in and out of the console: a session begins with its entry in the log, and each request finds it good or ends it.

A session is good while its cookie is known, neither limit has passed, and the credential it was begun with is good: a revoked
key ends it at the next request, as it ends everything else. Its end is queued in the transaction that removes it, so that
somebody can sign out also while the log is not available.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from proxy.identity.principal import CredentialInvalid
from proxy.identity.session import (
    TOKEN_BYTES,
    Ending,
    Session,
    SessionBegun,
    SessionEnded,
    SignInNeeded,
    make_token,
    mark,
)
from proxy.identity.session_store import SessionStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from proxy.audit.event import AuditLog
    from proxy.audit.outbox import Outbox
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.identity.oidc import OidcLogin
    from proxy.identity.principal import Principal
    from proxy.identity.service import Identities

TOUCH: Final = timedelta(seconds=20)
"""How exactly it is known when somebody was last there; each request would else be a commit."""

_SAYS: Final = {
    Ending.IDLE: "You were signed out because nothing was done for 15 minutes.",
    Ending.ABSOLUTE: "You were signed out because you signed in 12 hours ago.",
    Ending.PROVIDER: "You were signed out because the identity provider, or the identity desk, ended your session.",
    Ending.REVOKED: "You were signed out because your key or certificate is no longer good.",
}


class Sessions:
    """The console's sessions, of every process on this store."""

    def __init__(
        self,
        *,
        database: Database,
        key: bytes,
        audit: AuditLog,
        outbox: Outbox,
        identities: Identities,
        clock: Clock,
        randomness: Callable[[int], bytes],
        provider: OidcLogin | None = None,
    ) -> None:
        """Wire the room; ``key`` is the store's, and ``randomness`` must be fit for secrets (``os.urandom``).

        ``provider`` tells which of the sessions begun there have been ended.
        """
        self._provider = provider
        self._database = database
        self._store = SessionStore(database, key)
        self._audit = audit
        self._outbox = outbox
        self._identities = identities
        self._clock = clock
        self._randomness = randomness

    def generation(self) -> int:
        """Return a number that another one follows whenever a session has begun or ended."""
        return self._store.generation()

    async def begin(
        self, principal: Principal, *, replaces: str = "", enrolled: bool = True, sid: str | None = None
    ) -> tuple[str, Session]:
        """Begin a session, recorded first; return the new cookie's value with it.

        The value is always a new one: whoever planted a cookie before the sign-in knows nothing after it (session fixation).
        ``replaces`` is the cookie that was sent along; the session that it belongs to ends.

        Raises:
            AuditUnavailable: the log is not available, and nobody signs in unrecorded.
        """
        now = self._clock()
        token = make_token(self._randomness(TOKEN_BYTES))
        session = Session(
            id=self._randomness(8).hex(), principal=principal, begun_at=now, seen_at=now, enrolled=enrolled, sid=sid
        )
        digest = mark(token)
        assert digest is not None
        before = await self._find(replaces)
        if before is not None:
            await self.end(before, Ending.REPLACED)
        await self._audit.record(SessionBegun(session=session))
        await self._store.insert(digest, session)
        return token, session

    async def resume(self, token: str, *, seen: bool = True) -> Session:
        """Return the session of a cookie; with ``seen``, somebody is there and did something.

        Raises:
            SignInNeeded: there is none, or it is over.
        """
        session = await self._find(token)
        if session is None:
            raise SignInNeeded("Sign in first.")
        now = self._clock()
        why = session.over(now) or self._revoked(session, now)
        if why is not None:
            await self.end(session, why)
            raise SignInNeeded(_SAYS[why], why=str(why))
        if seen and abs(now - session.seen_at) >= TOUCH:
            session = replace(session, seen_at=now)
            digest = mark(token)
            assert digest is not None
            await self._store.touch(digest, session)
        return session

    async def end(self, session: Session, why: Ending) -> bool:
        """End one session; False when it was over already."""
        async with self._database.begin() as connection:
            gone = await self._store.delete(connection, session)
            if gone:
                await self._outbox.put(connection, SessionEnded(session=session, why=why))
        return gone

    async def end_all(self, person: str, why: Ending = Ending.EVERYWHERE) -> int:
        """End every session of a person; return how many."""
        return await self._end_each(await self._store.listed(person=person), why)

    async def listed(self, person: str) -> Sequence[Session]:
        """Return a person's sessions, oldest first."""
        now = self._clock()
        return [session for session in await self._store.listed(person=person) if session.over(now) is None]

    async def sweep(self) -> None:
        """End those that are over although nobody came back to notice."""
        now = self._clock()
        for session in await self._store.listed():
            why = session.over(now) or self._revoked(session, now)
            if why is not None:
                await self.end(session, why)

    async def _end_each(self, sessions: Sequence[Session], why: Ending) -> int:
        return sum([await self.end(session, why) for session in sessions])

    async def _find(self, token: str) -> Session | None:
        digest = mark(token)
        return await self._store.find(digest) if digest is not None else None

    def _revoked(self, session: Session, now: datetime) -> Ending | None:
        if not session.enrolled:
            ended = self._provider is None or self._provider.session_ended(session)
            return Ending.PROVIDER if ended else None
        try:
            self._identities.require_good(session.principal, now)
        except CredentialInvalid:
            return Ending.REVOKED
        return None
