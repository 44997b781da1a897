from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.database import Database
from proxy.registry.service import STALE_SECONDS, Registry
from proxy.registry.store import RegistryUnreadable
from proxy.telemetry import Metrics
from tests.registry.conftest import AGENCY, KEY, MAYOR, Office, person

if TYPE_CHECKING:
    from proxy.registry.protection import Recognizer

OTHER = {"given_name": "Jo", "surname": "Doe", "dob": "1990-05-05", "category": "victim", "basis": "order", "person_id": "7"}


async def test_nothing_is_ready_before_the_first_load(office: Office) -> None:
    """A registry that was never read cannot say that somebody is not protected."""
    fresh: Recognizer = office.another().recognizer

    assert not fresh.ready
    with pytest.raises(RegistryUnreadable):
        fresh.recognize({"person_id": ("1",)}, person())


async def test_an_empty_registry_is_ready(office: Office) -> None:
    """A department that has enrolled nobody yet can work."""
    await office.registry.refresh()

    assert office.registry.recognizer.ready
    assert office.protections(person_id="100123") == ()


async def test_a_registry_that_is_not_refreshed_is_not_ready(office: Office) -> None:
    """When nobody refreshes any more, entries of other processes would be missed: the queries stop."""
    await office.registry.refresh()

    office.pass_time(seconds=STALE_SECONDS + 1)
    assert not office.registry.recognizer.ready

    await office.registry.refresh()
    assert office.registry.recognizer.ready


async def test_an_unreadable_store_makes_nothing_ready(office: Office) -> None:
    """When the store cannot be read, nobody knows whom another process has enrolled."""
    await office.enroll(MAYOR)

    await office.database.close()

    with pytest.raises(Exception, match="not open"):
        await office.registry.refresh()
    assert not office.registry.recognizer.ready
    await office.database.open()
    await office.registry.refresh()
    assert office.registry.recognizer.ready


async def test_what_one_process_enrolls_another_recognizes_after_its_refresh(office: Office) -> None:
    """Changes of another registry on the same store are seen, entries that did not change are not read again."""
    server = office.another()
    await server.refresh()
    await office.enroll(MAYOR, OTHER)
    await server.refresh()
    assert server.recognizer.protections({"person_id": ("100123",)})

    (found,) = server.recognizer.protections({"person_id": ("7",)})
    await office.remove(found.entry)
    await server.refresh()

    assert server.recognizer.protections({"person_id": ("7",)}) == ()
    assert server.recognizer.protections({"person_id": ("100123",)})


async def test_a_refresh_without_change_reads_nothing(office: Office) -> None:
    """The state in place stays the same object while nothing moves."""
    await office.enroll(MAYOR)
    before = office.registry.recognizer._snapshot

    await office.registry.refresh()

    assert office.registry.recognizer._snapshot is before


async def test_queries_are_recognized_while_a_new_state_is_built(office: Office) -> None:
    """Until the new state is complete the old one answers; never an empty or half-built one."""
    await office.enroll(MAYOR)
    many = [{**OTHER, "person_id": str(1000 + n), "dob": "", "given_name": f"Jo{n}"} for n in range(300)]
    await office.enroll(*many[:1])
    writer = Office(office.database, office.now)
    await writer.enroll(*many)

    refreshing = asyncio.create_task(office.registry.refresh())
    seen = 0
    while not refreshing.done():
        assert office.protections(person_id="100123")
        seen += 1
        await asyncio.sleep(0)
    await refreshing

    assert seen > 5
    assert office.protections(person_id="1299")


async def test_two_stewards_at_once_lose_nothing(office: Office) -> None:
    """Additions to one entry from two sides are both there afterwards."""
    await office.enroll(OTHER)
    sides = [Office(office.database, office.now) for _ in range(4)]

    await asyncio.gather(*(side.enroll({**OTHER, "phone": f"212-555-01{position:02}"}) for position, side in enumerate(sides)))

    (entry,) = await office.registry.entries()
    assert len(entry.identifiers.phones) == 4
    await office.registry.refresh()


async def test_sizes_are_counted_by_group(office: Office) -> None:
    """Metrics tell how many are enrolled in each group of categories, and fall again."""
    metrics = Metrics()
    registry = Registry(
        office.database,
        KEY,
        lambda: office.now,
        metrics=metrics,
        category_group=lambda category: "hidden" if category == "undercover" else "protected",
    )
    await office.enroll(OTHER, {**OTHER, "category": "undercover", "expires": "2026-11-24"})

    await registry.refresh()
    sizes = [
        metrics.registry.get_sample_value("showcause_registry_size", {"category_group": g}) for g in ("protected", "hidden")
    ]
    office.pass_time(days=2)
    await registry.refresh()

    assert sizes == [1, 1]
    assert metrics.registry.get_sample_value("showcause_registry_size", {"category_group": "hidden"}) == 0


_IMPORT = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from proxy.database import Database
from proxy.registry.imports import import_registry
from proxy.registry.service import Registry

async def main():
    database = Database(Path(sys.argv[1]))
    await database.open()
    now = datetime(2026, 11, 23, tzinfo=UTC)
    registry = Registry(database, bytes.fromhex(sys.argv[3]), lambda: now)
    await import_registry(registry, Path(sys.argv[2]), categories=["official"], by="other process", now=now)
    await database.close()

asyncio.run(main())
"""


async def test_an_import_beside_a_running_server(tmp_path: Path) -> None:
    """Another process enrolls while this one refreshes and recognizes: nothing fails, and the entries arrive."""
    database = Database(tmp_path / "store.sqlite3")
    await database.open()
    office = Office(database)
    await office.registry.refresh()
    lines = "".join(f'{{"person_id": "{n}", "category": "official", "basis": "law"}}\n' for n in range(1, 1501))
    (tmp_path / "people.jsonl").write_text(lines)

    arguments = (str(database.path), str(tmp_path / "people.jsonl"), KEY.hex())
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _IMPORT, *arguments, cwd=root)
    ended = asyncio.create_task(process.wait())
    refreshed = 0
    while not ended.done():
        await office.registry.refresh()
        assert office.registry.recognizer.ready
        office.protections(person_id="1")
        refreshed += 1
        await asyncio.wait([ended], timeout=0.01)
    await office.registry.refresh()

    assert await ended == 0
    assert refreshed > 1
    assert office.protections(person_id="1")
    assert office.protections(person_id="1500")
    await office.employ({"personnel": "badge-1", "agency": AGENCY, "given_name": "Dana", "surname": "Reyes"})
    await database.close()
