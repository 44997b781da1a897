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

REASON = "the case is theirs and the need is plain"


async def checked(browser: Browser, escalation: str, move: str = "approve", reason: str = REASON) -> Sight:
    """Open an escalation and take the first of the two steps."""
    page = await browser.get(f"/escalations/{escalation}")
    return await browser.submit(page, f"/escalations/{escalation}/check", move=move, reason=reason)


async def confirmed(browser: Browser, escalation: str, move: str = "approve") -> Sight:
    """Take both steps."""
    return await browser.submit(await checked(browser, escalation, move), f"/escalations/{escalation}/{move}")


@pytest_asyncio.fixture(loop_scope="session")
async def asked(desk: Desk) -> AsyncIterator[str]:
    """An escalation that waits; whatever still waits afterwards is taken back."""
    escalation = await desk.ask()
    yield escalation
    await desk.cancel_all()


async def test_what_waits_is_in_the_queue_with_its_age_and_the_time_left(desk: Desk, asked: str) -> None:
    """For who may decide it; the one who asked finds nothing to decide."""
    queue = await (await desk.signed_in()).get("/queue")

    assert f"/escalations/{asked}" in queue.body
    assert re.search(r"badge-1001 14 min|badge-1001 15 min", queue.words)
    assert "paint thrown at front porch" in queue.words
    assert asked not in (await (await desk.signed_in("officer")).get("/queue")).body


async def test_the_page_tells_all_that_a_decision_takes_and_not_who_it_is(desk: Desk, asked: str) -> None:
    """Who, for which case, why, what would be shown; neither the name nor the record's number."""
    page = await (await desk.signed_in()).get(f"/escalations/{asked}")

    for said in (
        "badge-1001 wants a search for a person",
        "paint thrown at front porch",
        "Paint thrown at a front porch on Magnolia Court",
        "On the case by name",
        "about the same person",
        "Was not answered about the same person in 30 days",
        "An approval shows",
        "masked social security number",
        "a protected person: a supervisor has to agree",
        "one supervisor",
        "May decide: badge-1004",
    ):
        assert said.lower() in page.words.lower()
    assert "whitcombe" not in page.body.lower()
    assert desk.house.mayor not in page.body


async def test_approving_takes_two_steps_and_the_first_does_nothing(desk: Desk, asked: str) -> None:
    """The first shows what would be done; only the second is in the log."""
    browser, before = await desk.signed_in(), len(desk.kinds())

    step = await checked(browser, asked)

    assert "Approve this?" in step.words
    assert REASON in step.words
    assert "escalation-move" not in desk.kinds()[before:]

    done = await browser.submit(step, f"/escalations/{asked}/approve")

    assert (done.status, done.headers["Location"]) == (303, "/queue?said=approved")
    assert "escalation-move" in desk.kinds()[before:]
    assert asked not in (await browser.get("/queue")).body


async def test_a_refusal_has_its_reason_and_the_officer_reads_it(desk: Desk, asked: str) -> None:
    """On the officer's own page, too."""
    await confirmed(await desk.signed_in(), asked, "refuse")

    own = await (await desk.signed_in("officer")).get(f"/escalations/{asked}")

    assert "refused" in own.words
    assert REASON in own.words


@pytest.mark.parametrize("reason", ["", "short", "       x", "x" * 1001])
@pytest.mark.parametrize("move", ["approve", "refuse"])
async def test_nobody_decides_without_a_reason(desk: Desk, asked: str, reason: str, move: str) -> None:
    """Neither in the first step nor by skipping it."""
    browser = await desk.signed_in()
    page = await browser.get(f"/escalations/{asked}")

    first = await browser.submit(page, f"/escalations/{asked}/check", move=move, reason=reason)
    skipped = await browser.submit(page, f"/escalations/{asked}/{move}", reason=reason)

    assert [first.status, skipped.status] == [422, 422]
    assert "Your reason is missing" in first.words
    assert asked in (await browser.get("/queue")).body


async def test_the_officer_cannot_approve_their_own_query_by_any_of_the_pages(desk: Desk, asked: str) -> None:
    """Each step refuses, and the log remembers who tried."""
    officer, before = await desk.signed_in("officer"), len(desk.kinds())
    token = (await officer.get("/account")).hidden["form_token"]
    supervisors = (await (await desk.signed_in()).get(f"/escalations/{asked}")).hidden["seen"]
    fields = {"form_token": token, "seen": supervisors, "reason": REASON, "move": "approve", "id": asked}

    paths = [f"/escalations/{asked}/{step}" for step in ("check", "approve", "refuse", "reveal")] + ["/queue/refuse"]
    answers = [await officer.post(path, fields) for path in paths]

    assert [answer.status for answer in answers] == [403, 403, 403, 403, 200]
    assert "Not all were refused" in answers[-1].words
    assert desk.kinds()[before:].count("refused") >= 4
    assert asked in (await (await desk.signed_in()).get("/queue")).body


@pytest.mark.parametrize("who", ["colleague", "detective", "auditor", "steward"])
async def test_whose_it_is_not_finds_nothing_by_its_number(desk: Desk, asked: str, who: str) -> None:
    """The same answer as for a number that nothing has, from every page that takes one."""
    browser = await desk.signed_in(who)
    token = (await browser.get("/account")).hidden["form_token"]
    fields = {"form_token": token, "seen": "x", "reason": REASON, "move": "approve", "id": asked}

    def told(answer: Sight) -> tuple[int, str]:
        return answer.status, re.sub(r"log/\d+", "", answer.words)

    for path in ("/escalations/{}", "/escalations/{}/live"):
        assert told(await browser.get(path.format(asked))) == told(await browser.get(path.format("f" * 32)))
    for step in ("check", "approve", "refuse", "reveal"):
        answer = await browser.post(f"/escalations/{asked}/{step}", fields)
        assert told(answer) == told(await browser.post(f"/escalations/{'f' * 32}/{step}", fields))
        assert answer.status == 404


async def test_whom_it_is_about_is_shown_for_a_reason_that_is_in_the_log_first(desk: Desk, asked: str) -> None:
    """Without one nothing is shown; with one, an entry precedes the name."""
    browser, before = await desk.signed_in(), len(desk.kinds())
    page = await browser.get(f"/escalations/{asked}")

    refused = await browser.submit(page, f"/escalations/{asked}/reveal", reason="")
    assert "whitcombe" not in refused.body.lower()
    assert "subject-revealed" not in desk.kinds()[before:]

    shown = await browser.submit(page, f"/escalations/{asked}/reveal", reason="two women of that name live on the street")

    assert "whitcombe" in shown.body.lower()
    assert desk.kinds()[before:].count("subject-revealed") == 1


async def test_in_two_tabs_the_second_decision_finds_the_first(desk: Desk, asked: str) -> None:
    """Approve in one, then refuse or approve in the other: it says what happened, and changes nothing."""
    browser = await desk.signed_in()
    tabs = [await checked(browser, asked, move) for move in ("approve", "refuse", "approve")]
    await browser.submit(tabs[0], f"/escalations/{asked}/approve")

    refuse = await browser.submit(tabs[1], f"/escalations/{asked}/refuse")
    again = await browser.submit(tabs[2], f"/escalations/{asked}/approve")

    assert [refuse.status, again.status] == [409, 409]
    assert "was faster" in refuse.words
    assert "approved" in (await browser.get(f"/escalations/{asked}")).words


async def test_what_was_not_shown_is_not_approved(desk: Desk, asked: str) -> None:
    """A form whose digest is another one than that of what would be approved does nothing."""
    browser = await desk.signed_in()
    step = await checked(browser, asked)

    answer = await browser.submit(step, f"/escalations/{asked}/approve", seen="0" * 64)

    assert answer.status == 409
    assert "look again" in answer.words
    assert asked in (await browser.get("/queue")).body


async def test_nothing_is_approved_after_it_expired(desk_opened: Callable[..., AbstractAsyncContextManager[Desk]]) -> None:
    """The form was opened in time; the deadline counts, not the page."""
    async with desk_opened(escalations__expires_seconds=4) as desk:
        browser = await desk.signed_in()
        asked = await desk.ask()
        step = await checked(browser, asked)
        await desk.until_kind("escalation-move")

        answer = await browser.submit(step, f"/escalations/{asked}/approve")

        assert answer.status == 409
        assert "expired" in answer.words


HOSTILE = [
    "<script>alert(1)</script> stopped the driver",
    "stopped the driver '\" onmouseover=alert(1) x='",
    "{{ 7*7 }}{% raw %} stopped the driver ${alert(1)}",
    "</textarea></form><form action=//evil.example> stopped driver",
    "<img src=x onerror=alert(1)> stopped the driver, no plates",
    "stopped the driver &lt;b&gt; javascript:alert(1) no plates",
]


@pytest.mark.parametrize("statement", HOSTILE)
async def test_what_an_officer_types_is_text_on_every_page(desk: Desk, statement: str) -> None:
    """The statement, and the supervisor's own reason, are escaped: no element, attribute or template comes of them."""
    asked = await desk.ask(statement)
    browser = await desk.signed_in()

    pages = [
        await browser.get("/queue"),
        await browser.get("/queue/refuse"),
        await browser.get(f"/escalations/{asked}"),
        await checked(browser, asked, reason=statement),
    ]
    pages.append(await browser.submit(pages[1], "/queue/refuse/check", id=asked, reason=statement))
    pages.append(await browser.submit(pages[3], f"/escalations/{asked}/approve"))
    pages.append(await (await desk.signed_in("officer")).get(f"/escalations/{asked}"))

    for page in pages:
        assert page.status in {200, 303}
        assert page.foreign == []
        assert "49 stopped" not in page.body
    assert all(" ".join(statement.split()) in page.words for page in pages[1:5])


async def test_several_are_refused_at_once_with_one_reason_and_none_is_approved_so(desk: Desk) -> None:
    """Two steps; only those that were ticked; there is no page that approves several."""
    asked = [await desk.ask(f"paint thrown at porch number {word}") for word in ("one", "two", "three")]
    browser = await desk.signed_in()
    page = await browser.get("/queue/refuse")
    ticked = [("id", each) for each in asked[:2]]

    step = await browser.send("/queue/refuse/check", [*page.hidden.items(), *ticked, ("reason", REASON)])
    done = await browser.send("/queue/refuse", [("form_token", page.hidden["form_token"]), *ticked, ("reason", REASON)])

    assert "Refuse these 2?" in step.words
    assert done.headers["Location"] == "/queue?said=refused-all"
    queue = await browser.get("/queue")
    assert [each in queue.body for each in asked] == [False, False, True]
    assert (await browser.submit(page, "/queue/approve", id=asked[2], reason=REASON)).status == 404
    await desk.cancel_all()


async def test_the_queue_is_live(desk: Desk) -> None:
    """A new escalation comes by itself, as a part of the page; a stream ends with the session, and tells the page so."""
    browser = await desk.signed_in("lieutenant")
    async with browser.live("/queue/live") as messages:
        assert "Nothing waits for you" in await anext(messages)
        asked = await desk.ask("paint thrown at front porch while the queue was open")
        assert asked in await anext(messages)
        await browser.submit(await browser.get("/account"), "/sign-out/everywhere")
        assert "event: over" in await anext(messages)
    await desk.cancel_all()


async def test_a_stream_of_nobody_is_over_at_once(desk: Desk) -> None:
    """It does not redirect: a page that is live would follow, and show the sign-in as its own part."""
    answer = await desk.stranger().get("/queue/live", Accept="text/event-stream")

    assert (answer.status, answer.body) == (200, "event: over\ndata: over\n\n")


async def test_a_supervisor_asks_for_more_and_the_officer_adds_to_the_statement(desk: Desk, asked: str) -> None:
    """Both on the page; what was opened before the addition approves nothing."""
    supervisor, officer = await desk.signed_in(), await desk.signed_in("officer")
    page = await supervisor.get(f"/escalations/{asked}")
    before = await checked(supervisor, asked)

    question = await supervisor.submit(page, f"/escalations/{asked}/ask", reason="which porch, and who called it in?")
    own = await officer.get(f"/escalations/{asked}")
    added = await officer.submit(
        own, f"/escalations/{asked}/amend", words="number seventeen, the neighbor called, paint runs into the street"
    )
    late = await supervisor.submit(before, f"/escalations/{asked}/approve")

    assert [question.headers["Location"], added.headers["Location"]] == [
        f"/escalations/{asked}?said=asked",
        f"/escalations/{asked}?said=added",
    ]
    assert "which porch" in own.words
    assert late.status == 409
    assert "paint runs into the street" in (await supervisor.get(f"/escalations/{asked}")).words
    assert (await confirmed(supervisor, asked)).headers["Location"] == "/queue?said=approved"


async def test_the_officer_takes_a_query_back(desk: Desk, asked: str) -> None:
    """On their own page; it leaves the queue."""
    officer = await desk.signed_in("officer")

    gone = await officer.submit(await officer.get(f"/escalations/{asked}"), f"/escalations/{asked}/cancel")

    assert gone.headers["Location"] == f"/escalations/{asked}?said=canceled"
    assert asked not in (await (await desk.signed_in()).get("/queue")).body


async def test_who_is_locked_does_nothing_at_the_console_but_sign_out(
    desk_opened: Callable[..., AbstractAsyncContextManager[Desk]],
) -> None:
    """At the next request, with a page that was open before, and by no sign-in anew."""
    async with desk_opened() as desk:
        asked = await desk.ask()
        locked = await desk.signed_in("lieutenant")
        step = await checked(locked, asked)
        await desk.lock("principal", "badge-1005")

        pages = [await locked.get(path) for path in ("/queue", f"/escalations/{asked}", "/policy")]
        approve = await locked.submit(step, f"/escalations/{asked}/approve")
        anew = await desk.signed_in("lieutenant")

        assert [page.status for page in (*pages, approve, await anew.get("/queue"))] == [403] * 5
        assert "A lock stops this" in approve.words
        assert asked in (await (await desk.signed_in()).get("/queue")).body
        out = await locked.submit(await locked.get("/account"), "/sign-out")
        assert out.headers["Location"] == "/sign-in?said=signed-out"


async def test_the_page_tells_how_often_the_same_person_was_looked_up(desk: Desk) -> None:
    """What was answered counts, an emergency too, and not only what waited for a supervisor."""
    await desk.emergency()
    escalation = await desk.ask()
    page = await (await desk.signed_in()).get(f"/escalations/{escalation}")
    await desk.cancel_all()

    assert "Was answered about the same person 1 time in 30 days." in page.words
