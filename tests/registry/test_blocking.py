"""Blocking keys: whoever is one slip away meets, and strangers do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.registry import traits
from proxy.registry.blocking import keys, keys_apart
from proxy.registry.lines import criteria, some_identifiers
from proxy.registry.person import Identifiers
from proxy.registry.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKENS = Tokens(b"k" * 32)
SSNS = st.from_regex("[1-8][0-9]{8}", fullmatch=True).filter(lambda digits: len(set(digits)) > 2)
PLATES = st.from_regex("[ACEFHJKLMNPRTUVWXY]{3}[2-9]{4}", fullmatch=True)
WORDS = st.text("abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=10)
DATES = st.dates().map(str).filter(lambda text: text >= "1900")


def met(asked: Mapping[str, str], known: Mapping[str, str]) -> bool:
    """Tell whether who is asked for has a key in common with who is enrolled."""
    who, _ = some_identifiers(known)
    parts = keys_apart(traits.of_fields(criteria(asked), TOKENS), TOKENS.word, TOKENS.usual)
    mine = {key for part in parts for found in part for key in found.tolist()}
    return not mine.isdisjoint(keys(traits.of_person(who), TOKENS.word))


def slips(text: str, at: int, other: str) -> dict[str, str]:
    """Return what one slip at a place makes of a number."""
    return {
        "changed": text[:at] + other + text[at + 1 :],
        "lost": text[:at] + text[at + 1 :],
        "too many": text[:at] + other + text[at:],
        "exchanged": text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :],
    }


@given(ssn=SSNS, at=st.integers(0, 8), digit=st.sampled_from("123456789"))
@settings(max_examples=200, deadline=None)
def test_an_ssn_meets_its_slips(ssn: str, at: int, digit: str) -> None:
    """A digit changed, lost, too many, or exchanged with its neighbor leaves a key."""
    for slipped in slips(ssn, at, digit).values():
        assert met({"ssn": slipped}, {"ssn": ssn})


@given(plate=PLATES, at=st.integers(0, 6), mark=st.sampled_from("ACEFH2379"))
@settings(max_examples=200, deadline=None)
def test_a_plate_meets_its_slips(plate: str, at: int, mark: str) -> None:
    """So it is with a plate, of which half is enough, too."""
    for slipped in slips(plate, at, mark).values():
        assert met({"plate": slipped}, {"plate": plate})
    assert met({"plate": plate[:4]}, {"plate": plate})
    assert met({"plate": plate[-4:]}, {"plate": plate})


@given(given_name=WORDS, surname=WORDS, dob=DATES)
@settings(max_examples=200, deadline=None)
def test_names_meet_in_either_order_with_the_date_or_without(given_name: str, surname: str, dob: str) -> None:
    """Exchanged, without a date on either side, with day and month exchanged, or with another year."""
    person = {"given_name": given_name, "surname": surname, "dob": dob}
    names = {"given_name": given_name, "surname": surname}
    exchanged = {"given_name": surname, "surname": given_name}
    year, month, day = dob.split("-")

    for asked in (person, names, exchanged, {**exchanged, "dob": dob}, {**names, "dob": f"{int(year) + 9}-{month}-{day}"}):
        assert met(asked, person)
        assert met(asked, names)
    assert met({**names, "dob": f"{year}-{day}-{month}"}, person)


@given(names=st.tuples(WORDS, WORDS), other=WORDS, dob=DATES, at=st.integers(1, 9), letter=st.sampled_from("aeknrst"))
@settings(max_examples=200, deadline=None)
def test_names_meet_on_a_birthday_whatever_slipped(names: tuple[str, str], other: str, dob: str, at: int, letter: str) -> None:
    """With the same date, a slip behind the first letter is enough beside another name, or one in either, exchanged too."""
    person = {"given_name": names[0], "surname": names[1], "dob": dob}

    for first, last in zip(*(slips(name, at, letter).values() for name in names), strict=True):
        for one, two in ((first, other), (other, last), (first, last)):
            assert met({"given_name": one, "surname": two, "dob": dob}, person)
            assert met({"given_name": two, "surname": one, "dob": dob}, person)


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ({"ssn": "219099999"}, {"ssn": "541892803"}),
        ({"plate": "ACH2379"}, {"plate": "KLM4568"}),
        ({"given_name": "Eleanor", "surname": "Whitcombe"}, {"given_name": "James", "surname": "Carter"}),
        (
            {"given_name": "Eleanor", "surname": "Whitcombe", "dob": "1961-03-09"},
            {"given_name": "Eleanor", "surname": "Carter", "dob": "1984-10-24"},
        ),
        (
            {"given_name": "Eleanor", "surname": "Whitcombe", "dob": "1961-03-09"},
            {"given_name": "Ethan", "surname": "Carter", "dob": "1961-03-09"},
        ),
    ],
)
def test_strangers_meet_nowhere(asked: dict[str, str], known: dict[str, str]) -> None:
    """Who shares no more than a common given name has no key in common."""
    assert not met(asked, known)


def test_keys_are_another_secrets_own() -> None:
    """Under another secret the same person has other keys."""
    who = traits.of_person(Identifiers(given_name="Eleanor", surname="Whitcombe", dob="1961-03-09", ssns=("219099999",)))

    assert set(keys(who, TOKENS.word)).isdisjoint(keys(who, Tokens(b"o" * 32).word))
    assert keys(who, TOKENS.word) == keys(who, Tokens(b"k" * 32).word)
