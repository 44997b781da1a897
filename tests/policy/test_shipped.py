"""The shipped policy, as a records officer or a lawyer would put it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from proxy.inquiry.routes import load_routes
from proxy.policy.decision import Facts, Outcome
from proxy.policy.lattice import Lattice, ruling_of
from proxy.policy.review import dead_rows, idle_groupings, losses, unanswered
from proxy.policy.rows import OPEN, Row, Sheet
from proxy.policy.strictness import opens

if TYPE_CHECKING:
    from collections.abc import Callable

    from proxy.policy.engine import CasbinPolicy
    from proxy.policy.vocabulary import Words

SHIPPED = Path(__file__).parents[2] / "policies"
ACTIONS = (
    "person.read", "person.search", "vehicle.read", "warrant.search", "incident.search", "address.search", "vehicle.browse",
    "address.browse",
)  # fmt: skip
PURPOSES = ("A", "C", "D", "F", "H", "I", "J", "R", "S", "V", "X")
OFFICERS = ("patrol", "detective", "supervisor", "handler")
PROTECTED = ("official", "judicial", "officer", "confidential_address", "victim", "witness", "juvenile")
HIDDEN = ("informant", "undercover")
PRESENT = ("assigned", "unit", "dispatched")
CONFLICT = ("self", "household", "family", "former_partner", "dispute")
WORKPLACE = ("command", "colleague")

# who, what, why (code), about whom, standing, relation, approval -> decision
EXPECTED = """
# ordinary work
patrol      person.search   C  none                  dispatched  none       none     -> permit
patrol      vehicle.read    C  none                  assigned    none       none     -> permit
detective   incident.search C  none                  unit        none       none     -> permit
supervisor  warrant.search  D  none                  assigned    none       none     -> permit
handler     address.search  X  none                  assigned    none       none     -> permit
records     person.read     C  none                  assigned    none       none     -> permit
dispatcher  person.read     C  none                  dispatched  none       none     -> mask ssn photo financial
# broad searches
detective   person.browse   C  none                  assigned    none       none     -> permit
records     person.browse   D  none                  assigned    none       none     -> permit
detective   person.browse   C  none                  unit        none       none     -> deny
patrol      person.browse   C  none                  assigned    none       none     -> deny
dispatcher  person.browse   C  none                  dispatched  none       none     -> deny
records     person.browse   J  none                  unassigned  none       none     -> deny
detective   person.browse   C  official              assigned    none       none     -> deny
detective   person.browse   C  official              assigned    none       granted  -> deny
detective   person.browse   C  informant             assigned    none       none     -> conceal
patrol      vehicle.browse  C  none                  dispatched  none       none     -> permit
dispatcher  vehicle.browse  C  none                  dispatched  none       none     -> mask ssn photo financial
patrol      address.browse  C  none                  dispatched  none       none     -> permit
# not one's case
patrol      person.read     C  none                  unassigned  none       none     -> deny
# not one's purpose
patrol      person.read     J  none                  assigned    none       none     -> deny
dispatcher  person.read     F  none                  assigned    none       none     -> deny
records     person.read     J  none                  unassigned  none       none     -> mask narrative health school
records     vehicle.read    J  none                  unassigned  none       none     -> deny
records     address.search  F  none                  unassigned  none       none     -> deny
records     person.read     R  none                  assigned    none       none     -> deny
records     person.read     S  none                  assigned    none       none     -> deny
# not one's role
auditor     person.read     C  none                  assigned    none       none     -> deny
steward     person.read     C  none                  assigned    none       none     -> deny
# protected persons
patrol      person.read     C  official              assigned    none       none     -> escalate
patrol      person.read     C  official              assigned    none       granted  -> mask ssn
records     person.read     C  official              assigned    none       granted  -> permit
detective   person.read     C  juvenile              assigned    none       none     -> escalate
dispatcher  person.read     C  victim                dispatched  none       none     -> escalate
dispatcher  person.read     C  victim                dispatched  none       granted  -> mask ssn photo financial employer school
patrol      person.read     C  confidential_address  assigned    none    granted  -> mask ssn home_address phone place narrative
records     person.read     C  confidential_address  assigned    none       granted  -> mask home_address phone place narrative
patrol      person.read     C  official              unassigned  none       none     -> deny
patrol      person.read     C  official              unassigned  none       granted  -> deny
# hidden persons
patrol      person.read     C  informant             assigned    none       none     -> conceal
supervisor  person.read     C  informant             assigned    none       granted  -> conceal
dispatcher  address.search  C  undercover            dispatched  none       none     -> conceal
records     person.read     J  informant             unassigned  none       none     -> conceal
handler     person.read     C  informant             unit        none       none     -> conceal
handler     person.read     C  informant             assigned    none       none     -> escalate
handler     person.read     C  informant             assigned    none       granted  -> mask ssn employer
auditor     person.read     C  informant             assigned    none       none     -> deny
patrol      person.read     C  informant             unassigned  none       none     -> deny
# nobody serves himself
patrol      person.read     C  none                  assigned    self       none     -> deny
patrol      person.read     C  none                  assigned    household  granted  -> deny
detective   person.read     C  officer               assigned    family     granted  -> deny
dispatcher  address.search  C  none                  dispatched  dispute    none     -> deny
handler     person.read     C  informant             assigned    family     granted  -> deny
patrol      person.search   C  none                  dispatched  former_partner none   -> deny
records     person.read     J  victim                unassigned  former_partner granted -> deny
# colleagues and superiors
patrol      person.read     C  none                  assigned    colleague  none     -> escalate
patrol      person.read     C  none                  assigned    colleague  granted  -> permit
patrol      person.read     C  officer               assigned    command    none     -> escalate
records     person.read     J  officer               unassigned  colleague  none     -> escalate
"""

CASES = [
    (Facts(*line.split("->")[0].split()), line.split("->")[1].split())
    for line in EXPECTED.strip().splitlines()
    if not line.startswith("#")
]


@pytest.mark.parametrize(("facts", "expected"), CASES, ids=["-".join(facts) for facts, _ in CASES])
def test_expected_ruling(shipped: CasbinPolicy, facts: Facts, expected: list[str]) -> None:
    """The shipped policy rules as the table says, masks included."""
    ruling = shipped.rule(facts)

    assert (str(ruling.outcome), ruling.masked) == (expected[0], frozenset(expected[1:]))


def test_stock_casbin_and_the_oracle_agree_on_the_whole_lattice(
    shipped: CasbinPolicy, oracle: Callable[[str], Callable[[Facts], tuple[str, frozenset[str]]]]
) -> None:
    """Every question that the policy can tell apart is ruled on by Casbin as by a naive reading of the file."""
    ask = oracle((SHIPPED / "policy.csv").read_text())

    count = 0
    for facts in shipped.lattice.cells():
        ruling = shipped.rule(facts)
        assert ruling.rule != "error"
        assert (str(ruling.outcome), ruling.masked) == ask(facts), facts
        count += 1
    assert count > 3_000


def test_questions_that_no_row_tells_apart_are_few_but_stand_for_all(
    shipped: CasbinPolicy, oracle: Callable[[str], Callable[[Facts], tuple[str, frozenset[str]]]]
) -> None:
    """Each word is ruled on like the word that stands for it, with all other facts varied."""
    ask = oracle((SHIPPED / "policy.csv").read_text())
    words = shipped._words.words
    for column in Facts._fields:
        for word in words[column]:
            for facts in list(shipped.lattice.cells(**{column: word}))[::37]:
                ruling = ruling_of(shipped.lattice.matching(facts))
                assert (str(ruling.outcome), ruling.masked) == ask(facts)


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


def test_nobody_is_answered_about_himself_or_his_own(shipped: CasbinPolicy) -> None:
    """Self, household, family, former partner, dispute: whoever, whatever, whyever, approved or not, never answered."""
    for facts in _everything(shipped, relation=CONFLICT, purpose=("C", "J", "R")):
        assert ruling_of(shipped.lattice.matching(facts)).outcome is Outcome.DENY


def test_hidden_persons_are_seen_by_their_handler_only(shipped: CasbinPolicy) -> None:
    """A hidden person is never permitted; masked only for a handler, assigned, approved."""
    for facts in _everything(
        shipped, category=HIDDEN, action=("person.read", "person.browse", "address.search"), purpose=PURPOSES
    ):
        outcome = ruling_of(shipped.lattice.matching(facts)).outcome
        assert outcome is not Outcome.PERMIT
        if outcome in {Outcome.MASK, Outcome.ESCALATE}:
            assert (facts.role, facts.standing) == ("handler", "assigned")
            assert (outcome is Outcome.MASK) == (facts.approval == "granted")


def test_concealment_never_tells_by_differing(shipped: CasbinPolicy) -> None:
    """A query that is refused about everybody is refused, not concealed, about a hidden person, and the other way round."""
    for facts in _everything(
        shipped, category=HIDDEN, action=("person.read", "person.browse", "address.search"), purpose=PURPOSES
    ):
        hidden = ruling_of(shipped.lattice.matching(facts)).outcome
        ordinary = ruling_of(shipped.lattice.matching(facts._replace(category="none"))).outcome
        assert (hidden is Outcome.DENY) == (ordinary is Outcome.DENY), facts


def test_protection_never_loosens(shipped: CasbinPolicy) -> None:
    """A protected person is never ruled on more loosely than an ordinary one."""
    for facts in _everything(
        shipped, category=(*PROTECTED, *HIDDEN), action=("person.read", "person.browse", "address.search")
    ):
        ordinary = ruling_of(shipped.lattice.matching(facts._replace(category="none")))
        if facts.approval == "granted" and ordinary.outcome is Outcome.DENY:
            continue
        assert not opens(ordinary, ruling_of(shipped.lattice.matching(facts))), facts


def test_only_an_approval_opens_a_protected_person(shipped: CasbinPolicy) -> None:
    """Without a supervisor's approval nobody protected or close at work is answered about."""
    for facts in _everything(
        shipped, category=PROTECTED, approval=("none",), action=("person.read", "person.browse", "address.search")
    ):
        assert ruling_of(shipped.lattice.matching(facts)).outcome not in OPEN
    for facts in _everything(
        shipped, relation=WORKPLACE, approval=("none",), action=("person.read", "person.browse", "address.search")
    ):
        assert ruling_of(shipped.lattice.matching(facts)).outcome not in OPEN


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


def test_standing_never_tightens(shipped: CasbinPolicy) -> None:
    """Being assigned answers whatever being unassigned does."""
    for facts in _everything(shipped, standing=("unassigned",), action=("person.read", "person.browse", "address.search")):
        unassigned = ruling_of(shipped.lattice.matching(facts)).outcome
        assigned = ruling_of(shipped.lattice.matching(facts._replace(standing="assigned"))).outcome
        if unassigned in OPEN:
            assert assigned in OPEN


@pytest.mark.parametrize("role", OFFICERS)
@pytest.mark.parametrize("standing", PRESENT)
@pytest.mark.parametrize("action", ACTIONS)
def test_ordinary_police_work_is_not_in_the_way(shipped: CasbinPolicy, role: str, standing: str, action: str) -> None:
    """An officer who stands in the case is answered about ordinary persons without delay."""
    assert shipped.rule(Facts(role, action, "C", "none", standing, "none", "none")).outcome is Outcome.PERMIT
