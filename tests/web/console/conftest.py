"""The console over real HTTP, and a browser without scripts: it keeps a cookie, follows nothing by itself, fills in forms."""

from __future__ import annotations

import html
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from tests.web.conftest import PURPOSE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from tests.web.conftest import House

_FIELD = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')
_CODE = re.compile(r"<(script|style).*?</\1>|<[^>]+>", re.DOTALL)


@dataclass(frozen=True)
class Sight:
    """One answer, as a person and as a test see it."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def words(self) -> str:
        """The text of a page."""
        return " ".join(html.unescape(_CODE.sub(" ", self.body)).split())

    @property
    def hidden(self) -> dict[str, str]:
        """What the page's forms hold that nobody sees; of several, the last."""
        return {name: html.unescape(value) for name, value in _FIELD.findall(self.body)}


@dataclass
class Browser:
    """A person at the console."""

    base: str
    client: aiohttp.ClientSession
    cookie: str = ""
    seen: list[Sight] = field(default_factory=list)

    async def get(self, path: str, **headers: str) -> Sight:
        """Open a page."""
        return await self._send("GET", path, None, headers)

    async def post(self, path: str, fields: Mapping[str, str] | None = None, **headers: str) -> Sight:
        """Send a form as a page of the same site does; underscores in ``headers`` stand for hyphens, empty is not sent."""
        own = {"Origin": "null", "Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
        return await self._send(
            "POST", path, fields or {}, own | {name.replace("_", "-"): each for name, each in headers.items()}
        )

    async def submit(self, page: Sight, path: str, **fields: str) -> Sight:
        """Fill in a form of a page, and send it."""
        return await self.post(path, {**page.hidden, **fields})

    async def sign_in(self, key: str, back: str = "/") -> Sight:
        """Sign in with a key."""
        return await self.post("/sign-in", {"key": key, "next": back})

    async def _send(self, method: str, path: str, fields: Mapping[str, str] | None, headers: Mapping[str, str]) -> Sight:
        sent = {"Accept": "text/html"} | {name: value for name, value in headers.items() if value}
        if self.cookie:
            sent["Cookie"] = f"__Host-showcause={self.cookie}"
        url = URL(self.base + path, encoded=True)
        async with self.client.request(method, url, data=fields, headers=sent, allow_redirects=False) as answer:
            given = answer.headers.get("Set-Cookie", "")
            if given:
                self.cookie = given.partition(";")[0].partition("=")[2]
            self.seen.append(Sight(answer.status, dict(answer.headers), await answer.text()))
        return self.seen[-1]


@dataclass
class Desk:
    """The product, with people at its console."""

    house: House
    keys: Mapping[str, str]
    client: aiohttp.ClientSession

    def stranger(self) -> Browser:
        """Return a browser in which nobody has signed in."""
        return Browser(self.house.servers.console.url, self.client)

    async def signed_in(self, who: str = "supervisor") -> Browser:
        """Return a browser in which somebody of the cast has signed in."""
        browser = self.stranger()
        assert (await browser.sign_in(self.keys[who])).status == 303
        return browser

    async def ask(self, *, case: str = "", statement: str = "", who: str = "officer", target: str = "") -> str:
        """Have an officer ask for the mayor; return the escalation's id."""
        purpose = PURPOSE if not statement else f'code=C, case="{case}", statement="{statement}"'
        headers = {"Authorization": f"Bearer {self.keys[who]}", "Query-Purpose": purpose}
        url = URL(self.house.door.url + (target or f"/records/persons/{self.house.mayor}"), encoded=True)
        async with self.client.get(url, headers=headers) as answer:
            return str((await answer.json())["escalation"]["id"])

    def kinds(self) -> list[str]:
        """Return the kinds of all entries of the log."""
        return [entry.kind for entry in self.house.entries()]


@pytest.fixture(scope="session")
def desk_opened(opened: Callable[..., AbstractAsyncContextManager[House]]) -> Callable[..., AbstractAsyncContextManager[Desk]]:
    """Return how to run the product with a console of its own; names are settings."""

    @asynccontextmanager
    async def run(**settings: object) -> AsyncIterator[Desk]:
        async with opened(**settings) as house, aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
            yield Desk(house, house.keys, client)

    return run


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def desk(desk_opened: Callable[..., AbstractAsyncContextManager[Desk]]) -> AsyncIterator[Desk]:
    """One product for the specifications that leave nothing behind which others would trip over."""
    async with desk_opened() as running:
        yield running
