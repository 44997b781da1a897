"""A query by nothing but a name, where more persons are enrolled than policy recognizes by one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.spec.conftest import UNBOUNDED, open_street, policies_with

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from proxy.demo.town import Person
    from tests.spec.conftest import Street


@pytest.fixture
async def large(tmp_path: Path) -> AsyncIterator[Street]:
    """Provide a street whose registry is larger than its policy recognizes a name in."""
    policies = policies_with(tmp_path / "policies", UNBOUNDED)
    recognition = policies / "recognition.yaml"
    recognition.write_text(re.sub(r"(name_alone_up_to:) \d+", r"\1 100", recognition.read_text()))
    async with open_street(tmp_path, policies) as street:
        yield street


async def test_a_name_alone_is_too_little_whomever_it_means(large: Street) -> None:
    """The mayor, an informant, an ordinary person, nobody: the same bytes, before anything is fetched or anybody is asked."""
    cast = large.town.cast
    names = [(person.given_name, person.surname) for person in (cast["mayor"], cast["informant"], cast["driver"])]

    answers = [
        await large.ask("officer", large.path("/records/persons", given_name=given, surname=surname))
        for given, surname in (*names, ("Zacharias", "Zzyzx"))
    ]

    assert {(answer.status, answer.problem) for answer in answers} == {(403, "too-broad")}
    assert len({(answer.json["detail"], tuple(answer.headers.keys() - {"Audit-Entry"})) for answer in answers}) == 1
    assert "date of birth" in answers[0].json["detail"]
    assert {(await large.entry(answer)).kind for answer in answers} == {"refused"}


async def test_what_says_more_than_a_name_is_answered_as_ever(large: Street) -> None:
    """With a date of birth the mayor escalates and the driver is answered; a broad search is policy's; a number is a number."""
    mayor, driver = large.town.cast["mayor"], large.town.cast["driver"]

    def by_name(person: Person, **more: str) -> str:
        return large.path("/records/persons", given_name=person.given_name, surname=person.surname, **more)

    escalated = await large.ask("officer", by_name(mayor, dob=mayor.dob.isoformat()))
    answered = await large.ask("officer", by_name(driver, dob=driver.dob.isoformat()))
    browsed = await large.ask("detective", by_name(driver, sex=driver.sex))
    by_number = await large.ask("officer", large.path("/records/persons", ssn=driver.ssn))

    assert escalated.problem == "escalation-required"
    assert [answer.status for answer in (answered, browsed, by_number)] == [200, 200, 200]
    assert {answer.json[0]["person_id"] for answer in (answered, browsed, by_number)} == {driver.person_id}
