# ruff: noqa: E501 -- a table: a mistake is a line
from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import pytest

from proxy.document import DocumentInvalid
from proxy.policy.gate import failed_gates, load_gated, load_promises
from proxy.policy.service import FILES, load_policies

SHIPPED: Final = Path(__file__).parents[2] / "policies"

SMALL: Final = "permit, P01, patrol, person.read, C, none, assigned, none, none, none, ordinary work\n"
CASES: Final = """about: What the tests are about.
cases:
  - {case: Ordinary work, who: {role: patrol, standing: assigned}, why: C, what: person.read, whom: {category: none},
     decision: permit, row: P01, source: a test}
"""
INVARIANTS: Final = "invariants: {nobody-else: {says: Only patrol asks., never: {unless: {role: patrol}, outcome: [permit]}}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a policy of one row, with a case and an invariant."""
    for name in FILES:
        shutil.copy(SHIPPED / name, tmp_path / name)
    (tmp_path / "policy.csv").write_text(SMALL)
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "ordinary.yaml").write_text(CASES)
    (tmp_path / "invariants.yaml").write_text(INVARIANTS)
    return tmp_path


def test_a_policy_that_keeps_its_promises_passes(folder: Path) -> None:
    """What comes through the gate is the loaded policy."""
    policies = load_gated(folder)

    assert policies.version == load_policies(folder).version
    assert len(load_promises(policies).cases) == 1


def test_a_policy_with_nothing_beside_it_passes(folder: Path) -> None:
    """Cases and invariants are a department's own choice."""
    shutil.rmtree(folder / "cases")
    (folder / "invariants.yaml").unlink()

    assert load_gated(folder).sheet.rows


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("policy.csv", "permit, P01", "permitt, P01", r"policy\.csv:1:1: unknown beginning 'permitt'"),
        ("policy.csv", "P01", "P02", r"ordinary\.yaml:4:29: there is no row 'P01'"),
        ("policy.csv", "assigned", "unit", r"ordinary\.yaml:3:1: the case 'Ordinary work' expects permit by P01 \(none\), and it is deny by default"),
        ("policy.csv", "\n", "\npermit, P02, records, person.read, C, none, unit, none, none, none, more\n", r"invariants\.yaml:1:1: 'nobody-else' does not hold: role=records"),
        ("cases/ordinary.yaml", "decision", "decison", r"ordinary\.yaml:4:6: unknown key 'decison'"),
        ("cases/ordinary.yaml", "about:", "\tabout:", r"ordinary\.yaml:1:1: "),
        ("invariants.yaml", "role: patrol", "role: patroll", r"invariants\.yaml:1:\d+: 'patroll' is no role"),
    ],
)  # fmt: skip
def test_a_policy_that_fails_any_gate_does_not_come_through(folder: Path, name: str, old: str, new: str, told: str) -> None:
    """Mistakes, cases, invariants: each alone stops it, and says where."""
    path = folder / name
    path.write_text(path.read_text().replace(old, new, 1))

    with pytest.raises(DocumentInvalid, match=told):
        load_gated(folder)


def test_a_disagreement_of_the_engine_does_not_come_through(folder: Path) -> None:
    """When stock Casbin rules otherwise than the oracle, nothing is put into force."""
    policies = load_policies(folder)
    policies.policy._enforcer.model["p"]["p"].policy[-1][1] = "deny"  # type: ignore[attr-defined]

    failed = list(failed_gates(policies))

    assert {each.message.split(":")[0] for each in failed} >= {"casbin says deny by error where the oracle says permit by P01"}


@pytest.mark.timeout(600)  # Casbin is asked ten thousand questions
def test_the_shipped_policy_passes_every_gate() -> None:
    """What is shipped may go live: Casbin, our reading and the oracle agree, and all its cases and invariants hold."""
    assert load_gated(SHIPPED).version == load_policies(SHIPPED).version
