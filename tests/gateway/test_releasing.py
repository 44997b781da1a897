from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.gateway.releasing import releasable, within
from proxy.inquiry.route import Absent, Field, Forward, Route
from proxy.policy.decision import Outcome, Ruling

FIELDS = {
    name: Field(name=name, path=(name,), kind=None, field_class=of)
    for name, of in (("surname", "name"), ("street", "home_address"), ("city", "home_address"), ("ssn", "ssn"))
}
ROUTE = Route(
    id="person-read",
    method="GET",
    path="/persons",
    template=("persons",),
    action="person.read",
    forward=Forward(path=("/persons",)),
    fields=FIELDS,
    absent=Absent(status=404, body=b"{}"),
)
PHOTO = replace(ROUTE, id="photo", fields={}, opaque=True)


def ruling(outcome: Outcome, *masked: str) -> Ruling:
    """Return what a row came to."""
    return Ruling(outcome=outcome, rule="X01", because="a row", masked=frozenset(masked))


def test_the_field_set_is_what_the_ruling_lets_out() -> None:
    """By name; without what is masked, by policy or by the registry; and nothing of what does not leave."""
    assert releasable(ROUTE, ruling(Outcome.PERMIT)) == set(FIELDS)
    assert releasable(ROUTE, ruling(Outcome.MASK, "ssn")) == {"surname", "street", "city"}
    assert releasable(ROUTE, ruling(Outcome.MASK, "ssn"), {"home_address"}) == {"surname"}
    assert releasable(ROUTE, ruling(Outcome.DENY)) == frozenset()
    assert releasable(PHOTO, ruling(Outcome.PERMIT)) == {"opaque"}
    assert releasable(PHOTO, ruling(Outcome.PERMIT), {"photo"}) == frozenset()


@pytest.mark.parametrize("outcome", [Outcome.PERMIT, Outcome.MASK])
def test_nothing_leaves_beyond_the_fields_that_were_agreed_to(outcome: Outcome) -> None:
    """A ruling that has become looser since is masked down to what the supervisor saw, a whole class where any of it is new."""
    found = within(ruling(outcome), ["surname", "street"], ROUTE)

    assert (found.outcome, found.masked) == (Outcome.MASK, frozenset({"home_address", "ssn"}))
    assert releasable(ROUTE, found) <= {"surname", "street"}


def test_what_is_agreed_to_leaves_as_policy_rules() -> None:
    """A ruling within the set is untouched, and so is one under which nothing leaves."""
    for one in (ruling(Outcome.MASK, "ssn"), ruling(Outcome.DENY), ruling(Outcome.CONCEAL)):
        assert within(one, ["surname", "street", "city"], ROUTE) is one


def test_what_cannot_be_masked_stays_here_when_it_was_not_agreed_to() -> None:
    """A photograph that the supervisor was not asked about is denied."""
    assert within(ruling(Outcome.PERMIT), [], PHOTO).outcome is Outcome.DENY
    assert within(ruling(Outcome.PERMIT), ["opaque"], PHOTO).outcome is Outcome.PERMIT
