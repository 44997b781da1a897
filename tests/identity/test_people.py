"""The provider's people: known by what their newest token said, for a time, and never more than listed."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from proxy.database import Database, DatabaseUnusable
from proxy.identity.claims import Identity
from proxy.identity.people import PAUSE, WITHIN, People
from proxy.identity.service import Identities
from tests.identity.conftest import NOW, STORE_KEY, holder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.identity.conftest import Office

SERGEANT = Identity(
    person="sergeant-1", agency="MO0950000", role="supervisor", roles=frozenset({"supervisor"}), unit=None, terminal=None
)
BOTH = replace(SERGEANT, roles=frozenset({"supervisor", "auditor"}))
DEMOTED = replace(SERGEANT, role="patrol", roles=frozenset({"patrol"}))


@asynccontextmanager
async def process(office: Office) -> AsyncIterator[People]:
    """Yield the people as one process of the server knows them."""
    database = Database(office.database.path)
    await database.open()
    yield People(database, clock=lambda: office.now)
    await database.close()


def known(people: People, office: Office) -> set[tuple[str, str]]:
    """Return who could present themselves, in which role."""
    return {(each.person, each.role) for each in people.holders(office.now)}


async def test_whom_one_process_has_seen_every_process_knows_in_every_role(office: Office) -> None:
    """A token says one role that is meant; the person is known in each that their groups give."""
    async with process(office) as here, process(office) as there:
        here.saw(BOTH, NOW, NOW)
        await here.write()

        assert known(there, office) == known(here, office) == {("sergeant-1", "supervisor"), ("sergeant-1", "auditor")}


async def test_who_was_demoted_is_known_as_that_and_an_older_token_brings_nothing_back(office: Office) -> None:
    """The newest token's word holds in every process, whichever of them sees the older one afterwards."""
    async with process(office) as here, process(office) as there:
        here.saw(SERGEANT, NOW, NOW)
        await here.write()
        here.saw(DEMOTED, NOW + timedelta(minutes=5), NOW + timedelta(minutes=5))
        there.saw(SERGEANT, NOW + timedelta(minutes=1), NOW + timedelta(minutes=6))
        await here.write()
        await there.write()

        assert known(there, office) == {("sergeant-1", "patrol")}
        there.saw(SERGEANT, NOW + timedelta(minutes=1), NOW + timedelta(hours=2))
        await there.write()
        assert known(here, office) == {("sergeant-1", "patrol")}


@pytest.mark.parametrize(("one", "two"), [(BOTH, SERGEANT), (SERGEANT, BOTH), (SERGEANT, DEMOTED), (DEMOTED, SERGEANT)])
async def test_of_two_tokens_of_one_second_what_both_say_is_known(office: Office, one: Identity, two: Identity) -> None:
    """Whichever comes last: a token's time is in whole seconds, and nobody can tell which of them the provider meant."""
    async with process(office) as here, process(office) as there:
        here.saw(one, NOW, NOW)
        await here.write()
        there.saw(two, NOW, NOW)
        await there.write()
        here.saw(one, NOW, NOW)
        await here.write()

        assert known(there, office) == {("sergeant-1", role) for role in one.roles & two.roles}


async def test_who_was_not_seen_for_long_is_known_no_more_also_by_a_clock_set_back(office: Office) -> None:
    """They are listed while they come; after that, or long before by a clock that went back, they are not, and then gone."""
    async with process(office) as people:
        people.saw(SERGEANT, NOW, NOW)
        await people.write()
        office.now = NOW + WITHIN - timedelta(minutes=1)
        assert known(people, office)
        await people.forget_aged()
        assert known(people, office)
        office.now = NOW - WITHIN
        assert not known(people, office)
        office.now = NOW + WITHIN
        assert not known(people, office)
        await people.forget_aged()
        office.now = NOW
        assert not known(people, office)


async def test_a_sign_of_life_is_written_down_once_an_hour(office: Office) -> None:
    """A query by a token is no commit; an hour later one is, and the person stays known from then on."""
    async with process(office) as people:
        people.saw(SERGEANT, NOW, NOW)
        await people.write()
        before = office.database.generation("seen")
        people.saw(SERGEANT, NOW, NOW + PAUSE / 2)
        await people.write()
        assert office.database.generation("seen") == before

        people.saw(SERGEANT, NOW, NOW + PAUSE)
        await people.write()
        office.now = NOW + PAUSE + WITHIN - timedelta(minutes=1)
        assert known(people, office)


async def test_who_is_signed_out_by_the_identity_desk_is_listed_no_more_until_seen_again(office: Office) -> None:
    """To keep somebody out their account is closed at the provider: then nothing lists them here either."""
    async with process(office) as people:
        people.saw(SERGEANT, NOW, NOW)
        await people.write()
        await office.desk.sign_out("sergeant-1", reason="left the department", until=NOW + timedelta(days=1))
        assert not known(people, office)

        people.saw(SERGEANT, NOW + timedelta(minutes=1), NOW + timedelta(minutes=1))
        await people.write()
        assert known(people, office) == {("sergeant-1", "supervisor")}


async def test_nobody_is_forgotten_because_the_store_could_not_be_written(office: Office) -> None:
    """Who was seen while the store was away is written down when it is there again."""
    database = Database(office.database.path)
    people = People(database, clock=lambda: office.now)
    await database.open()
    people.saw(SERGEANT, NOW, NOW)
    await database.close()
    with pytest.raises(DatabaseUnusable):
        await people.write()

    await database.open()
    await people.write()
    await database.close()
    async with process(office) as there:
        assert known(there, office) == {("sergeant-1", "supervisor")}


@pytest.mark.parametrize(("keys", "expected"), [(True, {"badge-1", "sergeant-1"}), (False, {"sergeant-1"})])
async def test_who_holds_a_key_is_known_only_where_keys_are_taken(office: Office, keys: bool, expected: set[str]) -> None:
    """Where the provider is the only way in, an old key's holder could not come, and is nobody's approver or delegate."""
    await office.desk.add_key(holder("badge-1"))
    async with process(office) as people:
        people.saw(SERGEANT, NOW, NOW)
        await people.write()
        identities = Identities(database=office.database, key=STORE_KEY, people=people, keys=keys)
        assert {each.person for each in identities.holders(office.now)} == expected
