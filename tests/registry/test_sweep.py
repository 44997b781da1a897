from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from proxy.audit.errors import AuditUnavailable
from proxy.audit.event import Receipt
from proxy.audit.outbox import OUTBOX, Outbox
from proxy.audit.sealing import Sealer
from proxy.inquiry.routes import load_routes
from proxy.registry.candidates import Record, gives_homes
from proxy.registry.ledgers import Ledgers
from proxy.registry.proposals import Kind
from proxy.registry.questions import MOST_QUESTIONS, about, questions
from proxy.registry.resolution import MOST_LOOKUPS, Answer, Resolution, Tally, unresolved
from proxy.registry.settlement import ProposalUnknown, settle
from proxy.registry.sweep import ENTRIES_A_CHUNK, STALE, Sweep
from proxy.upstream.reply import UpstreamUnavailable
from tests.registry.conftest import KEY, MAYOR
from tests.registry.test_cli import POLICIES

if TYPE_CHECKING:
    from pathlib import Path

    from proxy.audit.event import Event
    from proxy.inquiry.inquiry import Inquiry
    from proxy.registry.lookup_events import SweepEnded
    from proxy.registry.person import Entry
    from proxy.registry.proposals import Ledger
    from tests.registry.conftest import Office

ROUTES = load_routes(POLICIES / "routes.yaml")
OWN = {"person_id": "100001", "given_name": "Eleanor", "surname": "Whitcombe", "dob": "1961-03-09", "street": "12 Elm St"}
SPOUSE = {"person_id": "100002", "given_name": "Ralph", "surname": "Stone", "dob": "1960-02-02", "street": "12 Elm St"}
PLAIN = {key: MAYOR[key] for key in ("given_name", "surname", "dob", "category", "basis")} | {"street": "12 Elm Street"}


@dataclass
class Town:
    """Records, a log and a clock that tests look into: what is asked is written down in order."""

    office: Office
    rows: list[dict[str, str]] = field(default_factory=list)
    journal: list[tuple[str, str]] = field(default_factory=list)
    refused: list[Exception] = field(default_factory=list)
    failed: str = ""
    log_down: bool = False
    origin: str = "http://records.test"
    asked: list[Inquiry] = field(default_factory=list)

    def __post_init__(self) -> None:
        numbers = count(1)
        outbox = Outbox(self.office.database, Sealer(index_key=b"i" * 32, body_key=b"b" * 32), lambda: self.office.now, _bytes)
        self.registry = self.office.registry
        self.ledgers = Ledgers(self.office.database, KEY, outbox)
        self.resolution = Resolution(
            self.ledgers,
            self,
            ROUTES.routes,
            self,
            clock=lambda: self.office.now,
            pause=self.pause,
            new_id=lambda: f"q{next(numbers)}",
        )

    async def pause(self) -> None:
        """Let a second pass before each look-up."""
        self.office.pass_time(seconds=1)

    async def record(self, event: Event) -> Receipt:
        """Be the log."""
        if self.log_down:
            raise AuditUnavailable("down")
        self.journal.append((event.kind, event.about))
        return Receipt(origin="test", index=len(self.journal), kind=event.kind, about=event.about)

    async def ask(self, inquiry: Inquiry, receipt: Receipt) -> Answer:
        """Be the records server: a row answers when it has every value that was asked for."""
        self.journal.append(("asked", inquiry.query_id))
        assert (receipt.kind, receipt.about) == ("decided", inquiry.query_id)
        if self.refused:
            raise self.refused.pop()
        if self.failed:
            return Answer(failed=self.failed)
        self.asked.append(inquiry)
        if inquiry.route.id != "person-search":
            return Answer()
        wanted = [(kind, value) for kind, values in inquiry.criteria.items() for value in values]
        rows = [row for row in self.rows if all(row.get(kind) == value for kind, value in wanted)]
        fields = ({kind: (text,) for kind, text in row.items()} for row in rows)
        return Answer(records=tuple(Record(route=inquiry.route.id, fields=each, lives=True) for each in fields))

    async def enroll(self, **line: Any) -> Entry:
        """Enroll somebody without a record's id."""
        await self.office.enroll(PLAIN | line)
        return (await self.registry.entries())[0]

    async def look(self, *entries: Entry) -> tuple[dict[str, Ledger], Tally]:
        """Ask about entries."""
        tally = Tally()
        return await self.resolution.look(entries, await self.registry.entries(), tally, by="steward"), tally

    async def sweep(self, *, minutes: float = 600, stopping: bool = False) -> SweepEnded:
        """Do one night's sweep."""
        runs = count(len(self.journal))
        sweep = Sweep(self.registry, self.ledgers, self.resolution, lambda: self.office.now, new_id=lambda: f"run{next(runs)}")
        await sweep.begin(by="steward", per_second=1)
        return await sweep.go_on(until=self.office.now + timedelta(minutes=minutes), stopping=lambda: stopping)

    async def events(self) -> list[str]:
        """Return the kinds of the events that wait in the outbox, in order."""
        async with self.office.database.begin() as connection:
            return [row.kind for row in await connection.execute(OUTBOX.select().order_by(OUTBOX.c.seq))]


def _bytes(size: int, _numbers: count[int] = count(1)) -> bytes:  # noqa: B008 -- one sequence is meant
    return next(_numbers).to_bytes(size, "big")


@pytest.fixture
def town(office: Office) -> Town:
    """Provide two people at one address."""
    return Town(office, rows=[OWN, SPOUSE])


async def test_every_road_of_an_entry_is_asked_once(office: Office) -> None:
    """Name, birth, numbers, plate, address and id, each where a route takes it, in the spellings that records are kept in."""
    await office.enroll(MAYOR)
    [entry] = await office.registry.entries()

    asked = questions(ROUTES.routes, about(entry.identifiers))
    targets = [inquiry.outbound.target for inquiry in asked]

    assert len(set(targets)) == len(targets) <= MOST_QUESTIONS
    for part in ("persons/100123.json", "given_name=Eleanor&surname=Whitcombe&", "ssn=518-22-4471", "email=", "plate=EW-0001",
                 "vin=1HGCM82633A004352", "license=", "addresses.json?street=12%20Elm%20Street&", "person_id=100123",
                 "name=Whitcombe%2C%20Eleanor%20Ruth&dob=1961-03-09"):  # fmt: skip
        assert any(part in target for target in targets), part


async def test_nobody_s_place_of_an_incident_is_asked_for(town: Town) -> None:
    """Who else was at an address says nothing of who lives there."""
    entry = await town.enroll()

    asked = questions(ROUTES.routes, about(entry.identifiers))

    assert all(gives_homes(inquiry.route) for inquiry in asked if "street" in inquiry.criteria)
    assert any("street" in inquiry.criteria for inquiry in asked)


SEARCH = """
shapes: {}
routes:
  name-search:
    method: POST
    path: /search
    action: person.search
    body:
      who.last: {kind: surname, required: true}
      born: {kind: dob}
    require: [[born]]
    forward: {path: /rms/search, rename: {who.last: family, born: dob}}
    records: $.hits[*]
    fields: {id: {kind: person_id, class: identifier}}
    absent: {status: 200, body: {hits: []}}
"""


async def test_a_search_by_post_is_asked_as_its_route_forwards_it(town: Town, tmp_path: Path) -> None:
    """What the route requires and the entry has, under the records server's own names."""
    entry = await town.enroll()
    (tmp_path / "routes.yaml").write_text(SEARCH)

    [inquiry] = questions(load_routes(tmp_path / "routes.yaml").routes, about(entry.identifiers))

    assert (inquiry.outbound.method, inquiry.outbound.target) == ("POST", "/rms/search")
    assert orjson.loads(inquiry.outbound.body or b"") == {"family": "Whitcombe", "dob": "1961-03-09"}


async def test_nothing_is_asked_before_its_decision_is_in_the_log(town: Town) -> None:
    """Each look-up follows a decision that names it, and no decision holds more than an entry of the log can."""
    entry = await town.enroll(phone=[f"212555{number:04}" for number in range(60)])

    _, tally = await town.look(entry)

    assert tally.lookups == sum(kind == "asked" for kind, _ in town.journal) > 0
    decided: dict[str, int] = {}
    for kind, query_id in town.journal:
        if kind == "decided":
            decided[query_id] = 0
        else:
            decided[query_id] += 1
    assert max(decided.values()) <= MOST_LOOKUPS


async def test_nothing_is_asked_while_the_log_is_down(town: Town) -> None:
    """An unconfirmed entry stops the look-up before the records server."""
    entry = await town.enroll()
    town.log_down = True

    with pytest.raises(AuditUnavailable):
        await town.look(entry)

    assert town.journal == []


async def test_the_records_server_s_own_spelling_of_the_home_finds_the_household(town: Town) -> None:
    """The entry says Street and the records say St: the person's record leads to who lives there."""
    entry = await town.enroll()

    ledgers, _ = await town.look(entry)

    assert [(each.kind, each.shown["person_id"]) for each in ledgers[entry.id].open] == [
        (Kind.RECORD, ("100001",)), (Kind.RESIDENT, ("100002",)),
    ]  # fmt: skip


async def test_what_a_steward_confirms_is_in_force_at_once(town: Town) -> None:
    """The record's id is a road to the entry, and the resident a member of its household, whose look-up concerns the entry."""
    entry = await town.enroll()
    ledgers, _ = await town.look(entry)

    after, accepted = await settle(
        town.registry, town.ledgers, entry, accept=[each.id for each in ledgers[entry.id].open], by="steward"
    )
    await town.registry.refresh()

    assert (after.identifiers.person_ids, len(accepted)) == (("100001",), 2)
    assert [each.entry for each in town.office.protections(person_id="100001")] == [entry.id]
    assert [each.entry for each in town.office.protections(person_id="100002")] == [entry.id]
    assert [each.entry for each in town.office.protections(name="Ralph Stone", dob="1960-02-02")] == [entry.id]
    assert (await town.look(after))[0][entry.id].open == ()


async def test_what_a_steward_declines_changes_nothing_and_is_not_proposed_again(town: Town) -> None:
    """The registry stays as it is, and the next look finds nothing new."""
    entry = await town.enroll()
    ledgers, _ = await town.look(entry)

    await settle(town.registry, town.ledgers, entry, decline=[each.id for each in ledgers[entry.id].open], by="steward")
    again, tally = await town.look(entry)

    assert await town.registry.entries() == [entry]
    assert [each.kind for each in again[entry.id].open] == [Kind.RESIDENT]  # not the person, but of the same address
    assert tally.proposed == {"resident": 1}
    assert "proposals-settled" in await town.events()


async def test_a_proposal_that_is_not_there_settles_nothing(town: Town) -> None:
    """One wrong id among several, and none of them is confirmed."""
    entry = await town.enroll()
    ledgers, _ = await town.look(entry)

    with pytest.raises(ProposalUnknown):
        await settle(town.registry, town.ledgers, entry, accept=[ledgers[entry.id].open[0].id, "0000000000"], by="steward")

    assert await town.registry.entries() == [entry]


async def test_an_entry_with_a_record_s_id_is_resolved(town: Town) -> None:
    """`resolve --all` is about the others."""
    await town.office.enroll(PLAIN, MAYOR | {"given_name": "Ruth", "ssn": "518-22-4472", "person_id": "100123"})

    assert [entry.identifiers.given_name for entry in unresolved(await town.registry.entries())] == ["Eleanor"]


async def test_a_sweep_proposes_what_is_new_since_the_last(town: Town) -> None:
    """Twice the same records propose once; a new resident is proposed the next night, alone."""
    await town.enroll()

    first, second = await town.sweep(), await town.sweep()
    town.rows.append(SPOUSE | {"person_id": "100003", "given_name": "Mia", "dob": "2001-01-01"})
    third = await town.sweep()

    assert (first.outcome, first.proposed) == ("done", {"record": 1, "resident": 1})
    assert (second.entries, second.proposed) == (1, {})
    assert third.proposed == {"resident": 1}
    events = await town.events()
    assert (events.count("sweep-began"), events.count("sweep-ended")) == (3, 3)


async def test_a_sweep_out_of_time_goes_on_the_next_night(town: Town) -> None:
    """It stops between entries, says so, asks the rest the next time, and then begins anew."""
    people = [PLAIN | {"given_name": f"N{letter}", "surname": "Moe"} for letter in "abcdefghi"]
    await town.office.enroll(*people)

    first = await town.sweep(minutes=0.01)
    second = await town.sweep()
    third = await town.sweep()

    assert (first.outcome, first.entries) == ("out-of-time", ENTRIES_A_CHUNK)
    assert (second.outcome, second.entries) == ("done", len(people) - ENTRIES_A_CHUNK)
    assert third.entries == len(people)


async def test_a_sweep_that_was_left_for_long_begins_anew(town: Town) -> None:
    """Who was asked about a week ago is asked about again."""
    await town.office.enroll(*(PLAIN | {"given_name": f"N{letter}", "surname": "Moe"} for letter in "abcdef"))
    await town.sweep(minutes=0.01)
    town.office.pass_time(seconds=STALE.total_seconds() + 1)

    assert (await town.sweep()).entries == 6


async def test_a_stopped_sweep_asks_nothing(town: Town) -> None:
    """Told to stop, it ends with its entry in the log."""
    await town.enroll()

    assert (await town.sweep(stopping=True)).outcome == "stopped"
    assert (town.journal, await town.events()) == ([], ["sweep-began", "sweep-ended"])


async def test_a_records_server_that_is_gone_ends_the_sweep(town: Town) -> None:
    """What was decided has its end in the log, and the next sweep asks again."""
    await town.enroll()
    town.refused.append(UpstreamUnavailable("gone"))

    ended = await town.sweep()

    assert (ended.outcome, ended.problem, ended.entries) == ("failed", "upstream-unavailable", 0)
    assert await town.events() == ["sweep-began", "looked-up", "sweep-ended"]
    assert (await town.sweep()).proposed == {"record": 1, "resident": 1}


async def test_what_could_not_be_asked_is_not_gone(town: Town) -> None:
    """A night of unreadable replies takes no proposal away."""
    entry = await town.enroll()
    before = (await town.look(entry))[0][entry.id]
    town.failed = "reply-unreadable"

    ended = await town.sweep()

    assert (ended.failed > 0, ended.proposed) == (True, {})
    assert (await town.ledgers.of(entry.id)).open == before.open


async def test_the_ledger_of_an_entry_that_is_gone_goes_too(town: Town) -> None:
    """What was found about somebody who is protected no longer is not kept."""
    entry = await town.enroll()
    await town.sweep()
    await town.office.remove(entry.id)

    await town.sweep()

    assert await town.ledgers.all() == {}


async def test_proposals_at_rest_name_nobody(town: Town) -> None:
    """The store's file holds no name, number or street of what was found."""
    await town.enroll()
    await town.sweep()

    folder = town.office.database.path.parent
    content = b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())
    assert await town.ledgers.all()
    for text in (b"Whitcombe", b"Ralph", b"100001", b"100002", b"Elm"):
        assert text not in content
