"""The pages that one reads: reviews and notices, the log, the policy, people, health; as a browser without scripts has them."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest

from proxy.audit.lot import SAMPLE
from proxy.audit.owed import Duty, Owed
from proxy.demo import docket
from proxy.demo.town import AGENCY
from tests.oversight.conftest import Query

if TYPE_CHECKING:
    from proxy.demo.home import Home
    from proxy.demo.town import Town
    from tests.web.console.conftest import Browser, Desk, Sight

pytestmark = pytest.mark.asyncio(loop_scope="session")

HREF = re.compile(r'href="(/[a-z]+/[0-9a-f]{32})"')
WORDS = "complaint 26-118 about look-ups of the mayor's home"


async def search(browser: Browser, **changes: str) -> Sight:
    """Fill in the search as an auditor of a complaint does."""
    form = await browser.get("/log")
    days = dict.fromkeys(("since", "until"), "")
    for name in days:
        days[name] = form.body.partition(f'name="{name}" value="')[2].partition('"')[0]
    fields = {"case": docket.STOP, "statement": WORDS, "by": "officer", "value": "badge-1001", "dob": "", "counts": "", **days}
    return await browser.submit(form, "/log", **{**fields, **changes})


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [
        ("supervisor", "/log", 404),
        ("officer", "/people", 404),
        ("officer", "/reviews", 404),
        ("steward", "/log", 404),
        ("auditor", "/log", 200),
        ("supervisor", "/people", 200),
        ("officer", "/policy", 200),
        ("officer", "/health", 200),
    ],
)
async def test_pages_are_for_their_roles(desk: Desk, who: str, path: str, status: int) -> None:
    """Who has no business with a page is not told that there is one."""
    browser = await desk.signed_in(who)

    assert (await browser.get(path)).status == status
    assert (f'href="{path}"' in (await browser.get("/health")).body) == (status == 200)


async def test_a_search_of_the_log_is_recorded_before_it_is_answered(desk: Desk) -> None:
    """An auditor finds what an officer asked, with case and words but not whom it was about; the log has the search."""
    await desk.ask()
    auditor, before = await desk.signed_in("auditor"), len(desk.kinds())

    found = await search(auditor)

    assert found.status == 200
    assert f"case {docket.PORCH}" in found.words
    assert "person.search" in found.words
    assert '<span class="words"><bdi class="typed">' in found.body
    assert desk.house.mayor not in found.body
    entries = [entry for entry in desk.house.entries()[before:] if entry.kind == "log-searched"]
    assert [entry.facts["by"] for entry in entries] == ["officer"]
    assert "badge-1001" not in str(entries[0].facts)


async def test_a_search_finds_by_case_in_the_days_that_were_named(desk: Desk) -> None:
    """Of another officer, another case or earlier days there is nothing, and the page says how far it looked."""
    await desk.ask()
    auditor = await desk.signed_in("auditor")

    assert "badge-1001" in (await search(auditor, by="case", value=docket.PORCH.lower())).words
    assert "Nobody knows whom you seek" in (await search(auditor, value="badge-9999")).words
    early = await search(auditor, since="2020-01-01", until="2020-06-01")
    assert "No queries" in early.words
    assert "entries of the log were asked" in early.words


async def test_a_timeline_is_read_from_its_beginning(desk: Desk) -> None:
    """What the officer asked first stands first."""
    auditor = await desk.signed_in("auditor")

    newest, oldest = await search(auditor), await search(auditor, counts="oldest")

    places = [re.findall(r"entry ([0-9]+)</small>", page.body) for page in (newest, oldest)]
    assert "oldest first" in oldest.words
    assert places[1] == sorted(places[1], key=int)
    assert set(places[0]) <= set(places[1])
    assert places[0]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"case": ""}, "There is no such case"),
        ({"case": "26-999999"}, "There is no such case"),
        ({"statement": "investigation"}, "Your words say too little"),
        ({"value": ""}, "The form did not arrive whole"),
        ({"by": "subject"}, "The form did not arrive whole"),
        ({"counts": "person"}, "The form did not arrive whole"),
        ({"since": "yesterday"}, "The form did not arrive whole"),
        ({"since": "2027-01-02", "until": "2027-01-01"}, "The form did not arrive whole"),
        ({"since": "1900-01-01"}, "The form did not arrive whole"),
        ({"before": "-1"}, "The form did not arrive whole"),
        ({"before": "9" * 400}, "The form did not arrive whole"),
    ],
)
async def test_whoever_searches_shows_cause(desk: Desk, changes: dict[str, str], told: str) -> None:
    """Without a case, without words of one's own, without bounds, nothing is searched, and the log has no search."""
    auditor, before = await desk.signed_in("auditor"), len(desk.kinds())

    answer = await search(auditor, **changes)

    assert answer.status in {400, 422}
    assert told in answer.words
    assert "log-searched" not in desk.kinds()[before:]


async def test_a_notice_is_acknowledged_on_its_page(desk: Desk, world: tuple[Home, Town]) -> None:
    """The supervisor sees it, says that they have seen it, and it leaves the list; a second time is told so."""
    informant = world[1].cast["informant"].person_id
    await desk.house.ask(desk.house.request(target=f"/records/persons/{informant}"))
    supervisor = await desk.signed_in()
    async with asyncio.timeout(20):
        while "/notices/" not in (lists := await supervisor.get("/reviews")).body:  # noqa: ASYNC110 -- oversight reads the log by turns
            await asyncio.sleep(0.1)
    href = "/notices/" + lists.body.partition('href="/notices/')[2].partition('"')[0]
    notice = await supervisor.get(href)
    assert "Take note of this query" in notice.words
    assert informant not in notice.body

    done = await supervisor.submit(notice, f"{href}/acknowledge", reason="")

    assert (done.status, done.headers["Location"]) == (303, "/reviews?said=noted")
    assert href not in (await supervisor.get("/reviews")).body
    again = await supervisor.submit(notice, f"{href}/acknowledge", reason="")
    assert (again.status, "Somebody has done it already" in again.words) == (409, True)


async def test_foreign_and_unknown_duties_are_not_told_apart(desk: Desk) -> None:
    """A number that is nobody's and one that is another role's get one answer."""
    auditor = await desk.signed_in("auditor")

    answers = [await auditor.get(f"/{place}/{'a' * 32}") for place in ("reviews", "notices")]
    assert {(answer.status, "There is nothing of that number for you" in answer.words) for answer in answers} == {(404, True)}


async def test_the_policy_is_read_without_scripts(desk: Desk) -> None:
    """Version, rows and the grid; the grid answers for what was chosen, and a word that is none changes nothing."""
    browser = await desk.signed_in("officer")

    usual = await browser.get("/policy")
    assert "The policy that rules" in usual.words
    assert "E01" in usual.words
    other = await browser.get("/policy?standing=unassigned")
    assert other.body.count('<td class="permit"') < usual.body.count('<td class="permit"')
    odd = await browser.get("/policy?standing=%3Cscript%3E&purpose=zz")
    assert (odd.status, "<script>" in odd.body) == (200, False)


async def test_people_are_those_of_one_s_agency(desk: Desk) -> None:
    """A supervisor sees who may ask, by what and where, and no key."""
    words = (await (await desk.signed_in()).get("/people")).words

    assert "badge-1001" in words
    assert "car-12" in words
    assert "sc_" not in words


async def test_health_says_what_works(desk: Desk) -> None:
    """Each part with its reason, and the log's root to write down."""
    words = (await (await desk.signed_in("officer")).get("/health")).words

    assert "Everything works" in words
    assert desk.house.servers.audit.log.head.root.hex() in words


async def listed(browser: Browser, place: str, words: str) -> str:
    """Wait until something of a kind is on the list whose page bears these words; return its path.

    A lookup of another specification can have been drawn by lot, and its review stands on the list as well.
    """
    async with asyncio.timeout(30):
        while True:
            for href in dict.fromkeys(HREF.findall((await browser.get("/reviews")).body)):
                if href.startswith(f"/{place}/") and words in (await browser.get(href)).body:
                    return str(href)
            await asyncio.sleep(0.1)


async def test_an_emergency_is_reviewed_and_its_finding_closed_by_another(desk: Desk) -> None:
    """The officer is answered; a supervisor finds it unjustified; the auditor sees the finding, and ends it once."""
    emergency = "man with a gun inside the house, caller hides upstairs"
    purpose = f'code=C, case="{docket.PORCH}", statement="shots fired at the mayor, caller hides", exigent="{emergency}"'
    request = desk.house.request(target=f"/records/persons/{desk.house.mayor}").decode("latin-1")
    head, _, _ = request.partition("Query-Purpose:")
    answer, _ = await desk.house.ask(f"{head}Query-Purpose: {purpose}\r\n\r\n".encode("latin-1"))
    assert answer.status == 200
    assert answer.header("Break-Glass")

    supervisor, auditor = await desk.signed_in(), await desk.signed_in("auditor")
    href = await listed(supervisor, "reviews", emergency)
    review = await supervisor.get(href)
    assert desk.house.mayor not in review.body
    done = await supervisor.submit(review, f"{href}/close", outcome="unjustified", reason="nobody had called about a gun")
    assert done.headers["Location"] == "/reviews?said=reviewed"

    href = await listed(auditor, "findings", "nobody had called about a gun")
    finding = await auditor.get(href)
    assert (await supervisor.get(href)).status == 404
    odd = await auditor.submit(finding, f"{href}/close", outcome="forgiven", reason="it happens to all of us")
    assert "Your judgment is missing" in odd.words
    ended = await auditor.submit(finding, f"{href}/close", outcome="sustained", reason="the dispatcher's tape says otherwise")
    assert ended.headers["Location"] == "/reviews?said=finding-closed"
    again = await auditor.submit(finding, f"{href}/close", outcome="unfounded", reason="the dispatcher's tape says otherwise")
    assert (again.status, "Somebody has closed it already" in again.words) == (409, True)
    assert "Sustained" in (await auditor.get(href)).words


async def test_a_query_that_was_drawn_by_lot_tells_nobody_who_is_protected(desk: Desk) -> None:
    """Its reviewer attests or questions it, and sees neither category nor row: being drawn says nothing of the subject."""
    supervisor = await desk.signed_in()
    owed = Owed(duty=Duty.REVIEW, role="supervisor", why=SAMPLE, within=3600)
    receipt = await desk.house.servers.audit.record(Query(owed=(owed,), person="badge-1001", agency=AGENCY))
    page = await supervisor.get(await listed(supervisor, "reviews", receipt.reference))

    assert "it was drawn by lot" in page.words
    assert "Attested" in page.words
    assert "Justified" not in page.words
    assert "official" not in page.body
    assert "P09" not in page.body
