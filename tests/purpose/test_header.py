"""``Query-Purpose``: one reading or a refusal that says where."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.purpose.header import (
    CASE_PATTERN,
    MAX_BYTES,
    MEMBERS,
    NAME_CHARACTERS,
    STATEMENT_CHARACTERS,
    Stated,
    normal_case,
    parse,
)
from proxy.purpose.purpose import PurposeMalformed, PurposeMissing
from proxy.refusal import Refusal
from tests.purpose.conftest import serialize

WHOLE = 'code=C, case="26-004217", statement="stopped for no plates", requestor="badge-9", location="Main/5th"'


def test_the_header_of_the_documentation_is_read() -> None:
    """Every member comes out as it was sent; what was not sent is None."""
    stated = parse(WHOLE)

    assert stated == Stated(
        code="C",
        case="26-004217",
        statement="stopped for no plates",
        requestor="badge-9",
        location="Main/5th",
    )


def test_a_statement_may_be_written_in_any_script() -> None:
    """RFC 9651 display strings carry what ASCII cannot."""
    assert parse('statement=%"conductor sin licencia, choque con peat%c3%b3n"').statement == (
        "conductor sin licencia, choque con peatón"
    )


def test_an_emergency_is_a_member_of_its_own() -> None:
    """It comes out as it was sent, in any script; as a bare word it is refused with its place."""
    assert parse('case="26-1", exigent="active shooter at the school, suspect inside"').exigent == (
        "active shooter at the school, suspect inside"
    )
    with pytest.raises(PurposeMalformed) as refused:
        parse('case="26-1", exigent=?1')
    assert refused.value.extras["position"] == 13


@pytest.mark.parametrize(
    ("sent", "read"),
    [("26-004217", "26-004217"), (" 26-004217 ", "26-004217"), ("cad-1a", "CAD-1A"), ("P  26/3", "P 26/3")],
)
def test_case_numbers_are_compared_in_one_form(sent: str, read: str) -> None:
    """Case and surrounding spaces make no second case of a number."""
    assert parse(f'case="{sent}"').case == read
    assert normal_case(sent) == read


@pytest.mark.parametrize(
    ("header", "position", "says"),
    [
        ("code=C, case=26-004217", 15, "double quotes"),
        ("case=abc", 0, "double quotes"),
        ('code="C"', 0, "bare word"),
        ("code", 0, "bare word"),
        ('code=C, Case="1"', 8, "uppercase"),
        ('code=C, case="1", ', 18, "trailing comma"),
        ('code=C case="1"', 7, "byte 7"),
        ('code=C, case="1', 15, "closing"),
        ("CAD-26-118842", 0, 'enough, sent so: case="CAD-26-118842"'),
        ("26-004217", 0, 'enough, sent so: case="CAD-26-118842"'),
        ('"CAD-26-118842"', 0, 'enough, sent so: case="CAD-26-118842"'),
        ('statement=%"caf%C3%A9"', 16, "small letters"),
        ('code=C, reason="x"', 8, "code, case"),
        ('code=C, statment="x"', 8, "did you mean 'statement'"),
        ('code=C, case="1", code=D', 18, "twice"),
        ('statement="a, case=, b", case="1", case="2"', 35, "twice"),
        ('statement="say \\"case=1, case=2\\"", location="a", location="b"', 50, "twice"),
        ('statement=%"a, case=1", case="1", case="2"', 34, "twice"),
        ('code=C, case=("1" "2")', 8, "parentheses"),
        ('code=C;case="1"', 0, "parameters"),
        ('code=C, case="1";x', 8, "parameters"),
        ("code=C, case=:MQ==:", 8, "double quotes"),
        ("code=C, case=?1", 8, "double quotes"),
        ("code=C, case=1.5", 8, "double quotes"),
        ("code=C, case=@1659578233", 8, "double quotes"),
        ('code=C, case=""', 8, "reference number"),
        ('code=C, case="1 OR 1=1"', 8, "reference number"),
        ('code=C, case="../../etc"', 8, "reference number"),
        ('code=C, case=%"26%e2%80%90004217"', 8, "reference number"),
        (f'case="{"1" * 65}"', 0, "reference number"),
        ('statement="   "', 0, "empty"),
        (f'statement="{"a" * (STATEMENT_CHARACTERS + 1)}"', 0, "longer"),
        (f'requestor="{"a" * (NAME_CHARACTERS + 1)}"', 0, "longer"),
        ('statement=%"line%0aline"', 0, "printed"),
        ('statement=%"a%e2%80%ae b"', 0, "printed"),
        ('statement=%"zero%e2%80%8bwidth"', 0, "printed"),
        ('statement=%"%ff"', 12, "UTF-8"),
        ('statement="caf\xe9"', 14, "display string"),
        ('root="no index"', 0, "Audit-Entry"),
        ('root="log.example/01"', 0, "Audit-Entry"),
        ('root="log.example/1 "', 0, "Audit-Entry"),
        (f'statement="{"a" * MAX_BYTES}"', MAX_BYTES, "larger"),
        ("\x00", 0, "byte 0"),
        ('code=C,\x01case="1"', 7, "byte 7"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_with_its_place(header: str, position: int, says: str) -> None:
    """Each mistake tells its byte and what to do; nothing of it is guessed."""
    with pytest.raises(PurposeMalformed, match=says) as refused:
        parse(header)

    assert refused.value.extras["position"] == position


@pytest.mark.parametrize("header", ["", " ", "   "])
def test_an_empty_header_is_missing(header: str) -> None:
    """An empty dictionary says nothing."""
    with pytest.raises(PurposeMissing):
        parse(header)


TEXT = st.text(st.characters(categories=("L", "N", "P", "S", "Zs"), include_characters=" "), min_size=1, max_size=60).filter(
    lambda text: bool(text.strip()) and text == text.strip() and text.isprintable()
)
STATED = st.builds(
    Stated,
    code=st.none() | st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,7}", fullmatch=True),
    case=st.none() | st.from_regex(CASE_PATTERN, fullmatch=True).map(normal_case).filter(lambda text: text.isascii()),
    statement=st.none() | TEXT,
    exigent=st.none() | TEXT,
    requestor=st.none() | TEXT,
    recipient=st.none() | TEXT,
    location=st.none() | TEXT,
    root=st.none() | st.from_regex(r"[a-z][a-z.]{0,10}/[1-9][0-9]{0,8}", fullmatch=True),
)


@given(STATED.filter(lambda stated: stated != Stated()))
def test_what_is_said_is_what_is_read(stated: Stated) -> None:
    """Serialized as RFC 9651 says and read again, every member is the same."""
    assert parse(serialize(stated)) == stated


@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda data: data.decode("latin-1")))
@example("a=@99999999999999999")
@example("a=-999999999999999")
@example("a=1;b=1;b=2")
@example("a=1, a=2")
@example("*=(")
def test_any_text_is_a_purpose_or_a_refusal_with_a_place(header: str) -> None:
    """Whatever bytes come, nothing but a refusal comes out, and its position lies within what was sent."""
    try:
        stated = parse(header)
    except PurposeMalformed as refused:
        position = refused.extras["position"]
    except Refusal as refused:
        position = 0 if isinstance(refused, PurposeMissing) else -1
    else:
        position = 0 if stated != Stated() else -1

    assert isinstance(position, int)
    assert 0 <= position <= max(len(header), 1)


MEMBER = st.sampled_from([
    "code=C", 'case="26-1"', 'statement="a, case=1"', 'case="2"', "code", 'x="1"', 'root="l/1"', 'location=%"a%22,b=%c3%a9"',
    'statement="\\"b\\\\"', 'code=D;q=",case=1"', 'case=("a" "b, c=1")', "requestor=tok",
])  # fmt: skip


@given(st.lists(MEMBER, max_size=6), st.sampled_from([",", ", ", " ,\t"]))
def test_a_refused_member_stands_where_the_refusal_says(members: list[str], comma: str) -> None:
    """The position of a duplicate, unknown or mistyped member is where a member of that name begins."""
    header = comma.join(members)
    try:
        parse(header)
    except PurposeMalformed as refused:
        position = refused.extras["position"]
        assert isinstance(position, int)
        starts = [sum(len(member) + len(comma) for member in members[:index]) for index in range(len(members))]
        assert position in starts
    except PurposeMissing:
        assert not members
    else:
        names = [member.partition("=")[0] for member in members]
        assert len(set(names)) == len(names)
        assert set(names) <= set(MEMBERS)
