"""What was derived of entries is kept sealed, spares a start its work, and is never believed for being there."""

from __future__ import annotations

import ast
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.registry.cache import SOURCES, Cache, made_by
from proxy.registry.keyring import Keyring, Keys
from proxy.registry.lines import criteria
from proxy.registry.rotation import rotate_key
from proxy.registry.service import Registry
from tests.registry.conftest import KEY, MAYOR, person
from tests.registry.test_store import OTHER

if TYPE_CHECKING:
    from tests.registry.conftest import Office

ROOM = Path(__file__).parents[2] / "proxy" / "registry"
PROBES = ({"given_name": "Elenor", "surname": "Whitcomb", "dob": "1961-03-09"}, {"ssn": "518224417"}, {"person_id": "7"})


def derived(office: Office) -> dict[str, bytes]:
    """Return what is kept of each row."""
    with closing(sqlite3.connect(office.database.path)) as connection:
        return dict(connection.execute("SELECT id, sealed FROM derived WHERE subject = 'registry'").fetchall())


def change(office: Office, statement: str, *values: object) -> None:
    """Change the file as somebody without the key would."""
    with closing(sqlite3.connect(office.database.path)) as connection, connection:
        connection.execute(statement, values)


async def answers(registry: Registry) -> list[object]:
    """Return what a start recognizes."""
    await registry.refresh()
    return [registry.recognizer.recognize(criteria(probe), person()) for probe in PROBES]


async def test_a_start_derives_nothing_that_is_kept(office: Office) -> None:
    """What the first start derived is taken as it is by the next, which recognizes the same."""
    await office.enroll(MAYOR, OTHER)
    kept, expected = derived(office), await answers(office.registry)

    assert len(kept) == 2
    assert await answers(office.another()) == expected
    assert derived(office) == kept  # sealed anew it would not be the same bytes


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM derived WHERE subject = 'registry'",
        "DELETE FROM derived",
        "DELETE FROM derived WHERE subject = ''",
        "UPDATE derived SET sealed = (SELECT max(sealed) FROM derived)",
        "UPDATE derived SET sealed = x''",
        "UPDATE derived SET sealed = 'text'",
        "UPDATE derived SET sealed = substr(sealed, 1, 40) || x'00' || substr(sealed, 42)",
    ],
)
async def test_what_was_altered_is_derived_anew(office: Office, statement: str) -> None:
    """Removed, exchanged or damaged, it changes nobody's recognition, and the next start finds it whole."""
    await office.enroll(MAYOR, OTHER)
    expected = await answers(office.registry)

    change(office, statement)

    assert await answers(office.another()) == expected
    kept = derived(office)
    assert await answers(office.another()) == expected
    assert derived(office) == kept
    assert len(kept) == 2


async def test_what_was_derived_of_an_older_state_is_not_taken(office: Office) -> None:
    """Putting back what was derived before an entry was added to does not take the addition away."""
    await office.enroll(OTHER)
    ((row, older),) = derived(office).items()
    await office.enroll({**OTHER, "phone": "212-555-0101"})
    assert derived(office)[row] != older

    change(office, "UPDATE derived SET sealed = ? WHERE id = ?", older, row)
    fresh = office.another()
    await fresh.refresh()

    assert fresh.recognizer.protections(criteria({"phone": "212-555-0101"}))


async def test_nothing_is_left_of_who_is_removed(office: Office) -> None:
    """With the entry goes what was derived of it."""
    await office.enroll(MAYOR, OTHER)
    entry = next(entry.id for entry in await office.registry.entries() if entry.identifiers.surname == "Doe")

    await office.remove(entry)

    assert entry not in derived(office)
    assert len(derived(office)) == 1


async def test_what_is_late_is_not_kept(office: Office) -> None:
    """What was derived of a payload that is no longer there, or of a row that is gone, is not written."""
    await office.enroll(OTHER)
    kept = derived(office)
    table = office.registry._entries
    row = next(iter(kept))

    await table.cache.keep({row: (bytes(16), b"{}"), "gone": (bytes(16), b"{}")})

    assert derived(office) == kept


async def test_a_new_key_takes_along_what_the_old_one_sealed(office: Office, tmp_path: Path) -> None:
    """After a rotation nothing derived is there, and the next start derives and keeps it under the new key."""
    path = tmp_path / "keys.registry"
    path.write_text(KEY.hex())
    path.chmod(0o600)
    await office.enroll(MAYOR, OTHER)
    expected = await answers(office.registry)

    await rotate_key(office.database, path, by="steward")

    assert not derived(office)
    fresh = Registry(office.database, Keyring.of(path), lambda: office.now)
    assert await answers(fresh) == expected
    assert len(derived(office)) == 2


async def test_it_is_bound_to_the_secret_and_to_the_row(office: Office) -> None:
    """Under another secret, for another row or for another payload it does not open."""
    await office.enroll(OTHER)
    table = office.registry._entries
    ((row, sealed),) = derived(office).items()
    tag = table.rows[row].tag
    other = Cache(office.database, table.table.rows, Keyring(Keys(KEY)), bytes, b"another secret")

    assert table.cache.open(row, tag, sealed)
    assert table.cache.open("another", tag, sealed) is None
    assert table.cache.open(row, bytes(16), sealed) is None
    assert other.open(row, tag, sealed) is None


def test_every_module_that_derives_is_known() -> None:
    """A change of any code that profiles are derived by makes everything kept be derived anew."""
    waiting, found = ["profile"], set[str]()
    while waiting:
        name = waiting.pop()
        found.add(name)
        for node in ast.parse((ROOM / f"{name}.py").read_text()).body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("proxy.registry"):
                modules = [alias.name for alias in node.names] if node.module == "proxy.registry" else [str(node.module)[15:]]
                waiting += [module for module in modules if module not in found and (ROOM / f"{module}.py").exists()]

    assert found == set(SOURCES)
    assert len(made_by()) == 16
