"""The console over real HTTP, and a browser without scripts: it keeps a cookie, follows nothing by itself, fills in forms."""

from __future__ import annotations

import asyncio
import html
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import count
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from proxy.demo import docket
from tests.web.conftest import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from tests.web.conftest import House

_FIELD = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')
_CODE = re.compile(r"<(script|style).*?</\1>|<[^>]+>", re.DOTALL)


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))


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
    def foreign(self) -> list[tuple[str, dict[str, str]]]:
        """The elements that none of our templates makes: a script of their own, a handler, a way to elsewhere."""
        parser = _Elements()
        parser.feed(self.body)

        def ours(tag: str, attributes: Mapping[str, str]) -> bool:
            ways = [value for name, value in attributes.items() if name in {"src", "href", "action", "formaction", "data"}]
            return (
                not any(name.startswith(("on", "style")) for name in attributes)
                and all(re.match(r"/(?!/)|#main$", way) for way in ways)
                and (tag != "script" or attributes.get("src", "").startswith("/static/"))
                and tag not in {"iframe", "object", "embed", "base", "style"}
            )

        return [(tag, attributes) for tag, attributes in parser.found if not ours(tag, attributes)]

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

    async def send(self, path: str, fields: Sequence[tuple[str, str]]) -> Sight:
        """Send a form in which a name may be there several times."""
        form = aiohttp.FormData(fields)
        return await self._send("POST", path, form, {"Origin": "null", "Sec-Fetch-Site": "same-origin"})

    @asynccontextmanager
    async def live(self, path: str) -> AsyncIterator[AsyncIterator[str]]:
        """Open a stream; yield its messages."""
        headers = {"Accept": "text/event-stream", "Cookie": f"__Host-showcause={self.cookie}"}
        async with asyncio.timeout(60), self.client.get(self.base + path, headers=headers) as answer:

            async def messages() -> AsyncIterator[str]:
                said = ""
                async for line in answer.content:
                    said += line.decode()
                    if line == b"\n":
                        if said.strip(":\n"):
                            yield said
                        said = ""

            yield messages()

    async def submit(self, page: Sight, path: str, **fields: str) -> Sight:
        """Fill in a form of a page, and send it."""
        return await self.post(path, {**page.hidden, **fields})

    async def sign_in(self, key: str, back: str = "/") -> Sight:
        """Sign in with a key."""
        return await self.post("/sign-in", {"key": key, "next": back})

    async def _send(
        self, method: str, path: str, fields: Mapping[str, str] | aiohttp.FormData | None, headers: Mapping[str, str]
    ) -> Sight:
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
    spellings: Iterator[int] = field(default_factory=lambda: (number >> bit & 1 for number in count() for bit in range(9)))

    def stranger(self) -> Browser:
        """Return a browser in which nobody has signed in."""
        return Browser(self.house.servers.console.url, self.client)

    async def signed_in(self, who: str = "supervisor") -> Browser:
        """Return a browser in which somebody of the cast has signed in."""
        browser = self.stranger()
        assert (await browser.sign_in(self.keys[who])).status == 303
        return browser

    async def ask(self, statement: str = "paint thrown at front porch, calling on the residents") -> str:
        """Have an officer ask for the mayor, each time spelled otherwise; return the escalation's id.

        Nobody is recognized by capitals; but what was refused once stays refused for a while, and so does its very spelling.
        """
        spelled = "".join(letter.upper() if next(self.spellings) else letter for letter in "whitcombe")
        said = statement.replace("\\", "\\\\").replace('"', '\\"')
        headers = {
            "Authorization": f"Bearer {self.keys['officer']}",
            "Query-Purpose": f'code=C, case="{docket.PORCH}", statement="{said}"',
        }
        url = f"{self.house.door.url}/records/persons?given_name=Eleanor&surname={spelled}&dob=1971-03-08"
        async with self.client.get(url, headers=headers) as answer:
            told = await answer.json()
        assert "escalation" in told, told
        return str(told["escalation"]["id"])

    async def stop(self, who: str, kind: str, target: str, reason: str) -> dict[str, Any]:
        """Lock something, as a program does."""
        headers = {"Authorization": f"Bearer {self.keys[who]}"}
        body = {"kind": kind, "target": target, "reason": reason, "anyway": True}
        async with self.client.post(f"{self.house.door.url}/locks", headers=headers, json=body) as answer:
            told: dict[str, Any] = await answer.json()
        return told

    async def cancel_all(self) -> None:
        """Take back whatever waits, as the officer."""
        headers = {"Authorization": f"Bearer {self.keys['officer']}"}
        url = self.house.door.url
        async with self.client.get(f"{url}/escalations?state=pending", headers=headers) as answer:
            waiting = (await answer.json())["escalations"]
        for each in waiting:
            async with self.client.post(f"{url}{each['href']}/cancel", headers=headers) as answer:
                assert answer.status == 200

    async def lock(self, kind: str, target: str) -> None:
        """Lock something, as a program of the supervisor's."""
        headers = {"Authorization": f"Bearer {self.keys['supervisor']}"}
        body = {"kind": kind, "target": target, "reason": "the specification wants it so", "anyway": True}
        async with self.client.post(f"{self.house.servers.console.url}/locks", headers=headers, json=body) as answer:
            assert answer.status == 200, await answer.text()

    async def until_kind(self, kind: str) -> None:
        """Wait until the log has an entry of a kind."""
        await until(lambda: kind in self.kinds())

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
