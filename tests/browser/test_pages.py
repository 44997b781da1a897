"""Every page of the console in Debian's Chromium: axe in light and dark, a phone's width, the keyboard, no scripts at all."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from proxy.demo import docket
from tests.browser.test_screenshots import find
from tests.web.conftest import PERSON

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from playwright.async_api import Browser, ConsoleMessage, Page

    from tests.web.console.conftest import Desk

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = Path(__file__).with_name("vendor") / "axe.min.js"
REASON = "the owner has to be told before the lab comes"
PAGES = [
    "/queue", "/queue/refuse", "/escalations/{id}", "/reviews", "/locks", "/locks?kind=terminal&target=car-12", "/locks/{lock}",
    "/policy", "/people", "/health", "/account", "/delegations", "/passkeys", "/nothing-of-that-name",
]  # fmt: skip
"""What a supervisor sees: ``{id}`` is an escalation that waits, ``{lock}`` a lock. Who adds a page adds its path."""
AUDITORS = ["/log", "/leak", "/locks", "/people"]
WIDTHS = {"phone": 360, "desk": 1280}


@dataclass
class Visitor:
    """A supervisor before a browser of their own; ``noise`` is what the browser complained of."""

    page: Page
    url: str
    noise: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        """Open a page."""
        await self.page.goto(self.url + path, wait_until="load")

    async def sign_in(self, key: str) -> None:
        """Sign in by the form."""
        await self.open("/sign-in")
        await self.page.fill("#key", key)
        await self.page.press("#key", "Enter")
        await self.page.wait_for_url(self.url + "/queue")

    async def violations(self) -> list[Any]:
        """What axe finds."""
        await self.page.evaluate(AXE.read_text("utf-8") + ";0")
        found = "axe.run().then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.failureSummary)]))"
        return list(await self.page.evaluate(found))

    async def too_wide(self) -> bool:
        """Whether the page has to be moved sideways."""
        return bool(await self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))

    def hear(self, message: ConsoleMessage) -> None:
        """Keep what the browser complains of, but that a page is not there."""
        if message.type in {"error", "warning"} and "404" not in message.text:
            self.noise.append(message.text)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def desk(desk_opened: Callable[..., AbstractAsyncContextManager[Desk]]) -> AsyncIterator[Desk]:
    """One product for all of these."""
    async with desk_opened() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def asked(desk: Desk) -> AsyncIterator[str]:
    """An escalation that waits, with another beside it."""
    await desk.ask("paint thrown at another porch, calling on its residents")
    yield await desk.ask("averylongwordwithoutanyspace" * 8 + " paint thrown at front porch <b>today</b>")
    await desk.cancel_all()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lock(desk: Desk) -> str:
    """A lock of another supervisor's, on what stops nobody here."""
    words = "averylongwordwithoutanyspace" * 6 + " left open in the car"
    return str((await desk.stop("lieutenant", "terminal", "car-77", words))["id"])


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def judged(desk: Desk) -> dict[str, str]:
    """A review, a notice and a finding that wait."""
    return await desk.judged()


@pytest.fixture
def visiting(chromium: Browser, desk: Desk) -> Callable[..., AbstractAsyncContextManager[Visitor]]:
    """Return how to sign in; names are options of the browser's context."""

    @asynccontextmanager
    async def run(who: str | None = "supervisor", **options: Any) -> AsyncIterator[Visitor]:
        context = await chromium.new_context(**options)
        context.set_default_timeout(20_000)
        visitor = Visitor(await context.new_page(), desk.house.servers.console.url)
        visitor.page.on("console", visitor.hear)
        visitor.page.on("pageerror", lambda error: visitor.noise.append(str(error)))
        if who is not None:
            await visitor.sign_in(desk.keys[who])
        yield visitor
        await context.close()

    return run


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
async def test_every_page_is_accessible_fits_and_loads_without_a_complaint(
    visiting: Callable[..., AbstractAsyncContextManager[Visitor]], asked: str, lock: str, scheme: str, width: int
) -> None:
    """Axe finds nothing (WCAG 2.2 AA among its rules), nothing is wider than a phone, and the browser says nothing."""
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 740}}
    async with visiting(None, **options) as visitor:
        await visitor.open("/sign-in")
        assert await visitor.violations() == []
        assert not await visitor.too_wide()
    for who, paths in (("supervisor", PAGES), ("auditor", AUDITORS)):
        async with visiting(who, **options) as visitor:
            for path in paths:
                await visitor.open(path.format(id=asked, lock=lock))
                assert (path, await visitor.violations()) == (path, [])
                assert (path, await visitor.too_wide()) == (path, False)
            assert visitor.noise == []


async def test_a_long_statement_leaves_room_for_what_else_waits(
    visiting: Callable[..., AbstractAsyncContextManager[Visitor]], asked: str
) -> None:
    """In the queue it takes four lines of a phone; its page has all of it."""
    async with visiting(viewport={"width": 360, "height": 740}) as visitor:
        words = visitor.page.locator(f"#e{asked} .words")
        lines = await words.evaluate("e => e.getBoundingClientRect().height / parseFloat(getComputedStyle(e).lineHeight)")
        await visitor.open(f"/escalations/{asked}")
        quoted = visitor.page.locator("blockquote").first

        assert round(lines) == 4
        assert await quoted.evaluate("e => e.scrollHeight <= e.clientHeight")
        assert "porch <b>today</b>" in await quoted.inner_text()


@pytest.mark.parametrize(("scheme", "width"), [("dark", 360), ("light", 1280)])
async def test_reviews_findings_and_what_a_search_finds_are_accessible_with_something_on_them(
    visiting: Callable[..., AbstractAsyncContextManager[Visitor]], judged: dict[str, str], scheme: str, width: int
) -> None:
    """The list and each page with a query on it, as long as a statement is; and the log with its finds."""
    options: dict[str, Any] = {"color_scheme": scheme, "viewport": {"width": width, "height": 740}}
    pages = {"supervisor": ["/reviews", judged["review"], judged["notice"]], "auditor": ["/reviews", judged["finding"]]}
    for who, paths in pages.items():
        async with visiting(who, **options) as visitor:
            for path in paths:
                await visitor.open(path)
                assert await visitor.page.locator("main dl.facts, main ol, main ul.cards").count()
                assert (path, await visitor.violations()) == (path, [])
                assert (path, await visitor.too_wide()) == (path, False)
            assert visitor.noise == []
    async with visiting("auditor", **options) as visitor:
        await find(visitor.page, visitor.url)
        assert await visitor.violations() == []
        assert not await visitor.too_wide()


async def test_both_steps_and_the_subjects_page_are_accessible(
    visiting: Callable[..., AbstractAsyncContextManager[Visitor]], asked: str
) -> None:
    """The pages that only a form leads to: confirming one, confirming several, whom it is about, and an error."""
    async with visiting(color_scheme="dark", viewport={"width": 360, "height": 740}) as visitor:
        page = visitor.page
        for move in ("approve", "refuse"):
            await visitor.open(f"/escalations/{asked}")
            await page.fill("#reason", REASON)
            await page.click(f"button[value={move}]")
            await page.wait_for_selector("text=/(Approve|Refuse) this/")
            assert await visitor.violations() == []
            assert not await visitor.too_wide()
        await visitor.open(f"/escalations/{asked}")
        for summary in await page.locator("summary").all():
            await summary.click()
        assert await visitor.violations() == []
        await page.fill("#need", "two women of that name live on the street")
        await page.click("text=Show the person")
        await page.wait_for_selector("text=Whom we know by that")
        assert await visitor.violations() == []
        await visitor.open("/queue/refuse")
        await page.check("input[name=id] >> nth=0")
        await page.fill("#reason", REASON)
        await page.click("main form button")
        await page.wait_for_selector("text=Refuse this one?")
        assert await visitor.violations() == []
        assert visitor.noise == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_answer_of_a_trace_is_accessible(
    visiting: Callable[..., AbstractAsyncContextManager[Visitor]], desk: Desk, scheme: str
) -> None:
    """The page that only a form leads to: leads with their sentences and entries, on a phone."""
    await desk.house.ask(desk.house.request())
    async with visiting("auditor", color_scheme=scheme, viewport={"width": 360, "height": 740}) as visitor:
        page = visitor.page
        await visitor.open("/leak")
        await page.fill("input[name=case]", docket.STOP)
        await page.fill("input[name=statement]", "complaint 26-118: a page with the numbers of our records")
        now = datetime.now(UTC).isoformat()
        await page.fill("textarea[name=published]", f"person_id={PERSON} @ {now}\nemail={'a' * 60}@example.org @ {now}")
        await page.click("main form button")
        await page.wait_for_selector("text=What this cannot tell")
        assert await page.locator("ol.queue > li").count() == 1
        assert await visitor.violations() == []
        assert not await visitor.too_wide()
        assert visitor.noise == []


async def test_a_supervisor_approves_with_the_keyboard_alone(
    visiting: Callable[..., AbstractAsyncContextManager[Visitor]], desk: Desk, asked: str
) -> None:
    """From the queue to the decision by Tab, Enter and typing; where the focus is can be seen at every step."""
    async with visiting() as visitor:
        page = visitor.page

        async def tab_to(wanted: str) -> None:
            for _ in range(40):
                await page.keyboard.press("Tab")
                here = await page.evaluate(
                    "[document.activeElement.outerHTML.slice(0, 200) + document.activeElement.textContent,"
                    " getComputedStyle(document.activeElement).outlineStyle]"
                )
                if wanted in here[0]:
                    assert here[1] != "none"
                    return
            pytest.fail(f"no Tab leads to {wanted}")

        await tab_to(f"/escalations/{asked}")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"**/escalations/{asked}")
        await tab_to('name="reason"')
        await page.keyboard.type(REASON)
        await tab_to('value="approve"')
        await page.keyboard.press("Enter")
        await page.wait_for_selector("text=Approve this?")
        await tab_to("Approve now")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/queue?said=approved")
        assert "Approved." in await page.inner_text("main")
    assert "escalation-move" in desk.kinds()


async def test_the_queue_brings_what_is_new_and_keeps_the_focus(
    visiting: Callable[..., AbstractAsyncContextManager[Visitor]], desk: Desk, asked: str
) -> None:
    """By server-sent events, without a reload; whoever is on a line of it with the keyboard stays there."""
    async with visiting() as visitor:
        line = visitor.page.locator(f'a[href="/escalations/{asked}"]')
        await line.focus()
        another = await desk.ask("paint thrown at a third porch while somebody was looking")

        await visitor.page.wait_for_selector(f'a[href="/escalations/{another}"]')

        assert await line.evaluate("it => it === document.activeElement")
        assert visitor.noise == []


async def test_an_open_page_says_that_somebody_else_has_decided(
    visiting: Callable[..., AbstractAsyncContextManager[Visitor]], desk: Desk, asked: str
) -> None:
    """What was typed so far is still there."""
    async with visiting() as visitor:
        await visitor.open(f"/escalations/{asked}")
        await visitor.page.fill("#reason", REASON)
        await desk.cancel_all()

        await visitor.page.wait_for_selector("text=This escalation is canceled now.")

        assert await visitor.page.input_value("#reason") == REASON


async def test_without_scripts_everything_but_liveness_works(
    visiting: Callable[..., AbstractAsyncContextManager[Visitor]], asked: str
) -> None:
    """Sign in, read, decide, sign out."""
    async with visiting(java_script_enabled=False) as visitor:
        page = visitor.page
        assert await page.locator("main noscript a[href='/queue']").is_visible()
        await page.click(f'a[href="/escalations/{asked}"]')
        await page.fill("#reason", REASON)
        await page.click("button[value=refuse]")
        await page.click("text=Refuse now")
        assert "Refused." in await page.inner_text("main")
        await page.click("text=Sign out")
        assert "You are signed out." in await page.inner_text("main")


async def test_a_session_that_ends_elsewhere_takes_its_open_page_away(
    visiting: Callable[..., AbstractAsyncContextManager[Visitor]], desk: Desk
) -> None:
    """Signed out everywhere in one browser, the other one shows the sign-in within seconds."""
    async with visiting("lieutenant") as left_open, visiting("lieutenant") as other:
        await other.open("/account")
        await other.page.click("text=Sign out everywhere")

        await left_open.page.wait_for_url(re.compile(r"/sign-in\?"))

        assert await left_open.page.locator("#waiting").count() == 0
    assert "session-ended" in desk.kinds()


async def test_a_page_prints_what_was_decided_upon_and_no_buttons(
    visiting: Callable[..., AbstractAsyncContextManager[Visitor]], asked: str
) -> None:
    """Black on white, also for who reads in the dark."""
    async with visiting(color_scheme="dark") as visitor:
        await visitor.open(f"/escalations/{asked}")
        await visitor.page.emulate_media(media="print")

        assert not await visitor.page.locator("text=Approve …").is_visible()
        assert not await visitor.page.locator("nav").is_visible()
        assert await visitor.page.locator("h1").is_visible()
        colors = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('h1')).color]"
        assert await visitor.page.evaluate(colors) == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]
