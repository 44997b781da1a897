"""The shipped policy, as a records officer or a lawyer would put it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.inquiry.routes import load_routes
from proxy.policy.decision import OPEN, Facts, Outcome
from proxy.policy.lattice import Lattice, ruling_of
from proxy.policy.review import dead_rows, idle_groupings, losses, unanswered
from proxy.policy.rows import Row, Sheet
from proxy.policy.strictness import opens

if TYPE_CHECKING:
    from proxy.policy.engine import CasbinPolicy
    from proxy.policy.vocabulary import Words

SHIPPED = Path(__file__).parents[2] / "policies"
ACTIONS = (
    "person.read", "person.search", "vehicle.read", "warrant.search", "incident.search", "address.search", "vehicle.browse",
    "address.browse",
)  # fmt: skip
PURPOSES = ("A", "C", "D", "F", "H", "I", "J", "R", "S", "V", "X")
OFFICERS = ("patrol", "detective", "supervisor", "handler")
PRESENT = ("assigned", "unit", "dispatched")


def test_losing_any_line_opens_nothing(shipped_sheet: Sheet, shipped_words: Words) -> None:
    """No permit leans on a stricter row: whichever row or grouping is deleted, nothing more is answered."""
    assert losses(shipped_sheet, shipped_words) == ()


def test_losing_every_refusal_opens_nothing(shipped_sheet: Sheet, shipped_words: Words) -> None:
    """Without all the conceal, deny and escalate rows nothing more is answered, since permits name what they permit."""
    closed = [row for row in shipped_sheet.rows if row.outcome not in OPEN]
    without = Lattice(
        Sheet(rows=tuple(row for row in shipped_sheet.rows if row.outcome in OPEN), groupings=shipped_sheet.groupings),
        shipped_words,
    )
    whole = Lattice(shipped_sheet, shipped_words)

    assert closed
    assert not [facts for facts in whole.cells() if opens(ruling_of(whole.matching(facts)), ruling_of(without.matching(facts)))]


def test_a_planted_broad_permit_is_found(shipped_sheet: Sheet, shipped_words: Words) -> None:
    """The search for leaning lines finds one when there is one."""
    row = next(row for row in shipped_sheet.rows if row.rule == "P01")
    broad_row = replace(row, rule="P99", conditions=row.conditions._replace(category="protected"))
    broad = Sheet(
        rows=tuple(sorted((*shipped_sheet.rows, broad_row), key=lambda one: one.order)), groupings=shipped_sheet.groupings
    )

    found = losses(broad, shipped_words)

    assert {loss.line.rule for loss in found if isinstance(loss.line, Row)} == {"E01"}


def test_every_row_and_group_has_a_use(shipped_sheet: Sheet, shipped_words: Words) -> None:
    """No row is dead, no group idle, no action unanswered."""
    lattice = Lattice(shipped_sheet, shipped_words)

    assert dead_rows(lattice) == ()
    assert idle_groupings(shipped_sheet) == ()
    assert unanswered(lattice, frozenset(ACTIONS)) == ()


def _everything(shipped: CasbinPolicy, **fixed: tuple[str, ...]) -> list[Facts]:
    words = shipped._words.words
    return [Facts(*facts) for facts in product(*(fixed.get(column, tuple(words[column])) for column in Facts._fields))]


def test_no_approved_answer_says_where_a_participant_of_the_address_program_lives(shipped: CasbinPolicy) -> None:
    """Whatever the route, each field that can hold an address or a number is masked, also where it is an incident's place."""
    routes = load_routes(SHIPPED / "routes.yaml")
    telling = {"street", "unit", "city", "state", "postal_code", "address", "phone"}
    for route in routes.routes:
        classes = {field.field_class for field in route.fields.values() if field.kind in telling}
        for facts in _everything(shipped, category=("confidential_address",), action=(route.action,), purpose=PURPOSES):
            ruling = ruling_of(shipped.lattice.matching(facts))
            assert ruling.outcome is not Outcome.PERMIT
            if ruling.outcome is Outcome.MASK:
                assert classes | {"narrative"} <= ruling.masked, facts


@pytest.mark.parametrize("role", OFFICERS)
@pytest.mark.parametrize("standing", PRESENT)
@pytest.mark.parametrize("action", ACTIONS)
def test_ordinary_police_work_is_not_in_the_way(shipped: CasbinPolicy, role: str, standing: str, action: str) -> None:
    """An officer who stands in the case is answered about ordinary persons without delay."""
    assert shipped.rule(Facts(role, action, "C", "none", standing, "none", "none")).outcome is Outcome.PERMIT
