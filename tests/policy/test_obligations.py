from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.audit.owed import Duty, Owed
from proxy.document import DocumentInvalid
from proxy.policy.decision import Demand, Outcome, Ruling
from proxy.policy.exigent import broken, concealed, opened
from proxy.policy.lattice import ruling_of
from proxy.policy.parser import parse_policy
from proxy.policy.rows import obligations
from proxy.policy.strictness import loosenings
from proxy.policy.vocabulary import Words
from tests.policy.conftest import FIELDS, SMALL

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.policy.rows import Row, Sheet

DENY = "deny, D1, any, any, any, informant, any, any, any, none, hidden persons are not for you"
MASK = "mask, M1, records, person.read, J, none, any, none, none, mask=ssn+photo; notify=patrol, background"
ESCALATE = "escalate, E1, patrol, person.read, C, official, assigned, none, none, none, everybody agrees"
GROUP = "g, patrol, asker"
SUPERVISED = Words(words={**SMALL.words, "role": SMALL.words["role"] | {"supervisor"}}, groups=SMALL.groups)
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
    "an end by itself": (_swap("notify=patrol", "until=2026-12-31"), "no row begins or ends by itself"),
    "exigent on a mask": (_swap("notify=patrol", "exigent=never"), "refuses nothing that an emergency could need"),
    "an emergency without a review": (
        _swap(DENY, ESCALATE.replace("none, e", "exigent=allowed; shows=ssn, e")),
        "how soon an emergency is reviewed is not said",
    ),
    "an emergency that shows what it likes": (
        _swap(DENY, ESCALATE.replace("none, e", "exigent=allowed/4h, e")),
        "what an emergency shows is not said",
    ),
    "an emergency that shows what there is not": (
        _swap(DENY, ESCALATE.replace("none, e", "exigent=allowed/4h; shows=sssn, e")),
        "unknown field class 'sssn'",
    ),
    "an emergency that opens a refusal": (
        _swap("any, any, any, none, hidden", "any, any, any, exigent=allowed/4h, hidden"),
        "an emergency opens no refusal",
    ),
    "shown in no emergency": (
        _swap(DENY, ESCALATE.replace("none, e", "exigent=never; shows=ssn, e")),
        "'shows' says nothing where no emergency opens anything",
    ),
    "alerted of no emergency": (
        _swap(DENY, ESCALATE.replace("none, e", "alerts=patrol, e")),
        "'alerts' says nothing where no emergency opens anything",
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


PERMITTED = Ruling(outcome=Outcome.PERMIT, rule="P1", because="agreed")
EMERGENCY = "exigent=allowed/4h; shows={}; alerts=supervisor/{}"


def _emergency(shows: str, alert: str, rule: str = "E1") -> Row:
    cell = EMERGENCY.format(shows, alert)
    words = SUPERVISED
    text = f"{GROUP}\n{ESCALATE.replace('none, e', f'{cell}, e').replace('E1', rule)}\n"
    return parse_policy(Path("policy.csv"), text.encode(), words=words, fields=FIELDS).rows[0]


def test_what_an_emergency_opens_is_written_as_it_is_read() -> None:
    """Field classes, the review's time and who is alerted survive; a supervisor is, where nobody is named."""
    row = _emergency("photo+ssn", "15m")

    assert obligations(row) == EMERGENCY.format("photo+ssn", "15m")
    assert row.exigent is not None
    assert row.exigent.shown == {"photo", "ssn"}
    assert {(each.duty, each.role, each.within) for each in row.exigent.owed} == {
        ("review", "supervisor", 4 * 3600),
        ("notice", "supervisor", 900),
    }


def test_rows_that_decide_together_open_what_all_of_them_open() -> None:
    """The fewer fields, the shorter times; and nothing at all, where one of them is silent."""
    some, other = _emergency("photo+ssn", "15m"), _emergency("photo+financial", "5m", "E2")

    joined = ruling_of([some, other]).exigent
    assert joined is not None
    assert joined.shown == {"photo"}
    assert min(each.within or 0 for each in joined.owed) == 300
    assert ruling_of([some, replace(other, exigent=None)]).exigent is None
    assert ruling_of([some, _emergency("financial", "5m", "E3")]).exigent is None


def test_an_emergency_that_opens_more_is_looser() -> None:
    """More fields, or fewer who know, or an emergency at all where there was none: it needs whoever signs loosenings."""
    none = ruling_of([replace(_emergency("ssn", "15m"), exigent=None)])
    less, more, late = (ruling_of([_emergency(*said)]) for said in (("ssn", "15m"), ("photo+ssn", "15m"), ("ssn", "1h")))

    assert [loosenings(before, after) for before, after in ((none, less), (less, more), (less, late))] == [("exigent",)] * 3
    assert loosenings(more, less) == loosenings(late, less) == loosenings(less, none) == ()


def test_what_is_answered_in_an_emergency_is_what_the_row_shows_and_nothing_else() -> None:
    """A field class that nobody thought of stays masked, whoever was not asked is told, and a mark says who was answered."""
    asked = replace(ruling_of([_emergency("ssn", "15m")]), demands=(Demand(quorum=1, roles=frozenset({"records"})),))

    ruling = broken(asked, PERMITTED, {"ssn", "photo", "financial", "new"})

    assert (ruling.outcome, ruling.rule, ruling.masked) == (Outcome.MASK, "E1", frozenset({"photo", "financial", "new"}))
    assert ruling.marked
    assert {each.role for each in ruling.owed if each.duty is Duty.NOTICE} == {"supervisor", "records"}


def test_an_emergency_shows_nothing_that_an_approval_would_not() -> None:
    """What is masked, or obliges somebody, once a supervisor has agreed, does so before; whom that opens not, nothing opens."""
    row = ruling_of([_emergency("photo+ssn", "15m")])
    review = Owed(duty=Duty.REVIEW, role="supervisor", within=60)
    masked = replace(PERMITTED, outcome=Outcome.MASK, masked=frozenset({"ssn"}), owed=(review,))

    assert opened(row, masked) == {"photo"}
    assert review in broken(row, masked, FIELDS).owed
    assert opened(row, replace(PERMITTED, outcome=Outcome.DENY)) == frozenset()
    assert opened(replace(row, exigent=None), PERMITTED) == frozenset()


def test_no_row_lets_an_emergency_open_who_is_concealed() -> None:
    """By name, by a group that holds the category, or by any: the policy is refused with the row's line."""
    conceal = "conceal, H1, records, any, any, informant, any, any, any, none, not there"
    group = "g2, informant, protected\ng2, official, protected"
    for category, refused in (("informant", True), ("protected", True), ("official", False)):
        row = ESCALATE.replace("official", category).replace("none, e", f"{EMERGENCY.format('ssn', '15m')}, e")
        text = f"{GROUP}\n{group}\n{conceal}\n{row}\n"
        sheet = parse_policy(Path("policy.csv"), text.encode(), words=SUPERVISED, fields=FIELDS)

        mistakes = list(concealed(Path("policies"), sheet, SUPERVISED))

        assert [mistake.line for mistake in mistakes] == ([5] if refused else [])
        assert all("'informant'" in mistake.message for mistake in mistakes)


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
