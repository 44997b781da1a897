"""The leak trace over a real log: recorded before it looks and before it shows, whatever the spelling, in careful words."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.audit.continuity import Unwitnessed
from proxy.audit.errors import OwnLookups
from proxy.audit.event import Event, Party, Receipt
from proxy.audit.index.service import Gaps, Index
from proxy.audit.keyring import Key, KeyRing
from proxy.audit.reader import AuditReader
from proxy.audit.sealing import Sealer
from proxy.audit.service import AuditTrail
from proxy.disclosure.marks import mark
from proxy.inquiry.routes import load_routes
from proxy.oversight.leak.answer import view
from proxy.oversight.leak.asking import kinds_of, must_be_searchable
from proxy.oversight.leak.claim import Claim, LeakUnclear, bounded, claim, photo, read_claims, read_line, read_moment
from proxy.oversight.leak.events import LeadsShown, LeakTraced
from proxy.oversight.leak.service import LeakTrace
from proxy.oversight.leak.wording import CLEARS_NOBODY, NOWHERE, gone, unmarked
from proxy.tlog.log import Log
from proxy.tlog.note import Signer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from proxy.audit.entry import Entry
    from proxy.audit.event import Json
    from proxy.oversight.leak.answer import Answer
    from proxy.oversight.leak.sights import Archive

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided(Event):
    """A decision, as far as a trace reads it."""

    kind: ClassVar[str] = "decided"
    officer: str
    terminal: str

    def facts(self) -> Mapping[str, Json]:
        """Return its purpose."""
        return {"purpose": "C", "forward": True}

    def parties(self) -> Iterable[Party]:
        """Return who asked."""
        yield Party("officer", self.officer)

    def sealed(self) -> Mapping[str, Json]:
        """Return who asked, and why."""
        return {"operator": self.officer, "terminal": self.terminal, "case": "26-1", "statement": "burglary on Oak"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosed(Event):
    """Its end: what was seen of each record."""

    kind: ClassVar[str] = "disclosed"
    officer: str
    terminal: str
    left: tuple[dict[str, Json], ...]

    def facts(self) -> Mapping[str, Json]:
        """Return nothing."""
        return {}

    def parties(self) -> Iterable[Party]:
        """Return who asked, where and under which case."""
        yield Party("officer", self.officer)
        yield Party("terminal", self.terminal)
        yield Party("case", "26-1")

    def sealed(self) -> Mapping[str, Json]:
        """Return what was seen."""
        return {"left": list(self.left)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shredded(Event):
    """A tombstone."""

    kind: ClassVar[str] = "shredded"
    entries: tuple[int, ...]

    def facts(self) -> Mapping[str, Json]:
        """Return whose bodies are gone."""
        return {"entries": list(self.entries)}


@dataclass(slots=True)
class Walked:
    """The log by what it disclosed, read from its first entry to its last."""

    directory: Path
    sealer: Sealer
    size: int = 1 << 30

    def catch_up(self) -> int:
        """Keep nothing, so have nothing to catch up with."""
        return 0

    def indexed(self) -> int:
        """Find everything, or what the index has."""
        return self.size

    def in_log(self) -> int:
        """Have as many as are found."""
        return self.size

    def goes_on_from(self) -> str:
        """Go on from no other log."""
        return ""

    def gaps(self) -> Gaps:
        """Lack nothing."""
        return Gaps()

    def opened(self, marks: Sequence[str], before: datetime) -> Iterator[tuple[Entry, Mapping[str, Json]]]:
        """Yield entries that disclosed a value of any of the marks."""
        wanted = set(marks)
        for entry in AuditReader(self.directory).entries():
            body = entry.unseal(self.sealer)
            left: Any = body.get("left", ())
            if datetime.fromisoformat(entry.at) < before and any(wanted & set(each["seen"].values()) for each in left):
                yield entry, body

    def together(self, entries: Iterable[Entry]) -> Mapping[str, Sequence[Entry]]:
        """Return the entries of queries."""
        whole = list(AuditReader(self.directory).entries())
        return {each.about: [entry for entry in whole if entry.about == each.about] for each in entries}


@dataclass(slots=True)
class Office:
    """A log, its clock, and a trace over it."""

    directory: Path
    now: datetime = NOON
    sealer: Sealer = field(default_factory=lambda: Sealer(index_key=b"i" * 32, body_key=b"b" * 32))
    numbers: Iterator[int] = field(default_factory=itertools.count)
    journal: list[Event] = field(default_factory=list)

    async def look(
        self, officer: str, *records: dict[str, Json], terminal: str = "car-1", hours: float = 1.0, released: bool = True
    ) -> None:
        """Record a query and what it showed, or would have if it had been ``released``, and let time pass."""
        signer = Signer("log.example", Ed25519PrivateKey.from_private_bytes(bytes(32)))
        about = f"q{next(self.numbers)}"
        async with Log(self.directory, signer=signer, clock=lambda: self.now) as log:
            trail = AuditTrail(log, self.sealer, lambda: self.now)
            await trail.record(Decided(about=about, officer=officer, terminal=terminal))
            answered = await trail.record(Disclosed(about=about, officer=officer, terminal=terminal, left=records))
            if not released:
                await trail.record(Unwitnessed(about=about, entry=answered.index, released=False))
        self.now += hours * HOUR

    async def record_event(self, event: Event) -> None:
        """Record something else."""
        signer = Signer("log.example", Ed25519PrivateKey.from_private_bytes(bytes(32)))
        async with Log(self.directory, signer=signer, clock=lambda: self.now) as log:
            await AuditTrail(log, self.sealer, lambda: self.now).record(event)

    def record(self, person: str, masked: Sequence[str] = (), **values: str) -> dict[str, Json]:
        """Return what an entry says of a record that was shown."""
        kinds = {"mobile": "phone", "photo": "photo"}
        seen = {name: mark(self.sealer, kinds.get(name, name), value) for name, value in values.items()}
        seen["person_id"] = mark(self.sealer, "person_id", person)
        return {"person": [person], "subject": [], "seen": dict(seen), "masked": list(masked), "withheld": False}

    async def trace(
        self,
        *claims: Claim,
        page: int = 1,
        operator: str = "auditor-1",
        indexed: int = 1 << 30,
        archive: Archive | None = None,
    ) -> Answer:
        """Ask; what is recorded goes into the journal."""
        journal = self.journal

        class Recorder:
            async def record(self, event: Event) -> Receipt:
                journal.append(event)
                return Receipt(origin="log.example", index=len(journal), kind=event.kind, about="")

        asked = LeakTraced(
            operator=operator, role="auditor", case="26-9", statement="blog post", claims=tuple(bounded(claims)), page=page
        )
        walked = Walked(self.directory, self.sealer, indexed)
        return await LeakTrace(archive or walked, self.sealer, Recorder(), "log.example", turns=1).trace(asked)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """Return an empty log."""
    return Office(tmp_path / "log")


@pytest.mark.parametrize(
    ("kind", "published"),
    [
        ("home_address", "12 elm st., Fairmont"),
        ("address", "12 Elm Street Apt 4"),
        ("phone", "(555) 010-0199"),
        ("phone", "+1 555 010 0199"),
        ("mobile", "555.010.0199"),
        ("email", "Jane.Roe@Example.org"),
        ("name", "ROE, Jane"),
        ("surname", "roe"),
    ],
)
async def test_any_spelling_of_what_was_published_finds_the_entry(office: Office, kind: str, published: str) -> None:
    """Nobody publishes a telephone as the records server has it."""
    record = office.record(
        "1001", street="12 ELM STREET", phone="555-010-0199", email="jane.roe@example.org", name="Jane Roe", surname="Roe"
    )
    await office.look("badge-7", record)

    answer = await office.trace(claim(kind, published, office.now))

    assert [lead.officer for lead in answer.leads] == ["badge-7"]
    assert answer.leads[0].entries[0].entry == 1
    assert answer.leads[0].entries[0].statement == "burglary on Oak"


async def test_a_trace_is_recorded_before_it_looks_and_whom_it_shows_before_it_shows(office: Office) -> None:
    """Both events name whoever asked and the case; values and officers are sealed or tokens, never facts."""
    await office.look("badge-7", office.record("1001", phone="555-010-0199"))

    await office.trace(claim("phone", "5550100199", office.now, about="1001"))

    asked, shown = office.journal
    assert isinstance(asked, LeakTraced)
    assert isinstance(shown, LeadsShown)
    assert "0199" not in str(asked.facts())
    assert asked.sealed()["published"] == [asked.claims[0].told()]
    assert {party.kind for party in asked.parties()} == {"actor", "case", "person_id"}
    assert shown.entries == (1,)
    assert Party("officer", "badge-7") in set(shown.parties())
    assert "badge-7" not in str(shown.facts())


async def test_nothing_is_shown_when_it_cannot_be_recorded(office: Office) -> None:
    """Whoever cannot be written down as having asked is told nothing, and nothing is looked for."""
    await office.look("badge-7", office.record("1001", phone="555-010-0199"))
    asked = LeakTraced(
        operator="a", role="auditor", case="26-9", statement="blog", claims=(claim("phone", "5550100199", office.now),)
    )

    class Silent:
        def catch_up(self) -> int:
            raise AssertionError

        def indexed(self) -> int:
            raise AssertionError

        def in_log(self) -> int:
            raise AssertionError

        def goes_on_from(self) -> str:
            raise AssertionError

        def gaps(self) -> Gaps:
            raise AssertionError

        def opened(self, marks: Sequence[str], before: datetime) -> Iterator[tuple[Entry, Mapping[str, Json]]]:
            raise AssertionError(marks, before)

        def together(self, entries: Iterable[Entry]) -> Mapping[str, Sequence[Entry]]:
            raise AssertionError(entries)

    class Down:
        async def record(self, event: Event) -> Receipt:
            raise OSError(event.kind)

    with pytest.raises(OSError, match="leak-traced"):
        await LeakTrace(Silent(), office.sealer, Down(), "log.example").trace(asked)


async def test_nobody_traces_a_leak_in_which_they_are_a_lead(office: Office) -> None:
    """The question is in the log all the same, and nobody was shown as a lead."""
    await office.look("auditor-7", office.record("1001", phone="555-010-0199"))

    with pytest.raises(OwnLookups):
        await office.trace(claim("phone", "5550100199", office.now), operator="auditor-7")

    assert [event.kind for event in office.journal] == ["leak-traced"]


async def test_it_says_when_the_index_lacks_the_newest_entries(office: Office) -> None:
    """A part is never taken for the whole."""
    await office.look("badge-7", office.record("1001", phone="555-010-0199"))

    behind = await office.trace(claim("phone", "5550100199", office.now), indexed=-2)
    whole = await office.trace(claim("phone", "5550100199", office.now))

    assert behind.limits[0] == "The newest 3 entries of the log are not indexed yet, so they were not looked at. Ask again."
    assert "not indexed" not in " ".join(whole.limits)


async def test_it_says_who_was_shown_all_and_what_was_masked(office: Office) -> None:
    """Two saw the address, for one of them the telephone was masked: they are told apart, in sentences that accuse nobody."""
    home, phone = "12 Elm Street", "555-010-0199"
    await office.look("badge-7", office.record("1001", street=home, phone=phone))
    await office.look("badge-8", office.record("1001", masked=["phone"], street=home), hours=20)

    answer = await office.trace(claim("address", home, office.now), claim("phone", phone, office.now))

    first, second = answer.leads
    assert (first.officer, second.officer) == ("badge-7", "badge-8")
    assert "Was shown items 1 and 2 in entry 1, 21 h before they were noticed in public." in first.says
    assert "Nobody else was shown all that they were shown of it." in first.says
    assert "Item 2 was masked for them in entry 3, so they did not have it from there." in second.says
    assert answer.saw_all == 1
    assert answer.items[1].masked_for == 1
    said = " ".join((answer.says, *first.says, *second.says, *answer.limits)).lower()
    assert not any(word in said for word in ("guilty", "culprit", "suspect", "perpetrator", "leaked it", "the leaker"))


async def test_an_answer_that_never_left_makes_nobody_a_lead(office: Office) -> None:
    """No witness had signed for it, so nothing was released: who asked for it is in the log, and was shown nothing."""
    await office.look("badge-7", office.record("1001", phone="555-010-0199"), released=False)
    await office.look("badge-8", office.record("1001", phone="555-010-0199"))
    index = Index(office.directory, office.directory.with_name("store.index"), office.sealer, "log.example")

    answer = await office.trace(claim("phone", "5550100199", office.now), archive=index)
    index.close()

    assert [lead.officer for lead in answer.leads] == ["badge-8"]
    assert answer.items[0].officers == 1


async def test_one_officer_is_not_said_to_be_like_others(office: Office) -> None:
    """Where a source outside is too likely to name the only one who was shown it, that is what is said."""
    await office.look("badge-7", office.record("1001", phone="555-010-0199"), hours=24 * 14)

    answer = await office.trace(claim("phone", "5550100199", office.now))

    assert (answer.verdict, len(answer.leads)) == ("cannot-tell", 1)
    assert 0.5 < answer.leads[0].share < 0.8
    assert "apart" not in answer.says
    assert answer.says == (
        "It cannot be told: 1 officer was shown all of it before."
        f" But a source that is not in this log is too likely ({answer.outside:.0%}) to name anybody."
    )


async def test_things_that_came_out_one_after_the_other_have_each_their_time(office: Office) -> None:
    """An item that was noticed a day later is not said to have come out at once."""
    home, phone = "12 Elm Street", "555-010-0199"
    await office.look("badge-7", office.record("1001", street=home, phone=phone, email="a@example.org"), hours=0)
    soon, later, last = office.now + HOUR / 120, office.now + 25 * HOUR, office.now + 49 * HOUR

    two = await office.trace(claim("address", home, later), claim("phone", phone, soon))
    three = await office.trace(
        claim("address", home, later), claim("phone", phone, soon), claim("email", "a@example.org", last)
    )

    assert "Was shown items 1 and 2 in entry 1, less than a minute before item 2 came out and 1 d 1 h before item 1 did." in (
        two.leads[0].says
    )
    [said, *_] = three.leads[0].says
    assert said.endswith("before item 2 came out and 2 d 1 h before item 3 did, the others in between.")


async def test_an_old_address_is_said_to_be_old(office: Office) -> None:
    """Who saw the address of before the move, and who was shown the new one as well."""
    await office.look("badge-7", office.record("1001", street="12 Elm Street"), hours=30)
    await office.look("badge-8", office.record("1001", street="9 Oak Avenue"), hours=2)
    await office.look("badge-7", office.record("1001", street="9 Oak Avenue"), hours=2)

    answer = await office.trace(claim("home_address", "12 Elm St", office.now))

    assert [lead.officer for lead in answer.leads] == ["badge-7"]
    said = " ".join(answer.leads[0].says)
    assert "Item 1 was shown to nobody after 2026-11-20; another value stood in its place later." in said
    assert "They were shown that other value in entry 5, before the old one was published." in said
    assert answer.items[0].changed == NOON + 30 * HOUR


async def test_a_photograph_is_found_by_its_file_and_by_its_hash(office: Office) -> None:
    """A record may hold the picture in Base64; a hash alone finds a record that holds the hash."""
    picture = bytes(range(256)) * 8
    digest = hashlib.sha256(picture).hexdigest()
    file = photo(picture, digest, office.now + HOUR)
    await office.look("badge-7", office.record("1001", photo=file.spellings[1]))
    await office.look("badge-8", office.record("1001", photo=digest))

    answer = await office.trace(photo(picture, digest, office.now))

    assert {lead.officer for lead in answer.leads} == {"badge-7", "badge-8"}
    hashed = await office.trace(claim("photo", f"SHA256:{digest.upper()}", office.now))
    assert [lead.officer for lead in hashed.leads] == ["badge-8"]


async def test_leads_come_in_pages(office: Office) -> None:
    """Ten a page, each page a question of its own in the log, and it cannot be told."""
    for number in range(12):
        await office.look(f"badge-{number}", office.record("1001", phone="555-010-0199"), hours=0.1)

    first = await office.trace(claim("phone", "5550100199", office.now))
    second = await office.trace(claim("phone", "5550100199", office.now), page=2)

    assert (len(first.leads), first.next_page) == (10, 2)
    assert (len(second.leads), second.next_page) == (2, None)
    assert [lead.place for lead in second.leads] == [11, 12]
    assert first.verdict == "cannot-tell"
    assert "12 officers were shown all of it" in first.says
    assert "11 other officers were shown the same of it." in first.leads[0].says
    assert any(sentence.startswith("At the same terminal 11 other officers were shown") for sentence in first.leads[0].says)
    assert len(office.journal) == 4


async def test_an_answer_is_json(office: Office) -> None:
    """Entries by their reference, times with their zone."""
    await office.look("badge-7", office.record("1001", phone="555-010-0199"))

    told: Any = view(await office.trace(claim("phone", "5550100199", office.now)))

    assert told["leads"][0]["entries"][0] == {
        "entry": "log.example/1",
        "audit_entry": "log.example/0",
        "at": NOON.isoformat(),
        "items": [1],
        "terminal": "car-1",
        "case": "26-1",
        "purpose": "C",
        "statement": "burglary on Oak",
    }
    assert told["items"][0]["shown_to_officers"] == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("phone", "kind=value"),
        ("phone=", "1 to 400"),
        ("phone=" + "5" * 401, "1 to 400"),
        ("a kind=5", "Say what kind"),
        ("photo=abc", "64 hexadecimal"),
        ("phone=12", "area code"),
        ("phone=010 0199", "area code"),
        ("ssn=0199", "nine digits"),
        ("dob=1961", "a year, a month and a day"),
        ("name=Roe", "given and a family name"),
        ("home_address=Elm Street", "house number"),
        ("city=-", "nothing in this city"),
        ("financial=1234", "5 characters or more"),
        ("phone=5550100199 @ 2026-11-20T09:00", "zone"),
        ("phone=5550100199 @ 2026-99-20", "zone"),
    ],
)
def test_a_line_that_is_not_clear_is_refused_with_what_is_missing(text: str, told: str) -> None:
    """Nothing is searched for that nobody can have meant, and the value is not in the sentence."""
    with pytest.raises(LeakUnclear, match=told) as refused:
        read_line(text, at=NOON, within=timedelta(), about="")

    assert "0199" not in refused.value.detail


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"kind": "phone"},
        {"kind": "phone", "value": 5},
        {"kind": "phone", "value": "5550100199", "more": 1},
        {"kind": "phone", "value": "5550100199", "within_hours": "1"},
        {"kind": "phone", "value": "5550100199", "within_hours": -1},
        {"kind": "phone", "value": "5550100199", "elsewhere": 2},
        {"kind": "phone", "value": "5550100199", "about": 7},
        {"kind": "phone", "value": "5550100199", "at": "yesterday"},
    ],
)
def test_an_object_that_is_not_clear_is_refused_with_its_number(line: dict[str, object]) -> None:
    """The second of two lines is the second item."""
    with pytest.raises(LeakUnclear, match="Item 2"):
        read_claims([{"kind": "phone", "value": "5550100199"}, line], at=NOON, within=timedelta(), about="")


def test_a_line_may_have_a_time_of_its_own() -> None:
    """An address with an @ in it is no time; an email keeps its own."""
    assert read_line("phone=555 010 0100 @ 2026-11-19T08:00Z", at=NOON, within=HOUR, about="").at == read_moment(
        "2026-11-19T08:00Z"
    )
    assert read_line("email=a@example.org", at=NOON, within=HOUR, about="").value == "a@example.org"
    assert read_line("street=12 Elm @ Oak", at=NOON, within=HOUR, about="").value == "12 Elm @ Oak"


KINDS = kinds_of(load_routes(Path(__file__).parents[2] / "policies" / "routes.yaml").routes)


@pytest.mark.parametrize(
    ("kind", "later", "told"),
    [("foo", timedelta(), "Item 2: no field"), ("homeaddress", timedelta(), "phone"), ("phone", HOUR, "yet to come")],
)
def test_a_slip_clears_nobody(kind: str, later: timedelta, told: str) -> None:
    """A kind that no record has, or a day that is yet to come, would find nothing whoever had leaked."""
    slipped = [claim("phone", "5550100199", NOON), claim(kind, "5550100199", NOON + later)]

    with pytest.raises(LeakUnclear, match=told):
        must_be_searchable(slipped, KINDS, NOON)

    must_be_searchable([claim("mobile", "5550100199", NOON), claim("street", "County Road 12", NOON)], KINDS, NOON)


def other(sealer: Sealer, *, index: bool = False, body: bool = False) -> Sealer:
    """Return a sealer for which a key of what was written is gone."""
    later = KeyRing([Key("later", b"l" * 32)])
    return Sealer(index_key=later if index else b"i" * 32, body_key=later if body else b"b" * 32, store_key=sealer.store_key)


@pytest.mark.parametrize("lost", ["index", "body", "both", "nothing"])
async def test_where_keys_are_gone_nobody_is_cleared(office: Office, lost: str) -> None:
    """What was marked or sealed with them may have shown it: the answer says so, and which keys."""
    await office.look("badge-7", office.record("1001", phone="555-010-0199"))
    known = office.sealer
    office.sealer = other(known, index=lost in {"index", "both"}, body=lost in {"body", "both"})
    index = Index(office.directory, office.directory.with_name("store.index"), office.sealer, "log.example")

    answer = await office.trace(claim("phone", "2120100123" if lost == "nothing" else "5550100199", office.now), archive=index)
    index.close()

    assert answer.verdict == "nobody"
    assert answer.says == (NOWHERE if lost == "nothing" else CLEARS_NOBODY)
    gone = {"index": known.epoch, "body": known.body_key_id, "nothing": ""}
    told = answer.limits[0]
    assert told.startswith("Keys are gone") == (lost != "nothing")
    assert gone.get(lost, known.epoch) in told


async def test_where_bodies_were_shredded_nobody_is_cleared(office: Office) -> None:
    """What they showed is not known any more, and the trace says that it did not look there."""
    await office.look("badge-7", office.record("1001", ssn="123-45-6789"))
    await office.record_event(Shredded(entries=(1,)))
    index = Index(office.directory, office.directory.with_name("store.index"), office.sealer, "log.example")

    answer = await office.trace(claim("ssn", "123456789", office.now), archive=index)
    index.close()

    assert (answer.verdict, answer.says) == ("nobody", CLEARS_NOBODY)
    assert answer.limits[0].startswith("Bodies of entries were shredded")


def test_what_was_pruned_and_what_bears_no_mark_is_said() -> None:
    """Entries that are not kept, and a class's value that a record may hold as a number."""
    assert list(gone(Gaps(pruned=4096))) == ["Entries before 4096 were pruned. What they showed is not known any more."]
    assert list(gone(Gaps())) == []
    claims = [claim("financial", "12345.67", NOON), claim("phone", "5550100199", NOON), claim("financial", "First Bank", NOON)]
    [told] = unmarked(claims)
    assert told.startswith("Item 1 is a number.")


def test_neither_none_nor_too_many() -> None:
    """One entry of the log holds all that was asked for."""
    with pytest.raises(LeakUnclear):
        bounded([])
    with pytest.raises(LeakUnclear):
        bounded([claim("phone", "5550100199", NOON)] * 61)
