from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from proxy.inquiry.inquiry import Inbound
from proxy.inquiry.routes import load_routes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from proxy.inquiry.route import RouteMap

ROOT = Path(__file__).parents[2]


def request(
    target: str, method: str = "GET", *, headers: Iterable[tuple[str, str]] = (), body: bytes = b"", json: bytes | None = None
) -> Inbound:
    """Make an inbound request; ``json`` is a body with its proper header."""
    fields = (*headers, ("Content-Type", "application/json")) if json is not None else tuple(headers)
    return Inbound(
        query_id="q1",
        source="192.0.2.1",
        method=method,
        target=target,
        headers=fields,
        body=body if json is None else json,
    )


@pytest.fixture(scope="session")
def inbound() -> Callable[..., Inbound]:
    """Provide the maker of inbound requests."""
    return request


@pytest.fixture(scope="session")
def shipped() -> RouteMap:
    """Provide the route map as shipped."""
    return load_routes(ROOT / "policies" / "routes.yaml")


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], RouteMap]:
    """Provide the way from the text of a route map to the route map."""

    def read(text: str) -> RouteMap:
        path = tmp_path_factory.mktemp("routes") / "routes.yaml"
        path.write_text(dedent(text))
        return load_routes(path)

    return read


@pytest.fixture(scope="session")
def searching(written: Callable[[str], RouteMap]) -> RouteMap:
    """Provide a route map with a POST search, and paths beside a hidden one."""
    return written(
        """
        shapes:
          person:
            person_id: {kind: person_id, class: identifier}
            home.street: {kind: street, class: home_address}
        routes:
          search:
            method: POST
            path: /search
            action: person.search
            params:
              page: {enum: ["1", "2"]}
            body:
              surname: {kind: surname}
              given_name: {kind: given_name}
              born.on: {kind: dob}
              person_id: {kind: person_id, integer: true}
              phone: {kind: phone}
              mobile: {kind: phone}
            require:
              - [surname, born.on]
              - [person_id]
              - [phone]
            forward:
              path: /api/find
              query: {limit: 11}
              rename: {surname: name.family, given_name: name.given, born.on: dob, page: p}
            records: $.result.rows[*].record
            shape: person
            envelope: {count: drop, result.next: keep}
            absent: {status: 200, body: {result: {rows: []}}}
          public:
            method: GET
            path: /public/{page}
            action: page.read
            params:
              page: {pattern: "[^/]+"}
            forward: {path: "/public/{page}"}
            records: $
            shape: person
            absent: {status: 404, body: null}
          deep:
            method: GET
            path: /a/{one}/{two}
            action: page.read
            params:
              one: {pattern: ".+"}
              two: {pattern: ".+"}
            forward: {path: "/a/{one}/{two}"}
            records: $
            shape: person
            absent: {status: 404, body: null}
          list:
            method: GET
            path: /public
            action: page.read
            params:
              q: {pattern: ".+", required: true}
            forward: {path: /public}
            records: $[*]
            shape: person
            absent: {status: 200, body: []}
        """
    )
