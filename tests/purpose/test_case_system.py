"""A case system in another house: what it answers, every way in which it can fail, and what is kept for how long."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.purpose.breaker import Breaker, Circuit
from proxy.purpose.case_system import CaseSystem, CaseSystemUnusable
from proxy.purpose.casefile import SUMMARY_CHARACTERS
from proxy.purpose.mapping import load_case_system
from proxy.purpose.purpose import CaseDirectoryUnavailable
from proxy.telemetry import Metrics
from tests.purpose.conftest import ORI
from tests.purpose.vendor import MAPPING, Vendor, incident, serving
from tests.upstream.test_tls import Office, office

__all__ = ["office"]

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

MINUTE = timedelta(minutes=1)
PATIENT = "total_seconds: 30.0\nconnect_seconds: 30.0\n"
"""So that a busy machine makes no timeout of another failure."""
SWIFT = "total_seconds: 0.3\nconnect_seconds: 30.0\n"


class World:
    """A vendor, a client of it, and a clock that is moved by hand."""

    def __init__(self, vendor: Vendor, system: CaseSystem, metrics: Metrics) -> None:
        self.vendor = vendor
        self.system = system
        self.metrics = metrics
        self.now = 0.0

    def circuit(self) -> str:
        """Return the state that the metrics show."""
        value = self.metrics.registry.get_sample_value
        (state,) = [each for each in Circuit if value("showcause_case_directory_circuit", {"state": each}) == 1]
        return str(state)

    async def fails(self, number: str = "26-1", **more: Any) -> CaseDirectoryUnavailable:
        """Return how a look-up fails."""
        with pytest.raises(CaseDirectoryUnavailable) as refused:
            await self.system.look_up(number, **more)
        return refused.value


@asynccontextmanager
async def world_of(path: Path, vendor: Vendor, more: str = PATIENT, url: str | None = None) -> AsyncIterator[World]:
    file = path / "case_system.yaml"
    file.write_text(MAPPING.format(url=url or vendor.url, more=more, agency=ORI))
    metrics = Metrics()
    worlds: list[World] = []
    system = CaseSystem(load_case_system(file), metrics=metrics, monotonic=lambda: worlds[0].now if worlds else 0.0)
    worlds.append(World(vendor, system, metrics))
    await system.open()
    try:
        yield worlds[0]
    finally:
        await system.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with serving(Vendor(cases={"26-1": incident("26-1")})) as vendor, world_of(tmp_path, vendor) as found:
        yield found


async def test_a_vendors_words_become_a_case(world: World) -> None:
    """Kinds, zones, crews, call signs and parties are read by the mapping alone."""
    case = await world.system.look_up(" 26-1 ")

    assert case is not None
    assert (case.number, case.kind, case.agency) == ("26-1", "incident", ORI)
    assert (case.opened_at, case.closed_at) == (datetime(2026, 11, 23, 1, 0, tzinfo=UTC), None)
    assert case.assigned == {"badge-1", "4217"}
    assert case.dispatched == {"badge-7", "unit:3A12"}
    assert case.parties == ((("dob", "1984-03-02"), ("given_name", "Dana"), ("surname", "Hale")), (("surname", "Okafor"),))
    assert case.summary == "Sedan without plates on Hemlock Road"
    assert (case.age, case.stale) == (0, False)


async def test_a_case_that_is_not_there_is_none(world: World) -> None:
    """By status, or by an answer of null; neither is kept, since a new case may be there in a second."""
    assert await world.system.look_up("26-2") is None
    world.vendor.manner = "null"
    assert await world.system.look_up("26-2") is None
    world.vendor.manner = ""
    world.vendor.cases["26-2"] = incident("26-2")
    assert await world.system.look_up("26-2") is not None


@pytest.mark.parametrize(
    ("manner", "outcome"),
    [
        ("half_a_body", "failed"),
        ("hangs_up", "unavailable"),
        ("error_500", "failed"),
        ("page_404", "failed"),
        ("unauthorized", "failed"),
        ("html", "failed"),
        ("not_json", "wrong"),
        ("twice", "wrong"),
        ("gzip", "failed"),
        ("redirect", "failed"),
        ("huge", "failed"),
        ("endless", "failed"),
    ],
)
async def test_every_way_to_fail_refuses_and_says_so(world: World, manner: str, outcome: str) -> None:
    """Nothing of a broken answer is used, nothing is followed, and the operator is told why without a case's number."""
    world.vendor.manner = manner

    refused = await world.fails()

    assert refused.outcome == outcome
    assert refused.down is (outcome != "wrong")
    assert refused.extras["retry_after"] >= 1  # type: ignore[operator]
    assert world.system.trouble
    assert "26-1" not in world.system.trouble
    assert not [path for path in world.vendor.asked if "elsewhere" in path]
    world.vendor.manner = ""
    assert await world.system.look_up("26-1") is not None
    assert world.system.trouble == ""


@pytest.mark.parametrize("manner", ["slow_headers", "slow_body"])
async def test_every_wait_has_an_end(tmp_path: Path, manner: str) -> None:
    """No head, and a body that stops in the middle."""
    vendor = Vendor(manner=manner, cases={"26-1": incident("26-1")})
    async with serving(vendor), world_of(tmp_path, vendor, SWIFT) as world:
        refused = await world.fails()

    assert (refused.outcome, refused.down) == ("timeout", True)
    assert "0.3 s" in world.system.trouble


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"no": "26-9"}, "another case"),
        ({"no": None}, "another case"),
        ({"no": ["26-1"]}, "number: neither text"),
        ({"type": "ROBBERY"}, "kind: a word"),
        ({"type": None}, "kind is none"),
        ({"received": "2026-11-22"}, "opened_at: not a time"),
        ({"received": None}, "opened_at is missing"),
        ({"disp": "REOPENED"}, "status"),
        ({"disp": None}, "status"),
        ({"officers": [{"badge": "no badge"}]}, "assigned"),
        ({"officers": [{"badge": True}]}, "assigned"),
        ({"received": "12/31/9999 23:59:59"}, "opened_at: not a time"),
    ],
)
async def test_an_answer_of_another_shape_or_case_is_wrong(world: World, changes: dict[str, Any], says: str) -> None:
    """What the mapping does not explain is not guessed; the value is not repeated."""
    world.vendor.cases["26-1"] = incident("26-1", **changes)

    refused = await world.fails()

    assert (refused.outcome, refused.down) == ("wrong", False)
    assert says in world.system.trouble
    assert world.circuit() == "closed"


async def test_a_long_summary_is_cut(world: World) -> None:
    """A vendor's narrative is no reason to refuse the case; what is kept of it has the length of any summary."""
    world.vendor.cases["26-1"] = incident("26-1", nature="Sedan. " * 200)

    case = await world.system.look_up("26-1")

    assert case is not None
    assert len(case.summary) <= SUMMARY_CHARACTERS


async def test_a_cleared_case_is_closed_as_long_as_can_be(world: World) -> None:
    """A status without a time of closing gives no grace: it counts from the opening."""
    world.vendor.cases["26-1"] = incident("26-1", disp="CLEARED")

    case = await world.system.look_up("26-1")

    assert case is not None
    assert case.closed_at == case.opened_at


async def test_nobody_there_is_unavailable(tmp_path: Path) -> None:
    """A refused connection is known at once."""
    async with serving(Vendor()) as vendor:
        gone = vendor.url
    async with world_of(tmp_path, vendor, url=gone) as world:
        assert (await world.fails()).outcome == "unavailable"


@pytest.mark.parametrize(
    ("number", "path"),
    [
        ("26-1", "/cad/incidents/26-1"),
        ("A B", "/cad/incidents/A%20B"),
        ("INC:7_1", "/cad/incidents/INC:7_1"),
        ("A/../B", None),
        ("A..B", None),
        ("A/B", None),
        ("A%2FB", None),
        ("A#B", None),
        ("A?B=1", None),
        ("A\r\nB", "/cad/incidents/A%20B"),
        ("..", None),
        ("", None),
    ],
)
async def test_a_number_never_leads_to_another_path(world: World, number: str, path: str | None) -> None:
    """What could be read as a path, a query or a fragment is asked of nobody, and is no case."""
    assert await world.system.look_up(number) is None or number == "26-1"
    assert world.vendor.asked == ([path] if path else [])


async def test_in_the_query_a_number_is_escaped_whole(tmp_path: Path) -> None:
    """There a slash is no path; nothing of the number ends the value."""
    async with serving(Vendor(manner="null")) as vendor:
        more = PATIENT + 'query: {ref: "{number}", view: full&all}\n'
        file = tmp_path / "case_system.yaml"
        file.write_text(MAPPING.format(url=vendor.url, more=more, agency=ORI).replace("/incidents/{number}", "/incidents"))
        system = CaseSystem(load_case_system(file), metrics=Metrics(), monotonic=lambda: 0.0)
        await system.open()
        await system.look_up("26/1#a:b c")
        await system.close()
    assert vendor.asked == ["/cad/incidents?ref=26%2F1%23A%3AB%20C&view=full%26all"]


async def test_what_was_answered_is_kept_for_its_time_and_not_longer(world: World) -> None:
    """Within ten seconds the case is as it was, and says how old that is; after them it is asked for anew."""
    await world.system.look_up("26-1")
    world.vendor.cases["26-1"] = incident("26-1", disp="CLEARED")
    world.now = 9.9
    kept = await world.system.look_up("26-1")
    world.now = 10
    fresh = await world.system.look_up("26-1")

    assert kept is not None
    assert (kept.closed_at, round(kept.age, 1), kept.stale) == (None, 9.9, False)
    assert fresh is not None
    assert (fresh.closed_at is not None, fresh.age) == (True, 0)
    assert len(world.vendor.asked) == 2


async def test_a_case_that_is_gone_is_forgotten(world: World) -> None:
    """What was kept of a case is not brought back once the case system knows it no more."""
    await world.system.look_up("26-1")
    del world.vendor.cases["26-1"]
    world.now = 20
    assert await world.system.look_up("26-1") is None
    world.vendor.manner = "error_500"
    assert (await world.fails(stale=MINUTE)).outcome == "failed"


async def test_stale_is_given_only_to_whom_policy_lets_have_it(world: World) -> None:
    """Nobody answers: who tolerates a minute gets the case of half a minute ago, marked; who tolerates nothing is refused."""
    await world.system.look_up("26-1")
    world.vendor.manner = "error_500"
    world.now = 30

    case = await world.system.look_up("26-1", stale=MINUTE)
    assert case is not None
    assert (case.age, case.stale) == (30, True)
    assert (await world.fails()).down
    world.now = 60.5
    assert (await world.fails(stale=MINUTE)).down


async def test_a_wrong_answer_never_brings_back_the_old_one(world: World) -> None:
    """The case system answers; that its answer is unreadable is no reason to prefer what it said before."""
    await world.system.look_up("26-1")
    world.vendor.cases["26-1"] = incident("26-1", type="SEALED")
    world.now = 30

    assert not (await world.fails(stale=MINUTE)).down


async def test_many_who_ask_about_one_number_wait_for_one_answer(world: World) -> None:
    """One request is sent; that the first gives up takes nothing from the others."""
    world.vendor.manner = "held"
    first = asyncio.create_task(world.system.look_up("26-1"))
    others = [asyncio.create_task(world.system.look_up("26-1")) for _ in range(20)]
    await world.vendor.until()
    first.cancel()
    world.vendor.gate.set()

    found = await asyncio.gather(*others)

    assert len(world.vendor.asked) == 1
    assert {case.number for case in found if case} == {"26-1"}
    assert first.cancelled()


async def test_a_burst_within_one_turn_of_the_loop_is_bounded_too(tmp_path: Path) -> None:
    """Nobody slips in between the question whether there is room and the beginning of the look-up."""
    vendor = Vendor()
    async with serving(vendor), world_of(tmp_path, vendor, PATIENT + "connections: 1\nqueue: 2\n") as world:
        found = await asyncio.gather(*(world.system.look_up(f"26-{at}") for at in range(9)), return_exceptions=True)

    assert sum(isinstance(each, CaseDirectoryUnavailable) for each in found) == 6
    assert len(vendor.asked) == 3


async def test_more_at_once_than_there_is_room_for_are_turned_away(tmp_path: Path) -> None:
    """A flood ends here and not at the case system, and does not open the breaker."""
    vendor = Vendor(manner="held", cases={f"26-{at}": incident(f"26-{at}") for at in range(5)})
    async with (
        serving(vendor),
        world_of(tmp_path, vendor, PATIENT + "connections: 1\nqueue: 1\nbreaker: {failures: 1}\n") as world,
    ):
        asked = [asyncio.create_task(world.system.look_up(f"26-{at}")) for at in range(2)]
        await vendor.until()
        assert (await world.fails("26-3")).outcome == "busy"
        vendor.gate.set()
        assert all(await asyncio.gather(*asked))
        assert world.circuit() == "closed"


async def test_a_system_that_is_down_is_left_alone_and_tried_again(tmp_path: Path) -> None:
    """After three failures nothing is asked for ten seconds; then one look-up is tried, and its success closes the breaker."""
    vendor = Vendor(manner="error_500", cases={f"26-{at}": incident(f"26-{at}") for at in range(9)})
    async with serving(vendor), world_of(tmp_path, vendor, f"{PATIENT}breaker: {{failures: 3}}\n") as world:
        assert [(await world.fails(f"26-{at}")).outcome for at in range(5)] == ["failed"] * 3 + ["open"] * 2
        assert (len(vendor.asked), world.circuit()) == (3, "open")
        assert (await world.fails()).extras["retry_after"] == 10
        world.now = 10
        assert (await world.fails("26-6")).outcome == "failed"
        assert (await world.fails("26-7")).outcome == "open"
        world.now = 20
        vendor.manner = "held"
        trial = asyncio.create_task(world.system.look_up("26-7"))
        await vendor.until(5)
        assert ((await world.fails("26-8")).outcome, world.circuit()) == ("open", "half_open")
        vendor.gate.set()
        assert await trial is not None
        assert world.circuit() == "closed"
        assert await world.system.look_up("26-8") is not None


async def test_it_is_tried_again_without_an_officer(tmp_path: Path) -> None:
    """Tending asks for nobody's case once the breaker lets it, never sooner, and closes it when somebody answers."""
    vendor = Vendor(manner="error_500")
    async with serving(vendor), world_of(tmp_path, vendor, f"{PATIENT}breaker: {{failures: 1}}\n") as world:
        await world.fails()
        await world.system.tend()
        assert (len(vendor.asked), world.circuit()) == (1, "open")
        world.now = 10
        await world.system.tend()
        assert (len(vendor.asked), world.circuit()) == (2, "open")
        vendor.manner, world.now = "", 20
        await world.system.tend()
        await world.system.tend()
        assert (vendor.asked[2:], world.circuit()) == (["/cad/incidents/SHOWCAUSE"], "closed")


async def test_one_number_on_which_the_system_stumbles_takes_it_from_nobody(tmp_path: Path) -> None:
    """Whoever knows such a number and asks for it again and again does not open the breaker."""
    vendor = Vendor(manner="error_500")
    async with serving(vendor), world_of(tmp_path, vendor, f"{PATIENT}breaker: {{failures: 3}}\n") as world:
        for _ in range(10):
            await world.fails("26-666")
        assert world.circuit() == "closed"


async def test_closing_ends_what_is_under_way(tmp_path: Path) -> None:
    """A stop does not wait for an answer that does not come."""
    vendor = Vendor(manner="held")
    async with serving(vendor):
        async with world_of(tmp_path, vendor, "total_seconds: 60.0\n") as world:
            waiting = asyncio.create_task(world.system.look_up("26-1"))
            await vendor.until()
        vendor.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_secrets_come_from_a_file_of_header_lines(tmp_path: Path) -> None:
    """They reach the case system, and nothing else of a query does."""
    secret = tmp_path / "headers"
    secret.write_text("Authorization: Bearer of-the-proxy\nX-Agency: KY\n")
    secret.chmod(0o600)
    async with serving(Vendor()) as vendor, world_of(tmp_path, vendor, "secret_headers: headers\n") as world:
        await world.system.look_up("26-1")
    (headers,) = vendor.headers
    assert (headers["Authorization"], headers["X-Agency"]) == ("Bearer of-the-proxy", "KY")
    assert set(headers) == {"Host", "User-Agent", "Accept", "Accept-Encoding", "Authorization", "X-Agency"}


@pytest.mark.parametrize("content", ["no colon here\n", "Authorization:\n", "Authoriz ation: x\n", "X: caf\u00e9\n"])
async def test_a_file_that_holds_no_header_lines_stops_the_start(tmp_path: Path, content: str) -> None:
    """The message names the file and not what it holds."""
    secret = tmp_path / "headers"
    secret.write_text(content)
    secret.chmod(0o600)
    with pytest.raises(CaseSystemUnusable, match="header lines") as raised:
        async with world_of(tmp_path, Vendor(url="http://127.0.0.1:1"), "secret_headers: headers\n"):
            pass
    assert str(secret) in str(raised.value)
    assert "caf" not in str(raised.value)


async def test_tls_is_believed_only_by_the_right_office_for_the_right_name(
    tmp_path: Path, office: Callable[[str], Office]
) -> None:
    """The right certificate answers; another name, another office and a certificate that we lack do not."""
    city = office("city")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*city.issue("server", "127.0.0.1"))
    context.load_verify_locations(city.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    certificate, key = city.issue("client")
    ours = f"{PATIENT}certificate: {certificate}\nkey: {key}\n"
    async with serving(Vendor(cases={"26-1": incident("26-1")}), tls=context) as vendor:
        by_address = vendor.url.replace("localhost", "127.0.0.1")
        for url, more, answers in (
            (by_address, f"{ours}ca: {city.ca}\n", True),
            (vendor.url, f"{ours}ca: {city.ca}\n", False),
            (by_address, ours, False),
            (by_address, f"{PATIENT}ca: {city.ca}\n", False),
        ):
            async with world_of(tmp_path, vendor, more, url) as world:
                if answers:
                    assert await world.system.look_up("26-1") is not None
                else:
                    assert (await world.fails()).outcome == "unavailable"


@given(st.lists(st.tuples(st.sampled_from(["ask", "works", "fails", "lost"]), st.floats(0, 20), st.sampled_from("abc"))))
def test_the_breaker_never_lets_two_through_half_open_and_always_closes_on_success(
    steps: list[tuple[str, float, str]],
) -> None:
    """Whatever happens in which order: open admits nothing for its time, half open one, and success admits everybody."""
    breaker, now, trying = Breaker(failures=2, open_seconds=10), 0.0, False
    opened = -1.0
    for what, seconds, number in steps:
        now += seconds
        before = breaker.circuit
        if what == "ask":
            admitted = breaker.admits(now)
            assert admitted is (before is Circuit.CLOSED or (before is Circuit.OPEN and now - opened >= 10))
            trying = trying or (admitted and before is Circuit.OPEN)
        elif what == "works":
            breaker.succeeded()
            trying = False
            assert breaker.circuit is Circuit.CLOSED
        elif what == "fails":
            breaker.failed(now, number)
            if breaker.circuit is Circuit.OPEN:
                opened, trying = now, False
        else:
            breaker.abandoned()
            trying = False
        assert (breaker.circuit is Circuit.HALF_OPEN) is trying
