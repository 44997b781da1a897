"""``routes.yaml``: read, checked as a whole, every mistake told with its place."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import jsonpath_rfc9535
from jsonpath_rfc9535.exceptions import JSONPathError

from proxy.audit.gate import Gate
from proxy.document import DocumentInvalid, load_with_positions, suggest
from proxy.inquiry import written
from proxy.inquiry.canonical import encode
from proxy.inquiry.inquiry import FIELD_KINDS, RECORD_KINDS
from proxy.inquiry.overlap import ambiguities
from proxy.inquiry.parameter import LEAST, PREFIXED, RANGED, Match, Parameter, parameter
from proxy.inquiry.route import JSON, Absent, Broad, Field, Forward, Place, RecordsPath, Route, RouteMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from proxy.document import Mistake, Positions

_LITERAL: Final = re.compile(r"[A-Za-z0-9._-]+")
_HOLE: Final = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_STEP: Final = re.compile(r"""\.([A-Za-z_][A-Za-z0-9_]*)|\['([^'"\\\]]+)'\]|\["([^'"\\\]]+)"\]|(\[\*\]|\.\*)""")


def load_routes(path: Path) -> RouteMap:
    """Read the route map.

    Raises:
        DocumentInvalid: with every mistake found, among them routes that could both mean the same request.
    """
    document, positions = load_with_positions(path, written.Document)
    reader = _Reader(document, positions)
    routes = [route for name, model in document.routes.items() if (route := reader.route(name, model)) is not None]
    reader.mistakes.extend(ambiguities(routes, positions))
    if reader.mistakes:
        raise DocumentInvalid(reader.mistakes)
    return RouteMap(
        routes,
        actions=_actions(document),
        classes=reader.classes,
        positions=positions,
    )


def _actions(document: written.Document) -> Iterator[tuple[str, Place]]:
    for name, model in document.routes.items():
        yield model.action, ("routes", name, "action")
        if model.broad is not None:
            yield model.broad.action, ("routes", name, "broad", "action")


class _Reader:
    """Turns the model of one file into routes, and gathers mistakes on the way."""

    def __init__(self, document: written.Document, positions: Positions) -> None:
        self._document = document
        self._positions = positions
        self.mistakes: list[Mistake] = []
        self.classes: list[tuple[str, Place]] = []
        self._shapes = {name: self._fields(shape, ("shapes", name)) for name, shape in document.shapes.items()}

    def route(self, name: str, model: written.Route) -> Route | None:
        """Return the route, or None when its mistakes leave none."""
        place: Place = ("routes", name)
        before = len(self.mistakes)
        template, in_path = self._template(model.path, (*place, "path"))
        params = self._parameters(model.params, (*place, "params"), in_path=frozenset(in_path))
        body = None if model.body is None else self._parameters(model.body, (*place, "body"))
        for missing in (hole for hole in in_path if hole not in model.params):
            self._wrong((*place, "path"), f"'{missing}' is in the path, but not among params", "declare it with its kind")
        self._check_names(model, place)
        self._check_require(model, place, in_path)
        self._check_partial(model, place, in_path)
        self._check_broad(model, place)
        records = self._records(model, place)
        fields = self._route_fields(model, place)
        forward = self._forward(model, place, in_path)
        if len(self.mistakes) > before or forward is None:
            return None
        return Route(
            id=name,
            method=model.method,
            path=model.path,
            template=template,
            action=model.action,
            path_parameters=tuple(params[hole] for hole in in_path),
            query={key: value for key, value in params.items() if key not in in_path},
            body=body,
            require=tuple(frozenset(enough) for enough in model.require),
            broad=_broad(model),
            forward=forward,
            records=records,
            fields=fields,
            envelope={member: fate == "keep" for member, fate in model.envelope.items()},
            most=model.most,
            cut=model.cut,
            absent=Absent(status=model.absent.status, body=_json(model.absent.body)),
            media_types=frozenset(model.opaque.media_types) if model.opaque else frozenset({JSON}),
            opaque=model.opaque is not None,
            officer_safety=model.officer_safety,
            gate=self._gate(model, name),
        )

    def _gate(self, model: written.Route, name: str) -> Gate | None:
        if model.gate == "local+pg":
            hint = "this version keeps no second copy of the log in PostgreSQL: use local or local+witness"
            self._wrong(("routes", name, "gate"), "nothing would ever pass this gate", hint)
            return None
        return Gate(model.gate) if model.gate is not None else None

    def _wrong(self, place: Place, message: str, hint: str | None = None, *, value: bool = True) -> None:
        self.mistakes.append(self._positions.mistake(place, message, value=value, hint=hint))

    def _template(self, path: str, place: Place) -> tuple[tuple[str | None, ...], tuple[str, ...]]:
        template: list[str | None] = []
        holes: list[str] = []
        for segment in path[1:].split("/"):
            hole = _HOLE.fullmatch(segment)
            if hole is not None:
                template.append(None)
                holes.append(hole[1])
            elif _LITERAL.fullmatch(segment) and segment not in {".", ".."}:
                template.append(segment)
            else:
                self._wrong(place, "a segment of a path is plain text or one {parameter}", "letters, digits, . _ - only")
        for twice in {hole for hole in holes if holes.count(hole) > 1}:
            self._wrong(place, f"'{twice}' is in the path twice")
        return tuple(template), tuple(holes)

    def _parameters(
        self, models: Mapping[str, written.Parameter], place: Place, in_path: frozenset[str] = frozenset()
    ) -> dict[str, Parameter]:
        found: dict[str, Parameter] = {}
        for name, model in models.items():
            if not self._kind(model.kind, (*place, name, "kind")):
                continue
            try:
                found[name] = parameter(
                    name,
                    kind=model.kind,
                    pattern=model.pattern,
                    max_length=model.max_length,
                    choices=frozenset(model.enum),
                    required=model.required or name in in_path,
                    integer=model.integer,
                    in_path=name in in_path,
                    match=Match(model.match),
                    least=model.least or LEAST,
                )
            except re.error as error:
                self._wrong((*place, name, "pattern"), f"not a regular expression: {error}")
        return found

    def _kind(self, kind: str | None, place: Place, known: frozenset[str] = FIELD_KINDS) -> bool:
        if kind is None or kind in known:
            return True
        what = "is a kind for records only" if kind in RECORD_KINDS else "is no kind of field"
        self._wrong(place, f"'{kind}' {what}", suggest(kind, known) or ", ".join(sorted(known)))
        return False

    def _check_names(self, model: written.Route, place: Place) -> None:
        if model.method == "GET" and model.body is not None:
            self._wrong((*place, "body"), "a GET has no body", "use POST, or put the fields among params")
        for name in model.body or {}:
            if name in model.params:
                self._wrong((*place, "body", name), f"'{name}' is among params too", "one name, one place", value=False)
            if any(other.startswith(f"{name}.") for other in model.body or {}):
                self._wrong((*place, "body", name), f"'{name}' is a value and an object at once", value=False)
        for name in (name for name in model.params if "." in name):
            self._wrong((*place, "params", name), "a dotted name is for bodies", "plain names among params", value=False)
        for name in (name for name, one in model.params.items() if one.integer):
            self._wrong((*place, "params", name, "integer"), "only a field of a body is an integer; a parameter is text")

    def _check_require(self, model: written.Route, place: Place, in_path: tuple[str, ...]) -> None:
        declared = {**model.params, **(model.body or {})}
        self._check_names_of(model.require, (*place, "require"), declared)
        for number, enough in enumerate(model.require):
            for at, name in enumerate(enough):
                if name in declared and declared[name].match != "exact":
                    hint = "put the combination under `broad`, whose action policy rules on"
                    self._wrong(
                        (*place, "require", number, at), f"nobody can be recognized by '{name}', a part of a value", hint
                    )
        bounded = in_path or model.require or model.broad or any(one.required for one in declared.values())
        if not bounded and not model.unsafe_unbounded:
            hint = "add `require` with the combinations that are enough, or `unsafe_unbounded: true`"
            self._wrong(place, "a request without any parameter would be answered", hint, value=False)

    def _check_names_of(self, require: Iterable[Iterable[str]], place: Place, names: Iterable[str]) -> None:
        for number, enough in enumerate(require):
            for at, name in enumerate(enough):
                if name not in names:
                    self._wrong((*place, number, at), f"'{name}' is no parameter of this route", suggest(name, names))

    def _check_partial(self, model: written.Route, place: Place, in_path: tuple[str, ...]) -> None:
        """Refuse parts of values where they cannot be told from whole ones, or would mean everybody."""
        for where, models in (("params", model.params), ("body", model.body or {})):
            for name, one in models.items():
                spot = (*place, where, name)
                if one.match == "prefix" and one.kind is not None and one.kind not in PREFIXED:
                    self._wrong(
                        (*spot, "match"), f"a part of a {one.kind} is no {one.kind}", f"a prefix is of {_listed(PREFIXED)}"
                    )
                if one.match in {"from", "to"} and one.kind not in RANGED:
                    self._wrong((*spot, "match"), "only dates have a range here", f"kind: {_listed(RANGED)}")
                if one.match != "exact" and (name in in_path or one.integer):
                    self._wrong(
                        (*spot, "match"), "a part of a value goes among the parameters of the query or the texts of a body"
                    )
                if one.least is not None and one.match != "prefix":
                    self._wrong((*spot, "least"), "only a prefix has a least length", "add `match: prefix`", value=False)

    def _check_broad(self, model: written.Route, place: Place) -> None:
        broad, spot = model.broad, (*place, "broad")
        if model.cut is not None and model.cut <= max(model.most, broad.most if broad else 0):
            self._wrong((*place, "cut"), "a reply would be cut before there are too many records", "ask for more than `most`")
        if broad is None:
            return
        self._check_names_of(broad.require, (*spot, "require"), {**model.params, **(model.body or {})})
        if broad.action == model.action:
            self._wrong((*spot, "action"), "policy could not tell the broad search from the other", "an action of its own")
        if not model.require:
            self._wrong(
                spot, "without `require` every search is the other one", "say which combinations are enough", value=False
            )
        if broad.most > model.most:
            self._wrong((*spot, "most"), f"a broad search answers with no more than the other: {model.most}")
        for number, enough in enumerate(broad.require):
            if any(set(enough) >= set(other) for other in model.require):
                message = "this combination is enough for the route's own action already"
                self._wrong((*spot, "require", number), message, "take it out here, or there")

    def _records(self, model: written.Route, place: Place) -> RecordsPath | None:
        if model.opaque is not None:
            for key in ("records", "shape", "fields", "envelope"):
                if getattr(model, key):
                    self._wrong((*place, key), f"an opaque route has no {key}", "its replies are not looked into", value=False)
            return None
        if model.records is None:
            self._wrong(place, "'records' is missing", "say where the records lie, as `$[*]`", value=False)
            return None
        try:
            jsonpath_rfc9535.compile(model.records)
        except JSONPathError as error:
            self._wrong((*place, "records"), f"not an RFC 9535 path: {str(error).splitlines()[0]}")
            return None
        found = _records_path(model.records)
        if found is None:
            self._wrong((*place, "records"), "only names and at most one [*] are understood here", "as `$[*]` or `$.rows[*]`")
        return found

    def _route_fields(self, model: written.Route, place: Place) -> Mapping[str, Field]:
        if model.opaque is not None:
            return {}
        if (model.shape is None) == (not model.fields):
            self._wrong(place, "a route has either 'shape' or 'fields'", "name what a record holds, once", value=False)
            return {}
        if model.shape is None:
            return self._fields(model.fields, (*place, "fields"))
        if model.shape not in self._shapes:
            self._wrong((*place, "shape"), f"there is no shape '{model.shape}'", suggest(model.shape, self._shapes))
            return {}
        return self._shapes[model.shape]

    def _fields(self, models: Mapping[str, written.Field], place: Place) -> dict[str, Field]:
        found: dict[str, Field] = {}
        for name, model in models.items():
            self._kind(model.kind, (*place, name, "kind"), RECORD_KINDS)
            if any(other.startswith(f"{name}.") for other in models):
                self._wrong((*place, name), f"'{name}' is a value and an object at once", value=False)
            self.classes.append((model.field_class, (*place, name, "class")))
            found[name] = Field(name=name, path=tuple(name.split(".")), kind=model.kind, field_class=model.field_class)
        return found

    def _forward(self, model: written.Route, place: Place, in_path: tuple[str, ...]) -> Forward | None:
        spot: Place = (*place, "forward")
        pieces = _HOLE.split(model.forward.path)
        plain = all(
            _LITERAL.fullmatch(segment) and segment not in {".", ".."}
            for segment in _HOLE.sub("x", model.forward.path)[1:].split("/")
        )
        if not plain:
            self._wrong((*spot, "path"), "an upstream path is plain text and {parameters}", "letters, digits, . _ - only")
            return None
        used = frozenset(pieces[1::2])
        for hole in used:
            if hole not in model.params or (hole not in in_path and not model.params[hole].required):
                self._wrong((*spot, "path"), f"'{hole}' is no required parameter of this route", suggest(hole, in_path))
        rename = model.forward.rename
        for name in rename:
            if name in used or (name not in model.params and name not in (model.body or {})):
                self._wrong((*spot, "rename", name), f"'{name}' is no parameter that goes into query or body", value=False)
        query = tuple((name, rename.get(name, name)) for name in model.params if name not in used)
        body = tuple((name, tuple(rename.get(name, name).split("."))) for name in model.body or {})
        sent = [theirs for _, theirs in query]
        for name in {name for name in (*sent, *model.forward.query) if (*sent, *model.forward.query).count(name) > 1}:
            self._wrong(spot, f"'{name}' would be sent upstream twice", "rename one of them", value=False)
        for at, (name, members) in enumerate(body):
            others = [other for _, other in body[:at]] + [other for _, other in body[at + 1 :]]
            if any(other[: len(members)] == members for other in others):
                self._wrong((*spot, "rename", name), "two fields would take the same place in the upstream's body")
        fixed = "&".join(f"{encode(name)}={encode(str(value))}" for name, value in model.forward.query.items())
        return Forward(path=tuple(pieces), query=query, body=body, fixed=fixed)


def _broad(model: written.Route) -> Broad | None:
    if model.broad is None:
        return None
    require = tuple(frozenset(enough) for enough in model.broad.require)
    return Broad(action=model.broad.action, require=require, most=model.broad.most)


def _listed(kinds: Iterable[str]) -> str:
    return ", ".join(sorted(kinds))


def _records_path(text: str) -> RecordsPath | None:
    """Read the part of RFC 9535 that a route may use, or return None."""
    before: list[str] = []
    after: list[str] = []
    many = False
    at = 1
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None or (step[4] and many):
            return None
        if step[4]:
            many = True
        else:
            (after if many else before).append(step[1] or step[2] or step[3])
        at = step.end()
    return RecordsPath(text=text, before=tuple(before), many=many, after=tuple(after))


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
