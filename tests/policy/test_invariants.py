# ruff: noqa: E501 -- a table: a planted mistake is a line
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from proxy.document import DocumentInvalid
from proxy.policy.gate import load_promises, told
from proxy.policy.invariants import load_invariants
from proxy.policy.lattice import Lattice
from proxy.policy.parser import parse_policy
from proxy.policy.service import PolicySet, load_policies
from proxy.policy.violations import violations
from proxy.policy.vocabulary import ANY

if TYPE_CHECKING:
    from proxy.policy.violations import Violation

SHIPPED: Final = Path(__file__).parents[2] / "policies"
POLICY: Final = (SHIPPED / "policy.csv").read_text()

EMERGENCY: Final = "exigent=allowed/4h; shows=name; alerts=supervisor"

# invariant, rows that are lost, what becomes what, the row that is planted, the smallest example
PLANTED: Final[tuple[tuple[str, tuple[str, ...], tuple[str, str], str, str], ...]] = (
    ("informant-only-for-the-handler", (), ("", ""), "permit, Z1, patrol, person.read, C, informant, unassigned, none, none, none", "role=patrol, action=person.read, purpose=C, category=informant, standing=unassigned, relation=none, approval=none"),
    ("hidden-only-in-the-handlers-own-case", (), ("", ""), "escalate, Z1, handler, person.read, C, hidden, unassigned, none, none, none", "role=handler, action=person.read, purpose=C, category=informant, standing=unassigned"),
    ("hidden-only-with-approval", (), ("", ""), "mask, Z1, handler, person.read, C, undercover, unassigned, none, none, mask=ssn", "category=undercover"),
    ("hidden-never-whole", (), ("", ""), "permit, Z1, handler, person.read, C, informant, unassigned, none, granted, none", "approval=granted"),
    ("only-the-hidden-are-concealed", (), ("", ""), "conceal, Z1, patrol, any, any, victim, any, any, any, none", "role=patrol, category=victim"),
    ("refused-to-all-is-refused-about-the-hidden", (), ("", ""), "conceal, Z1, any, any, any, hidden, unassigned, any, any, none", "standing=unassigned"),
    ("refused-about-the-hidden-is-refused-to-all", ("H01",), ("", ""), "", "category=none"),
    ("protection-never-loosens", (), ("", ""), "permit, Z1, patrol, person.read, C, official, unassigned, none, none, none", "category=official"),
    ("protected-only-with-approval", (), ("", ""), "mask, Z1, patrol, person.read, C, judicial, unassigned, none, none, mask=ssn", "category=judicial"),
    ("confidential-address-never-shown", (), ("ssn+home_address+phone+place+narrative,     the", "ssn+phone+place+narrative,     the"), "", "category=confidential_address"),
    ("broad-search-finds-nobody-protected", (), ("", ""), "mask, Z1, detective, person.browse, C, official, unassigned, none, none, mask=ssn", "action=person.browse"),
    ("break-glass-never-reveals-the-hidden", (), ("exigent=never,", f"{EMERGENCY},"), "", "category=informant, standing=assigned"),
    ("break-glass-shows-no-more-than-its-mask", (), ("", ""), f"escalate, Z1, patrol, person.read, C, official, unassigned, none, none, {EMERGENCY}", "standing=unassigned"),
    ("break-glass-opens-nobody-close", (), ("", ""), f"escalate, Z1, patrol, person.read, C, none, unassigned, colleague, none, {EMERGENCY}", "relation=colleague"),
    ("break-glass-needs-a-verified-case", (), ("", ""), f"escalate, Z1, patrol, person.read, C, official, unassigned, none, none, {EMERGENCY}", "standing=unassigned"),
    ("break-glass-is-no-search", (), ("", ""), f"escalate, Z1, detective, person.browse, C, none, unassigned, none, none, {EMERGENCY}", "action=person.browse"),
    ("nobody-about-themselves", ("D01",), ("", ""), "permit, Z1, patrol, person.read, C, none, assigned, self, none, none", "relation=self"),
    ("closeness-never-shows-more", (), ("", ""), "permit, Z1, patrol, person.read, C, none, unassigned, colleague, none, none", "relation=colleague"),
    ("colleagues-only-with-approval", (), ("", ""), "permit, Z1, patrol, person.read, C, none, unassigned, command, none, none", "relation=command"),
    ("standing-never-tightens", (), ("", ""), "permit, Z1, dispatcher, person.read, C, none, unassigned, none, none, none", "role=dispatcher"),
    ("no-case-no-answer", (), ("", ""), "permit, Z1, patrol, person.read, C, none, unassigned, none, none, none", "standing=unassigned"),
    ("unverified-only-for-officer-safety", (), ("", ""), "permit, Z1, patrol, person.read, C, none, unverified, none, none, none", "standing=unverified"),
    ("unverified-never-shows-more", (), ("", ""), "permit, Z1, dispatcher, vehicle.read, C, none, unverified, none, none, none", "role=dispatcher"),
    ("approval-opens-no-refusal", (), ("", ""), "permit, Z1, patrol, person.read, C, none, unassigned, none, granted, none", "approval=granted"),
    ("approval-takes-nothing-away", (), ("", ""), "deny, Z1, patrol, query, C, official, any, any, granted, none", "approval=granted"),
    ("keepers-read-no-record", ("D02",), ("", ""), "permit, Z1, auditor, person.read, C, none, assigned, none, none, none", "role=auditor"),
    ("checks-belong-to-the-records-desk", ("D05",), ("", ""), "permit, Z1, dispatcher, person.read, F, none, assigned, none, none, none", "purpose=F"),
    ("checks-show-no-narrative", (), ("mask=narrative+health+school,                    a b", "mask=health+school,                    a b"), "", "purpose=F"),
    ("dispatchers-see-no-money", (), ("mask=ssn+financial+photo,", "mask=ssn+photo,"), "", "role=dispatcher"),
    ("reserved-codes-serve-nobody", (), ("", ""), "permit, Z1, patrol, person.read, A, none, assigned, none, none, none", "purpose=A"),
)  # fmt: skip


@pytest.fixture(scope="module")
def shipped() -> PolicySet:
    """Return the shipped policy."""
    return load_policies(SHIPPED)


def _violated(
    shipped: PolicySet, text: str, stated: str | None = None, folder: Path = SHIPPED, *, only: str = ""
) -> dict[str, Violation]:
    sheet = parse_policy(Path("policy.csv"), text.encode(), words=shipped.words, fields=shipped.fields.keys())
    if stated is not None:
        (folder / "invariants.yaml").write_text(stated)
    invariants = load_invariants(folder, words=shipped.words, sheet=sheet, fields=frozenset(shipped.fields))
    asked = [each for each in invariants if only in {"", each.name}]
    return {each.invariant.name: each for each in violations(asked, Lattice(sheet, shipped.words))}


def test_the_shipped_policy_keeps_what_it_promises(shipped: PolicySet) -> None:
    """No invariant is violated by any question."""
    assert violations(load_promises(shipped).invariants, shipped.lattice) == ()


def test_every_shipped_invariant_has_a_planted_mistake(shipped: PolicySet) -> None:
    """An invariant that nothing could violate would prove nothing."""
    assert {each.name for each in load_promises(shipped).invariants} == {planted[0] for planted in PLANTED}


@pytest.mark.parametrize(("name", "lost", "change", "row", "example"), PLANTED, ids=[planted[0] for planted in PLANTED])
def test_a_planted_mistake_is_found(  # noqa: PLR0917 -- the table's columns
    shipped: PolicySet, name: str, lost: tuple[str, ...], change: tuple[str, str], row: str, example: str
) -> None:
    """Each shipped invariant finds a policy that goes against it, with a question that shows it."""
    lines = [line for line in POLICY.splitlines() if not any(f" {rule}," in line and not line.startswith("#") for rule in lost)]
    text = "\n".join([*lines, *([f"{row}, planted by a test"] if row else []), ""])
    assert change[0] in text
    violation = _violated(shipped, text.replace(*change, 1) if change[0] else text, only=name)[name]

    assert example in told(violation.smallest)
    assert violation.questions >= 1
    assert all(said in {ANY, fact} for said, fact in zip(violation.smallest, violation.example.facts, strict=True))


def test_the_smallest_example_says_no_more_than_it_has_to(shipped: PolicySet, tmp_path: Path) -> None:
    """Whatever the other words are, the violation holds: they are left out."""
    stated = "invariants: {never-denied-to-auditors: {says: A wish that does not hold., never: {when: {role: auditor}, outcome: [deny]}}}\n"

    violation = _violated(shipped, POLICY, stated, tmp_path)["never-denied-to-auditors"]

    assert told(violation.smallest) == "role=auditor"
    assert violation.questions == shipped.lattice.size // len(shipped.words.words["role"])
    assert violation.deciding is not None
    assert violation.deciding.rule in {"D01", "D02"}


def test_a_step_that_goes_the_wrong_way_names_both_questions(shipped: PolicySet, tmp_path: Path) -> None:
    """A violated order shows the earlier step and the later one, with their rulings."""
    stated = "invariants: {approval-does-nothing: {says: A wish that does not hold., monotone: {when: {category: official}, along: approval, order: [none, granted], never: looser}}}\n"

    violation = _violated(shipped, POLICY, stated, tmp_path)["approval-does-nothing"]

    assert violation.example.earlier is not None
    assert violation.earlier is not None
    assert (violation.example.earlier.approval, violation.example.facts.approval) == ("none", "granted")
    assert violation.earlier.outcome.severity < violation.example.ruling.outcome.severity


@pytest.mark.parametrize(
    ("form", "place", "message", "hint"),
    [
        (
            "never: {when: {category: informnt}, outcome: [permit]}",
            "informnt",
            "'informnt' is no category",
            "did you mean 'informant'?",
        ),
        (
            "never: {when: {category: [official, informnt]}, outcome: [permit]}",
            "informnt",
            "'informnt' is no category",
            "did you mean 'informant'?",
        ),
        ("never: {when: {role: hidden}, outcome: [permit]}", "hidden", "'hidden' is no role", ""),
        ("never: {when: {rôle: patrol}, outcome: [permit]}", "rôle", "Input should be", ""),
        ("never: {when: {role: patrol}, outcome: [permits]}", "permits", "Input should be", "did you mean 'permit'?"),
        ("never: {when: {role: patrol}, shows: [snn]}", "snn", "unknown field class 'snn'", "did you mean 'ssn'?"),
        ("never: {when: {role: patrol}}", "never", "it forbids nothing", ""),
        ("never: {when: {role: patrol}, unless: {role: officer}, outcome: [deny]}", "unless", "it excepts everything", ""),
        ("monotone: {along: role, order: [patrol], never: looser}", "[patrol]", "at least 2 items", ""),
        ("monotone: {along: role, order: [patrol, officer], never: looser}", "officer", "'patrol' is in an earlier step", ""),
        (
            "monotone: {along: role, order: [patrol, records], when: {role: patrol}, never: looser}",
            "role: patrol}",
            "the order goes along",
            "",
        ),
        ("monotone: {along: role, order: [patrol, records], never: louder}", "louder", "Input should be", ""),
        (
            "never: {when: {}, outcome: [permit]}, monotone: {along: role, order: [patrol, records], never: looser}",
            "some-name",
            "either never or monotone",
            "",
        ),
        ("sometimes: {}", "sometimes", "unknown key 'sometimes'", ""),
    ],
)
def test_a_mistake_in_an_invariant_is_told_with_its_place(  # noqa: PLR0917 -- the table's columns
    shipped: PolicySet, tmp_path: Path, form: str, place: str, message: str, hint: str
) -> None:
    """An invariant that would hold of nothing, or says a word that is none, is refused where that stands."""
    text = f"invariants:\n  some-name: {{says: Some statement., {form}}}\n"

    with pytest.raises(DocumentInvalid) as caught:
        _violated(shipped, POLICY, text, tmp_path)

    found = [each for each in caught.value.mistakes if message in each.message]
    assert found, str(caught.value)
    assert (found[0].line, found[0].column) == (2, text.splitlines()[1].index(place) + 1)
    assert hint in (found[0].help or "")
