"""Draws the leaks, ranks their officers, and prints what came of it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from proxy.oversight.leak.ranking import FEW, Verdict
from proxy.oversight.leak.weighing import Model
from tests.bench.leaks.leaking import Knowing, Leaking, classes_in
from tests.bench.leaks.month import OFFICERS, PEOPLE, Month
from tests.bench.leaks.score import BASELINES, judged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tests.bench.leaks.score import Outcome

IN: Final[Mapping[str, int]] = {
    "one field, ordinary look-up": 25,
    "one field, look-up on a pretext": 25,
    "several fields": 30,
    "one person, several times": 20,
    "several people": 25,
    "old value": 15,
    "late publication": 15,
    "partly public": 15,
    "two officers together": 15,
    "seen in a list only": 15,
}
"""The 200."""
BESIDE: Final[Mapping[str, int]] = {
    "diluted": 20,
    "decoy": 20,
    "everybody was briefed": 20,
    "colleague's session": 20,
    "source outside": 20,
}
CROWD: Final = "a crowd saw it"
MOST_SHOWN: Final = 10
MONTHS: Final = 5
REPORTED: Final = 20_261_000
TUNED: Final = 9_000
WAYS: Final = ("trace", "knowing", *BASELINES)
STRATA: Final[Sequence[tuple[str, Callable[[Outcome], bool]]]] = (
    ("1 to 3 officers", lambda each: each.candidates <= 3),
    ("4 to 10", lambda each: 3 < each.candidates <= 10),
    ("11 and more", lambda each: each.candidates > 10),
)


def draw(
    begin: int, *, months: int = MONTHS, share: int = 1, officers: int = OFFICERS, people: int = PEOPLE
) -> Sequence[Outcome]:
    """Return what became of every leak; ``share`` divides how many of each class there are."""
    wanted = {kind: max(count // share // months, 1) for kind, count in {**IN, **BESIDE}.items()}
    return [
        outcome
        for number in range(months)
        for outcome in _month(begin + number, wanted, Month(begin + number, officers=officers, people=people))
    ]


def _month(seed: int, wanted: Mapping[str, int], month: Month) -> Iterable[Outcome]:
    for number, kind in enumerate(classes_in(wanted)):
        _progress(f"month {seed}, leak {number + 1}")
        leaking = Leaking(month, seed * 1000 + number)
        while True:
            scene = leaking.make(kind)
            outcome = judged(scene, scene.sights(month), {"trace": Model(), "knowing": Model(delay=Knowing())}, seed)
            if kind not in IN or outcome.shown_all <= MOST_SHOWN:
                yield outcome
                break
            yield replace(outcome, kind=CROWD)
    _progress("")


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{text}\x1b[K")


def found(outcomes: Iterable[Outcome], way: str = "trace", *, most: int = FEW) -> float:
    """Return how many of leaks had a leaker within the first ``most`` places, between 0 and 1."""
    places = [each.places[way] for each in outcomes]
    return sum(0 < place <= most for place in places) / len(places) if places else float("nan")


def the_200(outcomes: Iterable[Outcome]) -> Sequence[Outcome]:
    """Return those of the classes in which the log can tell."""
    return [each for each in outcomes if each.kind in IN]


def result(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the figures as they are printed."""
    inside = the_200(outcomes)
    hard = [each for each in inside if each.candidates > FEW]
    crowd = [each for each in outcomes if each.kind == CROWD]
    groups: dict[str, Sequence[Outcome]] = {
        "all of the 200": inside,
        "  more than three officers": hard,
        **{f"  {name}": [each for each in inside if within(each)] for name, within in STRATA},
        **{kind: [each for each in inside if each.kind == kind] for kind in IN},
        "the 200 and the crowds": [*inside, *crowd],
        CROWD: crowd,
        **{kind: [each for each in outcomes if each.kind == kind] for kind in BESIDE},
    }
    return {
        "leaks": {name: _row(each) for name, each in groups.items() if each},
        "verdicts": {kind: _verdicts(each) for kind, each in (("the 200", inside), ("all that was drawn", outcomes))},
        "calibration": _calibration(outcomes),
    }


def _row(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {
        "leaks": len(outcomes),
        "officers_median": sorted(each.candidates for each in outcomes)[len(outcomes) // 2],
        **{way: [found(outcomes, way, most=1), found(outcomes, way)] for way in WAYS},
        "entry": sum(each.entry for each in outcomes) / len(outcomes),
    }


def _verdicts(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return how often each was said, and how often rightly."""
    right: Mapping[Verdict, Callable[[Outcome], bool]] = {
        Verdict.ONE: lambda each: each.places["trace"] == 1,
        Verdict.TWO_TOGETHER: lambda each: 0 < each.places["trace"] <= 2,
        Verdict.FEW: lambda each: 0 < each.places["trace"] <= FEW,
        Verdict.CANNOT_TELL: lambda each: each.share < 0.5,
        Verdict.OUTSIDE: lambda each: each.places["trace"] == 0,
        Verdict.NOBODY: lambda each: each.places["trace"] == 0,
    }
    said = {verdict: [each for each in outcomes if each.verdict is verdict] for verdict in Verdict}
    return {str(verdict): [len(each), sum(map(right[verdict], each))] for verdict, each in said.items() if each}


def _calibration(outcomes: Iterable[Outcome]) -> Sequence[dict[str, Any]]:
    """Return, by the share that the first officer was given, how often that officer was the leaker."""
    edges = (0.0, 0.2, 0.4, 0.6, 0.8, 0.95, 1.01)
    known = [each for each in outcomes if each.candidates]
    rows = []
    for low, high in pairwise(edges):
        here = [each for each in known if low <= each.top < high]
        if here:
            said = sum(each.top for each in here) / len(here)
            rows.append({"said": said, "was": sum(each.places["trace"] == 1 for each in here) / len(here), "leaks": len(here)})
    return rows


def report(figures: Mapping[str, Any], begin: int, seconds: float) -> str:
    """Return the figures as text."""
    lines = [
        f"{OFFICERS:,} officers, {PEOPLE:,} people, {MONTHS} months, seeds from {begin}",
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, {seconds:.0f} s",
        "",
        f"{'':34}{'leaks':>6}{'officers':>9}" + "".join(f"{way:>14}" for way in WAYS) + f"{'entry':>7}",
    ]
    for name, row in figures["leaks"].items():
        places = "".join(f"{row[way][0]:>7.1%}{row[way][1]:>7.1%}" for way in WAYS)
        lines.append(f"{name:34}{row['leaks']:>6}{row['officers_median']:>9}{places}{row['entry']:>7.0%}")
    lines += [
        "",
        "Each way: the leaker in the first place, and among the first three. Officers: the median of those who were shown",
    ]
    lines += ["any of it. Entry: a leaking entry is among the nine that are shown first.", ""]
    for name, said in figures["verdicts"].items():
        counted = ", ".join(f"{word} {right} of {count}" for word, (count, right) in said.items())
        lines.append(f"What was said of {name}, and how often rightly: {counted}")
    lines += ["", "The share that the first officer was given, and how often it was the leaker, in all that was drawn:"]
    lines += [f"  {row['said']:>5.0%} said, {row['was']:>5.0%} was, of {row['leaks']}" for row in figures["calibration"]]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures; exit 1 if fewer than 95 of 100 leakers are among the first three."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.leaks", description="The leak trace on simulated months.")
    parser.add_argument("--tuning", action="store_true", help="the seeds on which the ranking's figures were chosen")
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args(arguments)
    begun, begin = time.monotonic(), TUNED if chosen.tuning else REPORTED
    outcomes = draw(begin)
    figures = result(outcomes)
    if chosen.json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    else:
        sys.stdout.write(report(figures, begin, time.monotonic() - begun))
    return 0 if found(the_200(outcomes)) >= 0.95 else 1
