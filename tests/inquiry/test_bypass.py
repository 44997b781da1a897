"""Ways to spell ``/admin`` that hide it from a front and not from the server behind (985 such payloads leaked 269 times)."""

from __future__ import annotations

import itertools
import posixpath
import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from proxy.inquiry.service import inquire
from proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from proxy.inquiry.inquiry import Inbound
    from proxy.inquiry.route import RouteMap

FRONTS = ("", "/", "/public", "/public/x", "/a/b", "/a/b/c", "/%2e", "/.", "/;", "/.;", "http://h", "//h")
UPS = (
    "/..",
    "/%2e%2e",
    "/.%2e",
    "/%2e.",
    "/%252e%252e",
    "/..;",
    "/..;x=y",
    "/%2e%2e%3b",
    "/..%00",
    "/..%09",
    "/..%20",
    "/...",
    "/....//",
    "/..%5c",
    "\\..",
    "%5c..",
    "%2f..",
    "%2f%2e%2e",
    "%252f..",
    "%c0%af..",
    "/%c0%ae%c0%ae",
    "/%e0%80%ae%e0%80%ae",
    "/%u002e%u002e",
    "/\uff0e\uff0e",
    "/%ef%bc%8e%ef%bc%8e",
    "/~2E~2E",
    "/%7e2E%7e2E",
    "/..%01",
    "/..%0d%0a",
    "/..%ff",
)
ADMINS = (
    "/admin",
    "//admin",
    "/%61dmin",
    "/%2561dmin",
    "/ADMIN",
    "/admin/",
    "/admin;",
    "/admin%20",
    "/admin%00",
    "/admin?",
    "/admin#",
    "%2fadmin",
    "%5cadmin",
    "\\admin",
    "%252fadmin",
    "/./admin",
    "/.;/admin",
    "/admin.json",
    "/admin%2ejson",
    "/admin%3f",
    "/~61dmin",
    "/\uff41dmin",
    "/%ef%bd%81dmin",
    "/admin..;/",
    "/admin/..;/admin",
)


def payloads() -> Iterator[str]:
    """Yield every front with every admin, and with every way up between them."""
    for front, admin in itertools.product(FRONTS, ADMINS):
        yield front + admin
    for front, up, admin in itertools.product(FRONTS[:6], UPS, ADMINS):
        yield front + up + admin
        if front.count("/") > 1:
            yield front + up + up + admin


def views(target: str) -> Iterator[str]:
    """Yield the path as careless servers would read it."""
    path = target.partition("?")[0]
    for _ in range(4):
        for text in (path, path.replace("\\", "/"), unicodedata.normalize("NFKC", path), re.sub(";[^/]*", "", path)):
            for cut in (text, text.partition("\x00")[0], re.sub(r"~([0-9A-Fa-f]{2})", lambda at: chr(int(at[1], 16)), text)):
                # normpath keeps two slashes in front, as POSIX has it; a server does not.
                yield re.sub("^/+", "/", posixpath.normpath(re.sub("/+", "/", cut))).casefold().strip()
        path = unquote(path, errors="replace")


def reaches_admin(target: str) -> bool:
    """Tell whether some careless reading of a target is the hidden path or one below it."""
    return any(re.match(r"/admin(?![a-z0-9])", view) for view in views(target))


def test_the_payloads_are_worth_it() -> None:
    """There are thousands, and many of them reach the hidden path on some careless server."""
    found = list(payloads())

    assert len(found) > 5000
    assert sum(map(reaches_admin, found)) > 985


def test_no_spelling_reaches_the_hidden_path(searching: RouteMap, inbound: Callable[..., Inbound]) -> None:
    """Each payload is refused, or what is forwarded for it is no way to the hidden path, however carelessly it is read."""
    accepted = []
    for payload in payloads():
        try:
            accepted.append(inquire(searching, inbound(payload)).outbound.target)
        except Refusal:
            continue

    assert accepted  # /public/admin is a page like any other
    assert [target for target in accepted if reaches_admin(target)] == []


@pytest.mark.parametrize(
    "target",
    [
        "/records/persons.csv",
        "/records/persons.json",
        "/records/persons/100123.json",
        "/records.json?sql=select+*+from+persons",
        "/records/persons?sql=select+1",
        "/records?sql=select+1",
        "/-/metadata",
        "/-/databases.json",
        "/records/persons/-/blob",
        "/records/persons?_facet=surname",
        "/records/persons?surname=Doe&dob=1980-01-01&_size=max",
        "/records/persons?_where=1=1",
        "/records/persons?surname__contains=a",
        "/records/persons?surname__gt=A&dob=1980-01-01",
        "/records/persons?_search=Doe",
        "/records/persons?_shape=array&ssn=123-45-6789",
        "/records/persons?ssn=123-45-6789&ssn=987-65-4321",
        "/records/persons?SSN=123-45-6789",
        "/records/persons?_next=1",
        "/records/persons?_labels=on",
        "/records/persons/~31~30",
        "/records/persons/%7e31",
        "/records/persons/1,2",
        "/records/persons/1?_extra=query",
        "/records/persons/1?person_id=2",
        "/RECORDS/persons/1",
        "/records/Persons/1",
        "/records/persons/*",
        "/records/persons?surname=*&dob=1980-01-01",
        "/records/persons?surname=D%25&dob=1980-01-01",
        "/records/persons?surname=D_e&dob=1980-01-01",
        "/records/persons?phone=+15551234567",
        "/records/persons?dob=1980&surname=Doe",
        "/records/persons",
        "/records/persons?city=Springfield",
        "/records/addresses?street_name=Elm",
        "/records/persons?surname=Doe&dob=1980-01-01%20or%201",
        "/records/persons/100123%00.csv",
        "/records/persons?given_name=J",
        "/records/vehicles?plate=%5Ba-z%5D",
        "/records/persons/1%2f..%2f2",
    ],
)
def test_the_records_server_offers_more_than_its_routes(
    shipped: RouteMap, inbound: Callable[..., Inbound], target: str
) -> None:
    """Exports, SQL, facets, operators, wildcards, escapes of its own: everything that the route map does not say is refused."""
    with pytest.raises(Refusal):
        inquire(shipped, inbound(target))
