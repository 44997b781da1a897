from __future__ import annotations

from dataclasses import dataclass
from textwrap import indent
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.document import DocumentInvalid
from proxy.inquiry.inquiry import FIELD_KINDS, MethodNotAllowed, ParameterInvalid, RouteUnknown
from proxy.inquiry.parameter import parameter
from proxy.inquiry.route import Absent, Field, RecordsPath

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.inquiry.route import RouteMap

    Written = Callable[[str], RouteMap]

GOOD = """\
method: GET
path: /persons/{person_id}
action: person.read
params:
  person_id: {kind: person_id}
forward: {path: "/persons/{person_id}.json"}
records: $[*]
fields:
  person_id: {kind: person_id, class: identifier}
absent: {status: 404, body: null}
"""


def changed(old: str = "", new: str = "", more: str = "") -> str:
    """Return a route map of one good route with something changed in it."""
    assert old in GOOD
    return "routes:\n  person-read:\n" + indent(GOOD.replace(old, new) if old else GOOD, " " * 4) + indent(more, " " * 4)


def test_the_shipped_routes_are_whole(shipped: RouteMap) -> None:
    """Every shipped route bounds its replies, declares what a record holds, and says how absence answers."""
    assert {action for action, _ in shipped.actions} == {
        "person.read",
        "person.search",
        "person.browse",
        "vehicle.read",
        "vehicle.browse",
        "warrant.search",
        "incident.search",
        "address.search",
        "address.browse",
    }
    for route in shipped.routes:
        assert route.records == RecordsPath(text="$[*]", many=True)
        assert "person_id" in {field.kind for field in route.fields.values()}
        assert route.forward.fixed.startswith("_shape=array")
    assert shipped.by_id["person-search"].absent == Absent(status=200, body=b"[]")
    assert shipped.by_id["person-search"].fields["mobile"] == Field(
        name="mobile", path=("mobile",), kind="phone", field_class="phone"
    )


def test_a_place_is_told_for_every_word_of_other_rooms(shipped: RouteMap) -> None:
    """An unknown action or field class can be shown where it stands."""
    assert shipped.positions is not None
    for word, place in (*shipped.actions, *shipped.classes):
        mistake = shipped.positions.mistake(place, "unknown")
        assert mistake.source is not None
        assert word in mistake.source[mistake.column - 1 :]


@dataclass(frozen=True)
class Wrong:
    """A route map with one mistake, where that is, and what is said of it."""

    text: str
    says: str
    at: tuple[int, int]


MISTAKES = {
    "no such gate": Wrong(changed(more="gate: remote"), "'local', 'local+witness'", (13, 11)),
    "gate of another version": Wrong(changed(more="gate: local+pg"), "no second copy of the log in PostgreSQL", (13, 11)),
    "unknown key": Wrong(changed("method:", "metod:"), "did you mean 'method'", (3, 5)),
    "lower-case method": Wrong(changed("GET", "get"), "'GET'", (3, 13)),
    "method that writes": Wrong(changed("GET", "DELETE"), "'GET'", (3, 13)),
    "no such kind": Wrong(changed("{kind: person_id}", "{kind: person}"), "did you mean 'person_id'", (7, 25)),
    "kind of records alone": Wrong(changed("{kind: person_id}", "{kind: text}"), "is a kind for records only", (7, 25)),
    "no such kind of a field": Wrong(changed("{kind: person_id, class", "{kind: ssnn, class"), "did you mean 'ssn'", (11, 25)),
    "no class": Wrong(changed(", class: identifier", ""), "'class' is missing", (11, 7)),
    "hole undeclared": Wrong(changed("params:\n  person_id: {kind: person_id}\n"), "not among params", (4, 11)),
    "hole and text": Wrong(
        changed("/persons/{person_id}\n", "/persons/x{person_id}\n"), "plain text or one {parameter}", (4, 11)
    ),
    "dots in the path": Wrong(changed("/persons/{person_id}\n", "/../{person_id}\n"), "plain text or one", (4, 11)),
    "hole twice": Wrong(changed("/persons/{person_id}\n", "/{person_id}/{person_id}\n"), "in the path twice", (4, 11)),
    "dots upstream": Wrong(changed('"/persons/{person_id}.json"', "/persons/../x"), "plain text and {parameters}", (8, 21)),
    "query upstream": Wrong(changed("{person_id}.json", "{person_id}.json?x=1"), "plain text and {parameters}", (8, 21)),
    "no such hole upstream": Wrong(changed("{person_id}.json", "{person}.json"), "did you mean 'person_id'", (8, 21)),
    "not a regular expression": Wrong(changed("{kind: person_id}", "{pattern: '['}"), "not a regular expression", (7, 28)),
    "not a path to records": Wrong(changed("$[*]", "records"), "not an RFC 9535 path", (9, 14)),
    "descendants": Wrong(changed("$[*]", "$..person"), "only names and at most one", (9, 14)),
    "two wildcards": Wrong(changed("$[*]", "$[*][*]"), "only names and at most one", (9, 14)),
    "an index": Wrong(changed("$[*]", "$[0]"), "only names and at most one", (9, 14)),
    "a filter": Wrong(changed("$[*]", "$[?@.a]"), "only names and at most one", (9, 14)),
    "no records": Wrong(changed("records: $[*]\n"), "'records' is missing", (2, 3)),
    "shape and fields": Wrong(changed("records: $[*]", "records: $[*]\nshape: person"), "either 'shape' or 'fields'", (2, 3)),
    "no such shape": Wrong(
        changed("fields:\n  person_id: {kind: person_id, class: identifier}", "shape: person"), "no shape 'person'", (10, 12)
    ),
    "value and object": Wrong(
        changed("fields:", "fields:\n  person_id.x: {class: identifier}"), "a value and an object", (12, 7)
    ),
    "requires a stranger": Wrong(changed(more="require: [[surname]]"), "no parameter of this route", (13, 16)),
    "requires nothing": Wrong(changed(more="require: [[]]"), "at least 1 item", (13, 15)),
    "body of a GET": Wrong(changed(more="body: {a: {}}"), "a GET has no body", (13, 11)),
    "integer in a query": Wrong(changed("{kind: person_id}", "{integer: true}"), "a parameter is text", (7, 28)),
    "sent twice": Wrong(
        changed('json"}', 'json", query: {q: 1}, rename: {name: q}}').replace("params:", "params:\n      name: {kind: name}"),
        "sent upstream twice",
        (9, 5),
    ),
    "renames a stranger": Wrong(changed('json"}', 'json", rename: {name: q}}'), "no parameter that goes into", (8, 59)),
    "opaque with fields": Wrong(changed(more="opaque: {media_types: [image/jpeg]}"), "an opaque route has no records", (9, 5)),
    "most of nothing": Wrong(changed(more="most: 0"), "greater than or equal to 1", (13, 11)),
    "absent with another status": Wrong(changed("status: 404", "status: 500"), "200", (12, 22)),
    "duplicate key": Wrong(changed("method: GET", "method: GET\nmethod: GET"), "duplicate key", (4, 5)),
    "boolean by another name": Wrong(changed(more="officer_safety: yes"), "boolean", (13, 21)),
}


@pytest.mark.parametrize("wrong", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_place(written: Written, wrong: Wrong) -> None:
    """Line, column and what to do: nobody has to guess what is wrong with a route map."""
    with pytest.raises(DocumentInvalid) as invalid:
        written(wrong.text)

    found = [mistake for mistake in invalid.value.mistakes if wrong.says in f"{mistake.message} {mistake.help}"]
    assert found, invalid.value
    assert (found[0].line, found[0].column) == wrong.at


def test_every_mistake_is_told_at_once(written: Written) -> None:
    """A file is not mended one error at a time."""
    text = changed("{kind: person_id}", "{kind: person}").replace("$[*]", "$[0]").replace("{person_id}.json", "{who}.json")

    with pytest.raises(DocumentInvalid) as invalid:
        written(text)

    assert len(invalid.value.mistakes) >= 3


def test_a_good_route_is_good(written: Written) -> None:
    """The route that the mistakes were made in has none itself."""
    assert written(changed()).by_id["person-read"].most == 100


def test_a_search_without_bounds_is_a_mistake(written: Written) -> None:
    """Optional parameters alone would let the whole table out; who wants that has to say so."""
    text = changed("/persons/{person_id}\n", "/persons\n").replace("{person_id}.json", "all.json")

    with pytest.raises(DocumentInvalid, match="without any parameter"):
        written(text)
    assert written(text + "    unsafe_unbounded: true\n").routes


def pair(one: str, other: str, pattern: str = "") -> str:
    """Return a route map of two routes, with the pattern for the parameters of the first."""
    text = "routes:\n"
    for name, path in (("one", one), ("other", other)):
        holes = [piece[1:-1] for piece in path.split("/") if piece.startswith("{")]
        narrowed = f"{{pattern: '{pattern}'}}" if pattern and name == "one" else "{}"
        params = ", ".join(f"{hole}: {narrowed}" for hole in holes)
        text += f"""\
  {name}:
    method: GET
    path: "{path}"
    action: person.read
    params: {{{params}}}
    unsafe_unbounded: true
    forward: {{path: "{path}"}}
    records: $
    fields: {{a: {{class: name}}}}
    absent: {{status: 404, body: null}}
"""
    return text


@pytest.mark.parametrize(
    ("one", "other", "pattern"),
    [
        ("/a/b", "/a/b", ""),
        ("/a/{x}", "/a/{y}", ""),
        ("/a/{x}", "/a/b", ""),
        ("/{x}/b", "/a/{y}", ""),
        ("/a/{x}", "/a/b", "[a-z]+"),
    ],
)
def test_two_routes_that_could_mean_the_same_are_a_mistake(written: Written, one: str, other: str, pattern: str) -> None:
    """Which of them counts would depend on their order."""
    with pytest.raises(DocumentInvalid, match="could both mean the same request"):
        written(pair(one, other, pattern))


@pytest.mark.parametrize(
    ("one", "other", "pattern"),
    [
        ("/a/{x}", "/b/{y}", ""),
        ("/a/{x}", "/a/{x}/b", ""),
        ("/a/{x}", "/a/b", "[0-9]+"),
        ("/{x}/b", "/a/{y}", "[0-9]+"),
        ("/a", "/A", ""),
    ],
)
def test_two_routes_that_cannot_be_confused_live_together(written: Written, one: str, other: str, pattern: str) -> None:
    """A text that is no value of the other's parameter keeps them apart, and each is found."""
    routes = written(pair(one, other, pattern))

    assert routes.match("GET", [piece.replace("{x}", "7") for piece in one[1:].split("/")])[0].id == "one"
    assert (
        routes.match("GET", [piece.replace("{y}", "w").replace("{x}", "7") for piece in other[1:].split("/")])[0].id == "other"
    )


@pytest.mark.parametrize(
    ("segments", "answer"),
    [
        (("public",), "list"),
        (("public", "x"), "public"),
        (("a", "1", "2"), "deep"),
        (("search",), MethodNotAllowed),
        (("a", "1"), RouteUnknown),
        ((), RouteUnknown),
        (("a", "1", "2", "3"), RouteUnknown),
    ],
)
def test_a_route_is_found_by_its_segments(
    searching: RouteMap, segments: tuple[str, ...], answer: str | type[Exception]
) -> None:
    """All of them, exactly: no prefix is a route."""
    if isinstance(answer, str):
        assert searching.match("GET", segments)[0].id == answer
    else:
        with pytest.raises(answer):
            searching.match("GET", segments)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("$", RecordsPath(text="$")),
        ("$[*]", RecordsPath(text="$[*]", many=True)),
        ("$.*", RecordsPath(text="$.*", many=True)),
        ("$.rows[*]", RecordsPath(text="$.rows[*]", before=("rows",), many=True)),
        ("$['a b'][\"c\"][*].d", RecordsPath(text="$['a b'][\"c\"][*].d", before=("a b", "c"), many=True, after=("d",))),
        ("$.record", RecordsPath(text="$.record", before=("record",))),
    ],
)
def test_where_records_lie(written: Written, text: str, path: RecordsPath) -> None:
    """Names and one wildcard, in every spelling of RFC 9535."""
    quoted = text.replace("'", "''")

    assert written(changed("records: $[*]", f"records: '{quoted}'")).by_id["person-read"].records == path


def test_what_a_route_says_of_a_reply(searching: RouteMap) -> None:
    """Nested fields, the envelope, absence and the limit are as written."""
    route = searching.by_id["search"]

    assert route.fields["home.street"].path == ("home", "street")
    assert route.envelope == {"count": False, "result.next": True}
    assert route.absent.body == b'{"result":{"rows":[]}}'
    assert route.records == RecordsPath(text="$.result.rows[*].record", before=("result", "rows"), many=True, after=("record",))


def test_an_opaque_route_names_its_media_types(written: Written) -> None:
    """Its replies are not looked into, so it declares no records."""
    text = changed(
        "records: $[*]\nfields:\n  person_id: {kind: person_id, class: identifier}\n", "opaque: {media_types: [image/jpeg]}\n"
    )
    route = written(text).by_id["person-read"]

    assert route.opaque
    assert route.media_types == {"image/jpeg"}
    assert route.records is None


@given(st.sampled_from(sorted(FIELD_KINDS)), st.text(max_size=12) | st.from_regex(r"[ -~]{1,20}", fullmatch=True))
@settings(max_examples=200)
def test_no_kind_admits_what_a_server_could_expand(kind: str, value: str) -> None:
    """Wildcards, escapes, quotes, separators and line breaks are in no value of any kind, nor spaces around it."""
    if parameter("x", kind=kind).admits(value):
        assert not set(value) & set('*%~\\<>";|`$^{}[]?=\r\n\t\0')
        assert value == value.strip()
        assert value


@given(
    st.sampled_from(sorted(FIELD_KINDS)),
    st.sampled_from(["1", "a", "-", " ", "'", ".", "(", "+", "#", "@", "\u0301"]),
    st.integers(1, 300),
)
@settings(max_examples=200)
def test_a_long_value_costs_little(kind: str, piece: str, count: int) -> None:
    """Length is looked at first, and no pattern goes back over what it has read."""
    declared = parameter("x", kind=kind)

    assert not declared.admits(piece * count + "\n")
    assert len(piece * count) <= declared.max_length or not declared.admits(piece * count)


def test_a_route_can_only_narrow_a_kind() -> None:
    """Its own pattern and limit stand beside the kind's, not in its place."""
    narrowed = parameter("x", kind="person_id", pattern=".*", max_length=256)

    assert not narrowed.admits("~31")
    assert not narrowed.admits("1" * 65)
    with pytest.raises(ParameterInvalid):
        parameter("x", kind="person_id", pattern="[0-9]+").check("abc")
