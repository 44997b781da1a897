from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.run import COUNTS, RATE, SIZES, lines, measure, report

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NAMES = ("direct", "nginx", "bare", "showcause")


def test_the_bench_of_load_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A handful of each request, from our own load generator: Showcause answers each with what the upstream holds."""
    bench = measure(tmp_path, NAMES, rounds=1, seconds=0.05, wrk=None)

    for case in (*SIZES, *COUNTS, f"{RATE}/s"):
        assert bench.figures.median(case, "showcause", "requests"), case
        assert bench.figures.median(case, "showcause", "errors") == 0, case
    table = list(lines(report(bench.figures, NAMES)))
    assert [line.split()[0] for line in table if line.endswith(("met", "MISSED"))].count("CPU") == 2
    assert any(line.startswith("where a query") for line in table)
    assert not capsys.readouterr().err
