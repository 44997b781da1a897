"""An officer states an emergency and is answered now, with what policy names; others are told at once and review it."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.spec.conftest import UNBOUNDED, open_street, policies_with

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.spec.conftest import Answer, Street

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOWN = {"name", "dob", "demographic", "vehicle", "offense", "status"}
EMERGENCY = "man with a rifle at the town hall, the mayor is inside"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Street]:
    """A street of its own, where everybody may break the glass as often as these specifications need."""
    path = tmp_path_factory.mktemp("emergencies")
    budgets = f"{UNBOUNDED}break_glass: {{most: 100, within: 1d}}\n"
    async with open_street(path, policies_with(path / "policies", budgets)) as street:
        yield street


def stating(street: Street, emergency: str | None = EMERGENCY, *, case: str = "porch", more: str = "") -> str:
    """Return a Query-Purpose that states an emergency."""
    exigent = f', exigent="{emergency}"' if emergency else ""
    return f'code=C, case="{street.case(case)}", statement="shots fired at the mayor, caller hides"{exigent}{more}'


async def owed(street: Street, key: str, room: str, answer: Answer) -> list[dict[str, Any]]:
    """Return somebody's notices or reviews of a query, as soon as there are any."""
    async with asyncio.timeout(60):
        while True:
            found = await street.ask(key, f"/{room}", purpose=None)
            rows = [row for row in found.json[room] if row["entry"] == answer.headers["Audit-Entry"]]
            if rows:
                return rows
            await asyncio.sleep(0.05)


async def test_an_emergency_is_answered_with_what_its_row_shows(town: Street) -> None:
    """The mayor's record leaves at once, and of it only who it is and what the person looks like; a review is announced."""
    mayor = town.town.cast["mayor"]

    answer = await town.ask("officer", f"/records/persons/{mayor.person_id}", purpose=stating(town))

    assert answer.status == 200
    assert mayor.surname in answer.body.decode()
    for secret in (mayor.home.line, mayor.phone, mayor.ssn):
        assert secret not in answer.body.decode()
    masked = set(re.findall(r"[a-z_]+", answer.headers["Disclosure"].partition("=")[2]))
    assert masked >= {"home_address", "phone", "ssn"}
    assert not masked & SHOWN
    assert re.fullmatch(r"review-due=@[0-9]{10}", answer.headers["Break-Glass"])
    assert answer.headers["Watermark"]
    entry = await town.entry(answer)
    assert (entry.facts["break_glass"], entry.facts["rule"], entry.facts["outcome"]) == (True, "E01", "mask")
    assert isinstance(entry.facts["assurance"], dict)
    assert entry.facts["assurance"]["method"] == "key"
    assert EMERGENCY not in str(entry.facts)
    assert (await town.terminal_entry(answer)).facts["break_glass"] is True


async def test_who_was_not_asked_is_told_and_another_person_reviews_it(town: Street) -> None:
    """The sergeant and the oversight desk have a notice; the review shows the emergency and names of fields, never values."""
    mayor = town.town.cast["mayor"]
    answer = await town.ask("officer", f"/records/persons/{mayor.person_id}", purpose=stating(town))

    (told,) = await owed(town, "supervisor", "notices", answer)
    (desk,) = await owed(town, "auditor", "notices", answer)
    (review,) = await owed(town, "supervisor", "reviews", answer)

    assert {each["why"] for each in (told, desk, review)} == {"break-glass"}
    assert (review["emergency"], review["requested_by"], review["state"]) == (EMERGENCY, town.person("officer"), "due")
    assert review["rules"] == ["E01"]
    assert mayor.person_id not in str(review)
    assert mayor.surname not in str(review)
    own = await town.ask("officer", f"/reviews/{review['id']}", purpose=None)
    assert (own.status, own.problem) == (404, "duty-unknown")
    closing = {"outcome": "justified", "reason": "rifle and threat confirmed on scene"}
    done = await town.post("supervisor", f"/reviews/{review['id']}/close", closing)
    assert (done.status, done.json["found"]) == (200, "justified")


@pytest.mark.parametrize("words", ["emergency", "exigent circumstances", "danger to life, urgent", "emergency emergency now"])
async def test_an_emergency_that_says_nothing_is_none(town: Street, words: str) -> None:
    """What any emergency could claim is refused before anybody is looked for; a good statement does not make up for it."""
    answer = await town.ask("officer", f"/records/persons/{town.town.cast['mayor'].person_id}", purpose=stating(town, words))

    assert (answer.status, answer.problem) == (422, "statement-uninformative")
    assert "exigent" in answer.json["detail"]


async def test_an_emergency_about_somebody_hidden_is_as_one_about_nobody(town: Street) -> None:
    """Nothing is broken: the answer is that for a record that is not there, byte for byte, and so are its headers."""
    hidden = town.town.cast["informant"].person_id

    there = await town.ask("officer", f"/records/persons/{hidden}", purpose=stating(town, case="stop"))
    absent = await town.ask("officer", "/records/persons/987654", purpose=stating(town, case="stop"))

    assert (there.status, there.body) == (absent.status, absent.body)
    assert there.headers.keys() == absent.headers.keys()
    assert "Break-Glass" not in there.headers
    entry = await town.entry(there)
    assert entry.facts["outcome"] == "conceal"
    assert "break_glass" not in entry.facts


async def test_an_emergency_opens_nothing_that_is_refused(town: Street) -> None:
    """One's own people stay closed, whatever is stated; a colleague waits for a supervisor as ever."""
    cast = town.town.cast
    wife = await town.ask("officer", f"/records/persons/{cast['officer_wife'].person_id}", purpose=stating(town, case="stop"))
    colleague = await town.ask(
        "officer", f"/records/persons/{cast['supervisor'].person_id}", purpose=stating(town, case="stop")
    )

    assert (wife.status, wife.problem) == (403, "policy-denied")
    assert (colleague.status, colleague.problem) == (403, "escalation-required")


async def test_a_broad_search_breaks_nothing(town: Street) -> None:
    """A street without a number is silent about who lives there under protection, emergency or not."""
    mayor = town.town.cast["mayor"]
    target = town.path("/records/addresses", street_name=mayor.home.street, city="Harlan Falls")

    plain, stated = [await town.ask("officer", target, purpose=stating(town, words)) for words in (None, EMERGENCY)]

    assert plain.status == stated.status
    assert "Break-Glass" not in stated.headers
    assert mayor.surname not in stated.body.decode()


async def test_what_an_emergency_opened_opens_nothing_that_follows(town: Street) -> None:
    """A query whose root is one that was answered in an emergency waits for a supervisor."""
    mayor = town.town.cast["mayor"]
    target = f"/records/persons/{mayor.person_id}"
    root = await town.ask("officer", target, purpose=stating(town))
    assert root.status == 200

    followed = await town.ask("officer", target, purpose=f'root="{root.headers["Audit-Entry"]}"')

    assert followed.status != 200
    assert followed.problem in {"escalation-required", "purpose-missing"}


async def test_an_emergency_that_nothing_waits_for_is_only_remembered(town: Street) -> None:
    """Somebody ordinary is answered as ever; that an emergency was stated stands in the entry."""
    answer = await town.ask(
        "officer", f"/records/persons/{town.town.cast['driver'].person_id}", purpose=stating(town, case="stop")
    )

    assert answer.status == 200
    assert "Break-Glass" not in answer.headers
    entry = await town.entry(answer)
    assert entry.facts["exigent"] is True
    assert "break_glass" not in entry.facts


async def test_a_role_that_is_claimed_in_the_purpose_is_no_role(town: Street) -> None:
    """Nothing in the header makes an officer of somebody else: an unknown member is refused, an auditor stays one."""
    target = f"/records/persons/{town.town.cast['mayor'].person_id}"
    forged = await town.ask("officer", target, purpose=stating(town, more=', role="supervisor"'))
    auditor = await town.ask("auditor", target, purpose=stating(town))

    assert (forged.status, forged.problem) == (400, "purpose-malformed")
    assert auditor.status == 403
    assert "Break-Glass" not in auditor.headers


async def test_what_a_supervisor_agreed_to_is_answered_by_that(town: Street) -> None:
    """An approval shows more than an emergency, so it is what answers; nothing is broken beside it."""
    target = town.path("/records/persons", ssn=town.town.cast["mayor"].ssn)
    plain = stating(town, None)
    href = (await town.ask("officer", target, purpose=plain)).json["escalation"]["href"]
    approved = await town.post("supervisor", f"{href}/approve", {"reason": "agreed by phone, threat case"})
    assert approved.status == 200

    answer = await town.ask("officer", target, purpose=stating(town))

    assert answer.status == 200
    assert "Break-Glass" not in answer.headers
    assert town.town.cast["mayor"].home.line in answer.body.decode()


async def test_what_a_supervisor_just_refused_no_emergency_opens(town: Street) -> None:
    """The supervisor heard of it and said no: that stands."""
    target = town.path("/records/persons", phone=town.town.cast["mayor"].phone)
    href = (await town.ask("officer", target, purpose=stating(town, None))).json["escalation"]["href"]
    assert (await town.post("supervisor", f"{href}/refuse", {"reason": "not for this case, come and see me"})).status == 200

    answer = await town.ask("officer", target, purpose=stating(town))

    assert (answer.status, answer.problem) == (403, "escalation-refused")


async def test_the_same_emergency_again_is_another_one(town: Street) -> None:
    """Whoever replays the bytes breaks the glass once more: with an entry, a review, and a count of its own."""
    target = f"/records/persons/{town.town.cast['mayor'].person_id}"

    first, second = [await town.ask("officer", target, purpose=stating(town)) for _ in range(2)]

    assert first.headers["Audit-Entry"] != second.headers["Audit-Entry"]
    for answer in (first, second):
        (review,) = await owed(town, "supervisor", "reviews", answer)
        assert review["state"] == "due"
    metrics = (await town.ops("/metrics")).body.decode()
    counted = re.search(r"^showcause_break_glass_total (\d+)", metrics, re.MULTILINE)
    assert counted is not None
    assert int(counted[1]) >= 2


async def test_one_that_was_found_unjustified_blocks_the_next(town: Street) -> None:
    """The officer reads which review it is and who deals with it, and can still ask for a supervisor; the desk closes it."""
    target = f"/records/persons/{town.town.cast['mayor'].person_id}"
    answer = await town.ask("detective", target, purpose=stating(town, case="foreign"))
    (review,) = await owed(town, "lieutenant", "reviews", answer)
    closing = {"outcome": "unjustified", "reason": "the mayor was abroad and nobody was in danger"}
    assert (await town.post("lieutenant", f"/reviews/{review['id']}/close", closing)).status == 200

    blocked = await town.ask("detective", target, purpose=stating(town, case="foreign"))

    assert (blocked.status, blocked.problem) == (403, "break-glass-blocked")
    assert blocked.json["review"]["id"] == review["id"]
    findings = (await town.ask("auditor", "/findings?state=open", purpose=None)).json["findings"]
    (finding,) = [each for each in findings if each["review"] == review["id"]]
    own = await town.post("lieutenant", f"/findings/{finding['id']}/close", {"outcome": "unfounded", "reason": "a mistake"})
    assert (own.status, own.problem) == (404, "finding-unknown")
    closed = await town.post("auditor", f"/findings/{finding['id']}/close", {"outcome": "sustained", "reason": "counseled"})
    assert (closed.status, closed.json["state"]) == (200, "closed")
    assert (await town.ask("detective", target, purpose=stating(town, case="foreign"))).status == 200
