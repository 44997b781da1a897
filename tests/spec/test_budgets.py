"""How much one person may ask, decided without a look at who is protected."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest

from proxy.demo.records import build_town
from proxy.demo.town import CITY
from proxy.escalation.lifecycle import BudgetSpent
from proxy.gateway.neighborhood import around, sound
from proxy.gateway.pace import JITTER, PATIENCE, STEP, Pace
from proxy.gateway.spending import Buckets, Spending
from proxy.inquiry.inquiry import Inbound
from proxy.inquiry.routes import load_routes
from proxy.inquiry.service import inquire
from proxy.policy.budgets import Budgets, load_budgets
from proxy.telemetry import Metrics
from tests.spec.conftest import open_street, policies_with

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from proxy.inquiry.inquiry import Inquiry
    from proxy.inquiry.route import RouteMap
    from tests.spec.conftest import Street

POLICIES = Path(__file__).parents[2] / "policies"
FEW = Budgets(queries=1000, fruitless=4, records=250, neighborhood=6, broad_counts=3)
ME, OTHER = "badge-1001", "badge-1002"


@pytest.fixture(scope="module")
def routes() -> RouteMap:
    """Provide the shipped routes."""
    return load_routes(POLICIES / "routes.yaml")


class Desk:
    """Somebody who asks, and the account that is kept."""

    def __init__(self, routes: RouteMap, budgets: Budgets = FEW, most: int = 65536) -> None:
        """Begin with nothing spent."""
        self.metrics = Metrics()
        self.spending = Spending(key=b"k" * 32, metrics=self.metrics, most=most)
        self.budgets = budgets
        self.now = 1000.0
        self._routes = routes

    def inquiry(self, table: str, **query: str) -> Inquiry:
        """Read a query as the street does."""
        return inquiry_of(self._routes, f"/records/{table}?{urlencode(query, quote_via=quote)}")

    def ask(self, table: str, *, person: str = ME, root: str | None = None, **query: str) -> None:
        """Charge one query that found somebody."""
        self.spending.charge(self.budgets, person, self.inquiry(table, **query), root, self.now)

    def asks_until_refused(self, table: str, **query: str) -> int:
        """Ask with another date each time; return how often it went well."""
        for count in range(200):
            try:
                self.ask(table, **query, dob=f"1950-01-{count + 1:02}" if count < 31 else f"1951-01-{count - 30:02}")
            except BudgetSpent:
                return count
        raise AssertionError


def inquiry_of(routes: RouteMap, target: str) -> Inquiry:
    """Read a query as the street does."""
    return inquire(
        routes,
        Inbound(query_id="q", source="", method="GET", target=target, headers=()),
    )


@pytest.mark.parametrize(
    "queries",
    [
        (
            "persons?surname=Quimby&dob=1961-03-05",
            "persons?surname=Quinby&dob=1962-01-01",
            "persons?surname=Kwimbey&dob=1961-01-01",
        ),
        (
            "persons?surname_prefix=Qui&given_name=A",
            "persons?surname=Quimby&given_name=B",
            "persons?surname_prefix=Quimb&given_name=C",
        ),
        (
            "warrants?name=Wallace+Quimby&dob=1961-03-05",
            "persons?surname=Quimby&dob=1961-03-05",
            "warrants?name=QUIMBY,+W&dob=1961-03-05",
        ),
        (
            "addresses?street=1+Elm+Street",
            "persons?street=3+Elm+St.+Apt+4",
            f"addresses?street_name=Elm+Street&city={quote(CITY)}",
        ),
        (
            "warrants?name=Wallace+Quimby&dob=1961-03-05",
            "warrants?name=Quimby+Wallace+Abel&dob=1961-03-06",
            "warrants?name=Wallace+Quimby+Jr&dob=1961-03-07",
            "warrants?name=Quimby+Wallace&dob=1961-03-08",
            "persons?given_name=Wallace&surname=Abel-Quimby&dob=1961-03-09",
            "persons?given_name=Wallace&surname=Baker+Quinby&dob=1961-03-10",
        ),
        ("addresses?street=1+Magnolia+Court", "addresses?street=3+Magnola+Ct", "addresses?street=5+N+Maggnolia"),
        ("vehicles?plate=CML186", "vehicles?plate=CML187", "vehicles?plate_prefix=CML", "vehicles?plate_prefix=CML1&color=Red"),
        ("vehicles?plate=CML1B6", "vehicles?plate=XXX186", "vehicles?plate=QML1B6"),
        ("persons?phone=%2B15552684280", "persons?mobile=555-268-4281", "persons?phone=268+4289"),
        ("vehicles?plate=KY+CML186", "vehicles?plate=CML187+NY", "vehicles?plate=OH-CML188"),
        ("persons?ssn=666-72-7674", "persons?ssn=666727675", "persons?ssn=666-72-0000"),
        ("persons/100820", "persons/100821", "warrants?person_id=100899", "persons/00100822"),
        ("persons?given_name=Ada&sex=F&race=W", "persons?given_name=Ada&dob_from=1950-01-01&dob_to=1951-01-01"),
    ],
)
def test_queries_around_one_person_share_a_neighborhood(routes: RouteMap, queries: tuple[str, ...]) -> None:
    """A slip, another letter, the next house, another road to the same name: the budget is one."""
    places = [around(inquiry_of(routes, f"/records/{query}")) for query in queries]

    assert frozenset.intersection(*places)


def test_other_people_have_other_neighborhoods(routes: RouteMap) -> None:
    """Names that sound otherwise, other streets, other numbers; a case is nobody's neighborhood."""
    queries = (
        "persons?surname=Quimby&dob=1961-03-05", "persons?surname=Lovejoy&dob=1961-03-05", "addresses?street=1+Elm+Street",
        "addresses?street=1+Oak+Street", "vehicles?plate=CML186", "vehicles?plate=ZZZ999", "persons/100820", "persons/100920",
    )  # fmt: skip
    places = [around(inquiry_of(routes, f"/records/{query}")) for query in queries]

    assert sum(map(len, places)) == len(frozenset().union(*places))
    assert around(inquiry_of(routes, "/records/incidents?case_number=26-004217")) == frozenset()
    assert sound("Quimby") == sound("Quinby") != sound("Lovejoy")


def test_a_neighborhood_is_spent_and_fills_again(routes: RouteMap) -> None:
    """After its queries there is 429 for the rest of the hour's share; another name and another officer are served."""
    desk = Desk(routes)
    assert desk.asks_until_refused("persons", surname="Quimby") == 6

    with pytest.raises(BudgetSpent) as spent:
        desk.ask("warrants", name="Wallace Quinby", dob="1961-03-05")
    assert spent.value.extras["retry_after"] == 600
    desk.ask("persons", surname="Lovejoy", dob="1961-03-05")
    desk.ask("persons", person=OTHER, surname="Quimby", dob="1961-03-05")
    desk.now += 600
    desk.ask("warrants", name="Wallace Quinby", dob="1961-03-05")
    assert desk.metrics.registry.get_sample_value("showcause_budget_spent_total", {"budget": "neighborhood"}) == 2


def test_the_same_query_again_is_free(routes: RouteMap) -> None:
    """Waiting for a supervisor by asking again, or asking twice by mistake, tries nothing new; only the queries are counted."""
    desk = Desk(routes, Budgets(queries=50, fruitless=4, records=250, neighborhood=6, broad_counts=3))

    for _ in range(50):
        desk.ask("persons", surname="Quimby", dob="1961-03-05")

    with pytest.raises(BudgetSpent):
        desk.ask("persons", surname="Quimby", dob="1961-03-05")


def test_a_broad_search_counts_for_several(routes: RouteMap) -> None:
    """It tries many persons at once."""
    desk = Desk(routes)
    desk.ask("persons", surname_prefix="Quimb", given_name="Ada")
    desk.ask("persons", surname_prefix="Quimb", given_name="Bea")

    with pytest.raises(BudgetSpent):
        desk.ask("persons", surname="Quimby", dob="1961-03-05")


def test_a_cascade_counts_once(routes: RouteMap) -> None:
    """What a terminal asks of itself to follow a query up is counted with it, each kind of query once, and no more."""
    desk = Desk(routes)
    first = desk.inquiry("persons", surname="Quimby", dob="1961-03-05")
    charged = desk.spending.charge(FEW, ME, first, None, desk.now)
    desk.spending.opened(charged, "log/1", ME, desk.now)

    desk.ask("warrants", root="log/1", name="Wallace Quimby", dob="1961-03-05")
    follow = desk.inquiry("incidents", name="Wallace Quimby", dob="1961-03-05")
    cascaded = desk.spending.charge(FEW, ME, follow, "log/1", desk.now)
    desk.spending.opened(cascaded, "log/2", ME, desk.now)

    assert cascaded.cascaded
    assert desk.asks_until_refused("persons", surname="Quimby", root="log/2") == 5
    with pytest.raises(BudgetSpent):
        desk.ask("warrants", root="log/1", name="Wilma Quimby", dob="1961-03-05")


def test_a_cascade_around_somebody_else_is_charged_there(routes: RouteMap) -> None:
    """A harmless query is no ticket for as many as one likes around a person."""
    desk, roomy = Desk(routes), replace(FEW, neighborhood=1000)
    for number in range(6):
        harmless = desk.inquiry("persons", surname="Smith", dob=f"1961-03-{number + 1:02}")
        charged = desk.spending.charge(roomy, ME, harmless, None, desk.now)
        desk.spending.opened(charged, f"log/{number}", ME, desk.now)
        desk.ask("warrants", root=f"log/{number}", name="Wallace Quimby", dob=f"1961-03-{number + 1:02}")

    desk.spending.opened(desk.spending.charge(roomy, ME, harmless, None, desk.now), "log/6", ME, desk.now)
    other = desk.inquiry("persons", surname="Jones", dob="1961-03-05")
    desk.spending.opened(desk.spending.charge(roomy, ME, other, None, desk.now), "log/7", ME, desk.now)
    for table in ("warrants", "incidents"):
        with pytest.raises(BudgetSpent):
            desk.ask(table, root="log/7", name="Willem Quimby", dob="1961-03-09")
    with pytest.raises(BudgetSpent):
        desk.ask("warrants", root="log/6", name="Willem Quimby", dob="1961-03-09")


def test_what_finds_nothing_and_what_finds_much_is_counted(routes: RouteMap) -> None:
    """So many empty answers, or so many records, and there are no more within the hour."""
    for found, budget in (({"fruitless": True}, "fruitless"), ({"records": 70}, "records")):
        desk = Desk(routes)
        for number in range(4):
            charged = desk.spending.charge(FEW, ME, desk.inquiry("vehicles", plate=f"{number}AB{number}CD"), None, desk.now)
            desk.spending.settle(charged, FEW, ME, now=desk.now, **found)
        with pytest.raises(BudgetSpent):
            desk.ask("vehicles", plate="9XY9ZZ")
        assert desk.metrics.registry.get_sample_value("showcause_budget_spent_total", {"budget": budget}) == 1


def test_memory_is_bounded() -> None:
    """The longest untouched are forgotten, and it is counted."""
    buckets = Buckets(most=3)
    for number in range(5):
        buckets.add(bytes([number]), 10, 5, 100.0 + number)

    assert [buckets.level(bytes([number]), 10, 105.0) > 0 for number in range(5)] == [False, False, True, True, True]
    assert buckets.forgotten == 2


def test_honest_work_is_not_in_the_way(routes: RouteMap) -> None:
    """A stop every five minutes, a detective's list of 100, a dispatcher's busiest night: the shipped budgets serve them."""
    shipped = load_budgets(POLICIES / "budgets.yaml")
    town, chance = build_town(persons=4000, officers=50, incidents=10), Random(7)
    desk, persons = Desk(routes, shipped), list(town.persons)
    for _ in range(8 * 12):
        stopped = chance.choice(town.vehicles)
        desk.ask("vehicles", person="patrol", plate=stopped.plate)
        desk.ask("persons", person="patrol", surname=stopped.owner.surname, dob=stopped.owner.dob.isoformat())
        desk.ask("warrants", person="patrol", person_id=stopped.owner.person_id)
        desk.now += 300
    for suspect in chance.sample(persons, 100):
        desk.ask("persons", person="detective", given_name=suspect.given_name, surname=suspect.surname)
        desk.ask("warrants", person="detective", person_id=suspect.person_id)
        desk.now += 20
    for _ in range(6 * 60):
        caller = chance.choice(persons)
        desk.ask("addresses", person="dispatcher", street=caller.home.line)
        if caller.phone:
            desk.ask("persons", person="dispatcher", phone=caller.phone)
        desk.ask("incidents", person="dispatcher", street=caller.home.line)
        charged = desk.spending.charge(
            shipped, "dispatcher", desk.inquiry("vehicles", plate=f"X{desk.now:.0f}"), None, desk.now
        )
        desk.spending.settle(charged, shipped, "dispatcher", fruitless=True, now=desk.now)
        desk.now += 60


@pytest.mark.parametrize("took", [0.001, 0.01, 0.1])
def test_an_answer_without_records_leaves_on_a_step(took: float) -> None:
    """Whatever it took, it leaves at one time but for chance; half wait 20 ms at most, or half of what they take."""
    chance = Random(3)
    pace = Pace(lambda: 0.0)
    for number in range(200):
        pace.leaves_after(took * chance.uniform(0.8, 1.4), number / 100)

    times = {round(pace.leaves_after(took * chance.uniform(0.8, 1.1), 3.0), 6) for _ in range(50)}

    assert len(times) == 1
    (time,) = times
    assert time >= took * 1.1
    assert round(time / STEP, 6).is_integer()
    assert time - took * 1.1 + JITTER / 2 <= max(0.02, took * 1.1 / 2)
    assert PATIENCE + JITTER / 2 <= 0.02


def test_one_fast_kind_of_answer_does_not_move_the_time() -> None:
    """The time grows at once and shrinks a step a minute, so that alternating what is asked shows nothing."""
    pace = Pace(lambda: 0.0)
    for number in range(300):
        pace.leaves_after(0.037, number / 100)
    slow = pace.leaves_after(0.001, 3.0)

    fast = [pace.leaves_after(0.001, 3.0 + number / 100) for number in range(3000)]

    assert slow == 0.04
    assert set(fast) == {slow}
    assert min(pace.leaves_after(0.001, 3600.0 + number) for number in range(3000)) == STEP


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[Street]:
    """Provide a street with small budgets."""
    budgets = "per_hour: {queries: 1000, fruitless: 1000, records: 1000, neighborhood: 8}\nbroad_counts: 3\n"
    async with open_street(tmp_path, policies_with(tmp_path / "policies", budgets)) as street:
        yield street


async def test_a_budget_runs_out_around_anybody_alike(strict: Street) -> None:
    """Around a judge, an informant, an ordinary person and somebody who is not there, the same query is the first refused."""
    cast = strict.town.cast
    names = {"judge": cast["judge"].surname, "informant": cast["informant"].surname, "nobody": "Zzyzx"}
    first: dict[str, int] = {}

    for who, surname in names.items():
        for number in range(12):
            path = strict.path("/records/persons", surname=surname, dob=f"1950-01-{number + 1:02}")
            answer = await strict.ask("detective", path)
            if answer.problem == "budget-spent":
                first[who] = number
                assert 1 <= int(answer.headers["Retry-After"]) <= 3600
                assert surname.encode() not in answer.body
                assert (await strict.entry(answer)).facts["problem"] == "budget-spent"
                break

    assert first == dict.fromkeys(names, 8)


async def test_the_log_says_how_often_somebody_protected_was_met(strict: Street) -> None:
    """By whatever road and however concealed: whoever reads the log sees the circling that no budget may show."""
    informant = strict.town.cast["informant"]
    by_id = f"/records/persons/{informant.person_id}"
    by_name = strict.path("/records/persons", given_name=informant.given_name, surname=informant.surname)

    entries = [await strict.entry(await strict.ask("officer", path)) for path in (by_id, by_name, by_id)]

    assert [entry.facts["met"] for entry in entries] == [1, 2, 3]
