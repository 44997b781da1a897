"""One visit to one page: who came, what they sent, and how it is answered."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote

from aiohttp import web

from proxy.web.console.forms import NO_FORM

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Container, Iterable, Mapping
    from datetime import datetime

    from proxy.clock import Clock
    from proxy.identity.principal import Principal
    from proxy.identity.session import Session
    from proxy.web.console.forms import Form

    Handler = Callable[["Visit"], Awaitable[web.StreamResponse]]
    Live = Callable[["Visit", Callable[[], object], Callable[[], Awaitable[str]]], Awaitable[web.StreamResponse]]

STEP_UP: Final = "step_up"
"""The field that holds a passkey's answer."""
_NAME: Final = re.compile(r"\{([a-z_]+)\}")
_LOCAL: Final = re.compile(r"/(?:[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*)?\Z")


@dataclass(frozen=True, slots=True)
class Tab:
    """A place in the menu; ``roles`` None is everybody's."""

    label: str
    href: str
    roles: Container[str] | None = None

    def for_role(self, role: str) -> bool:
        """Tell whether somebody of this role sees it."""
        return self.roles is None or role in self.roles


@dataclass(frozen=True, slots=True)
class Page:
    """One method and path; a ``{name}`` in the path stands for one segment of letters, digits, ``_`` and ``-``."""

    method: str
    path: str
    handler: Handler
    roles: Container[str] | None = None

    def pattern(self) -> re.Pattern[str]:
        """Return what its paths match."""
        return re.compile(_NAME.sub(r"(?P<\1>[A-Za-z0-9_-]{1,64})", self.path) + r"\Z")


class Room(Protocol):
    """What brings pages to the console; ``tab`` None is no place in the menu."""

    @property
    def tab(self) -> Tab | None:
        """Return its place in the menu."""
        ...

    def pages(self) -> Iterable[Page]:
        """Return its pages."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request of somebody who has signed in, on its way through a page."""

    request: web.BaseRequest
    session: Session
    cookie: str
    clock: Clock
    names: Mapping[str, str]
    query: Mapping[str, str]
    form: Form = NO_FORM
    render: Callable[..., str] = field(repr=False)
    stream: Live = field(repr=False)

    @property
    def principal(self) -> Principal:
        """Return who came."""
        return self.session.principal

    @property
    def step_up(self) -> str | None:
        """Return the passkey's answer, or None. What demands one raises ``StepUpRequired``; the frame then asks for it."""
        return self.form.text(STEP_UP) or None

    @property
    def now(self) -> datetime:
        """Return the time; a page that is live asks again and again."""
        return self.clock()

    def show(self, template: str, *, status: int = 200, **facts: object) -> web.Response:
        """Answer with a page."""
        return page(self.html(template, **facts), status=status)

    def html(self, template: str, **facts: object) -> str:
        """Return a page, or a part of one, as text."""
        return self.render(
            template,
            principal=self.principal,
            cookie=self.cookie,
            here=self.request.path,
            said=self.query.get("said", ""),
            now=self.now,
            **facts,
        )

    def go(self, path: str, *, said: str = "") -> web.Response:
        """Answer a POST: look at another page, which says what was done. ``said`` is a word of ``notes.py``."""
        return go(f"{path}?said={quote(said)}" if said else path)

    async def live(self, key: Callable[[], object], html: Callable[[], Awaitable[str]]) -> web.StreamResponse:
        """Answer with server-sent events: ``html()`` now, and again whenever ``key()`` returns something else."""
        return await self.stream(self, key, html)


def page(body: str, *, status: int = 200) -> web.Response:
    """Return a page."""
    return web.Response(status=status, text=body, content_type="text/html", charset="utf-8")


def go(path: str) -> web.Response:
    """Return a redirect to a path of ours, by GET."""
    return web.Response(status=303, headers={"Location": path})


def local(path: str) -> str:
    """Return a path to go back to after the sign-in: ``/`` for whatever is none of ours (an open redirect)."""
    return path if _LOCAL.match(path) else "/"
