from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.document import DocumentInvalid
from proxy.policy.decision import Demand, Outcome
from proxy.policy.lattice import ruling_of
from proxy.policy.parser import parse_policy
from proxy.policy.strictness import loosenings
from tests.policy.conftest import FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.policy.rows import Sheet
    from proxy.policy.vocabulary import Words

DENY = "deny, D1, any, any, any, informant, any, any, any, none, hidden persons are not for you"
MASK = "mask, M1, records, person.read, J, none, any, none, none, mask=ssn+photo; notify=patrol, background"
ESCALATE = "escalate, E1, patrol, person.read, C, official, assigned, none, none, none, everybody agrees"
GROUP = "g, patrol, asker"
GOOD = f"{GROUP}\n{DENY}\n{MASK}\n"


def _swap(old: str, new: str) -> bytes:
    assert old in GOOD
    return GOOD.replace(old, new, 1).encode()


WRONG: dict[str, tuple[bytes, str]] = {
    "notify within no time": (_swap("notify=patrol", "notify=patrol/soon"), "'soon' is no time"),
    "notify within an empty time": (_swap("notify=patrol", "notify=patrol/"), "'' is no time"),
    "notify within a second": (_swap("notify=patrol", "notify=patrol/30s"), "'30s' is no time"),
    "notify within a year": (_swap("notify=patrol", "notify=patrol/365d"), "'365d' is no time"),
    "notify a role twice": (_swap("notify=patrol", "notify=patrol/1h+patrol/2h"), "'notify' names a role twice"),
    "review without a time": (_swap("notify=patrol", "review=supervisor"), "'supervisor' is no time"),
    "review in no time": (_swap("notify=patrol", "review=0h"), "'0h' is no time"),
    "review by nobody": (_swap("notify=patrol", "review=4h"), "a review needs the role 'supervisor'"),
    "review of what is escalated": (_swap(DENY, f"{ESCALATE.replace('none, e', 'review=4h, e')}"), "put review= on the row"),
    "quorum of none": (_swap(DENY, ESCALATE.replace("none, e", "quorum=0, e")), "'0' is no quorum"),
    "quorum of a crowd": (_swap(DENY, ESCALATE.replace("none, e", "quorum=6, e")), "'6' is no quorum"),
    "quorum in words": (_swap(DENY, ESCALATE.replace("none, e", "quorum=two, e")), "'two' is no quorum"),
    "quorum on a deny": (_swap("any, any, any, none, hidden", "any, any, any, quorum=2, hidden"), "asks nobody"),
    "approvers nobody knows": (_swap(DENY, ESCALATE.replace("none, e", "approvers=chief, e")), "unknown role 'chief'"),
    "approvers on a mask": (_swap("notify=patrol", "approvers=patrol"), "asks nobody"),
    "exigent perhaps": (_swap(DENY, ESCALATE.replace("none, e", "exigent=maybe, e")), "unknown obligation 'exigent=maybe'"),
    "exigent on a mask": (_swap("notify=patrol", "exigent=never"), "refuses nothing that an emergency could need"),
    "break-glass is not performed": (
        _swap(DENY, ESCALATE.replace("none, e", "exigent=allowed, e")),
        "this version does not perform 'exigent=allowed', and answers nothing without it",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_obligation_that_cannot_be_done_is_refused(name: str, small: Words) -> None:
    """Whatever is misspelt, meaningless there, or not performed by this version, the policy with it is not loaded."""
    raw, fragment = WRONG[name]

    with pytest.raises(DocumentInvalid) as caught:
        parse_policy(Path("policy.csv"), raw, words=small, fields=FIELDS)

    assert any(fragment in mistake.message or fragment in (mistake.help or "") for mistake in caught.value.mistakes)


@pytest.mark.parametrize(
    ("row", "cell"),
    [
        (MASK, "mask=photo+ssn; notify=patrol/15m+records/2d"),
        (MASK, "mask=ssn; notify=patrol"),
        (DENY, "notify=records/4h; tell=withheld"),
        (ESCALATE, "notify=patrol/90m; quorum=2; approvers=patrol+records"),
        (ESCALATE, "quorum=3"),
        (ESCALATE, "none"),
    ],
)
def test_what_a_row_obliges_to_is_written_as_it_is_read(read: Callable[[str], Sheet], row: str, cell: str) -> None:
    """Times, roles, quorum and silence survive; what a row says of itself could stand in the file."""
    text = row.replace("mask=ssn+photo; notify=patrol", cell).replace("none, hidden", f"{cell}, hidden")
    text = text.replace("none, everybody", f"{cell}, everybody")

    assert str(read(f"{GROUP}\n{text}\n").rows[0]) == text


def test_who_agrees_is_one_supervisor_unless_the_row_says_otherwise(read: Callable[[str], Sheet]) -> None:
    """A quorum is of supervisors, and approvers are one of them; never is what is done about broken glass anyway."""

    def demands(cell: str) -> tuple[Demand, ...]:
        return read(f"{GROUP}\n{ESCALATE.replace('none, e', f'{cell}, e')}\n").rows[0].demands

    assert demands("none") == demands("exigent=never") == (Demand(quorum=1, roles=frozenset({"supervisor"})),)
    assert demands("quorum=2") == (Demand(quorum=2, roles=frozenset({"supervisor"})),)
    assert demands("approvers=records") == (Demand(quorum=1, roles=frozenset({"records"})),)


def test_a_watermark_is_read_joined_and_missed(read: Callable[[str], Sheet]) -> None:
    """The mark of one of two rows that decide together holds, is written as it was read, and is looser when it is gone."""
    other = (
        "mask, M2, records, person.read, J, none, any, none, none, mask=ssn+photo; notify=patrol; watermark=entry, background"
    )
    plain, marked = read(GOOD), read(f"{GOOD}{other}\n")

    [row] = [row for row in marked.rows if row.rule == "M2"]
    rulings = [ruling_of([row for row in sheet.rows if row.outcome is Outcome.MASK]) for sheet in (plain, marked)]
    assert str(row) == other.replace("mask=ssn+photo", "mask=photo+ssn")
    assert [ruling.marked for ruling in rulings] == [False, True]
    assert "marked" in loosenings(rulings[1], rulings[0])
    assert "marked" not in loosenings(*rulings)
