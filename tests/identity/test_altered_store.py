"""Somebody who can write the store, and has none of the keys, against credentials and sessions: nobody comes in by it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from proxy.audit.outbox import Outbox
from proxy.audit.sealing import Sealer
from proxy.identity.credential import digest, make_key
from proxy.identity.principal import CredentialInvalid
from proxy.identity.session import SignInNeeded, mark
from proxy.identity.sessions import Sessions
from tests.escalation.conftest import Journal
from tests.identity.conftest import STORE_KEY, holder

if TYPE_CHECKING:
    from tests.identity.conftest import Office


def write(office: Office, statement: str, *values: object) -> None:
    """Write the store's file as root would, beside the server, which is told as by any other process."""
    with closing(sqlite3.connect(office.database.path, isolation_level=None)) as connection:
        connection.execute(statement, values)
        connection.execute("UPDATE generations SET number = number + 1")


def sessions_of(office: Office) -> Sessions:
    """Return the console's sessions on an office's store."""
    sealer = Sealer(index_key=b"i" * 32, body_key=b"b" * 32)
    return Sessions(
        database=office.database,
        key=STORE_KEY,
        audit=Journal(),
        outbox=Outbox(office.database, sealer, lambda: office.now, os.urandom),
        identities=office.identities,
        clock=lambda: office.now,
        randomness=os.urandom,
    )


async def test_a_credential_that_nobody_enrolled_is_nobody_s(office: Office) -> None:
    """A row with the digest of a key of the attacker's own, and any name they like, is passed over and told of."""
    await office.desk.add_key(holder())
    key = make_key(os.urandom(32))
    write(
        office,
        "INSERT INTO credentials SELECT 'cr-mine', kind, ?, 'chief', agency, 'supervisor', unit, terminal, created_at,"
        " expires_at, revoked_at, mac FROM credentials",
        digest(key),
    )

    with pytest.raises(CredentialInvalid):
        office.identities.authenticate(f"Bearer {key}", (), office.now)
    assert "cr-mine" in office.identities.trouble
    assert [each.person for each in office.identities.holders(office.now)] == ["badge-1"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("person", "badge-2"),
        ("agency", "MO0960000"),
        ("role", "supervisor"),
        ("role", "no such role!"),
        ("unit", None),
        ("terminal", "car-9"),
        ("expires_at", "2099-01-01T00:00:00.000000+00:00"),
        ("created_at", "2026-01-01T00:00:00.000000+00:00"),
        ("kind", "certificate"),
        ("id", "cr-other"),
    ],
)
async def test_a_credential_becomes_nobody_else_s_and_lasts_no_longer(office: Office, column: str, value: str | None) -> None:
    """Whatever of a row is written anew, it counts for nobody; other people's are as good as before."""
    key, _ = await office.desk.add_key(holder())
    other, _ = await office.desk.add_key(holder("badge-3"))
    write(office, f"UPDATE credentials SET {column} = ? WHERE person = 'badge-1'", value)

    with pytest.raises(CredentialInvalid):
        office.identities.authenticate(f"Bearer {key}", (), office.now)
    assert office.identities.authenticate(f"Bearer {other}", (), office.now).person == "badge-3"


async def test_a_revoked_credential_that_is_put_back_stays_revoked_while_the_server_runs(office: Office) -> None:
    """The row as it was before is genuine, and this process knows better."""
    key, credential = await office.desk.add_key(holder())
    with closing(sqlite3.connect(office.database.path)) as connection:
        before = connection.execute("SELECT * FROM credentials").fetchone()
    await office.desk.revoke(credential.id, reason="lost in the field")
    with pytest.raises(CredentialInvalid, match="revoked"):
        office.identities.authenticate(f"Bearer {key}", (), office.now)
    write(office, f"REPLACE INTO credentials VALUES ({', '.join('?' * len(before))})", *before)

    with pytest.raises(CredentialInvalid):
        office.identities.authenticate(f"Bearer {key}", (), office.now)
    assert credential.id in office.identities.trouble


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("principal", "role"),
        ("seen_at", "2026-11-23T03:14:00.000000+00:00"),
        ("begun_at", "2026-11-23T03:14:00.000000+00:00"),
        ("mark", "another cookie"),
        ("enrolled", 0),
        ("principal", "nothing"),
    ],
)
async def test_a_session_is_nobody_else_s_and_lasts_no_longer(office: Office, column: str, value: Any) -> None:
    """A session whose row was altered is none: no other role, no other cookie, no longer time."""
    sessions = sessions_of(office)
    key, _ = await office.desk.add_key(holder())
    token, _ = await sessions.begin(office.identities.authenticate(f"Bearer {key}", (), office.now))
    if column == "mark":
        token = "A" * 43
        value = mark(token)
    if value == "role":
        write(office, "UPDATE console_sessions SET principal = replace(principal, 'patrol', 'auditor')")
    else:
        write(office, f"UPDATE console_sessions SET {column} = ?", value)

    with pytest.raises(SignInNeeded):
        await sessions.resume(token)


async def test_a_session_that_goes_on_is_still_believed(office: Office) -> None:
    """When somebody was there last is written anew, and the row is good all the same."""
    sessions = sessions_of(office)
    key, _ = await office.desk.add_key(holder())
    token, _ = await sessions.begin(office.identities.authenticate(f"Bearer {key}", (), office.now))
    office.pass_time(minutes=14)
    await sessions.resume(token)
    office.pass_time(minutes=14)

    assert (await sessions.resume(token)).principal.person == "badge-1"
