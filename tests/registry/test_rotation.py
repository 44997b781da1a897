from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.audit.keys import create_key
from proxy.database import Database
from proxy.registry.keyring import Keyring, Keys, load_keys, write_keys
from proxy.registry.rotation import rotate_key
from proxy.registry.service import Registry
from proxy.registry.stewards import Stewards
from proxy.registry.store import RegistryUnreadable
from proxy.registry.tables import SEALED
from proxy.tlog.errors import KeyUnusable
from tests.registry.conftest import AGENCY, MAYOR, Office, person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).resolve().parents[2]
ROWS = 1500
LIVES = 6


class Rotating(Office):
    """An office whose registry key lies in a file."""

    @property
    def key(self) -> Path:
        """Return where the key is."""
        return self.database.path.with_name("registry.key")

    def another(self, key: bytes | Keyring | None = None) -> Registry:
        """Return a registry as another start would have it."""
        return Registry(self.database, key or Keyring.of(self.key), lambda: self.now)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Rotating]:
    """Return an office with somebody in each sealed table."""
    create_key(tmp_path / "registry.key")
    database = Database(tmp_path / "store.sqlite3")
    await database.open()
    office = Rotating(database)
    office.stewards = Stewards(office.registry, database, Keyring.of(office.key), lambda: office.now)
    await office.enroll(MAYOR)
    await office.employ({"personnel": "badge-1", "agency": AGENCY, "given_name": "Dana", "surname": "Reyes"})
    (entry,) = await office.registry.entries()
    await office.stewards.remove(entry.id, by="login:first", reason="the term has ended")
    yield office
    await database.close()


def payloads(office: Rotating) -> set[bytes]:
    """Return what lies in the sealed tables."""
    with closing(sqlite3.connect(office.database.path)) as connection:
        tables = (*SEALED, "manifests")
        return {sealed for name in tables for (sealed,) in connection.execute(f'SELECT sealed FROM "{name}"')}


async def require_only(office: Rotating, key: bytes) -> None:
    """See that everything opens with one key alone."""
    registry = office.another(key)
    assert len(await registry.personnel()) == 1
    assert "100123" in {number for entry in await registry.entries() for number in entry.identifiers.person_ids}
    assert len(await Stewards(registry, office.database, key, lambda: office.now).proposals()) == 1


async def test_everything_is_sealed_anew_and_the_old_key_opens_nothing(office: Rotating) -> None:
    """Entries, personnel, proposals and manifests: no payload is the old one, and the old key is not in the file any more."""
    old, before = load_keys(office.key).current, payloads(office)

    assert await rotate_key(office.database, office.key, by="login:first") == 3

    keys = load_keys(office.key)
    assert keys.previous is None
    assert keys.current != old
    assert not before & payloads(office)
    lying_about = b"".join(path.read_bytes() for path in office.key.parent.iterdir())
    assert not [payload for payload in before if payload[12:44] in lying_about]
    assert office.key.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in office.key.parent.glob("registry.key*")] == ["registry.key"]
    await require_only(office, keys.current)
    with pytest.raises(RegistryUnreadable, match="another key"):
        await office.another(old).entries()


async def test_what_was_removed_is_not_left_in_the_file(office: Rotating) -> None:
    """A payload that is gone is overwritten, so that no later thief of the key reads who was protected once."""
    await office.enroll(*({"person_id": str(n), "category": "victim"} for n in range(50)))
    before = payloads(office)
    first = (await office.stewards.proposals())[0]

    await office.stewards.approve(first.id, by="login:second")
    await office.database.wipe_journal()

    gone = before - payloads(office)
    lying_about = b"".join(path.read_bytes() for path in office.key.parent.iterdir())
    assert len(gone) >= 2
    assert not [payload for payload in gone if payload[12:44] in lying_about]


async def test_a_server_that_runs_meanwhile_follows(office: Rotating) -> None:
    """A server that started with the old key is never not ready, recognizes throughout, and sees the next change."""
    server = office.another()
    await server.refresh()
    done = asyncio.create_task(rotate_key(office.database, office.key, by="login:first"))
    while not done.done():
        await server.refresh()
        assert server.recognizer.ready
        assert server.recognizer.recognize({"person_id": ("100123",)}, person()).protections
        await asyncio.sleep(0)
    await done
    await server.refresh()

    later = Rotating(office.database, office.now)
    await later.enroll({**MAYOR, "phone": "202-555-0188"})
    await server.refresh()

    assert server.recognizer.recognize({"phone": ("2025550188",)}, person()).protections
    rings = {table._ring.keys for table in (server._entries.table, server._staff.table)}
    assert rings == {load_keys(office.key)}


async def test_another_key_is_refused_before_anything_changes(office: Rotating) -> None:
    """With a key file that is not this store's, neither the file nor the store is touched."""
    kept = office.key.read_bytes()
    office.key.unlink()
    create_key(office.key)
    wrong, before = office.key.read_bytes(), payloads(office)

    with pytest.raises(RegistryUnreadable, match="another key"):
        await rotate_key(office.database, office.key, by="login:first")

    assert office.key.read_bytes() == wrong != kept
    assert payloads(office) == before


async def test_an_altered_row_keeps_both_keys(office: Rotating) -> None:
    """A rotation that cannot end forgets nothing: the row that does not open is told, and what opens goes on opening."""
    with closing(sqlite3.connect(office.database.path)) as connection, connection:
        connection.execute("UPDATE personnel SET sealed = CAST(zeroblob(508) || substr(sealed, 509) AS BLOB)")

    with pytest.raises(RegistryUnreadable, match="personnel"):
        await rotate_key(office.database, office.key, by="login:first")

    assert load_keys(office.key).previous is not None
    assert len(await office.another().entries()) == 1


async def test_changes_wait_for_a_rotation_and_then_succeed(office: Rotating) -> None:
    """A steward who started with the old key writes with the new one."""
    waiting = Rotating(office.database, office.now)

    await asyncio.gather(
        rotate_key(office.database, office.key, by="login:first"),
        waiting.enroll({"person_id": "7", "category": "victim", "phone": "202-555-0177"}),
        office.stewards.proposals(),
    )

    await require_only(office, load_keys(office.key).current)
    assert len(await office.another(load_keys(office.key).current).entries()) == 2


def test_a_key_file_that_is_none_is_told(tmp_path: Path) -> None:
    """Neither an empty file, nor half a key, nor three keys, nor one that others can read is a key."""
    path = tmp_path / "key"
    for content in ("", "ab" * 16, "\n".join(["ab" * 32] * 3), "nonsense"):
        path.write_text(content)
        path.chmod(0o600)
        with pytest.raises(KeyUnusable, match="hexadecimal digits"):
            load_keys(path)
    write_keys(path, Keys(b"k" * 32, b"o" * 32))
    assert load_keys(path) == Keys(b"k" * 32, b"o" * 32)
    path.chmod(0o640)
    ring = Keyring(Keys(b"k" * 32), path)
    assert not ring.reread()
    with pytest.raises(KeyUnusable, match="others"):
        Keyring.of(path)


ROTATE = """
import asyncio, sys
from pathlib import Path
from proxy.database import Database
from proxy.registry.rotation import rotate_key

async def main():
    database = Database(Path(sys.argv[1]))
    await database.open()
    await rotate_key(database, Path(sys.argv[2]), by="login:first", sealed=lambda count: print(count, flush=True))
    await database.close()

asyncio.run(main())
"""


async def test_a_rotation_killed_at_any_moment_goes_on_where_it_was(office: Rotating) -> None:
    """``kill -9`` in the middle, again and again: a server goes on recognizing, nothing is lost, and the next run ends it."""
    people = ({"person_id": str(n), "phone": f"202555{n:04}", "category": "victim"} for n in range(ROWS))
    await office.enroll(*people)
    old = load_keys(office.key).current
    server = office.another()
    await server.refresh()
    moments = random.Random(4)
    command = (sys.executable, "-c", ROTATE, str(office.database.path), str(office.key))
    halves = 0
    for _ in range(LIVES):
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(moments.randint(1, 4)):
            await process.stdout.readline()
        ended = asyncio.create_task(process.wait())
        await asyncio.wait([ended], timeout=moments.random() / 20)
        if not ended.done():
            process.kill()
        killed = await ended == -signal.SIGKILL
        halves += killed and load_keys(office.key).previous is not None
        await server.refresh()
        assert server.recognizer.ready
        fresh = office.another()
        await fresh.refresh()
        for registry in (server, fresh):
            assert registry.recognizer.recognize({"person_id": (str(ROWS - 1),)}, person()).protections
    assert halves > 1

    await rotate_key(office.database, office.key, by="login:first")

    keys = load_keys(office.key)
    assert (keys.previous, keys.current != old) == (None, True)
    await require_only(office, keys.current)
    assert len(await office.another(keys.current).entries()) == ROWS + 1
    await server.refresh()
    assert server.recognizer.ready
