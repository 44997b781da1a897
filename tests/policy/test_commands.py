from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from proxy.__main__ import run
from proxy.policy.service import FILES

SHIPPED = Path(__file__).parents[2] / "policies"
ASKED = ("explain", "--role", "patrol", "--action", "person.read", "--purpose", "C", "--policies", str(SHIPPED))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the shipped policy files."""
    for name in FILES:
        shutil.copy(SHIPPED / name, tmp_path / name)
    return tmp_path


def test_check_is_content_with_the_shipped_policy(capsys: pytest.CaptureFixture[str]) -> None:
    """``policy check`` ends with 0 and the version."""
    assert run(["policy", "check", "--policies", str(SHIPPED)]) == 0
    assert "version" in capsys.readouterr().out


def test_check_prints_every_mistake(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``policy check`` ends with 1 and prints each mistake with its place and the nearest word."""
    text = (folder / "policy.csv").read_text()
    (folder / "policy.csv").write_text(text.replace("deny,", "dney,").replace("detective", "detectiv", 1))

    code = run(["policy", "check", "--policies", str(folder)])

    told = capsys.readouterr().err
    assert code == 1
    assert "policy.csv:20:4: unknown role 'detectiv'" in told
    assert "did you mean 'detective'?" in told
    assert told.count("unknown beginning 'dney'") == text.count("\ndeny,")


def test_check_tells_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``--json`` gives one object with mistakes and warnings apart."""
    with (folder / "policy.csv").open("a") as file:
        file.write("deny, Z1, patrol, any, any, any, any, self, any, none, said already\n")

    code = run(["policy", "check", "--policies", str(folder), "--json"])

    told = json.loads(capsys.readouterr().out)
    assert code == 1
    assert (told["ok"], told["mistakes"], len(told["warnings"])) == (False, [], 1)
    assert "Z1 never decides" in told["warnings"][0]["message"]


def test_explain_says_outcome_row_and_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """``explain`` prints what would be decided, by which row of which line, and why."""
    assert run([*ASKED, "--category", "official"]) == 0

    told = capsys.readouterr().out
    assert told.startswith("escalate  by E01 (")
    assert "a supervisor has to agree" in told


def test_explain_tells_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """``--json`` gives facts, outcome, row, masks and the other rows."""
    assert run([*ASKED, "--category", "official", "--approval", "granted", "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert (told["outcome"], told["rule"], told["masked"]) == ("mask", "M06", ["ssn"])
    assert told["facts"]["category"] == "official"


def test_explain_helps_with_a_misspelt_word(capsys: pytest.CaptureFixture[str]) -> None:
    """A word that is not in the vocabulary is wrong use, with the nearest word."""
    assert run([*ASKED, "--category", "offical"]) == 2
    assert "did you mean 'official'?" in capsys.readouterr().err
