"""``registry resolve`` and ``registry sweep`` beside the running server, against real Datasette."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from proxy.demo.town import CITY, POLICE

if TYPE_CHECKING:
    from proxy.demo.town import Household
    from tests.spec.conftest import Street

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def registry(street: Street, *arguments: str, given: object = None) -> tuple[int, Any]:
    """Run a command of ``registry`` as a steward would, with JSON on its standard input; return its code and its JSON."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "proxy", "registry", *arguments, "--config", str(street.home.config), "--json",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate(json.dumps(given).encode())
    return process.returncode or 0, json.loads(out)


def family(street: Street, *, after: int) -> Household:
    """Return ordinary people who live together, others for each test."""
    cast = {person.home for person in street.town.cast.values()}
    ordinary = [
        household
        for household in street.town.households
        if household.head.home not in cast and household.head.employer != POLICE and len(list(household)) == 3
        and household.spouse and not household.head.home.unit
    ]  # fmt: skip
    return ordinary[after]


async def enrolled(street: Street, household: Household) -> str:
    """Enroll a household's head by what a form would say, without a record's id; return the entry."""
    head = household.head
    who = {
        "given_name": head.given_name.upper(), "surname": head.surname, "dob": f"{head.dob:%m/%d/%Y}", "city": CITY,
        "street": head.home.line.replace("Street", "St.").replace("Road", "Rd").replace("Drive", "DR"), "ssn": head.ssn,
        "category": "witness", "basis": "order of the court",
    }  # fmt: skip
    code, added = await registry(street, "add", given=who)
    assert code == 0
    return str(added["entry"])


async def test_a_person_is_resolved_to_their_record_and_their_household(street: Street) -> None:
    """From a form's words to the record's id and the people at home; what the steward confirms is recognized at once."""
    household = family(street, after=40)
    entry = await enrolled(street, household)

    code, [found] = await registry(street, "resolve", entry)
    proposals = {each["shown"]["person_id"][0]: each for each in found["proposals"]}
    own = proposals[household.head.person_id]
    settled, _ = await registry(
        street, "resolve", entry, *(part for each in proposals.values() for part in ("--accept", each["id"]))
    )

    assert (code, settled) == (1, 0)
    assert (own["kind"], own["likeness"], own["contradicts"]) == ("record", "likely", [])
    assert {each["kind"] for person_id, each in proposals.items() if person_id != household.head.person_id} == {"resident"}
    assert proposals.keys() == {person.person_id for person in household}
    async with asyncio.timeout(20):
        for person in household:
            while (asked := await street.ask("officer", f"/records/persons/{person.person_id}")).status == 200:  # noqa: ASYNC110 -- the server looks at the registry by turns, and an hour's queries are bounded
                await asyncio.sleep(0.05)
            assert asked.problem == "escalation-required"
    assert (await registry(street, "resolve", entry))[1][0]["proposals"] == []


async def test_what_a_steward_settled_is_not_proposed_again(street: Street) -> None:
    """Confirmed or declined, by ids that say nothing; what is left waits, and is shown."""
    household = family(street, after=41)
    entry = await enrolled(street, household)
    _, [found] = await registry(street, "resolve", entry)
    own, one, other = (each["id"] for each in found["proposals"])

    await registry(street, "resolve", entry, "--accept", own, "--decline", one)
    code, shown = await registry(street, "sweep", "--show")
    _, [again] = await registry(street, "resolve", entry)
    unknown, _ = await registry(street, "resolve", entry, "--accept", own)

    assert code == 1
    assert [each["id"] for waiting in shown if waiting["entry"] == entry for each in waiting["proposals"]] == [other]
    assert [each["id"] for each in again["proposals"]] == [other]
    assert unknown == 2
    assert not {own, one, other} & {person.person_id for person in household}


async def test_a_steward_at_a_terminal_is_asked_one_by_one(street: Street) -> None:
    """Y confirms, n declines, an empty line leaves it; each proposal is shown with its reasons first."""
    household = family(street, after=42)
    entry = await enrolled(street, household)
    master, slave = os.openpty()
    os.write(master, b"y\nn\n\n")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "proxy", "registry", "resolve", entry, "--config", str(street.home.config),
        stdin=slave, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    os.close(slave)
    out, err = (told.decode() for told in await process.communicate())
    os.close(master)
    _, shown = await registry(street, "sweep", "--show")

    assert (process.returncode, err) == (0, "")
    assert not [person.ssn for person in household if person.ssn in out or person.ssn in json.dumps(shown)]
    assert "agrees: name, dob, ssn, home; in address-search, person-search" in out
    assert f"{household.head.given_name} " in out
    assert "1 confirmed" in out
    [left] = [each for each in shown if each["entry"] == entry]
    assert (left["person_ids"], len(left["proposals"])) == ([household.head.person_id], 1)


async def test_every_look_up_of_a_sweep_is_decided_in_the_log_first(street: Street) -> None:
    """A short sweep stops in time; its begin, batches and end are in the log in order, and the log names nobody."""
    before = len(await street.entries())

    code, ended = await registry(street, "sweep", "--per-second", "200", "--minutes", "0.02")

    async with asyncio.timeout(30):
        while "sweep-ended" not in [entry.kind for entry in (await street.entries())[before:]]:
            await street.ops("/livez")
    entries = [entry for entry in (await street.entries())[before:] if str(entry.facts.get("action")) == "registry.sweep"]
    decided = {entry.about: entry for entry in entries if entry.kind == "decided"}
    ends = {entry.about: entry for entry in entries if entry.kind == "looked-up"}
    assert code in {0, 1}
    assert (ended["outcome"], ended["failed"]) == ("out-of-time", 0)
    assert decided
    assert decided.keys() == ends.keys()
    assert all(decided[about].index < end.index for about, end in ends.items())
    assert ended["lookups"] == sum(int(str(entry.facts["lookups"])) for entry in decided.values())
    log = street.log_bytes()
    assert not [person.surname for person in street.town.cast.values() if person.surname.encode() in log]


async def test_the_log_with_look_ups_verifies(street: Street) -> None:
    """No look-up leaves a decision that a terminal's answer would have to end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "proxy", "audit", "verify", "--config", str(street.home.config), "--json",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()

    assert (process.returncode, json.loads(out)["findings"]) == (0, [])
