"""What the log must hold, and must not hold in the open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

if TYPE_CHECKING:
    from tests.spec.conftest import Street

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_whom_it_is_passed_on_to_does_not_lie_open(street: Street) -> None:
    """Requestor, recipient and location are free text of a terminal, which may name anybody: none lies open in an entry."""
    people = 'requestor="Wilhelmina Ostrander", recipient="Barnaby Featherstone", location="behind Thaddeus Mulgrew"'
    purpose = f'code=C, case="{street.case("stop")}", statement="stopped for no plates, driver has no licence", {people}'

    answer = await street.ask("officer", "/records/persons/999999", purpose=purpose)

    assert answer.status == 404
    assert (await street.entry(answer)).facts["recipient"] is True
    log = street.log_bytes()
    assert not [name for name in (b"Ostrander", b"Featherstone", b"Mulgrew") if name in log]


async def test_two_wishes_are_one_list(street: Street) -> None:
    """RFC 7240 lets a client send Prefer twice; that is no reason to refuse a query, least of all without an entry."""
    answer = await street.raw("officer", "GET", "/records/persons/999999", "Prefer: wait=1", "Prefer: respond-async")

    assert answer.status == 404
    assert (await street.entry(answer)).kind == "decided"


async def test_what_was_canceled_does_not_bury_what_waits(street: Street) -> None:
    """However many escalations somebody opens and takes back, a supervisor's list ends with the newest."""
    path = f"/records/persons/{street.town.cast['judge'].person_id}"
    for _ in range(101):
        asked = await street.ask("detective", path)
        href = asked.json["escalation"]["href"]
        assert (await street.post("detective", f"{href}/cancel", {})).status == 200
    newest = (await street.ask("detective", path)).json["escalation"]["href"]

    listed = await street.ask("supervisor", "/escalations", purpose=None)

    rows = orjson.loads(listed.body)["escalations"]
    assert len(rows) == 100
    assert rows[-1]["href"] == newest
    await street.post("detective", f"{newest}/cancel", {})
