"""Signing in at the identity provider: there and back, by two addresses that a browser comes to without a session."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from proxy.audit.sealing import SealBroken
from proxy.identity.oidc import SignInRefused, Transaction
from proxy.inquiry.inquiry import MethodNotAllowed
from proxy.web.console.visit import go, local

if TYPE_CHECKING:
    from aiohttp import web

    from proxy.audit.sealing import Sealer
    from proxy.identity.oidc import OidcLogin
    from proxy.identity.sessions import Sessions

BEGIN: Final = "/sign-in/provider"
CALLBACK: Final = "/sign-in/callback"
LEAVE: Final = "/sign-in/leave"
"""On to the provider's own sign-out, which asks: nothing here is ended by it, so nobody is signed out by a link."""
COOKIE: Final = "__Host-showcause-sign-in"
_USE: Final = "sign-in"
_SECONDS: Final = 600


class ProviderSignIn:
    """There and back. What ties the two is sealed in a cookie, for this browser and ten minutes."""

    def __init__(self, *, login: OidcLogin, sessions: Sessions, sealer: Sealer) -> None:
        """Wire the two addresses."""
        self._login = login
        self._sessions = sessions
        self._sealer = sealer

    async def answer(self, request: web.BaseRequest, path: str, session_cookie: str) -> tuple[web.Response, str | None]:
        """Send the browser there, or take it back; return the answer, with the new session's cookie when it has one.

        Raises:
            MethodNotAllowed, SignInRefused, IdentityProviderUnavailable, AuditUnavailable: nobody is signed in.
        """
        if request.method != "GET":
            raise MethodNotAllowed("Sign in by the link.", allow=["GET"])
        query = parse_qsl(request.raw_path.partition("?")[2], keep_blank_values=True, max_num_fields=16)
        values = dict(query)
        if len(values) != len(query):
            # Which of two states or codes is meant, two readers could see differently.
            raise SignInRefused("Something is there twice in this answer. Sign in again.")
        if path == LEAVE:
            return go(await self._login.sign_out_url() or "/sign-in"), None
        if path == BEGIN:
            return await self._begin(local(values.get("next", "/")), again="again" in values), None
        transaction = self._transaction(request.cookies.get(COOKIE, ""))
        login = await self._login.finish(transaction, values)
        cookie, _ = await self._sessions.begin(login.principal, replaces=session_cookie, enrolled=False, sid=login.name)
        response = go(local(transaction.return_to))
        response.headers.add("Set-Cookie", f"{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
        return response, cookie

    async def _begin(self, back: str, *, again: bool) -> web.Response:
        url, transaction = await self._login.begin(back, again=again)
        sealed = self._sealer.seal({"transaction": transaction.dump()}, use=_USE, bound=())
        value = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
        response = go(url)
        response.headers["Set-Cookie"] = f"{COOKIE}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={_SECONDS}"
        return response

    def _transaction(self, value: str) -> Transaction:
        try:
            sealed = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
            return Transaction.load(str(self._sealer.unseal(sealed, use=_USE, bound=())["transaction"]))
        except (SealBroken, ValueError):
            raise SignInRefused("No sign-in was begun in this browser, or it took too long. Sign in again.") from None
