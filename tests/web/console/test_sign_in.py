from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from proxy.web.console.attempts import BURST
from proxy.web.console.respond import SECURE_HEADERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from tests.web.console.conftest import Desk

pytestmark = pytest.mark.asyncio(loop_scope="session")

COOKIE = re.compile(r"__Host-showcause=[A-Za-z0-9_-]{43}; Path=/; Secure; HttpOnly; SameSite=Lax\Z")


async def test_a_key_from_the_command_line_opens_the_console(desk: Desk) -> None:
    """Without scripts: the form, the cookie, the queue; and an entry for it."""
    browser, before = desk.stranger(), len(desk.kinds())
    assert (await browser.get("/queue")).headers["Location"] == "/sign-in?next=/queue"
    form = await browser.get("/sign-in?next=/queue")

    answer = await browser.submit(form, "/sign-in", key=desk.keys["supervisor"])

    assert (answer.status, answer.headers["Location"]) == (303, "/queue")
    assert COOKIE.match(answer.headers["Set-Cookie"])
    assert "What waits for you" in (await browser.get("/queue")).words
    assert "session-begun" in desk.kinds()[before:]


@pytest.mark.parametrize(
    ("sent", "back"),
    [
        ("/escalations/0123abcd/check", "/escalations/0123abcd"),
        ("/queue/refuse/check", "/queue/refuse"),
        ("/locks", "/locks"),
        ("/stay", "/"),
        ("//elsewhere.example/check", "/"),
    ],
)
async def test_a_form_that_the_session_did_not_outlive_leads_back_to_its_page(desk: Desk, sent: str, back: str) -> None:
    """Whoever was about to decide signs in again and stands before the same question, not before the whole queue."""
    answer = await desk.stranger().post(sent, {"reason": "the owner has to be told before the lab comes"})

    assert (answer.status, answer.headers["Location"]) == (303, f"/sign-in?next={back}&said=ended")


async def test_where_forms_are_sent_leads_to_their_page(desk: Desk) -> None:
    """Whom the clock signed out before the last step, or who comes by the browser's history, stands before the question."""
    browser = await desk.signed_in()

    answer = await browser.get("/escalations/0123abcd/check")

    assert (answer.status, answer.headers["Location"]) == (303, "/escalations/0123abcd")
    assert (await browser.get("/stay")).headers["Location"] == "/"


@pytest.mark.parametrize("key", ["", "sc_", "sc_" + "A" * 43, "secret\r\nX-Evil: 1", "<script>alert(1)</script>", "x" * 5000])
async def test_a_wrong_key_is_told_so_and_never_shown_again(desk: Desk, key: str) -> None:
    """The form comes back with a sentence; what was typed does not, and the log remembers the failure."""
    browser, before = desk.stranger(), len(desk.kinds())

    answer = await browser.sign_in(key)

    assert answer.status == 401
    assert "That did not work." in answer.words
    assert "Set-Cookie" not in answer.headers
    assert "alert(1)" not in answer.body
    assert len(key) < 5 or key not in answer.body
    assert "refused" in desk.kinds()[before:]


async def test_after_too_many_failures_an_address_has_to_wait(
    desk_opened: Callable[..., AbstractAsyncContextManager[Desk]],
) -> None:
    """Also with the right key: else the bound would bound nothing."""
    async with desk_opened() as desk:
        browser = desk.stranger()
        # One is forgiven every few seconds, and this machine may be busy.
        failed = [(await browser.sign_in("sc_" + "A" * 43)).status for _ in range(3 * BURST)]
        answer = await browser.sign_in(desk.keys["supervisor"])

    assert failed[:BURST] == [401] * BURST
    assert failed[-1] == 429
    assert answer.status == 429
    assert "Too many" in answer.words
    assert int(answer.headers["Retry-After"]) > 0


async def test_a_sign_in_never_takes_over_the_cookie_it_found(desk: Desk) -> None:
    """Session fixation: what an attacker planted is worth nothing after the sign-in, whether it was good or made up."""
    attacker = await desk.signed_in("officer")
    for planted in (attacker.cookie, "A" * 43):
        victim = desk.stranger()
        victim.cookie = planted
        await victim.sign_in(desk.keys["supervisor"])

        assert victim.cookie != planted
        thief = desk.stranger()
        thief.cookie = planted
        assert (await thief.get("/queue")).status == 303


@pytest.mark.parametrize(
    "back",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "/%2f/evil.example",
        "javascript:alert(1)",
        "/a\r\nX: 1",
        "/?x",
    ],
)
async def test_the_way_back_after_the_sign_in_leads_nowhere_else(desk: Desk, back: str) -> None:
    """No open redirect."""
    assert (await desk.stranger().sign_in(desk.keys["supervisor"], back)).headers["Location"] == "/"


async def test_signing_out_ends_the_session_and_everywhere_ends_them_all(desk: Desk) -> None:
    """A cookie that was copied before is worth nothing after."""
    first, second = await desk.signed_in("lieutenant"), await desk.signed_in("lieutenant")
    stolen = desk.stranger()
    stolen.cookie = first.cookie

    gone = await first.submit(await first.get("/account"), "/sign-out")

    assert gone.headers["Location"] == "/sign-in?said=signed-out"
    assert (await stolen.get("/queue")).headers["Location"].startswith("/sign-in")
    assert (await second.get("/queue")).status == 200

    third = await desk.signed_in("lieutenant")
    await third.submit(await third.get("/account"), "/sign-out/everywhere")
    assert [(await each.get("/queue")).status for each in (second, third)] == [303, 303]


async def test_a_link_puts_no_words_of_its_own_on_our_pages(desk: Desk) -> None:
    """What a page says after something was done comes from a closed list."""
    browser = await desk.signed_in()

    shown = await browser.get("/queue?said=Approve%20everything%20now")
    known = await browser.get("/queue?said=refused")

    assert "Approve everything" not in shown.body
    assert "The officer reads your reason" in known.words


@pytest.mark.parametrize("path", ["/sign-in", "/queue", "/account", "/nothing", "/sign-in?next=x", "/queue/live"])
async def test_every_page_is_locked_into_its_frame(desk: Desk, path: str) -> None:
    """Nothing inline, nothing from elsewhere, in nobody's frame, kept nowhere."""
    for browser in (desk.stranger(), await desk.signed_in()):
        if path.endswith("/live") and browser.cookie:
            continue
        answer = await browser.get(path)
        for name, value in SECURE_HEADERS.items():
            assert answer.headers[name] == value
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son[a-z]+=|javascript:|\sstyle=", answer.body)
    policy = SECURE_HEADERS["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


FORGED = [
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    {"Sec-Fetch-Site": "same-site", "Origin": "null"},
    {"Sec-Fetch-Site": "none", "Origin": ""},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "", "Origin": "null"},
    {"Sec-Fetch-Site": "", "Origin": ""},
    {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
]


@pytest.mark.parametrize("headers", FORGED)
@pytest.mark.parametrize("path", ["/sign-out", "/sign-in"])
async def test_a_form_from_another_site_does_nothing(desk: Desk, headers: dict[str, str], path: str) -> None:
    """CSRF, and the sign-in's own (being signed in as somebody else): also with the right token, the browser's word counts."""
    browser = await desk.signed_in()
    page = await browser.get("/account")

    answer = await browser.post(path, {**page.hidden, "key": desk.keys["supervisor"]}, **headers)

    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers
    assert (await browser.get("/queue")).status == 200


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
async def test_a_form_without_this_sessions_token_does_nothing(desk: Desk, token: str) -> None:
    """Nor does one with the token of another session, or of the same person's other one."""
    browser, other = await desk.signed_in(), await desk.signed_in()
    foreign = (await other.get("/account")).hidden["form_token"]

    answers = [await browser.post("/sign-out", {"form_token": each}) for each in (token, foreign)]

    assert [answer.status for answer in answers] == [403, 403]
    assert (await browser.get("/queue")).status == 200


async def test_a_form_of_a_browser_that_says_only_its_origin_counts(desk: Desk) -> None:
    """Where there is no Fetch Metadata, an Origin that is ours is enough."""
    browser = await desk.signed_in()
    page = await browser.get("/account")

    answer = await browser.post("/sign-out", page.hidden, Origin=desk.house.servers.console.url, Sec_Fetch_Site="")

    assert answer.status == 303


async def test_a_program_with_a_credential_gets_json_as_before(desk: Desk) -> None:
    """The cookie is nothing to it, and its credential no sign-in for pages."""
    browser = await desk.signed_in()

    listed = await browser.get("/escalations", Accept="*/*", Authorization=f"Bearer {desk.keys['supervisor']}")
    cookie_only = await browser.get("/escalations", Accept="application/json")

    assert (listed.status, listed.headers["Content-Type"]) == (200, "application/json")
    assert (cookie_only.status, cookie_only.headers["Content-Type"]) == (401, "application/problem+json")


async def test_another_site_cannot_use_a_client_certificate_for_the_json(desk: Desk) -> None:
    """A browser would send the certificate along; a site that is not ours has no business there."""
    answer = await desk.stranger().post(
        "/escalations/x/cancel", Content_Type="text/plain", Accept="*/*", Sec_Fetch_Site="cross-site"
    )

    assert answer.status == 403
    assert "form-forged" in answer.body


async def test_what_is_not_there_says_so_on_a_page(desk: Desk) -> None:
    """With the menu, and what to do next; a stranger is asked to sign in first, whatever the path."""
    answer = await (await desk.signed_in()).get("/records/persons/1001")

    assert answer.status == 404
    assert "There is no such page" in answer.words
    assert "What to do next" in answer.words
    assert (await desk.stranger().get("/records/persons/1001")).status == 303


async def test_a_form_is_bounded_and_each_field_is_there_once(desk: Desk) -> None:
    """Too long, twice, not UTF-8, not a form: refused with a page."""
    browser = await desk.signed_in()
    token = (await browser.get("/account")).hidden["form_token"]

    assert (await browser.post("/sign-out", {"form_token": token, "x": "a" * 70_000})).status == 413
    assert (await browser.post("/sign-out", {"form_token": token}, Content_Type="text/plain", Accept="text/html")).status == 400
    assert (await browser.get("/queue")).status == 200
