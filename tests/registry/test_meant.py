"""Texts that programs have written for themselves, and what a screen shows of them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.registry.meant import meant


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("O&#39;Brien", "O'Brien"),
        ("O&#x27;Brien", "O'Brien"),
        ("O&apos;Brien", "O'Brien"),
        ("O&amp;#39;Brien", "O'Brien"),
        ("17&nbsp;Magnolia Court", "17\u00a0Magnolia Court"),
        ("QUIMBY, W &amp; E", "QUIMBY, W & E"),
        (r"O\u0027Brien", "O'Brien"),
        (r"seen with:\r\nSean", "seen with:  Sean"),
        ("Oâ€™Brien", "O\u2019Brien"),
        ("JosÃ© GarcÃ\u00ada", "José García"),
    ],
)
def test_a_reference_an_escape_and_a_misread_letter_are_what_they_stand_for(text: str, seen: str) -> None:
    """Also where that was done twice."""
    assert meant(text) == seen


@pytest.mark.parametrize(
    "text", ["J&REGAN", "AT&T; Smith", "Müller", "50 % & more", r"C:\Users", r"\ud83d\u0000", "&#99999999;", "Ägypten â la"]
)
def test_everything_else_is_as_it_is(text: str) -> None:
    """No reference without its semicolon, no half of a character, no control."""
    assert meant(text) == text


@given(st.text())
def test_any_text_has_a_meaning(text: str) -> None:
    """Nothing raises, and what is plain ASCII stays so."""
    assert isinstance(meant(text), str)


def test_a_long_text_costs_no_more_than_its_length() -> None:
    """The longest texts that are read, made of what looks like references, take milliseconds."""
    began = time.perf_counter()
    for text in ("&amp;" * 800, "&" * 4096, r"\u00e9" * 680, "Ã©" * 2048, "â€" * 2048):
        meant(text)

    assert time.perf_counter() - began < 0.5
