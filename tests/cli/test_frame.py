from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from proxy.__main__ import GROUPS, run
from proxy.cli.common import Code, CommandFailed, fail, progress, table, visible
from proxy.database import DatabaseUnusable
from proxy.document import DocumentInvalid, Mistake
from proxy.identity.tls import CertificatesUnusable
from proxy.refusal import Refusal
from proxy.tlog.errors import KeyUnusable

if TYPE_CHECKING:
    from tests.cli.conftest import Office

ROOT = Path(__file__).resolve().parents[2]


def process(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "proxy", *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, env=os.environ | environ,
    )  # fmt: skip


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_every_command_is_there_and_explains_itself(group: object, capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` of each group ends with 0."""
    name = str(getattr(group, "name", ""))

    assert run([name, "--help"]) == 0
    assert f"proxy {name} " in capsys.readouterr().out


def test_help_imports_nothing_heavy() -> None:
    """The list of commands is there at once: no pydantic, no aiohttp, no SQLAlchemy, no Casbin."""
    script = (
        "import sys; from proxy.__main__ import run; run(['--help']); "
        "heavy = {'pydantic', 'aiohttp', 'sqlalchemy', 'casbin', 'ruamel'} & set(sys.modules); sys.exit(str(heavy or ''))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert done.stderr.strip() == ""
    assert all(group.name in done.stdout for group in GROUPS)


def test_a_misspelt_command_is_wrong_use_with_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2, and a suggestion."""
    assert run(["escalation"]) == 2
    assert "escalations" in capsys.readouterr().err


def test_a_wrong_option_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 2."""
    assert run(["check", "--cofnig", "x"]) == 2
    assert "--config" in capsys.readouterr().err


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """``--version`` prints it and nothing else."""
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip().count(".") == 2


@pytest.mark.parametrize("command", ["serve", "doctor"])
def test_a_wrong_configuration_is_wrong_use_without_a_traceback(command: str, tmp_path: Path) -> None:
    """In a real process: exit 2, every mistake with its line, from the file that the environment names."""
    config = tmp_path / "wrong.yaml"
    config.write_text("origin: a b\nlogging: {level: infos}\n", "utf-8")

    done = process(command, SHOWCAUSE_CONFIG=str(config))

    assert done.returncode == 2
    assert f"{config}:1:9: " in done.stderr
    assert "did you mean 'info'?" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.parametrize("how", ["--json", "--config"])
def test_a_reader_who_has_seen_enough_ends_the_command_in_silence(office: Office, how: str) -> None:
    """As with every Unix tool: 141, and no traceback, neither at once nor at the interpreter's own end."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "proxy", "check", *(["--json"] if how == "--json" else []), "--config", str(office.config)]
    done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(writer)

    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (CommandFailed("no such case", help="import it", code=Code.WRONG_USE), 2, "help: import it"),
        (CommandFailed("down"), 3, "error: down"),
        (
            DocumentInvalid([Mistake(file=Path("a.yaml"), line=3, column=4, message="wrong")]),
            2,
            "a.yaml:3:4: wrong\n1 mistake\n",
        ),
        (KeyUnusable("keys/body cannot be read"), 3, "keys/body cannot be read"),
        (CertificatesUnusable("c.pem is not a PEM certificate"), 3, "c.pem is not"),
        (DatabaseUnusable("store.sqlite3 is of a newer version"), 3, "newer version"),
        (Refusal("The log is not available."), 3, "The log is not available."),
        (FileNotFoundError(2, "No such file or directory", "cases.csv"), 3, "error: cases.csv: No such file or directory"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_failure_has_its_code_and_a_sentence(
    error: Exception, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same for every command, on standard error; as one JSON object on standard output under --json."""
    assert fail(error, as_json=False) == code
    told = capsys.readouterr()
    assert says in told.err
    assert told.out == ""

    assert fail(error, as_json=True) == code
    assert orjson.loads(capsys.readouterr().out)["error"]


def test_an_unforeseen_error_is_told_without_what_it_quotes(capsys: pytest.CaptureFixture[str]) -> None:
    """Its class and place, never its text, which may hold a name."""
    with pytest.raises(KeyError) as caught:
        _ = dict[str, str]()["Jane Roe, 1990-04-01"]
    code = fail(caught.value, as_json=False)

    told = capsys.readouterr().err
    assert code == 3
    assert "KeyError" in told
    assert "test_frame.py" in told
    assert "KeyError: 'Jane" not in told


def test_a_pipe_sees_no_progress_bar(capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing but results and errors is written where no person looks."""
    with progress("Importing", total=3) as advance:
        for _ in range(3):
            advance(1)

    assert capfd.readouterr() == ("", "")


def test_what_is_printed_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences in somebody's statement are shown, not obeyed."""
    table(("id", "statement"), [("1", "\x1b]0;owned\x07\u202e"), ("22", "plain")])

    out = capsys.readouterr().out
    assert out == "id  statement\n1   \\x1b]0;owned\\x07\\x202e\n22  plain\n"
    assert visible("two\nlines\r") == "two\nlines\\x0d"
