"""The provider ends a session (OIDC Back-Channel Logout 1.0): the console's, and every access token issued until then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from proxy.identity.claims import Reason, Unfit
from proxy.identity.denylist import Of
from proxy.identity.events import IdentitySignedOut
from proxy.identity.token import audiences, head_of, identifier, moment, opened, require_issuer
from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from proxy.audit.outbox import Outbox
    from proxy.clock import Clock
    from proxy.database import Database
    from proxy.identity.denylist import Denylist
    from proxy.identity.options import TokenRules
    from proxy.identity.token import Head
    from proxy.identity.tokens import KeySource

EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
OLDEST: Final = timedelta(minutes=5)
"""Older ones are not taken, so that a token's id has to be remembered for no longer."""


class LogoutRefused(Refusal):
    """A logout token does not hold, so nobody was signed out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedOut:
    """Whose sessions end: those of session ``sid``, or where it is None, of account ``sub``, that began until ``at``."""

    sub: str | None
    sid: str | None
    at: datetime
    token_id: str


def logged_out(head: Head, claims: Mapping[str, object], rules: TokenRules, now: datetime) -> LoggedOut:
    """Return whom a logout token signs out (section 2.6).

    Raises:
        Unfit: something does not hold.
    """
    events = claims.get("events")
    if head.typ not in {"", "jwt", "logout+jwt"} or not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise Unfit(Reason.TYPE, "it is no logout token")
    if "nonce" in claims:
        raise Unfit(Reason.TYPE, "it holds a nonce: it is an ID token")
    require_issuer(claims, rules)
    if rules.client_id not in audiences(claims):
        raise Unfit(Reason.AUDIENCE, "oidc.client_id is not in aud")
    at = moment(claims, "iat")
    if at > now + rules.skew:
        raise Unfit(Reason.EARLY, "iat lies in the future: compare the clocks")
    if now >= at + OLDEST or ("exp" in claims and now >= moment(claims, "exp") + rules.skew):
        raise Unfit(Reason.EXPIRED, "it has expired")
    if "sub" not in claims and "sid" not in claims:
        raise Unfit(Reason.CLAIMS, "it names neither sub nor sid")
    return LoggedOut(
        sub=identifier(claims, "sub") if "sub" in claims else None,
        sid=identifier(claims, "sid") if "sid" in claims else None,
        at=at,
        token_id=identifier(claims, "jti"),
    )


class BackChannel:
    """Takes logout tokens. Each is used once, in whatever process it arrives."""

    def __init__(
        self,
        *,
        keys: KeySource,
        rules: TokenRules,
        database: Database,
        denylist: Denylist,
        outbox: Outbox,
        clock: Clock,
        tell: Callable[[Reason, str], None],
    ) -> None:
        """Take the keys, the list of those signed out, and where events go."""
        self._keys = keys
        self._rules = rules
        self._database = database
        self._denylist = denylist
        self._outbox = outbox
        self._clock = clock
        self._tell = tell
        self._callbacks: list[Callable[[LoggedOut], Awaitable[None]]] = []

    def subscribe(self, callback: Callable[[LoggedOut], Awaitable[None]]) -> None:
        """Have a callback told of each logout in this process, after it is in the store; others ask the list."""
        self._callbacks.append(callback)

    async def take(self, token: str) -> None:
        """Sign out whom a logout token names.

        Raises:
            LogoutRefused: it does not hold, or was used before.
            IdentityProviderUnavailable: its key is not known and the provider does not answer.
            DatabaseUnusable: the store cannot be written.
        """
        now = self._clock()
        try:
            head = head_of(token, self._rules)
            found = logged_out(head, opened(token, (await self._keys.key(head)).key), self._rules, now)
            await self._record(found, now)
        except Unfit as unfit:
            self._tell(unfit.reason, f"logout token: {unfit}")
            raise LogoutRefused("The logout token does not hold. Nobody was signed out.") from unfit
        for callback in self._callbacks:
            await callback(found)

    async def _record(self, found: LoggedOut, now: datetime) -> None:
        skew = self._rules.skew
        until = now + self._rules.max_age + self._rules.lifetime + skew
        async with self._database.begin() as connection:
            # The write lock comes first: of two processes with the same token, one is second.
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            if not await self._denylist.first(connection, found.token_id, until=now + OLDEST + 2 * skew, now=now):
                raise Unfit(Reason.REPLAYED, "it was used before")
            for of, value in ((Of.ACCOUNT, found.sub), (Of.SESSION, found.sid)):
                if value is not None:
                    await self._denylist.add(connection, of, value, before=found.at, until=until)
            await self._outbox.put(connection, IdentitySignedOut(account=found.sub, session=found.sid, actor="provider"))
