"""What recognition costs by the size of the registry.

    python -m tests.bench.scale                     # 100,000 protected people
    python -m tests.bench.scale --size 1000000      # takes an hour, 3 GB of memory and 6 GB of disk
    python -m tests.bench.scale --json

Names are the 1990 census's by frequency, since common names are what makes look-ups long (from the evaluation's own virtual
environment, which is made when it is not there). A store is filled. A process of its own loads it, as the server does,
and has to derive everything (``cold``, as after an upgrade or with another key); another one finds that kept (``warm``), and
measures, looking for garbage as seldom as the server does: seconds from its start until it is ready, memory, microseconds a
record with normalization (``cold``: each record for the first time; ``warm``: for the second), how long other tasks of the
event loop wait at most while it loads, while a reply of 1,000 records is judged and while a change is taken in, and how long a
change by another process takes to be seen when it is looked for every second. ``CPU`` leaves out the time that other processes
took away, which on a busy machine is most of it. Nothing is asserted here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from proxy.audit.sealing import Sealer
from proxy.clock import utc_now
from proxy.database import Database
from proxy.disclosure.judgement import Judgement
from proxy.disclosure.marks import marker
from proxy.disclosure.service import disclose
from proxy.identity.principal import Principal
from proxy.inquiry.inquiry import Inquiry, Outbound
from proxy.inquiry.route import Absent, Field, Forward, RecordsPath, Route
from proxy.main import collect_seldom
from proxy.policy.decision import Outcome, Ruling
from proxy.policy.fields import FieldClass
from proxy.registry.lines import criteria, entry_line
from proxy.registry.service import Registry
from proxy.upstream.reply import Reply
from tests.bench.evaluation.environment import prepared
from tests.bench.evaluation.names import census
from tests.bench.evaluation.people import Bureau

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    Person = Mapping[str, str]
    Fields = Mapping[str, Sequence[str]]

RECORDS: Final = 3_000
OF_A_REPLY: Final = 1_000
CATEGORY: Final = "official"
KEY: Final = bytes(32)
REFRESH_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 0.0005
ROADS: Final[Mapping[str, Sequence[str]]] = {
    "name and date of birth": ("given_name", "surname", "dob"),
    "name alone": ("given_name", "surname"),
    "address": ("street", "unit", "city", "state", "postal_code"),
    "SSN": ("ssn",),
    "plate": ("plate",),
}
NEWCOMER: Final = {"given_name": "Zebulon", "surname": "Quackenbush", "dob": "1944-02-29", "ssn": "219-09-9999"}


class Stalls:
    """The longest wait of a task that wants its turn again and again, and the most that this process worked meanwhile."""

    def __init__(self) -> None:
        """Start with none."""
        self.longest = 0.0
        self.worked = 0.0

    def ms(self, name: str) -> dict[str, float]:
        """Return both."""
        return {f"{name}_stall_ms": self.longest * 1e3, f"{name}_stall_cpu_ms": self.worked * 1e3}

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Watch while the block runs."""
        watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            before, at = time.perf_counter(), time.thread_time()
            await asyncio.sleep(LOOK_SECONDS)
            self.longest = max(self.longest, time.perf_counter() - before - LOOK_SECONDS)
            self.worked = max(self.worked, time.thread_time() - at)


def people(seed: str) -> Iterator[Person]:
    """Yield people with all fifteen fields, and a record id."""
    packages = prepared(peer=False).packages
    bureau = Bureau(chance=random.Random(seed), census=census(packages), foreign={}, latin=(), cyrillic="", doubles=0.02)
    number = 0
    while True:
        number += 1
        yield {"person_id": f"{seed}-{number}", **bureau.person()}


async def fill(store: Path, size: int) -> dict[str, Any]:
    """Enroll that many."""
    database = Database(store)
    await database.open()
    try:
        now, everybody = utc_now(), people("enrolled")
        lines = [
            entry_line(number, {**next(everybody), "category": CATEGORY, "basis": "bench"}, categories=[CATEGORY], now=now)
            for number in range(1, size + 1)
        ]
        begun = time.perf_counter()
        await Registry(database, KEY, utc_now).enroll(lines, by="bench")
        return {"enroll_seconds": time.perf_counter() - begun}
    finally:
        await database.close()


async def change(store: Path) -> dict[str, Any]:
    """Enroll one more person, as another process."""
    database = Database(store)
    await database.open()
    try:
        raw = {**NEWCOMER, "category": CATEGORY, "basis": "bench"}
        line = entry_line(1, raw, categories=[CATEGORY], now=utc_now())
        await Registry(database, KEY, utc_now).add(line, by="bench")
        return {"changed_at": time.time()}
    finally:
        await database.close()


async def start(store: Path, began: float) -> dict[str, Any]:
    """Load the store, and keep what was derived."""
    database = Database(store)
    await database.open()
    try:
        await Registry(database, KEY, utc_now).refresh()
        found = {"ready_seconds": time.time() - began, **_worked(), **_memory()}
        return {f"cold_{name}": value for name, value in found.items()}
    finally:
        await database.close()


async def measure(store: Path, began: float) -> dict[str, Any]:
    """Load the store and measure; ``began`` is when this process was started."""
    database = Database(store)
    await database.open()
    try:
        registry = Registry(database, KEY, utc_now)
        loading = Stalls()
        async with loading.watched():
            await registry.refresh()
        found: dict[str, Any] = {"ready_seconds": time.time() - began, **_worked(), **loading.ms("load"), **_memory()}
        collect_seldom()
        found["us"] = _calls(registry, store)
        found |= await _reply(registry)
        found |= await _change_seen(registry, store)
        return found
    finally:
        await database.close()


def _worked() -> dict[str, float]:
    """Return the CPU seconds of this process, and of those that helped it and have ended."""
    times = os.times()
    return {"own_cpu_seconds": times.user + times.system, "helpers_cpu_seconds": times.children_user + times.children_system}


def _memory() -> dict[str, float]:
    """Return what this process holds, and held at most, in MB (proc_pid_status(5))."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {name: int(status[field].split()[0]) / 1024 for name, field in (("rss_mb", "VmRSS"), ("peak_mb", "VmHWM"))}


def _calls(registry: Registry, store: Path) -> dict[str, Any]:
    strangers = people(f"strangers of {store.parent.name}")
    records = [next(strangers) for _ in range(RECORDS)]
    enrolled = people("enrolled")
    met = [next(enrolled) for _ in range(RECORDS)]
    found = {
        "record, cold": _timed(registry.recognizer.protections, records),
        "record, warm": _timed(registry.recognizer.protections, records),
        "record, met": _timed(registry.recognizer.protections, met),
    }
    for road, names in ROADS.items():
        asked = [next(strangers) for _ in range(RECORDS)]
        narrowed = [{name: person[name] for name in names if name in person} for person in asked]
        found[road] = _timed(registry.recognizer.protections, narrowed)
    return found


def _timed(call: Callable[[Fields], object], asked: Sequence[Person]) -> dict[str, float]:
    took, worked = [], []
    for person in asked:
        fields = criteria(person)
        begun, at = time.perf_counter(), time.thread_time()
        call(fields)
        worked.append((time.thread_time() - at) * 1e6)
        took.append((time.perf_counter() - begun) * 1e6)
    took.sort()
    worked.sort()
    most = len(took) * 99 // 100
    return {
        "p50": took[len(took) // 2],
        "p99": took[most],
        "max": took[-1],
        "cpu_p50": worked[len(worked) // 2],
        "cpu_p99": worked[most],
    }


async def _reply(registry: Registry) -> dict[str, float]:
    """Judge a reply of 1,000 full records with the recognizer."""
    strangers = people("reply")
    body = json.dumps([next(strangers) for _ in range(OF_A_REPLY)]).encode()
    principal = Principal(
        person="badge-1", agency="NY0303000", role="patrol", unit=None, terminal="car-1", credential="key-1",
        methods=("key",), authenticated_at=utc_now(),
    )  # fmt: skip
    ruling = Ruling(outcome=Outcome.PERMIT, rule="bench", because="bench")

    def judge(fields: Fields) -> Judgement:
        return Judgement(ruling=ruling, recognition=registry.recognizer.recognize(fields, principal))

    classes = {"bench": FieldClass(name="bench", label="bench", meaning="bench", mask=None)}
    stalls = Stalls()
    begun = time.perf_counter()
    async with stalls.watched():
        reply = Reply(status=200, media_type="application/json", body=body)
        left = await disclose(reply, _inquiry(), judge, classes, marker(Sealer(index_key=KEY, body_key=KEY))())
    assert left.records == OF_A_REPLY
    return {"reply_ms": (time.perf_counter() - begun) * 1e3, **stalls.ms("reply")}


def _inquiry() -> Inquiry:
    kinds = ("person_id", *next(people("kinds")), "unit")
    fields = {kind: Field(name=kind, path=(kind,), kind=kind, field_class="bench") for kind in kinds}
    route = Route(
        id="persons", method="GET", path="/persons", template=("persons",), action="person.search",
        forward=Forward(path=("/persons.json",)), records=RecordsPath(text="$[*]", many=True), fields=fields,
        most=OF_A_REPLY, absent=Absent(status=404, body=b"[]"),
    )  # fmt: skip
    outbound = Outbound(method="GET", target="/persons.json")
    return Inquiry(query_id="q1", route=route, action=route.action, outbound=outbound, criteria={})


async def _change_seen(registry: Registry, store: Path) -> dict[str, float]:
    """Have another process enroll somebody, and refresh as the server does until they are recognized."""
    stalls, fields = Stalls(), criteria(NEWCOMER)
    changing = await asyncio.create_subprocess_exec(*_command("change", store), stdout=asyncio.subprocess.PIPE)
    keeping = asyncio.create_task(_keep(registry))
    async with stalls.watched():
        seen = await _seen(registry, fields)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    output, _ = await changing.communicate()
    return {
        "seen_seconds": max(0.0, seen - json.loads(output)["changed_at"]),
        **stalls.ms("refresh"),
    }


async def _seen(registry: Registry, fields: Fields) -> float:
    """Return when somebody is recognized; TimeoutError after ten minutes or so."""
    for _ in range(600_000):
        if registry.recognizer.protections(fields):
            return time.time()
        await asyncio.sleep(0.001)
    raise TimeoutError("the change was never seen")


async def _keep(registry: Registry) -> None:
    while True:
        await registry.refresh()
        await asyncio.sleep(REFRESH_SECONDS)


def _command(step: str, store: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "tests.bench.scale", "--step", step, "--store", str(store), *more]


def _step(name: str, store: Path, *more: str) -> dict[str, Any]:
    done = subprocess.run(_command(name, store, *more), stdout=subprocess.PIPE, check=True, timeout=3600)
    return dict(json.loads(done.stdout))


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was measured, with what is asked for beside it."""
    yield f"{found['size']:,} protected people"
    facts = (
        ("enroll all", "enroll_seconds", "s", ""),
        ("cold, from start to ready", "cold_ready_seconds", "s", ""),
        ("  CPU of the process itself", "cold_own_cpu_seconds", "s", ""),
        ("  CPU of those that help", "cold_helpers_cpu_seconds", "s", ""),
        ("  memory at most", "cold_peak_mb", "MB", ""),
        ("store on disk", "store_mb", "MB", ""),
        ("warm, from start to ready", "ready_seconds", "s", "asked for: 60 s at 1,000,000"),
        ("  CPU of it", "own_cpu_seconds", "s", ""),
        ("memory when loaded", "rss_mb", "MB", ""),
        ("memory at most while loading", "peak_mb", "MB", ""),
        ("longest stall while loading", "load_stall_ms", "ms", ""),
        ("  CPU of the longest", "load_stall_cpu_ms", "ms", ""),
        ("a reply of 1,000 records", "reply_ms", "ms", ""),
        ("longest stall in it", "reply_stall_ms", "ms", "asked for: 5 ms"),
        ("  CPU of the longest", "reply_stall_cpu_ms", "ms", ""),
        ("a change by another process is seen after", "seen_seconds", "s", "asked for: 1 s"),
        ("longest stall while it is taken in", "refresh_stall_ms", "ms", ""),
        ("  CPU of the longest", "refresh_stall_cpu_ms", "ms", ""),
    )
    for label, key, unit, asked in facts:
        yield f"  {label:44}{found[key]:>10.1f} {unit:3} {asked}".rstrip()
    yield f"  {'µs a call':44}{'p50':>10}{'p99':>10}{'max':>10}{'CPU p50':>10}{'CPU p99':>10}   asked for: p99 200 at 100,000"
    for road, row in found["us"].items():
        yield f"  {road:44}" + "".join(f"{row[column]:>10.0f}" for column in ("p50", "p99", "max", "cpu_p50", "cpu_p99"))


def main() -> int:
    """Fill and measure in a temporary folder; with ``--step``, do one step of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale", description="Measure recognition by size.")
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--step", choices=("fill", "start", "measure", "change"), help=argparse.SUPPRESS)
    parser.add_argument("--store", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    match options.step:
        case "fill":
            sys.stdout.write(json.dumps(asyncio.run(fill(options.store, options.size))))
        case "start":
            sys.stdout.write(json.dumps(asyncio.run(start(options.store, options.began))))
        case "measure":
            sys.stdout.write(json.dumps(asyncio.run(measure(options.store, options.began))))
        case "change":
            sys.stdout.write(json.dumps(asyncio.run(change(options.store))))
        case _:
            prepared(peer=False)
            with tempfile.TemporaryDirectory(prefix="showcause-scale-") as folder:
                store = Path(folder) / "store.sqlite3"
                found = {"size": options.size, **_step("fill", store, "--size", str(options.size))}
                found |= _step("start", store, "--began", repr(time.time()))
                found["store_mb"] = sum(each.stat().st_size for each in Path(folder).iterdir()) / 1e6
                found |= _step("measure", store, "--began", repr(time.time()))
            sys.stdout.write(json.dumps(found) + "\n" if options.json else "\n".join(lines(found)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
