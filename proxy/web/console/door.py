"""The console's door: pages for people who have signed in, the same JSON as ever for programs with a credential.

Every request of a page goes the same way: the session, the site it comes from, the form's token, the role, the page. What is
refused becomes a page that says what to do next, and an entry in the log, as at every door.
"""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote

from aiohttp import web

from proxy.database import DatabaseUnusable
from proxy.gateway.answer import InternalError, store_unusable
from proxy.identity.oidc import SignInRefused
from proxy.identity.passkeys import StepUpRequired
from proxy.identity.principal import CredentialInvalid, CredentialMissing
from proxy.identity.session import SignInNeeded
from proxy.inquiry.inquiry import Inbound, MethodNotAllowed, RouteUnknown
from proxy.refusal import Refusal
from proxy.web.back_channel import LOGOUT
from proxy.web.body import read_body
from proxy.web.console.attempts import Attempts
from proxy.web.console.errors import trouble
from proxy.web.console.files import PREFIX, Files
from proxy.web.console.forms import FORM, NO_FORM, read_form, require_own_site, require_token
from proxy.web.console.notes import NOTES
from proxy.web.console.passkeys import confirmation
from proxy.web.console.provider import BEGIN, CALLBACK, LEAVE
from proxy.web.console.render import Pages
from proxy.web.console.respond import secured
from proxy.web.console.sign_in import COOKIE, SignIn
from proxy.web.console.visit import Visit, go, page
from proxy.web.problems import FormForged

if TYPE_CHECKING:
    import re
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from proxy.clock import Clock
    from proxy.gateway.service import Gateway
    from proxy.identity.principal import Principal
    from proxy.identity.service import Identities
    from proxy.identity.session import Session
    from proxy.identity.sessions import Sessions
    from proxy.web.console.forms import Form
    from proxy.web.console.provider import ProviderSignIn
    from proxy.web.console.visit import Page, Room
    from proxy.web.limits import Limits
    from proxy.web.protocol import Handler

LOOK_SECONDS: Final = 0.5
STREAM_SECONDS: Final = 600
HEARTBEAT_TURNS: Final = 30
SESSION_TURNS: Final = 10
LIVE: Final = "/live"
"""How the paths of streams end: they keep no session alive, and none is begun by them."""
OVER: Final = b"event: over\ndata: over\n\n"
SIGN_IN_TROUBLES: Final = (CredentialInvalid, CredentialMissing, SignInRefused)
_SAFE: Final = frozenset({"GET", "HEAD"})
_STRANGERS: Final = frozenset({"/sign-in", BEGIN, CALLBACK, LEAVE})
_OWN_PATHS: Final = _STRANGERS | {"/", "/favicon.ico"}


class _OnlySent(Exception):  # noqa: N818 -- never leaves this file
    """There is no such page; forms are sent there."""


@dataclass(slots=True)
class _Came:
    """What is known of a request so far."""

    cookie: str
    session: Session | None = None
    form: Form = NO_FORM


class Console:
    """Handler of the console's door. ``api`` answers programs; ``rooms`` bring the pages, in the order of the menu."""

    def __init__(
        self,
        *,
        api: Handler,
        gateway: Gateway,
        identities: Identities,
        sessions: Sessions,
        admit: Callable[[Principal], None],
        clock: Clock,
        limits: Limits,
        on_error: Callable[[BaseException], None],
        rooms: Sequence[Room],
        provider: ProviderSignIn | None = None,
    ) -> None:
        """Wire the door; ``admit`` refuses who is locked, ``on_error`` is told of errors that nobody foresaw.

        ``provider`` signs in whom another knows.
        """
        self._api = api
        self._gateway = gateway
        self._sessions = sessions
        self._admit = admit
        self._clock = clock
        self._limits = limits
        self._on_error = on_error
        self._files = Files()
        self._pages = Pages(self._files, [room.tab for room in rooms if room.tab is not None])
        self._sign_in = SignIn(
            identities=identities,
            sessions=sessions,
            clock=clock,
            pages=self._pages,
            attempts=Attempts(),
            provider=provider,
        )
        self._routes = [(each.pattern(), each) for room in (*rooms, self._sign_in) for each in room.pages()]
        # Who is locked can still sign out, and does nothing else.
        self._ways_out = [each.handler for each in self._sign_in.pages()]
        self._closing = asyncio.Event()

    async def end_streams(self) -> None:
        """Let no page be live any more: the node is about to stop."""
        self._closing.set()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request.

        Raises:
            Refusal: to a program; the door answers with it.
        """
        path = request.raw_path.partition("?")[0]
        if path.startswith(PREFIX):
            return self._files.answer(request.method, path)
        if _for_program(request, path):
            if request.method not in _SAFE and request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}:
                # A browser sends a client certificate along with another site's form.
                raise FormForged("Another site's page sent this. Nothing was done.")
            return await self._api(request)
        return secured(await self._answer(request, path))

    async def _answer(self, request: web.BaseRequest, path: str) -> web.StreamResponse:
        came = _Came(cookie=request.cookies.get(COOKIE, ""))
        try:
            if path == "/favicon.ico":
                return go(self._files.path("mark.svg"))
            if request.method not in _SAFE:
                require_own_site(request)
                came.form = read_form(request.headers.get("Content-Type", ""), await read_body(request, self._limits))
            if path in _STRANGERS:
                return await self._sign_in.answer(request, came.form)
            came.session = await self._sessions.resume(came.cookie, seen=not path.endswith(LIVE))
            return await self._visited(request, path, came, came.session)
        except SignInNeeded as needed:
            return self._to_sign_in(request, path, needed)
        except (Refusal, DatabaseUnusable) as error:
            return await self._refused(request, came, error if isinstance(error, Refusal) else store_unusable())
        except Exception as error:  # noqa: BLE001 -- whatever it is, the reader gets a page of ours and nothing else
            self._on_error(error)
            return await self._refused(request, came, InternalError("Nobody foresaw this. Nothing was done."))

    async def _visited(self, request: web.BaseRequest, path: str, came: _Came, session: Session) -> web.StreamResponse:
        try:
            found, names = self._page(request.method, path, session.principal.role)
        except _OnlySent:  # the browser's way back, an address that was kept, a sign-in in the middle of it
            return go(self._form_of(path))
        if found.handler not in self._ways_out:
            self._admit(session.principal)
        if request.method not in _SAFE:
            require_token(came.form, came.cookie)
        visit = Visit(
            request=request,
            session=session,
            cookie=came.cookie,
            clock=self._clock,
            names=names,
            query=dict(parse_qsl(request.raw_path.partition("?")[2])),
            form=came.form,
            render=self._pages.render,
            stream=self._stream,
        )
        return await found.handler(visit)

    def _page(self, method: str, path: str, role: str) -> tuple[Page, Mapping[str, str]]:
        # A page that is not for the role is not told from one that is not there.
        found = [(each, match) for pattern, each in self._routes if (match := _matching(pattern, each, path, role))]
        method = "GET" if method == "HEAD" else method
        for each, match in found:
            if each.method == method:
                return each, match.groupdict()
        if found and method == "GET":
            raise _OnlySent
        if found:
            allowed = sorted({each.method for each, _ in found})
            raise MethodNotAllowed("Open this page from the menu.", allow=allowed)
        raise RouteUnknown("There is no such page here, or it is not for your role.")

    def _to_sign_in(self, request: web.BaseRequest, path: str, needed: SignInNeeded) -> web.StreamResponse:
        if path.endswith(LIVE):
            return web.Response(body=OVER, headers={"Content-Type": "text/event-stream"})
        why = str(needed.extras.get("why", "" if request.method in _SAFE else "ended"))
        back = path if request.method in _SAFE else self._form_of(path)
        said = f"&said={why}" if why in NOTES else ""
        return go(f"/sign-in?next={quote(back)}{said}" if back != "/" or said else "/sign-in")

    def _form_of(self, path: str) -> str:
        """Return the page whose form is sent to ``path``: the nearest one above it."""
        while path and not any(each.method == "GET" and pattern.match(path) for pattern, each in self._routes):
            path = path.rpartition("/")[0]
        return path or "/"

    async def _refused(self, request: web.BaseRequest, came: _Came, refusal: Refusal) -> web.Response:
        principal = came.session.principal if came.session is not None else None
        declined = await self._gateway.refused(_inbound(request), principal, refusal)
        if isinstance(declined.refusal, StepUpRequired) and came.session is not None:
            asked = confirmation(request.raw_path.partition("?")[0], came.form, declined.refusal)
            return page(self._pages.render("step_up.html", principal=principal, cookie=came.cookie, **asked), status=401)
        told = trouble(declined.refusal)
        if came.session is None and isinstance(declined.refusal, SIGN_IN_TROUBLES):
            return page(self._sign_in.refused(request, came.form, declined.refusal), status=told.status)
        body = self._pages.render(
            "error.html",
            principal=principal,
            cookie=came.cookie,
            trouble=told,
            detail=declined.refusal.detail,
            entry=declined.entry,
        )
        response = page(body, status=told.status)
        retry_after = declined.refusal.extras.get("retry_after")
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        return response

    async def _stream(self, visit: Visit, key: Callable[[], object], html: Callable[[], Awaitable[str]]) -> web.StreamResponse:
        """Send a part of a page whenever it has changed, for as long as the session is good. It keeps no session alive."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        secured(response)
        await response.prepare(visit.request)
        with suppress(ConnectionError):  # the page was closed
            await self._send(response, visit, key, html)
        return response

    async def _send(
        self, response: web.StreamResponse, visit: Visit, key: Callable[[], object], html: Callable[[], Awaitable[str]]
    ) -> None:
        last: object = None
        sessions = self._sessions.generation()
        try:
            for turn in range(round(STREAM_SECONDS / LOOK_SECONDS)):
                if turn % SESSION_TURNS == 0 or sessions != self._sessions.generation():
                    sessions = self._sessions.generation()
                    await self._sessions.resume(visit.cookie, seen=False)
                self._admit(visit.principal)
                current = (key(),)
                if current != last:
                    last = current
                    await response.write(_message(await html()))
                elif turn % HEARTBEAT_TURNS == 0:
                    await response.write(b":\n\n")
                if await self._closed_within(LOOK_SECONDS):
                    return
        except (Refusal, DatabaseUnusable):
            await response.write(OVER)

    async def _closed_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._closing.wait()
        except TimeoutError:
            return False


def _for_program(request: web.BaseRequest, path: str) -> bool:
    """Tell whether a program asks: with a credential of its own, or for something else than a page."""
    headers = request.headers
    if "Authorization" in headers or path.startswith("/problems/") or path == LOGOUT:
        return True
    accept = headers.get("Accept", "")
    wants_page = "text/html" in accept or "text/event-stream" in accept
    return not (wants_page or path in _OWN_PATHS or headers.get("Content-Type", "").startswith(FORM))


def _matching(pattern: re.Pattern[str], found: Page, path: str, role: str) -> re.Match[str] | None:
    return pattern.match(path) if found.roles is None or role in found.roles else None


def _inbound(request: web.BaseRequest) -> Inbound:
    """Return what the log keeps of a request that was refused: never its cookie, nor the form."""
    return Inbound(
        query_id=secrets.token_hex(12),
        source=request.remote or "",
        method=request.method,
        target=request.raw_path.partition("?")[0],
        headers=(),
    )


def _message(text: str) -> bytes:
    """Return a server-sent event that holds ``text`` (HTML, 9.2.6)."""
    return "".join(f"data: {line}\n" for line in text.splitlines()).encode() + b"\n"
