"""How the records server is asked about an enrolled person: by every road that the route map has and the entry can fill.

Records servers compare texts, so a number or a name is asked for in the few spellings that records are kept in.
"""

from __future__ import annotations

import unicodedata
from itertools import islice, product
from typing import TYPE_CHECKING, Final

from proxy.inquiry.service import inquiry_of
from proxy.registry import normalize
from proxy.registry.candidates import gives_homes
from proxy.registry.person import NORMAL_FORMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from proxy.inquiry.inquiry import Inquiry
    from proxy.inquiry.parameter import Parameter
    from proxy.inquiry.route import Route
    from proxy.registry.person import Home, Identifiers

Criteria = dict[str, tuple[str, ...]]

MOST_SPELLINGS: Final = 12
"""Of one way to ask on one route."""
MOST_QUESTIONS: Final = 96
"""About one person at a time; the roads to a record's id are asked first."""


def about(who: Identifiers) -> list[Criteria]:
    """Return what is known of a person, to be asked for: what belongs to the person, and each home by itself.

    Once a record's id is known, the person's own record has brought the records server's own spellings.
    """
    spelled = _spellings if not who.person_ids else _as_written
    person: Criteria = {"given_name": (who.given_name,), "middle_name": (who.middle_name,), "surname": (who.surname,)}
    person |= {"suffix": (who.suffix,), "dob": (normalize.dob(who.dob),), "alias": who.aliases, "name": tuple(_written(who))}
    for kind, (attribute, _) in NORMAL_FORMS.items():
        person[kind] = tuple(dict.fromkeys(form for text in getattr(who, attribute) for form in spelled(kind, text)))
    return [_filled(person), *map(at, who.homes)]


def at(home: Home) -> Criteria:
    """Return an address, to be asked for."""
    unit, city, state = (home.unit,), (home.city,), (home.state,)
    return _filled({"street": (home.street,), "unit": unit, "city": city, "state": state, "postal_code": (home.postal_code,)})


def questions(routes: Iterable[Route], criteria: Iterable[Criteria]) -> list[Inquiry]:
    """Return the inquiries that routes offer for these criteria, none twice; they have no query id yet."""
    found: dict[tuple[str, str, bytes | None], Inquiry] = {}
    known = list(criteria)
    for route in sorted(routes, key=lambda route: (not route.path_parameters, route.id)):
        if route.records is None or route.opaque:
            continue
        for each in known:
            # Who else was at an address is not asked: only who lives there.
            for values in _ways(route, each) if "street" not in each or gives_homes(route) else ():
                inquiry = inquiry_of(route, values, query_id="")
                out = inquiry.outbound
                found.setdefault((out.method, out.target, out.body), inquiry)
    return list(found.values())[:MOST_QUESTIONS]


def _ways(route: Route, criteria: Criteria) -> Iterator[dict[str, str]]:
    """Yield the values of every sufficient set of a route's parameters that the criteria can fill."""
    declared = {each.name: each for each in _declared(route)}
    always = {each.name for each in route.path_parameters} | {name for name, each in declared.items() if each.required}
    for enough in route.require or (frozenset[str](),):
        names = sorted(always | enough)
        if not names:
            continue
        choices = [_admitted(declared[name], criteria) for name in names]
        for values in islice(product(*choices), MOST_SPELLINGS):
            yield dict(zip(names, values, strict=True))


def _admitted(parameter: Parameter, criteria: Criteria) -> Sequence[str]:
    if parameter.kind is None:
        return ()
    return [text for text in criteria.get(parameter.kind, ()) if parameter.admits(text)]


def _declared(route: Route) -> Iterator[Parameter]:
    yield from route.path_parameters
    yield from route.query.values()
    yield from (route.body or {}).values()


def _as_written(_kind: str, text: str) -> Iterator[str]:
    yield text


def _spellings(kind: str, text: str) -> Iterator[str]:
    yield text
    normal = NORMAL_FORMS[kind][1](text)
    if not normal:
        return
    digits = "".join(filter(str.isdigit, normal))
    if kind == "ssn" and len(digits) == 9:
        yield from (f"{digits[:3]}-{digits[3:5]}-{digits[5:]}", digits)
    elif kind == "phone" and len(digits) >= 10:
        last = digits[-10:]
        yield from (f"+1{last}", last, f"{last[:3]}-{last[3:6]}-{last[6:]}")
    elif kind in {"plate", "vin", "license"}:
        yield normal.upper()
    elif kind == "email":
        yield normal


def _written(who: Identifiers) -> Iterator[str]:
    if who.given_name and who.surname:
        yield f"{who.given_name} {who.surname}"
        if who.middle_name:
            yield f"{who.given_name} {who.middle_name} {who.surname}"
        yield f"{who.surname}, {who.given_name} {who.middle_name}".rstrip()


def _filled(criteria: Mapping[str, tuple[str, ...]]) -> Criteria:
    composed = {kind: tuple(unicodedata.normalize("NFC", text) for text in texts if text) for kind, texts in criteria.items()}
    return {kind: texts for kind, texts in composed.items() if texts}
