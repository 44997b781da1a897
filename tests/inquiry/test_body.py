from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.inquiry.body import MAX_BODY
from proxy.inquiry.inquiry import (
    BodyTooLarge,
    BodyUnreadable,
    MediaTypeUnsupported,
    ParameterDuplicate,
    ParameterInvalid,
    ParameterUnknown,
    RequestNotCanonical,
    TooBroad,
)
from proxy.inquiry.service import inquire
from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.inquiry.inquiry import Inbound, Inquiry
    from proxy.inquiry.route import RouteMap

    Ask = Callable[..., Inquiry]


@pytest.fixture(scope="module")
def search(searching: RouteMap, inbound: Callable[..., Inbound]) -> Ask:
    """Provide a POST search by the text of its body."""

    def ask(body: str | bytes, target: str = "/search") -> Inquiry:
        return inquire(searching, inbound(target, "POST", json=body.encode() if isinstance(body, str) else body))

    return ask


def test_a_body_is_matched_and_built_anew(search: Ask) -> None:
    """Criteria come from the declared fields; what is forwarded holds these alone, under the records server's names."""
    inquiry = search(
        '{ "born": {"on": "1980-01-02"}, "surname": "O\\u0027Brien", "given_name": "Zoe\\u0308" }', "/search?page=2"
    )

    assert inquiry.criteria == {"surname": ("O'Brien",), "given_name": ("Zo\u00eb",), "dob": ("1980-01-02",)}
    assert inquiry.outbound.method == "POST"
    assert inquiry.outbound.target == "/api/find?p=2&limit=11"
    assert inquiry.outbound.content_type == "application/json"
    assert inquiry.outbound.body is not None
    assert inquiry.outbound.body.decode() == '{"name":{"family":"O\'Brien","given":"Zo\u00eb"},"dob":"1980-01-02"}'


def test_two_parameters_of_a_kind_are_both_criteria(search: Ask) -> None:
    """A phone is looked for among phones, whichever field it came in."""
    assert search('{"phone": "+1555", "mobile": "+1666"}').criteria == {"phone": ("+1555", "+1666")}


@pytest.mark.parametrize("number", ["7", "100123", "9007199254740993", "1" * 60])
def test_a_number_of_any_size_survives(search: Ask, number: str) -> None:
    """No float comes between: 2**53 + 1 and sixty digits arrive as they were."""
    inquiry = search(f'{{"person_id": {number}}}')

    assert inquiry.criteria == {"person_id": (number,)}
    assert inquiry.outbound.body == f'{{"person_id":{number}}}'.encode()


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ("", BodyUnreadable),
        ("[]", BodyUnreadable),
        ('"a"', BodyUnreadable),
        ("null", BodyUnreadable),
        ("{", BodyUnreadable),
        ('{"person_id": 1} x', BodyUnreadable),
        ('{"person_id": 1}{}', BodyUnreadable),
        ('{"person_id": 1,}', BodyUnreadable),
        ("{'person_id': 1}", BodyUnreadable),
        ('\ufeff{"person_id": 1}', BodyUnreadable),
        ('{"person_id": NaN}', BodyUnreadable),
        ('{"person_id": Infinity}', BodyUnreadable),
        ('{"person_id": 01}', BodyUnreadable),
        ('{"phone": "+1\t555"}', BodyUnreadable),
        (b'{"surname": "M\xfcller"}', BodyUnreadable),
        ('{"person_id": 1}'.encode("utf-16"), BodyUnreadable),
        ('{"person_id": ' + "[" * 100_000, BodyTooLarge),
        ('{"person_id": ' + "[" * 5_000 + "]" * 5_000 + "}", BodyUnreadable),
        ('{"person_id": ' + "9" * 5_000 + "}", ParameterInvalid),
        ('{"person_id": 1, "person_id": 2}', ParameterDuplicate),
        ('{"person_id": 1, "person_id": 1}', ParameterDuplicate),
        ('{"person_id": 1, "\\u0070erson_id": 2}', ParameterDuplicate),
        ('{"person_id": 1, "born": {"on": "1980-01-02", "on": "1980-01-03"}}', ParameterDuplicate),
        ('{"person_id": 1, "x": {"a": 1, "a": 2}}', ParameterDuplicate),
        ('{"person_id": 1, "sql": "select 1"}', ParameterUnknown),
        ('{"person_id": 1, "": ""}', ParameterUnknown),
        ('{"person_id": 1, "Person_id": 2}', ParameterUnknown),
        ('{"person_id": 1, "born.on": "1980-01-02"}', ParameterUnknown),
        ('{"person_id": 1, "born": {"at": "x"}}', ParameterUnknown),
        ('{"person_id": 1, "born": "1980-01-02"}', ParameterUnknown),
        ('{"person_id": 1, "bor": {"on": "1980-01-02"}}', ParameterUnknown),
        ('{"person_id": 1, "page": "1"}', ParameterUnknown),
        ('{"person_id": 1, "__proto__": {}}', ParameterUnknown),
        ('{"person_id": "1"}', ParameterInvalid),
        ('{"person_id": 1.0}', ParameterInvalid),
        ('{"person_id": 1e3}', ParameterInvalid),
        ('{"person_id": -1}', ParameterInvalid),
        ('{"person_id": -0}', ParameterInvalid),
        ('{"person_id": true}', ParameterInvalid),
        ('{"person_id": null}', ParameterInvalid),
        ('{"person_id": [1]}', ParameterInvalid),
        ('{"person_id": {"$gt": 0}}', ParameterInvalid),
        ('{"phone": 15551234567}', ParameterInvalid),
        ('{"phone": ["+1555"]}', ParameterInvalid),
        ('{"phone": "*"}', ParameterInvalid),
        ('{"phone": ""}', ParameterInvalid),
        ('{"phone": "+1555\\u0000"}', RequestNotCanonical),
        ('{"surname": "D\\u200boe", "born": {"on": "1980-01-02"}}', RequestNotCanonical),
        ('{"surname": "D\\ud800", "born": {"on": "1980-01-02"}}', RequestNotCanonical),
        ('{"surname": "Doe%", "born": {"on": "1980-01-02"}}', RequestNotCanonical),
        ('{"surname": "Doe"}', TooBroad),
        ("{}", TooBroad),
    ],
)
def test_a_body_with_another_reading_is_refused(search: Ask, body: str | bytes, refusal: type[Refusal]) -> None:
    """Not one object, not UTF-8, a key twice or unknown, a value of another kind."""
    with pytest.raises(refusal):
        search(body)


def test_a_body_has_a_bound(search: Ask) -> None:
    """One byte more than allowed is too large, whatever it says."""
    body = b'{"person_id": 1}'

    assert search(body.ljust(MAX_BODY)).criteria
    with pytest.raises(BodyTooLarge):
        search(body.ljust(MAX_BODY + 1))


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Content-Type", "text/plain")],
        [("Content-Type", "application/x-www-form-urlencoded")],
        [("Content-Type", "multipart/form-data; boundary=x")],
        [("Content-Type", "application/json; charset=utf-16")],
        [("Content-Type", "application/json; charset=utf-8; x=y")],
        [("Content-Type", "application/json"), ("Content-Encoding", "gzip")],
        [("Content-Type", "application/json"), ("content-encoding", "br")],
    ],
)
def test_only_plain_json_is_read(searching: RouteMap, inbound: Callable[..., Inbound], headers: list[tuple[str, str]]) -> None:
    """Forms, other charsets and compressed bodies are no bodies here."""
    with pytest.raises(MediaTypeUnsupported):
        inquire(searching, inbound("/search", "POST", headers=headers, body=b'{"person_id": 1}'))


@pytest.mark.parametrize(
    "media_type", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_json_by_any_proper_name_is_read(searching: RouteMap, inbound: Callable[..., Inbound], media_type: str) -> None:
    """Case, quotes and the charset that JSON has anyway do not matter."""
    headers = [("Content-Type", media_type), ("Content-Encoding", "identity")]

    assert inquire(searching, inbound("/search", "POST", headers=headers, body=b'{"person_id": 1}')).criteria


def test_two_content_types_are_none(searching: RouteMap, inbound: Callable[..., Inbound]) -> None:
    """Which one counts would depend on who reads."""
    headers = [("Content-Type", "application/json"), ("content-type", "text/plain")]

    with pytest.raises(RequestNotCanonical):
        inquire(searching, inbound("/search", "POST", headers=headers, body=b'{"person_id": 1}'))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.just("born"), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["surname", "given_name", "person_id", "phone", "mobile", "born", "x"])
WORDS = st.sampled_from(["Doe", "+1555", "1980-01-02", "O'Brien", "\u00dcnal"])


@given(st.dictionaries(NAMES, JSON | WORDS | st.integers(min_value=0) | st.fixed_dictionaries({"on": WORDS}), max_size=5))
@settings(max_examples=200)
def test_what_is_forwarded_says_what_was_matched(search: Ask, body: dict[str, object]) -> None:
    """Whatever comes in: it is refused, or exactly the criteria go out."""
    try:
        inquiry = search(json.dumps(body))
    except Refusal:
        return

    assert inquiry.outbound.body is not None
    sent = json.loads(inquiry.outbound.body)
    flat = [*sent.pop("name", {}).values(), *sent.values()]
    assert sorted(map(str, flat)) == sorted(value for values in inquiry.criteria.values() for value in values)
