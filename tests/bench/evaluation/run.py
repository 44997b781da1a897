"""Runs studies and prints what came of them."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.bench.evaluation import febrl, sizes, variants
from tests.bench.evaluation.environment import NotToBeHad, prepared
from tests.bench.evaluation.questions import Fold, Study
from tests.bench.evaluation.score import Tally, mistakes
from tests.bench.evaluation.systems import LARGE, NAMES, Systems, systems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.bench.evaluation.environment import Environment
    from tests.bench.evaluation.score import Answer

Tallies = dict[str, dict[str, Tally]]
STUDIES: Final = ("febrl", "variants", "sizes")


def measure(study: Study, asked: Systems, note: Callable[[str, Fold, str, Answer], None]) -> Tallies:
    """Ask every system every fold; ``note`` hears of each road's answers."""
    tallies: Tallies = {road: {name: Tally() for name in asked.answering} for road in study.roads}
    for number, fold in enumerate(study.folds, start=1):
        for name, answering in asked.answering.items():
            _progress(f"{study.name}: fold {number} of {len(study.folds)}, {name}")
            if number > asked.most_folds.get(name, number) or (len(fold.enrolled) > LARGE and name in asked.slow):
                continue
            for road, answer in answering(fold).items():
                tallies[road][name].add(fold, road, answer)
                note(name, fold, road, answer)
    if sys.stderr.isatty():
        _progress("")
    return tallies


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{text}\x1b[K")


def result(study: Study, tallies: Tallies) -> dict[str, Any]:
    """Return a study's figures as they are printed."""
    roads: dict[str, Any] = {}
    for road, rows in tallies.items():
        aim = study.aims.get(road)
        roads[road] = {
            "meant": max(tally.meant for tally in rows.values()),
            "ordinary": max(tally.ordinary for tally in rows.values()),
            "aim": {"recall": aim.recall, "needless_per_1000": aim.needless} if aim else None,
            "systems": {name: _row(tally) for name, tally in rows.items()},
        }
    return {"study": study.name, "source": study.source, "folds": len(study.folds), "roads": roads}


def _row(tally: Tally) -> dict[str, Any]:
    return {
        "meant": tally.meant,
        "ordinary": tally.ordinary,
        "recall": tally.recall,
        "needless_per_1000": tally.per_thousand,
        "missed": tally.meant - tally.found,
        "missed_every_field_differs": tally.hopeless,
        "needless": tally.needless,
        "beside": tally.beside,
        "us_p50": tally.quantile(0.5),
        "us_p99": tally.quantile(0.99),
    }


COLUMNS: Final = (
    ("recall", "recall %", 2), ("needless_per_1000", "needless/1000", 2), ("meant", "meant", 0), ("missed", "missed", 0),
    ("missed_every_field_differs", "all differ", 0), ("ordinary", "ordinary", 0), ("needless", "needless", 0),
    ("beside", "beside", 0), ("us_p50", "µs p50", 0), ("us_p99", "µs p99", 0),
)  # fmt: skip


def lines(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield a study's tables, one a road."""
    yield f"== {figures['study']}: {figures['source']}; the {figures['part']} part, {figures['folds']} folds"
    for road, row in figures["roads"].items():
        aim = row["aim"]
        stated = f" (aim: {aim['recall']:g} % at {aim['needless_per_1000']:g} needless per 1,000)" if aim else ""
        yield ""
        yield f"{road}{stated}"
        yield f"  {'':11}" + "".join(f"{title:>{len(title) + 2}}" for _, title, _ in COLUMNS)
        for name, cells in row["systems"].items():
            values = (f"{_cell(cells[key], digits):>{len(title) + 2}}" for key, title, digits in COLUMNS)
            yield f"  {name:11}" + "".join(values)


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def main() -> int:
    """Run the evaluation; return 0 when it ran, 3 when the data cannot be had."""
    options = _options()
    begun = time.monotonic()
    try:
        environment = prepared()
    except NotToBeHad as error:
        sys.stderr.write(f"{error}\n")
        return 3
    asked = systems(options.only.split(","), environment, processes=not options.in_process, peer_folds=options.peer_folds)
    dumped: list[dict[str, object]] = []

    def note(name: str, fold: Fold, road: str, answer: Answer) -> None:
        if options.misses and name == "showcause":
            dumped.extend(mistakes(fold, road, answer))

    found = []
    for study in (_of_roads(each, options.roads) for each in _studies(options, environment)):
        found.append(result(study, measure(study, asked, note)) | {"part": options.part})
        if not options.json:
            sys.stdout.write("\n".join(lines(found[-1])) + "\n\n")
    if options.misses:
        options.misses.write_text("".join(json.dumps(each) + "\n" for each in dumped))
    _close(found, asked, seconds=time.monotonic() - begun, as_json=options.json)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.evaluation", description="Measure recognition beside others.")
    parser.add_argument("--part", choices=("reporting", "tuning"), default="reporting")
    parser.add_argument("--studies", default=",".join(STUDIES), help="separated by commas")
    parser.add_argument("--only", default=",".join(NAMES), help="systems, separated by commas")
    parser.add_argument("--roads", default="", help="roads, separated by commas; all when not given")
    parser.add_argument("--folds", type=int, default=99, help="at most so many of each study")
    parser.add_argument("--peer-folds", type=int, default=1, help="how many of the folds the slow peers are asked")
    parser.add_argument(
        "--in-process", action="store_true", help="take Showcause's verdicts from the recognizer, not the command"
    )
    parser.add_argument("--large", action="store_true", help="a registry of 100,000 too, among the sizes")
    parser.add_argument("--misses", type=Path, help="write what Showcause missed or recognized needlessly there, as JSON Lines")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def _studies(options: argparse.Namespace, environment: Environment) -> Iterator[Study]:
    wanted = options.studies.split(",")
    if "febrl" in wanted:
        yield febrl.study(environment, options.part, options.folds)
    if "variants" in wanted:
        yield variants.study(environment, options.part, options.folds)
    if "sizes" in wanted:
        yield from sizes.studies(environment, options.part, sizes.ALL_SIZES if options.large else sizes.SIZES)


def _of_roads(study: Study, wanted: str) -> Study:
    if not wanted:
        return study
    roads = wanted.split(",")
    folds = [
        Fold(enrolled=fold.enrolled, queries={road: asked for road, asked in fold.queries.items() if road in roads})
        for fold in study.folds
    ]
    return Study(name=study.name, source=study.source, folds=folds, aims=study.aims)


def _close(found: Sequence[Mapping[str, Any]], asked: Systems, *, seconds: float, as_json: bool) -> None:
    pace = asked.showcause.lines_per_second
    if as_json:
        closing = {"recognize_lines_per_second": pace, "missing": dict(asked.missing), "took_seconds": round(seconds)}
        sys.stdout.write(json.dumps({"studies": list(found), **closing}) + "\n")
        return
    for name, reason in asked.missing.items():
        sys.stdout.write(f"{name} cannot be had: {reason}\n")
    if pace:
        sys.stdout.write(f"showcause registry recognize, start and load included: {pace:.0f} lines/s (asked for: 2,000)\n")
