"""``audit who-saw`` and its sisters, as an investigator at the machine calls them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
import pytest

from proxy.audit.event import Event, Party
from proxy.audit.reader import AuditReader
from proxy.audit.service import AuditTrail
from proxy.cli.recording import sealer_of
from proxy.clock import utc_now
from proxy.oversight.questions import road_in_words
from proxy.settings import load_settings
from proxy.tlog.keys import load_signer
from proxy.tlog.log import Log

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from proxy.audit.event import Json
    from tests.cli.conftest import Office, RecordsServer

CAUSE = ("--case", "26-004217", "--statement", "complaint 26-118 about look-ups of the mayor's home")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision(Event):
    """A query of an officer about a person."""

    kind: ClassVar[str] = "decided"
    officer: str
    person: str

    def facts(self) -> Mapping[str, Json]:
        """Return what was decided."""
        return {"outcome": "permit", "purpose": "C", "action": "person.read", "rule": "stop"}

    def parties(self) -> Iterable[Party]:
        """Return who asked about whom."""
        return [
            Party("officer", self.officer),
            Party("terminal", "car-1"),
            Party("case", "26-7"),
            Party("person_id", self.person),
        ]

    def sealed(self) -> Mapping[str, Json]:
        """Return the words."""
        return {"operator": self.officer, "terminal": "car-1", "case": "26-7", "statement": "stopped for no plates"}


@dataclass(frozen=True, slots=True, kw_only=True)
class End(Decision):
    """Its answer."""

    kind: ClassVar[str] = "disclosed"

    def sealed(self) -> Mapping[str, Json]:
        """Return what left."""
        seen: Json = {"dob": "a" * 32, "phone": ""}
        return {"left": [{"person": [self.person], "subject": [], "seen": seen, "masked": ["ssn"], "withheld": False}]}


def record(office: Office, *asked: tuple[str, str]) -> None:
    """Record queries as a server would, and stop."""
    settings = load_settings(office.config, {})

    async def work() -> None:
        async with Log(settings.log, signer=load_signer(settings.keys.checkpoint, settings.origin), clock=utc_now) as log:
            trail = AuditTrail(log, sealer_of(settings), utc_now)
            for number, (officer, person) in enumerate(asked):
                await trail.record(Decision(about=f"{officer}-{number}", officer=officer, person=person))
                await trail.record(End(about=f"{officer}-{number}", officer=officer, person=person))

    asyncio.run(work())


@pytest.fixture(name="asked")
def _asked(office: Office) -> Office:
    """Three queries, and a case to ask under."""
    cases = office.folder / "cases.csv"
    cases.write_text("number,kind,agency,opened_at\n26-004217,case,KY0429900,2026-11-01T00:00:00Z\n", "utf-8")
    code, _, err = office.call("cases", "import", str(cases), "--config", str(office.config))
    assert code == 0, err
    record(office, ("badge-1", "100123"), ("badge-2", "100123"), ("badge-1", "100777"))
    return office


def call(office: Office, *arguments: str) -> tuple[int, Any]:
    """Return exit code and JSON of ``audit …``."""
    code, out, err = office.call("audit", *arguments, "--config", str(office.config), "--json")
    return code, orjson.loads(out or err)


def found(office: Office, *arguments: str) -> list[tuple[str, int]]:
    """Return by whom and under which index, as a question finds them."""
    code, told = call(office, *arguments, *CAUSE)
    assert code == 0, told
    return [(line["officer"], line["index"]) for line in told["queries"]]


def test_who_saw_somebody_what_somebody_saw_and_what_was_asked_under_a_case(asked: Office) -> None:
    """Newest first; a timeline oldest first; and what was seen of whom."""
    first = found(asked, "who-saw", "0100123")
    indices = [index for _, index in first]

    assert [officer for officer, _ in first] == ["badge-2", "badge-1"]
    assert found(asked, "timeline", "100123") == first[::-1]
    assert [index for _, index in found(asked, "saw", "badge-2")] == indices[:1]
    assert {officer for officer, _ in found(asked, "case", "26-7")} == {"badge-1", "badge-2"}
    assert len(found(asked, "saw", "car-1", "--terminal")) == 3
    code, told = call(asked, "who-saw", "100123", *CAUSE)
    assert (code, told["behind"], told["queries"][0]["seen"], told["queries"][0]["masked"]) == (0, 0, ["dob", "phone"], ["ssn"])


def test_a_reader_is_told_when_who_why_and_what(asked: Office) -> None:
    """One line a query, with the entry that proves it."""
    _, out, _ = asked.call("audit", "who-saw", "100777", *CAUSE, "--config", str(asked.config))

    line = out.splitlines()[0]
    assert str(datetime.now(UTC).year) in line
    for words in (
        "badge-1",
        "person.read permit",
        "at car-1",
        "C case 26-7",
        "“stopped for no plates”",
        "saw dob, phone",
        "masked ssn",
    ):
        assert words in line
    assert "office.example.gov/audit/" in line


@pytest.mark.parametrize(("kind", "words"), [("born", "date of birth"), ("subject", "registry entry"), ("ssn", "ssn")])
def test_roads_are_told_in_words(kind: str, words: str) -> None:
    """What the log calls a kind is no word for a reader."""
    assert road_in_words(kind) == words


def test_queries_are_counted(asked: Office) -> None:
    """By officer, with their names, and by day."""
    _, told = call(asked, "count", "officer", *CAUSE)

    assert {row["officer"]: row["queries"] for row in told["counts"]} == {"badge-1": 2, "badge-2": 1}
    assert call(asked, "count", "day", "--officer", "badge-2", *CAUSE)[1]["counts"] == [
        {"day": str(datetime.now(UTC).date()), "queries": 1}
    ]


def test_an_answer_is_checked_for_being_complete(asked: Office) -> None:
    """By whoever has the log; an entry that was left out of it is named."""
    file = asked.folder / "answer.json"
    first = found(asked, "who-saw", "100123", "--answer", str(file))

    code, told = call(asked, "verify-answer", str(file))
    assert (code, told["complete"]) == (0, True)

    said = orjson.loads(file.read_bytes())
    assert {index for _, index in first} <= set(said["entries"])
    left_out = said["entries"].pop(0)
    file.write_bytes(orjson.dumps(said))
    code, told = call(asked, "verify-answer", str(file))
    assert (code, told["complete"], told["missing"]) == (1, False, [left_out])


def test_the_index_is_made_anew(asked: Office) -> None:
    """From the log, and finds the same."""
    before = found(asked, "who-saw", "100123")

    code, told = call(asked, "rebuild-index")

    assert (code, told["entries"] > 6) == (0, True)
    assert found(asked, "who-saw", "100123") == before


def test_the_file_is_there_before_anything_is_printed(asked: Office) -> None:
    """Whoever reads may stop reading (`| head`), and the program then ends: the file to check was never written."""
    file = asked.folder / "nowhere" / "answer.json"

    code, out, err = asked.call("audit", "who-saw", "100123", *CAUSE, "--answer", str(file), "--config", str(asked.config))

    assert (code != 0, out) == (True, "")
    assert "No such file or directory" in err


def test_who_left_is_found_and_who_did_nothing_is_answered(asked: Office) -> None:
    """What the log has of somebody is told of, whatever days were asked; to have been asked about does not make one known."""
    days = ("--since", "2020-01-01", "--until", "2020-01-31")
    assert found(asked, "saw", "badge-2", *days) == []
    for _ in range(2):
        assert call(asked, "saw", "nobody-77", *CAUSE)[0] == 2


def test_what_others_did_about_an_officer_is_marked(asked: Office) -> None:
    """To be asked about is nothing that an officer did: such entries say whose they are, and that they are about them."""
    found(asked, "saw", "badge-2")

    _, told = call(asked, "saw", "badge-2", *CAUSE)

    assert {(line["kind"], line["about"]) for line in told["queries"]} == {("log-searched", True), ("disclosed", False)}
    _, out, _ = asked.call("audit", "saw", "badge-2", *CAUSE, "--config", str(asked.config))
    assert "about them: log-searched" in out


@pytest.fixture(name="succeeded")
def _succeeded(asked: Office, records_server: RecordsServer) -> Path:
    """Go on under a new name, with another key, and return the folder of the older log."""
    asked.write(records_server.url, origin="office.example.gov/audit-2")
    assert call(asked, "new-origin", "--reason", "restored from a snapshot")[0] == 0
    assert call(asked, "rotate-key", "checkpoint")[0] == 0
    return asked.folder / "data/log-office.example.gov-audit"


def test_an_older_log_is_asked_by_its_folder(asked: Office, succeeded: Path) -> None:
    """The new one says that it was not; asked itself it answers, is not written, and the new log has who asked it what."""
    before = {path: path.read_bytes() for path in succeeded.rglob("*") if path.is_file()}
    code, told = call(asked, "who-saw", "100123", *CAUSE)
    assert (code, told["queries"], told["goes_on_from"]) == (0, [], "office.example.gov/audit")
    code, out, _ = asked.call("audit", "who-saw", "100123", *CAUSE, "--config", str(asked.config))
    assert "this log goes on from office.example.gov/audit; what is there was not asked: --directory" in out

    older = ("--directory", str(succeeded))
    file = asked.folder / "answer.json"
    code, told = call(asked, "who-saw", "100123", *older, "--answer", str(file), *CAUSE)
    first = told["queries"][0]
    assert (code, [line["officer"] for line in told["queries"]], told["behind"]) == (0, ["badge-2", "badge-1"], 0)
    assert (first["entry"], told["goes_on_from"]) == (f"office.example.gov/audit/{first['index']}", "")
    assert call(asked, "verify-answer", str(file), *older)[1]["complete"] is True
    assert {row["queries"] for row in call(asked, "count", "day", *older, *CAUSE)[1]["counts"]} == {3}
    code, told = call(asked, "rebuild-index", *older)
    assert (code, len(found(asked, "timeline", "100123", *older))) == (0, 2)
    code, told = call(asked, "show", str(first["index"]), "--decrypt", *older, *CAUSE)
    assert (code, told["sealed"]["statement"]) == (0, "stopped for no plates")

    assert {path: path.read_bytes() for path in succeeded.rglob("*") if path.is_file()} == before
    entries = list(AuditReader(load_settings(asked.config, {}).log).entries())
    assert [entry.facts.get("log", "") for entry in entries if entry.kind == "log-searched"][2:] == [
        "office.example.gov/audit"
    ] * 3
    assert [entry.facts["log"] for entry in entries if entry.kind == "log-read"] == ["office.example.gov/audit"]


def test_evidence_is_taken_out_of_an_older_log(asked: Office, succeeded: Path) -> None:
    """With the key that it had; the bundle is one of the older log, and verifies with that key."""
    [retired] = (asked.folder / "keys").glob("*.retired")
    vkey = load_signer(retired, "office.example.gov/audit").verifier.vkey
    export = ("export", "--officer", "badge-2", *CAUSE)
    code, told = call(asked, *export, "-o", str(asked.folder / "new"))
    assert (code, told["goes_on_from"]) == (0, "office.example.gov/audit")

    older = ("--directory", str(succeeded), "--key", vkey)
    code, told = call(asked, *export, *older, "-o", str(asked.folder / "old"))
    assert (code, told["goes_on_from"], len(told["entries"])) == (0, "", 2)
    code, out, err = asked.call("audit", "verify-bundle", str(asked.folder / "old"), "--key", vkey, "--json")
    assert (code, orjson.loads(out)["origin"]) == (0, "office.example.gov/audit"), err
    assert call(asked, *export, "--key", vkey, "-o", str(asked.folder / "no"))[0] == 2


@pytest.mark.parametrize("folder", ["data/log", "data"])
def test_an_older_log_is_another_log(asked: Office, folder: str) -> None:
    """The configured log is not asked as if it were an older one, nor is a folder that holds none."""
    assert call(asked, "who-saw", "100123", "--directory", str(asked.folder / folder), *CAUSE)[0] == 2


def test_an_epoch_that_nobody_can_search_any_more_is_named(asked: Office) -> None:
    """Its key was destroyed: every question says which entries it could not ask, in words and in JSON."""
    keys = asked.folder / "keys"
    (keys / "ring").mkdir(mode=0o700)
    (keys / "index").rename(keys / "ring/index.key")
    asked.config.write_text(asked.config.read_text("utf-8").replace("index: keys/index,", "index: keys/ring,"), "utf-8")
    code, _, err = asked.call("audit", "rotate-key", "index", "--config", str(asked.config))
    assert code == 0, err
    record(asked, ("badge-3", "100123"))
    (keys / "ring/index.key").unlink()

    code, told = call(asked, "who-saw", "100123", *CAUSE)

    assert (code, [line["officer"] for line in told["queries"]], told["dead_epochs"]) == (0, ["badge-3"], ["index"])
    assert call(asked, "count", "day", "--officer", "badge-3", *CAUSE)[1]["dead_epochs"] == ["index"]
    for question in (("saw", "badge-3"), ("timeline", "100123"), ("case", "26-7"), ("count", "day", "--officer", "badge-3")):
        _, out, _ = asked.call("audit", *question, *CAUSE, "--config", str(asked.config))
        assert "not complete: nobody can search the entries of epoch index" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("who-saw", "100123"), "--case and --statement are missing"),
        (("who-saw", "100123", "--case", "26-999999", "--statement", "complaint about look-ups of the mayor"), "case"),
        (("who-saw", "100123", "--case", "26-004217", "--statement", "investigation"), "Say who wants to know"),
        (("who-saw", "100123", *CAUSE, "--by", "shoe"), "shoe"),
        (("count", "person", *CAUSE), "person"),
        (("saw", "badge-1", *CAUSE, "--since", "2001-01-01"), "year"),
        (("who-saw", "not a plate!!", "--by", "phone", *CAUSE), "no phone number"),
        (("who-saw", "Doe, Jane", "--by", "name", "--dob", "then", *CAUSE), "date of birth"),
        (("who-saw", "00" * 16, "--by", "entry", *CAUSE), "no such registry entry"),
        (("saw", "nobody-77", *CAUSE), "Nobody of that number is known here"),
        (("count", "day", "--officer", "nobody-77", *CAUSE), "Nobody of that number is known here"),
        (("verify-answer", "nothing.json"), "nothing.json"),
    ],
)
def test_whoever_asks_shows_cause(asked: Office, arguments: tuple[str, ...], says: str) -> None:
    """Wrong use, with what to do; and nothing is told."""
    code, out, err = asked.call("audit", *arguments, "--config", str(asked.config))

    assert (code, out) == (2, "")
    assert says in err
