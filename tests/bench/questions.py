"""What a question to the log costs, by the size of the log.

    python -m tests.bench.questions                             # 1,000,000 entries
    python -m tests.bench.questions --entries 10000000          # some minutes and 6 GB of disk
    python -m tests.bench.questions --json

Two things are measured. *Index*: an index of so many entries is filled by SQL with made-up rows (a decision and an end for each
query; few officers, cases and subjects come often and many rarely; twelve marks of each record that left), and subjects,
officers, cases, terminals, marks and counts are asked for, a page of 100 entries' places. Nothing of it is read from a log, so
how fast it is filled says nothing of how fast a log is indexed. *Log*: a log of its own, of ``--log`` entries, is recorded with
real entries, sealed bodies and signatures, and indexed as the server does and anew; then whole questions are asked of it, a
page of 100, with each entry read, decrypted and told. Nothing is asserted here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.audit.event import Event, Party, Receipt
from proxy.audit.index.file import Writing, reading
from proxy.audit.index.schema import SPAN_BITS
from proxy.audit.index.service import Index
from proxy.audit.sealing import Sealer
from proxy.audit.search import LogSearch, LogSearched, Sought
from proxy.audit.service import AuditTrail
from proxy.tlog.log import Log
from proxy.tlog.note import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from proxy.audit.event import Json

PAGE: Final = 101
WRITERS: Final = 256
OFFICERS: Final = 5_000
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
SPAN: Final = 1 << SPAN_BITS


def key(kind: int, number: int) -> int:
    """Return the key of one of a kind, in the place of its token's first bytes."""
    return kind << 48 | number


class Skewed:
    """Draws numbers of which the first come most often: the cube of an even draw, as the made-up rows have them."""

    def __init__(self, count: int, chance: random.Random) -> None:
        """Draw from so many."""
        self._chance = chance
        self._count = count

    def draw(self, count: int) -> list[int]:
        """Return so many numbers."""
        return [int(self._count * self._chance.random() ** 3) for _ in range(count)]


FILL: Final = """
DELETE FROM temp.q;
WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 2 FROM n WHERE i + 2 < {end}),
u AS (SELECT i, abs(random()) / 9.3e18 AS a, abs(random()) / 9.3e18 AS b, abs(random()) / 9.3e18 AS c FROM n)
INSERT INTO temp.q
SELECT i, {start} + CAST(i * {step} AS INTEGER), CAST({officers} * a * a * a AS INTEGER), CAST({cases} * b * b * b AS INTEGER),
    CAST({subjects} * c * c * c AS INTEGER) FROM u;
INSERT INTO entries SELECT i, at, 1, 0, i * 700 FROM temp.q
    UNION ALL SELECT i + 1, at, 2, 0, i * 700 + 700 FROM temp.q ORDER BY 1;
INSERT INTO postings SELECT {span}, k, i FROM (
    SELECT (1 << 48) + officer AS k, i FROM temp.q UNION ALL SELECT (1 << 48) + officer, i + 1 FROM temp.q
    UNION ALL SELECT (2 << 48) + officer / 3, i FROM temp.q UNION ALL SELECT (2 << 48) + officer / 3, i + 1 FROM temp.q
    UNION ALL SELECT (3 << 48) + kase, i FROM temp.q UNION ALL SELECT (3 << 48) + kase, i + 1 FROM temp.q
    UNION ALL SELECT (4 << 48) + subject, i FROM temp.q UNION ALL SELECT (4 << 48) + subject, i + 1 FROM temp.q
    UNION ALL SELECT (5 << 48) + i, i FROM temp.q UNION ALL SELECT (5 << 48) + i, i + 1 FROM temp.q
    UNION ALL SELECT (6 << 48) + subject, i FROM temp.q UNION ALL SELECT (7 << 48) + subject, i FROM temp.q
) ORDER BY k, i;
INSERT INTO marks SELECT {span}, ((20 + f) << 48) + subject, i + 1, 0, f FROM temp.q CROSS JOIN temp.f ORDER BY 2, 3;
INSERT INTO hours SELECT at / 3600000, min(i), max(i) + 1 FROM temp.q GROUP BY 1
    ON CONFLICT (hour) DO UPDATE SET last = max(last, excluded.last);
INSERT INTO counts SELECT at / 86400000, (1 << 48) + officer, 3 + kase % 5, 8, count(*) FROM temp.q GROUP BY 1, 2, 3
    ON CONFLICT DO UPDATE SET number = number + excluded.number;
INSERT OR REPLACE INTO meta VALUES ('size', '{end}');
"""


def build(path: Path, entries: int, say: Callable[[str], None]) -> float:
    """Fill an index with a year's made-up rows, a span at a time; return the seconds that it took."""
    Writing(path).close()
    begun = time.perf_counter()
    with closing(sqlite3.connect(path, isolation_level=None)) as run:
        for pragma in ("journal_mode = WAL", "synchronous = OFF", "cache_size = -131072", "temp_store = MEMORY"):
            run.execute(f"PRAGMA {pragma}")
        run.executescript(
            "CREATE TEMP TABLE q (i INTEGER PRIMARY KEY, at, officer, kase, subject); CREATE TEMP TABLE f (f);"
            f"INSERT INTO temp.f VALUES {','.join(f'({place})' for place in range(len(FIELDS)))};"
        )
        words = ("decided", "disclosed", *PURPOSES, "permit")
        run.executemany("INSERT INTO words VALUES (?, ?)", list(enumerate(words, start=1)))
        for first in range(0, entries, SPAN):
            end = min(first + SPAN, entries)
            script = FILL.format(
                first=first, end=end, span=first // SPAN, start=round(BEGIN.timestamp() * 1000),
                step=YEAR.total_seconds() * 1000 / entries, officers=OFFICERS, cases=max(entries // 25, 10),
                subjects=max(entries // 5, 10),
            )  # fmt: skip
            run.executescript(f"BEGIN; {script} COMMIT;")
            say(f"{end:,} entries, {end / (time.perf_counter() - begun):,.0f} a second")
    return time.perf_counter() - begun


def hexed(number: int) -> str:
    """Return a key as the token that it is of."""
    return f"{number:016x}{'0' * 16}"


def asked(path: Path, entries: int, chance: random.Random, times: int) -> dict[str, Any]:
    """Return how long each kind of question takes, in milliseconds."""
    pools = {
        "subject": (4, Skewed(max(entries // 5, 10), chance)),
        "officer": (1, Skewed(OFFICERS, chance)),
        "case": (3, Skewed(max(entries // 25, 10), chance)),
        "terminal": (2, Skewed(OFFICERS // 3, chance)),
    }

    def lookup(kind: int, number: int) -> int:
        with reading(path) as index:
            first, end = index.between(BEGIN, BEGIN + YEAR)
            tokens = [hexed(key(each, number)) for each in ((4, 6, 7) if kind == 4 else (kind,))]
            return len(index.places(index.holding(tokens, first, end, PAGE)))

    found: dict[str, Any] = {}
    for name, (kind, pool) in pools.items():
        found[name] = spread([timed(partial(lookup, kind, number)) for number in pool.draw(times)])

    def leaked(number: int) -> int:
        with reading(path) as index:
            return len(index.marked([hexed(key(25, number)), hexed(key(27, number))], 0, entries, 1 << 40))

    found["marks"] = spread([timed(partial(leaked, number)) for number in pools["subject"][1].draw(times)])

    def counted(by: str) -> int:
        with reading(path) as index:
            return len(index.counts(by, BEGIN, BEGIN + YEAR))

    for by in ("day", "officer", "purpose"):
        found[f"count by {by}"] = spread([timed(partial(counted, by)) for _ in range(5)])
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
    officers, cases = Skewed(1000, chance), Skewed(max(entries // 25, 10), chance)
    subjects = Skewed(max(entries // 5, 10), chance)
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
                seen: dict[str, Json] = {name: f"{key(place, subject):032x}" for place, name in enumerate(FIELDS)}
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
        for number in Skewed(900, chance).draw(times):
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


def _said(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _quiet(_text: str) -> None:
    """Say nothing."""


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
    try:
        took = build(folder / "1.db", chosen.entries, _quiet if chosen.json else _said)
        found: dict[str, Any] = {
            "entries": chosen.entries,
            "filled a second": round(chosen.entries / took),
            "bytes": (folder / "1.db").stat().st_size,
            "milliseconds": asked(folder / "1.db", chosen.entries, chance, chosen.times),
        }
        (folder / "1.db").unlink()
        if chosen.log:
            found["log"] = asyncio.run(of_log(folder, chosen.log, chance, min(chosen.times, 200)))
    finally:
        shutil.rmtree(folder)
    _said(json.dumps(found, indent=None if chosen.json else 2))
    return found


if __name__ == "__main__":
    main()
