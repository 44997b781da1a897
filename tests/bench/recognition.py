"""What recognition costs: ``python -m tests.bench.recognition`` prints medians for a typical record and for criteria.

A registry of 10,000 entries with four identifiers each, 300 personnel, and records of 15 fields none of which is enrolled
(``cold``: every text is new; ``warm``: each record for the second time, as a reply after its query) or is
(``met``). Microseconds a call; ``p99`` moves with the machine's noise. Nothing is asserted here.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from proxy.clock import utc_now
from proxy.database import Database
from proxy.identity.principal import Principal
from proxy.registry.lines import entry_line, staff_line
from proxy.registry.service import Registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ENTRIES: Final = 10_000
STAFF: Final = 300
RECORDS: Final = 3_000
_SUFFIXES: Final = ("Street", "Ave", "Boulevard", "Ln", "Court", "Drive")


def _word(chance: random.Random, size: int = 7) -> str:
    return "".join(chance.choices("abcdefghiklmnoprstuvwz", k=size)).capitalize()


def _person(chance: random.Random) -> dict[str, str]:
    return {
        "person_id": str(chance.randrange(10**8)),
        "given_name": _word(chance, 5),
        "middle_name": _word(chance, 4),
        "surname": _word(chance),
        "dob": f"{chance.randrange(1930, 2010)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
        "ssn": f"{chance.randrange(100, 999)}-{chance.randrange(10, 99)}-{chance.randrange(1000, 9999)}",
        "phone": f"({chance.randrange(200, 999)}) 555-{chance.randrange(10**4):04}",
        "email": f"{_word(chance)}@example.org",
        "street": f"{chance.randrange(1, 9999)} {_word(chance, 6)} {chance.choice(_SUFFIXES)}",
        "unit": chance.choice(("", "3B", "Apt 4")),
        "city": _word(chance, 4),
        "state": "NY",
        "postal_code": f"{chance.randrange(10_000, 14_999)}",
        "license": f"D{chance.randrange(10**8):08}",
        "plate": f"{_word(chance, 3).upper()}{chance.randrange(10**4):04}",
    }


def _fields(person: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {kind: (value,) for kind, value in person.items() if value}


def _timed(call: Callable[[Mapping[str, Sequence[str]]], object], records: list[dict[str, tuple[str, ...]]]) -> str:
    took = []
    for record in records:
        begun = time.perf_counter()
        call(record)
        took.append((time.perf_counter() - begun) * 1e6)
    took.sort()
    return f"median {statistics.median(took):7.1f} µs   p99 {took[len(took) * 99 // 100]:7.1f} µs"


async def measure(print_line: Callable[[str], object], folder: Path) -> None:
    """Fill a registry in ``folder``, and print what each kind of call costs."""
    chance = random.Random(20_261_123)
    database = Database(folder / "store.sqlite3")
    await database.open()
    registry = Registry(database, bytes(32), utc_now)
    enrolled = [_person(chance) for _ in range(ENTRIES)]
    extra: dict[str, Any] = {"category": "official", "basis": "bench"}
    now = utc_now()
    lines = (entry_line(number, person | extra, categories=["official"], now=now) for number, person in enumerate(enrolled))
    begun = time.perf_counter()
    await registry.enroll(list(lines), by="bench")
    print_line(f"enroll {ENTRIES} entries          {time.perf_counter() - begun:7.2f} s")
    staff = (_person(chance) | {"personnel": f"badge-{number}", "agency": "NY0303000"} for number in range(STAFF))
    await registry.import_personnel([staff_line(number, raw) for number, raw in enumerate(staff)], by="bench")
    begun, longest, done = time.perf_counter(), 0.0, False

    async def stalls() -> None:
        nonlocal longest
        while not done:
            before = time.perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, time.perf_counter() - before)

    watching = asyncio.create_task(stalls())
    await registry.refresh()
    print_line(f"load all of it                {time.perf_counter() - begun:7.2f} s")
    done = True
    await watching
    print_line(f"longest stall of other tasks  {longest * 1e3:7.2f} ms")
    begun = time.perf_counter()
    await registry.refresh()
    print_line(f"refresh, nothing changed      {(time.perf_counter() - begun) * 1e6:7.1f} µs")
    principal = Principal(
        person="badge-1",
        agency="NY0303000",
        role="patrol",
        unit=None,
        terminal="car-1",
        credential="key-1",
        methods=("key",),
        authenticated_at=now,
    )

    def recognize(fields: Mapping[str, Sequence[str]]) -> object:
        return registry.recognizer.recognize(fields, principal)

    strangers = [_fields(_person(chance)) for _ in range(RECORDS)]
    print_line(f"record of 15 fields, cold     {_timed(recognize, strangers)}")
    print_line(f"record of 15 fields, warm     {_timed(recognize, strangers)}")
    print_line(f"record of 15 fields, met      {_timed(recognize, [_fields(person) for person in enrolled[:RECORDS]])}")
    for kinds in (("person_id",), ("given_name", "surname", "dob"), ("plate",), ("street",)):
        criteria: list[dict[str, tuple[str, ...]]] = [
            {kind: (person[kind],) for kind in kinds} for person in (_person(chance) for _ in range(RECORDS))
        ]
        print_line(f"criteria {'+'.join(kinds):<21}{_timed(recognize, criteria)}")
    await database.close()


def main() -> None:
    """Measure in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(lambda line: sys.stdout.write(f"{line}\n"), Path(folder)))


if __name__ == "__main__":
    main()
