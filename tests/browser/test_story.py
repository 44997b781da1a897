"""The whole story in three browsers: an officer asks, two supervisors who each have to agree, and the answer, once."""

from __future__ import annotations

import re
import shutil
import socket
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from proxy.demo.home import shipped_policies
from tests.browser.conftest import Office
from tests.web.conftest import PURPOSE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from playwright.async_api import APIResponse, Browser

    from proxy.demo.home import Home
    from proxy.demo.town import Town
    from tests.browser.conftest import Person
    from tests.web.console.conftest import Desk

pytestmark = pytest.mark.asyncio(loop_scope="session")

REASON = "the threat against the house is on file"


@pytest.fixture
def two_have_to_agree(tmp_path: Path) -> Path:
    """The shipped policy, but for a protected person two supervisors have to agree, each for a stage of their own."""
    folder = tmp_path / "policies"
    shutil.copytree(shipped_policies(), folder)
    sheet = folder / "policy.csv"
    before, row, after = sheet.read_text("utf-8").partition("escalate,  E01,")
    line, _, rest = after.partition("\n")
    changed = line.replace("exigent=", "stages=shift_supervisor+command; exigent=", 1)
    assert changed != line
    sheet.write_text(f"{before}{row}{changed}\n{rest}", "utf-8")
    stages = folder / "approvals.yaml"
    # The demo's directory knows no ranks; what a rank does is specified in tests/escalation.
    stages.write_text(re.sub(r", rank: \w+\+", "", stages.read_text("utf-8")), "utf-8")
    return folder


@pytest_asyncio.fixture(loop_scope="session")
async def office(
    chromium: Browser,
    desk_opened: Callable[..., AbstractAsyncContextManager[Desk]],
    world: tuple[Home, Town],
    two_have_to_agree: Path,
) -> AsyncIterator[Office]:
    """The product under that policy; nobody confirms anything without a passkey."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    async with desk_opened(step_up__mode="webauthn", doors__console__port=port, policies=two_have_to_agree) as desk:
        yield Office(desk, chromium, f"http://localhost:{port}", world[0].config)
        for context in chromium.contexts:
            await context.close()


async def registered(office: Office, who: str) -> Person:
    """Have somebody sign in, and register a passkey with a code from the identity desk."""
    person = await office.person(who)
    await person.sign_in()
    await person.authenticator()
    await person.page.goto(f"{office.url}/passkeys")
    await person.page.fill("input[name=code]", await office.invite(who))
    await person.page.click("text=Go on")
    await person.page.click("text=Make the passkey")
    await person.page.wait_for_selector("text=Your passkey is registered")
    await person.page.goto(f"{office.url}/queue")
    return person


async def look_up_the_mayor(office: Office, officer: Person) -> APIResponse:
    """Send the query from the officer's terminal."""
    headers = {"Authorization": f"Bearer {officer.key}", "Query-Purpose": PURPOSE}
    door = office.desk.house.door.url
    return await officer.context.request.get(f"{door}/records/persons/{office.desk.house.mayor}", headers=headers)


async def approve(person: Person, escalation: str) -> None:
    """Decide as from a notice: the queue shows it by itself, two steps, the passkey."""
    page = person.page
    await page.click(f'a[href="/escalations/{escalation}"]')
    await page.fill("#reason", REASON)
    await page.click("button[value=approve]")
    await page.wait_for_selector("text=Approve this?")
    await page.click("text=Approve now")
    await page.wait_for_url("**/queue?said=*")


async def test_the_whole_story(office: Office) -> None:
    """Neither of them alone opens the record; both do, once; and the log has every step before it took effect."""
    sergeant, lieutenant = await registered(office, "supervisor"), await registered(office, "lieutenant")
    officer = await office.person("officer")
    await officer.sign_in()
    size = len(office.desk.kinds())

    asked = await look_up_the_mayor(office, officer)
    assert asked.status == 403
    escalation = (await asked.json())["escalation"]["id"]
    await officer.page.goto(f"{office.url}/escalations/{escalation}")
    assert "pending" in await officer.page.inner_text("main")
    assert await officer.page.locator("button[value=approve]").count() == 0

    # Both queues show it by themselves: nobody has reloaded anything.
    await sergeant.page.wait_for_selector(f'a[href="/escalations/{escalation}"]')
    await lieutenant.page.wait_for_selector(f'a[href="/escalations/{escalation}"]')
    await approve(sergeant, escalation)
    assert "Another person has to agree" in await sergeant.page.inner_text("main")
    assert (await look_up_the_mayor(office, officer)).status == 403

    await approve(lieutenant, escalation)
    assert "Approved." in await lieutenant.page.inner_text("main")
    for each in (sergeant, lieutenant):
        await each.page.wait_for_selector("text=Nothing waits for you")

    answered = await look_up_the_mayor(office, officer)
    assert answered.status == 200
    again = await look_up_the_mayor(office, officer)
    assert (await again.json())["type"] == "/problems/grant-spent"

    entries = office.desk.house.entries()[size:]
    moves = [(entry.facts["move"], entry.facts["to"]) for entry in entries if entry.kind == "escalation-move"]
    assert moves == [("approve", "pending"), ("approve", "approved"), ("redeem", "redeemed")]
    confirmed = [
        entry.facts["assurance"] for entry in entries if entry.kind == "escalation-move" and "assurance" in entry.facts
    ]
    assert len({each["credential"] for each in confirmed if isinstance(each, dict)}) == 2
    kinds = [entry.kind for entry in entries]
    assert kinds.index("escalated") < kinds.index("escalation-move") < kinds.index("disclosed")


async def test_a_stolen_cookie_is_of_no_use_for_an_approval(office: Office) -> None:
    """Who has a supervisor's cookie, but not their passkey, gets as far as the second step, and no further."""
    sergeant, officer = await registered(office, "supervisor"), await office.person("officer")
    asked = await look_up_the_mayor(office, officer)
    escalation = (await asked.json())["escalation"]["id"]
    thief = await office.person("officer")
    for cookie in await sergeant.context.cookies():
        stolen = {
            "name": cookie["name"],
            "value": cookie["value"],
            "url": "https://localhost",
            "secure": True,
            "httpOnly": True,
        }
        await thief.context.add_cookies([stolen])  # type: ignore[list-item]
    await thief.authenticator()
    page = thief.page
    await page.goto(f"{office.url}/escalations/{escalation}")
    await page.fill("#reason", REASON)
    await page.click("button[value=approve]")
    await page.click("text=Approve now")
    await page.wait_for_selector("[role=alert]:has-text('Nothing was done')")

    assert (await look_up_the_mayor(office, officer)).status == 403
    assert "approve" not in [
        entry.facts.get("move") for entry in office.desk.house.entries() if entry.kind == "escalation-move"
    ]


async def test_two_tabs_of_one_person_are_one_agreement(office: Office) -> None:
    """Whoever agreed in one tab cannot agree for the second stage from another that was left open."""
    lieutenant, officer = await registered(office, "lieutenant"), await office.person("officer")
    escalation = (await (await look_up_the_mayor(office, officer)).json())["escalation"]["id"]
    other = await lieutenant.context.new_page()
    await other.goto(f"{office.url}/escalations/{escalation}")
    await other.fill("#reason", REASON)
    await lieutenant.page.wait_for_selector(f'a[href="/escalations/{escalation}"]')
    await approve(lieutenant, escalation)

    await other.click("button[value=approve]")

    await other.wait_for_selector("text=/agreed already|look again/")
    assert (await look_up_the_mayor(office, officer)).status == 403
    moves = [entry.facts["move"] for entry in office.desk.house.entries() if entry.kind == "escalation-move"]
    assert moves == ["approve"]
