"""The page of leak traces, as a browser without scripts has it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from proxy.demo import docket
from tests.web.conftest import PERSON

if TYPE_CHECKING:
    from tests.web.console.conftest import Browser, Desk, Sight

pytestmark = pytest.mark.asyncio(loop_scope="session")

WORDS = "complaint 26-118: a telephone of the records on a public page"


async def trace(browser: Browser, **changes: str) -> Sight:
    """Fill in the form as an auditor of a complaint does."""
    form = await browser.get("/leak")
    fields = {
        "case": docket.STOP,
        "statement": WORDS,
        "published": f"person_id={PERSON}\n\n",
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}",
        "within": "24",
        "about": "",
    }
    return await browser.post("/leak", form.hidden | fields | changes)


async def test_who_was_shown_it_is_a_lead_with_reasons(desk: Desk) -> None:
    """The officer, the share, the sentences, the query's own words and what cannot be told; nothing from elsewhere."""
    await desk.house.ask(desk.house.request())
    auditor, before = await desk.signed_in("auditor"), len(desk.kinds())

    found = await trace(auditor)

    assert found.status == 200
    assert "badge-" in found.words
    assert "Was shown item 1 in entry" in found.words
    assert "parts of what explains it" in found.words
    assert "What this cannot tell" in found.words
    assert found.foreign == []
    kinds = [kind for kind in desk.kinds()[before:] if kind in {"leak-traced", "leads-shown"}]
    assert kinds == ["leak-traced", "leads-shown"]


async def test_what_nobody_was_shown_has_no_lead(desk: Desk) -> None:
    """And the page says so in a sentence; what was typed stays in the form."""
    auditor = await desk.signed_in("auditor")

    found = await trace(auditor, published="email=<b>nobody</b>@example.org")

    assert "Nobody was shown any of it here" in found.words
    assert "&lt;b&gt;nobody" in found.body
    assert found.foreign == []


@pytest.mark.parametrize("who", ["officer", "supervisor", "steward"])
async def test_the_page_is_the_oversight_desk_s(desk: Desk, who: str) -> None:
    """Others are not told that there is one."""
    browser = await desk.signed_in(who)

    assert (await browser.get("/leak")).status == 404
    assert 'href="/leak"' not in (await browser.get("/health")).body


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"case": ""}, "There is no such case"),
        ({"statement": "investigation"}, "Your words say too little"),
        ({"published": ""}, "What was published is not clear"),
        ({"published": "the mayor's phone"}, "What was published is not clear"),
        ({"published": "phone=12"}, "What was published is not clear"),
        ({"published": "foo=12 Elm Street"}, "What was published is not clear"),
        ({"at": f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M}"}, "What was published is not clear"),
        ({"published": "phone=5550100199\n" * 61}, "What was published is not clear"),
        ({"at": "yesterday"}, "What was published is not clear"),
        ({"within": "1000000"}, "The form did not arrive whole"),
        ({"page": "x"}, "The form did not arrive whole"),
    ],
)
async def test_whoever_traces_shows_cause(desk: Desk, changes: dict[str, str], told: str) -> None:
    """Without a case, words of one's own and something clear, nothing is looked for, and the log has no trace."""
    auditor, before = await desk.signed_in("auditor"), len(desk.kinds())

    answer = await trace(auditor, **changes)

    assert answer.status in {400, 422}
    assert told in answer.words
    assert "leak-traced" not in desk.kinds()[before:]


async def test_a_form_of_another_site_traces_nothing(desk: Desk) -> None:
    """The session's token has to be in it."""
    auditor, before = await desk.signed_in("auditor"), len(desk.kinds())

    answer = await auditor.post("/leak", {"case": docket.STOP, "statement": WORDS, "published": "phone=5"})

    assert answer.status == 403
    assert "leak-traced" not in desk.kinds()[before:]
