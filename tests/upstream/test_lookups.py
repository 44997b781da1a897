from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from proxy.gateway.records import RecordsServer
from proxy.inquiry.service import inquiry_of
from proxy.upstream.client import ReceiptMismatch
from proxy.upstream.reply import UpstreamUnavailable
from tests.upstream.conftest import receipt, reply

if TYPE_CHECKING:
    from proxy.inquiry.inquiry import Inquiry
    from proxy.inquiry.route import RouteMap
    from proxy.registry.resolution import Answer
    from tests.upstream.conftest import World

ROW = {"person_id": "100001", "resident_name": "Ana Sol", "dob": "1989-02-03", "street": "4 Oak Lane", "unit": None}


def inquiry(routes: RouteMap, route: str = "address-search", **values: str) -> Inquiry:
    """Return a look-up by address, unless told otherwise."""
    return inquiry_of(routes.by_id[route], values or {"street": "4 Oak Lane"}, query_id="q1")


async def asked(world: World, routes: RouteMap, answer: bytes, **values: str) -> Answer:
    """Ask a server that answers so."""
    upstream = await world.upstream(await world.server(answer))
    route = "person-read" if "person_id" in values else "incident-search" if "case_number" in values else "address-search"
    return await RecordsServer(upstream).ask(inquiry(routes, route, **values), receipt("q1"))


def body(*rows: dict[str, Any]) -> bytes:
    """Return a reply of these records."""
    return reply(orjson.dumps(list(rows)))


async def test_a_look_up_reads_records_as_their_route_declares_them(world: World, shipped_routes: RouteMap) -> None:
    """Values by kind, and whether the address is a home; what says nothing is not there."""
    answer = await asked(world, shipped_routes, body(ROW))

    [record] = answer.records
    assert (record.route, record.lives, record.person_id) == ("address-search", True, "100001")
    assert record.fields == {"person_id": ("100001",), "name": ("Ana Sol",), "dob": ("1989-02-03",), "street": ("4 Oak Lane",)}


async def test_an_incident_s_address_is_nobody_s_home(world: World, shipped_routes: RouteMap) -> None:
    """Its class is a place, not a home address."""
    answer = await asked(world, shipped_routes, body({"person_id": "1", "street": "4 Oak Lane"}), case_number="26-1")

    assert [record.home for record in answer.records] == [None]


async def test_a_record_with_what_nobody_declared_is_not_read(world: World, shipped_routes: RouteMap) -> None:
    """Here as in a terminal's reply: it may hold anybody's name."""
    answer = await asked(world, shipped_routes, body(ROW | {"landlord": "Max Orr"}, ROW | {"person_id": "100002"}))

    assert [record.person_id for record in answer.records] == ["100002"]


@pytest.mark.parametrize(("values", "crowded"), [({}, True), ({"case_number": "26-1"}, False)])
async def test_more_records_than_the_route_lets_out_are_none(
    world: World, shipped_routes: RouteMap, values: dict[str, str], *, crowded: bool
) -> None:
    """So many people at one address are an institution; so many parties to one case are not."""
    rows = [{"person_id": str(number), "street": "4 Oak Lane"} for number in range(101)]

    answer = await asked(world, shipped_routes, body(*rows), **values)

    assert (answer.records, answer.broad, answer.crowded) == ((), True, crowded)


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (reply(b"{}", status="404 Not Found"), ""),
        (reply(b"[]"), ""),
        (reply(b"oops", status="500 Broken"), "upstream-failed"),
        (reply(b'[{"person_id": "1", "person_id": "2"}]'), "reply-unreadable"),
        (reply(b"{}"), "reply-unreadable"),
    ],
)
async def test_a_reply_without_records(world: World, shipped_routes: RouteMap, answer: bytes, failed: str) -> None:
    """No such record is an answer; what is none says so, and other look-ups go on."""
    found = await asked(world, shipped_routes, answer, person_id="1")

    assert (found.records, found.failed) == ((), failed)


async def test_a_records_server_that_is_gone_is_no_answer(world: World, shipped_routes: RouteMap) -> None:
    """Who asks on would only wait."""
    upstream = await world.upstream("http://127.0.0.1:9")

    with pytest.raises(UpstreamUnavailable):
        await RecordsServer(upstream).ask(inquiry(shipped_routes), receipt("q1"))


async def test_a_look_up_without_its_decision_is_not_sent(world: World, shipped_routes: RouteMap) -> None:
    """Another decision's receipt, or an entry of another kind, opens nothing."""
    server = await world.server(body(ROW))
    records = RecordsServer(await world.upstream(server))

    for wrong in (receipt("q2"), receipt("q1", "looked-up"), receipt("q1", "sweep-began")):
        with pytest.raises(ReceiptMismatch):
            await records.ask(inquiry(shipped_routes), wrong)

    assert server.requests == []
