from __future__ import annotations

import asyncio
import io
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from proxy.__main__ import run
from proxy.audit.keys import create_key, load_key
from proxy.cli.recognizing import SHARED_FROM
from proxy.clock import utc_now
from proxy.database import Database
from proxy.registry.service import Registry
from proxy.registry.stewards import Stewards
from proxy.registry.tabular import MOST_LINE
from proxy.tlog.keys import create_signing_key
from tests.registry.conftest import AGENCY, MAYOR

if TYPE_CHECKING:
    from collections.abc import Callable

POLICIES = Path(__file__).parents[2] / "policies"
CONFIGURATION = """
origin: test.example/audit
data: data
policies: policies
keys: {checkpoint: keys/checkpoint, index: keys/index, body: keys/body, registry: keys/registry}
upstream: {url: "http://127.0.0.1:9"}
"""
Ran = tuple[int, str, str]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with a configuration, keys and the shipped policies."""
    keys = tmp_path / "keys"
    keys.mkdir(mode=0o700)
    create_signing_key(keys / "checkpoint")
    for name in ("index", "body", "registry"):
        create_key(keys / name)
    shutil.copytree(POLICIES, tmp_path / "policies")
    (tmp_path / "showcause.yaml").write_text(CONFIGURATION)
    return tmp_path


@pytest.fixture
def command(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Return a runner of command lines: exit code, standard output, standard error."""

    def command(*arguments: str) -> Ran:
        code = run([*arguments, "--config", str(home / "showcause.yaml")])
        output = capsys.readouterr()
        return code, output.out, output.err

    return command


def written(path: Path, *lines: dict[str, Any]) -> str:
    """Write JSON Lines, and return where."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def test_import_list_recognize_remove(command: Callable[..., Ran], home: Path) -> None:
    """A file is enrolled, listed without names, recognized line by line, and an entry removed; all of it is in the log."""
    file = written(home / "people.jsonl", MAYOR, {"surname": "Doe", "category": "official"})
    code, out, err = command("registry", "import", file)
    assert (code, out) == (1, "1 added, 0 updated, 0 as they were, 0 removed, 1 not taken\n")
    assert "people.jsonl:2: not taken: nothing to recognize" in err

    code, out, _ = command("registry", "list", "--json")
    (row,) = json.loads(out)
    assert (code, row["category"], row["basis"]) == (0, "official", "Daniel's Law")
    assert set(row) == {"id", "category", "basis", "household", "enrolled", "expires", "review", "fields"}
    assert "Eleanor Ruth Whitcombe" not in command("registry", "list")[1]
    assert "Eleanor Ruth Whitcombe" in command("registry", "list", "--reveal")[1]

    asked = written(
        home / "asked.jsonl", {"name": "WHITCOMBE, Eleanor"}, {"plate": "XYZ1"}, {"plte": "XYZ1"}, {"ssn": 518224471}
    )
    code, out, _ = command("registry", "recognize", "--jsonl", asked)
    verdicts = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert verdicts[0] == {
        "line": 1, "recognized": True, "category": "official", "entry": row["id"], "matched": ["name"], "score": 26.0,
        "threshold": 12.0, "features": [["given_name", "same", 10.4], ["surname", "same", 15.6]],
    }  # fmt: skip
    assert verdicts[1] == {"line": 2, "recognized": False, "category": None, "entry": None, "matched": [], "score": 0.0}
    assert "did you mean 'plate'" in verdicts[2]["error"]
    assert (verdicts[3]["matched"], verdicts[3]["score"]) == (["ssn"], 30.0)

    log = log_bytes(home)
    for kind in (b"registry-imported", b"registry-revealed"):
        assert kind in log
    assert b"Whitcombe" not in log
    assert b"Daniel's Law" not in log


def log_bytes(home: Path) -> bytes:
    """Return every byte of the log."""
    return b"".join(path.read_bytes() for path in (home / "data").rglob("*") if path.is_file())


def proposed_by(home: Path, steward: str, entry: str) -> str:
    """Propose to remove an entry, as another steward's command does; return the proposal's id."""

    async def propose() -> str:
        database = Database(home / "data" / "store.sqlite3")
        await database.open()
        key = load_key(home / "keys" / "registry")
        stewards = Stewards(Registry(database, key, utc_now), database, key, utc_now)
        proposal = await stewards.remove(entry, by=steward, reason="the term has ended")
        await database.close()
        return proposal.id

    return asyncio.run(propose())


def test_recognize_says_where_a_terminal_would_be_asked_for_more(command: Callable[..., Ran], home: Path) -> None:
    """Beside the verdict, whatever it is, and only of lines that hold nothing but a name."""
    recognition = home / "policies" / "recognition.yaml"
    recognition.write_text(re.sub(r"(name_alone_up_to:) \d+", r"\1 0", recognition.read_text()))
    assert command("registry", "import", written(home / "people.jsonl", MAYOR))[0] == 0
    asked = written(home / "asked.jsonl", {"name": "WHITCOMBE, Eleanor"}, {"surname": "Zzyzx"}, {"plate": "XYZ1"})

    code, out, _ = command("registry", "recognize", "--jsonl", asked)

    verdicts = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [(each["recognized"], each.get("too_little")) for each in verdicts] == [(True, True), (False, True), (False, None)]


def test_two_stewards_end_a_protection_and_one_does_not(command: Callable[..., Ran], home: Path) -> None:
    """Whoever proposes a removal cannot approve it on this command line; what another proposed can be approved, or refused."""
    command("registry", "import", written(home / "people.jsonl", MAYOR))
    (row,) = json.loads(command("registry", "list", "--json")[1])
    code, out, _ = command("registry", "remove", row["id"], "--reason", "the term has ended", "--json")
    mine = json.loads(out)["proposed"]
    assert (code, command("registry", "proposals", "list")[0]) == (0, 1)
    code, out, _ = command("registry", "approve", mine, "--json")
    assert (code, json.loads(out)["error"]) == (2, "You proposed it, so another steward has to agree.")
    assert command("registry", "refuse", mine, "--reason", "a mistake")[0] == 0
    assert command("registry", "refuse", mine, "--reason", "a mistake")[0] == 2
    assert command("registry", "remove", row["id"], "--reason", " ")[0] == 2
    assert command("registry", "remove", "p0", "--reason", "nobody")[0] == 2
    assert len(json.loads(command("registry", "list", "--json")[1])) == 1

    theirs = proposed_by(home, "login:somebody-else", row["id"])
    (waiting,) = json.loads(command("registry", "proposals", "list", "--json")[1])
    assert (waiting["id"], waiting["what"], waiting["reason"]) == (theirs, "removal", "the term has ended")
    code, out, _ = command("registry", "approve", theirs)
    assert (code, out.startswith(f"{row['id']} (official) is protected no longer")) == (0, True)
    assert command("registry", "list", "--json")[1] == "[]\n"
    assert command("registry", "proposals", "list")[0] == 0
    assert command("registry", "proposals")[0] == 0
    code, _, err = command("registry", "proposals", "approve")
    assert (code, "`registry approve PROPOSAL`" in err) == (2, True)
    log = log_bytes(home)
    for kind in (b"registry-proposed", b"registry-refused", b"registry-approved", b"registry-removed"):
        assert kind in log
    assert b"the term has ended" not in log


def test_change_does_what_adds_and_proposes_the_rest(
    command: Callable[..., Ran], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request can do both; identifiers come by standard input, and what cannot be read is said."""
    command("registry", "import", written(home / "people.jsonl", MAYOR))
    (row,) = json.loads(command("registry", "list", "--json")[1])

    def change(content: bytes, *options: str) -> Ran:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        return command("registry", "change", row["id"], "--reason", "order 12", *options)

    both = b'{"add": {"phone": "202-555-0199"}, "drop": {"plate": "EW 0001"}}'
    code, out, _ = change(both, "--identifiers", "--mask", "phone", "--expires", "never", "--json")
    told = json.loads(out)
    assert (code, told["changed"], told["proposed"]["what"]) == (0, ["fields", "phones"], "plates")
    code, out, _ = change(b"", "--expires", "2099-12-31")
    assert "expires proposed; nothing changes until a second steward agrees" in out
    assert change(b"", "--mask", "phone")[1] == "as it was; nothing changed\n"
    for content, options, said in (
        (b"[]", ["--identifiers"], "not a JSON object"),
        (b'{"phone": "1"}', ["--identifiers"], "not the objects `add` and `drop` alone"),
        (b"", ["--mask", "fone"], "did you mean 'phone'"),
        (b"", ["--review", "soon"], "review is not a date"),
    ):
        code, _, err = change(content, *options)
        assert (code, said in err) == (2, True), err


def test_a_large_import_fits_the_log(command: Callable[..., Ran], home: Path) -> None:
    """However long the legal bases of an import, its events are in the log when the command ends."""
    lines = ({"person_id": str(n), "category": "official", "basis": f"{n} " + "\u20ac" * 250} for n in range(600))

    assert command("registry", "import", written(home / "people.jsonl", *lines))[0] == 0

    (checkpoint,) = (home / "data").rglob("checkpoint")
    assert checkpoint.read_text().splitlines()[1] == "3"


def test_add_reads_standard_input(command: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """One person comes as JSON on standard input, so that no name stands in the process list or the shell's history."""
    who = {"given_name": "Jo", "surname": "Doe", "dob": "1990-05-05"}

    def add(content: bytes, *options: str) -> Ran:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        return command("registry", "add", *options, "--json")

    code, out, _ = add(json.dumps(who).encode(), "--category", "victim", "--basis", "order 7")
    assert (code, json.loads(out)["added"]) == (0, 1)
    code, out, _ = add(json.dumps(who).encode(), "--category", "victim", "--basis", "order 7")
    assert (code, json.loads(out)) == (0, {"entry": None, "added": 0, "updated": 0})
    code, out, _ = add(json.dumps(who).encode(), "--category", "vip")
    assert (code, "category is none of" in json.loads(out)["error"]) == (2, True)
    assert add(b"Jo Doe", "--category", "victim")[0] == 2

    code, out, _ = add(json.dumps(who).encode(), "--category", "victim", "--fields", "home_adress;phone")
    assert (code, "did you mean 'home_address'?" in json.loads(out)["error"]) == (2, True)
    options = ("--category", "victim", "--fields", "home_address; phone", "--review", "2099-12-31")
    assert json.loads(add(json.dumps(who).encode(), *options)[1])["updated"] == 1
    (row,) = json.loads(command("registry", "list", "--json")[1])
    assert (row["fields"], row["review"][:10]) == ("home_address;phone", "2100-01-01")


def test_personnel_import(command: Callable[..., Ran], home: Path) -> None:
    """The directory is imported with its report, and its event is in the log."""
    me = {"personnel": "badge-1", "agency": AGENCY, "given_name": "Dana", "surname": "Reyes", "dob": "1988-07-01"}
    wife = {"personnel": "badge-1", "relation": "household", "given_name": "Ana", "surname": "Sol", "dob": "1989-02-03"}

    code, out, _ = command("personnel", "import", written(home / "staff.jsonl", me, wife), "--json")

    assert code == 0
    assert json.loads(out) == {"added": 2, "updated": 0, "unchanged": 0, "removed": 0, "rejected": [], "notes": []}
    assert command("personnel", "import", written(home / "staff.jsonl", me), "--whole")[1].startswith(
        "0 added, 0 updated, 1 as"
    )
    log = b"".join(path.read_bytes() for path in (home / "data").rglob("*") if path.is_file())
    assert b"personnel-imported" in log
    assert b"Reyes" not in log


def test_a_wrong_key_is_told_precisely(command: Callable[..., Ran], home: Path) -> None:
    """With another registry key nothing is listed or changed, and the message says that it is the key."""
    command("registry", "import", written(home / "people.jsonl", MAYOR))
    (home / "keys" / "registry").unlink()
    create_key(home / "keys" / "registry")

    for arguments in (("registry", "list"), ("registry", "import", str(home / "people.jsonl"))):
        code, out, err = command(*arguments)
        assert (code, out) == (3, "")
        assert "sealed with another key" in err


def test_a_wrong_file_is_told_with_its_place(command: Callable[..., Ran], home: Path) -> None:
    """An unknown column is a mistake at its place, with a suggestion."""
    file = home / "people.csv"
    file.write_text("given_name,surnme\nJo,Doe\n")

    code, _, err = command("registry", "import", str(file))

    assert code == 2
    assert "people.csv:1:12: column 2 of the header is unknown" in err
    assert "did you mean 'surname'?" in err


def test_check_finds_what_is_wrong_and_says_so_by_id(command: Callable[..., Ran], home: Path) -> None:
    """A sound registry is 0; what is thin, or hidden without a unit, is 1, with ids and no names."""
    command("registry", "import", written(home / "people.jsonl", MAYOR))
    assert command("registry", "check")[:2] == (0, "nothing to look at\n")
    hidden = {"given_name": "Jo", "surname": "Doe", "dob": "1990-05-05", "street": "7 Oak Ave", "category": "informant"}
    code, out, _ = command(
        "registry", "import", written(home / "more.jsonl", hidden, {"phone": "2125550144", "category": "victim"})
    )

    code, out, _ = command("registry", "check", "--json")

    found = json.loads(out)
    assert (code, [each["kind"] for each in found]) == (1, ["thin", "concealed-building"])
    ids = {row["id"] for row in json.loads(command("registry", "list", "--json")[1])}
    assert {entry for each in found for entry in each["entries"]} < ids
    code, out, _ = command("registry", "check")
    assert (code, out.splitlines()[-1]) == (1, "2 findings")
    assert "Doe" not in out


def test_an_import_notes_what_a_check_would_find(command: Callable[..., Ran], home: Path) -> None:
    """The risk is told with the line that brings it, even where the policy cannot say who is concealed."""
    (home / "policies" / "policy.csv").write_text("nonsense")

    code, out, err = command(
        "registry", "import", written(home / "people.jsonl", {"phone": "2125550144", "category": "victim"})
    )

    assert (code, out.startswith("1 added")) == (0, True)
    assert "people.jsonl:1: taken, but recognized by phone alone" in err
    assert command("registry", "check")[0] == 2


def test_a_large_file_is_judged_as_each_of_its_lines_alone(command: Callable[..., Ran], home: Path) -> None:
    """Several processes share it; the verdicts are as many, the same, and in its order, and what was not understood is told."""
    assert command("registry", "import", written(home / "people.jsonl", MAYOR))[0] == 0
    few = [{"name": "WHITCOMBE, Eleanor"}, {"surname": "Zzyzx", "plate": "XYZ1"}, {"ssn": "518-22-4471"}, {"color": "blue"}]
    _, out, _ = command("registry", "recognize", "--jsonl", written(home / "few.jsonl", *few))
    alone = [json.loads(line) | {"line": 0} for line in out.splitlines()]
    many = home / "many.jsonl"
    many.write_text("".join(json.dumps(each) + "\n \r\n" for each in few * (SHARED_FROM // 100)))
    assert many.stat().st_size >= SHARED_FROM

    code, out, _ = command("registry", "recognize", "--jsonl", str(many))

    verdicts = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [each["line"] for each in verdicts] == list(range(1, len(verdicts) + 1))
    assert [each | {"line": 0} for each in verdicts[::2]] == alone * (SHARED_FROM // 100)
    assert not any(each["recognized"] for each in verdicts[1::2])


def test_a_line_over_the_bound_spoils_no_other(command: Callable[..., Ran], home: Path) -> None:
    """It has a verdict of its own, that it was not understood, and an import does not take it; all others count."""
    assert command("registry", "import", written(home / "people.jsonl", MAYOR))[0] == 0
    long = home / "long.jsonl"
    others = {**MAYOR, "person_id": "100124"}, {"name": "é" * max(MOST_LINE, SHARED_FROM)}, {**MAYOR, "person_id": "100125"}
    long.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in others))

    code, _, err = command("registry", "import", str(long))
    assert (code, err.count("not taken")) == (1, 1)
    assert f"{long.name}:2: not taken: longer than" in err

    ask = written(home / "ask.jsonl", {"name": "A B"}, {"name": "x" * max(MOST_LINE, SHARED_FROM)}, {"ssn": "518-22-4471"})
    code, out, _ = command("registry", "recognize", "--jsonl", ask)
    assert (code, [each.get("recognized") for each in map(json.loads, out.splitlines())]) == (1, [False, None, True])
