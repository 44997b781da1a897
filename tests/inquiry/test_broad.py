"""Searches by less than says whom: prefixes, ranges, descriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.document import DocumentInvalid
from proxy.inquiry.inquiry import ParameterInvalid, RequestNotCanonical, TooBroad
from proxy.inquiry.service import inquire

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.inquiry.inquiry import Inbound
    from proxy.inquiry.route import RouteMap

    Written = Callable[[str], RouteMap]

ROUTES = """\
routes:
  person-search:
    method: GET
    path: /persons
    action: person.search
    params:
      surname: {{kind: surname}}
      person_id: {{kind: person_id}}
      prefix: {{kind: {kind}, match: {match}, {least}}}
      sex: {{enum: [F, M]}}
    require: [{require}]
    broad: {{action: {action}, require: [{broad}], most: {most}}}
    forward: {{path: /persons.json}}
    records: $[*]
    fields:
      person_id: {{kind: person_id, class: identifier}}
    most: 50
    cut: {cut}
    absent: {{status: 200, body: []}}
"""
GOOD = {
    "kind": "surname", "match": "prefix", "least": "least: 3", "require": "[surname]", "action": "person.browse",
    "broad": "[prefix]", "most": "25", "cut": "201",
}  # fmt: skip


@pytest.mark.parametrize(
    ("query", "action", "forwarded"),
    [
        (
            "surname=Doe&dob_from=1980-01-01&dob_to=1980-12-31",
            "person.browse",
            "surname=Doe&dob__gte=1980-01-01&dob__lte=1980-12-31",
        ),
        ("surname_prefix=Qui&given_name=Ada", "person.browse", "given_name=Ada&surname__startswith=Qui"),
        ("given_name=Ada&sex=F&race=W", "person.browse", "given_name=Ada&sex=F&race=W"),
        ("given_name=Ada&surname=Doe", "person.search", "given_name=Ada&surname=Doe"),
        ("given_name=Ada&surname=Doe&sex=F", "person.browse", "given_name=Ada&surname=Doe&sex=F"),
        ("ssn=219-09-9999&dob_to=1980-12-31", "person.browse", "ssn=219-09-9999&dob__lte=1980-12-31"),
    ],
)
def test_a_search_is_broad_by_what_nobody_can_be_recognized_by(
    shipped: RouteMap, inbound: Callable[..., Inbound], query: str, action: str, forwarded: str
) -> None:
    """A prefix, a range or a description makes a search the broad one, also beside what would be enough without it."""
    inquiry = inquire(shipped, inbound(f"/records/persons?{query}"))

    assert (inquiry.action, inquiry.broad) == (action, action == "person.browse")
    assert inquiry.most == (25 if inquiry.broad else 100)
    assert inquiry.outbound.target == f"/records/persons.json?{forwarded}&_shape=array&_size=201&_nocount=1"


def test_a_part_is_written_down_and_recognizes_nobody(shipped: RouteMap, inbound: Callable[..., Inbound]) -> None:
    """What is no criterion is kept for the log, under the parameter's own name."""
    inquiry = inquire(shipped, inbound("/records/persons?surname_prefix=Qui&given_name=Ada&sex=F"))

    assert inquiry.criteria == {"given_name": ("Ada",)}
    assert inquiry.partial == {"surname_prefix": "Qui", "sex": "F"}


@pytest.mark.parametrize(
    "query", ["surname_prefix=Qui", "sex=F&race=W", "dob_from=1980-01-01&dob_to=1980-12-31", "surname=Doe"]
)
def test_less_than_the_broad_combinations_is_too_broad(shipped: RouteMap, inbound: Callable[..., Inbound], query: str) -> None:
    """Nothing is searched that no combination lists."""
    with pytest.raises(TooBroad):
        inquire(shipped, inbound(f"/records/persons?{query}"))


@pytest.mark.parametrize("value", ["Qu", "Q'u", "Q.-", "Qu_", "Qui_", "Qu%25", "Qui*", "Q?i", "Qui%5B", "Qu%C3%AD%25"])
def test_a_prefix_is_letters_and_enough_of_them(shipped: RouteMap, inbound: Callable[..., Inbound], value: str) -> None:
    """Neither punctuation nor a wildcard of the records server makes a short prefix long."""
    with pytest.raises((ParameterInvalid, RequestNotCanonical)):
        inquire(shipped, inbound(f"/records/persons?surname_prefix={value}&given_name=Ada"))


@given(st.text(alphabet="QUI_%*?[]\\~é '", min_size=3, max_size=8))
def test_no_wildcard_reaches_the_records_server(shipped: RouteMap, inbound: Callable[..., Inbound], value: str) -> None:
    """Whatever is sent as a prefix or as a plate: what is forwarded holds no character that stands for others."""
    for query in ({"surname_prefix": value, "given_name": "Ada"}, {"surname": value, "given_name": "Ada"}):
        try:
            inquiry = inquire(shipped, inbound(f"/records/persons?{urlencode(query)}"))
        except (ParameterInvalid, RequestNotCanonical):
            continue
        assert not set(value) & set("_%*?[]\\")
        assert "given_name" in inquiry.criteria


MISTAKES = {
    "a prefix that is enough": ({"require": "[prefix]", "broad": "[sex]"}, "nobody can be recognized by 'prefix'"),
    "a prefix of a number": ({"kind": "ssn"}, "a part of a ssn is no ssn"),
    "a prefix of a date": ({"kind": "dob"}, "a part of a dob is no dob"),
    "a range of names": ({"match": "from", "least": "required: false"}, "only dates have a range"),
    "a least length of a whole value": ({"match": "exact"}, "only a prefix has a least length"),
    "one action for both": ({"action": "person.search"}, "could not tell the broad search"),
    "a stranger": ({"broad": "[prefixed]"}, "did you mean 'prefix'"),
    "enough already": ({"broad": "[surname, sex]"}, "enough for the route's own action already"),
    "nothing": ({"broad": ""}, "at least 1 item"),
    "more than the other": ({"most": "51"}, "no more than the other: 50"),
    "no way that is not broad": ({"require": ""}, "without `require`"),
    "a cut that hides the bound": ({"cut": "50"}, "would be cut before"),
}


@pytest.mark.parametrize(("changes", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_a_broad_route_is_told(written: Written, changes: dict[str, str], says: str) -> None:
    """Who writes a route learns what a prefix cannot be, and where it would open more than policy was asked about."""
    written(ROUTES.format_map(GOOD))

    with pytest.raises(DocumentInvalid) as invalid:
        written(ROUTES.format_map(GOOD | changes))

    assert any(says in f"{mistake.message} {mistake.help}" for mistake in invalid.value.mistakes), invalid.value
