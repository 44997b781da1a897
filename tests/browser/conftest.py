"""Debian's Chromium before the running product: a context for each person, with a virtual authenticator where one is wanted."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

from proxy.demo import docket
from tests.web.conftest import opened, world
from tests.web.console.conftest import Desk, desk_opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from playwright.async_api import Browser, BrowserContext, CDPSession, Page

    from proxy.demo.home import Home
    from proxy.demo.town import Town

__all__ = ["desk_opened", "opened", "world"]

ARGUMENTS = [
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass
class Authenticator:
    """A virtual authenticator (CDP's domain WebAuthn) of one page."""

    session: CDPSession
    id: str

    async def verify(self, *, verified: bool) -> None:
        """Say whether its holder's finger is known to it."""
        await self.session.send("WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": verified})

    async def credentials(self) -> list[dict[str, Any]]:
        found = await self.session.send("WebAuthn.getCredentials", {"authenticatorId": self.id})
        return list(found["credentials"])


@dataclass
class Person:
    """Somebody at a browser of their own."""

    context: BrowserContext
    page: Page
    url: str
    key: str

    async def sign_in(self) -> None:
        await self.page.goto(f"{self.url}/sign-in")
        await self.page.fill("input[name=key]", self.key)
        await self.page.click("main button")
        await self.page.wait_for_url(f"{self.url}/queue")

    async def authenticator(self) -> Authenticator:
        session = await self.context.new_cdp_session(self.page)
        await session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        made = await session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return Authenticator(session, made["authenticatorId"])


@dataclass
class Office:
    """The product, with a console that browsers reach as localhost, and as many browsers as there are people."""

    desk: Desk
    browser: Browser
    url: str
    config: Path

    async def person(self, who: str) -> Person:
        """Return somebody of the cast before an empty browser."""
        context = await self.browser.new_context()
        context.set_default_timeout(20_000)
        return Person(context, await context.new_page(), self.url, self.desk.keys[who])

    async def invite(self, who: str) -> str:
        """Have the identity desk make a code, on the command line."""
        person = next(each.person for each in docket.SIGN_INS if each.key == who)
        return str((await self.command("identity", "passkey", "invite", person, "--json"))["code"])

    async def command(self, *arguments: str) -> Any:
        environment = os.environ | {"SHOWCAUSE_DATA": str(self.desk.house.store.parent)}
        command = [sys.executable, "-m", "proxy", *arguments, "--config", str(self.config)]
        process = await create_subprocess_exec(*command, stdout=PIPE, env=environment)
        out, _ = await process.communicate()
        assert process.returncode == 0
        return orjson.loads(out)


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    found = shutil.which("chromium")
    if found is None:
        assert not os.environ.get("CI"), "chromium is missing"
        pytest.skip("chromium is not installed: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def office(
    chromium: Browser,
    desk_opened: Callable[..., AbstractAsyncContextManager[Desk]],
    world: tuple[Home, Town],
) -> AsyncIterator[Office]:
    """An office where nobody has a passkey yet, and nobody confirms anything without one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(desk_opened(step_up__mode="webauthn", doors__console__port=port))
        made = Office(desk, chromium, f"http://localhost:{port}", world[0].config)
        yield made
        for context in chromium.contexts:
            await context.close()
