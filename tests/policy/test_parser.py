from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.audit.owed import Duty, Owed
from proxy.document import DocumentInvalid
from proxy.policy.decision import Outcome
from proxy.policy.parser import parse_policy
from proxy.policy.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.policy.rows import Sheet
    from proxy.policy.vocabulary import Words

FIELDS = frozenset({"ssn", "photo", "financial"})

DENY = "deny, D1, any, any, any, informant, any, any, any, none, hidden persons are not for you"
PERMIT = "permit, P1, patrol, person.read, C, none, assigned, none, none, none, ordinary work"
MASK = "mask, M1, records, person.read, J, none, any, none, none, mask=ssn+photo; notify=patrol, background"
GROUP = "g, patrol, asker"
GOOD = f"# rules\n\n{GROUP}\n{DENY}\n{MASK}\n{PERMIT}\n"


def test_line_ends_of_either_kind_are_read_alike(read: Callable[[str], Sheet]) -> None:
    """A good file is good with Windows line ends too."""
    sheet = read(GOOD)

    assert [row.rule for row in sheet.rows] == ["D1", "M1", "P1"]
    assert read(GOOD.replace("\n", "\r\n")).rows == sheet.rows


def test_a_row_is_read_as_it_stands(read: Callable[[str], Sheet]) -> None:
    """Outcome, conditions, obligations, reason and line are those of the file."""
    mask = read(GOOD).rows[1]

    assert mask.outcome is Outcome.MASK
    assert mask.conditions == ("records", "person.read", "J", "none", "any", "none", "none")
    assert mask.masked == {"ssn", "photo"}
    assert mask.owed == (Owed(duty=Duty.NOTICE, role="patrol"),)
    assert mask.because == "background"
    assert mask.line == 5


def test_every_mistake_is_told_at_once_with_its_place(read: Callable[[str], Sheet]) -> None:
    """One run tells all mistakes, each with line and column and the nearest word."""
    text = GOOD.replace("informant", "informnat").replace("permit,", "permitt,")

    with pytest.raises(DocumentInvalid) as caught:
        read(text)

    told = [(mistake.line, mistake.column, mistake.help) for mistake in caught.value.mistakes]
    assert told == [(4, 26, "did you mean 'informant'?"), (6, 1, "did you mean 'permit'?")]


def test_a_word_in_the_wrong_case_is_not_guessed_but_suggested(read: Callable[[str], Sheet]) -> None:
    """``DENY`` is a mistake whose help names ``deny``."""
    with pytest.raises(DocumentInvalid, match="did you mean 'deny'"):
        read(GOOD.replace("deny,", "DENY,"))


def test_the_order_of_lines_has_no_say(read: Callable[[str], Sheet]) -> None:
    """Rows stand in deciding order, whatever their lines."""
    turned = "\n".join(reversed(GOOD.strip().split("\n"))) + "\n"

    assert [row.rule for row in read(turned).rows] == [row.rule for row in read(GOOD).rows]


@given(text=st.text(alphabet=st.sampled_from('deny,permit PDM1 g2#\n\r\t"()anyC=;+\u200b\u0430\ufeff'), max_size=200))
@settings(max_examples=200, deadline=None)
def test_a_line_is_read_or_refused_never_dropped(text: str) -> None:
    """Whatever the bytes: as many rows and groupings come out as lines say something, or the file is refused."""
    try:
        sheet = parse_policy(Path("policy.csv"), (GOOD + text).encode(), words=_words(), fields=FIELDS)
    except DocumentInvalid:
        return
    said = [line for line in (GOOD + text).split("\n") if line.strip(" \r") and not line.lstrip(" ").startswith("#")]
    assert len(sheet.rows) + len(sheet.groupings) == len(said)


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_one_changed_character_never_drops_a_row(data: st.DataObject) -> None:
    """Any single edit of a good file leaves every line read, or the file refused."""
    at = data.draw(st.integers(0, len(GOOD) - 1))
    new = data.draw(st.sampled_from(["", *'#"(,;: \n\r\taZ0=\u00a0\u200b\u0435']))
    text = GOOD[:at] + new + GOOD[at + 1 :]
    try:
        sheet = parse_policy(Path("policy.csv"), text.encode(), words=_words(), fields=FIELDS)
    except DocumentInvalid:
        return
    said = [line for line in text.split("\n") if line.strip(" \r") and not line.lstrip(" ").startswith("#")]
    assert len(sheet.rows) + len(sheet.groupings) == len(said)


def _words() -> Words:
    return Vocabulary(
        roles={"patrol": "", "records": ""},
        categories={"official": "", "informant": ""},
        category_groups={},
        groups={"role": {"asker": ""}, "category": {"protected": ""}},
    ).words(actions={"person.read", "person.search"}, purposes={"C", "J"})
