from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager

    from tests.web.console.conftest import Browser, Desk, Sight

pytestmark = pytest.mark.asyncio(loop_scope="session")

REASON = "left open in the car over night"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def desk(desk_opened: Callable[..., AbstractAsyncContextManager[Desk]]) -> AsyncIterator[Desk]:
    """A product of this room's own: a lock that a test leaves behind would stop those of others."""
    async with desk_opened() as running:
        yield running


async def locked(browser: Browser, kind: str, target: str, **more: str) -> Sight:
    """Fill in the form of the page of locks."""
    page = await browser.get("/locks")
    return await browser.submit(
        page, "/locks", **({"kind": kind, "target": target, "reason": REASON, "hours": "", "anyway": "anyway"} | more)
    )


async def path_of(browser: Browser, target: str) -> str:
    """Return the page of the lock on something."""
    body = (await browser.get("/locks")).body
    return str(re.findall(rf'href="(/locks/[0-9a-f]+)">\s*<strong>[^<]*<bdi class="typed">{target}<', body)[0])


async def lifted(browser: Browser, path: str, reason: str = "it is back with its officer") -> Sight:
    """Fill in the form of a lock's page."""
    token = (await browser.get("/account")).hidden["form_token"]
    return await browser.post(f"{path}/lift", {"form_token": token, "reason": reason})


async def test_a_supervisor_locks_a_terminal_and_another_one_lifts_it_without_scripts(desk: Desk) -> None:
    """The page says what holds, by whom, why and how long; what is lifted is among those that ended, with both names."""
    supervisor, lieutenant = await desk.signed_in("supervisor"), await desk.signed_in("lieutenant")

    done = await locked(supervisor, "terminal", "car-77", hours="12")
    seen = await lieutenant.get("/locks")

    assert (done.status, done.headers["Location"]) == (303, "/locks?said=locked-now")
    for said in ("A terminal: car-77", REASON, "by badge-1004, supervisor", "11 h 59 min left"):
        assert said in seen.words
    path = await path_of(lieutenant, "car-77")
    page = await lieutenant.get(path)
    assert "Lift it" in page.words
    over = await lieutenant.submit(page, f"{path}/lift", reason="it is back with its officer")
    assert (over.status, over.headers["Location"]) == (303, "/locks?said=lifted")
    after = await lieutenant.get("/locks")
    assert "Nothing is locked." in after.words
    assert re.search("car-77 locked by badge-1004 .* ended by badge-1005", after.words)
    assert desk.kinds()[-20:].count("lock-added") >= 1
    assert "lock-ended" in desk.kinds()


async def test_whoever_locked_does_not_lift_and_is_told_so_before_they_try(desk: Desk) -> None:
    """The page has no form for it, and the form made by hand is refused."""
    supervisor = await desk.signed_in()
    await locked(supervisor, "terminal", "car-78")
    path = await path_of(supervisor, "car-78")

    page, tried = await supervisor.get(path), await lifted(supervisor, path)

    assert f"{path}/lift" not in page.body
    assert "You locked it; another person has to lift it." in page.words
    assert (tried.status, "Another person has to do this" in tried.words) == (403, True)
    assert (await lifted(await desk.signed_in("lieutenant"), path)).status == 303
    assert (await lifted(await desk.signed_in("lieutenant"), path)).status == 409


async def test_who_may_not_lock_finds_no_such_page_and_an_auditor_only_reads(desk: Desk) -> None:
    """Neither by the menu nor by a form made by hand."""
    supervisor = await desk.signed_in()
    await locked(supervisor, "terminal", "car-79")
    path, before = await path_of(supervisor, "car-79"), desk.kinds().count("lock-added")

    for who in ("officer", "steward"):
        browser = await desk.signed_in(who)
        token = (await browser.get("/account")).hidden["form_token"]
        fields = {"form_token": token, "kind": "terminal", "target": "car-80", "reason": REASON, "hours": ""}
        answers = [await browser.get("/locks"), await browser.get(path), await browser.post("/locks", fields)]
        assert [each.status for each in answers] == [404, 404, 404]
        assert (await lifted(browser, path)).status == 404
        assert 'href="/locks"' not in (await browser.get("/account")).body
    auditor = await desk.signed_in("auditor")
    read = await auditor.get("/locks")
    token = (await auditor.get("/account")).hidden["form_token"]
    tried = await auditor.post("/locks", {"form_token": token, "kind": "terminal", "target": "car-80", "reason": REASON})

    assert ("car-79" in read.words, 'action="/locks"' in read.body) == (True, False)
    assert f"{path}/lift" not in (await auditor.get(path)).body
    assert (tried.status, (await lifted(auditor, path)).status) == (405, 404)
    assert desk.kinds().count("lock-added") == before
    await lifted(await desk.signed_in("lieutenant"), path)


async def test_a_lock_of_the_oversight_desk_is_not_a_supervisors_to_see_or_lift(desk: Desk) -> None:
    """Its number is told from none that is not there."""
    oversight, supervisor = await desk.signed_in("oversight"), await desk.signed_in()
    await locked(oversight, "terminal", "car-81")
    path = await path_of(oversight, "car-81")

    answers = [await supervisor.get(path), await supervisor.get("/locks/" + "0" * 32)]

    assert [each.status for each in answers] == [404, 404]
    titles = [re.findall("<h1>(.*?)</h1>", each.body) for each in answers]
    assert titles[0] == titles[1]
    assert "car-81" not in (await supervisor.get("/locks")).words
    assert (await lifted(supervisor, path)).status == 404


async def test_nobody_locks_by_another_sites_form_nor_without_the_pages_token(desk: Desk) -> None:
    """CSRF: setting and lifting alike."""
    supervisor, lieutenant = await desk.signed_in(), await desk.signed_in("lieutenant")
    await locked(supervisor, "terminal", "car-82")
    path, before = await path_of(lieutenant, "car-82"), desk.kinds()
    fields = {"kind": "terminal", "target": "car-83", "reason": REASON, "hours": ""}
    foreign = (await supervisor.get("/locks")).hidden["form_token"]

    forged = [
        await lieutenant.post("/locks", fields),
        await lieutenant.post("/locks", fields | {"form_token": foreign}),
        await lieutenant.post(f"{path}/lift", {"reason": REASON, "form_token": foreign}),
    ]

    assert [each.status for each in forged] == [403, 403, 403]
    assert desk.kinds().count("lock-added") == before.count("lock-added")
    assert desk.kinds().count("lock-ended") == before.count("lock-ended")
    await lifted(lieutenant, path)


@pytest.mark.parametrize(
    ("wrong", "status"),
    [({"kind": "everything"}, 422), ({"hours": "5000"}, 422), ({"target": "a b c"}, 422), ({"reason": "short"}, 422)],
)
async def test_what_cannot_be_locked_is_said_and_nothing_is(desk: Desk, wrong: dict[str, str], status: int) -> None:
    """A kind that there is none of, a time that is not on the list, a target of no form, no reason."""
    before = desk.kinds().count("lock-added")

    told = await locked(await desk.signed_in(), **({"kind": "terminal", "target": "car-84"} | wrong))

    assert (told.status, desk.kinds().count("lock-added")) == (status, before)


async def test_a_link_fills_the_form_and_can_put_no_words_of_its_own_on_the_page(desk: Desk) -> None:
    """From the page of people; what a stranger's link says stays inside the field."""
    supervisor = await desk.signed_in()

    people = await supervisor.get("/people")
    filled = await supervisor.get("/locks?kind=terminal&target=car-12")
    nasty = await supervisor.get("/locks?kind=%22%3E%3Cscript%3E&target=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")

    assert "/locks?kind=principal&amp;target=badge-1001#set" in people.body
    assert '<option value="terminal" selected>' in filled.body
    assert 'name="target" value="car-12"' in filled.body
    assert nasty.foreign == []


@pytest.mark.parametrize(("kind", "target"), [("principal", "badge-1o01"), ("terminal", "Car-12"), ("case", "26-004T51")])
async def test_a_mistyped_target_stops_nobody_and_says_so_at_once(desk: Desk, kind: str, target: str) -> None:
    """Nothing is locked; the form comes back as it was filled in, with a box that has to be ticked to mean it."""
    supervisor, before = await desk.signed_in(), desk.kinds().count("lock-added")

    told = await locked(supervisor, kind, target, anyway="", hours="12")

    assert told.status == 422
    assert f"No {kind} of this name is known: nothing is stopped yet." in told.words
    for filled in (f'value="{target}"', f"{REASON}</textarea>", 'value="12" selected', f'value="{kind}" selected'):
        assert filled in told.body
    assert desk.kinds().count("lock-added") == before

    meant = {"kind": kind, "target": target, "reason": REASON, "hours": "12", "anyway": "anyway"}
    assert (await supervisor.submit(told, "/locks", **meant)).status == 303
    assert desk.kinds().count("lock-added") == before + 1
    await lifted(await desk.signed_in("lieutenant"), await path_of(supervisor, target))


async def test_what_is_known_is_locked_without_a_question_and_of_subjects_none_is_asked(desk: Desk) -> None:
    """The right name goes through; whether an entry of the registry is there, the answer does not say."""
    supervisor, lieutenant = await desk.signed_in(), await desk.signed_in("lieutenant")
    known = {"terminal": "car-12", "subject": "entry/no-such-entry", "case": "26-004251"}
    for kind, target in known.items():
        assert (await locked(supervisor, kind, target, anyway="")).status == 303, kind
        await lifted(lieutenant, await path_of(supervisor, target))


async def test_an_escalation_s_page_leads_to_the_form_that_stops_it(desk: Desk) -> None:
    """Who asks, the terminal, the case and the approval: each a link that fills the form; whoever may not lock has none."""
    escalation = await desk.ask()
    page = await (await desk.signed_in()).get(f"/escalations/{escalation}")

    for kind, target in (("principal", "badge-1001"), ("terminal", "car-12"), ("grant", escalation)):
        assert f"/locks?kind={kind}&amp;target={target}#set" in page.body
    assert "/locks?kind=case&amp;target=26-" in page.body
    assert "/locks?kind=" not in (await (await desk.signed_in("officer")).get(f"/escalations/{escalation}")).body
    await desk.cancel_all()


async def test_the_oversight_desk_sees_the_people_whom_it_can_stop(desk: Desk) -> None:
    """Of every agency, with the links to the form."""
    page = await (await desk.signed_in("oversight")).get("/people")

    assert page.status == 200
    assert "/locks?kind=principal&amp;target=badge-1001#set" in page.body
