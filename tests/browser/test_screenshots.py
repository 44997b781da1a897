"""Every page of the console, as a person sees it: rendered, and kept as a picture where somebody asks for pictures.

``SHOWCAUSE_SCREENSHOTS=deploy/screenshots python -m pytest tests/browser/test_screenshots.py`` writes one for each page in
light, dark, and at a phone's width.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from playwright.async_api import Browser, Page

    from tests.web.console.conftest import Desk

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 960, "height": 700}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 960, "height": 700}},
    "phone": {"color_scheme": "light", "viewport": {"width": 360, "height": 740}},
}
PAGES = {
    "queue": "/queue",
    "escalation": "/escalations/{id}",
    "refuse-several": "/queue/refuse",
    "reviews": "/reviews",
    "locks": "/locks",
    "lock": "/locks/{lock}",
    "policy": "/policy",
    "people": "/people",
    "health": "/health",
    "account": "/account",
    "delegations": "/delegations",
    "passkeys": "/passkeys",
}
"""What a supervisor sees, by the name of its picture; the log, which an auditor searches, is beside them."""
TALLEST = 1000
MOST_BYTES = 150_000


async def test_every_page_can_be_shown(
    desk_opened: Callable[..., AbstractAsyncContextManager[Desk]], chromium: Browser
) -> None:
    """In each look; a picture is written only where the environment names a folder for it."""
    async with desk_opened() as desk:
        escalation = await desk.ask("paint thrown at front porch, calling on the residents")
        await desk.ask("paint thrown at another porch, a witness names the owner")
        lock = await desk.stop("lieutenant", "terminal", "car-77", "left open in the car over night")
        await desk.stop("supervisor", "case", "26-000031", "its source is named in the press since this morning")
        paths = {name: path.format(id=escalation, lock=lock["id"]) for name, path in PAGES.items()}
        for look, options in LOOKS.items():
            for who, shown in (("supervisor", paths), ("auditor", {"log": "/log", "leak": "/leak"})):
                context = await chromium.new_context(reduced_motion="reduce", **options)
                named = {f"{name}-{look}": path for name, path in shown.items()}
                await seen(await context.new_page(), desk, who, named, f"sign-in-{look}" if who == "auditor" else "")
                await context.close()


async def seen(page: Page, desk: Desk, who: str, paths: dict[str, str], first: str = "") -> None:
    """Sign in, and look at some pages; ``first`` names the picture of the sign-in, if there is to be one."""
    url = desk.house.servers.console.url
    await page.goto(f"{url}/sign-in")
    if first:
        await shot(page, first)
    await page.fill("#key", desk.keys[who])
    await page.press("#key", "Enter")
    await page.wait_for_url(f"{url}/queue")
    for name, path in paths.items():
        answer = await page.goto(url + path, wait_until="load")
        assert (path, answer.status if answer is not None else None) == (path, 200)
        assert await page.locator("h1").count() == 1
        await shot(page, name)


async def shot(page: Page, name: str) -> None:
    """Write a picture, where pictures are wanted; a long page is cut off below."""
    folder = os.environ.get("SHOWCAUSE_SCREENSHOTS")
    if folder is None:
        return
    size = page.viewport_size or {"width": 360, "height": 740}
    height = await page.evaluate("document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": size["width"], "height": min(height, TALLEST)}
    picture = Path(folder) / f"{name}.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=picture, full_page=True, clip=clip)  # type: ignore[arg-type]
    assert picture.stat().st_size < MOST_BYTES
