"""Who has to take note of a query, or review it, is shown it; nobody else is, and the terminal least of all."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.spec.conftest import Answer, Street

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def notices(street: Street, key: str = "supervisor") -> list[dict[str, Any]]:
    """Return somebody's notices that wait."""
    found = await street.ask(key, "/notices?state=due", purpose=None)
    assert found.status == 200
    rows: list[dict[str, Any]] = found.json["notices"]
    return rows


async def noticed(street: Street, answer: Answer) -> dict[str, Any]:
    """Return the sergeant's notice of a query, as soon as it is there."""
    async with asyncio.timeout(60):
        while True:
            found = [row for row in await notices(street) if row["entry"] == answer.headers["Audit-Entry"]]
            if found:
                return found[0]
            await asyncio.sleep(0.05)


async def test_who_asks_about_a_hidden_person_is_shown_to_the_supervisor(street: Street) -> None:
    """The terminal sees no such record; the sergeant sees who asked, in which case, and the category, and takes note."""
    hidden = street.town.cast["informant"].person_id
    answer = await street.ask("officer", f"/records/persons/{hidden}")
    assert answer.status == 404

    notice = await noticed(street, answer)

    assert (notice["requested_by"], notice["case"]) == (street.person("officer"), street.case("stop"))
    assert (notice["outcome"], notice["categories"], notice["rules"]) == ("conceal", ["informant"], ["H01"])
    assert hidden not in str(notice)
    done = await street.post("supervisor", f"/notices/{notice['id']}/acknowledge", {"reason": "spoke with the officer"})
    assert (done.status, done.json["state"], done.json["found"]) == (200, "done", "acknowledged")
    again = await street.post("supervisor", f"/notices/{notice['id']}/acknowledge", {})
    assert (again.status, again.problem) == (409, "duty-done")


async def test_what_the_reply_tells_is_noticed_as_well(street: Street) -> None:
    """A search by address that a hidden person is left out of is one of who was looked up."""
    hidden = street.town.cast["informant"]
    answer = await street.ask("officer", street.path("/records/addresses", street=hidden.home.line))

    assert (await noticed(street, answer))["categories"] == ["informant"]


async def test_whoever_asked_learns_nothing_of_it(street: Street) -> None:
    """An officer has no notices, and theirs does not exist for them: as one of a number that never was."""
    answer = await street.ask("officer", f"/records/persons/{street.town.cast['informant'].person_id}")
    notice = await noticed(street, answer)

    assert await notices(street, "officer") == []
    refused = [
        await street.ask("officer", f"/notices/{notice['id']}", purpose=None),
        await street.ask("officer", f"/notices/{'0' * 32}", purpose=None),
        await street.ask("supervisor", f"/reviews/{notice['id']}", purpose=None),
    ]
    assert [(each.status, each.problem, each.json["detail"]) for each in refused] == [
        (404, "duty-unknown", refused[0].json["detail"])
    ] * 3


@pytest.mark.parametrize(
    ("method", "target", "problem"),
    [
        ("GET", "/notices?state=open", "parameter-unknown"),
        ("GET", "/notices?person=x", "parameter-unknown"),
        ("PUT", "/reviews", "method-not-allowed"),
        ("GET", "/reviews/x/close", "method-not-allowed"),
        ("GET", "/reviews/x/acknowledge", "duty-unknown"),
        ("GET", "/reviews/../notices", "request-not-canonical"),
        ("GET", "/escalations/../notices", "request-not-canonical"),
        ("GET", "/escalations/%2e%2e/notices", "request-not-canonical"),
        ("GET", "/notices?state=due&state=done", "parameter-duplicate"),
        ("GET", "/reviewsx", "route-unknown"),
    ],
)
async def test_the_door_serves_notices_and_reviews_and_nothing_that_looks_like_them(
    street: Street, method: str, target: str, problem: str
) -> None:
    """Each wrong request has its problem type."""
    assert (await street.raw("supervisor", method, target)).problem == problem
