"""What runs side by side, each answering the same folds."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.bench.evaluation import exact
from tests.bench.evaluation.environment import HERE
from tests.bench.evaluation.score import Answer
from tests.bench.evaluation.showcause import Showcause

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.bench.evaluation.environment import Environment
    from tests.bench.evaluation.questions import Fold

    Answering = Callable[[Fold], Mapping[str, Answer]]

PEERS: Final = ("logic-v2", "ofac")
LARGE: Final = 2_000
NAMES: Final = ("exact", "rapidfuzz", *PEERS, "showcause")


@dataclass(frozen=True, slots=True, kw_only=True)
class Systems:
    """The systems asked for, by name; ``missing`` says which cannot be had, and why.

    ``most_folds`` bounds what is asked of those that take milliseconds a query, and ``slow`` are those that compare with
    everybody, and are not asked of registries over ``LARGE``.
    """

    answering: Mapping[str, Answering]
    most_folds: Mapping[str, int]
    missing: Mapping[str, str]
    slow: frozenset[str]
    showcause: Showcause


def systems(names: Sequence[str], environment: Environment, *, processes: bool, peer_folds: int) -> Systems:
    """Return those of ``names`` that can be had."""
    showcause = Showcause(processes=processes)
    every: dict[str, Answering] = {"exact": exact.answer, "rapidfuzz": partial(_worker, environment, "rapidfuzz")}
    every |= {name: partial(_worker, environment, name) for name in PEERS}
    every["showcause"] = showcause.answer
    missing = {name: environment.without_peer for name in names if name in PEERS and environment.without_peer}
    return Systems(
        answering={name: every[name] for name in every if name in names and name not in missing},
        most_folds=dict.fromkeys(PEERS, peer_folds),
        missing=missing,
        slow=frozenset({"rapidfuzz", *PEERS}),
        showcause=showcause,
    )


def _worker(environment: Environment, system: str, fold: Fold) -> dict[str, Answer]:
    asked = {road: [dict(query.fields) for query in queries] for road, queries in fold.queries.items()}
    job = json.dumps({"enrolled": {key: dict(fields) for key, fields in fold.enrolled.items()}, "queries": asked})
    done = subprocess.run(
        [environment.python, HERE / "worker.py", system], input=job, capture_output=True, text=True, check=True, timeout=3600
    )
    return {
        road: Answer(recognized=[frozenset(met) for met in answer["recognized"]], microseconds=answer["microseconds"])
        for road, answer in json.loads(done.stdout).items()
    }
