from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

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


@pytest.fixture
def whole(folder: Path) -> Path:
    """Return a copy of the shipped policy files with the cases and invariants beside them."""
    shutil.copytree(SHIPPED / "cases", folder / "cases")
    shutil.copy(SHIPPED / "invariants.yaml", folder / "invariants.yaml")
    return folder


@pytest.mark.timeout(600)  # Casbin is asked ten thousand questions
def test_check_is_content_with_the_shipped_policy(capsys: pytest.CaptureFixture[str]) -> None:
    """``policy check`` ends with 0, the version, and how many questions were compared: all of them."""
    assert run(["policy", "check", "--policies", str(SHIPPED)]) == 0

    told = capsys.readouterr().out
    assert "version" in told
    assert "questions were compared: our reading and the oracle agree on each, and stock Casbin on" in told


def test_check_prints_every_mistake(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``policy check`` ends with 1 and prints each mistake with its place and the nearest word."""
    text = (folder / "policy.csv").read_text()
    (folder / "policy.csv").write_text(text.replace("deny,", "dney,").replace("detective", "detectiv", 1))

    code = run(["policy", "check", "--policies", str(folder)])

    told = capsys.readouterr().err
    assert code == 1
    assert "policy.csv:21:4: unknown role 'detectiv'" in told
    assert "did you mean 'detective'?" in told
    assert told.count("unknown beginning 'dney'") == text.count("\ndeny,")


def test_check_tells_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``--json`` gives one object with mistakes and warnings apart, and how many questions were compared."""
    row = "permit, P01, patrol, person.read, C, none, assigned, none, none, none, ordinary work"
    dead = "permit, Z1, patrol, person.read, C, none, assigned, none, none, none, said already"
    (folder / "policy.csv").write_text(f"{row}\n{dead}\n")

    code = run(["policy", "check", "--policies", str(folder), "--json"])

    told = json.loads(capsys.readouterr().out)
    assert code == 1
    assert (told["ok"], told["mistakes"], told["rows"]) == (False, [], 2)
    assert any("rule Z1 never decides" in warning["message"] for warning in told["warnings"])
    assert 0 < told["asked_of_casbin"] < told["questions"]


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


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    code = run(["policy", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_test_is_content_with_the_shipped_policy(capsys: pytest.CaptureFixture[str]) -> None:
    """``policy test`` ends with 0: every case as expected, every row in one."""
    assert run(["policy", "test", "--policies", str(SHIPPED)]) == 0
    assert "every row decides in one at least" in capsys.readouterr().out


def test_test_shows_a_diff_and_the_rows_without_a_case(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``policy test`` ends with 1 and prints expected and actual under one another."""
    _edit(
        whole / "policy.csv",
        "mask=ssn,                                        approved; the SSN",
        "mask=ssn+phone, approved; the SSN",
    )
    with (whole / "policy.csv").open("a") as file:
        file.write("permit, P99, patrol, person.read, C, none, unassigned, none, none, none, anybody\n")

    code = run(["policy", "test", "--policies", str(whole)])

    told = capsys.readouterr().err
    assert code == 1
    assert "  - mask by M06, obligations: mask=ssn\n  + mask by M06, obligations: mask=phone+ssn\n" in told
    assert "  - deny by default, obligations: none\n  + permit by P99, obligations: none\n" in told
    assert "rule P99 decides in no case" in told


def test_test_tells_programs(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``--json`` gives failures with facts, expected and actual, and the rows that no case covers."""
    (whole / "cases" / "checks.yaml").unlink()
    _edit(whole / "cases" / "dispatch.yaml", "row: M01", "row: M02")

    code, told = _json(capsys, "test", "--policies", str(whole))

    assert code == 1
    assert {each["rule"] for each in told["uncovered"]} >= {"M15", "E04"}
    (failure,) = told["failures"]
    assert (failure["expected"]["rule"], failure["actual"]["rule"]) == ("M02", "M01")
    assert failure["facts"]["role"] == "dispatcher"


def test_test_of_a_misspelt_case_is_wrong_use(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A case that cannot be read ends with 2, its place and the nearest word."""
    _edit(whole / "cases" / "dispatch.yaml", "role: dispatcher", "role: dispatchr")

    assert run(["policy", "test", "--policies", str(whole)]) == 2
    assert "did you mean 'dispatcher'?" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["test", "invariants"])
def test_nothing_to_prove_is_not_proved(folder: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """Without cases, or without invariants, the command does not say that all is well."""
    assert run(["policy", command, "--policies", str(folder)]) == 2
    assert "there are no" in capsys.readouterr().err


def test_invariants_hold_of_the_shipped_policy(capsys: pytest.CaptureFixture[str]) -> None:
    """``policy invariants`` ends with 0 and says of how many questions they hold."""
    code, told = _json(capsys, "invariants", "--policies", str(SHIPPED))

    assert (code, told["ok"], told["violations"]) == (0, True, [])
    assert told["invariants"] >= 20


def test_invariants_show_the_smallest_example(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``policy invariants`` ends with 1 and shows the question, the ruling, and the row with its line."""
    row = "permit, P99, patrol, person.read, C, informant, unassigned, none, none, none, planted"
    with (whole / "policy.csv").open("a") as file:
        file.write(f"{row}\n")
    line = len((whole / "policy.csv").read_text().splitlines())

    code = run(["policy", "invariants", "--policies", str(whole)])

    told = capsys.readouterr().err
    assert code == 1
    assert "informant-only-for-the-handler: An informant's identity is never permitted" in told
    assert "role=patrol, action=person.read, purpose=C, category=informant, standing=unassigned" in told
    assert f"is           permit, by P99 ({whole}/policy.csv:{line})" in told


def test_diff_tells_what_loosens_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``policy diff`` ends with 1; the lost mask comes before the gained silence, each with whom it concerns."""
    _edit(folder / "policy.csv", "mask=ssn+financial+photo,  ", "mask=ssn+photo,  ")
    _edit(folder / "policy.csv", "conflict,  any,      tell=withheld", "conflict,  any,      none")

    code = run(["policy", "diff", str(SHIPPED), str(folder)])

    told = capsys.readouterr().out
    assert code == 1
    assert told.startswith("mask by M01 -> mask by M01: ")
    assert "LOOSER (masked)" in told.splitlines()[0]
    assert "concerns     role: dispatcher; action: query; purpose: operational; category: none" in told
    assert told.index("mask by M01") < told.index("deny by D01 -> deny by D01")


def test_diff_of_a_policy_and_itself_is_nothing(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A copy differs in nothing, and the command ends with 0."""
    code, told = _json(capsys, "diff", str(SHIPPED), str(whole))

    assert (code, told["changed"], told["loosens"], told["differences"]) == (0, 0, False, [])


def test_diff_tells_which_promises_are_taken_away(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever agrees to a change sees that less is held against it; a group with one member more is no other promise."""
    _edit(whole / "invariants.yaml", "  hidden-never-whole:", "  hidden-not-whole:")
    _edit(whole / "invariants.yaml", "when: {category: hidden, approval: none}", "when: {category: informant, approval: none}")
    _edit(whole / "cases" / "dispatch.yaml", "obligations: mask=financial+photo+ssn", "obligations: mask=photo+ssn")
    _edit(
        whole / "vocabulary.yaml",
        "  victim:\n",
        "  clergy:\n    meaning: Clergy under threat.\n    group: protected\n  victim:\n",
    )
    _edit(whole / "policy.csv", "g2, victim, protected\n", "g2, victim, protected\ng2, clergy, protected\n")

    code, told = _json(capsys, "diff", str(SHIPPED), str(whole))

    assert (code, told["loosens"]) == (1, True)
    assert [each["what"] for each in told["beside"] if each["file"] in {"invariants.yaml", "dispatch.yaml"}] == [
        "the invariant hidden-only-with-approval says something else",
        "the invariant hidden-never-whole is gone",
        "the case 'A dispatcher looks up the caller while the car is on its way' expects something else",
    ]


def test_diff_tells_of_what_changes_beside_the_rulings(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A higher budget changes no ruling, and loosens all the same; a comment is told and loosens nothing."""
    _edit(whole / "budgets.yaml", "queries: 900", "queries: 1000")
    with (whole / "fields.yaml").open("a") as file:
        file.write("# changed\n")

    code, told = _json(capsys, "diff", str(SHIPPED), str(whole))

    assert (code, told["changed"], told["loosens"]) == (1, 0, True)
    assert [(each["file"], each["loosens"]) for each in told["beside"]] == [("budgets.yaml", True), ("fields.yaml", False)]


def test_policy_explain_says_what_would_change_it(capsys: pytest.CaptureFixture[str]) -> None:
    """``policy explain`` shows the row, and the nearest facts that would loosen or tighten it."""
    assert run(["policy", *ASKED, "--category", "official"]) == 0

    told = capsys.readouterr().out
    assert told.startswith("escalate  by E01 (")
    assert "looser, with one fact changed:" in told
    assert "approval=granted  mask      by M06" in told
    assert "standing=unassigned   deny      by default" in told


def test_both_explanations_are_one(capsys: pytest.CaptureFixture[str]) -> None:
    """``explain`` and ``policy explain`` of the same facts print the same."""
    run([*ASKED, "--json"])
    one = capsys.readouterr().out
    run(["policy", *ASKED, "--json"])

    assert capsys.readouterr().out == one
    assert {each["outcome"] for each in json.loads(one)["stricter"]} == {"mask", "escalate", "deny"}


def test_matrix_writes_one_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``policy matrix`` writes the page where it is told to, or prints it; ``--json`` prints the table behind it."""
    assert run(["policy", "matrix", "--policies", str(SHIPPED), "--output", str(tmp_path / "policy.html")]) == 0
    capsys.readouterr()
    assert run(["policy", "matrix", "--policies", str(SHIPPED)]) == 0

    assert (tmp_path / "policy.html").read_text().strip() == capsys.readouterr().out.strip()
    code, told = _json(capsys, "matrix", "--policies", str(SHIPPED))
    assert code == 0
    assert set(told) == {"version", "columns", "rulings", "cells"}


def test_matrix_into_no_folder_is_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A place that cannot be written to is told, with what to do."""
    assert run(["policy", "matrix", "--policies", str(SHIPPED), "--output", str(tmp_path / "none" / "policy.html")]) == 2
    assert "name a file in a folder that you may write to" in capsys.readouterr().err
