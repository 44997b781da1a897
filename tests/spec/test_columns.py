"""A record that names somebody in a column that is for something else."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest_asyncio

from tests.spec.conftest import UNBOUNDED, open_street, policies_with
from tests.spec.test_narrative import two

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from proxy.demo.home import Home
    from proxy.demo.town import Town
    from tests.spec.conftest import Street


def _mistype(home: Home, town: Town) -> None:
    """Have one incident's part name the mayor, and the other's kind."""
    mayor = town.cast["mayor"]
    one, other = two(town)
    with closing(sqlite3.connect(home.records)) as records:
        records.execute(
            "UPDATE incidents SET party = ? WHERE incident_id = ?",
            (f"witness for {mayor.given_name} {mayor.surname}", one.incident_id),
        )
        records.execute(
            "UPDATE incidents SET kind = ? WHERE incident_id = ?",
            (f"THREAT TO {mayor.surname.upper()}, {mayor.given_name.upper()}", other.incident_id),
        )
        records.commit()


@pytest_asyncio.fixture
async def mistyped(tmp_path: Path) -> AsyncIterator[Street]:
    """Open a street whose records name the mayor where nobody would look."""
    async with open_street(tmp_path, policies_with(tmp_path / "policies", UNBOUNDED), records=_mistype) as street:
        yield street


async def test_a_name_in_an_unusual_column_needs_a_supervisor(mistyped: Street) -> None:
    """A short column that people type into (a part, an offense, an employer) is read for names as a narrative is."""
    for incident in two(mistyped.town):
        asked = await mistyped.ask("officer", mistyped.path("/records/incidents", case_number=incident.case_number))

        assert asked.problem == "escalation-required"
