from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from proxy.document import DocumentInvalid
from proxy.policy.cases import failures, load_cases, uncovered
from proxy.policy.gate import load_promises
from proxy.policy.service import FILES, PolicySet, load_policies

if TYPE_CHECKING:
    from proxy.policy.cases import Case

SHIPPED: Final = Path(__file__).parents[2] / "policies"

CASE: Final = """about: What the tests are about.
cases:
  - case: The mayor's record, approved
    who: {role: patrol, standing: assigned}
    why: C
    what: person.read
    whom: {category: official}
    approval: granted
    decision: mask
    row: M06
    obligations: mask=ssn
    source: the department's policy
"""


@pytest.fixture(scope="module")
def shipped() -> PolicySet:
    """Return the shipped policy."""
    return load_policies(SHIPPED)


def _cases(folder: Path, policies: PolicySet, text: str) -> tuple[Case, ...]:
    (folder / "cases").mkdir(exist_ok=True)
    (folder / "cases" / "some.yaml").write_text(text)
    rules = frozenset(row.rule for row in policies.sheet.rows)
    return load_cases(folder, words=policies.words, fields=frozenset(policies.fields), rules=rules)


def test_the_shipped_policy_does_what_its_cases_say(shipped: PolicySet) -> None:
    """Every case is as expected, every row decides in one at least, and there are not few."""
    cases = load_promises(shipped).cases

    assert failures(cases, shipped.policy, shipped.lattice) == ()
    assert uncovered(cases, shipped.lattice) == ()
    assert len(cases) >= 40


def test_every_outcome_and_every_role_has_a_case(shipped: PolicySet) -> None:
    """No decision, role, category or relation is without a case."""
    cases = load_promises(shipped).cases

    assert {case.expected.outcome for case in cases} == {"conceal", "deny", "escalate", "mask", "permit"}
    for column in ("role", "approval", "standing"):
        assert {getattr(case.facts, column) for case in cases} == shipped.words.words[column]


def test_a_case_that_fails_is_a_diff(tmp_path: Path, shipped: PolicySet) -> None:
    """Expected and actual stand under one another, then the deciding row with its line and the others that matched."""
    text = CASE.replace("mask=ssn", "mask=ssn+phone").replace("category: official", "category: official, relation: command")
    (case,) = _cases(tmp_path, shipped, text)

    (failure,) = failures([case], shipped.policy, shipped.lattice)
    told = failure.diff(SHIPPED).splitlines()

    line = next(row.line for row in shipped.sheet.rows if row.rule == "M07")
    assert told[0] == f"{tmp_path}/cases/some.yaml:3: The mayor's record, approved"
    assert "  - mask by M06, obligations: mask=phone+ssn" in told
    assert "  + mask by M07, obligations: mask=ssn" in told
    assert f"    decided by: {SHIPPED}/policy.csv:{line}: mask, M07, officer, query" in "\n".join(told)
    assert told[-1] == "    source: the department's policy"


@pytest.mark.parametrize(
    ("old", "new"),
    [("decision: mask", "decision: permit"), ("row: M06", "row: M07"), ("mask=ssn", "mask=ssn+photo")],
)
def test_outcome_row_and_obligations_are_all_compared(tmp_path: Path, shipped: PolicySet, old: str, new: str) -> None:
    """A case fails by any of the three alone."""
    text = CASE.replace(old, new)
    if "permit" in new:
        text = text.replace("    obligations: mask=ssn\n", "")

    assert len(failures(_cases(tmp_path, shipped, text), shipped.policy, shipped.lattice)) == 1
    assert failures(_cases(tmp_path, shipped, CASE), shipped.policy, shipped.lattice) == ()


def test_a_row_without_a_case_is_told(tmp_path: Path, shipped: PolicySet) -> None:
    """A case covers the row that decides in it, and no other."""
    told = {row.rule for row in uncovered(_cases(tmp_path, shipped, CASE), shipped.lattice)}

    assert told == {row.rule for row in shipped.sheet.rows} - {"M06"}


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "message", "hint"),
    [
        ("role: patrol", "role: patroll", 4, 17, "'patroll' is no role", "did you mean 'patrol'?"),
        ("standing: assigned", "standing: asigned", 4, 35, "'asigned' is no standing", "did you mean 'assigned'?"),
        ("why: C", "why: c", 5, 10, "'c' is no purpose", "did you mean 'C'?"),
        ("person.read", "person.raed", 6, 11, "'person.raed' is no action", "did you mean 'person.read'?"),
        ("category: official", "category: offical", 7, 22, "'offical' is no category", "did you mean 'official'?"),
        ("category: official", "category: protected", 7, 22, "'protected' is no category", "known: "),
        ("approval: granted", "approval: grantd", 8, 15, "'grantd' is no approval", "did you mean 'granted'?"),
        ("decision: mask", "decision: masks", 9, 15, "Input should be", "did you mean 'mask'?"),
        ("row: M06", "row: MO6", 10, 10, "there is no row 'MO6'", "did you mean 'M"),
        ("mask=ssn", "mask=snn", 11, 18, "unknown field class 'snn'", "did you mean 'ssn'?"),
        ("mask=ssn", "none", 11, 18, "a mask row says what it masks", ""),
        ("decision:", "decison:", 9, 5, "unknown key 'decison'", "did you mean 'decision'?"),
        ("    source: the department's policy\n", "", 3, 5, "'source' is missing", ""),
        ("  - case", "  - {}\n  - case", 3, 5, "'case' is missing", ""),
    ],
)
def test_a_mistake_in_a_case_is_told_with_its_place(  # noqa: PLR0917 -- the table's columns
    tmp_path: Path, shipped: PolicySet, old: str, new: str, line: int, column: int, message: str, hint: str
) -> None:
    """Unknown words, rows and keys: file, line and column, and the nearest that exists."""
    assert old in CASE

    with pytest.raises(DocumentInvalid) as caught:
        _cases(tmp_path, shipped, CASE.replace(old, new, 1))

    told = [(each.line, each.column) for each in caught.value.mistakes if message in each.message and hint in (each.help or "")]
    assert (line, column) in told, str(caught.value)


def test_a_case_is_told_once(tmp_path: Path, shipped: PolicySet) -> None:
    """Two cases of one sentence cannot be told apart in a report."""
    twice = CASE + CASE.split("cases:\n")[1]

    with pytest.raises(DocumentInvalid, match=r"some\.yaml:13:11: this case is told already, at some\.yaml:3"):
        _cases(tmp_path, shipped, twice)


def test_a_file_that_would_be_passed_over_is_told(tmp_path: Path, shipped: PolicySet) -> None:
    """Cases in a file that ends in .yml would be tested by nobody."""
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "more.yml").write_text(CASE)

    with pytest.raises(DocumentInvalid, match=r"more\.yml:1:1: this file would not be read\n    help: call it more\.yaml"):
        _cases(tmp_path, shipped, CASE)


def test_cases_and_invariants_are_not_the_policy(tmp_path: Path, shipped: PolicySet) -> None:
    """They say what a policy has to do and change no ruling, so they do not change its version."""
    for name in FILES:
        shutil.copy(SHIPPED / name, tmp_path / name)
    _cases(tmp_path, shipped, CASE)

    assert load_policies(tmp_path).version == shipped.version
