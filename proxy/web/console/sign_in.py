"""Signing in and out: a key made on the command line, a client certificate, or both; and everywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from proxy.identity.principal import CredentialInvalid, CredentialMissing
from proxy.identity.session import Ending, SignInNeeded
from proxy.identity.tls import certificate_uris
from proxy.inquiry.inquiry import MethodNotAllowed
from proxy.web.console.provider import BEGIN, CALLBACK, LEAVE
from proxy.web.console.visit import Page, go, local, page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

    from proxy.clock import Clock
    from proxy.identity.principal import Principal
    from proxy.identity.service import Identities
    from proxy.identity.sessions import Sessions
    from proxy.refusal import Refusal
    from proxy.web.console.attempts import Attempts
    from proxy.web.console.forms import Form
    from proxy.web.console.provider import ProviderSignIn
    from proxy.web.console.render import Pages
    from proxy.web.console.visit import Visit

COOKIE: Final = "__Host-showcause"
"""The prefix binds it to this host, to https and to the whole of it (RFC 6265bis, 4.1.3). On loopback, plain HTTP counts as
secure (W3C Secure Contexts, 3.1): Chromium and Firefox keep it there too."""


class SignIn:
    """The one page for strangers, and the ways out."""

    tab = None

    def __init__(
        self,
        *,
        identities: Identities,
        sessions: Sessions,
        clock: Clock,
        pages: Pages,
        attempts: Attempts,
        provider: ProviderSignIn | None = None,
    ) -> None:
        """Wire the page; ``provider`` is where people sign in whom an identity provider knows."""
        self._provider = provider
        self._identities = identities
        self._sessions = sessions
        self._clock = clock
        self._pages = pages
        self._attempts = attempts

    def pages(self) -> Iterable[Page]:
        """Return what somebody who has signed in can do about that."""
        yield Page("GET", "/account", self._account)
        yield Page("POST", "/sign-out", self._sign_out)
        yield Page("POST", "/sign-out/everywhere", self._everywhere)
        yield Page("POST", "/stay", self._stay)

    async def answer(self, request: web.BaseRequest, form: Form) -> web.StreamResponse:
        """Show the form, or take it.

        Raises:
            BudgetSpent: too many attempts failed.
            CredentialInvalid: the log's entry of a failure; it is shown on the form.
        """
        path, _, text = request.raw_path.partition("?")
        if path in {BEGIN, CALLBACK, LEAVE} and self._provider is not None:
            response, cookie = await self._provider.answer(request, path, request.cookies.get(COOKIE, ""))
            return response if cookie is None else _entered(response, cookie)
        query = dict(parse_qsl(text))
        if request.method == "GET":
            return await self._form(request, query)
        if request.method != "POST":
            raise MethodNotAllowed("Use GET or POST here.", allow=["GET", "POST"])
        return await self._begin(request, form)

    async def _form(self, request: web.BaseRequest, query: dict[str, str]) -> web.StreamResponse:
        back = local(query.get("next", "/"))
        try:
            await self._sessions.resume(request.cookies.get(COOKIE, ""), seen=False)
        except SignInNeeded:
            return page(self._shown(request, back=back, said=query.get("said", "")))
        return go(back)

    async def _begin(self, request: web.BaseRequest, form: Form) -> web.StreamResponse:
        now, source = self._clock(), request.remote or ""
        self._attempts.require_left(source, now)
        try:
            principal = self._principal(request, form.text("key"))
        except (CredentialInvalid, CredentialMissing):
            self._attempts.failed(source, now)
            raise
        cookie, _ = await self._sessions.begin(principal, replaces=request.cookies.get(COOKIE, ""))
        return _entered(go(local(form.text("next"))), cookie)

    def _principal(self, request: web.BaseRequest, key: str) -> Principal:
        uris = _uris(request)
        if not key and not uris:
            raise CredentialMissing("Paste the key that was made for you; it begins with sc_.")
        # It stands in a form, so that nobody's key is in a link; a key that was cut or mistyped is told apart from none.
        return self._identities.authenticate(f"Bearer {key}" if key else None, uris, self._clock())

    def refused(self, request: web.BaseRequest, form: Form, refusal: Refusal) -> str:
        """Return the form again, with what was wrong; never with the key."""
        return self._shown(request, back=local(form.text("next")), wrong=refusal.detail)

    def _shown(self, request: web.BaseRequest, *, back: str, said: str = "", wrong: str = "") -> str:
        return self._pages.render(
            "sign_in.html",
            back=back,
            said=said,
            wrong=wrong,
            certificate=bool(_peer_uris(request)),
            provider=self._provider is not None,
            left=said.startswith("signed-out"),
            keys=self._identities.takes_keys,
        )

    async def _account(self, visit: Visit) -> web.StreamResponse:
        sessions = await self._sessions.listed(visit.principal.person)
        return visit.show("account.html", sessions=sessions, session=visit.session)

    async def _sign_out(self, visit: Visit) -> web.StreamResponse:
        await self._sessions.end(visit.session, Ending.SIGNED_OUT)
        return _out("signed-out")

    async def _everywhere(self, visit: Visit) -> web.StreamResponse:
        await self._sessions.end_all(visit.principal.person)
        return _out("signed-out-everywhere")

    async def _stay(self, visit: Visit) -> web.StreamResponse:
        return page(visit.session.id)


def _entered(response: web.Response, cookie: str) -> web.Response:
    response.headers.add("Set-Cookie", f"{COOKIE}={cookie}; Path=/; Secure; HttpOnly; SameSite=Lax")
    return response


def _out(said: str) -> web.Response:
    response = go(f"/sign-in?said={said}")
    response.headers["Set-Cookie"] = f"{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


def _uris(request: web.BaseRequest) -> tuple[str, ...]:
    transport = request.transport
    return certificate_uris((transport.get_extra_info("peercert") if transport is not None else None) or {})


def _peer_uris(request: web.BaseRequest) -> tuple[str, ...]:
    try:
        return _uris(request)
    except CredentialInvalid:
        return ()
