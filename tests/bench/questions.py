"""What a question to the log costs, by the size of the log.

    python -m tests.bench.questions                             # 1,000,000 entries
    python -m tests.bench.questions --entries 10000000          # half an hour and 5 GB of disk
    python -m tests.bench.questions --json

Two things are measured. *Index*: rows of so many entries are made up (a decision and an end for each query; officers, cases,
terminals and subjects by Zipf's law, twelve marks of each record that left) and added through the index's own way in; then
subjects, officers, cases and counts are asked for, a page of 100, while the file is warm. Nothing of it is read from a log.
*Log*: a log of its own, of ``--log`` entries, is recorded with real entries, sealed bodies and signatures, and indexed as the
server does and anew; then whole questions are asked of it, with each entry read, decrypted and told. Nothing is asserted here.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import shutil
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.audit.event import Event, Party, Receipt
from proxy.audit.index.file import Writing, reading
from proxy.audit.index.rows import Row
from proxy.audit.index.service import Index
from proxy.audit.sealing import Sealer
from proxy.audit.search import LogSearch, LogSearched, Sought
from proxy.audit.service import AuditTrail
from proxy.tlog.log import Log
from proxy.tlog.note import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from proxy.audit.event import Json

BATCH: Final = 20_000
PAGE: Final = 101
WRITERS: Final = 256
OFFICERS: Final = 5_000
TERMINALS: Final = 2_000
BEGIN: Final = datetime(2025, 12, 1, tzinfo=UTC)
YEAR: Final = timedelta(days=364)
FIELDS: Final = (
    "person_id",
    "given_name",
    "surname",
    "dob",
    "ssn",
    "phone",
    "email",
    "street",
    "license",
    "photo",
    "+name",
    "+born",
)
PURPOSES: Final = ("C", "J", "D", "N", "P")
MASK: Final = (1 << 64) - 1
SIGN: Final = 1 << 63


def key(kind: int, number: int) -> int:
    """Return a key that lies anywhere, as a token's does."""
    spread = ((kind << 48 | number) * 0x9E3779B97F4A7C15 + 0x5851F42D4C957F2D) & MASK
    spread ^= spread >> 29
    spread = spread * 0xBF58476D1CE4E5B9 & MASK
    spread ^= spread >> 32
    return spread - (spread & SIGN) * 2


class Zipf:
    """Draws numbers of which the first come most often."""

    def __init__(self, count: int, chance: random.Random) -> None:
        """Draw from so many."""
        self._chance = chance
        self._weights = list(itertools.accumulate(1 / (rank + 10) for rank in range(count)))
        self._numbers = range(count)

    def draw(self, count: int) -> list[int]:
        """Return so many numbers."""
        return self._chance.choices(self._numbers, cum_weights=self._weights, k=count)


def made_up(entries: int, chance: random.Random) -> Iterator[list[Row]]:
    """Yield rows of a year's log."""
    officers, terminals = Zipf(OFFICERS, chance), Zipf(TERMINALS, chance)
    cases, subjects = Zipf(max(entries // 25, 10), chance), Zipf(max(entries // 5, 10), chance)
    start, step = round(BEGIN.timestamp() * 1000), YEAR.total_seconds() * 1000 / entries
    for first in range(0, entries, BATCH):
        queries = min(BATCH, entries - first) // 2
        drawn = zip(officers.draw(queries), terminals.draw(queries), cases.draw(queries), subjects.draw(queries), strict=True)
        rows = []
        for offset, (officer, terminal, case, subject) in enumerate(drawn):
            number = first + offset * 2
            whose = {key(1, officer), key(2, terminal), key(3, case), key(5, number)}
            about = {key(4, subject), key(6, subject), key(7, subject)}
            at, purpose = start + round(number * step), PURPOSES[case % 5]
            rows.append(
                Row(number, at, "decided", 0, number * 700, key(1, officer), purpose, "permit", frozenset(whose | about))
            )
            marks = tuple((key(20 + place, subject), 0, name) for place, name in enumerate(FIELDS))
            ended = frozenset({*whose, key(4, subject)})
            rows.append(Row(number + 1, at, "disclosed", 0, number * 700 + 700, key(1, officer), "", "permit", ended, marks))
        yield rows


def build(path: Path, entries: int, chance: random.Random, say: Callable[[str], None]) -> float:
    """Fill an index; return the seconds that it took to add, without those to make rows up."""
    writing = Writing(path)
    took, size = 0.0, 0
    for rows in made_up(entries, chance):
        begun = time.perf_counter()
        size = rows[-1].number + 1
        writing.add(rows, {"size": str(size)})
        took += time.perf_counter() - begun
        if size % (BATCH * 25) == 0:
            say(f"{size:,} entries, {size / took:,.0f} a second")
    writing.close()
    return took


def hexed(number: int) -> str:
    """Return a key as the token that it is of."""
    return f"{number & MASK:016x}{'0' * 16}"


def asked(path: Path, entries: int, chance: random.Random, times: int) -> dict[str, Any]:
    """Return how long each kind of question takes, in milliseconds."""
    pools = {
        "subject": (4, Zipf(max(entries // 5, 10), chance)),
        "officer": (1, Zipf(OFFICERS, chance)),
        "case": (3, Zipf(max(entries // 25, 10), chance)),
        "terminal": (2, Zipf(TERMINALS, chance)),
    }

    def lookup(kind: int, number: int) -> int:
        with reading(path) as index:
            first, end = index.between(BEGIN, BEGIN + YEAR)
            tokens = [hexed(key(each, number)) for each in ((4, 6, 7) if kind == 4 else (kind,))]
            return len(index.places(index.holding(tokens, first, end, PAGE)))

    found: dict[str, Any] = {}
    for name, (kind, pool) in pools.items():
        found[name] = spread([timed(lambda number=number: lookup(kind, number)) for number in pool.draw(times)])  # type: ignore[misc]

    def leaked(number: int) -> int:
        with reading(path) as index:
            return len(index.marked([hexed(key(25, number)), hexed(key(27, number))], 0, entries, 1 << 40))

    found["marks"] = spread([timed(lambda number=number: leaked(number)) for number in pools["subject"][1].draw(times)])  # type: ignore[misc]

    def counted(by: str) -> int:
        with reading(path) as index:
            return len(index.counts(by, BEGIN, BEGIN + YEAR))

    for by in ("day", "officer", "purpose"):
        found[f"count by {by}"] = spread([timed(lambda by=by: counted(by)) for _ in range(5)])  # type: ignore[misc]
    return found


def timed(call: Callable[[], object]) -> float:
    """Return how many milliseconds a call took."""
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1e3


def spread(took: Sequence[float]) -> dict[str, float]:
    """Return median and the 99th of a hundred."""
    ordered = sorted(took)
    return {"p50": round(ordered[len(ordered) // 2], 2), "p99": round(ordered[len(ordered) * 99 // 100], 2)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Event):
    """A query of the bench's own log."""

    kind: ClassVar[str] = "decided"
    officer: int
    case: int
    subject: int
    left: tuple[dict[str, Json], ...] = ()

    def facts(self) -> Mapping[str, Json]:
        """Return as much as a query's facts are."""
        return {"outcome": "permit", "purpose": "C", "action": "person.read", "rule": "patrol-stop", "padding": "x" * 400}

    def parties(self) -> Sequence[Party]:
        """Return whom it names."""
        subject = f"entry-{self.subject}"
        return (
            Party("officer", f"badge-{self.officer}"), Party("terminal", f"car-{self.officer % 300}"),
            Party("case", f"26-{self.case}"), Party("subject", subject), Party("person_id", str(self.subject)),
        )  # fmt: skip

    def sealed(self) -> Mapping[str, Json]:
        """Return its words, or what left."""
        words: dict[str, Json] = {
            "operator": f"badge-{self.officer}",
            "case": f"26-{self.case}",
            "statement": "stopped for no plates",
        }
        return {"left": list(self.left)} if self.left else words


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Asked):
    """Its end."""

    kind: ClassVar[str] = "disclosed"


class Nowhere:
    """Takes what a question records."""

    async def record(self, event: Event) -> Receipt:
        """Return a receipt of nothing."""
        return Receipt(origin="bench.example/log", index=0, kind=event.kind, about="")


async def recorded(folder: Path, sealer: Sealer, entries: int, chance: random.Random) -> None:
    """Record a log of so many entries."""
    officers, cases = Zipf(1000, chance), Zipf(max(entries // 25, 10), chance)
    subjects = Zipf(max(entries // 5, 10), chance)
    numbers = iter(range(entries // 2))
    drawn = zip(numbers, officers.draw(entries // 2), cases.draw(entries // 2), subjects.draw(entries // 2), strict=True)
    begun = datetime.now(UTC)
    signer = Signer("bench.example/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
    async with Log(folder, signer=signer, clock=lambda: begun) as log:
        trail = AuditTrail(log, sealer, lambda: begun)

        async def write() -> None:
            for number, officer, case, subject in drawn:
                who: dict[str, Any] = {"about": f"q{number}", "officer": officer, "case": case, "subject": subject}
                await trail.record(Asked(**who))
                seen: dict[str, Json] = {name: f"{key(place, subject) & MASK:032x}" for place, name in enumerate(FIELDS)}
                record: dict[str, Json] = {
                    "person": [str(subject)], "subject": [f"entry-{subject}"], "seen": seen, "masked": [], "withheld": False,
                }  # fmt: skip
                await trail.record(Ended(**who, left=(record,)))

        await asyncio.gather(*(write() for _ in range(WRITERS)))


async def of_log(folder: Path, entries: int, chance: random.Random, times: int) -> dict[str, Any]:
    """Return how fast a real log is indexed, and how long whole questions to it take."""
    sealer = Sealer(index_key=b"i" * 32, body_key=b"b" * 32)
    await recorded(folder / "log", sealer, entries, chance)
    index = Index(folder / "log", folder / "index", sealer, "bench.example/log")
    begun = time.perf_counter()
    index.catch_up()
    followed = time.perf_counter() - begun
    begun = time.perf_counter()
    stopped = deque(maxlen=1)  # type: deque[int]
    half = entries // 2

    def stop(count: int) -> None:
        stopped.append((stopped[0] if stopped else 0) + count)
        if stopped[0] > half:
            raise KeyboardInterrupt

    try:
        index.rebuild(stop)
    except KeyboardInterrupt:
        first = time.perf_counter() - begun
    begun = time.perf_counter()
    index.rebuild()
    resumed = time.perf_counter() - begun
    search = LogSearch(index, sealer, Nowhere())
    found: dict[str, Any] = {
        "entries": entries,
        "indexed a second": round(entries / followed),
        "rebuild, first half, seconds": round(first, 2),
        "rebuild, resumed, seconds": round(resumed, 2),
    }
    now = datetime.now(UTC)
    for by, value in (("officer", "badge-{}"), ("case", "26-{}"), ("subject", "entry-{}")):
        took = []
        for number in Zipf(900, chance).draw(times):
            sought = Sought(by=by, value="x", parties=(Party(by, value.format(number)),))
            searched = LogSearched(
                operator="auditor", role="auditor", case="26-1", statement="bench", sought=sought,
                since=now - timedelta(days=1), until=now + timedelta(days=1),
            )  # fmt: skip
            begun = time.perf_counter()
            await search.search(searched)
            took.append((time.perf_counter() - begun) * 1e3)
        found[f"whole question by {by}"] = spread(took)
    index.close()
    return found


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure, print and return it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--log", type=int, default=50_000)
    parser.add_argument("--times", type=int, default=500)
    parser.add_argument("--folder", type=Path, default=None, help="where the files lie meanwhile; they are removed")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    chance = random.Random(26)
    folder = Path(tempfile.mkdtemp(prefix="questions-", dir=chosen.folder))
    say = (lambda _: None) if chosen.json else (lambda text: print(text, flush=True))
    try:
        took = build(folder / "1.db", chosen.entries, chance, say)
        found: dict[str, Any] = {
            "entries": chosen.entries,
            "added a second": round(chosen.entries / took),
            "bytes": (folder / "1.db").stat().st_size,
            "milliseconds": asked(folder / "1.db", chosen.entries, chance, chosen.times),
        }
        (folder / "1.db").unlink()
        if chosen.log:
            found["log"] = asyncio.run(of_log(folder, chosen.log, chance, min(chosen.times, 200)))
    finally:
        shutil.rmtree(folder)
    print(json.dumps(found, indent=None if chosen.json else 2))
    return found


if __name__ == "__main__":
    main()
