"""From an HTTP request to an inquiry: one reading, one route, declared criteria, and the request that will be forwarded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from proxy.document import suggest
from proxy.inquiry.body import read_body, write_body
from proxy.inquiry.canonical import read_target
from proxy.inquiry.inquiry import BodyUnreadable, Inquiry, Outbound, ParameterInvalid, ParameterUnknown, TooBroad
from proxy.inquiry.route import JSON

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from proxy.inquiry.inquiry import Inbound
    from proxy.inquiry.parameter import Parameter
    from proxy.inquiry.route import Route, RouteMap


def inquire(routes: RouteMap, inbound: Inbound) -> Inquiry:
    """Read the request and say what it asks about whom.

    Nothing of the client's headers is carried over: neither a method override, a range, a validator nor another target can
    change what is forwarded, which is built from the matched values alone.

    Raises:
        Refusal: every class of ``inquiry.py``, each with what to do next, none with what was sent.
    """
    target = read_target(inbound.target)
    route, values = routes.match(inbound.method, target.segments)
    for name, value in target.query.items():
        declared = route.query.get(name)
        if declared is None:
            raise _unknown(name, route.query)
        values[name] = declared.check(value)
    if route.body is not None:
        values.update(read_body(inbound, route.body))
    elif inbound.body:
        raise BodyUnreadable("This route takes no body; send its parameters in the path and the query.")
    return inquiry_of(route, values, query_id=inbound.query_id, bytes_in=len(inbound.body))


def inquiry_of(route: Route, values: Mapping[str, str], *, query_id: str, bytes_in: int = 0) -> Inquiry:
    """Return what a route means with these values, each of which its parameter admits. Raises as ``_action``."""
    return Inquiry(
        query_id=query_id,
        route=route,
        action=_action(route, values),
        criteria=_criteria(route, values),
        partial={one.name: values[one.name] for one in _declared(route) if not one.criterion and one.name in values},
        outbound=_outbound(route, values),
        bytes_in=bytes_in,
    )


def _action(route: Route, values: Mapping[str, str]) -> str:
    """Return what the parameters given are enough for: the route's action, else its broad one.

    A search that is enough by itself is broad too with a range or a description beside it: whether the answer changes with
    those would say what somebody protected looks like, so it has to be one that is silent about protected persons.

    Raises:
        ParameterInvalid: a required one is missing.
        TooBroad: they are enough for neither.
    """
    for declared in _declared(route):
        if declared.required and declared.name not in values:
            raise ParameterInvalid(f"'{declared.name}' is missing: send {declared.hint}.", parameter=declared.name)
    enough, broad = not route.require or _enough(route.require, values), route.broad
    described = any(not one.criterion for one in _declared(route) if one.name in values)
    if enough and not (broad and described):
        return route.action
    if broad is not None and (enough or _enough(broad.require, values)):
        return broad.action
    ways = "; or ".join(" with ".join(sorted(enough)) for enough in route.require)
    raise TooBroad(f"This could mean too many people. Give {ways}.")


def _enough(require: Iterable[frozenset[str]], values: Mapping[str, str]) -> bool:
    return any(values.keys() >= enough for enough in require)


def _criteria(route: Route, values: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    criteria: dict[str, tuple[str, ...]] = {}
    for declared in _declared(route):
        if declared.criterion and declared.name in values:
            assert declared.kind is not None
            criteria[declared.kind] = (*criteria.get(declared.kind, ()), values[declared.name])
    return criteria


def _declared(route: Route) -> Iterable[Parameter]:
    yield from route.path_parameters
    yield from route.query.values()
    if route.body is not None:
        yield from route.body.values()


def _outbound(route: Route, values: Mapping[str, str]) -> Outbound:
    target = route.forward.target(values)
    if route.body is None:
        return Outbound(method=route.method, target=target)
    return Outbound(
        method=route.method,
        target=target,
        body=write_body(values, route.body, route.forward.body),
        content_type=JSON,
    )


def _unknown(name: str, declared: Mapping[str, Parameter]) -> ParameterUnknown:
    if not declared:
        return ParameterUnknown("This route takes no parameters.")
    near = suggest(name, declared)
    return ParameterUnknown(f"A parameter is not known here{f'; {near}' if near else '.'}", known=sorted(declared))
