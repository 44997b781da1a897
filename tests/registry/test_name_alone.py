"""A name alone, where many are enrolled: who is meant plays no part."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import pytest

from proxy.registry.index import Index
from proxy.registry.lines import criteria
from proxy.registry.person import Entry, Identifiers
from proxy.registry.profile import Profile, derive
from proxy.registry.recognition import enough
from proxy.registry.service import Registry
from proxy.registry.store import RegistryUnreadable
from proxy.registry.thresholds import Thresholds
from proxy.registry.tokens import Tokens
from tests.registry.conftest import KEY, MAYOR

if TYPE_CHECKING:
    from proxy.registry.index import Findings
    from tests.registry.conftest import Office

TOKENS: Final = Tokens(bytes(32))
GIVENS: Final = ("James", "Jamie", "Mary Ann", "Ida", "Zebulon", "Thomas")
SURNAMES: Final = ("Smith", "Schmidt", "Quist", "Whitcombe", "Thomas", "Garcia Lopez")

OTHER = {"given_name": "Ruben", "surname": "Marsh", "dob": "1960-01-02", "category": "victim", "basis": "order"}


async def knowing(office: Office, name_alone_up_to: int) -> Registry:
    """Return a registry of two, under a policy that lets a name alone pass up to so many."""
    await office.enroll(MAYOR, OTHER)
    registry = Registry(office.database, KEY, lambda: office.now, thresholds=Thresholds(name_alone_up_to=name_alone_up_to))
    await registry.refresh()
    return registry


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"given_name": "Eleanor", "surname": "Whitcombe"}, True),
        ({"given_name": "Zacharias", "surname": "Zzyzx"}, True),
        ({"given_name": "Eleanor", "middle_name": "R", "surname": "Whitcombe", "suffix": "Jr"}, True),
        ({"name": "WHITCOMBE, Eleanor"}, True),
        ({"alias": "Ellie"}, True),
        ({"given_name": "Eleanor", "surname": "Whitcombe", "city": "Springfield"}, True),
        ({"city": "Springfield"}, False),
        ({"given_name": "Eleanor", "surname": "Whitcombe", "dob": "1961-03-09"}, False),
        ({"surname": "Whitcombe", "street": "17 Elm Street"}, False),
        ({"ssn": "518-22-4471"}, False),
        ({}, False),
    ],
)
async def test_nothing_but_a_name_is_asked_for_more(office: Office, fields: dict[str, Any], asked: bool) -> None:
    """In whichever fields, of whomever; anything beside it is enough."""
    registry = await knowing(office, 1)

    assert registry.recognizer.asks_for_more(criteria(fields) if fields else {}) is asked


async def test_up_to_the_stated_size_a_name_is_enough(office: Office) -> None:
    """With as many enrolled as the policy says, a name alone is recognized; with one more it is asked for more."""
    registry = await knowing(office, 2)
    name = criteria({"name": "Eleanor Whitcombe"})
    assert not registry.recognizer.asks_for_more(name)

    await office.enroll({"given_name": "Ida", "surname": "Quist", "dob": "1971-01-02", "category": "victim", "basis": "order"})
    await registry.refresh()

    assert registry.recognizer.asks_for_more(name)


async def test_before_anything_is_loaded_nobody_can_say(office: Office) -> None:
    """A registry that is not there is no small one."""
    with pytest.raises(RegistryUnreadable):
        office.another().recognizer.asks_for_more(criteria({"name": "Eleanor Whitcombe"}))


@pytest.fixture(scope="module")
def index() -> Index:
    """Return an index of persons of many given names and surnames, common and rare."""
    index = Index(TOKENS)
    for number, (given, surname) in enumerate(product(GIVENS, SURNAMES)):
        who = Identifiers(given_name=given, surname=surname)
        entry = Entry(
            id=f"p{number}", category="victim", basis="order", household="", enrolled_by="steward",
            enrolled_at=datetime(2026, 11, 23, tzinfo=UTC), expires=None, identifiers=who,
        )  # fmt: skip
        index.add(Profile(derive(entry, TOKENS), TOKENS))
    return index


@pytest.mark.parametrize("least", [8.0, 12.0, 16.0, 20.0, 24.0, 30.0])
def test_whom_no_name_could_mean_need_not_be_compared(index: Index, least: float) -> None:
    """Whoever only resembles one of two names is left out where both could not be enough: who is recognized is the same."""
    compared = 0
    for given, surname in product((*GIVENS, "Jmaes", "Idda", "J", "Quisst"), (*SURNAMES, "Smithe", "Qiust", "Whitcomb")):
        for fields in ({"given_name": given, "surname": surname}, {"given_name": surname, "surname": given}):
            everybody, asked = index.find(criteria(fields)), index.find(criteria(fields), lambda: least)
            compared += len(everybody) - len(asked)

            assert met(asked, least) == met(everybody, least), fields

    assert compared > 0 or least < 30


def met(found: Findings, threshold: float) -> set[str]:
    """Return who is recognized where so many bits are enough."""
    return {profile.owner.id for profile, (roads, evidence) in found.items() if enough(roads, evidence, threshold)}
