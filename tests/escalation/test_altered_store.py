"""Somebody who can write the store, and has none of the keys, against escalations: what they write grants nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from proxy.clock import in_order
from proxy.escalation.delegation import Delegation
from proxy.escalation.delegation_store import DelegationStore
from proxy.escalation.lifecycle import GrantSpent, Move
from tests.escalation.conftest import asked, person

if TYPE_CHECKING:
    from tests.escalation.conftest import Desk

SERGEANT = person("sergeant", "supervisor")
OFFICER = person("officer-1")
WHY = "the threat is on file"


def write(desk: Desk, statement: str, *values: object) -> None:
    """Write the store's file as root would, beside the server."""
    with closing(sqlite3.connect(desk.database.path, isolation_level=None)) as connection:
        connection.execute(statement, values)


def kept(desk: Desk, *tables: str) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of some tables, as a copy of the file has them."""
    with closing(sqlite3.connect(desk.database.path)) as connection:
        return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}


def put_back(desk: Desk, rows: dict[str, list[tuple[object, ...]]]) -> None:
    """Put rows back as they were."""
    with closing(sqlite3.connect(desk.database.path, isolation_level=None)) as connection:
        for table, values in rows.items():
            connection.execute(f"DELETE FROM {table}")
            for row in values:
                connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)


@pytest.mark.parametrize("as_well", ["", ", decided_by = 'sergeant', decided_at = created_at"])
async def test_a_state_that_nobody_moved_it_to_grants_nothing(desk: Desk, as_well: str) -> None:
    """An escalation that is approved in the store alone is not believed."""
    await desk.escalations.open(asked(), "q")
    until = in_order(desk.now + timedelta(minutes=10))
    write(desk, f"UPDATE escalations SET state = 'approved', grant_expires_at = ?{as_well}", until)

    with pytest.raises(ValueError, match="was altered"):
        await desk.escalations.current(asked(), "q")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("state", "approved"),
        ("state", "pending"),
        ("grant_expires_at", "2099-01-01T00:00:00.000000+00:00"),
        ("expires_at", "2099-01-01T00:00:00.000000+00:00"),
        ("created_at", "2026-11-23T02:59:00.000000+00:00"),
        ("decided_by", "lieutenant"),
        ("decided_at", "2026-11-23T02:59:00.000000+00:00"),
        ("person", "officer-2"),
        ("agency", "MO0960000"),
        ("sealed_reason", None),
    ],
)
async def test_no_column_of_a_used_approval_can_be_written_anew(desk: Desk, column: str, value: str | None) -> None:
    """Its state, its times and its people are believed as they were written here, or not at all."""
    escalation = await desk.escalations.open(asked(), "q")
    approved = await desk.escalations.decide(escalation.id, SERGEANT, Move.APPROVE, WHY)
    await desk.escalations.redeem(approved, "officer-1", "q")
    write(desk, f"UPDATE escalations SET {column} = ?", value)

    with pytest.raises(ValueError, match="was altered"):
        await desk.escalations.current(asked(), "q")


async def test_another_s_approval_does_not_become_one_s_own(desk: Desk) -> None:
    """An approval under whose row somebody writes the mark of their own query is not theirs."""
    approved = await desk.escalations.open(asked(), "q")
    await desk.escalations.decide(approved.id, SERGEANT, Move.APPROVE, WHY)
    theirs = await desk.escalations.open(asked(person="officer-2"), "q")
    write(desk, "DELETE FROM escalations WHERE id = ?", theirs.id)
    write(desk, "UPDATE escalations SET fingerprint = ? WHERE id = ?", theirs.fingerprint, approved.id)

    with pytest.raises(ValueError, match="was altered"):
        await desk.escalations.current(asked(person="officer-2"), "q")


async def test_an_agreement_that_an_addition_voided_does_not_come_back(desk: Desk) -> None:
    """Whoever agreed before something was added to the statement has not agreed to it, whatever the store says."""
    two = asked(demands=(asked().demands[0], asked().demands[0]))
    escalation = await desk.escalations.open(two, "q")
    await desk.escalations.decide(escalation.id, SERGEANT, Move.APPROVE, WHY)
    agreed = kept(desk, "agreements")
    await desk.escalations.decide(escalation.id, person("lieutenant", "supervisor"), Move.ASK, "which threat, by whom?")
    await desk.escalations.amend(escalation.id, OFFICER, "the neighbor reported a man with a rifle")
    put_back(desk, agreed)

    with pytest.raises(ValueError, match="was altered"):
        await desk.escalations.current(two, "q")


async def test_what_was_added_to_a_statement_is_not_taken_out(desk: Desk) -> None:
    """Words that are gone from the store are missed: nobody approves a statement without what was added to it."""
    escalation = await desk.escalations.open(asked(), "q")
    await desk.escalations.decide(escalation.id, SERGEANT, Move.ASK, "which threat, and who reported it?")
    write(desk, "DELETE FROM escalation_words")

    with pytest.raises(ValueError, match="was altered"):
        await desk.escalations.decide(escalation.id, SERGEANT, Move.APPROVE, WHY)


@pytest.mark.parametrize("how", ["redeem", "revoke", "cancel"])
async def test_an_approval_that_is_put_back_does_not_answer_again_where_it_ended(desk: Desk, how: str) -> None:
    """Every row is put back as it was while it was good; the process that ended it remembers."""
    escalation = await desk.escalations.open(asked(), "q")
    approved = await desk.escalations.decide(escalation.id, SERGEANT, Move.APPROVE, WHY)
    before = kept(desk, "escalations", "agreements", "escalation_words")
    match how:
        case "redeem":
            await desk.escalations.redeem(approved, "officer-1", "q")
        case "revoke":
            await desk.escalations.revoke(escalation.id, SERGEANT, "the wrong person was meant")
        case _:
            await desk.escalations.cancel(escalation.id, OFFICER)
    put_back(desk, before)

    with pytest.raises(GrantSpent):
        await desk.escalations.redeem(approved, "officer-1", "q")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE delegations SET delegate = 'officer-2'",
        "UPDATE delegations SET role = 'oversight'",
        "UPDATE delegations SET ends_at = '2099-01-01T00:00:00.000000+00:00'",
        "UPDATE delegations SET ended_at = NULL, ended_by = NULL",
        "UPDATE delegations SET id = 'mine', delegate = 'officer-2'",
    ],
)
async def test_nobody_stands_in_by_a_row_in_the_store(desk: Desk, change: str) -> None:
    """A delegation that its delegator did not make hands nothing on; nothing is decided until that is cleared up."""
    delegations = desk.escalations.delegations
    store = DelegationStore(desk.database, b"k" * 32)
    made = Delegation(
        id="theirs", delegator="sergeant", delegate="lieutenant", agency="MO0950000", role="supervisor", starts_at=desk.now,
        ends_at=desk.now + timedelta(hours=8), created_at=desk.now,
    )  # fmt: skip
    async with store.inserting(made):
        pass
    await delegations.end("theirs", SERGEANT)
    write(desk, change)

    with pytest.raises(ValueError, match="was altered"):
        await delegations.standing(desk.now - timedelta(hours=1))
