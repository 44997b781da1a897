from __future__ import annotations

import sqlite3
from array import array
from base64 import b64encode
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.registry.sealing import LARGEST
from proxy.registry.store import RegistryUnreadable, SealedTable
from proxy.registry.tables import REGISTRY
from tests.registry.conftest import AGENCY, KEY, MAYOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from proxy.registry.service import Registry
    from tests.registry.conftest import Office

OTHER = {"given_name": "Jo", "surname": "Doe", "dob": "1990-05-05", "category": "victim", "basis": "order", "person_id": "7"}


def behind_our_back(office: Office, *statements: str) -> None:
    """Change the file as somebody without the key would."""
    with sqlite3.connect(office.database.path) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.execute("UPDATE generations SET number = number + 1")
    connection.close()


def stored_bytes(office: Office) -> bytes:
    """Return the database with its journal."""
    folder = office.database.path.parent
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())


async def test_no_stored_byte_names_anybody(office: Office) -> None:
    """Neither the database nor its journal holds an identifier, in the form given or in any normal form."""
    await office.enroll(MAYOR, OTHER)
    staff = {key: value for key, value in MAYOR.items() if key not in {"category", "basis"}}
    await office.employ({**staff, "personnel": "badge-4711", "agency": AGENCY})

    stored = stored_bytes(office).lower()
    given = [text for value in MAYOR.values() for text in (value if isinstance(value, list) else [value])]
    normal = ["518224471", "+12125550101", "12|elm st", "eleanor whitcombe", "ew0001", "d12345678", "badge-4711", "official"]

    assert len(stored) > 4096
    for text in (*given, *normal):
        if len(text) > 3:
            assert text.lower().encode() not in stored, text


@given(text=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=6, max_size=60))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_no_name_of_any_script_is_stored(office: Office, text: str) -> None:
    """Whatever the name, its bytes are not in the file."""
    await office.registry.add(_line(office, {**OTHER, "surname": text, "ssn": "518-22-4471"}), by="steward")

    stored = stored_bytes(office)
    with closing(sqlite3.connect(office.database.path)) as connection:
        (columns,) = connection.execute("SELECT group_concat(sql) FROM sqlite_master").fetchone()

    for written in (text, text.strip(), text.casefold(), text.upper()):
        if len(written.encode()) > 7 and written not in columns:
            assert written.encode() not in stored


def _line(office: Office, raw: dict[str, Any]) -> Any:
    from proxy.registry.lines import entry_line  # noqa: PLC0415
    from tests.registry.conftest import CATEGORIES  # noqa: PLC0415 -- beside its only use

    return entry_line(1, raw, categories=CATEGORIES, now=office.now)


async def test_payloads_come_in_few_sizes(office: Office) -> None:
    """A short entry and a longer one are the same size at rest."""
    await office.enroll(
        OTHER,
        {
            **OTHER,
            "person_id": "8",
            "surname": "Doe-Doe",
            "dob": "1991-01-01",
            "alias": [f"Jo Row {n}" for n in range(40)],
        },
    )

    with sqlite3.connect(office.database.path) as connection:
        sizes = {size for (size,) in connection.execute("SELECT length(sealed) FROM registry")}
    connection.close()

    assert sizes == {512 + 12 + 16, 1024 + 12 + 16}


async def test_another_key_is_refused_and_said_to_be_one(office: Office) -> None:
    """With the wrong key file nothing loads, nothing is written, and the message names the cause."""
    await office.enroll(MAYOR)
    stranger = office.another(b"x" * 32)

    with pytest.raises(RegistryUnreadable, match="another key"):
        await stranger.refresh()
    with pytest.raises(RegistryUnreadable, match="another key"):
        await stranger.add(_line(office, OTHER), by="thief")

    assert not stranger.recognizer.ready
    assert len(await office.registry.entries()) == 1


async def test_entries_cannot_change_places(office: Office) -> None:
    """Payloads exchanged between two rows open nowhere: the id is authenticated."""
    await office.enroll(MAYOR, OTHER)
    table = SealedTable(office.database, REGISTRY, KEY, bytes)
    with sqlite3.connect(office.database.path) as connection:
        (one, first), (two, second) = connection.execute("SELECT id, sealed FROM registry").fetchall()
    connection.close()
    assert table.open(one, first)
    assert table.open(two, second)

    for row, payload in ((one, second), (two, first)):
        with pytest.raises(RegistryUnreadable, match=f"Row {row} "):
            table.open(row, payload)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE registry SET id = CASE id WHEN (SELECT min(id) FROM registry) THEN 'x' ELSE id END",
        "UPDATE registry SET sealed = (SELECT max(sealed) FROM registry)",
        "DELETE FROM registry WHERE id = (SELECT min(id) FROM registry)",
        "DELETE FROM registry",
        "INSERT INTO registry SELECT id || 'x', sealed FROM registry LIMIT 1",
        "UPDATE registry SET sealed = substr(sealed, 1, length(sealed) - 1) || x'00'",
        "UPDATE registry SET sealed = x''",
        "DELETE FROM manifests WHERE id = 'registry'",
        "UPDATE manifests SET sealed = substr(sealed, 1, 20) || x'00' || substr(sealed, 22)",
        "UPDATE manifests SET sealed = (SELECT sealed FROM manifests WHERE id = 'personnel') WHERE id = 'registry'",
    ],
)
async def test_a_table_that_was_altered_is_not_believed(office: Office, statement: str) -> None:
    """Rows removed, copied, exchanged or damaged without the key make nothing ready, in a running server and at a start."""
    await office.enroll(MAYOR, OTHER)
    await office.employ({"personnel": "badge-1", "agency": AGENCY, "given_name": "Dana", "surname": "Reyes"})
    assert office.registry.recognizer.ready

    behind_our_back(office, statement)

    with pytest.raises(RegistryUnreadable):
        await office.registry.refresh()
    assert not office.registry.recognizer.ready
    with pytest.raises(RegistryUnreadable):
        await office.another().refresh()


async def test_an_older_state_of_a_row_is_noticed(office: Office) -> None:
    """Putting back what an entry was before it was added to does not take the addition away."""
    await office.enroll(OTHER)
    with sqlite3.connect(office.database.path) as connection:
        row, sealed = connection.execute("SELECT id, sealed FROM registry").fetchone()
        await office.enroll({**OTHER, "phone": "212-555-0101"})
        connection.execute("UPDATE registry SET sealed = ? WHERE id = ?", (sealed, row))
    connection.close()

    with pytest.raises(RegistryUnreadable, match="without its key"):
        await office.another().refresh()


async def test_a_row_has_a_bound(office: Office) -> None:
    """More than a row may hold is refused, not cut."""
    table = SealedTable(office.database, REGISTRY, KEY, bytes)

    with pytest.raises(ValueError, match="at most"):
        table.sealed("row", b"x" * (LARGEST + 1))


async def test_a_stolen_store_holds_no_token(office: Office) -> None:
    """Neither the files, nor a backup, nor a proposal holds a token of what was loaded, raw or written as text."""
    await office.enroll(MAYOR, OTHER)
    plain = {key: value for key, value in MAYOR.items() if key not in {"category", "basis"}}
    await office.employ({**plain, "personnel": "badge-4711", "agency": AGENCY})
    entry = (await office.registry.entries())[0]
    await office.stewards.remove(entry.id, by="login:first", reason="Whitcombe has left office")
    office.protections(name="Eleanor Whitcombe", ssn=MAYOR["ssn"], phone="212-555-0101")

    backup = office.database.path.with_name("backup.sqlite3")
    with closing(sqlite3.connect(office.database.path)) as store, closing(sqlite3.connect(backup)) as copy:
        store.backup(copy)
    stolen = stored_bytes(office)

    tokens = {*numbers_in(office.registry)}
    assert len(tokens) > 80
    for token in tokens:
        for order in ("big", "little"):
            packed = token.to_bytes(8, order, signed=True)
            for written in (packed, packed.hex().encode(), b64encode(packed).rstrip(b"="), str(token).encode()):
                assert written not in stolen
    assert b"left office" not in stolen


def numbers_in(registry: Registry) -> Iterator[int]:
    """Yield every token, key and value that is held of anybody."""
    snapshot = registry._snapshot
    assert snapshot is not None
    known = snapshot._index._known
    yield from known._base.numbers.tolist()
    for part in known._parts:
        yield from part
    for row in (*registry._entries.rows.values(), *registry._staff.rows.values()):
        yield from array("q", row.profile.values)
        facts = row.profile.facts
        yield from (*facts.names, *facts.dobs, *facts.ssns, *facts.person_ids, *filter(None, chain.from_iterable(facts.places)))
