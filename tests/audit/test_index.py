"""The index over the log: what it finds, how it follows, and that it never is evidence."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from proxy.audit.continuity import Unwitnessed
from proxy.audit.event import Event, Party
from proxy.audit.index.file import IndexUnusable
from proxy.audit.index.service import Index
from proxy.audit.keyring import Key, KeyRing
from proxy.audit.lookups import LookedUp, LookUps
from proxy.audit.sealing import Sealer
from proxy.audit.search import LogSearch, LogSearched, Sought
from proxy.audit.service import AuditTrail
from proxy.tlog.log import Log
from proxy.tlog.store import SegmentReader
from tests.audit.conftest import NOON

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from proxy.audit.event import Json
    from tests.audit.conftest import World

DAY = timedelta(days=1)
BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(Event):
    """A query, or its end."""

    kind: ClassVar[str] = "decided"
    parties_: tuple[tuple[str, str], ...]
    left: tuple[dict[str, Json], ...] = ()
    purpose: str = "C"

    def facts(self) -> Mapping[str, Json]:
        """Return what is counted."""
        return {"purpose": self.purpose, "outcome": "permit"}

    def parties(self) -> Iterable[Party]:
        """Return whom it names."""
        return [Party(kind, value) for kind, value in self.parties_]

    def sealed(self) -> Mapping[str, Json]:
        """Return what left."""
        return {"left": list(self.left)} if self.left else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(Query):
    """Its end."""

    kind: ClassVar[str] = "disclosed"


@dataclass
class Bench:
    """A log that is written and indexed; the clock is moved by hand."""

    world: World
    index: Index
    now: datetime = NOON
    about: int = 0
    log: Log = field(init=False)

    def __post_init__(self) -> None:
        self.log = Log(self.world.directory, signer=self.world.signer, clock=lambda: self.now)
        self.trail = AuditTrail(self.log, self.world.sealer, lambda: self.now)

    async def query(self, officer: str, subject: str, *left: dict[str, Any], **more: Any) -> int:
        """Record a query and its answer; return the decision's index."""
        self.about += 1
        about = f"q{self.about}"
        parties = (("officer", officer), ("subject", subject), ("case", "26-1"), ("terminal", "car-1"))
        receipt = await self.trail.record(Query(about=about, parties_=parties, **more))
        await self.trail.record(Answered(about=about, parties_=parties, left=left))
        return receipt.index

    async def hold(self, entry: int, *, released: bool = False) -> None:
        """Record that no witness had signed for an answer, the newest."""
        await self.trail.record(Unwitnessed(about=f"q{self.about}", entry=entry, released=released))

    def token(self, kind: str, value: str) -> str:
        """Return the token that is searched for."""
        return self.world.sealer.token(kind, value)

    def found(self, kind: str, value: str, **more: Any) -> list[int]:
        """Return which entries hold a party, newest first."""
        asked: dict[str, Any] = {"since": BEGIN, "until": END, "most": 100} | more
        hits = self.index.find([self.token(kind, value)], **asked)
        return [entry.index for entry in hits.entries]

    def disclosed(self, mark: str, before: datetime) -> list[int]:
        """Return which entries disclosed a value before a moment, oldest first."""
        return [entry.index for entry, _ in self.index.opened([mark], before)]

    @property
    def files(self) -> list[str]:
        """Return the index's files."""
        folder = self.world.directory.with_name("store.index")
        return sorted(path.name for path in folder.iterdir() if path.suffix in {".db", ".new"})


@pytest.fixture(name="bench")
def _bench(world: World) -> Iterator[Bench]:
    index = Index(world.directory, world.directory.with_name("store.index"), world.sealer, "log.example", chunk=1024)
    bench = Bench(world, index)
    yield bench
    index.close()


async def test_entries_are_found_by_whom_they_name(bench: Bench) -> None:
    """Officer, subject, case and terminal, newest first, between two moments, a page at a time."""
    for number in range(6):
        bench.now = NOON + number * DAY
        await bench.query(f"officer-{number % 2}", f"entry-{number % 3}")
    await bench.index.tend()

    assert bench.found("officer", "officer-0") == [9, 8, 5, 4, 1, 0]
    assert bench.found("subject", "entry-2") == [11, 10, 5, 4]
    assert len(bench.found("case", "26-1")) == len(bench.found("terminal", "car-1")) == 12
    assert bench.found("officer", "officer-0", since=NOON + DAY, until=NOON + 3 * DAY) == [5, 4]
    assert bench.found("officer", "officer-0", most=2) == [9, 8]
    assert bench.found("officer", "officer-0", most=2, before=8) == [5, 4]
    assert bench.found("officer", "nobody") == []


async def test_a_token_or_mark_that_is_none_hides_no_entry(bench: Bench) -> None:
    """Whoever writes entries by hand cannot keep one from being found by what else it names."""
    index = await bench.query("badge-1", "entry-1", {"seen": {"home": "no mark", "phone": bench.token("mark", "555")}})
    written = SegmentReader(bench.world.directory).read(index)
    await bench.log.append(written.replace(b'"parties":{', b'"parties":{"witness":["nobody"],'))
    bench.index.catch_up()

    assert bench.found("subject", "entry-1") == [index + 2, index + 1, index]


async def test_a_page_tells_whether_there_is_more(bench: Bench) -> None:
    """Nobody takes a part for the whole, nor a page that happens to be full for a part."""
    await bench.query("officer-1", "entry-1")
    await bench.query("officer-1", "entry-1")
    await bench.index.follow()
    wanted = [bench.token("officer", "officer-1")]

    assert bench.index.find(wanted, since=BEGIN, until=END, most=3).more
    assert not bench.index.find(wanted, since=BEGIN, until=END, most=4).more
    assert bench.index.find(wanted, since=BEGIN, until=END, most=4).indexed == 4


async def test_a_value_that_left_finds_the_entries_that_disclosed_it(bench: Bench) -> None:
    """By its mark, oldest first, before a moment, with what their sealed parts say of each record."""
    phone, street = "a" * 32, "b" * 32
    other: dict[str, Any] = {"seen": {"phone": "c" * 32, "name": "d" * 32}}
    await bench.query("officer-1", "entry-1", {"seen": {"phone": phone, "street": street, "sex": ""}}, other)
    bench.now += DAY
    await bench.query("officer-2", "entry-1", {"seen": {"phone": phone}})
    await bench.query("officer-3", "entry-1", other)
    await bench.index.follow()

    found = list(bench.index.opened([phone], NOON + 2 * DAY))

    assert [entry.index for entry, _ in found] == [1, 3]
    assert found[0][0].parties["officer"] == (bench.token("officer", "officer-1"),)
    assert found[0][1]["left"] == [{"seen": {"phone": phone, "street": street, "sex": ""}}, other]
    assert bench.disclosed(phone, NOON + DAY / 2) == [1]
    assert [entry.index for entry in bench.index.find([], marks=[street], since=BEGIN, until=END, most=5).entries] == [1]


async def test_queries_are_counted_without_opening_a_body(bench: Bench) -> None:
    """By day, officer, purpose and outcome; an answer is no further query."""
    for number in range(5):
        bench.now = NOON + number // 3 * DAY
        await bench.query(f"officer-{number % 2}", "entry-1", purpose="C" if number else "J")
    await bench.index.follow()

    with bench.index.reading() as index:
        days = [number for _, number in index.counts("day", BEGIN, END)]
        assert days == [3, 2]
        assert index.counts("purpose", BEGIN, END) == [("C", 4), ("J", 1)]
        assert index.counts("outcome", BEGIN, END) == [("permit", 5)]
        assert [number for _, number in index.counts("officer", BEGIN, END)] == [3, 2]
        assert index.counts("day", NOON - 2 * DAY, NOON - DAY) == []
        assert sum(n for _, n in index.counts("day", BEGIN, END, [bench.token("officer", "officer-1")])) == 2


async def test_the_index_goes_on_where_it_was(bench: Bench) -> None:
    """After a stop, a crash before it was told, and while the log grows: nothing twice, nothing left out."""
    await bench.query("officer-1", "entry-1")
    assert await bench.index.follow() == 2
    bench.index.close()
    await bench.query("officer-1", "entry-1")

    assert await bench.index.follow() == 2
    assert await bench.index.follow() == 0
    assert bench.found("officer", "officer-1") == [3, 2, 1, 0]
    with bench.index.reading() as index:
        assert index.counts("purpose", BEGIN, END) == [("C", 2)]


def altered(bench: Bench, statement: str) -> None:
    """Change the index behind its back."""
    folder = bench.world.directory.with_name("store.index")
    with closing(sqlite3.connect(next(folder.glob("*.db")))) as connection:
        connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM postings",
        "UPDATE meta SET value = '1' WHERE name = 'size'",
        "UPDATE meta SET value = 'other.example' WHERE name = 'seal'",
        "UPDATE meta SET value = 'ff' WHERE name = 'last'",
        "UPDATE entries SET offset = offset + 1",
        "DELETE FROM meta WHERE name = 'offset'",
        "PRAGMA user_version = 99",
    ],
)
async def test_an_altered_index_is_made_anew(bench: Bench, statement: str) -> None:
    """What does not agree with the log is thrown away, and the log is read again."""
    await bench.query("officer-1", "entry-1")
    await bench.index.follow()
    bench.index.close()
    altered(bench, statement)

    assert await bench.index.follow() == 2
    assert bench.found("officer", "officer-1") == [1, 0]
    assert bench.files == ["2.db"]


async def test_the_index_of_another_log_is_made_anew(bench: Bench) -> None:
    """A log of another origin, or with another entry where the last one was, is not that log."""
    await bench.query("officer-1", "entry-1")
    await bench.index.follow()
    bench.index.close()
    other = Index(bench.world.directory, bench.world.directory.with_name("store.index"), bench.world.sealer, "other.example")

    assert other.catch_up() == 2
    other.close()


async def test_what_is_no_index_is_made_anew(bench: Bench) -> None:
    """A file of something else in its place is replaced."""
    await bench.query("officer-1", "entry-1")
    folder = bench.world.directory.with_name("store.index")
    folder.mkdir()
    (folder / "1.db").write_bytes(b"no database" * 1000)

    assert await bench.index.follow() == 2
    assert bench.found("officer", "officer-1") == [1, 0]


async def test_a_planted_row_shows_nobody_an_entry_that_does_not_name_whom_they_sought(bench: Bench) -> None:
    """What the index points at is read from the log, and compared with the whole token."""
    await bench.query("officer-1", "entry-1")
    await bench.index.follow()
    altered(bench, "INSERT INTO postings VALUES (0, 7, 0)")
    planted = (7).to_bytes(8).hex() + "0" * 16

    assert bench.index.find([planted], since=BEGIN, until=END, most=5).entries == []


async def test_a_rebuild_goes_on_where_it_was_interrupted(bench: Bench) -> None:
    """The old index answers meanwhile, and a second rebuild does not begin at the beginning."""
    for _ in range(20):
        await bench.query("officer-1", "entry-1")
    await bench.index.follow()
    seen: list[int] = []

    def stop(count: int) -> None:
        seen.append(count)
        if len(seen) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.index.rebuild(stop)
    assert len(bench.found("officer", "officer-1")) == 40
    assert bench.files == ["1.db", "2.new"]
    again: list[int] = []
    assert bench.index.rebuild(again.append) == 40

    assert again[0] == sum(seen)
    assert sum(again) == 40
    assert bench.files == ["2.db"]
    assert len(bench.found("officer", "officer-1")) == 40
    await bench.query("officer-1", "entry-1")
    assert await bench.index.follow() == 2


async def test_without_an_index_nobody_is_told_that_there_is_nothing(bench: Bench) -> None:
    """It is an error, which says what to do."""
    with pytest.raises(IndexUnusable, match="rebuild-index"):
        bench.found("officer", "officer-1")


async def test_nothing_in_the_index_can_be_read_without_the_keys(bench: Bench) -> None:
    """It holds numbers and closed words."""
    await bench.query("badge-1234", "entry-77", {"person": ["100123"], "seen": {"phone": "a" * 32}})
    await bench.index.follow()
    bench.index.close()

    held = b"".join(path.read_bytes() for path in bench.world.directory.with_name("store.index").iterdir())

    assert not [value for value in (b"badge-1234", b"entry-77", b"100123", b"26-1", b"car-1") if value in held]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone(Event):
    """A tombstone."""

    kind: ClassVar[str] = "shredded"
    entries: tuple[int, ...]

    def facts(self) -> Mapping[str, Json]:
        """Return whose bodies are gone."""
        return {"entries": list(self.entries)}


async def test_what_was_shredded_is_not_found_by_what_it_held(bench: Bench) -> None:
    """Its marks leave the index with the tombstone; whom the entry names is found as before."""
    phone = "a" * 32
    await bench.query("officer-1", "entry-1", {"seen": {"phone": phone}})
    await bench.query("officer-2", "entry-1", {"seen": {"phone": phone}})
    await bench.index.follow()
    await bench.trail.record(Gone(entries=(1,)))
    await bench.index.follow()

    assert bench.disclosed(phone, NOON + DAY) == [3]
    assert bench.found("officer", "officer-1") == [1, 0]


@pytest.mark.parametrize("at_once", [True, False])
async def test_an_answer_that_never_left_is_not_found_by_what_it_would_have_shown(bench: Bench, at_once: bool) -> None:
    """Its marks leave the index with the entry that corrects it, in the same turn or a later one, and after a rebuild."""
    phone = "a" * 32
    await bench.query("officer-1", "entry-1", {"seen": {"phone": phone}})
    if not at_once:
        await bench.index.follow()
        bench.index.close()
    await bench.hold(1)
    await bench.query("officer-2", "entry-1", {"seen": {"phone": phone}})
    await bench.hold(4, released=True)
    await bench.index.follow()

    assert bench.disclosed(phone, NOON + DAY) == [4]
    assert bench.found("officer", "officer-1") == [1, 0]
    bench.index.rebuild()
    assert bench.disclosed(phone, NOON + DAY) == [4]


@pytest.mark.parametrize("released", [True, False])
async def test_an_answer_that_never_left_was_seen_by_nobody(bench: Bench, released: bool) -> None:
    """Whoever asks the log is told that it was asked for, and not released; it is not counted as a look-up either."""
    record: dict[str, Any] = {"subject": ["subject-1"], "seen": {"phone": "a" * 32}, "masked": ["dob"], "withheld": False}
    await bench.query("badge-1", "subject-1", record)
    await bench.hold(1, released=released)
    searched = LogSearched(
        operator="auditor-1",
        role="auditor",
        case="26-9",
        statement="complaint",
        sought=Sought(by="subject", value="subject-1", parties=(Party("subject", "subject-1"),)),
        since=BEGIN,
        until=END,
    )

    found = await LogSearch(bench.index, bench.world.sealer, bench.trail).search(searched)

    [line] = found.lines
    assert line.released is released
    assert (line.seen, line.masked, line.shown, line.withheld) == ((["phone"], ["dob"], 1, 0) if released else ([], [], 0, 1))
    counted = LookUps(bench.index, bench.world.sealer).of([Party("subject", "subject-1")], "badge-9", NOON + DAY)
    assert counted.officers == int(released)


async def test_epochs_whose_key_was_destroyed_are_told(bench: Bench) -> None:
    """Nobody takes what cannot be searched for what is not there."""
    await bench.query("officer-1", "entry-1")
    await bench.index.follow()
    other = Sealer(index_key=KeyRing([Key("later", b"k" * 32)]), body_key=b"b" * 32)
    blind = Index(bench.world.directory, bench.world.directory.with_name("store.index"), other, "log.example")

    hits = blind.find([bench.token("officer", "officer-1")], since=BEGIN, until=END, most=5)

    assert list(hits.dead) == [bench.world.sealer.epoch]
    assert list(bench.index.find([], since=BEGIN, until=END, most=5).dead) == []


async def test_who_was_looked_up_lately_and_by_whom_are_numbers(bench: Bench) -> None:
    """Answers of thirty days by any road, the officer's own and how many others had one; nothing older, nobody else's."""
    await bench.query("badge-1", "subject-1")
    bench.now += 31 * DAY
    for officer, subject in [("badge-1", "subject-1")] * 2 + [("badge-2", "subject-1"), ("badge-3", "subject-2")]:
        await bench.query(officer, subject)
    bench.index.catch_up()
    bench.now += DAY
    lookups = LookUps(bench.index, bench.world.sealer)

    both = [Party("subject", "subject-1"), Party("person_id", "1001")]
    assert lookups.of(both, "badge-1", bench.now) == LookedUp(own=2, officers=1, more=False)
    assert lookups.of(both, "badge-9", bench.now) == LookedUp(own=0, officers=2, more=False)
    assert lookups.of([], "badge-1", bench.now) == LookedUp(own=0, officers=0, more=False)
