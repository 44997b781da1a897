"""What a lock stops is refused from the next query on; about whom policy conceals, nobody learns of a lock."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from proxy.audit.keys import load_key
from proxy.clock import utc_now
from proxy.database import Database
from proxy.escalation.lock_store import LockStore
from proxy.escalation.locks import Ending, Kind, Lock, case_target

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.spec.conftest import Answer, Street

PORCH = 'code=C, case="26-004251", statement="threats painted on the porch, is the mayor at home"'
pytestmark = pytest.mark.asyncio(loop_scope="session")


@asynccontextmanager
async def locked(street: Street, kind: Kind, target: str) -> AsyncIterator[Lock]:
    """Lock something over a connection of its own, as another process does; end the lock after."""
    database = Database(street.home.data / "store.sqlite3")
    await database.open()
    key = load_key(street.home.keys / "body.key")
    store = LockStore(database, hmac.digest(key, b"showcause locks", hashlib.sha256))
    lock = Lock(
        id=secrets.token_hex(16),
        kind=kind,
        target=target,
        named=target,
        agency=street.agency,
        by="badge-1005",
        role="supervisor",
        reason="the key was found in a bar",
        created_at=utc_now(),
    )
    async with database.begin() as connection:
        await store.insert(connection, lock)
    yield lock
    async with database.begin() as connection:
        assert await store.end(connection, lock.id, Ending(by="badge-1004", role="supervisor", reason="over", at=utc_now()))
    await database.close()


def seen(answer: Answer) -> tuple[int, bytes, frozenset[str]]:
    """Return what a terminal can tell two answers apart by."""
    return answer.status, answer.body, frozenset(answer.headers) - {"Date"}


@pytest.mark.parametrize(
    ("kind", "target"),
    [(Kind.PRINCIPAL, "badge-1001"), (Kind.TERMINAL, "car-12"), (Kind.CASE, "26-004217"), (Kind.SUBJECT, "")],
)
async def test_what_is_locked_is_refused_from_the_next_query_on(street: Street, kind: Kind, target: str) -> None:
    """The lock is another process's; its entry says which lock it was; once it has ended, the same query is answered."""
    driver = street.town.cast["driver"].person_id
    target = case_target(target) if kind is Kind.CASE else target or f"record/{driver}"
    assert (await street.ask("officer", f"/records/persons/{driver}")).status == 200

    async with locked(street, kind, target) as lock:
        refused = await street.ask("officer", f"/records/persons/{driver}")
        assert (refused.status, refused.problem) == (403, "locked")
        assert "bar" not in refused.body.decode()
        assert lock.id not in refused.body.decode()
        entry = await street.entry(refused)
        assert (entry.kind, entry.facts["problem"], entry.facts["lock"]) == ("refused", "locked", lock.id)

    assert (await street.ask("officer", f"/records/persons/{driver}")).status == 200


@pytest.mark.parametrize("road", ["id", "plate", "name", "address"])
async def test_nobody_learns_that_a_hidden_person_is_locked(street: Street, road: str) -> None:
    """Whether an informant's record is locked or not, every road to it ends as it does for somebody who is not there."""
    hidden = street.town.cast["informant"]
    targets = {
        "id": f"/records/persons/{hidden.person_id}",
        "plate": street.path("/records/vehicles", plate=street.town.vehicle_of(hidden).plate),
        "name": street.path(
            "/records/persons", given_name=hidden.given_name, surname=hidden.surname, dob=hidden.dob.isoformat()
        ),
        "address": street.path("/records/addresses", street=hidden.home.line),
    }
    before = await street.ask("officer", targets[road])

    async with locked(street, Kind.SUBJECT, f"record/{hidden.person_id}"):
        during = await street.ask("officer", targets[road])

    assert seen(during) == seen(before)
    assert (await street.entry(during)).facts["outcome"] == "conceal"


async def test_a_locked_record_among_others_stays_here_and_the_others_leave(street: Street) -> None:
    """A search by address that finds a locked person is answered without them."""
    driver = street.town.cast["driver"]
    target = street.path("/records/addresses", street_name=driver.home.street, city="Fairmont City")
    before = await street.ask("officer", target)
    assert driver.person_id in before.body.decode()

    async with locked(street, Kind.SUBJECT, f"record/{driver.person_id}"):
        during = await street.ask("officer", target)

    assert during.status == 200
    assert driver.person_id not in during.body.decode()
    rules = (await street.terminal_entry(during)).facts["rules"]
    assert isinstance(rules, dict)
    assert rules["lock"] == 1


async def test_whom_only_the_reply_tells_is_locked_as_well(street: Street) -> None:
    """A search by name that finds nobody but a locked person is refused, and the log holds that their record stayed here."""
    driver = street.town.cast["driver"]
    target = street.path("/records/persons", given_name=driver.given_name, surname=driver.surname, dob=driver.dob.isoformat())

    async with locked(street, Kind.SUBJECT, f"record/{driver.person_id}"):
        refused = await street.ask("officer", target)

    assert (refused.status, refused.problem) == (403, "locked")
    end = await street.terminal_entry(refused)
    assert (end.kind, end.facts["rules"]) == ("withheld", {"lock": 1})


async def test_policy_that_denies_is_not_told_apart_from_policy_that_denies_somebody_locked(street: Street) -> None:
    """Whoever may not ask at all is told so, in the same words, whether or not there is a lock."""
    driver = street.town.cast["driver"].person_id
    purpose = f'code=C, case="{street.case("stop")}", statement="checking the driver of the stop again"'
    before = await street.ask("steward", f"/records/persons/{driver}", purpose=purpose)

    async with locked(street, Kind.SUBJECT, f"record/{driver}"):
        during = await street.ask("steward", f"/records/persons/{driver}", purpose=purpose)

    assert (before.status, before.problem) == (during.status, during.problem)


async def test_a_locked_person_moves_nothing_at_the_doors(street: Street) -> None:
    """Neither decides, nor reads what waits: nor lifts anything."""
    async with locked(street, Kind.PRINCIPAL, street.person("supervisor")):
        for target in ("/escalations", "/notices", "/reviews", "/purposes"):
            assert (await street.ask("supervisor", target, purpose=None)).problem == "locked"


async def test_a_supervisor_locks_at_the_door_and_another_lifts(street: Street) -> None:
    """From the next query on, and back: both entries are in the log, whole; who locked is refused to lift."""
    driver = street.town.cast["driver"].person_id
    added = await street.post("supervisor", "/locks", {"kind": "terminal", "target": "car-12", "reason": "stolen from the car"})
    assert (added.status, added.json["stops"]) == (200, street.agency)
    assert (await street.ask("officer", f"/records/persons/{driver}")).problem == "locked"
    lift, reason = f"/locks/{added.json['id']}/lift", {"reason": "found in the other car"}

    assert (await street.post("supervisor", lift, reason)).problem == "lock-ineligible"
    assert (await street.post("officer", lift, reason)).problem == "locked"
    assert (await street.post("lieutenant", lift, reason)).status == 200

    assert (await street.ask("officer", f"/records/persons/{driver}")).status == 200
    told = [entry for entry in await street.entries() if entry.facts.get("lock") == added.json["id"]]
    assert [entry.kind for entry in told] == ["lock-added", "refused", "refused", "lock-ended"]
    assert (await street.ask("lieutenant", "/locks?state=active", purpose=None)).json == {"locks": []}


async def test_a_query_under_way_when_a_lock_lands_is_not_answered(street: Street) -> None:
    """A supervisor agrees to what an officer waits for, whom another has locked meanwhile: the answer stays here."""
    mayor = street.town.cast["mayor"].person_id
    held = {"Prefer": "wait=20"}
    asking = asyncio.create_task(street.ask("colleague", f"/records/persons/{mayor}", headers=held, purpose=PORCH))
    async with asyncio.timeout(30):
        while not (waiting := await pending(street)):  # noqa: ASYNC110 -- another connection's state
            await asyncio.sleep(0.02)

    async with locked(street, Kind.PRINCIPAL, street.person("colleague")):
        refused = await street.post("supervisor", f"/escalations/{waiting}/approve", {"reason": "the porch is theirs to watch"})
        assert refused.problem == "locked"
        await street.post("supervisor", f"/escalations/{waiting}/refuse", {"reason": "the officer is locked"})
        answer = await asking

    assert (answer.status, answer.problem) == (403, "locked")


async def pending(street: Street) -> str:
    """Return the id of what the colleague waits for, or nothing."""
    found = (await street.ask("supervisor", "/escalations?state=pending", purpose=None)).json["escalations"]
    return next((row["id"] for row in found if row["requested_by"] == street.person("colleague")), "")
