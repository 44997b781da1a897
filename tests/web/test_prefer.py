from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.web.prefer import Preferences, read_preferences

MOST = 30.0


def read(*fields: str, most: float = MOST) -> tuple[int, bool]:
    """Read fields of the name Prefer."""
    found = read_preferences([("Host", "records"), *(("pReFeR", field) for field in fields)], most)
    return found.wait, found.respond_async


@pytest.mark.parametrize(
    ("fields", "wait", "respond_async"),
    [
        ((), 0, False),
        (("wait=20",), 20, False),
        (("respond-async",), 0, True),
        (("respond-async, wait=20",), 20, True),
        (("wait=20", "respond-async"), 20, True),
        (('Wait = "20" ; reason=x, RESPOND-ASYNC; a; b="c,d"',), 20, True),
        (("return=minimal;x, handling=lenient, wait=5",), 5, False),
        (("wait=300",), 30, False),
        (("wait=0",), 0, False),
    ],
)  # fmt: skip
def test_what_is_preferred_is_read_as_rfc_7240_has_it(fields: tuple[str, ...], wait: int, respond_async: bool) -> None:
    """Several lines are one list, names are caseless, parameters are passed over, and nobody waits for longer than they may."""
    assert read(*fields) == (wait, respond_async)


@pytest.mark.parametrize(
    "field",
    [
        "wait=1e9", "wait=-1", "wait=+5", "wait=1.5", "wait=0x10", "wait", 'wait=""', "wait=nan", "wait=inf", "wait=1 2",
        "wait=\u0665", "await=5", "wait-=5", "x=respond-async", "x;respond-async", '"respond-async"', 'x="a, wait=5',
        "respond-async=1", "respond-async=true", "wait=5x",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_no_preference(field: str) -> None:
    """A value that is no number of seconds holds nothing, and words inside of others are none."""
    assert read(field) == (0, False)


def test_of_two_of_a_name_the_first_counts() -> None:
    """Section 2: also when the first cannot be used, and on whichever line."""
    assert read("wait=5, wait=20") == (5, False)
    assert read("wait=-1", "wait=20") == (0, False)


@pytest.mark.parametrize("digits", [10, 5000])
def test_a_number_beyond_all_bounds_is_the_door_s_most(digits: int) -> None:
    """As RFC 9111 section 1.2.2 reads seconds; nothing is computed with it."""
    assert read("wait=" + "9" * digits) == (30, False)


def test_where_nobody_may_wait_nobody_does() -> None:
    """A door of no seconds holds nothing."""
    assert read("wait=20", most=0) == (0, False)


@pytest.mark.parametrize("field", ["a;" + " \t" * 4000 + '"', "a" + " ; " * 2700 + '"', "a=" * 4000, '",' * 4000, "," * 8000])
def test_a_field_of_spaces_and_semicolons_costs_no_more_than_its_length(field: str) -> None:
    """What backtracking could make of them would hold up every other query."""
    began = time.process_time()

    read(field)

    assert time.process_time() - began < 0.5


@given(st.text(max_size=200))
def test_whatever_is_sent_something_is_read(field: str) -> None:
    """No field raises, and none waits for longer than the most."""
    wait, _ = read(field)

    assert 0 <= wait <= MOST


def test_what_was_applied_does_not_tell_what_happened() -> None:
    """A query that would have been held says so whether or not there was anything to wait for."""
    assert Preferences(wait=20, respond_async=True).applied(accepted=True) == "respond-async, wait=20"
    assert Preferences(wait=20, respond_async=True).applied(accepted=False) == "wait=20"
    assert Preferences().applied(accepted=False) == ""
