"""A record that only mentions somebody: free text that names a protected person."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest_asyncio

from proxy.audit.reader import AuditReader
from proxy.cli.recording import sealer_of
from proxy.settings import load_settings
from tests.spec.conftest import UNBOUNDED, open_street, policies_with

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from proxy.demo.home import Home
    from proxy.demo.town import Incident, Town
    from tests.spec.conftest import Street

STORY = "Caller said a black sedan stopped twice at the house of {}, who was not at home. Area canvassed, nothing found."


def two(town: Town) -> tuple[Incident, Incident]:
    """Return two incidents about nobody who is protected, of cases of their own."""
    cases = [each.case_number for each in town.incidents]
    played = {person.person_id for person in town.cast.values()}
    one, other, *_ = (
        each for each in town.incidents if cases.count(each.case_number) == 1 and each.person.person_id not in played
    )
    return one, other


def _tell(home: Home, town: Town) -> None:
    """Have one narrative name the mayor, and the other the mayor's surname alone."""
    mayor = town.cast["mayor"]
    named = (f"{mayor.surname.upper()}, {mayor.given_name}", f"a Mr. {mayor.surname}")
    with closing(sqlite3.connect(home.records)) as records:
        for incident, name in zip(two(town), named, strict=True):
            records.execute(
                "UPDATE incidents SET narrative = ? WHERE incident_id = ?", (STORY.format(name), incident.incident_id)
            )
        records.commit()


@pytest_asyncio.fixture
async def told(tmp_path: Path) -> AsyncIterator[Street]:
    """Open a street whose records tell two stories."""
    async with open_street(tmp_path, policies_with(tmp_path / "policies", UNBOUNDED), records=_tell) as street:
        yield street


async def test_an_incident_whose_narrative_names_the_mayor_needs_a_supervisor(told: Street) -> None:
    """The record's own fields are another's; the name in the text is enough, in any order; a surname alone is nobody's."""
    named, other = two(told.town)

    asked = await told.ask("officer", told.path("/records/incidents", case_number=named.case_number))
    passed = await told.ask("officer", told.path("/records/incidents", case_number=other.case_number))

    assert asked.problem == "escalation-required"
    assert b"sedan" not in asked.body
    assert passed.status == 200
    assert b"sedan" in passed.body
    settings = load_settings(told.home.config, {})
    why = AuditReader(settings.log, sealer_of(settings)).unseal(await told.terminal_entry(asked))["recognized"]
    assert isinstance(why, list)
    assert any(isinstance(each, dict) and each["matched"] == ["text"] and each["category"] == "official" for each in why)
