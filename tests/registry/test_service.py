from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from proxy.database import FRESH_SECONDS, Database
from proxy.registry.service import STALE_SECONDS, Registry
from proxy.registry.store import RegistryUnreadable
from proxy.telemetry import Metrics
from tests.registry.conftest import AGENCY, KEY, MAYOR, Office, person

if TYPE_CHECKING:
    from proxy.registry.person import Entry
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


def statements(office: Office) -> list[str]:
    """Return the SQL of the store from now on, as it is sent."""
    sent: list[str] = []
    assert office.database._engine is not None
    event.listen(office.database._engine.sync_engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    return sent


async def test_a_refresh_without_change_reads_nothing(office: Office) -> None:
    """Nothing is asked of the store while nothing moves."""
    await office.enroll(MAYOR)
    sent = statements(office)

    await office.registry.refresh()
    assert sent == []

    await office.registry.verify()
    assert sent


async def test_only_what_changed_is_read(office: Office) -> None:
    """A refresh opens the rows that were changed, added or removed, and no other."""
    many = [{**OTHER, "person_id": str(1000 + n), "dob": "", "given_name": f"Jo{n}"} for n in range(300)]
    await office.enroll(MAYOR, *many)
    server = office.another()
    await server.refresh()
    (gone,) = server.recognizer.protections({"person_id": ("1000",)})
    opened: list[str] = []
    unpack = server._entries.unpack

    def noted(content: bytes) -> Entry:
        opened.extend(unpack(content).identifiers.person_ids)
        return unpack(content)

    server._entries.unpack = noted

    await office.remove(gone.entry)
    await office.enroll({**OTHER, "person_id": "1001", "phone": "212-555-0188"}, {**OTHER, "person_id": "9"})
    await server.refresh()

    assert sorted(opened) == ["1001", "9"]
    assert not server.recognizer.protections({"person_id": ("1000",)})
    assert server.recognizer.protections({"phone": ("2125550188",)})
    assert server._entries.manifest.count == 301


async def test_a_change_that_nobody_wrote_down_is_read_all_the_same(office: Office) -> None:
    """Which rows changed is a hint: when it lacks one, what was read does not add up, and everything is read."""
    await office.enroll(OTHER)
    server = office.another()
    await server.refresh()

    await office.enroll(MAYOR)
    with closing(sqlite3.connect(office.database.path)) as connection, connection:
        connection.execute("DELETE FROM changes")
    await office.enroll({**OTHER, "person_id": "9"})
    await server.refresh()

    assert server.recognizer.protections({"person_id": ("100123",)})
    assert server.recognizer.protections({"person_id": ("9",)})


async def test_what_nobody_was_told_of_is_found_by_verifying(office: Office) -> None:
    """A row removed without the key and without a word protects on, and is noticed when everything is read the next time."""
    await office.enroll(MAYOR, OTHER)
    with closing(sqlite3.connect(office.database.path)) as connection, connection:
        connection.execute("DELETE FROM registry WHERE id = (SELECT min(id) FROM registry)")
    await office.registry.refresh()
    assert office.protections(person_id="100123")
    assert office.protections(person_id="7")

    with pytest.raises(RegistryUnreadable, match="without its key"):
        await office.registry.verify()

    assert not office.registry.recognizer.ready
    with pytest.raises(RegistryUnreadable, match="without its key"):
        await office.registry.refresh()


async def test_revealing_tells_nobody_to_read(office: Office) -> None:
    """A steward who looks at the entries changes none: no process reads anything."""
    await office.enroll(MAYOR)
    before = office.database.generation("registry")

    assert len(await office.registry.reveal(by="steward")) == 1

    await asyncio.sleep(FRESH_SECONDS)
    assert office.database.generation("registry") == before


async def test_queries_are_recognized_while_a_change_is_taken_in(office: Office) -> None:
    """Who was protected before and after is protected meanwhile."""
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


async def test_an_import_that_is_killed_beside_a_running_server(tmp_path: Path) -> None:
    """Killed at any moment, what was committed arrives, the rest does not, and nothing is disbelieved."""
    database = Database(tmp_path / "store.sqlite3")
    await database.open()
    office = Office(database)
    await office.enroll(MAYOR)
    lines = "".join(f'{{"person_id": "{n}", "category": "official", "basis": "law"}}\n' for n in range(1, 20_001))
    (tmp_path / "people.jsonl").write_text(lines)

    arguments = (str(database.path), str(tmp_path / "people.jsonl"), KEY.hex())
    root = Path(__file__).parents[2]
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", _IMPORT, *arguments, cwd=root)
    while not office.protections(person_id="1"):
        await office.registry.refresh()
        assert office.protections(person_id="100123")
        await asyncio.sleep(0)
    process.kill()
    assert await process.wait() == -signal.SIGKILL
    await asyncio.sleep(FRESH_SECONDS)
    await office.registry.refresh()

    fresh = office.another()
    await fresh.refresh()
    arrived = {n for n in range(1, 20_001) if office.protections(person_id=str(n))}
    assert 250 <= len(arrived) < 20_000
    assert {n for n in range(1, 20_001) if fresh.recognizer.protections({"person_id": (str(n),)})} == arrived
    assert office.registry._entries.manifest == fresh._entries.manifest
    await office.registry.verify()
    await database.close()


def children() -> str:
    """Return the processes that this one has started (proc(5)); those started by other threads are not among them."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii")


async def test_many_are_loaded_by_several_processes(office: Office) -> None:
    """Who is loaded by helping processes is recognized as if this one had done it; none of them is left."""
    many = [{**MAYOR, "person_id": str(1000 + n), "given_name": f"Jo{n}", "household": "", "ssn": ""} for n in range(600)]
    await office.enroll(*many)
    alone, helped, before = office.another(), office.another(), children()
    helped._entries.shared_from = 1

    await alone.refresh()
    await helped.refresh()

    for probe in ({"person_id": ("1599",)}, {"given_name": ("Jo7",), "surname": ("Whitcomb",), "dob": ("1961-09-03",)}):
        found = helped.recognizer.protections(probe)
        assert found
        assert found == alone.recognizer.protections(probe)
    assert helped._entries.manifest == alone._entries.manifest
    assert children() == before
