from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from proxy.database import FRESH_SECONDS, Database
from proxy.escalation.lifecycle import Move
from proxy.escalation.lock_store import LockStore
from proxy.escalation.locks import EVERYWHERE, Ending, Kind, Lock, Locked, LocksStale, record_target, subjects_of
from proxy.registry.protection import Protection, Recognition
from tests.escalation.conftest import LOCK_KEY, asked, person

if TYPE_CHECKING:
    from pathlib import Path

    from tests.escalation.conftest import Desk

OFFICER = person("officer-1")
ENDING = Ending(by="sergeant-8", role="supervisor", reason="it was a mistake", at=datetime(2026, 11, 23, 4, 0, tzinfo=UTC))


def lock(kind: Kind, target: str, *, agency: str = OFFICER.agency, name: str = "lock-1") -> Lock:
    """Return a lock by a sergeant of the officer's agency."""
    return Lock(
        id=name,
        kind=kind,
        target=target,
        named=target,
        agency=agency,
        by="sergeant-9",
        role="supervisor",
        reason="the key was found in a bar",
        created_at=datetime(2026, 11, 23, 3, 0, tzinfo=UTC),
    )


async def put(path: Path, *locks: Lock, key: bytes = LOCK_KEY) -> None:
    """Add locks as another process does, over a connection of its own."""
    database = Database(path)
    await database.open()
    store = LockStore(database, key)
    async with database.begin() as connection:
        for each in locks:
            await store.insert(connection, each)
    await database.close()


async def end(path: Path, lock_id: str) -> None:
    """End a lock as another process does."""
    database = Database(path)
    await database.open()
    async with database.begin() as connection:
        assert await LockStore(database, LOCK_KEY).end(connection, lock_id, ENDING)
    await database.close()


def check(desk: Desk, *, subjects: tuple[str, ...] = ("entry/entry-1", "record/100123"), grant: str | None = "grant-1") -> None:
    """Ask as the street does."""
    desk.locks.check(OFFICER, case="26-004217", subjects=subjects, grant=grant)


async def alter(path: Path, statement: str) -> None:
    """Change the store as somebody does who can write the file and has no key."""
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
        connection.execute("UPDATE generations SET number = number + 1 WHERE subject = 'locks'")
    connection.close()
    await asyncio.sleep(FRESH_SECONDS)  # for so long a look at the store is believed


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (Kind.PRINCIPAL, "officer-1"),
        (Kind.TERMINAL, "car-officer-1"),
        (Kind.CASE, "26004217"),
        (Kind.SUBJECT, "entry/entry-1"),
        (Kind.SUBJECT, "record/100123"),
        (Kind.GRANT, "grant-1"),
    ],
)
async def test_each_kind_of_lock_holds_at_the_next_question_of_another_process(desk: Desk, kind: Kind, target: str) -> None:
    """Nothing was locked; a commit elsewhere, and the very next question is refused; its end, and the next one is not."""
    check(desk)

    await put(desk.database.path, lock(kind, target))
    with pytest.raises(Locked) as told:
        check(desk)
    assert told.value.lock.id == "lock-1"
    assert "bar" not in told.value.detail

    await end(desk.database.path, "lock-1")
    check(desk)


async def test_a_lock_stops_its_own_agency_and_one_that_reaches_everywhere_stops_all(desk: Desk) -> None:
    """A supervisor of elsewhere stops nobody here."""
    await put(desk.database.path, lock(Kind.PRINCIPAL, "officer-1", agency="KY0429900"))
    check(desk)

    await put(desk.database.path, lock(Kind.PRINCIPAL, "officer-1", agency=EVERYWHERE, name="lock-2"))
    with pytest.raises(Locked):
        check(desk)


@pytest.mark.parametrize("spelled", ["100123", "0100123", "100123.0", " 100123"])
def test_a_record_is_locked_in_every_spelling_that_means_it(spelled: str) -> None:
    """As the registry reads numbers: what a records server may take for the same row is the same row."""
    assert record_target(spelled) == "record/100123"


def test_whom_fields_concern_is_never_a_name() -> None:
    """A registry entry and a record's id, whatever else the fields say."""
    recognition = Recognition(protections=(Protection(entry="e-1", category="witness", basis="order"),))

    assert tuple(subjects_of(recognition, {"surname": ["DOE"], "person_id": ["7"]})) == ("entry/e-1", "record/7")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE locks SET sealed = x'00'",
        "DELETE FROM locks",
        "UPDATE locks SET sealed_end = x'00'",
        "UPDATE locks SET id = 'lock-9'",
    ],
)
async def test_who_can_write_the_store_and_has_no_key_takes_no_lock_away(desk: Desk, statement: str) -> None:
    """An altered, deleted, ended or renamed row stops everybody until a restart, and says so."""
    await put(desk.database.path, lock(Kind.PRINCIPAL, "somebody-else"))
    check(desk)

    await alter(desk.database.path, statement)

    for _ in range(2):
        with pytest.raises(LocksStale):
            check(desk)
    assert "lock-" in desk.locks.trouble


async def test_a_store_put_back_to_an_older_state_stops_everybody(desk: Desk) -> None:
    """The generation went backwards: a lock may be missing, and nobody can tell which."""
    await put(desk.database.path, lock(Kind.CASE, "another"))
    check(desk)
    await alter(desk.database.path, "UPDATE generations SET number = number - 2 WHERE subject = 'locks'")

    with pytest.raises(LocksStale):
        check(desk)


async def test_a_file_in_the_place_of_the_store_stops_everybody(desk: Desk) -> None:
    """What others lock goes into the new file, and this process would never hear of it."""
    check(desk)
    copy = desk.database.path.with_suffix(".copy")
    copy.write_bytes(desk.database.path.read_bytes())
    copy.replace(desk.database.path)
    await asyncio.sleep(FRESH_SECONDS)

    with pytest.raises(LocksStale):  # noqa: PT012 -- the store is looked at once a millisecond
        while True:
            check(desk)


async def test_a_closed_store_stops_everybody(desk: Desk) -> None:
    """Missing lock data is a refusal."""
    check(desk)
    await desk.database.close()

    with pytest.raises(LocksStale):
        check(desk)


async def test_locks_sealed_under_another_key_stop_everybody(desk: Desk) -> None:
    """Whom they stop nobody can read."""
    await put(desk.database.path, lock(Kind.CASE, "another"), key=b"x" * 32)

    with pytest.raises(LocksStale):
        check(desk)


async def test_what_lies_open_in_the_store_names_nobody(desk: Desk) -> None:
    """Neither whom a lock stops, nor who locked, nor why."""
    await put(desk.database.path, lock(Kind.SUBJECT, "entry/entry-77"))
    async with desk.database.begin() as connection:
        await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    content = desk.database.path.read_bytes() + desk.database.path.with_name("store.sqlite3-wal").read_bytes()
    assert b"lock-1" in content
    for word in (b"entry-77", b"sergeant-9", b"the key was found"):
        assert word not in content


@pytest.mark.parametrize(
    ("kind", "target"), [(Kind.PRINCIPAL, "officer-1"), (Kind.SUBJECT, "record/100123"), (Kind.CASE, "26004217")]
)
async def test_what_is_locked_is_neither_approved_nor_redeemed(desk: Desk, kind: Kind, target: str) -> None:
    """An escalation waits and can be refused; a grant is there and opens nothing; when the lock ends, both go on."""
    sergeant = person("sergeant-9", "supervisor")
    waiting = await desk.escalations.open(asked(criteria={"person_id": ["100123"]}), "query-1")
    await put(desk.database.path, lock(kind, target))

    with pytest.raises(Locked):
        await desk.escalations.decide(waiting.id, sergeant, Move.APPROVE, "the threat is real")
    await end(desk.database.path, "lock-1")
    grant = await desk.escalations.decide(waiting.id, sergeant, Move.APPROVE, "the threat is real")

    await put(desk.database.path, lock(Kind.GRANT, grant.id, name="lock-2"))
    with pytest.raises(Locked):
        await desk.escalations.redeem(grant, "officer-1", "query-2")
    await end(desk.database.path, "lock-2")
    await desk.escalations.redeem(grant, "officer-1", "query-2")


async def test_a_lock_on_a_requestor_is_known_by_the_person(desk: Desk) -> None:
    """Whoever is locked does not go on through a colleague who asks on their behalf."""
    await put(desk.database.path, lock(Kind.PRINCIPAL, "officer-1"))

    with pytest.raises(Locked):
        desk.locks.check_person("Officer-1 ", OFFICER.agency)
    desk.locks.check_person("officer-2", OFFICER.agency)


async def test_a_lock_that_is_not_in_the_store_yet_holds_here(desk: Desk) -> None:
    """Between its entry and its row it stops this process; with its row there it is the store's, and ends there."""
    held = lock(Kind.PRINCIPAL, "officer-1")
    desk.locks.hold(held)
    with pytest.raises(Locked):
        check(desk)

    await put(desk.database.path, held)
    desk.locks.let_go(held.id)
    with pytest.raises(Locked):
        check(desk)
    await end(desk.database.path, held.id)
    check(desk)


async def test_who_holds_what_was_stopped_can_tell_that_a_lock_has_come(desk: Desk) -> None:
    """A long reply is judged by the locks of one moment, and anew when they are others by its end, in the store or not yet."""
    before = desk.locks.now()
    assert desk.locks.now() is before

    desk.locks.hold(lock(Kind.SUBJECT, "record/100123"))
    held = desk.locks.now()
    assert held is not before
    assert held.on_subject(["record/7", "record/100123"], OFFICER.agency) is not None
    assert before.on_subject(["record/100123"], OFFICER.agency) is None

    await put(desk.database.path, lock(Kind.CASE, "another", name="lock-2"))
    assert desk.locks.now() is not held


async def test_many_locks_on_others_stop_nobody_else(desk: Desk) -> None:
    """Each is looked up by what it stops."""
    await put(desk.database.path, *(lock(Kind.CASE, f"case{n}", name=f"lock-{n}") for n in range(50)))
    check(desk)
    assert len(desk.locks.active()) == 50
    assert replace(desk.locks.active()[0], reason="") == replace(lock(Kind.CASE, "case0", name="lock-0"), reason="")
