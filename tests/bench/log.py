"""What a durable entry costs, beside the two ways anybody would try first.

    python -m tests.bench.log                     # a table, in under a minute
    python -m tests.bench.log --json
    python -m tests.bench.log --rounds 1 --seconds 1 --folder /mnt/disk-of-the-log

Writers in one event loop append entries of 666 bytes, each the next one only once it has been told that the last is durable
(closed loop), to: our log (``showcause``: Merkle tree and a signed checkpoint for every batch), a file that one thread writes
and syncs whenever it has ended the batch before (``bare file``: no tree, no signature, no recovery), and SQLite with a
transaction for each entry (``sqlite``: WAL, synchronous=FULL, a thread of its own). The rounds interleave them, so that a noisy
neighbor is noise for each; the medians over the rounds are told. Each contender writes to a fresh folder on the same disk.
Every loop is bounded in time; nothing is asserted here.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import platform
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proxy.clock import utc_now
from proxy.tlog.files import write_all
from proxy.tlog.log import Log
from proxy.tlog.note import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ENTRY_BYTES: Final = 666
WRITERS: Final = (1, 32, 128)
WIDTHS: Final = (11, 9, 9, 9, 14, 11)
AIM: Final = 27_000
AIMED_AT: Final = 32
"""Entries a second with this many writers, measured for a prototype on a machine like this one."""


class Contender(Protocol):
    """Something that makes entries durable."""

    async def append(self, entry: bytes) -> int:
        """Return once the entry is on disk."""
        ...

    async def close(self) -> None:
        """Let go of the disk."""
        ...


class BareFile:
    """Group commit and nothing else: one thread writes what waits, syncs it, and tells."""

    def __init__(self, folder: Path) -> None:
        """Start the thread."""
        self._descriptor = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._queue: SimpleQueue[tuple[bytes, asyncio.Future[int]] | None] = SimpleQueue()
        self._written = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    async def append(self, entry: bytes) -> int:
        """Return once the entry is on disk."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._queue.put((entry, future))
        return await future

    async def close(self) -> None:
        """End the thread."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        os.close(self._descriptor)

    def _run(self) -> None:
        while (waiting := self._queue.get()) is not None:
            batch = [waiting]
            while not self._queue.empty() and (waiting := self._queue.get()) is not None:
                batch.append(waiting)
            write_all(self._descriptor, b"".join(len(entry).to_bytes(2) + entry for entry, _ in batch))
            os.fdatasync(self._descriptor)
            batch[0][1].get_loop().call_soon_threadsafe(self._tell, batch)

    def _tell(self, batch: list[tuple[bytes, asyncio.Future[int]]]) -> None:
        for _, future in batch:
            self._written += 1
            future.set_result(self._written)


class Sqlite:
    """One transaction for each entry."""

    def __init__(self, folder: Path) -> None:
        """Open a fresh database in a thread of its own."""
        self._thread = ThreadPoolExecutor(1)
        self._thread.submit(self._open, folder / "entries.db").result()

    def _open(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("CREATE TABLE entries (id INTEGER PRIMARY KEY, entry BLOB NOT NULL)")

    def _insert(self, entry: bytes) -> int:
        return int(self._connection.execute("INSERT INTO entries (entry) VALUES (?)", (entry,)).lastrowid or 0)

    async def append(self, entry: bytes) -> int:
        """Return once the transaction is committed."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._insert, entry)

    async def close(self) -> None:
        """Close the database."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()


def _ours(folder: Path) -> Log:
    return Log(folder / "log", signer=Signer("log.example/bench", Ed25519PrivateKey.generate()), clock=utc_now)


CONTENDERS: Final[dict[str, Callable[[Path], Contender]]] = {"showcause": _ours, "bare file": BareFile, "sqlite": Sqlite}


async def _write(log: Contender, entries: list[bytes], until: float, took: list[float]) -> None:
    """Append one entry after the other, noting how long each took."""
    clock = time.perf_counter
    began, number = clock(), 0
    while began < until:
        await log.append(entries[number % len(entries)])
        took.append(-began + (began := clock()))
        number += 1


async def measure(name: str, writers: int, seconds: float, folder: Path) -> dict[str, float]:
    """Return entries a second, and milliseconds until an entry is durable at the median and at p99."""
    source = random.Random(writers)
    entries = [[source.randbytes(ENTRY_BYTES) for _ in range(16)] for _ in range(writers)]
    log: Contender = CONTENDERS[name](folder)
    took: list[float] = []
    gc.collect()
    began = time.perf_counter()
    cpu = time.process_time()
    try:
        await asyncio.gather(*(_write(log, entries[number], began + seconds, took) for number in range(writers)))
        elapsed, cpu = time.perf_counter() - began, time.process_time() - cpu
    finally:
        await log.close()
    cuts = quantiles(took, n=100)
    return {
        "entries_s": len(took) / elapsed,
        "p50_ms": cuts[49] * 1e3,
        "p99_ms": cuts[98] * 1e3,
        "cpu_us": cpu / len(took) * 1e6,
    }


def run(rounds: int, seconds: float, folder: Path) -> dict[int, dict[str, dict[str, float]]]:
    """Return the medians, by writers and contender."""
    values: defaultdict[tuple[int, str], list[dict[str, float]]] = defaultdict(list)
    names = list(CONTENDERS)
    for number in range(rounds):
        turn = number % len(names)
        for writers in WRITERS:
            for name in [*names[turn:], *names[:turn]]:
                with tempfile.TemporaryDirectory(prefix="showcause-bench-", dir=folder) as place:
                    values[writers, name].append(asyncio.run(measure(name, writers, seconds, Path(place))))
    return {
        writers: {
            name: {key: median(each[key] for each in values[writers, name]) for key in values[writers, name][0]}
            for name in names
        }
        for writers in WRITERS
    }


def sync_ms(folder: Path, times: int = 200) -> float:
    """Return the milliseconds that appending one entry to a file and syncing it takes here, at the median."""
    took = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(bytes(ENTRY_BYTES))
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return median(took) * 1e3


def report(result: Mapping[int, Mapping[str, Mapping[str, float]]], sync: float) -> dict[str, Any]:
    """Return everything that is told: the figures, the ratios, the aim."""
    reached = result[AIMED_AT]["showcause"]["entries_s"]
    return {
        "on": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, CPython {platform.python_version()}",
        "sync_ms": sync,
        "writers": result,
        "to_sqlite": {n: row["showcause"]["entries_s"] / row["sqlite"]["entries_s"] for n, row in result.items()},
        "to_bare_file": {n: row["showcause"]["entries_s"] / row["bare file"]["entries_s"] for n, row in result.items()},
        "aim": {"entries_s": AIM, "writers": AIMED_AT, "met": reached >= AIM},
    }


def processor() -> str:
    """Return what the processor calls itself."""
    with suppress(OSError), closing(Path("/proc/cpuinfo").open(encoding="utf-8")) as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def lines(said: Mapping[str, Any]) -> Iterator[str]:
    """Yield the table."""
    yield f"{said['on']}, {said['machine']}; append and fdatasync of one entry: {said['sync_ms']:.2f} ms"
    names = ("entries/s", "p50 ms", "p99 ms", "CPU µs", "to bare file", "to sqlite")
    yield f"{'writers':>7}  {'':10}" + "".join(f"{name:>{width}}" for name, width in zip(names, WIDTHS, strict=True))
    for writers, rows in said["writers"].items():
        for name, row in rows.items():
            ratios = [row["entries_s"] / rows[other]["entries_s"] for other in ("bare file", "sqlite")]
            yield (
                f"{writers:>7}  {name:10}{row['entries_s']:>11,.0f}{row['p50_ms']:>9.2f}{row['p99_ms']:>9.2f}"
                f"{row['cpu_us']:>9.1f}{ratios[0]:>14.2f}{ratios[1]:>11.1f}"
            )
    aim = said["aim"]
    yield f"aim: {aim['entries_s']:,} entries/s at {aim['writers']} writers: {'met' if aim['met'] else 'MISSED'}"


def main() -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.log", description="Measure the log beside others.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--rounds", type=int, default=3, choices=range(1, 10))
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement, at most 10")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()), help="on the disk to be measured")
    asked = parser.parse_args()
    sync = sync_ms(asked.folder)
    said = report(run(asked.rounds, min(asked.seconds, 10), asked.folder), sync)
    sys.stdout.write(json.dumps(said) + "\n" if asked.json else "\n".join(lines(said)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
