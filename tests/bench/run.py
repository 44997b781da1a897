"""The rounds, the medians and the table."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from tests.bench.contenders import CONTENDERS, HEADERS, Contender, start_upstream, stop
from tests.bench.processes import AROUND, StartFailed, bound_to
from tests.bench.town import Town

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CONNECTIONS: Final = 32
RATE: Final = 400
SIZES: Final = ("1 KB", "20 KB")
COUNTS: Final = ("1 record", "100 records")
AIMS: Final = {
    "CPU to bare, 1 KB": 2.5,
    "CPU to bare, 20 KB": 2.5,
    "CPU to mitmproxy, 1 KB": 0.35,
    "CPU to mitmproxy, 20 KB": 0.35,
    "µs for a further record, showcause": 100.0,
    "ms added at the median, to direct": 5.0,
}
_STAGE: Final = re.compile(
    r'^showcause_(stage_seconds|audit_commit_seconds|recognition_seconds)_(sum|count)(?:\{stage="(\w+)"\})? (\S+)$'
)
_WRK_SCRIPT: Final = """
done = function(summary, latency, requests)
  local failed = summary.errors
  local errors = failed.connect + failed.read + failed.write + failed.status + failed.timeout
  local rate = summary.requests * 1e6 / summary.duration
  io.write(string.format('\\nJSON{"requests":%d,"errors":%d,"rps":%f,"p50_ms":%f,"p99_ms":%f}',
    summary.requests, errors, rate, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass
class Figures:
    """Everything measured, by case and contender, one value a round."""

    values: dict[tuple[str, str], dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def note(self, case: str, name: str, measured: Mapping[str, float]) -> None:
        """Keep one round's figures."""
        for key, value in measured.items():
            self.values[case, name][key].append(value)

    def median(self, case: str, name: str, key: str) -> float | None:
        """Return the median over the rounds, or None where nothing was measured."""
        values = self.values[case, name][key] if (case, name) in self.values else []
        return median(values) if values else None


class Bench:
    """One run of the bench."""

    def __init__(
        self,
        contenders: Sequence[Contender],
        credentials: Mapping[str, str],
        folder: Path,
        seconds: float,
        wrk: str | None,
    ) -> None:
        """Take who is measured, for how many seconds each time, and the load generator wrk, or None for our own."""
        self.contenders = contenders
        self.figures = Figures()
        self._headers = {**HEADERS, **credentials}
        self._seconds = seconds
        self._warm = False
        self._wrk = wrk
        self._script = folder / "report.lua"
        self._script.write_text(_WRK_SCRIPT)

    def rounds(self, count: int) -> None:
        """Measure everything ``count`` times, in turns."""
        for number in range(count):
            self._warm = number > 0
            turn = number % len(self.contenders)
            order = [*self.contenders[turn:], *self.contenders[:turn]]
            for case in (*SIZES, *COUNTS):
                for contender in order:
                    if case in SIZES or contender.name in {"bare", "showcause"}:
                        self._closed(case, contender)
            for contender in order:
                if contender.name in {"direct", "bare", "showcause"}:
                    self._open(contender)

    def _closed(self, case: str, contender: Contender) -> None:
        """Measure throughput, latency and CPU with every connection busy."""
        target = contender.targets[case]
        if not self._warm:
            self._load(contender.port, target, min(1, self._seconds))
        before = contender.process.cpu_seconds() if contender.process else 0.0
        with self._stages(case, contender):
            measured = self._load(contender.port, target, self._seconds)
        if contender.process and measured["requests"]:
            measured["cpu_us"] = (contender.process.cpu_seconds() - before) / measured["requests"] * 1e6
        self._note(case, contender, measured)

    def _open(self, contender: Contender) -> None:
        """Measure latency at a constant rate, as a department's day has it."""
        with self._stages(f"{RATE}/s", contender):
            measured = self._own(contender.port, contender.targets["1 KB"], self._seconds, RATE)
        self._note(f"{RATE}/s", contender, measured)

    @contextmanager
    def _stages(self, case: str, contender: Contender) -> Iterator[None]:
        """Note how long each stage of a query took on the way, from the ops door, in mean microseconds."""
        before = stages(contender.ops_port) if contender.ops_port else {}
        yield
        for name, (total, count) in (stages(contender.ops_port) if contender.ops_port else {}).items():
            total_before, count_before = before.get(name, (0.0, 0.0))
            if count > count_before:
                self.figures.note(case, "stages", {name: (total - total_before) / (count - count_before) * 1e6})

    def _note(self, case: str, contender: Contender, measured: dict[str, float]) -> None:
        if measured["errors"]:
            sys.stderr.write(f"{contender.name}, {case}: {measured['errors']:.0f} errors\n")
        self.figures.note(case, contender.name, measured)

    def _load(self, port: int, target: str, seconds: float) -> dict[str, float]:
        if self._wrk is None:
            return self._own(port, target, seconds, 0)
        headers = [argument for name, value in self._headers.items() for argument in ("-H", f"{name}: {value}")]
        command = [self._wrk, "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", str(self._script), *headers]
        with bound_to(AROUND):
            done = subprocess.run(
                [*command, f"http://127.0.0.1:{port}{target}"], capture_output=True, text=True, check=True, timeout=60
            )
        measured: dict[str, float] = json.loads(done.stdout.rpartition("JSON")[2])
        return measured

    def _own(self, port: int, target: str, seconds: float, rate: float) -> dict[str, float]:
        lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in self._headers.items()), "", ""]
        options = {"port": port, "connections": CONNECTIONS, "seconds": seconds, "rate": rate}
        arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        with bound_to(AROUND):
            done = subprocess.run(
                [sys.executable, str(Path(__file__).parent / "load.py"), *arguments],
                input="\r\n".join(lines).encode(), capture_output=True, check=True, timeout=60,
            )  # fmt: skip
        measured: dict[str, float] = json.loads(done.stdout)
        return measured


def stages(port: int) -> dict[str, tuple[float, float]]:
    """Return the sum of seconds and the count of each stage so far, from the ops door."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:  # a door of our own, on loopback
        lines = answer.read().decode().splitlines()
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for match in filter(None, map(_STAGE.match, lines)):
        found[match[3] or match[1].removesuffix("_seconds")][match[2]] = float(match[4])
    return {name: (both["sum"], both["count"]) for name, both in found.items()}


def report(figures: Figures, names: Sequence[str]) -> dict[str, Any]:
    """Return medians, ratios and how they stand to the aims."""
    cases = {
        case: {
            name: {key: figures.median(case, name, key) for key in ("rps", "p50_ms", "p99_ms", "cpu_us")}
            for name in names
            if (case, name) in figures.values
        }
        for case in (*SIZES, *COUNTS, f"{RATE}/s")
    }
    ours: dict[str, float | None] = {}
    for size in SIZES:
        for other in ("bare", "mitmproxy"):
            ours[f"CPU to {other}, {size}"] = _ratio(figures, size, other)
    for name in ("bare", "showcause"):
        few, many = (figures.median(case, name, "cpu_us") for case in COUNTS)
        ours[f"µs for a further record, {name}"] = None if few is None or many is None else (many - few) / 99
    for other in ("direct", "bare"):
        mine, theirs = (figures.median(f"{RATE}/s", name, "p50_ms") for name in ("showcause", other))
        ours[f"ms added at the median, to {other}"] = None if mine is None or theirs is None else mine - theirs
    return {"cases": cases, "showcause": ours, "stages_us": _stage_table(figures), "aims": AIMS}


def _stage_table(figures: Figures) -> dict[str, dict[str, float | None]]:
    cases = (*SIZES, "100 records", f"{RATE}/s")
    names = figures.values.get((cases[0], "stages"), {})
    return {name: {case: figures.median(case, "stages", name) for case in cases} for name in names}


def _ratio(figures: Figures, case: str, other: str) -> float | None:
    mine, theirs = (figures.median(case, name, "cpu_us") for name in ("showcause", other))
    return mine / theirs if mine is not None and theirs else None


def lines(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table."""
    yield f"{'':12} {'':10} {'requests/s':>11} {'p50 ms':>9} {'p99 ms':>9} {'CPU µs':>9} {'to bare':>8} {'to mitm':>8}"
    for case, rows in result["cases"].items():
        for name, row in rows.items():
            ratios = [_divided(row["cpu_us"], rows.get(other, {}).get("cpu_us")) for other in ("bare", "mitmproxy")]
            cells = [_cell(row[key], digits) for key, digits in (("rps", 0), ("p50_ms", 2), ("p99_ms", 2), ("cpu_us", 0))]
            yield f"{case:12} {name:10} {cells[0]:>11} {cells[1]:>9} {cells[2]:>9} {cells[3]:>9} {ratios[0]:>8} {ratios[1]:>8}"
        yield ""
    for name, value in result["showcause"].items():
        aim = result["aims"].get(name)
        stands = "" if aim is None or value is None else f"  aim ≤ {aim:g}: {'met' if value <= aim else 'MISSED'}"
        yield f"{name:36} {_cell(value, 2):>9}{stands}"
    if result["stages_us"]:
        yield ""
        yield "where a query's time goes: mean microseconds of wall clock, at the rates above"
        for number, (name, row) in enumerate(result["stages_us"].items()):
            if not number:
                yield f"  {'':18}" + "".join(f"{case:>13}" for case in row)
            yield f"  {name:18}" + "".join(f"{_cell(value, 0):>13}" for value in row.values())


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _divided(value: float | None, by: float | None) -> str:
    return f"{value / by:.2f}" if value is not None and by else "-"


def main() -> int:
    """Run the bench; return 0 when it ran, 3 when a contender did not come up."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure Showcause beside others.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--rounds", type=int, default=3, choices=range(1, 10))
    parser.add_argument("--seconds", type=float, default=2, help="of each measurement, at most 10")
    parser.add_argument("--only", default=",".join(CONTENDERS), help="contenders, separated by commas")
    options = parser.parse_args()
    names = [name for name in CONTENDERS if name in options.only.split(",")]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="showcause-bench-") as folder:
        try:
            bench = measure(
                Path(folder), names, rounds=options.rounds, seconds=min(options.seconds, 10), wrk=shutil.which("wrk")
            )
        except StartFailed as error:
            sys.stderr.write(f"{error}\n")
            return 3
    result = report(bench.figures, names)
    result["took_seconds"] = round(time.monotonic() - began)
    sys.stdout.write(json.dumps(result) + "\n" if options.json else "\n".join(lines(result)) + "\n")
    return 0


def measure(folder: Path, names: Sequence[str], *, rounds: int, seconds: float, wrk: str | None) -> Bench:
    """Start them, measure them, and stop them.

    Raises:
        StartFailed: one did not come up, or does not answer with what the upstream holds.
    """
    town = Town()
    upstream, port = start_upstream(folder, town)
    contenders: list[Contender] = []
    try:
        for name in names:
            contenders.append(CONTENDERS[name](folder, port, town))  # noqa: PERF401 -- one that fails leaves the others to stop
        bench = Bench(contenders, town.credentials, folder, seconds, wrk)
        bench.rounds(rounds)
    finally:
        stop(contenders)
        upstream.stop()
    return bench
