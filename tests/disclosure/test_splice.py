from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.disclosure.splice import Splice
from proxy.upstream.reply import ReplyUnreadable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from random import Random

NUMBERS = (
    "0", "-0", "7", "1.0e5", "1E+400", "-0.10", "3.0", "12345678901234567890123456789", "9" * 5000, "0.1000000000000000055",
)  # fmt: skip
MASK = '"***"'


@dataclass(frozen=True)
class Token:
    """A number as it is written."""

    text: str


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(NUMBERS).map(Token),
    st.integers().map(lambda number: Token(str(number))),
    st.text(max_size=12),
    st.sampled_from(["\ud800", "a\udfffb", '"', "\\", "},{", '"ssn":"x"', "\u2028", "😀", "\x00", "null"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["ssn", "name", "id", "a b", "é", "", "\ud800", 'q"', "\\"]) | st.text(max_size=4)
RECORDS = st.lists(st.dictionaries(NAMES, VALUES, max_size=6), max_size=6)


def space(rnd: Random) -> str:
    """Return white space, mostly none."""
    return "".join(rnd.choice(" \t\n\r") for _ in range(rnd.choice([0, 0, 0, 1, 2])))


def string(text: str, rnd: Random) -> str:
    """Write a string with escapes of its own choice, as somebody else's serializer would."""
    written = []
    for character in text:
        code = ord(character)
        if code < 0x20 or character in '"\\' or 0xD800 <= code <= 0xDFFF or rnd.random() < 0.2:
            units = character.encode("utf-16-be", "surrogatepass")
            escape = "".join(f"\\u{units[at]:02x}{units[at + 1]:02X}" for at in range(0, len(units), 2))
            written.append(f"\\{character}" if character in '"\\' and rnd.random() < 0.5 else escape)
        else:
            written.append(character)
    return f'"{"".join(written)}"'


def write(value: object, rnd: Random) -> str:
    """Write any value as JSON, somehow."""
    match value:
        case Token(text):
            return text
        case None | True | False:
            return json.dumps(value)
        case str():
            return string(value, rnd)
        case list():
            return f"[{space(rnd)}{','.join(space(rnd) + write(item, rnd) + space(rnd) for item in value)}]"
        case dict():
            return "".join(write_record(value, rnd, frozenset())[0])
        case _:
            raise AssertionError


def write_record(record: Mapping[str, object], rnd: Random, masked: Collection[str]) -> tuple[str, str]:
    """Return a record as it comes, and as it must look with ``masked`` members masked: the same but for those values."""
    came, left = ["{" + space(rnd)], ["{"]
    left[0] = came[0]
    for position, (name, value) in enumerate(record.items()):
        before = f"{',' + space(rnd) if position else ''}{string(name, rnd)}{space(rnd)}:{space(rnd)}"
        text, after = write(value, rnd), space(rnd)
        mask = MASK if isinstance(value, str) else "null"
        came.append(before + text + after)
        left.append(before + (mask if name in masked else text) + after)
    return "".join([*came, "}"]), "".join([*left, "}"])


def splice(body: bytes, *path: str | None, envelope: Mapping[str, bool] | None = None) -> Splice:
    """Start on a reply, by default an array of records."""
    return Splice(body, path=path or (None,), envelope=envelope or {})


def plain(text: str) -> object:
    """Parse with numbers as they are written."""
    return json.loads(text, parse_int=str, parse_float=str)


def exhausted(body: bytes, *path: str | None, envelope: Mapping[str, bool] | None = None) -> bytes:
    """Read everything, change nothing."""
    reading = splice(body, *path, envelope=envelope)
    for _ in reading.records():
        pass
    return reading.result()


@settings(max_examples=200, deadline=None)
@given(records=RECORDS, masked=st.sets(NAMES), rnd=st.randoms())
def test_a_masked_reply_differs_only_where_it_is_masked(
    records: list[dict[str, object]], masked: set[str], rnd: Random
) -> None:
    """Every byte outside the masked values is as it came: numbers, escapes, white space, order and keys."""
    written = [write_record(record, rnd, masked) for record in records]
    gaps = [space(rnd) for _ in range(2 * len(records) + 2)]
    came = f"{gaps[-1]}[{','.join(gaps[i] + w[0] + gaps[-i - 1] for i, w in enumerate(written))}]{gaps[-2]}"
    left = f"{gaps[-1]}[{','.join(gaps[i] + w[1] + gaps[-i - 1] for i, w in enumerate(written))}]{gaps[-2]}"
    reading = splice(came.encode())

    for record in reading.records():
        reading.mask(record, dict.fromkeys(masked, MASK))

    assert reading.result() == left.encode()


@settings(max_examples=200, deadline=None)
@given(records=RECORDS, masked=st.sets(NAMES), fates=st.lists(st.booleans(), min_size=6, max_size=6), rnd=st.randoms())
def test_a_withheld_record_is_cut_out_wherever_it_stands(
    records: list[dict[str, object]], masked: set[str], fates: list[bool], rnd: Random
) -> None:
    """What remains is an array of exactly the records kept, each with the bytes it must have."""
    written = [write_record(record, rnd, masked) for record in records]
    came = f"[{','.join(space(rnd) + text + space(rnd) for text, _ in written)}]"
    kept = [text for (_, text), withheld in zip(written, fates, strict=False) if not withheld]
    reading = splice(came.encode())

    for record, withheld in zip(reading.records(), [*fates, False], strict=False):
        reading.mask(record, dict.fromkeys(masked, MASK))
        record.withheld = withheld

    result = reading.result().decode()
    assert plain(result) == [plain(text) for text in kept]
    position = 0
    for text in kept:
        position = result.index(text, position) + len(text)


@settings(max_examples=200, deadline=None)
@given(junk=st.binary(max_size=40) | st.text(alphabet='[]{},:"\\ntfu0123eE.-+ 9NaI', max_size=30).map(str.encode))
def test_whatever_comes_is_read_or_refused(junk: bytes) -> None:
    """No input makes the walk fail in any other way, and what it accepts is JSON to everybody."""
    try:
        result = exhausted(junk)
    except ReplyUnreadable:
        return
    assert isinstance(plain(junk.decode()), list)
    assert result == junk


def test_a_reply_without_edits_is_not_rebuilt() -> None:
    """What needs no change leaves as the very bytes object that came."""
    body = b' [ {"id" : 1.0e5} ]\n'

    assert exhausted(body) is body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"[]]",
        b"[] x",
        b"[]\x00",
        b'[{"a":1}',
        b'[{"a":1},]',
        b'[{"a":1,}]',
        b'[{"a":1}{"a":2}]',
        b"[{a:1}]",
        b"[{'a':1}]",
        b'[{"a":01}]',
        b'[{"a":+1}]',
        b'[{"a":1.}]',
        b'[{"a":0x1}]',
        b'[{"a":"\n"}]',
        b'[{"a":"\\x"}]',
        b'[{"a":1}]//',
        b'\xef\xbb\xbf[{"a":1}]',
        b'[{"a":"\xff"}]',
        b'[{"a":"\xed\xa0\x80"}]',
        b"\xff\xfe[\x00]\x00",
        "[\xa0]".encode(),
        b'[{"a":1,"a":2}]',
        b'[{"a":1,"\\u0061":2}]',
        b'[{"a":{"b":1,"b":1}}]',
        b'[{"a":[{"b":1,"b":1}]}]',
        b'[{"a":NaN}]',
        b'[{"a":Infinity}]',
        b'[{"a":-Infinity}]',
        b"[NaN]",
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'[{"a":' + b'{"b":' * 50_000 + b"1" + b"}" * 50_000 + b"}]",
        b"null",
        b"7",
        b'{"rows":[]}',
    ],
)
def test_what_another_parser_could_read_otherwise_is_refused(body: bytes) -> None:
    """Duplicate keys, NaN, byte order marks, broken UTF-8, garbage, depth, and any shape but the route's."""
    with pytest.raises(ReplyUnreadable):
        exhausted(body)


def test_only_declared_members_leave_beside_the_records() -> None:
    """The envelope's members are kept or cut as the route says, each with its comma."""
    body = b'{"n": 2, "rows": [{"a": 1}], "next": "x", "of": 9 }'

    left = exhausted(body, "rows", None, envelope={"n": False, "next": True, "of": False})

    assert left == b'{"rows": [{"a": 1}], "next": "x" }'


@pytest.mark.parametrize("beside", ['{"name": "QUIMBY"}', '["QUIMBY"]', "[]", "{}"])
def test_a_kept_member_is_a_single_value(beside: str) -> None:
    """Records in it would be judged by nobody, so the reply does not leave; what is cut may be anything."""
    body = f'{{"rows": [1], "took": {beside}}}'.encode()

    with pytest.raises(ReplyUnreadable):
        exhausted(body, "rows", None, envelope={"took": True})
    assert exhausted(body, "rows", None, envelope={"took": False}) == b'{"rows": [1]}'


def test_an_undeclared_member_beside_the_records_refuses_the_reply() -> None:
    """Nobody knows what an unknown member of the envelope tells, so nothing leaves."""
    with pytest.raises(ReplyUnreadable):
        exhausted(b'{"rows": [], "count": 1}', "rows", None, envelope={"n": False})


@pytest.mark.parametrize(
    "body",
    [b'{"hits":{}}', b'{"hits":{"rows":{}}}', b'{"hits":{"rows":null}}', b'{"hits":[]}', b"[]", b"{}"],
)
def test_a_missing_or_differing_step_of_the_path_refuses_the_reply(body: bytes) -> None:
    """Where the records should lie there must be an array."""
    with pytest.raises(ReplyUnreadable):
        exhausted(body, "hits", "rows", None)


@pytest.mark.parametrize("body", [b'{"rows":[],"rows":[{"a":1}]}', b'{"n":1,"rows":[],"n":1}', b'{"rows":[],"\\u0072ows":[]}'])
def test_a_member_twice_on_the_way_refuses_the_reply(body: bytes) -> None:
    """A second list of records would be read by another parser and judged by nobody."""
    with pytest.raises(ReplyUnreadable):
        exhausted(body, "rows", None, envelope={"n": True})


def test_records_inside_of_elements_are_cut_with_their_element() -> None:
    """A withheld record takes its whole element along, whatever stood beside it."""
    body = b'{"hits":[{"score":1,"_source":{"id":1}},{"_source":{"id":2},"score":2},{"score":3,"_source":{"id":3}}]}'
    reading = splice(body, "hits", None, "_source", envelope={"hits.score": False})

    for number, record in enumerate(reading.records()):
        reading.mask(record, {"id": MASK})
        record.withheld = number == 1

    assert reading.result() == b'{"hits":[{"_source":{"id":null}},{"_source":{"id":null}}]}'


def test_a_reply_of_one_object_is_one_record() -> None:
    """The path ``$`` names the reply itself."""
    reading = Splice(b' {"ssn":"1", "id":[1,{"ssn":"2"}]} ', path=(), envelope={})

    for record in reading.records():
        reading.mask(record, {"ssn": MASK})

    assert reading.result() == b' {"ssn":"***", "id":[1,{"ssn":"2"}]} '


def test_masks_reach_into_declared_objects() -> None:
    """A mask of a member inside an object touches only that member; null stays null."""
    reading = splice(b'[{"home":{"street":"x","city":"y","unit":null}}, {"home":null}]')

    for record in reading.records():
        reading.mask(record, {"home": {"street": MASK, "unit": MASK}})

    assert reading.result() == b'[{"home":{"street":"***","city":"y","unit":null}}, {"home":null}]'
