"""The mapping file: every mistake in it has its place, says what is wrong, and what it could have been."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from proxy.document import DocumentInvalid
from proxy.inquiry.inquiry import FIELD_KINDS
from proxy.purpose.answer import AnswerWrong, parse, read_case
from proxy.purpose.casefile import PARTY_KINDS
from proxy.purpose.header import CASE_PATTERN
from proxy.purpose.mapping import load_case_system
from tests.purpose.conftest import ORI
from tests.purpose.vendor import MAPPING

if TYPE_CHECKING:
    from proxy.document import Mistake

EXAMPLE = Path(__file__).parents[2] / "deploy/case_system.example.yaml"
SOUND = MAPPING.format(url="https://cad.example.gov", more="", agency=ORI)


def mistakes(path: Path, text: str) -> tuple[Mistake, ...]:
    """Return the mistakes of a file, none when it is right."""
    file = path / "case_system.yaml"
    file.write_text(text, "utf-8")
    try:
        load_case_system(file)
    except DocumentInvalid as invalid:
        return invalid.mistakes
    return ()


def test_the_mapping_of_these_tests_is_sound(tmp_path: Path) -> None:
    """Else the table below would find other mistakes than its own; parties are told by criteria that routes know."""
    assert mistakes(tmp_path, SOUND) == ()
    assert set(PARTY_KINDS) <= FIELD_KINDS


@pytest.mark.parametrize(
    ("before", "after", "at", "says", "hint"),
    [
        ("url: https://cad.example.gov", "url: cad.example.gov", "cad.example", "must be a URL", "https://"),
        ("url: https://cad", "url: http://cad", "http://", "in the clear", "unsafe_plaintext"),
        ("url: https://cad", "url: https://me:pw@cad", "https://me", "user or password", "secret_headers"),
        (".gov\n", ".gov/api\n", "https://cad", "end after the host", "'path'"),
        ("/{number}", "", "/cad", "has to be in the path or in one value", "{number}"),
        ("/{number}", "/{number}/{number}", "/cad", "{number} at most once", "/cases/"),
        ("/cad/", "/../", "/../", "a path is plain text", "/cases/"),
        ("/cad/", "//", "//", "a path is plain text", "/cases/"),
        ("/cad/", "/cad?x=", "/cad?", "a path is plain text", "/cases/"),
        ("case:", "query: {n: '{number}'}\ncase:", "/cad", "once", "query"),
        (
            "case:",
            "connect_second: 1.0\ncase:",
            "connect_second:",
            "unknown key 'connect_second'",
            "did you mean 'connect_seconds'?",
        ),
        ("case:", "certificate: c.pem\ncase:", "c.pem", "go together", ""),
        ("case:", "fresh_seconds: 301.0\ncase:", "301.0", "less than or equal to 300", ""),
        ("case:", "absent_statuses: [500]\ncase:", "500", "404", ""),
        ("INC: incident", "INC: incidnet", "incidnet", "no kind of reference", "did you mean 'incident'?"),
        ("America/Chicago", "America/Chicgo", "America", "no time zone", "did you mean 'America/Chicago'?"),
        ('"%m/%d/%Y %H:%M:%S"', "izo", "izo", "cannot be read by this", "did you mean 'iso'?"),
        ('"%m/%d/%Y %H:%M:%S"', '"%H:%M"', '"%H', "cannot be read by this", "pattern"),
        ("number: $.incident.no", "number: incident.no", "incident.no", "RFC 9535", "begins with $"),
        ("summary: $.incident.nature", "summary: $.incident[", "$.incident[", "RFC 9535", "begins with $"),
        ("summary: $.incident.nature", "summary: {words: {A: B}}", "{words", "a 'path', or a 'value'", ""),
        ("  number: $.incident.no\n", "", "case:", "'number' is missing", "add it"),
        ("closed: [CLEARED]", "closed: [ACTIVE]", "{path", "'ACTIVE' means open and closed", ""),
        ("surname: $.last", "surnam: $.last", "surnam", "'surnam' is no criterion", "did you mean 'surname'?"),
    ],
)
def test_each_mistake_has_its_place_and_a_way_out(  # noqa: PLR0917 -- one row of the table
    tmp_path: Path, before: str, after: str, at: str, says: str, hint: str
) -> None:
    """Line and column of the value, what is wrong, and the nearest word."""
    assert before in SOUND

    (found,) = mistakes(tmp_path, SOUND.replace(before, after, 1))

    assert (says in found.message, hint in (found.help or "")) == (True, True), found
    assert found.source is not None
    assert found.source[found.column - 1 :].startswith(at), found


def test_an_answer_in_a_list_holds_one_case_or_none(tmp_path: Path) -> None:
    """`at` leads to the case; two for one number are one too many."""
    file = tmp_path / "case_system.yaml"
    file.write_text(
        "url: https://cad.example.gov\npath: /cases\nquery: {number: '{number}'}\nat: $.found[*]\n"
        f"case: {{number: $.no, kind: {{value: case}}, agency: {{value: {ORI}}}, opened_at: {{path: $.at, format: unix}}}}\n"
    )
    shape = load_case_system(file).shape
    one = {"no": "26-1", "at": 1_795_000_000}

    assert read_case(shape, {"found": []}, "26-1") is None
    found = read_case(shape, {"found": [one]}, "26-1")
    assert found is not None
    assert (found.opened_at.year, found.parties) == (2026, None)
    with pytest.raises(AnswerWrong, match="2 cases"):
        read_case(shape, {"found": [one, one]}, "26-1")


def test_an_answer_too_deep_for_its_path_is_wrong(tmp_path: Path) -> None:
    """A path that descends is bounded as JSON is."""
    file = tmp_path / "case_system.yaml"
    file.write_text(SOUND.replace("$.incident.no", "$..no"))
    document: Any = "x"
    for _ in range(900):
        document = {"a": document}

    with pytest.raises(AnswerWrong):
        read_case(load_case_system(file).shape, document, "26-1")


@given(number=st.from_regex(CASE_PATTERN, fullmatch=True))
def test_no_number_is_more_than_one_piece_of_the_request(number: str) -> None:
    """Whatever a header may hold: one segment or one value, which means the number again, or nothing is asked."""
    in_path = load_case_system(EXAMPLE)
    in_query = replace(in_path, path="/cases", query=(("number", "{number}"), ("view", "full")))

    target = in_path.target(number)
    if target is not None:
        url = URL(f"https://cad.example.gov{target}", encoded=True)
        assert (url.raw_path.count("/"), url.raw_query_string, url.raw_fragment) == (2, "", "")
        assert unquote(url.raw_path.removeprefix("/cases/")) == number
        assert "%2" not in target.replace("%20", "").upper()
    asked = in_query.target(number)
    assert asked is not None
    assert parse_qsl(asked.partition("?")[2], strict_parsing=True, max_num_fields=2) == [("number", number), ("view", "full")]


@pytest.mark.parametrize("body", [b"\xff", b'{"a": NaN}', b"[" * 100_000, b'{"a": 1, "a": 2}', b"", b"{} {}"])
def test_what_is_not_json_once_is_wrong(body: bytes) -> None:
    """Bytes, constants, depth, keys given twice and what follows."""
    with pytest.raises(AnswerWrong):
        parse(body)
