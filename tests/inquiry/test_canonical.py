from __future__ import annotations

import unicodedata
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.inquiry.canonical import Target, encode, read_target
from proxy.inquiry.inquiry import ParameterDuplicate, RequestNotCanonical

REFUSED = {
    "absolute form": "http://evil.test/records/persons/1",
    "absolute form of another scheme": "file:///etc/passwd",
    "authority form": "evil.test:443",
    "asterisk form": "*",
    "relative": "records/persons",
    "empty": "",
    "query alone": "?a=1",
    "two slashes": "/records//persons",
    "two slashes in front": "//evil.test/records",
    "trailing slash": "/records/persons/",
    "dot": "/records/./persons",
    "dots": "/records/../admin",
    "trailing dots": "/records/..",
    "encoded dots": "/records/%2e%2e/admin",
    "half encoded dots": "/records/.%2E/admin",
    "an encoded dot in a word": "/records/persons%2ecsv",
    "encoded slash": "/records%2fpersons",
    "encoded backslash": "/records/%5c..%5cadmin",
    "backslash": "/records\\admin",
    "twice encoded dots": "/records/%252e%252e/admin",
    "twice encoded slash": "/records%252fadmin",
    "encoded percent": "/records/%25",
    "NUL": "/records/persons%00.json",
    "line feed": "/records/persons%0aHost: evil",
    "carriage return and line feed": "/records%0d%0aX: y",
    "encoded delete": "/records/%7f",
    "raw control": "/records/\x01",
    "raw line feed": "/records/a\nb",
    "raw tab": "/records/a\tb",
    "raw space": "/records/a b",
    "path parameter": "/records;x=1/persons",
    "encoded path parameter": "/records/persons%3bx=1",
    "fragment": "/records/persons#a",
    "raw non-ASCII": "/records/m\u00fcller",
    "raw fullwidth dot": "/records/\uff0e\uff0e/admin",
    "broken escape": "/records/%",
    "half an escape": "/records/%4",
    "escape that is none": "/records/%zz",
    "IIS escape": "/records/%u002e%u002e/admin",
    "overlong dot": "/records/%c0%ae%c0%ae/admin",
    "overlong slash": "/records%c0%afadmin",
    "overlong in three bytes": "/records/%e0%80%ae",
    "lone continuation": "/records/%80",
    "Latin-1": "/records/m%fcller",
    "encoded surrogate": "/records/%ed%a0%80",
    "beyond Unicode": "/records/%f4%90%80%80",
    "square brackets": "/records/persons?a[]=1",
    "quotation mark": '/records/persons?a="1"',
    "question mark in the query": "/records/persons?a=1?b=2",
    "empty query": "/records/persons?",
    "no value": "/records/persons?a",
    "empty value": "/records/persons?a=",
    "empty key": "/records/persons?=1",
    "encoded key": "/records/persons?%61=1",
    "semicolons for ampersands": "/records/persons?a=1;b=2",
    "empty pair": "/records/persons?a=1&&b=2",
    "ampersand at the end": "/records/persons?a=1&",
    "ampersand in front": "/records/persons?&a=1",
    "equals sign in a value": "/records/persons?a=b=c",
    "NUL in a value": "/records/persons?a=%00",
    "tab in a value": "/records/persons?a=x%09y",
    "line feed in a value": "/records/persons?a=x%0ay",
    "percent in a value": "/records/persons?a=x%2525",
    "wildcard percent": "/records/persons?a=%25",
    "backslash in a value": "/records/persons?a=x%5cy",
    "space in front": "/records/persons?a=%20x",
    "plus that is a space in front": "/records/persons?a=+15551234567",
    "space behind": "/records/persons?a=x+",
    "C1 control": "/records/persons?a=x%c2%85y",
    "no-break space": "/records/persons?a=x%c2%a0y",
    "em space": "/records/persons?a=x%e2%80%83y",
    "line separator": "/records/persons?a=x%e2%80%a8y",
    "zero width space": "/records/persons?a=x%e2%80%8by",
    "zero width joiner": "/records/persons?a=x%e2%80%8dy",
    "soft hyphen": "/records/persons?a=x%c2%ady",
    "right-to-left override": "/records/persons?a=x%e2%80%aey",
    "bidi isolate": "/records/persons?a=x%e2%81%a6y",
    "byte order mark": "/records/persons?a=%ef%bb%bfx",
    "tag": "/records/persons?a=x%f3%a0%81%81",
    "variation selector": "/records/persons?a=x%ef%b8%8f",
    "grapheme joiner": "/records/persons?a=x%cd%8fy",
    "Hangul filler": "/records/persons?a=x%e3%85%a4y",
    "blank Braille": "/records/persons?a=x%e2%a0%80y",
    "private use": "/records/persons?a=x%ee%80%80",
    "unassigned": "/records/persons?a=x%ef%bf%bf",
    "invisible in the path": "/records/x%e2%80%8by",
    "Greek question mark in the path": "/records/x%cd%bey",
    "too long": "/records/" + "a" * 4096,
    "too many segments": "/a" * 33,
    "too many pairs": "/a?" + "&".join(f"a{number}=1" for number in range(33)),
    "too long a value": "/a?b=" + "c" * 257,
    "too long a name": "/a?" + "b" * 65 + "=1",
}


@pytest.mark.parametrize("target", REFUSED.values(), ids=REFUSED)
def test_what_can_be_read_in_two_ways_is_refused(target: str) -> None:
    """No server behind us gets the chance to read it the other way."""
    with pytest.raises(RequestNotCanonical):
        read_target(target)


@pytest.mark.parametrize("target", REFUSED.values(), ids=REFUSED)
def test_a_refusal_repeats_nothing(target: str) -> None:
    """What was sent may hold a name; the detail holds none of it."""
    with pytest.raises(RequestNotCanonical) as refusal:
        read_target(target.replace("persons", "zzyzx").replace("x", "zzyzx"))

    assert "zzyzx" not in refusal.value.detail


@pytest.mark.parametrize(
    ("target", "segments", "query"),
    [
        ("/", (), {}),
        ("/records/persons/100123", ("records", "persons", "100123"), {}),
        ("/records/%70ersons", ("records", "persons"), {}),
        ("/records/m%c3%bcller", ("records", "m\u00fcller"), {}),
        ("/records/M%C3%BCller", ("records", "M\u00fcller"), {}),
        ("/records/mu%cc%88ller", ("records", "m\u00fcller"), {}),
        ("/records/a+b", ("records", "a+b"), {}),
        ("/records/~1:@!$'()*,", ("records", "~1:@!$'()*,"), {}),
        ("/a?surname=O'Brien&given_name=John+Paul", ("a",), {"surname": "O'Brien", "given_name": "John Paul"}),
        ("/a?phone=%2B15551234567", ("a",), {"phone": "+15551234567"}),
        ("/a?street=12+1%2F2+Elm%20Street", ("a",), {"street": "12 1/2 Elm Street"}),
        ("/a?unit=%234", ("a",), {"unit": "#4"}),
        ("/a?b=c%3Dd%26e%3Bf", ("a",), {"b": "c=d&e;f"}),
        ("/a?B=1&b=2&_c=3&d.e=4", ("a",), {"B": "1", "b": "2", "_c": "3", "d.e": "4"}),
    ],
)
def test_one_reading(target: str, segments: tuple[str, ...], query: dict[str, str]) -> None:
    """Split first, decoded once, in NFC; a plus in the query is a space, in the path a plus."""
    assert read_target(target) == Target(segments=segments, query=query)


@pytest.mark.parametrize("target", ["/a?b=1&b=1", "/a?b=1&b=2", "/a?b=1&c=2&b=3"])
def test_a_parameter_twice_is_refused(target: str) -> None:
    """Whether a server takes the first or the last is not tried out, even when they are equal."""
    with pytest.raises(ParameterDuplicate):
        read_target(target)


PIECES = st.lists(
    st.sampled_from(
        [
            "/",
            "//",
            ".",
            "..",
            "%2e",
            "%2F",
            "%5c",
            "%25",
            "%00",
            "%c3%bc",
            "u%cc%88",
            "%cd%be",
            "%e2%80%8b",
            "%zz",
            "%",
            ";",
            "?",
            "&",
            "=",
            "+",
            "a",
            "b=1",
            "admin",
            "~",
            "'",
            "%41",
            "#",
            "\\",
            " ",
            "\u00fc",
            ":",
            "@",
            "*",
        ],
    ),
    max_size=12,
)


@given(st.one_of(PIECES.map(lambda pieces: "/" + "".join(pieces)), st.text(max_size=40)))
@settings(max_examples=200)
def test_what_is_accepted_is_rebuilt_to_the_same(raw: str) -> None:
    """The canonical form reads as itself, says what was matched, and any decoder agrees with it."""
    try:
        target = read_target(raw)
    except (RequestNotCanonical, ParameterDuplicate):
        return

    path = "/" + "/".join(map(encode, target.segments))
    query = "&".join(f"{key}={encode(value)}" for key, value in target.query.items())
    canonical = f"{path}?{query}" if query else path

    assert read_target(canonical) == target
    assert tuple(unquote(piece, errors="strict") for piece in path[1:].split("/") if piece) == target.segments
    assert dict(parse_qsl(query, strict_parsing=bool(query))) == target.query
    assert not {".", ".."} & set(target.segments)


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="%\\"), min_size=1, max_size=20))
@settings(max_examples=200)
def test_every_visible_text_can_be_asked_for(text: str) -> None:
    """Encoded once, text arrives in NFC; what is refused is invisible or padded with spaces, and nothing else."""
    settled = unicodedata.normalize("NFC", text)
    try:
        value = read_target(f"/a?b={encode(text)}").query["b"]
    except RequestNotCanonical:
        hidden = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs", "Mn", "Lo", "So"}
        assert any(unicodedata.category(character) in hidden for character in settled)
        return

    assert value == settled
