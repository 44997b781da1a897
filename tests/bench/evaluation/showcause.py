"""Showcause as its user gets it: ``registry import`` and ``registry recognize`` as processes, and the recognizer by itself."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from proxy.clock import utc_now
from proxy.database import Database
from proxy.registry.lines import criteria, entry_line
from proxy.registry.service import Registry
from tests.bench.evaluation.score import Answer
from tests.bench.town import POLICIES, command, configure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.bench.evaluation.questions import Fold

CATEGORY: Final = "official"
Verdicts = dict[str, list[frozenset[str]]]
Times = dict[str, list[float]]


class Failed(Exception):  # noqa: N818 -- reads as a sentence where it is raised
    """A command ended as it should not have."""


class Showcause:
    """Answers folds, and keeps count of what its processes took."""

    def __init__(self, *, processes: bool = True) -> None:
        """Without ``processes`` the verdicts are the in-process recognizer's too, which is quicker for tuning."""
        self._processes = processes
        self.lines = 0
        self.seconds = 0.0

    @property
    def lines_per_second(self) -> float | None:
        """Return what ``registry recognize`` managed, its start and the registry's load included."""
        return self.lines / self.seconds if self.seconds else None

    def answer(self, fold: Fold) -> dict[str, Answer]:
        """Answer a fold; the microseconds are those of ``recognizer.protections``, normalization included."""
        with TemporaryDirectory(prefix="showcause-evaluation-") as folder:
            verdicts, times = asyncio.run(_in_process(Path(folder), fold))
            if self._processes:
                verdicts = self._as_processes(Path(folder) / "home", fold)
        return {road: Answer(recognized=verdicts[road], microseconds=times[road]) for road in fold.queries}

    def _as_processes(self, home: Path, fold: Fold) -> Verdicts:
        configuration = configure(home)
        people = home / "people.jsonl"
        people.write_text("".join(json.dumps(_line(key, fields)) + "\n" for key, fields in fold.enrolled.items()))
        command(configuration, "registry", "import", str(people), timeout=1800)
        listed = json.loads(command(configuration, "registry", "list", "--json", timeout=600))
        keys = {entry["id"]: entry["basis"] for entry in listed}
        asked = [dict(query.fields) for queries in fold.queries.values() for query in queries]
        found = self._recognize(configuration, home / "queries.jsonl", asked)
        verdicts = iter([_recognized(verdict, keys) for verdict in found])
        return {road: [next(verdicts) for _ in queries] for road, queries in fold.queries.items()}

    def _recognize(self, configuration: Path, file: Path, asked: list[dict[str, str]]) -> list[dict[str, Any]]:
        file.write_text("".join(json.dumps(fields) + "\n" for fields in asked))
        arguments = ("registry", "recognize", "--jsonl", str(file), "--config", str(configuration))
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "proxy", *arguments], cwd=POLICIES.parent, capture_output=True, check=False, timeout=1200
        )
        self.seconds += time.perf_counter() - begun
        self.lines += len(asked)
        verdicts = [json.loads(line) for line in done.stdout.splitlines()]
        errors = [verdict for verdict in verdicts if "error" in verdict]
        if len(verdicts) != len(asked) or errors:
            raise Failed(f"registry recognize: {len(verdicts)} of {len(asked)} lines, {errors[:3]} {done.stderr[-500:]!r}")
        return verdicts


def _line(key: str, fields: Mapping[str, str]) -> dict[str, str]:
    """Return a line of an import; the basis is what leads from an entry back to its person."""
    return {**fields, "category": CATEGORY, "basis": key}


def _recognized(verdict: Mapping[str, Any], keys: Mapping[str, str]) -> frozenset[str]:
    met = [verdict, *verdict.get("also", ())] if verdict["recognized"] else []
    return frozenset(keys[each["entry"]] for each in met)


async def _in_process(folder: Path, fold: Fold) -> tuple[Verdicts, Times]:
    database = Database(folder / "store.sqlite3")
    await database.open()
    try:
        registry = Registry(database, bytes(32), utc_now)
        now = utc_now()
        lines = [
            entry_line(number, _line(key, fields), categories=[CATEGORY], now=now)
            for number, (key, fields) in enumerate(fold.enrolled.items(), start=1)
        ]
        await registry.enroll(lines, by="bench")
        await registry.refresh()
        verdicts: Verdicts = {}
        times: Times = {}
        for road, found, took in _timed(registry, fold):
            verdicts.setdefault(road, []).append(found)
            times.setdefault(road, []).append(took)
    finally:
        await database.close()
    return verdicts, times


def _timed(registry: Registry, fold: Fold) -> Iterator[tuple[str, frozenset[str], float]]:
    for road, queries in fold.queries.items():
        for query in queries:
            fields = criteria(query.fields)
            begun = time.perf_counter()
            found = registry.recognizer.protections(fields)
            took = (time.perf_counter() - begun) * 1e6
            yield road, frozenset(protection.basis for protection in found), took
