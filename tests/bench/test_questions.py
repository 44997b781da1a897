from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench import questions

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_bench_of_questions_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On few entries; what is made up is found by every kind of question, and the file is gone on with."""
    file = tmp_path / "made-up.db"
    given = ["--log", "400", "--times", "5", "--folder", str(tmp_path), "--index", str(file), "--json"]

    found = questions.main(["--entries", "2000", *given])
    again = questions.main(["--entries", "3000", *given])

    assert (found["filled"], again["filled"]) == (2000, 3000)
    assert {"subject", "officer", "case", "terminal", "marks", "count by day"} <= found["milliseconds"].keys()
    assert found["log"]["indexed a second"] > 0
    assert {path.name.partition("-")[0] for path in tmp_path.iterdir()} == {"made"}
    assert len(capsys.readouterr().out.splitlines()) == 2
