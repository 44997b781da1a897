"""A route: what one kind of request means, what is forwarded for it, and where the records lie in the reply."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from proxy.inquiry.canonical import encode
from proxy.inquiry.inquiry import TEXT, MethodNotAllowed, ParameterInvalid, RouteUnknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from proxy.audit.gate import Gate
    from proxy.document import Positions
    from proxy.inquiry.parameter import Parameter
    from proxy.refusal import Refusal

Place = tuple[str | int, ...]
"""Where something stands in routes.yaml, as ``Positions`` takes it."""

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsPath:
    """Where the records lie: the members to walk, then (``many``) the elements of an array, then the members of each.

    ``text`` is the RFC 9535 expression it was read from. ``$[*]`` is ``before=(), many=True, after=()``.
    """

    text: str
    before: tuple[str, ...] = ()
    many: bool = False
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One declared field of a record. ``path`` are the members that lead to it; ``kind`` is of FIELD_KINDS, or None."""

    name: str
    path: tuple[str, ...]
    kind: str | None
    field_class: str


Shape = dict[str, "Field | Shape"]
"""The members a record may have: a field, or an object with members of its own."""


def shape(fields: Iterable[Field]) -> Shape:
    """Return the tree of a record's members."""
    root: Shape = {}
    for each in fields:
        node = root
        for step in each.path[:-1]:
            inner = node.setdefault(step, {})
            assert isinstance(inner, dict)
            node = inner
        node[each.path[-1]] = each
    return root


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """The literal answer when there is no such record: what is concealed and what is not there are the same bytes."""

    status: int
    body: bytes
    media_type: str = JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """How the upstream's target is built from what was matched.

    ``path`` is the template in pieces: text at even places (encoded), names of parameters at odd ones. ``query`` and ``body``
    pair the terminal's names with the upstream's, in the order they are sent. ``fixed`` is the encoded query the route adds.
    """

    path: tuple[str, ...]
    query: tuple[tuple[str, str], ...] = ()
    body: tuple[tuple[str, tuple[str, ...]], ...] = ()
    fixed: str = ""

    def target(self, values: Mapping[str, str]) -> str:
        """Return the request target, each value encoded once."""
        path = "".join([encode(values[piece]) if odd % 2 else piece for odd, piece in enumerate(self.path)])
        pairs = [f"{theirs}={encode(values[ours])}" for ours, theirs in self.query if ours in values]
        if self.fixed:
            pairs.append(self.fixed)
        return f"{path}?{'&'.join(pairs)}" if pairs else path


@dataclass(frozen=True, slots=True, kw_only=True)
class Broad:
    """What a route does when only a broad combination is given: an action of its own, and fewer records."""

    action: str
    require: tuple[frozenset[str], ...]
    most: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Route:
    """One entry of the route map; equal only to itself.

    ``template`` holds a literal or None (a parameter) for each segment. ``path_parameters`` are in the order of the path,
    ``query`` and ``body`` by name (``body`` is None where the route takes none). ``require`` lists sufficient sets of names,
    and ``broad`` those that are enough only for its own action. A reply of ``cut`` records may have been cut off there.
    ``media_types`` are those a reply may have: JSON, or what an ``opaque`` route names. ``envelope`` maps a member of the reply
    beside the records (dotted) to whether it is kept. ``gate`` is what
    has to be so before an answer leaves, where it is another than the settings say. ``shape`` is the tree of ``fields``, and
    ``identifies`` tells whether any of them is an identifier; free text that may name nobody is none.
    """

    id: str
    method: str
    path: str
    template: tuple[str | None, ...]
    action: str
    path_parameters: tuple[Parameter, ...] = ()
    query: Mapping[str, Parameter] = field(default_factory=dict)
    body: Mapping[str, Parameter] | None = None
    require: tuple[frozenset[str], ...] = ()
    forward: Forward
    records: RecordsPath | None = None
    fields: Mapping[str, Field] = field(default_factory=dict)
    envelope: Mapping[str, bool] = field(default_factory=dict)
    broad: Broad | None = None
    most: int = 100
    cut: int | None = None
    absent: Absent
    media_types: frozenset[str] = frozenset({JSON})
    opaque: bool = False
    officer_safety: bool = False
    gate: Gate | None = None
    shape: Shape = field(init=False, repr=False)
    identifies: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Make the tree once, and not for every reply."""
        object.__setattr__(self, "shape", shape(self.fields.values()))
        object.__setattr__(self, "identifies", any(each.kind not in {None, TEXT} for each in self.fields.values()))


class RouteMap:
    """Every route, found by method and segments in a few dictionary lookups.

    ``actions`` and ``classes`` tell each action and field class with its place, for the checks of the rooms that own
    those words; ``positions`` turns a place into a mistake.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        *,
        actions: Iterable[tuple[str, Place]],
        classes: Iterable[tuple[str, Place]],
        positions: Positions | None,
    ) -> None:
        """Index the routes, which ``load_routes`` has found free of ambiguity."""
        self.routes: Final = tuple(routes)
        self.by_id: Final[Mapping[str, Route]] = MappingProxyType({route.id: route for route in self.routes})
        self.actions: Final = tuple(actions)
        self.classes: Final = tuple(classes)
        self.positions: Final = positions
        self._shapes = _index(self.routes)

    def match(self, method: str, segments: Sequence[str]) -> tuple[Route, dict[str, str]]:
        """Return the one route for this request, and the values of its path by name.

        Raises:
            RouteUnknown: no path like this one.
            MethodNotAllowed: the path has routes, but none for this method (RFC 9110 §15.5.6).
            ParameterInvalid: the path would fit, but a value in it cannot be one.
        """
        allowed: set[str] = set()
        invalid: ParameterInvalid | None = None
        for literals, nodes in self._shapes.get(len(segments), ()):
            routes = nodes.get(tuple([segments[place] for place in literals]))
            if routes is None:
                continue
            route = routes.get(method)
            if route is None:
                allowed.update(routes)
                continue
            try:
                return route, _path_values(route, segments)
            except ParameterInvalid as error:
                invalid = invalid or error
        raise invalid or _no_route(allowed)


_Shape = tuple[tuple[int, ...], dict[tuple[str, ...], dict[str, Route]]]


def _index(routes: Iterable[Route]) -> dict[int, tuple[_Shape, ...]]:
    """Group by number of segments, then by which of them are literals, the most literals first."""
    shapes: defaultdict[int, dict[tuple[int, ...], dict[tuple[str, ...], dict[str, Route]]]] = defaultdict(dict)
    for route in routes:
        literals = tuple(place for place, segment in enumerate(route.template) if segment is not None)
        node = shapes[len(route.template)].setdefault(literals, {})
        node.setdefault(tuple(segment for segment in route.template if segment is not None), {})[route.method] = route
    return {
        count: tuple(sorted(by_literals.items(), key=lambda shape: (-len(shape[0]), shape[0])))
        for count, by_literals in shapes.items()
    }


def _path_values(route: Route, segments: Sequence[str]) -> dict[str, str]:
    given = [segment for segment, literal in zip(segments, route.template, strict=True) if literal is None]
    return {parameter.name: parameter.check(value) for parameter, value in zip(route.path_parameters, given, strict=True)}


def _no_route(allowed: set[str]) -> Refusal:
    if allowed:
        methods = sorted(allowed)
        return MethodNotAllowed(f"This path is asked by {' or '.join(methods)}.", allow=methods)
    return RouteUnknown("No route says what this request means; ask only for what the list of routes offers.")
