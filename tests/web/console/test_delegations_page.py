from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from proxy.clock import utc_now

if TYPE_CHECKING:
    from tests.web.console.conftest import Browser, Desk, Sight

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def handed_on(browser: Browser, delegate: str, days: int = 2, **more: str) -> Sight:
    """Fill in the form."""
    page = await browser.get("/delegations")
    through = (utc_now() + timedelta(days=days)).date().isoformat()
    return await browser.submit(page, "/delegations", **({"delegate": delegate, "first": "", "through": through} | more))


async def test_both_see_who_stands_in_and_either_ends_it(desk: Desk) -> None:
    """Without scripts, from the account's page; a third sees nothing of it and cannot end it."""
    supervisor, lieutenant, auditor = [await desk.signed_in(who) for who in ("supervisor", "lieutenant", "auditor")]

    done = await handed_on(supervisor, "badge-1005")

    assert (done.status, done.headers["Location"]) == (303, "/delegations?said=handed-on")
    assert "/delegations" in (await supervisor.get("/account")).body
    mine = await supervisor.get("/delegations")
    assert "badge-1005 stands in for you, as supervisor" in mine.words
    assert "You stand in for badge-1004" in (await lieutenant.get("/delegations")).words
    assert "badge-1004" not in (await auditor.get("/delegations")).words
    path = re.findall(r'action="(/delegations/[0-9a-f]+/end)"', mine.body)[0]
    token = (await auditor.get("/account")).hidden["form_token"]
    assert (await auditor.post(path, {"form_token": token})).status == 404
    assert (await lieutenant.post(path, {})).status == 403
    over = await lieutenant.submit(await lieutenant.get("/delegations"), path)
    assert (over.status, over.headers["Location"]) == (303, "/delegations?said=ended-delegation")
    assert "badge-1005 stands in" not in (await supervisor.get("/delegations")).words


@pytest.mark.parametrize(
    "wrong",
    [{"through": "soon"}, {"through": "2020-01-01"}, {"first": "x"}, {"delegate": "badge-1004"}, {"delegate": "nobody"}],
)
async def test_who_cannot_stand_in_does_not(desk: Desk, wrong: dict[str, str]) -> None:
    """A day that is none, one that is past, oneself, somebody who is not there."""
    told = await handed_on(await desk.signed_in(), **({"delegate": "badge-1005"} | wrong))  # type: ignore[arg-type]

    assert (told.status, "Nobody can stand in like this" in told.words) == (422, True)


async def test_who_decides_on_nothing_is_offered_no_form(desk: Desk) -> None:
    """And a form made by hand hands on nothing."""
    officer = await desk.signed_in("officer")

    page, tried = await officer.get("/delegations"), await handed_on(officer, "badge-1002")

    assert ('name="delegate"' in page.body, tried.status) == (False, 422)
