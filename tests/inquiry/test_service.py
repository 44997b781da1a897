from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.inquiry.inquiry import (
    BodyUnreadable,
    MethodNotAllowed,
    ParameterInvalid,
    ParameterUnknown,
    RouteUnknown,
    TooBroad,
)
from proxy.inquiry.service import inquire

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.inquiry.inquiry import Inbound
    from proxy.inquiry.route import RouteMap


@pytest.mark.parametrize(
    ("target", "meaning", "forwarded"),
    [
        ("/records/persons/100123", ("person.read", {"person_id": ("100123",)}), "/records/persons/100123.json?_shape=array"),
        (
            "/records/persons?dob=1980-01-02&surname=O%27Brien",
            ("person.search", {"surname": ("O'Brien",), "dob": ("1980-01-02",)}),
            "/records/persons.json?surname=O%27Brien&dob=1980-01-02&_shape=array&_size=201&_nocount=1",
        ),
        (
            "/records/persons?mobile=%2B15551234567",
            ("person.search", {"phone": ("+15551234567",)}),
            "/records/persons.json?mobile=%2B15551234567&_shape=array&_size=201&_nocount=1",
        ),
        (
            "/records/vehicles?plate=7ABC123",
            ("vehicle.read", {"plate": ("7ABC123",)}),
            "/records/vehicles.json?plate=7ABC123&_shape=array&_size=201&_nocount=1",
        ),
        (
            "/records/warrants?name=Jane+Q.+Doe&dob=1980-01-02",
            ("warrant.search", {"name": ("Jane Q. Doe",), "dob": ("1980-01-02",)}),
            "/records/warrants.json?name=Jane%20Q.%20Doe&dob=1980-01-02&_shape=array&_size=201&_nocount=1",
        ),
        (
            "/records/incidents?case_number=26-004217",
            ("incident.search", {"case": ("26-004217",)}),
            "/records/incidents.json?case_number=26-004217&_shape=array&_size=201&_nocount=1",
        ),
        (
            "/records/addresses?street=12+Elm+Street&unit=4B",
            ("address.search", {"street": ("12 Elm Street",), "unit": ("4B",)}),
            "/records/addresses.json?street=12%20Elm%20Street&unit=4B&_shape=array&_size=201&_nocount=1",
        ),
        (
            "/records/addresses?street_name=Elm+Street&city=Springfield",
            ("address.browse", {"city": ("Springfield",)}),
            "/records/addresses.json?street_name=Elm%20Street&city=Springfield&_shape=array&_size=201&_nocount=1",
        ),
    ],
)
def test_a_request_becomes_an_inquiry(
    shipped: RouteMap,
    inbound: Callable[..., Inbound],
    target: str,
    meaning: tuple[str, dict[str, tuple[str, ...]]],
    forwarded: str,
) -> None:
    """The shipped routes say what each query means, and build what is forwarded in one order."""
    inquiry = inquire(shipped, inbound(target))

    assert (inquiry.action, inquiry.criteria) == meaning
    assert (inquiry.outbound.method, inquiry.outbound.target, inquiry.outbound.body) == ("GET", forwarded, None)
    assert inquiry.query_id == "q1"


def test_the_order_of_parameters_does_not_matter(shipped: RouteMap, inbound: Callable[..., Inbound]) -> None:
    """Two requests that mean the same are forwarded as the same bytes."""
    one, other = "/records/persons?dob=1980-01-02&surname=Doe", "/records/persons?surname=%44oe&dob=1980-01-02"

    assert inquire(shipped, inbound(one)).outbound == inquire(shipped, inbound(other)).outbound


HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "X-HTTP-Method-Override",
                "X-Original-URL",
                "X-Rewrite-URL",
                "Range",
                "If-Range",
                "If-None-Match",
                "If-Modified-Since",
                "Forwarded",
                "X-Forwarded-For",
                "X-Forwarded-Host",
                "X_User",
                "X-User",
                "Host",
                "Connection",
                "Upgrade",
                "TE",
                "Expect",
                "Cookie",
                "Accept",
                "Accept-Encoding",
                "Content-Type",
                "Content-Encoding",
                "Transfer-Encoding",
                "Via",
                "Prefer",
            ],
        ),
        st.sampled_from(["DELETE", "/admin", "bytes=0-1", '"etag"', "chief", "evil.test", "Authorization", "h2c", "gzip"]),
    ),
    max_size=6,
)


@given(HEADERS)
@settings(max_examples=100)
def test_no_header_changes_what_is_asked(
    shipped: RouteMap, inbound: Callable[..., Inbound], headers: list[tuple[str, str]]
) -> None:
    """Overrides, other targets, ranges, validators: the inquiry is the same with them and without."""
    plain = inquire(shipped, inbound("/records/persons/100123"))
    decorated = inquire(shipped, inbound("/records/persons/100123", headers=headers))

    assert decorated == plain


@pytest.mark.parametrize(
    "method",
    ["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "Get", "GET ", "", "PROPFIND", "\u0130"],
)
def test_a_known_path_answers_its_methods_only(shipped: RouteMap, inbound: Callable[..., Inbound], method: str) -> None:
    """Methods are exact; the refusal lists those there are."""
    with pytest.raises(MethodNotAllowed) as refusal:
        inquire(shipped, inbound("/records/persons/100123", method))

    assert refusal.value.extras == {"allow": ["GET"]}


@pytest.mark.parametrize(
    "target", ["/", "/records", "/records/persons/1/2", "/admin", "/records/person/1", "/Records/persons/1"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_no_route_no_entry(shipped: RouteMap, inbound: Callable[..., Inbound], target: str, method: str) -> None:
    """What the route map does not know does not exist, whatever the method."""
    with pytest.raises(RouteUnknown):
        inquire(shipped, inbound(target, method))


def test_a_body_without_use_is_refused(shipped: RouteMap, inbound: Callable[..., Inbound]) -> None:
    """A GET that carries a body could be read by it (request smuggling, method override)."""
    with pytest.raises(BodyUnreadable):
        inquire(shipped, inbound("/records/persons/100123", json=b"{}"))


def test_an_unknown_parameter_is_refused_with_a_hint(shipped: RouteMap, inbound: Callable[..., Inbound]) -> None:
    """The detail names the parameter that was probably meant, from our list and not from what was sent."""
    with pytest.raises(ParameterUnknown, match="did you mean 'surname'") as refusal:
        inquire(shipped, inbound("/records/persons?surnam=Doe"))

    assert "surname" in refusal.value.extras["known"]  # type: ignore[operator]


@pytest.mark.parametrize(
    "target", ["/records/persons", "/records/persons?surname=Doe", "/records/persons?city=Springfield&dob=1980-01-02"]
)
def test_too_little_is_too_broad(shipped: RouteMap, inbound: Callable[..., Inbound], target: str) -> None:
    """Without one of the combinations that are enough, nobody is searched for; the detail lists them."""
    with pytest.raises(TooBroad, match="dob with surname"):
        inquire(shipped, inbound(target))


def test_a_required_parameter_is_asked_for(searching: RouteMap, inbound: Callable[..., Inbound]) -> None:
    """Its absence is told by name."""
    with pytest.raises(ParameterInvalid, match="'q' is missing"):
        inquire(searching, inbound("/public"))


@pytest.mark.parametrize(
    "target",
    [
        "/records/persons/a_b",
        "/records/persons/-1",
        "/records/persons/" + "1" * 65,
        "/records/persons?ssn=1234-56-789",
        "/records/persons?ssn=123456789012",
        "/records/persons?dob=02.01.1980&surname=Doe",
        "/records/persons?dob=1980-13-01&surname=Doe",
        "/records/persons?email=a",
        "/records/persons?phone=call%20me",
        "/records/vehicles?vin=IOQ",
        "/records/persons?surname=1&dob=1980-01-02",
        "/records/persons?surname=%3Cb%3E&dob=1980-01-02",
        "/records/persons?surname=%22Doe%22&dob=1980-01-02",
        "/records/persons?dob=%D9%A1%D9%A9%D9%A8%D9%A0-01-02&surname=Doe",
        "/records/persons?ssn=%D9%A1%D9%A223-45-6789",
    ],
)
def test_a_value_is_of_its_kind(shipped: RouteMap, inbound: Callable[..., Inbound], target: str) -> None:
    """Dates are dates and numbers are ASCII digits; the refusal says what can be sent and not what was."""
    with pytest.raises(ParameterInvalid, match="send"):
        inquire(shipped, inbound(target))


@pytest.mark.parametrize(
    "name",
    [
        "O'Brien",
        "D\u2019Arcy",
        "M\u00fcller-L\u00fcdenscheidt",
        "de la Cruz, Jr.",
        "Nguy\u1ec5n",
        "\u674e",
        "\u0416\u0443\u043a\u043e\u0432",
        "\u1e8c\u0323a",
    ],
)
def test_names_of_all_the_world_are_names(shipped: RouteMap, inbound: Callable[..., Inbound], name: str) -> None:
    """Letters of any script, apostrophes, hyphens and marks that have no letter of their own."""
    inquiry = inquire(shipped, inbound(f"/records/persons?dob=1980-01-02&surname={quote(name)}"))

    assert len(inquiry.criteria["surname"]) == 1
